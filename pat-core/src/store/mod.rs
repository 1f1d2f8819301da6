//! The storage port.

mod audit;
mod feed;
mod jobs;
mod outbox;
mod search;
mod time;
mod tokens;
mod versions;

use std::error::Error;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

pub use self::audit::AuditStore;
pub use self::feed::{
    Change, ChangeEntry, ChangePage, FeedPosition, MOST_READ, NODE_FORGOTTEN_AFTER, NodeReport,
    ReportMode,
};
pub use self::jobs::{
    CLOCK_TOLERANCE, DueNotifications, Job, JobStore, LONGEST_LEAP, Lease, LeaseAnswer,
    LeaseRequest, ListedOwner, MissingOwners, Prune, Pruned, PrunedToken, Purge,
};
pub use self::outbox::{
    Claim, DeadNotification, LONGEST_DELAY, Outbox, Outcome, QueuedNotification,
};
pub use self::search::SearchStore;
pub use self::time::{MarkBounds, StoreTime};
pub use self::tokens::{
    Insertion, LastUse, Lookup, NewToken, Revocation, RevocationScope, Revoked, RevokedToken,
};
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
/// The arguments of the methods that change tokens implement `Serialize` and `Deserialize`, so that a
/// store can write them to a file.
///
/// # Errors
/// [`StoreError::Backend`] if the database fails, and [`StoreError::Timeout`] if it does not answer
/// within the store's own time limit, if it has one. A refused change is a result, not an error.
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
