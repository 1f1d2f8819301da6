//! Prepared statements on MariaDB: its driver makes a call wait after it has closed one, and the server has only so many.

use std::fmt::Write as _;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::{StreamExt as _, stream};
use libtest_mimic::Trial;
use pat_core::search::{DateRange, Filter, RevokedTokens, Search, Sort, Start};
use pat_core::store::{SearchStore as _, TokenStore as _};
use pat_harness::Log;
use pat_harness::database::trial_that_stops;
use pat_servers::filters::all_orders;
use pat_servers::rows::new_token;
use pat_servers::{Database, Kind, Session};
use pat_sqlx::MySqlStore;
use pat_sqlx::sqlx::MySql;
use pat_sqlx::sqlx::pool::PoolOptions;
use tokio::sync::Mutex;
use tokio::time::sleep;
use tracing::Level;

use super::reads::calls::count_in_each_call;
use super::settings::{AT_ONCE, cases, run_each_on};
use super::{at, insert, owner};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial_that_stops(Kind::MariaDb, no_call_closes_a_statement),
        trial_that_stops(Kind::MariaDb, statements_are_closed_between_calls),
        trial_that_stops(
            Kind::MariaDb,
            the_suites_pass_where_the_server_prepares_nothing,
        ),
        trial_that_stops(Kind::MariaDb, nodes_share_a_server_with_few_statements),
        trial_that_stops(
            Kind::MariaDb,
            values_of_unprepared_statements_are_not_logged,
        ),
    ]
}

/// Counts of a server, each since its start.
struct Counts(Mutex<Session>);

impl Counts {
    async fn of(server: &Database) -> Self {
        Self(Mutex::new(server.hold(&[]).await.expect("a session")))
    }

    async fn get(&self, name: &str) -> u64 {
        let sql = format!(
            "SELECT CAST(variable_value AS SIGNED) FROM information_schema.global_status \
             WHERE variable_name = '{name}'"
        );
        let numbers = self.0.lock().await.select::<i64>(&sql).await.expect(&sql);
        numbers[0].cast_unsigned()
    }

    async fn closed(&self) -> u64 {
        self.get("Com_stmt_close").await
    }
}

/// The URL of a database, for connections that keep so many statements.
fn url_with_capacity(database: &Database, capacity: usize) -> String {
    let separator = if database.url.contains('?') { '&' } else { '?' };
    format!(
        "{}{separator}statement-cache-capacity={capacity}",
        database.url
    )
}

/// On connections that have room for all, so that each that is closed was meant to be.
async fn no_call_closes_a_statement(server: Database) {
    let database = server.create_beside("calls").await;
    let counts = Counts::of(&server).await;
    // The migrations prepare some in their SQL.
    MySqlStore::connect(&database.url)
        .await
        .expect("our tables")
        .close()
        .await;
    let begun = counts.closed().await;
    MySqlStore::connect(&database.url)
        .await
        .expect("a store")
        .close()
        .await;
    assert_eq!(counts.closed().await, begun, "the start closes statements");
    let pool = PoolOptions::<MySql>::new().max_connections(1);
    let pool = pool.connect(&url_with_capacity(&database, 10_000)).await;
    let closed = async || counts.closed().await;
    count_in_each_call(&pool.expect("a pool"), 30_000, 0, closed).await;
}

/// Searches that all differ, on connections with room for fewer statements than these have together.
async fn statements_are_closed_between_calls(server: Database) {
    /// How many a connection may keep between calls, and at all.
    const KEPT: u64 = 128;
    const CAPACITY: usize = 192;
    /// Of the pool that searches.
    const CONNECTIONS: u64 = 6;
    let database = server.create_beside("searches").await;
    let counts = Counts::of(&server).await;
    let store = MySqlStore::connect(&url_with_capacity(&database, CAPACITY)).await;
    let store = store.expect("a store");
    let (prepared, begun) = (counts.get("Com_stmt_prepare").await, counts.closed().await);
    let most = prepared + 2 * CONNECTIONS * CAPACITY as u64;
    let (mut closed, mut searches) = (begun, searches());
    while counts.get("Com_stmt_prepare").await < most {
        let search = searches.next().expect("one more search");
        store.search(&search).await.expect("a page");
        // A connection that has just been returned may be in the middle of closing all of its statements.
        let mut now = counts.closed().await;
        while now > closed {
            sleep(Duration::from_millis(100)).await;
            let later = counts.closed().await;
            if later == now {
                assert!(now > closed + KEPT, "{} closed by {search:?}", now - closed);
                closed = now;
            }
            now = later;
        }
    }
    assert!(closed > begun, "none was closed");
    store.close().await;
}

