//! Session invalidation: after a request that a token authenticated, no session may outlive the token.

#[cfg(feature = "tower-sessions")]
mod tower_sessions;

use std::fmt::Debug;
use std::pin::Pin;

use http::Extensions;
use pat_core::BoxError;

#[cfg(feature = "tower-sessions")]
pub use self::tower_sessions::TowerSessions;

/// Ends the host's session, if there is one, of each request that a token authenticates: a client that
/// sends a token and a session cookie acts as the token's owner alone, and leaves no session behind.
///
/// A [`PatLayer`](crate::PatLayer) with this invalidator
/// ([`PatLayer::with_session_invalidator`](crate::PatLayer::with_session_invalidator)) calls
/// [`detach`](SessionInvalidator::detach) before it calls the inner service.
///
/// With the feature `tower-sessions`, `TowerSessions` is the implementation for the crate
/// tower-sessions.
///
/// ```
/// use http::Extensions;
/// use pat_core::BoxError;
/// use pat_tower::{Destroy, SessionInvalidator};
///
/// /// The ID of the host's session, which its session layer inserts into every request.
/// #[derive(Debug, Clone)]
/// struct SessionId(Option<u64>);
///
/// #[derive(Debug)]
/// struct HostSessions;
///
/// impl SessionInvalidator for HostSessions {
///     fn detach(&self, extensions: &mut Extensions) -> Result<Option<Destroy>, BoxError> {
///         let slot = extensions.get_mut::<SessionId>().ok_or("the session layer is missing")?;
///         let Some(id) = slot.0.take() else {
///             return Ok(None);
///         };
///         Ok(Some(Box::pin(async move {
///             // The host deletes the session of this ID here.
///             let _ = id;
///             Ok(())
///         })))
///     }
/// }
/// ```
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
