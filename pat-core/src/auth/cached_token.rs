//! A token that was found good, as it lies in the cache.

use std::sync::atomic::{AtomicI64, Ordering};

use super::epochs::Stripes;
use crate::clock::Moment;
use crate::token::{DateText, Owner, TokenDigest, TokenId};

/// The decision that a token is good, with what it takes to see whether it is still current.
///
/// In this order in memory: what a cache hit reads comes first and takes up two lines, not four.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct CachedToken {
    /// First, beside the count of references: what is written makes other cores wait for its line, and
    /// the rest is only read.
    pub(crate) last_use: LastUseStamp,
    pub(crate) digest: TokenDigest,
    /// Boot time until which the decision may be used from the cache, in microseconds.
    pub(crate) cached_until: i64,
    /// The epoch before the query that this decision comes from.
    pub(crate) loaded_at_epoch: u64,
    /// When the token expires, in microseconds since 1970; `i64::MAX` for never.
    pub(crate) expires_micros: i64,
    pub(crate) stripes: Stripes,
    /// The same as `expires_micros`, as a text; `None` for never.
    pub(crate) expires_at: Option<DateText>,
    /// Boot time at which the query was sent, in microseconds.
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
