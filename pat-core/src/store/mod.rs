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

/// Where tokens live.
///
/// The contract of each method is in its docs; `pat_core::testing::store` has the suite that every
/// store must pass, ours or a third party's. All times are stored with microsecond precision. Text
/// is compared byte by byte: `alice` and `Alice` are two owners.
///
/// Callers pass the time as they know it, which may be wrong. A store whose database has a clock of
/// its own stores and judges by that instead, read in the transaction that acts, so that a node with
/// a wrong clock does no harm. See [`StoreTime`] for the time that a database vouches for.
///
/// A method either does all it says or nothing. A lost race inside the database (a deadlock, a busy
/// file) is tried again by the store and is no error.
#[async_trait]
pub trait TokenStore: Debug + Send + Sync + 'static {
    /// Whether another process may change what this store holds; true unless the data lives in this
    /// process alone.
    ///
    /// For a shared store a node trusts its cache only as long as it has lately read the change
    /// feed ([`TokenStore::changes_since`]).
    fn is_shared(&self) -> bool {
        true
    }

    /// Stores a new token, unless that would break a rule that only the store can check.
    ///
    /// In one transaction, with all other creations for this owner kept out: the parent, if there
    /// is one, must be unrevoked and unexpired at `token.created_at`, and the owner must have fewer
    /// than `limit` tokens that are not revoked, expired ones included, and fewer than
    /// `token.max_rows` in all. To find that out costs no more than to count to that number.
    ///
    /// A store with a clock of its own stores [`NewToken::created_now`] in place of the token.
    async fn insert(&self, token: &NewToken, limit: u32) -> Result<Insertion, StoreError>;

    /// The token of this digest, revoked and expired ones included. Read from where writes go,
    /// never from a replica that may be behind, together with the time.
    async fn find_by_digest(&self, digest: &TokenDigest) -> Result<Lookup, StoreError>;

    /// The token of this id, revoked and expired ones included.
    async fn find(&self, id: TokenId) -> Result<Option<Token>, StoreError>;

    /// The owner's tokens that are not revoked, expired ones included, in id order.
    async fn list(&self, owner: &Owner) -> Result<Vec<Token>, StoreError>;

    /// Digests of tokens that are not revoked: of up to `limit` that were used last, and after them of
    /// up to `limit` that were created last, the latest first. Some may come twice.
    ///
    /// A node that starts asks for them, so that it can tell them from unknown ones if there is a flood
    /// of these. Nothing else rests on the answer, and a store may leave out any.
    async fn recent_digests(&self, limit: u32) -> Result<Vec<TokenDigest>, StoreError> {
        let _ = limit;
        Ok(Vec::new())
    }

    /// Revokes what is not revoked yet and returns what it revoked, in id order, and when.
    ///
    /// In one transaction with the change entries ([`Change::of_revoked`]); the change counter moves
    /// by one if anything was revoked, and not at all otherwise. Nothing to revoke is no error: the
    /// answer is empty. On return the revocation outlives a crash.
    async fn revoke(
        &self,
        scope: &RevocationScope,
        revocation: &Revocation,
    ) -> Result<Revoked, StoreError>;

    /// Moves the change counter by one and appends `change`, without touching a token. Returns
    /// when that was.
    async fn append_change(&self, change: &Change, now: Timestamp)
    -> Result<Timestamp, StoreError>;

    /// What has changed since `cursor`, read in one consistent view; see [`ChangePage`].
    ///
    /// Without a cursor only the head is read. Of more than [`MOST_READ`] entries all are left out.
    async fn changes_since(&self, cursor: Option<FeedPosition>) -> Result<ChangePage, StoreError>;

    /// Calls `hint` whenever another process may have changed something, so that this one looks at
    /// the change feed at once instead of in its own time.
    ///
    /// Hints are worth time and nothing else: they may get lost, come late or come without reason.
    /// Returns when it can hear no more, and is called again then; never, where the database gives
    /// no hints.
    async fn listen(&self, hint: &(dyn Fn() + Send + Sync)) {
        let _ = hint;
        std::future::pending::<()>().await;
    }

    /// Writes down how far a node has applied the change feed, in place of its last report. Does
    /// nothing to that if it is as late or later: a report that its node gave up may arrive after
    /// the next. Moves the mark ([`StoreTime::mark`]) within the bounds that the report gives, and
    /// returns the time as it is after that.
    ///
    /// This and the next two are asked of a shared store only, which must have them.
    async fn heartbeat(
        &self,
        report: &NodeReport,
        mark: &MarkBounds,
    ) -> Result<StoreTime, StoreError> {
        let _ = (report, mark);
        Err(StoreError::private())
    }

    /// Forgets a node, which does not use its cache any more, if this is still its last report.
    async fn deregister(&self, report: &NodeReport) -> Result<(), StoreError> {
        let _ = report;
        Err(StoreError::private())
    }

    /// The last report of each node that is not forgotten, in any order.
    async fn nodes(&self) -> Result<Vec<NodeReport>, StoreError> {
        Err(StoreError::private())
    }

    /// Has versions before this one use the store no more ([`StoreVersions::readable_from`]). Does
    /// nothing if that is so already: it never goes back. On return it outlives a crash.
    async fn raise_readable_from(&self, version: u64) -> Result<(), StoreError>;

    /// Writes a batch of last uses, sorted by token id without duplicates.
    ///
    /// A last use never moves backwards. It is written for a revoked token too, which stays revoked:
    /// another node may learn of a use after the revocation. Nothing is written for a token that is
    /// gone. The batch may be split into several transactions. A store with a clock of its own takes
    /// a use that is later than now for one of now.
    async fn record_use(&self, uses: &[LastUse]) -> Result<(), StoreError>;

    /// Believes the clock as it is now, whatever the mark says: sets the mark to it and has all
    /// nodes judge everything anew ([`Change::Everything`]). Tokens that were created in a future
    /// that did not come are moved back to now, and their ends by as much. `now` is the machine's own
    /// real time, for stores without a clock of their own.
    ///
    /// Returns the time as it was before. A store without a mark has nothing to do.
    async fn accept_clock(&self, now: Timestamp) -> Result<StoreTime, StoreError> {
        let _ = now;
        Ok(StoreTime::default())
    }

    /// What jobs need of the store; `None` if it cannot give it. Then old tokens are never pruned
    /// and nobody is notified.
    fn jobs(&self) -> Option<&dyn JobStore> {
        None
    }

    /// What the administration needs of the store; `None` if it cannot give it. Then administrators
    /// can revoke tokens by their ids, and not look for them.
    fn search_store(&self) -> Option<&dyn SearchStore> {
        None
    }

    /// Returns what the audit needs of the store; `None` if it keeps no events. Then all event sinks
    /// are fed from memory, best effort, and administrators cannot read events.
    ///
    /// A store that has it writes the event of each change in the change's own transaction; see
    /// [`AuditStore`]. It must have [`TokenStore::jobs`] too.
    fn audit(&self) -> Option<&dyn AuditStore> {
        None
    }
}

