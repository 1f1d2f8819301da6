//! Statements and rows that work on every database.

use std::fmt::Display;

use jiff::Timestamp;
use pat_core::store::StoreTime;
use pat_core::{Owner, TokenDigest, TokenId};
use sqlx::{Error, QueryBuilder};

use crate::dialect::{Dialect, Value};
use crate::sql_dialect::Chain;
use crate::unprepared::{Unprepared, is_out_of_statements};

/// How many rows one statement writes at most, well within every database's limit of parameters.
pub(crate) const CHUNK: usize = 1_000;

/// How many values of a column that is `NULL` in most rows a statement looks up. Of more than 200, MySQL does not count
/// the matches of each value (`eq_range_index_dive_limit`).
pub(crate) const SPARSE_CHUNK: usize = 128;

/// How many rows of many a statement inserts.
///
/// SQLite takes longer to parse a statement with many rows than to run it, so there it is a short one that stays
/// prepared. To a server, each statement is a round trip.
const fn inserted_at_once<DB: Dialect>() -> usize {
    if DB::HAS_SERVER { CHUNK } else { 32 }
}

/// How many rows an `INSERT` that stays prepared has at most on a server.
///
/// Where each `INSERT` is sent by itself ([`Chain::None`]), their numbers of rows are powers of two, so that there are
/// few statement texts, which all stay prepared: a MySQL driver that closes a statement makes the next one wait for a
/// delayed acknowledgement of TCP. More rows at once hardly take less time each, and a prepared statement of 64 events
/// takes 600 kB of a server's memory.
const PIECE: usize = 64;

/// The clock that a store uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClockSource {
    /// The database's clock, where it has one.
    Database,
    /// The caller's clock.
    Caller,
}

impl ClockSource {
    /// Returns an SQL expression for the time; NULL where the caller's clock counts.
    pub(crate) const fn expression<DB: Dialect>(self) -> &'static str {
        match self {
            Self::Database => DB::CLOCK,
            Self::Caller => "NULL",
        }
    }
}

/// An `INSERT` of some rows.
pub(crate) struct Insert {
    /// The table and its columns, as in `pat_owner (owner, seq)`.
    into: &'static str,
    rows: Vec<Vec<Value>>,
    /// The clause for rows that exist already.
    on_conflict: String,
}

impl Insert {
    pub(crate) fn new<const N: usize>(
        into: &'static str,
        rows: impl IntoIterator<Item = [Value; N]>,
    ) -> Self {
        let rows = rows.into_iter().map(Vec::from).collect();
        Self {
            into,
            rows,
            on_conflict: String::new(),
        }
    }

    /// Returns inserts of these rows, as many at once as the database takes well.
    pub(crate) fn chunks<DB: Dialect, const N: usize>(
        into: &'static str,
        rows: Vec<[Value; N]>,
    ) -> Vec<Self> {
        let mut rows = rows.into_iter().peekable();
        let mut inserts = Vec::new();
        while rows.peek().is_some() {
            let chunk = rows.by_ref().take(inserted_at_once::<DB>());
            inserts.push(Self::new(into, chunk));
        }
        inserts
    }

    /// Leaves a row as it is if one with the same `key`, the primary key's column, exists.
    pub(crate) fn or_ignore<DB: Dialect>(self, key: &str) -> Self {
        self.on_conflict(DB::or_ignore(key))
    }

    /// Sets the clause for rows that exist already.
    pub(crate) fn on_conflict(self, on_conflict: String) -> Self {
        Self {
            on_conflict,
            ..self
        }
    }

    /// Returns the first `count` rows as an insert of their own, and leaves the others.
    fn split_off(&mut self, count: usize) -> Self {
        let rest = self.rows.split_off(count);
        Self {
            into: self.into,
            rows: std::mem::replace(&mut self.rows, rest),
            on_conflict: self.on_conflict.clone(),
        }
    }

    /// Returns the same rows in inserts of at most [`PIECE`] rows, each a power of two.
    fn into_pieces(mut self) -> Vec<Self> {
        let mut pieces = Vec::new();
        while let Some(log) = self.rows.len().checked_ilog2() {
            let count = PIECE.min(1 << log);
            pieces.push(self.split_off(count));
        }
        pieces
    }

    fn push_to<DB: Dialect>(self, sql: &mut Sql<DB>) {
        sql.push(format_args!("INSERT INTO {} VALUES ", self.into));
        sql.bind_rows(self.rows).push(self.on_conflict);
    }

    /// Combines inserts into as few statements as this database takes well. One whose number of rows may be any is
    /// kept out of the cache of prepared statements.
    pub(crate) fn into_statements<DB: Dialect>(inserts: Vec<Self>) -> Vec<Sql<DB>> {
        let groups = match DB::CHAIN {
            Chain::None => {
                let pieces = inserts.into_iter().flat_map(Self::into_pieces);
                pieces.map(|piece| vec![piece]).collect()
            }
            Chain::With | Chain::Script => vec![inserts],
        };
        groups.into_iter().filter_map(Self::chain).collect()
    }

