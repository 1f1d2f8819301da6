use std::str::FromStr;
use std::time::Duration;

use sqlx::error::DatabaseError;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgListener, PgQueryResult};
use sqlx::{Executor as _, Pool, Postgres, Row as _};
use tokio::time::timeout;

use crate::dialect::on_conflict_keep_later;
use crate::lent::fetch;
use crate::privileges::{Grants, TABLES};
use crate::server::{self, Server};
use crate::sql::Sql;
use crate::{ConnectError, Dialect, SqlxStore};

/// Tokens in a PostgreSQL database.
pub type PostgresStore = SqlxStore<Postgres>;

impl PostgresStore {
    /// Connects to the database of this URL (`postgres://user:password@host/database`), and brings
    /// the tables up to date.
    ///
    /// The server must be the primary. Whether the connection is encrypted is a matter of the URL
    /// and of sqlx's features; see the crate's documentation.
    ///
    /// # Errors
    /// The URL is not one of PostgreSQL, the server cannot be reached or takes no writes, or its
    /// tables cannot be migrated.
    pub async fn connect(url: &str) -> Result<Self, ConnectError> {
        if !["postgres:", "postgresql:"]
            .iter()
            .any(|scheme| url.starts_with(scheme))
        {
            return Err(ConnectError::WrongScheme {
                expected: "PostgreSQL",
                scheme: "postgres:",
            });
        }
        let options = PgConnectOptions::from_str(url).map_err(ConnectError::Url)?;
        server::connect(options).await
    }
}

const HINT: &str = "SELECT pg_notify('pat_change', '')";
/// How long nothing is heard before a listener asks whether it still hears.
const SILENCE: Duration = Duration::from_secs(5);

impl Dialect for Postgres {
    // Nobody waits for ever: not for a lock, and not for one that a node holds which was suspended
    // or cut off in the middle of a transaction. Set here, so that it holds on the host's own pools
    // and behind a pooler too.
    const BEGIN_WRITE: &'static str = "BEGIN ISOLATION LEVEL READ COMMITTED; \
         SET LOCAL lock_timeout = '5s'; SET LOCAL idle_in_transaction_session_timeout = '10s'";
    const HAS_ONE_WRITER: bool = false;
    const FOR_UPDATE: &'static str = " FOR UPDATE";
    const SKIP_LOCKED: &'static str = " FOR UPDATE SKIP LOCKED";
    const CLOCK: &'static str = "(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::BIGINT";
    const IS_WRITABLE: &'static str =
        "(current_setting('transaction_read_only') = 'off')::INT::BIGINT";
    const MIGRATIONS: [&'static str; 5] = [
        include_str!("../migrations/postgres/0001_tokens.sql"),
        include_str!("../migrations/postgres/0002_jobs.sql"),
        include_str!("../migrations/postgres/0003_nodes.sql"),
        include_str!("../migrations/postgres/0004_events.sql"),
        include_str!("../migrations/postgres/0005_time_and_audit.sql"),
    ];

    fn or_ignore(_key: &str) -> String {
        " ON CONFLICT DO NOTHING".into()
    }

    fn or_count_up(table: &str, key: &str) -> String {
        format!(" ON CONFLICT ({key}) DO UPDATE SET seq = {table}.seq + 1")
    }

