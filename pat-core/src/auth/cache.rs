use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moka::sync::Cache as Moka;

use super::cached_token::CachedToken;
use super::refusal::Refusal;
use super::slots::Slots;
use crate::error::AuthError;
use crate::principal::Principal;
use crate::token::TokenDigest;

/// Cached tokens and refusals by digest. The cache only bounds memory: on every hit,
/// [`Epochs`](super::Epochs) and the token's expiry decide whether the entry is still current.
///
/// Refusals have a separate cache, so that a flood of invalid tokens cannot evict valid ones. Both
/// hashers have random seeds, so that an attacker cannot construct digests that collide.
#[derive(Debug)]
pub(super) struct Cache {
    /// `None` if the settings switch caching off.
    known: Option<KnownTokens>,
    refusals: Moka<TokenDigest, Refusal, ahash::RandomState>,
    ttl: Duration,
    turn: AtomicU64,
}

/// Valid tokens: moka enforces the size and age of the settings, and the slots in front of it hold the
/// tokens in use.
#[derive(Debug)]
struct KnownTokens {
    /// A subset of `cache`, except for a short time.
    slots: Arc<Slots>,
    cache: Moka<TokenDigest, Principal, ahash::RandomState>,
}

/// How many refusals are cached, about 200 bytes each.
const MAX_REFUSALS: u64 = 10_000;
/// How long a refusal is cached. "Unknown", "revoked" and "expired" are final, but the database may be
/// restored from a backup, and an owner may become active again without a call of the host.
pub(super) const REFUSAL_TTL: Duration = Duration::from_secs(10);

impl Cache {
    pub(super) fn new(ttl: Duration, max_items: u32) -> Self {
        let known = (!ttl.is_zero()).then(|| KnownTokens::new(max_items, ttl));
        let refusals = Moka::builder()
            .max_capacity(MAX_REFUSALS)
            // Frees memory; the clock for decisions ends a refusal earlier.
            .time_to_live(REFUSAL_TTL * 6)
            .build_with_hasher(ahash::RandomState::new());
        Self {
            known,
            refusals,
            ttl,
            turn: AtomicU64::new(0),
        }
    }

    /// Returns how long the next token is cached: the set time, shortened by up to a tenth, so that
    /// tokens loaded together (after a restart) do not expire together.
    pub(super) fn time_to_live(&self) -> Duration {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % 64;
        let steps = 640 - u32::try_from(turn).unwrap_or_default();
        self.ttl / 640 * steps
    }

    /// Returns the cached token of this digest, if there is one and it `is_current`.
    pub(super) fn cached(
        &self,
        digest: &TokenDigest,
        is_current: impl FnOnce(&CachedToken) -> bool,
    ) -> Option<Principal> {
        self.known.as_ref()?.get(digest, is_current)
    }

    pub(super) fn insert(&self, principal: &Principal) {
        if let Some(known) = &self.known {
            known.put(principal);
        }
    }

    /// Returns the cached refusal of this digest, if there is one and it `is_current`.
    pub(super) fn refusal(
        &self,
        digest: &TokenDigest,
        is_current: impl FnOnce(&Refusal) -> bool,
    ) -> Option<AuthError> {
        let refusal = self.refusals.get(digest)?;
        is_current(&refusal).then_some(refusal.error)
    }

    /// Caches a refusal that is final or depends on the owner; not a failure.
    pub(super) fn insert_refusal(&self, digest: TokenDigest, refusal: &Refusal) {
        let is_final = matches!(
            refusal.error,
            AuthError::Unknown | AuthError::Revoked(_) | AuthError::Expired(_)
        );
        if is_final || refusal.owner_epoch.is_some() {
            self.refusals.insert(digest, refusal.clone());
        }
    }

    pub(super) fn clear(&self) {
        if let Some(KnownTokens { slots, cache }) = &self.known {
            cache.invalidate_all();
            slots.clear();
        }
        self.refusals.invalidate_all();
    }
}

impl KnownTokens {
    fn new(capacity: u32, ttl: Duration) -> Self {
        let slots = Arc::new(Slots::new(capacity));
        let evicted_from = Arc::clone(&slots);
        let cache = Moka::builder()
            .max_capacity(u64::from(capacity))
            .time_to_live(ttl)
            .eviction_listener(move |_, principal, _| evicted_from.remove(&principal))
            .build_with_hasher(ahash::RandomState::new());
        Self { slots, cache }
    }

    fn get(
        &self,
        digest: &TokenDigest,
        is_current: impl FnOnce(&CachedToken) -> bool,
    ) -> Option<Principal> {
        // Some hits read from the cache, so that it records which tokens are in use.
        let turn = TURN.replace(TURN.get().wrapping_add(1));
        if !turn.is_multiple_of(SAMPLE)
            && let Some(cached) = &*self.slots.get(digest)
            && cached.digest == *digest
        {
            // Cloned last, after all reads for the decision: processors do not execute reads ahead of
            // an atomic increment.
            return is_current(cached).then(|| Principal(Arc::clone(cached)));
        }
        let principal = self.cache.get(digest)?;
        self.slots.put(&principal);
        is_current(&principal.0).then_some(principal)
    }

    fn put(&self, principal: &Principal) {
        // The slot first: an immediate eviction must empty it again.
        self.slots.put(principal);
        self.cache.insert(principal.0.digest, principal.clone());
    }
}

/// One hit in this many reads from the cache itself. A prime, so that with a round number of clients in
/// rotation each token is sampled.
const SAMPLE: u16 = 61;

thread_local! {
    /// Counts this thread's hits.
    static TURN: Cell<u16> = const { Cell::new(0) };
}