    fn chain<DB: Dialect>(mut inserts: Vec<Self>) -> Option<Sql<DB>> {
        let is_alone = inserts.len() == 1;
        let is_persistent = inserts.iter().all(|insert| {
            let rows = insert.rows.len();
            let is_common = if DB::HAS_SERVER {
                is_alone && rows <= PIECE && rows.is_power_of_two()
            } else {
                rows == inserted_at_once::<DB>()
            };
            rows == 1 || is_common
        });
        let last = inserts.pop()?;
        let mut sql = Sql::new("");
        for (number, insert) in inserts.into_iter().enumerate() {
            if DB::CHAIN == Chain::Script {
                insert.push_to(&mut sql);
                sql.push("; ");
                sql.count += 1;
            } else {
                let separator = if number == 0 { "WITH " } else { ", " };
                sql.push(format_args!("{separator}i{number} AS ("));
                insert.push_to(&mut sql);
                sql.push(") ");
            }
        }
        last.push_to(&mut sql);
        sql.is_persistent = is_persistent;
        Some(sql)
    }
}

/// A statement with its values.
pub(crate) struct Sql<DB: Dialect> {
    query: QueryBuilder<DB>,
    /// The bound values, where the server may refuse to prepare the statement.
    values: Vec<Value>,
    /// How many statements the text consists of.
    count: usize,
    /// Whether the connection keeps the prepared statement.
    is_persistent: bool,
}

impl<DB: Dialect> Sql<DB> {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self {
            query: QueryBuilder::new(text),
            values: Vec::new(),
            count: 1,
            is_persistent: true,
        }
    }

    pub(crate) fn push(&mut self, text: impl Display) -> &mut Self {
        self.query.push(text);
        self
    }

    pub(crate) fn bind(&mut self, value: impl Into<Value>) -> &mut Self {
        let value = value.into();
        if DB::LIMITS_PREPARED && !matches!(value, Value::Expression(_)) {
            self.values.push(value.clone());
        }
        DB::bind(&mut self.query, value);
        self
    }

    /// Appends `(a, b, c)` with values of one type, for a condition with `IN`. The last value is repeated
    /// until their number is a power of two, so that lists of all lengths have few statement texts: a
    /// connection keeps only some prepared statements, and a MySQL driver that closes one makes the next
    /// statement wait for a delayed acknowledgement of TCP.
    pub(crate) fn bind_in(
        &mut self,
        values: impl IntoIterator<Item = impl Into<Value>>,
    ) -> &mut Self {
        let mut values: Vec<Value> = values.into_iter().map(Into::into).collect();
        if let Some(last) = values.last().cloned() {
            values.resize(values.len().next_power_of_two(), last);
        }
        self.bind_list(values)
    }

    /// Appends `(a, b, c)` with values of one type.
    pub(crate) fn bind_list(
        &mut self,
        values: impl IntoIterator<Item = impl Into<Value>>,
    ) -> &mut Self {
        let mut separator = "(";
        for value in values {
            self.push(separator).bind(value);
            separator = ", ";
        }
        self.push(")")
    }

    /// Appends `(a, b, c)` with any values.
    pub(crate) fn bind_row<const N: usize>(&mut self, values: [Value; N]) -> &mut Self {
        self.bind_list(values)
    }

    /// Appends `(a, b), (c, d)`.
    pub(crate) fn bind_rows(
        &mut self,
        rows: impl IntoIterator<Item = impl IntoIterator<Item = Value>>,
    ) -> &mut Self {
        let mut separator = "";
        for row in rows {
            self.push(separator).bind_list(row);
            separator = ", ";
        }
        self
    }

    /// Returns the text of the statement.
    #[cfg(test)]
    pub(crate) fn text(self) -> String {
        self.query.sql().as_str().to_owned()
    }

    pub(crate) async fn fetch(
        self,
        connection: &mut DB::Connection,
    ) -> Result<Vec<Row<DB>>, Error> {
        let unprepared = Unprepared::new(self.query.sql(), self.values);
        let mut fetched = DB::fetch(self.query, connection).await;
        if let Err(error) = &fetched
            && is_out_of_statements::<DB>(error)
        {
            fetched = unprepared.run::<DB>(connection).await.map(|(rows, _)| rows);
        }
        Ok(fetched?.into_iter().map(Row).collect())
    }

    /// Returns how many rows were changed.
    pub(crate) async fn execute(self, connection: &mut DB::Connection) -> Result<u64, Error> {
        let unprepared = Unprepared::new(self.query.sql(), self.values);
        let changed = DB::execute_all(self.query, self.count, self.is_persistent, connection).await;
        match &changed {
            Err(error) if is_out_of_statements::<DB>(error) => {
                let (_, changed) = unprepared.run::<DB>(connection).await?;
                Ok(changed)
            }
            _ => changed,
        }
    }
}

