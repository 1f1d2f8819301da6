use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use crate::clock::Moment;
use crate::principal::CachedToken;
use crate::store::Change;
use crate::{Owner, TokenId};

/// Stripes per array; two tokens (or owners) that share one are merely loaded again together.
const STRIPES: u16 = 4096;

/// Decides whether a cached cached token still stands. Correctness rests on this and not on the cache:
/// dropping an entry there only frees memory.
///
/// Time is logical here: a local epoch that moves with every change this node learns of. A load
/// reads the epoch *before* its query (`seen`). A change moves the epoch and raises the epochs of
/// its token or owner to it, *after* its commit. So a cached token whose `seen` has reached the floor was
/// read after the commit, and one below it is not used, no matter how late it was put into the
/// cache. The epoch is the node's own and not the database's counter, so that a counter that goes
/// backwards in a failover needs no special case.
#[derive(Debug)]
pub(crate) struct Epochs {
    epoch: AtomicU64,
    tokens: Box<[AtomicU64]>,
    owners: Box<[AtomicU64]>,
    hasher: ahash::RandomState,
    /// Boot time until which the change feed is known well enough to trust the cache.
    fresh_until: AtomicI64,
}

impl Epochs {
    /// Epochs for a store that other processes write to (`is_shared`), or for a private one, whose
    /// changes are all known at once.
    pub(crate) fn new(is_shared: bool) -> Self {
        let stripes = || (0..STRIPES).map(|_| AtomicU64::new(0)).collect();
        Self {
            epoch: AtomicU64::new(0),
            tokens: stripes(),
            owners: stripes(),
            hasher: ahash::RandomState::new(),
            fresh_until: AtomicI64::new(if is_shared { i64::MIN } else { i64::MAX }),
        }
    }

    /// The epoch that a load must read before its query.
    pub(crate) fn current(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Where the epochs of a token and its owner are, to be kept with its cached token.
    pub(crate) fn stripes(&self, id: TokenId, owner: &Owner) -> Stripes {
        let token = stripe(self.hasher.hash_one(id.get()));
        let owner = stripe(self.hasher.hash_one(owner.as_str()));
        Stripes { token, owner }
    }

    /// Whether a cached token from the cache may be used now.
    ///
    /// The lease is read before the epochs, and a poll raises the epochs before it extends the
    /// lease: who sees the extended lease sees the epochs that belong to it.
    pub(crate) fn allows_cached(&self, cached: &CachedToken, now: Moment) -> bool {
        self.is_fresh(now)
            && now.boot < cached.cached_until
            && self.is_current(cached.stripes, cached.loaded_at_epoch)
    }

    /// Whether the change feed is known well enough to trust the cache.
    pub(crate) fn is_fresh(&self, now: Moment) -> bool {
        now.boot < self.fresh_until.load(Ordering::Acquire)
    }

    /// Whether no change that concerns a token or its owner was learned of since this epoch.
    pub(crate) fn is_current(&self, stripes: Stripes, loaded_at_epoch: u64) -> bool {
        let Stripes { token, owner } = stripes;
        loaded_at_epoch >= self.tokens[usize::from(token)].load(Ordering::Acquire)
            && loaded_at_epoch >= self.owners[usize::from(owner)].load(Ordering::Acquire)
    }

    /// Puts an end to all cached tokens that `change` concerns and that were read before this call.
    pub(crate) fn bump(&self, change: &Change) {
        let epoch_of = match change {
            Change::TokenRevoked(id) => {
                &self.tokens[usize::from(stripe(self.hasher.hash_one(id.get())))]
            }
            Change::OwnerChanged(owner) => {
                &self.owners[usize::from(stripe(self.hasher.hash_one(owner.as_str())))]
            }
            Change::Everything => return self.bump_all(),
        };
        let epoch = self.epoch.fetch_add(1, Ordering::AcqRel) + 1;
        epoch_of.fetch_max(epoch, Ordering::AcqRel);
    }

    /// Puts an end to all cached tokens that were read before this call.
    pub(crate) fn bump_all(&self) {
        let epoch = self.epoch.fetch_add(1, Ordering::AcqRel) + 1;
        for epoch_of in &self.tokens {
            epoch_of.fetch_max(epoch, Ordering::AcqRel);
        }
    }

    /// Boot time until which the cache is trusted, in microseconds.
    pub(crate) fn fresh_until(&self) -> i64 {
        self.fresh_until.load(Ordering::Relaxed)
    }

    /// Trusts the cache no longer.
    pub(crate) fn expire(&self) {
        self.fresh_until.store(i64::MIN, Ordering::Release);
    }

    /// Trusts the cache until `boot` time, in microseconds.
    pub(crate) fn extend_until(&self, boot: i64) {
        self.fresh_until.fetch_max(boot, Ordering::AcqRel);
    }
}

/// The indices of two epochs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stripes {
    token: u16,
    owner: u16,
}

fn stripe(hash: u64) -> u16 {
    u16::try_from(hash % u64::from(STRIPES)).expect("there are no more stripes")
}
