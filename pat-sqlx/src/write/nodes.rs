use pat_core::store::NodeReport;
use sqlx::Error;

use super::Write;
use crate::dialect::Dialect;
use crate::row;
use crate::sql::Sql;

impl<DB: Dialect> Write<DB> {
    /// Replaces an earlier report of a node, in one statement: of two concurrent ones the later wins.
    pub(crate) async fn put_node(&mut self, report: &NodeReport) -> Result<(), Error> {
        let mut sql = Sql::new(
            "INSERT INTO pat_node \
             (id, applied_gen, version, reported_at, mode, contradicts_leap, flushed_at) VALUES ",
        );
        sql.bind_row([
            report.node.cast_signed().into(),
            report.applied.cast_signed().into(),
            report.version.cast_signed().into(),
            report.now.into(),
            row::mode_number(report.mode).into(),
            i64::from(report.contradicts_leap).into(),
            report.flushed_at.into(),
        ]);
        let others = [
            "applied_gen",
            "version",
            "mode",
            "contradicts_leap",
            "flushed_at",
        ];
        sql.push(DB::upsert_if_newer(
            "pat_node",
            "id",
            "reported_at",
            &others,
        ));
        self.execute(sql).await.map(drop)
    }

    /// Raises the oldest version that may read the tables; never lowers it.
    pub(crate) async fn raise_readable_from(&mut self, version: u64) -> Result<(), Error> {
        let mut sql = Sql::new("UPDATE pat_clock SET readable_from = ");
        sql.bind(version.cast_signed());
        sql.push(" WHERE id = 1 AND readable_from < ");
        sql.bind(version.cast_signed());
        self.execute(sql).await.map(drop)
    }

    /// Deletes the last report of a node, and records that if it lags.
    pub(crate) async fn delete_node(&mut self, report: &NodeReport) -> Result<(), Error> {
        let mut sql = Sql::new("DELETE FROM pat_node WHERE id = ");
        sql.bind(report.node.cast_signed());
        sql.push(" AND applied_gen = ");
        sql.bind(report.applied.cast_signed());
        sql.push(" AND reported_at = ").bind(report.now);
        if self.execute(sql).await? == 0 || !report.lags() {
            return Ok(());
        }
        let mut sql = Sql::new("UPDATE pat_clock SET lagging_node_forgotten_at = ");
        sql.bind(self.now()).push(" WHERE id = 1");
        self.execute(sql).await.map(drop)
    }
}
