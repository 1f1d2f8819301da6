use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{RevokedToken, StoreTime, StoreVersions};
use crate::token::{Owner, TokenId};

/// A change that reduces access. Each one is appended to the change feed, from which the other nodes
/// learn of it. Exhaustive: a store must handle each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
#[non_exhaustive]
pub struct ChangeEntry {
    /// The change counter after the transaction of the change. The entries of one transaction share
    /// it.
    pub generation: u64,
    /// The transaction's random number; see [`FeedPosition::nonce`].
    pub nonce: u64,
    /// The change.
    pub change: Change,
}

impl ChangeEntry {
    /// Creates an entry.
    #[must_use]
    pub const fn new(generation: u64, nonce: u64, change: Change) -> Self {
        Self {
            generation,
            nonce,
            change,
        }
    }
}

/// How far a node has read the change feed. Exhaustive: any two nodes with the same position have read
/// the same changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedPosition {
    /// The generation of the last change that was read; 0 before the first one.
    pub generation: u64,
    /// The random number of that generation; `None` if it has no entry. After a failover that lost
    /// commits it differs, even when the counter has caught up.
    pub nonce: Option<u64>,
}

/// A node's report of how far it has applied the change feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
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
    /// The version of the store that the node knows ([`SCHEMA_VERSION`](super::SCHEMA_VERSION)); 0 if not reported.
    pub version: u64,
    /// Whether the node has evidence against a store's clock that is far from the mark
    /// ([`StoreTime`]): it finds the two close together, or has seen the clock leap while it ran.
    /// `false` for a node that found them apart when it started.
    pub contradicts_leap: bool,
}

impl NodeReport {
    /// Creates the report of a node that reports [seldom](ReportMode::Seldom), gives no version and does
    /// not contradict a leap.
    #[must_use]
    pub const fn new(node: u64, applied: u64, now: Timestamp) -> Self {
        Self {
            node,
            applied,
            now,
            mode: ReportMode::Seldom,
            version: 0,
            contradicts_leap: false,
        }
    }
}

/// When a node reports, in addition to every ten seconds. Exhaustive: a store must handle each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReportMode {
    /// Every ten seconds only. A revocation that waits for such a node waits until its cache expires.
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

/// The result of [`TokenStore::changes_since`](super::TokenStore::changes_since).
///
/// The change counter has no gaps and grows in the order of the commits: a transaction increments it as
/// its last step, under a lock held until the commit. (A database sequence does not have that order, so
/// a reader would miss changes that commit late.)
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
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

impl ChangePage {
    /// Creates the page of a feed without entries, of a store without a clock, a mark and versions.
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
