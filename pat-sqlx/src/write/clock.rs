use std::time::Duration;

use jiff::Timestamp;
use pat_core::store::{CLOCK_TOLERANCE, Change, LONGEST_DELAY, Lease, MarkBounds, StoreTime};
use sqlx::Error;

use super::Write;
use crate::dialect::Dialect;
use crate::row::{PENDING, TRANSIENT};
use crate::sql::{CHUNK, Sql};

impl<DB: Dialect> Write<DB> {
    /// Returns the time that this transaction compares with and stores.
    pub(crate) fn now(&self) -> Timestamp {
        self.time.now()
    }

    /// Returns the time before which rows are older than `kept`; see [`CallTime::cutoff`](crate::call_time::CallTime).
    pub(crate) fn cutoff(&self, vouched: Timestamp, kept: Duration) -> Timestamp {
        self.time.cutoff(vouched, kept)
    }

    /// Reads the time again, after a lock that the transaction may have waited for.
    pub(crate) async fn read_time(&mut self) -> Result<StoreTime, Error> {
        self.time.read = self.fetch_one(self.time.query()).await?.store_time()?;
        Ok(self.time.read)
    }

    /// Moves the mark within these bounds; to the clock's time if the tables are empty, so that nothing
    /// could be deleted too early.
    pub(crate) async fn move_mark(&mut self, bounds: &MarkBounds) -> Result<StoreTime, Error> {
        let StoreTime { mark, .. } = self.read_time().await?;
        let clock = self.time.clock_or(bounds.clock);
        let mut next = bounds.next(mark, clock);
        if next != clock && self.is_empty().await? {
            next = clock;
        }
        if Some(next) != mark {
            // Unless another node has moved it meanwhile.
            let mut sql = Sql::new("UPDATE pat_clock SET mark = ");
            sql.bind(next).push(" WHERE id = 1 AND mark = ");
            sql.bind(mark.map_or(0, Timestamp::as_microsecond));
            self.execute(sql).await?;
        }
        self.read_time().await
    }

    /// Whether the clock is so far ahead of the mark that notifications would be wrong.
    pub(crate) fn leaps_too_far(&self) -> bool {
        self.time.leaps_too_far()
    }

    async fn is_empty(&mut self) -> Result<bool, Error> {
        let sql = Sql::new(
            "SELECT (SELECT COUNT(*) FROM (SELECT id FROM pat_token LIMIT 1) t) + \
             (SELECT COUNT(*) FROM (SELECT id FROM pat_event LIMIT 1) e) AS n",
        );
        Ok(self.fetch_one(sql).await?.count("n")? == 0)
    }

    /// Sets the mark to the clock's time, and returns the time before.
    pub(crate) async fn accept_clock(&mut self, machines: Timestamp) -> Result<StoreTime, Error> {
        let before = self.read_time().await?;
        let mut sql = Sql::new("UPDATE pat_clock SET mark = ");
        sql.bind(self.time.clock_or(machines)).push(" WHERE id = 1");
        self.execute(sql).await?;
        self.read_time().await?;
        Ok(before)
    }

    /// Corrects times in the future, written while a clock was ahead; returns how many tokens changed,
    /// which all nodes then have to load again.
    pub(crate) async fn mend_future(&mut self) -> Result<u64, Error> {
        let now = self.now();
        let latest = now + CLOCK_TOLERANCE;
        // In this order: MySQL's assignments see the new values of earlier ones, while other databases
        // see the old values.
        // First their IDs, since last uses have no index of the creation.
        let mut sql = Sql::new("SELECT id FROM pat_token WHERE created_at > ");
        sql.bind(latest);
        let late = self.fetch_ids(sql).await?;
        let mut tokens = 0;
        for chunk in late.chunks(CHUNK) {
            let mut sql = Sql::new("UPDATE pat_token SET expires_at = CASE WHEN replaced_at > ");
            sql.bind(latest);
            sql.push(" OR replaced_at IS NULL THEN expires_at - (created_at - ");
            sql.bind(now);
            sql.push(") WHEN expires_at > own_expires_at - (created_at - ");
            sql.bind(now);
            sql.push(") THEN own_expires_at - (created_at - ").bind(now);
            sql.push(") ELSE expires_at END, own_expires_at = own_expires_at - (created_at - ");
            sql.bind(now);
            sql.push("), replaced_at = CASE WHEN replaced_at > ");
            sql.bind(latest);
            sql.push(" THEN replaced_at - (created_at - ").bind(now);
            sql.push(") ELSE replaced_at END, created_at = ").bind(now);
            sql.push(" WHERE created_at > ").bind(latest);
            sql.push(" AND id IN ").bind_in(chunk.iter().copied());
            tokens += self.execute(sql).await?;
            let mut sql = Sql::new("UPDATE pat_last_used SET created_at = ");
            sql.bind(now).push(" WHERE created_at > ").bind(latest);
            sql.push(" AND token_id IN ").bind_in(chunk.iter().copied());
            self.execute(sql).await?;
        }
        // A replaced token that ends at its own end has no overlap which could be moved.
        let mut sql = Sql::new(
            "UPDATE pat_token SET expires_at = CASE WHEN expires_at >= own_expires_at THEN own_expires_at \
             ELSE expires_at - (replaced_at - ",
        );
        sql.bind(now).push(") END, replaced_at = ").bind(now);
        sql.push(format_args!(
            " WHERE expiry_notice = {TRANSIENT} AND replaced_at > "
        ));
        sql.bind(latest);
        tokens += self.execute(sql).await?;
        let mut sql = Sql::new("UPDATE pat_idempotency SET at = ");
        sql.bind(now).push(" WHERE at > ").bind(latest);
        self.execute(sql).await?;
        let mut sql = Sql::new("UPDATE pat_last_used SET last_used_at = 0 WHERE last_used_at > ");
        sql.bind(latest);
        self.execute(sql).await?;
        let mut sql = Sql::new("UPDATE pat_owner SET seen_at = ");
        sql.bind(now).push(" WHERE seen_at > ").bind(latest);
        self.execute(sql).await?;
        let mut sql = Sql::new("UPDATE pat_notice SET due_at = ");
        sql.bind(now).push(" WHERE state = ").bind(PENDING);
        sql.push(" AND due_at > ").bind(now + LONGEST_DELAY);
        self.execute(sql).await?;
        Ok(tokens)
    }

    /// Like [`Write::mend_future`] under a lease; changes nothing if the clock is behind the mark,
    /// and so is wrong itself. Returns `None` if the lease is lost.
    pub(crate) async fn mend_future_under(&mut self, lease: &Lease) -> Result<Option<u64>, Error> {
        if !self.holds(lease).await? {
            return Ok(None);
        }
        let StoreTime { mark, .. } = self.read_time().await?;
        let is_behind = mark.is_some_and(|mark| self.time.clock() + CLOCK_TOLERANCE < mark);
        if is_behind {
            return Ok(Some(0));
        }
        let tokens = self.mend_future().await?;
        if tokens > 0 {
            self.append_changes(&[Change::Everything], self.now(), None)
                .await?;
        }
        Ok(Some(tokens))
    }
}
