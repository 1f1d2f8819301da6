use std::time::Duration;

use jiff::Timestamp;

use crate::token::{Owner, TokenId};

/// A day: how long a [transient](crate::Token::is_transient) token is kept after it expires, if
/// [`Prune::keep`] is longer. Clients that rotate or create tokens every few minutes would otherwise leave
/// thousands of rows; for a day, an administrator can still find out whose a token was.
pub const TRANSIENT_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// The criteria by which [`JobStore::prune`](super::JobStore::prune) finds the tokens that it deletes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Prune {
    /// The present time by the caller's clock, for a store without a clock of its own.
    pub now: Timestamp,
    /// The caller's [vouched](super::StoreTime::vouched) time: the earlier of the caller's clock and a mark that
    /// the caller keeps in memory. A store without a [mark](super::StoreTime::mark) measures the ages of rows from
    /// this time; a store with a mark ignores it.
    pub vouched: Timestamp,
    /// How long a token is kept after it expires or is revoked. A [transient](crate::Token::is_transient) token
    /// is kept for [`TRANSIENT_KEPT`] after it expires, if that is shorter.
    pub keep: Duration,
    /// Whether [`JobStore::prune`](super::JobStore::prune) queues one
    /// [`NotificationKind::Pruned`](crate::notification::NotificationKind::Pruned) for each owner of deleted
    /// tokens, about the owner's deleted tokens that were neither revoked nor transient.
    pub notify: bool,
}

impl Prune {
    /// Creates criteria for tokens that expired or were revoked at least `keep` ago, with the times
    /// [`Prune::now`] and [`Prune::vouched`]. No notifications are queued.
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

/// The result of [`JobStore::prune`](super::JobStore::prune): what was deleted, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pruned {
    /// When the tokens were deleted, by the store's clock; by [`Prune::now`] if the store has no clock.
    pub at: Timestamp,
    /// The tokens that this call deleted, in any order.
    pub tokens: Vec<PrunedToken>,
}

impl Pruned {
    /// Creates the result of a deletion of `tokens` at the time `at`.
    #[must_use]
    pub const fn new(at: Timestamp, tokens: Vec<PrunedToken>) -> Self {
        Self { at, tokens }
    }
}

/// A token that a pruning has deleted, in [`Pruned`] and
/// [`EventKind::Pruned`](crate::event::EventKind::Pruned).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PrunedToken {
    /// ID of the deleted token.
    pub id: TokenId,
    /// Owner of the deleted token.
    pub owner: Owner,
}

impl PrunedToken {
    /// Creates the record of a deletion from the token's ID and owner.
    #[must_use]
    pub const fn new(id: TokenId, owner: Owner) -> Self {
        Self { id, owner }
    }
}
