use std::path::Path;
use std::str::FromStr;

use sqlx::error::DatabaseError;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlDatabaseError, MySqlQueryResult};
use sqlx::{AssertSqlSafe, Error, Executor as _, MySql, Pool, Row as _};

use crate::error::ConnectError;
use crate::migrate::Migrating;
use crate::migration::TABLES;
use crate::server;
use crate::settings::Allowed::{Any, List, NoneOf, OneOf};
use crate::settings::Setting;
use crate::sql_dialect::{Chain, Grants, SqlDialect};
use crate::store::SqlxStore;

/// A token store in a MySQL or MariaDB database.
pub type MySqlStore = SqlxStore<MySql>;

/// How many prepared statements a connection keeps, unless the URL says how many: more than the store has in use,
/// since the driver's closing of one delays the next statement, over TCP by up to 44 ms. (The driver leaves the
/// option `TCP_NODELAY` off.)
const PREPARED_STATEMENTS: usize = 512;

impl MySqlStore {
    /// Opens a store in the database of this URL (`mysql://user:password@host/database`, or the same
    /// with `mariadb:`), and creates the tables or brings them up to date.
    ///
    /// The server must be at least MariaDB 10.6 or MySQL 8.0.17, and must not be a read-only replica.
    /// The URL and sqlx's features decide whether the connection is encrypted; see the [crate
    /// documentation](crate#tls). The connection's character set is utf8mb4, whatever the URL says.
    ///
    /// # Errors
    /// - [`ConnectError::WrongScheme`] if the URL begins with neither `mysql:` nor `mariadb:`.
    /// - [`ConnectError::Url`] if sqlx cannot parse the URL.
    /// - The errors of [`SqlxStore::migrate`].
    pub async fn connect(url: &str) -> Result<Self, ConnectError> {
        Self::open_url(url, Migrating::Allowed).await
    }

    /// Opens a store like [`MySqlStore::connect`], but changes no table: for accounts that may not, and for
    /// tables that another tool creates and updates ([`SqlxStore::migrations`]).
    ///
    /// # Errors
    /// - [`ConnectError::MigrationsMissing`] if the tables are missing or not up to date.
    /// - The other errors of [`MySqlStore::connect`].
    pub async fn connect_without_migrating(url: &str) -> Result<Self, ConnectError> {
        Self::open_url(url, Migrating::Refused).await
    }

    pub(crate) async fn open_url(url: &str, migrating: Migrating) -> Result<Self, ConnectError> {
        if !["mysql:", "mariadb:"]
            .iter()
            .any(|scheme| url.starts_with(scheme))
        {
            return Err(ConnectError::WrongScheme {
                expected: "MySQL or MariaDB",
                scheme: "mysql: or mariadb:",
            });
        }
        let mut options = MySqlConnectOptions::from_str(url).map_err(ConnectError::Url)?;
        if !url.contains("statement-cache-capacity") {
            options = options.statement_cache_capacity(PREPARED_STATEMENTS);
        }
        server::connect(options.charset("utf8mb4"), migrating).await
    }
}

impl MySqlStore {
    /// Returns the SQL statements that grant an account such as `app@%` the privileges that the store needs
    /// in this database. An account without `@` is one of any host.
    #[must_use]
    pub fn grants(account: &str, database: &str) -> Grants {
        let (user, host) = account.rsplit_once('@').unwrap_or((account, "%"));
        let account = format!("{}@{}", quoted(user, '\''), quoted(host, '\''));
        // In a grant `_` and `%` are wildcards.
        let database = database.replace('_', r"\_").replace('%', r"\%");
        let database = quoted(&database, '`');
        let grant = |what| vec![format!("GRANT {what} ON {database}.* TO {account}")];
        Grants {
            to_run: grant("SELECT, INSERT, UPDATE, DELETE"),
            to_migrate: grant("CREATE, ALTER, INDEX"),
        }
    }
}

