//! The only source of "now".

#[cfg(target_os = "linux")]
mod coarse;

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;

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

/// One reading of the time, in microseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// Since the boot clock's fixed point.
    pub(crate) boot: i64,
    /// Since 1970, UTC.
    pub(crate) wall: i64,
}

impl Moment {
    pub(crate) fn later(self, micros: i64) -> Self {
        Self {
            boot: self.boot.saturating_add(micros),
            wall: self.wall.saturating_add(micros),
        }
    }

    /// The date and time.
    pub(crate) fn timestamp(self) -> Timestamp {
        Timestamp::from_microsecond(self.wall).unwrap_or(Timestamp::MAX)
    }
}

/// The time as decisions use it: the boot clock plus its measured distance from real time.
///
/// So a decision reads one clock, and a step of the real-time clock is taken over at defined
/// moments (each poll, load and write) rather than in the middle of a decision. Where the database
/// has a clock of its own, that one counts, so that nodes with wrong clocks agree.
#[derive(Debug)]
pub(crate) struct Time {
    clock: Arc<dyn Clock>,
    wall_minus_boot: AtomicI64,
    follows_database: AtomicBool,
}

impl Time {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let time = Self {
            clock,
            wall_minus_boot: AtomicI64::new(0),
            follows_database: AtomicBool::new(false),
        };
        time.refresh();
        time
    }

    pub(crate) fn now(&self) -> Moment {
        self.moment(self.clock.boot())
    }

    /// The time, behind by up to a tenth of a second.
    pub(crate) fn coarse(&self) -> Moment {
        self.moment(self.clock.boot_coarse())
    }

    fn moment(&self, boot: Duration) -> Moment {
        let boot = micros(boot);
        let wall = boot.saturating_add(self.wall_minus_boot.load(Ordering::Relaxed));
        Moment { boot, wall }
    }

    /// Reads the time after measuring the distance anew from this machine's real-time clock,
    /// unless the database's clock counts.
    pub(crate) fn refresh(&self) -> Moment {
        if !self.follows_database.load(Ordering::Relaxed) {
            self.set_wall(self.clock.wall());
        }
        self.now()
    }

    /// Takes over the database's clock, as read just now.
    pub(crate) fn follow(&self, database: Timestamp) {
        self.follows_database.store(true, Ordering::Relaxed);
        self.set_wall(database);
    }

    fn set_wall(&self, wall: Timestamp) {
        let boot = micros(self.clock.boot());
        let distance = wall.as_microsecond().saturating_sub(boot);
        self.wall_minus_boot.store(distance, Ordering::Relaxed);
    }
}

pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
