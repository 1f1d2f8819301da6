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
    /// Since the boot clock's fixed point.
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

    /// The date and time.
    pub(crate) fn timestamp(self) -> Timestamp {
        timestamp(self.wall)
    }
}

fn timestamp(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MAX)
}

/// The time as decisions use it: the boot clock plus its measured distance from the date.
///
/// So a decision reads one clock, and a step of another one is taken over at defined moments (each
/// answer of the store) rather than in the middle of a decision. The date is the database's where
/// it has a clock, else this machine's; and it does not go back behind the mark
/// ([`StoreTime`]), whatever either of them says.
#[derive(Debug)]
pub(crate) struct Time {
    clock: Arc<dyn Clock>,
    /// The date minus the boot clock.
    distance: AtomicI64,
    state: Mutex<State>,
    /// Boot time at which this process began.
    started: i64,
}

#[derive(Debug)]
struct State {
    /// Boot time at which the distance was measured; `None` while it is only assumed.
    measured: Option<i64>,
    /// Whether it has moved since somebody was told so.
    has_moved: bool,
    mark: Option<Mark>,
    keeper: Keeper,
    /// The clock minus the mark, as last seen, in microseconds.
    leap: i64,
}

/// Who keeps the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keeper {
    /// This process: the store keeps no mark.
    Process,
    /// The store keeps the mark, and the clock is this machine's.
    Mark,
    /// The store has a clock too.
    Database,
}

/// How far clock and mark may be apart before that means anything, and how far a distance that is
/// measured anew may differ before all that was judged by the old one is judged anew: a second.
const TOLERANCE: i64 = 1_000_000;
/// How long the shortest way of an answer counts. After that a longer one may be as good, since
/// clocks drift.
const MEASURED_FOR: i64 = 60_000_000;

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

    /// The time, behind by up to a tenth of a second.
    pub(crate) fn coarse(&self) -> Moment {
        self.moment(self.clock.boot_coarse())
    }

    fn moment(&self, boot: Duration) -> Moment {
        let boot = micros(boot);
        let wall = boot.saturating_add(self.distance.load(Ordering::Relaxed));
        Moment { boot, wall }
    }

    /// Reads the time after measuring the distance anew from this machine's real-time clock, unless
    /// the database's clock counts.
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

    /// Takes over what a store has said of the time, in an answer to a question that was sent at
    /// this boot time. Returns whether the date has moved by more than a second: then all that was
    /// judged by the old one must be judged anew.
    ///
    /// The answer is counted from when the question was sent, so that this clock is ahead of the
    /// store's, by the time that the quickest answer took, and never behind: tokens end a little
    /// early rather than late.
    #[must_use = "what was judged by the old date must be judged anew"]
    pub(crate) fn observe(&self, sent: i64, time: StoreTime) -> bool {
        self.take_over(sent, time, false)
    }

    /// The same, of an answer to a question that has moved the mark within this one's bounds.
    #[must_use = "what was judged by the old date must be judged anew"]
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
            state.measured = None;
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

    /// Measures the distance by a clock that was read between these boot times.
    fn measure(&self, state: &mut State, clock: i64, asked: Range<i64>) {
        let old = self.distance.load(Ordering::Relaxed);
        let vouched = state.mark.map(|mark| mark.at_least(asked.end));
        state.leap = vouched.map_or(0, |vouched| clock.saturating_sub(vouched));
        // The distance lies between these.
        let least = clock.saturating_sub(asked.end);
        let most = clock.saturating_sub(asked.start);
        let is_first = state.measured.is_none();
        let new = match vouched {
            Some(vouched) if state.leap < -TOLERANCE => {
                // The clock is behind what is vouched for, so it says nothing. This one goes on.
                let least = vouched.saturating_sub(asked.end);
                if is_first { least } else { old.max(least) }
            }
            _ if least > old || most < old || is_first => most,
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
        if state.keeper == Keeper::Process
            && let Some(mark) = &mut state.mark
        {
            mark.advance(clock, asked.end, self.started);
        }
    }

    /// How far the mark may be moved now.
    pub(crate) fn mark_bounds(&self) -> MarkBounds {
        let now = micros(self.clock.boot());
        let clock = self.clock.wall();
        let (least, most) = match self.state().mark {
            Some(mark) => (mark.at_least(now), mark.at_most(now, self.started)),
            None => (i64::MIN, i64::MIN),
        };
        let bound = |micros| Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MIN);
        MarkBounds {
            at_least: bound(least),
            at_most: bound(most),
            clock,
        }
    }

    /// The time that is vouched for, as far as this process knows: by which things are old, for
    /// stores that keep no mark.
    pub(crate) fn vouched(&self) -> Timestamp {
        let now = self.refresh();
        let mark = self.state().mark;
        let mark = mark.map_or(now.wall, |mark| mark.at_least(now.boot));
        timestamp(mark.min(now.wall))
    }

    /// How far the clock is ahead of the mark, in microseconds; negative where it is behind.
    pub(crate) fn leap(&self) -> i64 {
        self.state().leap
    }

    /// This machine's real-time clock, which may be wrong.
    pub(crate) fn machine(&self) -> Timestamp {
        self.clock.wall()
    }
}
