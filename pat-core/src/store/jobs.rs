//! The part of the storage port that jobs need: leases, pruning and the outbox of notifications.

use std::fmt::{self, Debug};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{MarkBounds, StoreError, StoreTime};
use crate::notification::{NotificationId, NotificationKind, NotificationToken};
use crate::token::{Owner, TokenId};

/// What jobs keep in a store, beside the tokens themselves.
///
/// `pat_core::testing::jobs` has the suite. A store without it (see
/// [`TokenStore::jobs`](super::TokenStore::jobs)) works, but nothing is pruned and nobody is
/// notified.
///
/// A job has no time of its own: callers say what time they think it is, and a store whose database
/// has a clock goes by that, in the transaction that acts. What lies in a future in which it cannot
/// lie, because some clock was wrong when it was written, counts as not set: a lease that lasts
/// longer than leases do, an occurrence that is done but has not come, a notification that is due later
/// than any is put off.
#[async_trait]
pub trait JobStore: Debug + Send + Sync {
    /// Takes a job's lease for `request.ttl`, if the occurrence that is due (`request.due`) is still
    /// to be run and nobody else holds the lease. Moves the mark within the bounds of the request,
    /// and returns the time as well.
    ///
    /// The term grows by one with every acquisition, so that a runner who was paused past the end
    /// of his lease is told from the next one.
    async fn acquire_lease(
        &self,
        request: &LeaseRequest<'_>,
    ) -> Result<(LeaseAnswer, StoreTime), StoreError>;

    /// Prolongs a lease to `ttl` from `now` on.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] if somebody else has acquired it since.
    async fn renew_lease(
        &self,
        lease: &Lease,
        now: Timestamp,
        ttl: Duration,
    ) -> Result<(), StoreError>;

    /// Gives a lease back. With `is_done` the occurrence that it was acquired for is done, and
    /// earlier ones with it.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] if somebody else has acquired it since; then nothing is changed.
    async fn release_lease(&self, lease: &Lease, is_done: bool) -> Result<(), StoreError>;

    /// Queues the notifications of one kind that are due, for all tokens of up to `max_owners` owners:
    /// one notification for each owner. Returns how many that were; 0 if nothing is due any more.
    ///
    /// `ExpiresSoon` is due for an unrevoked token that is not expired now, expires within
    /// `due.within`, and about which no notification of expiry was queued yet; `Expired` for one that is
    /// expired now and about which no `Expired` was queued. Nothing is due while the clock is more
    /// than [`LONGEST_LEAP`] ahead of the mark: the owners would be told what is not so.
    ///
    /// In one transaction, so that a token falls due once, under the lease.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] if somebody else has acquired the lease since.
    async fn queue_due_notifications(
        &self,
        lease: &Lease,
        due: &DueNotifications,
        max_owners: u32,
    ) -> Result<u64, StoreError>;

