//! What a fault may do and may not.

use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::Trial;
use pat_core::settings::SettingsBuilder;
use pat_core::store::TokenStore as _;
use pat_core::testing::TestDirectory;
use pat_core::{AccessError, AuthError, CreatedToken, MemoryStore, Pats, Settings, TokenRequest};
use pat_harness::node::{Node, accepts, alice, is_unavailable, many_tokens, pair};
use pat_harness::{trial, until};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(an_abandoned_revocation_completes),
        trial(a_database_that_is_down_is_no_refusal),
        trial(a_database_that_hangs_is_given_up_in_time),
        trial(a_directory_that_is_down_is_no_refusal),
        trial(a_directory_that_hangs_is_given_up_in_time),
        trial(last_use_outlives_a_failed_flush),
        trial(clock_steps_make_no_token_eternal),
    ]
}

/// The one who asked is told in time that nobody knows; the change is seen through all the same.
async fn an_abandoned_revocation_completes() {
    let (_folder, a, _b, token) = pair(many_tokens().auth_database_timeout_ms(1_000)).await;
    a.store.hold_revocations(true);
    let caller = alice();
    let told = a.pats.revoke(&caller, token.token.id);
    let told = tokio::time::timeout(Duration::from_secs(10), told).await;
    let told = told.expect("within ten seconds");
    assert!(matches!(told, Err(AccessError::Unavailable(_))), "{told:?}");
    assert!(a.accepts(&token).await, "nothing was promised yet");
    a.store.hold_revocations(false);
    // Without being asked for again.
    until("it is refused", async || !a.accepts(&token).await).await;
}

async fn a_database_that_is_down_is_no_refusal() {
    let (_folder, a, _b, token) = pair(many_tokens()).await;
    let cold = a.create().await;
    a.store.set_down(true);
    assert!(a.accepts(&token).await, "cached, and the lease is fresh");
    assert!(
        is_unavailable(&a, &cold).await,
        "not cached: nobody can say"
    );
    a.clock.advance(Duration::from_secs(2));
    assert!(a.pats.poll_changes().await.is_err() && a.pats.ready().await.is_err());
    assert!(is_unavailable(&a, &token).await, "the lease is out");
    let revoke = a.pats.revoke(&alice(), token.token.id).await;
    assert!(matches!(revoke, Err(AccessError::Unavailable(_))));
    a.store.set_down(false);
    assert!(
        a.accepts(&token).await && a.accepts(&cold).await,
        "recovers by itself"
    );
}

async fn a_database_that_hangs_is_given_up_in_time() {
    let settings = many_tokens().auth_database_timeout_ms(1_000);
    let node = Node::on(Arc::new(MemoryStore::default()), settings).await;
    let token = node.create().await;
    node.store.hold_lookups(true);
    let asked = tokio::time::timeout(Duration::from_secs(10), is_unavailable(&node, &token)).await;
    assert_eq!(asked, Ok(true), "given up within ten seconds");
    node.store.hold_lookups(false);
    // The load that hung ends by its own deadline at the latest.
    until("it answers again", async || {
        !is_unavailable(&node, &token).await
    })
    .await;
    assert!(node.accepts(&token).await);
}

/// A service that asks a directory, and a token of its only user.
async fn with_directory(settings: SettingsBuilder) -> (TestDirectory, Pats, CreatedToken) {
    let directory = TestDirectory::default();
    directory.add("alice");
    let pats = Pats::builder(Arc::new(MemoryStore::default()))
        .users(Arc::new(directory.clone()))
        .settings(settings.build().expect("settings"))
        .build();
    let request = TokenRequest::new("ci", None);
    let token = pats.create(&alice(), request).await.expect("a token");
    (directory, pats, token)
}

