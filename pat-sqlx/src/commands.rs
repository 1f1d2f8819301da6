//! The database of the operator's commands ([`pat_core::commands`]).

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use pat_core::BoxError;
use pat_core::commands::{Database, Finding, MigrationText, SchemaState, one_line};
use pat_core::store::SCHEMA_VERSION;
use sqlx::{ConnectOptions as _, Connection, Error};
use tokio::time::timeout;

use crate::connect::{connect, connect_without_migrating};
use crate::dialect::Dialect;
use crate::error::ConnectError;
use crate::migrate::missing_in;
use crate::migration::{Migration, migrations, name};
use crate::row;
use crate::sql::{Sql, corrupt};
use crate::store::SqlxStore;

/// How long the command waits for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const SUBJECT: &str = "database";

/// The database of a URL, for the commands `migrate` and `doctor` of
/// [`pat_core::commands::Commands`](pat_core::commands::Commands::database). It connects when a command needs that.
///
/// ```
/// use pat_core::commands::Database as _;
/// use pat_sqlx::DatabaseUrl;
///
/// let database = DatabaseUrl::new("sqlite:pat.db");
/// let migrations = database.migrations(None)?;
/// assert_eq!(migrations[0].name, "0001_tokens");
/// # Ok::<(), pat_core::BoxError>(())
/// ```
#[derive(Clone)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// Creates the database of this URL, which [`connect`](crate::connect()) accepts. The URL is not checked yet.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    fn scheme(&self) -> &str {
        self.0.split_once(':').map_or("", |(scheme, _)| scheme)
    }
}

impl fmt::Debug for DatabaseUrl {
    /// Hides the URL, which may contain a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatabaseUrl(..)")
    }
}

#[async_trait]
impl Database for DatabaseUrl {
    fn migrations(&self, engine: Option<&str>) -> Result<Vec<MigrationText>, BoxError> {
        let migrations = match engine.unwrap_or(self.scheme()) {
            #[cfg(feature = "sqlite")]
            "sqlite" => texts::<sqlx::Sqlite>(),
            #[cfg(feature = "postgres")]
            "postgres" | "postgresql" => texts::<sqlx::Postgres>(),
            #[cfg(feature = "mysql")]
            "mysql" | "mariadb" => texts::<sqlx::MySql>(),
            // The name is not shown: it may be a part of a URL.
            _ => return Err(
                "this program has no migrations for this engine; give sqlite, postgres or mysql"
                    .into(),
            ),
        };
        Ok(migrations)
    }

    async fn state(&self) -> Result<SchemaState, BoxError> {
        Ok(self.look(Look::State).await?.0)
    }

    async fn migrate(&self) -> Result<(), BoxError> {
        connect(&self.0).await?.close().await;
        Ok(())
    }

    async fn diagnose(&self) -> Vec<Finding> {
        let (state, facts) = match self.look(Look::StateAndFacts).await {
            Ok(found) => found,
            Err(error) => {
                return vec![Finding::failed(
                    SUBJECT,
                    one_line(&error),
                    "check the database's URL, its server and the network in between",
                )];
            }
        };
        let facts: Vec<_> = facts
            .into_iter()
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        let mut findings = vec![Finding::ok(SUBJECT, facts.join(", "))];
        findings.extend(of_state(&state));
        if !matches!(state, SchemaState::Behind { .. }) {
            findings.push(self.try_store().await);
        }
        findings
    }
}

impl DatabaseUrl {
    /// Opens the store as the server does, which checks settings, privileges and pooler, and writes to each table.
    async fn try_store(&self) -> Finding {
        match connect_without_migrating(&self.0).await {
            Ok(store) => {
                store.close().await;
                Finding::ok(
                    SUBJECT,
                    "its settings are suitable, and the account can write each table",
                )
            }
            Err(error) => Finding::failed(
                SUBJECT,
                one_line(&error),
                "the server does not start before this is corrected",
            ),
        }
    }

