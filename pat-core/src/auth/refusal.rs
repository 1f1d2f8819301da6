//! Why a token is refused, as it is cached and shared.

use super::epochs::Stripes;
use crate::error::AuthError;
use crate::principal::Principal;

/// What a load found out, shared by all requests that waited for it.
pub(super) type Loaded = Result<Principal, Refusal>;

/// Why a token is refused.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) error: AuthError,
    /// Boot time at which the question was sent, in microseconds.
    pub(super) sent: i64,
    /// For an owner who is unknown or not active, which may change at any time: the stripes, and the
    /// epoch before the question.
    pub(super) owner_epoch: Option<(Stripes, u64)>,
}

impl From<AuthError> for Refusal {
    fn from(error: AuthError) -> Self {
        Self {
            error,
            sent: 0,
            owner_epoch: None,
        }
    }
}
