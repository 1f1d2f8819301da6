use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use sqlx::error::DatabaseError;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgListener, PgQueryResult};
use sqlx::{AssertSqlSafe, Executor as _, Pool, Postgres, Row as _};
use tokio::time::timeout;

use crate::checkout::fetch;
use crate::error::ConnectError;
use crate::migrate::Migrating;
use crate::migration::{TABLE as MIGRATIONS, TABLES};
use crate::server;
use crate::settings::Allowed::{Any, NoneOf, OneOf};
use crate::settings::Setting;
use crate::sql::Sql;
use crate::sql_dialect::{Chain, Grants, SqlDialect, on_conflict_if_newer};
use crate::store::SqlxStore;

/// A token store in a PostgreSQL database.
pub type PostgresStore = SqlxStore<Postgres>;

impl PostgresStore {
    /// Opens a store in the database of this URL (`postgres://user:password@host/database`), and creates
    /// the tables or brings them up to date.
    ///
    /// The server must be the primary of a replication, not a replica. The URL and sqlx's features
    /// decide whether the connection is encrypted; see the [crate documentation](crate#tls).
    ///
    /// # Errors
    /// - [`ConnectError::WrongScheme`] if the URL begins with neither `postgres:` nor `postgresql:`.
    /// - [`ConnectError::Url`] if sqlx cannot parse the URL.
    /// - The errors of [`SqlxStore::migrate`].
    pub async fn connect(url: &str) -> Result<Self, ConnectError> {
        Self::open_url(url, Migrating::Allowed).await
    }

    /// Opens a store like [`PostgresStore::connect`], but changes no table: for accounts that may not, and for
    /// tables that another tool creates and updates ([`SqlxStore::migrations`]).
    ///
    /// # Errors
    /// - [`ConnectError::MigrationsMissing`] if the tables are missing or not up to date.
    /// - The other errors of [`PostgresStore::connect`].
    pub async fn connect_without_migrating(url: &str) -> Result<Self, ConnectError> {
        Self::open_url(url, Migrating::Refused).await
    }

    pub(crate) async fn open_url(url: &str, migrating: Migrating) -> Result<Self, ConnectError> {
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
        server::connect(options, migrating).await
    }
}

impl PostgresStore {
    /// Returns the SQL statements that grant a role the privileges that the store needs on its tables in this
    /// schema. PostgreSQL accepts those of [`Grants::to_run`] only once the tables exist.
    #[must_use]
    pub fn grants(role: &str, schema: &str) -> Grants {
        grants(&quoted(role), &quoted(schema), TABLES)
    }
}

