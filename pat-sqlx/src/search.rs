//! The search through the tokens of all owners.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use async_trait::async_trait;
use jiff::SignedDuration;
use pat_core::search::{Filter, Position, RevokedTokens, Search, Sort, SortKey, SortValue, Start};
use pat_core::store::SearchStore;
use pat_core::store::StoreError;
use pat_core::text::escape_like;
use pat_core::{Token, TokenId};
use sqlx::Error;
use tracing::instrument;

use crate::access::{Access, BY_OWNER, Criterion, joins_last_use, push_name, push_never_expires};
use crate::checkout::{fetch, fetch_one};
use crate::conditions::{push_and, push_last_used, push_range};
use crate::dialect::{Dialect, Value};
use crate::row::{self, TOKEN_COLUMNS, TRANSIENT};
use crate::sql::{CHUNK, Sql};
use crate::store::SqlxStore;
use crate::write::unused::push_unused;

/// How many tokens a page may pass over in its order before its matches are sorted instead.
const PASSED_OVER: u32 = 10_000;

/// The columns of an order: the sort key, and those that decide between equal keys.
struct Columns {
    value: &'static str,
    created_at: &'static str,
    id: &'static str,
    /// The index with these columns: the value ascending, the time descending (unless it is the value),
    /// the ID ascending.
    index: &'static str,
}

impl Columns {
    fn of(key: SortKey) -> Self {
        let of_token = |value, index| Self {
            value,
            created_at: "t.created_at",
            id: "t.id",
            index,
        };
        match key {
            SortKey::LastUsedAt => Self {
                value: "u.last_used_at",
                created_at: "u.created_at",
                id: "u.token_id",
                index: "pat_last_used_by_time",
            },
            SortKey::CreatedAt => of_token("t.created_at", "pat_token_by_creation"),
            SortKey::ExpiresAt => of_token("t.expires_key", "pat_token_by_end"),
            SortKey::Name => of_token("t.name_folded", "pat_token_by_name"),
            SortKey::Owner => of_token("t.owner", BY_OWNER),
        }
    }
}

/// The direction in which the tokens of a search are read: in their order, or from the end of a page backward.
#[derive(Clone, Copy)]
struct Walk {
    sort: Sort,
    is_backward: bool,
}

impl Walk {
    fn new(search: &Search) -> Self {
        Self {
            sort: search.sort,
            is_backward: matches!(search.start, Start::Before(_)),
        }
    }

    /// Returns the direction in which the values of the sort key come.
    fn direction(self) -> &'static str {
        if self.sort.is_descending == self.is_backward {
            "ASC"
        } else {
            "DESC"
        }
    }

    /// Returns the `ORDER BY` of tokens with equal values.
    fn order_of_equals(self, created_at: &str, id: &str) -> String {
        if self.is_backward {
            format!("{created_at}, {}", self.order_of_ids(id))
        } else {
            format!("{created_at} DESC, {}", self.order_of_ids(id))
        }
    }

    fn order_of_ids(self, id: &str) -> String {
        let direction = if self.is_backward { " DESC" } else { "" };
        format!("{id}{direction}")
    }

    fn compare(self, one: &Position, two: &Position) -> Ordering {
        if self.is_backward {
            self.sort.compare(two, one)
        } else {
            self.sort.compare(one, two)
        }
    }
}

