//! The storage port.

mod audit;
mod jobs;
mod search;
mod time;
mod versions;

use std::error::Error;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

pub use self::audit::AuditStore;
pub use self::jobs::{
    CLOCK_TOLERANCE, Claim, DeadNotification, DueNotifications, Job, JobStore, LONGEST_DELAY,
    LONGEST_LEAP, Lease, LeaseAnswer, LeaseRequest, ListedOwner, MissingOwners, Outbox, Outcome,
    Prune, Pruned, PrunedToken, Purge, QueuedNotification,
};
pub use self::search::SearchStore;
pub use self::time::{MarkBounds, StoreTime};
pub use self::versions::{SCHEMA_VERSION, StoreVersions};
use crate::token::{Owner, Token, TokenDigest, TokenId};

/// A store of tokens.
///
/// An implementation is conformant if it passes the suite in `pat_core::testing::store`. Times are
/// stored with microsecond precision. Text is compared byte by byte: `alice` and `Alice` are two owners.
///
/// Callers pass the time of their clock, which may be wrong. A store whose database has a clock uses
/// and stores that time instead, read in the transaction of the change ([`StoreTime::now`]).
///
/// A method makes all its changes or none. All but last uses survive a crash once it has returned.
/// The store retries a conflict inside the database, such as a deadlock or a locked file.
///
/// # Errors
/// [`StoreError::Backend`] if the database fails, and [`StoreError::Timeout`] if it does not answer
/// within the store's own time limit, if it has one. A refused change is a result, not an error.
#[async_trait]
pub trait TokenStore: Debug + Send + Sync + 'static {
    /// Returns whether other processes may change the stored data; `true` by default, `false` for data
    /// in this process's memory.
    ///
    /// On a shared store a node uses its cache only while it has recently read the change feed
    /// ([`TokenStore::changes_since`]).
    fn is_shared(&self) -> bool {
        true
    }

    /// Stores a new token, unless that would break a rule that only the store can check.
    ///
    /// Checks in one transaction that excludes other creations for this owner: the parent, if there
    /// is one, must be unrevoked and unexpired at `token.created_at`, and the owner must have fewer
    /// than `limit` unrevoked tokens, expired ones included, and fewer than `token.max_rows` tokens in
    /// all. The check must not count further than these limits.
    ///
    /// A store with a clock stores [`NewToken::created_now`] instead of `token`.
    async fn insert(&self, token: &NewToken, limit: u32) -> Result<Insertion, StoreError>;

    /// Returns the token with this digest, even if revoked or expired, and the store's time. Reads
    /// from the primary, never from a replica that may lag.
    async fn find_by_digest(&self, digest: &TokenDigest) -> Result<Lookup, StoreError>;

    /// Returns the token with this ID, even if revoked or expired.
    async fn find(&self, id: TokenId) -> Result<Option<Token>, StoreError>;

    /// Returns the owner's unrevoked tokens, expired ones included, in order of ID.
    async fn list(&self, owner: &Owner) -> Result<Vec<Token>, StoreError>;

    /// Returns digests of unrevoked tokens: those of up to `limit` most recently used ones, then those
    /// of up to `limit` most recently created ones, latest first. May contain duplicates.
    ///
    /// A node calls this at its start, to distinguish known tokens during a flood of unknown ones. A
    /// store may omit any digest; the default implementation returns none.
    async fn recent_digests(&self, limit: u32) -> Result<Vec<TokenDigest>, StoreError> {
        let _ = limit;
        Ok(Vec::new())
    }

    /// Revokes the unrevoked tokens of `scope`, and returns them in order of ID, with the time.
    ///
    /// Appends the change entries ([`Change::of_revoked`]) in the same transaction. Increments the
    /// change counter by one if it revokes any token; otherwise changes nothing and returns no token.
    async fn revoke(
        &self,
        scope: &RevocationScope,
        revocation: &Revocation,
    ) -> Result<Revoked, StoreError>;

    /// Increments the change counter by one and appends `change`, without changing a token. Returns
    /// the time of the change.
    async fn append_change(&self, change: &Change, now: Timestamp)
    -> Result<Timestamp, StoreError>;

    /// Returns the changes since `cursor`, read in one consistent snapshot; see [`ChangePage`].
    ///
    /// Without a cursor, returns only the head. Omits all entries if they are more than [`MOST_READ`].
    async fn changes_since(&self, cursor: Option<FeedPosition>) -> Result<ChangePage, StoreError>;

    /// Calls `hint` when another process may have changed something, so that this node reads the
    /// change feed before its next poll.
    ///
    /// Notifications are best effort; correctness must not depend on them. Returns when the connection
    /// is lost, and is called again then. Never returns if the database has no notifications, which is
    /// the default.
    async fn listen(&self, hint: &(dyn Fn() + Send + Sync)) {
        let _ = hint;
        std::future::pending::<()>().await;
    }

    /// Stores a node's report of how far it has applied the change feed, in place of its last one. Keeps
    /// a stored report that is as late or later, since a report that timed out may arrive after the
    /// next one. Moves the mark ([`StoreTime::mark`]) within `mark`, and returns the time after that.
    ///
    /// Called, like [`TokenStore::deregister`] and [`TokenStore::nodes`], only on a shared store, which
    /// must implement them.
    async fn heartbeat(
        &self,
        report: &NodeReport,
        mark: &MarkBounds,
    ) -> Result<StoreTime, StoreError> {
        let _ = (report, mark);
        Err(StoreError::private())
    }

    /// Deletes the report of a node that no longer uses its cache, if `report` is its last one.
    async fn deregister(&self, report: &NodeReport) -> Result<(), StoreError> {
        let _ = report;
        Err(StoreError::private())
    }

    /// Returns the last report of each node, in any order.
    async fn nodes(&self) -> Result<Vec<NodeReport>, StoreError> {
        Err(StoreError::private())
    }

    /// Excludes versions before `version` from the store ([`StoreVersions::readable_from`]). Changes
    /// nothing if they are excluded already: the value never decreases.
    async fn raise_readable_from(&self, version: u64) -> Result<(), StoreError>;

    /// Writes a batch of last uses, sorted by token ID, without duplicates.
    ///
    /// Keeps a stored last use that is later. Writes it for a revoked token too, since a node may
    /// write a use from before the revocation late. Skips deleted tokens. May split the batch into
    /// several transactions. A store with a clock stores at most the present time.
    async fn record_use(&self, uses: &[LastUse]) -> Result<(), StoreError>;

    /// Sets the mark to the clock, whatever the mark was, and appends [`Change::Everything`]. If a
    /// token's creation is in the future, sets it to now, and moves the expiry back by as much. `now`
    /// is this machine's real time, for stores without a clock.
    ///
    /// Returns the time before the change. A store without a mark does nothing.
    async fn accept_clock(&self, now: Timestamp) -> Result<StoreTime, StoreError> {
        let _ = now;
        Ok(StoreTime::default())
    }

    /// Returns the job capability; `None` by default. Without it no token is pruned and no owner is
    /// notified.
    fn jobs(&self) -> Option<&dyn JobStore> {
        None
    }

    /// Returns the search capability; `None` by default. Without it administrators can revoke tokens
    /// by ID, but not search.
    fn search_store(&self) -> Option<&dyn SearchStore> {
        None
    }

    /// Returns the audit capability; `None` by default. Without it all event sinks are fed from memory,
    /// best effort, and administrators cannot read events.
    ///
    /// A store with it writes the event of each change in the change's transaction; see
    /// [`AuditStore`]. It must have [`TokenStore::jobs`] too.
    fn audit(&self) -> Option<&dyn AuditStore> {
        None
    }
}

