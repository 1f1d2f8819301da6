//! Revocation against everything that runs beside it, and what a fault may and may not do.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use libtest_mimic::Trial;
use pat_core::settings::{CreateByToken, RevocationWait, SettingsBuilder};
use pat_core::testing::{TestClock, TestDirectory};
use pat_core::{
    AccessError, AuthError, Caller, CreateError, CreatedToken, MemoryStore, Pats, PolicyError,
    Settings, TokenDigest, TokenRequest, TokenStore,
};
use pat_sqlx::SqliteStore;
use pat_tests::number;
use tokio::task::JoinSet;

use crate::common::gated::{Gated, until};
use crate::common::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(
            "races::a_load_in_flight_does_not_outlive_a_revocation",
            paused_load,
        ),
        trial(
            "races::the_paused_load_finds_a_naive_cache_out",
            naive_cache_is_found_out,
        ),
        trial("races::nothing_is_accepted_after_a_revocation", many_rounds),
        trial(
            "races::a_client_that_hangs_up_does_not_stop_its_revocation",
            hung_up_revocation,
        ),
        trial(
            "races::no_child_survives_its_parents_revocation",
            child_and_parent,
        ),
        trial("races::five_thousand_requests_make_one_query", herd),
        trial("races::dropped_requests_harm_nobody", dropped_requests),
        trial(
            "races::another_nodes_revocation_arrives_with_the_poll",
            two_nodes,
        ),
        trial(
            "races::a_node_that_cannot_poll_stops_trusting_its_cache",
            lease,
        ),
        trial(
            "races::a_feed_that_was_rewritten_drops_the_cache",
            rewritten_feed,
        ),
        trial("races::a_first_poll_trusts_nothing_from_before", first_poll),
        trial(
            "races::a_revocation_waits_for_those_who_do_not_know",
            all_have_applied,
        ),
        trial("races::a_node_that_has_died_is_waited_for_once", dead_node),
        trial(
            "races::a_node_that_was_not_waited_for_uses_no_cache",
            late_node,
        ),
        trial(
            "races::a_poll_that_outlasts_the_lease_does_not_renew_it",
            late_poll,
        ),
        trial(
            "races::a_node_that_cannot_report_uses_no_cache",
            silent_node,
        ),
        trial(
            "races::a_repeated_revocation_holds_as_the_first",
            repeated_revocation,
        ),
        trial(
            "races::a_revocation_goes_on_when_nobody_waits_any_more",
            late_revocation,
        ),
        trial("races::staleness_zero_asks_each_time", staleness_zero),
        trial(
            "races::waiting_for_the_cluster_waits_for_the_lease",
            wait_for_cluster,
        ),
        trial(
            "races::a_database_that_is_down_is_no_refusal",
            database_down,
        ),
        trial(
            "races::a_database_that_hangs_is_given_up_in_time",
            database_hangs,
        ),
        trial(
            "races::a_directory_that_is_down_is_no_refusal",
            directory_down,
        ),
        trial(
            "races::a_directory_that_hangs_is_given_up_in_time",
            directory_hangs,
        ),
        trial("races::junk_does_not_push_out_good_tokens", junk_flood),
        trial("races::last_use_outlives_a_failed_flush", failed_flush),
        trial("races::clock_steps_make_no_token_eternal", clock_steps),
    ]
}

/// A service and what stands around it.
struct Node {
    pats: Pats,
    store: Gated,
    clock: Arc<TestClock>,
}

impl Node {
    async fn on(store: impl TokenStore, settings: SettingsBuilder) -> Self {
        let (store, clock) = (Gated::new(store), Arc::new(TestClock::default()));
        let settings = settings.build().expect("settings");
        let pats = Pats::builder(store.clone())
            .settings(settings)
            .clock(clock.clone())
            .build();
        pats.poll_changes().await.expect("a poll");
        Self { pats, store, clock }
    }

    async fn create(&self) -> CreatedToken {
        let request = TokenRequest {
            name: "ci".into(),
            lifetime_days: Some(90),
        };
        self.pats.create(&alice(), request).await.expect("a token")
    }

