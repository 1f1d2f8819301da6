//! The boot clock of systems other than Linux.

use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

struct Reading {
    monotonic: Instant,
    wall: SystemTime,
    passed: Duration,
}

/// Advances, between two readings, by the larger of the differences of `Instant` and of the real-time
/// clock.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the clock that all others must use"
)]
pub(super) fn boot() -> Duration {
    static LAST: LazyLock<Mutex<Reading>> = LazyLock::new(|| {
        Mutex::new(Reading {
            monotonic: Instant::now(),
            wall: SystemTime::now(),
            passed: Duration::ZERO,
        })
    });
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    let (monotonic, wall) = (Instant::now(), SystemTime::now());
    let by_wall = wall.duration_since(last.wall).unwrap_or_default();
    let passed = last.passed + by_wall.max(monotonic - last.monotonic);
    *last = Reading {
        monotonic,
        wall,
        passed,
    };
    passed
}

pub(super) fn boot_coarse() -> Duration {
    boot()
}
