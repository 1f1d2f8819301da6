use sqlx::error::DatabaseError;
use sqlx::migrate::Migrate;
use sqlx::{Database, Pool, database::HasStatementCache};

use crate::privileges::Grants;
use crate::{ConnectError, Setting};

/// How several statements are one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chain {
    /// They are not.
    None,
    /// Each but the last in a `WITH`.
    With,
    /// One after the other, with semicolons: each has an end in the answer.
    Script,
}

/// What really differs between the databases; everything else is one body of SQL.
pub trait Dialect: Database<Connection: Migrate> + HasStatementCache {
    /// Begins a transaction that will write. Where the database knows only one writer at a time,
    /// the lock is taken here and not half-way. Elsewhere each statement sees what was committed
    /// before it (`READ COMMITTED`), whatever the pool's default is: who has waited for a lock must
    /// see what its holder has done.
    const BEGIN_WRITE: &'static str;

    /// Whether [`Dialect::BEGIN_WRITE`] keeps all other writers out, so that no row has to be locked.
    const HAS_ONE_WRITER: bool;

    /// Ends such a transaction, and begins no other one, whatever the session is set to.
    const COMMIT: &'static str;

    /// Undoes such a transaction, and begins no other one.
    const ROLLBACK: &'static str;

    /// How inserts into several tables are sent at once.
    const CHAIN: Chain;

    /// Ends a `SELECT` that locks the rows it reads until the end of the transaction; empty where
    /// there is one writer at a time.
    ///
    /// Only for what may be done twice: on a cluster of servers (Galera) such a lock is known to one
    /// of them, and what a promise rests on is locked by [`Dialect::or_count_up`].
    const FOR_UPDATE: &'static str;

    /// Like [`Dialect::FOR_UPDATE`], but passes over rows that somebody else has locked.
    const SKIP_LOCKED: &'static str;

    /// The database's own clock, as an expression in microseconds since 1970 UTC that does not
    /// stand still within a transaction. `NULL` where the database runs in this process and has no
    /// clock of its own: then the caller's time counts.
    const CLOCK: &'static str;

    /// Whether the database has a server, which goes on with what it was asked after its caller has
    /// given up, and which may be gone and come back.
    const HAS_SERVER: bool;

    /// Whether the server takes writes, as an expression: 1, or 0 for a replica.
    const IS_WRITABLE: &'static str;

    /// The migrations, in order. Each may be run again after it was done in part.
    const MIGRATIONS: [&'static str; 6];

    /// Ends an `INSERT` that does nothing if the row of this `key` is there already; `key` is the
    /// column of the primary key. It must not lock the row for sharing: two that go on to lock it
    /// for themselves would wait for each other.
    fn or_ignore(key: &str) -> String;

    /// Ends an `INSERT` into `table` that, where the row of this `key` is there, adds 1 to its
    /// column `seq`: a lock, kept until the end of the transaction, that a cluster of servers knows
    /// of. It sees a conflict only between writes, and a write that changes nothing is none. Where
    /// there is one writer at a time the row is left as it is.
    fn or_count_up(table: &str, key: &str) -> String;

    /// Has the statements of a transaction lock what they change on all servers of a cluster at
    /// once, and not only when it commits; then has that end. `None` where there are no such
    /// clusters. On a server that is in none the first of the two fails, and harms nothing.
    ///
    /// Without it the first to commit wins, so that somebody who creates tokens in a hurry on one
    /// server could keep off their revocation on another, which takes longer. It takes time, so only
    /// who has lost some races insists.
    const LOCK_EVERYWHERE: Option<[&'static str; 2]>;

    /// Ends an `INSERT` into `table` that, where the row of this `key` is there, puts the new `time`
    /// and `others` in place of its own if its time is earlier, and else does nothing.
    fn upsert_if_newer(table: &str, key: &str, time: &str, others: &[&str]) -> String;

    /// Whether the database knows by itself how many rows have which values.
    const KEEPS_STATISTICS: bool;

    /// Joins two tables of which the first is to be read first, in order; where the database may be
    /// trusted to find that out by itself, a `JOIN` like any other.
    const JOIN_IN_ORDER: &'static str;

    /// Follows the name of a table, and has it read by this index; empty where the database may be
    /// trusted to find that out by itself. It has to be an index that the statement can use.
    fn by_index(index: &str) -> String;

    /// The same for a statement that locks the first rows of an index; empty where it locks no others
    /// in any case. Other writers would find nothing that is not locked.
    fn lock_by_index(index: &str) -> String;

    /// Whether by this error the server ends the connection, or says that it can be of no use on any
    /// other statement: it stops, it is not up yet, it has become a replica. What was asked on it is
    /// asked again on another one.
    fn is_disconnect(error: &dyn DatabaseError) -> bool;

    /// Whether losing this error's race calls for another try: busy, deadlock, serialization.
    fn is_transient(error: &dyn DatabaseError) -> bool;

    /// Whether the error says that a table is not there.
    fn is_missing_table(error: &dyn DatabaseError) -> bool;

    /// Whether a migration may fail by this because another process is in the middle of the same
    /// one: what it makes is there already, or changes under its hands.
    fn is_half_done(error: &dyn DatabaseError) -> bool;

    /// Whether the error says that the account may not do it.
    fn is_forbidden(error: &dyn DatabaseError) -> bool;

    /// The statements that allow this connection's account to use the store.
    ///
    /// # Errors
    /// The database does not say which account that is.
    fn grants(
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<Grants, sqlx::Error>> + Send;

    /// How many rows a statement touched.
    fn rows_affected(result: &Self::QueryResult) -> u64;

    /// Tells the other processes that something has changed; `None` where the database has no way
    /// to do so.
    const NOTIFY: Option<&'static str>;

    /// Calls `hint` at every [`Dialect::NOTIFY`] of any process, until it can hear no more.
    ///
    /// # Errors
    /// Why it can hear no more.
    fn listen(
        pool: &Pool<Self>,
        hint: &(dyn Fn() + Send + Sync),
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// All that [`Dialect::pin`] sets, and what else can change the meaning of statements.
    const SETTINGS: &'static [Setting];

    /// Sets what a new connection needs beyond what the driver does.
    ///
    /// # Errors
    /// The database refuses.
    fn pin(
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// Those of [`Dialect::SETTINGS`] that this database has, with their values on this connection.
    ///
    /// # Errors
    /// The database does not answer.
    fn read_settings(
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<Vec<(Setting, String)>, sqlx::Error>> + Send;

    /// Refuses a server that cannot keep the promises of a store.
    ///
    /// # Errors
    /// What is wrong with it, or it does not answer.
    fn check(
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<(), ConnectError>> + Send;

    /// Refuses a pooler between, if by these two connections it is seen to give another session to
    /// each transaction: what is set on a connection would then be another one's.
    ///
    /// # Errors
    /// There is one, or the server does not answer.
    fn check_pair(
        one: &mut Self::Connection,
        other: &mut Self::Connection,
    ) -> impl Future<Output = Result<(), ConnectError>> + Send;
}

/// [`Dialect::upsert_if_newer`], on PostgreSQL and SQLite.
pub(crate) fn on_conflict_if_newer(table: &str, key: &str, time: &str, others: &[&str]) -> String {
    let columns = others.iter().chain([&time]);
    let columns: Vec<_> = columns
        .map(|column| format!("{column} = excluded.{column}"))
        .collect();
    let columns = columns.join(", ");
    format!(" ON CONFLICT ({key}) DO UPDATE SET {columns} WHERE {table}.{time} < excluded.{time}")
}
