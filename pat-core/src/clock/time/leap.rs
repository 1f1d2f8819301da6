//! Leaps: what a node makes of a clock that is far from the mark.

use super::{Keeper, Time, agree};
use crate::clock::micros;

/// How often it is logged that clock and mark differ.
const WARN_AGAIN_AFTER: i64 = 10 * 60_000_000;

impl Time {
    /// Returns how far the clock is ahead of the mark, in microseconds; negative if it is behind.
    pub(crate) fn leap(&self) -> i64 {
        self.state().leap
    }

    /// Returns the same; `None` if the store has no mark, or has not answered yet.
    pub(crate) fn measured_leap(&self) -> Option<i64> {
        let state = self.state();
        (state.keeper != Keeper::Process).then_some(state.leap)
    }

    /// Returns whether clock and mark differ by no more than a short restart explains.
    pub(crate) fn agrees(&self) -> bool {
        agree(self.leap())
    }

    /// Returns how far the database's clock is ahead of the mark, in microseconds, if it has leapt while
    /// this process ran or another node contradicts the leap: then clock or mark is wrong, and this node
    /// cannot decide which.
    pub(crate) fn doubtful_leap(&self) -> Option<i64> {
        let now = micros(self.clock.boot());
        let state = self.state();
        let is_contradicted =
            state.contradicted_until.is_some_and(|until| now < until) && !agree(state.leap);
        let is_doubtful = state.has_leapt || is_contradicted;
        (state.keeper == Keeper::Database && is_doubtful).then_some(state.leap)
    }

    /// Returns whether this node contradicts nodes that find the database's clock far from the mark: it
    /// finds that they agree, or has seen the clock leap.
    pub(crate) fn contradicts_leap(&self) -> bool {
        let state = self.state();
        state.keeper == Keeper::Database && (state.has_leapt || agree(state.leap))
    }

    /// Records the boot time until which another node's contradiction counts.
    pub(crate) fn contradicted(&self, until: i64) {
        self.state().contradicted_until = Some(until);
    }

    /// Returns whether the database's clock is far from the mark, and the reports of other nodes are not
    /// known yet.
    pub(crate) fn must_hear_others(&self) -> bool {
        let state = self.state();
        state.keeper == Keeper::Database && state.contradicted_until.is_none() && !agree(state.leap)
    }

    /// Logs when clock and mark begin to differ, every ten minutes while they do, and when they agree.
    pub(crate) fn report_leap(&self) {
        let boot = self.refresh().boot;
        let mut state = self.state();
        let leap_seconds = state.leap / 1_000_000;
        if agree(state.leap) {
            if state.warned.take().is_some() {
                tracing::info!("the clock agrees again with the store's mark");
            }
            return;
        }
        let is_due = |last: i64| boot.saturating_sub(last) >= WARN_AGAIN_AFTER;
        if !state.warned.is_none_or(is_due) {
            return;
        }
        state.warned = Some(boot);
        if state.leap > 0 {
            tracing::warn!(
                leap_seconds,
                "the clock is ahead of the store's mark: tokens expire by the clock, and old rows \
                 are deleted by the mark; if the clock is right, the mark catches up, at once if \
                 Pats::accept_clock is called"
            );
        } else {
            tracing::warn!(
                leap_seconds,
                "the clock is behind the store's mark and is not used; set it right, or if it is \
                 right, call Pats::accept_clock"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::tests::{DAY, MICRO, agreed, said, seconds, times};
    use crate::clock::Clock as _;
    use crate::store::StoreTime;

    #[test]
    fn a_clock_is_doubted_that_leaps_meanwhile_and_not_one_that_was_found_so() {
        for leap in [2 * DAY, -2 * DAY, 3600] {
            let (clock, time) = times();
            let base = clock.wall();
            let observe = |clock, mark| time.observe(time.now().boot, said(base, clock, mark));
            let _ = observe(leap, 0);
            assert_eq!(time.doubtful_leap(), None, "it was so at the start");
            let _ = observe(0, 0);
            assert_eq!(time.doubtful_leap(), None);
            let _ = observe(leap, 0);
            let _ = observe(leap + 1, 1);
            assert_eq!(time.doubtful_leap(), Some(leap * 1_000_000));
            let _ = observe(1, 1);
            assert_eq!(time.doubtful_leap(), None, "they agree again");
        }
    }

    #[test]
    fn a_clock_that_was_found_so_is_doubted_as_long_as_another_node_contradicts() {
        let (clock, time) = times();
        let base = clock.wall();
        assert!(!time.contradicts_leap(), "it knows of no database yet");
        let observe = |clock, mark| time.observe(time.now().boot, said(base, clock, mark));
        assert!(!time.must_hear_others());
        let _ = observe(2 * DAY, 0);
        assert!(!time.contradicts_leap(), "it was so at the start");
        assert!(time.must_hear_others());
        time.contradicted(time.now().boot + 25_000_000);
        assert_eq!(time.doubtful_leap(), Some(2 * DAY * 1_000_000));
        assert!(!time.must_hear_others(), "their reports are read");
        clock.advance(Duration::from_secs(25));
        assert_eq!(
            time.doubtful_leap(),
            None,
            "the other node has not reported again"
        );
        time.contradicted(time.now().boot + 25_000_000);
        let _ = observe(25, 25);
        assert_eq!(time.doubtful_leap(), None, "they agree");
        assert!(time.contradicts_leap());
        let _ = observe(2 * DAY + 25, 25);
        assert!(time.contradicts_leap(), "it has seen the leap");
    }

    #[test]
    fn a_clock_that_drifts_from_the_mark_by_up_to_a_minute_has_not_leapt() {
        for (drift, is_doubtful) in [(seconds(60), false), (seconds(60) + MICRO, true)] {
            let (clock, time) = times();
            let base = clock.wall();
            let observe = |leap| {
                let said = StoreTime {
                    clock: Some(base + leap),
                    mark: Some(base),
                };
                let _ = time.observe(time.now().boot, said);
                time.doubtful_leap().is_some()
            };
            assert!(!observe(seconds(30)));
            assert_eq!(observe(seconds(30) + drift), is_doubtful, "{drift:?}");
        }
    }

    #[test]
    fn a_difference_of_clock_and_mark_is_logged_every_ten_minutes_until_it_ends() {
        let (clock, time) = times();
        let base = clock.wall();
        let start = time.now().boot;
        let report = |passed: u64, leap| {
            clock.advance(Duration::from_secs(passed));
            let _ = time.observe(time.now().boot, said(base, leap, 0));
            time.report_leap();
            let warned = time.state().warned;
            warned.map(|at| (at - start) / 1_000_000)
        };
        assert_eq!(report(0, 0), None);
        assert_eq!(report(1, DAY), Some(1));
        assert_eq!(report(599, DAY), Some(1));
        assert_eq!(report(1, DAY), Some(601));
        let _ = time.observe_moved(time.now().boot, agreed(base));
        time.report_leap();
        assert_eq!(time.state().warned, None);
    }
}
