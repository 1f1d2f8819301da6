//! Personal access tokens in a service of plain hyper and tower: `cargo run --example hyper`.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use pat_core::{BoxError, Caller, MemoryStore, Owner, Pats};
use pat_tower::api::Api;
use pat_tower::{Pat, PatLayer};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tower::{Layer, ServiceExt, service_fn};

const TOKENS: &str = "/rest/pat/latest";

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    let pats = Pats::builder(Arc::new(MemoryStore::default())).build();
    let jobs = pats.start();
    let tokens = Router::new().nest(TOKENS, Api::new(pats.clone()).router());
    let app = service_fn(move |request| answer(tokens.clone(), request));
    let app = TowerToHyperService::new(PatLayer::optional(pats).layer(app));

    let address = listener.local_addr()?;
    println!("Listening on http://{address}. Create a token, then use its rawToken:");
    println!(
        "  curl -H 'Demo-User: alice' --json '{{\"name\":\"ci\",\"expirationDuration\":90}}' \
         http://{address}{TOKENS}/tokens"
    );
    println!("  curl -H 'Authorization: Bearer <rawToken>' http://{address}/");

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

async fn answer<B>(tokens: Router, mut request: Request<B>) -> Result<Response<Body>, Infallible>
where
    B: hyper::body::Body<Data = axum::body::Bytes, Error: Into<BoxError>> + Send + 'static,
{
    if request.uri().path().starts_with(TOKENS) {
        // DEMO ONLY: the host's own sign-in goes here; this one believes the header `Demo-User`.
        let user = request.headers().get("demo-user");
        if let Some(Ok(owner)) = user.and_then(|user| Some(Owner::new(user.to_str().ok()?))) {
            request
                .extensions_mut()
                .insert(Caller::header_authenticated(owner));
        }
        return tokens.oneshot(request.map(Body::new)).await;
    }
    let greeting = match Pat::of(request.extensions()) {
        Some(pat) => format!("Hello {}!\n", pat.owner()),
        None => "Hello stranger!\n".to_owned(),
    };
    Ok(Response::new(greeting.into()))
}
