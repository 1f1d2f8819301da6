use std::any::type_name;
use std::fmt;
use std::marker::PhantomData;

use axum_login::{AuthSession, AuthnBackend};
use http::Extensions;
use pat_core::BoxError;
use tower_sessions_014::Session;

use super::{Destroy, SessionInvalidator, TowerSessions014};

/// The [`SessionInvalidator`] for axum-login 0.18: in a request with a token, [`AuthSession`] has no user, and
/// whatever a handler stores in it is discarded. `Backend` is the host's [`AuthnBackend`].
///
/// The host's `AuthManagerLayer` must be outside of the [`PatLayer`](crate::PatLayer). If it is inside, missing, or
/// has another backend, the `PatLayer` rejects every request with a valid token, with 500, and the log says what to
/// change.
///
/// ```
/// use axum::Router;
/// use axum_login::{AuthManagerLayerBuilder, AuthnBackend};
/// use pat_core::Pats;
/// use pat_tower::{AxumLogin, PatLayer};
/// use tower_sessions_014::{MemoryStore, SessionManagerLayer};
///
/// fn app<B: AuthnBackend + 'static>(routes: Router, backend: B, pats: Pats) -> Router {
///     let sessions = SessionManagerLayer::new(MemoryStore::default());
///     routes
///         .layer(PatLayer::optional(pats).with_session_invalidator(AxumLogin::<B>::new()))
///         .layer(AuthManagerLayerBuilder::new(backend, sessions).build())
/// }
/// ```
///
/// The owner of the token is in [`SignedIn`](crate::SignedIn). The span `call` of axum-login has the user of the
/// session all the same, because axum-login reads the session before the token is checked.
pub struct AxumLogin<Backend>(PhantomData<fn() -> Backend>);

impl<Backend> AxumLogin<Backend> {
    /// Creates an invalidator for the sessions of this backend.
    #[must_use]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<Backend> Default for AxumLogin<Backend> {
    fn default() -> Self {
        Self::new()
    }
}

impl<Backend> Clone for AxumLogin<Backend> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Backend> Copy for AxumLogin<Backend> {}

impl<Backend> fmt::Debug for AxumLogin<Backend> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AxumLogin")
    }
}

impl<Backend: AuthnBackend + 'static> SessionInvalidator for AxumLogin<Backend> {
    fn detach(&self, extensions: &mut Extensions) -> Result<Option<Destroy>, BoxError> {
        if extensions.get::<AuthSession<Backend>>().is_none() {
            let backend = type_name::<Backend>();
            return Err(format!(
                "the request has no AuthSession<{backend}> of axum-login 0.18: its AuthManagerLayer must be \
                 outside of the PatLayer, and of that version"
            )
            .into());
        }
        let destroy = TowerSessions014.detach(extensions)?;
        let throw_away = extensions.get::<Session>().cloned();
        let auth_session = extensions.get_mut::<AuthSession<Backend>>();
        if let (Some(auth_session), Some(throw_away)) = (auth_session, throw_away) {
            auth_session.user = None;
            auth_session.session = throw_away;
        }
        Ok(destroy)
    }
}
