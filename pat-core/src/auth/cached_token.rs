//! A valid token in the cache.

use std::sync::atomic::{AtomicI64, Ordering};

use super::epochs::Stripes;
use crate::clock::Moment;
use crate::scope::{ScopeSet, Scopes};
use crate::token::{DateText, Owner, TokenDigest, TokenId};

/// A valid token, with the values that decide whether it is still current.
///
/// The order of the fields matters: the fields that a cache hit reads occupy two cache lines, not four.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct CachedToken {
    /// First, next to the reference count: both are written, and a write delays the other cores that
    /// read the same cache line.
    pub(crate) last_use: LastUseStamp,
    pub(crate) digest: TokenDigest,
    /// Boot time until which the decision may be used from the cache, in microseconds.
    pub(crate) cached_until: i64,
    /// The epoch read before the query.
    pub(crate) loaded_at_epoch: u64,
    /// When the token expires, in microseconds since 1970; `i64::MAX` for never.
    pub(crate) expires_micros: i64,
    pub(crate) stripes: Stripes,
    /// Whether the token has scopes. Here, it fills a gap of the second cache line.
    pub(crate) is_restricted: bool,
    /// What `scopes` permit; everything without scopes.
    pub(crate) permitted: ScopeSet,
    /// `expires_micros` as text; `None` for never.
    pub(crate) expires_at: Option<DateText>,
    /// Boot time at which the query was sent, in microseconds.
    pub(crate) sent: i64,
    pub(crate) token_id: TokenId,
    pub(crate) owner: Owner,
    pub(crate) name: Box<str>,
    /// `None` for an unrestricted token.
    pub(crate) scopes: Option<Scopes>,
}

impl CachedToken {
    /// Returns the cache entry of a token, for a test: it ends with the token.
    #[cfg(test)]
    pub(crate) fn of(token: &crate::token::Token) -> std::sync::Arc<Self> {
        let expires_at = token.expires_at;
        std::sync::Arc::new(Self {
            last_use: LastUseStamp::default(),
            digest: TokenDigest::of(&token.id.get().to_le_bytes()),
            cached_until: i64::MAX,
            loaded_at_epoch: 0,
            expires_micros: expires_at.map_or(i64::MAX, jiff::Timestamp::as_microsecond),
            stripes: super::epochs::Epochs::with_stripes(1, false).stripes(token.id, &token.owner),
            expires_at: expires_at.map(DateText::new),
            sent: 0,
            token_id: token.id,
            owner: token.owner.clone(),
            name: token.name.as_str().into(),
            is_restricted: token.scopes.is_some(),
            permitted: ScopeSet::ALL,
            scopes: token.scopes.clone(),
        })
    }

    pub(crate) fn is_expired(&self, now: Moment) -> bool {
        now.wall >= self.expires_micros
    }
}

/// When a token was last used, in microseconds since 1970; 0 before the first use.
#[derive(Debug, Default)]
pub(crate) struct LastUseStamp(AtomicI64);

/// The precision of last uses: that of the API. Many cores that use one token then rarely write its
/// cache line.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_last_use_is_noted_once_it_is_a_step_later() {
        let last_use = LastUseStamp::default();
        let note = |micros| {
            last_use.note(micros);
            last_use.get()
        };
        let first = 5 * STEP_MICROS;
        assert_eq!(note(first), first);
        assert_eq!(note(first + STEP_MICROS - 1), first);
        assert_eq!(note(first - STEP_MICROS), first, "never an earlier one");
        assert_eq!(note(first + STEP_MICROS), first + STEP_MICROS);
    }
}
