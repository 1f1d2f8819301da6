//! Statements and rows, as the one body of SQL uses them on any database.

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

use crate::Dialect;
use crate::dialect::Chain;

/// A database that knows all that the one body of SQL uses: 64-bit integers, text and bytes, and
/// the lack of them.
///
/// Implemented for every [`Dialect`] whose driver does; the bounds of that implementation are the
/// portability rule.
pub trait Portable: Dialect {
    /// Appends a placeholder with this value.
    fn bind(query: &mut QueryBuilder<Self>, value: Value);

    /// Runs a statement and returns its rows.
    fn fetch(
        query: QueryBuilder<Self>,
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<Vec<Self::Row>, Error>> + Send;

    /// Runs a statement and returns how many rows it touched. One that is not `kept` is of another
    /// length each time, so of no use to the cache of prepared statements.
    fn execute(
        query: QueryBuilder<Self>,
        is_kept: bool,
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<u64, Error>> + Send {
        Self::execute_all(query, 1, is_kept, connection)
    }

    /// The same, for so many statements that are sent as one ([`Chain::Script`]).
    fn execute_all(
        query: QueryBuilder<Self>,
        count: usize,
        is_kept: bool,
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<u64, Error>> + Send;

    /// Runs statements without values, which need not be such as can be prepared.
    fn run(
        sql: &'static str,
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// The integer in a column; `None` for NULL.
    ///
    /// # Errors
    /// There is no such column, or it holds something else.
    fn int(row: &Self::Row, column: &str) -> Result<Option<i64>, Error>;

    /// The text in a column; `None` for NULL.
    ///
    /// # Errors
    /// There is no such column, or it holds something else.
    fn text(row: &Self::Row, column: &str) -> Result<Option<String>, Error>;

    /// The bytes in a column, which is never NULL.
    ///
    /// # Errors
    /// There is no such column, or it holds something else.
    fn bytes(row: &Self::Row, column: &str) -> Result<Vec<u8>, Error>;
}

impl<DB: Dialect> Portable for DB
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
        let all = to_the_end::<DB>(connection.fetch_many(query.build()), 1).await?;
        Ok(all.rows)
    }

    async fn execute_all(
        mut query: QueryBuilder<DB>,
        count: usize,
        is_kept: bool,
        connection: &mut DB::Connection,
    ) -> Result<u64, Error> {
        let query = query.build().persistent(is_kept);
        let all = to_the_end::<DB>(connection.fetch_many(query), count).await?;
        Ok(all.touched)
    }

    async fn run(sql: &'static str, connection: &mut DB::Connection) -> Result<(), Error> {
        let all = to_the_end::<DB>(connection.fetch_many(raw_sql(sql)), 1).await;
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

/// All that a statement was answered.
struct Answer<DB: Dialect> {
    rows: Vec<DB::Row>,
    /// How many rows it changed.
    touched: u64,
}

/// The parts of an answer, as a driver gives them.
type Parts<'a, DB> =
    BoxStream<'a, Result<Either<<DB as Database>::QueryResult, <DB as Database>::Row>, Error>>;

/// Waits for the whole answer to so many statements, or more.
///
/// # Errors
/// One of them has no end: `WorkerCrashed`. A driver may stop in the midst of it and say nothing (SQLite's does
/// if its thread panics, which it does where there is no memory for a value), and what is missing would
/// pass for tokens that are not there.
async fn to_the_end<DB: Dialect>(
    mut parts: Parts<'_, DB>,
    count: usize,
) -> Result<Answer<DB>, Error> {
    let mut rows = Vec::new();
    let (mut ends, mut touched) = (0, 0);
    while let Some(part) = parts.try_next().await? {
        match part {
            Either::Left(end) => {
                ends += 1;
                touched += DB::rows_affected(&end);
            }
            Either::Right(row) => rows.push(row),
        }
    }
    if ends < count {
        return Err(Error::WorkerCrashed);
    }
    Ok(Answer { rows, touched })
}

/// Whose clock a store goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClockSource {
    /// The database's, where it has one.
    Database,
    /// The caller's.
    Caller,
}

impl ClockSource {
    /// An expression for the time; NULL where the caller's counts.
    pub(crate) const fn expression<DB: Dialect>(self) -> &'static str {
        match self {
            Self::Database => DB::CLOCK,
            Self::Caller => "NULL",
        }
    }
}

/// A value in a statement.
#[derive(Debug, Clone)]
pub enum Value {
    /// A `BIGINT` or NULL.
    Int(Option<i64>),
    /// A text or NULL.
    Text(Option<String>),
    /// Bytes.
    Bytes(Vec<u8>),
    /// What the database finds out itself: an expression of ours.
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
    /// PostgreSQL's text has no NUL. Only words for humans can have one: a reason, an error.
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

/// Rows that are to be inserted into a table.
pub(crate) struct Insert {
    /// The table and its columns, as in `pat_owner (owner, seq)`.
    into: &'static str,
    rows: Vec<Vec<Value>>,
    /// What is to be done where a row is there already.
    or: String,
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
            or: String::new(),
        }
    }

    /// Leaves rows as they are that are there already, by the table's `key`.
    pub(crate) fn or_ignore<DB: Dialect>(self, key: &str) -> Self {
        Self {
            or: DB::or_ignore(key),
            ..self
        }
    }

    fn push_to<DB: Portable>(self, sql: &mut Sql<DB>) {
        sql.push(format_args!("INSERT INTO {} VALUES ", self.into));
        sql.bind_rows(self.rows).push(self.or);
    }

    /// As few statements as this database can do with. Those with as many rows as there happen to be
    /// are not kept prepared.
    pub(crate) fn statements<DB: Portable>(inserts: Vec<Self>) -> Vec<Sql<DB>> {
        let groups = match DB::CHAIN {
            Chain::None => inserts.into_iter().map(|insert| vec![insert]).collect(),
            Chain::With | Chain::Script => vec![inserts],
        };
        groups.into_iter().filter_map(Self::chain).collect()
    }

    fn chain<DB: Portable>(mut inserts: Vec<Self>) -> Option<Sql<DB>> {
        let is_kept = inserts.iter().all(|insert| insert.rows.len() == 1);
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
        Some(if is_kept { sql } else { sql.unprepared() })
    }
}

/// A statement that is being put together.
pub(crate) struct Sql<DB: Portable> {
    query: QueryBuilder<DB>,
    /// How many statements it is.
    count: usize,
    is_kept: bool,
}

impl<DB: Portable> Sql<DB> {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self {
            query: QueryBuilder::new(text),
            count: 1,
            is_kept: true,
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

