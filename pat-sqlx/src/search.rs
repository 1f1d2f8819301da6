//! Looking through the tokens of all owners.

use async_trait::async_trait;
use jiff::Timestamp;
use pat_core::search::{
    DateRange, Filter, NEVER, Position, Revoked, Search, Sort, SortKey, SortValue, Start, fold,
};
use pat_core::store::SearchStore;
use pat_core::{StoreError, Token, TokenId};
use sqlx::Error;
use tracing::instrument;

use crate::lent::fetch;
use crate::row::{self, TOKEN_COLUMNS, TOKENS};
use crate::sql::{Sql, Value};
use crate::{Portable, SqlxStore};

/// The columns of an order: what is sorted by, and what decides between equals.
struct Columns {
    value: &'static str,
    created_at: &'static str,
    id: &'static str,
    /// What has these columns.
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
/// that has them in order, of which a page reads no more than it shows.
fn tables_of<DB: Portable>(search: &Search) -> String {
    let has_owners = !search.filter.owners.is_empty();
    let index = DB::by_index(if has_owners {
        BY_OWNER
    } else {
        Columns::of(search.sort.key).index
    });
    if search.sort.key == SortKey::LastUsedAt && !has_owners {
        format!("pat_last_used u{index} JOIN pat_token t ON t.id = u.token_id")
    } else {
        format!("pat_token t{index} LEFT JOIN pat_last_used u ON u.token_id = t.id")
    }
}

/// A part of the tokens after a place, that is one range of an index. All of one part come before
/// all of the next.
#[derive(Clone, Copy)]
enum Part<'a> {
    /// From the beginning.
    All,
    /// Equal but for the id.
    SameTime(&'a Position),
    /// Equal but for the time of creation.
    SameValue(&'a Position),
    /// The rest.
    OtherValue(&'a Position),
}

impl<'a> Part<'a> {
    fn all_after(position: &'a Position) -> [Self; 3] {
        [
            Self::SameTime(position),
            Self::SameValue(position),
            Self::OtherValue(position),
        ]
    }

    fn push<DB: Portable>(self, sql: &mut Sql<DB>, sort: Sort) {
        let Columns {
            value,
            created_at,
            id,
            ..
        } = Columns::of(sort.key);
        let beyond = if sort.is_descending { " < " } else { " > " };
        match self {
            Self::All => {}
            Self::SameTime(place) => {
                push_and(sql, value, " = ", value_of(place));
                push_and(sql, created_at, " = ", place.created_at.into());
                push_and(sql, id, " > ", place.id.into());
            }
            Self::SameValue(place) => {
                push_and(sql, value, " = ", value_of(place));
                push_and(sql, created_at, " < ", place.created_at.into());
            }
            Self::OtherValue(place) => push_and(sql, value, beyond, value_of(place)),
        }
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

const LATEST_EXPIRY: Sort = Sort {
    key: SortKey::ExpiresAt,
    is_descending: true,
};

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

/// Where tokens are counted. Their last uses are left out where nothing asks for them.
fn counted_tables(filter: &Filter) -> &'static str {
    if filter.last_used.is_open() && filter.is_used.is_none() {
        "pat_token t"
    } else {
        TOKENS
    }
}

impl<DB: Portable> SqlxStore<DB> {
    /// One statement for each part that is needed. A row that is there throughout is in one of
    /// them, and in none of them twice, whatever happens between two.
    async fn try_search(&self, search: &Search) -> Result<Vec<Token>, Error> {
        // Those that never expire may be many. As equals of each other they are in order in the
        // index; read from its end, the index alone does not have them in order.
        let before_all = TokenId::new(0)
            .filter(|_| search.sort == LATEST_EXPIRY)
            .map(|id| Position {
                value: SortValue::Time(NEVER),
                created_at: Timestamp::MAX,
                id,
            });
        let (parts, offset) = match (&search.start, &before_all) {
            (Start::After(place), _) | (Start::Offset(0), Some(place)) => {
                (Part::all_after(place).to_vec(), 0)
            }
            (Start::Offset(offset), _) => (vec![Part::All], *offset),
        };
        let limit = search.limit as usize;
        let mut tokens = Vec::with_capacity(limit);
        for part in parts {
            let rest = limit - tokens.len();
            if rest == 0 {
                break;
            }
            let mut sql = part_sql::<DB>(search, part);
            // As a number in the text: whoever plans the statement then knows that few rows are
            // wanted, and takes the index that has them in order.
            sql.push(format_args!(" LIMIT {rest} OFFSET {offset}"));
            for row in fetch(&self.pool, sql).await? {
                tokens.push(row::token(&row)?);
            }
        }
        Ok(tokens)
    }

    async fn try_count(&self, filter: &Filter) -> Result<u64, Error> {
        let tables = counted_tables(filter);
        let mut sql = Sql::<DB>::new(format!("SELECT COUNT(*) AS n FROM {tables}"));
        push_filter(&mut sql, filter);
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

fn part_sql<DB: Portable>(search: &Search, part: Part<'_>) -> Sql<DB> {
    let Search { filter, sort, .. } = search;
    let Columns {
        value,
        created_at,
        id,
        ..
    } = Columns::of(sort.key);
    let tables = tables_of::<DB>(search);
    let mut sql = Sql::new(format!("SELECT {TOKEN_COLUMNS} FROM {tables}"));
    push_filter(&mut sql, filter);
    part.push(&mut sql, *sort);
    let direction = if sort.is_descending { "DESC" } else { "ASC" };
    match (part, sort.key) {
        (Part::SameTime(_), _) => sql.push(format_args!(" ORDER BY {id}")),
        (Part::SameValue(_), _) => sql.push(format_args!(" ORDER BY {created_at} DESC, {id}")),
        (_, SortKey::CreatedAt) => sql.push(format_args!(" ORDER BY {value} {direction}, {id}")),
        _ => sql.push(format_args!(
            " ORDER BY {value} {direction}, {created_at} DESC, {id}"
        )),
    };
    sql
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
