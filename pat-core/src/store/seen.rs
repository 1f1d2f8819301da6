use std::time::Duration;

use jiff::Timestamp;

use super::CLOCK_TOLERANCE;
use crate::token::Owner;

/// A day: how often the store records that the host has seen an owner
/// ([`TokenStore::note_seen`](super::TokenStore::note_seen)).
pub const SEEN_PRECISION: Duration = Duration::from_secs(24 * 60 * 60);

/// An owner whom the host has seen, for [`TokenStore::note_seen`](super::TokenStore::note_seen).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SeenOwner {
    /// Key of the owner.
    pub owner: Owner,
    /// The present time by the caller's clock, for a store without a clock of its own.
    pub now: Timestamp,
    /// For how long after the host has seen an owner the owner's tokens are accepted (the setting
    /// `pat.owner.max.absence.days`); zero for no limit.
    pub max_absence: Duration,
}

impl SeenOwner {
    /// Creates the record that the host has seen `owner` at the time `now`. `max_absence` becomes the field of
    /// this name.
    #[must_use]
    pub const fn new(owner: Owner, now: Timestamp, max_absence: Duration) -> Self {
        Self {
            owner,
            now,
            max_absence,
        }
    }

    /// Decides what a store records at the time `now`, if it has recorded `seen_at` before. The times are those
    /// of [`SeenOwner::now`], or of the store's clock if it has one.
    ///
    /// A recorded time that is later than [`CLOCK_TOLERANCE`](super::CLOCK_TOLERANCE) from now was written while
    /// a clock was wrong, and is overwritten.
    #[must_use]
    pub fn effect(&self, seen_at: Option<Timestamp>, now: Timestamp) -> SeenEffect {
        let Some(seen_at) = seen_at else {
            return SeenEffect::Recorded;
        };
        let is_recent = now < seen_at + SEEN_PRECISION && seen_at <= now + CLOCK_TOLERANCE;
        let was_absent = !self.max_absence.is_zero() && now >= seen_at + self.max_absence;
        match (was_absent, is_recent) {
            (true, _) => SeenEffect::Returned,
            (false, true) => SeenEffect::None,
            (false, false) => SeenEffect::Recorded,
        }
    }
}

/// What [`TokenStore::note_seen`](super::TokenStore::note_seen) has done.
///
/// This enum is exhaustive: a store must handle every variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeenEffect {
    /// Nothing: the owner was seen less than [`SEEN_PRECISION`] ago.
    None,
    /// The store has recorded the time.
    Recorded,
    /// The store has recorded the time of an owner who had been absent for longer than
    /// [`SeenOwner::max_absence`], and has appended [`Change::OwnerChanged`](super::Change::OwnerChanged) to the
    /// change feed, so that no node goes on refusing the owner's tokens.
    Returned,
}
