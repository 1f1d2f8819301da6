//! Background work.

mod expiry;
mod feed;
#[cfg(test)]
mod fixture;
mod lease;
mod outbox;
mod owners;
mod prune;
mod scheduling;
mod shutdown;
mod unused;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

pub use self::lease::JobRun;
pub use self::shutdown::ShutdownReport;
use crate::clock::timer_now;
use crate::node::Node;
use crate::store::{Job, StoreError};

/// A handle to the running jobs of one service, which [`Pats::start`](crate::Pats::start) returns.
///
/// Dropping the handle stops the jobs without a last round, so last uses since the last flush are not
/// written. [`Jobs::shutdown`] lets the jobs finish.
#[derive(Debug)]
#[must_use = "dropping the handle stops the jobs"]
pub struct Jobs {
    node: Arc<Node>,
    tasks: Vec<Task>,
    stop: CancellationToken,
    /// The tasks that deliver events, which run until the other jobs have emitted theirs.
    event_tasks: Vec<Task>,
    stop_events: CancellationToken,
}

/// How long a scheduled job sleeps at most before it reads the clock again: the clock may be set, or
/// another node may die while it runs the job.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);
/// How often the outbox is read for notifications of other nodes and for retries.
const OUTBOX_INTERVAL: Duration = Duration::from_secs(10);
/// The jobs most of whose rounds find nothing to do, or only listen. The success of a scheduled job is that of a run.
const OWN_SUCCESS: [&str; 4] = ["prune", "expiry-check", "event-feed", "change-hints"];
/// How long a job waits after a round that failed.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// How often gauges are set, and the clock is compared with the mark.
const GAUGES_INTERVAL: Duration = Duration::from_secs(10);
/// How often all tokens are counted, which takes the database a scan.
const COUNT_INTERVAL: Duration = Duration::from_secs(5 * 60);
/// How long a job waits for a response of the store or the directory: half the time of a lease.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a node waits while another one feeds the event sinks.
const FEED_HELD_PAUSE: Duration = Duration::from_secs(5);
/// How long a shutdown waits for the jobs; for last uses and the deregistration of the node; for event
/// sinks.
const JOBS_LIMIT: Duration = Duration::from_secs(7);
const LAST_WRITE_LIMIT: Duration = Duration::from_secs(2);
const EVENTS_LIMIT: Duration = Duration::from_secs(10);

impl Jobs {
    pub(crate) fn start(node: Arc<Node>) -> Self {
        let mut jobs = Self {
            node,
            tasks: Vec::new(),
            stop: CancellationToken::new(),
            event_tasks: Vec::new(),
            stop_events: CancellationToken::new(),
        };
        jobs.run_learning();
        jobs.run_last_use_flush();
        jobs.run_events();
        if jobs.node.context.is_shared()
            && !jobs.node.context.settings.auth_max_staleness().is_zero()
        {
            jobs.run_change_poll();
        }
        if jobs.node.context.store.jobs().is_some() {
            jobs.run_scheduled(Job::Prune);
            jobs.run_scheduled(Job::ExpiryCheck);
        } else {
            tracing::warn!(
                "the store has no jobs: old tokens are not pruned, and no notifications are sent"
            );
        }
        if jobs.node.notifies() {
            jobs.run_delivery();
        }
        jobs.run_clock_watch();
        if cfg!(feature = "metrics") {
            jobs.run_gauges();
            jobs.run_count();
        }
        jobs
    }

    /// Stops the jobs: lets them finish their current batch and the claimed notifications, then writes the
    /// last uses, and delivers queued events to process sinks.
    ///
    /// On a shared store ([`TokenStore::is_shared`](crate::store::TokenStore::is_shared)), every request
    /// afterwards queries the database, until the jobs are started again.
    ///
    /// The shutdown takes less than 20 seconds, whatever the database, the directory, notifiers and event
    /// sinks do: at most 7 seconds for the jobs, then 2 for last uses, then 10 for the events of process sinks.
    /// All process sinks receive their events during the same 10 seconds; one that takes more than 2 seconds
    /// for an event loses it. The shutdown does not fail. It logs what could not be written or delivered, and
    /// returns it, so that a process can end with another exit code ([`ShutdownReport::is_complete`]). A
    /// claimed notification that was not finished is sent later, possibly for the second time; events for
    /// shared sinks stay in the store until they are delivered.
    pub async fn shutdown(mut self) -> ShutdownReport {
        self.stop.cancel();
        self.node.jobs.stopped();
        let cancelled_jobs = finish(&mut self.tasks, JOBS_LIMIT).await;
        if !cancelled_jobs.is_empty() {
            tracing::warn!(
                jobs = ?cancelled_jobs,
                "jobs did not end in time and were cancelled; their work is done later"
            );
        }
        let (has_written, ()) = tokio::join!(self.write_last_uses(), self.leave_cluster());
        let events = &self.node.context.events;
        let unstored_before = events.unstored();
        self.stop_events.cancel();
        finish(&mut self.event_tasks, EVENTS_LIMIT).await;
        let unstored = events.unstored() - unstored_before;
        ShutdownReport {
            cancelled_jobs,
            lost_last_uses: !has_written,
            undelivered_events: unstored + events.report_undelivered(),
        }
    }

