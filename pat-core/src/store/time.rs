use std::time::Duration;

use jiff::Timestamp;

/// The time according to a store: its clock and its mark.
///
/// No single clock is trusted. The clock of a node or of a database server may be wrong or set by an
/// operator, and a failover replaces it by another server's. So a database keeps a *mark*: a time that
/// advances with the nodes' boot clocks, which measure elapsed time and cannot be set, and that slowly
/// approaches the database's clock.
///
/// - Authentication uses the later of clock and mark ([`StoreTime::now`]). So no expired token is accepted
///   while the clock is behind. While it is ahead, tokens may be refused before they expire.
/// - Deletion and revocation by age use the earlier of clock and mark ([`StoreTime::vouched`]). So nothing
///   is deleted too early while the clock is ahead.
///
/// This struct is exhaustive: no third source decides the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoreTime {
    /// Date and time of the database's clock; `None` if the database has no clock other than that of the
    /// node, such as SQLite.
    pub clock: Option<Timestamp>,
    /// The store's mark; `None` if the store keeps no mark, or has not set it yet.
    pub mark: Option<Timestamp>,
}

impl StoreTime {
    /// Returns the time for authentication and for stored times: the later of clock and mark. `callers` is
    /// the time of the caller's clock, which stands for the store's clock if that is `None`.
    #[must_use]
    pub fn now(&self, callers: Timestamp) -> Timestamp {
        let clock = self.clock.unwrap_or(callers);
        self.mark.map_or(clock, |mark| clock.max(mark))
    }

    /// Returns the time up to which ages are measured: the earlier of clock and mark. `callers`, the earlier
    /// of the caller's clock and of a mark that the caller keeps in memory, stands for the store's mark if
    /// that is `None`.
    #[must_use]
    pub fn vouched(&self, callers: Timestamp) -> Timestamp {
        let vouched = self.mark.unwrap_or(callers);
        self.clock.map_or(vouched, |clock| vouched.min(clock))
    }

    /// Returns the time that is `kept` before [`StoreTime::vouched`]. A row from before this time has been
    /// stored for longer than `kept`, and may be deleted.
    #[must_use]
    pub fn cutoff(&self, callers: Timestamp, kept: Duration) -> Timestamp {
        let cutoff = self.vouched(callers).saturating_sub(kept);
        cutoff.unwrap_or(Timestamp::MIN)
    }
}

/// The range in which a node may set the store's mark ([`StoreTime::mark`]), according to the node's boot
/// clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct MarkBounds {
    /// Earliest allowed mark: the mark that the node has read, plus the time that has passed since by the
    /// node's boot clock. It is a little less while the mark waits for a clock that is behind.
    pub at_least: Timestamp,
    /// Latest allowed mark, however far the clock is ahead.
    pub at_most: Timestamp,
    /// Time of the node's real-time clock, for stores without a clock of their own.
    pub clock: Timestamp,
}

impl MarkBounds {
    /// Creates the range from `at_least` to `at_most`, with the time `clock` of the node's real-time clock.
    #[must_use]
    pub const fn new(at_least: Timestamp, at_most: Timestamp, clock: Timestamp) -> Self {
        Self {
            at_least,
            at_most,
            clock,
        }
    }

    /// Returns the mark that replaces `mark` when the clock shows `clock`: the time `clock`, limited to the
    /// range from [`MarkBounds::at_least`] to [`MarkBounds::at_most`], and never less than `mark`. If there
    /// is no mark yet, returns `clock`.
    #[must_use]
    pub fn next(&self, mark: Option<Timestamp>, clock: Timestamp) -> Timestamp {
        let Some(mark) = mark else { return clock };
        mark.max(clock.min(self.at_most).max(self.at_least))
    }
}
