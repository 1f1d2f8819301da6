//! The job capability of a store: leases, pruning and the outbox of notifications.

use std::fmt::{self, Debug};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::outbox::{Claim, DeadNotification, Outbox, Outcome, QueuedNotification};
use super::{MarkBounds, StoreError, StoreTime};
use crate::notification::{NotificationId, NotificationKind};
use crate::token::{Owner, TokenId};

/// The job capability of a store. Without it ([`TokenStore::jobs`](super::TokenStore::jobs)) no token
/// is pruned and no owner is notified.
///
/// Callers pass the time of their clock. A store whose database has a clock uses that one instead,
/// read in the transaction of the change. A stored time in an impossible future, written while a clock
/// was wrong, counts as not set: a lease that lasts longer than any lease, an occurrence that is done
/// before its time, a notification that is delayed longer than [`LONGEST_DELAY`](super::LONGEST_DELAY).
///
/// A method with a [`Lease`] makes its changes in one transaction, and only if the lease is still
/// held. An implementation is conformant if it passes the suite in `pat_core::testing::jobs`.
///
/// # Errors
/// The errors of [`TokenStore`](super::TokenStore#errors).
///
/// ```
/// use std::time::Duration;
///
/// use jiff::Timestamp;
/// use pat_core::store::{Job, LeaseAnswer, LeaseRequest, MarkBounds, Prune};
/// use pat_core::store::TokenStore;
/// use pat_core::MemoryStore;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = MemoryStore::default();
/// let jobs = store.jobs().expect("the store has the capability");
/// let now = Timestamp::now();
/// let (is_due, mark) = (|at| Some(at), MarkBounds::new(now, now, now));
/// let request = LeaseRequest::new(Job::Prune, now, Duration::from_mins(1), &is_due, mark);
/// let (answer, _time) = jobs.acquire_lease(&request).await?;
/// let LeaseAnswer::Acquired(lease) = answer else { panic!("another runner holds the lease") };
/// let pruned = jobs.prune(&lease, &Prune::new(now, now, Duration::from_hours(24)), 100).await?;
/// assert!(pruned.tokens.is_empty());
/// jobs.release_lease(&lease, true).await?;
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait JobStore: Debug + Send + Sync {
    /// Acquires a job's lease for `request.ttl`, if the due occurrence (`request.due`) has not been
    /// run and no other node holds the lease. Moves the mark within `request.mark`, and returns the
    /// time after that.
    ///
    /// The term grows by one with each acquisition, so that a node that was paused beyond the end of
    /// its lease is distinguished from the next holder.
    async fn acquire_lease(
        &self,
        request: &LeaseRequest<'_>,
    ) -> Result<(LeaseAnswer, StoreTime), StoreError>;

    /// Extends a lease to `ttl` after `now`.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] if another node has acquired it since.
    async fn renew_lease(
        &self,
        lease: &Lease,
        now: Timestamp,
        ttl: Duration,
    ) -> Result<(), StoreError>;

    /// Releases a lease. With `is_done`, marks its occurrence and all earlier ones as done.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] if another node has acquired it since; nothing is changed.
    async fn release_lease(&self, lease: &Lease, is_done: bool) -> Result<(), StoreError>;

    /// Queues the due notifications of one kind for up to `max_owners` owners: one for each owner, with
    /// all due tokens. Returns how many it queued; 0 if none is due any more.
    ///
    /// `ExpiresSoon` is due for an unrevoked token that has not expired, expires within `due.within`,
    /// and has had no notification of expiry; `Expired` for an unrevoked token that has expired and has
    /// had no `Expired`. None is due while the clock is more than [`LONGEST_LEAP`] ahead of the mark,
    /// since the notifications could be false.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] if another node has acquired the lease since.
    async fn queue_due_notifications(
        &self,
        lease: &Lease,
        due: &DueNotifications,
        max_owners: u32,
    ) -> Result<u64, StoreError>;

    /// Deletes up to `limit` tokens that expired or were revoked at least `prune.keep` before
    /// [`StoreTime::vouched`], and returns them.
    ///
    /// In the same transaction:
    ///
    /// - If `prune.notify` is set, queues one [`NotificationKind::Pruned`] for each owner of deleted
    ///   tokens that were not revoked.
    /// - Makes the children of a deleted token children of its nearest remaining ancestor, so that they
    ///   stay descendants of that one
    ///   ([`RevocationScope::TokensAndDescendants`](super::RevocationScope::TokensAndDescendants)).
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] if another node has acquired the lease since.
    async fn prune(&self, lease: &Lease, prune: &Prune, limit: u32) -> Result<Pruned, StoreError>;

    /// Deletes rows that are older than `purge` allows, by [`StoreTime::vouched`]: entries of the
    /// change feed, except those of its newest generation; notifications that were sent, skipped or
    /// given up; and audit events. Deletes at most `limit` of each. Returns how many it deleted.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] if another node has acquired the lease since.
    async fn purge(&self, lease: &Lease, purge: &Purge, limit: u32) -> Result<u64, StoreError>;

    /// Corrects times that were written while a clock was ahead. If a token's creation is in the
    /// future, sets it to now, and moves the expiry back by as much; last uses, notifications and other
    /// rows with a time in the future count as not set. Returns how many tokens it moved; appends
    /// [`Change::Everything`](super::Change::Everything) if it moved any.
    ///
    /// Moves nothing while the clock is behind the mark, since the clock is then wrong. `now` is this
    /// machine's real time, for stores without a clock. The default implementation does nothing.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] if another node has acquired the lease since.
    async fn mend_future(&self, lease: &Lease, now: Timestamp) -> Result<u64, StoreError> {
        let _ = (lease, now);
        Ok(0)
    }

    /// Returns up to `limit` owners of unrevoked tokens with keys greater than `after`, in byte order.
    async fn owners_after(
        &self,
        after: Option<&Owner>,
        limit: u32,
    ) -> Result<Vec<ListedOwner>, StoreError>;

    /// Records which owners are missing from the directory, and since when. An owner in
    /// `noted.missing` who is not recorded is recorded as missing since now; the record of an owner in
    /// `noted.present` is removed. Returns the owners in `noted.missing` who have been missing for at
    /// least `noted.at_least`.
    ///
    /// Times are [`StoreTime::vouched`]; a recorded time later than that counts as not set.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] if another node has acquired the lease since.
    async fn note_missing(
        &self,
        lease: &Lease,
        noted: &MissingOwners,
    ) -> Result<Vec<Owner>, StoreError>;

    /// Claims up to `limit` due notifications, oldest first, so that no other worker gets them during
    /// `ttl`. Counts an attempt for each.
    ///
    /// Removes from a notification the tokens to which it no longer applies: for `Created`,
    /// `ExpiresSoon` and `Expired`, those that are revoked or deleted; for `ExpiresSoon` also those
    /// that have expired (by the mark, while the clock is more than [`LONGEST_LEAP`] ahead of it). A
    /// notification without tokens is settled as skipped, and the next one is claimed instead: the
    /// result is empty only if none is due.
    async fn claim_notifications(
        &self,
        now: Timestamp,
        ttl: Duration,
        limit: u32,
    ) -> Result<Vec<QueuedNotification>, StoreError>;

    /// Records the outcome of a claimed notification. Returns `false`, and changes nothing, if the
    /// claim has expired and another worker has claimed the notification since.
    async fn settle_notification(
        &self,
        claim: &Claim,
        outcome: &Outcome,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Returns the counts of the outbox.
    async fn outbox(&self) -> Result<Outbox, StoreError>;

    /// Returns up to `limit` dead notifications, newest first.
    async fn dead_notifications(&self, limit: u32) -> Result<Vec<DeadNotification>, StoreError>;

    /// Queues a dead notification again, due at `now` and with no attempts counted. Returns `false` if
    /// it is not dead.
    async fn requeue_notification(
        &self,
        id: NotificationId,
        now: Timestamp,
    ) -> Result<bool, StoreError>;
}

