//! What a node that falls silent leaves behind in its database server, which is not told.

use std::time::Duration;

use libtest_mimic::Trial;
use pat_core::store::{Insertion, Revocation, RevocationScope};
use pat_core::{Clock as _, SystemClock, TokenId};
use pat_harness::database::{SERVERS, trial_that_stops};
use pat_harness::disk::Folder;
use pat_harness::fault_proxy::{FaultProxy, Way};
use pat_harness::names::name_on_own;
use pat_harness::{named_trial_with_need, timer_now, until};
use pat_servers::rows::new_token;
use pat_servers::{Database, Kind};
use pat_sqlx::AnyStore;
use tokio::time::{sleep, timeout};

use super::nodes::Nodes;
use super::packets::{Loss, Packets};
use super::run::networked;

/// How long a server bears with an open transaction in which nothing happens, and some time to notification
/// and to try again.
const BOUND: Duration = Duration::from_secs(10 + 10);

/// How long PostgreSQL keeps a connection whose other end does not answer, and some time to notification.
const LOST: Duration = Duration::from_secs(30 + 15);

pub(super) fn trials() -> Vec<Trial> {
    let transactions =
        SERVERS.map(|kind| trial_that_stops(kind, a_stranded_transaction_is_rolled_back));
    let kind = Kind::Postgres;
    let connections = named_trial_with_need(
        name_on_own(&stranded_connections_are_closed, kind.need()),
        "netns",
        Packets::missing().or_else(|| kind.missing_here()),
        stranded_connections_are_closed,
    );
    transactions.into_iter().chain([connections]).collect()
}

/// In the middle of a transaction, with the change counter locked, the way to the server is cut. No
/// other node can revoke anything until the server ends it.
async fn a_stranded_transaction_is_rolled_back(database: Database) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let proxy = FaultProxy::start(&database, folder.path());
    let silent = pat_sqlx::connect(&proxy.url).await.expect("a store");
    let other = pat_sqlx::connect(&database.url).await.expect("a store");
    let mut ids = Vec::new();
    for number in [1, 2] {
        let stored = other.tokens().insert(&new_token(number, "alice"), 10).await;
        let Insertion::Stored(token) = stored.expect("an answer") else {
            panic!("nothing speaks against it")
        };
        ids.push(token.id);
    }
    let (first, second) = (ids[0], ids[1]);

    let lock = ["BEGIN", "UPDATE pat_clock SET gen = gen WHERE id = 1"];
    let lock = database.hold(&lock).await.expect("a lock");
    tokio::spawn(async move { while !revoke(&silent, first).await {} });
    until("it waits for the lock", async || {
        database.waiting().await > 0
    })
    .await;
    // It gets the lock after nothing from it arrives any more. (Who comes before it has woken up could
    // take the lock away from it.)
    proxy.set(Way::HoldsQuestions);
    lock.close().await;
    until("it has the lock", async || database.waiting().await == 0).await;

    let began = timer_now();
    let revoked = timeout(BOUND, async { while !revoke(&other, second).await {} }).await;
    println!("{}: locked for {:?}", database.kind.need(), began.elapsed());
    assert!(revoked.is_ok(), "the lock is still held");
    assert!(began.elapsed() > Duration::from_secs(2), "it was held");
}

/// A server has only so many connections. If those of a node that was cut off were kept for hours, it
/// could not come back.
async fn stranded_connections_are_closed() {
    let kind = Kind::Postgres;
    let packets = Packets::start(kind);
    let database = Database::create_alone(kind, &packets.addresses()).expect("a server");
    let places = std::array::from_fn(|node| networked(kind, &packets, node));
    let nodes = Nodes::start(Folder::temporary(), places, vec![], None).await;
    let [_, address] = packets.addresses_of(0);
    let count = format!("SELECT COUNT(*) FROM pg_stat_activity WHERE client_addr = '{address}'");
    assert!(database.number(&count).await > 0);

    packets.lose(0, Loss::All);
    nodes.kill(0);
    // One that has something to say waits for another answer than those that are idle.
    database.execute("SELECT pg_notify('pat_change', '')").await;
    let began = timer_now();
    let given_back = timeout(LOST, async {
        while database.number(&count).await > 0 {
            sleep(Duration::from_millis(500)).await;
        }
    });
    let given_back = given_back.await;
    println!("postgres: connections kept for {:?}", began.elapsed());
    assert!(given_back.is_ok(), "they are still there");
    // The networks go last.
    drop(nodes);
    drop(packets);
}

/// Whether the token of this id is revoked now.
async fn revoke(store: &AnyStore, id: TokenId) -> bool {
    let revocation = Revocation::new(SystemClock.wall());
    let scope = RevocationScope::Tokens(vec![id]);
    store.tokens().revoke(&scope, &revocation).await.is_ok()
}
