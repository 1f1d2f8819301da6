//! A host with sessions of its own: a cookie and a table. Flaws of its invalidator and of its stack fail the
//! check for hosts.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use futures_util::FutureExt as _;
use http::{Extensions, HeaderMap, HeaderValue, StatusCode, header};
use libtest_mimic::Trial;
use pat_core::{BoxError, Caller, Owner};
use pat_harness::trial;
use pat_tower::testing::{SessionCheck, TestPats};
use pat_tower::{Destroy, Pat, PatLayer, SessionInvalidator, SignedIn};

use crate::http::text_of;

pub(super) fn trials() -> Vec<Trial> {
    vec![
        trial(sessions_of_the_hosts_own_pass_the_check),
        trial(each_flaw_of_an_invalidator_fails_the_check),
        trial(each_flaw_while_the_store_fails_fails_the_check),
        trial(each_flaw_of_a_stack_fails_the_check),
        trial(the_owner_of_the_token_is_signed_in),
        trial(a_missing_session_layer_of_the_host_is_an_error),
    ]
}

/// The host's table of sessions: the user of each session ID.
#[derive(Debug, Clone, Default)]
struct SessionTable {
    users: Arc<Mutex<HashMap<String, Owner>>>,
    next_id: Arc<AtomicU64>,
    is_failing: Arc<AtomicBool>,
    flaw: Option<Flaw>,
}

/// What may be wrong with an invalidator or a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    LeavesSessions,
    Forgets,
    LeavesTheId,
    LeavesTheUser,
    RemovesTheSession,
    EndsNothing,
    EndsAllSessions,
    EndsAnotherSession,
    ReturnsAFutureWithoutASession,
    AcceptsAMissingLayer,
    RefusesUnknownSessions,
    FailsForUnknownSessions,
    FailsAlways,
    Panics,
    HidesFailures,
    EndsAlthoughItFails,
    LeavesTheUserIfItFails,
    SignsInWithAToken,
    StartsASessionForEach,
    RenewsTheCookie,
    ShowsTheOwnerOfTheToken,
}

impl SessionTable {
    fn with(flaw: Flaw) -> Self {
        let flaw = Some(flaw);
        Self {
            flaw,
            ..Self::default()
        }
    }

    fn user(&self, id: &str) -> Option<Owner> {
        self.users.lock().expect("a table").get(id).cloned()
    }

    fn start(&self) -> HeaderValue {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        // A real ID is random.
        let id = format!("session-{id}");
        let victim = Owner::new("victim").expect("an owner");
        let mut users = self.users.lock().expect("a table");
        users.insert(id.clone(), victim);
        cookie(&id)
    }

    fn end(&self, id: &str) -> Result<(), BoxError> {
        let mut users = self.users.lock().map_err(|_| "a panic")?;
        match self.flaw {
            Some(Flaw::Panics) => panic!("as planned"),
            Some(Flaw::FailsAlways) => return Err("as planned".into()),
            Some(Flaw::EndsNothing) => return Ok(()),
            Some(Flaw::EndsAllSessions) => users.clear(),
            Some(Flaw::EndsAnotherSession) => users.retain(|other, _| other == id),
            Some(Flaw::EndsAlthoughItFails) => drop(users.remove(id)),
            _ => {}
        }
        if self.is_failing.load(Ordering::Relaxed) {
            let is_hidden = self.flaw == Some(Flaw::HidesFailures);
            return is_hidden.then_some(()).ok_or("the table is down".into());
        }
        let removed = users.remove(id);
        if self.flaw == Some(Flaw::FailsForUnknownSessions) {
            removed.ok_or("no such session")?;
        }
        Ok(())
    }
}

fn cookie(id: &str) -> HeaderValue {
    let cookie = format!("session={id}; Path=/; HttpOnly; SameSite=Lax");
    HeaderValue::try_from(cookie).expect("visible characters")
}

/// What the host's session layer inserts into every request: the ID in the session cookie, and its user.
#[derive(Debug, Clone, Default)]
struct Session {
    id: Option<String>,
    user: Option<Owner>,
}

