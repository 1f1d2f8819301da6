use std::path::{Path, PathBuf};

use pat_core::BoxError;
use pat_core::store::StoreError;

/// The reason that a store cannot be opened, or its tables cannot be brought up to date. No message
/// contains a URL or a password. The messages of [`ConnectError::Open`], [`ConnectError::NotWritable`] and
/// [`ConnectError::Migrate`] contain the path of a SQLite file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URL's scheme is none of `sqlite`, `postgres`, `postgresql`, `mysql` and `mariadb`.
    #[error("not a database URL; it must begin with sqlite:, postgres: or mysql:")]
    UnknownScheme,
    /// The URL is for another kind of database than the store whose `connect` was called: for example, a
    /// `postgres:` URL was passed to `SqliteStore::connect`.
    #[error("not a {expected} URL; it must begin with {scheme}")]
    #[non_exhaustive]
    WrongScheme {
        /// The kind of database of the store whose `connect` was called, such as `SQLite`.
        expected: &'static str,
        /// The scheme with which the URL must begin, such as `sqlite:`.
        scheme: &'static str,
    },
    /// The program was built without the feature of this crate for the URL's kind of database. The value
    /// is the name of the feature: `sqlite`, `postgres` or `mysql`.
    #[error(
        "this program was built without a store for such URLs; enable the feature {0:?} of pat-sqlx"
    )]
    MissingFeature(&'static str),
    /// The URL has the right scheme, but sqlx cannot parse the rest of the URL.
    #[error("malformed database URL")]
    Url(#[source] sqlx::Error),
    /// The SQLite URL or path names no file, or the connections of the host's pool have none. SQLite then
    /// gives each connection a separate database, in memory or in a temporary file.
    #[error(
        "an in-memory SQLite database, or one without the name of a file, cannot be shared; \
         name a file, as in sqlite:pat.db, or use pat_core::MemoryStore"
    )]
    InMemory,
    /// The database cannot be opened or reached, does not answer, or is read-only, such as a replica.
    #[error("cannot open the database{}", after(" ", file.as_deref()))]
    #[non_exhaustive]
    Open {
        /// The absolute path of the SQLite file; `None` for a database server, whose URL may contain a
        /// password.
        file: Option<PathBuf>,
        /// The error of the database or of its driver.
        source: sqlx::Error,
    },
    /// The database lacks a property that the store needs: the server is too old, has another encoding
    /// than UTF-8, or hides rows from the account; a table has no transactions; a pooler shares sessions
    /// between connections; or the store's two pools lead to different databases.
    #[error("the database cannot be used: {found}; required: {needed}")]
    #[non_exhaustive]
    Unsuitable {
        /// The unsuitable property of the database, in words, such as `its encoding is LATIN1`.
        found: String,
        /// The property that the store needs instead, in words, such as `UTF8`.
        needed: &'static str,
    },
    /// The database account lacks privileges. The message contains the statements with which an
    /// administrator of the database grants them.
    #[error(
        "the database account lacks privileges; {}",
        advice(to_run, to_migrate)
    )]
    #[non_exhaustive]
    Forbidden {
        /// The SQL statements that grant the account all privileges for using up-to-date tables.
        /// PostgreSQL accepts these statements only once the tables exist.
        to_run: Vec<String>,
        /// The SQL statements that grant the account the privileges for creating the tables or bringing
        /// them up to date, in addition to those of `to_run`; empty if the tables are up to date.
        to_migrate: Vec<String>,
        /// The error with which the database refused a statement of the store.
        source: sqlx::Error,
    },
    /// A newer version of this library has written data to the tables that this version would misread.
    /// Start the newer version instead.
    ///
    /// The value is [`StoreError::Outdated`], which has the version numbers.
    #[error(transparent)]
    Outdated(StoreError),
    /// A connection has a setting that would change the meaning of the store's statements, or make its
    /// commits less durable. On a pool of the host ([`SqlxStore::new`](crate::SqlxStore::new)),
    /// [`prepare_connection`](crate::prepare_connection) applies suitable settings.
    #[error("the database's setting {name} is {found:?}: {needed}; {remedy}")]
    #[non_exhaustive]
    Setting {
        /// The name of the setting in the database, such as `sql_mode`.
        name: &'static str,
        /// The value of the setting on the connection.
        found: String,
        /// The allowed values of the setting, in words, such as `it must be at least 1000`.
        needed: String,
        /// What the host can do about it, in words, such as `call pat_sqlx::prepare_connection in the
        /// after_connect of the pool`.
        remedy: &'static str,
    },
    /// The database refuses a trial write to one of the store's tables.
    #[error("cannot write to {table}{}", after(" in ", file.as_deref()))]
    #[non_exhaustive]
    NotWritable {
        /// The absolute path of the SQLite file; `None` for a database server.
        file: Option<PathBuf>,
        /// The name of the table, such as `pat_token`; `the database` if no transaction could begin.
        table: &'static str,
        /// The error with which the database refused the write.
        source: sqlx::Error,
    },
    /// The tables are missing or not up to date, and may not be changed: the store was opened with
    /// `connect_without_migrating` or [`SqlxStore::check`](crate::SqlxStore::check).
    #[error(
        "the tables lack the migrations {}; apply their SQL (SqlxStore::migrations), or start this \
         version once with connect or migrate and an account that may change tables",
        missing.join(", ")
    )]
    #[non_exhaustive]
    MigrationsMissing {
        /// The missing migrations in order, each by version and name, such as `0005_time_and_audit`.
        missing: Vec<String>,
    },
    /// A migration of the tables failed, or a migration in the database differs from the migration of
    /// the same number in this version.
    #[error("cannot migrate the database{}", after(" ", file.as_deref()))]
    #[non_exhaustive]
    Migrate {
        /// The absolute path of the SQLite file; `None` for a database server.
        file: Option<PathBuf>,
        /// The error of the database, or the migration that differs.
        source: BoxError,
    },
}