    async fn look(&self, look: Look) -> Result<(SchemaState, Facts), ConnectError> {
        match self.scheme() {
            #[cfg(feature = "sqlite")]
            "sqlite" => {
                let options = crate::sqlite::existing(&self.0)?;
                if options.get_filename().exists() {
                    look_into::<sqlx::Sqlite>(options, look).await
                } else {
                    Ok((
                        missing_all::<sqlx::Sqlite>(),
                        vec![("SQLite", "without a file".into())],
                    ))
                }
            }
            #[cfg(feature = "postgres")]
            "postgres" | "postgresql" => {
                let options = self.0.parse().map_err(ConnectError::Url)?;
                look_into::<sqlx::Postgres>(options, look).await
            }
            #[cfg(feature = "mysql")]
            "mysql" | "mariadb" => {
                let options: sqlx::mysql::MySqlConnectOptions =
                    self.0.parse().map_err(ConnectError::Url)?;
                look_into::<sqlx::MySql>(options.charset("utf8mb4"), look).await
            }
            _ => Err(ConnectError::UnknownScheme),
        }
    }
}

/// Facts about a server, each with its name.
type Facts = Vec<(&'static str, String)>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    State,
    StateAndFacts,
}

/// Reads on a connection of its own, with no change of the database.
async fn look_into<DB: Dialect>(
    options: <DB::Connection as Connection>::Options,
    look: Look,
) -> Result<(SchemaState, Facts), ConnectError> {
    let read = async {
        let mut connection = options.connect().await.map_err(ConnectError::open)?;
        let state = state::<DB>(&mut connection).await?;
        let facts = match look {
            Look::State => Facts::new(),
            Look::StateAndFacts => {
                let facts = DB::facts(&mut connection).await;
                facts.map_err(ConnectError::open)?
            }
        };
        let _closed = connection.close().await;
        Ok((state, facts))
    };
    let timed_out = |_| ConnectError::open(Error::Io(std::io::ErrorKind::TimedOut.into()));
    let read = timeout(CONNECT_TIMEOUT, read).await.map_err(timed_out);
    let found: Result<_, ConnectError> = read.and_then(|found| found);
    found.map_err(|error| error.with_file(DB::file(&options)))
}

async fn state<DB: Dialect>(connection: &mut DB::Connection) -> Result<SchemaState, ConnectError> {
    let migrations = migrations::<DB>();
    let missing = missing_in::<DB>(&migrations, connection).await?;
    let missing = missing.map_err(ConnectError::migrate)?;
    if !missing.is_empty() {
        let missing = missing.into_iter().map(name).collect();
        return Ok(SchemaState::Behind { missing });
    }
    let sql = Sql::<DB>::new("SELECT version, readable_from FROM pat_clock WHERE id = 1");
    let rows = sql.fetch(connection).await.map_err(ConnectError::open)?;
    let row = rows.first().ok_or_else(|| corrupt("pat_clock has no row"));
    let versions = row.and_then(row::versions).map_err(ConnectError::open)?;
    if versions.version <= SCHEMA_VERSION {
        return Ok(SchemaState::Current);
    }
    Ok(SchemaState::Ahead {
        version: versions.version,
        readable_from: versions.readable_from,
    })
}

#[cfg(feature = "sqlite")]
fn missing_all<DB: Dialect>() -> SchemaState {
    let missing = migrations::<DB>().iter().map(name).collect();
    SchemaState::Behind { missing }
}

fn of_state(state: &SchemaState) -> Option<Finding> {
    match state {
        SchemaState::Current => Some(Finding::ok(
            SUBJECT,
            format!("its tables have version {SCHEMA_VERSION}, that of this program"),
        )),
        SchemaState::Behind { missing } => Some(Finding::failed(
            SUBJECT,
            format!("its tables lack {}", missing.join(", ")),
            "run the command migrate, or start the server with an account that may change tables",
        )),
        SchemaState::Ahead {
            version,
            readable_from,
        } if *readable_from <= SCHEMA_VERSION => Some(Finding::warning(
            SUBJECT,
            format!("its tables have version {version}, and this program {SCHEMA_VERSION}"),
            "update this program: it works, but not with all that is new",
        )),
        // The store says so.
        SchemaState::Ahead { .. } => None,
    }
}

fn texts<DB: Dialect>() -> Vec<MigrationText> {
    let texts = SqlxStore::<DB>::migrations().into_iter();
    let texts = texts.map(|migration| {
        let name = migration.file_name();
        let name = name.strip_suffix(".sql").unwrap_or(&name).to_owned();
        let Migration { version, sql, .. } = migration;
        MigrationText::new(version, name, sql)
    });
    texts.collect()
}
