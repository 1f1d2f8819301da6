//! A node whose process is writing for long, so that its reports are skipped.

use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::Trial;
use pat_core::settings::{RevocationWait, SettingsBuilder};
use pat_core::store::{Change, TokenStore};
use pat_core::{Clock as _, Owner, Pats};
use pat_harness::fault_store::Fault;
use pat_harness::node::{Node, alice, many_tokens, pair, sqlite};
use pat_harness::trial;
use pat_sqlx::SqliteStore;
use pat_sqlx::sqlx::sqlite::SqliteConnectOptions;
use pat_sqlx::sqlx::{ConnectOptions as _, Executor as _};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(a_poll_does_not_wait_for_a_writer_of_its_process),
        trial(a_node_that_is_alone_uses_its_cache_while_its_reports_are_skipped),
        trial(a_node_that_others_know_uses_its_cache_until_its_report_is_too_old),
        trial(a_change_that_others_wait_for_ends_the_cache_of_a_node_that_cannot_report_it),
    ]
}

const SECOND: Duration = Duration::from_secs(1);

/// Settings with which each change is reported at once.
fn waiting() -> SettingsBuilder {
    many_tokens().revocation_wait(RevocationWait::Cluster)
}

fn bob() -> Change {
    Change::OwnerChanged("bob".parse::<Owner>().expect("an owner"))
}

async fn a_poll_does_not_wait_for_a_writer_of_its_process() {
    let (folder, store) = sqlite().await;
    let file = folder.path().join("pat.db");
    // Another store of the process on the same file.
    let other = SqliteStore::open(&file).await.expect("the same database");
    let node = Node::on(Arc::new(store), waiting()).await;
    let options = SqliteConnectOptions::new().filename(&file);
    let mut process = options.connect().await.expect("another process");
    process.execute("BEGIN IMMEDIATE").await.expect("a lock");
    // A report is due.
    node.clock.advance(SECOND * 11);
    let now = node.clock.wall();
    let polling = async {
        let polled = tokio::time::timeout(SECOND * 4, node.pats.poll_changes()).await;
        process.execute("ROLLBACK").await.expect("a rollback");
        polled
    };
    let bob = bob();
    let (changed, polled) = tokio::join!(other.append_change(&bob, now), polling);
    polled.expect("before the other process").expect("a poll");
    changed.expect("a change");
    node.pats.poll_changes().await.expect("a poll");
    node.pats.ready().await.expect("a report");
}

async fn a_node_that_is_alone_uses_its_cache_while_its_reports_are_skipped() {
    let (_folder, store) = sqlite().await;
    let node = Node::on(Arc::new(store), waiting()).await;
    let (token, revoked) = (node.create().await, node.create().await);
    assert!(node.accepts(&token).await && node.accepts(&revoked).await);
    let lookups = node.store.lookups();
    node.store.set(&["heartbeat"], Fault::Busy);
    for second in 1..=50 {
        node.clock.advance(SECOND);
        let bob = bob();
        let changed = node.store.append_change(&bob, node.clock.wall());
        changed.await.expect("news for others");
        node.pats.poll_changes().await.expect("a poll");
        assert!(node.accepts(&token).await);
        assert_eq!(node.store.lookups(), lookups, "{second}");
        node.pats.ready().await.expect("it is ready");
    }
    let change = Change::TokenChanged(revoked.token.id);
    let changed = node.store.append_change(&change, node.clock.wall());
    changed.await.expect("a change");
    node.pats.poll_changes().await.expect("a poll");
    node.accepts(&revoked).await;
    assert_eq!(node.store.lookups(), lookups + 1, "polls apply changes");
    node.clock.advance(SECOND * 15);
    node.pats
        .ready()
        .await
        .expect_err("a writer that hangs is not waited for forever");
}

async fn a_node_that_others_know_uses_its_cache_until_its_report_is_too_old() {
    let (_folder, a, b, token) = pair(many_tokens()).await;
    let lookups = b.store.lookups();
    b.store.set(&["heartbeat"], Fault::Busy);
    for second in 1..30 {
        b.clock.advance(SECOND);
        b.pats.poll_changes().await.expect("a poll");
        assert!(b.accepts(&token).await);
        assert_eq!(b.store.lookups(), lookups, "{second}");
    }
    b.clock.advance(SECOND);
    b.pats.poll_changes().await.expect("a poll");
    assert!(b.accepts(&token).await);
    assert_eq!(b.store.lookups(), lookups + 1, "others may forget it");
    b.store.set(&[], Fault::Busy);
    b.pats.poll_changes().await.expect("a poll");
    assert!(b.accepts(&token).await && b.accepts(&token).await);
    assert!(b.store.lookups() <= lookups + 2, "it has reported");
    assert!(a.accepts(&token).await);
}

async fn a_change_that_others_wait_for_ends_the_cache_of_a_node_that_cannot_report_it() {
    let (_folder, a, b, token) = pair(waiting()).await;
    b.pats.poll_changes().await.expect("a poll");
    b.store.set(&["heartbeat"], Fault::Busy);
    let bob = bob();
    let changed = a.store.append_change(&bob, a.clock.wall());
    changed.await.expect("a change");
    let lookups = b.store.lookups();
    for _ in 0..2 {
        b.clock.advance(SECOND);
        b.pats.poll_changes().await.expect("a poll");
    }
    // Node a may have read the same report of b for as long as a cache may be fresh, so its revocations wait
    // for b no more. The next one is not known to b yet.
    let elsewhere = Pats::builder(Arc::new(a.store.clone())).build();
    let revoked = elsewhere.revoke(&alice(), token.token.id).await;
    revoked.expect("a revocation");
    assert!(!b.accepts(&token).await);
    assert!(b.store.lookups() > lookups);
}
