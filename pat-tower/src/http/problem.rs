use std::sync::LazyLock;

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_TYPE, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;

use crate::scope::MissingScopes;

/// The type of a problem: a stable name, a title and a status.
///
/// On the wire the type is `urn:problem-type:pat/` and the name. Names are never changed or reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProblemType {
    name: &'static str,
    title: &'static str,
    status: StatusCode,
}

impl ProblemType {
    pub(crate) const fn new(name: &'static str, title: &'static str, status: StatusCode) -> Self {
        Self {
            name,
            title,
            status,
        }
    }
}

pub(crate) const NOT_SIGNED_IN: ProblemType =
    ProblemType::new("not-signed-in", "Not signed in", StatusCode::UNAUTHORIZED);
pub(crate) const INVALID_TOKEN: ProblemType =
    ProblemType::new("invalid-token", "Invalid token", StatusCode::UNAUTHORIZED);
pub(crate) const INVALID_AUTHORIZATION: ProblemType = ProblemType::new(
    "invalid-authorization-header",
    "Invalid Authorization header",
    StatusCode::BAD_REQUEST,
);
pub(crate) const NOT_AN_ADMINISTRATOR: ProblemType = ProblemType::new(
    "not-an-administrator",
    "Not an administrator",
    StatusCode::FORBIDDEN,
);
pub(crate) const INSUFFICIENT_SCOPE: ProblemType = ProblemType::new(
    "insufficient-scope",
    "Insufficient scope",
    StatusCode::FORBIDDEN,
);
pub(crate) const MISCONFIGURED: ProblemType = ProblemType::new(
    "misconfigured",
    "Misconfigured",
    StatusCode::INTERNAL_SERVER_ERROR,
);
pub(crate) const UNAVAILABLE: ProblemType = ProblemType::new(
    "temporarily-unavailable",
    "Temporarily unavailable",
    StatusCode::SERVICE_UNAVAILABLE,
);

/// The sentences of the problems that a rejection can be.
pub(crate) mod detail {
    pub(crate) const NOT_SIGNED_IN: &str =
        "Sign in, or send a personal access token as \"Authorization: Bearer <token>\".";
    pub(crate) const INVALID_TOKEN: &str =
        "The access token is not valid: it may be mistyped, expired or revoked.";
    pub(crate) const INVALID_AUTHORIZATION: &str =
        "Send one Authorization header with \"Bearer\", a space and one token.";
    pub(crate) const UNAVAILABLE: &str =
        "The request cannot be answered now. Try again in a moment.";
    pub(crate) const NOT_AN_ADMINISTRATOR: &str = "Only administrators may do this.";
    pub(crate) const UNDECLARED: &str =
        "This access token has scopes, and no scope permits this request.";
    pub(crate) const MISSING_LAYER: &str = "The extractors of `pat_tower` need a `pat_tower::PatLayer` \
                                            around this route. Add it with `Router::layer` after the last \
                                            route.";
    pub(crate) const MISCONFIGURED: &str =
        "The server is set up wrongly. Its log says what to change.";

    /// Names the scopes that a token lacks.
    pub(crate) fn missing_scopes(missing: &[String]) -> String {
        let plural = if missing.len() == 1 { "" } else { "s" };
        format!(
            "The access token lacks the scope{plural} {}.",
            missing.join(", ")
        )
    }
}

/// An error answer: `application/problem+json` (RFC 9457), with the members `error`, `message`
/// and `errorMessages` that existing clients read.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    kind: ProblemType,
    body: Bytes,
    challenge: Option<HeaderValue>,
    /// One more header; rare, and so boxed.
    header: Option<Box<(HeaderName, HeaderValue)>>,
}

impl Problem {
    /// A problem of this type; `detail` is a sentence for a person.
    pub(crate) fn new(kind: ProblemType, detail: impl AsRef<str>) -> Self {
        Self {
            kind,
            body: body(kind, detail.as_ref(), None),
            challenge: None,
            header: None,
        }
    }

    /// The same, with one more header.
    #[cfg(feature = "api")]
    pub(crate) fn with_header(self, name: HeaderName, value: HeaderValue) -> Self {
        Self {
            header: Some(Box::new((name, value))),
            ..self
        }
    }

    /// A problem whose body is made once: these are sent as often as bad requests come.
    fn fixed(kind: ProblemType, body: &Bytes, challenge: impl Into<Option<HeaderValue>>) -> Self {
        Self {
            kind,
            body: body.clone(),
            challenge: challenge.into(),
            header: None,
        }
    }

    /// No credentials were presented.
    pub(crate) fn not_signed_in(challenge: impl Into<Option<HeaderValue>>) -> Self {
        static BODY: LazyLock<Bytes> =
            LazyLock::new(|| body(NOT_SIGNED_IN, detail::NOT_SIGNED_IN, None));
        Self::fixed(NOT_SIGNED_IN, &BODY, challenge)
    }

