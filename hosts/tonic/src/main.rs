//! A host with a gRPC server of tonic, beside which users manage their tokens over HTTP.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request as HttpRequest;
use axum::middleware::{Next, from_fn};
use axum::response::Response as HttpResponse;
use axum_extra::TypedHeader;
use axum_extra::headers::Authorization;
use axum_extra::headers::authorization::Basic;
use host_tonic::greeter_server::{Greeter, GreeterServer};
use host_tonic::{Empty, Greeting};
// pat
use pat_core::{Caller, Owner, Pats};
use pat_sqlx::SqliteStore;
use pat_tower::api::Api;
use pat_tower::{Pat, PatLayer, UntilInvalidLayer};
// end
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_stream::{Stream, StreamExt};
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // pat
    let pats = Pats::builder(Arc::new(SqliteStore::open("pat.db").await?)).build();
    let jobs = pats.start();
    let tokens = axum::Router::new().nest("/rest/pat/latest", Api::new(pats.clone()).router());
    // end
    let mut routes = Routes::new(GreeterServer::new(Host));
    // The routes for tokens are ordinary HTTP, on the same port.
    let router =
        std::mem::take(routes.axum_router_mut()).merge(tokens.layer(from_fn(current_user)));
    *routes.axum_router_mut() = router;

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("Listening on http://{}", listener.local_addr()?);
    let mut terminate = signal(SignalKind::terminate())?;
    let served = Server::builder()
        .accept_http1(true)
        // pat
        .layer(PatLayer::optional(pats.clone()).wrap_body())
        .layer(UntilInvalidLayer::new(pats))
        // end
        .add_routes(routes)
        .serve_with_incoming_shutdown(TcpIncoming::from(listener), async move {
            terminate.recv().await;
        });
    served.await?;
    // pat
    jobs.shutdown().await;
    // end
    Ok(())
}

/// Finds out who signs in; a real host checks the password.
async fn current_user(
    basic: Option<TypedHeader<Authorization<Basic>>>,
    mut request: HttpRequest,
    next: Next,
) -> HttpResponse {
    let user = basic.map(|basic| basic.username().to_owned());
    // pat
    if let Some(Ok(owner)) = user.map(Owner::new) {
        request.extensions_mut().insert(Caller::cookie_authenticated(owner));
    }
    // end
    next.run(request).await
}

struct Host;

#[tonic::async_trait]
impl Greeter for Host {
    async fn greet(&self, request: Request<Empty>) -> Result<Response<Greeting>, Status> {
        Ok(Response::new(greeting(&request)?))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<Greeting, Status>> + Send>>;

    async fn watch(&self, request: Request<Empty>) -> Result<Response<Self::WatchStream>, Status> {
        let greetings = tokio_stream::iter(std::iter::repeat(greeting(&request)?));
        let greetings = greetings.map(Ok).throttle(Duration::from_millis(50));
        Ok(Response::new(Box::pin(greetings)))
    }
}

fn greeting(request: &Request<Empty>) -> Result<Greeting, Status> {
    // pat
    let pat = Pat::of(request.extensions());
    let user = pat.map(|pat| pat.owner().to_string());
    // end
    let user = user.ok_or_else(|| Status::unauthenticated("greets users only"))?;
    Ok(Greeting { user })
}
