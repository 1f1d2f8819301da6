use std::str::FromStr;

use sqlx::error::DatabaseError;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlDatabaseError, MySqlQueryResult};
use sqlx::{Error, Executor as _, MySql, Pool, Row as _};

use crate::privileges::Grants;
use crate::server::{self, Server};
use crate::{ConnectError, Dialect, SqlxStore};

/// Tokens in a MySQL or MariaDB database.
pub type MySqlStore = SqlxStore<MySql>;

impl MySqlStore {
    /// Connects to the database of this URL (`mysql://user:password@host/database`, `mariadb:` will
    /// do as well), and brings the tables up to date.
    ///
    /// The server must take writes, and be MariaDB 10.6 or MySQL 8.0.17 at least. Whether the
    /// connection is encrypted is a matter of the URL and of sqlx's features; see the crate's
    /// documentation. The connection's character set is utf8mb4, whatever the URL says.
    ///
    /// # Errors
    /// The URL is not one of MySQL or MariaDB, the server cannot be reached, is too old or takes no
    /// writes, or its tables cannot be migrated.
    pub async fn connect(url: &str) -> Result<Self, ConnectError> {
        if !["mysql:", "mariadb:"]
            .iter()
            .any(|scheme| url.starts_with(scheme))
        {
            return Err(ConnectError::WrongScheme {
                expected: "MySQL or MariaDB",
                scheme: "mysql: or mariadb:",
            });
        }
        let options = MySqlConnectOptions::from_str(url).map_err(ConnectError::Url)?;
        server::connect(options.charset("utf8mb4")).await
    }
}

impl Dialect for MySql {
    // The default, REPEATABLE READ, counts as of the first read, and locks the gaps between rows.
    // A caller who gave up in the middle of this leaves an open transaction on the connection, and
    // within one the level cannot be set.
    //
    // And nobody waits for ever for a lock of a node that was suspended or cut off in the middle of
    // this. MySQL knows no such limit but the one of all idle connections, so that one that has
    // written is closed there when nothing has used it for that long.
    const BEGIN_WRITE: &'static str = "ROLLBACK; \
         SET /*M! SESSION idle_transaction_timeout = 10 */ /*!80017 SESSION wait_timeout = 30 */; \
         SET TRANSACTION ISOLATION LEVEL READ COMMITTED; START TRANSACTION";
    const HAS_ONE_WRITER: bool = false;
    const FOR_UPDATE: &'static str = " FOR UPDATE";
    const SKIP_LOCKED: &'static str = " FOR UPDATE SKIP LOCKED";
    // Not UNIX_TIMESTAMP(), which reads the session's time zone, and so repeats an hour each autumn.
    const CLOCK: &'static str = "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))";
    // A number, or on newer MariaDB a word.
    const IS_WRITABLE: &'static str = "CONCAT(@@global.read_only) IN ('0', 'OFF')";
    const MIGRATIONS: [&'static str; 5] = [
        include_str!("../migrations/mysql/0001_tokens.sql"),
        include_str!("../migrations/mysql/0002_jobs.sql"),
        include_str!("../migrations/mysql/0003_nodes.sql"),
        include_str!("../migrations/mysql/0004_events.sql"),
        include_str!("../migrations/mysql/0005_time_and_audit.sql"),
    ];

    fn or_ignore(key: &str) -> String {
        // `INSERT IGNORE` locks the row for sharing.
        format!(" ON DUPLICATE KEY UPDATE {key} = {key}")
    }

    fn or_count_up(_table: &str, _key: &str) -> String {
        " ON DUPLICATE KEY UPDATE seq = seq + 1".into()
    }

