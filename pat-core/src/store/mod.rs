//! The port to the database: the traits that a store of tokens implements, and their types.
//!
//! [`TokenStore`] has what every store must have; [`JobStore`], [`SearchStore`], [`AuditStore`] and
//! [`ImportStore`] are capabilities that a store may have in addition. In these docs, a *node* is a process with a service
//! ([`Pats`](crate::Pats)) on the store.

mod audit;
mod due;
mod feed;
mod import;
mod jobs;
mod lease;
mod outbox;
mod prune;
mod rotation;
mod search;
mod seen;
mod time;
mod tokens;
mod unused;
mod update;
mod versions;

use std::error::Error;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

pub use self::audit::AuditStore;
pub use self::due::{DueNotifications, DueOwners, ExpiryPosition};
pub use self::feed::{
    Change, ChangeEntry, ChangePage, FeedPosition, MOST_READ, NODE_FORGOTTEN_AFTER, NodeReport,
    ReportMode,
};
pub use self::import::{ImportOutcome, ImportStore, ImportedToken, Imports, NewImport};
pub use self::jobs::{CLOCK_TOLERANCE, JobStore, LONGEST_LEAP, ListedOwner, MissingOwners, Purge};
pub use self::lease::{Job, Lease, LeaseAnswer, LeaseRequest};
pub use self::outbox::{
    Claim, DeadNotification, LONGEST_DELAY, Outbox, Outcome, QueuedNotification,
};
pub use self::prune::{Prune, Pruned, PrunedToken, TRANSIENT_KEPT};
pub use self::rotation::{
    Ending, IDEMPOTENCY_KEPT, IdempotencyKey, NotRotatable, Replacement, Rotated, RotatedToken,
    Rotation,
};
pub use self::search::SearchStore;
pub use self::seen::{SEEN_PRECISION, SeenEffect, SeenOwner};
pub use self::time::{MarkBounds, StoreTime};
pub use self::tokens::{
    Insertion, LastUse, Lookup, NewToken, Revocation, RevocationScope, Revoked, RevokedToken,
};
pub(crate) use self::unused::unused_days;
pub use self::unused::{
    REPLACED_NOTICE, UNUSED_NOTICE, UNUSED_NOTICE_LASTS, UnusedCount, UnusedTokens,
};
pub use self::update::{
    Overlap, Presented, StoredUpdate, Update, UpdateEffect, UpdateRefusal, Updated,
};
pub use self::versions::{SCHEMA_VERSION, StoreVersions};
use crate::token::{Owner, Token, TokenDigest, TokenId};

