//! The search through the tokens of all owners.

mod walk;

use std::collections::BTreeSet;

use async_trait::async_trait;
use jiff::SignedDuration;
use pat_core::search::{Filter, NEVER, RevokedTokens, Search, SortKey, Start};
use pat_core::store::SearchStore;
use pat_core::store::StoreError;
use pat_core::text::escape_like;
use pat_core::{Token, TokenId};
use sqlx::Error;
use tracing::instrument;

use crate::access::{Access, Criterion, joins_last_use, push_name, push_never_expires};
use crate::checkout::{fetch, fetch_one};
use crate::conditions::{push_and, push_last_used, push_range};
use crate::dialect::{Dialect, Value};
use crate::row::{self, TOKEN_COLUMNS, TRANSIENT};
use crate::sql::{CHUNK, Sql};
use crate::store::SqlxStore;
use crate::write::unused::push_unused;

use self::walk::{Columns, Range, Walk, bound};

/// How many tokens a page may pass over in its order before its matches are sorted instead.
const PASSED_OVER: u32 = 10_000;

/// Appends the condition of a filter; further conditions may follow.
pub(crate) fn push_filter<DB: Dialect>(sql: &mut Sql<DB>, access: Access, filter: &Filter) {
    sql.push(match filter.revoked {
        RevokedTokens::Excluded => "t.revoked_at IS NULL",
        RevokedTokens::Included => "1 = 1",
        RevokedTokens::Only => "t.revoked_at IS NOT NULL",
    });
    if !filter.name.is_empty() {
        sql.push(" AND ");
        push_name(sql, access, filter);
    }
    if !filter.owners.is_empty() {
        sql.push(" AND t.owner IN ").bind_in(&filter.owners);
    }
    push_range(sql, "t.created_at", filter.created);
    push_range(sql, "t.expires_key", filter.expires);
    push_range(sql, "t.revoked_at", filter.revoked_at);
    push_scopes(sql, filter);
    push_last_used(sql, filter);
    if let Some(since) = filter.unused_since {
        push_unused(sql, since);
    }
    if let Some(is_transient) = filter.is_transient {
        let relation = if is_transient { "=" } else { "<>" };
        sql.push(format_args!(" AND t.expiry_notice {relation} {TRANSIENT}"));
    }
    if let Some(warned) = filter.warned {
        let negation = if warned.is_warned { "" } else { "NOT " };
        sql.push(format_args!(" AND {negation}(t.expires_key <= "));
        sql.bind(warned.by).push(" AND ");
        push_longer_than(sql, warned.period);
        sql.push(")");
    }
    if let Some(time) = filter.longer_than {
        sql.push(" AND ");
        push_longer_than(sql, time);
    }
    match filter.never_expires {
        Some(true) => {
            sql.push(" AND t.expires_at IS NULL");
            push_never_expires(sql);
        }
        Some(false) => {
            sql.push(" AND t.expires_at IS NOT NULL");
        }
        None => {}
    }
    sql.push(match filter.is_disabled {
        Some(true) => " AND t.disabled_at IS NOT NULL",
        Some(false) => " AND t.disabled_at IS NULL",
        None => "",
    });
}

/// Appends the condition that the life span of a token is longer than this. A token that never expires has the
/// greatest `expires_key`.
fn push_longer_than<DB: Dialect>(sql: &mut Sql<DB>, time: SignedDuration) {
    sql.push("t.expires_key - t.created_at > ");
    sql.bind(i64::try_from(time.as_micros()).unwrap_or(i64::MAX));
}

