//! The only source of "now".

#[cfg(target_os = "linux")]
mod anchor;
#[cfg(target_os = "linux")]
mod coarse;
mod mark;
mod time;

use std::fmt::Debug;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

pub(crate) use self::time::{Moment, Time};

/// The source of the time for all decisions of a service.
///
/// [`Clock::wall`] is the date and time, which an operator may set back. [`Clock::boot`] measures elapsed
/// time, and never goes back.
///
/// ```
/// use std::time::Duration;
///
/// use jiff::{SignedDuration, Timestamp};
/// use pat_core::{Clock, SystemClock};
///
/// /// The system's clock, a day ahead.
/// #[derive(Debug)]
/// struct Tomorrow;
///
/// impl Clock for Tomorrow {
///     fn wall(&self) -> Timestamp {
///         SystemClock.wall() + SignedDuration::from_hours(24)
///     }
///
///     fn boot(&self) -> Duration {
///         SystemClock.boot()
///     }
/// }
/// ```
pub trait Clock: Debug + Send + Sync + 'static {
    /// Returns the present date and time.
    fn wall(&self) -> Timestamp;

    /// Returns the time that has elapsed since a fixed point in the past, such as the start of the machine.
    ///
    /// This clock must never go back or be set, and must continue while the machine is suspended: it
    /// measures for how long a revoked token may still be accepted.
    fn boot(&self) -> Duration;

    /// Returns [`Clock::boot`] at a lower cost, but behind it by at most 100 ms. If the machine was
    /// suspended, already the first reading afterwards must include the time of the suspension.
    ///
    /// The default implementation calls [`Clock::boot`].
    fn boot_coarse(&self) -> Duration {
        self.boot()
    }
}

/// Returns the time of tokio's timers: to schedule work, never for a decision.
#[expect(clippy::disallowed_methods, reason = "timers use no other clock")]
pub(crate) fn timer_now() -> Instant {
    Instant::now()
}

/// The machine's clocks: its real-time clock for [`Clock::wall`], and on Linux `CLOCK_BOOTTIME` for
/// [`Clock::boot`].
///
/// Rust's [`Instant`](std::time::Instant) cannot replace `CLOCK_BOOTTIME`: an `Instant` does not count the
/// time during which a machine is suspended, so a resumed virtual machine would use an outdated cache. On
/// other systems than Linux the boot clock advances, between two readings, by the larger of the differences
/// of `Instant` and of the real-time clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock that all others must use"
    )]
    fn wall(&self) -> Timestamp {
        Timestamp::now()
    }

    #[cfg(target_os = "linux")]
    fn boot(&self) -> Duration {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
        let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or_default();
        Duration::new(seconds, nanoseconds)
    }

    #[cfg(target_os = "linux")]
    fn boot_coarse(&self) -> Duration {
        coarse::boot()
    }

    #[cfg(not(target_os = "linux"))]
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock that all others must use"
    )]
    fn boot(&self) -> Duration {
        use std::sync::{LazyLock, Mutex, PoisonError};
        use std::time::{Instant, SystemTime};

        struct Reading {
            monotonic: Instant,
            wall: SystemTime,
            passed: Duration,
        }
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
}

pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