/// A store of tokens, usually in a database.
///
/// An implementation is conformant if it passes the suite in `pat_core::testing::store`. Times are
/// stored with microsecond precision. Text is compared byte by byte: `alice` and `Alice` are two owners.
///
/// Callers pass the time of their clock, which may be wrong. A store whose database has a clock uses
/// and stores the database's time instead, which it reads in the transaction of the change
/// ([`StoreTime::now`]).
///
/// A method makes all its changes or none. Once it has returned, its changes survive a crash, except last
/// uses. The store retries a conflict inside the database, such as a deadlock or a locked file.
///
/// The arguments of the methods that change tokens implement `Serialize` and `Deserialize`, so that a
/// store can write them to a file.
///
/// # Errors
/// Every method fails with [`StoreError::Backend`] if the database fails, and with
/// [`StoreError::Timeout`] if the store has a time limit of its own and the database does not answer
/// within it. A refused change is a result, such as [`Insertion::LimitReached`], and not an error.
///
/// ```
/// use jiff::Timestamp;
/// use pat_core::store::{NewToken, Revocation, RevocationScope};
/// use pat_core::store::TokenStore;
/// use pat_core::{MemoryStore, Owner, TokenDigest, TokenId};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = MemoryStore::default();
/// let digest = TokenDigest::of(b"pat_secret");
/// let (id, owner, now) = (TokenId::new(7).unwrap(), Owner::new("alice")?, Timestamp::now());
/// store.insert(&NewToken::new(id, digest, owner, "ci", now), 10).await?;
/// assert_eq!(store.find_by_digest(&digest).await?.token.unwrap().name, "ci");
///
/// let scope = RevocationScope::Tokens(vec![id]);
/// let revoked = store.revoke(&scope, &Revocation::new(now)).await?;
/// assert_eq!(revoked.tokens[0].id, id);
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait TokenStore: Debug + Send + Sync + 'static {
    /// Returns whether the store is *shared*: whether other processes may change the stored data. The default
    /// is `true`; a store that keeps its data in this process's memory returns `false`.
    ///
    /// On a shared store a node uses its cache only while it has recently read the [change feed](Change)
    /// ([`TokenStore::changes_since`]).
    fn is_shared(&self) -> bool {
        true
    }

    /// Stores a new token, unless that would break a rule that only the store can check; returns the
    /// stored token or the broken rule.
    ///
    /// A store with a clock replaces `token` by [`NewToken::created_now`] at the time of its clock, before it
    /// checks the rules.
    ///
    /// The store checks the rules in one transaction that excludes other creations for this owner. The
    /// parent, if there is one, must be valid at the token's `created_at` ([`Token::validity`]), and must have
    /// the scopes [`NewToken::parent_scopes`]. The owner must have fewer than `limit` tokens that
    /// [count](Token::counts), and fewer than `token.max_rows` tokens in all. Tokens of one line
    /// ([`Line`](crate::Line)) count as one. The check must not count further than these limits.
    ///
    /// Before all other rules, the store looks for the key of the request ([`NewToken::idempotency`]).
    ///
    /// # Errors
    /// [`StoreError`] if the database [fails or does not answer](TokenStore#errors).
    async fn insert(&self, token: &NewToken, limit: u32) -> Result<Insertion, StoreError>;

    /// Returns the token with this digest, even if it is revoked or expired, and the store's time
    /// ([`StoreTime`]) and versions ([`StoreVersions`]). The store must read from the primary, never from a
    /// replica that may lag, and must read the token and the versions in one statement.
    ///
    /// # Errors
    /// [`StoreError`] if the database [fails or does not answer](TokenStore#errors).
    async fn find_by_digest(&self, digest: &TokenDigest) -> Result<Lookup, StoreError>;

    /// Returns the token with this ID, even if it is revoked or expired; `None` if there is none.
    ///
    /// # Errors
    /// [`StoreError`] if the database [fails or does not answer](TokenStore#errors).
    async fn find(&self, id: TokenId) -> Result<Option<Token>, StoreError>;

    /// Returns the owner's unrevoked tokens, expired ones included, in ascending order of ID.
    ///
    /// # Errors
    /// [`StoreError`] if the database [fails or does not answer](TokenStore#errors).
    async fn list(&self, owner: &Owner) -> Result<Vec<Token>, StoreError>;

    /// Returns the digests of recent unrevoked tokens: of the `limit` tokens that were used last, latest
    /// first, then of the `limit` tokens that were created last, latest first. The result may have
    /// duplicates.
    ///
    /// A node calls this method at its start, so that it still looks up these tokens while clients present
    /// very many unknown tokens ([`Unavailable::TooManyUnknown`](crate::Unavailable::TooManyUnknown)). A store
    /// may omit any digest; the default implementation returns no digests.
    ///
    /// # Errors
    /// [`StoreError`] if the database [fails or does not answer](TokenStore#errors).
    async fn recent_digests(&self, limit: u32) -> Result<Vec<TokenDigest>, StoreError> {
        let _ = limit;
        Ok(Vec::new())
    }

    /// Revokes the unrevoked tokens of `scope`. Returns the tokens that the call has revoked, and the time of
    /// the revocation ([`Revoked::at`]).
    ///
    /// Each token takes along the tokens that it replaced: those of its line with a smaller
    /// [`Line::seq`](crate::Line::seq). The tokens that replaced it stay valid, unless the scope has them too.
    ///
    /// If the call revokes a token, it increments the change counter ([`ChangePage`]) by one and appends
    /// the changes ([`Change::of_revoked`]) to the [change feed](Change) in the same transaction. Otherwise
    /// it changes nothing, and the result has the time but no tokens.
    ///
    /// # Errors
    /// [`StoreError`] if the database [fails or does not answer](TokenStore#errors).
    async fn revoke(
        &self,
        scope: &RevocationScope,
        revocation: &Revocation,
    ) -> Result<Revoked, StoreError>;

    /// Disables, enables, renames or describes a token. Returns the token as it is now, or the rule that forbids the
    /// change.
    ///
    /// The store reads the token and its [line](crate::Line) in one transaction that excludes other changes of the
    /// owner's tokens, and changes what [`Update::effect`] returns at the time of the store's clock. It refuses the
    /// update if [`Presented::is_valid`] returns `false` for the presented token, which it reads in the same
    /// transaction.
    ///
    /// If a token changes, the store increments the change counter ([`ChangePage`]) by one, and appends the changes
    /// ([`Change::of_changed`] of [`UpdateEffect::changed`]) to the [change feed](Change) in the same transaction.
    ///
    /// # Errors
    /// [`StoreError`] if the database [fails or does not answer](TokenStore#errors).
    async fn update(&self, update: &Update) -> Result<Updated, StoreError>;

    /// Replaces a token by a new one, its successor, unless that would break a rule; returns the successor or
    /// the broken rule.
    ///
    /// The store reads the token's line, decides ([`Rotation::decide`]) and makes the changes in one transaction
    /// that excludes other changes of this owner's tokens. If the end of a token becomes earlier
    /// ([`Replacement::ends`]), it increments the change counter ([`ChangePage`]) by one and appends the changes
    /// ([`Change::of_changed`]) to the [change feed](Change) in the same transaction.
    ///
    /// Before all other rules, the store looks for the key of the request ([`Rotation::idempotency`]). The
    /// owner must have fewer than [`Rotation::max_rows`] tokens in all.
    /// The successor needs no place in the limit of [`TokenStore::insert`], which counts a line once.
    ///
    /// # Errors
    /// [`StoreError`] if the database [fails or does not answer](TokenStore#errors).
    async fn rotate(&self, rotation: &Rotation) -> Result<Rotated, StoreError>;

    /// Increments the change counter ([`ChangePage`]) by one and appends `change` to the
    /// [change feed](Change), without changing a token. Returns the time of the change: that of the store's
    /// clock, or `now`, the caller's time, if the store has no clock.
    ///
    /// # Errors
    /// [`StoreError`] if the database [fails or does not answer](TokenStore#errors).
    async fn append_change(&self, change: &Change, now: Timestamp)
    -> Result<Timestamp, StoreError>;

    /// Returns the entries of the [change feed](Change) after the position `cursor`, read in one consistent
    /// snapshot.
    ///
    /// The result has no entries if `cursor` is `None`, which asks only where the feed ends
    /// ([`ChangePage::head`]), and if there are more than [`MOST_READ`] entries.
    ///
    /// # Errors
    /// [`StoreError`] if the database [fails or does not answer](TokenStore#errors).
    async fn changes_since(&self, cursor: Option<FeedPosition>) -> Result<ChangePage, StoreError>;

    /// Calls `hint` whenever another process may have changed something, so that this node reads the
    /// [change feed](Change) at once instead of waiting for its next poll.
    ///
    /// The calls of `hint` are best effort; correctness must not depend on them. The method returns when
    /// the connection to the database is lost, and the node then calls it again. The default
    /// implementation, for a database that cannot notify, never calls `hint` and never returns.
    async fn listen(&self, hint: &(dyn Fn() + Send + Sync)) {
        let _ = hint;
        std::future::pending::<()>().await;
    }

    /// Stores a node's report of how far it has applied the [change feed](Change), in place of the node's last
    /// report. Also moves the store's [mark](StoreTime::mark) to [`MarkBounds::next`], and returns the store's
    /// time after that.
    ///
    /// If the stored report of the node is as late ([`NodeReport::now`]) or later, the store keeps the stored
    /// report, since a report that timed out may arrive after the next one. The store moves the mark and
    /// returns its time in that case too. Only called on a shared store ([`TokenStore::is_shared`]), which must
    /// implement this method.
    ///
    /// # Errors
    /// - [`StoreError::Busy`] if the report would have to wait for another call of this process. A store that
    ///   lets only one call write at a time may return it after a fraction of the time within which a node
    ///   polls. The node then repeats the report with its next poll, and meanwhile does not count as failed.
    /// - [`StoreError`] if the database [fails or does not answer](TokenStore#errors). The default
    ///   implementation always fails.
    async fn heartbeat(
        &self,
        report: &NodeReport,
        mark: &MarkBounds,
    ) -> Result<StoreTime, StoreError> {
        let _ = (report, mark);
        Err(StoreError::private())
    }

    /// Records that the host has seen an owner, at most once in [`SEEN_PRECISION`]: as
    /// [`SeenOwner::effect`] decides for the time that is recorded ([`TokenStore::owner_seen_at`]). The default
    /// implementation records nothing, so the setting `pat.owner.max.absence.days` has no effect.
    ///
    /// # Errors
    /// [`StoreError`] if the database [fails or does not answer](TokenStore#errors).
    async fn note_seen(&self, seen: &SeenOwner) -> Result<SeenEffect, StoreError> {
        let _ = seen;
        Ok(SeenEffect::None)
    }

    /// Returns when the host last saw an owner ([`TokenStore::note_seen`]); `None` if the store does not know. It
    /// must read from the primary, as [`TokenStore::find_by_digest`] does. It is called after each such lookup of
    /// a valid token, but only with the setting `pat.owner.max.absence.days`, so that a lookup costs nothing more
    /// without it. The default implementation returns `None`.
    ///
    /// # Errors
    /// [`StoreError`] if the database [fails or does not answer](TokenStore#errors).
    async fn owner_seen_at(&self, owner: &Owner) -> Result<Option<Timestamp>, StoreError> {
        let _ = owner;
        Ok(None)
    }

    /// Deletes a node's stored report, because the node no longer uses its cache. Deletes it only if
    /// [`NodeReport::applied`] and [`NodeReport::now`] of the stored report equal those of `report`; otherwise
    /// changes nothing, and returns `Ok`. If it deletes a report that [lags](NodeReport::lags), it also records
    /// the present time as [`UnusedCount::lagging_node_forgotten_at`].
    ///
    /// Only called on a shared store ([`TokenStore::is_shared`]), which must implement this method.
    ///
    /// # Errors
    /// [`StoreError`] if the database [fails or does not answer](TokenStore#errors). The default
    /// implementation always fails.
    async fn deregister(&self, report: &NodeReport) -> Result<(), StoreError> {
        let _ = report;
        Err(StoreError::private())
    }

    /// Returns the last report ([`TokenStore::heartbeat`]) of each node, in any order.
    ///
    /// Only called on a shared store ([`TokenStore::is_shared`]), which must implement this method.
    ///
    /// # Errors
    /// [`StoreError`] if the database [fails or does not answer](TokenStore#errors). The default
    /// implementation always fails.
    async fn nodes(&self) -> Result<Vec<NodeReport>, StoreError> {
        Err(StoreError::private())
    }

    /// Raises [`StoreVersions::readable_from`] to `version`, so that programs with an older version may no
    /// longer use the store. Changes nothing if the value is as great already.
    ///
    /// # Errors
    /// [`StoreError`] if the database [fails or does not answer](TokenStore#errors).
    async fn raise_readable_from(&self, version: u64) -> Result<(), StoreError>;

    /// Writes last uses of tokens ([`Token::last_used_at`]). The caller passes them sorted by token ID and
    /// without duplicates.
    ///
    /// A stored last use that is later is kept. Last uses of revoked tokens are written too, since a node
    /// may write a use from before the revocation late. Deleted tokens are skipped. The store may split the
    /// batch into several transactions. A store with a clock of its own replaces a last use that is later than
    /// the present by the present time.
    ///
    /// # Errors
    /// [`StoreError`] if the database [fails or does not answer](TokenStore#errors).
    async fn record_use(&self, uses: &[LastUse]) -> Result<(), StoreError>;

    /// Sets the store's [mark](StoreTime::mark) to the time of its clock, forward or back, and returns the
    /// store's time before the change. [`Pats::accept_clock`](crate::Pats::accept_clock) calls this method
    /// when an operator has checked a clock that is far from the mark, and found it right.
    ///
    /// In the same transaction, the store corrects stored times that lie in the future, because they were
    /// written while a clock was ahead, as [`JobStore::mend_future`] does, and appends [`Change::Everything`]
    /// to the [change feed](Change), so that all nodes look up every token again.
    ///
    /// `now` is the time of this machine's clock, which a store without a clock of its own uses instead. The
    /// default implementation, for a store without a mark, changes nothing and returns
    /// [`StoreTime::default`].
    ///
    /// # Errors
    /// [`StoreError`] if the database [fails or does not answer](TokenStore#errors).
    async fn accept_clock(&self, now: Timestamp) -> Result<StoreTime, StoreError> {
        let _ = now;
        Ok(StoreTime::default())
    }

    /// Returns the store's job capability; `None`, which is the default, if the store has none. Then old
    /// tokens are never deleted, and no owner is notified.
    fn jobs(&self) -> Option<&dyn JobStore> {
        None
    }

    /// Returns the store's search capability; `None`, which is the default, if the store has none. Then
    /// administrators can revoke tokens by ID, but not search.
    fn search_store(&self) -> Option<&dyn SearchStore> {
        None
    }

    /// Returns the store's import capability; `None`, which is the default, if the store has none. Then
    /// [`Pats::import`](crate::Pats::import) fails.
    fn import_store(&self) -> Option<&dyn ImportStore> {
        None
    }

    /// Returns the store's audit capability; `None`, which is the default, if the store has none. Then all
    /// event sinks are fed from memory, best effort, and administrators cannot read events.
    ///
    /// A store with this capability writes the event of each change in the change's transaction; see
    /// [`AuditStore`]. It must have [`TokenStore::jobs`] too.
    fn audit(&self) -> Option<&dyn AuditStore> {
        None
    }
}

