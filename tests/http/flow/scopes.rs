//! The scopes of new tokens.

use std::sync::Arc;

use axum::body::Body;
use axum::{Extension, Router};
use http::{Request, StatusCode};
use pat_core::testing::TestDirectory;
use pat_core::{Caller, MemoryStore, Pats, Settings};
use pat_harness::scopes::{NarrowDirectory, catalog};
use pat_harness::{MYSELF, Server, TOKENS, answer};
use pat_tower::api::Api;
use reqwest::Method;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::{by, create};
use crate::http::text_of;

struct Host {
    pats: Pats,
    users: TestDirectory,
}

impl Host {
    fn new(settings: Settings) -> Self {
        let users = TestDirectory::default();
        for user in ["alice", "bob"] {
            users.add(user);
        }
        let builder = Pats::builder(Arc::new(MemoryStore::default()))
            .users(Arc::new(NarrowDirectory(users.clone())))
            .settings(settings)
            .scopes(catalog());
        let pats = builder.build();
        Self { pats, users }
    }

    /// Returns the status and the JSON of a response to this user.
    async fn ask(&self, user: &str, request: Request<Body>) -> (StatusCode, String) {
        let caller = Caller::header_authenticated(user.parse().expect("an owner"));
        let api: Router = Api::new(self.pats.clone()).router();
        let response = api.layer(Extension(caller)).oneshot(request).await;
        let response = response.expect("a response");
        (response.status(), text_of(response).await)
    }

    async fn get(&self, user: &str, path: &str) -> (StatusCode, String) {
        let request = Request::get(path).body(Body::empty()).expect("a request");
        self.ask(user, request).await
    }

    /// Creates a token with these scopes, or with none if `null`.
    async fn create(&self, user: &str, scopes: &Value) -> (StatusCode, Value) {
        let body = json!({"name": "ci", "scopes": scopes}).to_string();
        let request = Request::post("/tokens").header("content-type", "application/json");
        let request = request.body(body.into()).expect("a request");
        let (status, body) = self.ask(user, request).await;
        (status, serde_json::from_str(&body).expect("JSON"))
    }
}