impl ConnectError {
    pub(crate) fn migrate(error: sqlx::migrate::MigrateError) -> Self {
        Self::Migrate {
            file: None,
            source: error.into(),
        }
    }

    pub(crate) fn not_writable(table: &'static str, source: sqlx::Error) -> Self {
        Self::NotWritable {
            file: None,
            table,
            source,
        }
    }

    /// Converts an error from opening a connection: the one of
    /// [`prepare_connection`](crate::prepare_connection), or else [`Self::Open`].
    pub(crate) fn open(error: sqlx::Error) -> Self {
        let source = match error {
            sqlx::Error::Configuration(error) => match error.downcast() {
                Ok(found) => return *found,
                Err(error) => sqlx::Error::Configuration(error),
            },
            error => error,
        };
        Self::Open { file: None, source }
    }

    /// Adds the path of the SQLite file, unless the error has one. The path is absolute, since the working
    /// directory may be another one than the host expects.
    pub(crate) fn with_file(mut self, path: Option<&Path>) -> Self {
        if let Self::Open { file, .. }
        | Self::NotWritable { file, .. }
        | Self::Migrate { file, .. } = &mut self
        {
            let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.into());
            *file = file.take().or_else(|| path.map(absolute));
        }
        self
    }
}

/// The path of a SQLite file at the end of a text.
fn after(text: &str, file: Option<&Path>) -> String {
    file.map_or_else(String::new, |file| format!("{text}{}", file.display()))
}

/// The text of [`ConnectError::Forbidden`].
fn advice(to_run: &[String], to_migrate: &[String]) -> String {
    let (to_run, to_migrate) = (to_run.join("; "), to_migrate.join("; "));
    if to_migrate.is_empty() {
        return format!("have an administrator run: {to_run}");
    }
    format!(
        "the tables have to be created or brought up to date: start this version once with an \
         account that may do so, or grant this account: {to_migrate}; after that it needs only: \
         {to_run}"
    )
}