/// Several services in one process may share a store.
#[async_trait]
impl<T: TokenStore + ?Sized> TokenStore for Arc<T> {
    fn is_shared(&self) -> bool {
        (**self).is_shared()
    }

    async fn insert(&self, token: &NewToken, limit: u32) -> Result<Insertion, StoreError> {
        (**self).insert(token, limit).await
    }

    async fn find_by_digest(&self, digest: &TokenDigest) -> Result<Lookup, StoreError> {
        (**self).find_by_digest(digest).await
    }

    async fn find(&self, id: TokenId) -> Result<Option<Token>, StoreError> {
        (**self).find(id).await
    }

    async fn list(&self, owner: &Owner) -> Result<Vec<Token>, StoreError> {
        (**self).list(owner).await
    }

    async fn recent_digests(&self, limit: u32) -> Result<Vec<TokenDigest>, StoreError> {
        (**self).recent_digests(limit).await
    }

    async fn revoke(
        &self,
        scope: &RevocationScope,
        revocation: &Revocation,
    ) -> Result<Revoked, StoreError> {
        (**self).revoke(scope, revocation).await
    }

    async fn append_change(
        &self,
        change: &Change,
        now: Timestamp,
    ) -> Result<Timestamp, StoreError> {
        (**self).append_change(change, now).await
    }

