//! Tokens that are disabled, enabled, renamed and described over HTTP.

use std::sync::Arc;

use axum::body::Body;
use axum::{Extension, Router};
use http::{Request, StatusCode};
use pat_core::testing::TestDirectory;
use pat_core::{Caller, CreatedToken, MemoryStore, Pats, Settings, TokenRequest};
use pat_harness::scopes::catalog;
use pat_harness::{Server, TOKENS, answer};
use pat_tower::api::Api;
use reqwest::Method;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::{by, create};
use crate::http::text_of;

/// An app with the users alice and bob, and the administrators admin and root.
struct Host(Pats);

impl Host {
    fn with(create_by_token: &str) -> Self {
        let users = TestDirectory::default();
        for user in ["alice", "bob"] {
            users.add(user);
        }
        for user in ["admin", "root"] {
            users.add_administrator(user);
        }
        let settings = Settings::builder().set("pat.create.by.token", create_by_token);
        let settings = settings.expect("a value").build().expect("settings");
        let builder = Pats::builder(Arc::new(MemoryStore::default()))
            .users(Arc::new(users))
            .settings(settings)
            .scopes(catalog());
        Self(builder.build())
    }

    fn new() -> Self {
        Self::with("allowed")
    }

    async fn create(&self, user: &str) -> CreatedToken {
        self.create_with(user, None, &[]).await
    }

    /// Creates a token; without scopes it is unrestricted.
    async fn create_with(&self, user: &str, days: Option<i64>, scopes: &[&str]) -> CreatedToken {
        let mut request = TokenRequest::new("ci", days);
        if !scopes.is_empty() {
            request = request.with_scopes(scopes.iter().copied());
        }
        let created = self.0.create(&caller(user), request).await;
        created.expect("a token")
    }

    async fn authenticates(&self, token: &CreatedToken) -> bool {
        let presented = token.plain.expose().as_bytes();
        self.0.authenticate(presented).await.is_ok()
    }

    /// Returns the caller whom this token authenticates.
    async fn holder(&self, token: &CreatedToken) -> Caller {
        let presented = token.plain.expose().as_bytes();
        let principal = self.0.authenticate(presented).await;
        Caller::with_token(principal.expect("a principal"))
    }

    async fn patch(
        &self,
        caller: Caller,
        token: &CreatedToken,
        body: Value,
    ) -> (StatusCode, Value) {
        let api: Router = Api::new(self.0.clone()).router();
        let path = format!("/tokens/{}", token.token.id);
        let request = Request::patch(path).header("content-type", "application/json");
        let request = request.body(Body::from(body.to_string()));
        let response = api
            .layer(Extension(caller))
            .oneshot(request.expect("a request"));
        let response = response.await.expect("a response");
        let status = response.status();
        let body = text_of(response).await;
        (status, serde_json::from_str(&body).unwrap_or_default())
    }

    /// Returns the status, and the name of the problem if it is one.
    async fn switch(
        &self,
        caller: Caller,
        token: &CreatedToken,
        is_enabled: bool,
    ) -> (u16, String) {
        let (status, json) = self
            .patch(caller, token, json!({"enabled": is_enabled}))
            .await;
        let problem = json["type"].as_str().unwrap_or_default();
        let problem = problem.trim_start_matches("urn:problem-type:pat/");
        (status.as_u16(), problem.to_owned())
    }
}

fn caller(user: &str) -> Caller {
    Caller::header_authenticated(user.parse().expect("an owner"))
}

fn ok() -> (u16, String) {
    (200, String::new())
}

fn problem(status: u16, name: &str) -> (u16, String) {
    (status, name.to_owned())
}

