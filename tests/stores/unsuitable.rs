//! Databases that cannot take what a store writes are refused when it is opened, and not found out by
//! the first user.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::Trial;
use pat_core::Settings;
use pat_harness::database::{Pooler, trial_on, trial_on_sqlite};
use pat_harness::named_trial_with_need;
use pat_harness::names::{name_on, name_on_own};
use pat_harness::node::{Node, sqlite};
use pat_harness::process::{AS_SERVER, run_to_end};
use pat_servers::programs::is_root;
use pat_servers::{Database, Kind};
use pat_sqlx::sqlx::postgres::PgPoolOptions;
use pat_sqlx::sqlx::{SqlitePool, raw_sql};
use pat_sqlx::{ConnectError, SqliteStore, SqlxStore, prepare_connection};

pub(crate) fn trials() -> Vec<Trial> {
    let no_pooler = Pooler::missing().or(Kind::Postgres.missing_here());
    let no_mount = (!is_root()).then_some("needs root, to mount a file that cannot be written");
    let mariadb = Kind::MariaDb;
    vec![
        trial_on_sqlite(a_table_that_refuses_writes_is_named),
        trial_on_sqlite(pools_on_different_databases_are_refused),
        trial_on_sqlite(a_node_that_cannot_report_is_not_ready),
        named_trial_with_need(
            name_on(&a_file_that_cannot_be_written_is_refused, "sqlite"),
            "root",
            no_mount,
            a_file_that_cannot_be_written_is_refused,
        ),
        named_trial_with_need(
            name_on_own(&a_server_with_a_statement_log_is_refused, mariadb.need()),
            mariadb.need(),
            mariadb.missing_here(),
            a_server_with_a_statement_log_is_refused,
        ),
        trial_on(Kind::MariaDb, tables_without_transactions_are_refused),
        named_trial_with_need(
            name_on_own(&a_transaction_pooler_is_refused, Kind::Postgres.need()),
            "pgbouncer",
            no_pooler,
            a_transaction_pooler_is_refused,
        ),
    ]
}

async fn a_table_that_refuses_writes_is_named() {
    let (folder, store) = sqlite().await;
    store.close().await;
    let path = folder.path().join("pat.db");
    // One connection, since another one would not know which triggers are gone.
    let pool = pat_sqlx::sqlx::sqlite::SqlitePoolOptions::new().max_connections(1);
    let pool = pool.connect(&format!("sqlite:{}", path.display())).await;
    let pool = pool.expect("a pool");
    let run = async |sql: String| {
        let sql = pat_sqlx::sqlx::AssertSqlSafe(sql);
        raw_sql(sql).execute(&pool).await.expect("no error");
    };
    for (table, event) in [
        ("pat_lease", "INSERT"),
        ("pat_owner", "INSERT"),
        ("pat_token", "INSERT"),
        ("pat_last_used", "INSERT"),
        ("pat_notice", "INSERT"),
        ("pat_notice_token", "INSERT"),
        ("pat_event", "INSERT"),
        ("pat_sink", "INSERT"),
        ("pat_node", "INSERT"),
        ("pat_change", "INSERT"),
        ("pat_clock", "UPDATE OF gen"),
    ] {
        run(format!(
            "CREATE TRIGGER no BEFORE {event} ON {table} BEGIN SELECT RAISE(ABORT, 'no'); END"
        ))
        .await;
        match SqliteStore::open(&path).await {
            Err(ConnectError::NotWritable { table: found, .. }) => assert_eq!(found, table),
            other => panic!("{table}: {other:?}"),
        }
        run("DROP TRIGGER no".into()).await;
    }
    pool.close().await;
    // Nothing is left of a proof.
    let store = SqliteStore::open(&path).await.expect("a store");
    let nodes = pat_core::store::TokenStore::nodes(&store)
        .await
        .expect("nodes");
    assert!(nodes.is_empty(), "{nodes:?}");
    store.close().await;
}

/// As if each connection had a database of its own.
async fn pools_on_different_databases_are_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let pool = async |name: &str| {
        let url = format!("sqlite:{}?mode=rwc", folder.path().join(name).display());
        let options = pat_sqlx::sqlx::sqlite::SqlitePoolOptions::new()
            .after_connect(|connection, _| Box::pin(prepare_connection(connection)));
        options.connect(&url).await.expect("a pool")
    };
    let (one, other) = (pool("one").await, pool("other").await);
    let refuse = async |one: &SqlitePool, other: &SqlitePool| {
        let refused = SqlxStore::new(one.clone(), other.clone()).migrate().await;
        let refused = refused.expect_err("two databases");
        assert!(
            matches!(refused, ConnectError::Unsuitable { .. }),
            "{refused:?}"
        );
        refused.to_string()
    };
    let refused = refuse(&one, &other).await;
    assert!(refused.contains("a second connection"), "{refused}");
    // Also if both have the tables.
    let migrated = SqlxStore::new(other.clone(), other.clone()).migrate().await;
    migrated.expect("our tables");
    let refused = refuse(&one, &other).await;
    assert!(refused.contains("does not see"), "{refused}");
}

