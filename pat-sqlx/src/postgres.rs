use std::str::FromStr;
use std::time::Duration;

use sqlx::error::DatabaseError;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgListener, PgQueryResult};
use sqlx::{AssertSqlSafe, Executor as _, Pool, Postgres, Row as _};
use tokio::time::timeout;

use crate::checkout::fetch;
use crate::dialect::{Chain, on_conflict_if_newer};
use crate::privileges::{Grants, TABLES};
use crate::server;
use crate::settings::Needed::{Any, NoneOf, OneOf};
use crate::settings::Setting;
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

const NOTIFY: &str = "SELECT pg_notify('pat_change', '')";
/// How long nothing is heard before a listener asks whether it still hears.
const SILENCE: Duration = Duration::from_secs(5);

impl Dialect for Postgres {
    // Nobody waits for ever: not for a lock, and not for one that a node holds which was suspended
    // or cut off in the middle of a transaction. Set here, so that it holds on the host's own pools
    // and behind a pooler too.
    const BEGIN_WRITE: &'static str = "BEGIN ISOLATION LEVEL READ COMMITTED; \
         SET LOCAL lock_timeout = '5s'; SET LOCAL idle_in_transaction_session_timeout = '10s'";
    const HAS_ONE_WRITER: bool = false;
    const COMMIT: &'static str = "COMMIT AND NO CHAIN";
    const ROLLBACK: &'static str = "ROLLBACK AND NO CHAIN";
    const CHAIN: Chain = Chain::With;
    const FOR_UPDATE: &'static str = " FOR UPDATE";
    const SKIP_LOCKED: &'static str = " FOR UPDATE SKIP LOCKED";
    const CLOCK: &'static str = "(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::BIGINT";
    const HAS_SERVER: bool = true;
    const IS_WRITABLE: &'static str =
        "(current_setting('transaction_read_only') = 'off')::INT::BIGINT";
    const MIGRATIONS: [&'static str; 6] = [
        include_str!("../migrations/postgres/0001_tokens.sql"),
        include_str!("../migrations/postgres/0002_jobs.sql"),
        include_str!("../migrations/postgres/0003_nodes.sql"),
        include_str!("../migrations/postgres/0004_events.sql"),
        include_str!("../migrations/postgres/0005_time_and_audit.sql"),
        include_str!("../migrations/postgres/0006_leaps_and_children.sql"),
    ];

    fn or_ignore(_key: &str) -> String {
        " ON CONFLICT DO NOTHING".into()
    }

    fn or_count_up(table: &str, key: &str) -> String {
        format!(" ON CONFLICT ({key}) DO UPDATE SET seq = {table}.seq + 1")
    }

