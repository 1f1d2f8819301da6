use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::routing::get;
use http::{Extensions, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use pat_core::BoxError;
use pat_harness::Log;
use pat_tower::scope::{Need, RequiredScopes, ScopeMap, ScopedRouter};
use pat_tower::testing::TestPats;
use pat_tower::{Destroy, PatLayer, PatRejection, RejectionKind, SessionInvalidator};
use serde_json::json;

use super::{ask, json, lack, status, test_pats, with_header};

/// A router of one path behind this map.
fn app(test: &TestPats, map: ScopeMap) -> Router {
    let layer = PatLayer::optional(test.pats()).with_scope_map(map);
    routes().layer(layer.expect("declared scopes"))
}

fn routes() -> Router {
    Router::new().route("/", get(async || "passed").post(async || "passed"))
}

fn challenge<B>(response: &Response<B>) -> &str {
    let mut challenges = response.headers().get_all(header::WWW_AUTHENTICATE).iter();
    let challenge = challenges.next().expect("a challenge");
    assert!(challenges.next().is_none(), "one challenge");
    challenge.to_str().expect("text")
}

pub(super) async fn a_refusal_says_what_is_missing() {
    let test = test_pats();
    let map = ScopeMap::by_method("read", ["read", "write", "tokens:read"]);
    let app = app(&test, map);
    let reader = test.token_with_scopes("alice", &["read"]).await;
    assert_eq!(status(&app, "GET", "/", &reader).await, 200);
    let response = ask(&app, "POST", "/", &reader).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(
        challenge(&response),
        r#"Bearer realm="PAT", error="insufficient_scope", scope="read write tokens:read""#
    );
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    assert_eq!(
        response.headers()[header::CONTENT_TYPE],
        "application/problem+json"
    );
    let rejection = response.extensions().get::<PatRejection>().cloned();
    let rejection = rejection.expect("a rejection");
    assert_eq!(rejection.kind(), RejectionKind::InsufficientScope);
    let required: Vec<_> = rejection.required_scopes().collect();
    assert_eq!(required, ["read", "write", "tokens:read"]);
    let missing: Vec<_> = rejection.missing_scopes().collect();
    assert_eq!(missing, ["write", "tokens:read"]);
    let detail = "The access token lacks the scopes write, tokens:read.";
    let expected = json!({
        "type": "urn:problem-type:pat/insufficient-scope",
        "title": "Insufficient scope",
        "status": 403,
        "detail": detail,
        "error": detail,
        "message": detail,
        "errorMessages": [detail],
        "required_scopes": ["read", "write", "tokens:read"],
        "missing_scopes": ["write", "tokens:read"],
    });
    assert_eq!(json(response).await, expected);
}

pub(super) async fn an_undeclared_request_is_refused_without_scopes() {
    let test = test_pats();
    let app = app(&test, ScopeMap::by(|_| Need::Undeclared));
    let all = test.token_with_scopes("alice", &["read", "write"]).await;
    let response = ask(&app, "GET", "/", &all).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    let expected = r#"Bearer realm="PAT", error="insufficient_scope""#;
    assert_eq!(challenge(&response), expected);
    let json = json(response).await;
    assert_eq!(json["type"], "urn:problem-type:pat/insufficient-scope");
    assert_eq!(
        json["detail"],
        "This access token has scopes, and no scope permits this request."
    );
    let members = json.as_object().expect("an object");
    assert!(!members.contains_key("required_scopes") && !members.contains_key("missing_scopes"));
}

pub(super) async fn a_refusal_of_grpc_has_the_code_7() {
    let test = test_pats();
    let reader = test.token_with_scopes("alice", &["read"]).await;
    let reader = with_header(&reader, "content-type", "application/grpc+proto");
    for (map, challenge_end, message) in [
        (
            ScopeMap::by_method("read", "write"),
            r#", scope="write""#,
            "The access token lacks the scope write.",
        ),
        (
            ScopeMap::by(|_| Need::Undeclared),
            "",
            "This access token has scopes, and no scope permits this request.",
        ),
    ] {
        let app = app(&test, map);
        let response = ask(&app, "POST", "/", &reader).await;
        assert_eq!(response.status(), StatusCode::OK);
        let challenge = challenge(&response);
        assert!(challenge.ends_with(&format!(r#"error="insufficient_scope"{challenge_end}"#)));
        assert_eq!(response.headers()["grpc-status"], "7");
        assert_eq!(response.headers()["grpc-message"], message);
        assert_eq!(response.headers()["content-type"], "application/grpc+proto");
        let rejection = response.extensions().get::<PatRejection>();
        assert!(rejection.expect("a rejection").is_grpc());
        let body = response.into_body().collect().await.expect("a body");
        assert!(body.to_bytes().is_empty());
    }
}

pub(super) async fn the_host_renders_a_refusal() {
    fn render(rejection: &PatRejection) -> Response<Bytes> {
        let missing: Vec<_> = rejection.missing_scopes().collect();
        let mut response = Response::new(format!("get {missing:?}").into());
        *response.status_mut() = rejection.status();
        response
    }
    let test = test_pats();
    let map = ScopeMap::by_method("read", "write");
    let layer = PatLayer::required(test.pats()).with_rejection_response(render);
    let app = routes().layer(layer.with_scope_map(map).expect("declared scopes"));
    let reader = test.token_with_scopes("alice", &["read"]).await;
    let response = ask(&app, "POST", "/", &reader).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert!(challenge(&response).ends_with(r#"scope="write""#));
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    let body = response.into_body().collect().await.expect("a body");
    assert_eq!(body.to_bytes(), r#"get ["write"]"#);
}

pub(super) async fn a_function_that_panics_is_an_error_of_the_host() {
    let test = test_pats();
    let map = ScopeMap::by(|head| match head.uri().path() {
        // A panic that prints nothing.
        "/" => resume_unwind(Box::new("a bug of the host")),
        _ => Need::Nothing,
    });
    let app = app(&test, map);
    let reader = test.token_with_scopes("alice", &["read"]).await;
    let response = ask(&app, "GET", "/", &reader).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let rejection = response.extensions().get::<PatRejection>();
    let kind = rejection.expect("a rejection").kind();
    assert_eq!(kind, RejectionKind::ScopeMapPanicked);
    assert!(!response.headers().contains_key(header::WWW_AUTHENTICATE));
    let json = json(response).await;
    assert_eq!(json["type"], "urn:problem-type:pat/misconfigured");
    // The function is asked about no other request, and the layer works on.
    assert_eq!(
        status(&app, "GET", "/", &test.token("alice").await).await,
        200
    );
    assert_eq!(status(&app, "GET", "/x", &reader).await, 404);
}

/// Notes that a session ends.
#[derive(Debug, Clone, Default)]
struct Session(Arc<AtomicBool>);

impl SessionInvalidator for Session {
    fn detach(&self, _: &mut Extensions) -> Result<Option<Destroy>, BoxError> {
        let has_ended = Arc::clone(&self.0);
        Ok(Some(Box::pin(async move {
            has_ended.store(true, Ordering::Relaxed);
            Ok(())
        })))
    }
}

pub(super) async fn the_session_of_a_refused_request_stays() {
    let test = test_pats();
    let session = Session::default();
    let layer = PatLayer::optional(test.pats()).with_session_invalidator(session.clone());
    let layer = layer.with_scope_map(ScopeMap::by_method("read", "write"));
    let app = routes().layer(layer.expect("declared scopes"));
    let reader = test.token_with_scopes("alice", &["read"]).await;
    assert_eq!(status(&app, "POST", "/", &reader).await, 403);
    assert!(!session.0.load(Ordering::Relaxed));
    assert_eq!(status(&app, "GET", "/", &reader).await, 200);
    assert!(session.0.load(Ordering::Relaxed));
}

pub(super) async fn the_log_says_what_was_refused() {
    let test = test_pats();
    let (router, map) = ScopedRouter::new()
        .get("/reports/{id}", "read", async || "a report")
        .get("/free", RequiredScopes::none(), async || "free")
        .into_parts();
    let layer = PatLayer::required(test.pats()).with_scope_map(map);
    let app = router
        .route("/secret/{id}", get(async || "a secret"))
        .layer(layer.expect("declared scopes"));
    let reader = test.token_with_scopes("alice", &["read"]).await;
    let log = Log::default();
    let guard = log.start();
    assert_eq!(status(&app, "GET", "/free", &reader).await, 200);
    for (method, uri) in [
        ("GET", "/secret/5?key=hidden"),
        ("PUT", "/reports/5?key=hidden"),
        ("GET", "/nowhere?key=hidden"),
    ] {
        let response = ask(&app, method, uri, &reader).await;
        assert_eq!(lack(&response).as_deref(), Some("undeclared"));
    }
    drop(guard);
    let logged = log.text();
    for expected in [
        r#"token.id=1 method="GET" path="/secret/{id}""#,
        r#"token.id=1 method="PUT" path="/reports/{id}""#,
        r#"token.id=1 method="GET" path="/nowhere""#,
    ] {
        assert!(logged.contains(expected), "{expected} in {logged}");
    }
    assert!(!logged.contains("hidden"), "{logged}");
}

pub(super) async fn two_layers_must_both_permit_a_request() {
    let test = test_pats();
    let by_method = |write| ScopeMap::by_method("read", write);
    let layer = |map| PatLayer::required(test.pats()).with_scope_map(map);
    let narrow = || layer(by_method("write")).expect("declared scopes");
    let wide = || layer(by_method("read")).expect("declared scopes");
    let none = || PatLayer::required(test.pats());
    let reader = test.token_with_scopes("alice", &["read"]).await;
    for (name, app, by_get, by_post) in [
        ("wide", routes().layer(wide()).layer(wide()), 200, 200),
        ("outer", routes().layer(wide()).layer(narrow()), 200, 403),
        ("inner", routes().layer(narrow()).layer(wide()), 200, 403),
        (
            "no inner map",
            routes().layer(none()).layer(wide()),
            403,
            403,
        ),
        (
            "no outer map",
            routes().layer(wide()).layer(none()),
            403,
            403,
        ),
    ] {
        assert_eq!(status(&app, "GET", "/", &reader).await, by_get, "{name}");
        assert_eq!(status(&app, "POST", "/", &reader).await, by_post, "{name}");
    }
    // Nor does the lenient mode pass such a token on as anonymous.
    let lenient = PatLayer::dangerous_bad_token_is_anonymous(test.pats());
    let lenient = lenient.with_scope_map(by_method("write"));
    let app = routes().layer(lenient.expect("declared scopes"));
    assert_eq!(status(&app, "POST", "/", &reader).await, 403);
    // A layer that keeps the header decides by the token again.
    let kept = narrow().keep_authorization_header();
    let app = routes().layer(wide()).layer(kept);
    assert_eq!(status(&app, "GET", "/", &reader).await, 200);
    assert_eq!(status(&app, "POST", "/", &reader).await, 403);
}