impl SessionInvalidator for SessionTable {
    fn detach(&self, extensions: &mut Extensions) -> Result<Option<Destroy>, BoxError> {
        let is_failing = self.is_failing.load(Ordering::Relaxed);
        let Some(session) = extensions.get_mut::<Session>() else {
            if self.flaw == Some(Flaw::AcceptsAMissingLayer) {
                return Ok(None);
            }
            return Err("the session layer must be outside of the PatLayer".into());
        };
        // Handlers see a request without a session.
        let Session { id, user } = std::mem::take(session);
        match self.flaw {
            Some(Flaw::LeavesSessions) => {
                *session = Session { id, user };
                return Ok(None);
            }
            Some(Flaw::LeavesTheId) => session.id.clone_from(&id),
            Some(Flaw::LeavesTheUser) => session.user = user,
            Some(Flaw::LeavesTheUserIfItFails) if is_failing => session.user = user,
            Some(Flaw::RemovesTheSession) => drop(extensions.remove::<Session>()),
            _ => {}
        }
        let id = match self.flaw {
            Some(Flaw::Forgets) => None,
            Some(Flaw::ReturnsAFutureWithoutASession) => Some(id.unwrap_or_default()),
            _ => id,
        };
        let Some(id) = id else {
            return Ok(None);
        };
        if self.flaw == Some(Flaw::RefusesUnknownSessions) && self.user(&id).is_none() {
            return Err("no such session".into());
        }
        let table = self.clone();
        Ok(Some(Box::pin(async move { table.end(&id) })))
    }
}

/// The host's session layer.
async fn session(State(table): State<SessionTable>, mut request: Request, next: Next) -> Response {
    let cookies = request.headers().get(header::COOKIE);
    let id = cookies.and_then(|cookie| cookie.to_str().ok()?.strip_prefix("session="));
    let id = id.map(str::to_owned);
    let user = id.as_deref().and_then(|id| table.user(id));
    let session = Session {
        id: id.clone(),
        user,
    };
    request.extensions_mut().insert(session);
    let mut response = next.run(request).await;
    let set = match (table.flaw, id) {
        (Some(Flaw::StartsASessionForEach), None) => Some(table.start()),
        (Some(Flaw::RenewsTheCookie), Some(id)) if table.user(&id).is_some() => Some(cookie(&id)),
        _ => None,
    };
    if let Some(set) = set {
        response.headers_mut().insert(header::SET_COOKIE, set);
    }
    response
}

/// The host's login, which starts no session in a request with a token.
async fn log_in(State(table): State<SessionTable>, request: Request) -> Response {
    let has_token = Pat::of(request.extensions()).is_some();
    if has_token && table.flaw != Some(Flaw::SignsInWithAToken) {
        return StatusCode::FORBIDDEN.into_response();
    }
    [(header::SET_COOKIE, table.start())].into_response()
}

/// The user of the session.
async fn show(State(table): State<SessionTable>, request: Request) -> Result<String, StatusCode> {
    if table.flaw == Some(Flaw::ShowsTheOwnerOfTheToken)
        && let Some(pat) = Pat::of(request.extensions())
    {
        return Ok(pat.owner().to_string());
    }
    let session = request.extensions().get::<Session>();
    let session = session.ok_or(StatusCode::INTERNAL_SERVER_ERROR)?;
    let user = session.user.as_ref().ok_or(StatusCode::UNAUTHORIZED)?;
    Ok(user.to_string())
}

/// The host's sign-in.
async fn sign_in(mut request: Request, next: Next) -> Response {
    let session = request.extensions().get::<Session>();
    let user = session.and_then(|session| session.user.clone());
    if let Some(owner) = user {
        let caller = Caller::cookie_authenticated(owner);
        request.extensions_mut().insert(caller);
    }
    next.run(request).await
}

fn routes(table: &SessionTable, layer: PatLayer) -> Router {
    let whoami = async |SignedIn(caller): SignedIn| caller.owner().to_string();
    let signed_in = Router::new().route("/whoami", get(whoami));
    Router::new()
        .route("/login", post(log_in))
        .route("/session", get(show))
        .merge(signed_in.layer(from_fn(sign_in)))
        .with_state(table.clone())
        .layer(layer)
}

fn stack(table: &SessionTable, layer: PatLayer) -> Router {
    let layer = routes(table, layer);
    layer.layer(from_fn_with_state(table.clone(), session))
}

fn check(table: &SessionTable) -> SessionCheck<Router> {
    let log_in = http::Request::post("/login").body(String::new());
    let log_in = log_in.expect("a request");
    SessionCheck::new(
        table.clone(),
        |layer| stack(table, layer),
        log_in,
        "/session",
    )
}

async fn run_with_failing_table(table: &SessionTable) {
    let set_failing = |is_failing| table.is_failing.store(is_failing, Ordering::Relaxed);
    check(table).run_with_failing_store(set_failing).await;
}