pub(super) async fn a_disabled_token_is_refused_like_any_other_until_it_is_enabled() {
    // The first disabling waits until no node can trust a cache from before, and the clock stands still.
    let server = Server::with(&[("pat.auth.max.staleness.ms", "0")]).await;
    let token = server.create("alice").await;
    let unknown = server.create("alice").await;
    answer(by(server.delete(&unknown.path()), "alice")).await;
    let patch = async |body: Value| {
        let request = by(server.request(Method::PATCH, &token.path()), "alice");
        answer(request.json(&body)).await
    };
    let disabled = patch(json!({"enabled": false})).await;
    assert_eq!(disabled.status, StatusCode::OK, "{}", disabled.body);
    let expected = format!(
        "{{\"id\":{},\"name\":\"ci\",\"createdAt\":\"2026-02-26T22:42:21.247+00:00\",\
         \"expiringAt\":\"2026-05-27T22:42:21.247+00:00\",\"status\":\"DISABLED\",\
         \"disabledAt\":\"2026-02-26T22:42:21.247+00:00\"}}",
        token.id
    );
    assert_eq!(disabled.body, expected);
    let current = format!("{TOKENS}/current");
    let ask = async |raw: &str| answer(server.get(&current).bearer_auth(raw)).await;
    let (refused, revoked) = (ask(&token.raw).await, ask(&unknown.raw).await);
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        (refused.status, &refused.body, refused.challenges()),
        (revoked.status, &revoked.body, revoked.challenges())
    );
    let listed = answer(by(server.get(TOKENS), "alice")).await.json();
    assert_eq!(listed[0]["status"], "DISABLED");
    let search = server.post("/rest/pat/latest/tokens/search");
    let search = by(search, "admin").json(&json!({"status": "DISABLED"}));
    let found = answer(search).await.json();
    assert_eq!(found["values"][0]["id"], token.id);
    assert_eq!(found["totalCount"], 1);
    let enabled = patch(json!({"enabled": true})).await;
    let json = enabled.json();
    assert_eq!(json["status"], "ACTIVE");
    assert_eq!(json.get("disabledAt"), None);
    assert_eq!(ask(&token.raw).await.status, StatusCode::OK);
    // It may be revoked, and then no longer be changed.
    patch(json!({"enabled": false})).await;
    let revoked = answer(by(server.delete(&token.path()), "alice")).await;
    assert_eq!(revoked.status, StatusCode::NO_CONTENT);
    let late = patch(json!({"enabled": true})).await;
    assert_eq!(late.problem(), "not-found");
}

pub(super) async fn a_change_has_at_least_one_known_member_of_the_right_type() {
    let server = Server::start().await;
    let token = server.create("alice").await;
    let long = "x".repeat(201);
    for (body, problem) in [
        (json!({}), "malformed-body"),
        (json!([]), "malformed-body"),
        (json!({"enabled": null, "name": "a"}), "malformed-body"),
        (json!({"name": null, "enabled": true}), "malformed-body"),
        (json!({"enabled": "true"}), "malformed-body"),
        (json!({"enabled": 1}), "malformed-body"),
        (json!({"name": 7}), "malformed-body"),
        (json!({"description": 7}), "malformed-body"),
        (
            json!({"name": "a", "expirationDuration": 90}),
            "malformed-body",
        ),
        (
            json!({"expiringAt": "2027-01-01T00:00:00.000+00:00"}),
            "malformed-body",
        ),
        (json!({"scopes": ["read"]}), "malformed-body"),
        (json!({"name": ""}), "invalid-name"),
        (json!({"name": "a\nb"}), "invalid-name"),
        (json!({"description": "a\u{202e}b"}), "invalid-description"),
        (json!({"description": "a\nb"}), "invalid-description"),
        (json!({"description": long}), "invalid-description"),
    ] {
        let request = by(server.request(Method::PATCH, &token.path()), "alice");
        let answer = answer(request.json(&body)).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        assert_eq!(answer.problem(), problem, "{body}");
    }
    let found = answer(by(server.get(&token.path()), "alice")).await;
    assert_eq!(found.json()["name"], "ci", "nothing has changed");
    for body in [
        json!({"name": "a", "description": long}),
        json!({"name": "a", "description": "\t"}),
    ] {
        assert_eq!(
            create(&server, &body).await.problem(),
            "invalid-description"
        );
    }
}

