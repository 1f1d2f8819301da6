//! Databases that are set up in the worst way: the store sets what matters on its own connections, and
//! refuses what it may not set on the host's.

use std::sync::Arc;

use futures_util::future::join_all;
use futures_util::{StreamExt as _, stream};
use libtest_mimic::Trial;
use pat_core::store::TokenStore as _;
use pat_core::store::{Insertion, Revocation, RevocationScope};
use pat_core::testing::{self, Case};
use pat_core::{Clock as _, SystemClock};
use pat_harness::database::{
    AnyDatabase, trial_on, trial_on_sqlite, trial_that_stops, trials_on_all,
};
use pat_harness::node::sqlite_url;
use pat_servers::rows::new_token;
use pat_servers::{Database, Kind};
use pat_sqlx::sqlx::pool::PoolOptions;
use pat_sqlx::sqlx::{AssertSqlSafe, Connection, Executor, MySql, Pool, Postgres, Sqlite, raw_sql};
use pat_sqlx::{ConnectError, Dialect, SqlxStore, prepare_connection};

/// Has the suites run for each setting alone as well, which takes long.
const EACH: &str = "PAT_TEST_SETTINGS";
/// How many cases run side by side.
pub(super) const AT_ONCE: usize = 4;

/// How many connections a pool of a host has.
const POOL: u32 = 4;

/// For all connections of a database.
const POSTGRES: &[(&str, &str)] = &[
    ("statement_timeout", "'2s'"),
    ("lock_timeout", "'1ms'"),
    ("idle_in_transaction_session_timeout", "'1ms'"),
    // Less, and the driver's own first statements would be too late.
    ("idle_session_timeout", "'5s'"),
    ("default_transaction_isolation", "'serializable'"),
    ("default_transaction_deferrable", "on"),
    ("row_security", "on"),
    ("synchronous_commit", "off"),
    ("exit_on_error", "on"),
    ("transform_null_equals", "on"),
    ("standard_conforming_strings", "off"),
    ("client_encoding", "'LATIN1'"),
    ("TimeZone", "'Pacific/Apia'"),
    ("DateStyle", "'SQL, DMY'"),
    ("IntervalStyle", "'sql_standard'"),
    ("bytea_output", "'escape'"),
    ("extra_float_digits", "-15"),
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_indexscan", "off"),
    ("work_mem", "'64kB'"),
];

/// For all connections of a server.
const MARIADB: &[(&str, &str)] = &[
    ("sql_select_limit", "1"),
    (
        "sql_mode",
        "'EMPTY_STRING_IS_NULL,SIMULTANEOUS_ASSIGNMENT,ORACLE,HIGH_NOT_PRECEDENCE,\
         PAD_CHAR_TO_FULL_LENGTH,NO_BACKSLASH_ESCAPES,ANSI_QUOTES,IGNORE_SPACE'",
    ),
    ("sql_safe_updates", "1"),
    ("sql_big_selects", "0"),
    ("max_join_size", "1"),
    ("sql_auto_is_null", "1"),
    ("autocommit", "0"),
    ("completion_type", "CHAIN"),
    ("tx_isolation", "'READ-UNCOMMITTED'"),
    ("tx_read_only", "1"),
    ("unique_checks", "0"),
    ("foreign_key_checks", "0"),
    ("check_constraint_checks", "0"),
    ("max_sort_length", "64"),
    ("character_set_client", "latin1"),
    ("character_set_connection", "latin1"),
    ("character_set_results", "latin1"),
    ("collation_connection", "latin1_german1_ci"),
    ("time_zone", "'+13:00'"),
    ("max_statement_time", "2"),
    ("innodb_lock_wait_timeout", "1"),
    ("lock_wait_timeout", "1"),
    ("wait_timeout", "1"),
    ("idle_transaction_timeout", "1"),
    ("idle_readonly_transaction_timeout", "1"),
    ("idle_write_transaction_timeout", "1"),
    ("default_storage_engine", "MEMORY"),
    ("div_precision_increment", "0"),
    ("group_concat_max_len", "4"),
    ("in_predicate_conversion_threshold", "2"),
    ("query_cache_type", "0"),
];