/// Returns the grants for an account on these tables in a schema, both quoted if necessary.
fn grants(account: &str, schema: &str, tables: impl IntoIterator<Item = &'static str>) -> Grants {
    let tables = tables.into_iter().map(|table| format!("{schema}.{table}"));
    let tables: Vec<_> = tables.collect();
    let tables = tables.join(", ");
    Grants {
        to_run: vec![
            format!("GRANT USAGE ON SCHEMA {schema} TO {account}"),
            format!("GRANT SELECT, INSERT, UPDATE, DELETE ON {tables} TO {account}"),
            format!("GRANT SELECT ON {schema}.{MIGRATIONS} TO {account}"),
        ],
        to_migrate: vec![format!(
            "GRANT USAGE, CREATE ON SCHEMA {schema} TO {account}"
        )],
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

const NOTIFY: &str = "SELECT pg_notify('pat_change', '')";
/// How long a listener waits for a notification before it probes its connection.
const PROBE_AFTER: Duration = Duration::from_secs(5);

impl SqlDialect for Postgres {
    // The limits keep other transactions from waiting without end for a node that was suspended or cut
    // off in the middle. Set here, so that they hold on the host's pools and behind a pooler too.
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
    const MIGRATIONS: [&'static str; 10] = [
        include_str!("../migrations/postgres/0001_tokens.sql"),
        include_str!("../migrations/postgres/0002_jobs.sql"),
        include_str!("../migrations/postgres/0003_nodes.sql"),
        include_str!("../migrations/postgres/0004_events.sql"),
        include_str!("../migrations/postgres/0005_time_and_audit.sql"),
        include_str!("../migrations/postgres/0006_leaps_and_children.sql"),
        include_str!("../migrations/postgres/0007_scopes.sql"),
        include_str!("../migrations/postgres/0008_lines.sql"),
        include_str!("../migrations/postgres/0009_requests.sql"),
        include_str!("../migrations/postgres/0010_revocation_notices.sql"),
    ];

    const CREATE_MIGRATIONS_TABLE: &'static str = "CREATE TABLE IF NOT EXISTS pat_migrations (\n    \
         version BIGINT PRIMARY KEY,\n    \
         description TEXT NOT NULL,\n    \
         installed_on TIMESTAMPTZ NOT NULL DEFAULT now(),\n    \
         success BOOLEAN NOT NULL,\n    \
         checksum BYTEA NOT NULL,\n    \
         execution_time BIGINT NOT NULL\n)";

    fn bytes_literal(hex: &str) -> String {
        format!(r"'\x{hex}'")
    }

    fn or_ignore(_key: &str) -> String {
        " ON CONFLICT DO NOTHING".into()
    }

    fn or_count_up(table: &str, key: &str) -> String {
        format!(" ON CONFLICT ({key}) DO UPDATE SET seq = {table}.seq + 1")
    }

    const EAGER_LOCKS: Option<[&'static str; 2]> = None;

    fn upsert_if_newer(table: &str, key: &str, time: &str, others: &[&str]) -> String {
        on_conflict_if_newer(table, key, time, others)
    }

    const JOIN_IN_ORDER: &'static str = "JOIN";

    fn look_up(table: &str, alias: &str, key: &str, value: &str) -> String {
        // With the offset, the subquery is not merged into the statement.
        format!(
            " JOIN LATERAL (SELECT * FROM {table} k WHERE k.{key} = {value} OFFSET 0) {alias} ON TRUE"
        )
    }

    fn by_index(_index: &str) -> String {
        String::new()
    }

    const BY_NO_INDEX: &'static str = "";
    const BY_UNREVOKED_OWNER: &'static str = "pat_token_unrevoked";
    const NARROW: u32 = 10_000;

    fn unindexed(column: &str, is_text: bool) -> String {
        let nothing = if is_text { "|| ''" } else { "+ 0" };
        format!("({column} {nothing})")
    }

    fn lock_by_index(_index: &str) -> String {
        String::new()
    }

    fn is_disconnect(error: &dyn DatabaseError) -> bool {
        error.code().is_some_and(|code| is_disconnect(&code))
    }

    fn is_transient(error: &dyn DatabaseError) -> bool {
        // A serialization failure, a deadlock, a lock timeout.
        matches!(error.code().as_deref(), Some("40001" | "40P01" | "55P03"))
    }

    fn is_missing_table(error: &dyn DatabaseError) -> bool {
        error.code().as_deref() == Some("42P01")
    }

    fn is_concurrent_migration(error: &dyn DatabaseError) -> bool {
        // A table, an index or a column that exists already. A race in the catalogue itself ("tuple
        // concurrently updated") has no code of its own.
        matches!(
            error.code().as_deref(),
            Some("42P07" | "42710" | "42701" | "XX000")
        )
    }

    fn is_forbidden(error: &dyn DatabaseError) -> bool {
        // A missing privilege, or no schema in which the account could create a table.
        matches!(error.code().as_deref(), Some("42501" | "3F000"))
    }

    async fn grants(connection: &mut PgConnection) -> Result<Grants, sqlx::Error> {
        // An account without USAGE on the schema cannot see the tables, but `pg_tables` lists them.
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
        // Only existing tables: the account that creates the others will own them.
        let there: Vec<String> = row.try_get("tables")?;
        let is_there = |table: &&str| there.iter().any(|other| other == table);
        let is_any_there = TABLES.iter().any(is_there);
        let tables = TABLES
            .iter()
            .filter(|table| !is_any_there || is_there(table))
            .copied();
        let mut grants = grants(&account, &schema, tables);
        // Whether hidden tables are up to date cannot be seen yet.
        if is_hidden {
            grants.to_migrate.clear();
        } else {
            // Only the owner of a table may alter it.
            let owner = owner.map(|owner| format!("GRANT {owner} TO {account}"));
            grants.to_migrate.extend(owner);
        }
        Ok(grants)
    }

    #[cfg(feature = "commands")]
    async fn facts(
        connection: &mut PgConnection,
    ) -> Result<Vec<(&'static str, String)>, sqlx::Error> {
        const SETTINGS: [(&str, &str); 4] = [
            ("PostgreSQL", "server_version"),
            ("time zone", "TimeZone"),
            ("isolation", "default_transaction_isolation"),
            ("synchronous_commit", "synchronous_commit"),
        ];
        let mut facts = Vec::with_capacity(SETTINGS.len());
        for (name, setting) in SETTINGS {
            let mut sql = sqlx::QueryBuilder::<Self>::new("SELECT current_setting(");
            sql.push_bind(setting).push(")");
            let row = sql.build().fetch_one(&mut *connection).await?;
            facts.push((name, row.try_get(0)?));
        }
        Ok(facts)
    }

    fn rows_affected(result: &PgQueryResult) -> u64 {
        result.rows_affected()
    }

    // In a transaction of its own after the change is committed: the commit of a notification takes a
    // lock of the whole server.
    const NOTIFY: Option<&'static str> = Some(NOTIFY);

    /// A connection may stop receiving without an error, when its peer was reset for example. So after
    /// a while without notifications this sends one itself, and ends if that one does not arrive.
    async fn listen(
        pool: &Pool<Self>,
        notify: &(dyn Fn() + Send + Sync),
    ) -> Result<(), sqlx::Error> {
        let mut listener = PgListener::connect_with(pool).await?;
        listener.listen("pat_change").await?;
        // For changes from before.
        notify();
        let mut is_probing = false;
        loop {
            match timeout(PROBE_AFTER, listener.try_recv()).await {
                Ok(Ok(Some(_notification))) => {
                    is_probing = false;
                    notify();
                }
                Ok(Ok(None)) => return Ok(()),
                Ok(Err(error)) => return Err(error),
                Err(_elapsed) if is_probing => return Err(sqlx::Error::PoolTimedOut),
                Err(_elapsed) => {
                    is_probing = true;
                    fetch(pool, Sql::new(NOTIFY)).await?;
                }
            }
        }
    }

    fn file(_: &PgConnectOptions) -> Option<&Path> {
        None
    }

    async fn has_no_file(_: &mut PgConnection) -> Result<bool, sqlx::Error> {
        Ok(false)
    }

    async fn check(connection: &mut PgConnection) -> Result<(), ConnectError> {
        let row = connection
            .fetch_one(
                "SELECT current_setting('server_version_num')::INT, \
                 current_setting('server_version'), current_setting('server_encoding'), \
                 current_schema()::TEXT",
            )
            .await;
        let server = row.and_then(|row| {
            Ok((
                row.try_get::<i32, _>(0)?,
                row.try_get::<String, _>(1)?,
                row.try_get::<String, _>(2)?,
                row.try_get::<Option<String>, _>(3)?,
            ))
        });
        let (number, version, encoding, schema) = server.map_err(ConnectError::open)?;
        if number < OLDEST {
            return Err(ConnectError::Unsuitable {
                found: format!("its version is {version}"),
                needed: "PostgreSQL 12",
            });
        }
        if encoding != "UTF8" {
            return Err(ConnectError::Unsuitable {
                found: format!("its encoding is {encoding}"),
                needed: "UTF8",
            });
        }
        if schema.is_none() {
            return Err(ConnectError::Setting {
                name: "search_path",
                found: "without an existing schema".into(),
                needed: "it must begin with the schema of the tables".into(),
                remedy: "create the schema, or name another one in the connect options",
            });
        }
        // Otherwise tables would be made in the first schema, beside those that exist.
        check_schema(connection, &[MIGRATIONS]).await?;
        // On the store's own pools a later statement would fail without naming the table.
        let hidden = "SELECT relname::TEXT FROM pg_class WHERE relkind = 'r' \
             AND relname LIKE 'pat\\_%' AND pg_table_is_visible(oid) AND row_security_active(oid)";
        let row = connection.fetch_optional(hidden).await;
        let table = row.and_then(|row| row.map(|row| row.try_get::<String, _>(0)).transpose());
        match table.map_err(ConnectError::open)? {
            None => Ok(()),
            Some(table) => Err(ConnectError::Unsuitable {
                found: format!("row-level security hides rows of {table} from this account"),
                needed: "an account that sees all rows (BYPASSRLS, or the owner of the tables)",
            }),
        }
    }

    async fn check_tables(connection: &mut PgConnection) -> Result<(), ConnectError> {
        check_schema(connection, &TABLES).await
    }

    async fn check_pooler(
        one: &mut PgConnection,
        other: &mut PgConnection,
    ) -> Result<(), ConnectError> {
        for _ in 0..ROUNDS {
            if sessions_are_shared(one, other)
                .await
                .map_err(ConnectError::open)?
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
        // The store limits its waits itself, and each transaction sets limits of its own.
        Setting::new("statement_timeout", "0", Any),
        Setting::new("lock_timeout", "0", Any),
        Setting::new("idle_in_transaction_session_timeout", "0", Any),
        Setting::new("idle_session_timeout", "0", Any),
        Setting::new("transaction_timeout", "0", Any),
        Setting::new("default_transaction_isolation", "read committed", Any),
        Setting::new("default_transaction_deferrable", "off", Any),
        // With `on`, rows that a policy hides would be passed over silently; with `off` they are an
        // error.
        Setting::new("row_security", "off", Any),
        // An acknowledged commit must not be lost. `remote_apply`, which is stricter, is kept.
        Setting::adjusted("synchronous_commit", NoneOf(&["off"])),
        Setting::new("exit_on_error", "off", Any),
        Setting::new("transform_null_equals", "off", Any),
        Setting::new("standard_conforming_strings", "on", Any),
        Setting::new("client_encoding", "UTF8", OneOf(&["UTF8"])),
        Setting::new("TimeZone", "UTC", Any),
    ];

    async fn apply_settings(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let set = Self::SETTINGS.iter().filter_map(|setting| {
            let Setting { name, value, .. } = setting;
            value.map(|value| format!("('{name}', '{value}')"))
        });
        let set: Vec<_> = set.collect();
        // Only settings that this version knows. The TCP settings make the server close the connections
        // of a node that was cut off after half a minute instead of hours.
        let set = format!(
            "SELECT set_config(name, value, false) FROM (VALUES {}, \
             ('synchronous_commit', CASE current_setting('synchronous_commit') \
             WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END), \
             ('tcp_keepalives_idle', '15'), ('tcp_keepalives_interval', '5'), \
             ('tcp_keepalives_count', '3'), ('tcp_user_timeout', '30000')) AS pinned (name, value) \
             WHERE current_setting(name, true) IS NOT NULL",
            set.join(", ")
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

/// The oldest version that knows all statements of the store, as a number.
const OLDEST: i32 = 120_000;

/// Refuses a search path on which one of these tables is found in another schema than the first: it is
/// another application's, or is left over.
async fn check_schema(connection: &mut PgConnection, tables: &[&str]) -> Result<(), ConnectError> {
    let sql = format!(
        "SELECT current_schema()::TEXT, n.nspname::TEXT, c.relname::TEXT FROM pg_class c \
         JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relname IN ('{}') \
         AND pg_table_is_visible(c.oid) AND n.nspname <> current_schema() LIMIT 1",
        tables.join("', '")
    );
    let row = connection.fetch_optional(AssertSqlSafe(sql)).await;
    let Some(row) = row.map_err(ConnectError::open)? else {
        return Ok(());
    };
    let texts: Result<Vec<String>, _> = (0..3).map(|column| row.try_get(column)).collect();
    let texts = texts.map_err(ConnectError::open)?;
    let [first, schema, table] = &texts[..] else {
        return Ok(());
    };
    Err(ConnectError::Setting {
        name: "search_path",
        found: format!("first {first}, and then {schema}, which has the table {table}"),
        needed: "it must begin with the schema of the tables".into(),
        remedy: "leave out the other schema in the connect options, or put it first",
    })
}

/// How often two connections are checked for shared sessions: other clients of a pooler may come in
/// between.
const ROUNDS: u32 = 3;

/// Whether one connection has the session in which the other is in a transaction, or changes its own
/// session meanwhile.
async fn sessions_are_shared(
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

/// Returns the process ID of the server process behind a connection.
async fn session(connection: &mut PgConnection) -> Result<i32, sqlx::Error> {
    let row = connection.fetch_one("SELECT pg_backend_pid()").await?;
    row.try_get(0)
}

/// Whether a server ends the connection with this error, or reports that it cannot serve it.
fn is_disconnect(code: &str) -> bool {
    // In this order: idle in a transaction for too long, transaction timeout, a read-only server, ended
    // by an administrator, ended after another session's crash, the server is starting, the database
    // was dropped, idle for too long.
    const DISCONNECTS: [&str; 8] = [
        "25P03", "25P04", "25006", "57P01", "57P02", "57P03", "57P04", "57P05",
    ];
    // And the class of connection exceptions.
    DISCONNECTS.contains(&code) || code.starts_with("08")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disconnects_are_told_from_errors_of_a_statement() {
        for code in [
            "08000", "08006", "25006", "25P03", "25P04", "57P01", "57P02", "57P03", "57P05",
        ] {
            assert!(is_disconnect(code), "{code}");
        }
        // A duplicate, a deadlock, a lock timeout, a cancelled statement, a failed transaction, a full
        // disk.
        for code in ["23505", "40P01", "55P03", "57014", "25P02", "53100", ""] {
            assert!(!is_disconnect(code), "{code}");
        }
    }
}
