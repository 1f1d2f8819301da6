use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response};
use http::request::Parts;

use crate::auth::state::Unauthenticated;
use crate::pat::Pat;
use crate::rejection::{PatRejection, RejectionKind};

/// Extracts the token that authenticated the request. The extractor rejects an anonymous request with
/// 401.
///
/// If there is no [`PatLayer`](crate::PatLayer) around the route, the response is 500 with a message
/// that says so, because a missing layer must not look like an anonymous user. (In axum, `.layer(…)`
/// does not cover routes that are added after the call.)
impl<S: Sync> FromRequestParts<S> for Pat {
    type Rejection = PatRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, PatRejection> {
        if let Some(pat) = Self::of(&parts.extensions) {
            return Ok(pat.clone());
        }
        let unauthenticated = Unauthenticated::of(&parts.extensions);
        let unauthenticated = unauthenticated.ok_or_else(|| missing_layer(parts))?;
        let challenge = unauthenticated.challenges().missing.clone();
        let mut rejection = PatRejection::new(RejectionKind::NotSignedIn).with_challenge(challenge);
        rejection.reply_to(&parts.method, &parts.headers);
        Err(rejection)
    }
}

/// Extracts the token that authenticated the request; `None` for an anonymous request.
///
/// If there is no [`PatLayer`](crate::PatLayer) around the route, the response is 500.
impl<S: Sync> OptionalFromRequestParts<S> for Pat {
    type Rejection = PatRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, PatRejection> {
        match Self::of(&parts.extensions) {
            Some(pat) => Ok(Some(pat.clone())),
            None if Unauthenticated::of(&parts.extensions).is_some() => Ok(None),
            None => Err(missing_layer(parts)),
        }
    }
}

fn missing_layer(parts: &Parts) -> PatRejection {
    let mut rejection = PatRejection::new(RejectionKind::MissingLayer);
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
