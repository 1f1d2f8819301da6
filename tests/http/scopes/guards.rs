//! The routers of this workspace, which have scopes of their own.

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{HeaderMap, Response, StatusCode, header};
use pat_harness::Log;
use pat_tower::api::Api;
use pat_tower::pages::Pages;
use pat_tower::scope::{Need, ScopeMap, ScopedRouter};
use pat_tower::testing::TestPats;
use pat_tower::{Admin, PatLayer, PatRejection, RejectionKind};
use serde_json::Value;

use super::{ask, json, lack, status, test_pats};

const READ: Option<&str> = Some("tokens:read");
const WRITE: Option<&str> = Some("tokens:write");
const ADMIN: Option<&str> = Some("tokens:admin");

/// The requests that the routers serve, and the scope that each needs.
const REQUESTS: [(&str, &str, Option<&str>); 72] = [
    ("GET", "/rest/tokens", READ),
    ("GET", "/rest/tokens/", READ),
    ("HEAD", "/rest/tokens", READ),
    ("POST", "/rest/tokens", WRITE),
    ("POST", "/rest/tokens/", WRITE),
    ("GET", "/rest/tokens/999", READ),
    ("GET", "/rest/tokens/x", READ),
    ("DELETE", "/rest/tokens/999", WRITE),
    ("PATCH", "/rest/tokens/999", WRITE),
    ("POST", "/rest/tokens/999/rotate", WRITE),
    ("POST", "/rest/tokens/current/rotate", WRITE),
    ("POST", "/rest/tokens/current/rotate/", WRITE),
    ("GET", "/rest/tokens/current", None),
    ("HEAD", "/rest/tokens/current/", None),
    ("GET", "/rest/policy", None),
    ("GET", "/rest/openapi.json", None),
    ("GET", "/rest/openapi.json/", None),
    ("POST", "/rest/tokens/search", ADMIN),
    ("POST", "/rest/tokens/search/", ADMIN),
    ("GET", "/rest/tokens/search/user", ADMIN),
    ("HEAD", "/rest/tokens/search/user", ADMIN),
    ("DELETE", "/rest/admin/tokens", ADMIN),
    ("POST", "/rest/admin/tokens/revoke", ADMIN),
    ("POST", "/rest/admin/tokens/identify", ADMIN),
    ("GET", "/rest/admin/events", ADMIN),
    ("GET", "/rest/admin/unused", ADMIN),
    ("GET", "/rest/admin/notifications", ADMIN),
    ("POST", "/rest/admin/notifications/999/send", ADMIN),
    ("POST", "/rest/admin/notifications/send", ADMIN),
    ("GET", "/pages/tokens", WRITE),
    ("HEAD", "/pages/tokens", WRITE),
    ("GET", "/pages/tokens/new", WRITE),
    ("POST", "/pages/tokens/new", WRITE),
    ("GET", "/pages/tokens/999", WRITE),
    ("GET", "/pages/tokens/999/revoke", WRITE),
    ("POST", "/pages/tokens/999/revoke", WRITE),
    ("GET", "/pages/tokens/999/replace", WRITE),
    ("POST", "/pages/tokens/999/replace", WRITE),
    ("GET", "/pages/tokens/999/edit", WRITE),
    ("POST", "/pages/tokens/999/edit", WRITE),
    ("GET", "/pages/tokens/999/pause", WRITE),
    ("POST", "/pages/tokens/999/pause", WRITE),
    ("GET", "/pages/tokens/999/resume", WRITE),
    ("POST", "/pages/tokens/999/resume", WRITE),
    ("GET", "/pages/admin/tokens", ADMIN),
    ("HEAD", "/pages/admin/tokens", ADMIN),
    ("GET", "/pages/admin/tokens/revoke", ADMIN),
    ("POST", "/pages/admin/tokens/revoke", ADMIN),
    ("GET", "/pages/admin/tokens/export", ADMIN),
    ("GET", "/pages/admin/tokens/owners?contains=x", ADMIN),
    ("GET", "/pages/admin/tokens/999", ADMIN),
    ("GET", "/pages/admin/tokens/999/pause", ADMIN),
    ("POST", "/pages/admin/tokens/999/pause", ADMIN),
    ("GET", "/pages/admin/tokens/999/resume", ADMIN),
    ("POST", "/pages/admin/tokens/999/resume", ADMIN),
    ("GET", "/pages/admin", ADMIN),
    ("HEAD", "/pages/admin", ADMIN),
    ("GET", "/pages/admin/identify", ADMIN),
    ("POST", "/pages/admin/identify", ADMIN),
    ("GET", "/pages/admin/unused", ADMIN),
    ("GET", "/pages/admin/notifications", ADMIN),
    ("POST", "/pages/admin/notifications/999/send", ADMIN),
    ("GET", "/pages/admin/notifications/send", ADMIN),
    ("POST", "/pages/admin/notifications/send", ADMIN),
    ("POST", "/pages/admin/notifications/x/send", ADMIN),
    ("GET", "/pages/tokens/assets/pat.css", None),
    ("GET", "/pages/tokens/assets/pat.js", None),
    // A router that is mounted twice.
    ("GET", "/again/1.0/tokens", READ),
    ("POST", "/again/1.0/tokens", WRITE),
    ("GET", "/again/1.0/admin/events", ADMIN),
    ("GET", "/again/1.0/policy", None),
    // Last: it ends the token.
    ("DELETE", "/rest/tokens/current", None),
];

