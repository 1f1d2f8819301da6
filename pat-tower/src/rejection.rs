use std::error::Error;
use std::fmt;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode};
use pat_core::AuthError;

use crate::http::problem::Problem;

/// A request that a [`PatLayer`](crate::PatLayer) or the extractor [`Pat`](crate::Pat) rejects.
///
/// It lies in the extensions of the response, so that a layer outside can tell such a response from
/// one of the host's. [`PatLayer::with_rejection_response`](crate::PatLayer::with_rejection_response)
/// renders it another way.
#[derive(Debug, Clone)]
pub struct PatRejection {
    kind: RejectionKind,
    challenge: Option<HeaderValue>,
    reason: Option<AuthError>,
    /// Whether a layer has rendered it.
    is_rendered: bool,
}

/// The kind of a [`PatRejection`]. More may be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RejectionKind {
    /// The request presents no token, and the layer or the handler requires one: 401.
    NotSignedIn,
    /// The token does not authenticate: 401.
    InvalidToken,
    /// The `Authorization` header is not one `Bearer` token: 400.
    InvalidAuthorization,
    /// The token could not be checked in time: 503.
    Unavailable,
    /// The [`SessionInvalidator`](crate::SessionInvalidator) found no session layer: 500.
    SessionsNotFound,
    /// The extractor [`Pat`](crate::Pat) is used without a [`PatLayer`](crate::PatLayer): 500.
    MissingLayer,
}

impl PatRejection {
    pub(crate) fn new(kind: RejectionKind) -> Self {
        Self {
            kind,
            challenge: None,
            reason: None,
            is_rendered: false,
        }
    }

    pub(crate) fn with_challenge(self, challenge: HeaderValue) -> Self {
        let challenge = Some(challenge);
        Self { challenge, ..self }
    }

    pub(crate) fn with_reason(self, reason: AuthError) -> Self {
        let reason = Some(reason);
        Self { reason, ..self }
    }

    /// Returns whether a layer has rendered it.
    pub(crate) fn is_rendered(&self) -> bool {
        self.is_rendered
    }

    pub(crate) fn rendered(self) -> Self {
        let is_rendered = true;
        Self {
            is_rendered,
            ..self
        }
    }

    /// Returns the kind of rejection.
    #[must_use]
    pub fn kind(&self) -> RejectionKind {
        self.kind
    }

    /// Returns the status of the default response.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self.kind {
            RejectionKind::NotSignedIn | RejectionKind::InvalidToken => StatusCode::UNAUTHORIZED,
            RejectionKind::InvalidAuthorization => StatusCode::BAD_REQUEST,
            RejectionKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            RejectionKind::SessionsNotFound | RejectionKind::MissingLayer => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        }
    }

    /// Returns the value of `WWW-Authenticate`; `None` if the rejection is not about credentials.
    #[must_use]
    pub fn challenge(&self) -> Option<&HeaderValue> {
        self.challenge.as_ref()
    }

    /// Returns why the token does not authenticate; `None` if no token was checked.
    ///
    /// It is for the host alone: a client must not learn whether a token expired, was revoked or
    /// never existed.
    #[must_use]
    pub fn reason(&self) -> Option<&AuthError> {
        self.reason.as_ref()
    }

    /// Returns the default response: `application/problem+json` (RFC 9457).
    #[must_use]
    pub fn to_response<B: From<Bytes>>(&self) -> Response<B> {
        self.problem().into_response()
    }

    fn problem(&self) -> Problem {
        let challenge = self.challenge.clone();
        match self.kind {
            RejectionKind::NotSignedIn => Problem::not_signed_in(challenge),
            RejectionKind::InvalidToken => Problem::invalid_token(challenge),
            RejectionKind::InvalidAuthorization => Problem::invalid_authorization(challenge),
            RejectionKind::Unavailable => Problem::unavailable(),
            RejectionKind::SessionsNotFound => Problem::misconfigured(),
            RejectionKind::MissingLayer => Problem::missing_layer(),
        }
    }
}

impl fmt::Display for PatRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            RejectionKind::NotSignedIn => "the request presents no personal access token",
            RejectionKind::InvalidToken => "the personal access token does not authenticate",
            RejectionKind::InvalidAuthorization => {
                "the Authorization header is not one Bearer token"
            }
            RejectionKind::Unavailable => "the personal access token could not be checked in time",
            RejectionKind::SessionsNotFound => "the session invalidator found no session layer",
            RejectionKind::MissingLayer => {
                "the extractor `pat_tower::Pat` needs a `pat_tower::PatLayer` around the route"
            }
        })
    }
}

impl Error for PatRejection {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let reason = self.reason.as_ref()?;
        Some(reason)
    }
}