/// A shared store is a store: several services in one process may use it.
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

/// A token that is about to be stored.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// Its public number, unique.
    pub id: TokenId,
    /// Its digest, unique.
    pub digest: TokenDigest,
    /// Whom it authenticates.
    pub owner: Owner,
    /// Its name.
    pub name: String,
    /// When it is created, by the caller's clock.
    pub created_at: Timestamp,
    /// From when on it is refused, by the same clock; `None` for never.
    pub expires_at: Option<Timestamp>,
    /// It expires at this time at the latest, whenever it is created.
    pub expires_by: Option<Timestamp>,
    /// The token that authenticates this creation, if one does.
    pub parent: Option<TokenId>,
    /// How many tokens of the owner the store may hold with this one, revoked and expired ones
    /// included.
    pub max_rows: u32,
    /// Whether a [`NotificationKind::Created`](crate::notification::NotificationKind::Created) is queued with it, in
    /// the same transaction. Never set for a store without [`TokenStore::jobs`].
    pub notify: bool,
}

impl NewToken {
    /// The token as it is when it is created at `now` instead: with the same life span, and the time
    /// of its creation in its id.
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

    /// The description of this token once it is stored.
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

/// What came of [`TokenStore::insert`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Insertion {
    /// The token is stored like this, and survives a crash.
    Stored(Token),
    /// The id or the digest is taken; nothing was stored. Another pair will do.
    Duplicate,
    /// The owner has as many tokens as are allowed, or more; nothing was stored.
    LimitReached {
        /// The owner's tokens: expired ones included, revoked ones not.
        count: u32,
    },
    /// The store holds as many tokens of the owner's as it may ([`NewToken::max_rows`]), revoked and
    /// expired ones included; nothing was stored.
    TooManyRows,
    /// The parent is revoked, expired or gone; nothing was stored.
    ParentInvalid,
}

