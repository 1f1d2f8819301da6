//! Looking through the tokens of all owners.

use async_trait::async_trait;
use pat_core::search::{
    DateRange, Filter, Position, Revoked, Search, Sort, SortKey, SortValue, Start, fold,
};
use pat_core::store::SearchStore;
use pat_core::{StoreError, Token, TokenId};
use sqlx::Error;
use tracing::instrument;

use crate::lent::fetch;
use crate::row::{self, TOKEN_COLUMNS, TOKENS};
use crate::sql::{Row, Sql, Value, corrupt};
use crate::{Portable, SqlxStore};

/// The columns of an order: what is sorted by, and what decides between equals.
struct Columns {
    value: &'static str,
    created_at: &'static str,
    id: &'static str,
    /// What has these columns in order: the value rising, the time falling (unless it is the value),
    /// the id rising.
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

const BY_OWNER: &str = "pat_token_by_owner";

/// Where the tokens of a search are: those of an owner by the index of owners, and others by the one
/// that has them in order, of which a page reads no more than it shows. Where dates are given too,
/// their index may be the better one, if the database can tell.
fn tables_of<DB: Portable>(search: &Search) -> String {
    let Search { filter, sort, .. } = search;
    let has_owners = !filter.owners.is_empty();
    let has_dates = [filter.created, filter.expires, filter.last_used]
        .iter()
        .any(|range| !range.is_open());
    let index = if has_owners {
        BY_OWNER
    } else {
        Columns::of(sort.key).index
    };
    let (index, join) = if has_dates && DB::KEEPS_STATISTICS {
        (String::new(), "JOIN")
    } else {
        (DB::by_index(index), DB::JOIN_IN_ORDER)
    };
    if sort.key == SortKey::LastUsedAt && !has_owners {
        format!("pat_last_used u{index} {join} pat_token t ON t.id = u.token_id")
    } else {
        format!("pat_token t{index} LEFT JOIN pat_last_used u ON u.token_id = t.id")
    }
}

/// A part of the tokens in their order.
enum Part<'a> {
    /// After a place, and equal to it but for the id.
    SameTime(&'a Position),
    /// After a place, and equal to it but for the time of creation.
    SameValue(&'a Position),
    /// All of one value.
    Equals(Value),
    /// All whose value comes after the one and before the other.
    Between(Option<Value>, Option<Value>),
}

impl<'a> Part<'a> {
    /// What comes after a place, in order.
    fn all_after(position: &'a Position) -> Vec<Self> {
        vec![
            Self::SameTime(position),
            Self::SameValue(position),
            Self::Between(Some(value_of(position)), None),
        ]
    }

    fn push_condition<DB: Portable>(&self, sql: &mut Sql<DB>, sort: Sort) {
        let Columns {
            value,
            created_at,
            id,
            ..
        } = Columns::of(sort.key);
        match self {
            Self::SameTime(place) => {
                push_and(sql, value, " = ", value_of(place));
                push_and(sql, created_at, " = ", place.created_at.into());
                push_and(sql, id, " > ", place.id.into());
            }
            Self::SameValue(place) => {
                push_and(sql, value, " = ", value_of(place));
                push_and(sql, created_at, " < ", place.created_at.into());
            }
            Self::Equals(to) => push_and(sql, value, " = ", to.clone()),
            Self::Between(after, before) => {
                let (later, earlier) = if sort.is_descending {
                    (" < ", " > ")
                } else {
                    (" > ", " < ")
                };
                if let Some(after) = after {
                    push_and(sql, value, later, after.clone());
                }
                if let Some(before) = before {
                    push_and(sql, value, earlier, before.clone());
                }
            }
        }
    }

    /// By what the tokens differ.
    fn push_order<DB: Portable>(&self, sql: &mut Sql<DB>, sort: Sort) {
        let Columns {
            value,
            created_at,
            id,
            ..
        } = Columns::of(sort.key);
        let direction = if sort.is_descending { "DESC" } else { "ASC" };
        match (self, sort.key) {
            (Self::SameTime(_), _) => sql.push(format_args!(" ORDER BY {id}")),
            (Self::SameValue(_) | Self::Equals(_), _) => {
                sql.push(format_args!(" ORDER BY {created_at} DESC, {id}"))
            }
            (Self::Between(..), SortKey::CreatedAt) => {
                sql.push(format_args!(" ORDER BY {value} {direction}, {id}"))
            }
            (Self::Between(..), _) => sql.push(format_args!(
                " ORDER BY {value} {direction}, {created_at} DESC, {id}"
            )),
        };
    }
}

fn value_of(position: &Position) -> Value {
    match &position.value {
        SortValue::Time(at) => (*at).into(),
        SortValue::Text(text) => text.as_str().into(),
    }
}

fn push_and<DB: Portable>(sql: &mut Sql<DB>, column: &str, relation: &str, value: Value) {
    sql.push(" AND ").push(column).push(relation).bind(value);
}

/// Begins a condition that further ones are appended to.
fn push_filter<DB: Portable>(sql: &mut Sql<DB>, filter: &Filter) {
    sql.push(match filter.revoked {
        Revoked::Excluded => " WHERE t.revoked_at IS NULL",
        Revoked::Included => " WHERE 1 = 1",
        Revoked::Only => " WHERE t.revoked_at IS NOT NULL",
    });
    if !filter.name.is_empty() {
        let pattern = format!("%{}%", escaped(&fold(&filter.name)));
        sql.push(" AND t.name_folded LIKE ").bind(pattern.as_str());
        sql.push(" ESCAPE '!'");
    }
    if !filter.owners.is_empty() {
        sql.push(" AND t.owner IN ").bind_list(&filter.owners);
    }
    push_range(sql, "t.created_at", filter.created);
    push_range(sql, "t.expires_key", filter.expires);
    push_range(sql, "u.last_used_at", filter.last_used);
    if filter.is_used == Some(true) || !filter.last_used.is_open() {
        sql.push(" AND u.last_used_at > 0");
    }
    if filter.is_used == Some(false) {
        sql.push(" AND u.last_used_at = 0");
    }
}

fn push_range<DB: Portable>(sql: &mut Sql<DB>, column: &str, range: DateRange) {
    if let Some(from) = range.from {
        push_and(sql, column, " >= ", from.into());
    }
    if let Some(to) = range.to {
        push_and(sql, column, " <= ", to.into());
    }
}

/// A text as a pattern that matches itself.
fn escaped(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(character);
    }
    pattern
}

const COUNT: &str = "COUNT(*) AS n";

/// Where tokens are counted. Their last uses are left out where nothing asks for them.
fn counted_tables(filter: &Filter) -> &'static str {
    if filter.last_used.is_open() && filter.is_used.is_none() {
        "pat_token t"
    } else {
        TOKENS
    }
}

