//! The layer, what it is measured by, and what one would write without it.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use axum::extract::MatchedPath;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header};
use http_body_util::Full;
use pat_benches::turns::{Choice, Keys, Serve, Stack};
use pat_core::{Caller, MemoryStore, Owner, Pats, Settings, TokenRequest};
use pat_tower::PatLayer;
use sha2::{Digest, Sha256};
use tower::{Layer, Service};
use tower_http::auth::AsyncRequireAuthorizationLayer;
use tower_http::validate_request::ValidateRequestHeaderLayer;

use crate::{
    LIMIT, LIMIT_WITH_HEADER, LIMIT_WITH_HEADERS, NO_AUTH, PAT_LAYER, PAT_LAYER_EXPIRING, TOKENS,
};

pub(crate) type Body = Full<Bytes>;

/// Answers at once.
#[derive(Clone)]
pub(crate) struct Inner;

impl Service<Request<()>> for Inner {
    type Response = Response<Body>;
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
    /// How many headers it puts into the response: those that the layer puts into each response, and into that to a
    /// token that expires.
    headers: usize,
    entries: Arc<HashMap<[u8; 32], Arc<Entry>, ByDigest>>,
}

const PRIVATE: HeaderValue = HeaderValue::from_static("private");
const PAT_EXPIRES_AT: HeaderName = HeaderName::from_static("pat-expires-at");
const EXPIRY: HeaderValue = HeaderValue::from_static("2026-02-26T22:42:21.247+00:00");

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

impl Entry {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            _owner: Owner::new("alice").expect("an owner"),
        })
    }
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
    type Response = Response<Body>;
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
        let response = self.inner.call(request);
        if self.headers == 0 {
            return response;
        }
        ready(response.into_inner().map(|mut response| {
            let headers = response.headers_mut();
            headers.insert(header::CACHE_CONTROL, PRIVATE);
            if self.headers > 1 {
                headers.insert(PAT_EXPIRES_AT, EXPIRY);
            }
            response
        }))
    }
}

/// Requests with one of these headers each.
pub(crate) struct Requests {
    name: header::HeaderName,
    values: Vec<HeaderValue>,
    choice: Choice,
    /// Routes that the requests have matched, one each, if they are to have one; and other headers.
    routes: Option<(Arc<[MatchedPath]>, Choice)>,
}

impl Requests {
    /// With values of this thread's own, as if they had come over the network.
    pub(crate) fn new(
        name: header::HeaderName,
        texts: impl Iterator<Item = impl AsRef<str>>,
        keys: Keys,
    ) -> Self {
        let value = |text: &str| HeaderValue::from_str(text).expect("a header value");
        Self {
            name,
            values: texts.map(|text| value(text.as_ref())).collect(),
            choice: Choice::new(keys),
            routes: None,
        }
    }

    /// With one of these routes each, and the other headers that a client sends.
    pub(crate) fn with_routes(self, routes: Arc<[MatchedPath]>, keys: Keys) -> Self {
        let routes = Some((routes, Choice::new(keys)));
        Self { routes, ..self }
    }

    pub(crate) fn bearers(tokens: &[String], keys: Keys) -> Self {
        let texts = tokens.iter().map(|token| format!("Bearer {token}"));
        Self::new(header::AUTHORIZATION, texts, keys)
    }

    pub(crate) fn next(&mut self) -> Request<()> {
        let index = self.choice.next(self.values.len());
        let value = self.values[index].clone();
        let mut request = Request::builder().header(&self.name, value);
        if let Some((routes, choice)) = &mut self.routes {
            let fixed = HeaderValue::from_static;
            request = request
                .uri("/rest/api/latest/project-5/issue/5?fields=summary")
                .header(header::HOST, fixed("localhost:8080"))
                .header(header::USER_AGENT, fixed("curl/8.14.1"))
                .header(header::ACCEPT, fixed("*/*"))
                .header(header::ACCEPT_ENCODING, fixed("gzip"))
                .header("x-request-id", fixed("5e0b0c1f"))
                .extension(routes[choice.next(routes.len())].clone());
        }
        request.body(()).expect("a request")
    }
}

/// Serves requests that wait for nothing.
pub(crate) fn serve<S>(mut service: S, mut requests: Requests, is_good: bool) -> Serve
where
    S: Service<Request<()>, Response = Response<Body>, Error = Infallible> + 'static,
{
    Box::new(move || {
        let mut future = pin!(service.call(requests.next()));
        let Poll::Ready(Ok(response)) = future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        else {
            panic!("nothing here waits");
        };
        assert_eq!(response.status().is_success(), is_good);
    })
}

