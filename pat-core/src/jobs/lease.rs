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
    /// The call did nothing: another node, or another call on this node, holds the
    /// [lease](crate::store::Lease) of the job, and so runs the job.
    Held,
    /// The run ended early, since this node shuts down. The [occurrence](crate::store::Job) stays due, so
    /// that another node or a later call does the rest.
    Interrupted,
}

/// How long a lease is held without being renewed.
pub(super) const LEASE_TTL: Duration = Duration::from_secs(60);

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

#[cfg(test)]
mod tests {
    use super::super::fixture::Fixture;
    use super::*;
    use crate::clock::Clock as _;
    use crate::store::LeaseAnswer;

    const MICRO: Duration = Duration::from_micros(1);

    #[tokio::test]
    async fn a_run_renews_its_lease_after_a_third_and_stops_after_four_fifths() {
        for (passed, is_held, is_renewed) in [
            (LEASE_TTL / 3, true, false),
            (LEASE_TTL / 3 + MICRO, true, true),
            (LEASE_TTL / 5 * 4, true, true),
            (LEASE_TTL / 5 * 4 + MICRO, false, false),
        ] {
            let fixture = Fixture::new(&[]);
            let mut run = fixture.run(Job::Prune).await;
            let begun = run.renewed;
            fixture.clock.advance(passed);
            let now = run.heartbeat().await.ok();
            assert_eq!(now, is_held.then(|| fixture.clock.wall()), "{passed:?}");
            let renewed = if is_renewed { micros(passed) } else { 0 };
            assert_eq!(run.renewed, begun + renewed, "{passed:?}");
            // Another node cannot have the lease a minute after it was renewed, less a moment.
            let rest = LEASE_TTL.saturating_sub(passed + MICRO);
            fixture.clock.advance(rest);
            assert_eq!(fixture.acquire(Job::Prune).await, LeaseAnswer::Held);
            fixture.clock.advance(MICRO);
            let taken = fixture.acquire(Job::Prune).await;
            assert_eq!(taken == LeaseAnswer::Held, is_renewed, "{passed:?}");
        }
    }

    #[tokio::test]
    async fn a_run_ends_when_it_is_stopped_or_its_lease_is_taken() {
        let fixture = Fixture::new(&[]);
        let mut run = fixture.run(Job::Prune).await;
        fixture.stop.cancel();
        assert!(matches!(run.heartbeat().await, Err(Interrupted::Stopped)));

        let fixture = Fixture::new(&[]);
        let mut run = fixture.run(Job::Prune).await;
        fixture.clock.advance(LEASE_TTL);
        fixture.run(Job::Prune).await;
        // As if the lease had been acquired later.
        run.renewed += micros(LEASE_TTL / 2);
        let lost = run.heartbeat().await;
        assert!(matches!(
            lost,
            Err(Interrupted::Failed(StoreError::LeaseLost))
        ));
    }

    #[tokio::test]
    async fn only_a_complete_run_is_done_and_the_feed_never_is() {
        let stopped = || Err(Interrupted::Stopped);
        let failed = || Err(Interrupted::Failed(StoreError::Timeout));
        for (job, result, is_done) in [
            (Job::Prune, Ok(()), true),
            (Job::ExpiryCheck, Ok(()), true),
            (Job::EventFeed, Ok(()), false),
            (Job::Prune, stopped(), false),
            (Job::Prune, failed(), false),
            (Job::EventFeed, stopped(), false),
        ] {
            let fixture = Fixture::new(&[]);
            let expected = match &result {
                Ok(()) => Some(JobRun::Done),
                Err(Interrupted::Stopped) => Some(JobRun::Interrupted),
                Err(Interrupted::Failed(_)) => None,
            };
            let ended = fixture.run(job).await.end(result).await;
            assert_eq!(ended.ok(), expected, "{job:?}");
            // The lease is released in any case.
            match fixture.acquire(job).await {
                LeaseAnswer::Done => assert!(is_done, "{job:?} {expected:?}"),
                LeaseAnswer::Acquired(_) => assert!(!is_done, "{job:?} {expected:?}"),
                LeaseAnswer::Held => panic!("{job:?} {expected:?}"),
            }
        }
    }

    #[tokio::test]
    async fn a_run_that_has_lost_its_lease_is_not_done() {
        let fixture = Fixture::new(&[]);
        let lost = || Err(Interrupted::Failed(StoreError::LeaseLost));
        for result in [Ok(()), lost()] {
            let run = fixture.run(Job::Prune).await;
            fixture.clock.advance(LEASE_TTL);
            let other = fixture.run(Job::Prune).await;
            let ended = run.end(result).await;
            assert!(matches!(ended, Err(StoreError::LeaseLost)));
            assert_eq!(fixture.acquire(Job::Prune).await, LeaseAnswer::Held);
            let ended = other.end(Err(Interrupted::Stopped)).await;
            assert!(matches!(ended, Ok(JobRun::Interrupted)));
        }
    }
}
