//! A host behind nginx, which removes the prefix `/app` from each path and connects over TLS. Its users are in
//! a database that it reads with sqlx 0.8, and its only provider of cryptography for rustls is ring.

use std::error::Error;
use std::net::TcpListener;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Form, Router};
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
// pat
use pat_core::{Caller, Pats};
use pat_mail::{Composer, SmtpMailer};
use pat_tower::api::Api;
use pat_tower::pages::Pages;
use pat_tower::{PatLayer, SignedIn, TowerSessions};
// end
use serde::Deserialize;
use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnectOptions;
use tokio::signal::unix::{SignalKind, signal};
use tower_sessions::{MemoryStore, Session, SessionManagerLayer};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let users = SqliteConnectOptions::new().filename("users.db").create_if_missing(true);
    let users = SqlitePool::connect_with(users).await?;
    for statement in [
        "CREATE TABLE IF NOT EXISTS users (name TEXT PRIMARY KEY)",
        "INSERT INTO users (name) VALUES ('alice') ON CONFLICT DO NOTHING",
    ] {
        sqlx::query(statement).execute(&users).await?;
    }
    // pat
    let composer = Composer::builder("Example <noreply@example.com>").build()?;
    let mailer = SmtpMailer::new(composer, &"smtps://mail.example.com".parse()?)?;
    let store = Arc::new(pat_sqlx::SqliteStore::open("pat.db").await?);
    let pats = Pats::builder(store).notifier(Arc::new(mailer)).build();
    let jobs = pats.start();
    let pages = Pages::new(pats.clone()).with_stripped_prefix("/app");
    // end
    let app = Router::new()
        .route("/login", post(login))
        // pat
        .route("/whoami", get(async |SignedIn(user): SignedIn| user.owner().to_string()))
        // end
        .with_state(users)
        // pat
        .merge(pages.with_sign_in_url("/login?return_to=").router())
        .nest("/rest/pat/latest", Api::new(pats.clone()).router())
        // end
        .layer(from_fn(current_user))
        // pat
        .layer(PatLayer::optional(pats).with_session_invalidator(TowerSessions))
        // end
        .layer(SessionManagerLayer::new(MemoryStore::default()));
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    println!("Listening on https://{}", listener.local_addr()?);
    let [certificate, key] = ["TLS_CERTIFICATE", "TLS_KEY"].map(std::env::var);
    let tls = RustlsConfig::from_pem_file(certificate?, key?).await?;
    let handle = Handle::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let ending = handle.clone();
    tokio::spawn(async move {
        terminate.recv().await;
        ending.graceful_shutdown(None);
    });
    let server = axum_server::from_tcp_rustls(listener, tls)?;
    server.handle(handle).serve(app.into_make_service()).await?;
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
async fn login(
    State(users): State<SqlitePool>,
    session: Session,
    Form(login): Form<Login>,
) -> Result<(), StatusCode> {
    let user = sqlx::query_scalar::<_, String>("SELECT name FROM users WHERE name = ?");
    let user = user.bind(login.user).fetch_optional(&users).await;
    let user = user.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    let user = user.ok_or(StatusCode::FORBIDDEN)?;
    session.cycle_id().await.map_err(unavailable)?;
    session.insert("user", user).await.map_err(unavailable)
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
