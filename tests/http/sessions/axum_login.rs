//! A host with axum-login, which keeps the user in a session of tower-sessions 0.14.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use axum_login::{AuthManager, AuthManagerLayerBuilder, AuthUser, AuthnBackend, UserId};
use http::{Request, Response, StatusCode, header};
use libtest_mimic::Trial;
use pat_core::Pats;
use pat_harness::node::bearer;
use pat_harness::trial;
use pat_tower::{PatLayer, SignedIn, TowerSessions014};
use tower::ServiceExt as _;
use tower::layer::layer_fn;
use tower_sessions_014::{MemoryStore, SessionManagerLayer};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        trial(a_token_leaves_no_user_and_no_session),
        trial(a_session_signs_in_without_a_token),
        trial(inside_of_the_auth_manager_layer_the_sessions_user_stays),
        trial(outside_of_the_auth_manager_layer_no_session_is_found),
    ]
}

/// Everybody is a user who says the name.
#[derive(Debug, Clone)]
struct Backend;

#[derive(Debug, Clone)]
struct User(String);

impl AuthUser for User {
    type Id = String;

    fn id(&self) -> String {
        self.0.clone()
    }

    fn session_auth_hash(&self) -> &[u8] {
        b"hash"
    }
}

impl AuthnBackend for Backend {
    type User = User;
    type Credentials = String;
    type Error = Infallible;

    async fn authenticate(&self, name: String) -> Result<Option<User>, Infallible> {
        Ok(Some(User(name)))
    }

    async fn get_user(&self, id: &UserId<Self>) -> Result<Option<User>, Infallible> {
        Ok(Some(User(id.clone())))
    }
}

type AuthSession = axum_login::AuthSession<Backend>;

/// Names the user of axum-login, and the caller.
async fn whoami(session: AuthSession, caller: Option<SignedIn>) -> String {
    let user = session.user.map(|User(name)| name);
    let caller = caller.map(|SignedIn(caller)| caller.owner().to_string());
    format!("{user:?} {caller:?}")
}

async fn login(mut session: AuthSession) -> StatusCode {
    let user = session.authenticate("victim".to_owned()).await;
    let user = user.expect("a backend").expect("a user");
    session.login(&user).await.expect("a session");
    StatusCode::OK
}

fn routes() -> Router {
    Router::new()
        .route("/whoami", get(whoami))
        .route("/login", get(login))
}

fn ours(pats: &Pats) -> PatLayer {
    PatLayer::optional(pats.clone()).with_session_invalidator(TowerSessions014)
}

/// The order of the docs: the `PatLayer` is between the two parts of an `AuthManagerLayer`.
fn host(store: &MemoryStore, pats: &Pats) -> Router {
    routes()
        .layer(layer_fn(|inner| {
            AuthManager::new(inner, Backend, "axum-login.data")
        }))
        .layer(ours(pats))
        .layer(SessionManagerLayer::new(store.clone()))
}

fn pats() -> Pats {
    Pats::builder(Arc::new(pat_core::MemoryStore::default())).build()
}

async fn call(app: &Router, path: &str, headers: &[(&str, &str)]) -> Response<Body> {
    let mut request = Request::builder().uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::empty()).expect("a request");
    app.clone().oneshot(request).await.expect("an answer")
}

async fn said(app: &Router, headers: &[(&str, &str)]) -> String {
    let response = call(app, "/whoami", headers).await;
    assert_eq!(response.status(), StatusCode::OK);
    let body = axum::body::to_bytes(response.into_body(), 1000).await;
    String::from_utf8(body.expect("a body").to_vec()).expect("text")
}

/// Logs the victim in. Returns the cookie.
async fn log_in(app: &Router) -> String {
    let response = call(app, "/login", &[]).await;
    let cookie = response.headers()[header::SET_COOKIE].to_str();
    let cookie = cookie.expect("text").split(';').next();
    cookie.expect("a name and a value").to_owned()
}

async fn a_session_signs_in_without_a_token() {
    let app = host(&MemoryStore::default(), &pats());
    let cookie = log_in(&app).await;
    let cookie = ("cookie", cookie.as_str());
    assert_eq!(said(&app, &[cookie]).await, "Some(\"victim\") None");
}

async fn a_token_leaves_no_user_and_no_session() {
    let (store, pats) = (MemoryStore::default(), pats());
    let app = host(&store, &pats);
    let bearer = bearer(&pats).await;
    let token = ("authorization", bearer.as_str());
    let cookie = log_in(&app).await;
    let cookie = ("cookie", cookie.as_str());
    let both = [token, cookie];
    assert_eq!(said(&app, &both).await, "None Some(\"alice\")");
    assert_eq!(said(&app, &[cookie]).await, "None None", "destroyed");
    // A handler that logs in stores nothing.
    let cookie = log_in(&app).await;
    for headers in [vec![token], vec![token, ("cookie", &cookie)]] {
        let response = call(&app, "/login", &headers).await;
        assert_eq!(response.status(), StatusCode::OK);
        let set_cookie = response.headers().get(header::SET_COOKIE);
        let is_removal =
            |cookie: &http::HeaderValue| cookie.to_str().expect("text").contains("Max-Age=0");
        assert!(set_cookie.is_none_or(is_removal), "{set_cookie:?}");
        assert_eq!(set_cookie.is_some(), headers.len() == 2);
    }
}

/// What the docs warn of.
async fn inside_of_the_auth_manager_layer_the_sessions_user_stays() {
    let (store, pats) = (MemoryStore::default(), pats());
    let sessions = SessionManagerLayer::new(store.clone());
    let app = routes()
        .layer(ours(&pats))
        .layer(AuthManagerLayerBuilder::new(Backend, sessions).build());
    let bearer = bearer(&pats).await;
    let token = ("authorization", bearer.as_str());
    let cookie = log_in(&app).await;
    let both = [token, ("cookie", cookie.as_str())];
    assert_eq!(said(&app, &both).await, "Some(\"victim\") Some(\"alice\")");
    let response = call(&app, "/login", &[token]).await;
    let cookie = response.headers()[header::SET_COOKIE].to_str();
    let cookie = cookie.expect("text").split(';').next();
    let cookie = ("cookie", cookie.expect("a name and a value"));
    assert_eq!(said(&app, &[cookie]).await, "Some(\"victim\") None");
}

async fn outside_of_the_auth_manager_layer_no_session_is_found() {
    let (store, pats) = (MemoryStore::default(), pats());
    let sessions = SessionManagerLayer::new(store);
    let app = routes()
        .layer(AuthManagerLayerBuilder::new(Backend, sessions).build())
        .layer(ours(&pats));
    let bearer = bearer(&pats).await;
    let refused = call(&app, "/whoami", &[("authorization", &bearer)]).await;
    assert_eq!(refused.status(), StatusCode::INTERNAL_SERVER_ERROR);
}
