//! Requests that another site makes a browser send.

use std::sync::Arc;

use libtest_mimic::Trial;
use pat_harness::{Server, TOKENS, answer, trial};
use reqwest::{Method, StatusCode};
use serde_json::json;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(requests_are_decided_by_origin_credentials_and_method),
        trial(no_cors_permission_is_given),
        trial(trusted_origins_are_allowed),
    ]
}

/// Headers that a browser adds, and whether they come from the same site.
const ORIGINS: &[(&[(&str, &str)], bool)] = &[
    (&[], true),
    (&[("sec-fetch-site", "same-origin")], true),
    (&[("sec-fetch-site", "none")], true),
    (
        &[("sec-fetch-site", "same-origin"), ("origin", "null")],
        true,
    ),
    (&[("sec-fetch-site", "cross-site")], false),
    (&[("sec-fetch-site", "same-site")], false),
    (
        &[
            ("sec-fetch-site", "cross-site"),
            ("origin", "https://evil.example"),
        ],
        false,
    ),
    (&[("sec-fetch-site", "nonsense")], false),
    (&[("origin", "https://evil.example")], false),
    (&[("origin", "null")], false),
    (&[("origin", "nonsense")], false),
];

#[derive(Debug, Clone, Copy, PartialEq)]
enum Signed {
    Cookie,
    Basic,
    Token,
    CookieAndToken,
}

async fn requests_are_decided_by_origin_credentials_and_method() {
    let server = Server::with(&[("atlassian.pats.max.tokens.per.user", "1000")]).await;
    let token = server.create("alice").await;
    let own_origin = [("origin", server.base.as_str())];
    let own: &[(&str, &str)] = &own_origin;
    for (headers, is_same_site) in ORIGINS.iter().copied().chain([(own, true)]) {
        for signed in [
            Signed::Cookie,
            Signed::Basic,
            Signed::Token,
            Signed::CookieAndToken,
        ] {
            for method in [Method::GET, Method::POST, Method::DELETE] {
                let path = match method {
                    Method::DELETE => server.create("alice").await.path(),
                    _ => TOKENS.to_owned(),
                };
                let mut request = server.request(method.clone(), &path);
                if method == Method::POST {
                    request = request.json(&json!({"name": "a"}));
                }
                if let Signed::Cookie | Signed::CookieAndToken = signed {
                    request = request.header("cookie", sign_in(&server).await);
                }
                request = match signed {
                    Signed::Cookie => request,
                    Signed::Basic => request.basic_auth("alice", Some("alice")),
                    Signed::Token | Signed::CookieAndToken => request.bearer_auth(&token.raw),
                };
                for (name, value) in headers {
                    request = request.header(*name, *value);
                }
                let answer = answer(request).await;
                let is_cookie_authenticated = matches!(signed, Signed::Cookie | Signed::Basic);
                let cell = format!("{method} {signed:?} {headers:?}: {answer:?}");
                if is_cookie_authenticated && !is_same_site && method != Method::GET {
                    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{cell}");
                    assert_eq!(answer.problem(), "cross-site-request", "{cell}");
                } else {
                    assert!(answer.status.is_success(), "{cell}");
                }
            }
        }
    }
}

async fn sign_in(server: &Server) -> String {
    let credentials = json!({"username": "alice", "password": "alice"});
    let signed_in = answer(server.post("/rest/auth/1/session").json(&credentials)).await;
    let cookie = signed_in.header("set-cookie").expect("a cookie");
    cookie.split(';').next().expect("name and value").to_owned()
}

async fn no_cors_permission_is_given() {
    let server = Server::start().await;
    let preflight = server
        .request(Method::OPTIONS, TOKENS)
        .header("origin", "https://evil.example")
        .header("access-control-request-method", "POST")
        .header(
            "access-control-request-headers",
            "content-type,authorization",
        );
    let preflight = answer(preflight).await;
    assert!(!preflight.status.is_success());
    let get = server
        .get(TOKENS)
        .basic_auth("alice", Some("alice"))
        .header("origin", "https://evil.example");
    let get = answer(get).await;
    for answer in [preflight, get] {
        let permission = answer
            .headers
            .keys()
            .find(|name| name.as_str().starts_with("access-control"));
        assert_eq!(permission, None);
    }
}

async fn trusted_origins_are_allowed() {
    use axum::body::Body;
    use axum::{Extension, Router};
    use http::Request;
    use pat_core::{Caller, MemoryStore, Pats};
    use pat_tower::api::Api;
    use tower::ServiceExt as _;

    let pats = Pats::builder(Arc::new(MemoryStore::default())).build();
    let api = Api::new(pats)
        .add_trusted_origin("https://app.example")
        .expect("an origin");
    let alice = Caller::cookie_authenticated("alice".parse().expect("an owner"));
    let app: Router = api.router().layer(Extension(alice));
    for (origin, status) in [
        ("https://app.example", 201),
        ("https://app.example.evil", 403),
    ] {
        let request = Request::builder()
            .method("POST")
            .uri("/tokens")
            .header("content-type", "application/json")
            .header("sec-fetch-site", "cross-site")
            .header("origin", origin)
            .body(Body::from(r#"{"name":"a"}"#))
            .expect("a request");
        let response = app.clone().oneshot(request).await.expect("an answer");
        assert_eq!(response.status(), status, "{origin}");
    }
}
