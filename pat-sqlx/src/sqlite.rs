use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use sqlx::error::DatabaseError;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions,
    SqliteQueryResult, SqliteSynchronous,
};
use sqlx::{Pool, Sqlite};

use crate::dialect::on_conflict_keep_later;
use crate::privileges::Grants;
use crate::{ConnectError, Dialect, SqlxStore};

/// Tokens in a SQLite file: the embedded default.
///
/// Several processes may use one file: each sees the others' revocations within the staleness bound.
pub type SqliteStore = SqlxStore<Sqlite>;

/// How long a connection waits for another writer.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections for authentication, which nothing else may take.
const AUTH_CONNECTIONS: u32 = 4;
/// Connections for everything else.
const CONNECTIONS: u32 = 4;

impl SqliteStore {
    /// Opens the database of this URL (`sqlite:pat.db`, `sqlite:///var/lib/app/pat.db`), creates
    /// the file if there is none, and brings the tables up to date.
    ///
    /// The file is switched to write-ahead logging and every commit is synced to disk
    /// (`synchronous=FULL`), so that a power cut loses no revocation that was acknowledged.
    ///
    /// # Errors
    /// The URL is not one of a SQLite file, or the file cannot be opened, written or migrated.
    pub async fn connect(url: &str) -> Result<Self, ConnectError> {
        if !url.starts_with("sqlite:") {
            return Err(ConnectError::WrongScheme {
                expected: "SQLite",
                scheme: "sqlite:",
            });
        }
        let options = SqliteConnectOptions::from_str(url).map_err(ConnectError::Url)?;
        if url.contains(":memory:") || url.contains("mode=memory") {
            return Err(ConnectError::InMemory);
        }
        Self::connect_with(options).await
    }

    /// Opens the database in this file; see [`SqliteStore::connect`].
    ///
    /// # Errors
    /// The file cannot be opened, written or migrated.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, ConnectError> {
        Self::connect_with(SqliteConnectOptions::new().filename(path)).await
    }

    async fn connect_with(options: SqliteConnectOptions) -> Result<Self, ConnectError> {
        let options = options
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT);
        // A connection to a file does not go stale, so it need not be tested before use.
        let pool = |connections| {
            SqlitePoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(BUSY_TIMEOUT)
                .test_before_acquire(false)
        };
        let general = pool(CONNECTIONS).connect_with(options.clone()).await;
        let general = general.map_err(ConnectError::Open)?;
        let store = Self::new(general, pool(AUTH_CONNECTIONS).connect_lazy_with(options));
        store.migrate().await?;
        Ok(store)
    }
}

impl Dialect for Sqlite {
    const BEGIN_WRITE: &'static str = "BEGIN IMMEDIATE";
    const HAS_ONE_WRITER: bool = true;
    const FOR_UPDATE: &'static str = "";
    const SKIP_LOCKED: &'static str = "";
    const CLOCK: &'static str = "NULL";
    const IS_WRITABLE: &'static str = "1";
    const MIGRATIONS: [&'static str; 5] = [
        include_str!("../migrations/sqlite/0001_tokens.sql"),
        include_str!("../migrations/sqlite/0002_jobs.sql"),
        include_str!("../migrations/sqlite/0003_nodes.sql"),
        include_str!("../migrations/sqlite/0004_events.sql"),
        include_str!("../migrations/sqlite/0005_time_and_audit.sql"),
    ];

    fn or_ignore(_key: &str) -> String {
        " ON CONFLICT DO NOTHING".into()
    }

    fn or_count_up(_table: &str, key: &str) -> String {
        Self::or_ignore(key)
    }

    const LOCK_EVERYWHERE: Option<[&'static str; 2]> = None;

    fn or_keep_later(table: &str, key: &str, time: &str, others: &[&str]) -> String {
        on_conflict_keep_later(table, key, time, others)
    }

    const KEEPS_STATISTICS: bool = false;
    const JOIN_IN_ORDER: &'static str = "CROSS JOIN";

    fn by_index(index: &str) -> String {
        // Nobody gathers statistics here, and without them it takes "is not revoked" for rare, and
        // sorts all tokens for each page.
        format!(" INDEXED BY {index}")
    }

    fn lock_by_index(_index: &str) -> String {
        String::new()
    }

    fn is_farewell(_error: &dyn DatabaseError) -> bool {
        false
    }

    fn is_transient(error: &dyn DatabaseError) -> bool {
        // SQLITE_BUSY, SQLITE_LOCKED, and the extended codes of the former.
        matches!(
            error.code().as_deref(),
            Some("5" | "6" | "261" | "517" | "773")
        )
    }

    fn is_missing_table(error: &dyn DatabaseError) -> bool {
        error.message().starts_with("no such table")
    }

    fn is_half_done(error: &dyn DatabaseError) -> bool {
        // It has no code of its own for this.
        let message = error.message();
        message.starts_with("duplicate column name") || message.ends_with("already exists")
    }

    fn is_forbidden(_error: &dyn DatabaseError) -> bool {
        // There are no accounts.
        false
    }

    async fn grants(_connection: &mut SqliteConnection) -> Result<Grants, sqlx::Error> {
        Ok(Grants::default())
    }

    fn rows_affected(result: &SqliteQueryResult) -> u64 {
        result.rows_affected()
    }

    const HINT: Option<&'static str> = None;

    async fn listen(_: &Pool<Self>, _: &(dyn Fn() + Send + Sync)) -> Result<(), sqlx::Error> {
        std::future::pending().await
    }

    async fn check(_connection: &mut SqliteConnection) -> Result<(), ConnectError> {
        Ok(())
    }
}
