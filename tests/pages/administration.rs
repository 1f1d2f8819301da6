//! The links between a user's page and the administrators', and how often the directory is asked.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use http::{Method, StatusCode, header};
use pat_core::{Caller, MemoryStore, Pats, TokenRequest};
use pat_harness::CountingDirectory;
use pat_tower::PatLayer;
use pat_tower::pages::Pages;
use tower::ServiceExt as _;

use crate::http::text_of;

/// The pages without a layout of the host's, which has links of its own. The header `user` signs in.
struct Host {
    directory: CountingDirectory,
    pats: Pats,
    app: Router,
}

impl Host {
    fn new() -> Self {
        let directory = CountingDirectory::default();
        directory.users.add("alice");
        directory.users.add_administrator("root");
        let builder = Pats::builder(Arc::new(MemoryStore::default()));
        let pats = builder.users(Arc::new(directory.clone())).build();
        let app = Router::new()
            .merge(Pages::new(pats.clone()).router())
            .layer(from_fn(sign_in))
            .layer(PatLayer::optional(pats.clone()));
        Self {
            directory,
            pats,
            app,
        }
    }

    async fn send(&self, user: &str, method: Method, path: &str, form: &str) -> Response {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("user", user)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let request = request.body(Body::from(form.to_owned()));
        let answer = self.app.clone().oneshot(request.expect("a request")).await;
        answer.expect("an answer")
    }

    async fn page(&self, user: &str, path: &str) -> String {
        let response = self.send(user, Method::GET, path, "").await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        text_of(response).await
    }

    /// The ID of a new token of alice's.
    async fn token(&self) -> i64 {
        let alice = Caller::header_authenticated("alice".parse().expect("an owner"));
        let request = TokenRequest::new("ci", Some(90));
        let created = self.pats.create(&alice, request).await.expect("a token");
        created.token.id.get()
    }
}

async fn sign_in(mut request: Request, next: Next) -> Response {
    let user = request.headers()["user"].to_str().expect("text");
    let caller = Caller::header_authenticated(user.parse().expect("an owner"));
    request.extensions_mut().insert(caller);
    next.run(request).await
}

const TO_ADMINISTRATION: &str = "href=\"admin/tokens\"";

pub(super) async fn administrators_have_a_link_to_their_page_and_back() {
    let host = Host::new();
    assert!(
        host.page("root", "/tokens")
            .await
            .contains(TO_ADMINISTRATION)
    );
    let administration = host.page("root", "/admin/tokens").await;
    assert!(administration.contains("href=\"../tokens\">Back to your tokens<"));
    assert!(!host.page("alice", "/tokens").await.contains("admin/tokens"));
    // Without an answer of the directory the page is there, and the link is not.
    host.directory.users.set_down(true);
    assert!(!host.page("root", "/tokens").await.contains("admin/tokens"));
    let administration = host.send("root", Method::GET, "/admin/tokens", "").await;
    assert_eq!(administration.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[expect(clippy::too_many_lines, reason = "a list of all pages")]
pub(super) async fn a_page_asks_the_directory_once() {
    let host = Host::new();
    let (own, other) = (host.token().await, host.token().await);
    for (user, method, path, form) in [
        ("alice", Method::GET, "/tokens".to_owned(), String::new()),
        ("alice", Method::GET, "/tokens/new".into(), String::new()),
        (
            "alice",
            Method::GET,
            format!("/tokens/{own}/revoke"),
            String::new(),
        ),
        (
            "alice",
            Method::POST,
            "/tokens/new".into(),
            "name=x&expires=30".into(),
        ),
        (
            "alice",
            Method::POST,
            format!("/tokens/{own}/revoke"),
            String::new(),
        ),
        ("alice", Method::GET, "/admin/tokens".into(), String::new()),
        ("root", Method::GET, "/tokens".into(), String::new()),
        ("root", Method::GET, "/admin/tokens".into(), String::new()),
        (
            "root",
            Method::GET,
            "/admin/tokens?owner=alice".into(),
            String::new(),
        ),
        (
            "root",
            Method::GET,
            "/admin/tokens?owner_state=inactive".into(),
            String::new(),
        ),
        (
            "root",
            Method::GET,
            format!("/admin/tokens/{other}/pause"),
            String::new(),
        ),
        (
            "root",
            Method::GET,
            "/admin/tokens/export".into(),
            String::new(),
        ),
        (
            "root",
            Method::GET,
            "/admin/tokens/owners?contains=a".into(),
            String::new(),
        ),
        (
            "root",
            Method::GET,
            format!("/admin/tokens/revoke?id={other}"),
            String::new(),
        ),
        (
            "alice",
            Method::GET,
            format!("/tokens/{other}"),
            String::new(),
        ),
        ("alice", Method::GET, "/admin".into(), String::new()),
        ("root", Method::GET, "/admin".into(), String::new()),
        (
            "root",
            Method::GET,
            format!("/admin/tokens/{other}"),
            String::new(),
        ),
        ("root", Method::GET, "/admin/identify".into(), String::new()),
        ("root", Method::GET, "/admin/unused".into(), String::new()),
        (
            "root",
            Method::GET,
            "/admin/notifications".into(),
            String::new(),
        ),
        (
            "root",
            Method::POST,
            "/admin/identify".into(),
            "secret=x".into(),
        ),
        (
            "root",
            Method::POST,
            "/admin/tokens/revoke".into(),
            format!("id={other}"),
        ),
    ] {
        let before = host.directory.role_checks();
        let response = host.send(user, method.clone(), &path, &form).await;
        let is_refused = user == "alice" && path.starts_with("/admin");
        assert_eq!(
            response.status() == StatusCode::FORBIDDEN,
            is_refused,
            "{path}"
        );
        assert!(!response.status().is_server_error(), "{method} {path}");
        let body = axum::body::to_bytes(response.into_body(), 100_000).await;
        body.expect("a whole body");
        let asked = host.directory.role_checks() - before;
        assert_eq!(asked, 1, "{user} {method} {path}");
    }
}
