//! Leases and notifications.

use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use pat_core::notification::NotificationKind;
use pat_core::store::StoreError;
use pat_core::store::{
    DueNotifications, Job, Lease, LeaseAnswer, LeaseRequest, MarkBounds, Prune, Purge,
};
use pat_core::testing::TestDirectory;
use pat_core::{Caller, TokenId};
use pat_servers::galera::Cluster;

use super::{Node, caller, close, nodes, number, overtake, settings};

/// What a runner does under its lease.
#[derive(Debug, Clone, Copy)]
enum Effect {
    Prune,
    Purge,
    QueueNotifications,
    MendFuture,
}

impl Effect {
    const ALL: [Self; 4] = [
        Self::MendFuture,
        Self::QueueNotifications,
        Self::Purge,
        Self::Prune,
    ];

    /// What it comes to late, and what counts its prey.
    fn table_and_count(self) -> (&'static str, &'static str) {
        match self {
            Self::Prune => ("pat_last_used", "SELECT COUNT(*) FROM pat_token"),
            Self::Purge => ("pat_event", "SELECT COUNT(*) FROM pat_change"),
            Self::QueueNotifications => (
                "pat_notice_token",
                "SELECT COUNT(*) FROM pat_token WHERE expiry_notice = 0",
            ),
            Self::MendFuture => (
                "pat_last_used",
                "SELECT COUNT(*) FROM pat_token WHERE created_at = 4000000000000000",
            ),
        }
    }

