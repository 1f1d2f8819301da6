/// What a shutdown of the jobs has left undone ([`Jobs::shutdown`](super::Jobs::shutdown)).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Names of the jobs that did not end in time and were cancelled, as in the metrics. Their work is done later: by
    /// another node, or after the next start.
    pub cancelled_jobs: Vec<&'static str>,
    /// Whether the last uses since the last flush could not be written.
    pub lost_last_uses: bool,
    /// How many events were not delivered to a process sink, or, if the store keeps events, not stored.
    pub undelivered_events: u64,
}

impl ShutdownReport {
    /// Returns whether nothing was left undone.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.cancelled_jobs.is_empty() && !self.lost_last_uses && self.undelivered_events == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complete_shutdown_leaves_nothing_undone() {
        let complete = ShutdownReport::default();
        assert!(complete.is_complete());
        let cancelled_jobs = vec!["prune"];
        for report in [
            ShutdownReport {
                cancelled_jobs,
                ..complete.clone()
            },
            ShutdownReport {
                lost_last_uses: true,
                ..complete.clone()
            },
            ShutdownReport {
                undelivered_events: 1,
                ..complete
            },
        ] {
            assert!(!report.is_complete(), "{report:?}");
        }
    }
}
