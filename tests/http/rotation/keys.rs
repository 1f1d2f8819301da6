//! Requests that are repeated with an `Idempotency-Key`.

use std::time::Duration;

use futures_util::future::join_all;
use pat_harness::{Answer, NewToken, Server, TOKENS, answer, count};
use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};

use super::{by, list, rotate_itself, server, statuses, with_body};

const KEY: &str = "idempotency-key";

async fn create(server: &Server, user: &str, key: &str, body: &Value) -> Answer {
    let request = by(server.post(TOKENS), user).header(KEY, key);
    answer(request.json(body)).await
}

async fn rotate(server: &Server, token: &NewToken, key: &str, body: &Value) -> Answer {
    let request = server.post(&format!("{TOKENS}/current/rotate"));
    let request = request.bearer_auth(&token.raw).header(KEY, key);
    answer(with_body(request, body)).await
}

async fn count_tokens(server: &Server) -> usize {
    list(server).await.as_array().expect("an array").len()
}

/// Checks that a repetition shows the token of the first answer, without its secret.
fn assert_repeats(repetition: &Answer, first: &Answer) {
    assert_eq!(repetition.status, StatusCode::OK, "{}", repetition.body);
    let (mut first, mut repeated) = (first.json(), repetition.json());
    let note = repeated
        .as_object_mut()
        .and_then(|json| json.remove("note"));
    let note = note.expect("a note");
    assert!(note.as_str().is_some_and(|note| note.ends_with('.')));
    for member in ["rawToken", "ending"] {
        first.as_object_mut().expect("an object").remove(member);
    }
    assert_eq!(repeated, first);
}

pub(super) async fn a_repeated_creation_creates_one_token() {
    let server = server(&[]).await;
    let body = json!({"name": "ci", "expirationDuration": 90});
    let first = create(&server, "alice", "k1", &body).await;
    let token = first.created();
    for _ in 0..2 {
        assert_repeats(&create(&server, "alice", "k1", &body).await, &first);
    }
    assert_eq!(count_tokens(&server).await, 1);
    // A refusal is not repeated.
    let bad = json!({"name": ""});
    let refused = create(&server, "alice", "k2", &bad).await;
    assert_eq!(refused.problem(), "invalid-name");
    create(&server, "alice", "k2", &body).await.created();
    // After a revocation there is nothing to show.
    answer(by(server.delete(&token.path()), "alice")).await;
    let revoked = create(&server, "alice", "k1", &body).await;
    assert_eq!(
        (revoked.status, revoked.problem().as_str()),
        (StatusCode::CONFLICT, "created-token-revoked")
    );
    assert_eq!(count_tokens(&server).await, 1);
    // A key is kept for a day.
    server.advance(Duration::from_hours(24)).await;
    create(&server, "alice", "k1", &body).await.created();
}

pub(super) async fn a_repeated_rotation_replaces_once() {
    let server = server(&[]).await;
    let old = server.create("alice").await;
    let first = rotate(&server, &old, "k", &Value::Null).await;
    let new = first.created();
    let repeated = rotate(&server, &old, "k", &Value::Null).await;
    assert_repeats(&repeated, &first);
    assert!(
        repeated.body.contains("rotate again without this key"),
        "{}",
        repeated.body
    );
    // The same by its id, by the user.
    let by_id = by(server.post(&format!("{}/rotate", old.path())), "alice");
    let by_id = answer(by_id.header(KEY, "k")).await;
    assert_repeats(&by_id, &first);
    assert_eq!(count_tokens(&server).await, 2);
    // The new token is another, so this is another request.
    let others = rotate(&server, &new, "k", &Value::Null).await;
    assert_eq!(others.problem(), "idempotency-key-reused");
    let again = rotate_itself(&server, &old, &Value::Null).await.created();
    assert_eq!(statuses(&server, [&old, &new, &again]).await, [200; 3]);
    answer(by(server.delete(&new.path()), "alice")).await;
    let by_id = by(server.post(&format!("{}/rotate", old.path())), "alice");
    let revoked = answer(by_id.header(KEY, "k")).await;
    assert_eq!(revoked.problem(), "created-token-revoked");
}

