//! The bounds within which a boot clock moves the mark.

/// A mark as it was read, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) value: i64,
    /// The clock that the mark follows, at the same time.
    pub(crate) clock: i64,
    /// This machine's boot clock when the mark got this value, or soon after.
    pub(crate) boot: i64,
}

const MINUTE: i64 = 60_000_000;
const DAY: i64 = 24 * 60 * MINUTE;

/// How long a process must have run before it moves the mark towards a clock that is ahead: by then a
/// machine that started with a wrong date has the network's time.
const SETTLED_AFTER: i64 = 10 * MINUTE;
/// How many times faster than time passes the mark then follows a clock that is ahead. It catches up a
/// week without any node in less than a day; in the days until an operator notices a clock that is
/// years ahead, it moves by weeks, not by years.
const PACE: i64 = 10;
/// A clock that is behind by up to [`MOST_BEHIND`] catches up with the mark by this fraction of the
/// elapsed time: an hour in a day.
const GIVE_WAY: i64 = 24;
/// A clock that is further behind is not followed.
const MOST_BEHIND: i64 = DAY;

impl Mark {
    /// Returns `read`, a later reading, if it is ahead of the mark that this one implies or was set
    /// back; else this one.
    pub(crate) fn or_newer(self, read: Self) -> Self {
        let is_new = read.value < self.value || read.value > self.at_least(read.boot);
        if is_new { read } else { self }
    }

    fn passed(&self, now: i64) -> i64 {
        now.saturating_sub(self.boot).max(0)
    }

    /// Returns the least value of the mark at this boot time.
    pub(crate) fn at_least(&self, now: i64) -> i64 {
        let passed = self.passed(now);
        let gives_way = match self.value.saturating_sub(self.clock) {
            behind @ 0..=MOST_BEHIND => behind.min(passed / GIVE_WAY),
            _ => 0,
        };
        self.value.saturating_add(passed - gives_way)
    }

    /// Returns the greatest allowed value of the mark at the boot time `now`, in a process that started
    /// at the boot time `started`.
    pub(crate) fn at_most(&self, now: i64, started: i64) -> i64 {
        let settled = started.saturating_add(SETTLED_AFTER);
        let drawn = now.saturating_sub(self.boot.max(settled)).max(0);
        self.value
            .saturating_add(self.passed(now))
            .saturating_add(drawn.saturating_mul(PACE - 1))
    }

    /// Moves a mark that this process keeps itself towards a clock, read at the boot time `now`.
    pub(super) fn advance(&mut self, clock: i64, now: i64, started: i64) {
        let (least, most) = (self.at_least(now), self.at_most(now, started));
        *self = Self {
            value: clock.min(most).max(least),
            clock,
            boot: now,
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: i64 = 60_000_000;
    const HOUR: i64 = 3_600_000_000;
    const DAY: i64 = 86_400_000_000;

    fn mark(clock: i64) -> Mark {
        Mark {
            value: 0,
            clock,
            boot: 0,
        }
    }

    #[test]
    fn a_clock_that_is_ahead_is_not_followed_for_ten_minutes() {
        let mark = mark(400 * DAY);
        assert_eq!(mark.at_most(MINUTE, 0), MINUTE);
        assert_eq!(mark.at_most(10 * MINUTE, 0), 10 * MINUTE);
        assert_eq!(mark.at_most(11 * MINUTE, 0), 20 * MINUTE);
        assert_eq!(mark.at_most(10 * MINUTE, -DAY), 100 * MINUTE);
    }

    #[test]
    fn a_weekend_is_made_up_within_a_morning() {
        let mark = mark(60 * HOUR);
        assert!(mark.at_most(7 * HOUR, 0) >= 67 * HOUR);
    }

    #[test]
    fn a_clock_that_is_a_little_behind_catches_up_and_one_far_behind_does_not() {
        assert_eq!(mark(-HOUR).at_least(HOUR), HOUR - HOUR / 24);
        assert_eq!(mark(-HOUR).at_least(2 * DAY), 47 * HOUR, "it has caught up");
        assert_eq!(mark(-DAY).at_least(DAY), 23 * HOUR);
        assert_eq!(mark(-DAY - 1).at_least(DAY), DAY);
    }

    #[test]
    fn a_mark_that_a_process_keeps_follows_the_clock_within_the_bounds() {
        let mut mark = mark(0);
        for (minutes, clock, value) in [
            (11, 12 * MINUTE, 12 * MINUTE),
            (12, 400 * DAY, 22 * MINUTE),
            (13, 0, 23 * MINUTE),
        ] {
            mark.advance(clock, minutes * MINUTE, 0);
            let boot = minutes * MINUTE;
            assert_eq!(mark, Mark { value, clock, boot });
        }
    }

    #[test]
    fn what_tells_no_more_is_passed_over() {
        let known = mark(0);
        let read = |value, boot| Mark {
            value,
            clock: value,
            boot,
        };
        assert_eq!(
            known.or_newer(read(0, MINUTE)),
            known,
            "not moved meanwhile"
        );
        assert_eq!(known.or_newer(read(MINUTE, MINUTE)), known, "as expected");
        for newer in [read(2 * MINUTE, MINUTE), read(-1, MINUTE)] {
            assert_eq!(known.or_newer(newer), newer);
        }
    }

    proptest! {
        /// Several nodes move the mark no faster than one of them may.
        #[test]
        fn nodes_do_not_add_up(
            steps in proptest::collection::vec((0..3_usize, 1..HOUR), 1..100),
            ahead in -2 * DAY..500 * DAY,
        ) {
            let (mut value, mut now) = (0, 0);
            let mut nodes: [Option<Mark>; 3] = [None; 3];
            for (node, step) in steps {
                now += step;
                let clock = now + ahead;
                if let Some(known) = nodes[node] {
                    let (least, most) = (known.at_least(now), known.at_most(now, -DAY));
                    prop_assert!(least <= most);
                    value = value.max(clock.min(most).max(least));
                }
                let read = Mark { value, clock, boot: now };
                nodes[node] = Some(match nodes[node] {
                    Some(known) if step % 2 == 0 => known.or_newer(read),
                    _ => read,
                });
                prop_assert!(value <= PACE * now);
            }
        }
    }
}