    /// Returns whether they are written.
    async fn write_last_uses(&self) -> bool {
        let flushed = self
            .node
            .context
            .ask(LAST_WRITE_LIMIT, self.node.flush_last_use())
            .await;
        if let Err(error) = &flushed {
            tracing::error!(
                error = error as &dyn std::error::Error,
                "last uses since the last flush are lost"
            );
        }
        flushed.is_ok()
    }

    async fn leave_cluster(&self) {
        let left = self
            .node
            .context
            .ask(LAST_WRITE_LIMIT, self.node.leave_cluster())
            .await;
        if let Err(error) = left {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "this node could not deregister; the other nodes forget it after a minute"
            );
        }
    }

    fn run_learning(&mut self) {
        self.run("known-tokens", |node, _stop| async move {
            node.context.usable_store()?;
            node.auth.learn_known().await?;
            Ok(Pause::ForEver)
        });
    }

    fn run_last_use_flush(&mut self) {
        let interval = self.node.context.settings.last_used_update_interval();
        self.run("last-used-flush", move |node, _stop| async move {
            node.flush_last_use().await?;
            let settings = &node.context.settings;
            // Without a cache, nothing else reports this node, and its last uses are waited for.
            if settings.unused_revoke_days() > 0 && settings.auth_max_staleness().is_zero() {
                node.feed.poll().await?;
            }
            Ok(Pause::For(interval))
        });
    }

    fn run_change_poll(&mut self) {
        let interval = self.node.context.settings.cluster_poll_interval();
        self.run("change-poll", move |node, _stop| async move {
            let began = timer_now();
            node.feed.poll().await?;
            Ok(Pause::UntilSignal(next_round(began, timer_now(), interval)))
        });
        self.run("change-hints", |node, stop| async move {
            stop.run_until_cancelled(node.listen()).await;
            Ok(Pause::For(RETRY_PAUSE))
        });
    }

    fn run_scheduled(&mut self, job: Job) {
        self.run(job.as_str(), move |node, stop| async move {
            node.run_until(job, &stop).await?;
            Ok(Pause::For(node.until_next(job).min(LONGEST_SLEEP)))
        });
    }

    fn run_delivery(&mut self) {
        self.run("notice-delivery", move |node, stop| async move {
            node.deliver_until(&stop).await?;
            Ok(Pause::ForNotification)
        });
    }

    fn run_clock_watch(&mut self) {
        self.run("clock-watch", move |node, _stop| async move {
            node.context.time.report_leap();
            Ok(Pause::For(GAUGES_INTERVAL))
        });
    }

    fn run_gauges(&mut self) {
        self.run("gauges", move |node, _stop| async move {
            node.set_gauges().await?;
            Ok(Pause::For(GAUGES_INTERVAL))
        });
    }

    fn run_count(&mut self) {
        self.run("token-count", move |node, _stop| async move {
            node.count_tokens().await?;
            Ok(Pause::For(COUNT_INTERVAL))
        });
    }

    fn run_events(&mut self) {
        for sink in 0..self.node.context.events.process_sinks() {
            self.run_event_task("event-sink", move |node, stop| async move {
                node.context
                    .events
                    .deliver(sink, &stop, &node.context.outages)
                    .await;
            });
        }
        if self.node.context.audit_store().is_none() {
            tracing::warn!(
                "the store keeps no audit events: event sinks are fed from memory, and what is \
                 queued when the process dies is lost to them"
            );
            return;
        }
        self.run_event_task("event-samples", |node, stop| async move {
            if let Some((audit, _)) = node.context.audit_store() {
                node.context
                    .events
                    .store_samples(audit, &stop, &node.context.outages)
                    .await;
            }
        });
        if !self.node.context.events.shared_sinks().is_empty() {
            self.run_feed();
        }
    }

    fn run_event_task<F>(
        &mut self,
        name: &'static str,
        work: impl FnOnce(Arc<Node>, CancellationToken) -> F,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let task = tokio::spawn(work(self.node.clone(), self.stop_events.clone()));
        self.event_tasks.push(Task { name, task });
    }

    fn run_feed(&mut self) {
        self.run(Job::EventFeed.as_str(), |node, stop| async move {
            let run = node.run_until(Job::EventFeed, &stop).await?;
            Ok(Pause::For(match run {
                JobRun::Held => FEED_HELD_PAUSE,
                _ => RETRY_PAUSE,
            }))
        });
    }

    /// Runs a job in rounds, each of which returns the pause after it. A round that fails or panics is
    /// logged once, and tried again.
    fn run<F>(
        &mut self,
        name: &'static str,
        round: impl Fn(Arc<Node>, CancellationToken) -> F + Send + 'static,
    ) where
        F: Future<Output = Result<Pause, StoreError>> + Send + 'static,
    {
        let (node, stop) = (self.node.clone(), self.stop.clone());
        node.jobs.begun(name);
        let task = tokio::spawn(async move {
            let mut health = Health {
                name,
                is_bad: false,
            };
            while !stop.is_cancelled() {
                let began = node.context.time.now();
                let result = AssertUnwindSafe(round(node.clone(), stop.clone()))
                    .catch_unwind()
                    .await;
                let is_good = matches!(result, Ok(Ok(_)));
                let ended = node.context.time.now();
                if !stop.is_cancelled() {
                    node.jobs.ran(name, is_good, ended.boot);
                }
                let metrics = &node.context.metrics;
                metrics.job_ran(name, is_good);
                if is_good && !OWN_SUCCESS.contains(&name) {
                    metrics.job_succeeded(name, began, ended);
                }
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
                stop.run_until_cancelled(pause.wait(&node)).await;
            }
        });
        self.tasks.push(Task { name, task });
    }
}

