use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moka::sync::Cache as Moka;
use quick_cache::UnitWeighter;
use quick_cache::sync::{Cache as QuickCache, DefaultLifecycle};

use super::cached_token::CachedToken;
use super::refusal::Refusal;
use crate::error::AuthError;
use crate::principal::Principal;
use crate::token::TokenDigest;

/// Cached tokens and refusals by digest. The cache only bounds memory: on every hit,
/// [`Epochs`](super::Epochs) and the token's expiry decide whether the entry is still current.
///
/// Refusals have a separate cache, so that a flood of invalid tokens cannot evict valid ones. Its hasher
/// has a random seed, so that an attacker cannot construct tokens whose digests collide.
#[derive(Debug)]
pub(super) struct Cache {
    /// `None` if the settings switch caching off.
    known: Option<KnownTokens>,
    refusals: Moka<TokenDigest, Refusal>,
    ttl: Duration,
    turn: AtomicU64,
}

/// Bounded in number alone: an entry whose time is over stays until it is replaced, by its own token or
/// by another one.
///
/// The key is the first eight bytes of the digest; the whole digest is in the entry, which a hit reads anyway. Two
/// tokens with the same key would displace each other. The digests of valid tokens are uniformly distributed and not
/// a client's choice, since the tokens come from the random number generator of the service, so that does not occur.
type KnownTokens = QuickCache<u64, Principal, UnitWeighter, BuildHasherDefault<KeyHasher>>;

/// Takes a key as its hash, which needs no random seed.
#[derive(Debug, Default)]
struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("a key is one number")
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// How many refusals are cached, about 200 bytes each.
const MAX_REFUSALS: u64 = 10_000;
/// How long a refusal is cached. "Unknown", "revoked" and "expired" are final, but the database may be
/// restored from a backup, an unknown token may be imported, and an owner may become active again without a
/// call of the host.
pub(super) const REFUSAL_TTL: Duration = Duration::from_secs(10);

impl Cache {
    pub(super) fn new(ttl: Duration, max_items: u32) -> Self {
        let known = (!ttl.is_zero()).then(|| {
            KnownTokens::with(
                max_items as usize,
                max_items.into(),
                UnitWeighter,
                BuildHasherDefault::default(),
                DefaultLifecycle::default(),
            )
        });
        let refusals = Moka::builder()
            .max_capacity(MAX_REFUSALS)
            // Frees memory; the clock for decisions ends a refusal earlier.
            .time_to_live(REFUSAL_TTL * 6)
            .build();
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
        let principal = self.known.as_ref()?.get(&digest.prefix())?;
        (principal.has_digest(digest) && is_current(&principal.0)).then_some(principal)
    }

    /// Caches a valid token. Returns how many others had to leave the cache before their time.
    pub(super) fn insert(&self, principal: &Principal) -> usize {
        let Some(known) = &self.known else {
            return 0;
        };
        let token = &principal.0;
        let mut evicted = Default::default();
        known.insert_with_lifecycle(token.digest.prefix(), principal.clone(), &mut evicted);
        let is_displaced = |(_, evicted): &&(u64, Principal)| {
            !evicted.has_digest(&token.digest) && evicted.0.cached_until > token.sent
        };
        evicted.iter().flatten().filter(is_displaced).count()
    }

    /// Returns how many valid tokens are cached, those included whose time is over.
    pub(super) fn len(&self) -> usize {
        self.known.as_ref().map_or(0, KnownTokens::len)
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

    /// Caches a refusal that is final, or which a change would end; not a failure.
    pub(super) fn insert_refusal(&self, digest: TokenDigest, refusal: &Refusal) {
        let is_final = matches!(
            refusal.error,
            AuthError::Unknown | AuthError::Revoked(_) | AuthError::Expired(_)
        );
        if is_final || refusal.epoch.is_some() {
            self.refusals.insert(digest, refusal.clone());
        }
    }

    pub(super) fn clear(&self) {
        if let Some(known) = &self.known {
            known.clear();
        }
        self.refusals.invalidate_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::NewToken;
    use crate::token::{Owner, TokenId};

    fn principal(id: i64, change: impl FnOnce(&mut CachedToken)) -> Principal {
        let id = TokenId::new(id).expect("an ID");
        let owner = Owner::new("alice").expect("an owner");
        let digest = TokenDigest::of(&id.get().to_le_bytes());
        let token = NewToken::new(id, digest, owner, "ci", jiff::Timestamp::UNIX_EPOCH);
        let mut cached = CachedToken::of(&token.into_token());
        change(std::sync::Arc::get_mut(&mut cached).expect("one reference"));
        Principal(cached)
    }

    #[test]
    fn a_digest_that_begins_like_that_of_a_cached_token_is_not_known() {
        let cache = Cache::new(Duration::from_secs(640), 32);
        let cached = principal(1, |_| {});
        let digest = cached.0.digest;
        assert_eq!(cache.insert(&cached), 0);
        assert!(cache.cached(&digest, |_| true).is_some());
        for byte in 0..32 {
            let mut other = *digest.as_bytes();
            other[byte] ^= 1;
            let other = TokenDigest::from_bytes(other);
            assert!(cache.cached(&other, |_| true).is_none(), "byte {byte}");
        }
    }

    #[test]
    fn a_full_cache_says_which_entries_had_time_left() {
        let cache = Cache::new(Duration::from_secs(640), 32);
        let principal = |id, cached_until, sent| {
            principal(id, |entry| {
                (entry.cached_until, entry.sent) = (cached_until, sent);
            })
        };
        let mut displaced = 0;
        for id in 1..=200 {
            displaced += cache.insert(&principal(id, 100, 50));
        }
        assert_eq!(displaced, 200 - cache.len());
        assert!(displaced >= 160, "{displaced}");
        assert_eq!(cache.insert(&principal(200, 100, 50)), 0, "the same token");
        let late = |id| cache.insert(&principal(id, 100, 100));
        assert_eq!((201..=400).map(late).sum::<usize>(), 0, "no time was left");
    }

    #[test]
    fn times_to_live_are_spread_over_the_last_tenth() {
        let cache = Cache::new(Duration::from_secs(640), 10);
        let times = (0..128).map(|_| cache.time_to_live().as_secs());
        let spread = || (577..=640).rev();
        assert!(times.eq(spread().chain(spread())));
    }
}
