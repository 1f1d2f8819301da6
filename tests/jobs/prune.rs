//! The prune job: old tokens, old rows, and tokens of owners who are gone.

use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::Trial;
use pat_core::store::{Job, JobStore as _};
use pat_core::{Caller, JobRun};
use pat_harness::trial;
use pat_sqlx::sqlx::{self, AssertSqlSafe};

use super::{DAY, Node, database, folder, sqlite};

const HOUR: Duration = Duration::from_hours(1);

pub(super) fn trials() -> Vec<Trial> {
    vec![
        trial(tokens_of_gone_owners_are_revoked),
        trial(a_broken_directory_revokes_nothing),
        trial(a_directory_that_knows_nobody_revokes_nothing),
        trial(an_owner_missing_for_less_than_a_day_keeps_the_tokens),
        trial(a_clock_leap_does_not_count_as_missing_time),
        trial(many_old_tokens_are_pruned_in_batches),
        trial(the_prune_job_trims_old_rows),
    ]
}

async fn tokens_of_gone_owners_are_revoked() {
    let folder = folder();
    let node = Node::on(Arc::new(sqlite(&folder).await));
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
    let bob = &tokens[2].token.owner;
    node.users.remove(bob);
    node.pats.user_changed(bob).await.expect("a change");
    assert_eq!(accepted().await, [true, true, false, false, true, true]);
    assert_eq!(node.run(Job::Prune).await, JobRun::Done);
    assert_eq!(unrevoked(&folder).await, 3, "missing for a moment");
    node.clock.advance(DAY + HOUR);
    assert_eq!(node.run(Job::Prune).await, JobRun::Done);
    assert_eq!(unrevoked(&folder).await, 2, "missing for a day");
    // For good: even if somebody of this key turns up again.
    node.users.add("bob");
    node.pats
        .user_changed(&tokens[2].token.owner)
        .await
        .expect("a change");
    assert_eq!(accepted().await, [true, true, false, false, true, true]);
}

/// How many owners of tokens there are.
async fn unrevoked(folder: &tempfile::TempDir) -> usize {
    let store = sqlite(folder).await;
    let owners = store.owners_after(None, 100).await;
    owners.expect("owners").len()
}

/// A node with tokens of so many users, who are all there.
async fn crowd(folder: &tempfile::TempDir, users: usize) -> Node {
    let node = Node::on(Arc::new(sqlite(folder).await));
    for number in 0..users {
        node.create(&format!("user-{number}"), 300).await;
    }
    node
}

/// Prunes so long after the last time; returns how many owners of tokens are left.
async fn prune_after(node: &Node, folder: &tempfile::TempDir, time: Duration) -> usize {
    node.clock.advance(time);
    node.pats.poll_changes().await.expect("a poll");
    assert_eq!(node.run(Job::Prune).await, JobRun::Done);
    unrevoked(folder).await
}

fn remove(node: &Node, number: usize) {
    let key = format!("user-{number}");
    node.users.remove(&key.parse().expect("an owner"));
}

async fn a_broken_directory_revokes_nothing() {
    let folder = folder();
    let node = crowd(&folder, 25).await;
    let (day, prune) = (DAY + HOUR, async |time| {
        prune_after(&node, &folder, time).await
    });
    remove(&node, 0);
    assert_eq!(prune(day).await, 25, "missing for the first time");
    // It fails, which is one more pruning at which nobody is missing.
    node.users.set_down(true);
    assert_eq!(prune(day).await, 25);
    node.users.set_down(false);
    assert_eq!(prune(day).await, 25, "missing for the first time again");
    // It answers, and suddenly knows hardly anybody.
    for number in 1..13 {
        remove(&node, number);
    }
    assert_eq!(prune(day).await, 25, "not believed");
    assert_eq!(prune(day).await, 25, "however often it says so");
    node.users.add("user-0");
    assert_eq!(prune(day).await, 25, "twelve of 25 are believed");
    node.users.add("user-1");
    assert_eq!(prune(day).await, 14, "eleven are still missing");
}

/// A directory of six owners that knows nobody, at one pruning and at several.
async fn a_directory_that_knows_nobody_revokes_nothing() {
    let folder = folder();
    let node = crowd(&folder, 6).await;
    let prune = async |time| prune_after(&node, &folder, time).await;
    for number in 0..6 {
        remove(&node, number);
    }
    for _ in 0..3 {
        assert_eq!(prune(DAY + HOUR).await, 6);
    }
    for number in 0..6 {
        node.users.add(&format!("user-{number}"));
    }
    assert_eq!(prune(DAY + HOUR).await, 6);
    // One of six, at two prunings 25 hours apart.
    remove(&node, 3);
    assert_eq!(prune(DAY).await, 6);
    assert_eq!(prune(DAY + HOUR).await, 5);
}

/// Who turns up in between was not missing for a day, however long ago he was first.
async fn an_owner_missing_for_less_than_a_day_keeps_the_tokens() {
    let folder = folder();
    let node = crowd(&folder, 6).await;
    let prune = async |time| prune_after(&node, &folder, time).await;
    for _ in 0..3 {
        remove(&node, 3);
        assert_eq!(prune(DAY).await, 6);
        node.users.add("user-3");
        assert_eq!(prune(DAY).await, 6);
    }
}

/// A clock that leaps makes nobody missing for long.
async fn a_clock_leap_does_not_count_as_missing_time() {
    let folder = folder();
    let node = crowd(&folder, 6).await;
    remove(&node, 3);
    let prune = async |time| prune_after(&node, &folder, time).await;
    assert_eq!(prune(DAY).await, 6);
    node.clock
        .step_wall(jiff::SignedDuration::from_hours(400 * 24));
    assert_eq!(prune(HOUR).await, 6, "an hour has passed and not a year");
}

async fn many_old_tokens_are_pruned_in_batches() {
    let folder = folder();
    let node = Node::on(Arc::new(sqlite(&folder).await));
    for number in 0..1_201 {
        node.create(&format!("user-{}", number % 7), 1).await;
    }
    node.clock.advance(DAY * 32);
    let young = node.create("user-1", 1).await;
    assert_eq!(node.run(Job::Prune).await, JobRun::Done);
    for user in 0..7 {
        let owner = Caller::header_authenticated(format!("user-{user}").parse().expect("an owner"));
        let left = node.pats.list(&owner).await.expect("a list");
        let expected: &[_] = if user == 1 { &[young.token.id] } else { &[] };
        assert_eq!(
            left.iter().map(|token| token.id).collect::<Vec<_>>(),
            expected
        );
    }
}

async fn the_prune_job_trims_old_rows() {
    let folder = folder();
    let store = sqlite(&folder).await;
    let node = Node::on(Arc::new(store.clone()));
    let mut ids = Vec::new();
    for _ in 0..5 {
        let token = node.create("alice", 300).await.token;
        let alice = Caller::header_authenticated(token.owner);
        node.pats
            .revoke(&alice, token.id)
            .await
            .expect("a revocation");
        ids.push(token.id);
    }
    node.create("alice", 6).await;
    node.clock.advance(DAY);
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
