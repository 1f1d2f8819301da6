//! The work that goes on beside the requests.

mod delivery;
mod expiry;
mod prune;
mod turn;

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::turn::JobRun;
use crate::store::Job;
use crate::{Pats, StoreError};

/// The running jobs of one [`Pats`]; see [`Pats::start`].
///
/// Dropping it stops the jobs without their last round; [`Jobs::shutdown`] is the graceful way.
#[derive(Debug)]
#[must_use = "dropping the handle stops the jobs"]
pub struct Jobs {
    pats: Pats,
    tasks: TaskTracker,
    stop: CancellationToken,
    /// Handing out events, which goes on until the other jobs have told theirs.
    event_delivery: TaskTracker,
    stop_events: CancellationToken,
}

/// How long a scheduled job sleeps at most before it looks at the clock again: a clock may be set,
/// and another node may have died with the job in its hands.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);
/// How often the outbox is looked at for notices of other nodes, and for those that are to be
/// tried again.
const OUTBOX_INTERVAL: Duration = Duration::from_secs(10);
/// How long a job waits after a round that failed.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// How often gauges are set, and the clock is compared with what the store vouches for.
const GAUGES_INTERVAL: Duration = Duration::from_secs(10);
/// How long a job waits for an answer of the store or the directory: half the time of a lease.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

impl Jobs {
    pub(crate) fn start(pats: Pats) -> Self {
        let jobs = Self {
            pats,
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            event_delivery: TaskTracker::new(),
            stop_events: CancellationToken::new(),
        };
        jobs.run_last_use_flush();
        jobs.run_event_delivery();
        if jobs.pats.is_shared() && !jobs.pats.settings().auth_max_staleness().is_zero() {
            jobs.run_change_poll();
        }
        if jobs.pats.has_jobs() {
            jobs.run_scheduled(Job::Prune);
            jobs.run_scheduled(Job::ExpiryCheck);
        } else {
            tracing::warn!(
                "the store has no jobs: old tokens are not pruned, and nobody is notified"
            );
        }
        if jobs.pats.notifies() {
            jobs.run_delivery();
        }
        jobs.run_clock_watch();
        if cfg!(feature = "metrics") {
            jobs.run_gauges();
        }
        jobs.tasks.close();
        jobs.event_delivery.close();
        jobs
    }

    /// Stops the jobs: finishes the batch and the notices in hand, writes the last uses noted so
    /// far and hands queued events to their sinks.
    ///
    /// From then on every request asks the database, until the jobs are started again.
    ///
    /// What cannot be written is logged: a shutdown does not fail for it. It takes as long as the
    /// slowest mailer, two minutes at most.
    pub async fn shutdown(self) {
        self.stop.cancel();
        self.tasks.wait().await;
        if let Err(error) = self.pats.flush_last_use().await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "last uses since the last flush are lost"
            );
        }
        if let Err(error) = self.pats.leave_cluster().await {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "the other nodes will take a minute to forget this one"
            );
        }
        self.stop_events.cancel();
        self.event_delivery.wait().await;
    }

    fn run_last_use_flush(&self) {
        let interval = self.pats.settings().last_used_update_interval();
        self.run("last-used-flush", move |pats, _stop| async move {
            pats.flush_last_use().await?;
            Ok(Pause::For(interval))
        });
    }

    fn run_change_poll(&self) {
        let interval = self.pats.settings().cluster_poll_interval();
        self.run("change-poll", move |pats, _stop| async move {
            let began = Instant::now();
            pats.poll_changes().await?;
            Ok(Pause::UntilHint(next_round(
                began,
                Instant::now(),
                interval,
            )))
        });
        self.run("change-hints", |pats, stop| async move {
            stop.run_until_cancelled(pats.follow_hints()).await;
            Ok(Pause::For(RETRY_PAUSE))
        });
    }

    fn run_scheduled(&self, job: Job) {
        self.run(job.as_str(), move |pats, stop| async move {
            pats.run_until(job, &stop).await?;
            Ok(Pause::For(pats.until_next(job).min(LONGEST_SLEEP)))
        });
    }

    fn run_delivery(&self) {
        self.run("notice-delivery", move |pats, stop| async move {
            pats.deliver_until(&stop).await?;
            Ok(Pause::ForNotice)
        });
    }

    fn run_clock_watch(&self) {
        self.run("clock-watch", move |pats, _stop| async move {
            pats.time().report_leap();
            Ok(Pause::For(GAUGES_INTERVAL))
        });
    }

    fn run_gauges(&self) {
        self.run("gauges", move |pats, _stop| async move {
            pats.set_gauges().await?;
            Ok(Pause::For(GAUGES_INTERVAL))
        });
    }

    fn run_event_delivery(&self) {
        let (pats, stop) = (self.pats.clone(), self.stop_events.clone());
        self.event_delivery
            .spawn(async move { pats.deliver_events(&stop).await });
    }

    /// Runs a job in rounds, each of which says how long to pause after it. One that fails is tried
    /// again; one that panics is logged as well, once until one succeeds again.
    fn run<F>(
        &self,
        name: &'static str,
        round: impl Fn(Pats, CancellationToken) -> F + Send + 'static,
    ) where
        F: Future<Output = Result<Pause, StoreError>> + Send,
    {
        let (pats, stop) = (self.pats.clone(), self.stop.clone());
        self.tasks.spawn(async move {
            let mut health = Health {
                name,
                is_bad: false,
            };
            while !stop.is_cancelled() {
                let result = AssertUnwindSafe(round(pats.clone(), stop.clone()))
                    .catch_unwind()
                    .await;
                pats.metrics().job_ran(name, matches!(result, Ok(Ok(_))));
                let pause = match result {
                    Ok(Ok(pause)) => {
                        health.good();
                        pause
                    }
                    Ok(Err(error)) => {
                        health.failed(&error);
                        Pause::For(RETRY_PAUSE)
                    }
                    Err(_panic) => {
                        health.bad(&Panicked);
                        Pause::For(LONGEST_SLEEP)
                    }
                };
                stop.run_until_cancelled(pause.wait(&pats)).await;
            }
        });
    }
}

