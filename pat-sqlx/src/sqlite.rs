use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use pat_core::{Clock as _, SystemClock};
use sqlx::error::DatabaseError;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions,
    SqliteQueryResult, SqliteSynchronous,
};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Error, Executor as _, Pool, QueryBuilder,
    Row as _, Sqlite, SqlitePool,
};

use crate::dialect::Statements as _;
use crate::error::ConnectError;
use crate::migrate::Migrating;
use crate::prepare::prepare_connection;
use crate::privileges::is_database_error;
use crate::settings::Allowed::{Any, AtLeast, OneOf};
use crate::settings::Setting;
use crate::sql_dialect::{Chain, Grants, SqlDialect, on_conflict_if_newer};
use crate::store::SqlxStore;

/// A token store in a SQLite file, for hosts without a database server.
///
/// Several processes on one machine may use the same file. Each process learns of the revocations of the
/// others within the time in the setting `pat.auth.max.staleness.ms` of `pat-core` (by default 2 seconds).
pub type SqliteStore = SqlxStore<Sqlite>;

/// How long a connection waits for another writer.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections reserved for authentication.
const AUTH_CONNECTIONS: u32 = 4;
/// Connections for everything else.
const CONNECTIONS: u32 = 4;

impl SqliteStore {
    /// Opens a store in the file of this URL (`sqlite:pat.db`, `sqlite:///var/lib/app/pat.db`),
    /// creates the file if it does not exist, and brings the tables up to date.
    ///
    /// The store switches the file to write-ahead logging, and SQLite syncs every commit to disk
    /// (`synchronous=FULL`), so that a power cut loses no acknowledged revocation.
    ///
    /// # Errors
    /// - [`ConnectError::WrongScheme`] if the URL does not begin with `sqlite:`.
    /// - [`ConnectError::Url`] if sqlx cannot parse the URL.
    /// - [`ConnectError::InMemory`] if the URL names no file.
    /// - The errors of [`SqlxStore::migrate`].
    pub async fn connect(url: &str) -> Result<Self, ConnectError> {
        Self::open_url(url, Migrating::Allowed).await
    }

    /// Opens a store like [`SqliteStore::connect`], but changes no table: for accounts that may not, and for
    /// tables that another tool creates and updates ([`SqlxStore::migrations`]). The file must exist.
    ///
    /// # Errors
    /// - [`ConnectError::MigrationsMissing`] if the tables are missing or not up to date.
    /// - The other errors of [`SqliteStore::connect`].
    pub async fn connect_without_migrating(url: &str) -> Result<Self, ConnectError> {
        Self::open_url(url, Migrating::Refused).await
    }

    pub(crate) async fn open_url(url: &str, migrating: Migrating) -> Result<Self, ConnectError> {
        if !url.starts_with("sqlite:") {
            return Err(ConnectError::WrongScheme {
                expected: "SQLite",
                scheme: "sqlite:",
            });
        }
        let options = SqliteConnectOptions::from_str(url).map_err(ConnectError::Url)?;
        if url.contains("mode=memory") {
            return Err(ConnectError::InMemory);
        }
        Self::connect_with(options, migrating).await
    }

    /// Opens a store in the file at this path, creates the file if it does not exist, and brings the tables
    /// up to date; like [`SqliteStore::connect`], but with a path instead of a URL.
    ///
    /// # Errors
    /// [`ConnectError::InMemory`] if the path is empty or stands for an in-memory database (`:memory:`),
    /// and the errors of [`SqlxStore::migrate`].
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, ConnectError> {
        let options = SqliteConnectOptions::new().filename(path);
        Self::connect_with(options, Migrating::Allowed).await
    }

    async fn connect_with(
        options: SqliteConnectOptions,
        migrating: Migrating,
    ) -> Result<Self, ConnectError> {
        if is_in_memory(&options) {
            return Err(ConnectError::InMemory);
        }
        let options = options
            .create_if_missing(migrating == Migrating::Allowed)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT);
        if migrating == Migrating::Allowed {
            keep_private(options.get_filename());
        }
        let general = open_when_free(&options).await;
        let general =
            general.map_err(|error| ConnectError::open(error).with_file(Sqlite::file(&options)))?;
        let store = Self::new(general, pool(AUTH_CONNECTIONS).connect_lazy_with(options));
        store.make_ready(migrating).await?;
        Ok(store)
    }
}

/// Returns the options for the file of this URL, which are not to create it.
#[cfg(feature = "commands")]
pub(crate) fn existing(url: &str) -> Result<SqliteConnectOptions, ConnectError> {
    let options = SqliteConnectOptions::from_str(url).map_err(ConnectError::Url)?;
    if url.contains("mode=memory") || is_in_memory(&options) {
        return Err(ConnectError::InMemory);
    }
    Ok(options.create_if_missing(false).busy_timeout(BUSY_TIMEOUT))
}

/// Returns a pool of so many connections, without opening any.
fn pool(connections: u32) -> SqlitePoolOptions {
    // A connection to a file does not go stale, so it need not be tested before use.
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(BUSY_TIMEOUT)
        .test_before_acquire(false)
        .after_connect(|connection, _| Box::pin(prepare_connection(connection)))
}

