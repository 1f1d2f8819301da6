//! The work that goes on beside the requests.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Pats;

/// The running jobs of one [`Pats`]; see [`Pats::start`].
///
/// Dropping it stops the jobs without their last round; [`Jobs::shutdown`] is the graceful way.
#[derive(Debug)]
#[must_use = "dropping the handle stops the jobs"]
pub struct Jobs {
    pats: Pats,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Jobs {
    pub(crate) fn start(pats: Pats) -> Self {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let jobs = Self { pats, tasks, stop };
        jobs.run_last_use_flush();
        jobs.run_event_delivery();
        if jobs.pats.store().is_shared() && !jobs.pats.settings().auth_max_staleness().is_zero() {
            jobs.run_change_poll();
        }
        jobs.tasks.close();
        jobs
    }

    /// Stops the jobs, writes the last uses noted so far and hands queued events to their sinks.
    ///
    /// What cannot be written is logged: a shutdown does not fail for it.
    pub async fn shutdown(self) {
        self.stop.cancel();
        self.tasks.wait().await;
        if let Err(error) = self.pats.flush_last_use().await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "last uses since the last flush are lost"
            );
        }
    }

    fn run_last_use_flush(&self) {
        let pats = self.pats.clone();
        self.run_every(
            pats.settings().last_used_update_interval(),
            "last-used flush",
            move || {
                let pats = pats.clone();
                async move { pats.flush_last_use().await.map(drop) }
            },
        );
    }

    fn run_change_poll(&self) {
        let pats = self.pats.clone();
        self.run_every(
            pats.settings().cluster_poll_interval(),
            "change poll",
            move || {
                let pats = pats.clone();
                async move { pats.poll_changes().await }
            },
        );
    }

    fn run_event_delivery(&self) {
        let (pats, stop) = (self.pats.clone(), self.stop.clone());
        self.tasks
            .spawn(async move { pats.deliver_events(&stop).await });
    }

    /// Runs a job now and then at every interval. A round that fails is logged (once until it
    /// succeeds again) and tried again at the next interval.
    fn run_every<F, E>(
        &self,
        interval: Duration,
        name: &'static str,
        round: impl Fn() -> F + Send + 'static,
    ) where
        F: Future<Output = Result<(), E>> + Send,
        E: std::error::Error + Send + 'static,
    {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            let mut ticks = tokio::time::interval(interval);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            let mut is_failing = false;
            while stop.run_until_cancelled(ticks.tick()).await.is_some() {
                match round().await {
                    Err(error) if !is_failing => {
                        is_failing = true;
                        tracing::warn!(
                            job = name,
                            error = &error as &dyn std::error::Error,
                            "a job fails; it is tried again at every interval"
                        );
                    }
                    Ok(()) if is_failing => {
                        is_failing = false;
                        tracing::info!(job = name, "the job works again");
                    }
                    _ => {}
                }
            }
        });
    }
}

impl Drop for Jobs {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
