//! The boot clock of Linux, and a reading of it that costs half as much and is a few milliseconds behind.

use std::sync::LazyLock;
use std::time::Duration;

use rustix::time::{ClockId, Timespec, clock_gettime};

use super::anchor::Anchor;

pub(super) fn boot() -> Duration {
    duration(read(ClockId::Boottime))
}

/// Linux has no coarse boot clock. It has a coarse monotonic clock, which stops while the machine is
/// suspended, and a coarse real-time clock, which continues. The distance between the two changes only
/// when the machine was suspended or its real time was set; then the boot clock itself is read.
pub(super) fn boot_coarse() -> Duration {
    static ANCHOR: LazyLock<Anchor> = LazyLock::new(Anchor::new);
    let monotonic = read(ClockId::MonotonicCoarse);
    let real = read(ClockId::RealtimeCoarse);
    let boot = ANCHOR.boot(monotonic, real, || {
        // Both are precise, so that a coarse reading is never ahead of the boot clock.
        read(ClockId::Boottime) - read(ClockId::Monotonic)
    });
    duration(boot)
}

/// Reads a clock, in nanoseconds.
fn read(clock: ClockId) -> i64 {
    nanos(clock_gettime(clock))
}

fn nanos(time: Timespec) -> i64 {
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

fn duration(nanos: i64) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_has_seconds_and_nanoseconds() {
        let time = Timespec {
            tv_sec: 3,
            tv_nsec: 5,
        };
        assert_eq!(duration(nanos(time)), Duration::new(3, 5));
    }

    #[test]
    fn a_coarse_reading_is_close_behind_the_boot_clock() {
        assert!(boot_coarse() <= boot());
        let (before, coarse) = (boot(), boot_coarse());
        assert!(
            before > Duration::from_secs(1),
            "the machine started long ago"
        );
        // A tick is at most ten milliseconds long, but may be late on a busy machine.
        let behind = before.saturating_sub(coarse);
        assert!(behind < Duration::from_millis(500), "{behind:?} behind");
    }
}
