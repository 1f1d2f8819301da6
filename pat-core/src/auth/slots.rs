use std::sync::Arc;

use arc_swap::{ArcSwapOption, Guard};

use super::cached_token::CachedToken;
use crate::principal::Principal;
use crate::token::TokenDigest;

/// A direct-mapped table in front of the bounded cache: each digest has one slot, and digests that share
/// one replace each other. A read takes no lock and updates no statistics, which cost most of the time
/// of a read from a bounded cache.
///
/// Only stored tokens are inserted, and their digests cannot be chosen, so the digest itself serves as
/// hash.
#[derive(Debug)]
pub(super) struct Slots(Box<[ArcSwapOption<CachedToken>]>);

/// Slots per cached token: with four, one token in nine shares its slot when the cache is full.
const SPREAD: usize = 4;

impl Slots {
    /// Creates slots for about this many tokens, each of eight bytes besides the cached token.
    pub(super) fn new(tokens: u32) -> Self {
        let count = (tokens as usize).saturating_mul(SPREAD).next_power_of_two();
        Self((0..count).map(|_| ArcSwapOption::empty()).collect())
    }

    fn slot(&self, digest: &TokenDigest) -> &ArcSwapOption<CachedToken> {
        let [a, b, c, d, ..] = *digest.as_bytes();
        let hash = u32::from_le_bytes([a, b, c, d]) as usize;
        // The number of slots is a power of two.
        &self.0[hash & (self.0.len() - 1)]
    }

    /// Returns the content of this digest's slot: its cached token, that of another digest, or none.
    pub(super) fn get(&self, digest: &TokenDigest) -> Guard<Option<Arc<CachedToken>>> {
        self.slot(digest).load()
    }

    pub(super) fn put(&self, principal: &Principal) {
        self.slot(&principal.0.digest)
            .store(Some(Arc::clone(&principal.0)));
    }

    /// Empties the slot of a cached token, if it still holds that one.
    pub(super) fn remove(&self, principal: &Principal) {
        let slot = self.slot(&principal.0.digest);
        slot.compare_and_swap(&Some(Arc::clone(&principal.0)), None);
    }

    pub(super) fn clear(&self) {
        let full = self.0.iter().filter(|slot| slot.load().is_some());
        full.for_each(|slot| slot.store(None));
    }
}

impl Drop for Slots {
    /// Skips the destructor of empty slots: like a store, it scans the reads of every thread, which takes
    /// long for all slots.
    fn drop(&mut self) {
        for slot in std::mem::take(&mut self.0) {
            let is_empty = slot.load().is_none();
            if is_empty {
                std::mem::forget(slot);
            }
        }
    }
}
