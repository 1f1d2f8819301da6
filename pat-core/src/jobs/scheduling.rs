//! When a job runs, and on which node.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::feed::{self, Rounds};
use super::lease::{Interrupted, JobRun, LEASE_TTL, LeasedRun};
use super::owners::OwnerWalk;
use super::{expiry, prune, unused};
use crate::node::Node;
use crate::schedule::Schedule;
use crate::store::{Job, LeaseAnswer, LeaseRequest, StoreError};

impl Node {
    /// Runs one round of a job if it is due; see [`Pats::run_if_due`](crate::Pats::run_if_due).
    pub(crate) async fn run_if_due(self: &Arc<Self>, job: Job) -> Result<JobRun, StoreError> {
        self.run_leased(job, Rounds::One, &CancellationToken::new())
            .await
    }

    /// Runs a job if it is due, until `stop`; [`Job::EventFeed`] ends only then.
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
        // The response may have shown that the clock has leapt.
        let result = match self.is_timeless(job).await {
            Ok(false) => self::run(&mut run, job, rounds).await,
            Ok(true) => Err(Interrupted::Stopped),
            Err(error) => Err(Interrupted::Failed(error)),
        };
        let end = run.end(result).await?;
        if end == JobRun::Done && job != Job::EventFeed {
            let ended = self.context.time.now();
            let metrics = &self.context.metrics;
            metrics.job_succeeded(job.as_str(), now, ended);
        }
        Ok(end)
    }

    /// Returns whether it is unknown if this job is due, since the database's clock has leapt. Reads the
    /// other nodes' reports first if the answer depends on them.
    async fn is_timeless(&self, job: Job) -> Result<bool, StoreError> {
        if self.schedule(job).is_none() {
            return Ok(false);
        }
        if self.context.time.must_hear_others() {
            self.feed.poll().await?;
        }
        Ok(self.context.time.doubtful_leap().is_some())
    }

    /// Returns the schedule of a job; `None` if it is always due.
    fn schedule(&self, job: Job) -> Option<&Schedule> {
        match job {
            Job::Prune => Some(self.context.settings.pruning_schedule()),
            Job::ExpiryCheck => Some(self.context.settings.expiry_check_schedule()),
            Job::EventFeed => None,
        }
    }

    /// Returns when a job was last due.
    fn occurrence(&self, job: Job, now: Timestamp) -> Option<Timestamp> {
        match self.schedule(job) {
            Some(schedule) => schedule.latest_at(now, self.context.settings.time_zone()),
            None => Some(now),
        }
    }

    /// Returns the time until a job is next due.
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

async fn run(run: &mut LeasedRun<'_>, job: Job, rounds: Rounds) -> Result<(), Interrupted> {
    match job {
        Job::EventFeed => feed::run(run, rounds).await,
        Job::Prune => {
            mend_future(run).await?;
            prune::run(run).await
        }
        Job::ExpiryCheck => {
            mend_future(run).await?;
            note_unseen(run).await?;
            expiry::run(run).await?;
            unused::run(run).await
        }
    }
}

/// Begins the absence of owners whom the host has not reported.
async fn note_unseen(run: &mut LeasedRun<'_>) -> Result<(), Interrupted> {
    const BATCH: u32 = 500;
    if run.node.context.settings.owner_max_absence().is_zero() {
        return Ok(());
    }
    let mut owners = OwnerWalk::new(BATCH);
    while let Some(owners) = owners.next(run).await? {
        let now = run.heartbeat().await?;
        let noting = run.store.note_unseen(&run.lease, now, &owners);
        run.node.in_time(noting).await?;
    }
    Ok(())
}

async fn mend_future(run: &mut LeasedRun<'_>) -> Result<(), Interrupted> {
    run.heartbeat().await?;
    // Not the time for decisions, which is never behind the mark.
    let machines = run.node.context.time.machine();
    let mended = run.store.mend_future(&run.lease, machines);
    let mended = run.node.in_time(mended).await?;
    if mended > 0 {
        tracing::warn!(
            tokens = mended,
            "tokens were created while a clock was ahead; their times are moved back to now"
        );
        run.node.auth.invalidate_all();
    }
    Ok(())
}
