//! Session invalidation: after a request that a token authenticated, no session may outlive the token.

#[cfg(feature = "axum-login")]
mod axum_login;
#[cfg(any(feature = "tower-sessions", feature = "tower-sessions-014"))]
mod tower_sessions;

use std::fmt::Debug;
use std::pin::Pin;

use http::Extensions;
use pat_core::BoxError;

#[cfg(feature = "axum-login")]
pub use self::axum_login::AxumLogin;
#[cfg(feature = "tower-sessions")]
pub use self::tower_sessions::TowerSessions;
#[cfg(feature = "tower-sessions-014")]
pub use self::tower_sessions::TowerSessions014;

/// Ends the host's session, if there is one, of each request that a token authenticates: a client that
/// sends a token and a session cookie acts as the token's owner alone, and leaves no session behind.
///
/// A [`PatLayer`](crate::PatLayer) with this invalidator
/// ([`PatLayer::with_session_invalidator`](crate::PatLayer::with_session_invalidator)) calls
/// [`detach`](SessionInvalidator::detach) before it calls the inner service.
///
/// With the feature `tower-sessions`, `TowerSessions` is the implementation for tower-sessions 0.15; with the
/// feature `tower-sessions-014`, `TowerSessions014` is that for version 0.14; with the feature `axum-login`,
/// `AxumLogin` is that for axum-login 0.18. A host with sessions of its own, here a cookie and a table, needs
/// about 20 lines, and `pat_tower::testing::SessionCheck` (feature `testing`) checks them:
///
/// ```
/// use std::collections::HashMap;
/// use std::fmt::{self, Debug, Formatter};
/// use std::sync::{Arc, Mutex};
///
/// use http::{Extensions, Request, Response, header};
/// use pat_core::{BoxError, MemoryStore, Owner, Pats};
/// use pat_tower::{Destroy, PatLayer, SessionInvalidator};
///
/// /// The host's table of sessions: the user of each session ID.
/// #[derive(Clone, Default)]
/// struct SessionTable(Arc<Mutex<HashMap<String, Owner>>>);
///
/// impl Debug for SessionTable {
///     fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
///         f.debug_tuple("SessionTable").finish_non_exhaustive()
///     }
/// }
///
/// /// The ID in the session cookie, which the host's session layer inserts into every request.
/// #[derive(Debug, Clone)]
/// struct SessionId(Option<String>);
///
/// impl SessionInvalidator for SessionTable {
///     fn detach(&self, extensions: &mut Extensions) -> Result<Option<Destroy>, BoxError> {
///         let slot = extensions.get_mut::<SessionId>();
///         let slot = slot.ok_or("the session layer must be outside of the PatLayer")?;
///         // Handlers see a request without a session.
///         let Some(id) = slot.0.take() else {
///             return Ok(None);
///         };
///         let table = self.clone();
///         Ok(Some(Box::pin(async move {
///             table.0.lock().map_err(|_| "a panic")?.remove(&id);
///             Ok(())
///         })))
///     }
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), BoxError> {
/// # use http_body_util::Full;
/// # use pat_core::{Caller, TokenRequest};
/// # use tower::{Layer, ServiceExt, service_fn};
/// # let pats = Pats::builder(Arc::new(MemoryStore::default())).build();
/// # let alice = Owner::new("alice")?;
/// # let caller = Caller::cookie_authenticated(alice.clone());
/// # let token = pats.create(&caller, TokenRequest::new("ci", None)).await?;
/// # let bearer = format!("Bearer {}", token.plain.expose());
/// # let table = SessionTable::default();
/// # table.0.lock().unwrap().insert("1234".into(), alice);
/// let layer = PatLayer::optional(pats).with_session_invalidator(table.clone());
/// # let service = layer.layer(service_fn(async |request: Request<()>| {
/// #     assert!(request.extensions().get::<SessionId>().expect("a slot").0.is_none());
/// #     Ok::<_, std::convert::Infallible>(Response::new(Full::<bytes::Bytes>::default()))
/// # }));
/// # let request = Request::builder().header(header::AUTHORIZATION, bearer);
/// # let request = request.extension(SessionId(Some("1234".into()))).body(())?;
/// # assert_eq!(service.oneshot(request).await?.status(), 200);
/// # assert!(table.0.lock().unwrap().is_empty());
/// # Ok(())
/// # }
/// ```
///
/// The host's own login must start no session in a request that a token authenticated, which
/// [`Pat::of`](crate::Pat::of) tells.
pub trait SessionInvalidator: Debug + Send + Sync + 'static {
    /// Replaces the session in the request's extensions by an empty session that is never stored, so that
    /// a handler can neither mix one user's session with another user's token, nor store anything in the
    /// session.
    ///
    /// Returns a future that destroys the session that came with the request; `None` if the request
    /// had no session. The layer runs the future in a task of its own and waits for it before it calls the inner
    /// service, so that the session is destroyed even if the client disconnects or a handler panics.
    ///
    /// If the future fails, the layer logs the error and calls the inner service. The future must then have
    /// left the session unmodified for the host's session layer, so that this layer sets no cookie for the
    /// session.
    ///
    /// # Errors
    /// If the extensions lack the value that the host's session layer inserts into every request: the
    /// session layer is missing, inside of the `PatLayer`, or of another version. The `PatLayer` then
    /// rejects the request with 500, because a session could outlive the token, and logs the error. The
    /// text of the error should say what to change.
    fn detach(&self, extensions: &mut Extensions) -> Result<Option<Destroy>, BoxError>;
}

/// A future that destroys the session which [`SessionInvalidator::detach`] has detached. It fails if the
/// host's session store fails.
pub type Destroy = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;
