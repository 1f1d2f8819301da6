//! The cursor of a search, through the REST router, compared with the position that is encoded in it. A
//! cursor is valid if a search could have returned it, and leads to the tokens after its position. An
//! input is the text of a cursor, or the JSON in one.

use std::cmp::Ordering;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::CONTENT_TYPE;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use pat_core::search::fold;
use pat_core::store::{LastUse, NewToken, TokenStore as _};
use pat_core::testing::TestDirectory;
use pat_core::{Caller, MemoryStore, Owner, Pats, Token, TokenDigest, TokenId};
use pat_tower::api::Api;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

use crate::driver::{Dice, Target};

static TARGET: Target = Target {
    name: "cursor",
    grammar: cursor,
    words: &[
        "\"key\":", "\"name\"", "null", "true", "1", "-", "=", "A", "_", "{", "}", ",", "[", "]",
        " ", "\"id\":7", "é",
    ],
};

/// The number of tokens on a page.
const LIMIT: usize = 7;
/// The last time of a cursor in microseconds, and the time that stands for no expiry.
const LAST_MICRO: i64 = 253_402_207_200_000_000;
const NEVER_MICRO: i64 = 253_402_207_200_999_999;
const FIRST_MICRO: i64 = -377_705_023_201_000_000;

#[test]
fn cursors() {
    let host = Host::new();
    TARGET.check(bolero::check!(), |input| check(&host, str::to_owned, input));
}

#[test]
fn finds_padding_that_is_ignored() {
    let host = Host::new();
    let unpadded = |text: &str| text.trim_end_matches('=').to_owned();
    TARGET.finds(bolero::check!(), |input| check(&host, unpadded, input));
}

struct Host {
    runtime: Runtime,
    router: Router,
    administrator: Caller,
    tokens: Vec<Token>,
}

/// The IDs of a page, and the cursor of the next one; `None` if the cursor is refused.
type Page = Option<(Vec<i64>, Option<String>)>;

impl Host {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.expect("a runtime");
        let (store, directory) = (Arc::new(MemoryStore::default()), TestDirectory::default());
        let owners = ["alice", "bob", "Bob"].map(|key| directory.add(key));
        let administrator = directory.add_administrator("admin");
        let tokens = runtime.block_on(fill(&store, &owners));
        let pats = Pats::builder(store).users(Arc::new(directory)).build();
        Self {
            runtime,
            router: Api::new(pats).router(),
            administrator: Caller::header_authenticated(administrator),
            tokens,
        }
    }

    fn search(&self, cursor: &str) -> Page {
        let body = json!({"cursor": cursor, "limit": LIMIT}).to_string();
        let request = Request::post("/tokens/search").header(CONTENT_TYPE, "application/json");
        let request = request
            .extension(self.administrator.clone())
            .body(Body::from(body));
        let answer = self.router.clone().oneshot(request.expect("a request"));
        let (head, body) = self
            .runtime
            .block_on(answer)
            .expect("an answer")
            .into_parts();
        let body = self
            .runtime
            .block_on(body.collect())
            .expect("a body")
            .to_bytes();
        let json: Value = serde_json::from_slice(&body).expect("JSON");
        if head.status == StatusCode::BAD_REQUEST {
            assert_eq!(json["type"], "urn:problem-type:pat/invalid-search");
            return None;
        }
        assert_eq!(head.status, StatusCode::OK, "{json}");
        let ids = json["values"].as_array().expect("an array").iter();
        let next = json["nextCursor"].as_str().map(str::to_owned);
        assert_eq!(json["isLastPage"], next.is_none());
        Some((
            ids.map(|token| token["id"].as_i64().expect("an ID"))
                .collect(),
            next,
        ))
    }
}

