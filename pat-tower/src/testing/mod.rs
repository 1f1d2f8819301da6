//! Helpers for tests of a host's own handlers: tokens, an administrator, every refusal, and a clock that the
//! test advances; and a suite for sessions of the host's own ([`SessionCheck`]). Needs the feature `testing`.
//!
//! A test builds the host's router with the service of a [`TestPats`], in place of the service on a database:
//!
//! ```
//! use std::time::Duration;
//!
//! use pat_tower::testing::{Refusal, TestPats, get};
//! # use axum::{Router, routing};
//! # use pat_core::Pats;
//! # use pat_tower::{Admin, Pat, PatLayer};
//!
//! # fn app(pats: Pats) -> Router {
//! #     Router::new()
//! #         .route("/reports", routing::get(async |pat: Pat| pat.owner().to_string()))
//! #         .route("/users", routing::get(async |_: Admin| "users"))
//! #         .layer(PatLayer::optional(pats.clone()))
//! #         .with_state(pats)
//! # }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let test = TestPats::new();
//! let app = app(test.pats()); // the host's router
//! let (alice, root) = (test.token("alice").await, test.administrator("root").await);
//! assert_eq!(get(&app, "/reports", &alice).await.status(), 200);
//! assert_eq!(get(&app, "/users", &alice).await.status(), 403);
//! assert_eq!(get(&app, "/users", &root).await.status(), 200);
//! for refusal in Refusal::ALL {
//!     let headers = test.refused(refusal).await;
//!     assert_eq!(get(&app, "/reports", &headers).await.status(), refusal.status(), "{refusal}");
//! }
//! test.clock().advance(Duration::from_hours(31 * 24));
//! assert_eq!(get(&app, "/reports", &alice).await.status(), 401);
//! # }
//! ```

mod sessions;

use std::fmt::{self, Debug};
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use jiff::{SignedDuration, Timestamp};
use pat_core::store::{Insertion, NewToken, TokenStore};
use pat_core::testing::{TestClock, TestDirectory};
use pat_core::{Caller, MemoryStore, Owner, Pats, PlainToken, Settings, TokenId, UserDirectory};
use serde::Serialize;
use tower_service::Service;

pub use self::sessions::SessionCheck;

/// A service with a store in memory, a clock that the test advances, and users that the test adds.
#[derive(Debug)]
pub struct TestPats {
    pats: Pats,
    store: Arc<MemoryStore>,
    clock: Arc<TestClock>,
    users: TestDirectory,
    next_id: AtomicI64,
}

impl Default for TestPats {
    fn default() -> Self {
        Self::new()
    }
}

impl TestPats {
    /// Creates a service with the default settings and without users.
    #[must_use]
    pub fn new() -> Self {
        Self::with_settings(Settings::default())
    }

    /// Creates a service with these settings and without users.
    #[must_use]
    pub fn with_settings(settings: Settings) -> Self {
        let store = Arc::<MemoryStore>::default();
        let clock = Arc::<TestClock>::default();
        let users = TestDirectory::default();
        let pats = Pats::builder(store.clone())
            .users(Arc::new(users.clone()))
            .clock(clock.clone())
            .settings(settings)
            .build();
        Self {
            pats,
            store,
            clock,
            users,
            next_id: AtomicI64::new(1),
        }
    }

    /// Returns the service, for the host's router.
    #[must_use]
    pub fn pats(&self) -> Pats {
        self.pats.clone()
    }

    /// Returns the clock by which tokens expire.
    #[must_use]
    pub fn clock(&self) -> &TestClock {
        &self.clock
    }

    /// Returns the users, whom a test can add, disable and delete. [`TestPats::token`] and
    /// [`TestPats::administrator`] add users by themselves.
    #[must_use]
    pub fn users(&self) -> &TestDirectory {
        &self.users
    }

    /// Returns the headers of a request with a new token of this user, which expires after 30 days. Adds the
    /// user unless the directory knows the user already.
    ///
    /// # Panics
    /// If `owner` is not a valid [`Owner`].
    pub async fn token(&self, owner: &str) -> HeaderMap {
        let owner = self.user(owner).await;
        let (plain, _) = self.insert(owner, self.pats.now(), 30).await;
        bearer(plain.expose())
    }

    /// Returns the headers of a request with a new token of this administrator, like [`TestPats::token`].
    ///
    /// # Panics
    /// If `owner` is not a valid [`Owner`].
    pub async fn administrator(&self, owner: &str) -> HeaderMap {
        self.users.add_administrator(owner);
        self.token(owner).await
    }

    /// Returns the headers of a request that is refused for this reason.
    ///
    /// With [`Refusal::StoreDown`], the store is down until the next call of this method, of
    /// [`TestPats::token`] or of [`TestPats::administrator`].
    pub async fn refused(&self, refusal: Refusal) -> HeaderMap {
        let owner = self.user("refused").await;
        let now = self.pats.now();
        match refusal {
            Refusal::Missing => HeaderMap::new(),
            Refusal::Malformed => bearer("two tokens"),
            Refusal::Unknown => bearer(self.generate().expose()),
            Refusal::Expired => {
                let earlier = now - SignedDuration::from_hours(31 * 24);
                let (plain, _) = self.insert(owner, earlier, 30).await;
                bearer(plain.expose())
            }
            Refusal::Revoked => {
                let (plain, id) = self.insert(owner.clone(), now, 30).await;
                self.revoke(owner, id).await;
                bearer(plain.expose())
            }
            Refusal::OwnerInactive => {
                let headers = self.token("inactive").await;
                let owner = self.user("inactive").await;
                self.users.set_active(&owner, false);
                headers
            }
            Refusal::StoreDown => {
                let headers = self.token("refused").await;
                self.store.set_down(true);
                headers
            }
        }
    }

