//! What a server may do to connections and accounts.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use pat_core::store::TokenStore as _;
use pat_harness::until;
use pat_servers::rows::new_token;
use pat_servers::{Database, Kind};
use pat_sqlx::sqlx::{self, Pool};
use pat_sqlx::{ConnectError, Dialect, SqlxStore};
use tokio::time::timeout;
use url::Url;

use super::versions::later::TABLES;
use super::{insert, open};

pub(super) async fn cut_connections_are_replaced(database: Database) {
    let store = open(&database).await;
    let tokens = store.tokens();
    for round in 1..=3 {
        insert(&*tokens, &new_token(round, "alice")).await;
        let digest = new_token(round, "alice").digest;
        let found = tokens
            .find_by_digest(&digest)
            .await
            .expect("find_by_digest");
        assert!(found.token.is_some());
        database.cut_connections().await;
    }
    store.close().await;
}

/// More changes than there are connections wait for a lock.
pub(super) async fn changes_that_wait_leave_connections_for_authentication(database: Database) {
    // The store has six connections for them.
    const CONNECTIONS: i64 = 6;
    const CHANGES: usize = 40;
    /// Much less than a change waits for the lock, or for a connection.
    const SOON: Duration = Duration::from_millis(500);
    let store = open(&database).await;
    let token = new_token(1, "alice");
    insert(&*store.tokens(), &token).await;
    // No look-up reads this table.
    let lock = database.lock_table("pat_event").await.expect("a lock");
    let ended = AtomicUsize::new(0);
    let changes = join_all((2..).take(CHANGES).map(async |number| {
        let inserted = store.tokens().insert(&new_token(number, "alice"), 10).await;
        ended.fetch_add(1, Ordering::SeqCst);
        drop(inserted);
    }));
    let look_ups = async {
        until("all connections wait", async || {
            database.waiting().await == CONNECTIONS
        })
        .await;
        for _ in 0..100 {
            let found = timeout(SOON, store.tokens().find_by_digest(&token.digest)).await;
            assert!(found.expect("in time").expect("an answer").token.is_some());
        }
        let waiting = CHANGES - ended.load(Ordering::SeqCst);
        assert!(waiting > 10, "{waiting}");
        lock.close().await;
    };
    tokio::join!(look_ups, changes);
    store.close().await;
}

/// What locks one of the other tables, such as a migration of the host's, stops no authentication.
pub(super) async fn a_look_up_waits_for_no_lock_of_another_table(database: Database) {
    const READ: [&str; 3] = ["pat_token", "pat_last_used", "pat_clock"];
    const SOON: Duration = Duration::from_secs(5);
    let store = open(&database).await;
    let token = new_token(1, "alice");
    insert(&*store.tokens(), &token).await;
    for table in TABLES.into_iter().filter(|table| !READ.contains(table)) {
        let lock = database.lock_table(table).await.expect("a lock");
        let found = timeout(SOON, store.tokens().find_by_digest(&token.digest)).await;
        let found = found.unwrap_or_else(|_| panic!("it waits for {table}"));
        assert!(found.expect("an answer").token.is_some());
        lock.close().await;
    }
    store.close().await;
}

/// Also on pools of the host's own, which know nothing of primaries.
pub(super) async fn a_primary_that_was_demoted_is_not_asked(database: Database) {
    match database.kind {
        Kind::Postgres => demoted_under::<sqlx::Postgres>(&database).await,
        Kind::MariaDb => demoted_under::<sqlx::MySql>(&database).await,
    }
}

async fn demoted_under<DB: Dialect>(database: &Database) {
    let pool = Pool::<DB>::connect(&database.url).await.expect("a pool");
    let store = SqlxStore::new(pool.clone(), pool);
    store.migrate().await.expect("our migrations");
    let token = new_token(1, "alice");
    insert(&store, &token).await;
    for is_demoted in [false, true, false] {
        database.set_read_only(is_demoted).await;
        // The server tells its processes one after the other.
        until("it is asked, or not", async || {
            let found = store.find_by_digest(&token.digest).await;
            let is_unknown = found.as_ref().is_ok_and(|found| found.token.is_none());
            assert!(!is_unknown, "a replica's word is taken");
            let polled = store.changes_since(None).await;
            let nodes = store.nodes().await;
            let seen = store.owner_seen_at(&token.owner).await;
            let refused = [
                found.is_err(),
                polled.is_err(),
                nodes.is_err(),
                seen.is_err(),
            ];
            refused == [is_demoted; 4]
        })
        .await;
    }
    store.close().await;
}

/// A caller who gives up at the wrong moment leaves an open transaction in the host's pool.
pub(super) async fn a_transaction_left_open_by_the_host_is_tolerated(database: Database) {
    let options = pat_sqlx::sqlx::mysql::MySqlPoolOptions::new().max_connections(1);
    let pool = options.connect(&database.url).await.expect("a pool");
    let store = SqlxStore::new(pool.clone(), pool.clone());
    store.migrate().await.expect("our migrations");
    let opened = sqlx::raw_sql("START TRANSACTION").execute(&pool).await;
    opened.expect("an open transaction");
    insert(&store, &new_token(1, "alice")).await;
    store.close().await;
}

/// An account such as a host has: with a password, and with rights in its database alone. MySQL has
/// not seen the password yet, and so wants more than a proof that the other side knows it.
pub(super) async fn an_account_with_a_password_can_connect(database: Database) {
    let name = database.name("");
    for sql in [
        format!("CREATE USER {name} IDENTIFIED BY 'secret'"),
        format!("GRANT ALL ON {name}.* TO {name}"),
    ] {
        database.execute(&sql).await;
    }
    let mut url = Url::parse(&database.url).expect("a URL");
    url.set_username(&name).expect("a name");
    url.set_password(Some("secret")).expect("a password");
    let opened = pat_sqlx::connect(url.as_str()).await;
    database.execute(&format!("DROP USER {name}")).await;
    let store = opened.expect("a store");
    insert(&*store.tokens(), &new_token(1, "alice")).await;
    store.close().await;
}

pub(super) async fn a_server_that_takes_no_writes_is_refused(database: Database) {
    open(&database).await.close().await;
    database.make_read_only().await;
    let refused = pat_sqlx::connect(&database.url)
        .await
        .expect_err("no store");
    let ConnectError::Open { source, .. } = &refused else {
        panic!("{refused:?}")
    };
    assert!(source.to_string().contains("takes no writes"), "{source}");
}

pub(super) async fn a_database_in_another_encoding_is_refused(database: Database) {
    let other = database.name("latin");
    let create = "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0";
    database
        .execute(&format!("CREATE DATABASE {other} {create}"))
        .await;
    let url = database.url.replace(&database.name(""), &other);
    let refused = pat_sqlx::connect(&url).await.expect_err("no store");
    database
        .execute(&format!("DROP DATABASE {other} WITH (FORCE)"))
        .await;
    assert!(refused.to_string().contains("LATIN1"), "{refused}");
}
