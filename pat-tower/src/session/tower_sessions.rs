use std::sync::Arc;

use http::Extensions;
use pat_core::BoxError;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::Result;
use tower_sessions::{Session, SessionStore};

use super::{Destroy, SessionInvalidator};

/// The error for a request without a session of this crate's version of tower-sessions.
const NO_SESSION: &str = "the request has no session of tower-sessions 0.15: its \
    SessionManagerLayer must be outside of the PatLayer, and of that version (axum-login 0.18 and \
    some session stores bring 0.14)";

/// The [`SessionInvalidator`] for the crate tower-sessions.
///
/// The host's `SessionManagerLayer` must be of tower-sessions 0.15 and outside of the
/// [`PatLayer`](crate::PatLayer), because it inserts the session into the request and writes the
/// cookies. Otherwise the `PatLayer` rejects every request with a valid token, with 500.
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

/// A store that keeps nothing.
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
