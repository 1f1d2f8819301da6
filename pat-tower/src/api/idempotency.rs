//! The header `Idempotency-Key`, with which a client may repeat a request that creates a token.

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderName, Method, StatusCode};
use pat_core::Token;
use pat_core::store::IdempotencyKey;
use sha2::{Digest as _, Sha256};
use utoipa::IntoParams;

use crate::http::problem::{Problem, ProblemType};

const INVALID_IDEMPOTENCY_KEY: ProblemType = ProblemType::new(
    "invalid-idempotency-key",
    "Invalid Idempotency-Key",
    StatusCode::BAD_REQUEST,
);
const IDEMPOTENCY_KEY_REUSED: ProblemType = ProblemType::new(
    "idempotency-key-reused",
    "Idempotency-Key reused",
    StatusCode::UNPROCESSABLE_ENTITY,
);
const CREATED_TOKEN_REVOKED: ProblemType = ProblemType::new(
    "created-token-revoked",
    "The created token is revoked",
    StatusCode::CONFLICT,
);

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The longest key, in bytes.
const MAX_LEN: usize = 255;

/// Why there is a 409.
pub(super) const REVOKED_SINCE: &str =
    "The same request with this key has created a token that is revoked";
/// Why there is a 422.
pub(super) const KEY_REUSED: &str = "Another request had the same key";

/// The header as the document describes it.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(
    dead_code,
    reason = "the handlers take `RequestKey`; this describes it"
)]
pub(super) struct KeyHeader {
    /// 1 to 255 visible ASCII characters that the client has chosen for this request. For a day, the same request
    /// with this key creates no other token; the response is then 200, without the secret. Users have separate
    /// keys.
    #[param(
        rename = "Idempotency-Key",
        required = false,
        nullable = false,
        min_length = 1,
        max_length = 255,
        pattern = "^[!-~]{1,255}$"
    )]
    idempotency_key: Option<String>,
}

/// The key of a request, if it has one.
pub(super) struct RequestKey(Option<String>);

impl<S: Sync> FromRequestParts<S> for RequestKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all(IDEMPOTENCY_KEY).iter();
        let (Some(value), other) = (values.next(), values.next()) else {
            return Ok(Self(None));
        };
        let is_key = |text: &&str| {
            (1..=MAX_LEN).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
        };
        let key = value.to_str().ok().filter(is_key);
        if let (Some(key), None) = (key, other) {
            return Ok(Self(Some(key.to_owned())));
        }
        let detail = format!(
            "Send one Idempotency-Key of 1 to {MAX_LEN} visible ASCII characters, or none."
        );
        Err(Problem::new(INVALID_IDEMPOTENCY_KEY, detail))
    }
}

impl RequestKey {
    /// Returns the key of a POST request with this body to a path of the router.
    pub(super) fn of_request(self, path: &str, body: &[u8]) -> Option<IdempotencyKey> {
        let request = Sha256::new()
            .chain_update(Method::POST.as_str())
            .chain_update(" ")
            .chain_update(path)
            .chain_update("\n")
            .chain_update(body);
        let request = request.finalize().into();
        self.0.map(|key| IdempotencyKey::new(key, request))
    }
}

pub(super) fn key_reused() -> Problem {
    let detail = "Another request had the same Idempotency-Key. Choose a new key for each request, and send \
                  the same request to repeat it.";
    Problem::new(IDEMPOTENCY_KEY_REUSED, detail)
}

/// Returns the token that an earlier request has created, if it is still there.
pub(super) fn unless_revoked(token: Token) -> Result<Token, Problem> {
    if token.revoked_at.is_none() {
        return Ok(token);
    }
    let detail = "This request has created a token before, which is revoked. Send it again with a new \
                  Idempotency-Key for another token.";
    Err(Problem::new(CREATED_TOKEN_REVOKED, detail))
}
