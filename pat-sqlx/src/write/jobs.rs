use pat_core::notification::NotificationKind;
use pat_core::store::{DueNotifications, Job, Lease, Prune, Purge, TRANSIENT_KEPT};
use pat_core::{Owner, TokenId};
use sqlx::Error;

use super::Write;
use crate::dialect::Dialect;
use crate::due;
use crate::row::TRANSIENT;
use crate::sql::{CHUNK, Sql};

/// The locked lease of a job.
pub(crate) struct LeaseRow {
    pub(crate) term: i64,
    /// Microseconds since 1970; 0 if no node holds the lease.
    pub(crate) held_until: i64,
    /// The latest finished occurrence, in microseconds since 1970; 0 for none.
    pub(crate) done: i64,
}

impl<DB: Dialect> Write<DB> {
    /// Locks the lease of a job, and creates its row first if there is none.
    pub(crate) async fn lock_lease(&mut self, job: Job) -> Result<LeaseRow, Error> {
        let mut insert = Sql::new("INSERT INTO pat_lease (job, term, held_until, done) VALUES (");
        insert.bind(job.as_str());
        insert.push(", 0, 0, 0)").push(DB::or_ignore("job"));
        self.execute(insert).await?;
        let mut sql = Sql::new("SELECT term, held_until, done FROM pat_lease WHERE job = ");
        sql.bind(job.as_str()).push(DB::FOR_UPDATE);
        let row = self.fetch_one(sql).await?;
        Ok(LeaseRow {
            term: row.int("term")?,
            held_until: row.int("held_until")?,
            done: row.int("done")?,
        })
    }

    pub(crate) async fn put_lease(&mut self, job: Job, row: &LeaseRow) -> Result<(), Error> {
        let mut sql = Sql::new("UPDATE pat_lease SET term = ");
        sql.bind(row.term);
        sql.push(", held_until = ").bind(row.held_until);
        sql.push(", done = ").bind(row.done);
        sql.push(" WHERE job = ").bind(job.as_str());
        self.execute(sql).await.map(drop)
    }

    /// Whether a lease is still the latest; no node can acquire it until the end of the transaction.
    ///
    /// It changes the row, as an acquisition does: the members of a Galera cluster detect conflicts
    /// only between writes, and one of the two transactions then fails at its commit.
    pub(crate) async fn holds(&mut self, lease: &Lease) -> Result<bool, Error> {
        let mut sql = Sql::new(if DB::HAS_ONE_WRITER {
            "SELECT term FROM pat_lease WHERE job = "
        } else {
            "UPDATE pat_lease SET seq = seq + 1 WHERE job = "
        });
        sql.bind(lease.job.as_str());
        sql.push(" AND term = ").bind(lease.term.cast_signed());
        if DB::HAS_ONE_WRITER {
            return Ok(!self.fetch(sql).await?.is_empty());
        }
        Ok(self.execute(sql).await? == 1)
    }

    /// Locks the tokens of these owners about which notifications are due, and returns their ids in order.
    pub(crate) async fn lock_due(
        &mut self,
        due: &DueNotifications,
        owners: &[Owner],
    ) -> Result<Vec<TokenId>, Error> {
        let mut ids = Vec::new();
        for chunk in owners.chunks(CHUNK) {
            // By their owners, since the index of due tokens has those of all others too. PostgreSQL 18 would also
            // search it for the end alone.
            let mut sql = due::from_tokens("t.id", DB::BY_UNREVOKED_OWNER, due.kind);
            let notice = DB::unindexed("t.expiry_notice", false);
            sql.push(format_args!("{notice} IN "));
            sql.bind_in(due::parts(due.kind).iter().copied());
            due::push_due(&mut sql, due, &DB::unindexed("t.expires_at", false));
            sql.push(" AND t.owner IN ").bind_in(chunk);
            sql.push(" ORDER BY t.id").push(DB::FOR_UPDATE);
            ids.extend(self.fetch_ids(sql).await?);
        }
        Ok(ids)
    }