/// On each connection of a host's pool, before it is prepared.
const SQLITE: &[(&str, &str)] = &[
    ("busy_timeout", "0"),
    ("synchronous", "OFF"),
    ("query_only", "1"),
    ("read_uncommitted", "1"),
    ("ignore_check_constraints", "1"),
    ("foreign_keys", "0"),
    ("recursive_triggers", "1"),
    ("reverse_unordered_selects", "1"),
    ("full_column_names", "1"),
    ("short_column_names", "0"),
    ("case_sensitive_like", "1"),
];

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial_that_stops(
            Kind::Postgres,
            the_suites_pass_with_the_most_adverse_settings,
        ),
        trial_that_stops(
            Kind::MariaDb,
            the_suites_pass_with_the_most_adverse_settings,
        ),
        trial_on_sqlite(the_suites_pass_with_the_most_adverse_pragmas),
        trial_on_sqlite(another_encoding_is_refused_by_name),
        trial_on(Kind::MariaDb, a_truncated_list_revokes_nothing),
        trial_on(
            Kind::Postgres,
            rows_hidden_by_row_level_security_are_an_error,
        ),
    ];
    trials.extend(trials_on_all(
        a_host_pool_with_an_unsuitable_setting_is_refused_by_name,
    ));
    trials
}

/// A session that cuts lists after all, since the host set it so later: nothing is revoked by halves.
async fn a_truncated_list_revokes_nothing(database: Database) {
    const LIMIT: usize = 100;
    const TOKENS: i64 = 150;
    let pool = pool::<MySql>(&database.url, &[], true).await;
    let store = SqlxStore::new(pool.clone(), pool.clone());
    store.migrate().await.expect("our tables");
    let mut ids = Vec::new();
    for number in 0..TOKENS {
        let inserted = store.insert(&new_token(number, "alice"), u32::MAX).await;
        let Ok(Insertion::Stored(token)) = inserted else {
            panic!("{inserted:?}")
        };
        ids.push(token.id);
    }
    let limit = async |limit: &str| {
        let connections = join_all((0..POOL).map(|_| pool.acquire())).await;
        for connection in connections {
            let mut connection = connection.expect("a connection");
            let set = AssertSqlSafe(format!("SET SESSION sql_select_limit = {limit}"));
            raw_sql(set).execute(&mut *connection).await.expect("set");
        }
    };
    let revocation = Revocation::new(SystemClock.wall());
    let owner = "alice".parse().expect("an owner");
    let scopes = [
        RevocationScope::Tokens(ids.clone()),
        RevocationScope::TokensAndDescendants(ids),
        RevocationScope::Owner(owner),
    ];
    limit(&LIMIT.to_string()).await;
    for scope in &scopes {
        let refused = store.revoke(scope, &revocation).await;
        refused.expect_err("a part of them");
    }
    let revoked = "SELECT COUNT(*) FROM pat_token WHERE revoked_at IS NOT NULL";
    assert_eq!(database.number(revoked).await, 0);
    limit("18446744073709551615").await;
    let revoked = store.revoke(&scopes[0], &revocation).await.expect("all");
    assert_eq!(revoked.tokens.len(), ids_of(TOKENS));
    store.close().await;
}

fn ids_of(count: i64) -> usize {
    count.try_into().expect("a few")
}

/// The cases of all suites.
pub(super) fn cases() -> impl Iterator<Item = &'static Case> {
    let suites = [
        testing::store::CASES,
        testing::jobs::CASES,
        testing::search::CASES,
        testing::audit::CASES,
    ];
    suites.into_iter().flatten()
}

