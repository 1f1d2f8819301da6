use pat_core::notice::NoticeId;
use pat_core::store::Trim;
use sqlx::Error;

use super::Write;
use crate::Portable;
use crate::events::EventRow;
use crate::sql::Sql;

impl<DB: Portable> Write<DB> {
    pub(crate) async fn insert_events(&mut self, events: &[EventRow<'_>]) -> Result<(), Error> {
        let mut rows = Vec::with_capacity(events.len());
        for event in events {
            // A number drawn at random, like that of a notice.
            let id = NoticeId::random().map_err(|error| Error::Encode(error.into()))?;
            rows.push([
                id.get().into(),
                event.at.into(),
                event.kind.into(),
                event.token.into(),
                event.owner.into(),
                event.by.into(),
                event.reason.into(),
                crate::Value::Int(event.related),
                event.count.into(),
            ]);
        }
        let mut sql = Sql::new(
            "INSERT INTO pat_event \
             (id, at, kind, token_id, owner, revoked_by, reason, related_id, number) VALUES ",
        );
        sql.bind_rows(rows);
        self.execute(sql).await.map(drop)
    }

    /// Deletes up to `limit` old events; returns how many.
    pub(crate) async fn trim_events(&mut self, trim: &Trim, limit: u32) -> Result<u64, Error> {
        let mut sql = Sql::new("SELECT id FROM pat_event WHERE at < ");
        sql.bind(self.cutoff(trim.vouched, trim.events))
            .push(" LIMIT ")
            .bind(limit);
        let rows = self.fetch(sql).await?;
        let ids: Result<Vec<_>, _> = rows.iter().map(|row| row.int("id")).collect();
        let ids = ids?;
        self.delete("pat_event WHERE id", &ids).await?;
        Ok(ids.len() as u64)
    }
}
