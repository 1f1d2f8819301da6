//! What differs between the databases.

use std::fmt::Write as _;
use std::path::Path;

use sqlx::error::DatabaseError;
use sqlx::migrate::Migrate;
use sqlx::{Connection, Database, Pool, database::HasStatementCache};

use crate::error::ConnectError;
use crate::settings::Setting;

/// How several `INSERT` statements are sent to the database in one round trip ([`SqlDialect::CHAIN`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chain {
    /// Each statement is sent by itself.
    None,
    /// The statements are sent as one: the last statement, with all others in its `WITH` clause.
    With,
    /// The statements are sent as one text, separated by semicolons. The database returns a result for each
    /// statement; if there are fewer results than statements, the call fails.
    Script,
}

/// The SQL statements, such as `GRANT SELECT …`, with which an administrator of the database gives the
/// database account of the host the privileges that the store needs. The store does not run them:
/// `PostgresStore::grants` and `MySqlStore::grants` return them, and a [`ConnectError::Forbidden`] shows them.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Grants {
    /// Statements that grant the privileges for using tables that exist and are up to date.
    pub to_run: Vec<String>,
    /// Statements that grant the privileges for creating the tables or bringing them up to date, in addition
    /// to those of [`Grants::to_run`].
    pub to_migrate: Vec<String>,
}

/// The parts of the store's SQL that differ between SQLite, PostgreSQL and MySQL (also MariaDB). All other
/// statements of the store are the same for every database.
///
/// Internal to this crate: a supertrait of the sealed trait [`Dialect`](crate::Dialect), implemented for
/// `sqlx::Sqlite`, `sqlx::Postgres` and `sqlx::MySql`. Other crates cannot implement it.
pub trait SqlDialect: Database<Connection: Migrate> + HasStatementCache {
    /// The SQL that begins a transaction that will write.
    ///
    /// On SQLite, which has one writer at a time, it takes the write lock at once, so that the
    /// transaction cannot fail later when it first writes. On the other databases it sets the isolation
    /// level `READ COMMITTED`, whatever the pool's default is: a transaction that has waited for a lock
    /// must see what the holder of the lock has written.
    const BEGIN_WRITE: &'static str;

    /// Whether [`SqlDialect::BEGIN_WRITE`] excludes all other writers until the end of the transaction,
    /// so that statements need not lock rows: `true` on SQLite only.
    const HAS_ONE_WRITER: bool;

    /// The SQL that commits a transaction which [`SqlDialect::BEGIN_WRITE`] began. It starts no new
    /// transaction, even if a setting of the session (`completion_type` on MySQL) asks for that.
    const COMMIT: &'static str;

    /// The SQL that rolls back a transaction which [`SqlDialect::BEGIN_WRITE`] began. It starts no new
    /// transaction, even if a setting of the session asks for that.
    const ROLLBACK: &'static str;

    /// How inserts into several tables are sent in one round trip to this database.
    const CHAIN: Chain;

    /// The end of a `SELECT` that locks the rows it reads until the end of the transaction, such as
    /// ` FOR UPDATE`; empty on SQLite, which has one writer at a time.
    ///
    /// Use it only for work that may be done twice, because on a Galera cluster this lock holds on one
    /// member only. A lock that a guarantee depends on is taken with [`SqlDialect::or_count_up`].
    const FOR_UPDATE: &'static str;

    /// The end of a `SELECT` that locks the rows it reads, like [`SqlDialect::FOR_UPDATE`], but leaves
    /// out the rows that another transaction has locked; empty on SQLite.
    const SKIP_LOCKED: &'static str;

    /// An SQL expression for the time of the database's clock, in microseconds since
    /// 1970-01-01T00:00:00Z. The time advances within a transaction. `NULL` on SQLite, which runs in
    /// this process and has no clock of its own: the store then uses the caller's time.
    const CLOCK: &'static str;

    /// Whether the database has a server process: `false` on SQLite only. A server can continue a
    /// statement after the client has cancelled the call, and can be restarted while the client runs.
    const HAS_SERVER: bool;

