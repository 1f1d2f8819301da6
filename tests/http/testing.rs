//! What a host's tests of its own handlers have: each token and refusal is what its name says.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get as route;
use futures_util::FutureExt as _;
use http::{HeaderMap, Response, StatusCode};
use libtest_mimic::Trial;
use pat_core::search::{Filter, Search, Sort, SortKey, Start};
use pat_core::testing::TestDirectory;
use pat_core::{AuthError, Caller, Owner, Settings};
use pat_harness::trial;
use pat_tower::testing::{Refusal, TestPats, get};
use pat_tower::{Admin, Pat, PatLayer, PatRejection, RejectionKind};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(each_refusal_has_its_reason),
        trial(an_outage_ends_with_the_next_token),
        trial(tokens_have_the_format_of_the_settings),
        trial(the_clock_and_the_users_are_the_tests),
        trial(the_users_can_be_those_of_the_host),
        trial(a_key_that_the_host_does_not_know_is_an_error),
        trial(users_of_the_test_come_before_those_of_the_host),
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

/// A host whose keys are numbers: 7 is a user, 8 an administrator.
fn host() -> TestDirectory {
    let users = TestDirectory::default();
    users.add("7");
    users.add_administrator("8");
    users
}

fn with_host(users: &TestDirectory) -> TestPats {
    let settings = Settings::builder().max_tokens_per_user(3).build();
    TestPats::with_settings(settings.expect("settings")).with_users(Arc::new(users.clone()))
}

async fn the_users_can_be_those_of_the_host() {
    let users = host();
    let test = with_host(&users);
    assert_eq!(test.pats().settings().max_tokens_per_user(), 3);
    let app = Router::new()
        .route("/", route(async |pat: Pat| pat.owner().to_string()))
        .route("/users", route(async |_: Admin| "users"))
        .layer(PatLayer::required(test.pats()))
        .with_state(test.pats());
    let (user, admin) = (test.token("7").await, test.administrator("8").await);
    for (headers, expected) in [(&user, StatusCode::FORBIDDEN), (&admin, StatusCode::OK)] {
        assert_eq!(status(&app, headers).await, StatusCode::OK);
        assert_eq!(get(&app, "/users", headers).await.status(), expected);
    }
    for refusal in Refusal::ALL {
        let headers = test.refused(refusal).await;
        assert_eq!(status(&app, &headers).await, refusal.status(), "{refusal}");
    }
    assert_eq!(status(&app, &test.token("7").await).await, StatusCode::OK);
    let owner = Owner::new("7").expect("a key");
    users.set_active(&owner, false);
    test.pats().user_changed(&owner).await.expect("a change");
    assert_eq!(status(&app, &user).await, StatusCode::UNAUTHORIZED);
    // The clock is still the test's.
    test.clock().advance(Duration::from_hours(30 * 24));
    assert_eq!(status(&app, &admin).await, StatusCode::UNAUTHORIZED);
}

async fn a_key_that_the_host_does_not_know_is_an_error() {
    let test = with_host(&host());
    let panic = AssertUnwindSafe(test.token("alice")).catch_unwind().await;
    let message = panic.expect_err("a panic").downcast::<String>();
    let message = message.expect("a message");
    assert!(
        message.contains("does not know the user \"alice\""),
        "{message}"
    );
    let panic = AssertUnwindSafe(test.administrator("7"))
        .catch_unwind()
        .await;
    let message = panic.expect_err("a panic").downcast::<String>();
    let message = message.expect("a message");
    assert!(
        message.contains("\"7\" is not an administrator"),
        "{message}"
    );
    // A user whom the test adds is another matter.
    test.users().add("alice");
    test.users().add_administrator("root");
    let app = app(&test);
    assert_eq!(
        status(&app, &test.token("alice").await).await,
        StatusCode::OK
    );
    let root = test.administrator("root").await;
    assert_eq!(status(&app, &root).await, StatusCode::OK);
}

/// In each way in which the service asks for users.
async fn users_of_the_test_come_before_those_of_the_host() {
    let test = with_host(&host());
    test.users().add_administrator("7");
    test.users().add("8");
    test.users().add("alice");
    let pats = test.pats();
    let [seven, eight] = ["7", "8"].map(|key| {
        let owner = Owner::new(key).expect("a key");
        Caller::header_authenticated(owner)
    });
    assert!(pats.administration(&eight).await.is_err());
    let administration = pats.administration(&seven).await.expect("an administrator");
    let names = async |contains, limit| {
        let found = administration.search_users(contains, limit).await;
        let names = found.expect("users").into_iter().map(|user| user.username);
        names.collect::<Vec<_>>()
    };
    assert_eq!(names("tester", 10).await, ["7", "8", "alice"]);
    assert_eq!(names("tester", 1).await, ["7"]);
    let host = with_host(&host());
    host.users().add("alice");
    let pats = host.pats();
    let eight = pats.administration(&eight).await.expect("an administrator");
    let found = eight.search_users("tester", 10).await.expect("users");
    let names: Vec<_> = found.iter().map(|user| &*user.username).collect();
    assert_eq!(names, ["alice", "7", "8"]);
    for key in ["7", "8", "alice"] {
        host.token(key).await;
    }
    let all = Search::new(
        Filter::default(),
        Sort {
            key: SortKey::Owner,
            is_descending: false,
        },
        Start::Offset(0),
        10,
    );
    let tokens = eight.search(&all).await.expect("tokens").tokens;
    let owners = eight.owners_of(&tokens).await.expect("owners");
    let names: Vec<_> = owners
        .iter()
        .map(|user| (&*user.username, user.is_active))
        .collect();
    assert_eq!(names, [("7", true), ("8", true), ("alice", true)]);
}
