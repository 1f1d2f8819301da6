//! A host with axum, whose users sign in through axum-login 0.18.

use std::convert::Infallible;
use std::error::Error;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Form, Router};
use axum_login::{AuthManagerLayerBuilder, AuthUser, AuthnBackend};
// pat
use pat_core::{Caller, Owner, Pats};
use pat_sqlx::SqliteStore;
use pat_tower::api::Api;
use pat_tower::{AxumLogin, PatLayer, SignedIn};
// end
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tower_sessions::{MemoryStore, SessionManagerLayer};

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
    // pat
    let pats = Pats::builder(Arc::new(SqliteStore::open("pat.db").await?)).build();
    let jobs = pats.start();
    // end
    let sessions = SessionManagerLayer::new(MemoryStore::default()).with_secure(false);
    let app = Router::new()
        .route("/login", post(login))
        // pat
        .route("/whoami", get(async |SignedIn(user): SignedIn| user.owner().to_string()))
        .nest("/rest/pat/latest", Api::new(pats.clone()).router())
        // end
        .layer(from_fn(current_user))
        // pat
        .layer(PatLayer::optional(pats).with_session_invalidator(AxumLogin::<Users>::new()))
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

/// Finds out who is signed in.
async fn current_user(auth: AuthSession, mut request: Request, next: Next) -> Response {
    let user = auth.user.map(|user| user.0);
    // pat
    if let Some(Ok(owner)) = user.map(Owner::new) {
        request.extensions_mut().insert(Caller::cookie_authenticated(owner));
    }
    // end
    next.run(request).await
}