    /// An SQL expression that is 1 if the database accepts writes, and 0 if it is a read-only replica.
    const IS_WRITABLE: &'static str;

    /// The SQL of the migrations that create the store's tables, in order. Each migration can be run
    /// again after it was applied in part.
    const MIGRATIONS: [&'static str; 10];

    /// The SQL that creates the table of migrations, with the columns with which sqlx creates it.
    const CREATE_MIGRATIONS_TABLE: &'static str;

    /// Returns an SQL literal of bytes; `hex` has two digits for each byte.
    fn bytes_literal(hex: &str) -> String;

    /// Whether the server limits the number of prepared statements of all connections together: `true` on MySQL only.
    const LIMITS_PREPARED: bool = false;

    /// How many prepared statements a connection may keep when it goes back to its pool. If there are more, they are
    /// all closed then: a call would have to wait where the driver closes one, on MySQL only.
    const MAX_IDLE_PREPARED: usize = usize::MAX;

    /// Returns the end of an `INSERT` that does nothing if a row with the same primary key exists; `key`
    /// is the column of the primary key. The `INSERT` takes no shared lock on that row: two transactions
    /// that had one, and then locked the row exclusively, would wait for each other.
    fn or_ignore(key: &str) -> String;

    /// Returns the end of an `INSERT` into `table` that adds 1 to the column `seq` if a row with the same
    /// primary key exists; `key` is the column of the primary key.
    ///
    /// The statement locks the row until the end of the transaction, on a Galera cluster too, whose
    /// members detect conflicts only between writes that change a row. On SQLite, which has one writer at
    /// a time, the existing row is not changed.
    fn or_count_up(table: &str, key: &str) -> String;

    /// Two statements for Galera clusters (MySQL and MariaDB), which switch eager locks on and off;
    /// `None` on other databases. With eager locks, a Galera cluster locks the rows that a statement
    /// changes on all members when the statement runs, and not only at the commit. On a server outside a
    /// cluster the first statement fails without an effect.
    ///
    /// Without eager locks, the first transaction to commit wins: many fast creations of tokens on one
    /// member could make a slower revocation on another member fail again and again. Eager locks take
    /// time, so a transaction uses them only after it has failed three times.
    const EAGER_LOCKS: Option<[&'static str; 2]>;

    /// Returns the end of an `INSERT` into `table` that, if a row with the same primary key exists,
    /// overwrites the columns `time` and `others` of that row if its `time` is earlier than the new one,
    /// and otherwise does nothing. `key` is the column of the primary key.
    fn upsert_if_newer(table: &str, key: &str, time: &str, others: &[&str]) -> String;

    /// The SQL keywords that join two tables so that the database reads the first table first, in the
    /// order of its index; `JOIN` on PostgreSQL, whose planner finds that order by itself.
    const JOIN_IN_ORDER: &'static str;

    /// Returns the SQL that joins a table under the name `alias`, whose rows are looked up one by one: by the column
    /// `key`, its primary key, with this value of a table before it. PostgreSQL's planner would read the whole table
    /// instead if it expects a thousand rows.
    fn look_up(table: &str, alias: &str, key: &str, value: &str) -> String {
        let in_order = Self::JOIN_IN_ORDER;
        format!(" {in_order} {table} {alias} ON {alias}.{key} = {value}")
    }

    /// Returns the SQL that, after the name of a table, makes the planner use this index; empty on
    /// PostgreSQL, whose planner finds the index by itself. The statement must be able to use the index,
    /// otherwise it may fail.
    fn by_index(index: &str) -> String;

    /// The same for a list of at most [`SPARSE_CHUNK`](crate::sql::SPARSE_CHUNK) values of a column that is `NULL` in
    /// most rows.
    fn by_sparse_index(index: &str) -> String {
        Self::by_index(index)
    }

    /// The SQL that, after the name of a table, makes the planner read the whole table; empty where
    /// statistics tell the planner when that is better. For an index with many matches, SQLite would read the rows
    /// in random order.
    const BY_NO_INDEX: &'static str;

    /// The index of the tokens that are not revoked, by owner. On MySQL, which has no partial indexes, it is
    /// the index of revocations, whose next column is the owner.
    const BY_UNREVOKED_OWNER: &'static str;

    /// The greatest number of matches that any page of a search reads and sorts: about as many as take the time in
    /// which the database passes over 5,000 tokens in the order of an index. Measured among 1,000,000 tokens.
    const NARROW: u32;

    /// Returns an expression with the values of a column which hides from the planner that an index has the column:
    /// another index yields few rows, which are then to be filtered or sorted. Only PostgreSQL needs it, since its
    /// planner cannot be given an index.
    fn unindexed(column: &str, is_text: bool) -> String;

    /// Returns the SQL that, after the name of a table, makes the planner use this index in a statement
    /// that locks the first rows of the index. Without this SQL, MySQL may lock all matching rows, for
    /// which other writers would have to wait. Empty on SQLite and PostgreSQL, which lock only the rows
    /// that the statement returns.
    fn lock_by_index(index: &str) -> String;

    /// Returns whether this error means that the server ends the connection, or cannot run any statement
    /// now: it shuts down, is starting, or has become a replica. The store then repeats the call on
    /// another connection. Always `false` on SQLite.
    fn is_disconnect(error: &dyn DatabaseError) -> bool;

    /// Returns whether this error means that another transaction interfered, so that the store may repeat
    /// the transaction: a deadlock, a timeout for a lock, a serialization failure, or a busy SQLite file.
    fn is_transient(error: &dyn DatabaseError) -> bool;

    /// Returns whether this error means that the server does not prepare a statement, since it has too many prepared
    /// ones ([`SqlDialect::LIMITS_PREPARED`]). A transaction continues after it.
    fn is_out_of_statements(_error: &dyn DatabaseError) -> bool {
        false
    }

    /// Returns whether this error reports a missing table.
    fn is_missing_table(error: &dyn DatabaseError) -> bool;

    /// Returns whether a migration may have failed with this error because another process runs the same
    /// migration: a table or column that the migration creates exists already, or changes meanwhile.
    fn is_concurrent_migration(error: &dyn DatabaseError) -> bool;

    /// Returns whether this error reports that the database account lacks a privilege.
    fn is_forbidden(error: &dyn DatabaseError) -> bool;

    /// Returns the SQL statements that grant the database account of this connection the privileges that
    /// the store needs.
    ///
    /// # Errors
    /// The error of the database if it cannot be queried.
    fn grants(
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<Grants, sqlx::Error>> + Send;

    /// Returns facts about the server, each with its name, for the command `doctor`: its version, and what its
    /// sessions begin with.
    ///
    /// # Errors
    /// The error of the database if it cannot be queried.
    #[cfg(feature = "commands")]
    fn facts(
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<Vec<(&'static str, String)>, sqlx::Error>> + Send;

    /// Returns how many rows the statement with this result changed. A row that an `UPDATE` sets to the values
    /// that it has already also counts, on MySQL too, because sqlx asks MySQL for the matched rows.
    fn rows_affected(result: &Self::QueryResult) -> u64;

    /// The SQL that notifies the other processes on this database of a change; `None` on SQLite and
    /// MySQL, which have no notifications.
    const NOTIFY: Option<&'static str>;

    /// Calls `notify` each time any process runs [`SqlDialect::NOTIFY`], until the connection ends. Returns
    /// `Ok` if the connection ended without an error; in either case the caller must call the method again. On
    /// SQLite and MySQL, which have no notifications, the method never returns.
    ///
    /// # Errors
    /// The error with which the connection ended, or could not be opened.
    fn listen(
        pool: &Pool<Self>,
        notify: &(dyn Fn() + Send + Sync),
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// The settings of a connection that the store checks: those that [`SqlDialect::apply_settings`]
    /// sets, and others that can change what statements mean.
    const SETTINGS: &'static [Setting];

    /// Sets the values in [`SqlDialect::SETTINGS`] on a new connection, and the other settings of the
    /// session that the store needs.
    ///
    /// # Errors
    /// The error of the database if it refuses a value.
    fn apply_settings(
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// Reads the values that the settings in [`SqlDialect::SETTINGS`] have on this connection. Leaves out
    /// settings that this version of the database does not have.
    ///
    /// # Errors
    /// The error of the database if it cannot be queried.
    fn read_settings(
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<Vec<(Setting, String)>, sqlx::Error>> + Send;

    /// Returns the file of a SQLite database; `None` on other databases.
    fn file(options: &<Self::Connection as Connection>::Options) -> Option<&Path>;

    /// Returns whether this connection has a database of its own, in memory or in a temporary file: possible
    /// on SQLite only.
    ///
    /// # Errors
    /// The error of the database if it cannot be queried.
    fn has_no_file(
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<bool, sqlx::Error>> + Send;

    /// Makes the next commit on this connection leave the checkpoint to [`SqlDialect::checkpoint`], and returns what
    /// that needs. Does nothing and returns `None` where a commit makes no checkpoint: on SQLite, one that finds
    /// many pages in the write-ahead log copies them into the file of the database, before it returns.
    ///
    /// # Errors
    /// The error of the database if the setting cannot be changed.
    fn put_off_checkpoint(
        _: &mut Self::Connection,
    ) -> impl Future<Output = Result<Option<i64>, sqlx::Error>> + Send {
        std::future::ready(Ok(None))
    }

    /// Makes the checkpoint that was put off, as far as readers allow, and makes later commits on this connection
    /// make their own again. `put_off` is what [`SqlDialect::put_off_checkpoint`] returned.
    ///
    /// # Errors
    /// The error of the database if the checkpoint fails or the setting cannot be changed.
    fn checkpoint(
        _put_off: i64,
        _: &mut Self::Connection,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send {
        std::future::ready(Ok(()))
    }

    /// Checks what the store needs of the server: on MySQL and MariaDB the version and the format of the
    /// binary log; on PostgreSQL the version, the encoding, the search path, and that no row-level security
    /// hides rows. SQLite, which has no server, always passes.
    ///
    /// # Errors
    /// [`ConnectError::Unsuitable`] or [`ConnectError::Setting`] if the store cannot work with the server,
    /// and [`ConnectError::Open`] if the server does not answer.
    fn check(
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<(), ConnectError>> + Send;

    /// Checks that the tables, which are up to date, are the store's own and were made as the migrations say:
    /// on PostgreSQL that they are in the first schema of the search path, on MySQL and MariaDB their
    /// collations.
    ///
    /// # Errors
    /// [`ConnectError::Unsuitable`] or [`ConnectError::Setting`] if the store cannot work with the tables,
    /// and [`ConnectError::Open`] if the server does not answer.
    fn check_tables(
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<(), ConnectError>> + Send;

    /// Checks with two connections that no pooler, such as PgBouncer in transaction mode, shares a
    /// database session between connections. Through such a pooler, the settings of one connection would
    /// apply to another. Only PostgreSQL is checked; other databases always pass.
    ///
    /// # Errors
    /// [`ConnectError::Unsuitable`] if the two connections share a session, and [`ConnectError::Open`] if
    /// the server does not answer.
    fn check_pooler(
        one: &mut Self::Connection,
        other: &mut Self::Connection,
    ) -> impl Future<Output = Result<(), ConnectError>> + Send;
}

/// [`SqlDialect::upsert_if_newer`], on PostgreSQL and SQLite.
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(crate) fn on_conflict_if_newer(table: &str, key: &str, time: &str, others: &[&str]) -> String {
    let columns = others.iter().chain([&time]);
    let columns: Vec<_> = columns
        .map(|column| format!("{column} = excluded.{column}"))
        .collect();
    let columns = columns.join(", ");
    format!(" ON CONFLICT ({key}) DO UPDATE SET {columns} WHERE {table}.{time} < excluded.{time}")
}

/// Returns two digits for each byte, for [`SqlDialect::bytes_literal`].
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _infallible = write!(hex, "{byte:02x}");
        hex
    })
}