async fn a_directory_that_is_down_is_no_refusal() {
    let (directory, pats, token) = with_directory(Settings::builder()).await;
    directory.set_down(true);
    let verdict = pats.authenticate(token.plain.expose().as_bytes()).await;
    assert!(matches!(verdict, Err(AuthError::Unavailable(_))));
    directory.set_down(false);
    assert!(accepts(&pats, token.plain.expose()).await);
    directory.remove(alice().owner());
    pats.user_changed(alice().owner()).await.expect("a change");
    let verdict = pats.authenticate(token.plain.expose().as_bytes()).await;
    assert!(matches!(verdict, Err(AuthError::OwnerGone(_))));
}

async fn a_directory_that_hangs_is_given_up_in_time() {
    let settings = many_tokens().auth_database_timeout_ms(200);
    let (directory, pats, token) = with_directory(settings).await;
    directory.set_silent(true);
    let given_up = async {
        let verdict = pats.authenticate(token.plain.expose().as_bytes()).await;
        assert!(matches!(verdict, Err(AuthError::Unavailable(_))));
        pats.is_administrator(&alice()).await.expect_err("who says");
        pats.owner_of(&token.token).await.expect_err("who says");
    };
    let given_up = tokio::time::timeout(Duration::from_secs(10), given_up).await;
    assert!(given_up.is_ok(), "within ten seconds");
    directory.set_silent(false);
    until("it answers again", async || {
        let verdict = pats.authenticate(token.plain.expose().as_bytes()).await;
        verdict.is_ok()
    })
    .await;
}

async fn last_use_outlives_a_failed_flush() {
    let node = Node::on(Arc::new(MemoryStore::default()), many_tokens()).await;
    let token = node.create().await;
    let stored = async || {
        let token = node
            .store
            .find(token.token.id)
            .await
            .expect("a row")
            .expect("the token");
        token.last_used_at.map(|at| at.to_string())
    };
    assert!(node.accepts(&token).await);
    node.store.set_down(true);
    assert!(node.pats.flush_last_use().await.is_err());
    assert!(
        node.accepts(&token).await,
        "a last use that cannot be written fails no request"
    );
    node.store.set_down(false);
    assert_eq!(stored().await, None);
    node.clock.advance(Duration::from_secs(3));
    assert!(node.accepts(&token).await);
    assert_eq!(node.pats.flush_last_use().await.expect("a flush"), 1);
    assert_eq!(
        stored().await.as_deref(),
        Some("2026-02-26T22:42:24.147Z"),
        "the latest, by a coarse clock"
    );
    assert_eq!(
        node.pats.flush_last_use().await.expect("a flush"),
        0,
        "nothing new"
    );
}

async fn clock_steps_make_no_token_eternal() {
    let node = Node::on(Arc::new(MemoryStore::default()), many_tokens()).await;
    let token = node.create().await;
    assert!(node.accepts(&token).await);
    let day = jiff::SignedDuration::from_hours(24);
    node.clock.step_wall(day * 91);
    node.pats.poll_changes().await.expect("a poll");
    assert!(!node.accepts(&token).await, "set forward beyond its expiry");
    node.clock.step_wall(-day * 91);
    node.pats.poll_changes().await.expect("a poll");
    node.clock.advance(Duration::from_hours(90 * 24));
    assert!(
        !node.accepts(&token).await,
        "its life is over whatever happened in between"
    );
    node.clock.step_wall(-day * 365 * 60);
    node.pats.poll_changes().await.expect("a poll");
    let early = node.create().await;
    assert!(
        early
            .token
            .expires_at
            .is_some_and(|at| at > early.token.created_at)
    );
    node.clock.step_wall(day * 365 * 8000);
    node.pats.poll_changes().await.expect("a poll");
    assert!(!node.accepts(&early).await);
    let request = TokenRequest::new("late", Some(365));
    node.clock.step_wall(day * 34);
    let late = node.pats.create(&alice(), request).await;
    assert!(
        late.is_ok_and(|late| late.token.expires_at.is_some()),
        "never an eternal one"
    );
}
