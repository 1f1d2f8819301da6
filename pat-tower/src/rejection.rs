use std::error::Error;
use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use pat_core::AuthError;

use crate::http::challenge::Challenges;
use crate::http::grpc;
use crate::http::problem::{Problem, detail};
use crate::scope::MissingScopes;

/// The reason that a [`PatLayer`](crate::PatLayer) or an extractor of this crate rejects a request.
///
/// The extensions of the response to a rejected request contain this value, so that a layer outside can
/// tell that response from the host's own responses.
/// [`PatLayer::with_rejection_response`](crate::PatLayer::with_rejection_response) replaces the
/// response.
#[derive(Debug, Clone)]
pub struct PatRejection {
    kind: RejectionKind,
    challenge: Option<HeaderValue>,
    reason: Option<AuthError>,
    /// The scopes that the request needs and the token lacks, if they are declared.
    // Boxed, because few rejections have them and every one is moved.
    scopes: Option<Box<MissingScopes>>,
    /// The content type of the response, if the request is gRPC's.
    grpc: Option<Box<HeaderValue>>,
    /// Whether a layer has rendered it.
    is_rendered: bool,
}

/// The kind of a [`PatRejection`], with the status of its default response. More variants may be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RejectionKind {
    /// The request presents no token, and the layer or the handler requires a token; or it is anonymous,
    /// and the handler requires a caller: 401.
    NotSignedIn,
    /// The token does not authenticate, for the reason that [`PatRejection::reason`] returns: 401.
    InvalidToken,
    /// The request has several `Authorization` headers, or a `Bearer` header without exactly one token:
    /// 400.
    InvalidAuthorization,
    /// The token or the administrator's role could not be checked, for example because the store or the
    /// directory did not answer in time: 503.
    Unavailable,
    /// The handler requires an administrator, and the caller is none, or the setting `pat.admin.enabled` is
    /// off: 403.
    NotAdministrator,
    /// The token authenticates, but has scopes that do not permit the request
    /// ([`PatRejection::missing_scopes`]), or the request is not declared in the
    /// [`ScopeMap`](crate::scope::ScopeMap), or the layer has no map: 403.
    InsufficientScope,
    /// The token authenticates and has scopes, but the function of the
    /// [`ScopeMap`](crate::scope::ScopeMap::by) panicked: 500.
    ScopeMapPanicked,
    /// The token authenticates, but the [`SessionInvalidator`](crate::SessionInvalidator) found no
    /// session layer outside of the `PatLayer`: 500.
    SessionsNotFound,
    /// The route uses an extractor of this crate, but has no [`PatLayer`](crate::PatLayer) around it: 500.
    MissingLayer,
}

