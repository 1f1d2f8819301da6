mod leap;

use std::ops::Range;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::mark::Mark;
use super::{Clock, micros};
use crate::store::{MarkBounds, StoreTime};

/// One reading of the time, in microseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// The boot clock.
    pub(crate) boot: i64,
    /// Since 1970, UTC.
    pub(crate) wall: i64,
}

impl Moment {
    pub(crate) fn later(self, micros: i64) -> Self {
        Self {
            boot: self.boot.saturating_add(micros),
            wall: self.wall.saturating_add(micros),
        }
    }

    /// Returns the date and time.
    pub(crate) fn timestamp(self) -> Timestamp {
        timestamp(self.wall)
    }
}

fn timestamp(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MAX)
}

/// The time for decisions: the boot clock plus its measured distance from the date.
///
/// So a decision reads one clock, and a step of another clock takes effect at defined times (each
/// response of the store), not in the middle of a decision. The date is the database's if it has a
/// clock, else this machine's; but never earlier than the mark ([`StoreTime`]).
#[derive(Debug)]
pub(crate) struct Time {
    clock: Arc<dyn Clock>,
    /// The date minus the boot clock.
    distance: AtomicI64,
    state: Mutex<State>,
    /// Boot time at which this process started.
    started: i64,
}

#[derive(Debug)]
struct State {
    /// Boot time at which the distance was measured; `None` while it is only assumed.
    measured: Option<i64>,
    /// Whether it has moved since [`Time::observe`] last returned that.
    has_moved: bool,
    mark: Option<Mark>,
    keeper: Keeper,
    /// The clock minus the mark, as last read, in microseconds.
    leap: i64,
    /// Whether the clock has leapt while this process ran, and has not agreed with the mark since.
    has_leapt: bool,
    /// The boot time until which another node's contradiction of a leap counts; `None` before the
    /// other nodes' reports are read.
    contradicted_until: Option<i64>,
    /// Boot time at which it was last logged that clock and mark differ; `None` while they agree.
    warned: Option<i64>,
}

/// The keeper of clock and mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keeper {
    /// This process: the store keeps no mark.
    Process,
    /// The store keeps the mark, and the clock is this machine's.
    Mark,
    /// The store keeps the mark and has a clock.
    Database,
}

/// How far clock and mark may differ without effect, and how far a new distance may differ from the old
/// one before all tokens are reloaded: a second.
const TOLERANCE: i64 = 1_000_000;
/// How long the measurement by the quickest response counts. After that a slower one replaces it, since
/// clocks drift.
const MEASURED_FOR: i64 = 60_000_000;
/// How far the clock may be ahead of the mark without a warning: a short restart.
const SHORT_LEAP: i64 = 60_000_000;
/// Returns whether the clock differs from the mark by no more than a short restart explains.
fn agree(leap: i64) -> bool {
    (-TOLERANCE..=SHORT_LEAP).contains(&leap)
}

