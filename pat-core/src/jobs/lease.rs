//! The run of a job under its lease.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::clock::{Moment, micros};
use crate::node::Node;
use crate::store::{Job, JobStore, Lease, StoreError};

/// The outcome of [`Pats::run_if_due`](crate::Pats::run_if_due): whether it ran the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum JobRun {
    /// The call has run the due [occurrence](crate::store::Job) of the job to its end.
    Done,
    /// The call did nothing: no [occurrence](crate::store::Job) of the job is due, or the due occurrence has
    /// been run already; or the store has no jobs ([`TokenStore::jobs`](crate::store::TokenStore::jobs)); or
    /// it is unknown what is due, since the database's clock was set and may be wrong
    /// ([`Pats::ready`](crate::Pats::ready)).
    NotDue,
    /// The call did nothing: another node holds the [lease](crate::store::Lease) of the job, and so runs the
    /// job.
    Held,
    /// The run ended early, since this node shuts down. The [occurrence](crate::store::Job) stays due, so
    /// that another node or a later call does the rest.
    Interrupted,
}

/// How long a lease is held without being renewed.
pub(super) const LEASE_TTL: Duration = Duration::from_mins(1);

/// One run of a job, which lasts as long as its lease.
pub(super) struct LeasedRun<'a> {
    pub(super) node: &'a Arc<Node>,
    pub(super) store: &'a dyn JobStore,
    pub(super) lease: Lease,
    /// Boot time at which the lease was last requested.
    pub(super) renewed: i64,
    pub(super) stop: &'a CancellationToken,
}

/// The reason that a run ended early.
pub(super) enum Interrupted {
    Stopped,
    Failed(StoreError),
}

impl From<StoreError> for Interrupted {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

impl LeasedRun<'_> {
    /// Renews the lease if that is due, and returns the time. Must be called before each batch.
    ///
    /// A run stops before its lease can have expired for other nodes, by a clock that continues while
    /// the machine is suspended. (If the process is paused just after this call, the store refuses its
    /// writes by their term.)
    pub(super) async fn heartbeat(&mut self) -> Result<Timestamp, Interrupted> {
        if self.stop.is_cancelled() {
            return Err(Interrupted::Stopped);
        }
        let now = self.node.context.time.refresh();
        let ttl = micros(LEASE_TTL);
        if now.boot > self.held_until() {
            return Err(StoreError::LeaseLost.into());
        }
        if now.boot - self.renewed > ttl / 3 {
            self.renew(now).await?;
        }
        Ok(now.timestamp())
    }

    /// Returns the boot time until which the lease is certainly held, in microseconds.
    pub(super) fn held_until(&self) -> i64 {
        self.renewed + micros(LEASE_TTL) / 5 * 4
    }

    async fn renew(&mut self, now: Moment) -> Result<(), StoreError> {
        let renewal = self
            .store
            .renew_lease(&self.lease, now.timestamp(), LEASE_TTL);
        self.node.in_time(renewal).await?;
        self.renewed = now.boot;
        Ok(())
    }

    pub(super) async fn end(self, result: Result<(), Interrupted>) -> Result<JobRun, StoreError> {
        // The event feed is always due.
        let is_done = result.is_ok() && self.lease.job != Job::EventFeed;
        let is_lost = matches!(result, Err(Interrupted::Failed(StoreError::LeaseLost)));
        let released = self
            .node
            .in_time(self.store.release_lease(&self.lease, is_done))
            .await;
        // After a suspension this node may still hold the lease, so it is released in any case.
        if !is_lost {
            released?;
        }
        match result {
            Ok(()) => Ok(JobRun::Done),
            Err(Interrupted::Stopped) => Ok(JobRun::Interrupted),
            Err(Interrupted::Failed(error)) => Err(error),
        }
    }
}
