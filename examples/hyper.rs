//! Personal access tokens in a service of plain hyper and tower: `cargo run --example hyper`.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use pat_core::{BoxError, Caller, MemoryStore, Owner, Pats};
use pat_tower::api::Api;
use pat_tower::{Pat, PatLayer, TowerSessions};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tower::{ServiceBuilder, ServiceExt, service_fn};
use tower_sessions::session::Error;
use tower_sessions::{Session, SessionManagerLayer};

const TOKENS: &str = "/rest/pat/latest";

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    let pats = Pats::builder(Arc::new(MemoryStore::default())).build();
    let jobs = pats.start();
    let tokens = Router::new().nest(TOKENS, Api::new(pats.clone()).router());
    let sessions = SessionManagerLayer::new(tower_sessions::MemoryStore::default());
    let app = ServiceBuilder::new()
        .layer(sessions)
        .layer(PatLayer::optional(pats).with_session_invalidator(TowerSessions))
        .service(service_fn(move |request| answer(tokens.clone(), request)));
    let app = TowerToHyperService::new(app);

    let base = format!("http://{}", listener.local_addr()?);
    println!("Listening on {base}. Sign in, create a token and use it:");
    println!("  curl -c cookies -X POST {base}/login/alice");
    println!(
        "  TOKEN=$(curl -b cookies --json '{{\"name\":\"ci\",\"expirationDuration\":90}}' \
         {base}{TOKENS}/tokens | sed 's/.*\"rawToken\":\"\\([^\"]*\\)\".*/\\1/')"
    );
    println!("  curl -H \"Authorization: Bearer $TOKEN\" {base}/");

    let server = auto::Builder::new(TokioExecutor::new());
    let connections = GracefulShutdown::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = pin!(tokio::signal::ctrl_c());
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // A client that gives up before it is accepted must not end the server.
                let Ok((stream, _)) = accepted else { continue };
                let connection = server.serve_connection(TokioIo::new(stream), app.clone());
                tokio::spawn(connections.watch(connection.into_owned()));
            }
            _ = terminate.recv() => break,
            _ = &mut interrupt => break,
        }
    }
    // A client that holds a stream open, or sends half a request, must not keep the process, and one
    // that connects now is refused rather than left to wait for its end.
    drop(listener);
    let _ = tokio::time::timeout(Duration::from_secs(5), connections.shutdown()).await;
    // Writes when tokens were last used.
    jobs.shutdown().await;
    Ok(())
}

async fn answer<B>(tokens: Router, request: Request<B>) -> Result<Response<Body>, Infallible>
where
    B: hyper::body::Body<Data = axum::body::Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let request = request.map(Body::new);
    let response = match request.uri().path() {
        "/" => Ok(Response::new(greet(&request).into())),
        path if path.starts_with(TOKENS) => match sign_in(request).await {
            Ok(request) => return tokens.oneshot(request).await,
            Err(error) => Err(error),
        },
        _ => login(request).await,
    };
    Ok(response.unwrap_or_else(|_| empty(StatusCode::SERVICE_UNAVAILABLE)))
}

fn greet(request: &Request<Body>) -> String {
    match Pat::of(request.extensions()) {
        Some(pat) => format!("Hello {}!\n", pat.owner()),
        None => "Hello stranger!\n".to_owned(),
    }
}

/// Signs in the user of the session. A request with a token has no session: the layer has ended it.
async fn sign_in(mut request: Request<Body>) -> Result<Request<Body>, Error> {
    if let Some(owner) = session(&request).get::<Owner>("user").await? {
        // By a cookie, so requests that another site forges are refused.
        let caller = Caller::cookie_authenticated(owner);
        request.extensions_mut().insert(caller);
    }
    Ok(request)
}

/// DEMO ONLY: believes any user. The host's own login goes here, which checks a password.
async fn login(request: Request<Body>) -> Result<Response<Body>, Error> {
    let user = request.uri().path().strip_prefix("/login/");
    let owner = user.and_then(|user| Owner::new(user).ok());
    let (&Method::POST, Some(owner)) = (request.method(), owner) else {
        return Ok(empty(StatusCode::NOT_FOUND));
    };
    let session = session(&request);
    // A new ID, because an attacker may know the old one.
    session.cycle_id().await?;
    session.insert("user", owner).await?;
    Ok(empty(StatusCode::OK))
}

fn session(request: &Request<Body>) -> Session {
    let session = request.extensions().get::<Session>().cloned();
    session.expect("the session layer inserts one")
}

fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
