use std::time::Duration;

use jiff::Timestamp;

/// The time according to a store: the time of the database's clock, and the store's mark.
///
/// No single clock is trusted. The clock of a node or of a database server may be wrong or set by an
/// operator, and a failover replaces it by another server's clock. So a store also keeps a *mark*
/// ([`StoreTime::mark`]), a second source of time that neither a wrong clock of a node nor an operator who sets a
/// clock can move far.
///
/// - Authentication uses the later of clock and mark ([`StoreTime::now`]). So no expired token is accepted
///   while the clock is behind. While the clock is ahead, tokens may be refused before they expire.
/// - The deletion of old rows ([`JobStore::prune`](super::JobStore::prune),
///   [`JobStore::purge`](super::JobStore::purge)), and the revocation of the tokens of owners who have long been
///   missing from the directory ([`JobStore::note_missing`](super::JobStore::note_missing)), use the earlier of
///   clock and mark ([`StoreTime::vouched`]). So nothing is deleted or revoked too early while the clock is
///   ahead.
///
/// This struct is exhaustive: no third source decides the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoreTime {
    /// Date and time of the database's clock; `None` if the database has no clock other than that of the
    /// node, such as SQLite.
    pub clock: Option<Timestamp>,
    /// The store's *mark*: a time that the store keeps beside its clock, to limit the effect of a wrong
    /// clock. The store moves it to [`MarkBounds::next`] with each report of a node
    /// ([`TokenStore::heartbeat`](super::TokenStore::heartbeat)) and each request for a lease
    /// ([`JobStore::acquire_lease`](super::JobStore::acquire_lease)).
    ///
    /// The mark advances with the nodes' boot clocks ([`Clock::boot`](crate::Clock::boot)), which cannot be
    /// set, and does not go back when the clock is set back. If the clock is ahead of it, it advances up
    /// to ten times as fast, until it has reached the clock; if the clock is up to a day behind it, it
    /// advances by 23 hours a day, until the clock has caught up. So if the clock is set by mistake, the mark
    /// does not jump with it. [`TokenStore::accept_clock`](super::TokenStore::accept_clock) sets the mark to the
    /// time of the clock at once, forward or back.
    ///
    /// `None` if the store keeps no mark, or has not set it yet.
    pub mark: Option<Timestamp>,
}

impl StoreTime {
    /// Returns the time for authentication and for stored times: the later of [clock](StoreTime::clock) and
    /// [mark](StoreTime::mark). `callers` is the time of the caller's clock, which replaces a clock that is
    /// `None`. If the mark is `None`, returns the clock.
    #[must_use]
    pub fn now(&self, callers: Timestamp) -> Timestamp {
        let clock = self.clock.unwrap_or(callers);
        self.mark.map_or(clock, |mark| clock.max(mark))
    }

    /// Returns the *vouched* time, from which the ages of stored rows are measured: the earlier of
    /// [clock](StoreTime::clock) and [mark](StoreTime::mark). So a clock that is
    /// ahead does not make a row seem older than it is.
    ///
    /// A store passes as `callers` the vouched time of the node that calls it ([`Prune::vouched`] and its
    /// like), which replaces a mark that is `None`. If the clock is `None`, returns the mark; if both are,
    /// returns `callers`.
    ///
    /// [`Prune::vouched`]: super::Prune::vouched
    #[must_use]
    pub fn vouched(&self, callers: Timestamp) -> Timestamp {
        let vouched = self.mark.unwrap_or(callers);
        self.clock.map_or(vouched, |clock| vouched.min(clock))
    }

    /// Returns the time that is `kept` before the vouched time ([`StoreTime::vouched`], which also describes
    /// `callers`). A row from before this time has been stored for longer than `kept`, and may be deleted.
    #[must_use]
    pub fn cutoff(&self, callers: Timestamp, kept: Duration) -> Timestamp {
        let cutoff = self.vouched(callers).saturating_sub(kept);
        cutoff.unwrap_or(Timestamp::MIN)
    }
}

/// The range within which a store may set its [mark](StoreTime::mark) on a node's request. The node computes
/// the range from the mark that it last read and the time that its boot clock
/// ([`Clock::boot`](crate::Clock::boot)) has counted since, so a clock that is set by mistake cannot move
/// the mark out of this range. A store calls [`MarkBounds::next`] to get the new mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct MarkBounds {
    /// Earliest allowed value of the [mark](StoreTime::mark): the mark that the node last read, plus the
    /// time that the node's boot clock has counted since.
    ///
    /// If the clock that the mark follows (the store's, or the node's real-time clock for a store without
    /// one) was behind the mark by at most a day, only 23/24 of the counted time is added, so that the clock
    /// catches up by an hour a day. If it was further behind, all of the counted time is added.
    pub at_least: Timestamp,
    /// Latest allowed value of the [mark](StoreTime::mark), however far the clock is ahead: the mark that the
    /// node last read, plus the time that the node's boot clock has counted since. The part of this time that
    /// lies in the first ten minutes after the node's start counts once, the rest ten times.
    pub at_most: Timestamp,
    /// Time of the node's real-time clock ([`Clock::wall`](crate::Clock::wall)), which a store without a
    /// clock of its own uses as the clock that the [mark](StoreTime::mark) follows.
    pub clock: Timestamp,
}

impl MarkBounds {
    /// Creates bounds for the [mark](StoreTime::mark) from the fields of these names. `at_least` must not be
    /// later than `at_most`; if it is, [`MarkBounds::next`] does not panic, and `at_least` decides.
    /// [`clock`](MarkBounds::clock) is not a bound: a store without a clock passes it to [`MarkBounds::next`].
    #[must_use]
    pub const fn new(at_least: Timestamp, at_most: Timestamp, clock: Timestamp) -> Self {
        Self {
            at_least,
            at_most,
            clock,
        }
    }

    /// Returns the new [mark](StoreTime::mark) of a store whose mark is `mark` and whose clock shows `clock`:
    /// the time `clock`, limited to the range from [`MarkBounds::at_least`] to [`MarkBounds::at_most`], and
    /// never less than `mark`. If `mark` is `None`, because the store has no mark yet, returns `clock`.
    #[must_use]
    pub fn next(&self, mark: Option<Timestamp>, clock: Timestamp) -> Timestamp {
        let Some(mark) = mark else { return clock };
        mark.max(clock.min(self.at_most).max(self.at_least))
    }
}
