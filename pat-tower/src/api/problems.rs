//! Every problem of the router, and what becomes one.

use axum::response::Response;
use http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, StatusCode};
use pat_core::scope::TOKENS_ADMIN;
use pat_core::{AccessError, AdminError, PolicyError, Unavailable, UpdateError};

pub(super) use crate::http::problem::sentence;
use crate::http::problem::{NOT_AN_ADMINISTRATOR, Problem, ProblemType};
use crate::scope::MissingScopes;

pub(super) const CROSS_SITE_REQUEST: ProblemType = ProblemType::new(
    "cross-site-request",
    "Cross-site request",
    StatusCode::FORBIDDEN,
);
pub(super) const NOT_FOUND: ProblemType =
    ProblemType::new("not-found", "Not found", StatusCode::NOT_FOUND);
const METHOD_NOT_ALLOWED: ProblemType = ProblemType::new(
    "method-not-allowed",
    "Method not allowed",
    StatusCode::METHOD_NOT_ALLOWED,
);
pub(super) const MALFORMED_BODY: ProblemType =
    ProblemType::new("malformed-body", "Malformed body", StatusCode::BAD_REQUEST);
pub(super) const UNSUPPORTED_MEDIA_TYPE: ProblemType = ProblemType::new(
    "unsupported-media-type",
    "Unsupported media type",
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
);
pub(super) const BODY_TOO_LARGE: ProblemType = ProblemType::new(
    "body-too-large",
    "Body too large",
    StatusCode::PAYLOAD_TOO_LARGE,
);
const TOKENS_DISABLED: ProblemType = ProblemType::new(
    "tokens-disabled",
    "Tokens are switched off",
    StatusCode::BAD_REQUEST,
);
const INVALID_NAME: ProblemType =
    ProblemType::new("invalid-name", "Invalid name", StatusCode::BAD_REQUEST);
const INVALID_DESCRIPTION: ProblemType = ProblemType::new(
    "invalid-description",
    "Invalid description",
    StatusCode::BAD_REQUEST,
);
const DISABLED_BY_ADMINISTRATOR: ProblemType = ProblemType::new(
    "disabled-by-administrator",
    "Disabled by an administrator",
    StatusCode::FORBIDDEN,
);
const ENABLED_BY_TOKEN: ProblemType = ProblemType::new(
    "enabled-by-token",
    "Enabled by a token",
    StatusCode::FORBIDDEN,
);
pub(super) const INVALID_DURATION: ProblemType = ProblemType::new(
    "invalid-duration",
    "Invalid duration",
    StatusCode::BAD_REQUEST,
);
const DURATION_REQUIRED: ProblemType = ProblemType::new(
    "duration-required",
    "Duration required",
    StatusCode::BAD_REQUEST,
);
const OUTLIVES_PARENT: ProblemType = ProblemType::new(
    "outlives-parent",
    "Outlives its parent",
    StatusCode::BAD_REQUEST,
);
const INVALID_SCOPES: ProblemType =
    ProblemType::new("invalid-scopes", "Invalid scopes", StatusCode::BAD_REQUEST);
const SCOPES_REQUIRED: ProblemType = ProblemType::new(
    "scopes-required",
    "Scopes required",
    StatusCode::BAD_REQUEST,
);
const SCOPE_EXCEEDS_PARENT: ProblemType = ProblemType::new(
    "scope-exceeds-parent",
    "Exceeds its parent",
    StatusCode::FORBIDDEN,
);
const SCOPE_NOT_ALLOWED: ProblemType = ProblemType::new(
    "scope-not-allowed",
    "Scope not allowed",
    StatusCode::FORBIDDEN,
);
const CREATED_BY_TOKEN: ProblemType = ProblemType::new(
    "created-by-token",
    "Created by a token",
    StatusCode::FORBIDDEN,
);
pub(super) const ROTATE_ITSELF_ONLY: ProblemType = ProblemType::new(
    "rotate-itself-only",
    "A token rotates only itself",
    StatusCode::FORBIDDEN,
);
const ROTATED_BY_TOKEN: ProblemType = ProblemType::new(
    "rotated-by-token",
    "Rotated by a token",
    StatusCode::FORBIDDEN,
);
pub(super) const INVALID_OVERLAP: ProblemType = ProblemType::new(
    "invalid-overlap",
    "Invalid overlap",
    StatusCode::BAD_REQUEST,
);
pub(super) const NOT_ROTATABLE: ProblemType = ProblemType::new(
    "not-rotatable",
    "The token cannot be rotated",
    StatusCode::CONFLICT,
);
const OLDER_NODES: ProblemType = ProblemType::new(
    "older-nodes",
    "Older nodes are running",
    StatusCode::CONFLICT,
);
const TOKEN_LIMIT_REACHED: ProblemType = ProblemType::new(
    "token-limit-reached",
    "Token limit reached",
    StatusCode::FORBIDDEN,
);
const TOO_MANY_ROWS: ProblemType =
    ProblemType::new("too-many-rows", "Too many rows", StatusCode::FORBIDDEN);
pub(super) const INVALID_SEARCH: ProblemType =
    ProblemType::new("invalid-search", "Invalid search", StatusCode::BAD_REQUEST);
const NO_CRITERION: ProblemType =
    ProblemType::new("no-criterion", "No criterion", StatusCode::BAD_REQUEST);
