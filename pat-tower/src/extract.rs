use axum_core::body::Body;
use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderValue, StatusCode};

use crate::pat::{Pat, Unauthenticated, Why};
use crate::problem::Problem;

/// The token that authenticated the request. A request without one is answered with 401.
///
/// Without a [`PatLayer`](crate::PatLayer) around the route it is answered with 500 and a message
/// that says so: a forgotten layer must never look like an anonymous user. (In axum, a route added
/// *after* `.layer(…)` is not covered by it.)
impl<S: Sync> FromRequestParts<S> for Pat {
    type Rejection = PatRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, PatRejection> {
        if let Some(pat) = Self::of(&parts.extensions) {
            return Ok(pat.clone());
        }
        let verdict = Unauthenticated::of(&parts.extensions);
        let config = match &verdict.ok_or(PatRejection(Kind::MissingLayer))?.why {
            Why::Anonymous(config) => config,
            Why::Refused(refusal) => &refusal.config,
        };
        let challenge = config.challenges.missing.clone();
        Err(PatRejection(Kind::NotSignedIn(challenge)))
    }
}

/// The token that authenticated the request; `None` for an anonymous one.
///
/// Without a [`PatLayer`](crate::PatLayer) around the route it is answered with 500, as above.
impl<S: Sync> OptionalFromRequestParts<S> for Pat {
    type Rejection = PatRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, PatRejection> {
        match Self::of(&parts.extensions) {
            Some(pat) => Ok(Some(pat.clone())),
            None if Unauthenticated::of(&parts.extensions).is_some() => Ok(None),
            None => Err(PatRejection(Kind::MissingLayer)),
        }
    }
}

/// Why [`Pat`] could not be extracted.
#[derive(Debug, Clone)]
pub struct PatRejection(Kind);

#[derive(Debug, Clone)]
enum Kind {
    MissingLayer,
    NotSignedIn(HeaderValue),
}

impl IntoResponse for PatRejection {
    fn into_response(self) -> Response {
        match self.0 {
            Kind::MissingLayer => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "The extractor `pat_tower::Pat` needs a `pat_tower::PatLayer` around this route. \
                 Add it with `Router::layer` after the last route.",
            )
                .into_response(),
            Kind::NotSignedIn(challenge) => {
                Problem::not_signed_in(challenge).into_response::<Body>()
            }
        }
    }
}
