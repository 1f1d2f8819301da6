//! Personal access tokens in an axum app: `cargo run --example axum`.

use std::time::Duration;

use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::get;
use axum::{Router, serve};
use pat_core::{BoxError, Caller, Owner, Pats};
use pat_sqlx::SqliteStore;
use pat_tower::api::Api;
use pat_tower::{Pat, PatLayer};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    let pats = Pats::builder(SqliteStore::open("pat.db").await?).build();
    let jobs = pats.start();
    let app = Router::new()
        .route("/", get(home))
        .route("/whoami", get(whoami))
        .nest("/rest/pat/latest", Api::new(pats.clone()).router())
        .layer(from_fn(demo_sign_in))
        .layer(PatLayer::optional(pats));

    let address = listener.local_addr()?;
    println!("Listening on http://{address}. Create a token, then use its rawToken:");
    println!(
        "  curl -H 'Demo-User: alice' --json '{{\"name\":\"ci\",\"expirationDuration\":90}}' \
         http://{address}/rest/pat/latest/tokens"
    );
    println!("  curl -H 'Authorization: Bearer <rawToken>' http://{address}/whoami");

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
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
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

/// Accepts a token, and anonymous requests too.
async fn home(pat: Option<Pat>) -> String {
    match pat {
        Some(pat) => format!("Hello {}!\n", pat.owner()),
        None => "Hello stranger!\n".to_owned(),
    }
}

/// DEMO ONLY: replaces the host's sign-in (a session, single sign-on), and trusts the header
/// `Demo-User`. Users need it to create their first token.
async fn demo_sign_in(mut request: Request, next: Next) -> Response {
    let user = request.headers().get("demo-user");
    if let Some(Ok(owner)) = user.and_then(|user| Some(Owner::new(user.to_str().ok()?))) {
        request
            .extensions_mut()
            .insert(Caller::header_authenticated(owner));
    }
    next.run(request).await
}
