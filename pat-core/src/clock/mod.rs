//! The only source of "now".

#[cfg(target_os = "linux")]
mod coarse;
mod mark;
mod time;

use std::fmt::Debug;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

pub(crate) use self::time::{Moment, Time};

/// Where the time comes from.
///
/// Two readings, because they answer different questions: [`Clock::wall`] says which date it is and
/// may be set back; [`Clock::boot`] says how much time has passed and never goes back.
pub trait Clock: Debug + Send + Sync + 'static {
    /// The date and time, UTC.
    fn wall(&self) -> Timestamp;

    /// The time since some fixed point in the past.
    ///
    /// Never goes backwards, is never set, and goes on while the machine is suspended: the bound on
    /// how long a revoked token is accepted is measured with it.
    fn boot(&self) -> Duration;

    /// The same, cheaper, and behind by up to a tenth of a second.
    ///
    /// A suspension shows in the first reading after it, here too.
    fn boot_coarse(&self) -> Duration {
        self.boot()
    }
}

/// Now, as tokio's timers have it: for the pace of work, and never for a decision.
#[expect(clippy::disallowed_methods, reason = "timers go by no other clock")]
pub(crate) fn timer_now() -> Instant {
    Instant::now()
}

/// The machine's own clocks: real time, and `CLOCK_BOOTTIME` on Linux.
///
/// Rust's `Instant` is no substitute for the latter: it stops while a machine is suspended, so that
/// a resumed virtual machine would take its old cache for fresh. Elsewhere than on Linux the larger
/// of the monotonic and the real difference is taken.
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
