//! Which nodes have gone without a word.

use super::last_reports::LastReports;
use crate::clock::micros;
use crate::store::{NODE_FORGOTTEN_AFTER, NodeReport};

/// What all nodes have said last, this one too.
#[derive(Debug, Default)]
pub(super) struct Silence(LastReports);

impl Silence {
    /// Takes in what all nodes have reported, as read at this boot time, and returns the reports of
    /// those that have said nothing else for [`NODE_FORGOTTEN_AFTER`].
    pub(super) fn listen(&mut self, reports: Vec<NodeReport>, now: i64) -> Vec<NodeReport> {
        self.0.listen(reports, now, 0);
        let is_silent = |since| now - since >= micros(NODE_FORGOTTEN_AFTER);
        let silent = self.0.iter().filter(|(_, since)| is_silent(*since));
        silent.map(|(report, _)| report).collect()
    }

    /// The boot time of the latest report in which another node than `own` contradicts the nodes that
    /// find the store's clock far from its mark; `None` if no other node does.
    pub(super) fn contradicted_at(&self, own: u64) -> Option<i64> {
        let reports = self.0.iter();
        let contradicting =
            reports.filter(|(report, _)| report.node != own && report.contradicts_leap);
        contradicting.map(|(_, since)| since).max()
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::store::ReportMode;

    fn report(node: u64, applied: u64, second: i64) -> NodeReport {
        NodeReport {
            node,
            applied,
            now: Timestamp::from_second(second).expect("a time"),
            mode: ReportMode::Seldom,
            version: 5,
            contradicts_leap: false,
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
    fn another_node_contradicts_as_long_as_it_reports() {
        let mut silence = Silence::default();
        let says = |node, contradicts_leap, second| NodeReport {
            contradicts_leap,
            ..report(node, 7, second)
        };
        silence.listen(vec![says(1, true, 0), says(2, false, 0)], 1);
        assert_eq!(silence.contradicted_at(1), None, "it says so itself");
        assert_eq!(silence.contradicted_at(2), Some(1));
        silence.listen(vec![says(1, true, 0)], 2);
        assert_eq!(silence.contradicted_at(2), Some(1), "nothing new");
        silence.listen(vec![says(1, true, 1), says(3, true, 0)], 3);
        assert_eq!(silence.contradicted_at(2), Some(3));
        silence.listen(vec![says(1, false, 2)], 4);
        assert_eq!(silence.contradicted_at(2), None);
    }

    #[test]
    fn who_was_gone_meanwhile_is_new() {
        let mut silence = Silence::default();
        silence.listen(vec![report(1, 7, 0)], 0);
        silence.listen(vec![], 1);
        assert_eq!(silence.listen(vec![report(1, 7, 0)], MINUTE + 1), []);
    }
}