impl Time {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let started = micros(clock.boot());
        let wall = clock.wall().as_microsecond();
        let mark = Mark {
            value: wall,
            clock: wall,
            boot: started,
        };
        Self {
            distance: AtomicI64::new(wall.saturating_sub(started)),
            state: Mutex::new(State {
                measured: None,
                has_moved: false,
                mark: Some(mark),
                keeper: Keeper::Process,
                leap: 0,
                has_leapt: false,
                contradicted_until: None,
                warned: None,
            }),
            clock,
            started,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> Moment {
        self.moment(self.clock.boot())
    }

    /// Returns the time, behind by at most 100 ms.
    pub(crate) fn coarse(&self) -> Moment {
        self.moment(self.clock.boot_coarse())
    }

    fn moment(&self, boot: Duration) -> Moment {
        let boot = micros(boot);
        let wall = boot.saturating_add(self.distance.load(Ordering::Relaxed));
        Moment { boot, wall }
    }

    /// Measures the distance from this machine's real-time clock, unless the database has a clock, and
    /// returns the time.
    pub(crate) fn refresh(&self) -> Moment {
        let boot = micros(self.clock.boot());
        let mut state = self.state();
        if state.keeper != Keeper::Database {
            let clock = self.clock.wall().as_microsecond();
            self.measure(&mut state, clock, boot..boot);
        }
        drop(state);
        self.now()
    }

    /// Records the store's time from the response to a request that was sent at this boot time. Returns
    /// whether the date has moved by more than a second; then all tokens must be reloaded.
    ///
    /// The response counts from when the request was sent. So this clock is ahead of the store's by the
    /// time that the quickest response took, and never behind: tokens expire a little early, not late.
    #[must_use = "all tokens must be reloaded after a step of the date"]
    pub(crate) fn observe(&self, sent: i64, time: StoreTime) -> bool {
        self.take_over(sent, time, false)
    }

    /// The same for a request that has moved the mark within [`Time::mark_bounds`].
    #[must_use = "all tokens must be reloaded after a step of the date"]
    pub(crate) fn observe_moved(&self, sent: i64, time: StoreTime) -> bool {
        self.take_over(sent, time, true)
    }

    fn take_over(&self, sent: i64, time: StoreTime, is_own: bool) -> bool {
        let received = micros(self.clock.boot());
        let clock = time.clock.unwrap_or_else(|| self.clock.wall());
        let clock = clock.as_microsecond();
        let mut state = self.state();
        let keeper = match time {
            StoreTime { clock: Some(_), .. } => Keeper::Database,
            StoreTime { mark: Some(_), .. } => Keeper::Mark,
            _ => state.keeper,
        };
        if std::mem::replace(&mut state.keeper, keeper) != keeper {
            // The time that this process assumed until now no longer counts.
            state.measured = None;
            state.mark = None;
        }
        if let Some(mark) = time.mark {
            let read = Mark {
                value: mark.as_microsecond(),
                clock,
                boot: received,
            };
            state.mark = Some(match state.mark {
                Some(known) if !is_own => known.or_newer(read),
                _ => read,
            });
        }
        if time.clock.is_some() {
            self.measure(&mut state, clock, sent..received);
        } else if state.keeper != Keeper::Database {
            self.measure(&mut state, clock, received..received);
        }
        std::mem::take(&mut state.has_moved)
    }

    /// Measures the distance to a clock that was read between these boot times.
    fn measure(&self, state: &mut State, clock: i64, asked: Range<i64>) {
        let old = self.distance.load(Ordering::Relaxed);
        let vouched = state.mark.map(|mark| mark.at_least(asked.end));
        let leap = vouched.map_or(0, |vouched| clock.saturating_sub(vouched));
        // The distance lies between these.
        let least = clock.saturating_sub(asked.end);
        let most = clock.saturating_sub(asked.start);
        let is_first = state.measured.is_none();
        let is_new = leap.abs_diff(state.leap) > SHORT_LEAP.unsigned_abs();
        state.has_leapt = !agree(leap) && (state.has_leapt || is_new && !is_first);
        state.leap = leap;
        let new = match vouched {
            Some(vouched) if state.leap < -TOLERANCE => {
                // A clock behind the mark is not used; this one continues.
                let least = vouched.saturating_sub(asked.end);
                if is_first { least } else { old.max(least) }
            }
            _ if is_first || !(least..=most).contains(&old) => most,
            _ if state
                .measured
                .is_some_and(|at| asked.end - at > MEASURED_FOR) =>
            {
                most
            }
            _ => old,
        };
        if new != old || is_first {
            state.measured = Some(asked.end);
        }
        state.has_moved |= old.abs_diff(new) > TOLERANCE.unsigned_abs();
        self.distance.store(new, Ordering::Relaxed);
        if let (Keeper::Process, Some(mark)) = (state.keeper, &mut state.mark) {
            mark.advance(clock, asked.end, self.started);
        }
    }

    /// Returns how far the mark may be moved now: not at all by a process that has not read it yet.
    pub(crate) fn mark_bounds(&self) -> MarkBounds {
        let now = micros(self.clock.boot());
        let clock = self.clock.wall();
        let state = self.state();
        let (least, most) = match state.mark {
            Some(mark) if state.keeper != Keeper::Process => {
                (mark.at_least(now), mark.at_most(now, self.started))
            }
            _ => (i64::MIN, i64::MIN),
        };
        let bound = |micros| Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MIN);
        MarkBounds {
            at_least: bound(least),
            at_most: bound(most),
            clock,
        }
    }