/// Appends the condition that a token has one of the names of the filter among its scopes, which are one
/// text, or that it is unrestricted. No name has a space.
fn push_scopes<DB: Dialect>(sql: &mut Sql<DB>, filter: &Filter) {
    let mut separator = " AND (";
    if filter.unrestricted {
        sql.push(separator).push("t.scopes IS NULL");
        separator = " OR ";
    }
    let mut names: Vec<_> = filter.scopes.iter().collect();
    if let Some(last) = names.last().copied() {
        // As in a list of `Sql::bind_in`.
        names.resize(names.len().next_power_of_two(), last);
    }
    for name in names {
        sql.push(separator).push("t.scopes = ").bind(name);
        let name = escape_like(name);
        // First, last, and between two others.
        for pattern in [
            format!("{name} %"),
            format!("% {name}"),
            format!("% {name} %"),
        ] {
            sql.push(" OR t.scopes LIKE ").bind(pattern.as_str());
            sql.push(" ESCAPE '!'");
        }
        separator = " OR ";
    }
    if separator == " OR " {
        sql.push(")");
    }
}

/// Returns the statement that reads some tokens of a range.
fn page_sql<DB: Dialect>(
    search: &Search,
    walk: Walk,
    range: &Range<'_>,
    order: &str,
    offset: usize,
    limit: usize,
) -> Sql<DB> {
    let key = search.sort.key;
    let (access, columns) = (walk.access, walk.columns);
    let tables = access.tables::<DB>(&search.filter, Some((key, columns.index)));
    let selected = if joins_last_use(&search.filter, Some(key)) {
        TOKEN_COLUMNS.to_owned()
    } else {
        row::token_columns_without_join()
    };
    let mut sql = Sql::new(format!("SELECT {selected} FROM {tables} WHERE 1 = 1"));
    // SQLite reads an index from the first bound of a column, so the position comes before the bounds of the filter.
    range.push_condition(&mut sql, walk);
    push_created_before(&mut sql, walk, &search.filter);
    sql.push(" AND ");
    push_filter(&mut sql, access, &search.filter);
    // Bound, so that pages of all sizes have one text.
    sql.push(format_args!(" ORDER BY {order} LIMIT "));
    sql.bind(i64::try_from(limit).unwrap_or(i64::MAX));
    sql.push(" OFFSET ");
    sql.bind(i64::try_from(offset).unwrap_or(i64::MAX));
    sql
}

/// Appends the condition by which tokens that were created too late to be unused are passed over in the index.
fn push_created_before<DB: Dialect>(sql: &mut Sql<DB>, walk: Walk, filter: &Filter) {
    if let Some(since) = filter.unused_since {
        push_and(sql, walk.columns.created_at, " <= ", since.into());
    }
}

/// Appends the statement that finds the IDs of the first tokens that a page reads in its order, whether they match
/// or not, by the index alone: of all, or of those that never expire.
fn push_first_of_order<DB: Dialect>(sql: &mut Sql<DB>, search: &Search, never_expire: bool) {
    let key = search.sort.key;
    let walk = Walk::new(search, Access::All);
    let Columns {
        value,
        created_at,
        id,
        index,
    } = walk.columns;
    let table = match key {
        SortKey::LastUsedAt => "pat_last_used u",
        _ => "pat_token t",
    };
    let by_index = DB::by_index(index);
    sql.push(format_args!(
        "SELECT {id} AS id FROM {table}{by_index} WHERE 1 = 1"
    ));
    let direction = walk.direction();
    if never_expire {
        push_and(sql, value, " = ", NEVER.into());
    }
    if let Start::After(position) | Start::Before(position) = &search.start {
        let later = if direction == "DESC" { " <= " } else { " >= " };
        push_and(sql, value, later, bound(&position.value));
    }
    let own = Criterion::of_order(key);
    if let Some(criterion) = own.filter(|own| own.is_given(&search.filter)) {
        sql.push(" AND ");
        criterion.push_condition(sql, &search.filter);
    }
    push_created_before(sql, walk, &search.filter);
    if never_expire {
        sql.push(format_args!(" ORDER BY {created_at} DESC LIMIT "));
    } else {
        sql.push(format_args!(" ORDER BY {value} {direction} LIMIT "));
    }
    sql.bind(PASSED_OVER);
}

fn offset_of(search: &Search) -> u32 {
    match &search.start {
        Start::After(_) | Start::Before(_) => 0,
        Start::Offset(offset) => *offset,
    }
}