    async fn accepts(&self, token: &CreatedToken) -> bool {
        accepts(&self.pats, token.plain.expose()).await
    }
}

async fn accepts(pats: &Pats, token: &str) -> bool {
    match pats.authenticate(token.as_bytes()).await {
        Ok(_) => true,
        Err(AuthError::Unavailable(error)) => panic!("a database that answers: {error:?}"),
        Err(_) => false,
    }
}

fn alice() -> Caller {
    Caller::explicit("alice".parse().expect("an owner"))
}

/// A SQLite store in a folder of its own.
async fn sqlite() -> (tempfile::TempDir, SqliteStore) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = SqliteStore::open(folder.path().join("pat.db"))
        .await
        .expect("a database");
    (folder, store)
}

fn many_tokens() -> SettingsBuilder {
    // The long time is for busy machines.
    Settings::builder()
        .max_tokens_per_user(1_000_000)
        .auth_database_timeout_ms(60_000)
}

/// Anything that checks tokens and revokes them.
#[async_trait]
trait Verifier: Send + Sync + 'static {
    async fn accepts(&self, token: &str) -> bool;
    async fn revoke(&self, token: &CreatedToken);
}

#[async_trait]
impl Verifier for Pats {
    async fn accepts(&self, token: &str) -> bool {
        accepts(self, token).await
    }

    async fn revoke(&self, token: &CreatedToken) {
        Pats::revoke(self, &alice(), token.token.id)
            .await
            .expect("a revocation");
    }
}

/// What one would write first: `get_with`, and `invalidate` after a revocation.
struct NaiveCache {
    pats: Pats,
    store: Gated,
    cache: moka::future::Cache<TokenDigest, bool>,
}

#[async_trait]
impl Verifier for NaiveCache {
    async fn accepts(&self, token: &str) -> bool {
        let digest = TokenDigest::of(token.as_bytes());
        let load = async {
            let token = self.store.find_by_digest(&digest).await.expect("a row");
            token.is_some_and(|token| token.revoked_at.is_none())
        };
        self.cache.get_with(digest, load).await
    }

    async fn revoke(&self, token: &CreatedToken) {
        Verifier::revoke(&self.pats, token).await;
        self.cache.invalidate(&token.plain.digest()).await;
    }
}

/// A request whose load has read the row before the revocation and answers after it: whether
/// it was accepted, and whether one that came after the revocation was.
async fn revoke_during_load(
    verifier: Arc<impl Verifier>,
    store: &Gated,
    token: &CreatedToken,
) -> (bool, bool) {
    let check = |verifier: Arc<dyn Verifier>| {
        let text = token.plain.expose().to_owned();
        tokio::spawn(async move { verifier.accepts(&text).await })
    };
    store.hold_lookups(true);
    let before = store.lookups();
    let early = check(verifier.clone());
    until("the row was read", || store.lookups() > before).await;
    verifier.revoke(token).await;
    let late = check(verifier.clone());
    tokio::task::yield_now().await;
    store.hold_lookups(false);
    let early = early.await.expect("a check");
    // The late one may have joined the early one's load. It must not take its word.
    let late = late.await.expect("a check");
    let later = verifier.accepts(token.plain.expose()).await;
    (early, late || later)
}

async fn paused_load() {
    let (_folder, sqlite) = sqlite().await;
    let nodes = [
        Node::on(MemoryStore::default(), many_tokens()).await,
        Node::on(sqlite, many_tokens()).await,
    ];
    for node in nodes {
        for _ in 0..20 {
            let token = node.create().await;
            let pats = Arc::new(node.pats.clone());
            let (_, accepted_after) = revoke_during_load(pats, &node.store, &token).await;
            assert!(
                !accepted_after,
                "accepted after the revocation was acknowledged"
            );
        }
    }
}