    const LOCK_EVERYWHERE: Option<[&'static str; 2]> = None;

    fn or_keep_later(table: &str, key: &str, time: &str, others: &[&str]) -> String {
        on_conflict_keep_later(table, key, time, others)
    }

    const KEEPS_STATISTICS: bool = true;
    const JOIN_IN_ORDER: &'static str = "JOIN";

    fn by_index(_index: &str) -> String {
        String::new()
    }

    fn lock_by_index(_index: &str) -> String {
        String::new()
    }

    fn is_farewell(error: &dyn DatabaseError) -> bool {
        // Ended by an administrator, after another session's crash, or not yet up again.
        matches!(error.code().as_deref(), Some("57P01" | "57P02" | "57P03"))
    }

    fn is_transient(error: &dyn DatabaseError) -> bool {
        // A serialization failure, a deadlock, a lock that was waited for too long.
        matches!(error.code().as_deref(), Some("40001" | "40P01" | "55P03"))
    }

    fn is_missing_table(error: &dyn DatabaseError) -> bool {
        error.code().as_deref() == Some("42P01")
    }

    fn is_half_done(error: &dyn DatabaseError) -> bool {
        // A table, an index or a column that is there already. In its own catalogue a lost race is a
        // row that another one has changed ("tuple concurrently updated"), which has no code.
        matches!(
            error.code().as_deref(),
            Some("42P07" | "42710" | "42701" | "XX000")
        )
    }

    fn is_forbidden(error: &dyn DatabaseError) -> bool {
        // It lacks a privilege, or sees no schema in which it could make a table.
        matches!(error.code().as_deref(), Some("42501" | "3F000"))
    }

    async fn grants(connection: &mut PgConnection) -> Result<Grants, sqlx::Error> {
        // An account that may not use the schema does not see our tables, but they are listed.
        let row = connection
            .fetch_one(
                "SELECT quote_ident(current_user) AS account, quote_ident(s.name) AS schema, \
                 t.tableowner IS NOT NULL AND NOT has_schema_privilege(s.name, 'USAGE') \
                 AS is_hidden, \
                 quote_ident(NULLIF(t.tableowner, current_user)) AS owner \
                 FROM (SELECT COALESCE( \
                     (SELECT schemaname FROM pg_tables WHERE tablename = 'pat_migrations' \
                      ORDER BY schemaname = current_schema() DESC NULLS LAST LIMIT 1), \
                     current_schema(), 'public')::TEXT AS name) s \
                 LEFT JOIN pg_tables t ON t.schemaname = s.name AND t.tablename = 'pat_token'",
            )
            .await?;
        let (account, schema): (String, String) = (row.try_get("account")?, row.try_get("schema")?);
        let (is_hidden, owner): (bool, Option<String>) =
            (row.try_get("is_hidden")?, row.try_get("owner")?);
        let tables = TABLES.map(|table| format!("{schema}.{table}")).join(", ");
        let to_run = vec![
            format!("GRANT USAGE ON SCHEMA {schema} TO {account}"),
            format!("GRANT SELECT, INSERT, UPDATE, DELETE ON {tables} TO {account}"),
            format!("GRANT SELECT ON {schema}.pat_migrations TO {account}"),
        ];
        let mut to_migrate = Vec::new();
        // Whether hidden tables are up to date is seen once they are not hidden any more.
        if !is_hidden {
            to_migrate.push(format!(
                "GRANT USAGE, CREATE ON SCHEMA {schema} TO {account}"
            ));
            // Only its owner may alter a table.
            to_migrate.extend(owner.map(|owner| format!("GRANT {owner} TO {account}")));
        }
        Ok(Grants { to_run, to_migrate })
    }

    fn rows_affected(result: &PgQueryResult) -> u64 {
        result.rows_affected()
    }

    // In a transaction of its own, after the commit that it tells of: a notification holds a lock
    // of the whole server while it is committed.
    const HINT: Option<&'static str> = Some(HINT);

    /// A connection may go deaf without an error (its peer was reset, say). So in a silence it
    /// hints itself, and gives up if it does not hear even that.
    async fn listen(pool: &Pool<Self>, hint: &(dyn Fn() + Send + Sync)) -> Result<(), sqlx::Error> {
        let mut listener = PgListener::connect_with(pool).await?;
        listener.listen("pat_change").await?;
        // For what was said before.
        hint();
        let mut is_asked = false;
        loop {
            match timeout(SILENCE, listener.try_recv()).await {
                Ok(Ok(Some(_notification))) => {
                    is_asked = false;
                    hint();
                }
                Ok(Ok(None)) => return Ok(()),
                Ok(Err(error)) => return Err(error),
                Err(_elapsed) if is_asked => return Err(sqlx::Error::PoolTimedOut),
                Err(_elapsed) => {
                    is_asked = true;
                    fetch(pool, Sql::new(HINT)).await?;
                }
            }
        }
    }

    async fn check(connection: &mut PgConnection) -> Result<(), ConnectError> {
        let row = connection.fetch_one("SHOW server_encoding").await;
        let encoding: Result<String, _> = row.and_then(|row| row.try_get(0));
        match encoding.map_err(ConnectError::Open)? {
            encoding if encoding == "UTF8" => Ok(()),
            encoding => Err(ConnectError::Unsuitable {
                found: format!("its encoding is {encoding}"),
                needed: "UTF8",
            }),
        }
    }
}

impl Server for Postgres {
    async fn start_session(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        // Where a network is cut the server is not told, and would keep for hours what it has only so
        // many of.
        let give_up_in_half_a_minute = "SET tcp_keepalives_idle = 15; SET tcp_keepalives_interval = 5; \
             SET tcp_keepalives_count = 3; SET tcp_user_timeout = 30000";
        connection.execute(give_up_in_half_a_minute).await?;
        Ok(())
    }
}
