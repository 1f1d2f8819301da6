//! The reports of nodes: which nodes are silent, and which lag behind a change.

use std::collections::HashMap;
use std::time::Duration;

use crate::clock::micros;
use crate::store::{NODE_FORGOTTEN_AFTER, NodeReport, ReportMode};

/// The last report of each node, and the boot time at which this node first read it.
///
/// So silence is measured with the reader's clock, and no two clocks are compared: a node with a wrong
/// date must not forget the others, since revocations would not wait for them.
#[derive(Debug, Default)]
struct LastReports(HashMap<u64, Heard>);

#[derive(Debug, Clone, Copy)]
struct Heard {
    report: NodeReport,
    /// Boot time.
    since: i64,
    /// The newest generation at that time.
    head: u64,
}

impl LastReports {
    /// Replaces all reports by these, read at this boot time.
    ///
    /// A node that reports seldom may have polled since the same report: it may use a cache from
    /// before a change after `head`, so its report counts as new.
    fn record(&mut self, reports: impl IntoIterator<Item = NodeReport>, now: i64, head: u64) {
        let latest = reports.into_iter().map(|report| {
            let before = self.0.get(&report.node).filter(|before| {
                let still_holds = report.mode > ReportMode::Seldom || before.head >= head;
                before.report == report && still_holds
            });
            let new = Heard {
                report,
                since: now,
                head,
            };
            (report.node, before.copied().unwrap_or(new))
        });
        self.0 = latest.collect();
    }

    /// Returns the reports, each with the boot time since which it has been the node's last one.
    fn iter(&self) -> impl Iterator<Item = (NodeReport, i64)> {
        self.0.values().map(|heard| (heard.report, heard.since))
    }
}

/// The last reports of all nodes, including this one.
#[derive(Debug, Default)]
pub(super) struct SilentNodes(LastReports);

impl SilentNodes {
    /// Records the reports of all nodes, read at this boot time, and returns those that have not
    /// changed for [`NODE_FORGOTTEN_AFTER`].
    pub(super) fn record(&mut self, reports: Vec<NodeReport>, now: i64) -> Vec<NodeReport> {
        self.0.record(reports, now, 0);
        let is_silent = |since| now - since >= micros(NODE_FORGOTTEN_AFTER);
        let silent = self.0.iter().filter(|(_, since)| is_silent(*since));
        silent.map(|(report, _)| report).collect()
    }

    /// Returns the boot time of the latest report in which a node other than `own` contradicts a leap
    /// of the clock ([`NodeReport::contradicts_leap`]); `None` if no other node does.
    pub(super) fn contradicted_at(&self, own: u64) -> Option<i64> {
        let reports = self.0.iter();
        let contradicting =
            reports.filter(|(report, _)| report.node != own && report.contradicts_leap);
        contradicting.map(|(_, since)| since).max()
    }
}

/// The last reports of nodes that have not applied a change, and since when.
///
/// Such a node was killed, is suspended or cannot reach the database. Its cache, from a poll before
/// that change, is fresh for at most the bound, and a later poll does not extend that before the node
/// has reported the change. After that it reports *before* it polls. So while the same report is read
/// after a later change, the node's next poll will read that change too, and no wait is needed.
/// (A node that reports seldom is waited for after each change.)
#[derive(Debug, Default)]
pub(super) struct LaggingNodes(LastReports);

