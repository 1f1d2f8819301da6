//! Counts of the tokens of all owners.

use pat_core::search::Filter;
use sqlx::Error;

use crate::access::{Access, Criterion};
use crate::checkout::fetch_one;
use crate::conditions::push_last_used;
use crate::dialect::Dialect;
use crate::row::TOKENS;
use crate::search::push_filter;
use crate::sql::Sql;
use crate::store::SqlxStore;

/// The greatest number of revoked tokens that a count looks up to subtract them.
const MOST_SUBTRACTED: u32 = 100_000;

impl<DB: Dialect> SqlxStore<DB> {
    pub(crate) async fn try_count(&self, filter: &Filter) -> Result<u64, Error> {
        let (access, tables) = self.counted(filter).await?;
        let mut sql = Sql::<DB>::new("SELECT ");
        if access == Access::All && self.is_difference(filter).await? {
            push_difference(&mut sql, filter);
        } else {
            sql.push(format_args!("COUNT(*) AS n FROM {tables} WHERE "));
            push_filter(&mut sql, access, filter);
        }
        fetch_one(&self.pool, sql).await?.count("n")
    }

    /// Whether the index of last uses alone knows all matches, some of which are revoked, and it takes fewer
    /// look-ups to find those than to see of each that it is not.
    async fn is_difference(&self, filter: &Filter) -> Result<bool, Error> {
        let mut rest = filter.clone();
        (rest.last_used, rest.is_used) = Default::default();
        if !Criterion::LastUsed.is_given(filter) || rest != Filter::default() {
            return Ok(false);
        }
        let both = [Criterion::Revoked, Criterion::LastUsed];
        let fewer = self.narrowest(filter, &both, MOST_SUBTRACTED).await?;
        Ok(fewer == Some(Criterion::Revoked))
    }

    /// Returns how a count reads tokens, whose order does not matter, and its tables.
    pub(crate) async fn counted(&self, filter: &Filter) -> Result<(Access, String), Error> {
        let access = self.access_of_count(filter).await?;
        Ok((access, access.counted_tables::<DB>(filter)))
    }

    /// Counts by an index of few matches, or else until it has found enough.
    pub(crate) async fn try_count_up_to(&self, filter: &Filter, most: u64) -> Result<u64, Error> {
        let (access, tables) = self.counted(filter).await?;
        let mut sql = Sql::<DB>::new(format!(
            "SELECT COUNT(*) AS n FROM (SELECT t.id FROM {tables} WHERE "
        ));
        push_filter(&mut sql, access, filter);
        sql.push(" LIMIT ");
        sql.bind(i64::try_from(most).unwrap_or(i64::MAX))
            .push(") c");
        fetch_one(&self.pool, sql).await?.count("n")
    }

    /// Counts in one scan of all tokens, which no index shortens.
    pub(crate) async fn try_count_each(&self, filters: &[Filter]) -> Result<Vec<u64>, Error> {
        if filters.is_empty() {
            return Ok(Vec::new());
        }
        let mut sql = Sql::<DB>::new("SELECT ");
        for (number, filter) in filters.iter().enumerate() {
            let separator = if number == 0 { "" } else { ", " };
            sql.push(separator).push("COUNT(CASE WHEN ");
            push_filter(&mut sql, Access::All, filter);
            sql.push(format_args!(" THEN 1 END) AS n{number}"));
        }
        sql.push(format_args!(" FROM {TOKENS}"));
        let row = fetch_one(&self.pool, sql).await?;
        (0..filters.len())
            .map(|number| row.count(&format!("n{number}")))
            .collect()
    }
}

/// Appends the number of all last uses that match less those of revoked tokens.
fn push_difference<DB: Dialect>(sql: &mut Sql<DB>, filter: &Filter) {
    let uses = Criterion::LastUsed.table::<DB>(filter);
    sql.push(format_args!("(SELECT COUNT(*) FROM {uses} WHERE 1 = 1"));
    push_last_used(sql, filter);
    let revoked = Criterion::Revoked.table::<DB>(filter);
    sql.push(format_args!(
        ") - (SELECT COUNT(*) FROM {revoked} {} pat_last_used u ON u.token_id = t.id \
         WHERE t.revoked_at IS NOT NULL",
        DB::JOIN_IN_ORDER
    ));
    push_last_used(sql, filter);
    sql.push(") AS n");
}
