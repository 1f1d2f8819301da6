//! What the layer costs on a cache hit, beside its peers, in one run: only the ratios count.
//!
//! `cargo bench -p pat-benches` prints a Markdown table at its end. One thread, 5,000 live tokens;
//! a request is built, goes through one layer and a service that answers at once.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion};
use http::{HeaderMap, HeaderValue, Request, Response, header};
use http_body_util::Full;
use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation};
use pat_core::{Caller, MemoryStore, Owner, Pats, Settings, TokenRequest};
use pat_tower::PatLayer;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tower::{Layer, Service};
use tower_http::validate_request::ValidateRequestHeaderLayer;

const TOKENS: usize = 5_000;

/// Answers at once.
#[derive(Clone)]
struct Inner;

impl Service<Request<()>> for Inner {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        black_box(request.extensions());
        ready(Ok(Response::new(Full::default())))
    }
}

/// The least that any such layer does: reads the header, digests the token, finds the digest in a
/// plain map that nobody else may touch, and puts the entry into the extensions.
#[derive(Clone)]
struct Limit {
    inner: Inner,
    entries: Arc<HashMap<[u8; 32], Arc<Entry>, ByDigest>>,
}

/// Hashes a digest by its first eight bytes, as cheaply as can be.
type ByDigest = std::hash::BuildHasherDefault<FirstBytes>;

#[derive(Default)]
struct FirstBytes(u64);

impl std::hash::Hasher for FirstBytes {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some((first, _)) = bytes.split_first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }
}

#[derive(Clone)]
struct Entry {
    _owner: Owner,
}

/// One `Authorization` header, the scheme in any letter case, one token68: what RFC 6750 asks of
/// whoever reads it.
fn one_bearer_token(headers: &HeaderMap) -> Option<&[u8]> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (value, None) = (values.next()?.as_bytes(), values.next()) else {
        return None;
    };
    let (scheme, token) = value.split_at_checked(7)?;
    let is_token68 = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte);
    let is_good = scheme.eq_ignore_ascii_case(b"Bearer ") && token.iter().all(is_token68);
    is_good.then_some(token)
}

impl Service<Request<()>> for Limit {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<()>) -> Self::Future {
        let token = one_bearer_token(request.headers()).expect("a token");
        let digest: [u8; 32] = Sha256::digest(token).into();
        let entry = self.entries.get(&digest).expect("an entry").clone();
        request.extensions_mut().insert(entry);
        self.inner.call(request)
    }
}

#[derive(Clone)]
struct Hs256 {
    inner: Inner,
    key: DecodingKey,
    validation: Validation,
}

#[derive(Serialize, Deserialize, Clone)]
struct Claims {
    sub: String,
    exp: u64,
}

impl Service<Request<()>> for Hs256 {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<()>) -> Self::Future {
        let value = request
            .headers()
            .get(header::AUTHORIZATION)
            .expect("a header");
        let token = value.as_bytes().strip_prefix(b"Bearer ").expect("a token");
        let claims = jsonwebtoken::decode::<Claims>(token, &self.key, &self.validation);
        request
            .extensions_mut()
            .insert(claims.expect("a good token").claims);
        self.inner.call(request)
    }
}

/// Which of the tokens come: all equally often, or always the same.
#[derive(Clone, Copy)]
enum Keys {
    Uniform,
    Hot,
}

/// The next of these header values, by a generator that costs next to nothing.
struct Requests<'a> {
    values: &'a [HeaderValue],
    keys: Keys,
    state: u64,
}

impl Requests<'_> {
    fn next(&mut self) -> Request<()> {
        self.state = self
            .state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let random = usize::try_from(self.state >> 33).unwrap_or_default();
        let index = match self.keys {
            Keys::Uniform => random % self.values.len(),
            Keys::Hot => 0,
        };
        let value = self.values[index].clone();
        Request::builder()
            .header(header::AUTHORIZATION, value)
            .body(())
            .expect("a request")
    }
}

fn run<S>(service: &mut S, request: Request<()>)
where
    S: Service<Request<()>, Response = Response<Full<Bytes>>, Error = Infallible>,
{
    let mut future = pin!(service.call(request));
    let Poll::Ready(Ok(response)) = future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    else {
        panic!("a hit waits for nothing");
    };
    assert!(response.status().is_success());
}

