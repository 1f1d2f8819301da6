use pat_core::BoxError;
use pat_core::store::StoreError;

/// Why a store cannot be opened. No message contains a URL or a password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URL's scheme is none of `sqlite`, `postgres`, `postgresql`, `mysql` and `mariadb`.
    #[error("not a database URL; it must begin with sqlite:, postgres: or mysql:")]
    UnknownScheme,
    /// The URL was given to the `connect` of another kind of store.
    #[error("not a {expected} URL; it must begin with {scheme}")]
    #[non_exhaustive]
    WrongScheme {
        /// The name of the expected database.
        expected: &'static str,
        /// How URLs of that database begin.
        scheme: &'static str,
    },
    /// The store for this kind of database is not compiled in.
    #[error(
        "this program was built without a store for such URLs; enable the feature {0:?} of pat-sqlx"
    )]
    MissingFeature(&'static str),
    /// The URL has the right scheme, but sqlx cannot parse it.
    #[error("malformed database URL")]
    Url(#[source] sqlx::Error),
    /// The URL names no file: an in-memory database, or the temporary one that SQLite creates where
    /// no file is named, would be a separate one for each connection.
    #[error(
        "an in-memory SQLite database, or one without the name of a file, cannot be shared; \
         name a file, as in sqlite:pat.db, or use pat_core::MemoryStore"
    )]
    InMemory,
    /// The database cannot be opened or reached, does not answer, or takes no writes.
    #[error("cannot open the database")]
    Open(#[source] sqlx::Error),
    /// The database cannot keep a promise of the store: the server is too old, has another encoding
    /// or hides rows, a table has no transactions, a pooler shares sessions, or the two pools lead to
    /// different databases.
    #[error("the database cannot be used: {found}; required: {needed}")]
    #[non_exhaustive]
    Unsuitable {
        /// What was found.
        found: String,
        /// What is required.
        needed: &'static str,
    },
    /// The database account lacks privileges.
    #[error(
        "the database account lacks privileges; {}",
        advice(to_run, to_migrate)
    )]
    #[non_exhaustive]
    Forbidden {
        /// The statements that allow the account to use up-to-date tables. PostgreSQL accepts them
        /// only once the tables exist.
        to_run: Vec<String>,
        /// The statements that allow the account to create or update the tables; empty if the tables
        /// are up to date.
        to_migrate: Vec<String>,
        /// The database's refusal.
        source: sqlx::Error,
    },
    /// A newer version of this library has written what this version would misread.
    ///
    /// The cause is [`StoreError::Outdated`] with the version numbers.
    #[error(transparent)]
    Outdated(StoreError),
    /// A setting of the connection would change what the store's statements mean, or how durable its
    /// commits are. On pools that the store opened, the database did not accept the value that the
    /// store set.
    #[error("the database's setting {name} is {found:?}: {needed}")]
    #[non_exhaustive]
    Setting {
        /// The name of the setting.
        name: &'static str,
        /// Its value.
        found: String,
        /// The allowed values, in words.
        needed: String,
    },
    /// The database refuses a write to one of the store's tables.
    #[error("cannot write to {table}")]
    #[non_exhaustive]
    NotWritable {
        /// The name of the table.
        table: &'static str,
        /// The database's refusal.
        source: sqlx::Error,
    },
    /// A migration failed, or an applied one differs from the one that this version has.
    #[error("cannot migrate the database")]
    Migrate(#[source] BoxError),
}

impl ConnectError {
    /// Converts an error from opening a connection: the one of
    /// [`prepare_connection`](crate::prepare_connection), or else [`Self::Open`].
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
