//! The prune job: old tokens, old rows, and tokens of owners who are gone.

use libtest_mimic::Trial;
use pat_core::store::{Job, JobStore as _};
use pat_core::{Caller, JobRun};
use pat_sqlx::sqlx::{self, AssertSqlSafe};

use super::{DAY, Node, database, folder, sqlite};
use crate::common::trial;

pub(super) fn trials() -> Vec<Trial> {
    vec![
        trial("jobs::tokens_of_gone_owners_are_revoked", gone_owners),
        trial("jobs::a_broken_directory_revokes_nothing", broken_directory),
        trial(
            "jobs::many_old_tokens_are_pruned_in_batches",
            many_old_tokens,
        ),
        trial("jobs::the_prune_job_trims_old_rows", old_rows),
    ]
}

async fn gone_owners() {
    let folder = folder();
    let node = Node::on(sqlite(&folder).await);
    let mut tokens = Vec::new();
    for user in ["alice", "bob", "carol"] {
        tokens.push(node.create(user, 30).await);
        tokens.push(node.create(user, 30).await);
    }
    let accepted = async || {
        let mut accepted = Vec::new();
        for token in &tokens {
            let plain = token.plain.expose().as_bytes();
            accepted.push(node.pats.authenticate(plain).await.is_ok());
        }
        accepted
    };
    assert_eq!(accepted().await, [true; 6]);
    node.users.remove(&tokens[2].token.owner);
    assert_eq!(node.run(Job::Prune).await, JobRun::Done);
    assert_eq!(accepted().await, [true, true, false, false, true, true]);
    // For good: even if somebody of this key turns up again.
    node.users.add("bob");
    node.pats
        .user_changed(&tokens[2].token.owner)
        .await
        .expect("a change");
    assert_eq!(accepted().await, [true, true, false, false, true, true]);
}

async fn broken_directory() {
    let folder = folder();
    let node = Node::on(sqlite(&folder).await);
    for number in 0..25 {
        node.create(&format!("user-{number}"), 300).await;
    }
    let unrevoked = async || {
        let store = sqlite(&folder).await;
        store.owners_after(None, 100).await.expect("owners").len()
    };
    // It fails.
    node.users.set_down(true);
    assert_eq!(node.run(Job::Prune).await, JobRun::Done);
    node.users.set_down(false);
    assert_eq!(unrevoked().await, 25);
    // It answers, and suddenly knows hardly anybody.
    for number in 0..13 {
        node.users
            .remove(&format!("user-{number}").parse().expect("an owner"));
    }
    node.clock.advance(DAY);
    assert_eq!(node.run(Job::Prune).await, JobRun::Done);
    assert_eq!(unrevoked().await, 25, "not believed");
    node.users.add("user-0");
    node.clock.advance(DAY);
    assert_eq!(node.run(Job::Prune).await, JobRun::Done);
    assert_eq!(unrevoked().await, 13, "twelve of 25 are believed");
}

async fn many_old_tokens() {
    let folder = folder();
    let node = Node::on(sqlite(&folder).await);
    for number in 0..1_201 {
        node.create(&format!("user-{}", number % 7), 1).await;
    }
    node.clock.advance(DAY * 32);
    let young = node.create("user-1", 1).await;
    assert_eq!(node.run(Job::Prune).await, JobRun::Done);
    for user in 0..7 {
        let owner = Caller::explicit(format!("user-{user}").parse().expect("an owner"));
        let left = node.pats.list(&owner).await.expect("a list");
        let expected: &[_] = if user == 1 { &[young.token.id] } else { &[] };
        assert_eq!(
            left.iter().map(|token| token.id).collect::<Vec<_>>(),
            expected
        );
    }
}

async fn old_rows() {
    let folder = folder();
    let store = sqlite(&folder).await;
    let node = Node::on(store.clone());
    let mut ids = Vec::new();
    for _ in 0..5 {
        let token = node.create("alice", 300).await.token;
        let alice = Caller::explicit(token.owner);
        node.pats
            .revoke(&alice, token.id)
            .await
            .expect("a revocation");
        ids.push(token.id);
    }
    node.create("alice", 2).await;
    node.check_and_deliver().await;
    node.pats.poll_changes().await.expect("a poll");
    let rows = async |table: &str| -> i64 {
        let query = AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}"));
        let count = sqlx::query_scalar(query)
            .fetch_one(&database(&folder).await)
            .await;
        count.expect("a count")
    };
    assert_eq!((rows("pat_change").await, rows("pat_notice").await), (5, 1));
    node.clock.advance(DAY * 40);
    assert_eq!(node.run(Job::Prune).await, JobRun::Done);
    assert_eq!(rows("pat_change").await, 1, "the newest stays");
    assert_eq!(rows("pat_notice").await, 0);
    assert_eq!(rows("pat_notice_token").await, 0);
    assert_eq!(rows("pat_token").await, 0);
    // Nobody's cache is dropped for it.
    node.pats.poll_changes().await.expect("a poll");
    let late = node.create("alice", 300).await;
    let plain = late.plain.expose().as_bytes();
    node.pats.authenticate(plain).await.expect("a good token");
}