impl Drop for Jobs {
    fn drop(&mut self) {
        self.stop.cancel();
        self.stop_events.cancel();
    }
}

/// What a job does until its next round.
enum Pause {
    For(Duration),
    /// Until then, or until the store hints at a change.
    UntilHint(Instant),
    /// Until a notice is queued on this node, or for a while.
    ForNotice,
}

impl Pause {
    async fn wait(self, pats: &Pats) {
        match self {
            Self::For(time) => tokio::time::sleep(time).await,
            Self::UntilHint(time) => {
                drop(tokio::time::timeout_at(time, pats.change_hinted()).await);
            }
            Self::ForNotice => {
                drop(tokio::time::timeout(OUTBOX_INTERVAL, pats.notice_queued()).await);
            }
        }
    }
}

/// From the beginning of one round to that of the next it is an interval: what a round has to wait for
/// must not put off the next. But there is some pause after each.
fn next_round(began: Instant, ended: Instant, interval: Duration) -> Instant {
    (began + interval).max(ended + interval / 10)
}

#[derive(Debug, thiserror::Error)]
#[error("the job panicked")]
struct Panicked;

/// Logs failures of a job once, and that they are over.
struct Health {
    name: &'static str,
    is_bad: bool,
}

impl Health {
    fn good(&mut self) {
        if std::mem::take(&mut self.is_bad) {
            tracing::info!(job = self.name, "the job works again");
        }
    }

    fn bad(&mut self, error: &(dyn std::error::Error + 'static)) {
        if !std::mem::replace(&mut self.is_bad, true) {
            tracing::warn!(job = self.name, error, "a job fails; it is tried again");
        }
    }

    /// A round that has failed. What does not answer is told of as an outage, once for all jobs.
    fn failed(&mut self, error: &StoreError) {
        match error {
            StoreError::Timeout | StoreError::Backend(_) => {
                tracing::debug!(
                    job = self.name,
                    error = error as &dyn std::error::Error,
                    "a job fails; it is tried again"
                );
            }
            StoreError::LeaseLost | StoreError::Outdated { .. } => self.bad(error),
        }
    }
}

impl Pats {
    /// The answer of the store, if it comes in time for a job.
    async fn in_time<T>(
        &self,
        answer: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.ask(ANSWER_TIMEOUT, answer).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_round_does_not_put_off_the_next() {
        let (began, millis) = (Instant::now(), Duration::from_millis);
        for (ended, next) in [(0, 500), (300, 500), (499, 549), (900, 950)] {
            let found = next_round(began, began + millis(ended), millis(500));
            assert_eq!(found - began, millis(next), "{ended}");
        }
    }
}
