//! Nodes that share a database: what one knows of the others' changes, and when.

use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::Trial;
use pat_core::settings::{CreateByToken, RevocationWait, SettingsBuilder};
use pat_core::store::{SCHEMA_VERSION, TokenStore as _};
use pat_core::testing::TestClock;
use pat_core::{CreatedToken, MemoryStore, Pats};
use pat_harness::node::{Node, accepts, alice, is_unavailable, many_tokens, pair, sqlite_url};
use pat_harness::{trial, until};
use pat_sqlx::SqliteStore;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(another_nodes_revocation_arrives_with_the_poll),
        trial(another_nodes_disabling_arrives_with_the_poll_and_so_does_the_enabling),
        trial(a_new_name_arrives_with_the_poll),
        trial(a_node_that_cannot_poll_refuses_disabled_tokens_and_accepts_enabled_ones_in_time),
        trial(disabling_waits_for_nodes_that_have_not_polled),
        trial(a_node_that_cannot_poll_stops_trusting_its_cache),
        trial(a_feed_that_was_rewritten_drops_the_cache),
        trial(the_first_poll_invalidates_earlier_cache_entries),
        trial(a_revocation_waits_for_nodes_that_have_not_polled),
        trial(a_dead_node_delays_one_revocation_only),
        trial(a_returning_node_uses_no_cache_before_its_report),
        trial(a_node_that_was_away_reports_before_it_polls),
        trial(a_poll_that_outlasts_the_lease_does_not_renew_it),
        trial(a_node_that_cannot_report_uses_no_cache),
        trial(a_repeated_revocation_holds_as_the_first),
        trial(with_staleness_zero_every_request_reads_the_database),
        trial(waiting_for_the_cluster_waits_for_the_lease),
    ]
}

async fn another_nodes_revocation_arrives_with_the_poll() {
    let (_folder, a, b, token) = pair(many_tokens()).await;
    let bystander = a.create().await;
    assert!(b.accepts(&bystander).await);
    a.pats
        .revoke(&alice(), token.token.id)
        .await
        .expect("a revocation");
    assert!(!a.accepts(&token).await, "here at once");
    assert!(
        b.accepts(&token).await,
        "there it is cached and the lease is fresh"
    );
    b.pats.poll_changes().await.expect("a poll");
    assert!(!b.accepts(&token).await, "and now it knows");
    let lookups = b.store.lookups();
    assert!(b.accepts(&bystander).await);
    assert_eq!(b.store.lookups(), lookups, "other tokens stay cached");

    a.pats
        .user_changed(alice().owner())
        .await
        .expect("a change");
    b.pats.poll_changes().await.expect("a poll");
    assert!(b.accepts(&bystander).await);
    assert_eq!(
        b.store.lookups(),
        lookups + 1,
        "an owner's change has his tokens judged anew"
    );
    assert_eq!(
        a.pats
            .user_deleted(alice().owner())
            .await
            .expect("a deletion"),
        1
    );
    b.pats.poll_changes().await.expect("a poll");
    assert!(!b.accepts(&bystander).await && !a.accepts(&bystander).await);
}

/// Two nodes on one file, both with the token in their caches, and disabling in use.
async fn pair_that_disables(
    settings: SettingsBuilder,
) -> (tempfile::TempDir, Node, Node, CreatedToken) {
    let (folder, a, b, token) = pair(settings).await;
    let raised = a.store.raise_readable_from(SCHEMA_VERSION).await;
    raised.expect("raise_readable_from");
    for node in [&a, &b] {
        node.pats.poll_changes().await.expect("a poll");
        // The bound of each test, and more.
        node.clock.advance(Duration::from_hours(2));
        node.pats.poll_changes().await.expect("a poll");
        assert!(node.accepts(&token).await);
    }
    (folder, a, b, token)
}

