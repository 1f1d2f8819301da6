//! The part of the storage port that jobs need: leases, pruning and the outbox of notices.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::StoreError;
use crate::notice::{NoticeId, NoticeKind, NoticeToken};
use crate::{Owner, TokenId};

/// What jobs keep in a store, beside the tokens themselves.
///
/// `pat_core::testing::jobs` has the suite. A store without it (see
/// [`TokenStore::jobs`](super::TokenStore::jobs)) works, but nothing is pruned and nobody is
/// notified.
///
/// Times are given by the caller, who follows the database's clock
/// ([`ChangePage::database_time`](super::ChangePage::database_time)). A store whose database has a
/// clock of its own goes by that for leases all the same, since a node that has just started may
/// not follow it yet. The suite passes either way.
#[async_trait]
pub trait JobStore: Debug + Send + Sync {
    /// Takes a job's lease for `ttl`, if an occurrence of the job at `request.occurrence` is still
    /// to be run and nobody else holds the lease.
    ///
    /// The term grows by one with every acquisition, so that a runner who was paused past the end
    /// of his lease is told from the next one.
    async fn acquire_lease(&self, request: &LeaseRequest) -> Result<LeaseAnswer, StoreError>;

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

    /// Queues the notices of one kind that are due, for all tokens of up to `max_owners` owners:
    /// one notice for each owner. Returns how many that were; 0 if nothing is due any more.
    ///
    /// `ExpiresSoon` is due for an unrevoked token that is not expired at `now`, expires at or
    /// before `until`, and about which no notice of expiry was queued yet; `Expired` for one that
    /// is expired at `now` and about which no `Expired` was queued. (`until` is `now` then.)
    ///
    /// In one transaction, so that a token falls due once, under the lease.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] if somebody else has acquired the lease since.
    async fn queue_due_notices(
        &self,
        lease: &Lease,
        due: &DueNotices,
        max_owners: u32,
    ) -> Result<u64, StoreError>;

    /// Deletes up to `limit` tokens that expired, or were revoked, at or before `prune.before`, and
    /// returns them. If `prune.notify` is set, queues one [`NoticeKind::Pruned`] for each owner of
    /// those among them that were not revoked, in the same transaction. Under the lease.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] if somebody else has acquired the lease since.
    async fn prune(
        &self,
        lease: &Lease,
        prune: &Prune,
        limit: u32,
    ) -> Result<Vec<PrunedToken>, StoreError>;

    /// Deletes old rows that nobody needs any more: entries of the change feed, except those of
    /// its newest generation, notices that were sent or skipped, or gave up, and audit events, each
    /// from before the time given. At most `limit` of each; returns how many. Under the lease.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] if somebody else has acquired the lease since.
    async fn trim(&self, lease: &Lease, trim: &Trim, limit: u32) -> Result<u64, StoreError>;

    /// Up to `limit` owners of unrevoked tokens, in byte order, from the one after `after` on.
    async fn owners_after(
        &self,
        after: Option<&Owner>,
        limit: u32,
    ) -> Result<Vec<Owner>, StoreError>;

    /// Takes up to `limit` notices that are due at `now`, oldest first, so that no other worker
    /// gets them before `until`; counts the attempt.
    ///
    /// Tokens that a notice need not tell of any more are taken out of it for good: for
    /// `Created`, `ExpiresSoon` and `Expired` those that are revoked or gone, for `ExpiresSoon`
    /// also those that have expired. A notice that is left without tokens is skipped, and the next
    /// one taken in its place: the answer is empty only if nothing is due.
    async fn claim_notices(
        &self,
        now: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<QueuedNotice>, StoreError>;

    /// Says what came of a claimed notice. False if the claim has run out and another worker has
    /// taken the notice since; then nothing is changed.
    async fn settle_notice(
        &self,
        claim: &Claim,
        outcome: &Outcome,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// How much there is in the outbox.
    async fn outbox(&self) -> Result<Outbox, StoreError>;

    /// Up to `limit` notices that could not be sent, newest first.
    async fn dead_notices(&self, limit: u32) -> Result<Vec<DeadNotice>, StoreError>;

    /// Has a dead notice tried again from `now` on, with all its attempts. False if it is not dead.
    async fn requeue_notice(&self, id: NoticeId, now: Timestamp) -> Result<bool, StoreError>;
}

/// A job that one node runs for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Job {
    /// Deletes old tokens, and tidies up.
    Prune,
    /// Queues notices about expiry.
    ExpiryCheck,
}

impl Job {
    /// A fixed name, for the store, logs and metrics: `prune` or `expiry-check`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Prune => "prune",
            Self::ExpiryCheck => "expiry-check",
        }
    }
}

/// Who wants which lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseRequest {
    /// The job.
    pub job: Job,
    /// When the occurrence that is to be run was scheduled.
    pub occurrence: Timestamp,
    /// Now.
    pub now: Timestamp,
    /// For how long.
    pub ttl: Duration,
}

/// What came of [`JobStore::acquire_lease`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaseAnswer {
    /// It is the runner's.
    Acquired(Lease),
    /// Another runner holds it.
    Held,
    /// The occurrence was run already.
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

/// Which notices are due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueNotices {
    /// [`NoticeKind::ExpiresSoon`] or [`NoticeKind::Expired`].
    pub kind: NoticeKind,
    /// Now.
    pub now: Timestamp,
    /// For tokens that expire at or before this.
    pub until: Timestamp,
}

/// Which tokens are pruned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prune {
    /// Now.
    pub now: Timestamp,
    /// Tokens that expired or were revoked at or before this.
    pub before: Timestamp,
    /// Whether their owners are told.
    pub notify: bool,
}

/// A token that has just been deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrunedToken {
    /// Its public number.
    pub id: TokenId,
    /// Whose it was.
    pub owner: Owner,
}

/// What is old.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trim {
    /// Entries of the change feed from before this.
    pub changes_before: Timestamp,
    /// Notices that were settled before this.
    pub notices_before: Timestamp,
    /// Audit events from before this, where the store keeps any.
    pub events_before: Timestamp,
}

/// A notice in the hands of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedNotice {
    /// The worker's claim.
    pub claim: Claim,
    /// What it tells.
    pub kind: NoticeKind,
    /// Whom it tells.
    pub owner: Owner,
    /// The tokens it is about, by expiry (never last) and then by id; at least one.
    pub tokens: Vec<NoticeToken>,
    /// Who revoked, for [`NoticeKind::RevokedByAdmin`].
    pub by: Option<Owner>,
    /// Why, in the revoker's words.
    pub reason: Option<String>,
    /// When it was queued.
    pub queued_at: Timestamp,
    /// How often it has been claimed, this time included.
    pub attempts: u32,
    /// The names of the mailers that have sent it already.
    pub sent_by: Vec<String>,
}

/// A worker's right to settle a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The notice.
    pub id: NoticeId,
    /// A random mark of this claim.
    pub mark: u64,
}

/// What came of a notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Every mailer has sent it.
    Sent,
    /// It is to be tried again.
    Retry {
        /// When.
        at: Timestamp,
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
    /// Notices that wait to be sent.
    pub pending: u64,
    /// When the oldest of them was queued.
    pub oldest_pending_at: Option<Timestamp>,
    /// Notices that could not be sent.
    pub dead: u64,
}

/// A notice that could not be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadNotice {
    /// Its number.
    pub id: NoticeId,
    /// What it tells.
    pub kind: NoticeKind,
    /// Whom it should tell.
    pub owner: Owner,
    /// When it was queued.
    pub queued_at: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it could not be sent.
    pub error: String,
}