    /// Deletes up to `limit` tokens that expired, or were revoked, `prune.keep` ago or longer by the
    /// time that is vouched for, and returns them. If `prune.notify` is set, queues one [`NotificationKind::Pruned`] for each owner of
    /// those among them that were not revoked, in the same transaction. Under the lease.
    ///
    /// In that transaction too, tokens whose parent is deleted become children of its nearest ancestor
    /// that stays, so that they are still descendants of that one
    /// ([`RevocationScope::TokensAndDescendants`](super::RevocationScope::TokensAndDescendants)).
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] if somebody else has acquired the lease since.
    async fn prune(&self, lease: &Lease, prune: &Prune, limit: u32) -> Result<Pruned, StoreError>;

    /// Deletes old rows that nobody needs any more: entries of the change feed, except those of
    /// its newest generation, notifications that were sent or skipped, or gave up, and audit events, each
    /// older than given, by the time that is vouched for. At most `limit` of each; returns how many.
    /// Under the lease.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] if somebody else has acquired the lease since.
    async fn purge(&self, lease: &Lease, purge: &Purge, limit: u32) -> Result<u64, StoreError>;

    /// Puts right what was written while a clock was wrong that is right again, under the lease:
    /// tokens that were created in a future that did not come are moved back to now, and their ends
    /// by as much; last uses, notifications and the like in such a future count as not set. Returns how
    /// many tokens were moved; all nodes judge everything anew if any was
    /// ([`Change::Everything`](super::Change::Everything)).
    ///
    /// Nothing is moved while the clock is behind the mark: then it is the clock that is wrong. `now`
    /// is the machine's own real time, for stores without a clock of their own.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] if somebody else has acquired the lease since.
    async fn mend_future(&self, lease: &Lease, now: Timestamp) -> Result<u64, StoreError> {
        let _ = (lease, now);
        Ok(0)
    }

    /// Up to `limit` owners of unrevoked tokens, in byte order, from the one after `after` on.
    async fn owners_after(
        &self,
        after: Option<&Owner>,
        limit: u32,
    ) -> Result<Vec<ListedOwner>, StoreError>;

    /// Notes which owners the directory does not know, and since when: of each of `noted.missing` the
    /// first time in a row that he is among them, of each of `noted.present` that he is not missing.
    /// Returns those of `noted.missing` that have been so for `noted.at_least`.
    ///
    /// Both are by the time that is vouched for. What lies in its future counts as not set. Under the
    /// lease.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] if somebody else has acquired the lease since.
    async fn note_missing(
        &self,
        lease: &Lease,
        noted: &MissingOwners,
    ) -> Result<Vec<Owner>, StoreError>;

    /// Takes up to `limit` notifications that are due, oldest first, so that no other worker gets them for
    /// as long as `ttl`; counts the attempt.
    ///
    /// Tokens that a notification need not tell of any more are taken out of it for good: for
    /// `Created`, `ExpiresSoon` and `Expired` those that are revoked or gone, for `ExpiresSoon`
    /// also those that have expired (by the mark, while the clock is more than [`LONGEST_LEAP`] ahead
    /// of it). A notification that is left without tokens is skipped, and the next
    /// one taken in its place: the answer is empty only if nothing is due.
    async fn claim_notifications(
        &self,
        now: Timestamp,
        ttl: Duration,
        limit: u32,
    ) -> Result<Vec<QueuedNotification>, StoreError>;

    /// Says what came of a claimed notification. False if the claim has run out and another worker has
    /// taken the notification since; then nothing is changed.
    async fn settle_notification(
        &self,
        claim: &Claim,
        outcome: &Outcome,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// How much there is in the outbox.
    async fn outbox(&self) -> Result<Outbox, StoreError>;

    /// Up to `limit` notifications that could not be sent, newest first.
    async fn dead_notifications(&self, limit: u32) -> Result<Vec<DeadNotification>, StoreError>;

    /// Has a dead notification tried again from `now` on, with all its attempts. False if it is not dead.
    async fn requeue_notification(
        &self,
        id: NotificationId,
        now: Timestamp,
    ) -> Result<bool, StoreError>;
}

/// A job that one node runs for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Job {
    /// Deletes old tokens, and tidies up.
    Prune,
    /// Queues notifications about expiry.
    ExpiryCheck,
    /// Feeds the shared event sinks. It has no occurrences: it is always due.
    EventFeed,
}

impl Job {
    /// A fixed name, for the store, logs and metrics: `prune`, `expiry-check` or `event-feed`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Prune => "prune",
            Self::ExpiryCheck => "expiry-check",
            Self::EventFeed => "event-feed",
        }
    }
}

/// Who wants which lease.
#[derive(Clone, Copy)]
pub struct LeaseRequest<'a> {
    /// The job.
    pub job: Job,
    /// Now, by the caller's clock.
    pub now: Timestamp,
    /// For how long.
    pub ttl: Duration,
    /// When the occurrence of the job was scheduled that is due at a time; `None` if none is. Asked
    /// with the store's time.
    pub due: &'a (dyn Fn(Timestamp) -> Option<Timestamp> + Sync),
    /// Where the mark may be moved to.
    pub mark: MarkBounds,
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

/// What came of [`JobStore::acquire_lease`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaseAnswer {
    /// It is the runner's.
    Acquired(Lease),
    /// Another runner holds it.
    Held,
    /// The occurrence was run already, or there is none.
    Done,
}

/// The right to run an occurrence of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The job.
    pub job: Job,
    /// When the occurrence was scheduled.
    pub occurrence: Timestamp,
    /// Which acquisition this is: every effect is refused unless it is the latest.
    pub term: u64,
}

/// Which notifications are due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueNotifications {
    /// [`NotificationKind::ExpiresSoon`] or [`NotificationKind::Expired`].
    pub kind: NotificationKind,
    /// Now, by the caller's clock.
    pub now: Timestamp,
    /// For tokens that expire within this time from now; without meaning for `Expired`.
    pub within: Duration,
}

/// How far the clock may be ahead of the mark while notifications are queued: a machine that was off for
/// six days still tells what is due, and one whose clock is a year ahead does not.
pub const LONGEST_LEAP: Duration = Duration::from_hours(7 * 24);

