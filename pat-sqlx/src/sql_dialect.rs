//! What differs between the databases.

use sqlx::error::DatabaseError;
use sqlx::migrate::Migrate;
use sqlx::{Database, Pool, database::HasStatementCache};

use crate::error::ConnectError;
use crate::settings::Setting;

/// How several statements are sent at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chain {
    /// Not at all: each is sent by itself.
    None,
    /// As one statement: all but the last are in its `WITH`.
    With,
    /// As one text, separated by semicolons; the response has an end for each statement.
    Script,
}

/// The statements by which an administrator allows an account to use the store.
#[derive(Debug, Clone, Default)]
pub struct Grants {
    /// What the account needs on tables that are up to date.
    pub to_run: Vec<String>,
    /// What the account needs further to create the tables or bring them up to date.
    pub to_migrate: Vec<String>,
}

/// What differs between the databases; everything else is one body of SQL.
pub trait SqlDialect: Database<Connection: Migrate> + HasStatementCache {
    /// Begins a transaction that will write. Where the database has one writer at a time, this takes
    /// the lock, so that no read has to be upgraded. Elsewhere each statement sees what was committed
    /// before it (`READ COMMITTED`), whatever the pool's default is: a transaction that has waited for
    /// a lock must see what the holder of the lock has written.
    const BEGIN_WRITE: &'static str;

    /// Whether [`SqlDialect::BEGIN_WRITE`] keeps all other writers out, so that no row has to be
    /// locked.
    const HAS_ONE_WRITER: bool;

    /// Commits such a transaction, and begins no other one, whatever the session's settings are.
    const COMMIT: &'static str;

    /// Rolls such a transaction back, and begins no other one.
    const ROLLBACK: &'static str;

    /// How inserts into several tables are sent at once.
    const CHAIN: Chain;

    /// Ends a `SELECT` that locks the rows it reads until the end of the transaction; empty where
    /// there is one writer at a time.
    ///
    /// Only for work that may be done twice: on a Galera cluster such a lock is local to one member.
    /// Where a promise depends on the lock, [`SqlDialect::or_count_up`] takes it.
    const FOR_UPDATE: &'static str;

    /// Like [`SqlDialect::FOR_UPDATE`], but passes over rows that another transaction has locked.
    const SKIP_LOCKED: &'static str;

    /// The database's own clock, as an expression in microseconds since 1970 UTC that advances within
    /// a transaction. `NULL` where the database runs in this process and has no clock of its own: then
    /// the caller's time counts.
    const CLOCK: &'static str;

    /// Whether the database has a server, which continues a statement after the client has dropped
    /// the call, and which may go away and come back.
    const HAS_SERVER: bool;

    /// Whether the server takes writes, as an expression: 1, or 0 for a replica.
    const IS_WRITABLE: &'static str;

    /// The migrations, in order. Each can be repeated after it was applied in part.
    const MIGRATIONS: [&'static str; 6];

    /// Ends an `INSERT` that does nothing if the row of this `key`, the primary key's column, exists.
    /// It takes no shared lock on the row: two transactions that then lock it exclusively would wait
    /// for each other.
    fn or_ignore(key: &str) -> String;

    /// Ends an `INSERT` into `table` that adds 1 to the column `seq` if the row of this `key` exists.
    /// This is a lock until the end of the transaction that holds on a Galera cluster too: its members
    /// detect conflicts only between writes that change a row. Where there is one writer at a time the
    /// row is left as it is.
    fn or_count_up(table: &str, key: &str) -> String;

    /// The statements that switch eager locks on and off; `None` where there are no clusters that
    /// need them. With eager locks, a Galera cluster locks what a statement changes on all members
    /// when the statement runs, and not only at the commit. On a server outside a cluster the first
    /// statement fails without an effect.
    ///
    /// Without them the first transaction to commit wins: many fast creations on one member could
    /// make a slower revocation on another one fail again and again. They take time, so a
    /// transaction uses them only after it has lost some races.
    const EAGER_LOCKS: Option<[&'static str; 2]>;

    /// Ends an `INSERT` into `table` that, if the row of this `key` exists, overwrites `time` and
    /// `others` where the existing `time` is earlier, and does nothing else.
    fn upsert_if_newer(table: &str, key: &str, time: &str, others: &[&str]) -> String;

    /// Whether the database gathers statistics of the values by itself.
    const KEEPS_STATISTICS: bool;

    /// Joins two tables so that the first one is read first, in order; a plain `JOIN` where the
    /// planner finds that out by itself.
    const JOIN_IN_ORDER: &'static str;

    /// Follows the name of a table and makes the planner use this index, which must be one that the
    /// statement can use; empty where the planner finds it by itself.
    fn by_index(index: &str) -> String;

    /// Like [`SqlDialect::by_index`], for a statement that locks the first rows of an index; empty
    /// where such a statement never locks further rows, which other writers would have to wait for.
    fn lock_by_index(index: &str) -> String;

    /// Whether the server ends the connection with this error, or reports that it cannot serve any
    /// statement: it shuts down, is starting, or has become a replica. The call is then repeated on
    /// another connection.
    fn is_disconnect(error: &dyn DatabaseError) -> bool;

    /// Whether the transaction lost a race and may be repeated: busy, deadlock, serialization.
    fn is_transient(error: &dyn DatabaseError) -> bool;

    /// Whether the error reports a missing table.
    fn is_missing_table(error: &dyn DatabaseError) -> bool;

    /// Whether a migration can fail with this error because another process is in the middle of the
    /// same migration: what it creates exists already, or changes meanwhile.
    fn is_concurrent_migration(error: &dyn DatabaseError) -> bool;

    /// Whether the error reports a missing privilege.
    fn is_forbidden(error: &dyn DatabaseError) -> bool;

    /// Returns the statements that allow this connection's account to use the store.
    ///
    /// # Errors
    /// Returns the database's error.
    fn grants(
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<Grants, sqlx::Error>> + Send;

    /// Returns how many rows a statement changed.
    fn rows_affected(result: &Self::QueryResult) -> u64;

    /// Notifies the other processes of a change; `None` where the database has no notifications.
    const NOTIFY: Option<&'static str>;

    /// Calls `notify` at every [`SqlDialect::NOTIFY`] of any process until the connection ends; never
    /// returns where the database has no notifications.
    ///
    /// # Errors
    /// Returns why the connection ended.
    fn listen(
        pool: &Pool<Self>,
        notify: &(dyn Fn() + Send + Sync),
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// The settings that [`SqlDialect::apply_settings`] sets, and others that can change the meaning
    /// of statements.
    const SETTINGS: &'static [Setting];

    /// Applies the values of [`SqlDialect::SETTINGS`], and sets further what a new connection needs.
    ///
    /// # Errors
    /// Returns the database's refusal.
    fn apply_settings(
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// Returns those of [`SqlDialect::SETTINGS`] that this database has, with their values on this
    /// connection.
    ///
    /// # Errors
    /// Returns the database's error.
    fn read_settings(
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<Vec<(Setting, String)>, sqlx::Error>> + Send;

    /// Refuses a server that cannot keep the promises of a store.
    ///
    /// # Errors
    /// [`ConnectError::Unsuitable`] or [`ConnectError::Setting`] for such a server, and
    /// [`ConnectError::Open`] if it does not answer.
    fn check(
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<(), ConnectError>> + Send;

    /// Refuses a pooler that gives each transaction another session, as far as these two connections
    /// show it: the settings of one connection would apply to another one.
    ///
    /// # Errors
    /// [`ConnectError::Unsuitable`] for such a pooler, and [`ConnectError::Open`] if the server does
    /// not answer.
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
