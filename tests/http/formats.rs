//! When the layer checks the format of a token: not while the token is cached, and before any query.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use http::{Request, Response, StatusCode, header};
use libtest_mimic::Trial;
use pat_core::format::{PrefixedFormat, RandomnessError, TokenFormat};
use pat_core::{AuthError, MemoryStore, Pats, PlainToken, Settings, TokenDigest};
use pat_harness::fault_store::FaultStore;
use pat_harness::node::bearer;
use pat_harness::trial;
use pat_tower::{PatLayer, PatRejection};
use tower::{Layer as _, ServiceExt as _, service_fn};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(a_cached_token_needs_no_check_of_its_format),
        trial(a_string_of_no_format_makes_no_query),
        trial(a_cached_token_is_refused_where_tokens_are_switched_off),
    ]
}

/// The default format, which counts its checks.
#[derive(Debug)]
struct Counting {
    format: PrefixedFormat,
    checks: AtomicUsize,
}

impl Counting {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            format: PrefixedFormat::new("counted".parse().expect("a prefix")),
            checks: AtomicUsize::new(0),
        })
    }
}

impl TokenFormat for Counting {
    fn generate(&self) -> Result<PlainToken, RandomnessError> {
        self.format.generate()
    }

    fn recognizes(&self, presented: &[u8]) -> bool {
        self.checks.fetch_add(1, Ordering::Relaxed);
        self.format.recognizes(presented)
    }
}

/// Returns the status of the response to a request with this header, and the reason of a refusal.
async fn answer(pats: &Pats, authorization: &str) -> (StatusCode, Option<&'static str>) {
    let inner =
        service_fn(async |_: Request<Body>| Ok::<_, Infallible>(Response::new(Body::empty())));
    let request = Request::builder().header(header::AUTHORIZATION, authorization);
    let request = request.body(Body::empty()).expect("a request");
    let response = PatLayer::required(pats.clone()).layer(inner);
    let Ok(response) = response.oneshot(request).await;
    let rejection = response.extensions().get::<PatRejection>();
    let reason = rejection.and_then(PatRejection::reason);
    (response.status(), reason.map(AuthError::reason))
}

async fn a_cached_token_needs_no_check_of_its_format() {
    let format = Counting::new();
    let pats = Pats::builder(Arc::new(MemoryStore::default()))
        .issue(format.clone())
        .build();
    let bearer = bearer(&pats).await;
    let checks = async || {
        let before = format.checks.load(Ordering::Relaxed);
        assert_eq!(answer(&pats, &bearer).await, (StatusCode::OK, None));
        format.checks.load(Ordering::Relaxed) - before
    };
    assert_eq!(checks().await, 1, "it is not cached yet");
    assert_eq!(checks().await, 0);
}

async fn a_string_of_no_format_makes_no_query() {
    let store = FaultStore::new(Arc::new(MemoryStore::default()));
    let pats = Pats::builder(Arc::new(store.clone())).build();
    let good = bearer(&pats).await;
    let (start, last) = good.split_at(good.len() - 1);
    let mistyped = format!("{start}{}", if last == "0" { "1" } else { "0" });
    let refused = (StatusCode::UNAUTHORIZED, Some("foreign"));
    for _twice in 0..2 {
        for junk in [&mistyped, start, "Bearer pat_x", "Bearer a.b.c"] {
            assert_eq!(answer(&pats, junk).await, refused, "{junk}");
        }
        assert_eq!(answer(&pats, "Bearer a b").await.0, StatusCode::BAD_REQUEST);
    }
    assert_eq!(store.lookups(), 0);
    assert_eq!(answer(&pats, &good).await, (StatusCode::OK, None));
    assert_eq!(store.lookups(), 1);
}

/// Also where a host has authenticated the token without a check of its format, so that it is cached.
async fn a_cached_token_is_refused_where_tokens_are_switched_off() {
    let store = Arc::new(MemoryStore::default());
    let bearer = bearer(&Pats::builder(store.clone()).build()).await;
    let token = bearer.strip_prefix("Bearer ").expect("a token");
    let settings = Settings::builder().set("atlassian.pats.enabled", "false");
    let settings = settings.expect("a property").build();
    let pats = Pats::builder(store)
        .settings(settings.expect("settings"))
        .build();
    let cached = pats
        .authenticate_digest(TokenDigest::of(token.as_bytes()))
        .await;
    cached.expect("a good token");
    let refused = (StatusCode::UNAUTHORIZED, Some("disabled"));
    assert_eq!(answer(&pats, &bearer).await, refused);
}
