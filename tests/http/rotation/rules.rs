//! What is checked before a token is replaced.

use std::time::Duration;

use pat_harness::{TOKENS, answer};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{HOUR, by, create, list, rotate, rotate_itself, server, statuses};

pub(super) async fn invalid_rotations_are_refused() {
    let server = server(&[("pat.rotate.overlap.max.seconds", "7200")]).await;
    let token = server.create("alice").await;
    let (overlap, duration) = ("invalid-overlap", "invalid-duration");
    for (body, problem) in [
        (json!({"overlapSeconds": 7_201}), overlap),
        (json!({"overlapSeconds": u64::MAX}), overlap),
        (json!({"overlapSeconds": -1}), overlap),
        (json!({"overlapSeconds": 60.0}), overlap),
        (json!({"overlapSeconds": 1e308}), overlap),
        (json!({"expirationDuration": 0}), duration),
        (json!({"expirationDuration": 366}), duration),
        (json!({"expirationDuration": 0.5}), duration),
        (json!({"expirationSeconds": 59}), duration),
        (json!({"expirationSeconds": u64::MAX}), duration),
        (
            json!({"expirationSeconds": 60, "expirationDuration": 1}),
            duration,
        ),
        (json!({"overlapSeconds": "60"}), "malformed-body"),
        (json!({"expirationDuration": "90"}), "malformed-body"),
        (json!({"name": "other"}), "malformed-body"),
        (json!({"scopes": ["read"]}), "malformed-body"),
        (json!({"enabled": true}), "malformed-body"),
        (json!([]), "malformed-body"),
        (json!([60]), "malformed-body"),
        (json!(60), "malformed-body"),
        (json!("{}"), "malformed-body"),
    ] {
        for refused in [
            rotate(&server, &token, &body).await,
            rotate_itself(&server, &token, &body).await,
        ] {
            assert_eq!(
                (refused.status, refused.problem().as_str()),
                (StatusCode::BAD_REQUEST, problem),
                "{body}"
            );
        }
    }
    let path = format!("{}/rotate", token.path());
    for (kind, body, status) in [
        ("application/json", "{", 400),
        ("application/json", "null", 400),
        ("application/json", " ", 400),
        (
            "application/json",
            "{\"overlapSeconds\":1,\"overlapSeconds\":1}",
            400,
        ),
        ("text/plain", "{}", 415),
        ("", "{}", 415),
    ] {
        let request = by(server.post(&path), "alice").header("content-type", kind);
        let refused = answer(request.body(body)).await;
        assert_eq!(refused.status.as_u16(), status, "{kind} {body}");
    }
    for method in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE] {
        let refused = answer(by(server.request(method.clone(), &path), "alice")).await;
        assert_eq!(refused.status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
    }
    let itself = rotate_itself(&server, &token, &json!({"overlapSeconds": 0})).await;
    assert_eq!(
        (itself.status, itself.problem().as_str()),
        (StatusCode::BAD_REQUEST, overlap)
    );
    let left = list(&server).await;
    assert_eq!(left.as_array().map(Vec::len), Some(1), "nothing was done");
    assert!(left[0].get("rotatedTo").is_none());
    for body in [
        json!({}),
        json!({"overlapSeconds": null, "expirationDuration": null, "expirationSeconds": null}),
        json!({"overlapSeconds": 7_200}),
    ] {
        let rotated = rotate(&server, &token, &body).await;
        assert_eq!(rotated.status, StatusCode::CREATED, "{body}");
    }
}

pub(super) async fn a_token_rotates_only_itself() {
    let server = server(&[]).await;
    let (token, other) = (server.create("alice").await, server.create("alice").await);
    let bobs = server.create("bob").await;
    for id in [
        other.id.to_string(),
        bobs.id.to_string(),
        "1".to_owned(),
        "x".to_owned(),
    ] {
        let request = server.post(&format!("{TOKENS}/{id}/rotate"));
        let refused = answer(request.bearer_auth(&token.raw)).await;
        assert_eq!(
            (refused.status, refused.problem().as_str()),
            (StatusCode::FORBIDDEN, "rotate-itself-only"),
            "{id}"
        );
    }
    assert_eq!(statuses(&server, [&token, &other, &bobs]).await, [200; 3]);
}