impl SqlDialect for MySql {
    // READ COMMITTED: the default, REPEATABLE READ, keeps the snapshot of the first read, and locks the
    // gaps between rows. The ROLLBACK first: a call that was dropped in the middle leaves its
    // transaction open, and the level cannot be set within one.
    //
    // The timeouts keep other transactions from waiting without end for a node that was suspended or
    // cut off in the middle. MySQL has only a timeout for idle connections of any kind, so there a
    // connection that has written is closed after that time without use.
    //
    // The savepoint: on Galera another member may end a transaction at any moment, and the error that
    // reports it is lost if a statement is prepared or closed at the same moment. The next statements
    // would then run outside the transaction, without its locks. So COMMIT requires the savepoint of
    // the beginning, and without `autocommit` nothing is committed before it.
    const BEGIN_WRITE: &'static str = "ROLLBACK AND NO CHAIN NO RELEASE; \
         SET SESSION autocommit = 0 /*M! , SESSION idle_transaction_timeout = 10 */ \
         /*!80017 , SESSION wait_timeout = 30 */; \
         SET TRANSACTION ISOLATION LEVEL READ COMMITTED; START TRANSACTION; SAVEPOINT pat";
    const HAS_ONE_WRITER: bool = false;
    const COMMIT: &'static str = "RELEASE SAVEPOINT pat; COMMIT AND NO CHAIN NO RELEASE; \
         SET SESSION autocommit = 1";
    const ROLLBACK: &'static str = "ROLLBACK AND NO CHAIN NO RELEASE; SET SESSION autocommit = 1";
    const CHAIN: Chain = Chain::None;
    const FOR_UPDATE: &'static str = " FOR UPDATE";
    const SKIP_LOCKED: &'static str = " FOR UPDATE SKIP LOCKED";
    // Not UNIX_TIMESTAMP(), which reads the session's time zone, and so repeats an hour when
    // daylight saving time ends.
    const CLOCK: &'static str = "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))";
    const HAS_SERVER: bool = true;
    // The value is a number, or a word on newer versions of MariaDB.
    const IS_WRITABLE: &'static str = "CONCAT(@@global.read_only) IN ('0', 'OFF')";
    const MIGRATIONS: [&'static str; 10] = [
        include_str!("../migrations/mysql/0001_tokens.sql"),
        include_str!("../migrations/mysql/0002_jobs.sql"),
        include_str!("../migrations/mysql/0003_nodes.sql"),
        include_str!("../migrations/mysql/0004_events.sql"),
        include_str!("../migrations/mysql/0005_time_and_audit.sql"),
        include_str!("../migrations/mysql/0006_leaps_and_children.sql"),
        include_str!("../migrations/mysql/0007_scopes.sql"),
        include_str!("../migrations/mysql/0008_lines.sql"),
        include_str!("../migrations/mysql/0009_requests.sql"),
        include_str!("../migrations/mysql/0010_revocation_notices.sql"),
    ];

    const CREATE_MIGRATIONS_TABLE: &'static str = "CREATE TABLE IF NOT EXISTS pat_migrations (\n    \
         version BIGINT PRIMARY KEY,\n    \
         description TEXT NOT NULL,\n    \
         installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,\n    \
         success BOOLEAN NOT NULL,\n    \
         checksum BLOB NOT NULL,\n    \
         execution_time BIGINT NOT NULL\n) ENGINE = InnoDB";

    fn bytes_literal(hex: &str) -> String {
        format!("X'{hex}'")
    }

    fn or_ignore(key: &str) -> String {
        // `INSERT IGNORE` would take a shared lock on the row.
        format!(" ON DUPLICATE KEY UPDATE {key} = {key}")
    }

    fn or_count_up(_table: &str, _key: &str) -> String {
        " ON DUPLICATE KEY UPDATE seq = seq + 1".into()
    }

