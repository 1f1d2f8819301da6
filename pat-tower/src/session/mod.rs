//! Session invalidation: after a request that a token authenticated, no session may be left that
//! outlives the token.

#[cfg(feature = "tower-sessions")]
mod tower_sessions;

use std::fmt::Debug;
use std::pin::Pin;

use http::Extensions;
use pat_core::BoxError;

#[cfg(feature = "tower-sessions")]
pub use self::tower_sessions::TowerSessions;

/// The host's session layer, as far as tokens need it.
///
/// An adapter for tower-sessions ships behind the feature `tower-sessions`.
pub trait SessionInvalidator: Debug + Send + Sync + 'static {
    /// Hides the session of a request that a token has authenticated: puts a throw-away session in
    /// its place, so that handlers never see one user's session under another user's token, and
    /// nothing that they store is kept.
    ///
    /// Returns how to destroy the session that came with the request; `None` if none did. It is
    /// awaited before the inner service is called, so that neither a client that hangs up nor a
    /// handler that panics leaves the session behind. A failure is logged and the request goes on:
    /// the adapter must leave things so that no cookie is set for the session.
    ///
    /// # Errors
    /// There is nothing that could hold a session, though the host's session layer puts it into every
    /// request: that layer is inside, or of another version. A session might live on unseen, so the
    /// request is answered with 500; the error, which says what to change, is logged.
    fn detach(&self, extensions: &mut Extensions) -> Result<Option<Destroy>, BoxError>;
}

/// Destroys a session.
pub type Destroy = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;
