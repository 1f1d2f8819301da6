//! Tables in a schema of their own, on PostgreSQL.

use libtest_mimic::Trial;
use pat_core::store::TokenStore as _;
use pat_harness::database::trial_on;
use pat_servers::rows::new_token;
use pat_servers::{Database, Kind};
use pat_sqlx::sqlx::postgres::PgPoolOptions;
use pat_sqlx::sqlx::{AssertSqlSafe, Executor as _, Postgres};
use pat_sqlx::{ConnectError, SqlxStore, connect_without_migrating, prepare_connection};

use super::insert;

pub(super) fn trials() -> Vec<Trial> {
    vec![
        trial_on(Kind::Postgres, the_url_names_the_schema),
        trial_on(Kind::Postgres, the_hosts_pool_names_the_schema),
        trial_on(Kind::Postgres, tables_of_two_schemas_are_never_mixed),
    ]
}

/// How many of our tables are in a schema.
async fn tables(database: &Database, schema: &str) -> i64 {
    let sql = format!(
        "SELECT COUNT(*) FROM pg_tables WHERE schemaname = '{schema}' AND tablename LIKE 'pat\\_%'"
    );
    database.number(&sql).await
}

/// A table of another application.
async fn make_foreign(database: &Database) {
    database
        .execute("CREATE TABLE public.pat_token (id INT); INSERT INTO public.pat_token VALUES (7)")
        .await;
}

async fn assert_foreign_is_untouched(database: &Database) {
    assert_eq!(tables(database, "public").await, 1);
    let columns = "SELECT COUNT(*) FROM information_schema.columns \
                   WHERE table_schema = 'public' AND table_name = 'pat_token'";
    assert_eq!(database.number(columns).await, 1);
    let ids = "SELECT SUM(id)::BIGINT FROM public.pat_token";
    assert_eq!(database.number(ids).await, 7);
}

async fn the_url_names_the_schema(database: Database) {
    make_foreign(&database).await;
    database.execute("CREATE SCHEMA auth").await;
    for path in ["auth", "auth,public"] {
        let url = format!("{}&options[search_path]={path}", database.url);
        for _ in 0..2 {
            pat_sqlx::connect(&url).await.expect(path).close().await;
        }
        let store = connect_without_migrating(&url).await.expect(path);
        let tokens = store.tokens();
        if path == "auth" {
            insert(&*tokens, &new_token(1, "alice")).await;
        }
        let digest = new_token(1, "alice").digest;
        let found = tokens.find_by_digest(&digest).await.expect("a look-up");
        assert!(found.token.is_some(), "{path}");
        store.close().await;
        assert_eq!(tables(&database, "auth").await, 13);
        assert_foreign_is_untouched(&database).await;
    }
}

/// The schema is the host's choice for its own tables too.
async fn the_hosts_pool_names_the_schema(database: Database) {
    make_foreign(&database).await;
    database.execute("CREATE SCHEMA app").await;
    let store = store_on(&database, "app, public").await;
    store.migrate().await.expect("our tables");
    insert(&store, &new_token(1, "alice")).await;
    store.close().await;
    assert_eq!(tables(&database, "app").await, 13);
    assert_foreign_is_untouched(&database).await;
}

async fn store_on(database: &Database, search_path: &str) -> SqlxStore<Postgres> {
    let set = format!("SET search_path = {search_path}");
    let pool = PgPoolOptions::new().after_connect(move |connection, _| {
        let set = set.clone();
        Box::pin(async move {
            connection.execute(AssertSqlSafe(set)).await?;
            prepare_connection(connection).await
        })
    });
    let pool = pool.connect(&database.url).await.expect("a pool");
    SqlxStore::new(pool.clone(), pool)
}

async fn tables_of_two_schemas_are_never_mixed(database: Database) {
    pat_sqlx::connect(&database.url)
        .await
        .expect("a store")
        .close()
        .await;
    database.execute("CREATE SCHEMA other").await;
    let refuse = async |path: &str, table: &str| {
        let store = store_on(&database, path).await;
        for refused in [store.migrate().await, store.check().await] {
            let Err(ConnectError::Setting { name, found, .. }) = refused else {
                panic!("{path}: {refused:?}")
            };
            assert_eq!(name, "search_path");
            assert!(found.contains("public") && found.contains(table), "{found}");
        }
        store.nodes().await.expect_err("a store that is refused");
        store.close().await;
    };
    // Whose tables are they, and where should new ones be made?
    refuse("other, public", "pat_migrations").await;
    assert_eq!(tables(&database, "other").await, 0, "nothing is made");
    let store = store_on(&database, "other").await;
    store.migrate().await.expect("tables of its own");
    store.close().await;
    database.execute("DROP TABLE other.pat_sink").await;
    refuse("other, public", "pat_sink").await;
}