/// Which scopes tokens have, and what they permit.
const TOKENS: [(&[&str], &[&str]); 5] = [
    (&[], &[]),
    (&["read", "write"], &[]),
    (&["tokens:read"], &["tokens:read"]),
    (&["tokens:write"], &["tokens:read", "tokens:write"]),
    (&["tokens:admin"], &["tokens:admin"]),
];

/// Returns the scope that a response says the token lacks.
async fn lacking(response: Response<Body>) -> Option<String> {
    let challenge = response.headers().get(header::WWW_AUTHENTICATE);
    let challenge = challenge.map(|challenge| challenge.to_str().expect("text").to_owned());
    let Some((start, scope)) = challenge
        .as_ref()
        .and_then(|text| text.split_once(", scope="))
    else {
        assert_ne!(response.status(), StatusCode::UNAUTHORIZED);
        if response.status() == StatusCode::FORBIDDEN {
            let json = json(response).await;
            // Whatever its scopes are.
            assert_eq!(json["type"], "urn:problem-type:pat/rotate-itself-only");
        }
        return None;
    };
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(start, r#"Bearer realm="PAT", error="insufficient_scope""#);
    let scope = scope.trim_matches('"').to_owned();
    let is_problem = response.headers()[header::CONTENT_TYPE] == "application/problem+json";
    let has_body = !http_body::Body::is_end_stream(response.body());
    if is_problem && has_body {
        let json = json(response).await;
        assert_eq!(json["type"], "urn:problem-type:pat/insufficient-scope");
        assert_eq!(json["required_scopes"], Value::from(vec![scope.clone()]));
        assert_eq!(json["missing_scopes"], Value::from(vec![scope.clone()]));
    }
    Some(scope)
}

async fn check(test: &TestPats, app: &Router) {
    for (scopes, permitted) in TOKENS {
        test.users().add_administrator("root");
        let token = test.token_with_scopes("root", scopes).await;
        for (method, path, need) in REQUESTS {
            let response = ask(app, method, path, &token).await;
            assert_ne!(
                response.status(),
                StatusCode::METHOD_NOT_ALLOWED,
                "{method} {path}"
            );
            let lacks = need.filter(|need| !permitted.contains(need));
            let what = format!("{method} {path} {scopes:?}");
            assert_eq!(lacking(response).await.as_deref(), lacks, "{what}");
        }
        let ended = ask(app, "GET", "/rest/policy", &token).await;
        assert_eq!(
            ended.status(),
            StatusCode::UNAUTHORIZED,
            "it has ended itself"
        );
    }
    for (method, path, _) in REQUESTS {
        let unrestricted = test.administrator("root").await;
        let response = ask(app, method, path, &unrestricted).await;
        assert_eq!(lacking(response).await, None, "{method} {path}");
    }
}

pub(super) async fn our_routers_check_what_the_host_leaves_open() {
    let test = test_pats();
    let open = ScopeMap::by(|_| Need::Nothing);
    let layer = PatLayer::required(test.pats()).with_scope_map(open);
    let api: Router = Api::new(test.pats()).router();
    let app = Router::new()
        .nest("/rest", api.clone())
        .nest("/again/1.0", api)
        .nest("/pages", Pages::new(test.pats()).router())
        .layer(layer.expect("declared scopes"));
    check(&test, &app).await;

    // The table has every operation of the description.
    let unrestricted = test.token("alice").await;
    let document = json(ask(&app, "GET", "/rest/openapi.json", &unrestricted).await).await;
    let paths = document["paths"].as_object().expect("paths");
    for (path, item) in paths {
        for (method, operation) in item.as_object().expect("a path") {
            let method = method.to_uppercase();
            let full = format!("/rest{}", path.replace("{id}", "999"));
            let mut rows = REQUESTS.iter();
            let row = rows.find(|row| (row.0, row.1) == (&*method, &*full));
            let (_, _, need) = row.unwrap_or_else(|| panic!("{method} {full} is not in the table"));
            let forbidden = operation["responses"]["403"]["description"].as_str();
            let forbidden = forbidden.expect("a description");
            let expected = need.map_or("may not do this".into(), |need| format!("lacks `{need}`"));
            assert!(
                forbidden.ends_with(&expected),
                "{method} {full}: {forbidden}"
            );
        }
    }
}

pub(super) async fn our_routers_bring_their_scopes() {
    let test = test_pats();
    let api = ScopedRouter::new().nest("/1.0", Api::new(test.pats()).scoped_router());
    let (router, map) = ScopedRouter::new()
        .nest("/rest", Api::new(test.pats()).scoped_router())
        .nest("/again", api)
        .nest("/pages", Pages::new(test.pats()).scoped_router())
        .into_parts();
    let layer = PatLayer::required(test.pats()).with_scope_map(map);
    let app = router.layer(layer.expect("declared scopes"));
    check(&test, &app).await;
    let all = ["read", "write", "tokens:write", "tokens:admin"];
    let all = test.token_with_scopes("root", &all).await;
    // The layer refuses what the routers do not have.
    for (method, path, expected) in [
        ("GET", "/rest/tokens", None),
        ("PUT", "/rest/tokens", Some("undeclared")),
        ("GET", "/rest/nothing", Some("undeclared")),
        ("POST", "/rest/policy", Some("undeclared")),
        ("GET", "/pages/nothing", Some("undeclared")),
        ("DELETE", "/pages/tokens", Some("undeclared")),
        ("GET", "/pages/tokens/", None),
        ("GET", "/pages/admin/tokens/", None),
    ] {
        let response = ask(&app, method, path, &all).await;
        assert_eq!(lack(&response).as_deref(), expected, "{method} {path}");
    }
    // The assets may be outside of the layer.
    let (pages, assets) = Pages::new(test.pats()).scoped_router_and_assets();
    let (router, map) = pages.into_parts();
    let layer = PatLayer::required(test.pats()).with_scope_map(map);
    let app = router.layer(layer.expect("declared scopes")).merge(assets);
    let anonymous = HeaderMap::new();
    assert_eq!(status(&app, "GET", "/tokens", &anonymous).await, 401);
    assert_eq!(status(&app, "GET", "/tokens", &all).await, 200);
    assert_eq!(
        status(&app, "GET", "/tokens/assets/pat.css", &anonymous).await,
        200
    );
}

pub(super) async fn without_its_scopes_a_router_is_closed_and_says_so() {
    let lines = |test: &TestPats| {
        let log = Log::default();
        let guard = log.start();
        let api: Router = Api::new(test.pats()).router();
        let pages: Router = Pages::new(test.pats()).router();
        drop(guard);
        let app = Router::new().nest("/rest", api).nest("/pages", pages);
        (app, log.text())
    };
    let (_, logged) = lines(&TestPats::new());
    assert_eq!(logged, "", "a host without scopes needs none");
    let test = test_pats();
    let (app, logged) = lines(&test);
    for mended_by in ["Api::scoped_router", "Pages::scoped_router"] {
        assert_eq!(logged.matches(mended_by).count(), 1, "{logged}");
    }
    let (router, map) = ScopedRouter::new()
        .get("/reports", "read", async || "reports")
        .into_parts();
    let layer = PatLayer::required(test.pats()).with_scope_map(map);
    let app = router.merge(app).layer(layer.expect("declared scopes"));
    let all = ["read", "write", "tokens:write", "tokens:admin"];
    let all = test.token_with_scopes("alice", &all).await;
    assert_eq!(status(&app, "GET", "/reports", &all).await, 200);
    for path in ["/rest/tokens", "/rest/policy", "/pages/tokens"] {
        let response = ask(&app, "GET", path, &all).await;
        assert_eq!(lack(&response).as_deref(), Some("undeclared"), "{path}");
    }
    let log = Log::default();
    let guard = log.start();
    let (_, _): (ScopedRouter, ScopedRouter) = (
        Api::new(test.pats()).scoped_router(),
        Pages::new(test.pats()).scoped_router(),
    );
    drop(guard);
    assert_eq!(log.text(), "");
}

pub(super) async fn an_administrators_token_needs_the_scope() {
    async fn admin(admin: Admin) -> String {
        admin.caller().owner().to_string()
    }
    async fn maybe(admin: Option<Admin>) -> StatusCode {
        admin.map_or(StatusCode::NO_CONTENT, |_| StatusCode::OK)
    }
    let test = test_pats();
    let open = ScopeMap::by(|_| Need::Nothing);
    let layer = PatLayer::required(test.pats()).with_scope_map(open);
    let app = Router::new()
        .nest("/rest", Api::new(test.pats()).router())
        .route("/admin", get(admin))
        .route("/maybe", get(maybe))
        .layer(layer.expect("declared scopes"))
        .with_state(test.pats());
    // Of the token with the ID 1.
    test.token("alice").await;
    let (alices, unknown) = ("/rest/tokens/1", "/rest/tokens/999");
    test.users().add_administrator("root");
    let narrow = test.token_with_scopes("root", &["tokens:write"]).await;
    for method in ["GET", "DELETE"] {
        let others = ask(&app, method, alices, &narrow).await;
        assert_eq!(others.status(), StatusCode::NOT_FOUND);
        let none = ask(&app, method, unknown, &narrow).await;
        assert_eq!(
            json(others).await,
            json(none).await,
            "none is told from the other"
        );
    }
    let response = ask(&app, "GET", "/admin", &narrow).await;
    assert_eq!(lack(&response).as_deref(), Some("tokens:admin"));
    assert_eq!(status(&app, "GET", "/maybe", &narrow).await, 204);
    let wide = ["tokens:write", "tokens:admin"];
    let wide = test.token_with_scopes("root", &wide).await;
    assert_eq!(status(&app, "GET", "/admin", &wide).await, 200);
    assert_eq!(status(&app, "GET", "/maybe", &wide).await, 200);
    assert_eq!(status(&app, "GET", alices, &wide).await, 200);
    assert_eq!(status(&app, "DELETE", alices, &wide).await, 204);
    // The scope does not make a user an administrator.
    let alice = test.token_with_scopes("alice", &["tokens:admin"]).await;
    let response = ask(&app, "GET", "/admin", &alice).await;
    let rejection = response.extensions().get::<PatRejection>();
    let kind = rejection.expect("a rejection").kind();
    assert_eq!(kind, RejectionKind::NotAdministrator);
    let response = ask(&app, "GET", "/rest/admin/events", &alice).await;
    assert_eq!(
        json(response).await["type"],
        "urn:problem-type:pat/not-an-administrator"
    );
}
