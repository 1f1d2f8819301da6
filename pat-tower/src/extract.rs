use axum_core::extract::{FromRef, FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response};
use http::request::Parts;
use pat_core::scope::TOKENS_ADMIN;
use pat_core::{AdminError, Administration, AuthError, Caller, Pats, Principal};

use crate::auth::state::Unauthenticated;
use crate::http::challenge::Challenges;
use crate::pat::Pat;
use crate::rejection::{PatRejection, RejectionKind};
use crate::scope::{MissingScopes, RequestHead, note};
use crate::signed_in::SignedIn;

/// Extracts the token that authenticated the request. The extractor rejects an anonymous request with
/// 401.
///
/// If there is no [`PatLayer`](crate::PatLayer) around the route, the response is 500 with a message
/// that says so, because a missing layer must not look like an anonymous user. (In axum, `.layer(…)`
/// does not cover routes that are added after the call.)
impl<S: Sync> FromRequestParts<S> for Pat {
    type Rejection = PatRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, PatRejection> {
        required(parts, Self::of(&parts.extensions).cloned())
    }
}

/// Extracts the token that authenticated the request; `None` for an anonymous request.
///
/// If there is no [`PatLayer`](crate::PatLayer) around the route, the response is 500.
impl<S: Sync> OptionalFromRequestParts<S> for Pat {
    type Rejection = PatRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, PatRejection> {
        check_layer(parts)?;
        Ok(Self::of(&parts.extensions).cloned())
    }
}

/// Extracts the caller. The extractor rejects an anonymous request with 401.
///
/// If there is no [`PatLayer`](crate::PatLayer) around the route, the response is 500: such a route would
/// accept sessions and ignore tokens.
impl<S: Sync> FromRequestParts<S> for SignedIn {
    type Rejection = PatRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, PatRejection> {
        required(parts, Self::of(&parts.extensions))
    }
}

/// Extracts the caller; `None` for an anonymous request.
///
/// If there is no [`PatLayer`](crate::PatLayer) around the route, the response is 500.
impl<S: Sync> OptionalFromRequestParts<S> for SignedIn {
    type Rejection = PatRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, PatRejection> {
        check_layer(parts)?;
        Ok(Self::of(&parts.extensions))
    }
}

/// A caller who is an administrator, with access to the tokens of all users. The extractor asks the host's
/// user directory once, as [`Pats::administration`] does, and takes the [`Pats`] from the router's state.
///
/// The extractor rejects a request
///
/// - without a caller, or whose token is no longer valid, with 401,
/// - of a caller who is not an administrator, or whose token has scopes without `tokens:admin`, and each request
///   while the setting `pat.admin.enabled` is off, with 403,
/// - with 503 if the directory does not answer,
/// - with 500 if there is no [`PatLayer`](crate::PatLayer) around the route.
///
/// ```
/// use std::sync::Arc;
///
/// use axum::Router;
/// use axum::routing::get;
/// use pat_core::search::Filter;
/// use pat_core::{MemoryStore, Pats};
/// use pat_tower::{Admin, PatLayer};
///
/// async fn count(admin: Admin) -> String {
///     match admin.administration().count(&Filter::default()).await {
///         Ok(count) => format!("{count} tokens"),
///         Err(error) => error.to_string(),
///     }
/// }
///
/// let pats = Pats::builder(Arc::new(MemoryStore::default())).build();
/// let app: Router = Router::new()
///     .route("/count", get(count))
///     .layer(PatLayer::optional(pats.clone()))
///     // Or a state of the host from which `FromRef` takes the `Pats`.
///     .with_state(pats);
/// ```
///
/// For a long response, call [`Pats::administration`] for each chunk instead.
///
/// The extractor does not check for cross-site request forgery. A handler that changes something must not be
/// `GET`, and needs a check such as tower-http's `csrf::CsrfLayer` if administrators sign in with a cookie.
#[derive(Debug)]
pub struct Admin {
    caller: Caller,
    administration: Administration<'static>,
}

impl Admin {
    /// Returns the caller.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Returns the access to the tokens of all users.
    #[must_use]
    pub fn administration(&self) -> &Administration<'static> {
        &self.administration
    }

    /// Asks the directory whether the caller is an administrator.
    async fn of(
        SignedIn(caller): SignedIn,
        parts: &Parts,
        service: &Pats,
    ) -> Result<Self, PatRejection> {
        let asked = service.administration(&caller).await;
        let administration = asked.map(Administration::into_owned).map_err(|error| {
            if let AdminError::InsufficientScope = error {
                return insufficient_scope(parts, service, &caller, TOKENS_ADMIN);
            }
            let rejection = not_administered(error, service.settings().realm());
            in_reply_to(parts, rejection)
        })?;
        Ok(Self {
            caller,
            administration,
        })
    }
}

