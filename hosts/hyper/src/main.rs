//! A host with hyper and boxed bodies, whose users have sessions that it keeps itself.

use std::collections::HashMap;
use std::convert::Infallible;
use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::header::{COOKIE, SET_COOKIE};
use http::{Extensions, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
// pat
use pat_core::{BoxError, Caller, Owner, Pats};
use pat_sqlx::SqliteStore;
use pat_tower::{Destroy, PatLayer, SessionInvalidator, SignedIn};
// end
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tower::util::BoxCloneSyncService;
use tower::{Layer, ServiceExt, service_fn};

type BoxBody = UnsyncBoxBody<Bytes, Box<dyn Error + Send + Sync>>;
type Tokens = BoxCloneSyncService<Request<Incoming>, Response<BoxBody>, Infallible>;

/// The sessions of this host: the users that are signed in, by the ID in their cookie.
#[derive(Debug, Clone, Default)]
struct Sessions(Arc<Mutex<HashMap<String, String>>>);

/// What the host puts into each request.
#[derive(Debug, Clone, Default)]
struct Session {
    id: String,
    user: Option<String>,
}

impl Sessions {
    fn create(&self, user: &str) -> String {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        // A real ID is random.
        let id = NEXT.fetch_add(1, Ordering::Relaxed).to_string();
        let mut sessions = self.0.lock().expect("no poison");
        sessions.insert(id.clone(), user.to_owned());
        id
    }

    fn end(&self, id: &str) {
        self.0.lock().expect("no poison").remove(id);
    }

    fn of<B>(&self, request: &Request<B>) -> Session {
        let cookie = request.headers().get(COOKIE);
        let cookie = cookie.and_then(|cookie| cookie.to_str().ok());
        let id = cookie.and_then(|cookie| cookie.strip_prefix("session="));
        let id = id.unwrap_or_default().to_owned();
        let user = self.0.lock().expect("no poison").get(&id).cloned();
        Session { id, user }
    }
}

// pat
impl SessionInvalidator for Sessions {
    fn detach(&self, extensions: &mut Extensions) -> Result<Option<Destroy>, BoxError> {
        let session = extensions.get_mut::<Session>().ok_or("no session layer")?;
        let (sessions, Session { id, user }) = (self.clone(), std::mem::take(session));
        Ok(user.map(|_| -> Destroy { Box::pin(async move { Ok(sessions.end(&id)) }) }))
    }
}
// end

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let sessions = Sessions::default();
    // pat
    let pats = Pats::builder(Arc::new(SqliteStore::open("pat.db").await?)).build();
    let jobs = pats.start();
    let tokens = pat_tower::api::Api::new(pats.clone()).router::<()>();
    let layer = PatLayer::optional(pats).with_session_invalidator(sessions.clone()).wrap_body();
    // end
    let tokens = ServiceExt::<Request<Incoming>>::map_response(tokens, boxed);
    let tokens = BoxCloneSyncService::new(tokens);
    let inside = sessions.clone();
    let inner =
        layer.layer(service_fn(move |request| answer(tokens.clone(), inside.clone(), request)));
    let app = service_fn(move |mut request: Request<Incoming>| {
        let session = sessions.of(&request);
        request.extensions_mut().insert(session);
        inner.clone().oneshot(request)
    });

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("Listening on http://{}", listener.local_addr()?);
    let server = auto::Builder::new(TokioExecutor::new());
    let connections = GracefulShutdown::new();
    let mut terminate = signal(SignalKind::terminate())?;
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let service = TowerToHyperService::new(app.clone());
                let connection = server.serve_connection(TokioIo::new(stream), service);
                tokio::spawn(connections.watch(connection.into_owned()));
            }
            _ = terminate.recv() => break,
        }
    }
    drop(listener);
    connections.shutdown().await;
    // pat
    jobs.shutdown().await;
    // end
    Ok(())
}

async fn answer(
    tokens: Tokens,
    sessions: Sessions,
    mut request: Request<Incoming>,
) -> Result<Response<BoxBody>, Infallible> {
    let session = request.extensions().get::<Session>();
    let user = session.and_then(|session| session.user.clone());
    // pat
    if let Some(Ok(owner)) = user.map(Owner::new) {
        request.extensions_mut().insert(Caller::cookie_authenticated(owner));
    }
    // end
    let path = request.uri().to_string();
    if let Some(path) = path.strip_prefix("/rest/pat/latest") {
        *request.uri_mut() = path.parse().expect("the rest of a URI");
        return tokens.oneshot(request).await;
    }
    let response = Response::builder();
    let (response, text) = match path.as_str() {
        "/login" => {
            // The host's sign-in, which would ask for a password.
            let body = request.into_body().collect().await;
            let body = body.map(|body| body.to_bytes()).unwrap_or_default();
            let user = String::from_utf8_lossy(&body).replace("user=", "");
            let cookie = format!("session={}; HttpOnly", sessions.create(&user));
            (response.header(SET_COOKIE, cookie), String::new())
        }
        // pat
        "/whoami" => match SignedIn::of(request.extensions()) {
            Some(SignedIn(user)) => (response, user.owner().to_string()),
            // end
            None => (response.status(StatusCode::UNAUTHORIZED), String::new()),
        },
        _ => (response.status(StatusCode::NOT_FOUND), String::new()),
    };
    Ok(boxed(response.body(Full::from(text)).expect("a response")))
}

fn boxed<B>(response: Response<B>) -> Response<BoxBody>
where
    B: hyper::body::Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    response.map(|body| body.map_err(Into::into).boxed_unsync())
}