/// The test above proves something only if it finds a cache out that is known to be broken.
async fn naive_cache_is_found_out() {
    let node = Node::on(MemoryStore::default(), many_tokens()).await;
    let token = node.create().await;
    let naive = NaiveCache {
        pats: node.pats.clone(),
        store: node.store.clone(),
        cache: moka::future::Cache::new(1000),
    };
    let (_, accepted_after) = revoke_during_load(Arc::new(naive), &node.store, &token).await;
    assert!(accepted_after, "the naive cache keeps the stale row");
}

/// Revocations against a hundred requests at a time, cold and warm; `PAT_TEST_RACE_ROUNDS` makes
/// it longer.
async fn many_rounds() {
    let rounds: usize = number("PAT_TEST_RACE_ROUNDS", 100);
    let (_folder, sqlite) = sqlite().await;
    let nodes = [
        Node::on(MemoryStore::default(), many_tokens()).await,
        Node::on(sqlite, many_tokens()).await,
    ];
    for node in nodes {
        for round in 0..rounds {
            let token = node.create().await;
            if round % 2 == 0 {
                assert!(node.accepts(&token).await, "warm");
            }
            let mut requests = JoinSet::new();
            for _ in 0..100 {
                let (pats, text) = (node.pats.clone(), token.plain.expose().to_owned());
                requests.spawn(async move { accepts(&pats, &text).await });
            }
            node.pats
                .revoke(&alice(), token.token.id)
                .await
                .expect("a revocation");
            for _ in 0..10 {
                assert!(
                    !node.accepts(&token).await,
                    "accepted after the acknowledgement"
                );
            }
            requests.join_all().await;
            assert!(
                !node.accepts(&token).await,
                "accepted after all loads have ended"
            );
        }
    }
}

async fn hung_up_revocation() {
    let node = Node::on(MemoryStore::default(), many_tokens()).await;
    let token = node.create().await;
    assert!(node.accepts(&token).await);
    node.store.hold_revocations(true);
    let (pats, id) = (node.pats.clone(), token.token.id);
    let client = tokio::spawn(async move { pats.revoke(&alice(), id).await });
    until("the revocation was committed", || {
        node.store.revocations() > 0
    })
    .await;
    client.abort();
    assert!(client.await.expect_err("hung up").is_cancelled());
    node.store.hold_revocations(false);
    let refused = async { while node.accepts(&token).await {} };
    let refused = tokio::time::timeout(Duration::from_secs(5), refused).await;
    assert!(refused.is_ok(), "the revocation went on without its client");
}

async fn child_and_parent() {
    let (_folder, sqlite) = sqlite().await;
    let capped = many_tokens().create_by_token(CreateByToken::Capped);
    let nodes = [
        Node::on(MemoryStore::default(), capped.clone()).await,
        Node::on(sqlite, capped).await,
    ];
    for node in nodes {
        for _ in 0..30 {
            let parent = node.create().await;
            let principal = node
                .pats
                .authenticate(parent.plain.expose().as_bytes())
                .await;
            let by_token = Caller::with_token(principal.expect("a good token"));
            let request = || TokenRequest {
                name: "child".into(),
                lifetime_days: Some(1),
            };
            let (pats, caller) = (node.pats.clone(), by_token.clone());
            let create = tokio::spawn(async move { pats.create(&caller, request()).await });
            node.pats
                .revoke(&alice(), parent.token.id)
                .await
                .expect("a revocation");
            match create.await.expect("a creation") {
                Ok(child) => assert!(!node.accepts(&child).await, "born before: died with it"),
                Err(error) => assert!(is_parent_invalid(&error), "{error}"),
            }
            let late = node
                .pats
                .create(&by_token, request())
                .await
                .expect_err("too late");
            assert!(is_parent_invalid(&late), "{late}");
        }
    }
}

fn is_parent_invalid(error: &CreateError) -> bool {
    matches!(error, CreateError::Refused(PolicyError::ParentInvalid))
}