impl<S: Sync> FromRequestParts<S> for Admin
where
    Pats: FromRef<S>,
{
    type Rejection = PatRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, PatRejection> {
        let caller = required(parts, SignedIn::of(&parts.extensions))?;
        Self::of(caller, parts, &Pats::from_ref(state)).await
    }
}

/// Extracts an administrator; `None` for an anonymous request, for a caller who is not an administrator or
/// whose token has scopes without `tokens:admin`, and while the setting `pat.admin.enabled` is off. A handler
/// that serves administrators and other users takes it beside [`SignedIn`]:
///
/// ```
/// use pat_tower::{Admin, SignedIn};
///
/// async fn reports(SignedIn(caller): SignedIn, admin: Option<Admin>) -> String {
///     match admin {
///         Some(_) => "the reports of all users".to_owned(),
///         None => format!("the reports of {}", caller.owner()),
///     }
/// }
/// ```
///
/// The extractor rejects a request
///
/// - whose token is no longer valid, with 401,
/// - with 503 if the directory does not answer,
/// - with 500 if there is no [`PatLayer`](crate::PatLayer) around the route.
impl<S: Sync> OptionalFromRequestParts<S> for Admin
where
    Pats: FromRef<S>,
{
    type Rejection = PatRejection;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &S,
    ) -> Result<Option<Self>, PatRejection> {
        check_layer(parts)?;
        let Some(caller) = SignedIn::of(&parts.extensions) else {
            return Ok(None);
        };
        let service = Pats::from_ref(state);
        if !service.permits(&caller.0, TOKENS_ADMIN) {
            return Ok(None);
        }
        match Self::of(caller, parts, &service).await {
            Err(rejection) if rejection.kind() == RejectionKind::NotAdministrator => Ok(None),
            admin => admin.map(Some),
        }
    }
}

#[expect(clippy::match_same_arms, reason = "a new variant must fail Clippy")]
fn not_administered(error: AdminError, realm: &str) -> PatRejection {
    match error {
        AdminError::TokenInvalid(reason) => PatRejection::new(RejectionKind::InvalidToken)
            .with_challenge(Challenges::new(realm).invalid_token)
            .with_reason(reason),
        AdminError::Unavailable(cause) => {
            PatRejection::new(RejectionKind::Unavailable).with_reason(AuthError::Unavailable(cause))
        }
        AdminError::Disabled
        | AdminError::NotAdministrator
        | AdminError::InsufficientScope
        | AdminError::NotSupported
        | AdminError::NoAudit
        | AdminError::UnknownEventNumber { .. }
        | AdminError::NoCriterion
        | AdminError::CountMismatch { .. } => PatRejection::new(RejectionKind::NotAdministrator),
        _ => PatRejection::new(RejectionKind::NotAdministrator),
    }
}

/// Returns what was found in the request's extensions; the rejection of an anonymous request otherwise.
fn required<T>(parts: &Parts, found: Option<T>) -> Result<T, PatRejection> {
    check_layer(parts)?;
    found.ok_or_else(|| {
        let rejection = PatRejection::new(RejectionKind::NotSignedIn);
        let rejection = match Unauthenticated::of(&parts.extensions) {
            Some(mark) => rejection.with_challenge(mark.challenges().missing.clone()),
            None => rejection,
        };
        in_reply_to(parts, rejection)
    })
}

/// Checks that a layer has let the request through: it has left a token, or a mark that there is none.
fn check_layer(parts: &Parts) -> Result<(), PatRejection> {
    let has_passed =
        Pat::of(&parts.extensions).is_some() || Unauthenticated::of(&parts.extensions).is_some();
    if has_passed {
        return Ok(());
    }
    tracing::error!(
        path = parts.uri.path(),
        "rejected a request: its handler has an extractor of pat-tower, but no PatLayer is around the route; \
         add it with `Router::layer` after the last route"
    );
    let rejection = PatRejection::new(RejectionKind::MissingLayer);
    Err(in_reply_to(parts, rejection))
}

/// Returns the rejection of a caller whose token does not permit this scope.
pub(crate) fn insufficient_scope(
    parts: &Parts,
    service: &Pats,
    caller: &Caller,
    scope: &str,
) -> PatRejection {
    let challenges = Challenges::new(service.settings().realm());
    let scopes = MissingScopes::one(scope);
    let token = caller.token().map(Principal::token_id);
    note(
        service,
        token,
        RequestHead::of_parts(parts),
        &scopes.missing,
    );
    let rejection = PatRejection::insufficient_scope(&challenges, Some(scopes));
    in_reply_to(parts, rejection)
}

fn in_reply_to(parts: &Parts, mut rejection: PatRejection) -> PatRejection {
    rejection.reply_to(&parts.method, &parts.headers);
    rejection
}

/// Returns the [default response](PatRejection::to_response), with the rejection in its extensions.
impl IntoResponse for PatRejection {
    fn into_response(self) -> Response {
        let mut response = self.to_response();
        response.extensions_mut().insert(self);
        response
    }
}