/// Its folder can be written to, so that SQLite opens it, and reads.
async fn a_file_that_cannot_be_written_is_refused() {
    let (folder, store) = sqlite().await;
    store.close().await;
    for mounted in ["pat.db", "."] {
        let (code, said) = run_to_end(&mut server_on_read_only(folder.path(), mounted));
        assert_eq!(code, Some(2), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        let file = folder.path().join("pat.db");
        assert!(said.contains(&*file.to_string_lossy()), "{said}");
        let is_notified = said.contains("readonly") || said.contains("unable to open");
        assert!(is_notified, "{said}");
    }
}

fn server_on_read_only(folder: &Path, mounted: &str) -> Command {
    const SCRIPT: &str = "cd \"$1\" && mount --bind \"$2\" \"$2\" && \
                          mount -o remount,bind,ro \"$2\" && cd \"$1\" && exec \"$3\" \
                          --listen 127.0.0.1:0 --log off";
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "sh", "-c", SCRIPT, "sh"])
        .arg(folder)
        .arg(mounted)
        .arg(std::env::current_exe().expect("this program's path"))
        .env(AS_SERVER, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

async fn a_server_with_a_statement_log_is_refused() {
    let logging = ["--log-bin", "--server-id=1", "--binlog-format=STATEMENT"];
    let server = Database::create_with(Kind::MariaDb, &logging).expect("a server");
    let refused = pat_sqlx::connect(&server.url).await.expect_err("its log");
    let said = refused.to_string();
    assert!(
        said.contains("binlog_format") && said.contains("ROW"),
        "{said}"
    );
    // On the connections of now on.
    server.execute("SET GLOBAL binlog_format = ROW").await;
    let store = pat_sqlx::connect(&server.url).await.expect("a store");
    store.close().await;
}

async fn tables_without_transactions_are_refused(database: Database) {
    let store = pat_sqlx::connect(&database.url).await.expect("a store");
    store.close().await;
    for (engine, is_taken) in [("Aria TRANSACTIONAL = 0", false), ("InnoDB", true)] {
        database
            .execute(&format!("ALTER TABLE pat_owner ENGINE = {engine}"))
            .await;
        match pat_sqlx::connect(&database.url).await {
            Ok(store) if is_taken => store.close().await,
            Err(refused) if !is_taken => {
                assert!(refused.to_string().contains("rolled back"), "{refused}");
                database.execute("DELETE FROM pat_owner").await;
            }
            other => panic!("{engine}: {other:?}"),
        }
    }
}

async fn a_transaction_pooler_is_refused() {
    let database = Database::create_alone(Kind::Postgres, &[]).expect("a server");
    for mode in ["transaction", "statement"] {
        let pooler = Pooler::start_in(&database, mode);
        let refused = pat_sqlx::connect(&pooler.url).await.expect_err(mode);
        let said = format!("{refused:?}");
        assert!(
            said.contains("pool_mode = session") || said.contains("statement pooling mode"),
            "{said}"
        );
        let pool = PgPoolOptions::new().connect(&pooler.url).await;
        let pool = pool.expect("a pool of the host's");
        let store = SqlxStore::new(pool.clone(), pool);
        for refused in [store.migrate().await, store.check().await] {
            let said = format!("{:?}", refused.expect_err(mode));
            assert!(
                said.contains("pool_mode = session") || said.contains("statement pooling mode"),
                "{said}"
            );
        }
        pooler.program.kill();
    }
    let pooler = Pooler::start(&database);
    let store = pat_sqlx::connect(&pooler.url).await.expect("a store");
    store.close().await;
    pooler.program.kill();
}

/// The database answers all the while.
async fn a_node_that_cannot_report_is_not_ready() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("pat.db");
    let store = SqliteStore::open(&path).await.expect("a store");
    let node = Node::on(Arc::new(store), Settings::builder()).await;
    let pool = pat_sqlx::sqlx::sqlite::SqlitePoolOptions::new().max_connections(1);
    let pool = pool.connect(&format!("sqlite:{}", path.display())).await;
    let pool = pool.expect("a pool");
    let run = async |sql: &'static str| {
        raw_sql(sql).execute(&pool).await.expect("no error");
    };
    node.pats
        .ready()
        .await
        .expect("a node that has just reported");
    run("CREATE TRIGGER no BEFORE INSERT ON pat_node BEGIN SELECT RAISE(ABORT, 'no'); END").await;
    node.clock.advance(Duration::from_secs(24));
    node.pats.ready().await.expect("its report is not so old");
    node.clock.advance(Duration::from_secs(2));
    node.pats.ready().await.expect_err("it cannot report");
    run("DROP TRIGGER no").await;
    node.pats.ready().await.expect("it reports again");
    // What is not read back does not count: a table that forgets.
    run("CREATE TRIGGER no AFTER INSERT ON pat_node BEGIN DELETE FROM pat_node; END").await;
    run("CREATE TRIGGER no_change AFTER UPDATE ON pat_node BEGIN DELETE FROM pat_node; END").await;
    node.clock.advance(Duration::from_secs(26));
    node.pats.ready().await.expect_err("nobody sees its report");
    pool.close().await;
}
