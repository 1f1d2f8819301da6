//! How far the boot clock is ahead of the monotonic one, measured seldom.

use crate::sync::Mutex;
use crate::sync::atomic::{AtomicI64, Ordering};

/// How far the boot clock and the real-time clock are ahead of the monotonic one, in nanoseconds,
/// as last measured. The orderings are the weakest that will do: `pat-loom` fails with any weaker one.
#[derive(Debug)]
pub(super) struct Anchor {
    real: AtomicI64,
    boot: AtomicI64,
    /// Locked while a thread measures; no thread waits for it.
    measuring: Mutex<()>,
}

/// A shorter suspension or step of the real-time clock is not detected: an error that the readers of
/// the coarse clock allow for.
const TOLERANCE: u64 = 50_000_000;

impl Anchor {
    pub(super) fn new() -> Self {
        Self {
            real: AtomicI64::new(i64::MIN),
            boot: AtomicI64::new(0),
            measuring: Mutex::new(()),
        }
    }

    /// Returns the boot clock at these readings. `measure` returns its distance from the monotonic one.
    ///
    /// `real` is stored after `boot` and loaded before it, so a thread that finds `real` unchanged
    /// loads the `boot` that was measured with it, or a later and greater one.
    pub(super) fn boot(&self, monotonic: i64, real: i64, measure: impl FnOnce() -> i64) -> i64 {
        let distance = real.saturating_sub(monotonic);
        if distance.abs_diff(self.real.load(Ordering::Acquire)) <= TOLERANCE {
            return monotonic + self.boot.load(Ordering::Relaxed);
        }
        let turn = self.measuring.try_lock();
        let boot = measure();
        if turn.is_ok() {
            self.boot.store(boot, Ordering::Relaxed);
            self.real.store(distance, Ordering::Release);
        }
        monotonic + boot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn the_boot_clock_is_measured_once_as_long_as_nothing_happens() {
        let anchor = Anchor::new();
        assert_eq!(
            anchor.boot(5 * SECOND, 1_005 * SECOND, || 7),
            5 * SECOND + 7
        );
        let again = anchor.boot(9 * SECOND, 1_009 * SECOND, || unreachable!("known"));
        assert_eq!(again, 9 * SECOND + 7);
    }

    #[test]
    fn a_suspension_shows_in_the_first_reading_after_it() {
        let anchor = Anchor::new();
        anchor.boot(5 * SECOND, 1_005 * SECOND, || 0);
        // The monotonic clock does not count the half minute that has passed.
        let boot = anchor.boot(5 * SECOND, 1_035 * SECOND, || 30 * SECOND);
        assert_eq!(boot, 35 * SECOND);
        let again = anchor.boot(6 * SECOND, 1_036 * SECOND, || unreachable!("known"));
        assert_eq!(again, 36 * SECOND);
    }

    #[test]
    fn real_time_that_is_set_changes_nothing() {
        let anchor = Anchor::new();
        anchor.boot(5 * SECOND, 1_005 * SECOND, || 3);
        for real in [500 * SECOND, 90_000 * SECOND] {
            assert_eq!(anchor.boot(6 * SECOND, real, || 3), 6 * SECOND + 3);
        }
    }
}