/// The error of a store. It maps to the HTTP status 503, never to 401 or 403.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database did not answer in time: within the caller's time limit, or within that of the store.
    #[error("the token store did not answer in time")]
    Timeout,
    /// Another call of this process is writing, and the store lets only one write at a time. Only
    /// [`TokenStore::heartbeat`] returns this error, in place of waiting for long; the call changed nothing.
    #[error("another call of this process is writing to the token store")]
    Busy,
    /// Another node has acquired the [`Lease`] of the job since, so that the lease in the call is no longer
    /// valid. The call changed nothing, and the caller must stop its run of the job.
    #[error("another node has acquired the lease of this job")]
    LeaseLost,
    /// Only programs with a newer version of this crate may use the store. A store need not return this
    /// error: it reports its versions in [`Lookup`] and [`ChangePage`], which the service checks
    /// ([`StoreVersions::check`]). If the check fails, the jobs and the methods of [`Pats`](crate::Pats) that
    /// read, create, authenticate or revoke tokens fail with this error.
    #[error(
        "this program knows version {program} of the token store; the store has version {store}, and \
         only programs that know version {readable_from} may use it; start a newer version of this program"
    )]
    Outdated {
        /// The [`SCHEMA_VERSION`] of this program.
        program: u64,
        /// The version of the store ([`StoreVersions::version`]).
        store: u64,
        /// The oldest version that may use the store ([`StoreVersions::readable_from`]).
        readable_from: u64,
    },
    /// The database failed. The source is the error of the database or of its driver.
    #[error("the token store failed")]
    Backend(#[source] Arc<dyn Error + Send + Sync>),
}

/// Returns the store's answer, if it comes within `limit`.
pub(crate) async fn within<T>(
    limit: Duration,
    answer: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let answer = tokio::time::timeout(limit, answer).await;
    answer.unwrap_or(Err(StoreError::Timeout))
}

impl StoreError {
    fn private() -> Self {
        Self::backend("a shared store must implement heartbeat, deregister and nodes")
    }

    /// Creates a [`StoreError::Backend`] with the error of the database as its source.
    pub fn backend(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Backend(Arc::from(source.into()))
    }
}
