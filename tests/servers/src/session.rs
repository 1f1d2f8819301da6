//! One connection to a server, whichever kind it is of.

use pat_sqlx::sqlx::mysql::{MySql, MySqlConnection};
use pat_sqlx::sqlx::postgres::{PgConnection, Postgres};
use pat_sqlx::sqlx::{
    AssertSqlSafe, Connection as _, Decode, Error, Executor as _, Type, query_scalar,
};

use super::Kind;

/// A connection that stays as its statements left it, also within a transaction, until it is
/// closed.
#[derive(Debug)]
pub enum Session {
    /// To PostgreSQL.
    Postgres(PgConnection),
    /// To MariaDB or MySQL.
    MariaDb(MySqlConnection),
}

impl Session {
    /// Connects to this URL.
    ///
    /// # Errors
    /// The server lets nobody in.
    pub async fn connect(kind: Kind, url: &str) -> Result<Self, Error> {
        Ok(match kind {
            Kind::Postgres => Self::Postgres(PgConnection::connect(url).await?),
            Kind::MariaDb => Self::MariaDb(MySqlConnection::connect(url).await?),
        })
    }

    /// Runs a statement, which may be one that cannot be prepared.
    ///
    /// # Errors
    /// The server does not take it.
    pub async fn execute(&mut self, sql: &str) -> Result<(), Error> {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Self::Postgres(connection) => connection.execute(sql).await.map(drop),
            Self::MariaDb(connection) => connection.execute(sql).await.map(drop),
        }
    }

    /// The first column of what a query selects.
    ///
    /// # Errors
    /// The server does not take it, or it selects something else.
    pub async fn select<T>(&mut self, sql: &str) -> Result<Vec<T>, Error>
    where
        T: for<'row> Decode<'row, Postgres> + Type<Postgres>,
        T: for<'row> Decode<'row, MySql> + Type<MySql>,
        T: Send + Unpin,
    {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Self::Postgres(connection) => query_scalar(sql).fetch_all(connection).await,
            Self::MariaDb(connection) => query_scalar(sql).fetch_all(connection).await,
        }
    }

    /// Says goodbye, which ends its transaction and frees its locks.
    pub async fn close(self) {
        // On a local socket with TLS, MySQL hangs up before all of it is said.
        let _hung_up = match self {
            Self::Postgres(connection) => connection.close().await,
            Self::MariaDb(connection) => connection.close().await,
        };
    }
}
