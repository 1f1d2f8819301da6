use std::time::Duration;

use jiff::Timestamp;

/// The time, as a store knows it.
///
/// No clock is believed by itself: not that of a node, and not that of a database server, which may
/// be wrong, may be set, and is another one after a failover. So a database keeps a *mark*: a time
/// that advances with the nodes' boot clocks, which count how much time passes and cannot be set,
/// and which is drawn towards the clock, though only slowly.
///
/// - Tokens are judged by the later of clock and mark. So a clock that is behind lets no expired
///   token in, and one that is ahead refuses tokens until it is right again.
/// - What is deleted for its age, or revoked for it, is so by the earlier of the two. So a clock that
///   is ahead deletes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoreTime {
    /// The database's own clock; `None` if it has none but that of this machine.
    pub clock: Option<Timestamp>,
    /// The mark; `None` if the store keeps none, or it is not set yet.
    pub mark: Option<Timestamp>,
}

impl StoreTime {
    /// The time by which tokens are judged and which is stored: the later of clock and mark.
    /// `callers` is the caller's clock, for a store without one.
    #[must_use]
    pub fn now(&self, callers: Timestamp) -> Timestamp {
        let clock = self.clock.unwrap_or(callers);
        self.mark.map_or(clock, |mark| clock.max(mark))
    }

    /// The time by which things are old: the earlier of clock and mark. `callers` is the time that
    /// the caller vouches for, for a store without a mark.
    #[must_use]
    pub fn vouched(&self, callers: Timestamp) -> Timestamp {
        let vouched = self.mark.unwrap_or(callers);
        self.clock.map_or(vouched, |clock| vouched.min(clock))
    }

    /// What is from before this is older than `kept`; `callers` as of [`StoreTime::vouched`].
    #[must_use]
    pub fn cutoff(&self, callers: Timestamp, kept: Duration) -> Timestamp {
        let cutoff = self.vouched(callers).saturating_sub(kept);
        cutoff.unwrap_or(Timestamp::MIN)
    }
}

/// Where a node may move the mark to: what its boot clock explains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MarkBounds {
    /// As much time has passed in any case.
    pub at_least: Timestamp,
    /// The clock is followed up to here.
    pub at_most: Timestamp,
    /// The node's real-time clock, for stores without a clock of their own.
    pub clock: Timestamp,
}

impl MarkBounds {
    /// The mark that comes after `mark` when the clock says `clock`: the clock within the bounds. It
    /// never goes backwards. The first mark is the clock.
    #[must_use]
    pub fn next(&self, mark: Option<Timestamp>, clock: Timestamp) -> Timestamp {
        let Some(mark) = mark else { return clock };
        mark.max(clock.min(self.at_most).max(self.at_least))
    }
}