async fn herd() {
    let (_folder, sqlite) = sqlite().await;
    let node = Node::on(sqlite, many_tokens()).await;
    let token = node.create().await;
    node.store.hold_lookups(true);
    let mut requests = JoinSet::new();
    for _ in 0..5_000 {
        let (pats, text) = (node.pats.clone(), token.plain.expose().to_owned());
        requests.spawn(async move { accepts(&pats, &text).await });
    }
    until("a row was read", || node.store.lookups() > 0).await;
    node.store.hold_lookups(false);
    assert!(
        requests
            .join_all()
            .await
            .into_iter()
            .all(|accepted| accepted)
    );
    assert_eq!(node.store.lookups(), 1);
}

async fn dropped_requests() {
    let node = Node::on(MemoryStore::default(), many_tokens()).await;
    let token = node.create().await;
    node.store.hold_lookups(true);
    let mut requests = JoinSet::new();
    for _ in 0..1_000 {
        let (pats, text) = (node.pats.clone(), token.plain.expose().to_owned());
        requests.spawn(async move { accepts(&pats, &text).await });
    }
    until("a row was read", || node.store.lookups() > 0).await;
    let (pats, text) = (node.pats.clone(), token.plain.expose().to_owned());
    let patient = tokio::spawn(async move { accepts(&pats, &text).await });
    tokio::task::yield_now().await;
    requests.shutdown().await;
    node.store.hold_lookups(false);
    assert!(
        patient.await.expect("a check"),
        "the load goes on without the one who began it"
    );
    assert_eq!(node.store.lookups(), 1);
}

/// Two nodes on one file, both with the token in their caches.
async fn pair(settings: SettingsBuilder) -> (tempfile::TempDir, Node, Node, CreatedToken) {
    let (folder, store) = sqlite().await;
    let other = SqliteStore::open(folder.path().join("pat.db"))
        .await
        .expect("the same database");
    let (a, b) = (
        Node::on(store, settings.clone()).await,
        Node::on(other, settings).await,
    );
    let token = a.create().await;
    assert!(a.accepts(&token).await && b.accepts(&token).await);
    (folder, a, b, token)
}

