//! The databases, and how their drivers run the statements of the one body of SQL.

use futures_util::TryStreamExt as _;
use futures_util::stream::BoxStream;
use jiff::Timestamp;
use pat_core::scope::Scopes;
use pat_core::{Owner, TokenDigest, TokenId};
use sqlx::{
    AssertSqlSafe, ColumnIndex, Database, Decode, Either, Encode, Error, Executor, IntoArguments,
    QueryBuilder, Row as _, Type, raw_sql,
};

use crate::sql_dialect::SqlDialect;

/// A kind of database in which an [`SqlxStore`](crate::SqlxStore) can keep tokens: a bound for code that is
/// generic over the database. `sqlx::Sqlite`, `sqlx::Postgres` and `sqlx::MySql` (also for MariaDB)
/// implement this trait if the feature `sqlite`, `postgres` or `mysql` of this crate is enabled.
///
/// The trait is sealed: other crates cannot implement it, and cannot call its methods.
pub trait Dialect: Statements {}

impl<DB: Statements> Dialect for DB {}

/// Runs SQL statements through the sqlx driver of a database, and reads their rows. The statements of the
/// store use only four types of values, which all drivers know: 64-bit integers, texts, bytes and NULL.
///
/// Internal to this crate: a supertrait of [`Dialect`], implemented for every [`SqlDialect`] whose sqlx
/// driver encodes and decodes these types.
pub trait Statements: SqlDialect {
    /// Appends a placeholder to the query, and binds this value to it. For a [`Value::Expression`], appends
    /// the text of the expression instead, and binds nothing.
    fn bind(query: &mut QueryBuilder<Self>, value: Value);

    /// Runs a statement, and returns its rows.
    fn fetch(
        query: QueryBuilder<Self>,
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<Vec<Self::Row>, Error>> + Send;

    /// Runs a statement, and returns how many rows it changed ([`SqlDialect::rows_affected`]). If
    /// `is_persistent` is `true`, the connection keeps the prepared statement for further calls; pass `false`
    /// for a statement whose text differs from call to call, so that it does not fill the cache of prepared
    /// statements.
    fn execute(
        query: QueryBuilder<Self>,
        is_persistent: bool,
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<u64, Error>> + Send {
        Self::execute_all(query, 1, is_persistent, connection)
    }

    /// Runs `count` statements that are sent as one text ([`Chain::Script`]), and returns how many rows
    /// they changed together. `is_persistent` has the meaning that it has in [`Statements::execute`].
    fn execute_all(
        query: QueryBuilder<Self>,
        count: usize,
        is_persistent: bool,
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<u64, Error>> + Send;

    /// Runs one or more SQL statements, separated by semicolons, without values and without preparing
    /// them.
    fn run(
        sql: &'static str,
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Runs a statement without values and without preparing it. Returns its rows, and how many rows it changed.
    fn run_text(
        sql: String,
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<(Vec<Self::Row>, u64), Error>> + Send;

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

    async fn run_text(
        sql: String,
        connection: &mut DB::Connection,
    ) -> Result<(Vec<DB::Row>, u64), Error> {
        let query = raw_sql(AssertSqlSafe(sql));
        let all = collect_all::<DB>(connection.fetch_many(query), 1).await?;
        Ok((all.rows, all.changed))
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

/// A value that an SQL statement of the store passes to the database. Not part of the public API.
#[derive(Debug, Clone)]
pub enum Value {
    /// A 64-bit integer for a `BIGINT` column; `None` for NULL.
    Int(Option<i64>),
    /// A text; `None` for NULL.
    Text(Option<String>),
    /// Bytes, such as the digest of a token.
    Bytes(Vec<u8>),
    /// An SQL expression, which becomes part of the statement's text instead of a bound value.
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
    /// Converts a text, and replaces each character NUL by U+FFFD, since PostgreSQL's text cannot hold
    /// NUL. Only the reason for a revocation or an error message can contain NUL.
    fn from(value: &str) -> Self {
        Self::Text(Some(value.replace('\0', "\u{fffd}")))
    }
}

impl From<Option<&str>> for Value {
    fn from(value: Option<&str>) -> Self {
        value.map_or(Self::Text(None), Into::into)
    }
}

impl From<Option<&Scopes>> for Value {
    fn from(value: Option<&Scopes>) -> Self {
        value.map(Scopes::as_str).into()
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