/// Opens the file, again while another process has it locked.
///
/// If several processes open a new file at once, SQLite waits for none of them: to switch to write-ahead
/// logging, it asks for a lock while it has one, and calls no busy handler then.
async fn open_when_free(options: &SqliteConnectOptions) -> Result<SqlitePool, Error> {
    const PAUSE: Duration = Duration::from_millis(20);
    let begun = SystemClock.boot();
    loop {
        let opened = open_pool(options).await;
        let is_locked = |error| is_database_error(error, Sqlite::is_transient);
        let is_late = SystemClock.boot().saturating_sub(begun) >= BUSY_TIMEOUT;
        if is_late || !opened.as_ref().is_err_and(is_locked) {
            return opened;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn open_pool(options: &SqliteConnectOptions) -> Result<SqlitePool, Error> {
    // First without a pool, whose only error would be a timeout.
    let mut first = options.connect().await?;
    prepare_connection(&mut first).await?;
    first.close().await?;
    pool(CONNECTIONS).connect_with(options.clone()).await
}

/// Creates a missing file with access for its owner alone: SQLite would make it readable for all users.
/// The files that SQLite puts beside it get the same mode. If it fails, SQLite reports the error.
fn keep_private(path: &Path) {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let _exists_or_reported_later = options.open(path);
}

/// Whether each connection would have a database of its own: one in memory, or a temporary file,
/// which SQLite makes where no file is named.
fn is_in_memory(options: &SqliteConnectOptions) -> bool {
    let name = options.get_filename().to_string_lossy();
    name.is_empty() || name.contains(":memory:") || name.contains("sqlx-in-memory")
}

impl SqlDialect for Sqlite {
    const BEGIN_WRITE: &'static str = "BEGIN IMMEDIATE";
    const HAS_ONE_WRITER: bool = true;
    const COMMIT: &'static str = "COMMIT";
    const ROLLBACK: &'static str = "ROLLBACK";
    const CHAIN: Chain = Chain::Script;
    const FOR_UPDATE: &'static str = "";
    const SKIP_LOCKED: &'static str = "";
    const CLOCK: &'static str = "NULL";
    const HAS_SERVER: bool = false;
    const IS_WRITABLE: &'static str = "1";
    const MIGRATIONS: [&'static str; 10] = [
        include_str!("../migrations/sqlite/0001_tokens.sql"),
        include_str!("../migrations/sqlite/0002_jobs.sql"),
        include_str!("../migrations/sqlite/0003_nodes.sql"),
        include_str!("../migrations/sqlite/0004_events.sql"),
        include_str!("../migrations/sqlite/0005_time_and_audit.sql"),
        include_str!("../migrations/sqlite/0006_leaps_and_children.sql"),
        include_str!("../migrations/sqlite/0007_scopes.sql"),
        include_str!("../migrations/sqlite/0008_lines.sql"),
        include_str!("../migrations/sqlite/0009_requests.sql"),
        include_str!("../migrations/sqlite/0010_revocation_notices.sql"),
    ];

    const CREATE_MIGRATIONS_TABLE: &'static str = "CREATE TABLE IF NOT EXISTS pat_migrations (\n    \
         version BIGINT PRIMARY KEY,\n    \
         description TEXT NOT NULL,\n    \
         installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,\n    \
         success BOOLEAN NOT NULL,\n    \
         checksum BLOB NOT NULL,\n    \
         execution_time BIGINT NOT NULL\n)";

    fn bytes_literal(hex: &str) -> String {
        format!("X'{hex}'")
    }

    fn or_ignore(_key: &str) -> String {
        " ON CONFLICT DO NOTHING".into()
    }

    fn or_count_up(_table: &str, key: &str) -> String {
        Self::or_ignore(key)
    }

    const EAGER_LOCKS: Option<[&'static str; 2]> = None;

    fn upsert_if_newer(table: &str, key: &str, time: &str, others: &[&str]) -> String {
        on_conflict_if_newer(table, key, time, others)
    }

    const JOIN_IN_ORDER: &'static str = "CROSS JOIN";

    fn by_index(index: &str) -> String {
        // Without statistics, which SQLite does not gather by itself, the planner expects few
        // tokens that are not revoked, and sorts all tokens for each page.
        format!(" INDEXED BY {index}")
    }

    const BY_NO_INDEX: &'static str = " NOT INDEXED";
    const BY_UNREVOKED_OWNER: &'static str = "pat_token_unrevoked";
    const NARROW: u32 = 20_000;

    fn unindexed(column: &str, _is_text: bool) -> String {
        column.to_owned()
    }

    fn lock_by_index(_index: &str) -> String {
        String::new()
    }

    fn is_disconnect(_error: &dyn DatabaseError) -> bool {
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

    fn is_concurrent_migration(error: &dyn DatabaseError) -> bool {
        // SQLite has no code of its own for this.
        let message = error.message();
        message.starts_with("duplicate column name") || message.ends_with("already exists")
    }

    fn is_forbidden(_error: &dyn DatabaseError) -> bool {
        // SQLite has no accounts.
        false
    }

    async fn grants(_connection: &mut SqliteConnection) -> Result<Grants, sqlx::Error> {
        Ok(Grants::default())
    }

    #[cfg(feature = "commands")]
    async fn facts(
        connection: &mut SqliteConnection,
    ) -> Result<Vec<(&'static str, String)>, Error> {
        let row = connection.fetch_one("SELECT sqlite_version()").await?;
        let file = connection.fetch_one("PRAGMA database_list").await?;
        Ok(vec![
            ("SQLite", row.try_get(0)?),
            ("file", file.try_get("file")?),
        ])
    }

    fn rows_affected(result: &SqliteQueryResult) -> u64 {
        result.rows_affected()
    }

    const NOTIFY: Option<&'static str> = None;

    async fn listen(_: &Pool<Self>, _: &(dyn Fn() + Send + Sync)) -> Result<(), sqlx::Error> {
        std::future::pending().await
    }

    fn file(options: &SqliteConnectOptions) -> Option<&Path> {
        Some(options.get_filename())
    }

    async fn has_no_file(connection: &mut SqliteConnection) -> Result<bool, Error> {
        let databases = QueryBuilder::new("PRAGMA database_list");
        let databases = Self::fetch(databases, connection).await?;
        let main = databases.first().ok_or(Error::RowNotFound)?;
        let file: Option<String> = main.try_get("file")?;
        Ok(file.is_none_or(|file| file.is_empty()))
    }

    async fn put_off_checkpoint(connection: &mut SqliteConnection) -> Result<Option<i64>, Error> {
        let row = connection.fetch_one("PRAGMA wal_autocheckpoint").await?;
        let pages: i64 = row.try_get(0)?;
        // The host may have switched it off.
        if pages <= 0 {
            return Ok(None);
        }
        connection.execute("PRAGMA wal_autocheckpoint = 0").await?;
        Ok(Some(pages))
    }

    async fn checkpoint(put_off: i64, connection: &mut SqliteConnection) -> Result<(), Error> {
        let restore =
            format!("PRAGMA wal_autocheckpoint = {put_off}; PRAGMA wal_checkpoint(PASSIVE)");
        connection.execute(AssertSqlSafe(restore)).await.map(drop)
    }

    async fn check(_: &mut SqliteConnection) -> Result<(), ConnectError> {
        Ok(())
    }

    async fn check_tables(_: &mut SqliteConnection) -> Result<(), ConnectError> {
        Ok(())
    }

    async fn check_pooler(
        _: &mut SqliteConnection,
        _: &mut SqliteConnection,
    ) -> Result<(), ConnectError> {
        Ok(())
    }

    const SETTINGS: &'static [Setting] = &[
        Setting::new("busy_timeout", "5000", AtLeast(1_000)),
        // Acknowledged commits must survive a power cut, and readers must not wait for writers.
        Setting::new("journal_mode", "wal", OneOf(&["wal"])),
        Setting::new("synchronous", "2", OneOf(&["2", "3"])),
        // Other processes must be able to open the file.
        Setting::new("locking_mode", "normal", OneOf(&["normal"])),
        Setting::new("query_only", "0", OneOf(&["0"])),
        Setting::new("read_uncommitted", "0", OneOf(&["0"])),
        Setting::new("ignore_check_constraints", "0", Any),
        Setting::new("foreign_keys", "1", Any),
        Setting::new("recursive_triggers", "0", Any),
        Setting::new("reverse_unordered_selects", "0", Any),
        // Columns are looked up by their names.
        Setting::new("full_column_names", "0", OneOf(&["0"])),
        Setting::new("short_column_names", "1", OneOf(&["1"])),
        // Texts are compared by their bytes, so that their order is the same on all databases.
        Setting::only_read(
            "encoding",
            OneOf(&["UTF-8"]),
            "use another file: the encoding of a database cannot be changed",
        ),
    ];

    async fn apply_settings(connection: &mut SqliteConnection) -> Result<(), Error> {
        let set = Self::SETTINGS.iter().filter_map(|setting| {
            let Setting { name, value, .. } = setting;
            value.map(|value| format!("PRAGMA {name} = {value}"))
        });
        let set: Vec<_> = set.collect();
        connection
            .execute(AssertSqlSafe(set.join("; ")))
            .await
            .map(drop)
    }

    async fn read_settings(
        connection: &mut SqliteConnection,
    ) -> Result<Vec<(Setting, String)>, Error> {
        let mut found = Vec::with_capacity(Self::SETTINGS.len());
        for setting in Self::SETTINGS {
            let read = QueryBuilder::new(format!("PRAGMA {}", setting.name));
            let rows = Self::fetch(read, connection).await?;
            // There is no row if the library was compiled without the setting.
            let Some(row) = rows.first() else {
                continue;
            };
            let value = match row.try_get::<i64, _>(0) {
                Ok(number) => number.to_string(),
                Err(_no_number) => row.try_get(0)?,
            };
            found.push((*setting, value));
        }
        Ok(found)
    }
}