/// How far apart two clocks may be that are both right: a caller may have read his before he waited for
/// a lock, and one server that takes another's place does not agree with it to the millisecond. What is
/// no further ahead lies in no impossible future.
pub const CLOCK_TOLERANCE: Duration = Duration::from_mins(1);

/// The longest time for which a notification is put off; one that is due later is due now.
pub const LONGEST_DELAY: Duration = Duration::from_hours(2);

/// Which tokens are pruned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prune {
    /// Now, by the caller's clock.
    pub now: Timestamp,
    /// The time that the caller vouches for ([`StoreTime::mark`]), for stores that keep no mark.
    pub vouched: Timestamp,
    /// Tokens that expired or were revoked this long ago or longer.
    pub keep: Duration,
    /// Whether their owners are told.
    pub notify: bool,
}

/// What came of [`JobStore::prune`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pruned {
    /// When, by the store's clock.
    pub at: Timestamp,
    /// The tokens that were deleted.
    pub tokens: Vec<PrunedToken>,
}

/// A token that has just been deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrunedToken {
    /// Its public number.
    pub id: TokenId,
    /// Whose it was.
    pub owner: Owner,
}

/// An owner of tokens that are not revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedOwner {
    /// His key.
    pub owner: Owner,
    /// Since when he is noted as missing ([`JobStore::note_missing`]).
    pub missing_since: Option<Timestamp>,
}

/// Which owners the directory does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingOwners {
    /// Now, by the caller's clock.
    pub now: Timestamp,
    /// The time that the caller vouches for ([`StoreTime::mark`]), for stores that keep no mark.
    pub vouched: Timestamp,
    /// Those whom it does not know, each once.
    pub missing: Vec<Owner>,
    /// Others, each once.
    pub present: Vec<Owner>,
    /// How long one must have been missing to be returned.
    pub at_least: Duration,
}

/// What is old.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purge {
    /// Now, by the caller's clock.
    pub now: Timestamp,
    /// The time that the caller vouches for ([`StoreTime::mark`]), for stores that keep no mark.
    pub vouched: Timestamp,
    /// How long entries of the change feed are kept.
    pub changes: Duration,
    /// How long notifications are kept after they were settled.
    pub notifications: Duration,
    /// How long audit events are kept, where the store keeps any.
    pub events: Duration,
}

/// A notification in the hands of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedNotification {
    /// The worker's claim.
    pub claim: Claim,
    /// What it tells.
    pub kind: NotificationKind,
    /// Whom it tells.
    pub owner: Owner,
    /// The tokens it is about, by expiry (never last) and then by id; at least one.
    pub tokens: Vec<NotificationToken>,
    /// Who revoked, for [`NotificationKind::RevokedByAdmin`].
    pub by: Option<Owner>,
    /// Why, in the revoker's words.
    pub reason: Option<String>,
    /// How many of the owner's tokens that were created with these, directly or through others, go on
    /// authenticating; 0 for other kinds than [`NotificationKind::RevokedByAdmin`].
    pub live_children: u64,
    /// When it was queued.
    pub queued_at: Timestamp,
    /// How often it has been claimed, this time included.
    pub attempts: u32,
    /// The names of the mailers that have sent it already.
    pub sent_by: Vec<String>,
}

/// A worker's right to settle a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The notification.
    pub id: NotificationId,
    /// A random number that only the holder of this claim knows.
    pub token: u64,
}

/// What came of a notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Every mailer has sent it.
    Sent,
    /// It is to be tried again.
    Retry {
        /// After how long from now, at most [`LONGEST_DELAY`].
        after: Duration,
        /// Why it was not sent.
        error: String,
        /// The names of the mailers that have sent it already.
        sent_by: Vec<String>,
    },
    /// It cannot be sent; somebody should look.
    Dead {
        /// Why.
        error: String,
        /// The names of the mailers that have sent it all the same.
        sent_by: Vec<String>,
    },
    /// It need not be sent.
    Skipped {
        /// Why.
        reason: String,
    },
}

/// How much there is in the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outbox {
    /// Notifications that wait to be sent.
    pub pending: u64,
    /// When the oldest of them was queued.
    pub oldest_pending_at: Option<Timestamp>,
    /// Notifications that could not be sent.
    pub dead: u64,
}

/// A notification that could not be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadNotification {
    /// Its number.
    pub id: NotificationId,
    /// What it tells.
    pub kind: NotificationKind,
    /// Whom it should tell.
    pub owner: Owner,
    /// When it was queued.
    pub queued_at: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it could not be sent.
    pub error: String,
}