    /// Returns the earlier of clock and mark as this process knows them: the time for the age of rows in
    /// a store without a mark.
    pub(crate) fn vouched(&self) -> Timestamp {
        let now = self.refresh();
        let mark = self.state().mark;
        let mark = mark.map_or(now.wall, |mark| mark.at_least(now.boot));
        timestamp(mark.min(now.wall))
    }

    /// Returns this machine's real-time clock, which may be wrong.
    pub(crate) fn machine(&self) -> Timestamp {
        self.clock.wall()
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::testing::TestClock;

    pub(super) const DAY: i64 = 24 * 3600;

    pub(super) fn times() -> (Arc<TestClock>, Time) {
        let clock = Arc::new(TestClock::default());
        let time = Time::new(clock.clone());
        (clock, time)
    }

    pub(super) fn seconds(count: i64) -> SignedDuration {
        SignedDuration::from_secs(count)
    }

    /// Returns the time of a store with clock and mark this many seconds after `base`.
    pub(super) fn said(base: Timestamp, clock: i64, mark: i64) -> StoreTime {
        StoreTime {
            clock: Some(base + seconds(clock)),
            mark: Some(base + seconds(mark)),
        }
    }

    pub(super) fn at(time: &Time) -> Timestamp {
        time.now().timestamp()
    }

    #[test]
    fn the_databases_clock_counts_from_when_it_was_asked() {
        let (clock, time) = times();
        let base = clock.wall();
        let asked = time.now().boot;
        clock.advance(Duration::from_millis(150));
        assert!(time.observe(asked, said(base, 3600, 3600)));
        // By the answer it was 3600 s, at some time within the 150 ms.
        assert_eq!(
            at(&time),
            base + seconds(3600) + SignedDuration::from_millis(150)
        );
        // A quicker response is more precise, and moves the date by less than a second.
        let asked = time.now().boot;
        clock.advance(Duration::from_millis(10));
        assert!(!time.observe(asked, said(base, 3600, 3600)));
        assert_eq!(
            at(&time),
            base + seconds(3600) + SignedDuration::from_millis(10)
        );
        // A slower one is less precise, even if its way back was quick.
        let asked = time.now().boot;
        clock.advance(Duration::from_millis(500));
        let now = base + seconds(3600) + SignedDuration::from_millis(510);
        let late = StoreTime {
            clock: Some(now),
            mark: Some(base + seconds(3600)),
        };
        assert!(!time.observe(asked, late));
        assert_eq!(at(&time), now);
    }

    #[test]
    fn a_clock_behind_the_mark_is_not_believed() {
        let (clock, time) = times();
        let base = clock.wall();
        for behind in [400 * DAY, 2 * DAY, 600] {
            let asked = time.now().boot;
            let _moved = time.observe(asked, said(base, -behind, 0));
            assert_eq!(at(&time), base);
            assert_eq!(time.leap(), -behind * 1_000_000);
        }
        // Time continues even if the mark is not moved.
        clock.advance(Duration::from_mins(5));
        let asked = time.now().boot;
        assert!(!time.observe(asked, said(base, -2 * DAY + 300, 0)));
        assert_eq!(at(&time), base + seconds(300));
    }

    #[test]
    fn a_clock_ahead_of_the_mark_counts_until_it_is_right_again() {
        let (clock, time) = times();
        let base = clock.wall();
        let asked = time.now().boot;
        assert!(time.observe(asked, said(base, 400 * DAY, 0)));
        assert_eq!(at(&time), base + seconds(400 * DAY));
        clock.advance(Duration::from_mins(1));
        assert_eq!(time.vouched(), base + seconds(60), "time that has passed");
        let asked = time.now().boot;
        assert!(time.observe(asked, said(base, 60, 60)));
        assert_eq!(at(&time), base + seconds(60));
    }

    #[test]
    fn the_machines_clock_does_not_go_back_in_a_process() {
        let (clock, time) = times();
        let base = clock.wall();
        clock.step_wall(seconds(-2 * DAY));
        assert_eq!(time.refresh().timestamp(), base);
        clock.step_wall(seconds(402 * DAY));
        assert_eq!(time.refresh().timestamp(), base + seconds(400 * DAY));
        assert_eq!(time.vouched(), base, "the mark does not follow the clock");
        clock.step_wall(seconds(-400 * DAY));
        assert_eq!(time.refresh().timestamp(), base, "right again");
    }

    #[test]
    fn a_node_with_a_wrong_date_follows_the_first_answer() {
        for wrong in [400 * DAY, -400 * DAY] {
            let (clock, time) = times();
            let base = clock.wall() + seconds(wrong);
            assert!(time.observe(time.now().boot, said(base, 0, 0)));
            assert_eq!(at(&time), base);
        }
    }

    #[test]
    fn the_mark_moves_by_the_time_that_passes() {
        let (clock, time) = times();
        let base = clock.wall();
        let _moved = time.observe_moved(time.now().boot, said(base, 400 * DAY, 0));
        clock.advance(Duration::from_secs(10));
        let bounds = time.mark_bounds();
        let moved = bounds.next(Some(base), base + seconds(400 * DAY));
        assert_eq!(moved, base + seconds(10));
        let moved = bounds.next(Some(base), base + seconds(-400 * DAY));
        assert_eq!(moved, base + seconds(10));
        assert_eq!(bounds.next(None, base), base, "the first one is the clock");
    }
    /// Returns the time of a store with this clock, which agrees with the mark.
    pub(super) fn agreed(clock: Timestamp) -> StoreTime {
        StoreTime {
            clock: Some(clock),
            mark: Some(clock),
        }
    }

    pub(super) const MICRO: SignedDuration = SignedDuration::from_micros(1);

    #[test]
    fn the_machines_clock_counts_until_a_database_has_said_its_own() {
        let (clock, time) = times();
        let base = clock.wall();
        clock.step_wall(seconds(DAY));
        assert!(time.observe(time.now().boot, StoreTime::default()));
        assert_eq!(
            (at(&time), time.machine()),
            (base + seconds(DAY), clock.wall())
        );
        assert!(time.observe(time.now().boot, agreed(base)));
        for _ in 0..2 {
            clock.step_wall(seconds(DAY));
            assert!(!time.observe(time.now().boot, StoreTime::default()));
            assert_eq!((time.refresh().timestamp(), at(&time)), (base, base));
        }
    }

    #[test]
    fn a_step_that_a_reading_has_found_is_reported_once_if_it_exceeds_a_second() {
        for (step, has_moved) in [
            (seconds(1), false),
            (seconds(1) + MICRO, true),
            (seconds(-1), false),
        ] {
            let (clock, time) = times();
            clock.step_wall(step);
            time.refresh();
            let observe = || time.observe(time.now().boot, StoreTime::default());
            assert_eq!(observe(), has_moved, "{step:?}");
            assert!(!observe());
        }
    }

    #[test]
    fn the_quickest_measurement_counts_for_a_minute() {
        let (clock, time) = times();
        let base = clock.wall();
        let start = time.now().boot;
        // Takes a second, and returns what the clock showed in its middle.
        let observe_slowly = || {
            let asked = time.now().boot;
            clock.advance(Duration::from_secs(1));
            let passed = SignedDuration::from_micros(time.now().boot - start);
            let shown = base + passed - SignedDuration::from_millis(500);
            assert!(!time.observe(asked, agreed(shown)));
            at(&time).duration_since(base + passed)
        };
        let exact = SignedDuration::ZERO;
        let late = SignedDuration::from_millis(500);
        let _ = time.observe(start, agreed(base));
        assert_eq!(observe_slowly(), exact);
        clock.advance(Duration::from_secs(58));
        assert_eq!(observe_slowly(), exact, "a minute later");
        clock.advance(Duration::from_micros(1));
        assert_eq!(observe_slowly(), late, "more than a minute later");
        // Which counts for another minute.
        let asked = time.now().boot;
        clock.advance(Duration::from_secs(2));
        let passed = SignedDuration::from_micros(time.now().boot - start);
        let shown = base + passed;
        assert!(!time.observe(asked, agreed(shown)));
        assert_eq!(at(&time), shown + late);
    }

    #[test]
    fn a_clock_behind_the_mark_by_a_second_still_counts() {
        for (behind, date) in [
            (seconds(1), seconds(-1)),
            (seconds(1) + MICRO, SignedDuration::ZERO),
        ] {
            let (clock, time) = times();
            let base = clock.wall();
            let time_of_store = StoreTime {
                clock: Some(base - behind),
                mark: Some(base),
            };
            let _ = time.observe(time.now().boot, time_of_store);
            assert_eq!(at(&time), base + date, "{behind:?}");
        }
    }

    #[test]
    fn a_mark_that_this_process_keeps_approaches_its_clock() {
        let (clock, time) = times();
        let base = clock.wall();
        clock.advance(Duration::from_mins(20));
        clock.step_wall(seconds(DAY));
        time.refresh();
        // Ten times as fast as time passes, after the first ten minutes.
        assert_eq!(time.vouched(), base + seconds((10 + 10 * 10) * 60));
    }

    #[test]
    fn a_mark_that_the_store_keeps_without_a_clock_goes_with_the_machines() {
        let (clock, time) = times();
        let base = clock.wall();
        let bounds = time.mark_bounds();
        let unread = (Timestamp::MIN, Timestamp::MIN);
        assert_eq!((bounds.at_least, bounds.at_most), unread);
        let said = |mark| StoreTime {
            clock: None,
            mark: Some(base + seconds(mark)),
        };
        // The machine's clock is behind, and was before this process began.
        assert!(time.observe(time.now().boot, said(DAY)));
        assert_eq!(at(&time), base + seconds(DAY));
        assert_eq!(time.doubtful_leap(), None);
        clock.advance(Duration::from_secs(10));
        // No other node has moved it meanwhile.
        let _ = time.observe(time.now().boot, said(DAY));
        assert_eq!(
            time.mark_bounds().at_least,
            base + seconds(DAY + 10) - late(10)
        );
    }

    /// By how much a mark goes slower in so many seconds while it waits for a clock.
    fn late(waited: i64) -> SignedDuration {
        SignedDuration::from_micros(waited * 1_000_000 / 24)
    }

    #[test]
    fn a_mark_that_this_process_has_moved_moves_on_from_there() {
        let (clock, time) = times();
        let base = clock.wall();
        clock.advance(Duration::from_mins(10));
        let moved = |mark| time.observe_moved(time.now().boot, said(base, 400 * DAY, mark));
        let _ = moved(0);
        clock.advance(Duration::from_mins(1));
        // As expected, so that it would tell a reader nothing.
        let _ = moved(60);
        clock.advance(Duration::from_mins(1));
        assert_eq!(time.mark_bounds().at_most, base + seconds(60 + 10 * 60));
    }
}
