use sqlx::error::DatabaseError;
use sqlx::migrate::Migrator;
use sqlx::{Database, migrate::Migrate};

/// What really differs between the databases; everything else is one body of SQL.
pub trait Dialect: Database<Connection: Migrate> {
    /// Begins a transaction that will write. Where the database knows only one writer at a time,
    /// the lock is taken here and not half-way.
    const BEGIN_WRITE: &'static str;

    /// Ends a `SELECT` that locks the rows it reads until the end of the transaction; empty where
    /// [`Dialect::BEGIN_WRITE`] keeps all other writers out.
    const FOR_UPDATE: &'static str;

    /// Ends an `INSERT INTO pat_owner` that does nothing if the row is there.
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
