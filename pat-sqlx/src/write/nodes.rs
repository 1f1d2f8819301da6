use jiff::Timestamp;
use pat_core::store::{NODE_FORGOTTEN_AFTER, NodeReport};
use sqlx::Error;

use super::Write;
use crate::Portable;
use crate::sql::Sql;

impl<DB: Portable> Write<DB> {
    /// Puts a node's report in place of its last one, and forgets the nodes that are silent.
    pub(crate) async fn put_node(&mut self, report: &NodeReport) -> Result<(), Error> {
        let silent = report.now.saturating_sub(NODE_FORGOTTEN_AFTER);
        let mut sql = Sql::new("DELETE FROM pat_node WHERE reported_at <= ");
        sql.bind(silent.unwrap_or(Timestamp::MIN));
        self.execute(sql).await?;
        self.delete_node(report.node).await?;
        let mut sql = Sql::new("INSERT INTO pat_node (id, applied_gen, reported_at) VALUES ");
        sql.bind_row([
            report.node.cast_signed().into(),
            report.applied.cast_signed().into(),
            report.now.into(),
        ]);
        self.execute(sql).await.map(drop)
    }

    pub(crate) async fn delete_node(&mut self, node: u64) -> Result<(), Error> {
        let mut sql = Sql::new("DELETE FROM pat_node WHERE id = ");
        sql.bind(node.cast_signed());
        self.execute(sql).await.map(drop)
    }
}
