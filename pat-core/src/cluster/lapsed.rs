//! Which nodes no longer trust what they knew before a change, though they have not said so.

use std::time::Duration;

use super::last_reports::LastReports;
use crate::clock::micros;
use crate::store::NodeReport;

/// What those nodes have said last that were seen to lack a change, and since when they lack one.
///
/// Such a node was killed, is suspended or cannot reach the database. Its lease, from a poll before
/// that change, ends within the bound, and by then it has no other: what a poll finds is reported
/// before it counts. From there on it reports *before* it polls. So as long as the same report is
/// read after a later change, its next poll will see that one too, and nobody need wait for it.
/// (Not so a node that reports seldom: it is waited for anew after each change.)
#[derive(Debug, Default)]
pub(super) struct Lapsed(LastReports);

impl Lapsed {
    /// Whether no node can trust what it knew before the generation `head`.
    ///
    /// `head` was there before the boot time `asked`, and `nodes` were read after it. `bound` is how
    /// long a lease may still last, with an allowance for clocks that run at different speeds.
    pub(super) fn all_know(
        &mut self,
        head: u64,
        nodes: &[NodeReport],
        asked: i64,
        bound: Duration,
    ) -> bool {
        let lagging = nodes.iter().filter(|node| node.applied < head);
        self.0.listen(lagging.copied(), asked, head);
        let mut lagging = self.0.iter();
        lagging.all(|(_, since)| asked - since >= micros(bound))
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::store::ReportMode;

    const BOUND: Duration = Duration::from_secs(2);
    const SECOND: i64 = 1_000_000;

    fn report(applied: u64, second: i64) -> NodeReport {
        NodeReport {
            node: 1,
            applied,
            now: Timestamp::from_second(second).expect("a time"),
            mode: ReportMode::EachChange,
            version: 5,
            contradicts_leap: false,
        }
    }

    #[test]
    fn who_has_applied_a_change_knows() {
        let mut lapsed = Lapsed::default();
        assert!(lapsed.all_know(7, &[], 0, BOUND));
        assert!(lapsed.all_know(7, &[report(7, 0)], 0, BOUND));
        assert!(!lapsed.all_know(8, &[report(7, 0)], 0, BOUND));
    }

    #[test]
    fn a_node_is_waited_for_once() {
        let mut lapsed = Lapsed::default();
        for asked in [5, 6, 5 + 2 * SECOND - 1] {
            assert!(
                !lapsed.all_know(8, &[report(7, 0)], asked, BOUND),
                "{asked}"
            );
        }
        let late = 5 + 2 * SECOND;
        assert!(lapsed.all_know(8, &[report(7, 0)], late, BOUND));
        assert!(lapsed.all_know(9, &[report(7, 0)], late + 1, BOUND));
    }

    #[test]
    fn a_node_that_reports_seldom_is_waited_for_each_time() {
        let mut lapsed = Lapsed::default();
        let seldom = NodeReport {
            mode: ReportMode::Seldom,
            ..report(7, 0)
        };
        lapsed.all_know(8, &[seldom], 0, BOUND);
        let late = 2 * SECOND;
        assert!(lapsed.all_know(8, &[seldom], late, BOUND));
        assert!(
            !lapsed.all_know(9, &[seldom], late, BOUND),
            "it may have polled"
        );
        assert!(lapsed.all_know(9, &[seldom], 2 * late, BOUND));
    }

    #[test]
    fn a_node_that_is_heard_of_again_is_waited_for_again() {
        let mut lapsed = Lapsed::default();
        lapsed.all_know(8, &[report(7, 0)], 0, BOUND);
        let late = 2 * SECOND;
        assert!(
            !lapsed.all_know(8, &[report(7, 1)], late, BOUND),
            "it polls"
        );
        assert!(lapsed.all_know(8, &[report(8, 1)], late, BOUND));
        assert!(!lapsed.all_know(9, &[report(8, 1)], late, BOUND));
    }
}
