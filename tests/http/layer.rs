//! The layer as a piece of a tower: what it leaves in requests, and in the services around it.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::Poll;

use axum::body::{Body, Bytes};
use axum::routing::get;
use axum::{Extension, Router};
use futures_util::poll;
use http::{Request, Response, StatusCode, header};
use libtest_mimic::Trial;
use pat_core::{MemoryStore, Pats};
use pat_harness::node::bearer;
use pat_harness::trial;
use pat_tower::{Pat, PatLayer, PatRejection, RejectionKind};
use tower::limit::ConcurrencyLimitLayer;
use tower::{Service, ServiceBuilder, ServiceExt as _, service_fn};

use super::text_of;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(the_token_is_an_extension),
        trial(the_innermost_layer_decides_the_caller),
        trial(a_refusal_releases_the_inner_services_permit),
        trial(a_rejection_can_be_told_from_the_hosts_errors),
        trial(the_host_renders_rejections),
    ]
}

fn pats() -> Pats {
    Pats::builder(Arc::new(MemoryStore::default())).build()
}

fn request(bearer: Option<&str>) -> Request<Body> {
    let mut request = Request::builder();
    if let Some(bearer) = bearer {
        request = request.header(header::AUTHORIZATION, bearer);
    }
    request.body(Body::empty()).expect("a request")
}

async fn said(app: Router, bearer: Option<&str>) -> String {
    let response = app.oneshot(request(bearer)).await.expect("an answer");
    text_of(response).await
}

/// However a host asks for it.
async fn the_token_is_an_extension() {
    async fn ways(
        extracted: Option<Pat>,
        extension: Option<Extension<Pat>>,
        request: Request<Body>,
    ) -> String {
        let owners = [
            extracted.as_ref().map(|pat| pat.owner().as_str()),
            extension.as_ref().map(|pat| pat.owner().as_str()),
            request
                .extensions()
                .get::<Pat>()
                .map(|pat| pat.owner().as_str()),
            Pat::of(request.extensions()).map(|pat| pat.owner().as_str()),
        ];
        format!("{owners:?}")
    }
    let pats = pats();
    let bearer = bearer(&pats).await;
    let app = Router::new()
        .route("/", get(ways))
        .layer(PatLayer::optional(pats));
    let all = |owner: Option<&str>| format!("{:?}", [owner; 4]);
    assert_eq!(said(app.clone(), Some(&bearer)).await, all(Some("alice")));
    assert_eq!(said(app, None).await, all(None));
}

/// Two services side by side: the inner one does not take the outer one's word.
async fn the_innermost_layer_decides_the_caller() {
    async fn owner(pat: Option<Pat>) -> String {
        pat.map_or("nobody".into(), |pat| pat.owner().to_string())
    }
    let (ours, others) = (pats(), pats());
    let token = bearer(&ours).await;
    let app = |outer: &Pats, inner: &Pats| {
        Router::new()
            .route("/", get(owner))
            .layer(PatLayer::dangerous_bad_token_is_anonymous(inner.clone()))
            .layer(
                PatLayer::dangerous_bad_token_is_anonymous(outer.clone())
                    .keep_authorization_header(),
            )
    };
    assert_eq!(said(app(&others, &ours), Some(&token)).await, "alice");
    assert_eq!(said(app(&ours, &others), Some(&token)).await, "nobody");
}