const COUNT_MISMATCH: ProblemType =
    ProblemType::new("count-mismatch", "Count mismatch", StatusCode::CONFLICT);
const AUDIT_NOT_SUPPORTED: ProblemType = ProblemType::new(
    "audit-not-supported",
    "Audit not supported",
    StatusCode::NOT_IMPLEMENTED,
);
const SEARCH_NOT_SUPPORTED: ProblemType = ProblemType::new(
    "search-not-supported",
    "Search not supported",
    StatusCode::NOT_IMPLEMENTED,
);

pub(super) async fn not_found() -> Problem {
    Problem::new(NOT_FOUND, "There is nothing here.")
}

pub(super) async fn method_not_allowed() -> Problem {
    Problem::new(METHOD_NOT_ALLOWED, "This method is not allowed here.")
}

/// Returns the problem for an unknown token and for another user's: one text for both.
pub(super) fn no_such_token() -> Problem {
    Problem::new(NOT_FOUND, "There is no such token.")
}

/// Adds the headers of every response: it must not be cached, and its type must not be guessed.
pub(super) async fn finish(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

impl From<PolicyError> for Problem {
    #[expect(clippy::match_same_arms, reason = "a new variant must fail Clippy")]
    fn from(error: PolicyError) -> Self {
        let kind = match error {
            PolicyError::Disabled => TOKENS_DISABLED,
            PolicyError::ForbiddenByToken => CREATED_BY_TOKEN,
            PolicyError::RotationForbiddenByToken => ROTATED_BY_TOKEN,
            PolicyError::NameBlank
            | PolicyError::NameTooLong { .. }
            | PolicyError::NameHasControlCharacter
            | PolicyError::NameHasBidiControl => INVALID_NAME,
            PolicyError::DescriptionTooLong { .. }
            | PolicyError::DescriptionHasControlCharacter
            | PolicyError::DescriptionHasBidiControl => INVALID_DESCRIPTION,
            PolicyError::EnableByToken => ENABLED_BY_TOKEN,
            PolicyError::DurationNotPositive
            | PolicyError::DurationTooShort
            | PolicyError::DurationTooLong { .. } => INVALID_DURATION,
            PolicyError::EternalNotAllowed => DURATION_REQUIRED,
            PolicyError::NoOverlap | PolicyError::OverlapTooLong { .. } => INVALID_OVERLAP,
            PolicyError::OutlivesParent => OUTLIVES_PARENT,
            PolicyError::NoScope
            | PolicyError::UnknownScope { .. }
            | PolicyError::DuplicateScope { .. } => INVALID_SCOPES,
            PolicyError::ScopesRequired => SCOPES_REQUIRED,
            PolicyError::ScopeExceedsParent => SCOPE_EXCEEDS_PARENT,
            PolicyError::ScopeNotAllowed => SCOPE_NOT_ALLOWED,
            PolicyError::LimitReached { .. } => TOKEN_LIMIT_REACHED,
            PolicyError::OlderNodes { .. } => OLDER_NODES,
            PolicyError::TooManyRows { .. } => TOO_MANY_ROWS,
            PolicyError::ParentInvalid => MALFORMED_BODY,
            _ => MALFORMED_BODY,
        };
        Self::new(kind, sentence(&error.to_string()))
    }
}

impl From<Unavailable> for Problem {
    fn from(error: Unavailable) -> Self {
        // What is behind it has been told where it was asked, once for all requests.
        tracing::debug!(
            error = &error as &dyn std::error::Error,
            "a request fails with 503"
        );
        Self::unavailable()
    }
}

impl From<AccessError> for Problem {
    #[expect(clippy::match_same_arms, reason = "a new variant must fail Clippy")]
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::Unavailable(error) => error.into(),
            AccessError::NotFound => no_such_token(),
            _ => no_such_token(),
        }
    }
}

impl From<UpdateError> for Problem {
    fn from(error: UpdateError) -> Self {
        match error {
            UpdateError::Unavailable(error) => error.into(),
            UpdateError::Refused(error) => error.into(),
            UpdateError::NotFound => no_such_token(),
            UpdateError::DisabledByAdministrator => {
                Self::new(DISABLED_BY_ADMINISTRATOR, sentence(&error.to_string()))
            }
            _ => Self::unavailable(),
        }
    }
}

impl From<AdminError> for Problem {
    #[expect(clippy::match_same_arms, reason = "a new variant must fail Clippy")]
    fn from(error: AdminError) -> Self {
        let kind = match error {
            AdminError::Unavailable(error) => return error.into(),
            AdminError::Disabled => NOT_FOUND,
            AdminError::NotAdministrator => NOT_AN_ADMINISTRATOR,
            AdminError::NotSupported => SEARCH_NOT_SUPPORTED,
            AdminError::NoAudit => AUDIT_NOT_SUPPORTED,
            AdminError::NoCriterion => NO_CRITERION,
            AdminError::CountMismatch { .. } => COUNT_MISMATCH,
            AdminError::UnknownEventNumber { .. } => INVALID_SEARCH,
            AdminError::InsufficientScope => {
                return Self::insufficient_scope(Some(&MissingScopes::one(TOKENS_ADMIN)), None);
            }
            AdminError::TokenInvalid(_) => return Self::unavailable(),
            _ => return Self::unavailable(),
        };
        Self::new(kind, sentence(&error.to_string()))
    }
}
