//! Refusals, as they are cached and shared.

use std::sync::Arc;

use super::epochs::Stripes;
use crate::error::AuthError;
use crate::principal::Principal;

/// The result of a load, shared by all requests that waited for it.
pub(super) type Loaded = Result<Principal, Refusal>;

/// The refusal of a token.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) error: AuthError,
    /// Boot time at which the query was sent, in microseconds.
    pub(super) sent: i64,
    /// If a change may end the refusal, since the token is disabled, or its owner is unknown, inactive or absent: the
    /// stripes, and the epoch before the query.
    pub(super) epoch: Option<(Stripes, u64)>,
    /// The name of the token, for the audit.
    pub(super) token_name: Option<Arc<str>>,
}

impl From<AuthError> for Refusal {
    fn from(error: AuthError) -> Self {
        Self {
            error,
            sent: 0,
            epoch: None,
            token_name: None,
        }
    }
}