/// What an inner service was made ready with is free again once the layer has answered by itself.
async fn a_refusal_releases_the_inner_services_permit() {
    let pats = pats();
    let good = bearer(&pats).await;
    let inner =
        service_fn(async |_: Request<Body>| Ok::<_, Infallible>(Response::new(Body::empty())));
    let limited = ServiceBuilder::new()
        .layer(ConcurrencyLimitLayer::new(1))
        .service(inner);
    let mut first = tower::Layer::layer(&PatLayer::required(pats), limited);
    let mut second = first.clone();
    for (bearer, expected) in [
        (None, StatusCode::UNAUTHORIZED),
        (Some("Bearer pat_x"), StatusCode::UNAUTHORIZED),
        (Some("Bearer two words"), StatusCode::BAD_REQUEST),
        (Some(good.as_str()), StatusCode::OK),
    ] {
        let ready = first.ready().await.expect("it is ready");
        let response = ready.call(request(bearer)).await.expect("an answer");
        assert_eq!(response.status(), expected);
        let ready = poll!(std::pin::pin!(second.ready()));
        assert!(matches!(ready, Poll::Ready(Ok(_))), "after {expected}");
        // And the other one gives it back.
        let response = second.call(request(None)).await.expect("an answer");
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    }
}

/// Routes of both kinds: with a token, with or without one, and an error of the host's own.
fn routes() -> Router {
    Router::new()
        .route("/", get(async |pat: Pat| pat.owner().to_string()))
        .route("/anyone", get(async || "anyone"))
        .route("/own", get(async || StatusCode::UNAUTHORIZED))
}

async fn answer(app: &Router, path: &str, bearer: Option<&str>) -> Response<Body> {
    let mut request = request(bearer);
    *request.uri_mut() = path.parse().expect("a path");
    app.clone().oneshot(request).await.expect("an answer")
}

fn kind(response: &Response<Body>) -> Option<RejectionKind> {
    let rejection = response.extensions().get::<PatRejection>()?;
    assert_eq!(rejection.status(), response.status());
    assert!(!rejection.to_string().is_empty());
    Some(rejection.kind())
}

/// By what lies in the extensions of the response.
async fn a_rejection_can_be_told_from_the_hosts_errors() {
    let pats = pats();
    let optional = routes().layer(PatLayer::optional(pats.clone()));
    let required = routes().layer(PatLayer::required(pats));
    for (app, path, bearer, expected) in [
        (&optional, "/", None, Some(RejectionKind::NotSignedIn)),
        (&optional, "/anyone", None, None),
        (&optional, "/own", None, None),
        (&required, "/own", None, Some(RejectionKind::NotSignedIn)),
        (
            &required,
            "/own",
            Some("Bearer pat_x"),
            Some(RejectionKind::InvalidToken),
        ),
        (
            &optional,
            "/own",
            Some("Bearer a b"),
            Some(RejectionKind::InvalidAuthorization),
        ),
        (&routes(), "/", None, Some(RejectionKind::MissingLayer)),
    ] {
        let response = answer(app, path, bearer).await;
        assert_eq!(kind(&response), expected, "{path} {bearer:?}");
    }
}

/// Those of the layer and those of the extractor, once, and with what none may lack.
async fn the_host_renders_rejections() {
    let layer = PatLayer::optional(pats()).with_rejection_response(|rejection| {
        let response = Response::builder().status(rejection.status());
        let response = response.header(header::CACHE_CONTROL, "public");
        let body = Bytes::from(format!("host: {rejection}"));
        response.body(body).expect("a response")
    });
    let app = routes().layer(layer);
    for (path, bearer, expected) in [
        ("/", None, Some("Bearer realm=\"PAT\"")),
        (
            "/",
            Some("Bearer pat_x"),
            Some("Bearer realm=\"PAT\", error=\"invalid_token\""),
        ),
        ("/own", None, None),
    ] {
        let response = answer(&app, path, bearer).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        let challenges = response.headers().get_all(header::WWW_AUTHENTICATE);
        assert_eq!(challenges.iter().count(), 1, "{path} {bearer:?}");
        let is_rendered = expected.is_some();
        if let Some(challenge) = expected {
            assert_eq!(response.headers()[header::WWW_AUTHENTICATE], challenge);
            assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        }
        let body = axum::body::to_bytes(response.into_body(), 1000).await;
        let body = body.expect("a body");
        assert_eq!(
            body.starts_with(b"host: "),
            is_rendered,
            "{path} {bearer:?}"
        );
    }
}