pub(super) async fn other_users_tokens_cannot_be_rotated() {
    let server = server(&[]).await;
    let token = server.create("alice").await;
    for user in ["bob", "admin"] {
        let rotate = async |id: &str| {
            let request = server.post(&format!("{TOKENS}/{id}/rotate"));
            answer(by(request, user)).await
        };
        let others = rotate(&token.id.to_string()).await;
        assert_eq!(others.status, StatusCode::NOT_FOUND, "{user}");
        for unknown in ["1", "x", "01", "-1", "9007199254740992"] {
            let unknown = rotate(unknown).await;
            assert_eq!(
                (others.status, &others.body),
                (unknown.status, &unknown.body)
            );
        }
    }
    let path = format!("{}/rotate", token.path());
    assert_eq!(answer(server.post(&path)).await.problem(), "not-signed-in");
    let current = by(server.post(&format!("{TOKENS}/current/rotate")), "alice");
    let current = answer(current).await;
    assert_eq!(current.problem(), "not-found", "no token was presented");
    let cross_site = by(server.post(&path), "alice").header("sec-fetch-site", "cross-site");
    assert_eq!(answer(cross_site).await.problem(), "cross-site-request");
    assert!(list(&server).await[0].get("rotatedTo").is_none());
}

pub(super) async fn tokens_that_ended_cannot_be_rotated() {
    let server = server(&[]).await;
    let revoked = server.create("alice").await;
    answer(by(server.delete(&revoked.path()), "alice")).await;
    let refused = rotate(&server, &revoked, &Value::Null).await;
    assert_eq!(refused.problem(), "not-found");
    let day = json!({"name": "a day", "expirationDuration": 1});
    let day = create(&server, day).await;
    let replaced = server.create("alice").await;
    let new = rotate(&server, &replaced, &Value::Null).await.created();
    server.advance(Duration::from_hours(24)).await;
    for ended in [&day, &replaced] {
        let refused = rotate(&server, ended, &Value::Null).await;
        assert_eq!(
            (refused.status, refused.problem().as_str()),
            (StatusCode::CONFLICT, "not-rotatable")
        );
    }
    assert_eq!(statuses(&server, [&new]).await, [200]);
}

pub(super) async fn the_settings_say_what_a_token_may() {
    for properties in [
        [("pat.rotate.by.token", "false")],
        [("pat.create.by.token", "forbidden")],
    ] {
        let server = server(&properties).await;
        let token = server.create("alice").await;
        let refused = rotate_itself(&server, &token, &Value::Null).await;
        assert_eq!(
            (refused.status, refused.problem().as_str()),
            (StatusCode::FORBIDDEN, "rotated-by-token"),
            "{properties:?}"
        );
        let by_user = rotate(&server, &token, &Value::Null).await;
        assert_eq!(by_user.status, StatusCode::CREATED, "{properties:?}");
        let policy = by(server.get("/rest/pat/latest/policy"), "alice");
        assert_eq!(answer(policy).await.json()["rotateByToken"], false);
    }

    let capped = server(&[("pat.create.by.token", "capped")]).await;
    let token = capped.create("alice").await;
    capped.advance(HOUR).await;
    let end = "2026-05-27T22:42:21.247+00:00";
    let first = rotate_itself(&capped, &token, &Value::Null).await;
    assert_eq!(first.json()["expiringAt"], end, "the predecessor's own");
    // In the overlap, the end is not that of the overlap; and a successor cannot extend it either.
    for token in [&token, &first.created()] {
        let again = rotate_itself(&capped, token, &Value::Null).await;
        assert_eq!(again.json()["expiringAt"], end);
        let longer = rotate_itself(&capped, token, &json!({"expirationDuration": 90})).await;
        assert_eq!(
            (longer.status, longer.problem().as_str()),
            (StatusCode::BAD_REQUEST, "outlives-parent")
        );
    }
    let shorter = rotate_itself(&capped, &token, &json!({"expirationDuration": 89})).await;
    assert_eq!(shorter.status, StatusCode::CREATED);
    let by_user = rotate(&capped, &token, &Value::Null).await;
    assert_eq!(
        by_user.json()["expiringAt"],
        "2026-05-27T23:42:21.247+00:00",
        "a user has signed in"
    );

    let off = server(&[("atlassian.pats.enabled", "false")]).await;
    let request = by(off.post(&format!("{TOKENS}/1/rotate")), "alice");
    assert_eq!(answer(request).await.problem(), "not-found");
}

pub(super) async fn a_token_needs_the_scope_for_changes() {
    let server = server(&[]).await;
    for (scopes, status) in [
        (json!(["read", "tokens:read"]), 403),
        (json!(["tokens:write"]), 201),
        (json!(["read", "tokens:write"]), 201),
    ] {
        let body = json!({"name": "ci", "expirationDuration": 1, "scopes": scopes});
        let token = create(&server, body).await;
        let rotated = rotate_itself(&server, &token, &Value::Null).await;
        assert_eq!(rotated.status.as_u16(), status, "{scopes}");
        if status == 403 {
            assert_eq!(rotated.problem(), "insufficient-scope");
        } else {
            assert_eq!(rotated.json()["scopes"], scopes, "those of the old one");
        }
    }
}