    async fn changes_since(&self, cursor: Option<FeedPosition>) -> Result<ChangePage, StoreError> {
        (**self).changes_since(cursor).await
    }

    async fn listen(&self, hint: &(dyn Fn() + Send + Sync)) {
        (**self).listen(hint).await;
    }

    async fn heartbeat(
        &self,
        report: &NodeReport,
        mark: &MarkBounds,
    ) -> Result<StoreTime, StoreError> {
        (**self).heartbeat(report, mark).await
    }

    async fn deregister(&self, report: &NodeReport) -> Result<(), StoreError> {
        (**self).deregister(report).await
    }

    async fn nodes(&self) -> Result<Vec<NodeReport>, StoreError> {
        (**self).nodes().await
    }

    async fn raise_readable_from(&self, version: u64) -> Result<(), StoreError> {
        (**self).raise_readable_from(version).await
    }

    async fn record_use(&self, uses: &[LastUse]) -> Result<(), StoreError> {
        (**self).record_use(uses).await
    }

    async fn accept_clock(&self, now: Timestamp) -> Result<StoreTime, StoreError> {
        (**self).accept_clock(now).await
    }

    fn jobs(&self) -> Option<&dyn JobStore> {
        (**self).jobs()
    }

    fn search_store(&self) -> Option<&dyn SearchStore> {
        (**self).search_store()
    }

    fn audit(&self) -> Option<&dyn AuditStore> {
        (**self).audit()
    }
}

/// A token to be stored.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// Its ID, unique.
    pub id: TokenId,
    /// Its digest, unique.
    pub digest: TokenDigest,
    /// The user it authenticates.
    pub owner: Owner,
    /// Its name.
    pub name: String,
    /// When it is created, by the caller's clock.
    pub created_at: Timestamp,
    /// When it expires, by the same clock; `None` for never.
    pub expires_at: Option<Timestamp>,
    /// The latest allowed expiry, whenever it is created; `None` for no limit.
    pub expires_by: Option<Timestamp>,
    /// The token that authenticates this creation, if one does.
    pub parent: Option<TokenId>,
    /// How many tokens of the owner, including this one, the store may hold, revoked and expired ones
    /// included.
    pub max_rows: u32,
    /// Whether a [`NotificationKind::Created`](crate::notification::NotificationKind::Created) is
    /// queued in the same transaction. Never set for a store without [`TokenStore::jobs`].
    pub notify: bool,
}

impl NewToken {
    /// Returns this token created at `now` instead: with the same life span, and with `now` in its ID.
    #[must_use]
    pub fn created_now(&self, now: Timestamp) -> Self {
        let expires_at = self.expires_at.map(|at| {
            let moved = at.saturating_add(now.duration_since(self.created_at));
            let moved = moved.unwrap_or(Timestamp::MAX);
            self.expires_by.map_or(moved, |latest| moved.min(latest))
        });
        Self {
            id: self.id.moved(self.created_at, now),
            created_at: now,
            expires_at,
            ..self.clone()
        }
    }