/// Which tokens [`TokenStore::revoke`] revokes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RevocationScope {
    /// These tokens, as far as they exist.
    Tokens(Vec<TokenId>),
    /// These tokens, and every token that was created with one of them, directly or through others.
    TokensAndDescendants(Vec<TokenId>),
    /// All tokens of this owner.
    Owner(Owner),
}

/// When, by whom and why tokens are revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// When, by the caller's clock.
    pub at: Timestamp,
    /// Who revoked: the owner or an administrator; `None` when the host itself did.
    pub by: Option<Owner>,
    /// Why, in the revoker's words.
    pub reason: Option<String>,
    /// Whether a [`NotificationKind::RevokedByAdmin`](crate::notification::NotificationKind::RevokedByAdmin) is
    /// queued for each owner, in the same transaction. Never set for a store without
    /// [`TokenStore::jobs`].
    pub notify: bool,
}

/// What came of [`TokenStore::revoke`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoked {
    /// When, by the store's clock.
    pub at: Timestamp,
    /// The tokens that were revoked, in id order.
    pub tokens: Vec<RevokedToken>,
    /// How many tokens go on authenticating that were created with a token of
    /// [`RevocationScope::Tokens`], directly or through others. Of that scope alone; 0 for the others.
    pub live_children: u64,
}

/// What came of [`TokenStore::find_by_digest`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    /// The token, if there is one.
    pub token: Option<Token>,
    /// The time when it was looked for.
    pub time: StoreTime,
    /// Which versions may use the store.
    pub versions: StoreVersions,
}

/// A token that has just been revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevokedToken {
    /// Its public number.
    pub id: TokenId,
    /// Whose it was.
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

/// Everything that makes access *smaller*. All such paths go through this one type, so that none
/// can forget to tell the other nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A token was revoked.
    TokenRevoked(TokenId),
    /// What the host knows of an owner changed: disabled, enabled, locked, deleted.
    OwnerChanged(Owner),
    /// So much was revoked at once that all nodes judge every token anew.
    Everything,
}

impl Change {
    /// How many revoked tokens the feed names one by one. More in one transaction are told as
    /// [`Change::Everything`]: to read a million entries would take a node longer than the staleness
    /// bound, while to load its tokens again costs one query for each that is in use.
    pub const MOST_NAMED: usize = 1_000;

    /// The entries of a transaction that has revoked these tokens.
    #[must_use]
    pub fn of_revoked(tokens: &[RevokedToken]) -> Vec<Self> {
        if tokens.len() > Self::MOST_NAMED {
            return vec![Self::Everything];
        }
        let named = tokens.iter().map(|token| Self::TokenRevoked(token.id));
        named.collect()
    }
}

/// A change with its place in the order of all changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeEntry {
    /// The value the change counter got in the transaction that made the change. Several entries
    /// may share one.
    pub generation: u64,
    /// That transaction's random mark; see [`FeedPosition::nonce`].
    pub nonce: u64,
    /// The change.
    pub change: Change,
}

/// How far a node has read the change feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedPosition {
    /// The change counter as read last; 0 before the first change.
    pub generation: u64,
    /// The random mark of that generation; `None` if there was no entry of it. A failover that
    /// lost commits shows itself here, even when the counter has caught up again.
    pub nonce: Option<u64>,
}

