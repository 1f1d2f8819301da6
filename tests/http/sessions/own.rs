//! A host with sessions of its own: a cookie and a table, and the invalidator that the docs of
//! `SessionInvalidator` show.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;
use http::{Extensions, StatusCode, header};
use libtest_mimic::Trial;
use pat_core::{BoxError, Caller, MemoryStore, Owner, Pats};
use pat_harness::node::bearer;
use pat_harness::trial;
use pat_tower::{Destroy, PatLayer, SessionInvalidator, SignedIn};
use tower::ServiceExt as _;

pub(super) fn trials() -> Vec<Trial> {
    vec![
        trial(a_session_of_the_hosts_own_ends_with_a_token),
        trial(a_missing_session_layer_of_the_host_is_an_error),
    ]
}

/// The host's table of sessions: the user of each session ID.
#[derive(Debug, Clone, Default)]
struct SessionTable(Arc<Mutex<HashMap<String, Owner>>>);

impl SessionTable {
    fn user(&self, id: &str) -> Option<Owner> {
        self.0.lock().expect("a table").get(id).cloned()
    }
}

/// The ID in the session cookie, which the host's session layer inserts into every request.
#[derive(Debug, Clone)]
struct SessionId(Option<String>);

impl SessionInvalidator for SessionTable {
    fn detach(&self, extensions: &mut Extensions) -> Result<Option<Destroy>, BoxError> {
        let slot = extensions.get_mut::<SessionId>();
        let slot = slot.ok_or("the session layer must be outside of the PatLayer")?;
        // Handlers see a request without a session.
        let Some(id) = slot.0.take() else {
            return Ok(None);
        };
        let table = self.clone();
        Ok(Some(Box::pin(async move {
            table.0.lock().map_err(|_| "a panic")?.remove(&id);
            Ok(())
        })))
    }
}

/// The host's session layer.
async fn session(mut request: Request, next: Next) -> Response {
    let cookie = request.headers().get(header::COOKIE);
    let id = cookie.and_then(|cookie| cookie.to_str().ok()?.strip_prefix("session="));
    let id = SessionId(id.map(str::to_owned));
    request.extensions_mut().insert(id);
    next.run(request).await
}

/// The host's sign-in.
async fn sign_in(State(table): State<SessionTable>, mut request: Request, next: Next) -> Response {
    let SessionId(id) = request.extensions().get().expect("a session layer");
    if let Some(owner) = id.as_deref().and_then(|id| table.user(id)) {
        let caller = Caller::cookie_authenticated(owner);
        request.extensions_mut().insert(caller);
    }
    next.run(request).await
}

async fn whoami(
    SignedIn(caller): SignedIn,
    axum::Extension(SessionId(id)): axum::Extension<SessionId>,
) -> String {
    format!("{} {id:?}", caller.owner())
}

fn routes(table: &SessionTable, pats: &Pats) -> Router {
    Router::new()
        .route("/", get(whoami))
        .layer(from_fn_with_state(table.clone(), sign_in))
        .layer(PatLayer::optional(pats.clone()).with_session_invalidator(table.clone()))
}

async fn ask(app: Router, headers: &[(&str, &str)]) -> (StatusCode, String) {
    let mut request = Request::builder();
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::empty()).expect("a request");
    let response = app.oneshot(request).await.expect("an answer");
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), 10_000).await;
    let text = String::from_utf8(body.expect("a body").to_vec());
    (status, text.expect("text"))
}

fn pats() -> Pats {
    Pats::builder(Arc::new(MemoryStore::default())).build()
}

async fn a_session_of_the_hosts_own_ends_with_a_token() {
    let (table, pats) = (SessionTable::default(), pats());
    let victim = Owner::new("victim").expect("an owner");
    table
        .0
        .lock()
        .expect("a table")
        .insert("1234".into(), victim);
    let app = routes(&table, &pats).layer(from_fn(session));
    let bearer = bearer(&pats).await;
    let cookie = ("cookie", "session=1234");
    let token = ("authorization", bearer.as_str());
    let (_, by_session) = ask(app.clone(), &[cookie]).await;
    assert_eq!(by_session, "victim Some(\"1234\")");
    let (_, by_token) = ask(app.clone(), &[token, cookie]).await;
    assert_eq!(by_token, "alice None");
    assert!(table.user("1234").is_none(), "destroyed");
    let (status, _) = ask(app.clone(), &[cookie]).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let (_, without_session) = ask(app, &[token]).await;
    assert_eq!(without_session, "alice None");
}

async fn a_missing_session_layer_of_the_host_is_an_error() {
    let (table, pats) = (SessionTable::default(), pats());
    let bearer = bearer(&pats).await;
    let app = routes(&table, &pats);
    let (status, text) = ask(app, &[("authorization", &bearer)]).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(text.contains("pat/misconfigured"), "{text}");
}
