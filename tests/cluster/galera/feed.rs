//! The change feed.

use std::time::Duration;

use futures_util::future::join_all;
use pat_core::testing::TestDirectory;
use pat_harness::node::accepts;
use pat_servers::galera::Cluster;
use tokio::time::sleep;

use super::{caller, close, nodes, number, settings};

/// What each node revokes.
const EACH: usize = 15;
/// The default of `pat.auth.max.staleness.ms`, and a tenth for the way.
const BOUND: Duration = Duration::from_millis(2_200);

/// Revocations on all members at once, of tokens that each node has just accepted.
pub(super) async fn revocations_on_all_members_are_seen_by_all(cluster: Cluster) {
    let users = TestDirectory::default();
    let nodes = nodes(&cluster, &users, settings().max_tokens_per_user(1_000)).await;
    let owners: Vec<_> = (0..3)
        .map(|number| caller(&users.add(&format!("user-{number}"))))
        .collect();
    let mut tokens = vec![];
    for number in 0..nodes.len() * EACH {
        let owner = &owners[number % owners.len()];
        tokens.push(nodes[number % 2].create(owner).await.expect("a token"));
    }
    for node in &nodes {
        node.pats.poll_changes().await.expect("a poll");
        for token in &tokens {
            assert!(accepts(&node.pats, token.plain.expose()).await);
        }
    }
    let head = "SELECT gen FROM pat_clock";
    let before = number(&cluster, head).await;
    let conflicts = cluster.conflicts().await;
    // Each node revokes some tokens of each owner, all of them at once.
    let revocations = tokens.iter().enumerate().map(|(number, token)| {
        let (node, id) = (nodes[number / EACH].clone(), token.token.id);
        let owner = caller(&token.token.owner);
        tokio::spawn(async move { node.pats.revoke(&owner, id).await })
    });
    for revocation in join_all(revocations).await {
        revocation.expect("no panic").expect("a revocation");
    }
    let count = i64::try_from(tokens.len()).expect("a number");
    assert_eq!(number(&cluster, head).await, before + count);
    let conflicts = cluster.conflicts().await - conflicts;
    println!("galera: {count} revocations on all members at once; {conflicts} conflicts");
    let sql = format!("SELECT COUNT(DISTINCT gen) FROM pat_change WHERE gen > {before}");
    assert_eq!(
        number(&cluster, &sql).await,
        count,
        "no generation is missing"
    );
    // By polls, and without them.
    nodes[0].pats.poll_changes().await.expect("a poll");
    for token in &tokens {
        assert!(!accepts(&nodes[0].pats, token.plain.expose()).await);
    }
    sleep(BOUND).await;
    for node in &nodes {
        for token in &tokens {
            assert!(!accepts(&node.pats, token.plain.expose()).await);
        }
    }
    close(nodes).await;
}