    /// Returns this token as it is once stored.
    #[must_use]
    pub fn into_token(self) -> Token {
        Token {
            id: self.id,
            owner: self.owner,
            name: self.name,
            created_at: self.created_at,
            expires_at: self.expires_at,
            last_used_at: None,
            revoked_at: None,
            parent: self.parent,
        }
    }
}

/// The result of [`TokenStore::insert`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Insertion {
    /// The token as it was stored.
    Stored(Token),
    /// The ID or the digest exists; nothing was stored. The caller retries with others.
    Duplicate,
    /// The owner has `limit` or more unrevoked tokens; nothing was stored.
    LimitReached {
        /// The owner's unrevoked tokens, expired ones included.
        count: u32,
    },
    /// The owner has [`NewToken::max_rows`] tokens, revoked and expired ones included; nothing was
    /// stored.
    TooManyRows,
    /// The parent is revoked, expired or deleted; nothing was stored.
    ParentInvalid,
}

/// The tokens that [`TokenStore::revoke`] revokes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RevocationScope {
    /// These tokens; unknown IDs are skipped.
    Tokens(Vec<TokenId>),
    /// These tokens, and every token that was created with one of them, directly or through others.
    TokensAndDescendants(Vec<TokenId>),
    /// All tokens of this owner.
    Owner(Owner),
}

/// A revocation: its time, author and reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// When, by the caller's clock.
    pub at: Timestamp,
    /// The user who revokes: the owner or an administrator; `None` for the host itself.
    pub by: Option<Owner>,
    /// The reason that this user gave.
    pub reason: Option<String>,
    /// Whether a [`NotificationKind::RevokedByAdmin`](crate::notification::NotificationKind::RevokedByAdmin)
    /// is queued for each owner in the same transaction. Never set for a store without
    /// [`TokenStore::jobs`].
    pub notify: bool,
}

/// The result of [`TokenStore::revoke`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoked {
    /// When, by the store's clock.
    pub at: Timestamp,
    /// The tokens that were revoked, in order of ID.
    pub tokens: Vec<RevokedToken>,
    /// How many tokens still authenticate that were created with a token of
    /// [`RevocationScope::Tokens`], directly or through others; 0 for other scopes.
    pub live_children: u64,
}

/// The result of [`TokenStore::find_by_digest`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    /// The token, if there is one.
    pub token: Option<Token>,
    /// The store's time at the lookup.
    pub time: StoreTime,
    /// The versions that may use the store.
    pub versions: StoreVersions,
}

/// A token that has just been revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevokedToken {
    /// Its ID.
    pub id: TokenId,
    /// Its owner.
    pub owner: Owner,
}

/// The last use of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastUse {
    /// The token.
    pub id: TokenId,
    /// When it last authenticated a request.
    pub at: Timestamp,
}

/// A change that reduces access. Each one is appended to the change feed, from which the other nodes
/// learn of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A token was revoked.
    TokenRevoked(TokenId),
    /// The owner's entry in the host's directory changed: disabled, enabled, locked or deleted.
    OwnerChanged(Owner),
    /// All nodes reload every token: too many were revoked at once, or the clock was corrected.
    Everything,
}

impl Change {
    /// The most revoked tokens of one transaction that the feed lists one by one; more are one
    /// [`Change::Everything`]. Reading a million entries would take a node longer than the staleness
    /// bound; reloading costs one query for each token in use.
    pub const MOST_NAMED: usize = 1_000;

    /// Returns the entries of a transaction that has revoked these tokens.
    #[must_use]
    pub fn of_revoked(tokens: &[RevokedToken]) -> Vec<Self> {
        if tokens.len() > Self::MOST_NAMED {
            return vec![Self::Everything];
        }
        let named = tokens.iter().map(|token| Self::TokenRevoked(token.id));
        named.collect()
    }
}