/// A service whose tokens are all cached, and the tokens.
fn cached_tokens(lifetime_days: Option<u32>) -> (Pats, Vec<String>) {
    let settings = Settings::builder().auth_cache_max_items(2 * TOKENS);
    let pats = Pats::builder(Arc::new(MemoryStore::default()))
        .settings(settings.build().expect("settings"))
        .build();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let tokens = runtime.block_on(async {
        let mut tokens = Vec::with_capacity(TOKENS as usize);
        for number in 0..TOKENS {
            let owner = Owner::new(format!("user{number}")).expect("an owner");
            let request = TokenRequest::new("ci", lifetime_days.map(Into::into));
            let created = pats
                .create(&Caller::header_authenticated(owner), request)
                .await;
            let token = created.expect("a token").plain.expose().to_owned();
            pats.authenticate(token.as_bytes()).await.expect("cached");
            tokens.push(token);
        }
        tokens
    });
    (pats, tokens)
}

/// Makes a server for these tokens.
type MakeWithTokens = Box<dyn Fn(&[String], Keys) -> Serve + Sync>;

pub(crate) fn stacks() -> Vec<Stack> {
    let (pats, tokens) = cached_tokens(None);
    let tokens: Arc<[String]> = tokens.into();
    let stack = |name, make: MakeWithTokens| {
        let tokens = Arc::clone(&tokens);
        Stack::new(name, move |keys| make(&tokens, keys))
    };
    let digest = |token: &String| -> [u8; 32] { Sha256::digest(token).into() };
    let limit = Limit {
        inner: Inner,
        headers: 0,
        entries: Arc::new(
            tokens
                .iter()
                .map(|token| (digest(token), Entry::new()))
                .collect(),
        ),
    };
    let limit = |name, headers| {
        let limit = Limit {
            headers,
            ..limit.clone()
        };
        stack(
            name,
            Box::new(move |tokens, keys| {
                serve(limit.clone(), Requests::bearers(tokens, keys), true)
            }),
        )
    };
    let moka = moka::future::Cache::builder()
        .max_capacity(u64::from(2 * TOKENS))
        .time_to_live(std::time::Duration::from_hours(1))
        .build();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for token in &*tokens {
        runtime.block_on(moka.insert(digest(token), Entry::new()));
    }
    let layer = PatLayer::required(pats);
    let junk_layer = layer.clone();
    let (expiring, expiring_tokens) = cached_tokens(Some(90));
    vec![
        stack(
            NO_AUTH,
            Box::new(|tokens, keys| serve(Inner, Requests::bearers(tokens, keys), true)),
        ),
        stack(
            "tower-http static bearer",
            Box::new(|tokens, keys| {
                #[expect(deprecated, reason = "the peer that it is measured against")]
                let layer = ValidateRequestHeaderLayer::bearer(&tokens[0]);
                let requests = Requests::bearers(&tokens[..1], keys);
                serve(layer.layer(Inner), requests, true)
            }),
        ),
        limit(LIMIT, 0),
        stack(
            PAT_LAYER,
            Box::new(move |tokens, keys| {
                serve(layer.layer(Inner), Requests::bearers(tokens, keys), true)
            }),
        ),
        limit(LIMIT_WITH_HEADER, 1),
        limit(LIMIT_WITH_HEADERS, 2),
        Stack::new(PAT_LAYER_EXPIRING, move |keys| {
            let layer = PatLayer::required(expiring.clone());
            let requests = Requests::bearers(&expiring_tokens, keys);
            serve(layer.layer(Inner), requests, true)
        }),
        stack(
            "`PatLayer` refuses a wrong checksum",
            Box::new(move |tokens, keys| {
                let junk = tokens
                    .iter()
                    .map(|token| format!("Bearer {}", spoil(token)));
                let requests = Requests::new(header::AUTHORIZATION, junk, keys);
                serve(junk_layer.layer(Inner), requests, false)
            }),
        ),
        stack(
            "`AsyncRequireAuthorization` and moka",
            Box::new(move |tokens, keys| {
                let moka = moka.clone();
                let layer = AsyncRequireAuthorizationLayer::new(move |mut request: Request<()>| {
                    let moka = moka.clone();
                    Box::pin(async move {
                        let token = one_bearer_token(request.headers()).expect("a token");
                        let digest: [u8; 32] = Sha256::digest(token).into();
                        let entry = moka.get(&digest).await.expect("an entry");
                        request.extensions_mut().insert(entry);
                        Ok::<_, Response<Body>>(request)
                    })
                });
                serve(layer.layer(Inner), Requests::bearers(tokens, keys), true)
            }),
        ),
    ]
}

/// The token with another last character.
fn spoil(token: &str) -> String {
    let (rest, last) = token.split_at(token.len() - 1);
    let other = if last == "0" { "1" } else { "0" };
    format!("{rest}{other}")
}