fn bearer(token: &str) -> HeaderValue {
    HeaderValue::from_str(&format!("Bearer {token}")).expect("a header value")
}

/// A service whose tokens are all cached, and the tokens.
fn tokens() -> (Pats, Vec<String>) {
    let settings = Settings::builder()
        .max_tokens_per_user(1_000_000)
        .auth_cache_max_items(50_000);
    let settings = settings.build().expect("settings");
    let pats = Pats::builder(MemoryStore::default())
        .settings(settings)
        .build();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let texts = runtime.block_on(async {
        let mut texts = Vec::with_capacity(TOKENS);
        for number in 0..TOKENS {
            let owner = Owner::new(format!("user{number}")).expect("an owner");
            let request = TokenRequest {
                name: "ci".into(),
                lifetime_days: None,
            };
            let created = pats
                .create(&Caller::explicit(owner), request)
                .await
                .expect("a token");
            let text = created.plain.expose().to_owned();
            pats.authenticate(text.as_bytes())
                .await
                .expect("in the cache now");
            texts.push(text);
        }
        texts
    });
    (pats, texts)
}

fn limit(texts: &[String]) -> Limit {
    let entry = || {
        Arc::new(Entry {
            _owner: Owner::new("alice").expect("an owner"),
        })
    };
    let entries = texts
        .iter()
        .map(|text| (Sha256::digest(text.as_bytes()).into(), entry()));
    Limit {
        inner: Inner,
        entries: Arc::new(entries.collect()),
    }
}

fn hs256() -> (Hs256, Vec<HeaderValue>) {
    let secret = [7; 32];
    let tokens = (0..TOKENS).map(|number| {
        let claims = Claims {
            sub: format!("user{number}"),
            exp: 4_000_000_000,
        };
        let key = EncodingKey::from_secret(&secret);
        bearer(&jsonwebtoken::encode(&Header::default(), &claims, &key).expect("a token"))
    });
    let key = DecodingKey::from_secret(&secret);
    let validation = Validation::default();
    (
        Hs256 {
            inner: Inner,
            key,
            validation,
        },
        tokens.collect(),
    )
}

const STACKS: [&str; 5] = ["no auth", "static bearer", "limit", "PatLayer", "HS256"];

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    let (pats, texts) = tokens();
    let values: Vec<_> = texts.iter().map(|text| bearer(text)).collect();
    let (mut hs256, jwts) = hs256();
    #[expect(deprecated, reason = "the peer that it is measured against")]
    let mut one_constant = ValidateRequestHeaderLayer::bearer(&texts[0]).layer(Inner);
    let mut limit = limit(&texts);
    let mut layer = PatLayer::required(pats).layer(Inner);
    for (name, keys) in [("uniform", Keys::Uniform), ("hot", Keys::Hot)] {
        let mut group = criterion.benchmark_group(name);
        let requests = |values| Requests {
            values,
            keys,
            state: 42,
        };
        let mut all = requests(&values);
        let mut first = requests(&values[..1]);
        let mut signed = requests(&jwts);
        let mut bench = |stack: &str, go: &mut dyn FnMut()| {
            group.bench_function(BenchmarkId::from_parameter(stack), |b| b.iter(&mut *go));
        };
        bench(STACKS[0], &mut || run(&mut Inner, all.next()));
        bench(STACKS[1], &mut || run(&mut one_constant, first.next()));
        bench(STACKS[2], &mut || run(&mut limit, all.next()));
        bench(STACKS[3], &mut || run(&mut layer, all.next()));
        bench(STACKS[4], &mut || run(&mut hs256, signed.next()));
        group.finish();
    }
    criterion.final_summary();
    print_table();
}

/// The medians of this run as a table of added costs.
fn print_table() {
    println!(
        "\n| stack | uniform: ns, added, ÷ limit | hot: ns, added, ÷ limit |\n|---|---:|---:|"
    );
    for stack in STACKS {
        let cells = ["uniform", "hot"].map(|keys| {
            let median = |stack| pat_benches::median(keys, stack).unwrap_or(f64::NAN);
            let added = |stack| median(stack) - median(STACKS[0]);
            let ratio = added(stack) / added(STACKS[2]);
            format!("{:.0}, {:.0}, {ratio:.2}", median(stack), added(stack))
        });
        println!("| {stack} | {} |", cells.join(" | "));
    }
}
