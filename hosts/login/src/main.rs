//! A host with axum, whose users sign in through axum-login 0.18.

use std::convert::Infallible;
use std::error::Error;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::{Extensions, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Form, Router};
use axum_login::tower_sessions::{MemoryStore, SessionManagerLayer};
use axum_login::{AuthManagerLayerBuilder, AuthUser, AuthnBackend};
// pat
use pat_core::{BoxError, Caller, Owner, Pats};
use pat_sqlx::SqliteStore;
use pat_tower::api::Api;
use pat_tower::{Destroy, Pat, PatLayer, SessionInvalidator, TowerSessions014};
// end
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

type AuthSession = axum_login::AuthSession<Users>;

#[derive(Debug, Clone)]
struct User(String);

impl AuthUser for User {
    type Id = String;

    fn id(&self) -> String {
        self.0.clone()
    }

    fn session_auth_hash(&self) -> &[u8] {
        b"the hash of a password"
    }
}

#[derive(Clone)]
struct Users;

#[derive(Clone, Deserialize)]
struct Login {
    user: String,
}

impl AuthnBackend for Users {
    type User = User;
    type Credentials = Login;
    type Error = Infallible;

    /// The host's sign-in, which would check a password.
    async fn authenticate(&self, login: Login) -> Result<Option<User>, Infallible> {
        self.get_user(&login.user).await
    }

    async fn get_user(&self, name: &String) -> Result<Option<User>, Infallible> {
        Ok((name == "alice").then(|| User(name.clone())))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let sessions = SessionManagerLayer::new(MemoryStore::default()).with_secure(false);
    // pat
    let pats = Pats::builder(Arc::new(SqliteStore::open("pat.db").await?)).build();
    let jobs = pats.start();
    // end
    let app = Router::new()
        .route("/login", post(login))
        .route("/whoami", get(whoami))
        // pat
        .nest("/rest/pat/latest", Api::new(pats.clone()).router())
        .layer(from_fn(caller))
        .layer(PatLayer::optional(pats).with_session_invalidator(LoginSessions))
        // end
        .layer(AuthManagerLayerBuilder::new(Users, sessions).build());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("Listening on http://{}", listener.local_addr()?);
    let mut terminate = signal(SignalKind::terminate())?;
    axum::serve(listener, app)
        .with_graceful_shutdown(async move {
            terminate.recv().await;
        })
        .await?;
    // pat
    jobs.shutdown().await;
    // end
    Ok(())
}

/// The host's sign-in.
async fn login(mut auth: AuthSession, Form(login): Form<Login>) -> Result<(), StatusCode> {
    let user = auth.authenticate(login).await;
    let user = user.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    let user = user.ok_or(StatusCode::FORBIDDEN)?;
    let signed_in = auth.login(&user).await;
    signed_in.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)
}

// pat
/// Has the routes for tokens know who is signed in.
async fn caller(auth: AuthSession, mut request: Request, next: Next) -> Response {
    if let Some(Ok(owner)) = auth.user.map(|user| Owner::new(user.0)) {
        request
            .extensions_mut()
            .insert(Caller::cookie_authenticated(owner));
    }
    next.run(request).await
}

/// Also forgets the user whom axum-login has already read from the session.
#[derive(Debug)]
struct LoginSessions;

impl SessionInvalidator for LoginSessions {
    fn detach(&self, extensions: &mut Extensions) -> Result<Option<Destroy>, BoxError> {
        extensions
            .get_mut::<AuthSession>()
            .ok_or("axum-login's layer is missing")?
            .user = None;
        TowerSessions014.detach(extensions)
    }
}
// end

async fn whoami(pat: Option<Pat>, auth: AuthSession) -> Result<String, StatusCode> {
    // pat
    if let Some(pat) = pat {
        return Ok(pat.owner().to_string());
    }
    // end
    auth.user.map(|user| user.0).ok_or(StatusCode::UNAUTHORIZED)
}
