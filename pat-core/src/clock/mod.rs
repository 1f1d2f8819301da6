//! The only source of "now".

#[cfg(target_os = "linux")]
mod anchor;
#[cfg(target_os = "linux")]
mod linux;
mod mark;
#[cfg(not(target_os = "linux"))]
mod portable;
mod time;

use std::fmt::Debug;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

#[cfg(target_os = "linux")]
use self::linux as system;
#[cfg(not(target_os = "linux"))]
use self::portable as system;
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

    fn boot(&self) -> Duration {
        system::boot()
    }

    fn boot_coarse(&self) -> Duration {
        system::boot_coarse()
    }
}

pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clock that implements only what it must.
    #[derive(Debug)]
    struct Least;

    impl Clock for Least {
        fn wall(&self) -> Timestamp {
            Timestamp::MAX
        }

        fn boot(&self) -> Duration {
            Duration::from_secs(5)
        }
    }

    #[test]
    fn the_coarse_reading_is_the_precise_one_unless_a_clock_has_its_own() {
        assert_eq!(Least.boot_coarse(), Least.boot());
    }

    #[test]
    fn the_systems_clock_has_the_date_and_the_time_since_the_boot() {
        let before: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a date");
        assert!(SystemClock.wall() > before);
        let (coarse, boot) = (SystemClock.boot_coarse(), SystemClock.boot());
        assert!(coarse > Duration::ZERO && coarse <= boot);
    }
}