/// Runs each case on a database of its own.
pub(super) async fn run_each_on(databases: &[Database]) {
    let runs = cases().zip(databases).map(|(case, database)| async move {
        let store = pat_sqlx::connect(&database.url).await;
        let store = store.unwrap_or_else(|error| panic!("{}: {error:?}", case.name));
        // The cases move the time.
        case.run(store.dangerous_with_callers_clock()).await;
        store.close().await;
    });
    stream::iter(runs)
        .for_each_concurrent(AT_ONCE, |run| run)
        .await;
}

/// All settings at once, or one after the other as well.
fn groups(
    settings: &'static [(&'static str, &'static str)],
) -> Vec<&'static [(&'static str, &'static str)]> {
    let mut groups = vec![settings];
    if std::env::var_os(EACH).is_some() {
        groups.extend(settings.chunks(1));
    }
    groups
}

async fn the_suites_pass_with_the_most_adverse_settings(server: Database) {
    let settings = match server.kind {
        Kind::Postgres => POSTGRES,
        Kind::MariaDb => MARIADB,
    };
    for (round, group) in groups(settings).into_iter().enumerate() {
        let mut databases = Vec::new();
        for number in 0..cases().count() {
            databases.push(
                server
                    .create_beside(&format!("worst_{round}_{number}"))
                    .await,
            );
        }
        let mut before = Vec::new();
        match server.kind {
            Kind::Postgres => {
                for database in &databases {
                    let name = database.name("");
                    let set = group.iter().map(|(setting, value)| {
                        format!("ALTER DATABASE {name} SET {setting} = {value};")
                    });
                    server.execute(&set.collect::<String>()).await;
                }
            }
            Kind::MariaDb => {
                for (setting, value) in group {
                    before.push(format!("SET GLOBAL {setting} = DEFAULT"));
                    server
                        .execute(&format!("SET GLOBAL {setting} = {value}"))
                        .await;
                }
            }
        }
        run_each_on(&databases).await;
        for reset in before {
            server.execute(&reset).await;
        }
        // Those of all rounds together would fill a disk.
        for number in 0..databases.len() {
            let drop = format!("DROP DATABASE worst_{round}_{number}");
            server.execute(&drop).await;
        }
    }
}

async fn the_suites_pass_with_the_most_adverse_pragmas() {
    for group in groups(SQLITE) {
        let runs = cases().map(|case| async move {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let url = sqlite_url(folder.path());
            let worst: Vec<_> = group
                .iter()
                .map(|(name, value)| format!("PRAGMA {name} = {value}"))
                .collect();
            // The file is in this mode from the start; it cannot be changed while others use it.
            let file = pool::<Sqlite>(&url, &["PRAGMA journal_mode = DELETE".into()], false).await;
            file.close().await;
            let pool = pool::<Sqlite>(&url, &worst, true).await;
            let store = SqlxStore::new(pool.clone(), pool);
            store.migrate().await.expect("our tables");
            case.run(Arc::new(store.clone().dangerous_with_callers_clock()))
                .await;
            store.close().await;
        });
        stream::iter(runs)
            .for_each_concurrent(AT_ONCE, |run| run)
            .await;
    }
}

/// A pool of a host that sets this on each of its connections, and then has us prepare it or not.
async fn pool<DB: Dialect>(url: &str, set: &[String], is_prepared: bool) -> Pool<DB>
where
    DB::Connection: Connection<Database = DB>,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    let set = Arc::new(set.to_vec());
    let pool = PoolOptions::<DB>::new()
        .max_connections(POOL)
        .after_connect(move |connection, _| {
            let set = set.clone();
            Box::pin(async move {
                for sql in set.iter() {
                    raw_sql(AssertSqlSafe(sql.clone()))
                        .execute(&mut *connection)
                        .await?;
                }
                if is_prepared {
                    prepare_connection(connection).await?;
                }
                Ok(())
            })
        });
    pool.connect(url).await.expect("a pool")
}