impl PatRejection {
    pub(crate) fn new(kind: RejectionKind) -> Self {
        Self {
            kind,
            challenge: None,
            reason: None,
            scopes: None,
            grpc: None,
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

    /// Creates the rejection of a token that lacks scopes, or with `None` of one whose request is not declared.
    pub(crate) fn insufficient_scope(
        challenges: &Challenges,
        scopes: Option<MissingScopes>,
    ) -> Self {
        let challenge = match &scopes {
            Some(scopes) => challenges.missing_scopes(&scopes.required),
            None => challenges.insufficient_scope.clone(),
        };
        Self {
            scopes: scopes.map(Box::new),
            ..Self::new(RejectionKind::InsufficientScope).with_challenge(challenge)
        }
    }

    /// Notes whether a request with this method and these headers is gRPC's.
    pub(crate) fn reply_to(&mut self, method: &Method, headers: &HeaderMap) {
        self.grpc = grpc::content_type(method, headers).map(Box::new);
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

    /// Returns the kind of this rejection.
    #[must_use]
    pub fn kind(&self) -> RejectionKind {
        self.kind
    }

    /// Returns the HTTP status for this rejection, such as 401, which the
    /// [default response](PatRejection::to_response) has. For a [gRPC](PatRejection::is_grpc) request, this
    /// method returns the same status, but the default response has the status 200 and this rejection's
    /// [code](PatRejection::grpc_code).
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self.kind {
            RejectionKind::NotSignedIn | RejectionKind::InvalidToken => StatusCode::UNAUTHORIZED,
            RejectionKind::InvalidAuthorization => StatusCode::BAD_REQUEST,
            RejectionKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            RejectionKind::NotAdministrator | RejectionKind::InsufficientScope => {
                StatusCode::FORBIDDEN
            }
            RejectionKind::ScopeMapPanicked
            | RejectionKind::SessionsNotFound
            | RejectionKind::MissingLayer => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Returns the value of `WWW-Authenticate` in the default response; `None` with the statuses 500 and 503, and
    /// with [`RejectionKind::NotAdministrator`], which have no challenge.
    #[must_use]
    pub fn challenge(&self) -> Option<&HeaderValue> {
        self.challenge.as_ref()
    }

    /// Returns why the token does not authenticate ([`RejectionKind::InvalidToken`]) or could not be
    /// checked ([`RejectionKind::Unavailable`]); `None` for the other kinds of rejection.
    ///
    /// Do not send the reason to the client, which must not learn whether a token has expired, was
    /// revoked or never existed.
    #[must_use]
    pub fn reason(&self) -> Option<&AuthError> {
        self.reason.as_ref()
    }

    /// Returns the names of the scopes that the request needs, with [`RejectionKind::InsufficientScope`]. Empty if
    /// the request is not declared in the scope map, so that no scope permits it, and for the other kinds of
    /// rejection.
    pub fn required_scopes(&self) -> impl Iterator<Item = &str> {
        let scopes = self.scopes.iter();
        scopes.flat_map(|scopes| scopes.required.iter().map(String::as_str))
    }

    /// Returns those of the [required scopes](PatRejection::required_scopes) that the token does not permit.
    pub fn missing_scopes(&self) -> impl Iterator<Item = &str> {
        let scopes = self.scopes.iter();
        scopes.flat_map(|scopes| scopes.missing.iter().map(String::as_str))
    }

    /// Returns whether the client speaks gRPC or gRPC-Web: the request is a `POST` with the content type
    /// `application/grpc`, `application/grpc-web` or `application/grpc-web-text`, or one of these with a
    /// suffix, such as `+proto`.
    #[must_use]
    pub fn is_grpc(&self) -> bool {
        self.grpc.is_some()
    }

    /// Returns the gRPC status code: 16 (`UNAUTHENTICATED`) for 401 and 400, 7 (`PERMISSION_DENIED`) for
    /// 403, 14 (`UNAVAILABLE`) for 503, and 13 (`INTERNAL`) for 500.
    #[must_use]
    pub fn grpc_code(&self) -> i32 {
        grpc::code(self.status())
    }

    /// Returns the default response: a problem in `application/problem+json` (RFC 9457), with the
    /// [status](PatRejection::status) and the [challenge](PatRejection::challenge) of this rejection.
    ///
    /// If the request is [gRPC's](PatRejection::is_grpc), the response consists of headers: status 200, the
    /// content type of the request, `grpc-status` with the [code](PatRejection::grpc_code), `grpc-message`,
    /// and the challenge as metadata (`www-authenticate`).
    #[must_use]
    pub fn to_response<B: From<Bytes>>(&self) -> Response<B> {
        match &self.grpc {
            Some(content_type) => {
                let challenge = self.challenge.as_ref();
                self.grpc_status().into_response(content_type, challenge)
            }
            None => self.problem().into_response(),
        }
    }

    /// Returns the status for a gRPC client.
    pub(crate) fn grpc_status(&self) -> grpc::Status {
        let message = match self.kind {
            RejectionKind::NotSignedIn => detail::NOT_SIGNED_IN.into(),
            RejectionKind::InvalidToken => detail::INVALID_TOKEN.into(),
            RejectionKind::InvalidAuthorization => detail::INVALID_AUTHORIZATION.into(),
            RejectionKind::Unavailable => detail::UNAVAILABLE.into(),
            RejectionKind::NotAdministrator => detail::NOT_AN_ADMINISTRATOR.into(),
            RejectionKind::InsufficientScope => match &self.scopes {
                Some(scopes) => detail::missing_scopes(&scopes.missing).into(),
                None => detail::UNDECLARED.into(),
            },
            RejectionKind::ScopeMapPanicked | RejectionKind::SessionsNotFound => {
                detail::MISCONFIGURED.into()
            }
            RejectionKind::MissingLayer => detail::MISSING_LAYER.into(),
        };
        let code = self.grpc_code();
        grpc::Status { code, message }
    }

    /// Returns whether a response has the status of this rejection, over HTTP or gRPC.
    pub(crate) fn has_status_of<B>(&self, response: &Response<B>) -> bool {
        response.status() == self.status()
            || self.is_grpc() && grpc::has_code(response.headers(), self.grpc_code())
    }

    fn problem(&self) -> Problem {
        let challenge = self.challenge.clone();
        match self.kind {
            RejectionKind::NotSignedIn => Problem::not_signed_in(challenge),
            RejectionKind::InvalidToken => Problem::invalid_token(challenge),
            RejectionKind::InvalidAuthorization => Problem::invalid_authorization(challenge),
            RejectionKind::Unavailable => Problem::unavailable(),
            RejectionKind::NotAdministrator => Problem::not_an_administrator(),
            RejectionKind::InsufficientScope => {
                Problem::insufficient_scope(self.scopes.as_deref(), challenge)
            }
            RejectionKind::ScopeMapPanicked | RejectionKind::SessionsNotFound => {
                Problem::misconfigured()
            }
            RejectionKind::MissingLayer => Problem::missing_layer(),
        }
    }
}

impl fmt::Display for PatRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            RejectionKind::NotSignedIn => {
                "the request presents no personal access token, and is not signed in otherwise"
            }
            RejectionKind::InvalidToken => "the personal access token does not authenticate",
            RejectionKind::InvalidAuthorization => {
                "the Authorization header is not one Bearer token"
            }
            RejectionKind::Unavailable => {
                "the personal access token or the administrator's role could not be checked in time"
            }
            RejectionKind::NotAdministrator => "the caller is not an administrator",
            RejectionKind::InsufficientScope => {
                "the scopes of the personal access token do not permit the request"
            }
            RejectionKind::ScopeMapPanicked => "the function of the scope map panicked",
            RejectionKind::SessionsNotFound => "the session invalidator found no session layer",
            RejectionKind::MissingLayer => {
                "the extractors of `pat_tower` need a `pat_tower::PatLayer` around the route"
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