    /// Appends `(a, b, c)`, of values of one type.
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

    /// Appends `(a, b, c)`, of any values.
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
    pub(crate) fn unprepared(mut self) -> Self {
        self.is_kept = false;
        self
    }

    pub(crate) async fn fetch(
        self,
        connection: &mut DB::Connection,
    ) -> Result<Vec<Row<DB>>, Error> {
        let rows = DB::fetch(self.query, connection).await?;
        Ok(rows.into_iter().map(Row).collect())
    }

    /// The first row, of a statement that always has one.
    pub(crate) async fn fetch_one(self, connection: &mut DB::Connection) -> Result<Row<DB>, Error> {
        let rows = self.fetch(connection).await?;
        rows.into_iter().next().ok_or(Error::RowNotFound)
    }

    /// Returns how many rows were touched.
    pub(crate) async fn execute(self, connection: &mut DB::Connection) -> Result<u64, Error> {
        DB::execute_all(self.query, self.count, self.is_kept, connection).await
    }
}

/// A row. What a column holds is checked: a row that cannot be one of ours is an error, never a
/// guess.
pub(crate) struct Row<DB: Portable>(DB::Row);

impl<DB: Portable> Row<DB> {
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

    /// The time that the columns `clock` and `mark` tell; a mark of 0 is none.
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
    TokenId::new(number).ok_or_else(|| corrupt(format!("a token id is {number}")))
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

/// Two statements of one transaction have met different rows. Others have changed them between the
/// two (prunings do, and the other members of a cluster), or the session is set to cut what is
/// selected. Which of them, a second attempt shows.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Disagreement(String);

impl Disagreement {
    pub(crate) fn error(what: String) -> Error {
        corrupt(Self(what))
    }

    pub(crate) fn is(error: &Error) -> bool {
        matches!(error, Error::Decode(error) if error.is::<Self>())
    }
}
