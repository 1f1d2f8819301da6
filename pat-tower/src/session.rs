//! Session invalidation: after a request that a token authenticated, no session may be left that
//! outlives the token.

use std::fmt::Debug;
use std::pin::Pin;

use http::Extensions;
use pat_core::BoxError;

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

#[cfg(feature = "tower-sessions")]
pub use self::tower::TowerSessions;

#[cfg(feature = "tower-sessions")]
mod tower {
    use std::sync::Arc;

    use tower_sessions::session::{Id, Record};
    use tower_sessions::session_store::Result;
    use tower_sessions::{Session, SessionStore};

    use super::{BoxError, Destroy, Extensions, SessionInvalidator};

    /// What is wrong where a request has no session of this crate's version of tower-sessions.
    const NO_SESSION: &str = "the request has no session of tower-sessions 0.15: its \
        SessionManagerLayer must be outside of the PatLayer, and of that version (axum-login 0.18 and \
        some session stores bring 0.14)";

    /// Invalidates the sessions of `tower-sessions`.
    ///
    /// Its `SessionManagerLayer` must be outside of the [`PatLayer`](crate::PatLayer), since it
    /// puts the session into the request and writes the cookies, and of version 0.15. Otherwise
    /// requests with a good token are answered with 500.
    #[derive(Debug, Clone, Copy, Default)]
    pub struct TowerSessions;

    impl SessionInvalidator for TowerSessions {
        fn detach(
            &self,
            extensions: &mut Extensions,
        ) -> std::result::Result<Option<Destroy>, BoxError> {
            let slot = extensions.get_mut::<Session>().ok_or(NO_SESSION)?;
            let throw_away = Session::new(None, Arc::new(Nowhere), None);
            let session = std::mem::replace(slot, throw_away);
            if session.id().is_none() {
                return Ok(None);
            }
            Ok(Some(Box::pin(async move {
                // A failed deletion leaves the session unmodified, and so without a new cookie.
                session.delete().await?;
                // Makes the session empty, which lets the session layer remove the cookie.
                session.flush().await?;
                Ok(())
            })))
        }
    }

    /// Keeps nothing.
    #[derive(Debug)]
    struct Nowhere;

    #[async_trait::async_trait]
    impl SessionStore for Nowhere {
        async fn create(&self, _: &mut Record) -> Result<()> {
            Ok(())
        }

        async fn save(&self, _: &Record) -> Result<()> {
            Ok(())
        }

        async fn load(&self, _: &Id) -> Result<Option<Record>> {
            Ok(None)
        }

        async fn delete(&self, _: &Id) -> Result<()> {
            Ok(())
        }
    }
}