/// A job that one node at a time runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Job {
    /// Deletes old tokens, change-feed entries, notifications and audit events.
    Prune,
    /// Queues notifications of expiry.
    ExpiryCheck,
    /// Feeds the shared event sinks. It has no occurrences: it is always due.
    EventFeed,
}

impl Job {
    /// Returns the fixed name for the store, logs and metrics: `prune`, `expiry-check` or `event-feed`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Prune => "prune",
            Self::ExpiryCheck => "expiry-check",
            Self::EventFeed => "event-feed",
        }
    }
}

/// A request for a job's lease.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct LeaseRequest<'a> {
    /// The job.
    pub job: Job,
    /// Now, by the caller's clock.
    pub now: Timestamp,
    /// How long the lease lasts.
    pub ttl: Duration,
    /// Returns when the occurrence was scheduled that is due at the store's time; `None` if none is.
    pub due: &'a (dyn Fn(Timestamp) -> Option<Timestamp> + Sync),
    /// The range in which the mark may be set.
    pub mark: MarkBounds,
}

impl<'a> LeaseRequest<'a> {
    /// Creates a request.
    #[must_use]
    pub const fn new(
        job: Job,
        now: Timestamp,
        ttl: Duration,
        due: &'a (dyn Fn(Timestamp) -> Option<Timestamp> + Sync),
        mark: MarkBounds,
    ) -> Self {
        Self {
            job,
            now,
            ttl,
            due,
            mark,
        }
    }
}

impl fmt::Debug for LeaseRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeaseRequest")
            .field("job", &self.job)
            .field("now", &self.now)
            .field("ttl", &self.ttl)
            .field("mark", &self.mark)
            .finish_non_exhaustive()
    }
}

/// The result of [`JobStore::acquire_lease`]. Exhaustive: a caller must handle each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaseAnswer {
    /// The caller holds the lease.
    Acquired(Lease),
    /// Another node holds it.
    Held,
    /// The occurrence was already run, or none is due.
    Done,
}

