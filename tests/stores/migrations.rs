//! Migrations that meet each other, those of a host, and their own remains.

use std::time::Duration;

use futures_util::future::join_all;
use pat_harness::database::AnyDatabase;
use pat_harness::fault_proxy::{FaultProxy, Way};
use pat_harness::node::sqlite_url;
use pat_servers::rows::new_token;
use pat_servers::{Database, Kind};
use pat_sqlx::sqlx::migrate::{Migrate, Migration, MigrationType, Migrator};
use pat_sqlx::sqlx::{self, Connection, Pool, SqlSafeStr as _};
use pat_sqlx::{Dialect, SqlxStore, prepare_connection};

use super::{close, insert, open, open_several};

/// How often all nodes start on an empty database.
const ROUNDS: u32 = 3;

pub(super) async fn several_nodes_can_migrate_at_once(database: Database) {
    let stores = open_several(&database, 4).await;
    insert(&*stores[3].tokens(), &new_token(1, "alice")).await;
    close(stores).await;
}

/// SQLite refuses some of them at once, without waiting.
pub(super) async fn several_nodes_can_create_a_file_at_once() {
    // Without repetition, a third of the rounds fail.
    for _ in 0..10 {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = sqlite_url(folder.path());
        let stores = join_all((0..4).map(|_| pat_sqlx::connect(&url))).await;
        let stores: Result<_, _> = stores.into_iter().collect();
        close(stores.expect("a store for each")).await;
    }
}

/// A node that is far from the server reads the list of migrations while a nearer one applies them.
pub(super) async fn nodes_at_different_distances_can_migrate_at_once(database: Database) {
    for round in 0..ROUNDS {
        let database = database.create_beside(&format!("round_{round}")).await;
        let nodes = (0..8).map(async |distance| {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let proxy = FaultProxy::start(&database, folder.path());
            proxy.set(Way::Slow(distance * Duration::from_millis(3)));
            let store = pat_sqlx::connect(&proxy.url).await;
            store
                .expect("a store, whatever the others do")
                .close()
                .await;
        });
        join_all(nodes).await;
    }
}

/// Where tables are not made in a transaction, a process that ends half-way leaves such a state.
pub(super) async fn an_unfinished_migration_is_repeated(database: Database) {
    open(&database).await.close().await;
    for sql in [
        "UPDATE pat_migrations SET success = FALSE WHERE version = 2",
        "DROP TABLE pat_notice_token",
    ] {
        database.execute(sql).await;
    }
    open(&database).await.close().await;
    database
        .execute("SELECT notice_id FROM pat_notice_token")
        .await;
}

pub(super) async fn the_hosts_migrations_coexist_with_ours(database: AnyDatabase) {
    let url = database.url();
    match &database {
        AnyDatabase::Sqlite(_) => host_migrations::<sqlx::Sqlite>(&url).await,
        AnyDatabase::Server(server) if server.kind == Kind::Postgres => {
            host_migrations::<sqlx::Postgres>(&url).await;
        }
        AnyDatabase::Server(_) => host_migrations::<sqlx::MySql>(&url).await,
    }
}

/// In each order.
async fn host_migrations<DB: Dialect>(url: &str)
where
    DB::Connection: Migrate + Connection<Database = DB>,
{
    one_order::<DB>(url, true).await;
    // Without the host's tables, and then without ours, it is as if the other were first.
    for table in ["_sqlx_migrations", "host_user"] {
        drop_table::<DB>(url, table).await;
    }
    one_order::<DB>(url, false).await;
}

async fn drop_table<DB: Dialect>(url: &str, table: &str) {
    let pool = Pool::<DB>::connect(url).await.expect("a pool");
    let mut connection = pool.acquire().await.expect("a connection");
    let query = sqlx::QueryBuilder::new(format!("DROP TABLE {table}"));
    DB::execute(query, false, &mut connection)
        .await
        .expect("no table");
    drop(connection);
    pool.close().await;
}

async fn one_order<DB: Dialect>(url: &str, is_host_first: bool)
where
    DB::Connection: Migrate + Connection<Database = DB>,
{
    let pool = sqlx::pool::PoolOptions::<DB>::new()
        .after_connect(|connection, _| Box::pin(prepare_connection(connection)));
    let pool = pool.connect(url).await.expect("a pool");
    let store = SqlxStore::new(pool.clone(), pool.clone());
    let sql = "CREATE TABLE host_user (id BIGINT NOT NULL PRIMARY KEY)".into_sql_str();
    let host = Migration::new(1, "users".into(), MigrationType::Simple, sql, false);
    let host = Migrator::with_migrations(vec![host]);
    if is_host_first {
        host.run(&pool).await.expect("the host's migrations");
    }
    // Again and again, as at each start.
    for _ in 0..2 {
        store.migrate().await.expect("our migrations");
        host.run(&pool).await.expect("the host's migrations");
    }
    insert(&store, &new_token(i64::from(is_host_first), "alice")).await;
    store.close().await;
}
