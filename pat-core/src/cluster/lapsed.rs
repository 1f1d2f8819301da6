//! Which nodes no longer trust what they knew before a change, though they have not said so.

use std::collections::HashMap;
use std::time::Duration;

use crate::clock::micros;
use crate::store::NodeReport;

/// The last report of each node that was seen to lack a change, and the boot time since which it
/// lacks one.
///
/// Such a node was killed, is suspended or cannot reach the database. Its lease, from a poll before
/// that change, ends within the bound, and by then it has no other: what a poll finds is reported
/// before it counts. From there on it reports *before* it polls. So as long as the same report is
/// read after a later change, its next poll will see that one too, and nobody need wait for it.
#[derive(Debug, Default)]
pub(super) struct Lapsed(HashMap<u64, (NodeReport, i64)>);

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
        let lagging = lagging.map(|report| {
            let before = self.0.get(&report.node);
            let since = before.filter(|(last, _)| last == report);
            let since = since.map_or(asked, |(_, since)| *since);
            (report.node, (*report, since))
        });
        self.0 = lagging.collect();
        let has_lapsed = |since: i64| asked - since >= micros(bound);
        self.0.values().all(|(_, since)| has_lapsed(*since))
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    const BOUND: Duration = Duration::from_secs(2);
    const SECOND: i64 = 1_000_000;

    fn report(applied: u64, second: i64) -> NodeReport {
        NodeReport {
            node: 1,
            applied,
            now: Timestamp::from_second(second).expect("a time"),
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
