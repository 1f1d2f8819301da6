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
use pat_core::scope::{AllowedScopes, ScopeCatalog, Scopes};
use pat_core::store::{Insertion, NewToken, TokenStore};
use pat_core::testing::{TestClock, TestDirectory};
use pat_core::{
    BoxError, Caller, MemoryStore, Owner, Pats, PlainToken, Settings, TokenId, User, UserDirectory,
    async_trait,
};
use serde::Serialize;
use tower_service::Service;

pub use self::sessions::SessionCheck;

/// A service with a store in memory, a clock that the test advances, and users that the test adds, or those of
/// the host's own directory ([`TestPats::with_users`]).
#[derive(Debug)]
pub struct TestPats {
    pats: Pats,
    store: Arc<MemoryStore>,
    clock: Arc<TestClock>,
    users: TestDirectory,
    /// What the service asks: `users`, or also the host's directory.
    directory: Arc<dyn UserDirectory>,
    has_host: bool,
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
        let directory: Arc<dyn UserDirectory> = Arc::new(users.clone());
        let scopes = ScopeCatalog::default();
        Self {
            pats: service(&store, &clock, &directory, settings, scopes),
            store,
            clock,
            users,
            directory,
            has_host: false,
            next_id: AtomicI64::new(1),
        }
    }

    /// Adds the users of the host's own directory. Call it before [`TestPats::pats`]. The clock, the store and
    /// the settings remain.
    ///
    /// [`TestPats::token`] and [`TestPats::administrator`] then take the keys of these users, and add none. A user
    /// whom the test adds to [`TestPats::users`] comes before a user of the host with the same key;
    /// [`TestPats::refused`] adds users with the keys `refused` and `inactive`.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use pat_tower::testing::TestPats;
    /// # use pat_core::testing::TestDirectory;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let users = TestDirectory::default();
    /// # users.add("7");
    /// # users.add_administrator("8");
    /// let test = TestPats::new().with_users(Arc::new(users)); // the host's directory
    /// let (alice, root) = (test.token("7").await, test.administrator("8").await);
    /// # }
    /// ```
    #[must_use]
    pub fn with_users(self, directory: Arc<dyn UserDirectory>) -> Self {
        let directory: Arc<dyn UserDirectory> = Arc::new(WithHost {
            added: self.users.clone(),
            host: directory,
        });
        Self {
            directory,
            has_host: true,
            ..self
        }
        .rebuilt(None)
    }

    /// Sets the scopes that the host declares; none by default. Call it before [`TestPats::pats`]. The clock, the
    /// store, the settings and the users remain.
    #[must_use]
    pub fn with_scopes(self, catalog: ScopeCatalog) -> Self {
        self.rebuilt(Some(catalog))
    }

    /// Returns the same with another service, which has these scopes or those of the last one.
    fn rebuilt(self, catalog: Option<ScopeCatalog>) -> Self {
        let settings = self.pats.settings().clone();
        let catalog = catalog.unwrap_or_else(|| self.pats.scope_catalog().clone());
        Self {
            pats: service(&self.store, &self.clock, &self.directory, settings, catalog),
            ..self
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
    /// [`TestPats::administrator`] add users by themselves, unless the users are those of the host's directory
    /// ([`TestPats::with_users`]).
    #[must_use]
    pub fn users(&self) -> &TestDirectory {
        &self.users
    }

    /// Returns the headers of a request with a new token of this user, which expires after 30 days. Adds the
    /// user unless the directory knows the user already.
    ///
    /// # Panics
    /// If `owner` is not a valid [`Owner`], or if the host's own directory ([`TestPats::with_users`]) does not know
    /// the user.
    pub async fn token(&self, owner: &str) -> HeaderMap {
        let owner = self.user(owner).await;
        self.token_of(owner, None).await
    }

    /// Returns the headers of a request with a new token of this user that has these scopes, like
    /// [`TestPats::token`]. Scopes that the service does not declare ([`TestPats::with_scopes`]) permit nothing.
    ///
    /// ```
    /// use axum::Router;
    /// use pat_core::scope::ScopeCatalog;
    /// use pat_tower::PatLayer;
    /// use pat_tower::scope::ScopedRouter;
    /// use pat_tower::testing::{TestPats, get};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let scopes = ScopeCatalog::builder().scope("read", "Read reports").scope("export", "Export reports");
    /// let test = TestPats::new().with_scopes(scopes.build()?);
    /// let (router, scopes) = ScopedRouter::new()
    ///     .get("/reports", "read", async || "reports")
    ///     .into_parts();
    /// let app: Router = router.layer(PatLayer::required(test.pats()).with_scope_map(scopes)?);
    /// let (reader, exporter) = (
    ///     test.token_with_scopes("alice", &["read"]).await,
    ///     test.token_with_scopes("alice", &["export"]).await,
    /// );
    /// assert_eq!(get(&app, "/reports", &reader).await.status(), 200);
    /// assert_eq!(get(&app, "/reports", &exporter).await.status(), 403);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    /// As [`TestPats::token`] does, and if `scopes` are not valid [`Scopes`].
    pub async fn token_with_scopes(&self, owner: &str, scopes: &[&str]) -> HeaderMap {
        let owner = self.user(owner).await;
        let scopes = Scopes::new(scopes).expect("valid names of scopes");
        self.token_of(owner, Some(scopes)).await
    }

    /// Returns the headers of a request with a new token of this administrator, like [`TestPats::token`]. Makes the
    /// user an administrator.
    ///
    /// # Panics
    /// If `owner` is not a valid [`Owner`], or if for the host's own directory ([`TestPats::with_users`]) the user
    /// is not an administrator.
    pub async fn administrator(&self, owner: &str) -> HeaderMap {
        if !self.has_host {
            self.users.add_administrator(owner);
        }
        let key = self.user(owner).await;
        let is_administrator = self.directory.is_administrator(&key).await;
        assert!(
            !matches!(is_administrator, Ok(false)),
            "for the host's directory, the user {owner:?} is not an administrator; make the user one"
        );
        self.token_of(key, None).await
    }

    /// Returns the headers of a request that is refused for this reason.
    ///
    /// With [`Refusal::StoreDown`], the store is down until the next call of this method, of
    /// [`TestPats::token`] or of [`TestPats::administrator`].
    pub async fn refused(&self, refusal: Refusal) -> HeaderMap {
        self.store.set_down(false);
        let owner = self.added("refused").await;
        let now = self.pats.now();
        match refusal {
            Refusal::Missing => HeaderMap::new(),
            Refusal::Malformed => bearer("two tokens"),
            Refusal::Unknown => bearer(self.generate().expose()),
            Refusal::Expired => {
                let earlier = now - SignedDuration::from_hours(31 * 24);
                let (plain, _) = self.insert(owner, earlier, 30, None).await;
                bearer(plain.expose())
            }
            Refusal::Revoked => {
                let (plain, id) = self.insert(owner.clone(), now, 30, None).await;
                self.revoke(owner, id).await;
                bearer(plain.expose())
            }
            Refusal::OwnerInactive => {
                let owner = self.added("inactive").await;
                let headers = self.token_of(owner.clone(), None).await;
                self.users.set_active(&owner, false);
                headers
            }
            Refusal::StoreDown => {
                let headers = self.token_of(owner, None).await;
                self.store.set_down(true);
                headers
            }
        }
    }

    /// Returns the key of this user, whom the directory then knows. Ends an outage of the store.
    async fn user(&self, key: &str) -> Owner {
        self.store.set_down(false);
        if !self.has_host {
            return self.added(key).await;
        }
        let owner = Owner::new(key).expect("an owner's key");
        let found = self.directory.find(&owner).await;
        assert!(
            !matches!(found, Ok(None)),
            "the host's directory does not know the user {key:?}; add the user to it, and pass the key with which \
             the host's login creates the `Caller`"
        );
        owner
    }

    /// Returns the key of this user, whom the test then has added.
    async fn added(&self, key: &str) -> Owner {
        let owner = Owner::new(key).expect("an owner's key");
        match self.users.find(&owner).await {
            Ok(None) => self.users.add(key),
            _ => owner,
        }
    }

    async fn token_of(&self, owner: Owner, scopes: Option<Scopes>) -> HeaderMap {
        let (plain, _) = self.insert(owner, self.pats.now(), 30, scopes).await;
        bearer(plain.expose())
    }

    /// Stores a token, without regard to the rules of creation, so that it may have expired.
    async fn insert(
        &self,
        owner: Owner,
        at: Timestamp,
        days: i64,
        scopes: Option<Scopes>,
    ) -> (PlainToken, TokenId) {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let id = TokenId::new(id).expect("a small number");
        let plain = self.generate();
        let mut token = NewToken::new(id, plain.digest(), owner, "test", at);
        token.expires_at = Some(at + SignedDuration::from_hours(days * 24));
        token.scopes = scopes;
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

fn service(
    store: &Arc<MemoryStore>,
    clock: &Arc<TestClock>,
    directory: &Arc<dyn UserDirectory>,
    settings: Settings,
    scopes: ScopeCatalog,
) -> Pats {
    Pats::builder(store.clone())
        .users(directory.clone())
        .clock(clock.clone())
        .settings(settings)
        .scopes(scopes)
        .build()
}

/// The users that a test has added, and those of the host whose keys differ.
#[derive(Debug)]
struct WithHost {
    added: TestDirectory,
    host: Arc<dyn UserDirectory>,
}

#[async_trait]
impl UserDirectory for WithHost {
    async fn find(&self, owner: &Owner) -> Result<Option<User>, BoxError> {
        match self.added.find(owner).await? {
            Some(user) => Ok(Some(user)),
            None => self.host.find(owner).await,
        }
    }

    async fn is_administrator(&self, owner: &Owner) -> Result<bool, BoxError> {
        match self.added.find(owner).await? {
            Some(_) => self.added.is_administrator(owner).await,
            None => self.host.is_administrator(owner).await,
        }
    }

    async fn search(&self, contains: &str, limit: usize) -> Result<Vec<User>, BoxError> {
        let mut found = self.added.search(contains, limit).await?;
        for user in self.host.search(contains, limit).await? {
            if self.added.find(&user.owner).await?.is_none() {
                found.push(user);
            }
        }
        found.truncate(limit);
        Ok(found)
    }

    async fn profiles(&self, owners: &[Owner]) -> Result<Vec<User>, BoxError> {
        let mut users = self.added.profiles(owners).await?;
        let is_added = |owner: &&Owner| users.iter().any(|user| user.owner == **owner);
        let others = owners.iter().filter(|owner| !is_added(owner));
        let others: Vec<_> = others.cloned().collect();
        if !others.is_empty() {
            users.extend(self.host.profiles(&others).await?);
        }
        Ok(users)
    }

    async fn allowed_scopes(
        &self,
        owner: &Owner,
        catalog: &ScopeCatalog,
    ) -> Result<AllowedScopes, BoxError> {
        match self.added.find(owner).await? {
            Some(_) => self.added.allowed_scopes(owner, catalog).await,
            None => self.host.allowed_scopes(owner, catalog).await,
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A host of one user, who may create no tokens.
    #[derive(Debug)]
    struct Host;

    #[async_trait]
    impl UserDirectory for Host {
        async fn find(&self, owner: &Owner) -> Result<Option<User>, BoxError> {
            let is_known = owner.as_str() == "7";
            Ok(is_known.then(|| User::new(owner.clone(), "alice", "Alice", true)))
        }

        async fn is_administrator(&self, _: &Owner) -> Result<bool, BoxError> {
            Ok(false)
        }

        async fn search(&self, _: &str, _: usize) -> Result<Vec<User>, BoxError> {
            Ok(Vec::new())
        }

        async fn allowed_scopes(
            &self,
            _: &Owner,
            catalog: &ScopeCatalog,
        ) -> Result<AllowedScopes, BoxError> {
            Ok(AllowedScopes::only(catalog.set::<&str>([])?))
        }
    }

    #[tokio::test]
    async fn the_host_restricts_the_scopes_of_its_users_alone() {
        let test = TestPats::new().with_users(Arc::new(Host));
        let added = test.users().add("8");
        let catalog = ScopeCatalog::default();
        for (owner, unrestricted) in [(Owner::new("7").expect("a key"), false), (added, true)] {
            let allowed = test.directory.allowed_scopes(&owner, &catalog).await;
            assert_eq!(
                allowed.expect("scopes").unrestricted,
                unrestricted,
                "{owner}"
            );
        }
    }
}