    const LOCK_EVERYWHERE: Option<[&'static str; 2]> = None;

    fn upsert_if_newer(table: &str, key: &str, time: &str, others: &[&str]) -> String {
        on_conflict_if_newer(table, key, time, others)
    }

    const KEEPS_STATISTICS: bool = true;
    const JOIN_IN_ORDER: &'static str = "JOIN";

    fn by_index(_index: &str) -> String {
        String::new()
    }

    fn lock_by_index(_index: &str) -> String {
        String::new()
    }

    fn is_disconnect(error: &dyn DatabaseError) -> bool {
        error.code().is_some_and(|code| is_disconnect(&code))
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
                 ARRAY(SELECT p.tablename::TEXT FROM pg_tables p WHERE p.schemaname = s.name) \
                 AS tables, \
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
        // Of tables of an older version, those that there are: whoever makes the others owns them.
        let there: Vec<String> = row.try_get("tables")?;
        let is_there = |table: &&str| there.iter().any(|other| other == table);
        let is_any_there = TABLES.iter().any(is_there);
        let tables = TABLES
            .iter()
            .filter(|table| !is_any_there || is_there(table));
        let tables: Vec<_> = tables.map(|table| format!("{schema}.{table}")).collect();
        let tables = tables.join(", ");
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
    const NOTIFY: Option<&'static str> = Some(NOTIFY);

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
                    fetch(pool, Sql::new(NOTIFY)).await?;
                }
            }
        }
    }

    async fn check(connection: &mut PgConnection) -> Result<(), ConnectError> {
        let row = connection.fetch_one("SHOW server_encoding").await;
        let encoding: Result<String, _> = row.and_then(|row| row.try_get(0));
        let encoding = encoding.map_err(ConnectError::Open)?;
        if encoding != "UTF8" {
            return Err(ConnectError::Unsuitable {
                found: format!("its encoding is {encoding}"),
                needed: "UTF8",
            });
        }
        let row = connection.fetch_one("SELECT current_schema()::TEXT").await;
        let schema: Result<Option<String>, _> = row.and_then(|row| row.try_get(0));
        if schema.map_err(ConnectError::Open)?.is_none() {
            return Err(ConnectError::Setting {
                name: "search_path",
                found: "none of a schema that is there".into(),
                needed: "it must begin with the schema that the tables are in".into(),
            });
        }
        // On the store's own pools a statement would fail, and would not say which table is meant.
        let hidden = "SELECT relname::TEXT FROM pg_class WHERE relkind = 'r' \
             AND relname LIKE 'pat\\_%' AND pg_table_is_visible(oid) AND row_security_active(oid)";
        let row = connection.fetch_optional(hidden).await;
        let table = row.and_then(|row| row.map(|row| row.try_get::<String, _>(0)).transpose());
        match table.map_err(ConnectError::Open)? {
            None => Ok(()),
            Some(table) => Err(ConnectError::Unsuitable {
                found: format!("row-level security hides rows of {table} from this account"),
                needed: "an account that sees all rows (BYPASSRLS, or the owner of the tables)",
            }),
        }
    }

    async fn check_pair(
        one: &mut PgConnection,
        other: &mut PgConnection,
    ) -> Result<(), ConnectError> {
        for _ in 0..ROUNDS {
            if share_a_session(one, other)
                .await
                .map_err(ConnectError::Open)?
            {
                return Err(ConnectError::Unsuitable {
                    found: "a pooler gives each transaction another session (PgBouncer with \
                            pool_mode = transaction)"
                        .into(),
                    needed: "a session for each connection (pool_mode = session)",
                });
            }
        }
        Ok(())
    }

    const SETTINGS: &'static [Setting] = &[
        // What waits is given up by the store itself, and a transaction has limits of its own.
        Setting::new("statement_timeout", "0", Any),
        Setting::new("lock_timeout", "0", Any),
        Setting::new("idle_in_transaction_session_timeout", "0", Any),
        Setting::new("idle_session_timeout", "0", Any),
        Setting::new("transaction_timeout", "0", Any),
        Setting::new("default_transaction_isolation", "read committed", Any),
        Setting::new("default_transaction_deferrable", "off", Any),
        // Rows that a policy hides would be passed over without a word; this way it is an error.
        Setting::new("row_security", "off", Any),
        // A commit that was acknowledged must not be lost. `remote_apply` is left, which is more.
        Setting {
            name: "synchronous_commit",
            pinned: None,
            needed: NoneOf(&["off"]),
        },
        Setting::new("exit_on_error", "off", Any),
        Setting::new("transform_null_equals", "off", Any),
        Setting::new("standard_conforming_strings", "on", Any),
        Setting::new("client_encoding", "UTF8", OneOf(&["UTF8"])),
        Setting::new("TimeZone", "UTC", Any),
    ];

    async fn pin(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let pinned = Self::SETTINGS.iter().filter_map(|setting| {
            let Setting { name, pinned, .. } = setting;
            pinned.map(|value| format!("('{name}', '{value}')"))
        });
        let pinned: Vec<_> = pinned.collect();
        // Each that this version knows. Where a network is cut the server is not told, and would
        // keep for hours what it has only so many of; this has it give up in half a minute.
        let set = format!(
            "SELECT set_config(name, value, false) FROM (VALUES {}, \
             ('synchronous_commit', CASE current_setting('synchronous_commit') \
             WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END), \
             ('tcp_keepalives_idle', '15'), ('tcp_keepalives_interval', '5'), \
             ('tcp_keepalives_count', '3'), ('tcp_user_timeout', '30000')) AS pinned (name, value) \
             WHERE current_setting(name, true) IS NOT NULL",
            pinned.join(", ")
        );
        connection.execute(AssertSqlSafe(set)).await.map(drop)
    }

    async fn read_settings(
        connection: &mut PgConnection,
    ) -> Result<Vec<(Setting, String)>, sqlx::Error> {
        let names = Self::SETTINGS
            .iter()
            .map(|Setting { name, .. }| format!("('{name}')"));
        let names: Vec<_> = names.collect();
        let read = format!(
            "SELECT name, current_setting(name, true) FROM (VALUES {}) AS setting (name)",
            names.join(", ")
        );
        let rows = connection.fetch_all(AssertSqlSafe(read)).await?;
        let mut found = Vec::with_capacity(rows.len());
        for row in rows {
            let (name, value): (String, Option<String>) = (row.try_get(0)?, row.try_get(1)?);
            let setting = Self::SETTINGS.iter().find(|setting| setting.name == name);
            found.extend(setting.copied().zip(value));
        }
        Ok(found)
    }
}

/// How often two connections are looked at whether they share sessions, since other clients of a
/// pooler may come in between.
const ROUNDS: u32 = 3;

/// Whether one connection leads to the session in which the other is in a transaction, or to another
/// one than before while it is.
async fn share_a_session(
    one: &mut PgConnection,
    other: &mut PgConnection,
) -> Result<bool, sqlx::Error> {
    let before = session(one).await?;
    let begin = "BEGIN; SET LOCAL idle_in_transaction_session_timeout = '10s'";
    other.execute(begin).await?;
    let others = session(other).await?;
    let after = session(one).await?;
    other.execute("ROLLBACK").await?;
    Ok(before == others || before != after)
}

/// The number of the process that serves a connection.
async fn session(connection: &mut PgConnection) -> Result<i32, sqlx::Error> {
    let row = connection.fetch_one("SELECT pg_backend_pid()").await?;
    row.try_get(0)
}

/// Whether a server ends the connection by this error, or says that another one may do better.
fn is_disconnect(code: &str) -> bool {
    // In this order: it was idle in a transaction for too long, or the transaction took too long; the
    // server takes no writes any more; it was ended by an administrator, after another session's
    // crash; it is not up yet; its database is gone; it was idle for too long.
    const FAREWELLS: [&str; 8] = [
        "25P03", "25P04", "25006", "57P01", "57P02", "57P03", "57P04", "57P05",
    ];
    // And the class of connections that are broken.
    FAREWELLS.contains(&code) || code.starts_with("08")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn farewells_are_told_from_errors_of_a_statement() {
        for code in [
            "08000", "08006", "25006", "25P03", "25P04", "57P01", "57P02", "57P03", "57P05",
        ] {
            assert!(is_disconnect(code), "{code}");
        }
        // A duplicate, a deadlock, a lock that was waited for too long, a statement that was ended, a
        // failed transaction, a full disk.
        for code in ["23505", "40P01", "55P03", "57014", "25P02", "53100", ""] {
            assert!(!is_disconnect(code), "{code}");
        }
    }
}