async fn another_nodes_disabling_arrives_with_the_poll_and_so_does_the_enabling() {
    let (_folder, a, b, token) = pair_that_disables(many_tokens()).await;
    let id = token.token.id;
    a.pats.disable(&alice(), id).await.expect("disabled");
    assert!(!a.accepts(&token).await, "here at once");
    assert!(b.accepts(&token).await, "there it is cached");
    b.pats.poll_changes().await.expect("a poll");
    let lookups = b.store.lookups();
    assert!(!b.accepts(&token).await && !b.accepts(&token).await);
    assert_eq!(b.store.lookups(), lookups + 1, "the refusal is cached");
    a.pats.enable(&alice(), id).await.expect("enabled");
    assert!(a.accepts(&token).await, "here at once");
    assert!(!b.accepts(&token).await, "there the refusal is cached");
    b.pats.poll_changes().await.expect("a poll");
    assert!(b.accepts(&token).await);
}

async fn a_new_name_arrives_with_the_poll() {
    let (_folder, a, b, token) = pair(many_tokens()).await;
    let renamed = a.pats.rename(&alice(), token.token.id, "other").await;
    renamed.expect("renamed");
    let name = async |node: &Node| {
        let presented = token.plain.expose().as_bytes();
        let principal = node.pats.authenticate(presented).await;
        principal.expect("a principal").name().to_owned()
    };
    assert_eq!(
        (name(&a).await.as_str(), name(&b).await.as_str()),
        ("other", "ci")
    );
    b.pats.poll_changes().await.expect("a poll");
    assert_eq!(name(&b).await, "other");
}

async fn a_node_that_cannot_poll_refuses_disabled_tokens_and_accepts_enabled_ones_in_time() {
    let (_folder, a, b, token) = pair_that_disables(many_tokens()).await;
    let id = token.token.id;
    a.pats.disable(&alice(), id).await.expect("disabled");
    b.clock.advance(Duration::from_millis(1_999));
    assert!(b.accepts(&token).await, "within the bound");
    b.clock.advance(Duration::from_millis(1));
    assert!(!b.accepts(&token).await);
    a.pats.enable(&alice(), id).await.expect("enabled");
    assert!(b.accepts(&token).await, "its cache is not fresh");
}

async fn disabling_waits_for_nodes_that_have_not_polled() {
    let an_hour = 3_600_000;
    let settings = many_tokens()
        .auth_max_staleness_ms(an_hour)
        .revocation_wait(RevocationWait::Cluster);
    let (_folder, a, b, token) = pair_that_disables(settings).await;
    let id = token.token.id;
    let (pats, caller) = (a.pats.clone(), alice());
    let disabling = tokio::spawn(async move { pats.disable(&caller, id).await });
    until("the token is disabled", async || !a.accepts(&token).await).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!disabling.is_finished(), "the other node may accept it");
    assert!(b.accepts(&token).await);
    b.pats.poll_changes().await.expect("a poll");
    let done = tokio::time::timeout(Duration::from_secs(10), disabling).await;
    let disabled = done.expect("long before an hour").expect("a task");
    disabled.expect("disabled");
    assert!(!b.accepts(&token).await);
    // Enabling waits for none.
    let enabled = a.pats.enable(&alice(), id).await;
    enabled.expect("enabled");
    assert!(a.accepts(&token).await && !b.accepts(&token).await);
}

async fn a_node_that_cannot_poll_stops_trusting_its_cache() {
    let (_folder, a, b, token) = pair(many_tokens()).await;
    a.pats
        .revoke(&alice(), token.token.id)
        .await
        .expect("a revocation");
    b.clock.advance(Duration::from_millis(1_999));
    assert!(b.accepts(&token).await, "within the bound");
    b.clock.advance(Duration::from_millis(1));
    assert!(!b.accepts(&token).await, "beyond it, without any poll");
    let live = a.create().await;
    let lookups = b.store.lookups();
    assert!(b.accepts(&live).await && b.accepts(&live).await);
    assert_eq!(
        b.store.lookups(),
        lookups + 2,
        "every request asks while the lease is out"
    );
    b.pats.poll_changes().await.expect("a poll");
    assert!(b.accepts(&live).await);
    assert_eq!(
        b.store.lookups(),
        lookups + 2,
        "a fresh lease has the cache trusted again"
    );
}

