//! An empty database of any kind.

use pat_servers::{Database, Kind};
use pat_sqlx::sqlx::sqlite::SqliteConnection;
use pat_sqlx::sqlx::{AssertSqlSafe, Connection as _, Executor as _, query_scalar};
use pat_sqlx::{AnyStore, ConnectError};
use tempfile::TempDir;

use crate::node::sqlite_url;

/// An empty database of one test.
#[derive(Debug)]
pub enum AnyDatabase {
    /// A file in this folder.
    Sqlite(TempDir),
    /// A database on a server.
    Server(Database),
}

impl AnyDatabase {
    /// Returns what to connect to.
    pub fn url(&self) -> String {
        match self {
            Self::Sqlite(folder) => sqlite_url(folder.path()),
            Self::Server(database) => database.url.clone(),
        }
    }

    /// Its name, as of a need of the tests.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Server(database) => database.kind.need(),
        }
    }

    /// The name of the dialect, as of the folders of the migrations.
    pub fn dialect(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Server(database) => match database.kind {
                Kind::Postgres => "postgres",
                Kind::MariaDb => "mysql",
            },
        }
    }

    /// Opens a store.
    ///
    /// # Errors
    /// The database or its tables cannot be used.
    pub async fn open(&self) -> Result<AnyStore, ConnectError> {
        pat_sqlx::connect(&self.url()).await
    }

    /// Opens a store, which must succeed.
    pub async fn store(&self) -> AnyStore {
        self.open().await.expect("a store")
    }

    /// Has the tables made as of now.
    pub async fn make(&self) {
        self.store().await.close().await;
    }

    /// Runs statements. Bytes are written as `X'…'`.
    pub async fn execute(&self, sql: &str) {
        match self {
            Self::Sqlite(_) => {
                let mut connection = self.sqlite().await;
                let done = connection.execute(AssertSqlSafe(sql.to_owned())).await;
                done.expect(sql);
                connection.close().await.expect("a goodbye");
            }
            Self::Server(database) if database.kind == Kind::Postgres => {
                database.execute(&sql.replace("X'", r"'\x")).await;
            }
            Self::Server(database) => database.execute(sql).await,
        }
    }

    /// The number that a query selects.
    pub async fn number(&self, sql: &str) -> i64 {
        match self {
            Self::Sqlite(_) => {
                let mut connection = self.sqlite().await;
                let number = query_scalar(AssertSqlSafe(sql.to_owned()));
                let number = number.fetch_one(&mut connection).await.expect(sql);
                connection.close().await.expect("a goodbye");
                number
            }
            Self::Server(database) => database.number(sql).await,
        }
    }

    async fn sqlite(&self) -> SqliteConnection {
        let connection = SqliteConnection::connect(&self.url()).await;
        connection.expect("the file")
    }
}
