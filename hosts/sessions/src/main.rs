//! A host with axum, whose users have sessions of tower-sessions 0.15.

use std::error::Error;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Form, Router};
// pat
use pat_core::{Caller, Pats};
use pat_sqlx::SqliteStore;
use pat_tower::api::Api;
use pat_tower::{PatLayer, SignedIn, TowerSessions};
// end
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tower_sessions::{MemoryStore, Session, SessionManagerLayer};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // pat
    let pats = Pats::builder(Arc::new(SqliteStore::open("pat.db").await?)).build();
    let jobs = pats.start();
    // end
    let app = Router::new()
        .route("/login", post(login))
        // pat
        .route("/whoami", get(async |SignedIn(user): SignedIn| user.owner().to_string()))
        .nest("/rest/pat/latest", Api::new(pats.clone()).router())
        // end
        .layer(from_fn(current_user))
        // pat
        .layer(PatLayer::optional(pats).with_session_invalidator(TowerSessions))
        // end
        .layer(SessionManagerLayer::new(MemoryStore::default()).with_secure(false));
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

#[derive(Deserialize)]
struct Login {
    user: String,
}

/// The host's sign-in, which would ask for a password.
async fn login(session: Session, Form(login): Form<Login>) -> Result<(), StatusCode> {
    session.cycle_id().await.map_err(unavailable)?;
    session.insert("user", login.user).await.map_err(unavailable)
}

/// Finds out who is signed in.
async fn current_user(
    session: Session,
    mut request: Request,
    next: Next,
) -> Result<Response, StatusCode> {
    let user = session.get("user").await.map_err(unavailable)?;
    // pat
    if let Some(owner) = user {
        request.extensions_mut().insert(Caller::cookie_authenticated(owner));
    }
    // end
    Ok(next.run(request).await)
}

fn unavailable(_: tower_sessions::session::Error) -> StatusCode {
    StatusCode::SERVICE_UNAVAILABLE
}