    async fn run(self, node: &Node, lease: &Lease) -> Result<u64, StoreError> {
        let tokens = node.store.tokens();
        let jobs = tokens.jobs().expect("jobs");
        let now = now();
        match self {
            Self::Prune => {
                let prune = Prune::new(now, now, Duration::ZERO);
                let pruned = jobs.prune(lease, &prune, 100).await;
                pruned.map(|pruned| pruned.tokens.len() as u64)
            }
            Self::Purge => {
                let mut purge = Purge::new(now, now);
                purge.changes = Duration::ZERO;
                purge.notifications = Duration::ZERO;
                purge.events = Duration::ZERO;
                jobs.purge(lease, &purge, 100).await
            }
            Self::QueueNotifications => {
                let due = DueNotifications::new(NotificationKind::Expired, now, Vec::new());
                let owners = jobs.owners_due(&due, None, 100).await?.owners;
                jobs.queue_due_notifications(lease, &due, &owners).await
            }
            Self::MendFuture => jobs.mend_future(lease, now).await,
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the servers' clock is this one")]
fn now() -> Timestamp {
    Timestamp::now()
}

/// A lease that somebody else may acquire at once.
async fn acquire(node: &Node) -> Lease {
    let tokens = node.store.tokens();
    let jobs = tokens.jobs().expect("jobs");
    let now = now();
    let request = LeaseRequest::new(
        Job::Prune,
        now,
        Duration::ZERO,
        &|now| Some(now),
        MarkBounds::new(now, now, now),
    );
    let (answer, _time) = jobs.acquire_lease(&request).await.expect("an answer");
    match answer {
        LeaseAnswer::Acquired(lease) => lease,
        answer => panic!("{answer:?}"),
    }
}

pub(super) async fn a_runner_that_lost_its_lease_has_no_effect(cluster: Cluster) {
    let users = TestDirectory::default();
    let nodes = nodes(&cluster, &users, settings()).await;
    let alice = caller(&users.add("alice"));
    for _ in 0..4 {
        let token = nodes[0].create(&alice).await.expect("a token");
        let node = &nodes[1];
        node.pats
            .user_changed(&token.token.owner)
            .await
            .expect("a change");
    }
    // Old enough for everything, and one from a future that did not come.
    for sql in [
        "UPDATE pat_token SET expires_at = 1",
        "UPDATE pat_token SET created_at = 4000000000000000 ORDER BY id LIMIT 1",
        "UPDATE pat_change SET at = 1",
    ] {
        cluster.members[0].execute(sql).await;
    }
    for effect in Effect::ALL {
        let (table, count) = effect.table_and_count();
        let before = number(&cluster, count).await;
        let lease = acquire(&nodes[0]).await;
        let first = {
            let (node, lease) = (nodes[0].clone(), lease.clone());
            async move { effect.run(&node, &lease).await }
        };
        let (first, later) = overtake(&cluster, table, first, acquire(&nodes[1])).await;
        assert!(later.term > lease.term);
        assert!(
            matches!(first, Err(StoreError::LeaseLost)),
            "{effect:?}: {first:?}"
        );
        assert_eq!(number(&cluster, count).await, before, "{effect:?}");
        let again = effect.run(&nodes[2], &lease).await;
        assert!(
            matches!(again, Err(StoreError::LeaseLost)),
            "{effect:?}: {again:?}"
        );
    }
    // The latest runner does what the others have not.
    let lease = acquire(&nodes[2]).await;
    for effect in Effect::ALL {
        let done = effect.run(&nodes[2], &lease).await.expect("an effect");
        assert!(done > 0, "{effect:?}");
    }
    close(nodes).await;
}

/// The tokens of the notifications that a node claims.
async fn claim(node: Node, limit: u32) -> Vec<TokenId> {
    let tokens = node.store.tokens();
    let jobs = tokens.jobs().expect("jobs");
    let ttl = Duration::from_mins(5);
    let claimed = jobs.claim_notifications(now(), ttl, limit).await;
    let claimed = claimed.expect("an answer");
    let tokens = claimed.iter().flat_map(|notification| &notification.tokens);
    tokens.map(|token| token.id).collect()
}

/// Creates so many tokens of this user, on all nodes by turns.
async fn create(nodes: &[Node], user: &Caller, count: usize) -> Vec<TokenId> {
    let mut created = vec![];
    for node in nodes.iter().cycle().take(count) {
        created.push(node.create(user).await.expect("a token").token.id);
    }
    created
}

pub(super) async fn a_notice_is_claimed_once(cluster: Cluster) {
    const NOTICES: usize = 40;
    let users = TestDirectory::default();
    let settings = settings().notice_created(true).max_tokens_per_user(1_000);
    let nodes = nodes(&cluster, &users, settings).await;
    let alice = caller(&users.add("alice"));
    let mut created = create(&nodes, &alice, NOTICES).await;
    let first = claim(nodes[0].clone(), 10);
    let (first, second) = overtake(
        &cluster,
        "pat_notice_token",
        first,
        claim(nodes[1].clone(), 10),
    )
    .await;
    let mut claimed = [first, second].concat();
    assert_eq!(claimed.len(), 20);
    // And all members at once.
    let workers = nodes.iter().cycle().take(9);
    let workers = workers.map(|node| tokio::spawn(claim(node.clone(), 5)));
    for worker in join_all(workers).await {
        claimed.extend(worker.expect("no panic"));
    }
    claimed.sort_unstable();
    created.sort_unstable();
    assert_eq!(claimed, created, "each once");
    close(nodes).await;
}

pub(super) async fn one_of_three_nodes_sends_each_notice(cluster: Cluster) {
    const NOTICES: usize = 60;
    let users = TestDirectory::default();
    let settings = settings().notice_created(true).max_tokens_per_user(1_000);
    let nodes = nodes(&cluster, &users, settings).await;
    let alice = caller(&users.add("alice"));
    users.set_email(alice.owner(), Some("alice@example.com"));
    let mut created = create(&nodes, &alice, NOTICES).await;
    while number(&cluster, "SELECT COUNT(*) FROM pat_notice WHERE state = 0").await > 0 {
        let deliveries = nodes.iter().map(|node| node.pats.deliver_notifications());
        for delivery in join_all(deliveries).await {
            delivery.expect("a delivery");
        }
    }
    let sent = nodes.iter().flat_map(|node| node.mailer.sent());
    let mut told: Vec<_> = sent
        .flat_map(|notification| notification.tokens)
        .map(|token| token.id)
        .collect();
    told.sort_unstable();
    created.sort_unstable();
    assert_eq!(told, created, "each once");
    close(nodes).await;
}
