//! The lease of a run of a job.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::clock::{Moment, micros};
use crate::node::Node;
use crate::store::{Job, JobStore, Lease, StoreError};

/// The outcome of [`Pats::run_if_due`](crate::Pats::run_if_due).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobRun {
    /// The occurrence was run to its end.
    Done,
    /// The occurrence was run already, or there is none; or this node cannot tell, since the database's
    /// clock has leapt (see [`Pats::ready`](crate::Pats::ready)).
    NotDue,
    /// Another node holds the lease.
    Held,
    /// This node is shutting down in the middle of the run; another one continues it.
    Interrupted,
}

/// How long a lease is held without being renewed.
pub(super) const LEASE_TTL: Duration = Duration::from_mins(1);

/// One run of a job, which lasts as long as its lease.
pub(super) struct LeasedRun<'a> {
    pub(super) node: &'a Arc<Node>,
    pub(super) store: &'a dyn JobStore,
    pub(super) lease: Lease,
    /// Boot time at which the lease was last asked for.
    pub(super) renewed: i64,
    pub(super) stop: &'a CancellationToken,
}

/// Why a job ended early.
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
    /// Renews the lease if it is time to, and returns the current time. To be called before each batch.
    ///
    /// A runner stops before its lease can have expired for other nodes, by a clock that counts while
    /// the machine is suspended. (The store stops a runner that is paused just after this call: it
    /// checks the term.)
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

    /// Boot time until which this runner may rely on the lease, in microseconds.
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
        // What is always due is never done.
        let is_done = result.is_ok() && self.lease.job != Job::EventFeed;
        let is_lost = matches!(result, Err(Interrupted::Failed(StoreError::LeaseLost)));
        let released = self
            .node
            .in_time(self.store.release_lease(&self.lease, is_done))
            .await;
        // Who was suspended may have the lease all the same, and others would wait for its end.
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