    // Galera's streaming replication: what a statement changes is replicated at once, and from then on
    // conflicting transactions on other members fail.
    const EAGER_LOCKS: Option<[&'static str; 2]> = Some([
        "SET SESSION wsrep_trx_fragment_unit = 'statements', SESSION wsrep_trx_fragment_size = 1",
        "SET SESSION wsrep_trx_fragment_size = 0",
    ]);

    fn upsert_if_newer(_table: &str, _key: &str, time: &str, others: &[&str]) -> String {
        // MySQL assigns in order, and later assignments see the new values: so the time comes last.
        let columns = others.iter().chain([&time]);
        let later = columns.map(|column| {
            format!("{column} = IF({time} < VALUES({time}), VALUES({column}), {column})")
        });
        let later: Vec<_> = later.collect();
        format!(" ON DUPLICATE KEY UPDATE {}", later.join(", "))
    }

    const JOIN_IN_ORDER: &'static str = "STRAIGHT_JOIN";

    fn by_index(index: &str) -> String {
        // The planner ignores that a page has few rows, and would sort all rows.
        format!(" FORCE INDEX ({index})")
    }

    fn by_sparse_index(index: &str) -> String {
        // With a forced index, MySQL does not count the matches of each value. It estimates them by the average, for
        // which `NULL` is a value like others, and reads the whole index.
        format!(" USE INDEX ({index})")
    }

    const BY_NO_INDEX: &'static str = "";
    const BY_UNREVOKED_OWNER: &'static str = "pat_token_by_revocation";
    const NARROW: u32 = 5_000;

    fn unindexed(column: &str, _is_text: bool) -> String {
        column.to_owned()
    }

    fn lock_by_index(index: &str) -> String {
        // With outdated statistics MySQL sorts all matching rows, and locks them all.
        Self::by_index(index)
    }

    fn is_disconnect(error: &dyn DatabaseError) -> bool {
        number(error).is_some_and(is_disconnect)
    }

    fn is_transient(error: &dyn DatabaseError) -> bool {
        // A deadlock (or a failed certification on Galera), a lock timeout, a row that has changed
        // since it was read, and a transaction that has lost its savepoint.
        matches!(number(error), Some(1213 | 1205 | 1020 | 1305))
    }

    fn is_missing_table(error: &dyn DatabaseError) -> bool {
        number(error) == Some(1146)
    }

    fn is_concurrent_migration(error: &dyn DatabaseError) -> bool {
        // A table, a column or an index that exists already, or changes meanwhile.
        matches!(number(error), Some(1050 | 1060 | 1061 | 1412 | 1615 | 1684))
    }

    fn is_forbidden(error: &dyn DatabaseError) -> bool {
        // For a database, a table, a column, or the whole server.
        matches!(number(error), Some(1044 | 1142 | 1143 | 1227))
    }

    async fn grants(connection: &mut MySqlConnection) -> Result<Grants, Error> {
        let row = connection
            .fetch_one("SELECT CURRENT_USER(), DATABASE()")
            .await?;
        let (account, database): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        Ok(MySqlStore::grants(&account, &database))
    }

    #[cfg(feature = "commands")]
    async fn facts(connection: &mut MySqlConnection) -> Result<Vec<(&'static str, String)>, Error> {
        const SETTINGS: [(&str, &str); 5] = [
            ("version", "server"),
            ("time_zone", "time zone"),
            // Under the name of one or the other server.
            ("transaction_isolation", "isolation"),
            ("tx_isolation", "isolation"),
            (
                "innodb_flush_log_at_trx_commit",
                "innodb_flush_log_at_trx_commit",
            ),
        ];
        let names = SETTINGS.map(|(setting, _)| setting);
        let found = read(connection, &names).await?;
        let shown = |wanted: &str| {
            let known = SETTINGS.iter().find(|(setting, _)| *setting == wanted);
            known.map(|(_, name)| *name)
        };
        let mut facts: Vec<_> = found
            .into_iter()
            .filter_map(|(setting, value)| Some((shown(&setting)?, value)))
            .collect();
        facts.sort_by_key(|(name, _)| SETTINGS.iter().position(|(_, known)| known == name));
        facts.dedup_by_key(|(name, _)| *name);
        Ok(facts)
    }

    fn rows_affected(result: &MySqlQueryResult) -> u64 {
        result.rows_affected()
    }

    const NOTIFY: Option<&'static str> = None;

    async fn listen(_: &Pool<Self>, _: &(dyn Fn() + Send + Sync)) -> Result<(), sqlx::Error> {
        std::future::pending().await
    }

    fn file(_: &MySqlConnectOptions) -> Option<&Path> {
        None
    }

    async fn has_no_file(_: &mut MySqlConnection) -> Result<bool, Error> {
        Ok(false)
    }

    async fn check(connection: &mut MySqlConnection) -> Result<(), ConnectError> {
        let row = connection.fetch_one("SELECT VERSION()").await;
        let version: Result<String, _> = row.and_then(|row| row.try_get(0));
        let version = version.map_err(ConnectError::open)?;
        if !is_supported(&version) {
            return Err(ConnectError::Unsuitable {
                found: format!("its version is {version}"),
                needed: "MariaDB 10.6 or MySQL 8.0.17",
            });
        }
        let log = read(connection, &["log_bin", "binlog_format"]).await;
        let log = log.map_err(ConnectError::open)?;
        let is = |name: &str, value: &str| log.iter().any(|(n, v)| n == name && v == value);
        if is("log_bin", "ON") && is("binlog_format", "STATEMENT") {
            return Err(ConnectError::Setting {
                name: "binlog_format",
                found: "STATEMENT".into(),
                needed:
                    "it must be ROW or MIXED, since with STATEMENT the server refuses the writes \
                         of READ COMMITTED transactions"
                        .into(),
                remedy: "change it in the server's configuration",
            });
        }
        Ok(())
    }

    /// A client that drops the comments of another server makes tables with a collation in which `Alice` and
    /// `alice` are one owner.
    async fn check_tables(connection: &mut MySqlConnection) -> Result<(), ConnectError> {
        let sql = format!(
            "SELECT CONCAT(table_name, '.', column_name), collation_name \
             FROM information_schema.columns WHERE table_schema = DATABASE() \
             AND table_name IN ('{}') \
             AND collation_name NOT IN ('utf8mb4_nopad_bin', 'utf8mb4_0900_bin') LIMIT 1",
            TABLES.join("', '")
        );
        let row = connection.fetch_optional(AssertSqlSafe(sql)).await;
        let Some(row) = row.map_err(ConnectError::open)? else {
            return Ok(());
        };
        let column: Result<(String, String), Error> = row
            .try_get(0)
            .and_then(|column| Ok((column, row.try_get(1)?)));
        let (column, collation) = column.map_err(ConnectError::open)?;
        Err(ConnectError::Unsuitable {
            found: format!("the collation of {column} is {collation}"),
            needed: "utf8mb4_nopad_bin (MariaDB) or utf8mb4_0900_bin (MySQL), as in the migrations",
        })
    }

    async fn check_pooler(
        _: &mut MySqlConnection,
        _: &mut MySqlConnection,
    ) -> Result<(), ConnectError> {
        Ok(())
    }

    const SETTINGS: &'static [Setting] = &[
        // A limit would cut lists, also the list of tokens that a bulk revocation is to revoke.
        Setting::new("sql_select_limit", NO_LIMIT, OneOf(&[NO_LIMIT])),
        // Strict: a text that is too long is an error instead of being cut.
        Setting::new("sql_mode", SQL_MODE, List(STRICT, STRANGE)),
        Setting::new("sql_safe_updates", "OFF", Any),
        Setting::new("sql_big_selects", "ON", Any),
        Setting::new("sql_auto_is_null", "OFF", Any),
        Setting::new("autocommit", "ON", OneOf(&["ON"])),
        // With CHAIN a commit begins another transaction, and later reads use its snapshot.
        Setting::new("completion_type", "NO_CHAIN", OneOf(&["NO_CHAIN"])),
        // A server has the one name or the other. Uncommitted changes must not be read.
        Setting::new("transaction_isolation", READ_COMMITTED, NoneOf(UNCOMMITTED)),
        Setting::new("tx_isolation", READ_COMMITTED, NoneOf(UNCOMMITTED)),
        Setting::new("transaction_read_only", "OFF", OneOf(&["OFF"])),
        Setting::new("tx_read_only", "OFF", OneOf(&["OFF"])),
        Setting::new("unique_checks", "ON", OneOf(&["ON"])),
        Setting::new("foreign_key_checks", "ON", Any),
        Setting::new("check_constraint_checks", "ON", Any),
        // For the table of migrations, which the driver creates.
        Setting::new("default_storage_engine", "InnoDB", Any),
        // The default compares only a part of a folded name, which has up to 512 characters of four
        // bytes. Any value will do as long as an index does the sorting.
        Setting::new("max_sort_length", "4096", Any),
        Setting::new("character_set_client", "utf8mb4", OneOf(&["utf8mb4"])),
        Setting::new("character_set_connection", "utf8mb4", OneOf(&["utf8mb4"])),
        Setting::new("character_set_results", "utf8mb4", OneOf(&["utf8mb4"])),
        Setting::new("time_zone", "+00:00", Any),
        // The store limits its waits itself; only waits for locks are limited here.
        Setting::new("max_statement_time", "0", Any),
        Setting::new("max_execution_time", "0", Any),
        Setting::new("innodb_lock_wait_timeout", "5", Any),
        Setting::new("lock_wait_timeout", "30", Any),
        Setting::adjusted("wait_timeout", Any),
        Setting::new("idle_readonly_transaction_timeout", "0", Any),
        Setting::new("idle_write_transaction_timeout", "0", Any),
        // A change that is not in the log would be missing after a failover.
        Setting::only_read("sql_log_bin", OneOf(&["ON"]), "do not switch it off"),
    ];

    async fn apply_settings(connection: &mut MySqlConnection) -> Result<(), Error> {
        let set = format!(
            "SET SESSION sql_select_limit = {NO_LIMIT}, SESSION sql_mode = '{SQL_MODE}', \
             SESSION sql_safe_updates = 0, SESSION sql_big_selects = 1, \
             SESSION sql_auto_is_null = 0, SESSION autocommit = 1, \
             SESSION completion_type = NO_CHAIN, SESSION unique_checks = 1, \
             SESSION foreign_key_checks = 1, SESSION default_storage_engine = InnoDB, \
             SESSION max_sort_length = 4096, \
             SESSION time_zone = '+00:00', SESSION innodb_lock_wait_timeout = 5, \
             SESSION lock_wait_timeout = 30, SESSION wait_timeout = 1800 \
             /*M! , SESSION max_statement_time = 0, SESSION check_constraint_checks = 1, \
             SESSION idle_readonly_transaction_timeout = 0, \
             SESSION idle_write_transaction_timeout = 0 */ \
             /*!80017 , SESSION max_execution_time = 0 */, NAMES utf8mb4; \
             SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE"
        );
        connection.execute(AssertSqlSafe(set)).await?;
        if is_on_galera(connection).await? {
            connection.execute(GALERA).await?;
        }
        Ok(())
    }

    async fn read_settings(
        connection: &mut MySqlConnection,
    ) -> Result<Vec<(Setting, String)>, Error> {
        // Read first, since a limit would cut the result of `SHOW` below.
        let limit = connection
            .fetch_optional("SELECT CONCAT(@@sql_select_limit)")
            .await?;
        let limit = limit.map(|row| row.try_get::<String, _>(0)).transpose()?;
        let limit = limit.unwrap_or_else(|| "0".into());
        let (first, others) = (Self::SETTINGS[0], &Self::SETTINGS[1..]);
        if limit != NO_LIMIT {
            return Ok(vec![(first, limit)]);
        }
        let names: Vec<_> = others.iter().map(|setting| setting.name).collect();
        let mut found = vec![(first, limit)];
        for (name, value) in read(connection, &names).await? {
            let setting = others.iter().find(|setting| setting.name == name);
            found.extend(setting.map(|setting| (*setting, value)));
        }
        if is_on_galera(connection).await? {
            for (name, value) in read(connection, &["wsrep_sync_wait", "wsrep_dirty_reads"]).await?
            {
                let setting = ON_GALERA.iter().find(|setting| setting.name == name);
                found.extend(setting.map(|setting| (*setting, value)));
            }
        }
        Ok(found)
    }
}