pub(super) async fn names_and_descriptions_are_stored_unchanged() {
    let server = Server::start().await;
    let longest = "ü".repeat(200);
    let body = json!({"name": "ci", "description": longest});
    let created = create(&server, &body).await;
    assert_eq!(created.json()["description"], longest.as_str());
    let (path, raw) = (created.created().path(), created.created().raw);
    assert_eq!(server.try_token(&raw).await, StatusCode::OK, "it is cached");
    let change = async |body: Value| {
        let request = by(server.request(Method::PATCH, &path), "alice");
        answer(request.json(&body)).await.json()
    };
    let renamed = change(json!({"name": " ünïcode / 🎉 "})).await;
    assert_eq!(renamed["name"], " ünïcode / 🎉 ");
    assert_eq!(renamed["description"], longest.as_str());
    let both = change(json!({"name": "other", "description": "nightly"})).await;
    assert_eq!(
        (&both["name"], &both["description"]),
        (&json!("other"), &json!("nightly"))
    );
    for empty in [json!(""), Value::Null] {
        change(json!({"description": "nightly"})).await;
        let removed = change(json!({"description": empty})).await;
        assert_eq!(removed.get("description"), None);
    }
    let found = answer(by(server.get(&path), "alice")).await.json();
    assert_eq!(found["name"], "other");
    assert_eq!(found.get("description"), None);
    let without = create(&server, &json!({"name": "ci", "description": ""})).await;
    assert_eq!(without.json().get("description"), None);
    let current = answer(server.get(&format!("{TOKENS}/current")).bearer_auth(&raw)).await;
    assert_eq!(
        current.json()["name"],
        "other",
        "cached tokens are judged anew"
    );
}

pub(super) async fn another_users_token_cannot_be_changed() {
    let host = Host::new();
    let token = host.create("alice").await;
    let unknown = host.create("alice").await;
    host.0
        .revoke(&caller("alice"), unknown.token.id)
        .await
        .expect("revoked");
    let name = json!({"name": "\n", "enabled": false});
    let others = host.patch(caller("bob"), &token, name.clone()).await;
    let unknown = host.patch(caller("bob"), &unknown, name).await;
    assert_eq!(others, unknown, "no oracle");
    assert_eq!(others.0, StatusCode::NOT_FOUND);
    assert!(host.authenticates(&token).await);
}

pub(super) async fn what_an_administrator_disabled_only_an_administrator_enables() {
    let host = Host::new();
    let token = host.create("alice").await;
    let held = problem(403, "disabled-by-administrator");
    for first in ["alice", "admin"] {
        assert_eq!(host.switch(caller(first), &token, false).await, ok());
        assert_eq!(host.switch(caller("admin"), &token, false).await, ok());
        assert_eq!(host.switch(caller("alice"), &token, true).await, held);
        // Nor does the owner make it an act of his own.
        assert_eq!(host.switch(caller("alice"), &token, false).await, ok());
        assert_eq!(host.switch(caller("alice"), &token, true).await, held);
        assert!(!host.authenticates(&token).await);
        assert_eq!(host.switch(caller("root"), &token, true).await, ok());
        assert!(host.authenticates(&token).await);
    }
    // An administrator acts on an own token as its owner, and enables it as an administrator.
    let own = host.create("admin").await;
    assert_eq!(host.switch(caller("root"), &own, false).await, ok());
    assert_eq!(host.switch(caller("admin"), &own, true).await, ok());
    assert!(host.authenticates(&own).await);
    let (_, seen) = host
        .patch(caller("admin"), &token, json!({"name": "seen"}))
        .await;
    assert_eq!(seen["userProfileResource"]["userKey"], "alice");
    let hint = token.plain.expose().len() - 4;
    assert_eq!(seen["hint"], token.plain.expose()[hint..]);
}

pub(super) async fn a_token_enables_only_what_it_could_create() {
    let host = Host::new();
    let wide = host.create("alice").await;
    let read = host
        .create_with("alice", None, &["read", "tokens:write"])
        .await;
    let write = host.create_with("alice", None, &["write"]).await;
    let same = host.create_with("alice", None, &["read"]).await;
    let refused = problem(403, "enabled-by-token");
    for (target, expected) in [(&wide, &refused), (&write, &refused), (&same, &ok())] {
        let presented = host.holder(&read).await;
        assert_eq!(host.switch(presented.clone(), target, false).await, ok());
        assert_eq!(&host.switch(presented, target, true).await, expected);
        assert_eq!(host.authenticates(target).await, *expected == ok());
    }
    host.switch(caller("alice"), &wide, true).await;
    let presented = host.holder(&wide).await;
    assert_eq!(host.switch(presented, &write, true).await, ok());

    let host = Host::with("forbidden");
    let (one, two) = (host.create("alice").await, host.create("alice").await);
    let presented = host.holder(&one).await;
    assert_eq!(host.switch(presented.clone(), &two, false).await, ok());
    assert_eq!(host.switch(presented, &two, true).await, refused);

    let host = Host::with("capped");
    let short = host.create_with("alice", Some(1), &[]).await;
    let long = host.create_with("alice", Some(2), &[]).await;
    let presented = host.holder(&short).await;
    assert_eq!(host.switch(presented.clone(), &long, false).await, ok());
    assert_eq!(host.switch(presented, &long, true).await, refused);
}