/// Creates tokens, some of which have equal names, owners and times.
async fn fill(store: &MemoryStore, owners: &[Owner]) -> Vec<Token> {
    let at = |second| Timestamp::from_second(1_790_000_000 + second).expect("a date");
    let names = ["ci", "CI", "É", "é", "\u{1f9ea}", "a\"b\\", "z", " x "];
    let mut uses = Vec::new();
    for (number, id) in (0_i64..).zip(1..=30) {
        let id = TokenId::new(id).expect("an ID");
        let pick = |among: usize| usize::try_from(number * 7).expect("small") % among;
        let digest = TokenDigest::of(&number.to_be_bytes());
        let (owner, name) = (owners[pick(owners.len())].clone(), names[pick(names.len())]);
        let mut token = NewToken::new(id, digest, owner, name, at(number / 4));
        token.expires_at = (number % 3 > 0).then(|| at(9_000_000 + number % 5));
        store.insert(&token, 100).await.expect("a store");
        if number % 4 > 1 {
            uses.push(LastUse::new(id, at(100 + number % 3)));
        }
    }
    store.record_use(&uses).await.expect("a store");
    let mut tokens = Vec::new();
    for owner in owners {
        tokens.extend(store.list(owner).await.expect("a store"));
    }
    tokens
}

/// Compares all pages from a cursor on. A planted bug is a `read` that changes the cursor.
fn check(host: &Host, read: impl Fn(&str) -> String, input: &[u8]) {
    let text = match input.first() {
        Some(b'{' | b'[') => URL_SAFE_NO_PAD.encode(input),
        _ => match str::from_utf8(input) {
            Ok(text) => text.to_owned(),
            Err(_) => return,
        },
    };
    let position = if text.is_empty() {
        // As if it were left out.
        Some(Position::before_all())
    } else {
        Position::of(&text)
    };
    let expected = position.map(|position| position.pages(&host.tokens));
    let mut found = host.search(&read(&text));
    let Some(expected) = expected else {
        assert_eq!(found, None, "{text}");
        return;
    };
    for page in expected {
        let next = page.1.clone();
        assert_eq!(found, Some(page), "{text}");
        found = next.and_then(|next| host.search(&next));
    }
}

/// The content of a cursor.
#[derive(Debug)]
struct Position {
    key: String,
    is_descending: bool,
    value: Key,
    created: i64,
    id: i64,
}

#[derive(Debug, PartialEq, PartialOrd)]
enum Key {
    /// The start of the order.
    First,
    Time(i64),
    Text(String),
}

impl Position {
    fn before_all() -> Self {
        let key = "name".to_owned();
        Self {
            key,
            is_descending: false,
            value: Key::First,
            created: 0,
            id: 0,
        }
    }

    /// Decodes a cursor; returns `None` if no search has returned it.
    fn of(text: &str) -> Option<Self> {
        let json = URL_SAFE_NO_PAD.decode(text).ok()?;
        let json: Value = serde_json::from_slice(&json).ok()?;
        let key = json["key"].as_str()?.to_owned();
        let value = match (&json["time"], &json["text"]) {
            (Value::Null, Value::String(text)) if key == "name" || key == "owner" => {
                Key::Text(text.clone())
            }
            (Value::Number(at), Value::Null) if ["created", "expires", "used"].contains(&&*key) => {
                Key::Time(
                    at.as_i64()
                        .filter(|at| is_time(*at) || *at == NEVER_MICRO)?,
                )
            }
            _ => return None,
        };
        let position = Self {
            key,
            is_descending: json["descending"].as_bool()?,
            value,
            created: json["created"].as_i64().filter(|at| is_time(*at))?,
            id: json["id"].as_i64().filter(|id| (0..1 << 53).contains(id))?,
        };
        (position.encode() == text).then_some(position)
    }

    fn encode(&self) -> String {
        let Self {
            key,
            is_descending,
            value,
            created,
            id,
        } = self;
        let (time, text) = match value {
            Key::Time(at) => (at.to_string(), "null".to_owned()),
            Key::Text(text) => ("null".to_owned(), Value::from(text.as_str()).to_string()),
            Key::First => return String::new(),
        };
        let json = format!(
            "{{\"key\":\"{key}\",\"descending\":{is_descending},\"time\":{time},\"text\":{text},\
             \"created\":{created},\"id\":{id}}}"
        );
        URL_SAFE_NO_PAD.encode(json)
    }

    fn of_token(&self, token: &Token) -> Self {
        let value = match &*self.key {
            "created" => Key::Time(token.created_at.as_microsecond()),
            "expires" => Key::Time(
                token
                    .expires_at
                    .map_or(NEVER_MICRO, Timestamp::as_microsecond),
            ),
            "used" => Key::Time(token.last_used_at.map_or(0, Timestamp::as_microsecond)),
            "name" => Key::Text(fold(&token.name)),
            _ => Key::Text(token.owner.to_string()),
        };
        Self {
            key: self.key.clone(),
            is_descending: self.is_descending,
            value,
            created: token.created_at.as_microsecond(),
            id: token.id.get(),
        }
    }