/// The right to run an occurrence of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lease {
    /// The job.
    pub job: Job,
    /// When the occurrence was scheduled.
    pub occurrence: Timestamp,
    /// The number of this acquisition (a fencing token): writes with an older term are refused.
    pub term: u64,
}

impl Lease {
    /// Creates a lease.
    #[must_use]
    pub const fn new(job: Job, occurrence: Timestamp, term: u64) -> Self {
        Self {
            job,
            occurrence,
            term,
        }
    }
}

/// The criteria for due notifications.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DueNotifications {
    /// [`NotificationKind::ExpiresSoon`] or [`NotificationKind::Expired`].
    pub kind: NotificationKind,
    /// Now, by the caller's clock.
    pub now: Timestamp,
    /// How long before expiry `ExpiresSoon` is due; unused for `Expired`.
    pub within: Duration,
}

impl DueNotifications {
    /// Creates criteria.
    #[must_use]
    pub const fn new(kind: NotificationKind, now: Timestamp, within: Duration) -> Self {
        Self { kind, now, within }
    }
}

/// How far the clock may be ahead of the mark while notifications are queued: enough for a machine that
/// was off for six days, too little for a clock that is a year ahead.
pub const LONGEST_LEAP: Duration = Duration::from_hours(7 * 24);

/// How far two correct clocks may differ: a caller may have waited for a lock after it read its clock,
/// and servers differ by milliseconds after a failover. A time that is at most this far ahead does not
/// count as an impossible future.
pub const CLOCK_TOLERANCE: Duration = Duration::from_mins(1);

/// The criteria for pruned tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Prune {
    /// Now, by the caller's clock.
    pub now: Timestamp,
    /// The caller's mark ([`StoreTime::mark`]), for stores without one.
    pub vouched: Timestamp,
    /// How long tokens are kept after they expired or were revoked.
    pub keep: Duration,
    /// Whether owners are notified.
    pub notify: bool,
}

impl Prune {
    /// Creates criteria of a pruning without notifications.
    #[must_use]
    pub const fn new(now: Timestamp, vouched: Timestamp, keep: Duration) -> Self {
        Self {
            now,
            vouched,
            keep,
            notify: false,
        }
    }
}

/// The result of [`JobStore::prune`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pruned {
    /// When, by the store's clock.
    pub at: Timestamp,
    /// The tokens that were deleted.
    pub tokens: Vec<PrunedToken>,
}

impl Pruned {
    /// Creates the result of a pruning.
    #[must_use]
    pub const fn new(at: Timestamp, tokens: Vec<PrunedToken>) -> Self {
        Self { at, tokens }
    }
}

/// A token that has just been deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PrunedToken {
    /// Its ID.
    pub id: TokenId,
    /// Its owner.
    pub owner: Owner,
}

impl PrunedToken {
    /// Creates a deleted token.
    #[must_use]
    pub const fn new(id: TokenId, owner: Owner) -> Self {
        Self { id, owner }
    }
}

/// An owner of tokens that are not revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListedOwner {
    /// The owner's key.
    pub owner: Owner,
    /// Since when the owner is recorded as missing ([`JobStore::note_missing`]); `None` if present.
    pub missing_since: Option<Timestamp>,
}

impl ListedOwner {
    /// Creates an owner who is not missing.
    #[must_use]
    pub const fn new(owner: Owner) -> Self {
        Self {
            owner,
            missing_since: None,
        }
    }
}

/// The owners that the directory does and does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MissingOwners {
    /// Now, by the caller's clock.
    pub now: Timestamp,
    /// The caller's mark ([`StoreTime::mark`]), for stores without one.
    pub vouched: Timestamp,
    /// Owners that the directory does not know, without duplicates.
    pub missing: Vec<Owner>,
    /// Owners that it knows, without duplicates.
    pub present: Vec<Owner>,
    /// How long an owner must have been missing to be returned.
    pub at_least: Duration,
}

impl MissingOwners {
    /// Creates lists without owners.
    #[must_use]
    pub const fn new(now: Timestamp, vouched: Timestamp, at_least: Duration) -> Self {
        Self {
            now,
            vouched,
            missing: Vec::new(),
            present: Vec::new(),
            at_least,
        }
    }
}

/// The ages at which rows are deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Purge {
    /// Now, by the caller's clock.
    pub now: Timestamp,
    /// The caller's mark ([`StoreTime::mark`]), for stores without one.
    pub vouched: Timestamp,
    /// How long entries of the change feed are kept.
    pub changes: Duration,
    /// How long notifications are kept after they were settled.
    pub notifications: Duration,
    /// How long audit events are kept, where the store keeps any.
    pub events: Duration,
}

impl Purge {
    /// Creates ages that delete nothing.
    #[must_use]
    pub const fn new(now: Timestamp, vouched: Timestamp) -> Self {
        Self {
            now,
            vouched,
            changes: Duration::MAX,
            notifications: Duration::MAX,
            events: Duration::MAX,
        }
    }
}
