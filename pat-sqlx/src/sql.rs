//! Statements and rows that work on every database.

use std::fmt::Display;

use futures_util::TryStreamExt as _;
use futures_util::stream::BoxStream;
use jiff::Timestamp;
use pat_core::store::StoreTime;
use pat_core::{Owner, TokenDigest, TokenId};
use sqlx::{
    ColumnIndex, Database, Decode, Either, Encode, Error, Executor, IntoArguments, QueryBuilder,
    Row as _, Type, raw_sql,
};

use crate::dialect::{Chain, Dialect, SqlDialect};

/// Runs the statements of the one body of SQL, whose values are 64-bit integers, texts, bytes and
/// NULL.
///
/// Implemented for every [`SqlDialect`] whose driver knows these types; the bounds of that
/// implementation are the portability rule.
pub trait Statements: SqlDialect {
    /// Appends a placeholder with this value.
    fn bind(query: &mut QueryBuilder<Self>, value: Value);

    /// Runs a statement, and returns its rows.
    fn fetch(
        query: QueryBuilder<Self>,
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<Vec<Self::Row>, Error>> + Send;

    /// Runs a statement, and returns how many rows it changed. A statement whose text differs from
    /// call to call is not `is_persistent`: it is kept out of the cache of prepared statements.
    fn execute(
        query: QueryBuilder<Self>,
        is_persistent: bool,
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<u64, Error>> + Send {
        Self::execute_all(query, 1, is_persistent, connection)
    }

    /// Like [`Statements::execute`], for `count` statements that are sent as one ([`Chain::Script`]).
    fn execute_all(
        query: QueryBuilder<Self>,
        count: usize,
        is_persistent: bool,
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<u64, Error>> + Send;

    /// Runs statements without values and without preparing them.
    fn run(
        sql: &'static str,
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Returns the integer in a column; `None` for NULL.
    ///
    /// # Errors
    /// Returns an error if there is no such column, or if it has another type.
    fn int(row: &Self::Row, column: &str) -> Result<Option<i64>, Error>;

    /// Returns the text in a column; `None` for NULL.
    ///
    /// # Errors
    /// Returns an error if there is no such column, or if it has another type.
    fn text(row: &Self::Row, column: &str) -> Result<Option<String>, Error>;

    /// Returns the bytes in a column that is never NULL.
    ///
    /// # Errors
    /// Returns an error if there is no such column, if it is NULL, or if it has another type.
    fn bytes(row: &Self::Row, column: &str) -> Result<Vec<u8>, Error>;
}

impl<DB: SqlDialect> Statements for DB
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    DB::Arguments: IntoArguments<DB>,
    for<'q> i64: Encode<'q, DB> + Decode<'q, DB> + Type<DB>,
    for<'q> Option<i64>: Encode<'q, DB>,
    for<'q> String: Encode<'q, DB> + Decode<'q, DB> + Type<DB>,
    for<'q> Option<String>: Encode<'q, DB>,
    for<'q> Vec<u8>: Encode<'q, DB> + Decode<'q, DB> + Type<DB>,
    for<'i> &'i str: ColumnIndex<DB::Row>,
{
    fn bind(query: &mut QueryBuilder<DB>, value: Value) {
        match value {
            Value::Int(value) => query.push_bind(value),
            Value::Text(value) => query.push_bind(value),
            Value::Bytes(value) => query.push_bind(value),
            Value::Expression(text) => query.push(text),
        };
    }

    async fn fetch(
        mut query: QueryBuilder<DB>,
        connection: &mut DB::Connection,
    ) -> Result<Vec<DB::Row>, Error> {
        let all = collect_all::<DB>(connection.fetch_many(query.build()), 1).await?;
        Ok(all.rows)
    }

    async fn execute_all(
        mut query: QueryBuilder<DB>,
        count: usize,
        is_persistent: bool,
        connection: &mut DB::Connection,
    ) -> Result<u64, Error> {
        let query = query.build().persistent(is_persistent);
        let all = collect_all::<DB>(connection.fetch_many(query), count).await?;
        Ok(all.changed)
    }

    async fn run(sql: &'static str, connection: &mut DB::Connection) -> Result<(), Error> {
        let all = collect_all::<DB>(connection.fetch_many(raw_sql(sql)), 1).await;
        all.map(drop)
    }

    fn int(row: &DB::Row, column: &str) -> Result<Option<i64>, Error> {
        row.try_get(column)
    }

    fn text(row: &DB::Row, column: &str) -> Result<Option<String>, Error> {
        row.try_get(column)
    }

    fn bytes(row: &DB::Row, column: &str) -> Result<Vec<u8>, Error> {
        row.try_get(column)
    }
}

/// The whole response to a statement.
struct Response<DB: SqlDialect> {
    rows: Vec<DB::Row>,
    /// How many rows were changed.
    changed: u64,
}

/// The parts of a response, in the order in which the driver returns them.
type ResponseStream<'a, DB> =
    BoxStream<'a, Result<Either<<DB as Database>::QueryResult, <DB as Database>::Row>, Error>>;

/// Waits for the whole response to at least `count` statements.
///
/// # Errors
/// Returns `WorkerCrashed` if the response to a statement has no end. A driver may stop in the middle
/// without an error (SQLite's does if its thread panics, for want of memory), and the missing rows
/// would look like missing tokens.
async fn collect_all<DB: SqlDialect>(
    mut parts: ResponseStream<'_, DB>,
    count: usize,
) -> Result<Response<DB>, Error> {
    let mut rows = Vec::new();
    let (mut ends, mut changed) = (0, 0);
    while let Some(part) = parts.try_next().await? {
        match part {
            Either::Left(end) => {
                ends += 1;
                changed += DB::rows_affected(&end);
            }
            Either::Right(row) => rows.push(row),
        }
    }
    if ends < count {
        return Err(Error::WorkerCrashed);
    }
    Ok(Response { rows, changed })
}

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

/// A value in a statement. Not part of the public API.
#[derive(Debug, Clone)]
pub enum Value {
    /// A `BIGINT` or NULL.
    Int(Option<i64>),
    /// A text or NULL.
    Text(Option<String>),
    /// Bytes.
    Bytes(Vec<u8>),
    /// An SQL expression.
    Expression(&'static str),
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(Some(value))
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        i64::from(value).into()
    }
}

impl From<TokenId> for Value {
    fn from(value: TokenId) -> Self {
        value.get().into()
    }
}

impl From<Option<TokenId>> for Value {
    fn from(value: Option<TokenId>) -> Self {
        Self::Int(value.map(TokenId::get))
    }
}

impl From<Timestamp> for Value {
    fn from(value: Timestamp) -> Self {
        value.as_microsecond().into()
    }
}

impl From<Option<Timestamp>> for Value {
    fn from(value: Option<Timestamp>) -> Self {
        Self::Int(value.map(Timestamp::as_microsecond))
    }
}

impl From<&str> for Value {
    /// Replaces NUL, which PostgreSQL's text cannot hold. Only a reason or an error message can have
    /// one.
    fn from(value: &str) -> Self {
        Self::Text(Some(value.replace('\0', "\u{fffd}")))
    }
}

impl From<Option<&str>> for Value {
    fn from(value: Option<&str>) -> Self {
        value.map_or(Self::Text(None), Into::into)
    }
}

impl From<&Owner> for Value {
    fn from(value: &Owner) -> Self {
        value.as_str().into()
    }
}

impl From<Option<&Owner>> for Value {
    fn from(value: Option<&Owner>) -> Self {
        value.map(Owner::as_str).into()
    }
}

impl From<TokenDigest> for Value {
    fn from(value: TokenDigest) -> Self {
        Self::Bytes(value.as_bytes().to_vec())
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

    /// Leaves a row as it is if one with the same `key`, the primary key's column, exists.
    pub(crate) fn or_ignore<DB: Dialect>(self, key: &str) -> Self {
        Self {
            on_conflict: DB::or_ignore(key),
            ..self
        }
    }

    fn push_to<DB: Dialect>(self, sql: &mut Sql<DB>) {
        sql.push(format_args!("INSERT INTO {} VALUES ", self.into));
        sql.bind_rows(self.rows).push(self.on_conflict);
    }

    /// Combines inserts into as few statements as this database allows. A statement with a varying
    /// number of rows is kept out of the cache of prepared statements.
    pub(crate) fn into_statements<DB: Dialect>(inserts: Vec<Self>) -> Vec<Sql<DB>> {
        let groups = match DB::CHAIN {
            Chain::None => inserts.into_iter().map(|insert| vec![insert]).collect(),
            Chain::With | Chain::Script => vec![inserts],
        };
        groups.into_iter().filter_map(Self::chain).collect()
    }

    fn chain<DB: Dialect>(mut inserts: Vec<Self>) -> Option<Sql<DB>> {
        let is_persistent = inserts.iter().all(|insert| insert.rows.len() == 1);
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
        Some(if is_persistent {
            sql
        } else {
            sql.not_persistent()
        })
    }
}

/// A statement with its values.
pub(crate) struct Sql<DB: Dialect> {
    query: QueryBuilder<DB>,
    /// How many statements the text consists of.
    count: usize,
    is_persistent: bool,
}

impl<DB: Dialect> Sql<DB> {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self {
            query: QueryBuilder::new(text),
            count: 1,
            is_persistent: true,
        }
    }

    pub(crate) fn push(&mut self, text: impl Display) -> &mut Self {
        self.query.push(text);
        self
    }

    pub(crate) fn bind(&mut self, value: impl Into<Value>) -> &mut Self {
        DB::bind(&mut self.query, value.into());
        self
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

    /// Keeps the statement out of the cache of prepared statements.
    pub(crate) fn not_persistent(mut self) -> Self {
        self.is_persistent = false;
        self
    }

    pub(crate) async fn fetch(
        self,
        connection: &mut DB::Connection,
    ) -> Result<Vec<Row<DB>>, Error> {
        let rows = DB::fetch(self.query, connection).await?;
        Ok(rows.into_iter().map(Row).collect())
    }

    /// Returns how many rows were changed.
    pub(crate) async fn execute(self, connection: &mut DB::Connection) -> Result<u64, Error> {
        DB::execute_all(self.query, self.count, self.is_persistent, connection).await
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

    pub(crate) fn digest(&self, column: &str) -> Result<TokenDigest, Error> {
        let bytes = <[u8; 32]>::try_from(DB::bytes(&self.0, column)?);
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
