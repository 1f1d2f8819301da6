//! Which nodes have gone without a word.

use std::collections::HashMap;

use crate::clock::micros;
use crate::store::{NODE_FORGOTTEN_AFTER, NodeReport};

/// The last report of each node, and the boot time at which this node first saw it.
///
/// So a silence is measured with the clock of the one who listens, and no two clocks are compared:
/// a node whose date is wrong must not take the others for silent, or whoever waits for all nodes
/// would not wait for them.
#[derive(Debug, Default)]
pub(super) struct Silence(HashMap<u64, (NodeReport, i64)>);

impl Silence {
    /// Takes in what all nodes have reported, as read at this boot time, and returns the reports of
    /// those that have said nothing else for [`NODE_FORGOTTEN_AFTER`].
    pub(super) fn listen(&mut self, reports: Vec<NodeReport>, now: i64) -> Vec<NodeReport> {
        let heard = reports.into_iter().map(|report| {
            let before = self.0.get(&report.node);
            let since = before.filter(|(last, _)| *last == report);
            (
                report.node,
                (report, since.map_or(now, |(_, since)| *since)),
            )
        });
        self.0 = heard.collect();
        let is_silent = |since: i64| now - since >= micros(NODE_FORGOTTEN_AFTER);
        let silent = self.0.values().filter(|(_, since)| is_silent(*since));
        silent.map(|(report, _)| *report).collect()
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn report(node: u64, applied: u64, second: i64) -> NodeReport {
        NodeReport {
            node,
            applied,
            now: Timestamp::from_second(second).expect("a time"),
        }
    }

    const MINUTE: i64 = 60_000_000;

    #[test]
    fn who_says_the_same_for_a_minute_is_silent() {
        let mut silence = Silence::default();
        for now in [5, 6, MINUTE + 4] {
            assert_eq!(silence.listen(vec![report(1, 7, 0)], now), []);
        }
        let silent = silence.listen(vec![report(1, 7, 0)], MINUTE + 5);
        assert_eq!(silent, [report(1, 7, 0)]);
    }

    #[test]
    fn a_report_of_any_date_breaks_the_silence() {
        let mut silence = Silence::default();
        for (turn, second) in [0, 600, -600, 599].into_iter().enumerate() {
            let now = i64::try_from(turn).expect("a small number") * (MINUTE - 1);
            assert_eq!(silence.listen(vec![report(1, 7, second)], now), []);
        }
    }

    #[test]
    fn who_was_gone_meanwhile_is_new() {
        let mut silence = Silence::default();
        silence.listen(vec![report(1, 7, 0)], 0);
        silence.listen(vec![], 1);
        assert_eq!(silence.listen(vec![report(1, 7, 0)], MINUTE + 1), []);
    }
}
