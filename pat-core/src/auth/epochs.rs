//! Revocation epochs: they determine which cached decisions are current. The cache's security guarantee
//! depends on this module.

use std::hash::{BuildHasher as _, RandomState};

use crate::clock::Moment;
use crate::store::Change;
use crate::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use crate::token::{Owner, TokenId};

/// Stripes per array. Two tokens (or owners) that share a stripe are loaded again together.
const STRIPES: u16 = 4096;

/// The epochs, which decide whether a cached decision is still current. Evicting an entry from the cache
/// only frees memory.
///
/// The epoch is a counter of this node that increases with every change the node learns of. A load
/// reads the epoch *before* its query. A change increases the epoch and writes it to the stripes of its
/// token or owner *after* its commit. So a decision loaded at the epoch of its stripes or later was
/// read after the commit; an earlier one is not used, however late it entered the cache. The epoch is
/// not the database's change counter, so a failover that sets that one back needs no special case.
///
/// The orderings are the weakest that will do: `pat-loom` fails with any weaker one.
#[derive(Debug)]
pub(crate) struct Epochs {
    current: AtomicU64,
    tokens: Box<[AtomicU64]>,
    owners: Box<[AtomicU64]>,
    hasher: RandomState,
    /// Boot time until which the cache may be used, since the change feed was read recently.
    fresh_until: AtomicI64,
}

/// The stripes of a token and of its owner.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stripes {
    token: u16,
    owner: u16,
}

impl Epochs {
    /// Creates the epochs for a shared store, or for one that only this process writes to.
    pub(crate) fn new(is_shared: bool) -> Self {
        Self::with_stripes(STRIPES, is_shared)
    }

    /// Creates epochs with so many stripes per array.
    pub(crate) fn with_stripes(count: u16, is_shared: bool) -> Self {
        let stripes = || (0..count).map(|_| AtomicU64::new(0)).collect();
        Self {
            current: AtomicU64::new(0),
            tokens: stripes(),
            owners: stripes(),
            hasher: RandomState::new(),
            fresh_until: AtomicI64::new(if is_shared { i64::MIN } else { i64::MAX }),
        }
    }

    /// Returns the epoch, which a load must read before its query.
    pub(crate) fn current(&self) -> u64 {
        self.current.load(Ordering::Acquire)
    }

    /// Returns the stripes of a token and its owner, to be stored in the cache entry.
    pub(crate) fn stripes(&self, id: TokenId, owner: &Owner) -> Stripes {
        Stripes {
            token: self.token_stripe(id),
            owner: self.owner_stripe(owner),
        }
    }

    /// Returns whether the change feed was read recently enough to use the cache.
    ///
    /// Must be called before [`Epochs::is_current`]: a poll bumps epochs before it extends the time, so
    /// a reader of the extended time reads these epochs too.
    pub(crate) fn is_fresh(&self, now: Moment) -> bool {
        now.boot < self.fresh_until.load(Ordering::Acquire)
    }

    /// Returns whether this node has learned of no change to the token or its owner since this epoch.
    pub(crate) fn is_current(&self, stripes: Stripes, loaded_at_epoch: u64) -> bool {
        let Stripes { token, owner } = stripes;
        loaded_at_epoch >= self.tokens[usize::from(token)].load(Ordering::Relaxed)
            && loaded_at_epoch >= self.owners[usize::from(owner)].load(Ordering::Relaxed)
    }

    /// Outdates all decisions about the token or owner of `change` that were loaded before this call.
    pub(crate) fn bump(&self, change: &Change) {
        let last_change = match change {
            Change::TokenChanged(id) => &self.tokens[usize::from(self.token_stripe(*id))],
            Change::OwnerChanged(owner) => &self.owners[usize::from(self.owner_stripe(owner))],
            Change::Everything => return self.bump_all(),
        };
        last_change.fetch_max(self.next(), Ordering::Relaxed);
    }

