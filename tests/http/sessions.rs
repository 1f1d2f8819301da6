//! Sessions beside tokens: cookie-jar clients, and what is left of a session after a token.

use libtest_mimic::Trial;
use pat_harness::{Answer, MYSELF, Server, TOKENS, answer, trial};
use reqwest::StatusCode;
use serde_json::json;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(sign_in_renews_the_session_id),
        trial(a_token_decides_whatever_the_session),
        trial(a_request_with_a_token_ends_the_session),
        trial(invalidation_can_be_switched_off),
        trial(handlers::a_handlers_session_value_is_discarded),
        trial(handlers::a_failing_session_store_changes_no_answer),
        trial(handlers::a_second_layer_ends_the_session_too),
        trial(handlers::a_session_layer_inside_or_of_another_version_is_an_error),
    ]
}

/// Signs in and returns the cookie as a client sends it.
async fn sign_in(server: &Server, user: &str) -> String {
    let credentials = json!({"username": user, "password": user});
    let signed_in = answer(server.post("/rest/auth/1/session").json(&credentials)).await;
    assert_eq!(signed_in.status, StatusCode::OK, "{}", signed_in.body);
    let cookie = set_cookie(&signed_in).expect("a cookie");
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"),
        "{cookie}"
    );
    assert!(!cookie.contains("Secure"), "not on loopback");
    let pair = cookie.split(';').next().expect("name and value").to_owned();
    let session = &signed_in.json()["session"];
    assert_eq!(
        pair,
        format!("JSESSIONID={}", session["value"].as_str().expect("an id"))
    );
    pair
}

fn set_cookie(answer: &Answer) -> Option<String> {
    answer.header("set-cookie").map(str::to_owned)
}

async fn user_of(server: &Server, cookie: &str) -> StatusCode {
    answer(server.get(MYSELF).header("cookie", cookie))
        .await
        .status
}

async fn sign_in_renews_the_session_id() {
    let server = Server::start().await;
    let planted = sign_in(&server, "bob").await;
    let credentials = json!({"username": "alice", "password": "alice"});
    let request = server
        .post("/rest/auth/1/session")
        .header("cookie", &planted)
        .json(&credentials);
    let own = set_cookie(&answer(request).await).expect("a new cookie");
    assert!(!own.starts_with(&planted), "the id is a new one");
    assert_eq!(
        user_of(&server, &planted).await,
        StatusCode::UNAUTHORIZED,
        "the old one is dead"
    );
    let own = own.split(';').next().expect("name and value");
    assert_eq!(user_of(&server, own).await, StatusCode::OK);
}

/// No, a dead or a live session × no, a bad or a good token.
async fn a_token_decides_whatever_the_session() {
    let server = Server::start().await;
    let token = server.create("bob").await.raw;
    let dead = "JSESSIONID=AAAAAAAAAAAAAAAAAAAAAA";
    for session in [None, Some(dead), Some("live")] {
        for bearer in [None, Some("pat_x"), Some(token.as_str())] {
            let live = sign_in(&server, "alice").await;
            let cookie = session.map(|session| {
                if session == "live" {
                    live.as_str()
                } else {
                    session
                }
            });
            let mut request = server.get(MYSELF);
            if let Some(cookie) = cookie {
                request = request.header("cookie", cookie);
            }
            if let Some(bearer) = bearer {
                request = request.bearer_auth(bearer);
            }
            let answer = answer(request).await;
            let cell = format!("{session:?} {bearer:?}: {answer:?}");
            let expected = match (session, bearer) {
                (_, Some("pat_x")) => None,
                (_, Some(_)) => Some("bob"),
                (Some("live"), None) => Some("alice"),
                (_, None) => None,
            };
            match expected {
                Some(user) => assert_eq!(answer.json()["name"], user, "{cell}"),
                None => assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{cell}"),
            }
            let is_good = bearer == Some(token.as_str());
            match set_cookie(&answer) {
                Some(cookie) => assert!(cookie.contains("Max-Age=0"), "only a removal: {cell}"),
                None => assert!(!is_good || cookie.is_none(), "a removal goes out: {cell}"),
            }
            let alive = if is_good && session == Some("live") {
                StatusCode::UNAUTHORIZED
            } else {
                StatusCode::OK
            };
            assert_eq!(user_of(&server, &live).await, alive, "{cell}");
        }
    }
}