impl<DB: Dialect> SqlxStore<DB> {
    /// Runs one statement for each range that the page needs. A token that exists all the time is found
    /// exactly once, whatever changes between two statements.
    async fn try_search(&self, search: &Search) -> Result<Vec<Token>, Error> {
        let offset = offset_of(search) as usize;
        let access = self.access_of_page(search).await?;
        let walk = Walk::new(search, access);
        // Backward, MySQL reads an index in the order of its first column alone.
        let is_against_index = (search.sort.is_descending || walk.is_backward) && !access.sorts();
        let limit = search.limit as usize;
        let mut tokens = Vec::with_capacity(limit);
        for range in Range::all_of(search, walk) {
            let rest = limit - tokens.len();
            if rest == 0 {
                break;
            }
            tokens.extend(match range {
                Range::Beyond(after) if is_against_index => {
                    self.descend(search, walk, after, offset, rest).await?
                }
                range => {
                    let order = range.order::<DB>(walk);
                    self.page(search, walk, &range, &order, offset, rest)
                        .await?
                }
            });
        }
        if walk.is_backward {
            tokens.reverse();
        }
        Ok(tokens)
    }

    /// Returns whether a page passes over few tokens in its order: at most [`PASSED_OVER`], of which enough match, or
    /// there are no more. Tokens with the value of its position count, even if they come before it.
    pub(crate) async fn passes_over_few(&self, search: &Search) -> Result<bool, Error> {
        let walk = Walk::new(search, Access::InOrder(search.sort.key));
        let begins_with_never = walk.begins_with_never(search);
        if begins_with_never && self.is_full_soon(search, true).await?
            || self.is_full_soon(search, false).await?
        {
            return Ok(true);
        }
        let mut sql = Sql::<DB>::new("SELECT COUNT(*) AS n FROM (");
        push_first_of_order(&mut sql, search, false);
        sql.push(") w");
        let passed_over = fetch_one(&self.pool, sql).await?.count("n")?;
        Ok(passed_over < PASSED_OVER.into())
    }

    /// Whether enough of the first tokens match: of all, or of those that never expire.
    async fn is_full_soon(&self, search: &Search, never_expire: bool) -> Result<bool, Error> {
        let filter = &search.filter;
        let mut sql = Sql::<DB>::new("SELECT COUNT(*) AS n FROM (SELECT t.id FROM (");
        push_first_of_order(&mut sql, search, never_expire);
        sql.push(") w")
            .push(DB::look_up("pat_token", "t", "id", "w.id"));
        if joins_last_use(filter, None) {
            sql.push(DB::look_up("pat_last_used", "u", "token_id", "w.id"));
        }
        sql.push(" WHERE ");
        push_filter(&mut sql, Access::All, filter);
        let wanted = u64::from(search.limit) + u64::from(offset_of(search));
        sql.push(" LIMIT ");
        sql.bind(i64::try_from(wanted).unwrap_or(i64::MAX))
            .push(") c");
        Ok(fetch_one(&self.pool, sql).await?.count("n")? >= wanted)
    }

    async fn page(
        &self,
        search: &Search,
        walk: Walk,
        range: &Range<'_>,
        order: &str,
        offset: usize,
        limit: usize,
    ) -> Result<Vec<Token>, Error> {
        let sql = page_sql(search, walk, range, order, offset, limit);
        let rows = fetch(&self.pool, sql).await?;
        rows.iter().map(row::token).collect()
    }

