//! Personal access tokens in an axum app: `cargo run --example axum`.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Form, Request};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::{Response, Result};
use axum::routing::{get, post};
use axum::{Router, serve};
use pat_core::{BoxError, Caller, Owner, Pats};
use pat_sqlx::SqliteStore;
use pat_tower::api::Api;
use pat_tower::{Pat, PatLayer, SignedIn, TowerSessions};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tower_sessions::{MemoryStore, Session, SessionManagerLayer};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    let pats = Pats::builder(Arc::new(SqliteStore::open("pat.db").await?)).build();
    let jobs = pats.start();
    let app = Router::new()
        .route("/", get(home))
        .route("/whoami", get(whoami))
        .route("/login", post(login))
        .nest("/rest/pat/latest", Api::new(pats.clone()).router())
        .layer(from_fn(sign_in))
        .layer(PatLayer::optional(pats).with_session_invalidator(TowerSessions))
        .layer(SessionManagerLayer::new(MemoryStore::default()));

    let base = format!("http://{}", listener.local_addr()?);
    println!("Listening on {base}. Sign in, create a token and use it:");
    println!("  curl -c cookies -d user=alice {base}/login");
    println!(
        "  TOKEN=$(curl -b cookies --json '{{\"name\":\"ci\",\"expirationDuration\":90}}' \
         {base}/rest/pat/latest/tokens | sed 's/.*\"rawToken\":\"\\([^\"]*\\)\".*/\\1/')"
    );
    println!("  curl -H \"Authorization: Bearer $TOKEN\" {base}/whoami");

    tokio::select! {
        served = serve(listener, app).with_graceful_shutdown(stopped()).into_future() => served?,
        () = cut_off() => {}
    }
    // Writes when tokens were last used.
    jobs.shutdown().await;
    Ok(())
}

/// Returns on SIGTERM, which service managers send, or on Ctrl-C.
async fn stopped() {
    let mut terminate = signal(SignalKind::terminate()).expect("signals can be listened to");
    tokio::select! { _ = terminate.recv() => {} _ = tokio::signal::ctrl_c() => {} }
}

/// Returns five seconds later: a client with an open stream or an incomplete request must not keep the
/// process running.
async fn cut_off() {
    stopped().await;
    tokio::time::sleep(Duration::from_secs(5)).await;
}

/// Requires a token: without one the response is 401.
async fn whoami(pat: Pat) -> String {
    format!("You are {}, by the token {:?}.\n", pat.owner(), pat.name())
}

/// Accepts a token, a session, and anonymous requests too.
async fn home(user: Option<SignedIn>) -> String {
    let user = user.as_ref().map(|SignedIn(caller)| caller.owner());
    format!("Hello {}!\n", user.map_or("stranger", Owner::as_str))
}

/// Signs in the user of the session. A request with a token has no session: the layer has ended it.
async fn sign_in(session: Session, mut request: Request, next: Next) -> Result<Response> {
    if let Some(owner) = session.get::<Owner>("user").await.map_err(unavailable)? {
        // By a cookie, so requests that another site forges are refused.
        let caller = Caller::cookie_authenticated(owner);
        request.extensions_mut().insert(caller);
    }
    Ok(next.run(request).await)
}

#[derive(Deserialize)]
struct Login {
    user: Owner,
}

/// DEMO ONLY: believes any user. The host's own login goes here, which checks a password.
async fn login(session: Session, Form(Login { user }): Form<Login>) -> Result<(), StatusCode> {
    // A new ID, because an attacker may know the old one.
    session.cycle_id().await.map_err(unavailable)?;
    session.insert("user", user).await.map_err(unavailable)
}

fn unavailable(_: tower_sessions::session::Error) -> StatusCode {
    StatusCode::SERVICE_UNAVAILABLE
}