    /// Records that a notification of expiry is queued. A reminder replaces earlier ones about the same tokens.
    pub(crate) async fn mark_notified(
        &mut self,
        ids: &[TokenId],
        due: &DueNotifications,
    ) -> Result<(), Error> {
        if due.kind == NotificationKind::ReplacedInUse {
            // The queued notification itself records it.
            return Ok(());
        }
        for chunk in ids.chunks(CHUNK) {
            let mut sql = Sql::new("UPDATE pat_token SET expiry_notice = ");
            sql.bind(due.kind.number());
            if due.kind == NotificationKind::ExpiresSoon {
                sql.push(", reminded_days = CASE");
                for [days, next] in due::reminders(due) {
                    sql.push(" WHEN expires_at > ")
                        .bind(due::after(due.now, next));
                    sql.push(" THEN ").bind(days);
                }
                sql.push(" END");
            }
            sql.push(" WHERE id IN ");
            sql.bind_in(chunk.iter().copied());
            self.execute(sql).await?;
        }
        if due.kind == NotificationKind::ExpiresSoon {
            self.withdraw_notifications(due.kind, ids).await?;
        }
        Ok(())
    }

    /// Returns up to `limit` tokens that are old enough to be deleted.
    pub(crate) async fn find_old(
        &mut self,
        prune: &Prune,
        limit: u32,
    ) -> Result<Vec<TokenId>, Error> {
        let cutoff = self.cutoff(prune.vouched, prune.keep);
        let transient_cutoff = self.cutoff(prune.vouched, TRANSIENT_KEPT);
        let transient = format!("expiry_notice = {TRANSIENT} AND expires_at <= ");
        let mut ids = Vec::new();
        // One query for each index. There, a token that never expires has the last possible time.
        for (index, condition, order, cutoff) in [
            ("pat_token_by_end", "expires_key <= ", "expires_key", cutoff),
            (
                "pat_token_by_revocation",
                "revoked_at <= ",
                "revoked_at",
                cutoff,
            ),
            (
                "pat_token_by_expiry",
                transient.as_str(),
                "expires_at",
                transient_cutoff,
            ),
        ] {
            let index = DB::by_index(index);
            let mut sql = Sql::new(format!("SELECT id FROM pat_token{index} WHERE {condition}"));
            sql.bind(cutoff);
            // In a form that no index has. In order, so that PostgreSQL stops at the limit and does not collect all
            // that are old.
            sql.push(" AND (notice_due_at > 0) IS NOT TRUE");
            sql.push(format_args!(" ORDER BY {order} LIMIT "))
                .bind(limit);
            ids.extend(self.fetch_ids(sql).await?);
        }
        ids.sort_unstable();
        ids.dedup();
        ids.truncate(limit as usize);
        Ok(ids)
    }

    pub(crate) async fn delete_tokens(&mut self, ids: &[TokenId]) -> Result<(), Error> {
        let ids: Vec<_> = ids.iter().map(|id| id.get()).collect();
        self.delete("pat_last_used WHERE token_id", &ids).await?;
        self.delete("pat_token WHERE id", &ids).await
    }

    /// Deletes the rows with these numbers in a column.
    pub(super) async fn delete(&mut self, column: &str, numbers: &[i64]) -> Result<(), Error> {
        for chunk in numbers.chunks(CHUNK) {
            let mut sql = Sql::new(format!("DELETE FROM {column} IN "));
            sql.bind_in(chunk.iter().copied());
            self.execute(sql).await?;
        }
        Ok(())
    }

    /// Deletes up to `limit` old entries of the change feed, by whole generations and never the newest;
    /// returns how many there were.
    pub(crate) async fn purge_changes(&mut self, purge: &Purge, limit: u32) -> Result<u64, Error> {
        let cutoff = self.cutoff(purge.vouched, purge.changes);
        let mut sql = Sql::new(
            "SELECT gen, at FROM pat_change \
             WHERE gen < (SELECT gen FROM pat_clock WHERE id = 1) ORDER BY gen LIMIT ",
        );
        sql.bind(limit);
        let mut last = None;
        for row in self.fetch(sql).await? {
            if row.timestamp("at")? >= cutoff {
                break;
            }
            last = Some(row.int("gen")?);
        }
        let Some(last) = last else { return Ok(0) };
        let mut sql = Sql::new("DELETE FROM pat_change WHERE gen <= ");
        sql.bind(last);
        self.execute(sql).await
    }
}
