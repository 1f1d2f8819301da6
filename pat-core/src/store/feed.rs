use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{RevokedToken, StoreTime, StoreVersions};
use crate::token::{Owner, TokenId};

/// A change after which nodes must look up tokens again, such as a revocation.
///
/// A shared store has a *change feed*: a list to which the transaction of each change appends an entry
/// ([`ChangeEntry`]). Every node polls the feed
/// ([`TokenStore::changes_since`](super::TokenStore::changes_since)), and removes from its cache what has
/// changed.
///
/// This enum is exhaustive: a store must handle every variant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// The token with this ID was revoked, replaced, disabled, enabled or renamed.
    #[serde(rename = "token_revoked")]
    TokenChanged(TokenId),
    /// This owner was disabled, enabled, locked or deleted in the host's directory, so nodes must look up
    /// the owner's tokens again.
    OwnerChanged(Owner),
    /// Nodes must look up every token again: more than [`Change::MOST_NAMED`] tokens were revoked at once,
    /// or the store corrected times of creation and expiry that were written while a clock was ahead
    /// ([`JobStore::mend_future`](super::JobStore::mend_future),
    /// [`TokenStore::accept_clock`](super::TokenStore::accept_clock)).
    Everything,
}

impl Change {
    /// The greatest number of tokens, revoked in one transaction, that the [change feed](Change) lists one
    /// by one. For more tokens the feed has one [`Change::Everything`] instead: a node would take longer than
    /// the setting `pat.auth.max.staleness.ms` to read a million entries, while looking up everything again
    /// costs one query for each token in use.
    pub const MOST_NAMED: usize = 1_000;

    /// Returns the changes that a transaction which has revoked `tokens` appends to the
    /// [change feed](Change): one [`Change::TokenChanged`] for each token, or one [`Change::Everything`] for
    /// more than [`Change::MOST_NAMED`] tokens.
    #[must_use]
    pub fn of_revoked(tokens: &[RevokedToken]) -> Vec<Self> {
        Self::of_changed(tokens.iter().map(|token| token.id))
    }

    /// Returns the changes that a transaction which has changed the tokens with these IDs appends to the
    /// [change feed](Change): one [`Change::TokenChanged`] for each token, or one [`Change::Everything`] for
    /// more than [`Change::MOST_NAMED`] tokens.
    #[must_use]
    pub fn of_changed(
        ids: impl IntoIterator<Item = TokenId, IntoIter: ExactSizeIterator>,
    ) -> Vec<Self> {
        let ids = ids.into_iter();
        if ids.len() > Self::MOST_NAMED {
            return vec![Self::Everything];
        }
        ids.map(Self::TokenChanged).collect()
    }
}

/// An entry of the [change feed](Change): a change, and its position in the order of all changes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChangeEntry {
    /// The *generation* of the change: the value of the store's change counter ([`ChangePage`]) after the
    /// transaction that made the change, so a later change has a greater generation. All entries of one
    /// transaction have the same generation.
    pub generation: u64,
    /// Random number of the transaction that made the change; see [`FeedPosition::nonce`].
    pub nonce: u64,
    /// The change that the entry announces to the other nodes.
    pub change: Change,
}

impl ChangeEntry {
    /// Creates an entry from its [generation](ChangeEntry::generation), the [nonce](ChangeEntry::nonce) of its
    /// transaction and its change.
    #[must_use]
    pub const fn new(generation: u64, nonce: u64, change: Change) -> Self {
        Self {
            generation,
            nonce,
            change,
        }
    }
}

/// A position in the [change feed](Change): how far a node has read it.
///
/// This struct is exhaustive: two nodes with the same position have read the same changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedPosition {
    /// Generation ([`ChangeEntry::generation`]) of the last change that was read; 0 before the first
    /// change.
    pub generation: u64,
    /// Random number of the transaction with this generation, the *nonce*; `None` if the feed has no entry
    /// of this generation. After a failover that lost commits, another transaction may have the same
    /// generation, and then has another nonce, by which a node notices the loss.
    pub nonce: Option<u64>,
}

/// A node's report of how far it has applied the [change feed](Change) to its cache. A node stores its report
/// with [`TokenStore::heartbeat`](super::TokenStore::heartbeat), and the other nodes read it with
/// [`TokenStore::nodes`](super::TokenStore::nodes): a revocation with the setting `pat.revocation.wait=cluster`
/// waits for these reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeReport {
    /// Random number that identifies the node, at most 2⁶³ − 1.
    pub node: u64,
    /// Generation ([`ChangeEntry::generation`]) up to which the node has applied all changes to its cache.
    pub applied: u64,
    /// Time of the node's clock, which may be wrong. It orders the reports of one node, and is compared with
    /// no other time. The node makes it later in each report: if its clock was set back, it adds a microsecond
    /// to the time in its last report.
    pub now: Timestamp,
    /// When the node sends reports.
    pub mode: ReportMode,
    /// The [`SCHEMA_VERSION`](super::SCHEMA_VERSION) of the node's program; 0 if not reported.
    pub version: u64,
    /// Whether this node keeps other nodes from trusting the database's clock if they find it far from the
    /// store's [mark](StoreTime::mark) ([`Pats::ready`](crate::Pats::ready)).
    ///
    /// Clock and mark *agree* if the clock is at most a minute ahead and at most a second behind. The value is
    /// `true` if they agree for this node, or if the clock has leapt while this node ran: their difference
    /// changed by more than a minute from one reading to the next, and they have not agreed since. It is
    /// `false` if they differed already when this node started, if they have drifted apart gradually, or if the
    /// database has no clock.
    pub contradicts_leap: bool,
    /// Up to which time of the node's clock, at least, the node has written all last uses to the store; `None`
    /// if the node has not reported that.
    pub flushed_at: Option<Timestamp>,
}

