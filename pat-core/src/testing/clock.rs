use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::Clock;
use crate::clock::micros;

/// A clock that stands still until a test moves it.
///
/// Starts at 2026-02-26T22:42:21.247Z. Its coarse readings are as far behind as any may be, so that what
/// must be precise and is not shows.
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
    /// Lets time pass.
    ///
    /// # Panics
    /// If that leaves the range of dates.
    pub fn advance(&self, by: Duration) {
        self.boot.fetch_add(micros(by), Ordering::SeqCst);
        self.wall.fetch_add(micros(by), Ordering::SeqCst);
        assert!(Timestamp::from_microsecond(self.wall.load(Ordering::SeqCst)).is_ok());
    }

    /// Sets the real-time clock forwards or backwards, as an operator or NTP does; no time passes.
    ///
    /// # Panics
    /// If that leaves the range of dates.
    pub fn step_wall(&self, by: SignedDuration) {
        let by = i64::try_from(by.as_micros()).expect("a step within the range of dates");
        self.wall.fetch_add(by, Ordering::SeqCst);
        assert!(Timestamp::from_microsecond(self.wall.load(Ordering::SeqCst)).is_ok());
    }
}

impl Clock for TestClock {
    fn wall(&self) -> Timestamp {
        Timestamp::from_microsecond(self.wall.load(Ordering::SeqCst)).unwrap_or(Timestamp::MAX)
    }

    fn boot(&self) -> Duration {
        Duration::from_micros(self.boot.load(Ordering::SeqCst).unsigned_abs())
    }

    fn boot_coarse(&self) -> Duration {
        self.boot().saturating_sub(Duration::from_millis(100))
    }
}