const NO_LIMIT: &str = "18446744073709551615";
const SQL_MODE: &str = "STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION";
const STRICT: &[&str] = &["STRICT_TRANS_TABLES", "STRICT_ALL_TABLES"];
/// Modes that change the meaning of the store's statements.
const STRANGE: &[&str] = &["EMPTY_STRING_IS_NULL", "SIMULTANEOUS_ASSIGNMENT"];
const READ_COMMITTED: &str = "READ-COMMITTED";
const UNCOMMITTED: &[&str] = &["READ-UNCOMMITTED"];

/// A Galera member may be behind the one that acknowledged a revocation, so it has to catch up
/// before it reads. A member without a connection to the cluster must not answer at all.
const GALERA: &str = "SET SESSION wsrep_sync_wait = 1, SESSION wsrep_dirty_reads = 0";
const ON_GALERA: &[Setting] = &[
    Setting::new(
        "wsrep_sync_wait",
        "1",
        OneOf(&["1", "3", "5", "7", "9", "11", "13", "15"]),
    ),
    Setting::new("wsrep_dirty_reads", "OFF", OneOf(&["OFF"])),
];

async fn is_on_galera(connection: &mut MySqlConnection) -> Result<bool, Error> {
    let found = read(connection, &["wsrep_on"]).await?;
    Ok(found.iter().any(|(_, value)| value == "ON"))
}