impl NodeReport {
    /// Returns whether the node may know of last uses that the store does not have: it has written none for an
    /// hour or longer ([`flushed_at`](NodeReport::flushed_at)), by its own clock. Then no token is revoked
    /// because it is unused.
    #[must_use]
    pub fn lags(&self) -> bool {
        const LONG: SignedDuration = SignedDuration::from_hours(1);
        self.flushed_at
            .is_none_or(|flushed_at| self.now.duration_since(flushed_at) >= LONG)
    }

    /// Creates the report of a node with mode [`ReportMode::Seldom`] and version 0, whose
    /// [`contradicts_leap`](NodeReport::contradicts_leap) is `false` and whose
    /// [`flushed_at`](NodeReport::flushed_at) is `None`.
    #[must_use]
    pub const fn new(node: u64, applied: u64, now: Timestamp) -> Self {
        Self {
            node,
            applied,
            now,
            mode: ReportMode::Seldom,
            version: 0,
            contradicts_leap: false,
            flushed_at: None,
        }
    }
}

/// When a node sends a [`NodeReport`], besides the report that every node sends every ten seconds.
///
/// This enum is exhaustive: a store must handle every variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReportMode {
    /// The node reports every ten seconds only. If another node waits for this node after a revocation (the
    /// setting `pat.revocation.wait=cluster`), it waits until this node can no longer use a cache from before
    /// the revocation, which takes the time in the setting `pat.auth.max.staleness.ms`.
    Seldom,
    /// The node also reports whenever it has applied new changes, before it uses its cache again.
    EachChange,
    /// The node reports as with [`ReportMode::EachChange`]. In addition, its own revocations wait for the
    /// other nodes (the setting `pat.revocation.wait=cluster`). When another node reads this mode in the stored
    /// reports, it changes its own mode from [`ReportMode::Seldom`] to [`ReportMode::EachChange`].
    EachChangeAndWaits,
}

/// How long after a node's last report the other nodes forget the node: one minute, which each node
/// measures with its own clock. By then the silent node has long stopped using its cache, so a revocation
/// need not wait for it.
pub const NODE_FORGOTTEN_AFTER: Duration = Duration::from_secs(60);

/// The greatest number of entries that a node reads from the [change feed](Change) at once. A node that has
/// missed more entries drops its whole cache instead: looking up the tokens in use takes less time than
/// reading all entries.
pub const MOST_READ: u64 = 2_000;

/// The entries of the [change feed](Change) after a position, as
/// [`TokenStore::changes_since`](super::TokenStore::changes_since) returns them.
///
/// A store has a *change counter*, which counts the transactions that append to the
/// [change feed](Change); other transactions do not increment it. Its value after such a transaction is the
/// [generation](ChangeEntry::generation) of the transaction's entries. The counter has no gaps and grows in
/// the order of the commits, since a transaction increments it as its last step, under a lock that it holds
/// until the commit. (A database sequence does not have that order, so a reader would miss changes that
/// commit late.)
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChangePage {
    /// Position of the last entry in the [change feed](Change), where the feed ends. Before the first change,
    /// generation 0 without a nonce.
    pub head: FeedPosition,
    /// Random number that the feed now has at the generation of the caller's cursor, the argument of
    /// [`TokenStore::changes_since`](super::TokenStore::changes_since); `None` without a cursor, or if the
    /// feed has no entry of that generation. If the number differs from [`FeedPosition::nonce`] of the
    /// cursor, the feed has lost changes in a failover.
    pub nonce_at_cursor: Option<u64>,
    /// The entries after the caller's cursor, in order of [generation](ChangeEntry::generation). Old entries
    /// may have been deleted, which leaves a gap in the generations. Empty without a cursor, and if there are
    /// more than [`MOST_READ`] entries.
    pub entries: Vec<ChangeEntry>,
    /// The store's time when it read the page: the time of its clock, and its [mark](StoreTime::mark).
    pub time: StoreTime,
    /// The store's version, and the oldest version that may use the store.
    pub versions: StoreVersions,
}

impl ChangePage {
    /// Creates a page without entries, for a [change feed](Change) that ends at `head`. Its
    /// [`time`](ChangePage::time) has neither a clock nor a mark; its versions are
    /// [`StoreVersions::default`].
    #[must_use]
    pub fn new(head: FeedPosition) -> Self {
        Self {
            head,
            nonce_at_cursor: None,
            entries: Vec::new(),
            time: StoreTime::default(),
            versions: StoreVersions::default(),
        }
    }
}
