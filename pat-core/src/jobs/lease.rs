use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::feed::{self, Rounds};
use super::{expiry, prune};
use crate::clock::{Moment, micros};
use crate::node::Node;
use crate::schedule::Schedule;
use crate::store::{Job, JobStore, Lease, LeaseAnswer, LeaseRequest, StoreError};

/// What came of [`Pats::run_if_due`](crate::Pats::run_if_due).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobRun {
    /// The occurrence was run to its end.
    Done,
    /// It was run already, or there is none; or this node cannot tell, since the database's clock has
    /// leapt while it ran (see [`Pats::ready`](crate::Pats::ready)).
    NotDue,
    /// Another runner is at it.
    Held,
    /// It was begun and not ended, because this node is shutting down; another goes on with it.
    Interrupted,
}

/// How long a lease is held without being renewed.
const LEASE_TTL: Duration = Duration::from_mins(1);

impl Node {
    /// Runs one round of a job if it is due; see [`Pats::run_if_due`](crate::Pats::run_if_due).
    pub(crate) async fn run_if_due(self: &Arc<Self>, job: Job) -> Result<JobRun, StoreError> {
        self.run_leased(job, Rounds::One, &CancellationToken::new())
            .await
    }

    /// As above, until `stop`; [`Job::EventFeed`] goes on until then.
    pub(super) async fn run_until(
        self: &Arc<Self>,
        job: Job,
        stop: &CancellationToken,
    ) -> Result<JobRun, StoreError> {
        self.run_leased(job, Rounds::UntilStopped, stop).await
    }

    async fn run_leased(
        self: &Arc<Self>,
        job: Job,
        rounds: Rounds,
        stop: &CancellationToken,
    ) -> Result<JobRun, StoreError> {
        let now = self.context.time.refresh();
        let Some(store) = self.context.job_store()? else {
            return Ok(JobRun::NotDue);
        };
        if self.is_timeless(job).await? {
            return Ok(JobRun::NotDue);
        }
        let request = LeaseRequest {
            job,
            now: now.timestamp(),
            ttl: LEASE_TTL,
            due: &|now| self.occurrence(job, now),
            mark: self.context.time.mark_bounds(),
        };
        let (answer, time) = self.in_time(store.acquire_lease(&request)).await?;
        self.auth.observe_moved(now, time);
        let lease = match answer {
            LeaseAnswer::Acquired(lease) => lease,
            LeaseAnswer::Held => return Ok(JobRun::Held),
            LeaseAnswer::Done => return Ok(JobRun::NotDue),
        };
        let occurrence = lease.occurrence;
        tracing::debug!(job = job.as_str(), %occurrence, term = lease.term, "a job begins");
        let mut run = LeasedRun {
            node: self,
            store,
            lease,
            renewed: now.boot,
            stop,
        };
        // The clock may have leapt since it was last heard of.
        let result = match self.is_timeless(job).await {
            Ok(false) => run.run(job, rounds).await,
            Ok(true) => Err(Interrupted::Stopped),
            Err(error) => Err(Interrupted::Failed(error)),
        };
        run.end(result).await
    }

    /// Whether this node cannot tell if this job is due, since the database's clock has leapt. Hears the
    /// other nodes first if that takes them.
    async fn is_timeless(&self, job: Job) -> Result<bool, StoreError> {
        if self.schedule(job).is_none() {
            return Ok(false);
        }
        if self.context.time.must_hear_others() {
            self.feed.poll().await?;
        }
        Ok(self.context.time.doubtful_leap().is_some())
    }

    /// The schedule of a job, unless it is always due.
    fn schedule(&self, job: Job) -> Option<&Schedule> {
        match job {
            Job::Prune => Some(self.context.settings.pruning_schedule()),
            Job::ExpiryCheck => Some(self.context.settings.expiry_check_schedule()),
            Job::EventFeed => None,
        }
    }

    /// When a job was due last.
    fn occurrence(&self, job: Job, now: Timestamp) -> Option<Timestamp> {
        match self.schedule(job) {
            Some(schedule) => schedule.latest_at(now, self.context.settings.time_zone()),
            None => Some(now),
        }
    }

    /// How long it is until a job is due again.
    pub(super) fn until_next(&self, job: Job) -> Duration {
        let now = self.context.time.refresh().timestamp();
        let schedule = self.schedule(job);
        let next = schedule
            .and_then(|schedule| schedule.next_after(now, self.context.settings.time_zone()));
        let wait = next.map(|next| next.duration_since(now));
        wait.and_then(|wait| wait.try_into().ok())
            .unwrap_or(Duration::MAX)
    }
}

/// One run of a job, which lasts as long as its lease.
pub(super) struct LeasedRun<'a> {
    pub(super) node: &'a Arc<Node>,
    pub(super) store: &'a dyn JobStore,
    pub(super) lease: Lease,
    /// Boot time at which the lease was last asked for.
    renewed: i64,
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
    async fn run(&mut self, job: Job, rounds: Rounds) -> Result<(), Interrupted> {
        match job {
            Job::EventFeed => feed::run(self, rounds).await,
            Job::Prune => {
                self.mend_future().await?;
                prune::run(self).await
            }
            Job::ExpiryCheck => {
                self.mend_future().await?;
                expiry::run(self).await
            }
        }
    }

    async fn mend_future(&mut self) -> Result<(), Interrupted> {
        self.heartbeat().await?;
        // Not the time that decisions go by, which is never behind the mark.
        let machines = self.node.context.time.machine();
        let mended = self.store.mend_future(&self.lease, machines);
        let mended = self.node.in_time(mended).await?;
        if mended > 0 {
            tracing::warn!(
                tokens = mended,
                "tokens were created by a clock that was ahead; they are moved back to now"
            );
            self.node.auth.invalidate_all();
        }
        Ok(())
    }

    /// To be called before each batch: renews the lease in good time, and says what time it is.
    ///
    /// A runner stops by himself before his lease can have run out elsewhere, on a clock that goes
    /// on while the machine is suspended. (One that is paused just after this is stopped by the
    /// store, which checks the term.)
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

    async fn end(self, result: Result<(), Interrupted>) -> Result<JobRun, StoreError> {
        // What is always due is never done.
        let is_done = result.is_ok() && self.node.schedule(self.lease.job).is_some();
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
