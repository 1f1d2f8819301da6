use std::time::Duration;

use jiff::Timestamp;

/// The time according to a store.
///
/// No single clock is trusted: that of a node or a database server may be wrong, may be set, and is
/// replaced by another in a failover. So a database keeps a *mark*: a time that advances with the
/// nodes' boot clocks, which measure elapsed time and cannot be set, and that slowly approaches the
/// database's clock.
///
/// - Authentication uses the later of clock and mark ([`StoreTime::now`]). So a clock that is behind
///   accepts no expired token; one that is ahead refuses tokens until it is correct again.
/// - Deletion and revocation by age use the earlier of the two ([`StoreTime::vouched`]). So a clock
///   that is ahead deletes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoreTime {
    /// The database's clock; `None` if it has no clock other than this machine's.
    pub clock: Option<Timestamp>,
    /// The mark; `None` if the store keeps none or has not set it yet.
    pub mark: Option<Timestamp>,
}

impl StoreTime {
    /// Returns the time for authentication and for stored times: the later of clock and mark.
    /// `callers` is the caller's clock, used if the store has none.
    #[must_use]
    pub fn now(&self, callers: Timestamp) -> Timestamp {
        let clock = self.clock.unwrap_or(callers);
        self.mark.map_or(clock, |mark| clock.max(mark))
    }

    /// Returns the time from which ages are measured: the earlier of clock and mark. `callers` is the
    /// caller's mark, used if the store has none.
    #[must_use]
    pub fn vouched(&self, callers: Timestamp) -> Timestamp {
        let vouched = self.mark.unwrap_or(callers);
        self.clock.map_or(vouched, |clock| vouched.min(clock))
    }

    /// Returns the time `kept` before [`StoreTime::vouched`]: a row from before it is old.
    #[must_use]
    pub fn cutoff(&self, callers: Timestamp, kept: Duration) -> Timestamp {
        let cutoff = self.vouched(callers).saturating_sub(kept);
        cutoff.unwrap_or(Timestamp::MIN)
    }
}

/// The range in which a node may set the mark, according to its boot clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MarkBounds {
    /// The earliest: at least this much time has passed.
    pub at_least: Timestamp,
    /// The latest: a clock that is further ahead is not followed.
    pub at_most: Timestamp,
    /// The node's real-time clock, for stores without a clock of their own.
    pub clock: Timestamp,
}

impl MarkBounds {
    /// Returns the mark that follows `mark` when the clock reads `clock`: the clock, limited to the
    /// range. The mark never moves backwards. The first mark is the clock.
    #[must_use]
    pub fn next(&self, mark: Option<Timestamp>, clock: Timestamp) -> Timestamp {
        let Some(mark) = mark else { return clock };
        mark.max(clock.min(self.at_most).max(self.at_least))
    }
}
