//! Answers that last: they end with their token, its owner and their server.

use std::time::Duration;

use pat_harness::{Server, TOKENS, answer};
use reqwest::StatusCode;
use serde_json::json;

use super::by;

pub(super) async fn a_disabled_owner_is_refused_at_once_until_enabled() {
    let server = Server::start().await;
    let token = server.create("bob").await;
    assert_eq!(
        server.try_token(&token.raw).await,
        StatusCode::OK,
        "in the cache now"
    );
    let set = async |action: &str, user: &str| {
        answer(by(server.post(&format!("/demo/users/bob/{action}")), user))
            .await
            .status
    };
    assert_eq!(set("disable", "alice").await, StatusCode::FORBIDDEN);
    assert_eq!(server.try_token(&token.raw).await, StatusCode::OK);
    assert_eq!(set("disable", "admin").await, StatusCode::NO_CONTENT);
    assert_eq!(server.try_token(&token.raw).await, StatusCode::UNAUTHORIZED);
    assert_eq!(set("enable", "admin").await, StatusCode::NO_CONTENT);
    assert_eq!(server.try_token(&token.raw).await, StatusCode::OK);
}

/// Opens an event stream with this token, and reads its first event.
async fn open_stream(server: &Server, token: &str) -> reqwest::Response {
    let mut stream = server
        .get("/demo/events")
        .bearer_auth(token)
        .send()
        .await
        .expect("a stream");
    assert_eq!(stream.status(), StatusCode::OK);
    let first = stream.chunk().await.expect("an event").expect("no end");
    assert!(first.starts_with(b"data: 0"), "{first:?}");
    stream
}

/// Whether the stream ends in good time: the staleness bound and a second.
async fn ends(mut stream: reqwest::Response) -> bool {
    let rest = async { while stream.chunk().await.expect("a good end").is_some() {} };
    tokio::time::timeout(Duration::from_secs(3), rest)
        .await
        .is_ok()
}

pub(super) async fn a_stream_ends_with_its_token() {
    let server = Server::start().await;
    let (revoked, kept) = (server.create("alice").await, server.create("alice").await);
    let expires =
        answer(by(server.post(TOKENS), "bob").json(&json!({"name": "a", "expirationDuration": 1})));
    let expires = expires.await.created();
    let by_revoked = open_stream(&server, &revoked.raw).await;
    let by_kept = open_stream(&server, &kept.raw).await;
    let by_expiring = open_stream(&server, &expires.raw).await;
    answer(by(server.delete(&revoked.path()), "alice")).await;
    assert!(ends(by_revoked).await);
    assert!(!ends(by_kept).await, "that of another token goes on");
    server.clock.advance(Duration::from_hours(24));
    assert!(ends(by_expiring).await);
    let anonymous = answer(server.get("/demo/events")).await;
    assert_eq!(anonymous.status, StatusCode::UNAUTHORIZED);
}

pub(super) async fn a_stream_ends_with_its_server() {
    let server = Server::start().await;
    let token = server.create("alice").await;
    let stream = open_stream(&server, &token.raw).await;
    let stopped = tokio::time::timeout(Duration::from_secs(20), server.stop());
    let (stopped, ended) = tokio::join!(stopped, ends(stream));
    assert!(stopped.is_ok() && ended);
}
