//! What a job puts right after a clock was wrong, and when it lets things be.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use libtest_mimic::Trial;
use pat_core::notification::NotificationKind;
use pat_core::store::TokenStore as _;
use pat_core::store::{Change, Job};
use pat_core::{Clock as _, JobRun};
use pat_harness::trial;

use super::{DAY, Node, folder, sqlite};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        trial(tokens_of_a_false_leap_are_moved_back),
        trial(no_token_is_moved_while_the_clock_is_behind),
        trial(a_queued_notice_survives_a_false_leap),
    ]
}

const YEAR: SignedDuration = SignedDuration::from_hours(400 * 24);

async fn tokens_of_a_false_leap_are_moved_back() {
    let folder = folder();
    let store = sqlite(&folder).await;
    let node = Node::on(Arc::new(store.clone()));
    node.create("alice", 30).await;
    node.pats.poll_changes().await.expect("a poll");
    node.clock.step_wall(YEAR);
    let leapt = node.create("bob", 1).await.token;
    assert_eq!(leapt.created_at, node.clock.wall());
    node.clock.step_wall(-YEAR);
    let start = store.changes_since(None).await.expect("the feed").head;
    assert_eq!(node.run(Job::ExpiryCheck).await, JobRun::Done);
    let moved = store.find(leapt.id).await.expect("find").expect("bob's");
    let now = node.clock.wall();
    assert_eq!(moved.created_at, now);
    assert_eq!(moved.expires_at, Some(now + SignedDuration::from_hours(24)));
    let feed = store.changes_since(Some(start)).await.expect("the feed");
    let changes: Vec<_> = feed.entries.into_iter().map(|entry| entry.change).collect();
    assert_eq!(changes, [Change::Everything]);
}

/// A token that expires soon has expired by a clock that is far ahead, which is not believed there.
async fn a_queued_notice_survives_a_false_leap() {
    let folder = folder();
    let node = Node::on(Arc::new(sqlite(&folder).await));
    node.create("alice", 6).await;
    node.clock.advance(DAY);
    node.pats.poll_changes().await.expect("a poll");
    assert_eq!(node.run(Job::ExpiryCheck).await, JobRun::Done);
    node.clock.step_wall(YEAR);
    node.pats.deliver_notifications().await.expect("a delivery");
    node.clock.step_wall(-YEAR);
    node.pats.deliver_notifications().await.expect("a delivery");
    assert_eq!(node.sent_notifications(), [NotificationKind::ExpiresSoon]);
}

/// The mark lags behind the time in which a machine was off or reported nothing. A token of that time
/// is no token of the future when the machine starts with a date in the past.
async fn no_token_is_moved_while_the_clock_is_behind() {
    let folder = folder();
    let node = Node::on(Arc::new(sqlite(&folder).await));
    node.create("alice", 30).await;
    node.pats.poll_changes().await.expect("a poll");
    node.clock.advance(Duration::from_hours(2));
    let token = node.create("bob", 1).await.token;
    let store = sqlite(&folder).await;
    let restarted = Node::on(Arc::new(store.clone()));
    restarted.clock.step_wall(SignedDuration::from_hours(-48));
    assert_eq!(restarted.run(Job::ExpiryCheck).await, JobRun::Done);
    let found = store.find(token.id).await.expect("find");
    assert_eq!(found, Some(token));
}
