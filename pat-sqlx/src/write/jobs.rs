use jiff::Timestamp;
use pat_core::store::{DueNotices, Job, Lease, Prune, Trim};
use pat_core::{NoticeKind, TokenId};
use sqlx::{ColumnIndex, Decode, Encode, Executor, IntoArguments, QueryBuilder, Row, Type};

use super::{Write, push_ids};
use crate::Dialect;
use crate::row;
use crate::store::CHUNK;

/// The lease of a job, locked.
pub(crate) struct LeaseRow {
    pub(crate) term: i64,
    /// Microseconds since 1970; 0 if nobody holds it.
    pub(crate) held_until: i64,
    /// The latest occurrence that is done, in microseconds since 1970; 0 for none.
    pub(crate) done: i64,
}

impl<DB: Dialect> Write<DB>
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    DB::Arguments: IntoArguments<DB>,
    for<'q> i64: Encode<'q, DB> + Decode<'q, DB> + Type<DB>,
    for<'q> Option<i64>: Encode<'q, DB>,
    for<'q> String: Encode<'q, DB> + Decode<'q, DB> + Type<DB>,
    for<'q> Option<String>: Encode<'q, DB>,
    for<'q> Vec<u8>: Encode<'q, DB> + Type<DB>,
    for<'i> &'i str: ColumnIndex<DB::Row>,
{
    /// Locks the lease of a job, and makes its row first where there is none.
    pub(crate) async fn lock_lease(&mut self, job: Job) -> Result<LeaseRow, sqlx::Error> {
        let mut insert =
            QueryBuilder::new("INSERT INTO pat_lease (job, term, held_until, done) VALUES (");
        insert
            .push_bind(job.as_str().to_owned())
            .push(", 0, 0, 0)")
            .push(DB::OR_IGNORE);
        self.execute(insert).await?;
        let mut query =
            QueryBuilder::<DB>::new("SELECT term, held_until, done FROM pat_lease WHERE job = ");
        query
            .push_bind(job.as_str().to_owned())
            .push(DB::FOR_UPDATE);
        let row = query.build().fetch_one(&mut *self.0).await?;
        Ok(LeaseRow {
            term: row.try_get("term")?,
            held_until: row.try_get("held_until")?,
            done: row.try_get("done")?,
        })
    }

    pub(crate) async fn put_lease(&mut self, job: Job, row: &LeaseRow) -> Result<(), sqlx::Error> {
        let mut query = QueryBuilder::new("UPDATE pat_lease SET term = ");
        query.push_bind(row.term).push(", held_until = ");
        query.push_bind(row.held_until).push(", done = ");
        query.push_bind(row.done).push(" WHERE job = ");
        query.push_bind(job.as_str().to_owned());
        self.execute(query).await
    }

    /// Whether a lease is still the latest; nobody can acquire it until the end of the transaction.
    pub(crate) async fn holds(&mut self, lease: &Lease) -> Result<bool, sqlx::Error> {
        let mut query = QueryBuilder::new("SELECT term FROM pat_lease WHERE job = ");
        query
            .push_bind(lease.job.as_str().to_owned())
            .push(DB::FOR_SHARE);
        let rows = self.fetch(query).await?;
        let term = rows.first().map(|row| row.try_get::<i64, _>("term"));
        Ok(term.transpose()? == Some(lease.term.cast_signed()))
    }

    /// Locks the tokens about which notices are due, of up to `max_owners` owners, and returns
    /// their ids in order.
    pub(crate) async fn lock_due(
        &mut self,
        due: &DueNotices,
        max_owners: u32,
    ) -> Result<Vec<TokenId>, sqlx::Error> {
        let mut query = QueryBuilder::new("SELECT DISTINCT owner FROM pat_token WHERE ");
        push_due(&mut query, due);
        query.push(" LIMIT ").push_bind(i64::from(max_owners));
        let mut owners = Vec::new();
        for row in self.fetch(query).await? {
            owners.push(row.try_get::<String, _>("owner")?);
        }
        let mut ids = Vec::new();
        for chunk in owners.chunks(CHUNK) {
            let mut query = QueryBuilder::new("SELECT id FROM pat_token WHERE ");
            push_due(&mut query, due);
            query.push(" AND owner IN (");
            let mut list = query.separated(", ");
            for owner in chunk {
                list.push_bind(owner.clone());
            }
            query.push(") ORDER BY id").push(DB::FOR_UPDATE);
            ids.extend(self.fetch_ids(query).await?);
        }
        Ok(ids)
    }

    /// Remembers that a notice of expiry was queued.
    pub(crate) async fn mark_told(
        &mut self,
        ids: &[TokenId],
        due: &DueNotices,
    ) -> Result<(), sqlx::Error> {
        for chunk in ids.chunks(CHUNK) {
            let mut query = QueryBuilder::new("UPDATE pat_token SET expiry_notice = ");
            query
                .push_bind(row::kind_number(due.kind))
                .push(" WHERE id IN (");
            push_ids(&mut query, chunk);
            self.execute(query).await?;
        }
        Ok(())
    }

    /// Up to `limit` tokens that are old enough to be deleted.
    pub(crate) async fn find_old(
        &mut self,
        prune: &Prune,
        limit: u32,
    ) -> Result<Vec<TokenId>, sqlx::Error> {
        let mut ids = Vec::new();
        // One query for each index.
        for condition in [
            "expiry_notice IN (0, 2, 3) AND expires_at <= ",
            "revoked_at <= ",
        ] {
            let mut query =
                QueryBuilder::new(format!("SELECT id FROM pat_token WHERE {condition}"));
            query.push_bind(prune.before.as_microsecond());
            query.push(" LIMIT ").push_bind(i64::from(limit));
            ids.extend(self.fetch_ids(query).await?);
        }
        ids.sort_unstable();
        ids.dedup();
        ids.truncate(limit as usize);
        Ok(ids)
    }

    pub(crate) async fn delete_tokens(&mut self, ids: &[TokenId]) -> Result<(), sqlx::Error> {
        for chunk in ids.chunks(CHUNK) {
            for table in ["pat_last_used WHERE token_id", "pat_token WHERE id"] {
                let mut query = QueryBuilder::new(format!("DELETE FROM {table} IN ("));
                push_ids(&mut query, chunk);
                self.execute(query).await?;
            }
        }
        Ok(())
    }

    /// Deletes up to `limit` old entries of the change feed, whole generations at a time and never
    /// the newest; returns how many.
    pub(crate) async fn trim_changes(
        &mut self,
        trim: &Trim,
        limit: u32,
    ) -> Result<u64, sqlx::Error> {
        let mut query = QueryBuilder::new(
            "SELECT gen, at FROM pat_change \
             WHERE gen < (SELECT gen FROM pat_clock WHERE id = 1) ORDER BY gen LIMIT ",
        );
        query.push_bind(i64::from(limit));
        let mut last = None;
        for row in self.fetch(query).await? {
            if row.try_get::<i64, _>("at")? >= trim.changes_before.as_microsecond() {
                break;
            }
            last = Some(row.try_get::<i64, _>("gen")?);
        }
        let Some(last) = last else { return Ok(0) };
        let mut query = QueryBuilder::new("DELETE FROM pat_change WHERE gen <= ");
        query.push_bind(last);
        self.execute_counted(query).await
    }

    async fn fetch_ids(&mut self, query: QueryBuilder<DB>) -> Result<Vec<TokenId>, sqlx::Error> {
        let rows = self.fetch(query).await?;
        rows.iter()
            .map(|row| row::token_id(row.try_get("id")?))
            .collect()
    }
}

/// For which tokens a notice is due.
fn push_due<DB: Dialect>(query: &mut QueryBuilder<DB>, due: &DueNotices)
where
    for<'q> i64: Encode<'q, DB> + Type<DB>,
{
    let micros = Timestamp::as_microsecond;
    query.push("revoked_at IS NULL AND expires_at <= ");
    if due.kind == NoticeKind::ExpiresSoon {
        query.push_bind(micros(due.until));
        query.push(" AND expires_at > ").push_bind(micros(due.now));
        query.push(" AND expiry_notice = 0");
    } else {
        query.push_bind(micros(due.now));
        query.push(" AND expiry_notice IN (0, 2)");
    }
}