    /// Outdates all decisions that were loaded before this call.
    pub(crate) fn bump_all(&self) {
        let epoch = self.next();
        for last_change in &self.tokens {
            last_change.fetch_max(epoch, Ordering::Relaxed);
        }
    }

    /// Returns the boot time until which the cache may be used, in microseconds.
    pub(crate) fn fresh_until(&self) -> i64 {
        self.fresh_until.load(Ordering::Relaxed)
    }

    /// Ends the use of the cache now.
    pub(crate) fn expire(&self) {
        self.fresh_until.store(i64::MIN, Ordering::Relaxed);
    }

    /// Extends the use of the cache to this boot time, in microseconds.
    pub(crate) fn extend_until(&self, boot: i64) {
        self.fresh_until.fetch_max(boot, Ordering::Release);
    }

    fn next(&self) -> u64 {
        self.current.fetch_add(1, Ordering::Release) + 1
    }

    fn token_stripe(&self, id: TokenId) -> u16 {
        self.stripe(self.hasher.hash_one(id.get()))
    }

    fn owner_stripe(&self, owner: &Owner) -> u16 {
        self.stripe(self.hasher.hash_one(owner.as_str()))
    }

    fn stripe(&self, hash: u64) -> u16 {
        u16::try_from(hash % self.tokens.len() as u64).expect("there are no more stripes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(id: i64) -> TokenId {
        TokenId::new(id).expect("an ID")
    }

    fn owner(name: &str) -> Owner {
        Owner::new(name).expect("an owner")
    }

    fn at(boot: i64) -> Moment {
        Moment { boot, wall: 0 }
    }

    #[test]
    fn a_change_outdates_what_it_concerns_and_was_loaded_before() {
        let changes = [
            (Change::TokenChanged(token(1)), [true, false, false]),
            (Change::OwnerChanged(owner("alice")), [true, true, false]),
            (Change::Everything, [true, true, true]),
        ];
        for (change, concerned) in changes {
            let epochs = Epochs::new(false);
            let tokens = [(1, "alice"), (2, "alice"), (3, "bob")];
            let stripes = tokens.map(|(id, name)| epochs.stripes(token(id), &owner(name)));
            let before = epochs.current();
            epochs.bump(&change);
            let after = epochs.current();
            let outdated = stripes.map(|stripes| !epochs.is_current(stripes, before));
            // Tokens may share a stripe by chance, which is rare and safe.
            for (concerned, outdated) in concerned.into_iter().zip(outdated) {
                assert!(outdated || !concerned, "{change:?}");
            }
            assert!(
                stripes
                    .iter()
                    .all(|stripes| epochs.is_current(*stripes, after))
            );
        }
    }

    #[test]
    fn tokens_and_owners_seldom_share_a_stripe() {
        let changes = [
            Change::TokenChanged(token(1)),
            Change::OwnerChanged(owner("1")),
        ];
        for change in changes {
            let epochs = Epochs::new(false);
            let loaded_at_epoch = epochs.current();
            epochs.bump(&change);
            let others = (2..10_002).map(|id| epochs.stripes(token(id), &owner(&id.to_string())));
            let outdated = others.filter(|stripes| !epochs.is_current(*stripes, loaded_at_epoch));
            // 2.4 of 10,000 are expected.
            assert!(outdated.count() < 30, "{change:?}");
        }
    }

    #[test]
    fn the_cache_of_a_shared_store_is_trusted_only_for_a_time() {
        let epochs = Epochs::new(true);
        assert!(!epochs.is_fresh(at(0)), "before the first poll");
        epochs.extend_until(10);
        assert!(epochs.is_fresh(at(9)));
        assert!(!epochs.is_fresh(at(10)));
        epochs.extend_until(5);
        assert!(epochs.is_fresh(at(9)), "a slow poll takes nothing back");
        assert_eq!(epochs.fresh_until(), 10);
        epochs.expire();
        assert!(!epochs.is_fresh(at(i64::MIN)));
        assert!(
            Epochs::new(false).is_fresh(at(i64::MAX - 1)),
            "a private one"
        );
    }
}