/// A change and its position in the order of all changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeEntry {
    /// The change counter after the transaction of the change. The entries of one transaction share
    /// it.
    pub generation: u64,
    /// The transaction's random number; see [`FeedPosition::nonce`].
    pub nonce: u64,
    /// The change.
    pub change: Change,
}

/// How far a node has read the change feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedPosition {
    /// The last change counter that was read; 0 before the first change.
    pub generation: u64,
    /// The random number of that generation; `None` if it has no entry. After a failover that lost
    /// commits it differs, even when the counter has caught up.
    pub nonce: Option<u64>,
}

/// A node's report of how far it has applied the change feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeReport {
    /// The node's unique number, at most 2⁶³ − 1.
    pub node: u64,
    /// The generation up to which the node has applied all changes.
    pub applied: u64,
    /// The node's time, which may be wrong and grows with each report. Orders the reports of this
    /// node, and is compared with no other time.
    pub now: Timestamp,
    /// When the node reports.
    pub mode: ReportMode,
    /// The version of the store that the node knows ([`SCHEMA_VERSION`]); 0 if not reported.
    pub version: u64,
    /// Whether the node has evidence against a store's clock that is far from the mark
    /// ([`StoreTime`]): it finds the two close together, or has seen the clock leap while it ran.
    /// `false` for a node that found them apart when it started.
    pub contradicts_leap: bool,
}

/// When a node reports, in addition to every ten seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReportMode {
    /// At no other time. A revocation that waits for such a node waits until its cache expires.
    Seldom,
    /// After each change it applies, before it uses its cache again.
    EachChange,
    /// As [`ReportMode::EachChange`]; and its own revocations wait for the other nodes
    /// (`pat.revocation.wait=cluster`), so these should report each change too.
    EachChangeAndWaits,
}

/// How long after its last report a node is forgotten, by each other node's clock. It stops using its
/// cache long before, so a revocation need not wait for it.
pub const NODE_FORGOTTEN_AFTER: Duration = Duration::from_mins(1);

/// The most entries of the change feed that are read at once. A node that has missed more invalidates
/// its whole cache: reloading the tokens in use takes less time than reading on.
pub const MOST_READ: u64 = 2_000;

/// The result of [`TokenStore::changes_since`].
///
/// The change counter has no gaps and grows in the order of the commits: a transaction increments it as
/// its last step, under a lock held until the commit. (A database sequence does not have that order, so
/// a reader would miss changes that commit late.)
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangePage {
    /// The end of the feed.
    pub head: FeedPosition,
    /// The random number that the feed now has at the cursor's generation; `None` if it has no entry.
    /// If it differs from [`FeedPosition::nonce`] of the cursor, the feed has lost changes.
    pub nonce_at_cursor: Option<u64>,
    /// The entries after the cursor, in order of generation. Old ones may have been deleted, which
    /// leaves a gap in the generations. Empty without a cursor, or if they are more than
    /// [`MOST_READ`].
    pub entries: Vec<ChangeEntry>,
    /// The store's time at the read.
    pub time: StoreTime,
    /// The versions that may use the store.
    pub versions: StoreVersions,
}

/// The error of a store. It maps to 503, never to 401 or 403.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database did not answer in time.
    #[error("the token store did not answer in time")]
    Timeout,
    /// Another node has acquired the job's lease; the call changed nothing, and this run must stop.
    #[error("another node has acquired the lease of this job")]
    LeaseLost,
    /// Only newer versions of this program may use the store.
    #[error(
        "this program knows version {program} of the token store; the store has version {store}, and \
         only programs that know version {readable_from} may use it; start a newer version of this program"
    )]
    Outdated {
        /// The version that this program knows ([`SCHEMA_VERSION`]).
        program: u64,
        /// The version of the store.
        store: u64,
        /// The oldest version that may use the store.
        readable_from: u64,
    },
    /// The database failed.
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

    /// Wraps the database's own error.
    pub fn backend(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Backend(Arc::from(source.into()))
    }
}