/// A row whose columns are checked: a value that the store cannot have written is an error.
pub(crate) struct Row<DB: Dialect>(DB::Row);

impl<DB: Dialect> Row<DB> {
    pub(crate) fn optional_int(&self, column: &str) -> Result<Option<i64>, Error> {
        DB::int(&self.0, column)
    }

    pub(crate) fn int(&self, column: &str) -> Result<i64, Error> {
        self.optional_int(column)?.ok_or_else(|| null(column))
    }

    pub(crate) fn count(&self, column: &str) -> Result<u64, Error> {
        self.int(column)?.try_into().map_err(corrupt)
    }

    pub(crate) fn optional_text(&self, column: &str) -> Result<Option<String>, Error> {
        DB::text(&self.0, column)
    }

    pub(crate) fn text(&self, column: &str) -> Result<String, Error> {
        self.optional_text(column)?.ok_or_else(|| null(column))
    }

    pub(crate) fn optional_timestamp(&self, column: &str) -> Result<Option<Timestamp>, Error> {
        self.optional_int(column)?.map(timestamp).transpose()
    }

    pub(crate) fn timestamp(&self, column: &str) -> Result<Timestamp, Error> {
        timestamp(self.int(column)?)
    }

    /// Returns the time of the columns `clock` and `mark`; a mark of 0 means that there is none.
    pub(crate) fn store_time(&self) -> Result<StoreTime, Error> {
        let mark = self.optional_int("mark")?.filter(|mark| *mark != 0);
        Ok(StoreTime {
            clock: self.optional_timestamp("clock")?,
            mark: mark.map(timestamp).transpose()?,
        })
    }

    pub(crate) fn optional_token_id(&self, column: &str) -> Result<Option<TokenId>, Error> {
        self.optional_int(column)?.map(token_id).transpose()
    }

    pub(crate) fn token_id(&self, column: &str) -> Result<TokenId, Error> {
        token_id(self.int(column)?)
    }

    pub(crate) fn bytes(&self, column: &str) -> Result<Vec<u8>, Error> {
        DB::bytes(&self.0, column)
    }

    pub(crate) fn digest(&self, column: &str) -> Result<TokenDigest, Error> {
        let bytes = <[u8; 32]>::try_from(self.bytes(column)?);
        let wrong = |bytes: Vec<u8>| corrupt(format!("a digest has {} bytes", bytes.len()));
        bytes.map(TokenDigest::from_bytes).map_err(wrong)
    }

    pub(crate) fn optional_owner(&self, column: &str) -> Result<Option<Owner>, Error> {
        self.optional_text(column)?.map(owner).transpose()
    }

    pub(crate) fn owner(&self, column: &str) -> Result<Owner, Error> {
        owner(self.text(column)?)
    }
}

fn token_id(number: i64) -> Result<TokenId, Error> {
    TokenId::new(number).ok_or_else(|| corrupt(format!("a token ID is {number}")))
}

fn owner(key: String) -> Result<Owner, Error> {
    Owner::new(key).map_err(corrupt)
}

fn timestamp(micros: i64) -> Result<Timestamp, Error> {
    Timestamp::from_microsecond(micros).map_err(corrupt)
}

fn null(column: &str) -> Error {
    corrupt(format!("{column} is NULL"))
}

pub(crate) fn corrupt(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Decode(error.into())
}

/// Two statements of one transaction found different rows. Either another transaction has changed
/// them in between (a pruning, or a transaction on another member of a cluster), or a setting of the
/// session cuts results. A repeated attempt succeeds in the first case only.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct InconsistentRead(String);

impl InconsistentRead {
    pub(crate) fn error(what: String) -> Error {
        corrupt(Self(what))
    }

    pub(crate) fn is(error: &Error) -> bool {
        matches!(error, Error::Decode(error) if error.is::<Self>())
    }
}

#[cfg(feature = "mysql")]
#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use sqlx::MySql;

    use super::*;

    #[test]
    fn inserts_of_any_number_of_rows_have_few_texts_on_mysql() {
        let mut texts = BTreeSet::new();
        for count in 0..300_i64 {
            let insert = Insert::new("t (a)", (0..count).map(|row| [row.into()]));
            let mut rows = Vec::new();
            for sql in Insert::into_statements::<MySql>(vec![insert.or_ignore::<MySql>("a")]) {
                assert!(sql.is_persistent);
                let values = sql.values.iter().map(|value| match value {
                    Value::Int(Some(row)) => *row,
                    other => panic!("{other:?}"),
                });
                rows.extend(values);
                texts.insert(sql.text());
            }
            assert!(rows.iter().copied().eq(0..count), "{rows:?}");
        }
        assert_eq!(texts.len(), 7, "{texts:?}");
    }
}
