//! `Authorization` headers, compared with what RFC 9110 section 11.4, RFC 6750 and the table in the
//! documentation of `pat-tower` say. Each line of an input is a header; an empty input has none.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, VARY, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::Full;

use pat_core::store::{NewToken, Revocation, RevocationScope, TokenStore as _};
use pat_core::{Clock as _, MemoryStore, Owner, Pats, SystemClock, TokenDigest, TokenId};
use pat_tower::{Pat, PatLayer};
use tokio::runtime::Runtime;
use tower::util::BoxCloneService;
use tower::{Layer as _, ServiceExt as _, service_fn};

use crate::driver::{Dice, Target};
use crate::formats;

static TARGET: Target = Target {
    name: "authorization",
    grammar: headers,
    words: &[
        "Bearer ", "bearer", "BEARER  ", "Basic ", " ", "\t", "\n", ",", "=", "==", ":", "\"",
        "\u{e9}", "Bearer,",
    ],
};

#[test]
fn authorization() {
    let hosts = hosts();
    TARGET.check(bolero::check!(), |input| {
        check(&hosts, <[_]>::to_vec, input);
    });
}

#[test]
fn finds_a_tab_after_the_scheme() {
    let hosts = hosts();
    let with_space = |value: &[u8]| {
        let mut value = value.to_vec();
        if let Some(tab) = value.get_mut(6).filter(|byte| **byte == b'\t') {
            *tab = b' ';
        }
        value
    };
    TARGET.finds(bolero::check!(), |input| check(&hosts, with_space, input));
}