    /// Returns a page of a search by descending values, read in their order or backward.
    ///
    /// Read in the direction of the page, an index has the values in order, but tokens with equal values in the
    /// wrong one. Asked for the whole order, databases sort all tokens with equal values, which may be very
    /// many (those that never expire, or were never used), and MySQL and MariaDB sort all tokens. So
    /// the statement orders by the value alone. The tokens before the last value are sorted here, and
    /// those with the last value come from a second statement, in the order of the index.
    async fn descend(
        &self,
        search: &Search,
        walk: Walk,
        mut after: Option<Value>,
        mut offset: usize,
        limit: usize,
    ) -> Result<Vec<Token>, Error> {
        let sort = walk.sort;
        let by_value = format!("{} {}", walk.columns.value, walk.direction());
        let mut page = Vec::with_capacity(limit);
        loop {
            let wanted = offset + limit - page.len();
            let rest = Range::Beyond(after);
            let found = self.page(search, walk, &rest, &by_value, 0, wanted).await?;
            let found = found.into_iter();
            let mut found: Vec<_> = found
                .map(|token| (sort.position_of(&token), token))
                .collect();
            let last = found
                .get(wanted - 1)
                .map(|(position, _)| position.value.clone());
            found.retain(|(position, _)| Some(&position.value) != last.as_ref());
            found.sort_by(|(one, _), (two, _)| walk.compare(one, two));
            let before = found.len();
            page.extend(found.into_iter().skip(offset).map(|(_, token)| token));
            let Some(last) = last else {
                // There are no further tokens.
                return Ok(page);
            };
            offset = offset.saturating_sub(before);
            let equals = Range::Equals(bound(&last));
            let wanted = limit - page.len();
            let order = equals.order::<DB>(walk);
            page.extend(
                self.page(search, walk, &equals, &order, offset, wanted)
                    .await?,
            );
            if page.len() == limit {
                return Ok(page);
            }
            // Some tokens are gone since.
            (after, offset) = (Some(bound(&last)), 0);
        }
    }

    async fn try_ids(&self, filter: &Filter) -> Result<Vec<TokenId>, Error> {
        let (access, tables) = self.counted(filter).await?;
        let mut sql = Sql::<DB>::new(format!("SELECT t.id FROM {tables} WHERE "));
        push_filter(&mut sql, access, filter);
        sql.push(" ORDER BY t.id");
        let rows = fetch(&self.pool, sql).await?;
        rows.iter().map(|row| row.token_id("id")).collect()
    }

    async fn try_find_all(&self, ids: &[TokenId]) -> Result<Vec<Token>, Error> {
        let ids: BTreeSet<_> = ids.iter().copied().collect();
        let ids: Vec<_> = ids.into_iter().collect();
        let mut tokens = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(CHUNK) {
            let columns = row::token_columns_without_join();
            let mut sql =
                Sql::<DB>::new(format!("SELECT {columns} FROM pat_token t WHERE t.id IN "));
            sql.bind_in(chunk.iter().copied());
            sql.push(" ORDER BY t.id");
            for row in fetch(&self.pool, sql).await? {
                tokens.push(row::token(&row)?);
            }
        }
        Ok(tokens)
    }
}

#[async_trait]
impl<DB: Dialect> SearchStore for SqlxStore<DB> {
    #[instrument(name = "pat.store.search", skip_all)]
    async fn search(&self, search: &Search) -> Result<Vec<Token>, StoreError> {
        self.retry(|| self.try_search(search)).await
    }

    #[instrument(name = "pat.store.count", skip_all)]
    async fn count(&self, filter: &Filter) -> Result<u64, StoreError> {
        self.retry(|| self.try_count(filter)).await
    }

    #[instrument(name = "pat.store.count_up_to", skip_all)]
    async fn count_up_to(&self, filter: &Filter, most: u64) -> Result<u64, StoreError> {
        self.retry(|| self.try_count_up_to(filter, most)).await
    }

    #[instrument(name = "pat.store.count_each", skip_all)]
    async fn count_each(&self, filters: &[Filter]) -> Result<Vec<u64>, StoreError> {
        self.retry(|| self.try_count_each(filters)).await
    }

    #[instrument(name = "pat.store.ids", skip_all)]
    async fn ids(&self, filter: &Filter) -> Result<Vec<TokenId>, StoreError> {
        self.retry(|| self.try_ids(filter)).await
    }

    #[instrument(name = "pat.store.find_all", skip_all)]
    async fn find_all(&self, ids: &[TokenId]) -> Result<Vec<Token>, StoreError> {
        self.retry(|| self.try_find_all(ids)).await
    }
}

#[cfg(all(feature = "sqlite", feature = "mysql"))]
#[cfg(test)]
mod tests;
