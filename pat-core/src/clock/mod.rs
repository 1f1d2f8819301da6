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

/// The source of time.
///
/// [`Clock::wall`] is the date, which may be set back. [`Clock::boot`] measures elapsed time, and never
/// goes back.
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
    /// Returns the date and time, UTC.
    fn wall(&self) -> Timestamp;

    /// Returns the time since a fixed point in the past.
    ///
    /// It must never go back or be set, and must continue while the machine is suspended: the bound on
    /// how long a revoked token is accepted is measured with it.
    fn boot(&self) -> Duration;

    /// Returns [`Clock::boot`] at a lower cost, behind by at most 100 ms. The first reading after a
    /// suspension must include it. The default implementation calls [`Clock::boot`].
    fn boot_coarse(&self) -> Duration {
        self.boot()
    }
}

/// Returns the time of tokio's timers: to schedule work, never for a decision.
#[expect(clippy::disallowed_methods, reason = "timers use no other clock")]
pub(crate) fn timer_now() -> Instant {
    Instant::now()
}

/// The machine's clocks: real time, and `CLOCK_BOOTTIME` on Linux.
///
/// Rust's `Instant` cannot replace the latter: it stops while a machine is suspended, so a resumed
/// virtual machine would use an outdated cache. On other systems the boot clock advances by the
/// larger of the monotonic and the real-time difference.
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
