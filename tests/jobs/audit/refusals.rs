//! One token of a disabled user costs next to nothing, however often it comes.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use libtest_mimic::Trial;
use pat_core::store::Job;
use pat_core::testing::TestClock;
use pat_core::{AuthError, Caller, CreatedToken, Owner, Pats, TokenRequest};
use pat_harness::fault_store::FaultStore;
use pat_harness::node::{alice, many_tokens, sqlite};
use pat_harness::{CountingDirectory, trial};
use tempfile::TempDir;

use super::{stored, tokens};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        trial(a_disabled_user_costs_three_lookups_in_twenty_seconds),
        trial(an_enabled_user_is_accepted_at_once),
        trial(a_stale_node_asks_about_the_owner_of_each_request),
    ]
}

struct Node {
    pats: Pats,
    store: FaultStore,
    clock: Arc<TestClock>,
}

impl Node {
    async fn on(store: FaultStore, users: &CountingDirectory) -> Self {
        let clock = Arc::new(TestClock::default());
        let pats = Pats::builder(Arc::new(store.clone()))
            .settings(many_tokens().build().expect("settings"))
            .users(Arc::new(users.clone()))
            .clock(clock.clone())
            .build();
        pats.poll_changes().await.expect("a poll");
        Self { pats, store, clock }
    }

    async fn create(&self) -> CreatedToken {
        let request = TokenRequest::new("ci", Some(90));
        self.pats.create(&alice(), request).await.expect("a token")
    }

    async fn advance(&self, time: Duration) {
        self.clock.advance(time);
        self.pats.poll_changes().await.expect("a poll");
    }

    async fn is_inactive(&self, token: &CreatedToken) -> bool {
        let verdict = self
            .pats
            .authenticate(token.plain.expose().as_bytes())
            .await;
        match verdict {
            Ok(_) => false,
            Err(AuthError::OwnerInactive(_) | AuthError::OwnerGone(_)) => true,
            Err(error) => panic!("{error:?}"),
        }
    }
}

fn owner(caller: &Caller) -> &Owner {
    caller.owner()
}

/// A node, and a directory that has alice.
async fn node_of_alice() -> (TempDir, CountingDirectory, Node) {
    let (folder, store) = sqlite().await;
    let users = CountingDirectory::default();
    users.users.add("alice");
    let node = Node::on(FaultStore::new(Arc::new(store)), &users).await;
    (folder, users, node)
}

async fn a_disabled_user_costs_three_lookups_in_twenty_seconds() {
    let (_folder, users, node) = node_of_alice().await;
    let inactive = node.create().await;
    users.users.set_active(owner(&alice()), false);
    // The pruning asks about all owners.
    node.pats.run_if_due(Job::Prune).await.expect("a run");
    let jobs = node.pats.start();
    let (found, asked) = (node.store.found(), users.finds());
    // A hundred at a time, many times a second.
    for _ in 0..200 {
        let at_once = (0..100).map(|_| node.is_inactive(&inactive));
        assert!(join_all(at_once).await.into_iter().all(|refused| refused));
        node.advance(Duration::from_millis(99)).await;
    }
    let found = node.store.found() - found;
    let asked = users.finds() - asked;
    jobs.shutdown().await;
    let events = stored(&node.store).await;
    let refused = tokens(&events, "refused");
    assert_eq!((found, asked, refused.len()), (2, 2, 2), "in 19.8 seconds");
    assert_eq!(tokens(&events, "created"), [inactive.token.id]);
}

async fn an_enabled_user_is_accepted_at_once() {
    let (folder, store) = sqlite().await;
    let other = pat_sqlx::SqliteStore::open(folder.path().join("pat.db")).await;
    let users = CountingDirectory::default();
    users.users.add("alice");
    let node = Node::on(FaultStore::new(Arc::new(store)), &users).await;
    let other = Node::on(
        FaultStore::new(Arc::new(other.expect("the database"))),
        &users,
    )
    .await;
    let token = node.create().await;
    for round in 0..3 {
        if round == 2 {
            users.users.remove(owner(&alice()));
        } else {
            users.users.set_active(owner(&alice()), false);
        }
        node.pats
            .user_changed(owner(&alice()))
            .await
            .expect("a change");
        other.pats.poll_changes().await.expect("a poll");
        assert!(node.is_inactive(&token).await && other.is_inactive(&token).await);
        users.users.add("alice");
        assert!(node.is_inactive(&token).await, "nobody has said so");
        if round == 0 {
            // The host forgets to say it.
            for node in [&node, &other] {
                node.advance(Duration::from_secs(10)).await;
            }
        } else {
            node.pats
                .user_changed(owner(&alice()))
                .await
                .expect("a change");
            other.pats.poll_changes().await.expect("a poll");
        }
        assert!(!node.is_inactive(&token).await, "at once, in round {round}");
        assert!(!other.is_inactive(&token).await, "by the change feed");
    }
}

async fn a_stale_node_asks_about_the_owner_of_each_request() {
    let (_folder, users, node) = node_of_alice().await;
    let token = node.create().await;
    users.users.set_active(owner(&alice()), false);
    assert!(node.is_inactive(&token).await);
    // The staleness bound is over, and there was no poll.
    node.clock.advance(Duration::from_secs(3));
    let asked = users.finds();
    for _ in 0..5 {
        assert!(node.is_inactive(&token).await);
    }
    assert_eq!(users.finds() - asked, 5);
    users.users.set_active(owner(&alice()), true);
    assert!(!node.is_inactive(&token).await);
    let refused = stored(&node.store).await;
    assert!(tokens(&refused, "refused").len() <= 1, "{refused:?}");
}