async fn a_feed_that_was_rewritten_drops_the_cache() {
    let (folder, a, b, token) = pair(many_tokens()).await;
    a.pats
        .user_changed(&"carol".parse().expect("an owner"))
        .await
        .expect("a change");
    b.pats.poll_changes().await.expect("a poll");
    // A failover that lost the tail, and a new history that has caught up again.
    let url = sqlite_url(folder.path());
    let pool = pat_sqlx::sqlx::SqlitePool::connect(&url)
        .await
        .expect("the database");
    let rewrite = "UPDATE pat_change SET nonce = nonce + 1";
    pat_sqlx::sqlx::query(rewrite)
        .execute(&pool)
        .await
        .expect("a rewritten history");
    let lookups = b.store.lookups();
    assert!(b.accepts(&token).await);
    assert_eq!(b.store.lookups(), lookups, "still cached");
    b.pats.poll_changes().await.expect("a poll");
    assert!(b.accepts(&token).await);
    assert_eq!(b.store.lookups(), lookups + 1, "everything is judged anew");
}

async fn with_staleness_zero_every_request_reads_the_database() {
    let (_folder, a, b, token) = pair(many_tokens().auth_max_staleness_ms(0)).await;
    b.pats.poll_changes().await.expect("a poll");
    let lookups = b.store.lookups();
    assert!(b.accepts(&token).await && b.accepts(&token).await);
    assert_eq!(b.store.lookups(), lookups + 2);
    a.pats
        .revoke(&alice(), token.token.id)
        .await
        .expect("a revocation");
    assert!(!b.accepts(&token).await, "at once, everywhere");
}

/// A process that has just started, and has answered a request before it first reads the feed.
async fn the_first_poll_invalidates_earlier_cache_entries() {
    let (folder, a, _b, token) = pair(many_tokens()).await;
    let other = SqliteStore::open(folder.path().join("pat.db")).await;
    let started = Pats::builder(Arc::new(other.expect("the same database")))
        .settings(many_tokens().build().expect("settings"))
        .clock(Arc::new(TestClock::default()))
        .build();
    assert!(accepts(&started, token.plain.expose()).await);
    a.pats
        .revoke(&alice(), token.token.id)
        .await
        .expect("a revocation");
    started.poll_changes().await.expect("a poll");
    assert!(!accepts(&started, token.plain.expose()).await);
}

/// Nodes that follow the feed are not waited for any longer than it takes them.
async fn a_revocation_waits_for_nodes_that_have_not_polled() {
    let waits = many_tokens()
        .auth_max_staleness_ms(3_600_000)
        .revocation_wait(RevocationWait::Cluster);
    let (_folder, a, b, token) = pair(waits).await;
    let revoking = a.pats.clone();
    let id = token.token.id;
    let revoke = tokio::spawn(async move { revoking.revoke(&alice(), id).await });
    until("the revocation is committed", async || {
        a.store.revocations() > 0
    })
    .await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!revoke.is_finished(), "the other node does not know yet");
    b.pats.poll_changes().await.expect("a poll");
    let done = tokio::time::timeout(Duration::from_secs(10), revoke).await;
    done.expect("long before an hour")
        .expect("no panic")
        .expect("a revocation");
    assert!(!b.accepts(&token).await);

    // A node that has left is not waited for.
    let token = a.create().await;
    b.pats.start().shutdown().await;
    let caller = alice();
    let revoke = a.pats.revoke(&caller, token.token.id);
    let done = tokio::time::timeout(Duration::from_secs(10), revoke).await;
    assert!(done.expect("nobody to wait for").is_ok());
}

