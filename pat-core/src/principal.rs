use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;

use crate::auth::Stripes;
use crate::clock::Moment;
use crate::{DateText, Owner, TokenDigest, TokenId};

/// What an authenticated token proves: whose request it is, and by which token.
///
/// Cheap to clone.
#[derive(Clone)]
pub struct Principal(pub(crate) Arc<CachedToken>);

/// A decision that a token is good, with all that is needed to see whether it still stands.
///
/// In this order in memory: what a cache hit reads comes first and takes up two lines, not four.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct CachedToken {
    /// First, beside the count of references: what is written makes other cores wait for its line, and
    /// the rest is only read.
    pub(crate) last_use: LastUseStamp,
    pub(crate) digest: TokenDigest,
    /// Boot time until which the cached token may be used from the cache.
    pub(crate) cached_until: i64,
    /// The node's change stamp before the query that this cached token comes from.
    pub(crate) loaded_at_epoch: u64,
    /// When the token expires, in microseconds since 1970; `i64::MAX` for never.
    pub(crate) expires_micros: i64,
    /// Where its epochs are.
    pub(crate) stripes: Stripes,
    /// The same as a text; `None` for never.
    pub(crate) expires_at: Option<DateText>,
    /// Boot time at which that query was sent.
    pub(crate) sent: i64,
    pub(crate) token_id: TokenId,
    pub(crate) owner: Owner,
    pub(crate) name: Box<str>,
}

impl CachedToken {
    pub(crate) fn is_expired(&self, now: Moment) -> bool {
        now.wall >= self.expires_micros
    }
}

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

    /// How the request was authenticated: always `pat`.
    #[must_use]
    pub fn authentication_method(&self) -> &'static str {
        "pat"
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

/// When a token was last used, in microseconds since 1970; 0 before the first use.
#[derive(Debug, Default)]
pub(crate) struct LastUseStamp(AtomicI64);

/// A stamp moves in steps of a millisecond, which is what clients see of it: so many cores that use
/// one token read the same line of memory and seldom write it.
const STEP_MICROS: i64 = 1_000;

impl LastUseStamp {
    pub(crate) fn note(&self, micros: i64) {
        if micros - self.get() >= STEP_MICROS {
            self.0.store(micros, Ordering::Relaxed);
        }
    }

    pub(crate) fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}