pub(super) async fn concurrent_repetitions_create_one_token() {
    let server = server(&[]).await;
    let body = json!({"name": "ci"});
    let creations = (0..20).map(|_| create(&server, "alice", "k", &body));
    let creations = join_all(creations).await;
    assert_eq!(count(&creations, StatusCode::CREATED), 1);
    assert_eq!(count(&creations, StatusCode::OK), 19);
    assert_eq!(count_tokens(&server).await, 1);
    let old = server.create("alice").await;
    let rotations = (0..20).map(|_| rotate(&server, &old, "r", &Value::Null));
    let rotations = join_all(rotations).await;
    assert_eq!(count(&rotations, StatusCode::CREATED), 1);
    assert_eq!(count(&rotations, StatusCode::OK), 19);
    assert_eq!(count_tokens(&server).await, 3);
}

pub(super) async fn a_key_is_of_one_request_and_one_user() {
    let server = server(&[]).await;
    let first = create(&server, "alice", "k", &json!({"name": "ci"})).await;
    let token = first.created();
    let spaced = by(server.post(TOKENS), "alice").header(KEY, "k");
    let spaced = spaced.header("content-type", "application/json");
    for other in [
        create(&server, "alice", "k", &json!({"name": "other"})).await,
        answer(spaced.body("{\"name\": \"ci\"}")).await,
        rotate(&server, &token, "k", &Value::Null).await,
    ] {
        assert_eq!(
            (other.status, other.problem().as_str()),
            (StatusCode::UNPROCESSABLE_ENTITY, "idempotency-key-reused")
        );
    }
    assert_eq!(count_tokens(&server).await, 1);
    // At another mount of the router, it is the same request.
    let other_mount = by(server.post("/rest/pat/1.0/tokens/"), "alice").header(KEY, "k");
    let other_mount = answer(other_mount.json(&json!({"name": "ci"}))).await;
    assert_repeats(&other_mount, &first);
    create(&server, "alice", "K", &json!({"name": "ci"}))
        .await
        .created();
    create(&server, "bob", "k", &json!({"name": "ci"}))
        .await
        .created();
}

pub(super) async fn a_key_is_visible_ascii() {
    let server = server(&[]).await;
    let old = server.create("alice").await;
    let rotation = || server.post(&format!("{}/rotate", old.path()));
    let creation = || server.post(TOKENS).json(&json!({"name": "ci"}));
    let long = "k".repeat(256);
    let with = |request: RequestBuilder, keys: &[&[u8]]| {
        let request = by(request, "alice");
        keys.iter()
            .fold(request, |request, key| request.header(KEY, *key))
    };
    let bad: [&[&[u8]]; 6] = [
        &[b""],
        &[b"a b"],
        &[b"caf\xc3\xa9"],
        &[b"a\tb"],
        &[long.as_bytes()],
        &[b"a", b"a"],
    ];
    for keys in bad {
        for request in [rotation(), creation()] {
            let refused = answer(with(request, keys)).await;
            assert_eq!(
                (refused.status, refused.problem().as_str()),
                (StatusCode::BAD_REQUEST, "invalid-idempotency-key"),
                "{keys:?}"
            );
        }
    }
    assert_eq!(count_tokens(&server).await, 1, "nothing was done");
    for key in [&long[1..], "!", "~\"{}\\,;"] {
        let created = answer(with(creation(), &[key.as_bytes()])).await;
        assert_eq!(created.status, StatusCode::CREATED, "{key}");
    }
    let rotated = answer(with(rotation(), &[b"rotation"])).await;
    assert_eq!(rotated.status, StatusCode::CREATED);
}
