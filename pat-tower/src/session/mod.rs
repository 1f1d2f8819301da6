//! Session invalidation: after a request that a token authenticated, no session may outlive the token.

#[cfg(feature = "tower-sessions")]
mod tower_sessions;

use std::fmt::Debug;
use std::pin::Pin;

use http::Extensions;
use pat_core::BoxError;

#[cfg(feature = "tower-sessions")]
pub use self::tower_sessions::TowerSessions;

/// Detaches the host's sessions from requests that a token has authenticated.
///
/// The feature `tower-sessions` has an implementation for tower-sessions.
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
    /// Replaces the session in the request's extensions by a throw-away session, so that handlers
    /// neither see one user's session under another user's token nor store anything in it.
    ///
    /// Returns a future that destroys the session that came with the request; `None` if the request
    /// had no session. The layer awaits it before it calls the inner service, so that the session is
    /// destroyed even if the client disconnects or a handler panics. If it fails, the layer logs the
    /// error and calls the inner service: the implementation must ensure that the response then sets
    /// no cookie for the session.
    ///
    /// # Errors
    /// If the extensions lack what the host's session layer inserts into every request: that layer is
    /// inside of this one, or of another version. The layer rejects the request with 500, since a
    /// session might outlive the token, and logs the error, which should say what to change.
    fn detach(&self, extensions: &mut Extensions) -> Result<Option<Destroy>, BoxError>;
}

/// A future that destroys a session.
pub type Destroy = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;
