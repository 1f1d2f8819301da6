use sqlx::migrate::MigrateError;

/// The database cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URL is of another kind of database.
    #[error("not a SQLite URL; give sqlite: and the path of a file")]
    NotSqlite,
    /// The URL cannot be read.
    #[error("not a usable database URL")]
    Url(#[source] sqlx::Error),
    /// An in-memory database would be a separate one for each connection.
    #[error("an in-memory SQLite database cannot be shared; use a file, or pat_core::MemoryStore")]
    InMemory,
    /// The database cannot be opened or reached.
    #[error("cannot open the database")]
    Open(#[source] sqlx::Error),
    /// The tables cannot be created or brought up to date.
    #[error("cannot migrate the database")]
    Migrate(#[from] MigrateError),
}
