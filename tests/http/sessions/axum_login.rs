//! A host with axum-login, which keeps the user in a session of tower-sessions 0.14.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use axum_login::{AuthManager, AuthManagerLayerBuilder, AuthUser, AuthnBackend, UserId};
use futures_util::FutureExt as _;
use http::{HeaderMap, Request, Response, StatusCode, header};
use libtest_mimic::Trial;
use pat_harness::{Log, trial};
use pat_tower::testing::{SessionCheck, TestPats, get as ask};
use pat_tower::{AxumLogin, PatLayer, SessionInvalidator, SignedIn, TowerSessions014};
use tower::layer::layer_fn;
use tower_sessions_014::{MemoryStore, SessionManagerLayer};

use crate::http::text_of;

pub(super) fn trials() -> Vec<Trial> {
    vec![
        trial(axum_login_passes_the_check_for_hosts),
        trial(the_owner_of_the_token_is_the_only_user),
        trial(the_adapter_for_the_sessions_alone_leaves_the_user),
        trial(another_order_of_layers_and_another_backend_are_refused),
    ]
}

/// Everybody is a user who says the name.
#[derive(Debug, Clone, Default)]
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

/// The user of axum-login.
async fn user(session: AuthSession) -> Result<String, StatusCode> {
    let user = session.user.ok_or(StatusCode::UNAUTHORIZED)?;
    Ok(user.0)
}

async fn logout(mut session: AuthSession) {
    session.logout().await.expect("a session");
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
        .route("/user", get(user))
        .route("/login", post(login))
        .route("/logout", post(logout))
}

/// The order of the docs.
fn host(store: &MemoryStore, layer: PatLayer) -> Router {
    let sessions = SessionManagerLayer::new(store.clone());
    let users = AuthManagerLayerBuilder::new(Backend, sessions).build();
    routes().layer(layer).layer(users)
}

fn check(invalidator: impl SessionInvalidator) -> SessionCheck<Router> {
    let store = MemoryStore::default();
    let login = Request::post("/login").body(String::new());
    let login = login.expect("a request");
    SessionCheck::new(invalidator, |layer| host(&store, layer), login, "/user")
}

async fn axum_login_passes_the_check_for_hosts() {
    check(AxumLogin::<Backend>::new()).run().await;
}

/// What the docs warn of. The check finds it.
async fn the_adapter_for_the_sessions_alone_leaves_the_user() {
    let check = check(TowerSessions014);
    let passed = AssertUnwindSafe(check.run());
    let panic = passed.catch_unwind().await.expect_err("it passes");
    let message = panic.downcast_ref::<String>().expect("a message");
    assert!(message.contains("a handler sees no session"), "{message}");
}

async fn the_owner_of_the_token_is_the_only_user() {
    let (store, test) = (MemoryStore::default(), TestPats::new());
    let layer = PatLayer::optional(test.pats());
    let app = host(
        &store,
        layer.with_session_invalidator(AxumLogin::<Backend>::new()),
    );
    let alice = test.token("alice").await;
    let response = send(&app, "/login", &HeaderMap::new()).await;
    let session = HeaderMap::from_iter([(header::COOKIE, cookie(&response))]);
    let mut both = alice.clone();
    both.extend(session.clone());
    assert_eq!(text(&app, &session).await, "Some(\"victim\") None");
    assert_eq!(text(&app, &both).await, "None Some(\"alice\")");
    assert_eq!(text(&app, &session).await, "None None");
    // A handler that signs in or out does so in the session that is thrown away.
    for path in ["/login", "/logout"] {
        let response = send(&app, path, &alice).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers().get(header::SET_COOKIE), None);
    }
}

/// Nothing goes on with an `AuthSession` that our layer cannot see.
async fn another_order_of_layers_and_another_backend_are_refused() {
    #[derive(Debug, Clone)]
    struct Other;

    impl AuthnBackend for Other {
        type User = User;
        type Credentials = String;
        type Error = Infallible;

        async fn authenticate(&self, _: String) -> Result<Option<User>, Infallible> {
            Ok(None)
        }

        async fn get_user(&self, _: &UserId<Self>) -> Result<Option<User>, Infallible> {
            Ok(None)
        }
    }

    let (store, test) = (MemoryStore::default(), TestPats::new());
    let sessions = || SessionManagerLayer::new(store.clone());
    let ours = || {
        let layer = PatLayer::optional(test.pats());
        layer.with_session_invalidator(AxumLogin::<Backend>::new())
    };
    let manager = || layer_fn(|inner| AuthManager::new(inner, Backend, "axum-login.data"));
    let users = AuthManagerLayerBuilder::new(Backend, sessions()).build();
    let others = AuthManagerLayerBuilder::new(Other, sessions()).build();
    let alice = test.token("alice").await;
    for app in [
        routes().layer(users).layer(ours()),
        routes().layer(manager()).layer(ours()).layer(sessions()),
        routes().layer(ours()).layer(others),
        routes().layer(ours()).layer(sessions()),
    ] {
        let log = Log::default();
        let _guard = log.start();
        let refused = ask(&app, "/whoami", &alice).await;
        assert_eq!(refused.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let log = log.text();
        assert!(log.contains("no AuthSession<"), "{log}");
        assert!(
            log.contains("axum_login::Backend> of axum-login 0.18"),
            "{log}"
        );
    }
}

async fn send(app: &Router, path: &str, headers: &HeaderMap) -> Response<Body> {
    pat_tower::testing::post(app, path, headers, &()).await
}

async fn text(app: &Router, headers: &HeaderMap) -> String {
    let response = ask(app, "/whoami", headers).await;
    assert_eq!(response.status(), StatusCode::OK);
    text_of(response).await
}

/// The cookie that a response sets, as a client sends it.
fn cookie(response: &Response<Body>) -> http::HeaderValue {
    let cookie = response.headers()[header::SET_COOKIE].to_str();
    let pair = cookie.expect("text").split(';').next();
    pair.and_then(|pair| pair.parse().ok())
        .expect("a name and a value")
}
