//! Tokens that were created by a token.

use pat_harness::{Answer, Server, TOKENS, answer};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::by;

/// Creates a token by a token.
async fn child(server: &Server, parent: &str, days: Value) -> Answer {
    let body = json!({"name": "child", "expirationDuration": days});
    answer(server.post(TOKENS).bearer_auth(parent).json(&body)).await
}

pub(super) async fn a_token_may_create_tokens() {
    let server = Server::start().await;
    let parent = server.create("alice").await;
    let child = child(&server, &parent.raw, json!(365)).await.created();
    let alice = pat_core::Caller::header_authenticated("alice".parse().expect("an owner"));
    let id = pat_core::TokenId::new(child.id).expect("an id");
    let stored = server.pats.find(&alice, id).await.expect("the child");
    assert_eq!(stored.parent.map(pat_core::TokenId::get), Some(parent.id));
    answer(by(server.delete(&parent.path()), "alice")).await;
    assert_eq!(
        server.try_token(&child.raw).await,
        StatusCode::OK,
        "it stands on its own"
    );
}

/// By default tokens outlive the one that created them; whoever revokes that is told how many, and may
/// have them revoked too.
pub(super) async fn a_revocation_reports_its_live_children() {
    const LIVE_CHILDREN: &str = "pat-live-children";
    let server = Server::start().await;
    let parent = server.create("alice").await;
    let middle = child(&server, &parent.raw, json!(30)).await.created();
    let first = child(&server, &middle.raw, json!(30)).await.created();
    let second = child(&server, &parent.raw, json!(30)).await.created();
    let unrelated = server.create("alice").await;
    let delete = async |path: &str| answer(by(server.delete(path), "alice")).await;
    let childless = delete(&first.path()).await;
    assert_eq!(childless.status, StatusCode::NO_CONTENT);
    assert_eq!(childless.header(LIVE_CHILDREN), None);
    let third = child(&server, &middle.raw, json!(30)).await.created();
    assert_eq!(
        delete(&middle.path()).await.header(LIVE_CHILDREN),
        Some("1")
    );
    // Through one that is revoked.
    let outlived = delete(&parent.path()).await;
    assert_eq!(outlived.header(LIVE_CHILDREN), Some("2"));
    for token in [&second, &third, &unrelated] {
        assert_eq!(server.try_token(&token.raw).await, StatusCode::OK);
    }
    let wrong = delete(&format!("{}?family=2", parent.path())).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    let with_family = delete(&format!("{}?family=true", parent.path())).await;
    assert_eq!(with_family.status, StatusCode::NO_CONTENT);
    assert_eq!(with_family.header(LIVE_CHILDREN), None);
    for token in [&second, &third] {
        assert_eq!(server.try_token(&token.raw).await, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(server.try_token(&unrelated.raw).await, StatusCode::OK);
    // A token that revokes itself and its children.
    let parent = server.create("alice").await;
    let child = child(&server, &parent.raw, json!(30)).await.created();
    let current = server.delete(&format!("{TOKENS}/current?family=true"));
    let current = answer(current.bearer_auth(&parent.raw)).await;
    assert_eq!(current.status, StatusCode::NO_CONTENT);
    assert_eq!(server.try_token(&child.raw).await, StatusCode::UNAUTHORIZED);
}

pub(super) async fn capped_children_live_and_die_with_their_parent() {
    let server = Server::with(&[("pat.create.by.token", "capped")]).await;
    let parent = server.create("alice").await;
    let longer = child(&server, &parent.raw, json!(91)).await;
    assert_eq!(
        (longer.status, longer.problem().as_str()),
        (StatusCode::BAD_REQUEST, "outlives-parent")
    );
    let same = child(&server, &parent.raw, Value::Null).await;
    assert_eq!(
        same.json()["expiringAt"],
        "2026-05-27T22:42:21.247+00:00",
        "the parent's expiry"
    );
    let same = same.created();
    let grandchild = child(&server, &same.raw, json!(1)).await.created();
    assert_eq!(server.try_token(&grandchild.raw).await, StatusCode::OK);
    let unrelated = server.create("alice").await;
    answer(by(server.delete(&parent.path()), "alice")).await;
    for token in [&parent, &same, &grandchild] {
        assert_eq!(server.try_token(&token.raw).await, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(server.try_token(&unrelated.raw).await, StatusCode::OK);
}

pub(super) async fn creating_by_token_can_be_forbidden() {
    let server = Server::with(&[("pat.create.by.token", "forbidden")]).await;
    let parent = server.create("alice").await;
    let child = child(&server, &parent.raw, json!(1)).await;
    assert_eq!(
        (child.status, child.problem().as_str()),
        (StatusCode::FORBIDDEN, "created-by-token")
    );
}
