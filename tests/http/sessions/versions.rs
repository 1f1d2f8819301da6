//! A host whose handler writes into its session, with each version of tower-sessions that has an adapter.

use std::sync::Arc;

use libtest_mimic::Trial;
use pat_core::Pats;
use pat_harness::trial;

/// The tests for one version. The versions have types of their own.
macro_rules! tests {
    ($version:ident, $tower_sessions:ident, $adapter:ident, other: $other:ident,
     $error_of_none:literal, $error_of_other:literal) => {
        mod $version {
            use std::sync::Arc;
            use std::sync::atomic::{AtomicBool, Ordering};

            use async_trait::async_trait;
            use axum::Router;
            use axum::body::Body;
            use axum::routing::{get, post};
            use http::{Request, Response, StatusCode, header};
            use pat_core::Pats;
            use pat_harness::node::bearer;
            use pat_tower::testing::SessionCheck;
            use pat_tower::{PatLayer, $adapter};
            use tower::ServiceExt as _;
            use $tower_sessions::session::{Id, Record};
            use $tower_sessions::session_store::{Error, Result};
            use $tower_sessions::{MemoryStore, Session, SessionManagerLayer, SessionStore};

            use super::pats;
            use pat_harness::Log;

            async fn write(session: Session) -> String {
                let before: Option<String> = session.get("user").await.expect("a session");
                session.insert("user", "mallory").await.expect("a session");
                session.save().await.expect("a session");
                before.unwrap_or_default()
            }

            /// Calls `app` with a good token of `pats`, and perhaps a session.
            async fn call(
                pats: &Pats,
                app: Router,
                cookie: Option<Id>,
            ) -> (Response<Body>, String) {
                let mut request =
                    Request::builder().header(header::AUTHORIZATION, bearer(pats).await);
                if let Some(id) = cookie {
                    request = request.header(header::COOKIE, format!("id={id}"));
                }
                let request = request.body(Body::empty()).expect("a request");
                let response = app.oneshot(request).await.expect("an answer");
                let (head, body) = response.into_parts();
                let body = axum::body::to_bytes(body, 1000).await.expect("a body");
                let text = String::from_utf8_lossy(&body).into_owned();
                (Response::from_parts(head, Body::empty()), text)
            }

            /// A host with its session layer outside of ours.
            fn host(store: impl SessionStore + Clone, pats: &Pats) -> Router {
                Router::new()
                    .route("/", get(write))
                    .layer(PatLayer::optional(pats.clone()).with_session_invalidator($adapter))
                    .layer(SessionManagerLayer::new(store))
            }

            async fn stored(store: &MemoryStore) -> Id {
                let session = Session::new(None, Arc::new(store.clone()), None);
                session.insert("user", "victim").await.expect("a session");
                session.save().await.expect("a session");
                session.id().expect("an id")
            }

            pub(super) async fn a_handlers_session_value_is_discarded() {
                let store = MemoryStore::default();
                let pats = pats();
                let app = host(store.clone(), &pats);
                let (response, before) = call(&pats, app.clone(), None).await;
                assert_eq!((response.status(), before.as_str()), (StatusCode::OK, ""));
                assert_eq!(
                    response.headers().get(header::SET_COOKIE),
                    None,
                    "nothing is kept"
                );

                let id = stored(&store).await;
                let (response, before) = call(&pats, app, Some(id)).await;
                assert_eq!(
                    before, "",
                    "the handler does not see the session that came along"
                );
                let cookie = response
                    .headers()
                    .get(header::SET_COOKIE)
                    .expect("a removal cookie");
                assert!(
                    cookie.to_str().expect("text").contains("Max-Age=0"),
                    "{cookie:?}"
                );
                assert_eq!(store.load(&id).await.expect("a store"), None, "destroyed");
            }

            async fn show(session: Session) -> String {
                let user: Option<String> = session.get("user").await.expect("a session");
                user.unwrap_or_default()
            }

            async fn log_in(session: Session) {
                session.cycle_id().await.expect("a session");
                session.insert("user", "victim").await.expect("a session");
            }

            pub(super) async fn the_adapter_passes_the_check_for_hosts() {
                let store = Undeletable::default();
                let log_in_request = Request::post("/login").body(String::new());
                let stack = |layer: PatLayer| {
                    Router::new()
                        .route("/login", post(log_in))
                        .route("/session", get(show))
                        .layer(layer)
                        .layer(SessionManagerLayer::new(store.clone()))
                };
                let log_in_request = log_in_request.expect("a request");
                let check = SessionCheck::new($adapter, stack, log_in_request, "/session");
                check.run().await;
                let set_failing = |is_failing| store.1.store(is_failing, Ordering::Relaxed);
                check.run_with_failing_store(set_failing).await;
            }

            /// Takes everything but cannot delete, while the flag is set.
            #[derive(Debug, Clone, Default)]
            struct Undeletable(MemoryStore, Arc<AtomicBool>);

            #[async_trait]
            impl SessionStore for Undeletable {
                async fn create(&self, record: &mut Record) -> Result<()> {
                    self.0.create(record).await
                }

                async fn save(&self, record: &Record) -> Result<()> {
                    self.0.save(record).await
                }

                async fn load(&self, id: &Id) -> Result<Option<Record>> {
                    self.0.load(id).await
                }

                async fn delete(&self, id: &Id) -> Result<()> {
                    if self.1.load(Ordering::Relaxed) {
                        return Err(Error::Backend("the store is read-only".into()));
                    }
                    self.0.delete(id).await
                }
            }

            pub(super) async fn a_failing_session_store_changes_no_answer() {
                let store = MemoryStore::default();
                let id = stored(&store).await;
                let pats = pats();
                let app = host(Undeletable(store, Arc::new(true.into())), &pats);
                let (response, before) = call(&pats, app, Some(id)).await;
                assert_eq!((response.status(), before.as_str()), (StatusCode::OK, ""));
                assert_eq!(
                    response.headers().get(header::SET_COOKIE),
                    None,
                    "no cookie for a live session"
                );
            }

            /// The outer layer, which judges the token, knows of no sessions.
            pub(super) async fn a_second_layer_ends_the_session_too() {
                let (store, pats) = (MemoryStore::default(), pats());
                let id = stored(&store).await;
                for outer in [
                    PatLayer::optional(pats.clone()),
                    PatLayer::optional(pats.clone()).keep_authorization_header(),
                ] {
                    let app = Router::new()
                        .route("/", get(write))
                        .layer(PatLayer::required(pats.clone()).with_session_invalidator($adapter))
                        .layer(outer)
                        .layer(SessionManagerLayer::new(store.clone()));
                    let (response, before) = call(&pats, app, Some(id)).await;
                    assert_eq!((response.status(), before.as_str()), (StatusCode::OK, ""));
                    assert_eq!(store.load(&id).await.expect("a store"), None, "destroyed");
                }
            }

            /// Nothing goes on with a session that our layer cannot see.
            pub(super) async fn a_session_layer_inside_or_of_another_version_is_an_error() {
                let pats = pats();
                let ours = || PatLayer::optional(pats.clone()).with_session_invalidator($adapter);
                let route = || Router::new().route("/", get(async || "reached"));
                let store = MemoryStore::default();
                let id = stored(&store).await;
                let inside = route()
                    .layer(SessionManagerLayer::new(store.clone()))
                    .layer(ours());
                let other = $other::SessionManagerLayer::new($other::MemoryStore::default());
                for (app, error) in [
                    (inside, $error_of_none),
                    (route().layer(ours()).layer(other), $error_of_other),
                ] {
                    let log = Log::default();
                    let _guard = log.start();
                    let (response, text) = call(&pats, app, Some(id)).await;
                    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
                    assert!(
                        text.contains("urn:problem-type:pat/misconfigured"),
                        "{text}"
                    );
                    let log = log.text();
                    assert!(log.contains(error), "{log}");
                }
                assert!(store.load(&id).await.expect("a store").is_some());
            }
        }
    };
}

tests!(
    v0_15,
    tower_sessions,
    TowerSessions,
    other: tower_sessions_014,
    "no session of tower-sessions 0.15",
    "a session of tower-sessions 0.14, not 0.15: use `TowerSessions014`"
);
tests!(
    v0_14,
    tower_sessions_014,
    TowerSessions014,
    other: tower_sessions,
    "no session of tower-sessions 0.14",
    "a session of tower-sessions 0.15, not 0.14: use `TowerSessions`"
);

/// The trials for each version.
macro_rules! trials {
    ($($version:ident),*) => {
        vec![$(
            trial($version::the_adapter_passes_the_check_for_hosts),
            trial($version::a_handlers_session_value_is_discarded),
            trial($version::a_failing_session_store_changes_no_answer),
            trial($version::a_second_layer_ends_the_session_too),
            trial($version::a_session_layer_inside_or_of_another_version_is_an_error),
        )*]
    };
}

pub(super) fn trials() -> Vec<Trial> {
    trials!(v0_15, v0_14)
}

fn pats() -> Pats {
    Pats::builder(Arc::new(pat_core::MemoryStore::default())).build()
}