async fn sessions_of_the_hosts_own_pass_the_check() {
    let table = SessionTable::default();
    check(&table).run().await;
    run_with_failing_table(&table).await;
}

/// Returns with which message a check fails.
async fn failure(check: impl Future<Output = ()>) -> String {
    let panic = AssertUnwindSafe(check).catch_unwind().await;
    let panic = panic.expect_err("the check passes");
    let text = panic.downcast_ref::<String>();
    let text = text.map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied())
        .expect("a message")
        .to_owned()
}

async fn assert_failures(flaws: &[(Flaw, &str)]) {
    for (flaw, rule) in flaws {
        let table = SessionTable::with(*flaw);
        let message = failure(check(&table).run()).await;
        assert!(message.contains(rule), "{flaw:?}: {message}");
    }
}

async fn each_flaw_of_an_invalidator_fails_the_check() {
    let sees_none = "a handler sees no session in a request with a token";
    let none = "detach returns None for a request without a session";
    let ends = "detach returns a future that ends the session, and None if it is called again";
    let unknown = "a session that is unknown is no error";
    assert_failures(&[
        (Flaw::LeavesSessions, sees_none),
        (Flaw::LeavesTheId, ends),
        (Flaw::LeavesTheUser, sees_none),
        (Flaw::Forgets, ends),
        (Flaw::RemovesTheSession, "the session alone"),
        (Flaw::EndsNothing, "the session has ended"),
        (Flaw::EndsAllSessions, "another session is not ended"),
        (Flaw::EndsAnotherSession, "another session is not ended"),
        (Flaw::ReturnsAFutureWithoutASession, none),
        (Flaw::AcceptsAMissingLayer, "detach returns an error"),
        (Flaw::RefusesUnknownSessions, unknown),
        (Flaw::FailsForUnknownSessions, unknown),
        (Flaw::FailsAlways, ends),
        (Flaw::Panics, ends),
    ])
    .await;
}

async fn each_flaw_of_a_stack_fails_the_check() {
    assert_failures(&[
        (
            Flaw::SignsInWithAToken,
            "a sign-in with a token starts no session",
        ),
        (
            Flaw::StartsASessionForEach,
            "a request with a token starts no session",
        ),
        (Flaw::ShowsTheOwnerOfTheToken, "the session alone"),
    ])
    .await;
}

async fn each_flaw_while_the_store_fails_fails_the_check() {
    for (flaw, rule) in [
        (
            Flaw::HidesFailures,
            "the future fails if the session store does",
        ),
        (Flaw::EndsAlthoughItFails, "is left unmodified"),
        (Flaw::LeavesTheUserIfItFails, "also if it cannot be ended"),
        (Flaw::RenewsTheCookie, "no cookie is set for a session"),
    ] {
        let table = SessionTable::with(flaw);
        check(&table).run().await;
        let message = failure(run_with_failing_table(&table)).await;
        assert!(message.contains(rule), "{flaw:?}: {message}");
    }
}

async fn the_owner_of_the_token_is_signed_in() {
    let (table, test) = (SessionTable::default(), TestPats::new());
    let layer = PatLayer::optional(test.pats()).with_session_invalidator(table.clone());
    let app = stack(&table, layer);
    let alice = test.token("alice").await;
    let set = table.start();
    let cookie = set.to_str().expect("text").split(';').next();
    let cookie = HeaderValue::from_str(cookie.expect("a pair")).expect("visible characters");
    let session = HeaderMap::from_iter([(header::COOKIE, cookie)]);
    let mut both = alice.clone();
    both.extend(session.clone());
    for (headers, expected) in [
        (&session, "victim"),
        (&both, "alice"),
        (&alice, "alice"),
        (&session, ""),
    ] {
        let (_, said) = ask(&app, headers).await;
        let is_rejection = said.contains("urn:problem-type");
        assert_eq!(if is_rejection { "" } else { &said }, expected);
    }
}

async fn a_missing_session_layer_of_the_host_is_an_error() {
    let (table, test) = (SessionTable::default(), TestPats::new());
    let layer = PatLayer::optional(test.pats()).with_session_invalidator(table.clone());
    let alice = test.token("alice").await;
    let (status, said) = ask(&routes(&table, layer), &alice).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(said.contains("pat/misconfigured"), "{said}");
}

async fn ask(app: &Router, headers: &HeaderMap) -> (StatusCode, String) {
    let response = pat_tower::testing::get(app, "/whoami", headers).await;
    (response.status(), text_of(response).await)
}