/// After one revocation has waited for a node's lease to end, the next ones do not wait for it.
async fn a_dead_node_delays_one_revocation_only() {
    let waits = many_tokens()
        .auth_max_staleness_ms(10_000)
        .revocation_wait(RevocationWait::Cluster);
    let (_folder, a, b, token) = pair(waits).await;
    let caller = alice();
    let revoke = async |token: &CreatedToken, within| {
        let revoke = a.pats.revoke(&caller, token.token.id);
        tokio::time::timeout(within, revoke).await
    };
    let (soon, before_any_lease_ends) = (Duration::from_millis(500), Duration::from_secs(5));
    let early = revoke(&token, soon).await;
    assert!(early.is_err(), "it may still trust its cache");
    silence_is_noticed(&a).await;
    a.pats.poll_changes().await.expect("a poll");
    a.clock.advance(Duration::from_secs(12));
    for _ in 0..3 {
        let token = a.create().await;
        let done = revoke(&token, before_any_lease_ends).await;
        assert!(matches!(done, Ok(Ok(()))), "{done:?}");
    }

    // It was only away, and is back.
    b.clock.advance(Duration::from_secs(12));
    b.pats.poll_changes().await.expect("a poll");
    let token = a.create().await;
    assert!(b.accepts(&token).await);
    let early = revoke(&token, soon).await;
    assert!(early.is_err(), "it trusts its cache again");
}

/// Waits until what the others have said was read after this node's first revocation.
async fn silence_is_noticed(node: &Node) {
    until("the revocation is committed", async || {
        node.store.revocations() > 0
    })
    .await;
    let reads = node.store.node_reads();
    // One read may have begun before.
    until("the reports are read", async || {
        node.store.node_reads() > reads + 1
    })
    .await;
}

/// A node that was away begins with a report, so that none takes it for one that is still away
/// when it trusts its cache again.
async fn a_returning_node_uses_no_cache_before_its_report() {
    let waits = many_tokens()
        .auth_max_staleness_ms(10_000)
        .revocation_wait(RevocationWait::Cluster);
    let (_folder, a, b, token) = pair(waits).await;
    let caller = alice();
    let revoke = a.pats.revoke(&caller, token.token.id);
    let early = tokio::time::timeout(Duration::from_millis(500), revoke).await;
    assert!(early.is_err(), "it may still trust its cache");
    silence_is_noticed(&a).await;
    a.clock.advance(Duration::from_secs(12));
    b.clock.advance(Duration::from_secs(12));

    let token = a.create().await;
    assert!(b.accepts(&token).await, "it asks the database");
    // It reads the feed, and is held up before it can say so.
    b.store.hold_changes(true);
    let polling = b.pats.clone();
    let polls = b.store.polls();
    let poll = tokio::spawn(async move { polling.poll_changes().await });
    until("the feed is read", async || b.store.polls() > polls).await;
    let revoking = (a.pats.clone(), caller.clone(), token.token.id);
    let revoke = tokio::spawn(async move {
        let (pats, caller, id) = revoking;
        pats.revoke(&caller, id).await
    });
    until("the revocation is committed", async || {
        a.store.revocations() > 1
    })
    .await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(
        !revoke.is_finished(),
        "it is about to trust its cache again"
    );
    b.store.hold_changes(false);
    poll.await.expect("no panic").expect("a poll");
    assert!(b.accepts(&token).await, "nothing is acknowledged yet");
    b.pats.poll_changes().await.expect("a poll");
    assert!(!b.accepts(&token).await);
    revoke.await.expect("no panic").expect("a revocation");
}

/// What others wait for is known to them before the node trusts anything that it reads.
async fn a_node_that_was_away_reports_before_it_polls() {
    let (_folder, _a, b, _token) = pair(many_tokens()).await;
    b.clock.advance(Duration::from_secs(12));
    b.store.hold_nodes(true);
    let (polls, reads) = (b.store.polls(), b.store.node_reads());
    let polling = b.pats.clone();
    let poll = tokio::spawn(async move { polling.poll_changes().await });
    until("it has reported", async || b.store.node_reads() > reads).await;
    assert_eq!(b.store.polls(), polls, "it has not polled");
    b.store.hold_nodes(false);
    poll.await.expect("no panic").expect("a poll");
    assert!(b.store.polls() > polls);
}