/// `columns` of the tokens of a part, and as yet in no order.
fn part_sql<DB: Portable>(columns: &str, search: &Search, part: &Part<'_>) -> Sql<DB> {
    let tables = tables_of::<DB>(search);
    let mut sql = Sql::new(format!("SELECT {columns} FROM {tables}"));
    push_filter(&mut sql, &search.filter);
    part.push_condition(&mut sql, search.sort);
    sql
}

/// As a number in the text: whoever plans the statement then knows that few rows are wanted, and
/// takes the index that has them in order.
fn push_limit<DB: Portable>(sql: &mut Sql<DB>, offset: usize, limit: usize) {
    sql.push(format_args!(" LIMIT {limit} OFFSET {offset}"));
}

impl<DB: Portable> SqlxStore<DB> {
    /// One statement for each part that is needed. A row that is there throughout is in one of
    /// them, and in none of them twice, whatever happens between two.
    async fn try_search(&self, search: &Search) -> Result<Vec<Token>, Error> {
        let (parts, offset) = match &search.start {
            Start::After(place) => (Part::all_after(place), 0),
            Start::Offset(offset) => (vec![Part::Between(None, None)], *offset as usize),
        };
        let is_against_index = search.sort.is_descending && search.filter.owners.is_empty();
        let limit = search.limit as usize;
        let mut rows = Vec::with_capacity(limit);
        for part in parts {
            let rest = limit - rows.len();
            if rest == 0 {
                break;
            }
            rows.extend(match part {
                Part::Between(after, _) if is_against_index => {
                    self.descend(search, after, offset, rest).await?
                }
                part => self.page(search, &part, offset, rest).await?,
            });
        }
        rows.iter().map(row::token).collect()
    }