pub(super) async fn a_token_that_is_no_longer_valid_changes_nothing() {
    let host = Host::new();
    let (token, other) = (host.create("alice").await, host.create("alice").await);
    let presented = host.holder(&token).await;
    assert_eq!(host.switch(presented.clone(), &token, false).await, ok());
    // As if a node had not learned of it yet.
    let invalid = problem(401, "invalid-token");
    assert_eq!(host.switch(presented.clone(), &token, true).await, invalid);
    assert_eq!(host.switch(presented.clone(), &other, false).await, invalid);
    let (status, _) = host
        .patch(presented, &other, json!({"name": "taken"}))
        .await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(!host.authenticates(&token).await);
    let found = host
        .0
        .find(&caller("alice"), other.token.id)
        .await
        .expect("a token");
    assert_eq!((found.name.as_str(), found.disabled), ("ci", None));
}

pub(super) async fn descendants_of_a_disabled_token_go_on_and_are_counted() {
    let server = Server::with(&[("pat.auth.max.staleness.ms", "0")]).await;
    let parent = server.create("alice").await;
    let body = json!({"name": "child", "expirationDuration": 30});
    let child = answer(server.post(TOKENS).bearer_auth(&parent.raw).json(&body)).await;
    let child = child.created();
    let patch = async |enabled: bool| {
        let request = by(server.request(Method::PATCH, &parent.path()), "alice");
        answer(request.json(&json!({"enabled": enabled}))).await
    };
    assert_eq!(patch(false).await.header("pat-live-children"), Some("1"));
    assert_eq!(server.try_token(&child.raw).await, StatusCode::OK);
    assert_eq!(
        server.try_token(&parent.raw).await,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(patch(true).await.header("pat-live-children"), None);
}

/// The scope that the path declares counts for `PATCH` too.
pub(super) async fn a_change_needs_the_scope_of_a_revocation() {
    let host = Host::new();
    let reader = host
        .create_with("alice", None, &["read", "tokens:read"])
        .await;
    let target = host.create("alice").await;
    let presented = host.holder(&reader).await;
    let refused = problem(403, "insufficient-scope");
    assert_eq!(host.switch(presented, &target, false).await, refused);
    assert!(host.authenticates(&target).await);
    // And another user's token does not exist for an administrator's token without `tokens:admin`.
    let writer = host.create_with("admin", None, &["tokens:write"]).await;
    let presented = host.holder(&writer).await;
    let unknown = problem(404, "not-found");
    assert_eq!(host.switch(presented, &target, false).await, unknown);
}

pub(super) async fn another_site_cannot_make_a_browser_change_a_token() {
    let host = Host::new();
    let token = host.create("alice").await;
    let alice = || Caller::cookie_authenticated("alice".parse().expect("an owner"));
    let ask = async |site: &str| {
        let api: Router = Api::new(host.0.clone()).router();
        let request = Request::patch(format!("/tokens/{}", token.token.id))
            .header("content-type", "application/json")
            .header("host", "app.example")
            .header("sec-fetch-site", site)
            .body(Body::from(json!({"enabled": false}).to_string()));
        let request = request.expect("a request");
        let response = api.layer(Extension(alice())).oneshot(request).await;
        response.expect("a response").status()
    };
    assert_eq!(ask("cross-site").await, StatusCode::FORBIDDEN);
    assert!(host.authenticates(&token).await);
    assert_eq!(ask("same-origin").await, StatusCode::OK);
    assert!(!host.authenticates(&token).await);
}
