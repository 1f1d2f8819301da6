use http::Extensions;
use pat_core::Caller;

use crate::pat::Pat;

/// The [`Caller`] of a request: the owner of the token that authenticated the request, or else the user
/// whom the host's own sign-in has put into the request's extensions.
///
/// In axum this type is an extractor. Elsewhere [`SignedIn::of`] finds the caller in the request's
/// extensions.
///
/// The host's sign-in is a middleware inside of the [`PatLayer`](crate::PatLayer):
///
/// ```
/// use std::sync::Arc;
///
/// use axum::Router;
/// use axum::extract::Request;
/// use axum::middleware::{Next, from_fn};
/// use axum::response::Response;
/// use axum::routing::get;
/// use http::HeaderMap;
/// use pat_core::{Caller, MemoryStore, Owner, Pats};
/// use pat_tower::{PatLayer, SignedIn};
///
/// /// Finds the user of the host's session or password. An error is the host's response to wrong
/// /// credentials, which must not pass as an anonymous request.
/// async fn host_user(headers: &HeaderMap) -> Result<Option<Owner>, Response> {
///     # let _ = headers;
///     Ok(None)
/// }
///
/// /// Puts the user into the request, unless a token authenticated it.
/// async fn sign_in(mut request: Request, next: Next) -> Result<Response, Response> {
///     if SignedIn::of(request.extensions()).is_none()
///         && let Some(owner) = host_user(request.headers()).await?
///     {
///         request.extensions_mut().insert(Caller::cookie_authenticated(owner));
///     }
///     Ok(next.run(request).await)
/// }
///
/// async fn whoami(SignedIn(caller): SignedIn) -> String {
///     caller.owner().to_string()
/// }
///
/// let pats = Pats::builder(Arc::new(MemoryStore::default())).build();
/// let app: Router = Router::new()
///     .route("/whoami", get(whoami))
///     .layer(from_fn(sign_in))
///     .layer(PatLayer::optional(pats));
/// ```
///
/// The first condition only saves the look-up of a session: if there is a token, its owner is the caller,
/// whatever the sign-in adds. The sign-in must not accept a disabled user
/// ([`Caller::cookie_authenticated`]).
#[derive(Debug, Clone)]
pub struct SignedIn(pub Caller);

impl SignedIn {
    /// Returns the caller of the request with these extensions; `None` for an anonymous request.
    #[must_use]
    pub fn of(extensions: &Extensions) -> Option<Self> {
        match Pat::of(extensions) {
            Some(pat) => Some(Self(Caller::with_token(pat.principal().clone()))),
            None => extensions.get().cloned().map(Self),
        }
    }
}