async fn a_request_with_a_token_ends_the_session() {
    let server = Server::start().await;
    let token = server.create("alice").await;
    let cookie = sign_in(&server, "alice").await;
    for path in [MYSELF, TOKENS, "/rest/pat/latest/tokens/1"] {
        let request = server
            .get(path)
            .header("cookie", &cookie)
            .bearer_auth(&token.raw);
        assert!(answer(request).await.status != StatusCode::UNAUTHORIZED);
        assert_eq!(user_of(&server, &cookie).await, StatusCode::UNAUTHORIZED);
    }
}

async fn invalidation_can_be_switched_off() {
    let server = Server::with(&[("atlassian.pats.invalidate.session.enabled", "false")]).await;
    let token = server.create("bob").await;
    let cookie = sign_in(&server, "alice").await;
    let request = server
        .get(MYSELF)
        .header("cookie", &cookie)
        .bearer_auth(&token.raw);
    let answer = answer(request).await;
    assert_eq!(
        answer.json()["name"],
        "bob",
        "the token's owner is the caller"
    );
    assert_eq!(set_cookie(&answer), None);
    assert_eq!(
        user_of(&server, &cookie).await,
        StatusCode::OK,
        "the session is left alone"
    );
}

/// A host whose handler writes into its session.
mod handlers {
    use std::sync::Arc;

    use async_trait::async_trait;
    use axum::Router;
    use axum::body::Body;
    use axum::routing::get;
    use http::{Request, Response, StatusCode, header};
    use pat_core::Pats;
    use pat_tower::{PatLayer, TowerSessions};
    use tower::ServiceExt as _;
    use tower_sessions::session::{Id, Record};
    use tower_sessions::session_store::{Error, Result};
    use tower_sessions::{MemoryStore, Session, SessionManagerLayer, SessionStore};

    use pat_harness::node::bearer;

    async fn write(session: Session) -> String {
        let before: Option<String> = session.get("user").await.expect("a session");
        session.insert("user", "mallory").await.expect("a session");
        session.save().await.expect("a session");
        before.unwrap_or_default()
    }

    /// Calls `app` with a good token of `pats`, and perhaps a session.
    async fn call(pats: &Pats, app: Router, cookie: Option<Id>) -> (Response<Body>, String) {
        let mut request = Request::builder().header(header::AUTHORIZATION, bearer(pats).await);
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

    fn pats() -> Pats {
        Pats::builder(Arc::new(pat_core::MemoryStore::default())).build()
    }

    /// A host with its session layer outside of ours.
    fn host(store: impl SessionStore + Clone, pats: &Pats) -> Router {
        Router::new()
            .route("/", get(write))
            .layer(PatLayer::optional(pats.clone()).with_session_invalidator(TowerSessions))
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

    /// Takes everything but cannot delete.
    #[derive(Debug, Clone)]
    struct Undeletable(MemoryStore);

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

        async fn delete(&self, _: &Id) -> Result<()> {
            Err(Error::Backend("the store is read-only".into()))
        }
    }

    pub(super) async fn a_failing_session_store_changes_no_answer() {
        let store = MemoryStore::default();
        let id = stored(&store).await;
        let pats = pats();
        let app = host(Undeletable(store), &pats);
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
                .layer(PatLayer::required(pats.clone()).with_session_invalidator(TowerSessions))
                .layer(outer)
                .layer(SessionManagerLayer::new(store.clone()));
            let (response, before) = call(&pats, app, Some(id)).await;
            assert_eq!((response.status(), before.as_str()), (StatusCode::OK, ""));
            assert_eq!(store.load(&id).await.expect("a store"), None, "destroyed");
        }
    }

    /// Nothing goes on with a session that our layer cannot see.
    pub(super) async fn a_session_layer_inside_or_of_another_version_is_an_error() {
        async fn unreachable() -> &'static str {
            "reached"
        }
        let pats = pats();
        let ours = || PatLayer::optional(pats.clone()).with_session_invalidator(TowerSessions);
        let route = || Router::new().route("/", get(unreachable));
        let store = MemoryStore::default();
        let id = stored(&store).await;
        let inside = route()
            .layer(SessionManagerLayer::new(store.clone()))
            .layer(ours());
        let older = tower_sessions_014::SessionManagerLayer::new(
            tower_sessions_014::MemoryStore::default(),
        );
        for app in [inside, route().layer(ours()).layer(older)] {
            let (response, text) = call(&pats, app, Some(id)).await;
            assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
            assert!(
                text.contains("urn:problem-type:pat/misconfigured"),
                "{text}"
            );
        }
        assert!(store.load(&id).await.expect("a store").is_some());
    }
}
