//! The tables of a server, past its store and whichever database they are in.

use std::fmt::Write as _;
use std::path::PathBuf;

use pat_core::{Clock as _, Pats, SystemClock};
use pat_harness::node::sqlite_url;
use pat_servers::{Database, Kind, Session};
use pat_sqlx::sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use pat_sqlx::sqlx::{AssertSqlSafe, Connection as _, Executor as _, query_scalar};
use tempfile::TempDir;

/// One database.
pub(super) struct Tables {
    pub(super) url: String,
    /// Where the node has its log and its mails, and the file is that SQLite has.
    pub(super) folder: TempDir,
    /// On a server, or in a file.
    pub(super) server: Option<Database>,
}

impl Tables {
    /// In a file, with the schema of today and a first report of a node.
    pub(super) async fn in_file() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = sqlite_url(folder.path());
        Self::at(url, folder, None).await
    }

    /// The same, on a server.
    pub(super) async fn on(database: &Database) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self::at(database.url.clone(), folder, Some(database.clone())).await
    }

    async fn at(url: String, folder: TempDir, server: Option<Database>) -> Self {
        let store = pat_sqlx::connect(&url).await.expect("a store");
        let pats = Pats::builder(store.tokens()).build();
        pats.poll_changes().await.expect("a poll");
        drop(pats);
        store.close().await;
        Self {
            url,
            folder,
            server,
        }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("pat.db")
    }

    async fn open(&self) -> Connection {
        let Some(database) = &self.server else {
            let options = SqliteConnectOptions::new().filename(self.file());
            let connection = SqliteConnection::connect_with(&options).await;
            return Connection::ToFile(connection.expect("a connection"));
        };
        let session = Session::connect(database.kind, &database.url).await;
        Connection::ToServer(session.expect("a connection"))
    }

    pub(super) async fn execute(&self, sql: &str) {
        let mut connection = self.open().await;
        connection.execute(sql).await;
        connection.close().await;
    }

    /// The numbers that a query selects, without those that are not set.
    pub(super) async fn numbers(&self, sql: &str) -> Vec<i64> {
        let mut connection = self.open().await;
        let numbers = connection.numbers(sql).await;
        connection.close().await;
        numbers.into_iter().flatten().collect()
    }

    /// The texts that a query selects.
    pub(super) async fn texts(&self, sql: &str) -> Vec<String> {
        let mut connection = self.open().await;
        let texts = connection.texts(sql).await;
        connection.close().await;
        texts
    }

    /// The number that a query selects.
    pub(super) async fn number(&self, sql: &str) -> i64 {
        let numbers = self.numbers(sql).await;
        *numbers.first().unwrap_or_else(|| panic!("nothing: {sql}"))
    }

    /// The database's time, in microseconds since 1970. A file has that of the tests, which is right.
    pub(super) async fn clock(&self) -> i64 {
        match &self.server {
            Some(database) => self.number(clock(database.kind)).await,
            None => SystemClock.wall().as_microsecond(),
        }
    }

    /// Bytes as they are written in a statement.
    pub(super) fn literal(&self, bytes: &[u8]) -> String {
        let mut hex = String::new();
        for byte in bytes {
            let _infallible = write!(hex, "{byte:02x}");
        }
        match self.server.as_ref().map(|database| database.kind) {
            Some(Kind::Postgres) => format!("decode('{hex}', 'hex')"),
            _ => format!("X'{hex}'"),
        }
    }

    /// Keeps nodes from writing reports until the answer is closed; a file takes no writes at all.
    pub(super) async fn lock_reports(&self) -> Connection {
        let Some(database) = &self.server else {
            let mut connection = self.open().await;
            connection.execute("BEGIN IMMEDIATE").await;
            return connection;
        };
        let lock = database.lock_table("pat_node").await;
        Connection::ToServer(lock.expect("a lock"))
    }
}

/// What asks a server for its time, in microseconds since 1970.
pub(super) fn clock(kind: Kind) -> &'static str {
    match kind {
        Kind::Postgres => "SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::BIGINT",
        Kind::MariaDb => "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))",
    }
}

/// One connection, on which a lock may be held.
pub(super) enum Connection {
    ToFile(SqliteConnection),
    ToServer(Session),
}

impl Connection {
    async fn execute(&mut self, sql: &str) {
        match self {
            Self::ToFile(connection) => {
                let sql = AssertSqlSafe(sql.to_owned());
                connection.execute(sql).await.expect("a statement");
            }
            Self::ToServer(session) => session.execute(sql).await.expect(sql),
        }
    }

    async fn numbers(&mut self, sql: &str) -> Vec<Option<i64>> {
        match self {
            Self::ToFile(connection) => {
                let query = query_scalar(AssertSqlSafe(sql.to_owned()));
                query.fetch_all(connection).await.expect("numbers")
            }
            Self::ToServer(session) => session.select(sql).await.expect(sql),
        }
    }

    async fn texts(&mut self, sql: &str) -> Vec<String> {
        match self {
            Self::ToFile(connection) => {
                let query = query_scalar(AssertSqlSafe(sql.to_owned()));
                query.fetch_all(connection).await.expect("texts")
            }
            Self::ToServer(session) => session.select(sql).await.expect(sql),
        }
    }

    /// Ends it, with its transaction and its locks.
    pub(super) async fn close(self) {
        match self {
            Self::ToFile(connection) => drop(connection.close().await),
            Self::ToServer(session) => session.close().await,
        }
    }
}
