//! A cache hit allocates nothing but the slot in the request's extensions.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use axum::Extension;
use axum::extract::MatchedPath;
use bytes::Bytes;
use http::{Request, Response, header};
use http_body::Body;
use http_body_util::Full;
use libtest_mimic::Trial;
use pat_core::scope::ScopeCatalog;
use pat_core::{Caller, MemoryStore, Pats, Settings, TokenRequest};
use pat_harness::fault_store::FaultStore;
use pat_harness::{blocking_trial, trial};
use pat_tower::scope::{Need, ScopeMap, ScopedRouter};
use pat_tower::testing::TestPats;
use pat_tower::{Pat, PatLayer, PatService, UntilInvalidLayer};
use tower::{Layer, Service, ServiceExt as _};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(a_cache_hit_allocates_only_its_extension_slot),
        trial(scopes_allocate_nothing),
        trial(a_body_of_one_frame_is_not_watched),
        blocking_trial(a_cached_token_takes_little_memory),
    ]
}

/// An inner service that allocates nothing by itself.
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
        assert!(Pat::of(request.extensions()).is_some(), "authenticated");
        ready(Ok(Response::new(Bytes::from_static(b"whole").into())))
    }
}

/// Any value, to fill the extensions with before the layer does.
#[derive(Clone)]
struct Filler;

async fn a_cache_hit_allocates_only_its_extension_slot() {
    // The answer says that it is for nobody else, and when a token expires: its headers were empty, and
    // get room, and a value.
    for (lifetime_days, with_header) in [(None, 2), (Some(90.into()), 3)] {
        let pats = Pats::builder(Arc::new(MemoryStore::default())).build();
        let alice = Caller::header_authenticated("alice".parse().expect("an owner"));
        let request = TokenRequest::new("ci", lifetime_days);
        let created = pats.create(&alice, request).await.expect("a token");
        pats.authenticate(created.plain.expose().as_bytes())
            .await
            .expect("in the cache now");
        let bearer = format!("Bearer {}", created.plain.expose());
        let mut service = PatLayer::required(pats).layer(Inner);
        for (is_filled, with_slot) in [(true, 1), (false, 3)] {
            let what = format!("filled: {is_filled}, lifetime: {lifetime_days:?}");
            let request = || {
                let mut request = Request::builder().header(header::AUTHORIZATION, &bearer);
                if is_filled {
                    request = request.extension(Filler);
                }
                request.body(()).expect("a request")
            };
            assert_allocations(&mut service, request, with_slot + with_header, &what);
        }
    }
}

/// A token with scopes costs what one without them costs, whatever the scope map.
async fn scopes_allocate_nothing() {
    let scopes = ScopeCatalog::builder().scope("read", "Read").build();
    let test = TestPats::new().with_scopes(scopes.expect("a catalog"));
    let bearer = test.token_with_scopes("alice", &["read"]).await["authorization"].clone();
    let token = &bearer.as_bytes()["Bearer ".len()..];
    let cached = test.pats().authenticate(token).await;
    cached.expect("in the cache now");
    let (router, by_route) = (0..200)
        .fold(ScopedRouter::new(), |router, number| {
            router.get(&format!("/reports/{number}/{{id}}"), "read", matched_path)
        })
        .into_parts();
    let request = Request::get("/reports/150/5").body(String::new());
    let Ok(response) = router.oneshot(request.expect("a request")).await;
    let matched = response.into_parts().0.extensions.remove::<MatchedPath>();
    let matched = matched.expect("a matched path");
    let read = test.pats().scope_catalog().set(["read"]).expect("declared");
    let undeclared = ScopeMap::by(|_| Need::Undeclared);
    for (what, map) in [
        ("by method", ScopeMap::by_method("read", "read")),
        ("by function", ScopeMap::by(move |_| Need::Scopes(read))),
        ("by route", by_route.clone()),
        ("by both", undeclared.or(by_route)),
    ] {
        let layer = PatLayer::required(test.pats()).with_scope_map(map);
        let mut service = layer.expect("declared scopes").layer(Inner);
        let request = || {
            let request = Request::get("/reports/150/5?x=y")
                .header(header::AUTHORIZATION, &bearer)
                .header(header::CONNECTION, "keep-alive")
                .extension(matched.clone());
            request.body(()).expect("a request")
        };
        // The slot, and three for the headers of the answer.
        assert_allocations(&mut service, request, 4, what);
    }
}