/// The task of a job.
#[derive(Debug)]
struct Task {
    name: &'static str,
    task: JoinHandle<()>,
}

/// Waits for tasks to end, for at most `limit`. Aborts the others and returns their names.
async fn finish(tasks: &mut Vec<Task>, limit: Duration) -> Vec<&'static str> {
    let all = join_all(tasks.iter_mut().map(|Task { task, .. }| task));
    // A task that panicked counts as ended.
    drop(timeout(limit, all).await);
    let is_unfinished = |task: &Task| (!task.task.is_finished()).then_some(task.name);
    let unfinished = tasks.iter().filter_map(is_unfinished).collect();
    for Task { task, .. } in tasks.drain(..) {
        task.abort();
    }
    unfinished
}

impl Drop for Jobs {
    fn drop(&mut self) {
        self.node.jobs.stopped();
        self.stop.cancel();
        self.stop_events.cancel();
    }
}

/// The pause of a job before its next round.
enum Pause {
    For(Duration),
    /// Until this time, or until the store signals a change.
    UntilSignal(Instant),
    /// For [`OUTBOX_INTERVAL`], or until a notification is queued on this node.
    ForNotification,
    /// The job is done.
    ForEver,
}

impl Pause {
    async fn wait(self, node: &Arc<Node>) {
        match self {
            Self::For(time) => tokio::time::sleep(time).await,
            Self::UntilSignal(time) => {
                drop(tokio::time::timeout_at(time, node.change_signalled.notified()).await);
            }
            Self::ForEver => std::future::pending().await,
            Self::ForNotification => {
                drop(
                    tokio::time::timeout(OUTBOX_INTERVAL, node.notification_queued.notified())
                        .await,
                );
            }
        }
    }
}

/// Returns when the next round begins: an interval after this one began, so that slow rounds do not
/// delay it, but at least a tenth of the interval after this one ended.
fn next_round(began: Instant, ended: Instant, interval: Duration) -> Instant {
    (began + interval).max(ended + interval / 10)
}

#[derive(Debug, thiserror::Error)]
#[error("the job panicked")]
struct Panicked;

/// Logs once when a job begins to fail, and when it works again.
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

    /// Logs a failed round. An outage of the store is logged elsewhere, once for all jobs.
    fn failed(&mut self, error: &StoreError) {
        match error {
            StoreError::Timeout | StoreError::Busy | StoreError::Backend(_) => {
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

impl Node {
    /// Returns the store's answer, if it comes within [`ANSWER_TIMEOUT`].
    async fn in_time<T>(
        &self,
        answer: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.context.ask(ANSWER_TIMEOUT, answer).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_round_does_not_put_off_the_next() {
        let (began, millis) = (timer_now(), Duration::from_millis);
        for (ended, next) in [(0, 500), (300, 500), (499, 549), (900, 950)] {
            let found = next_round(began, began + millis(ended), millis(500));
            assert_eq!(found - began, millis(next), "{ended}");
        }
    }
}