async fn two_nodes() {
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

async fn lease() {
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

async fn rewritten_feed() {
    let (folder, a, b, token) = pair(many_tokens()).await;
    a.pats
        .user_changed(&"carol".parse().expect("an owner"))
        .await
        .expect("a change");
    b.pats.poll_changes().await.expect("a poll");
    // A failover that lost the tail, and a new history that has caught up again.
    let url = format!("sqlite:{}", folder.path().join("pat.db").display());
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

async fn staleness_zero() {
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
async fn first_poll() {
    let (folder, a, _b, token) = pair(many_tokens()).await;
    let other = SqliteStore::open(folder.path().join("pat.db")).await;
    let started = Pats::builder(other.expect("the same database"))
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
async fn all_have_applied() {
    let waits = many_tokens()
        .auth_max_staleness_ms(3_600_000)
        .revocation_wait(RevocationWait::Cluster);
    let (_folder, a, b, token) = pair(waits).await;
    let revoking = a.pats.clone();
    let id = token.token.id;
    let revoke = tokio::spawn(async move { revoking.revoke(&alice(), id).await });
    until("the revocation is committed", || a.store.revocations() > 0).await;
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
async fn dead_node() {
    let waits = many_tokens()
        .auth_max_staleness_ms(1_000)
        .revocation_wait(RevocationWait::Cluster);
    let (_folder, a, b, token) = pair(waits).await;
    let caller = alice();
    let revoke = async |token: &CreatedToken| {
        let revoke = a.pats.revoke(&caller, token.token.id);
        tokio::time::timeout(Duration::from_millis(500), revoke).await
    };
    let early = revoke(&token).await;
    assert!(early.is_err(), "it may still trust its cache");
    a.pats.poll_changes().await.expect("a poll");
    a.clock.advance(Duration::from_millis(1_100));
    for _ in 0..3 {
        let token = a.create().await;
        let done = revoke(&token).await;
        assert!(matches!(done, Ok(Ok(()))), "{done:?}");
    }

    // It was only away, and is back.
    b.clock.advance(Duration::from_millis(1_100));
    b.pats.poll_changes().await.expect("a poll");
    let token = a.create().await;
    assert!(b.accepts(&token).await);
    let early = revoke(&token).await;
    assert!(early.is_err(), "it trusts its cache again");
}

/// A node that was away begins with a report, so that none takes it for one that is still away
/// when it trusts its cache again.
async fn late_node() {
    let waits = many_tokens()
        .auth_max_staleness_ms(1_000)
        .revocation_wait(RevocationWait::Cluster);
    let (_folder, a, b, token) = pair(waits).await;
    let caller = alice();
    let revoke = a.pats.revoke(&caller, token.token.id);
    let early = tokio::time::timeout(Duration::from_millis(500), revoke).await;
    assert!(early.is_err(), "it may still trust its cache");
    a.clock.advance(Duration::from_millis(1_100));
    b.clock.advance(Duration::from_millis(1_100));

    let token = a.create().await;
    assert!(b.accepts(&token).await, "it asks the database");
    // It reads the feed, and is held up before it can say so.
    b.store.hold_changes(true);
    let polling = b.pats.clone();
    let poll = tokio::spawn(async move { polling.poll_changes().await });
    until("the feed is read", || b.store.polls() > 1).await;
    let revoking = (a.pats.clone(), caller.clone(), token.token.id);
    let revoke = tokio::spawn(async move {
        let (pats, caller, id) = revoking;
        pats.revoke(&caller, id).await
    });
    until("the revocation is committed", || a.store.revocations() > 1).await;
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

/// By the time that its answer is there, others may have ceased to wait for this node.
async fn late_poll() {
    let settings = many_tokens()
        .cluster_poll_interval_ms(500)
        .auth_max_staleness_ms(1_000);
    let (_folder, _a, b, token) = pair(settings).await;
    b.clock.advance(Duration::from_millis(900));
    b.store.hold_changes(true);
    let polling = b.pats.clone();
    let poll = tokio::spawn(async move { polling.poll_changes().await });
    until("the feed is read", || b.store.polls() > 1).await;
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
async fn repeated_revocation() {
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

    let waits = many_tokens()
        .auth_max_staleness_ms(1_000)
        .revocation_wait(RevocationWait::Cluster);
    let (_folder, a, b, token) = pair(waits).await;
    let (pats, id) = (a.pats.clone(), token.token.id);
    let first = tokio::spawn(async move { pats.revoke(&alice(), id).await });
    until("the revocation is committed", || a.store.revocations() > 0).await;
    let caller = alice();
    let again = a.pats.revoke(&caller, id);
    let early = tokio::time::timeout(Duration::from_millis(300), again).await;
    assert!(early.is_err(), "not while another node accepts it");
    assert!(b.accepts(&token).await);
    let first = first.await.expect("no panic");
    first.expect("a revocation");
}

/// The one who asked is told in time that nobody knows; the change is seen through all the same.
async fn late_revocation() {
    let (_folder, a, _b, token) = pair(many_tokens().auth_database_timeout_ms(100)).await;
    a.store.hold_revocations(true);
    let caller = alice();
    let told = a.pats.revoke(&caller, token.token.id);
    let told = tokio::time::timeout(Duration::from_secs(5), told).await;
    let told = told.expect("long before five seconds");
    assert!(matches!(told, Err(AccessError::Unavailable(_))), "{told:?}");
    assert!(a.accepts(&token).await, "nothing was promised yet");
    a.store.hold_revocations(false);
    let refused = async {
        while a.accepts(&token).await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let refused = tokio::time::timeout(Duration::from_secs(5), refused).await;
    assert!(refused.is_ok(), "without being asked for again");
}

/// A node that cannot report stops using its cache, so that those who no longer wait for it need
/// not have waited.
async fn silent_node() {
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

async fn wait_for_cluster() {
    let settings = || {
        many_tokens()
            .cluster_poll_interval_ms(50)
            .auth_max_staleness_ms(300)
    };
    let waits = settings().revocation_wait(RevocationWait::Cluster);
    let caller = alice();
    let (_folder, a, _b, token) = pair(waits.clone()).await;
    let revoke = a.pats.revoke(&caller, token.token.id);
    let early = tokio::time::timeout(Duration::from_millis(300), revoke).await;
    assert!(early.is_err(), "not before every lease has ended");
    assert!(!a.accepts(&token).await, "but here at once");
    let token = a.create().await;
    let revoke = a.pats.revoke(&caller, token.token.id);
    let done = tokio::time::timeout(Duration::from_secs(5), revoke).await;
    assert!(done.expect("in time").is_ok());

    let alone = Node::on(MemoryStore::default(), waits).await;
    let token = alone.create().await;
    let revoke = alone.pats.revoke(&caller, token.token.id);
    let done = tokio::time::timeout(Duration::from_millis(300), revoke).await;
    assert!(done.is_ok(), "a private store has nobody to wait for");
}

async fn database_down() {
    let (_folder, a, _b, token) = pair(many_tokens()).await;
    let cold = a.create().await;
    a.store.set_down(true);
    assert!(a.accepts(&token).await, "cached, and the lease is fresh");
    assert!(
        is_unavailable(&a, &cold).await,
        "not cached: nobody can say"
    );
    a.clock.advance(Duration::from_secs(2));
    assert!(a.pats.poll_changes().await.is_err() && a.pats.ready().await.is_err());
    assert!(is_unavailable(&a, &token).await, "the lease is out");
    let revoke = a.pats.revoke(&alice(), token.token.id).await;
    assert!(matches!(revoke, Err(AccessError::Unavailable(_))));
    a.store.set_down(false);
    assert!(
        a.accepts(&token).await && a.accepts(&cold).await,
        "recovers by itself"
    );
}

async fn is_unavailable(node: &Node, token: &CreatedToken) -> bool {
    let verdict = node
        .pats
        .authenticate(token.plain.expose().as_bytes())
        .await;
    matches!(verdict, Err(AuthError::Unavailable(_)))
}

async fn database_hangs() {
    let settings = many_tokens().auth_database_timeout_ms(100);
    let node = Node::on(MemoryStore::default(), settings).await;
    let token = node.create().await;
    node.store.hold_lookups(true);
    let asked = tokio::time::timeout(Duration::from_secs(5), is_unavailable(&node, &token)).await;
    assert_eq!(asked, Ok(true), "given up long before five seconds");
    node.store.hold_lookups(false);
    // The load that hung has ended by its own deadline at the latest.
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert!(node.accepts(&token).await);
}

/// A service that asks a directory, and a token of its only user.
async fn with_directory(settings: SettingsBuilder) -> (TestDirectory, Pats, CreatedToken) {
    let directory = TestDirectory::default();
    directory.add("alice");
    let pats = Pats::builder(MemoryStore::default())
        .users(directory.clone())
        .settings(settings.build().expect("settings"))
        .build();
    let request = TokenRequest {
        name: "ci".into(),
        lifetime_days: None,
    };
    let token = pats.create(&alice(), request).await.expect("a token");
    (directory, pats, token)
}

async fn directory_down() {
    let (directory, pats, token) = with_directory(Settings::builder()).await;
    directory.set_down(true);
    let verdict = pats.authenticate(token.plain.expose().as_bytes()).await;
    assert!(matches!(verdict, Err(AuthError::Unavailable(_))));
    directory.set_down(false);
    assert!(accepts(&pats, token.plain.expose()).await);
    directory.remove(alice().owner());
    pats.user_changed(alice().owner()).await.expect("a change");
    let verdict = pats.authenticate(token.plain.expose().as_bytes()).await;
    assert!(matches!(verdict, Err(AuthError::OwnerGone(_))));
}

async fn directory_hangs() {
    let settings = many_tokens().auth_database_timeout_ms(100);
    let (directory, pats, token) = with_directory(settings).await;
    directory.set_silent(true);
    let given_up = async {
        let verdict = pats.authenticate(token.plain.expose().as_bytes()).await;
        assert!(matches!(verdict, Err(AuthError::Unavailable(_))));
        pats.is_administrator(&alice()).await.expect_err("who says");
        pats.owner_of(&token.token).await.expect_err("who says");
    };
    let given_up = tokio::time::timeout(Duration::from_secs(5), given_up).await;
    assert!(given_up.is_ok(), "long before five seconds");
    directory.set_silent(false);
    assert!(accepts(&pats, token.plain.expose()).await);
}

async fn junk_flood() {
    let settings = many_tokens().auth_cache_max_items(10);
    let node = Node::on(MemoryStore::default(), settings).await;
    let good = node.create().await;
    assert!(node.accepts(&good).await);
    let lookups = node.store.lookups();
    let elsewhere = Node::on(MemoryStore::default(), many_tokens()).await;
    let junk = elsewhere.create().await;
    for _ in 0..5 {
        assert!(!node.accepts(&junk).await);
    }
    assert_eq!(
        node.store.lookups(),
        lookups + 1,
        "an unknown token is remembered for a while"
    );
    for _ in 0..2_000 {
        assert!(!node.accepts(&elsewhere.create().await).await);
    }
    let after_flood = node.store.lookups();
    assert!(node.accepts(&good).await);
    assert_eq!(
        node.store.lookups(),
        after_flood,
        "the good token is still cached"
    );
}

async fn failed_flush() {
    let node = Node::on(MemoryStore::default(), many_tokens()).await;
    let token = node.create().await;
    let stored = async || {
        let token = node
            .store
            .find(token.token.id)
            .await
            .expect("a row")
            .expect("the token");
        token.last_used_at.map(|at| at.to_string())
    };
    assert!(node.accepts(&token).await);
    node.store.set_down(true);
    assert!(node.pats.flush_last_use().await.is_err());
    assert!(
        node.accepts(&token).await,
        "a last use that cannot be written fails no request"
    );
    node.store.set_down(false);
    assert_eq!(stored().await, None);
    node.clock.advance(Duration::from_secs(3));
    assert!(node.accepts(&token).await);
    assert_eq!(node.pats.flush_last_use().await.expect("a flush"), 1);
    assert_eq!(
        stored().await.as_deref(),
        Some("2026-02-26T22:42:24.147Z"),
        "the latest, by a coarse clock"
    );
    assert_eq!(
        node.pats.flush_last_use().await.expect("a flush"),
        0,
        "nothing new"
    );
}

async fn clock_steps() {
    let node = Node::on(MemoryStore::default(), many_tokens()).await;
    let token = node.create().await;
    assert!(node.accepts(&token).await);
    let day = jiff::SignedDuration::from_hours(24);
    node.clock.step_wall(day * 91);
    node.pats.poll_changes().await.expect("a poll");
    assert!(!node.accepts(&token).await, "set forward beyond its expiry");
    node.clock.step_wall(-day * 91);
    node.pats.poll_changes().await.expect("a poll");
    node.clock.advance(Duration::from_hours(90 * 24));
    assert!(
        !node.accepts(&token).await,
        "its life is over whatever happened in between"
    );
    node.clock.step_wall(-day * 365 * 60);
    node.pats.poll_changes().await.expect("a poll");
    let early = node.create().await;
    assert!(
        early
            .token
            .expires_at
            .is_some_and(|at| at > early.token.created_at)
    );
    node.clock.step_wall(day * 365 * 8000);
    node.pats.poll_changes().await.expect("a poll");
    assert!(!node.accepts(&early).await);
    let request = TokenRequest {
        name: "late".into(),
        lifetime_days: Some(365),
    };
    node.clock.step_wall(day * 34);
    let late = node.pats.create(&alice(), request).await;
    assert!(
        late.is_ok_and(|late| late.token.expires_at.is_some()),
        "never an eternal one"
    );
}