/// Searches whose statements all differ.
fn searches() -> impl Iterator<Item = Search> {
    let either = [None, Some(false), Some(true)];
    let revoked = [
        RevokedTokens::Excluded,
        RevokedTokens::Only,
        RevokedTokens::Included,
    ];
    (0_usize..).flat_map(move |number| {
        let digit = |place| number / 3_usize.pow(place) % 3;
        let range = |place| DateRange {
            from: (digit(place) == 1).then_some(at(0)),
            to: (digit(place) == 2).then_some(at(0)),
        };
        let mut filter = Filter::default();
        filter.is_used = either[digit(0)];
        filter.is_disabled = either[digit(1)];
        filter.never_expires = either[digit(2)];
        filter.is_transient = either[digit(3)];
        filter.created = range(4);
        filter.revoked = revoked[digit(5)];
        filter.expires = range(6);
        all_orders().map(move |(key, is_descending)| {
            let sort = Sort { key, is_descending };
            Search::new(filter.clone(), sort, Start::Offset(0), 10)
        })
    })
}

/// Lets all connections together have so many prepared statements.
async fn limit(server: &Database, statements: u64) {
    let set = format!("SET GLOBAL max_prepared_stmt_count = {statements}");
    server.execute(&set).await;
}

/// As on a server where other programs have all prepared statements.
async fn the_suites_pass_where_the_server_prepares_nothing(server: Database) {
    let databases = (0..cases().count()).map(|number| {
        let server = &server;
        async move {
            let database = server.create_beside(&format!("case_{number}")).await;
            let store = pat_sqlx::connect(&database.url).await.expect("our tables");
            store.close().await;
            database
        }
    });
    let databases: Vec<_> = stream::iter(databases).buffered(AT_ONCE).collect().await;
    limit(&server, 0).await;
    run_each_on(&databases).await;
}

/// Transactions whose first statements are prepared, and whose last ones are not.
async fn nodes_share_a_server_with_few_statements(server: Database) {
    const TOKENS: i64 = 10;
    let database = server.create_beside("nodes").await;
    let stores = [1, 2].map(|_| MySqlStore::connect(&database.url));
    let stores = join_all(stores).await;
    let counts = Counts::of(&server).await;
    limit(&server, counts.get("Prepared_stmt_count").await + 10).await;
    let stores: Vec<_> = stores
        .into_iter()
        .map(|store| store.expect("a store"))
        .collect();
    let nodes = (0..).zip(&stores).map(|(node, store)| async move {
        let key = format!("user {node}");
        for number in 0..TOKENS {
            insert(store, &new_token(1 + node * TOKENS + number, &key)).await;
        }
        let owner = owner(&key);
        let listed = store.list(&owner).await.expect("a list");
        assert_eq!(listed.len(), usize::try_from(TOKENS).expect("a few"));
        store.close().await;
    });
    join_all(nodes).await;
}

async fn values_of_unprepared_statements_are_not_logged(server: Database) {
    let database = server.create_beside("logs").await;
    let store = MySqlStore::connect(&database.url).await.expect("a store");
    limit(&server, 0).await;
    let log = Log::default();
    let guard = log.start_at(Level::TRACE);
    let token = new_token(1, "alice");
    insert(&store, &token).await;
    let found = store
        .find_by_digest(&token.digest)
        .await
        .expect("an answer");
    assert!(found.token.is_some());
    drop(guard);
    let text = log.text().to_lowercase();
    // With placeholders, as it was to be prepared.
    assert!(text.contains("insert into pat_token"), "{text}");
    for value in ["alice".as_bytes(), token.digest.as_bytes()] {
        let mut hex = String::new();
        for byte in value {
            write!(hex, "{byte:02x}").expect("a text");
        }
        assert!(!text.contains(&hex), "{text}");
    }
    store.close().await;
}