/// How far a node has applied the change feed: all changes up to a generation are in its epochs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeReport {
    /// A number that is the node's own, at most 2⁶³ − 1.
    pub node: u64,
    /// The generation.
    pub applied: u64,
    /// Now, by a clock that may be wrong, and later than in the report before: it tells which of two
    /// reports of one node is the later, and is compared with no other time.
    pub now: Timestamp,
    /// When the node reports.
    pub mode: ReportMode,
    /// The version of the store that the node knows ([`SCHEMA_VERSION`]); 0 for one that did not say.
    pub version: u64,
    /// Whether the node contradicts one that finds the store's clock far from its mark
    /// ([`StoreTime`]): it finds them together, or has seen the clock leap while it ran. Not so a node
    /// that found them apart when it started.
    pub contradicts_leap: bool,
}

/// When a node reports, beside every ten seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReportMode {
    /// At no other time. Whoever waits for such a node to know a change waits for the end of the
    /// time for which it may trust its cache.
    Seldom,
    /// After each change it has learned of, and before it trusts its cache again.
    EachChange,
    /// The same; and it waits itself for other nodes (`pat.revocation.wait=cluster`), so that these
    /// should report each change.
    EachChangeAndWaits,
}

/// How long after its last report a node is forgotten, by the clock of each who forgets it. It stops
/// using its cache long before, so that whoever waits for all nodes need not wait for it.
pub const NODE_FORGOTTEN_AFTER: Duration = Duration::from_mins(1);

/// How many entries of the change feed are read at once. A node that has missed more judges all
/// tokens anew: to load those that are in use again takes less time than to read on.
pub const MOST_READ: u64 = 2_000;

/// One look at the change feed.
///
/// The counter has no gaps and moves in the order of the commits: it is moved as the last step of a
/// transaction, under a lock that is held until the commit. (A sequence would not do: it hands out
/// numbers in another order than that of the commits, so a reader skips what commits late.)
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangePage {
    /// Where the feed ends now.
    pub head: FeedPosition,
    /// The mark that the feed now has at the cursor's generation; `None` if it has no entry there.
    pub nonce_at_cursor: Option<u64>,
    /// The entries after the cursor, in order of generation. Old ones may have been trimmed; the
    /// reader sees that by the gap. Empty when there was no cursor, or they are more than
    /// [`MOST_READ`].
    pub entries: Vec<ChangeEntry>,
    /// The time when this was read.
    pub time: StoreTime,
    /// Which versions may use the store.
    pub versions: StoreVersions,
}

/// The store could not do it. The request that needed it fails with "try again", never with "not
/// allowed".
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database did not answer in time.
    #[error("the token store did not answer in time")]
    Timeout,
    /// Another runner has taken the job over; this one must stop, and has changed nothing.
    #[error("the lease was lost to another runner")]
    LeaseLost,
    /// Only newer versions of this program may use the store.
    #[error(
        "this program is too old for the token store: it knows version {program} of it, the store is \
         of version {store}, and only programs that know version {readable_from} may use it; start a \
         newer version of it"
    )]
    Outdated {
        /// The version that this program knows ([`SCHEMA_VERSION`]).
        program: u64,
        /// The version of the store.
        store: u64,
        /// The version that a program must know at least.
        readable_from: u64,
    },
    /// The database failed.
    #[error("the token store failed")]
    Backend(#[source] Arc<dyn Error + Send + Sync>),
}

/// The answer of a store, if it comes within this time.
pub(crate) async fn within<T>(
    limit: Duration,
    answer: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let answer = tokio::time::timeout(limit, answer).await;
    answer.unwrap_or(Err(StoreError::Timeout))
}

impl StoreError {
    fn private() -> Self {
        Self::backend("the store says that it is shared, and keeps no nodes")
    }

    /// Wraps the database's own error.
    pub fn backend(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Backend(Arc::from(source.into()))
    }
}
