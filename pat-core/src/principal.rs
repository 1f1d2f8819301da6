use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use crate::auth::cached_token::CachedToken;
use crate::clock::Moment;
use crate::token::{DateText, Owner, TokenDigest, TokenId};

/// What an authenticated token proves: whose request it is, and by which token.
///
/// Cheap to clone.
#[derive(Clone)]
pub struct Principal(pub(crate) Arc<CachedToken>);

impl Principal {
    /// The token's public number.
    #[must_use]
    pub fn token_id(&self) -> TokenId {
        self.0.token_id
    }

    /// The digest of the token, for [`Pats::recheck`](crate::Pats::recheck).
    #[must_use]
    pub fn digest(&self) -> &TokenDigest {
        &self.0.digest
    }

    /// The user who makes this request.
    #[must_use]
    pub fn owner(&self) -> &Owner {
        &self.0.owner
    }

    /// The token's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// When the token expires; `None` for never.
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        match self.0.expires_micros {
            i64::MAX => None,
            micros => Timestamp::from_microsecond(micros).ok(),
        }
    }

    /// The same as [`Principal::expires_at`] as clients get it, for a response header: made once for
    /// as long as the token is cached.
    #[must_use]
    pub fn expires_at_text(&self) -> Option<&DateText> {
        self.0.expires_at.as_ref()
    }

    /// Notes that the token has authenticated a request.
    pub(crate) fn note_use(&self, now: Moment) {
        self.0.last_use.note(now.wall);
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principal")
            .field("token_id", &self.0.token_id.get())
            .field("owner", &self.0.owner.as_str())
            .field("expires_at", &self.expires_at())
            .finish_non_exhaustive()
    }
}
