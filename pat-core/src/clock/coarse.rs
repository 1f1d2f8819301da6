//! A reading of the boot clock at half the price, a few milliseconds behind.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Linux keeps no coarse boot clock. It keeps a coarse monotonic one, which stands still while the
/// machine is suspended, and a coarse real-time one, which goes on. The distance between the two
/// changes only when the machine was suspended or its real time was set, and whenever it does, the
/// boot clock itself is read.
pub(super) fn boot() -> Duration {
    static ANCHOR: Anchor = Anchor::new();
    let monotonic = nanos(ClockId::MonotonicCoarse);
    let real = nanos(ClockId::RealtimeCoarse);
    let boot = ANCHOR.boot(monotonic, real, || {
        // Both precise, so that a coarse reading is never ahead of the boot clock.
        nanos(ClockId::Boottime) - nanos(ClockId::Monotonic)
    });
    Duration::from_nanos(u64::try_from(boot).unwrap_or_default())
}

fn nanos(clock: ClockId) -> i64 {
    let time = clock_gettime(clock);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// How far the boot clock and the real-time clock are ahead of the monotonic one, in nanoseconds,
/// as last measured.
#[derive(Debug)]
struct Anchor {
    real: AtomicI64,
    boot: AtomicI64,
    /// Held by whoever measures anew; nobody waits for it.
    measuring: Mutex<()>,
}

/// A suspension or step of the real-time clock that is shorter goes unnoticed: an error of as much,
/// which those who read a coarse clock allow for.
const TOLERANCE: u64 = 50_000_000;

impl Anchor {
    const fn new() -> Self {
        Self {
            real: AtomicI64::new(i64::MIN),
            boot: AtomicI64::new(0),
            measuring: Mutex::new(()),
        }
    }

    /// The boot clock at these readings. `measure` tells how far it is ahead of the monotonic one.
    ///
    /// `real` vouches for `boot`: it is stored after it and loaded before it, so whoever finds that
    /// nothing has changed has the `boot` that was measured then, or a later and greater one.
    fn boot(&self, monotonic: i64, real: i64, measure: impl FnOnce() -> i64) -> i64 {
        let distance = real.saturating_sub(monotonic);
        if distance.abs_diff(self.real.load(Ordering::Acquire)) <= TOLERANCE {
            return monotonic + self.boot.load(Ordering::Relaxed);
        }
        let turn = self.measuring.try_lock();
        let boot = measure();
        if turn.is_ok() {
            self.boot.store(boot, Ordering::Release);
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
        // Half a minute has passed, of which the monotonic clock knows nothing.
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

    #[test]
    fn a_coarse_reading_is_close_behind_the_boot_clock() {
        let coarse = i64::try_from(boot().as_nanos()).expect("fits");
        assert!(coarse <= nanos(ClockId::Boottime));
        let before = nanos(ClockId::Boottime);
        let coarse = i64::try_from(boot().as_nanos()).expect("fits");
        // A tick is at most ten milliseconds long; a busy machine may be late with it.
        assert!(
            before - coarse < SECOND / 2,
            "{} ns behind",
            before - coarse
        );
    }
}
