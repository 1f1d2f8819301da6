//! What nodes have said last, and since when they have said nothing else.

use std::collections::HashMap;

use crate::store::NodeReport;

/// The last report of each node, and the boot time at which this node first saw it.
///
/// So a time is measured with the clock of the one who listens, and no two clocks are compared: a
/// node whose date is wrong must not take the others for silent, or whoever waits for all nodes
/// would not wait for them.
#[derive(Debug, Default)]
pub(super) struct LastReports(HashMap<u64, (NodeReport, i64)>);

impl LastReports {
    /// Takes in these reports, as read at this boot time, in place of all others.
    pub(super) fn listen(&mut self, reports: impl IntoIterator<Item = NodeReport>, now: i64) {
        let heard = reports.into_iter().map(|report| {
            let before = self.0.get(&report.node);
            let since = before.filter(|(last, _)| *last == report);
            let since = since.map_or(now, |(_, since)| *since);
            (report.node, (report, since))
        });
        self.0 = heard.collect();
    }

    /// The reports, each with the boot time since which it has been the last of its node.
    pub(super) fn iter(&self) -> impl Iterator<Item = (NodeReport, i64)> {
        self.0.values().copied()
    }
}
