//! How many tokens an owner may have.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use pat_core::store::Insertion;
use pat_core::testing::TestDirectory;
use pat_core::{CreateError, PolicyError};
use pat_harness::until;
use pat_servers::Database;
use pat_servers::environment::number;
use pat_servers::galera::Cluster;
use pat_servers::rows::new_token;

use super::{caller, close, nodes, overtake, settings};

/// The default of `atlassian.pats.max.tokens.per.user`.
const LIMIT: usize = 10;
const CROWD: usize = 45;

/// Creations by one owner on all members at once, again and again; `PAT_TEST_GALERA_ROUNDS` makes it
/// longer.
pub(super) async fn concurrent_creations_on_three_members_keep_the_limit(cluster: Cluster) {
    let rounds: usize = number("PAT_TEST_GALERA_ROUNDS", 4);
    let users = TestDirectory::default();
    let nodes = nodes(&cluster, &users, settings()).await;
    let before = cluster.conflicts().await;
    for round in 0..rounds {
        let owner = users.add(&format!("user-{round}"));
        let creations = nodes.iter().cycle().take(CROWD).map(|node| {
            let (node, owner) = (node.clone(), caller(&owner));
            tokio::spawn(async move { node.create(&owner).await })
        });
        let mut created = 0;
        for creation in join_all(creations).await {
            match creation.expect("no panic") {
                Ok(_) => created += 1,
                Err(error) => assert!(is_limit(&error), "{error:?}"),
            }
        }
        assert_eq!(created, LIMIT, "round {round}");
        for node in &nodes {
            let listed = node.pats.list(&caller(&owner)).await.expect("a list");
            assert_eq!(listed.len(), LIMIT, "round {round}");
        }
    }
    let conflicts = cluster.conflicts().await - before;
    println!(
        "galera: {rounds} x {CROWD} creations, {LIMIT} each time; {conflicts} conflicts behind that"
    );
    // Each of them was tried again.
    assert!(conflicts > 0);
    close(nodes).await;
}

fn is_limit(error: &CreateError) -> bool {
    matches!(
        error,
        CreateError::Refused(PolicyError::LimitReached { .. })
    )
}

pub(super) async fn the_limit_counts_tokens_that_a_member_has_not_applied(cluster: Cluster) {
    let users = TestDirectory::default();
    let nodes = nodes(&cluster, &users, settings().max_tokens_per_user(1)).await;
    let alice = caller(&users.add("alice"));
    // The first time nobody has asked for this owner yet.
    for _ in 0..2 {
        let (first, owner) = (nodes[0].clone(), alice.clone());
        let first = async move { first.create(&owner).await };
        let second = nodes[1].create(&alice);
        let (first, second) = overtake(&cluster, "pat_last_used", first, second).await;
        let second = second.expect("the one that is allowed");
        assert!(is_limit(&first.expect_err("one too many")));
        let revocation = nodes[2].pats.revoke(&alice, second.token.id).await;
        revocation.expect("a revocation");
    }
    close(nodes).await;
}

/// What has a transaction insist fails where there is no cluster, and harms nobody.
pub(super) async fn a_creation_that_lost_three_races_succeeds_on_a_single_server(
    database: Database,
) {
    let store = pat_sqlx::connect(&database.url).await.expect("a store");
    let lock = "INSERT INTO pat_owner (owner) VALUES ('alice')";
    let lock = database.hold(&["START TRANSACTION", lock]).await;
    let lock = lock.expect("a lock");
    let tokens = store.tokens();
    let mut creation = tokio::spawn(async move { tokens.insert(&new_token(1, "alice"), 1).await });
    // Each of its transactions gives up after five seconds.
    let waiting = "SELECT COALESCE(MAX(CAST(t.trx_id AS SIGNED)), 0) \
         FROM information_schema.innodb_trx t JOIN information_schema.processlist p \
         ON p.id = t.trx_mysql_thread_id WHERE p.db = DATABASE() AND t.trx_state = 'LOCK WAIT'";
    let mut seen = BTreeSet::new();
    let loses = until("it has lost three times", async || {
        // InnoDB says the same as before to who asks again within a tenth of a second.
        tokio::time::sleep(Duration::from_millis(150)).await;
        seen.insert(database.number(waiting).await);
        seen.remove(&0);
        seen.len() > 3
    });
    tokio::select! {
        () = loses => {}
        created = &mut creation => panic!("it has given up: {created:?}"),
    }
    lock.close().await;
    let created = creation.await.expect("no panic").expect("an answer");
    assert!(matches!(created, Insertion::Stored(_)), "{created:?}");
    store.close().await;
}