    async fn page(
        &self,
        search: &Search,
        part: &Part<'_>,
        offset: usize,
        limit: usize,
    ) -> Result<Vec<Row<DB>>, Error> {
        let mut sql = part_sql(TOKEN_COLUMNS, search, part);
        part.push_order(&mut sql, search.sort);
        push_limit(&mut sql, offset, limit);
        fetch(&self.pool, sql).await
    }

    /// A page of falling values.
    ///
    /// Read from its end, an index has the values in this order, but not equals. Databases then sort
    /// all equals, of which there may be very many (all that never expire, or were never used), and
    /// MySQL and MariaDB sort everything. So the value of the last row is looked up first: above it
    /// are few, and its equals are in order in the index.
    async fn descend(
        &self,
        search: &Search,
        mut after: Option<Value>,
        mut offset: usize,
        limit: usize,
    ) -> Result<Vec<Row<DB>>, Error> {
        let mut rows = Vec::with_capacity(limit);
        loop {
            let rest = limit - rows.len();
            let all = Part::Between(after.clone(), None);
            let last = self.value_at(search, &all, offset + rest - 1).await?;
            let above = Part::Between(after, last.clone());
            rows.extend(self.page(search, &above, offset, rest).await?);
            let (Some(last), true) = (last, rows.len() < limit) else {
                return Ok(rows);
            };
            if offset > 0 {
                let count = self.count_by(part_sql(COUNT, search, &above)).await?;
                offset = offset.saturating_sub(usize::try_from(count).map_err(corrupt)?);
            }
            let equals = Part::Equals(last.clone());
            let rest = limit - rows.len();
            rows.extend(self.page(search, &equals, offset, rest).await?);
            if rows.len() == limit {
                return Ok(rows);
            }
            // Some have gone since the value was looked up.
            (after, offset) = (Some(last), 0);
        }
    }

    /// The value of the token that has so many of a part before it; `None` if there are not as many.
    async fn value_at(
        &self,
        search: &Search,
        part: &Part<'_>,
        offset: usize,
    ) -> Result<Option<Value>, Error> {
        let key = search.sort.key;
        let value = Columns::of(key).value;
        let mut sql = part_sql(&format!("{value} AS value"), search, part);
        sql.push(format_args!(" ORDER BY {value} DESC"));
        push_limit(&mut sql, offset, 1);
        let rows = fetch(&self.pool, sql).await?;
        let value = rows.first().map(|row| match key {
            SortKey::Name | SortKey::Owner => row.text("value").map(|text| text.as_str().into()),
            SortKey::CreatedAt | SortKey::ExpiresAt | SortKey::LastUsedAt => {
                row.int("value").map(Value::from)
            }
        });
        value.transpose()
    }

    async fn try_count(&self, filter: &Filter) -> Result<u64, Error> {
        let tables = counted_tables(filter);
        let mut sql = Sql::<DB>::new(format!("SELECT {COUNT} FROM {tables}"));
        push_filter(&mut sql, filter);
        self.count_by(sql).await
    }

    /// What a statement that selects [`COUNT`] counts.
    async fn count_by(&self, sql: Sql<DB>) -> Result<u64, Error> {
        let rows = fetch(&self.pool, sql).await?;
        rows.first().ok_or(Error::RowNotFound)?.count("n")
    }

    async fn try_ids(&self, filter: &Filter) -> Result<Vec<TokenId>, Error> {
        let tables = counted_tables(filter);
        let mut sql = Sql::<DB>::new(format!("SELECT t.id FROM {tables}"));
        push_filter(&mut sql, filter);
        sql.push(" ORDER BY t.id");
        let rows = fetch(&self.pool, sql).await?;
        rows.iter().map(|row| row.token_id("id")).collect()
    }
}

#[async_trait]
impl<DB: Portable> SearchStore for SqlxStore<DB> {
    #[instrument(name = "pat.store.search", skip_all)]
    async fn search(&self, search: &Search) -> Result<Vec<Token>, StoreError> {
        self.retry(|| self.try_search(search)).await
    }

    #[instrument(name = "pat.store.count", skip_all)]
    async fn count(&self, filter: &Filter) -> Result<u64, StoreError> {
        self.retry(|| self.try_count(filter)).await
    }

    #[instrument(name = "pat.store.ids", skip_all)]
    async fn ids(&self, filter: &Filter) -> Result<Vec<TokenId>, StoreError> {
        self.retry(|| self.try_ids(filter)).await
    }
}