impl LaggingNodes {
    /// Returns whether no node uses a cache from before the generation `head`.
    ///
    /// `head` was committed before the boot time `asked`, and `nodes` were read after it. `bound` is
    /// how long a cache may stay fresh, with an allowance for clocks of different speeds.
    pub(super) fn all_know(
        &mut self,
        head: u64,
        nodes: &[NodeReport],
        asked: i64,
        bound: Duration,
    ) -> bool {
        let lagging = nodes.iter().filter(|node| node.applied < head);
        self.0.record(lagging.copied(), asked, head);
        let mut since = self.0.iter();
        since.all(|(_, since)| asked - since >= micros(bound))
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    const BOUND: Duration = Duration::from_secs(2);
    const SECOND: i64 = 1_000_000;
    const MINUTE: i64 = 60 * SECOND;

    /// Returns a report of a node that reports each change.
    fn report(node: u64, applied: u64, second: i64) -> NodeReport {
        NodeReport {
            node,
            applied,
            now: Timestamp::from_second(second).expect("a time"),
            mode: ReportMode::EachChange,
            version: 5,
            contradicts_leap: false,
            flushed_at: None,
        }
    }

    #[test]
    fn who_says_the_same_for_a_minute_is_silent() {
        let mut silent = SilentNodes::default();
        for now in [5, 6, MINUTE + 4] {
            assert_eq!(silent.record(vec![report(1, 7, 0)], now), []);
        }
        let silent = silent.record(vec![report(1, 7, 0)], MINUTE + 5);
        assert_eq!(silent, [report(1, 7, 0)]);
    }

    #[test]
    fn a_report_of_any_date_breaks_the_silence() {
        let mut silent = SilentNodes::default();
        for (turn, second) in [0, 600, -600, 599].into_iter().enumerate() {
            let now = i64::try_from(turn).expect("a small number") * (MINUTE - 1);
            assert_eq!(silent.record(vec![report(1, 7, second)], now), []);
        }
    }

    #[test]
    fn another_node_contradicts_as_long_as_it_reports() {
        let mut silent = SilentNodes::default();
        let says = |node, contradicts_leap, second| NodeReport {
            contradicts_leap,
            ..report(node, 7, second)
        };
        silent.record(vec![says(1, true, 0), says(2, false, 0)], 1);
        assert_eq!(silent.contradicted_at(1), None, "it says so itself");
        assert_eq!(silent.contradicted_at(2), Some(1));
        silent.record(vec![says(1, true, 0)], 2);
        assert_eq!(silent.contradicted_at(2), Some(1), "nothing new");
        silent.record(vec![says(1, true, 1), says(3, true, 0)], 3);
        assert_eq!(silent.contradicted_at(2), Some(3));
        silent.record(vec![says(1, false, 2)], 4);
        assert_eq!(silent.contradicted_at(2), None);
    }

    #[test]
    fn who_was_gone_meanwhile_is_new() {
        let mut silent = SilentNodes::default();
        silent.record(vec![report(1, 7, 0)], 0);
        silent.record(vec![], 1);
        assert_eq!(silent.record(vec![report(1, 7, 0)], MINUTE + 1), []);
    }

    #[test]
    fn who_has_applied_a_change_knows() {
        let mut lagging = LaggingNodes::default();
        assert!(lagging.all_know(7, &[], 0, BOUND));
        assert!(lagging.all_know(7, &[report(1, 7, 0)], 0, BOUND));
        assert!(!lagging.all_know(8, &[report(1, 7, 0)], 0, BOUND));
    }

    #[test]
    fn a_node_is_waited_for_once() {
        let mut lagging = LaggingNodes::default();
        for asked in [5, 6, 5 + 2 * SECOND - 1] {
            assert!(
                !lagging.all_know(8, &[report(1, 7, 0)], asked, BOUND),
                "{asked}"
            );
        }
        let late = 5 + 2 * SECOND;
        assert!(lagging.all_know(8, &[report(1, 7, 0)], late, BOUND));
        assert!(lagging.all_know(9, &[report(1, 7, 0)], late + 1, BOUND));
    }

    #[test]
    fn a_node_that_reports_seldom_is_waited_for_each_time() {
        let mut lagging = LaggingNodes::default();
        let seldom = NodeReport {
            mode: ReportMode::Seldom,
            ..report(1, 7, 0)
        };
        lagging.all_know(8, &[seldom], 0, BOUND);
        let late = 2 * SECOND;
        assert!(lagging.all_know(8, &[seldom], late, BOUND));
        assert!(
            !lagging.all_know(9, &[seldom], late, BOUND),
            "it may have polled"
        );
        assert!(lagging.all_know(9, &[seldom], 2 * late, BOUND));
    }

    #[test]
    fn a_node_that_is_heard_of_again_is_waited_for_again() {
        let mut lagging = LaggingNodes::default();
        lagging.all_know(8, &[report(1, 7, 0)], 0, BOUND);
        let late = 2 * SECOND;
        assert!(
            !lagging.all_know(8, &[report(1, 7, 1)], late, BOUND),
            "it polls"
        );
        assert!(lagging.all_know(8, &[report(1, 8, 1)], late, BOUND));
        assert!(!lagging.all_know(9, &[report(1, 8, 1)], late, BOUND));
    }
}
