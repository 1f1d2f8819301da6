use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use super::MarkBounds;

/// A job that one node at a time runs, while it holds the job's [`Lease`].
///
/// Each time at which a job's schedule fires is an *occurrence* of the job, which one node runs. If several
/// occurrences were missed, only the latest is run. A job without a schedule is always due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Job {
    /// Deletes old tokens, entries of the [change feed](super::Change), notifications and audit events, and
    /// revokes the tokens of owners who are missing from the user directory. Runs at the times of the
    /// setting `atlassian.pats.pruning.schedule.cron` (by default daily at midnight).
    Prune,
    /// Queues notifications about tokens that expire soon or have expired. Runs at the times of the
    /// setting `atlassian.pats.expiry.check.schedule.cron` (by default every full hour).
    ExpiryCheck,
    /// Passes the stored audit events to the shared [event sinks](crate::event::EventSink). This job has no
    /// schedule: it is always due.
    EventFeed,
}

impl Job {
    /// Returns the fixed name of the job for the store, logs and metrics: `prune`, `expiry-check` or
    /// `event-feed`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Prune => "prune",
            Self::ExpiryCheck => "expiry-check",
            Self::EventFeed => "event-feed",
        }
    }
}

/// A request for a job's lease ([`JobStore::acquire_lease`](super::JobStore::acquire_lease)).
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct LeaseRequest<'a> {
    /// Job that the caller wants to run.
    pub job: Job,
    /// The present time by the caller's clock, for a store without a clock of its own.
    pub now: Timestamp,
    /// How long the lease lasts after the store has granted it, unless it is renewed
    /// ([`JobStore::renew_lease`](super::JobStore::renew_lease)).
    pub ttl: Duration,
    /// Function that takes the store's present time ([`StoreTime::now`](super::StoreTime::now)), and returns the
    /// scheduled time of the latest [occurrence](Job) that is not later; `None` if there is none. For a job without
    /// a schedule, which is always due, it returns its argument.
    pub due: &'a (dyn Fn(Timestamp) -> Option<Timestamp> + Sync),
    /// Range within which the store moves its [mark](super::StoreTime::mark), whatever the answer to the request.
    pub mark: MarkBounds,
}

impl<'a> LeaseRequest<'a> {
    /// Creates a request for the lease of `job` at the time `now`.
    #[must_use]
    pub const fn new(
        job: Job,
        now: Timestamp,
        ttl: Duration,
        due: &'a (dyn Fn(Timestamp) -> Option<Timestamp> + Sync),
        mark: MarkBounds,
    ) -> Self {
        Self {
            job,
            now,
            ttl,
            due,
            mark,
        }
    }
}

impl fmt::Debug for LeaseRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeaseRequest")
            .field("job", &self.job)
            .field("now", &self.now)
            .field("ttl", &self.ttl)
            .field("mark", &self.mark)
            .finish_non_exhaustive()
    }
}

/// The result of [`JobStore::acquire_lease`](super::JobStore::acquire_lease).
///
/// This enum is exhaustive: a caller must handle every variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaseAnswer {
    /// The caller now holds this lease, and runs the job.
    Acquired(Lease),
    /// An [occurrence](Job) is due, but the job has an unexpired lease. The caller does nothing.
    Held,
    /// No [occurrence](Job) is due, or the due occurrence has been run already. The caller does nothing.
    Done,
}

/// A job lease: the right of one node to run one [occurrence](Job) of a job, until the lease ends or is
/// released. [`JobStore::acquire_lease`](super::JobStore::acquire_lease) returns it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lease {
    /// Job that the holder runs.
    pub job: Job,
    /// Scheduled time of the [occurrence](Job) that the holder of the lease runs.
    pub occurrence: Timestamp,
    /// The *term*: the number of this acquisition of the job's lease, which the store increments each time
    /// (a fencing token). The store refuses writes under a lease with an older term.
    pub term: u64,
}

impl Lease {
    /// Creates the lease of `job` with this [term](Lease::term), for the [occurrence](Job) scheduled at
    /// `occurrence`.
    #[must_use]
    pub const fn new(job: Job, occurrence: Timestamp, term: u64) -> Self {
        Self {
            job,
            occurrence,
            term,
        }
    }
}