/// A range of the tokens in the order in which they are read. If that is backward, "after" a position is before it
/// in the order of the search.
enum Range<'a> {
    /// All after a position.
    After(&'a Position),
    /// After a position, with the same value and time of creation.
    SameTime(&'a Position),
    /// After a position, with the same value and another time of creation.
    SameValue(&'a Position),
    /// All tokens with one value.
    Equals(Value),
    /// All tokens whose value comes after the first and before the second one.
    Between(Option<Value>, Option<Value>),
}

impl<'a> Range<'a> {
    /// Returns the ranges from where a page starts, in order. What is sorted in any case is one range.
    fn all_of(start: &'a Start, access: Access) -> Vec<Self> {
        match start {
            Start::After(position) | Start::Before(position) if access.sorts() => {
                vec![Self::After(position)]
            }
            Start::After(position) | Start::Before(position) => vec![
                Self::SameTime(position),
                Self::SameValue(position),
                Self::Between(Some(bound(&position.value)), None),
            ],
            Start::Offset(_) => vec![Self::Between(None, None)],
        }
    }

    fn push_condition<DB: Dialect>(&self, sql: &mut Sql<DB>, walk: Walk) {
        let Columns {
            value,
            created_at,
            id,
            ..
        } = Columns::of(walk.sort.key);
        let (smaller, greater) = if walk.is_backward {
            (" > ", " < ")
        } else {
            (" < ", " > ")
        };
        let later = if walk.direction() == "DESC" {
            " < "
        } else {
            " > "
        };
        match self {
            Self::After(position) => {
                let at = bound(&position.value);
                sql.push(format_args!(" AND ({value}{later}"))
                    .bind(at.clone());
                sql.push(format_args!(" OR {value} = ")).bind(at);
                let at = position.created_at;
                sql.push(format_args!(" AND ({created_at}{smaller}"))
                    .bind(at);
                sql.push(format_args!(" OR {created_at} = ")).bind(at);
                sql.push(format_args!(" AND {id}{greater}"))
                    .bind(position.id);
                sql.push("))");
            }
            Self::SameTime(position) => {
                push_and(sql, value, " = ", bound(&position.value));
                push_and(sql, created_at, " = ", position.created_at.into());
                push_and(sql, id, greater, position.id.into());
            }
            Self::SameValue(position) => {
                push_and(sql, value, " = ", bound(&position.value));
                push_and(sql, created_at, smaller, position.created_at.into());
            }
            Self::Equals(to) => push_and(sql, value, " = ", to.clone()),
            Self::Between(after, before) => {
                let earlier = if later == " < " { " > " } else { " < " };
                if let Some(after) = after {
                    push_and(sql, value, later, after.clone());
                }
                if let Some(before) = before {
                    push_and(sql, value, earlier, before.clone());
                }
            }
        }
    }

    /// Returns the `ORDER BY` of the range. If the tokens are to be sorted, its first column is not that of an
    /// index which the planner might walk instead.
    fn order<DB: Dialect>(&self, walk: Walk, access: Access) -> String {
        let Columns {
            value,
            created_at,
            id,
            ..
        } = Columns::of(walk.sort.key);
        let direction = walk.direction();
        let sorted = |column: &str| {
            if !access.sorts() {
                return column.to_owned();
            }
            let is_text =
                column == value && matches!(walk.sort.key, SortKey::Name | SortKey::Owner);
            DB::unindexed(column, is_text)
        };
        match (self, walk.sort.key) {
            (Self::SameTime(_), _) => walk.order_of_ids(&sorted(id)),
            (Self::SameValue(_) | Self::Equals(_), _) => {
                walk.order_of_equals(&sorted(created_at), id)
            }
            (Self::Between(..) | Self::After(_), SortKey::CreatedAt) => {
                let value = sorted(value);
                format!("{value} {direction}, {}", walk.order_of_ids(id))
            }
            (Self::Between(..) | Self::After(_), _) => {
                let (value, equals) = (sorted(value), walk.order_of_equals(created_at, id));
                format!("{value} {direction}, {equals}")
            }
        }
    }
}

fn bound(value: &SortValue) -> Value {
    match value {
        SortValue::Time(at) => (*at).into(),
        SortValue::Text(text) => text.as_str().into(),
    }
}

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
    access: Access,
    range: &Range<'_>,
    order: &str,
    offset: usize,
    limit: usize,
) -> Sql<DB> {
    let key = search.sort.key;
    let tables = access.tables::<DB>(&search.filter, Some((key, Columns::of(key).index)));
    let columns = if joins_last_use(&search.filter, Some(key)) {
        TOKEN_COLUMNS.to_owned()
    } else {
        row::token_columns_without_join()
    };
    let mut sql = Sql::new(format!("SELECT {columns} FROM {tables} WHERE 1 = 1"));
    // SQLite reads an index from the first bound of a column, so the position comes before the bounds of the filter.
    range.push_condition(&mut sql, Walk::new(search));
    if let Some(since) = search.filter.unused_since {
        // Tokens that were created later are passed over in the index.
        push_and(&mut sql, Columns::of(key).created_at, " <= ", since.into());
    }
    sql.push(" AND ");
    push_filter(&mut sql, access, &search.filter);
    // Bound, so that pages of all sizes have one text.
    sql.push(format_args!(" ORDER BY {order} LIMIT "));
    sql.bind(i64::try_from(limit).unwrap_or(i64::MAX));
    sql.push(" OFFSET ");
    sql.bind(i64::try_from(offset).unwrap_or(i64::MAX));
    sql
}

impl<DB: Dialect> SqlxStore<DB> {
    /// Runs one statement for each range that the page needs. A token that exists all the time is found
    /// exactly once, whatever changes between two statements.
    async fn try_search(&self, search: &Search) -> Result<Vec<Token>, Error> {
        let offset = match &search.start {
            Start::After(_) | Start::Before(_) => 0,
            Start::Offset(offset) => *offset as usize,
        };
        let access = self.access_of_page(search).await?;
        let walk = Walk::new(search);
        // Backward, MySQL reads an index in the order of its first column alone.
        let is_against_index = (search.sort.is_descending || walk.is_backward) && !access.sorts();
        let limit = search.limit as usize;
        let mut tokens = Vec::with_capacity(limit);
        for range in Range::all_of(&search.start, access) {
            let rest = limit - tokens.len();
            if rest == 0 {
                break;
            }
            tokens.extend(match range {
                Range::Between(after, _) if is_against_index => {
                    self.descend(search, access, after, offset, rest).await?
                }
                range => {
                    let order = range.order::<DB>(walk, access);
                    self.page(search, access, &range, &order, offset, rest)
                        .await?
                }
            });
        }
        if walk.is_backward {
            tokens.reverse();
        }
        Ok(tokens)
    }

    /// Returns whether a page in its order finds as many tokens as it needs among the first [`PASSED_OVER`] that
    /// it reads. Tokens with the value of its position count, even if they come before it.
    pub(crate) async fn fills_soon(&self, search: &Search) -> Result<bool, Error> {
        let (key, filter) = (search.sort.key, &search.filter);
        let Columns {
            value, id, index, ..
        } = Columns::of(key);
        let table = match key {
            SortKey::LastUsedAt => "pat_last_used u",
            _ => "pat_token t",
        };
        let mut sql = Sql::<DB>::new(format!(
            "SELECT COUNT(*) AS n FROM (SELECT t.id FROM (SELECT {id} AS id FROM {table}{} WHERE 1 = 1",
            DB::by_index(index)
        ));
        let direction = Walk::new(search).direction();
        if let Start::After(position) | Start::Before(position) = &search.start {
            let later = if direction == "DESC" { " <= " } else { " >= " };
            push_and(&mut sql, value, later, bound(&position.value));
        }
        if let Some(criterion) = Criterion::of_order(key).filter(|own| own.is_given(filter)) {
            sql.push(" AND ");
            criterion.push_condition(&mut sql, filter);
        }
        sql.push(format_args!(" ORDER BY {value} {direction} LIMIT "));
        sql.bind(PASSED_OVER);
        let in_order = DB::JOIN_IN_ORDER;
        sql.push(format_args!(") w {in_order} pat_token t ON t.id = w.id"));
        if joins_last_use(filter, None) {
            sql.push(format_args!(
                " {in_order} pat_last_used u ON u.token_id = t.id"
            ));
        }
        sql.push(" WHERE ");
        push_filter(&mut sql, Access::InOrder(key), filter);
        let offset = match &search.start {
            Start::Offset(offset) => u64::from(*offset),
            Start::After(_) | Start::Before(_) => 0,
        };
        let wanted = offset + u64::from(search.limit);
        sql.push(" LIMIT ");
        sql.bind(i64::try_from(wanted).unwrap_or(i64::MAX))
            .push(") c");
        Ok(fetch_one(&self.pool, sql).await?.count("n")? >= wanted)
    }

    async fn page(
        &self,
        search: &Search,
        access: Access,
        range: &Range<'_>,
        order: &str,
        offset: usize,
        limit: usize,
    ) -> Result<Vec<Token>, Error> {
        let sql = page_sql(search, access, range, order, offset, limit);
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
        access: Access,
        mut after: Option<Value>,
        mut offset: usize,
        limit: usize,
    ) -> Result<Vec<Token>, Error> {
        let walk = Walk::new(search);
        let sort = walk.sort;
        let by_value = format!("{} {}", Columns::of(sort.key).value, walk.direction());
        let mut page = Vec::with_capacity(limit);
        loop {
            let wanted = offset + limit - page.len();
            let rest = Range::Between(after, None);
            let found = self
                .page(search, access, &rest, &by_value, 0, wanted)
                .await?;
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
            let order = equals.order::<DB>(walk, access);
            page.extend(
                self.page(search, access, &equals, &order, offset, wanted)
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
