//! Revocation against everything that runs beside it on one node.

use std::sync::Arc;

use async_trait::async_trait;
use libtest_mimic::Trial;
use pat_core::settings::CreateByToken;
use pat_core::store::TokenStore;
use pat_core::{
    Caller, CreateError, CreatedToken, MemoryStore, Pats, PolicyError, TokenDigest, TokenRequest,
};
use pat_harness::fault_store::FaultStore;
use pat_harness::node::{Node, accepts, alice, many_tokens, sqlite};
use pat_harness::{trial, until};
use pat_servers::environment::number;
use tokio::task::JoinSet;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(a_load_in_flight_does_not_outlive_a_revocation),
        trial(the_paused_load_detects_a_naive_cache),
        trial(nothing_is_accepted_after_a_revocation),
        trial(a_client_that_hangs_up_does_not_stop_its_revocation),
        trial(no_child_survives_its_parents_revocation),
        trial(five_thousand_requests_make_one_query),
        trial(dropped_requests_do_not_cancel_a_load),
        trial(unknown_tokens_do_not_evict_valid_ones),
    ]
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
    store: FaultStore,
    cache: moka::future::Cache<TokenDigest, bool>,
}

#[async_trait]
impl Verifier for NaiveCache {
    async fn accepts(&self, token: &str) -> bool {
        let digest = TokenDigest::of(token.as_bytes());
        let load = async {
            let found = self.store.find_by_digest(&digest).await.expect("a row");
            found.token.is_some_and(|token| token.revoked_at.is_none())
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
    store: &FaultStore,
    token: &CreatedToken,
) -> (bool, bool) {
    let check = |verifier: Arc<dyn Verifier>| {
        let text = token.plain.expose().to_owned();
        tokio::spawn(async move { verifier.accepts(&text).await })
    };
    store.hold_lookups(true);
    let before = store.lookups();
    let early = check(verifier.clone());
    until("the row was read", async || store.lookups() > before).await;
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

async fn a_load_in_flight_does_not_outlive_a_revocation() {
    let (_folder, sqlite) = sqlite().await;
    let nodes = [
        Node::on(Arc::new(MemoryStore::default()), many_tokens()).await,
        Node::on(Arc::new(sqlite), many_tokens()).await,
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
async fn the_paused_load_detects_a_naive_cache() {
    let node = Node::on(Arc::new(MemoryStore::default()), many_tokens()).await;
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
async fn nothing_is_accepted_after_a_revocation() {
    let rounds: usize = number("PAT_TEST_RACE_ROUNDS", 100);
    let (_folder, sqlite) = sqlite().await;
    let nodes = [
        Node::on(Arc::new(MemoryStore::default()), many_tokens()).await,
        Node::on(Arc::new(sqlite), many_tokens()).await,
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

async fn a_client_that_hangs_up_does_not_stop_its_revocation() {
    let node = Node::on(Arc::new(MemoryStore::default()), many_tokens()).await;
    let token = node.create().await;
    assert!(node.accepts(&token).await);
    node.store.hold_revocations(true);
    let (pats, id) = (node.pats.clone(), token.token.id);
    let client = tokio::spawn(async move { pats.revoke(&alice(), id).await });
    until("the revocation was committed", async || {
        node.store.revocations() > 0
    })
    .await;
    client.abort();
    assert!(client.await.expect_err("hung up").is_cancelled());
    node.store.hold_revocations(false);
    // The revocation goes on without its client.
    until("it is refused", async || !node.accepts(&token).await).await;
}

async fn no_child_survives_its_parents_revocation() {
    let (_folder, sqlite) = sqlite().await;
    let capped = many_tokens().create_by_token(CreateByToken::Capped);
    let nodes = [
        Node::on(Arc::new(MemoryStore::default()), capped.clone()).await,
        Node::on(Arc::new(sqlite), capped).await,
    ];
    for node in nodes {
        for _ in 0..30 {
            let parent = node.create().await;
            let principal = node
                .pats
                .authenticate(parent.plain.expose().as_bytes())
                .await;
            let by_token = Caller::with_token(principal.expect("a good token"));
            let request = || TokenRequest::new("child", Some(1));
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

/// So many requests with this token at once.
fn requests(node: &Node, token: &CreatedToken, count: usize) -> JoinSet<bool> {
    let mut requests = JoinSet::new();
    for _ in 0..count {
        let (pats, text) = (node.pats.clone(), token.plain.expose().to_owned());
        requests.spawn(async move { accepts(&pats, &text).await });
    }
    requests
}

async fn five_thousand_requests_make_one_query() {
    let (_folder, sqlite) = sqlite().await;
    let node = Node::on(Arc::new(sqlite), many_tokens()).await;
    let token = node.create().await;
    node.store.hold_lookups(true);
    let requests = requests(&node, &token, 5_000);
    until("a row was read", async || node.store.lookups() > 0).await;
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

async fn dropped_requests_do_not_cancel_a_load() {
    let node = Node::on(Arc::new(MemoryStore::default()), many_tokens()).await;
    let token = node.create().await;
    node.store.hold_lookups(true);
    let mut requests = requests(&node, &token, 1_000);
    until("a row was read", async || node.store.lookups() > 0).await;
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

async fn unknown_tokens_do_not_evict_valid_ones() {
    let settings = many_tokens().auth_cache_max_items(10);
    let node = Node::on(Arc::new(MemoryStore::default()), settings).await;
    let good = node.create().await;
    assert!(node.accepts(&good).await);
    let lookups = node.store.lookups();
    let elsewhere = Node::on(Arc::new(MemoryStore::default()), many_tokens()).await;
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