    /// Compares two positions: equal keys by creation, latest first, and then by ID, in either direction.
    fn compare(&self, other: &Self) -> Ordering {
        let by_value = self.value.partial_cmp(&other.value).expect("of one kind");
        let by_value = if self.is_descending {
            by_value.reverse()
        } else {
            by_value
        };
        by_value
            .then(other.created.cmp(&self.created))
            .then(self.id.cmp(&other.id))
    }

    /// Returns the pages after this position.
    fn pages(&self, tokens: &[Token]) -> Vec<(Vec<i64>, Option<String>)> {
        let mut after: Vec<_> = tokens.iter().map(|token| self.of_token(token)).collect();
        after.retain(|token| token.compare(self).is_gt());
        after.sort_by(Self::compare);
        let last = after.last().map(|last| last.id);
        let page = |page: &[Self]| {
            let end = page.last().expect("a token");
            let next = (Some(end.id) != last).then(|| end.encode());
            (page.iter().map(|token| token.id).collect(), next)
        };
        if after.is_empty() {
            return vec![(Vec::new(), None)];
        }
        after.chunks(LIMIT).map(page).collect()
    }
}

fn is_time(micro: i64) -> bool {
    (FIRST_MICRO..=LAST_MICRO).contains(&micro)
}

fn cursor(dice: &mut Dice<'_>) -> Vec<u8> {
    let json = json(dice);
    if dice.once_in(4) {
        return json.into_bytes();
    }
    let mut encoded = URL_SAFE_NO_PAD.encode(json);
    if dice.once_in(30) {
        encoded.push_str(dice.word(&["=", "==", "\n", "A", "%3D"]));
    }
    encoded.into_bytes()
}

fn json(dice: &mut Dice<'_>) -> String {
    let key = dice.word(&["created", "expires", "used", "name", "owner"]);
    let is_text = (key == "name" || key == "owner") != dice.once_in(20);
    let micro = i64::try_from(dice.below(14_000_000)).expect("small") * 1_000_000;
    let micro = 1_790_000_000_000_000
        + if dice.once_in(2) {
            micro
        } else {
            micro / 1_000_000
        };
    let edges = [
        0,
        micro,
        FIRST_MICRO,
        FIRST_MICRO - 1,
        LAST_MICRO,
        LAST_MICRO + 1,
        NEVER_MICRO,
        i64::MAX,
    ];
    let time = |dice: &mut Dice<'_>| {
        if dice.once_in(4) {
            *dice.pick(&edges)
        } else {
            micro
        }
    };
    let value = if is_text {
        let text = dice.word(&[
            "ci",
            "é",
            "",
            "alice",
            "Bob",
            "bob",
            "\\u202e",
            "\\\"",
            "/",
            "\\/",
            "\u{1f9ea}",
        ]);
        format!("\"time\":null,\"text\":\"{text}\"")
    } else {
        format!("\"time\":{},\"text\":null", time(dice))
    };
    let id = [0_i64, 1, 7, 1 << 52, (1 << 53) - 1, 1 << 53, -1][dice.below(7)];
    let mut members = vec![
        format!("\"key\":\"{key}\""),
        format!("\"descending\":{}", dice.once_in(2)),
        value,
        format!("\"created\":{}", time(dice)),
        format!("\"id\":{id}"),
    ];
    if dice.once_in(12) {
        let (one, other) = (dice.below(members.len()), dice.below(members.len()));
        members.swap(one, other);
    }
    if dice.once_in(12) {
        members.push(
            dice.word(&["\"id\":7", "\"x\":1", "", " ", "\"key\":\"name\""])
                .to_owned(),
        );
    }
    if dice.once_in(12) {
        let values: Vec<_> = members
            .iter()
            .flat_map(|member| member.split(','))
            .collect();
        let values: Vec<_> = values
            .iter()
            .map(|member| member.split_once(':').map_or("", |it| it.1))
            .collect();
        return format!("[{}]", values.join(","));
    }
    format!("{{{}}}", members.join(dice.word(&[",", ",", ",", ", "])))
}