/// A pool without a fault is taken, and one that is set so is refused with the name of the setting.
async fn assert_refused<DB>(url: &str, basis: &str, faults: &[(&str, &str)])
where
    DB: Dialect,
    DB::Connection: Connection<Database = DB>,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    let try_pool = async |sql: &str, is_prepared, may_migrate| {
        let set = [basis.to_owned(), sql.to_owned()];
        let pool = pool::<DB>(url, &set, is_prepared).await;
        let store = SqlxStore::new(pool.clone(), pool);
        let result = if may_migrate {
            store.migrate().await
        } else {
            store.check().await
        };
        let used = store.nodes().await;
        assert_eq!(used.is_ok(), result.is_ok(), "{sql}: {used:?}");
        store.close().await;
        result
    };
    for may_migrate in [true, false] {
        let sound = try_pool(basis, false, may_migrate).await;
        sound.unwrap_or_else(|error| panic!("{error:?}"));
        for (name, sql) in faults {
            match try_pool(sql, false, may_migrate).await {
                Err(refused @ ConnectError::Setting { name: found, .. }) => {
                    assert_eq!(found, *name);
                    let text = refused.to_string();
                    assert!(
                        text.contains("prepare_connection in the after_connect"),
                        "{text}"
                    );
                }
                other => panic!("{name}: {other:?}"),
            }
            let prepared = try_pool(sql, true, may_migrate).await;
            prepared.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        }
    }
}

async fn a_host_pool_with_an_unsuitable_setting_is_refused_by_name(database: AnyDatabase) {
    let url = database.url();
    match &database {
        AnyDatabase::Sqlite(_) => refused_on_sqlite(&url).await,
        AnyDatabase::Server(server) if server.kind == Kind::Postgres => {
            refused_on_postgres(&url).await;
        }
        AnyDatabase::Server(_) => refused_on_mariadb(&url).await,
    }
}

async fn refused_on_postgres(url: &str) {
    let faults = [
        ("synchronous_commit", "SET synchronous_commit = off"),
        ("client_encoding", "SET client_encoding = 'LATIN1'"),
    ];
    assert_refused::<Postgres>(url, "SELECT 1", &faults).await;
    let read_only = ["SET default_transaction_read_only = on".to_owned()];
    let pool_to_read = pool::<Postgres>(url, &read_only, true).await;
    let store = SqlxStore::new(pool_to_read.clone(), pool_to_read);
    for refused in [store.migrate().await, store.check().await] {
        let said = format!("{:?}", refused.expect_err("no writes"));
        assert!(
            said.contains("read-only") || said.contains("no writes"),
            "{said}"
        );
    }
    // What only the host can know the right value of.
    let nowhere = ["SET search_path = nowhere".to_owned()];
    let pool = pool::<Postgres>(url, &nowhere, true).await;
    let refused = SqlxStore::new(pool.clone(), pool).migrate().await;
    let text = refused.expect_err("no schema").to_string();
    assert!(
        text.contains("search_path") && text.contains("create the schema"),
        "{text}"
    );
}

async fn refused_on_mariadb(url: &str) {
    let faults = [
        ("sql_select_limit", "SET sql_select_limit = 0"),
        ("sql_select_limit", "SET sql_select_limit = 100"),
        ("sql_mode", "SET sql_mode = ''"),
        (
            "sql_mode",
            "SET sql_mode = 'STRICT_ALL_TABLES,EMPTY_STRING_IS_NULL'",
        ),
        (
            "sql_mode",
            "SET sql_mode = 'STRICT_ALL_TABLES,SIMULTANEOUS_ASSIGNMENT'",
        ),
        ("autocommit", "SET autocommit = 0"),
        ("completion_type", "SET completion_type = 1"),
        ("unique_checks", "SET unique_checks = 0"),
        ("character_set_client", "SET character_set_client = latin1"),
        (
            "character_set_connection",
            "SET character_set_connection = latin1",
        ),
        (
            "character_set_results",
            "SET character_set_results = latin1",
        ),
    ];
    assert_refused::<MySql>(url, "SET sql_mode = 'STRICT_ALL_TABLES'", &faults).await;
    for set in [
        "SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED",
        "SET SESSION TRANSACTION READ ONLY",
    ] {
        let set = [set.to_owned()];
        let pool = pool::<MySql>(url, &set, false).await;
        let refused = SqlxStore::new(pool.clone(), pool).migrate().await;
        // By one of two names.
        assert!(
            matches!(&refused, Err(ConnectError::Setting { name, .. })
                if name.contains("isolation") || name.contains("read_only")),
            "{refused:?}"
        );
    }
}

