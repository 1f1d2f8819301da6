//! The job capability of a store: leases, pruning and the outbox of notifications.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::due::{DueNotifications, DueOwners, ExpiryPosition};
use super::lease::{Lease, LeaseAnswer, LeaseRequest};
use super::outbox::{Claim, DeadNotification, Outbox, Outcome, QueuedNotification};
use super::prune::{Prune, Pruned};
use super::{Revoked, StoreError, StoreTime, UnusedCount, UnusedTokens};
use crate::notification::NotificationId;
use crate::token::Owner;

/// The job capability of a store ([`TokenStore::jobs`](super::TokenStore::jobs)): leases of jobs, the
/// deletion of old tokens (pruning), and the outbox of notifications. Without this capability no token is
/// deleted and no owner is notified.
///
/// Callers pass the time of their clock. A store whose database has a clock uses the database's time
/// instead, which it reads in the transaction of the change. A stored time in an impossible future,
/// written while a clock was wrong, counts as not set:
///
/// - the end of a lease, if it is later than [`LeaseRequest::ttl`] plus [`CLOCK_TOLERANCE`] from now;
/// - a completed [occurrence](super::Job), if it is later than [`CLOCK_TOLERANCE`] from now;
/// - the next attempt of a notification, if it is later than [`LONGEST_DELAY`](super::LONGEST_DELAY) from
///   now.
///
/// A method that takes a [`Lease`] makes its changes in one transaction, and only if the lease is still
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
/// let request = LeaseRequest::new(Job::Prune, now, Duration::from_secs(60), &is_due, mark);
/// let (answer, _time) = jobs.acquire_lease(&request).await?;
/// let LeaseAnswer::Acquired(lease) = answer else { panic!("another runner holds the lease") };
/// let pruned = jobs.prune(&lease, &Prune::new(now, now, Duration::from_secs(24 * 60 * 60)), 100).await?;
/// assert!(pruned.tokens.is_empty());
/// jobs.release_lease(&lease, true).await?;
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait JobStore: Debug + Send + Sync {
    /// Acquires the lease of a job for the time [`LeaseRequest::ttl`], if an [occurrence](super::Job) of the job is
    /// due ([`LeaseRequest::due`]) that no node has run, and if the job has no unexpired lease. A request does
    /// not name its node, so a node's own unexpired lease also counts.
    ///
    /// Returns [`LeaseAnswer::Acquired`] with the lease; otherwise [`LeaseAnswer::Done`] if no occurrence is
    /// due, or [`LeaseAnswer::Held`] if the job has an unexpired lease. With any of these answers, the store
    /// also moves its [mark](StoreTime::mark) to [`MarkBounds::next`](super::MarkBounds::next), and returns its time after that. A
    /// store without a mark returns [`StoreTime::default`].
    ///
    /// Each acquisition increments the lease's term ([`Lease::term`]). So a node that was paused beyond the
    /// end of its lease has an older term than the next holder, and its writes are refused.
    ///
    /// # Errors
    /// [`StoreError`] if the database [fails or does not answer](super::TokenStore#errors).
    async fn acquire_lease(
        &self,
        request: &LeaseRequest<'_>,
    ) -> Result<(LeaseAnswer, StoreTime), StoreError>;

    /// Extends a lease, so that it ends at the time `ttl` after `now`, the time of the caller's clock; a store
    /// with a clock uses its own time instead of `now`.
    ///
    /// # Errors
    /// - [`StoreError::LeaseLost`]: another node has acquired the job's lease after `lease` was acquired. An
    ///   expired lease holds until then.
    /// - Another [`StoreError`]: the database [fails or does not answer](super::TokenStore#errors).
    async fn renew_lease(
        &self,
        lease: &Lease,
        now: Timestamp,
        ttl: Duration,
    ) -> Result<(), StoreError>;

    /// Releases a lease, so that another node can acquire it at once. If `is_done` is `true`, also records
    /// that the [occurrence](super::Job) [`Lease::occurrence`] and all earlier occurrences of the job have been run;
    /// if `false`, the occurrence stays due.
    ///
    /// # Errors
    /// - [`StoreError::LeaseLost`]: another node has acquired the job's lease after `lease` was acquired. An
    ///   expired lease holds until then.
    /// - Another [`StoreError`]: the database [fails or does not answer](super::TokenStore#errors).
    async fn release_lease(&self, lease: &Lease, is_done: bool) -> Result<(), StoreError>;

    /// Returns owners of tokens about which notifications are due by [`JobStore::queue_due_notifications`], in the
    /// order in which the tokens expire: up to `max_owners` of those whose tokens come after the position `after`,
    /// or of the first ones if `after` is `None`.
    ///
    /// # Errors
    /// [`StoreError`] if the database [fails or does not answer](super::TokenStore#errors).
    async fn owners_due(
        &self,
        due: &DueNotifications,
        after: Option<ExpiryPosition>,
        max_owners: u32,
    ) -> Result<DueOwners, StoreError>;

    /// Queues the due notifications of one kind for the owners `owners`: one notification for each owner of
    /// [due](DueNotifications) tokens, about all of them. Returns how many notifications it queued. The store records
    /// that they are queued, and removes a token about which it queues
    /// [`ExpiresSoon`](crate::notification::NotificationKind::ExpiresSoon) from earlier ones that were not sent yet.
    ///
    /// No token is due while the store's clock is more than [`LONGEST_LEAP`] ahead of its
    /// [mark](StoreTime::mark): then the clock may be wrong, and the notifications false.
    ///
    /// # Errors
    /// - [`StoreError::LeaseLost`]: another node has acquired the job's lease after `lease` was acquired. An
    ///   expired lease holds until then.
    /// - Another [`StoreError`]: the database [fails or does not answer](super::TokenStore#errors).
    async fn queue_due_notifications(
        &self,
        lease: &Lease,
        due: &DueNotifications,
        owners: &[Owner],
    ) -> Result<u64, StoreError>;

    /// Deletes up to `limit` old tokens, and returns the deleted tokens. A token is old if it expired or
    /// was revoked at least [`Prune::keep`] ago, or is [transient](crate::Token::is_transient) and expired at
    /// least [`TRANSIENT_KEPT`](super::TRANSIENT_KEPT) ago, measured from the vouched time ([`StoreTime::vouched`]),
    /// which is not ahead even if the store's clock is.
    ///
    /// In the same transaction, the store does the following:
    ///
    /// - If [`Prune::notify`] is `true`, it queues one
    ///   [`Pruned`](crate::notification::NotificationKind::Pruned) for each owner of at least one deleted token that was
    ///   neither revoked nor transient, about those tokens alone.
    /// - It makes each child of a deleted token a child of another token, so that a revocation with descendants
    ///   ([`RevocationScope::TokensAndDescendants`](super::RevocationScope::TokensAndDescendants)) that would
    ///   have revoked the child still does: of the remaining token of the deleted one's line with the smallest
    ///   [`Line::seq`](crate::Line::seq) that is greater than its own, or, if there is none, of the nearest
    ///   ancestor that remains. Without either, the child keeps the ID of its parent.
    ///
    /// # Errors
    /// - [`StoreError::LeaseLost`]: another node has acquired the job's lease after `lease` was acquired. An
    ///   expired lease holds until then.
    /// - Another [`StoreError`]: the database [fails or does not answer](super::TokenStore#errors).
    async fn prune(&self, lease: &Lease, prune: &Prune, limit: u32) -> Result<Pruned, StoreError>;

    /// Queues warnings ([`UnusedWarning`](crate::notification::NotificationKind::UnusedWarning)) about unused tokens of
    /// the owners `owners`: one notification for each owner of due tokens, about all of them. Returns how many
    /// notifications it queued. The default implementation queues none.
    ///
    /// A token is due if it has been unused for [`UnusedTokens::warn_after`], does not expire within
    /// [`UNUSED_NOTICE`](super::UNUSED_NOTICE), and has no warning that counts. A warning counts if it was queued
    /// within [`UNUSED_NOTICE_LASTS`](super::UNUSED_NOTICE_LASTS), and the token was not used since. No token is
    /// due while the store's clock is more than [`LONGEST_LEAP`] ahead of its [mark](StoreTime::mark).
    ///
    /// # Errors
    /// - [`StoreError::LeaseLost`]: another node has acquired the job's lease after `lease` was acquired. An
    ///   expired lease holds until then.
    /// - Another [`StoreError`]: the database [fails or does not answer](super::TokenStore#errors).
    async fn warn_unused(
        &self,
        lease: &Lease,
        unused: &UnusedTokens,
        owners: &[Owner],
    ) -> Result<u64, StoreError> {
        let _ = (lease, unused, owners);
        Ok(0)
    }

    /// Returns how many tokens of the owners `owners` [`JobStore::revoke_unused`] would revoke, of how many. The
    /// default implementation returns [`UnusedCount::default`].
    ///
    /// # Errors
    /// [`StoreError`] if the database [fails or does not answer](super::TokenStore#errors).
    async fn count_unused(
        &self,
        unused: &UnusedTokens,
        owners: &[Owner],
    ) -> Result<UnusedCount, StoreError> {
        let _ = (unused, owners);
        Ok(UnusedCount::default())
    }

    /// Revokes the unused tokens of the owners `owners`, and returns the revoked tokens. The default implementation
    /// revokes none.
    ///
    /// A token is revoked if it has been unused for [`UnusedTokens::revoke_after`], and has a warning that counts
    /// ([`JobStore::warn_unused`]) and was queued at least [`UNUSED_NOTICE`](super::UNUSED_NOTICE) ago. The store
    /// reads the last use in the transaction of the revocation, after it has locked the token.
    ///
    /// In the same transaction, the store does what [`TokenStore::revoke`](super::TokenStore::revoke) does for
    /// these tokens alone, without an administrator and with [`UnusedTokens::reason`], and queues one
    /// [`UnusedRevoked`](crate::notification::NotificationKind::UnusedRevoked) for each owner.
    ///
    /// # Errors
    /// - [`StoreError::LeaseLost`]: another node has acquired the job's lease after `lease` was acquired. An
    ///   expired lease holds until then.
    /// - Another [`StoreError`]: the database [fails or does not answer](super::TokenStore#errors).
    async fn revoke_unused(
        &self,
        lease: &Lease,
        unused: &UnusedTokens,
        owners: &[Owner],
    ) -> Result<Revoked, StoreError> {
        let _ = (lease, owners);
        Ok(Revoked::new(unused.now, Vec::new()))
    }

    /// Deletes rows that are older than `purge` allows, with their age measured from the vouched time
    /// ([`StoreTime::vouched`]): entries of the [change feed](super::Change), except those of the latest
    /// transaction ([`ChangeEntry::generation`](super::ChangeEntry::generation)); notifications that were sent
    /// or skipped, and [dead letters](Outcome::Dead); audit events; and the keys of requests
    /// ([`IdempotencyKey`](super::IdempotencyKey)). Deletes at most `limit` rows of each of these four. Returns how many rows it deleted in all.
    ///
    /// # Errors
    /// - [`StoreError::LeaseLost`]: another node has acquired the job's lease after `lease` was acquired. An
    ///   expired lease holds until then.
    /// - Another [`StoreError`]: the database [fails or does not answer](super::TokenStore#errors).
    async fn purge(&self, lease: &Lease, purge: &Purge, limit: u32) -> Result<u64, StoreError>;

    /// Corrects stored times that lie in the future, because they were written while a clock was ahead.
    /// Returns how many tokens it changed. If it changed any, it also appends
    /// [`Change::Everything`](super::Change::Everything) to the [change feed](super::Change), so that all
    /// nodes look up every token again.
    ///
    /// The present time is [`StoreTime::now`], the later of the store's clock and its
    /// [mark](StoreTime::mark). A token whose [`created_at`](crate::Token::created_at) is more than
    /// [`CLOCK_TOLERANCE`] later gets the present time as its time of creation, and an expiry that is earlier
    /// by the same duration, so that its life span stays the same. A last use that is more than
    /// [`CLOCK_TOLERANCE`] later is deleted, and a notification that is due more than
    /// [`LONGEST_DELAY`](super::LONGEST_DELAY) later becomes due now.
    ///
    /// The store corrects nothing while its clock is more than [`CLOCK_TOLERANCE`] behind its mark, since the
    /// clock may then be the wrong one. `lease` is the lease of the job that the caller runs:
    /// [`Job::Prune`](super::Job::Prune) and [`Job::ExpiryCheck`](super::Job::ExpiryCheck) begin with this call.
    /// `now` is the time of this machine's clock, for a store
    /// without a clock of its own. The default implementation corrects nothing and returns 0.
    ///
    /// # Errors
    /// - [`StoreError::LeaseLost`]: another node has acquired the job's lease after `lease` was acquired. An
    ///   expired lease holds until then.
    /// - Another [`StoreError`]: the database [fails or does not answer](super::TokenStore#errors).
    async fn mend_future(&self, lease: &Lease, now: Timestamp) -> Result<u64, StoreError> {
        let _ = (lease, now);
        Ok(0)
    }

    /// Returns up to `limit` owners of unrevoked tokens, in the byte order of their keys: those with keys
    /// greater than `after`, or the first ones if `after` is `None`.
    ///
    /// # Errors
    /// [`StoreError`] if the database [fails or does not answer](super::TokenStore#errors).
    async fn owners_after(
        &self,
        after: Option<&Owner>,
        limit: u32,
    ) -> Result<Vec<ListedOwner>, StoreError>;

    /// Records the present time for those of the owners `owners` that have no recorded time
    /// ([`TokenStore::note_seen`](super::TokenStore::note_seen)), as if the host had seen them, and returns how
    /// many there were. So the absence of an owner whom the host never reports begins then. The default
    /// implementation records nothing. `now` is the time of the caller's clock, for a store without a clock of
    /// its own.
    ///
    /// # Errors
    /// - [`StoreError::LeaseLost`]: another node has acquired the job's lease after `lease` was acquired. An
    ///   expired lease holds until then.
    /// - Another [`StoreError`]: the database [fails or does not answer](super::TokenStore#errors).
    async fn note_unseen(
        &self,
        lease: &Lease,
        now: Timestamp,
        owners: &[Owner],
    ) -> Result<u64, StoreError> {
        let _ = (lease, now, owners);
        Ok(0)
    }

    /// Records which owners are missing from the directory, and since when. Returns the owners in
    /// [`MissingOwners::missing`] who have been missing for at least [`MissingOwners::at_least`].
    ///
    /// An owner in `missing` without a record gets one with the present time; the records of the owners in
    /// [`MissingOwners::present`] are deleted. The present time is the vouched time ([`StoreTime::vouched`]),
    /// which is not ahead even if the store's clock is. A recorded time that is later counts as not set.
    ///
    /// # Errors
    /// - [`StoreError::LeaseLost`]: another node has acquired the job's lease after `lease` was acquired. An
    ///   expired lease holds until then.
    /// - Another [`StoreError`]: the database [fails or does not answer](super::TokenStore#errors).
    async fn note_missing(
        &self,
        lease: &Lease,
        noted: &MissingOwners,
    ) -> Result<Vec<Owner>, StoreError>;

    /// Claims up to `limit` due notifications, the longest due first, so that no other worker gets them
    /// during the time `ttl`. Counts an attempt for each notification ([`QueuedNotification::attempts`]).
    /// Notifications that a [revocation](super::Revocation::notify) has left to be queued are due too.
    ///
    /// The store first removes tokens from a notification that it no longer applies to: for `Created`,
    /// `ExpiresSoon` and `Expired`, tokens that are revoked or deleted; for `ExpiresSoon` also tokens that
    /// have expired. While the store's clock is more than [`LONGEST_LEAP`] ahead of its
    /// [mark](StoreTime::mark), the mark decides whether a token has expired. If no token is left, the store
    /// settles the notification as skipped ([`Outcome::Skipped`]), and claims the next one instead. So the
    /// result is empty only if no notification is due.
    ///
    /// # Errors
    /// [`StoreError`] if the database [fails or does not answer](super::TokenStore#errors).
    async fn claim_notifications(
        &self,
        now: Timestamp,
        ttl: Duration,
        limit: u32,
    ) -> Result<Vec<QueuedNotification>, StoreError>;

    /// Settles a claimed notification: records the outcome of the attempt to send it, at the time `now`.
    /// Returns `true` if the outcome was recorded. Returns `false`, and changes nothing, if the notification
    /// was settled with this claim already, or if the claim has expired and another worker has claimed the
    /// notification since.
    ///
    /// # Errors
    /// [`StoreError`] if the database [fails or does not answer](super::TokenStore#errors).
    async fn settle_notification(
        &self,
        claim: &Claim,
        outcome: &Outcome,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Settles claimed notifications as [`JobStore::settle_notification`] does one, in one transaction where the
    /// store can. Returns in the order of `settled` whether each outcome was recorded. The default implementation
    /// settles one after the other.
    ///
    /// # Errors
    /// [`StoreError`] if the database [fails or does not answer](super::TokenStore#errors). Some of the
    /// outcomes may be recorded then; to repeat the call with all of them is harmless.
    async fn settle_notifications(
        &self,
        settled: &[(Claim, Outcome)],
        now: Timestamp,
    ) -> Result<Vec<bool>, StoreError> {
        let mut are_settled = Vec::with_capacity(settled.len());
        for (claim, outcome) in settled {
            are_settled.push(self.settle_notification(claim, outcome, now).await?);
        }
        Ok(are_settled)
    }

    /// Returns how many notifications are pending, since when, and how many are
    /// [dead letters](Outcome::Dead).
    ///
    /// # Errors
    /// [`StoreError`] if the database [fails or does not answer](super::TokenStore#errors).
    async fn outbox(&self) -> Result<Outbox, StoreError>;

    /// Returns up to `limit` [dead letters](Outcome::Dead), the most recently queued first: notifications that
    /// could not be sent and are not tried again.
    ///
    /// # Errors
    /// [`StoreError`] if the database [fails or does not answer](super::TokenStore#errors).
    async fn dead_notifications(&self, limit: u32) -> Result<Vec<DeadNotification>, StoreError>;

    /// Queues the [dead letter](Outcome::Dead) with this ID again, due at `now` and with 0 attempts. Returns
    /// `true` if it was queued; `false` if there is no dead letter with this ID.
    ///
    /// # Errors
    /// [`StoreError`] if the database [fails or does not answer](super::TokenStore#errors).
    async fn requeue_notification(
        &self,
        id: NotificationId,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Queues all [dead letters](Outcome::Dead) again, as [`JobStore::requeue_notification`] does one. Returns how many
    /// they were.
    ///
    /// # Errors
    /// [`StoreError`] if the database [fails or does not answer](super::TokenStore#errors).
    async fn requeue_all_notifications(&self, now: Timestamp) -> Result<u64, StoreError>;
}

/// Seven days: while the store's clock is further ahead of its [mark](StoreTime::mark) than that,
/// [`JobStore::queue_due_notifications`] queues no notification, because the clock is probably wrong.
///
/// The mark stands still while all nodes are off, so the clock is then ahead of it without being wrong. After
/// an outage of up to seven days, notifications are queued at once; after a longer one, only when the mark has
/// caught up to within seven days.
pub const LONGEST_LEAP: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How far two correct clocks may differ: one minute. A caller may have waited for a lock after it read its
/// clock, and servers differ by milliseconds after a failover. So a stored time of creation, last use or
/// completed [occurrence](super::Job) counts as impossible only if it is more than a minute in the future, and the
/// end of a lease only if it is more than a minute later than the lease can last.
pub const CLOCK_TOLERANCE: Duration = Duration::from_secs(60);

/// An owner of unrevoked tokens, as [`JobStore::owners_after`] lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListedOwner {
    /// Key of the owner.
    pub owner: Owner,
    /// Since when the owner has been recorded as missing from the directory ([`JobStore::note_missing`]);
    /// `None` if there is no such record.
    pub missing_since: Option<Timestamp>,
}

impl ListedOwner {
    /// Creates an owner who is not recorded as missing.
    #[must_use]
    pub const fn new(owner: Owner) -> Self {
        Self {
            owner,
            missing_since: None,
        }
    }
}

/// The owners that the directory knows and does not know, for [`JobStore::note_missing`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MissingOwners {
    /// The present time by the caller's clock, for a store without a clock of its own.
    pub now: Timestamp,
    /// The caller's [vouched](StoreTime::vouched) time: the earlier of the caller's clock and a mark that the
    /// caller keeps in memory. A store without a [mark](StoreTime::mark) measures the ages of rows from this
    /// time; a store with a mark ignores it.
    pub vouched: Timestamp,
    /// Owners that the directory does not know, without duplicates.
    pub missing: Vec<Owner>,
    /// Owners that the directory knows, without duplicates.
    pub present: Vec<Owner>,
    /// How long an owner must have been missing for [`JobStore::note_missing`] to return it.
    pub at_least: Duration,
}

