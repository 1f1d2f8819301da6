//! A cache hit allocates nothing but the slot in the request's extensions.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::Full;
use libtest_mimic::Trial;
use pat_core::{Caller, MemoryStore, Pats, TokenRequest};
use pat_tower::{Pat, PatLayer};
use tower::{Layer, Service};

use crate::common::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial(
        "allocations::a_cache_hit_allocates_only_its_extension_slot",
        hit,
    )]
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
        ready(Ok(Response::new(Full::default())))
    }
}

/// Any value, to fill the extensions with before the layer does.
#[derive(Clone)]
struct Filler;

async fn hit() {
    let pats = Pats::builder(MemoryStore::default()).build();
    let alice = Caller::explicit("alice".parse().expect("an owner"));
    let request = TokenRequest {
        name: "ci".into(),
        lifetime_days: None,
    };
    let created = pats.create(&alice, request).await.expect("a token");
    pats.authenticate(created.plain.expose().as_bytes())
        .await
        .expect("in the cache now");
    let bearer = format!("Bearer {}", created.plain.expose());
    let mut service = PatLayer::required(pats).layer(Inner);
    let request = |is_filled: bool| {
        let mut request = Request::builder().header(header::AUTHORIZATION, &bearer);
        if is_filled {
            request = request.extension(Filler);
        }
        request.body(()).expect("a request")
    };
    // moka keeps house on some of its reads, which is none of a hit's own cost.
    for (is_filled, expected) in [(true, 1), (false, 3)] {
        let counts: Vec<_> = (0..50)
            .map(|_| {
                let request = request(is_filled);
                allocation_counter::measure(|| {
                    let mut future = std::pin::pin!(service.call(request));
                    let polled = future
                        .as_mut()
                        .poll(&mut Context::from_waker(Waker::noop()));
                    assert!(polled.is_ready(), "a hit waits for nothing");
                })
                .count_total
            })
            .collect();
        let least = counts.iter().min().copied();
        assert_eq!(
            least,
            Some(expected),
            "filled: {is_filled}, counts: {counts:?}"
        );
        let usual = counts.iter().filter(|count| Some(**count) == least).count();
        assert!(usual >= 45, "filled: {is_filled}, counts: {counts:?}");
    }
}
