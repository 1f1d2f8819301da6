//! A reading of the boot clock that costs half as much and is a few milliseconds behind.

use std::sync::LazyLock;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use super::anchor::Anchor;

/// Linux has no coarse boot clock. It has a coarse monotonic clock, which stops while the machine is
/// suspended, and a coarse real-time clock, which continues. The distance between the two changes only
/// when the machine was suspended or its real time was set; then the boot clock itself is read.
pub(super) fn boot() -> Duration {
    static ANCHOR: LazyLock<Anchor> = LazyLock::new(Anchor::new);
    let monotonic = nanos(ClockId::MonotonicCoarse);
    let real = nanos(ClockId::RealtimeCoarse);
    let boot = ANCHOR.boot(monotonic, real, || {
        // Both are precise, so that a coarse reading is never ahead of the boot clock.
        nanos(ClockId::Boottime) - nanos(ClockId::Monotonic)
    });
    Duration::from_nanos(u64::try_from(boot).unwrap_or_default())
}

fn nanos(clock: ClockId) -> i64 {
    let time = clock_gettime(clock);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn a_coarse_reading_is_close_behind_the_boot_clock() {
        let coarse = i64::try_from(boot().as_nanos()).expect("fits");
        assert!(coarse <= nanos(ClockId::Boottime));
        let before = nanos(ClockId::Boottime);
        let coarse = i64::try_from(boot().as_nanos()).expect("fits");
        // A tick is at most ten milliseconds long, but may be late on a busy machine.
        assert!(
            before - coarse < SECOND / 2,
            "{} ns behind",
            before - coarse
        );
    }
}
