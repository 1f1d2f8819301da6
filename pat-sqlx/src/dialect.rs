use sqlx::error::DatabaseError;
use sqlx::migrate::Migrate;
use sqlx::migrate::Migrator;
use sqlx::{Database, database::HasStatementCache};

/// What really differs between the databases; everything else is one body of SQL.
pub trait Dialect: Database<Connection: Migrate> + HasStatementCache {
    /// Begins a transaction that will write. Where the database knows only one writer at a time,
    /// the lock is taken here and not half-way.
    const BEGIN_WRITE: &'static str;

    /// Ends a `SELECT` that locks the rows it reads until the end of the transaction; empty where
    /// [`Dialect::BEGIN_WRITE`] keeps all other writers out.
    const FOR_UPDATE: &'static str;

    /// Ends a `SELECT` that keeps others from changing the rows it reads until the end of the
    /// transaction; empty as above.
    const FOR_SHARE: &'static str;

    /// Like [`Dialect::FOR_UPDATE`], but passes over rows that somebody else has locked.
    const SKIP_LOCKED: &'static str;

    /// Ends an `INSERT` that does nothing if the row is there already.
    const OR_IGNORE: &'static str;

    /// Ends an `INSERT INTO pat_last_used` that keeps the later time if the row is there.
    const OR_KEEP_LATER: &'static str;

    /// Whether losing this error's race calls for another try: busy, deadlock, serialization.
    fn is_transient(error: &dyn DatabaseError) -> bool;

    /// How many rows a statement touched.
    fn rows_affected(result: &Self::QueryResult) -> u64;

    /// The migrations of this database, in their own table.
    fn migrator() -> Migrator;
}
