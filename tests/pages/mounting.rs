//! The router by itself: nested, and without its database.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::{Extension, Router};
use http::Request;
use http_body_util::BodyExt as _;
use pat_core::testing::TestDirectory;
use pat_core::{Caller, MemoryStore, Pats};
use pat_harness::fault_store::{Fault, FaultStore};
use pat_harness::node::named_users;
use pat_harness::{Answer, Log};
use pat_tower::pages::Pages;
use reqwest::StatusCode;
use tokio::time::Instant;
use tower::ServiceExt as _;

use super::{cookie, field, paths};

/// The pages without a server, for one caller.
fn alone(pages: Pages, user: &str) -> Router {
    let caller = Caller::cookie_authenticated(user.parse().expect("an owner"));
    Router::new()
        .nest("/a", Router::new().nest("/b", pages.router()))
        .layer(Extension(caller))
}

async fn call(
    app: &Router,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request
        .body(Body::from(body.to_owned()))
        .expect("a request");
    let response = app.clone().oneshot(request).await.expect("an answer");
    let (parts, body) = response.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    }
}

pub(super) async fn an_outage_has_a_page() {
    let store = FaultStore::new(Arc::new(MemoryStore::default()));
    let users: TestDirectory = named_users(&["alice"]);
    users.add_administrator("alice");
    let service = Pats::builder(Arc::new(store.clone()))
        .users(Arc::new(users.clone()))
        .build();
    let app = alone(Pages::new(service), "alice");
    store.hide_search();
    for path in ["/a/b/admin/tokens", "/a/b/admin/tokens/export"] {
        let unknown = call(&app, "GET", path, &[], "").await;
        assert_eq!(unknown.status, StatusCode::NOT_IMPLEMENTED, "{path}");
    }
    let before = call(&app, "GET", "/a/b/tokens/new", &[], "").await;
    let cookie = cookie(&before);
    let body = format!(
        "form_token={}&name=a&expires=30",
        field(&before.body, "form_token")
    );
    store.set_down(true);
    users.set_down(true);
    for (method, path) in paths(1).into_iter().filter(|(_, path)| path != "/tokens/1") {
        let path = format!("/a/b{path}");
        let body = format!("{body}&id=1");
        let headers = [("cookie", cookie.as_str())];
        let down = call(&app, method.as_str(), &path, &headers, &body).await;
        assert_eq!(
            down.status,
            StatusCode::SERVICE_UNAVAILABLE,
            "{method} {path}"
        );
        assert_eq!(down.header("retry-after"), Some("1"), "{method} {path}");
        assert!(
            down.body.contains("Temporarily unavailable"),
            "{method} {path}"
        );
    }
}

pub(super) async fn pages_work_at_any_mount_point() {
    let service = Pats::builder(Arc::new(MemoryStore::default()))
        .users(Arc::new(named_users(&["alice"])))
        .build();
    let app = alone(Pages::new(service).with_sign_in_url("/in?to="), "alice");
    let page = call(&app, "GET", "/a/b/tokens/new", &[], "").await;
    assert_eq!(page.status, StatusCode::OK);
    let cookie = page.header("set-cookie").expect("a cookie");
    assert!(cookie.starts_with("__Host-pat-form="), "{cookie}");
    assert!(
        cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure"),
        "{cookie}"
    );
    let cookie = cookie.split(';').next().expect("name and value").to_owned();
    // Every link leads to something.
    let here = url::Url::parse("https://host/a/b/tokens/new").expect("an address");
    let links: Vec<_> = page
        .body
        .split("href=\"")
        .chain(page.body.split("src=\""))
        .collect();
    let links = links.iter().filter_map(|rest| rest.split('"').next());
    let links: Vec<_> = links.filter(|link| link.starts_with("..")).collect();
    assert!(links.len() >= 3, "{links:?}");
    for link in links {
        let target = here.join(link).expect("a link");
        let path = &target[url::Position::BeforePath..];
        let followed = call(&app, "GET", path, &[], "").await;
        assert_eq!(followed.status, StatusCode::OK, "{link}");
    }
    let body = format!(
        "form_token={}&name=a&expires=30",
        field(&page.body, "form_token")
    );
    let logged = Log::default();
    let guard = logged.start();
    let without_cookie = call(&app, "POST", "/a/b/tokens/new", &[], &body).await;
    drop(guard);
    assert_eq!(
        without_cookie.status,
        StatusCode::FORBIDDEN,
        "a browser without TLS"
    );
    let logged = logged.text();
    assert!(logged.contains("Pages::dangerous_plain_http"), "{logged}");
    let created = call(
        &app,
        "POST",
        "/a/b/tokens/new",
        &[("cookie", &cookie)],
        &body,
    )
    .await;
    assert_eq!(created.status, StatusCode::CREATED);
    let list = call(&app, "GET", "/a/b/tokens", &[("cookie", &cookie)], "").await;
    let mut links = list
        .body
        .split("href=\"")
        .filter_map(|rest| rest.split('"').next());
    let link = links
        .find(|link| link.ends_with("/revoke"))
        .expect("a link");
    let path = format!("/a/b/{link}");
    let revoked = call(&app, "POST", &path, &[("cookie", &cookie)], &body).await;
    let target = url::Url::parse(&format!("https://host{path}")).expect("an address");
    let target = target
        .join(revoked.header("location").expect("a redirect"))
        .expect("a link");
    let target = target.as_str();
    assert!(
        target.starts_with("https://host/a/b/tokens?revoked="),
        "{target}"
    );
}

pub(super) fn forms_wait_for_forms_of_the_same_user_only() {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build();
    runtime.expect("a runtime").block_on(queues());
}

#[expect(
    clippy::disallowed_methods,
    reason = "tokio's time, which the test stops"
)]
/// Each form is answered in five seconds while the database says nothing; a fifth that would wait is
/// answered at once, and another user waits for nobody.
async fn queues() {
    let store = FaultStore::shared_in_memory();
    let users = named_users(&["alice", "bob"]);
    let service = Pats::builder(Arc::new(store.clone()))
        .users(Arc::new(users))
        .build();
    let pages = Pages::new(service);
    let [alice, bob] = ["alice", "bob"].map(|user| {
        let caller = Caller::header_authenticated(user.parse().expect("an owner"));
        let pages = Router::new().nest("/a/b", pages.clone().router());
        pages.layer(Extension(caller))
    });
    store.set(&["list"], Fault::Silent);
    let begun = Instant::now();
    let send = async |app: &Router| {
        let form = "name=a&expires=30";
        let answer = call(app, "POST", "/a/b/tokens/new", &[], form).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.header("retry-after"), Some("1"));
        begun.elapsed().as_secs()
    };
    let forms = futures_util::future::join_all((0..12).map(|_| send(&alice)));
    let others = async {
        // Behind them.
        tokio::time::sleep(Duration::from_millis(10)).await;
        send(&bob).await
    };
    let (mut seconds, others) = futures_util::join!(forms, others);
    seconds.sort_unstable();
    assert_eq!(seconds, [0, 0, 0, 0, 0, 0, 0, 5, 5, 5, 5, 5]);
    assert_eq!(others, 5);
    store.set(&[], Fault::Silent);
    let page = call(&bob, "GET", "/a/b/tokens", &[], "").await;
    assert!(!page.body.contains("/revoke"), "nothing was created later");
}