async fn refused_on_sqlite(url: &str) {
    let sound = "PRAGMA busy_timeout = 2000; PRAGMA journal_mode = WAL; PRAGMA synchronous = EXTRA";
    let faults = [
        ("busy_timeout", "PRAGMA busy_timeout = 0"),
        ("synchronous", "PRAGMA synchronous = NORMAL"),
        ("query_only", "PRAGMA query_only = 1"),
        ("read_uncommitted", "PRAGMA read_uncommitted = 1"),
        ("full_column_names", "PRAGMA full_column_names = 1"),
        ("short_column_names", "PRAGMA short_column_names = 0"),
    ];
    assert_refused::<Sqlite>(url, sound, &faults).await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let other = sqlite_url(folder.path());
    let pool = pool::<Sqlite>(&other, &[], false).await;
    let refused = SqlxStore::new(pool.clone(), pool).migrate().await;
    let Err(ConnectError::Setting { name, found, .. }) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!((name, found.as_str()), ("journal_mode", "delete"));
    // As many databases as connections.
    let pool = self::pool::<Sqlite>("sqlite::memory:", &[], false).await;
    let refused = SqlxStore::new(pool.clone(), pool).check().await;
    assert!(
        matches!(refused, Err(ConnectError::InMemory)),
        "{refused:?}"
    );
}

async fn another_encoding_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = sqlite_url(folder.path());
    let set = ["PRAGMA encoding = 'UTF-16'; CREATE TABLE IF NOT EXISTS host (id INTEGER)".into()];
    pool::<Sqlite>(&url, &set, false).await.close().await;
    let refused = pat_sqlx::connect(&url).await.expect_err("another encoding");
    let source = format!("{refused:?}");
    assert!(source.contains("encoding"), "{source}");
}

/// A policy that hides rows from the store's account: a revocation would pass over them.
async fn rows_hidden_by_row_level_security_are_an_error(database: Database) {
    pat_sqlx::connect(&database.url)
        .await
        .expect("a store")
        .close()
        .await;
    let name = database.name("_account");
    for sql in [
        format!("CREATE ROLE {name} LOGIN"),
        format!("GRANT ALL ON ALL TABLES IN SCHEMA public TO {name}"),
        format!("GRANT ALL ON SCHEMA public TO {name}"),
        "ALTER TABLE pat_token ENABLE ROW LEVEL SECURITY".to_owned(),
        "CREATE POLICY mine ON pat_token USING (owner <> 'alice') WITH CHECK (true)".to_owned(),
    ] {
        database.execute(&sql).await;
    }
    let mut url = url::Url::parse(&database.url).expect("a URL");
    url.set_username(&name).expect("a name");
    let url = url.as_str().to_owned();
    let refused = pat_sqlx::connect(&url).await;
    let pool = pool::<Postgres>(&url, &[], false).await;
    let hosts = SqlxStore::new(pool.clone(), pool.clone()).migrate().await;
    pool.close().await;
    database.execute(&format!("DROP OWNED BY {name}")).await;
    database.execute(&format!("DROP ROLE {name}")).await;
    let refused = refused.expect_err("hidden rows");
    assert!(
        format!("{refused:?}").contains("row-level security"),
        "{refused:?}"
    );
    let hosts = hosts.expect_err("hidden rows");
    assert!(
        hosts.to_string().contains("row-level security"),
        "{hosts:?}"
    );
}
