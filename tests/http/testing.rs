//! What a host's tests of its own handlers have: each token and refusal is what its name says.

use std::time::Duration;

use axum::routing::{get as route, post as route_post};
use axum::{Json, Router};
use http::{HeaderMap, Response, StatusCode};
use libtest_mimic::Trial;
use pat_core::{AuthError, Settings};
use pat_harness::trial;
use pat_tower::testing::{Refusal, TestPats, get, post};
use pat_tower::{Pat, PatLayer, PatRejection, RejectionKind};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(each_refusal_has_its_reason),
        trial(an_outage_ends_with_the_next_token),
        trial(tokens_have_the_format_of_the_settings),
        trial(the_clock_and_the_users_are_the_tests),
        trial(a_post_request_has_its_token_and_json),
    ]
}

fn app(test: &TestPats) -> Router {
    Router::new()
        .route("/", route(async |pat: Pat| pat.owner().to_string()))
        .layer(PatLayer::required(test.pats()))
}

async fn status(app: &Router, headers: &HeaderMap) -> StatusCode {
    get(app, "/", headers).await.status()
}

fn rejection<B>(response: &Response<B>) -> &PatRejection {
    let rejection = response.extensions().get();
    rejection.expect("a rejection")
}

async fn each_refusal_has_its_reason() {
    let reasons = [
        (Refusal::Missing, RejectionKind::NotSignedIn, None),
        (
            Refusal::Malformed,
            RejectionKind::InvalidAuthorization,
            None,
        ),
        (
            Refusal::StoreDown,
            RejectionKind::Unavailable,
            Some("unavailable"),
        ),
        (
            Refusal::Unknown,
            RejectionKind::InvalidToken,
            Some("unknown"),
        ),
        (
            Refusal::Expired,
            RejectionKind::InvalidToken,
            Some("expired"),
        ),
        (
            Refusal::Revoked,
            RejectionKind::InvalidToken,
            Some("revoked"),
        ),
        (
            Refusal::OwnerInactive,
            RejectionKind::InvalidToken,
            Some("owner_inactive"),
        ),
    ];
    assert_eq!(reasons.map(|(refusal, ..)| refusal), Refusal::ALL);
    let test = TestPats::new();
    let app = app(&test);
    for (refusal, kind, reason) in reasons {
        let headers = test.refused(refusal).await;
        let response = get(&app, "/", &headers).await;
        assert_eq!(response.status(), refusal.status(), "{refusal}");
        let rejection = rejection(&response);
        let found = rejection.reason().map(AuthError::reason);
        assert_eq!((rejection.kind(), found), (kind, reason), "{refusal}");
    }
}

async fn an_outage_ends_with_the_next_token() {
    let test = TestPats::new();
    let app = app(&test);
    let down = test.refused(Refusal::StoreDown).await;
    let unavailable = StatusCode::SERVICE_UNAVAILABLE;
    assert_eq!(status(&app, &down).await, unavailable);
    let alice = test.token("alice").await;
    assert_eq!(status(&app, &down).await, StatusCode::OK);
    assert_eq!(status(&app, &alice).await, StatusCode::OK);
}

async fn tokens_have_the_format_of_the_settings() {
    let prefix = "acme".parse().expect("a prefix");
    let settings = Settings::builder().token_prefix(&prefix).build();
    let test = TestPats::with_settings(settings.expect("settings"));
    let app = app(&test);
    let alice = test.token("alice").await;
    let authorization = alice["authorization"].to_str().expect("text");
    assert!(authorization.starts_with("Bearer acme_"));
    assert_eq!(status(&app, &alice).await, StatusCode::OK);
    let unknown = test.refused(Refusal::Unknown).await;
    let response = get(&app, "/", &unknown).await;
    let reason = rejection(&response).reason();
    assert!(matches!(reason, Some(AuthError::Unknown)), "{reason:?}");
}

async fn the_clock_and_the_users_are_the_tests() {
    let test = TestPats::new();
    let app = app(&test);
    let alice = test.token("alice").await;
    let day = Duration::from_hours(24);
    test.clock().advance(29 * day);
    assert_eq!(status(&app, &alice).await, StatusCode::OK);
    test.clock().advance(day);
    assert_eq!(status(&app, &alice).await, StatusCode::UNAUTHORIZED);
    let owner = test.users().add("bob");
    let bob = test.token("bob").await;
    assert_eq!(status(&app, &bob).await, StatusCode::OK);
    test.users().set_active(&owner, false);
    test.pats().user_changed(&owner).await.expect("a change");
    assert_eq!(status(&app, &bob).await, StatusCode::UNAUTHORIZED);
    // A new token of a disabled user does not enable the user.
    let bob = test.token("bob").await;
    assert_eq!(status(&app, &bob).await, StatusCode::UNAUTHORIZED);
}

async fn a_post_request_has_its_token_and_json() {
    #[derive(Debug, serde::Serialize, serde::Deserialize)]
    struct Report {
        title: String,
    }

    let test = TestPats::new();
    let create =
        async |pat: Pat, Json(Report { title }): Json<Report>| format!("{}: {title}", pat.owner());
    let app = Router::new()
        .route("/reports", route_post(create))
        .layer(PatLayer::required(test.pats()));
    let alice = test.token("alice").await;
    let report = Report {
        title: "\"May\"".to_owned(),
    };
    let response = post(&app, "/reports", &alice, &report).await;
    assert_eq!(response.status(), StatusCode::OK);
    let body = axum::body::to_bytes(response.into_body(), 100).await;
    assert_eq!(body.expect("a body"), "alice: \"May\"");
    // The headers of a test count, but for the type of the body.
    let mut headers = alice.clone();
    headers.insert("content-type", http::HeaderValue::from_static("text/plain"));
    let response = post(&app, "/reports", &headers, &report).await;
    assert_eq!(response.status(), StatusCode::OK);
    let refused = post(&app, "/reports", &HeaderMap::new(), &report).await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
}