impl MissingOwners {
    /// Creates empty lists of owners. `now`, `vouched` and `at_least` become the fields of these names.
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

/// The ages at which [`JobStore::purge`] deletes rows. The keys of requests
/// ([`IdempotencyKey`](super::IdempotencyKey)) are deleted after
/// [`IDEMPOTENCY_KEPT`](super::IDEMPOTENCY_KEPT).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Purge {
    /// The present time by the caller's clock, for a store without a clock of its own.
    pub now: Timestamp,
    /// The caller's [vouched](StoreTime::vouched) time: the earlier of the caller's clock and a mark that the
    /// caller keeps in memory. A store without a [mark](StoreTime::mark) measures the ages of rows from this
    /// time; a store with a mark ignores it.
    pub vouched: Timestamp,
    /// How long entries of the [change feed](super::Change) are kept.
    pub changes: Duration,
    /// How long notifications are kept after they were sent or skipped, or became
    /// [dead letters](Outcome::Dead).
    pub notifications: Duration,
    /// How long audit events are kept. A store without an audit capability ignores it.
    pub events: Duration,
}

impl Purge {
    /// Creates a purge that deletes nothing until an age is set: [`Purge::changes`],
    /// [`Purge::notifications`] and [`Purge::events`] are [`Duration::MAX`]. `now` and `vouched` become the
    /// fields of these names.
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
