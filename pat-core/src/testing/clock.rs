use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::Clock;
use crate::clock::micros;

/// A [`Clock`] that only a test advances.
///
/// The clock starts at 2026-02-26T22:42:21.247Z. [`Clock::boot_coarse`] is 100 ms behind [`Clock::boot`], the
/// most that is allowed. So a test fails if code uses the coarse time where it must use the precise time.
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
    /// Advances [`Clock::wall`] and [`Clock::boot`] by the same duration.
    ///
    /// # Panics
    /// If the date leaves the range of [`Timestamp`].
    pub fn advance(&self, by: Duration) {
        self.boot.fetch_add(micros(by), Ordering::Relaxed);
        self.wall.fetch_add(micros(by), Ordering::Relaxed);
        assert!(Timestamp::from_microsecond(self.wall.load(Ordering::Relaxed)).is_ok());
    }

    /// Sets [`Clock::wall`] forward, or back if `by` is negative, as an operator or NTP does. [`Clock::boot`]
    /// does not change.
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
