use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::Clock;
use crate::clock::micros;

/// A clock that only a test advances.
///
/// Starts at 2026-02-26T22:42:21.247Z. Its coarse readings are as far behind as a clock's may be, so
/// that a decision that must use the precise time, and does not, fails.
#[derive(Debug)]
pub struct TestClock {
    /// Microseconds since 1970.
    wall: AtomicI64,
    /// Microseconds since boot.
    boot: AtomicI64,
}

impl Default for TestClock {
    fn default() -> Self {
        Self {
            wall: AtomicI64::new(1_772_145_741_247_000),
            boot: AtomicI64::new(1_000_000_001),
        }
    }
}

impl TestClock {
    /// Advances both clocks.
    ///
    /// # Panics
    /// If the date leaves the range of [`Timestamp`].
    pub fn advance(&self, by: Duration) {
        self.boot.fetch_add(micros(by), Ordering::Relaxed);
        self.wall.fetch_add(micros(by), Ordering::Relaxed);
        assert!(Timestamp::from_microsecond(self.wall.load(Ordering::Relaxed)).is_ok());
    }

    /// Sets the real-time clock forward or back, as an operator or NTP does; the boot clock stays.
    ///
    /// # Panics
    /// If the date leaves the range of [`Timestamp`].
    pub fn step_wall(&self, by: SignedDuration) {
        let by = i64::try_from(by.as_micros()).expect("a step within the range of dates");
        self.wall.fetch_add(by, Ordering::Relaxed);
        assert!(Timestamp::from_microsecond(self.wall.load(Ordering::Relaxed)).is_ok());
    }
}

impl Clock for TestClock {
    fn wall(&self) -> Timestamp {
        Timestamp::from_microsecond(self.wall.load(Ordering::Relaxed)).unwrap_or(Timestamp::MAX)
    }

    fn boot(&self) -> Duration {
        Duration::from_micros(self.boot.load(Ordering::Relaxed).unsigned_abs())
    }

    fn boot_coarse(&self) -> Duration {
        self.boot().saturating_sub(Duration::from_millis(100))
    }
}
