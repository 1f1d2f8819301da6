//! What nodes have said last, and since when they have said nothing else.

use std::collections::HashMap;

use crate::store::{NodeReport, ReportMode};

/// The last report of each node, and the boot time at which this node first saw it.
///
/// So a time is measured with the clock of the one who listens, and no two clocks are compared: a
/// node whose date is wrong must not take the others for silent, or whoever waits for all nodes
/// would not wait for them.
#[derive(Debug, Default)]
pub(super) struct LastReports(HashMap<u64, Heard>);

#[derive(Debug, Clone, Copy)]
struct Heard {
    report: NodeReport,
    /// Boot time.
    since: i64,
    /// The newest change there was then.
    head: u64,
}

impl LastReports {
    /// Takes in these reports, as read at this boot time, in place of all others.
    ///
    /// A node that reports seldom may have read the feed since it said the same before: what it
    /// knows by then says nothing about a change after `head`, so it is heard anew.
    pub(super) fn listen(
        &mut self,
        reports: impl IntoIterator<Item = NodeReport>,
        now: i64,
        head: u64,
    ) {
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

    /// The reports, each with the boot time since which it has been the last of its node.
    pub(super) fn iter(&self) -> impl Iterator<Item = (NodeReport, i64)> {
        self.0.values().map(|heard| (heard.report, heard.since))
    }
}