pub(super) async fn a_token_keeps_and_shows_its_scopes() {
    let host = Host::new(Settings::default());
    for (given, kept) in [
        (
            json!(["write", "tokens:read"]),
            json!(["tokens:read", "write"]),
        ),
        (json!(["read"]), json!(["read"])),
        (Value::Null, Value::Null),
    ] {
        let (status, created) = host.create("alice", &given).await;
        assert_eq!(status, StatusCode::CREATED, "{created}");
        assert_eq!(created["scopes"], kept);
    }
    // They come last, and an unrestricted token has no such member.
    let (_, listed) = host.get("alice", "/tokens").await;
    let ends: Vec<_> = listed.split("\"status\":\"ACTIVE\"").skip(1).collect();
    assert!(ends[0].starts_with(r#","scopes":["tokens:read","write"]}"#));
    assert!(ends[1].starts_with(r#","scopes":["read"]}"#));
    assert_eq!(ends[2], "}]");
}

pub(super) async fn wrong_scopes_are_refused_by_type() {
    let host = Host::new(Settings::default());
    for (scopes, problem) in [
        (json!([]), "invalid-scopes"),
        (json!(["delete"]), "invalid-scopes"),
        (json!(["Read"]), "invalid-scopes"),
        (json!(["read", "write", "read"]), "invalid-scopes"),
        (json!([""]), "invalid-scopes"),
        (json!(vec!["read"; 1_000]), "invalid-scopes"),
        (json!("read"), "malformed-body"),
        (json!({"read": true}), "malformed-body"),
        (json!([1]), "malformed-body"),
        (json!([null]), "malformed-body"),
    ] {
        let (status, answer) = host.create("alice", &scopes).await;
        let expected = format!("urn:problem-type:pat/{problem}");
        assert_eq!(
            (status, &answer["type"]),
            (StatusCode::BAD_REQUEST, &json!(expected)),
            "{scopes}"
        );
        let detail = answer["detail"].as_str().expect("a detail");
        assert!(
            !detail.contains("delete"),
            "no text of the request: {detail}"
        );
    }
    assert_eq!(host.get("alice", "/tokens").await.1, "[]");
}

pub(super) async fn the_host_decides_who_may_give_which_scopes() {
    let host = Host::new(Settings::default());
    let refused = json!("urn:problem-type:pat/scope-not-allowed");
    for (user, scopes, is_allowed) in [
        ("alice", json!(["write"]), true),
        ("alice", Value::Null, true),
        ("bob", json!(["read"]), true),
        ("bob", json!(["write"]), false),
        ("bob", json!(["read", "tokens:read"]), false),
        ("bob", Value::Null, false),
    ] {
        let (status, answer) = host.create(user, &scopes).await;
        if is_allowed {
            assert_eq!(status, StatusCode::CREATED, "{user} {scopes}");
        } else {
            let found = (status, &answer["type"]);
            assert_eq!(found, (StatusCode::FORBIDDEN, &refused), "{user} {scopes}");
        }
    }
    for broken in [TestDirectory::set_down, TestDirectory::set_silent] {
        broken(&host.users, true);
        let (status, _) = host.create("alice", &json!(["read"])).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        let (status, _) = host.get("alice", "/policy").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        broken(&host.users, false);
    }
}

pub(super) async fn the_policy_lists_the_callers_choice() {
    let default = Settings::builder().scopes_default(&"read".parse().expect("scopes"));
    let required = Settings::builder().scopes_required(true);
    let none = Value::Null;
    for (settings, user, names, is_required, default) in [
        (Settings::builder(), "alice", 5, false, none.clone()),
        (Settings::builder(), "bob", 1, true, none.clone()),
        (default.clone(), "alice", 5, false, json!(["read"])),
        (default, "bob", 1, false, json!(["read"])),
        (required, "alice", 5, true, none),
    ] {
        let host = Host::new(settings.build().expect("settings"));
        let (status, policy) = host.get(user, "/policy").await;
        assert_eq!(status, StatusCode::OK);
        let policy: Value = serde_json::from_str(&policy).expect("JSON");
        let scopes = policy["scopes"].as_array().expect("scopes");
        assert_eq!(scopes.len(), names, "{user}");
        assert_eq!(
            scopes[0],
            json!({"name": "read", "description": "Read reports", "implies": []})
        );
        assert_eq!(policy["scopesRequired"], json!(is_required), "{user}");
        assert_eq!(policy["defaultScopes"], default, "{user}");
        // What it promises of a token without scopes is so.
        let (status, created) = host.create(user, &Value::Null).await;
        if is_required {
            assert!(status.is_client_error(), "{created}");
        } else {
            assert_eq!(status, StatusCode::CREATED);
            assert_eq!(created["scopes"], default);
        }
    }
}

pub(super) async fn scopes_can_be_required() {
    let settings = Settings::builder().scopes_required(true).build();
    let host = Host::new(settings.expect("settings"));
    let (status, answer) = host.create("alice", &Value::Null).await;
    let required = json!("urn:problem-type:pat/scopes-required");
    assert_eq!(
        (status, &answer["type"]),
        (StatusCode::BAD_REQUEST, &required)
    );
    let (status, _) = host.create("alice", &json!(["read"])).await;
    assert_eq!(status, StatusCode::CREATED);
}

/// Starts the example server. Its clock stands still, and the first token with scopes waits until no node can trust
/// a cache from before.
async fn server() -> Server {
    Server::with(&[("pat.auth.max.staleness.ms", "0")]).await
}

/// Creates a token of alice's with these scopes on the example server.
async fn restricted(server: &Server, scopes: &[&str]) -> String {
    let body = json!({"name": "ci", "scopes": scopes});
    create(server, &body).await.created().raw
}

pub(super) async fn a_token_reaches_what_its_scopes_permit() {
    let server = server().await;
    let comments = "/rest/api/2/issue/DEMO-1/comment";
    let comment = json!({"body": "x"});
    let sign_in = json!({"username": "alice", "password": "alice"});
    let none = Value::Null;
    for (method, path, body, needed) in [
        ("GET", MYSELF, &none, Some("read")),
        ("HEAD", MYSELF, &none, Some("read")),
        ("GET", comments, &none, Some("read")),
        ("POST", "/rest/api/2/search", &json!({}), Some("read")),
        ("POST", comments, &comment, Some("write")),
        ("POST", "/rest/auth/1/session", &sign_in, Some("write")),
        ("GET", TOKENS, &none, Some("tokens:read")),
        ("GET", "/rest/pat/1.0/tokens/", &none, Some("tokens:read")),
        (
            "POST",
            TOKENS,
            &json!({"name": "child"}),
            Some("tokens:write"),
        ),
        ("GET", "/tokens", &none, Some("tokens:write")),
        ("GET", "/admin/tokens", &none, Some("tokens:admin")),
        (
            "POST",
            "/rest/pat/latest/tokens/search",
            &json!({}),
            Some("tokens:admin"),
        ),
        ("GET", "/rest/pat/latest/tokens/current", &none, Some("")),
        ("GET", "/rest/pat/latest/policy", &none, Some("")),
        ("GET", "/metrics", &none, Some("")),
        // What is not declared.
        ("GET", "/", &none, None),
        ("PUT", MYSELF, &none, None),
        ("OPTIONS", MYSELF, &none, None),
        ("GET", "/nowhere", &none, None),
    ] {
        for (scopes, permitted) in [
            (&["read"][..], "read"),
            (&["write"], "read write"),
            (&["tokens:read"], "tokens:read"),
            (&["tokens:write"], "tokens:read tokens:write"),
            (&["read", "tokens:admin"], "read tokens:admin"),
        ] {
            let token = restricted(&server, scopes).await;
            let request = server.request(method.parse().expect("a method"), path);
            let request = if body.is_null() {
                request
            } else {
                request.json(body)
            };
            let answer = answer(request.bearer_auth(&token)).await;
            let case = format!("{method} {path} with {scopes:?}: {}", answer.status);
            let challenge = answer.challenges().join(" ");
            let is_permitted = needed.is_some_and(|needed| {
                needed.is_empty() || permitted.split(' ').any(|scope| scope == needed)
            });
            if is_permitted {
                assert!(!challenge.contains("insufficient_scope"), "{case}");
            } else {
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{case}");
                let error = r#"Bearer realm="PAT", error="insufficient_scope""#;
                let scope = needed.map(|needed| format!(r#", scope="{needed}""#));
                let expected = format!("{error}{}", scope.unwrap_or_default());
                assert_eq!(challenge, expected, "{case}");
            }
            let revoked = server
                .delete("/rest/pat/latest/tokens/current")
                .bearer_auth(&token);
            let revoked = pat_harness::answer(revoked).await;
            assert_eq!(revoked.status, StatusCode::NO_CONTENT, "{scopes:?}");
        }
    }
    let reads = server.request(Method::GET, comments);
    assert_eq!(
        answer(by(reads, "alice")).await.json()["total"],
        1,
        "by write alone"
    );
}

pub(super) async fn a_child_may_do_no_more_than_its_parent() {
    let server = server().await;
    let parent = restricted(&server, &["read", "tokens:write"]).await;
    let ask = async |scopes: Value| {
        let child = server.post(TOKENS).bearer_auth(&parent);
        answer(child.json(&json!({"name": "child", "scopes": scopes}))).await
    };
    for (scopes, kept) in [
        (json!(["read"]), json!(["read"])),
        (json!(["tokens:read"]), json!(["tokens:read"])),
        (Value::Null, json!(["read", "tokens:write"])),
    ] {
        let child = ask(scopes).await;
        assert_eq!(child.status, StatusCode::CREATED, "{}", child.body);
        assert_eq!(child.json()["scopes"], kept);
    }
    let wider = ask(json!(["read", "write"])).await;
    assert_eq!(
        (wider.status, wider.problem().as_str()),
        (StatusCode::FORBIDDEN, "scope-exceeds-parent")
    );
}