/// Returns the pattern of its route in the extensions of the response.
async fn matched_path(matched: MatchedPath) -> Extension<MatchedPath> {
    Extension(matched)
}

/// `UntilInvalidLayer` costs an allocation only where a response goes on after its first frame.
async fn a_body_of_one_frame_is_not_watched() {
    let pats = Pats::builder(Arc::new(MemoryStore::default())).build();
    let bearer = pat_harness::node::bearer(&pats).await;
    let token = bearer.strip_prefix("Bearer ").expect("a token");
    let cached = pats.authenticate(token.as_bytes()).await;
    cached.expect("in the cache now");
    let layer = PatLayer::required(pats.clone()).wrap_body();
    let request = || {
        let request = Request::builder().header(header::AUTHORIZATION, &bearer);
        request.body(()).expect("a request")
    };
    let without = counts(&mut layer.layer(Inner), request);
    let watching = UntilInvalidLayer::new(pats).layer(Inner);
    let with = counts(&mut layer.layer(watching), request);
    assert_eq!(with.iter().min(), without.iter().min());
}

fn assert_allocations(
    service: &mut PatService<Inner>,
    request: impl Fn() -> Request<()>,
    expected: u64,
    what: &str,
) {
    let counts = counts(service, request);
    // moka keeps house on some of its reads, which is none of a hit's own cost.
    let least = counts.iter().min().copied();
    assert_eq!(least, Some(expected), "{what}, counts: {counts:?}");
    let usual = counts.iter().filter(|count| Some(**count) == least).count();
    assert!(usual >= 45, "{what}, counts: {counts:?}");
}

/// Returns how often each of some responses allocates, with the reading of its body.
fn counts<S, B>(service: &mut S, request: impl Fn() -> Request<()>) -> Vec<u64>
where
    S: Service<Request<()>, Response = Response<B>, Error = Infallible>,
    B: Body,
{
    let count = |_| {
        let request = request();
        let counted = allocation_counter::measure(|| {
            let cx = &mut Context::from_waker(Waker::noop());
            let mut future = std::pin::pin!(service.call(request));
            let Poll::Ready(Ok(response)) = future.as_mut().poll(cx) else {
                panic!("a hit waits for nothing");
            };
            let mut body = std::pin::pin!(response.into_body());
            while !body.is_end_stream() {
                assert!(body.as_mut().poll_frame(cx).is_ready());
            }
        });
        counted.count_total
    };
    (0..50).map(count).collect()
}

/// All that a service holds whose cache is full, in bytes per token.
fn a_cached_token_takes_little_memory() {
    const TOKENS: u32 = 10_000;
    const MAX_BYTES: u64 = 400;
    // Allocations are counted for each thread, so everything runs on this one.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let store = FaultStore::new(Arc::new(MemoryStore::default()));
    let tokens = runtime.block_on(async {
        let pats = Pats::builder(Arc::new(store.clone())).build();
        let mut tokens = Vec::new();
        for number in 0..TOKENS {
            let owner = format!("user{number}").parse().expect("an owner");
            let request = TokenRequest::new("ci", Some(90));
            let created = pats
                .create(&Caller::header_authenticated(owner), request)
                .await;
            let plain = created.expect("a token").plain;
            // Its first use would be an event, which waits for its sinks.
            let used = pats.authenticate(plain.expose().as_bytes()).await;
            used.expect("a good token");
            tokens.push(plain);
        }
        pats.flush_last_use().await.expect("written");
        tokens
    });
    let mut service = None;
    let empty = allocation_counter::measure(|| {
        let settings = Settings::builder().auth_cache_max_items(TOKENS).build();
        let pats = Pats::builder(Arc::new(store.clone())).settings(settings.expect("settings"));
        service = Some(pats.build());
    });
    let pats = service.expect("a service");
    let added = allocation_counter::measure(|| {
        runtime.block_on(async {
            for token in &tokens {
                let verdict = pats.authenticate(token.expose().as_bytes()).await;
                verdict.expect("a good token");
            }
        });
    });
    let [empty, added] = [empty, added]
        .map(|measured| u64::try_from(measured.bytes_current).expect("more than before"));
    let bytes = (empty + added) / u64::from(TOKENS);
    println!("{bytes} bytes per cached token; {empty} bytes of a service without tokens");
    assert!(bytes <= MAX_BYTES, "{bytes} bytes");
}