#[test]
fn finds_a_limit_that_is_one_too_high() {
    let hosts = hosts();
    let shortened = |value: &[u8]| {
        let mut words = value.split(|byte| *byte == b' ');
        let is_bearer = words
            .next()
            .is_some_and(|word| word.eq_ignore_ascii_case(b"bearer"));
        let is_long = is_bearer && words.next_back().is_some_and(|token| token.len() == 257);
        value[..value.len() - usize::from(is_long)].to_vec()
    };
    TARGET.finds(bolero::check!(), |input| check(&hosts, shortened, input));
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Mode {
    Required,
    Optional,
    Lenient,
}

/// A layer around a service that returns the request's headers.
struct Host {
    mode: Mode,
    passes_unrecognized: bool,
    keeps_header: bool,
    service: BoxCloneService<Request<()>, Answer, Infallible>,
}

type Answer = Response<Full<Bytes>>;

struct Hosts {
    runtime: Runtime,
    all: Vec<Host>,
}

/// The outcome of a request.
#[derive(Debug, PartialEq)]
enum Outcome {
    /// The inner service received the request: the owner of the token, and the `Authorization` headers.
    Passed(Option<&'static str>, Vec<Vec<u8>>),
    /// The layer rejected the request: the status, and the error in the challenge.
    Rejected(u16, &'static str),
}

const GOOD: &str = "pat_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const EXPIRING: &str = "pat_BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB";
const EXPIRED: &str = "pat_CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC";
const REVOKED: &str = "pat_DDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDD";
const UNKNOWN: &str = "pat_EEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEE";

fn hosts() -> Hosts {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    let store = Arc::new(MemoryStore::default());
    runtime.block_on(fill(&store));
    let pats = Pats::builder(store).build();
    let mut all = Vec::new();
    for mode in [Mode::Required, Mode::Optional, Mode::Lenient] {
        for (passes_unrecognized, keeps_header) in
            [(false, false), (false, true), (true, false), (true, true)]
        {
            let mut layer = match mode {
                Mode::Required => PatLayer::required(pats.clone()),
                Mode::Optional => PatLayer::optional(pats.clone()),
                Mode::Lenient => PatLayer::dangerous_bad_token_is_anonymous(pats.clone()),
            };
            if passes_unrecognized {
                layer = layer.pass_unrecognized();
            }
            if keeps_header {
                layer = layer.keep_authorization_header();
            }
            let service = BoxCloneService::new(layer.layer(service_fn(inner)));
            all.push(Host {
                mode,
                passes_unrecognized,
                keeps_header,
                service,
            });
        }
    }
    Hosts { runtime, all }
}

async fn fill(store: &MemoryStore) {
    let now = SystemClock.wall();
    let hour = jiff::SignedDuration::from_hours(1);
    let tokens = [
        (GOOD, "alice", None),
        (EXPIRING, "bob", Some(now + hour)),
        (EXPIRED, "alice", Some(now - hour)),
        (REVOKED, "alice", None),
    ];
    for (number, (signed, owner, expires_at)) in (1..).zip(tokens) {
        let (id, owner) = (
            TokenId::new(number).expect("an ID"),
            Owner::new(owner).expect("an owner"),
        );
        let digest = TokenDigest::of(formats::with_checksum(signed).as_bytes());
        let mut token = NewToken::new(id, digest, owner, "ci", now - 2 * hour);
        token.expires_at = expires_at;
        store.insert(&token, 10).await.expect("a store");
    }
    let scope = RevocationScope::Tokens(vec![TokenId::new(4).expect("an ID")]);
    store
        .revoke(&scope, &Revocation::new(now))
        .await
        .expect("a store");
}

/// Returns the `Authorization` headers of the request as one body, and the owner in a header.
#[expect(clippy::needless_pass_by_value, reason = "as a service has it")]
fn inner(request: Request<()>) -> Ready<Result<Answer, Infallible>> {
    let values: Vec<_> = request
        .headers()
        .get_all(AUTHORIZATION)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    let mut response = Response::new(Full::from(Bytes::from(values.join(&b'\n'))));
    response.headers_mut().insert("count", values.len().into());
    if let Some(pat) = Pat::of(request.extensions()) {
        let owner = HeaderValue::from_str(pat.owner().as_str()).expect("a header");
        response.headers_mut().insert("owner", owner);
    }
    ready(Ok(response))
}

/// Compares each host with the documentation. A planted bug is a `read` that changes headers.
fn check(hosts: &Hosts, read: impl Fn(&[u8]) -> Vec<u8>, input: &[u8]) {
    let lines = input
        .split(|byte| *byte == b'\n')
        .filter(|_| !input.is_empty());
    let values: Result<Vec<_>, _> = lines.map(HeaderValue::from_bytes).collect();
    // A server refuses others before any layer sees them.
    let Ok(values) = values else {
        return;
    };
    for host in &hosts.all {
        let sent = values
            .iter()
            .map(|value| HeaderValue::from_bytes(&read(value.as_bytes())).expect("a header"));
        let found = host.ask(&hosts.runtime, sent);
        let (mode, passes, keeps) = (host.mode, host.passes_unrecognized, host.keeps_header);
        assert_eq!(found, host.expected(&values), "{mode:?} {passes} {keeps}");
    }
}

impl Host {
    fn ask(&self, runtime: &Runtime, values: impl Iterator<Item = HeaderValue>) -> Outcome {
        let mut request = Request::new(());
        request
            .headers_mut()
            .extend(values.map(|value| (AUTHORIZATION, value)));
        let response = runtime.block_on(self.service.clone().oneshot(request));
        let (head, body) = response.unwrap_or_else(|never| match never {}).into_parts();
        let body = runtime.block_on(http_body_util::BodyExt::collect(body));
        let body = body.unwrap_or_else(|never| match never {}).to_bytes();
        let text = |name| {
            head.headers
                .get(name)
                .map(|value| value.to_str().expect("text"))
        };
        let count: Option<usize> =
            text("count".parse().expect("a name")).map(|count| count.parse().expect("a count"));
        let Some(count) = count else {
            return rejection(head.status.as_u16(), &head.headers, &body);
        };
        assert_eq!(head.status.as_u16(), 200);
        let owner = text("owner".parse().expect("a name"));
        let owner = owner.map(|owner| if owner == "alice" { "alice" } else { "bob" });
        let expires = head.headers.contains_key("pat-expires-at");
        assert_eq!(expires, owner == Some("bob"));
        let vary = (self.mode != Mode::Required).then_some("authorization");
        assert_eq!(text(VARY).map(str::to_ascii_lowercase).as_deref(), vary);
        assert_eq!(text(CACHE_CONTROL), owner.map(|_| "private"));
        let seen = body.split(|byte| *byte == b'\n').take(count);
        Outcome::Passed(owner, seen.map(<[u8]>::to_vec).collect())
    }

    /// Returns the outcome by the table in the documentation.
    fn expected(&self, values: &[HeaderValue]) -> Outcome {
        let kept: Vec<_> = values
            .iter()
            .map(|value| value.as_bytes().to_vec())
            .collect();
        let header = if self.keeps_header {
            kept.clone()
        } else {
            Vec::new()
        };
        let anonymous = |header| match self.mode {
            Mode::Required => Outcome::Rejected(401, ""),
            Mode::Optional | Mode::Lenient => Outcome::Passed(None, header),
        };
        match presented(&kept) {
            Presented::Malformed => Outcome::Rejected(400, "invalid_request"),
            Presented::NoBearer => anonymous(kept),
            Presented::Good(owner) => Outcome::Passed(Some(owner), header),
            Presented::Unrecognized if self.passes_unrecognized => anonymous(kept),
            Presented::Unrecognized | Presented::Bad => match self.mode {
                Mode::Lenient => Outcome::Passed(None, header),
                Mode::Required | Mode::Optional => Outcome::Rejected(401, "invalid_token"),
            },
        }
    }
}

/// Returns the outcome of a rejection, after checks of its headers and its body.
fn rejection(status: u16, headers: &HeaderMap, body: &[u8]) -> Outcome {
    let json: serde_json::Value = serde_json::from_slice(body).expect("JSON");
    assert_eq!(json["status"], status);
    assert_eq!(headers[CONTENT_TYPE], "application/problem+json");
    assert_eq!(headers[CACHE_CONTROL], "no-store");
    let challenges: Vec<_> = headers.get_all(WWW_AUTHENTICATE).iter().collect();
    let errors = ["", "invalid_request", "invalid_token"];
    let of_error = |error: &&str| {
        let error = if error.is_empty() {
            String::new()
        } else {
            format!(", error=\"{error}\"")
        };
        challenges == [format!("Bearer realm=\"PAT\"{error}").as_str()]
    };
    let error = errors.into_iter().find(of_error);
    Outcome::Rejected(status, error.unwrap_or_else(|| panic!("{challenges:?}")))
}

enum Presented {
    NoBearer,
    Malformed,
    Good(&'static str),
    Bad,
    Unrecognized,
}

fn presented(values: &[Vec<u8>]) -> Presented {
    let value = match values {
        [] => return Presented::NoBearer,
        [value] => String::from_utf8_lossy(value),
        _ => return Presented::Malformed,
    };
    let is_scheme = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let rest = value.trim_start_matches(is_scheme);
    let scheme = &value[..value.len() - rest.len()];
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Presented::NoBearer;
    }
    let token = rest.trim_start_matches(' ');
    // Bytes that are not UTF-8 count as they are.
    let len = values[0].len() - (value.len() - token.len());
    if token.len() == rest.len() || !(1..=256).contains(&len) {
        return Presented::Malformed;
    }
    if formats::is_prefixed("pat", token.as_bytes()) {
        return match &token[..token.len() - 6] {
            GOOD => Presented::Good("alice"),
            EXPIRING => Presented::Good("bob"),
            _ => Presented::Bad,
        };
    }
    let body = token.trim_end_matches('=');
    let is_token68 = |c: char| c.is_ascii_alphanumeric() || "-._~+/".contains(c);
    if !body.is_empty() && body.chars().all(is_token68) {
        Presented::Unrecognized
    } else {
        Presented::Malformed
    }
}

fn headers(dice: &mut Dice<'_>) -> Vec<u8> {
    let count = [1, 1, 1, 1, 1, 1, 0, 2][dice.below(8)];
    let values: Vec<_> = (0..count).map(|_| header(dice)).collect();
    values.join(&b'\n')
}

fn header(dice: &mut Dice<'_>) -> Vec<u8> {
    let scheme = dice.word(&[
        "Bearer", "Bearer", "bearer", "BEARER", "bEARER", "Basic", "Bearer2", "Digest", "Token", "",
    ]);
    let separator = dice.word(&[" ", " ", " ", "   ", "", "\t", " \t", ":", ": ", ", "]);
    let mut value = format!("{scheme}{separator}").into_bytes();
    match dice.below(6) {
        0..=2 => {
            let signed = dice.word(&[GOOD, EXPIRING, EXPIRED, REVOKED, UNKNOWN]);
            value.extend(formats::with_checksum(signed).bytes());
        }
        3 => {
            let token = dice.word(&[
                "abc",
                "a.b-c_d~e+f/g==",
                "eyJhbGciOiJub25lIn0.e30.",
                "=",
                "a=b",
                "a b",
                "",
            ]);
            value.extend(token.bytes());
        }
        4 => value.extend(vec![b'a'; 250 + dice.below(12)]),
        _ => value.extend((0..dice.below(12)).map(|_| 32 + dice.byte() % 224)),
    }
    if dice.once_in(10) {
        value.extend(
            dice.word(&[" ", ",", "=", " x", ", Bearer x", "\t"])
                .bytes(),
        );
    }
    value
}