/// Returns those of these variables that the server has, with their values.
async fn read(
    connection: &mut MySqlConnection,
    names: &[&str],
) -> Result<Vec<(String, String)>, Error> {
    let sql = format!(
        "SHOW SESSION VARIABLES WHERE variable_name IN ('{}')",
        names.join("', '")
    );
    let rows = connection.fetch_all(AssertSqlSafe(sql)).await?;
    rows.iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .collect()
}

/// Whether a server ends the connection with the error of this number, or reports that it cannot serve
/// it.
fn is_disconnect(number: u16) -> bool {
    // In this order: the server shuts down, or has ended the session; the connection was aborted or
    // timed out; a client's errors for a lost connection, which proxies repeat; the connection was idle
    // for too long; a Galera member is not ready or has lost the cluster; the server has become a
    // replica or is taken out of service.
    const DISCONNECTS: [u16; 23] = [
        1053, 1077, 1079, 1927, 1152, 1184, 3169, 1156, 1157, 1158, 1159, 1160, 1161, 2002, 2003,
        2006, 2013, 2055, 4031, 1047, 1290, 1836, 3032,
    ];
    DISCONNECTS.contains(&number)
}

fn number(error: &dyn DatabaseError) -> Option<u16> {
    let error = error.try_downcast_ref::<MySqlDatabaseError>();
    error.map(MySqlDatabaseError::number)
}