    /// The token does not authenticate. One text for all reasons, so that a client does not learn the
    /// reason.
    pub(crate) fn invalid_token(challenge: impl Into<Option<HeaderValue>>) -> Self {
        static BODY: LazyLock<Bytes> =
            LazyLock::new(|| body(INVALID_TOKEN, detail::INVALID_TOKEN, None));
        Self::fixed(INVALID_TOKEN, &BODY, challenge)
    }

    /// The `Authorization` header cannot be read.
    pub(crate) fn invalid_authorization(challenge: impl Into<Option<HeaderValue>>) -> Self {
        static BODY: LazyLock<Bytes> =
            LazyLock::new(|| body(INVALID_AUTHORIZATION, detail::INVALID_AUTHORIZATION, None));
        Self::fixed(INVALID_AUTHORIZATION, &BODY, challenge)
    }

    /// The caller is not an administrator.
    pub(crate) fn not_an_administrator() -> Self {
        static BODY: LazyLock<Bytes> =
            LazyLock::new(|| body(NOT_AN_ADMINISTRATOR, detail::NOT_AN_ADMINISTRATOR, None));
        Self::fixed(NOT_AN_ADMINISTRATOR, &BODY, None)
    }

    /// The scopes of the token do not permit the request: they lack some, or the request is not declared.
    pub(crate) fn insufficient_scope(
        scopes: Option<&MissingScopes>,
        challenge: impl Into<Option<HeaderValue>>,
    ) -> Self {
        static BODY: LazyLock<Bytes> =
            LazyLock::new(|| body(INSUFFICIENT_SCOPE, detail::UNDECLARED, None));
        let Some(scopes) = scopes else {
            return Self::fixed(INSUFFICIENT_SCOPE, &BODY, challenge);
        };
        let detail = detail::missing_scopes(&scopes.missing);
        let body = body(INSUFFICIENT_SCOPE, &detail, Some(scopes));
        Self::fixed(INSUFFICIENT_SCOPE, &body, challenge)
    }

    /// The request cannot be answered now; the client should try again.
    pub(crate) fn unavailable() -> Self {
        static BODY: LazyLock<Bytes> =
            LazyLock::new(|| body(UNAVAILABLE, detail::UNAVAILABLE, None));
        Self::fixed(UNAVAILABLE, &BODY, None)
    }

    /// An extractor has no layer around it.
    pub(crate) fn missing_layer() -> Self {
        Self::new(MISCONFIGURED, detail::MISSING_LAYER)
    }

    /// The session layer was not found.
    pub(crate) fn misconfigured() -> Self {
        Self::new(MISCONFIGURED, detail::MISCONFIGURED)
    }

    /// Returns the whole response. It must not be cached, and with 503 it has `Retry-After`.
    pub(crate) fn into_response<B: From<Bytes>>(self) -> Response<B> {
        let mut response = Response::new(B::from(self.body));
        *response.status_mut() = self.kind.status;
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Some(challenge) = self.challenge {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if let Some((name, value)) = self.header.map(|header| *header) {
            headers.insert(name, value);
        }
        if self.kind.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

fn body(kind: ProblemType, detail: &str, scopes: Option<&MissingScopes>) -> Bytes {
    let body = ProblemJson {
        kind: format!("urn:problem-type:pat/{}", kind.name),
        title: kind.title,
        status: kind.status.as_u16(),
        detail,
        error: detail,
        message: detail,
        error_messages: [detail],
        required_scopes: scopes.map(|scopes| &*scopes.required),
        missing_scopes: scopes.map(|scopes| &*scopes.missing),
    };
    // A struct of texts and numbers is always JSON.
    serde_json::to_vec(&body).unwrap_or_default().into()
}

/// A problem (RFC 9457). `error`, `message` and `errorMessages` repeat `detail`.
#[derive(Serialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema), schema(as = Problem))]
pub(crate) struct ProblemJson<'a> {
    /// `urn:problem-type:pat/` and a name.
    #[serde(rename = "type")]
    kind: String,
    title: &'a str,
    status: u16,
    /// A sentence for people.
    detail: &'a str,
    /// The same as `detail`.
    error: &'a str,
    /// The same as `detail`.
    message: &'a str,
    /// `detail` in a list.
    #[serde(rename = "errorMessages")]
    error_messages: [&'a str; 1],
    /// With `insufficient-scope`: the scopes that the request needs; absent if tokens with scopes cannot make the
    /// request.
    #[serde(skip_serializing_if = "Option::is_none")]
    required_scopes: Option<&'a [String]>,
    /// With `required_scopes`: those that the token lacks.
    #[serde(skip_serializing_if = "Option::is_none")]
    missing_scopes: Option<&'a [String]>,
}

/// Makes an error's text a sentence.
#[cfg(feature = "api")]
pub(crate) fn sentence(text: &str) -> String {
    let mut rest = text.chars();
    let first = rest.next().map(char::to_uppercase);
    first
        .into_iter()
        .flatten()
        .chain(rest)
        .chain(['.'])
        .collect()
}