    // Galera's streaming replication: what a statement has changed goes to the other members at once,
    // and once it is there nobody else can win.
    const LOCK_EVERYWHERE: Option<[&'static str; 2]> = Some([
        "SET SESSION wsrep_trx_fragment_unit = 'statements', SESSION wsrep_trx_fragment_size = 1",
        "SET SESSION wsrep_trx_fragment_size = 0",
    ]);

    fn or_keep_later(_table: &str, _key: &str, time: &str, others: &[&str]) -> String {
        // One after the other, so the time is changed last.
        let columns = others.iter().chain([&time]);
        let later = columns.map(|column| {
            format!("{column} = IF({time} < VALUES({time}), VALUES({column}), {column})")
        });
        let later: Vec<_> = later.collect();
        format!(" ON DUPLICATE KEY UPDATE {}", later.join(", "))
    }

    const KEEPS_STATISTICS: bool = true;
    const JOIN_IN_ORDER: &'static str = "STRAIGHT_JOIN";

    fn by_index(index: &str) -> String {
        // It does not see that few rows of many are wanted, and sorts all.
        format!(" FORCE INDEX ({index})")
    }

    fn lock_by_index(index: &str) -> String {
        // MySQL sorts all rows that match if its statistics are from when there were hardly any, and
        // so locks all of them.
        Self::by_index(index)
    }

    fn is_farewell(error: &dyn DatabaseError) -> bool {
        // The server stops, somebody killed the connection, or it was idle for too long.
        matches!(number(error), Some(1053 | 1927 | 4031))
    }

    fn is_transient(error: &dyn DatabaseError) -> bool {
        // A deadlock (or, on Galera, a certification that failed), a lock that was waited for too
        // long, a row that has changed since it was read.
        matches!(number(error), Some(1213 | 1205 | 1020))
    }

    fn is_missing_table(error: &dyn DatabaseError) -> bool {
        number(error) == Some(1146)
    }

    fn is_half_done(error: &dyn DatabaseError) -> bool {
        // A table, a column or an index that is there already, or that changes meanwhile.
        matches!(number(error), Some(1050 | 1060 | 1061 | 1412 | 1615 | 1684))
    }

    fn is_forbidden(error: &dyn DatabaseError) -> bool {
        // On a database, a table, a column, or in general.
        matches!(number(error), Some(1044 | 1142 | 1143 | 1227))
    }

    async fn grants(connection: &mut MySqlConnection) -> Result<Grants, Error> {
        let row = connection
            .fetch_one("SELECT CURRENT_USER(), DATABASE()")
            .await?;
        let (account, database): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let (user, host) = account.rsplit_once('@').unwrap_or((&account, "%"));
        let account = format!("{}@{}", quoted(user, '\''), quoted(host, '\''));
        // In a grant these two stand for any text.
        let database = database.replace('_', r"\_").replace('%', r"\%");
        let database = quoted(&database, '`');
        let grant = |what| vec![format!("GRANT {what} ON {database}.* TO {account}")];
        Ok(Grants {
            to_run: grant("SELECT, INSERT, UPDATE, DELETE"),
            to_migrate: grant("CREATE, ALTER, INDEX"),
        })
    }

    fn rows_affected(result: &MySqlQueryResult) -> u64 {
        result.rows_affected()
    }

    const HINT: Option<&'static str> = None;

    async fn listen(_: &Pool<Self>, _: &(dyn Fn() + Send + Sync)) -> Result<(), sqlx::Error> {
        std::future::pending().await
    }

    async fn check(connection: &mut MySqlConnection) -> Result<(), ConnectError> {
        let row = connection.fetch_one("SELECT VERSION()").await;
        let version: Result<String, _> = row.and_then(|row| row.try_get(0));
        let version = version.map_err(ConnectError::Open)?;
        if is_supported(&version) {
            return Ok(());
        }
        Err(ConnectError::Unsuitable {
            found: format!("its version is {version}"),
            needed: "MariaDB 10.6 or MySQL 8.0.17",
        })
    }
}

impl Server for MySql {
    async fn start_session(connection: &mut MySqlConnection) -> Result<(), Error> {
        // A text that is too long is an error, and is not cut off.
        connection
            .execute(
                "SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_TRANS_TABLES'), \
                 SESSION autocommit = 1, SESSION innodb_lock_wait_timeout = 5",
            )
            .await?;
        // On Galera a node may be behind the one that acknowledged a revocation; have it catch up
        // before it reads.
        let wsrep = connection
            .fetch_optional("SHOW VARIABLES LIKE 'wsrep_on'")
            .await?;
        let is_on = wsrep.map(|row| row.try_get::<String, _>(1)).transpose()?;
        if is_on.as_deref() == Some("ON") {
            connection
                .execute("SET SESSION wsrep_sync_wait = 1")
                .await?;
        }
        Ok(())
    }
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
    // Some servers of MariaDB put this in front, for the sake of old clients.
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
