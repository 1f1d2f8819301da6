use std::cmp::Reverse;

use async_trait::async_trait;
use pat_core::TokenId;
use pat_core::event::{Event, HistoryPosition};
use pat_core::store::StoreError;
use pat_core::store::{AuditStore, Lease};
use sqlx::Error;
use tracing::instrument;

use crate::checkout::{fetch, fetch_from_primary};
use crate::dialect::Dialect;
use crate::event_row::{COLUMNS, event};
use crate::sql::Sql;
use crate::store::SqlxStore;
use crate::write::Write;

impl<DB: Dialect> SqlxStore<DB> {
    async fn try_record(&self, events: &[Event]) -> Result<(), Error> {
        let mut write = Write::begin_timeless(self).await?;
        write.insert_events(events).await?;
        write.commit().await
    }

    async fn try_number(&self, limit: u32) -> Result<u64, Error> {
        // Writes nothing while there are no events to number.
        if !self.has_unnumbered().await? {
            return Ok(0);
        }
        let mut write = Write::begin_timeless(self).await?;
        let count = write.number_events(limit).await?;
        write.commit().await?;
        Ok(count)
    }

    async fn has_unnumbered(&self) -> Result<bool, Error> {
        let is_writable = DB::IS_WRITABLE;
        let rows = fetch_from_primary(&self.pool, {
            Sql::new(format!(
                "SELECT {is_writable} AS is_writable, e.id FROM (SELECT 1 AS one) o \
                 LEFT JOIN (SELECT id FROM pat_event WHERE seq = 0 LIMIT 1) e ON 1 = 1"
            ))
        });
        let rows = rows.await?;
        let row = rows.first().ok_or(Error::RowNotFound)?;
        Ok(row.optional_int("id")?.is_some())
    }

    async fn try_events_after(&self, seq: u64, limit: u32) -> Result<Vec<Event>, Error> {
        let is_writable = DB::IS_WRITABLE;
        let rows = fetch_from_primary(&self.pool, {
            let mut sql = Sql::new(format!(
                "SELECT {is_writable} AS is_writable, e.*, t.name AS token_name FROM (SELECT 1 AS one) o \
                 LEFT JOIN (SELECT {COLUMNS} FROM pat_event WHERE seq > "
            ));
            // Events with the number 0 are not numbered yet.
            sql.bind(i64::try_from(seq).unwrap_or(i64::MAX));
            sql.push(" ORDER BY seq LIMIT ").bind(limit);
            sql.push(") e ON 1 = 1 LEFT JOIN pat_token t ON t.id = e.token_id ORDER BY e.seq");
            sql
        });
        let rows = rows.await?;
        rows.iter()
            .filter_map(|row| event(row).transpose())
            .collect()
    }

    /// Reads the events with the token as their subject, and the rotations that replaced it: each by its own index,
    /// of which it reads no more rows of the subject than it returns.
    async fn try_events_about(
        &self,
        token: TokenId,
        before: Option<HistoryPosition>,
        limit: u32,
    ) -> Result<Vec<Event>, Error> {
        let mut found = Vec::new();
        for condition in ["kind = 'rotated' AND related_id = ", "token_id = "] {
            let mut sql = Sql::new(format!(
                "SELECT e.*, t.name AS token_name FROM \
                 (SELECT {COLUMNS} FROM pat_event WHERE {condition}"
            ));
            sql.bind(token);
            if let Some(HistoryPosition { at, id }) = before {
                sql.push(" AND at <= ").bind(at);
                sql.push(" AND (at < ").bind(at);
                sql.push(" OR id < ").bind(id).push(")");
            }
            sql.push(" ORDER BY at DESC, id DESC LIMIT ").bind(limit);
            sql.push(") e LEFT JOIN pat_token t ON t.id = e.token_id");
            let rows = fetch(&self.pool, sql).await?;
            for row in &rows {
                found.extend(event(row)?);
            }
        }
        found.sort_by_key(|event| Reverse(HistoryPosition::of(event)));
        found.truncate(limit as usize);
        Ok(found)
    }

    async fn try_raise_number(&self, seq: u64) -> Result<(), Error> {
        let mut write = Write::begin_timeless(self).await?;
        write.raise_event_number(seq).await?;
        write.commit().await
    }

    /// Returns the position of a sink; the empty name is for the last assigned number.
    async fn try_position(&self, sink: &str) -> Result<Option<u64>, Error> {
        let is_writable = DB::IS_WRITABLE;
        let rows = fetch_from_primary(&self.pool, {
            let mut sql = Sql::new(format!(
                "SELECT {is_writable} AS is_writable, s.seq FROM (SELECT 1 AS one) o \
                 LEFT JOIN pat_sink s ON s.name = "
            ));
            sql.bind(sink);
            sql
        });
        let rows = rows.await?;
        let row = rows.first().ok_or(Error::RowNotFound)?;
        Ok(row.optional_int("seq")?.map(i64::cast_unsigned))
    }

    async fn try_put_position(
        &self,
        lease: &Lease,
        sink: &str,
        seq: u64,
    ) -> Result<Option<()>, Error> {
        let mut write = Write::begin_timeless(self).await?;
        if !write.holds(lease).await? {
            return Ok(None);
        }
        write.put_position(sink, seq).await?;
        write.commit().await.map(Some)
    }
}

/// Keeps audit events in the table `pat_event`, where the prune job deletes them after 396 days.
#[async_trait]
impl<DB: Dialect> AuditStore for SqlxStore<DB> {
    #[instrument(name = "pat.store.record_events", level = "debug", skip_all)]
    async fn record_events(&self, events: &[Event]) -> Result<(), StoreError> {
        self.retry(|| self.try_record(events)).await
    }

    #[instrument(name = "pat.store.number_events", level = "debug", skip_all)]
    async fn number_events(&self, limit: u32) -> Result<u64, StoreError> {
        self.retry(|| self.try_number(limit)).await
    }

    #[instrument(name = "pat.store.last_event_number", level = "debug", skip_all)]
    async fn last_event_number(&self) -> Result<u64, StoreError> {
        let last = self.retry(|| self.try_position("")).await?;
        Ok(last.unwrap_or_default())
    }

    #[instrument(name = "pat.store.raise_event_number", skip(self))]
    async fn raise_event_number(&self, seq: u64) -> Result<(), StoreError> {
        self.retry(|| self.try_raise_number(seq)).await
    }

    #[instrument(name = "pat.store.events_after", level = "debug", skip_all)]
    async fn events_after(&self, seq: u64, limit: u32) -> Result<Vec<Event>, StoreError> {
        self.retry(|| self.try_events_after(seq, limit)).await
    }

    #[instrument(name = "pat.store.events_about", level = "debug", skip_all)]
    async fn events_about(
        &self,
        token: TokenId,
        before: Option<HistoryPosition>,
        limit: u32,
    ) -> Result<Vec<Event>, StoreError> {
        self.retry(|| self.try_events_about(token, before, limit))
            .await
    }

    #[instrument(name = "pat.store.sink_position", level = "debug", skip_all)]
    async fn sink_position(&self, sink: &str) -> Result<Option<u64>, StoreError> {
        self.retry(|| self.try_position(sink)).await
    }

    #[instrument(name = "pat.store.put_sink_position", level = "debug", skip_all)]
    async fn put_sink_position(
        &self,
        lease: &Lease,
        sink: &str,
        seq: u64,
    ) -> Result<(), StoreError> {
        let put = self
            .retry(|| self.try_put_position(lease, sink, seq))
            .await?;
        put.ok_or(StoreError::LeaseLost)
    }
}
