use pat_core::StoreError;
use sqlx::migrate::MigrateError;

use crate::privileges::advice;

/// The database cannot be used. No message has a URL or a password in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URL is of no kind of database that there is a store for.
    #[error("not a database URL; it must begin with sqlite:, postgres: or mysql:")]
    UnknownScheme,
    /// The URL is of another kind of database.
    #[error("not a {expected} URL; it must begin with {scheme}")]
    WrongScheme {
        /// The name of the database that was expected.
        expected: &'static str,
        /// How its URLs begin.
        scheme: &'static str,
    },
    /// The store for this kind of database was not compiled in.
    #[error("this program has no store for such a URL: pat-sqlx needs the feature {0:?}")]
    MissingFeature(&'static str),
    /// The URL cannot be read.
    #[error("not a usable database URL")]
    Url(#[source] sqlx::Error),
    /// An in-memory database would be a separate one for each connection; so would be the temporary
    /// one that SQLite makes where no file is named.
    #[error(
        "an in-memory SQLite database, or one without the name of a file, cannot be shared; \
         name a file, as in sqlite:pat.db, or use pat_core::MemoryStore"
    )]
    InMemory,
    /// The database cannot be opened or reached.
    #[error("cannot open the database")]
    Open(#[source] sqlx::Error),
    /// The server cannot keep what a store promises.
    #[error("the database does not do: {found}, but {needed} is needed")]
    Unsuitable {
        /// What there is.
        found: String,
        /// What is needed.
        needed: &'static str,
    },
    /// The database account may not do what is needed.
    #[error(
        "the database account lacks privileges; {}",
        advice(to_run, to_migrate)
    )]
    Forbidden {
        /// Statements that allow the account to use tables that are up to date. PostgreSQL takes
        /// them once the tables are there.
        to_run: Vec<String>,
        /// Statements that allow it to create the tables or bring them up to date; empty if that is
        /// not to be done.
        to_migrate: Vec<String>,
        /// The statement that was refused.
        source: sqlx::Error,
    },
    /// The tables hold what only newer versions of this program understand.
    ///
    /// The cause is [`StoreError::Outdated`], with the numbers.
    #[error(transparent)]
    Outdated(StoreError),
    /// A setting of the connection would change what the store's statements mean, or what its commits
    /// are worth. On the store's own pools it is set, so there the database did not take it.
    #[error("the database's setting {name} is {found:?}: {needed}")]
    Setting {
        /// The name of the setting.
        name: &'static str,
        /// What it is.
        found: String,
        /// What it has to be.
        needed: String,
    },
    /// The database takes no writes into one of the store's tables.
    #[error("cannot write to {table}")]
    NotWritable {
        /// Which table.
        table: &'static str,
        /// What the database says.
        #[source]
        source: sqlx::Error,
    },
    /// The tables cannot be created or brought up to date.
    #[error("cannot migrate the database")]
    Migrate(#[from] MigrateError),
}

impl ConnectError {
    /// What went wrong while a connection was opened: what [`prepare_connection`] found, or whatever
    /// else.
    ///
    /// [`prepare_connection`]: crate::prepare_connection
    pub(crate) fn open(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Configuration(error) => match error.downcast() {
                Ok(found) => *found,
                Err(error) => Self::Open(sqlx::Error::Configuration(error)),
            },
            error => Self::Open(error),
        }
    }
}