fn quoted(name: &str, quote: char) -> String {
    let doubled = String::from_iter([quote, quote]);
    format!("{quote}{}{quote}", name.replace(quote, &doubled))
}

/// Whether a server of this version has a collation without padding, and `SKIP LOCKED`.
fn is_supported(version: &str) -> bool {
    let is_mariadb = version.contains("MariaDB");
    // Some MariaDB servers begin with this for old clients.
    let number = version.strip_prefix("5.5.5-").unwrap_or(version);
    let number = number.split(['-', '+', '~']).next().unwrap_or_default();
    let parts: Option<Vec<u32>> = number.split('.').map(|part| part.parse().ok()).collect();
    let least = if is_mariadb { [10, 6, 0] } else { [8, 0, 17] };
    parts.is_some_and(|parts| parts.as_slice() >= least.as_slice())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disconnects_are_told_from_errors_of_a_statement() {
        for number in [1047, 1053, 1152, 1158, 1161, 1927, 2006, 2013, 3169, 4031] {
            assert!(is_disconnect(number), "{number}");
        }
        // A duplicate, a deadlock, a lock timeout, a cancelled statement, a missing table.
        for number in [1062, 1213, 1205, 1317, 1969, 3024, 1146] {
            assert!(!is_disconnect(number), "{number}");
        }
    }

    #[test]
    fn servers_that_are_too_old_are_told_apart() {
        for version in [
            "10.6.0-MariaDB",
            "5.5.5-10.11.19-MariaDB-0+deb12u1",
            "11.4.2-MariaDB-ubu2404",
            "8.0.17",
            "8.4.0",
            "9.1.0-commercial",
        ] {
            assert!(is_supported(version), "{version}");
        }
        for version in ["10.5.29-MariaDB", "5.7.44", "8.0.16", "8.0.16-log", "what"] {
            assert!(!is_supported(version), "{version}");
        }
    }
}