    /// Returns the key of this user, whom the directory then knows. Ends an outage of the store.
    async fn user(&self, key: &str) -> Owner {
        self.store.set_down(false);
        let owner = Owner::new(key).expect("an owner's key");
        match self.users.find(&owner).await {
            Ok(None) => self.users.add(key),
            _ => owner,
        }
    }

    /// Stores a token, without regard to the rules of creation, so that it may have expired.
    async fn insert(&self, owner: Owner, at: Timestamp, days: i64) -> (PlainToken, TokenId) {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let id = TokenId::new(id).expect("a small number");
        let plain = self.generate();
        let mut token = NewToken::new(id, plain.digest(), owner, "test", at);
        token.expires_at = Some(at + SignedDuration::from_hours(days * 24));
        let stored = self.store.insert(&token, u32::MAX).await;
        assert!(matches!(stored, Ok(Insertion::Stored(_))), "{stored:?}");
        (plain, id)
    }

    async fn revoke(&self, owner: Owner, id: TokenId) {
        let caller = Caller::header_authenticated(owner);
        let revoked = self.pats.revoke(&caller, id).await;
        revoked.expect("a token of the caller");
    }

    fn generate(&self) -> PlainToken {
        let format = self.pats.settings().issued_format().format();
        format.generate().expect("randomness")
    }
}

/// A reason for which a request is refused; see [`TestPats::refused`]. More variants may be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// The request has no token.
    Missing,
    /// The `Authorization` header is not one Bearer token.
    Malformed,
    /// The token could not be checked, because the store is down.
    StoreDown,
    /// The token is of the accepted format, and was never created.
    Unknown,
    /// The token has expired.
    Expired,
    /// The token is revoked.
    Revoked,
    /// The owner of the token is disabled.
    OwnerInactive,
}

impl Refusal {
    /// All variants.
    pub const ALL: [Self; 7] = [
        Self::Missing,
        Self::Malformed,
        Self::StoreDown,
        Self::Unknown,
        Self::Expired,
        Self::Revoked,
        Self::OwnerInactive,
    ];

    /// Returns the status of the response by a route that requires a token: 401, 400 for
    /// [`Refusal::Malformed`], and 503 for [`Refusal::StoreDown`].
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::StoreDown => StatusCode::SERVICE_UNAVAILABLE,
            Self::Missing | Self::Unknown | Self::Expired | Self::Revoked | Self::OwnerInactive => {
                StatusCode::UNAUTHORIZED
            }
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "a request without a token",
            Self::Malformed => "a malformed Authorization header",
            Self::StoreDown => "a token while the store is down",
            Self::Unknown => "an unknown token",
            Self::Expired => "an expired token",
            Self::Revoked => "a revoked token",
            Self::OwnerInactive => "a token of a disabled user",
        })
    }
}

/// Sends a `GET` request for `path` with these headers and an empty body to a clone of `app`, and returns the
/// response.
///
/// # Panics
/// If `path` is not a URI, or the service fails.
pub async fn get<S, B>(app: &S, path: &str, headers: &HeaderMap) -> Response<B>
where
    S: Service<Request<String>, Response = Response<B>> + Clone,
    S::Error: Debug,
{
    let mut request = Request::get(path)
        .body(String::new())
        .expect("a path of a URI");
    request.headers_mut().clone_from(headers);
    send(app, request).await
}

/// Sends a `POST` request for `path` with these headers and `body` as JSON to a clone of `app`, and returns the
/// response.
///
/// # Panics
/// If `path` is not a URI, `body` cannot be JSON, or the service fails.
pub async fn post<S, B>(
    app: &S,
    path: &str,
    headers: &HeaderMap,
    body: &(impl Serialize + ?Sized),
) -> Response<B>
where
    S: Service<Request<String>, Response = Response<B>> + Clone,
    S::Error: Debug,
{
    let json = serde_json::to_string(body).expect("a value of JSON");
    let mut request = Request::post(path).body(json).expect("a path of a URI");
    request.headers_mut().clone_from(headers);
    let json = HeaderValue::from_static("application/json");
    request.headers_mut().insert(CONTENT_TYPE, json);
    send(app, request).await
}

async fn send<S, B>(app: &S, request: Request<String>) -> Response<B>
where
    S: Service<Request<String>, Response = Response<B>> + Clone,
    S::Error: Debug,
{
    let mut app = app.clone();
    let ready = poll_fn(|context| app.poll_ready(context)).await;
    ready.expect("a service that is ready");
    app.call(request).await.expect("a response")
}

fn bearer(token: &str) -> HeaderMap {
    let value = HeaderValue::try_from(format!("Bearer {token}")).expect("visible characters");
    HeaderMap::from_iter([(AUTHORIZATION, value)])
}
