//! Which jobs of this node run, and which of them fail.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The jobs that run, by name; none before [`Pats::start`](crate::Pats::start) and after a shutdown.
#[derive(Debug, Default)]
pub(crate) struct JobStates(Mutex<BTreeMap<&'static str, JobState>>);

#[derive(Debug, Clone, Copy, Default)]
struct JobState {
    /// Boot time of the first failure since the last success, in microseconds.
    failing_since: Option<i64>,
}

impl JobStates {
    /// Records that a job has begun to run in rounds.
    pub(crate) fn begun(&self, job: &'static str) {
        self.lock().entry(job).or_default();
    }

    /// Records the result of a round.
    pub(crate) fn ran(&self, job: &'static str, is_good: bool, boot: i64) {
        let mut jobs = self.lock();
        let state = jobs.entry(job).or_default();
        state.failing_since = match state.failing_since {
            _ if is_good => None,
            None => Some(boot),
            since => since,
        };
    }

    /// Records that the jobs are stopped.
    pub(crate) fn stopped(&self) {
        self.lock().clear();
    }

    pub(crate) fn are_running(&self) -> bool {
        !self.lock().is_empty()
    }

    /// Returns the jobs that have failed since their last success, and since which boot time.
    pub(crate) fn failing(&self) -> Vec<(&'static str, i64)> {
        let jobs = self.lock();
        let failing = jobs.iter();
        let failing = failing.filter_map(|(job, state)| Some((*job, state.failing_since?)));
        failing.collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, JobState>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