/// By the time that its answer is there, others may have ceased to wait for this node.
async fn a_poll_that_outlasts_the_lease_does_not_renew_it() {
    let settings = many_tokens()
        .cluster_poll_interval_ms(500)
        .auth_max_staleness_ms(1_000);
    let (_folder, _a, b, token) = pair(settings).await;
    b.clock.advance(Duration::from_millis(900));
    b.store.hold_changes(true);
    let polling = b.pats.clone();
    let polls = b.store.polls();
    let poll = tokio::spawn(async move { polling.poll_changes().await });
    until("the feed is read", async || b.store.polls() > polls).await;
    b.clock.advance(Duration::from_millis(500));
    b.store.hold_changes(false);
    poll.await.expect("no panic").expect("a poll");
    b.store.set_down(true);
    assert!(is_unavailable(&b, &token).await, "the lease had ended");
    b.store.set_down(false);
    b.pats.poll_changes().await.expect("a poll");
    b.store.set_down(true);
    assert!(b.accepts(&token).await, "from the cache");
}

/// A client that asks again, perhaps of another node, for what one has revoked.
async fn a_repeated_revocation_holds_as_the_first() {
    for settings in [
        many_tokens(),
        many_tokens().create_by_token(CreateByToken::Capped),
    ] {
        let (_folder, a, b, token) = pair(settings).await;
        let (caller, id) = (alice(), token.token.id);
        a.pats.revoke(&caller, id).await.expect("a revocation");
        assert!(b.accepts(&token).await, "it does not know yet");
        b.pats.revoke(&caller, id).await.expect("again");
        assert!(
            !b.accepts(&token).await,
            "what it has acknowledged holds on it"
        );
    }

    let waits = many_tokens().revocation_wait(RevocationWait::Cluster);
    let (_folder, a, b, token) = pair(waits).await;
    let (pats, id) = (a.pats.clone(), token.token.id);
    let first = tokio::spawn(async move { pats.revoke(&alice(), id).await });
    until("the revocation is committed", async || {
        a.store.revocations() > 0
    })
    .await;
    let caller = alice();
    let again = a.pats.revoke(&caller, id);
    let early = tokio::time::timeout(Duration::from_millis(300), again).await;
    assert!(early.is_err(), "not while another node accepts it");
    assert!(b.accepts(&token).await);
    let first = first.await.expect("no panic");
    first.expect("a revocation");
}

/// A node that cannot report stops using its cache, so that those who no longer wait for it need
/// not have waited.
async fn a_node_that_cannot_report_uses_no_cache() {
    let patient = many_tokens().auth_max_staleness_ms(3_600_000);
    let (_folder, a, b, token) = pair(patient).await;
    b.store.set_down(true);
    b.clock.advance(Duration::from_secs(29));
    assert!(b.accepts(&token).await, "from the cache");
    b.clock.advance(Duration::from_secs(1));
    assert!(is_unavailable(&b, &token).await);
    a.clock.advance(Duration::from_secs(61));
    a.pats.poll_changes().await.expect("a poll");
    b.store.set_down(false);
    b.pats.poll_changes().await.expect("a poll");
    assert!(b.accepts(&token).await);
}

async fn waiting_for_the_cluster_waits_for_the_lease() {
    let waits = many_tokens().revocation_wait(RevocationWait::Cluster);
    let caller = alice();
    let (_folder, a, _b, token) = pair(waits.clone()).await;
    let revoke = a.pats.revoke(&caller, token.token.id);
    let early = tokio::time::timeout(Duration::from_millis(300), revoke).await;
    assert!(early.is_err(), "not before every lease has ended");
    assert!(!a.accepts(&token).await, "but here at once");
    let token = a.create().await;
    let revoke = a.pats.revoke(&caller, token.token.id);
    let done = tokio::time::timeout(Duration::from_secs(10), revoke).await;
    assert!(done.expect("in time").is_ok());

    let waits = waits.auth_max_staleness_ms(3_600_000);
    let alone = Node::on(Arc::new(MemoryStore::default()), waits).await;
    let token = alone.create().await;
    let revoke = alone.pats.revoke(&caller, token.token.id);
    let done = tokio::time::timeout(Duration::from_secs(10), revoke).await;
    assert!(done.is_ok(), "a private store has nobody to wait for");
}
