//! Tokens that nobody uses, and replaced ones that somebody uses.

use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::Trial;
use pat_core::event::EventKind;
use pat_core::notification::NotificationKind;
use pat_core::store::{Job, MarkBounds, NodeReport, TokenStore};
use pat_core::{AuthError, Caller, Clock as _, CreatedToken, JobRun};
use pat_harness::trial;

use super::{DAY, Node, folder, sqlite};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        trial(an_unused_token_is_announced_and_revoked),
        trial(the_unused_tokens_of_many_owners_are_revoked_in_a_run),
        trial(a_use_in_another_process_saves_a_token),
        trial(nothing_is_revoked_if_most_tokens_seem_unused),
        trial(nothing_is_revoked_while_uses_may_be_missing),
        trial(nothing_is_revoked_without_a_warning),
    ]
}

const SETTINGS: &[(&str, &str)] = &[("pat.unused.revoke.days", "90")];

/// Uses a token, and returns whether it was accepted.
async fn is_accepted(node: &Node, token: &CreatedToken) -> bool {
    match node
        .pats
        .authenticate(token.plain.expose().as_bytes())
        .await
    {
        Ok(_) => true,
        Err(AuthError::Revoked(_)) => false,
        Err(error) => panic!("{error:?}"),
    }
}

/// Writes last uses, and reports that to the other processes.
async fn report(node: &Node) {
    node.pats.flush_last_use().await.expect("a flush");
    node.pats.poll_changes().await.expect("a poll");
}

/// Lets some days pass, on each of which the jobs run and these tokens are used.
async fn pass(node: &Node, days: u32, used: &[&CreatedToken]) {
    for _ in 0..days {
        node.clock.advance(DAY);
        for token in used {
            assert!(is_accepted(node, token).await);
        }
        report(node).await;
        node.check_and_deliver().await;
    }
}

async fn an_unused_token_is_announced_and_revoked() {
    let folder = folder();
    let node = Node::set(Arc::new(sqlite(&folder).await), SETTINGS);
    let unused = node.create("alice", 365).await;
    let (first, second) = (node.create("bob", 365).await, node.create("bob", 365).await);
    let used = [&first, &second];
    pass(&node, 82, &used).await;
    assert_eq!(node.sent_notifications(), []);
    pass(&node, 1, &used).await;
    let (warning, revoked) = (
        NotificationKind::UnusedWarning,
        NotificationKind::UnusedRevoked,
    );
    assert_eq!(node.sent_notifications(), [warning]);
    pass(&node, 6, &used).await;
    let id = unused.token.id;
    let alice = Caller::header_authenticated(unused.token.owner.clone());
    let found = async || node.pats.list(&alice).await.expect("a list").len();
    assert_eq!(found().await, 1);
    pass(&node, 1, &used).await;
    assert_eq!(found().await, 0);
    assert_eq!(node.sent_notifications(), [warning, revoked]);
    assert!(!is_accepted(&node, &unused).await);
    let sent = node.mailer.sent();
    assert!(sent.iter().all(|sent| sent.tokens[0].id == id));
    assert!(
        sent.iter()
            .all(|sent| sent.recipient.email == "alice@example.com")
    );
    assert_eq!(sent[1].reason.as_deref(), Some("not used for 90 days"));
    let events = node.pats.start();
    events.shutdown().await;
    let events = node.events.events().into_iter();
    let of_revocation: Vec<_> = events
        .filter_map(|event| match event.kind {
            EventKind::Revoked {
                tokens, by, reason, ..
            } => Some((tokens[0].id, by, reason)),
            _ => None,
        })
        .collect();
    let reason = Some("not used for 90 days".to_owned());
    assert_eq!(of_revocation, [(id, None, reason)]);
    pass(&node, 1, &used).await;
    assert_eq!(node.sent_notifications().len(), 2, "once");
}

async fn the_unused_tokens_of_many_owners_are_revoked_in_a_run() {
    let folder = folder();
    let node = Node::set(Arc::new(sqlite(&folder).await), SETTINGS);
    // More than a step of the walk through the owners has.
    let (mut used, mut unused) = (Vec::new(), Vec::new());
    for number in 0..210 {
        let owner = format!("user-{number}");
        used.push(node.create(&owner, 365).await);
        unused.push(node.create(&owner, 365).await);
    }
    let used: Vec<_> = used.iter().collect();
    for days in [82, 6] {
        node.clock.advance(DAY * days);
        pass(&node, 1, &used).await;
    }
    for token in &unused {
        assert!(!is_accepted(&node, token).await, "{}", token.token.owner);
    }
    let sent = node.sent_notifications();
    let of_kind = |kind| sent.iter().filter(|sent| **sent == kind).count();
    assert_eq!(of_kind(NotificationKind::UnusedWarning), 210);
    assert_eq!(of_kind(NotificationKind::UnusedRevoked), 210);
}

async fn a_use_in_another_process_saves_a_token() {
    let folder = folder();
    let store = Arc::new(sqlite(&folder).await);
    let node = Node::set(store.clone(), SETTINGS);
    let other = Node::set(store, SETTINGS);
    other.users.add("alice");
    other.users.add("bob");
    let saved = node.create("alice", 365).await;
    let (first, second) = (node.create("bob", 365).await, node.create("bob", 365).await);
    pass(&node, 89, &[&first, &second]).await;
    assert_eq!(node.sent_notifications(), [NotificationKind::UnusedWarning]);
    other.clock.advance(DAY * 89);
    assert!(is_accepted(&other, &saved).await);
    report(&other).await;
    pass(&node, 2, &[&first, &second]).await;
    assert_eq!(node.sent_notifications(), [NotificationKind::UnusedWarning]);
    other.clock.advance(DAY * 2);
    assert!(is_accepted(&other, &saved).await);
}

async fn nothing_is_revoked_if_most_tokens_seem_unused() {
    let folder = folder();
    let node = Node::set(Arc::new(sqlite(&folder).await), SETTINGS);
    let used = node.create("alice", 365).await;
    for _ in 0..2 {
        node.create("bob", 365).await;
    }
    pass(&node, 95, &[&used]).await;
    assert_eq!(node.sent_notifications(), [NotificationKind::UnusedWarning]);
    // With another token in use it is half of them.
    let another = node.create("alice", 365).await;
    pass(&node, 1, &[&used, &another]).await;
    assert_eq!(
        node.sent_notifications(),
        [
            NotificationKind::UnusedWarning,
            NotificationKind::UnusedRevoked
        ]
    );
}

async fn nothing_is_revoked_while_uses_may_be_missing() {
    let folder = folder();
    let store = sqlite(&folder).await;
    let node = Node::set(Arc::new(store.clone()), SETTINGS);
    node.create("alice", 365).await;
    let used = node.create("bob", 365).await;
    pass(&node, 89, &[&used]).await;
    // A node that has not written its last uses for an hour, and reports.
    let now = node.clock.wall();
    let mut lagging = NodeReport::new(1, 0, now);
    lagging.flushed_at = now.checked_sub(Duration::from_hours(1)).ok();
    let bounds = MarkBounds::new(now, now, now);
    store.heartbeat(&lagging, &bounds).await.expect("heartbeat");
    node.clock.advance(DAY);
    let check = async || {
        assert!(is_accepted(&node, &used).await);
        report(&node).await;
        node.check_and_deliver().await;
        node.sent_notifications().len()
    };
    assert_eq!(check().await, 1, "a warning alone");
    // It is forgotten, and nothing is known of its last uses.
    store.deregister(&lagging).await.expect("deregister");
    node.clock
        .advance((DAY * 7).saturating_sub(Duration::from_hours(1)));
    assert_eq!(check().await, 1);
    node.clock.advance(Duration::from_hours(2));
    assert_eq!(check().await, 2);
}

async fn nothing_is_revoked_without_a_warning() {
    for off in [
        ("atlassian.pats.mail.notifications.enabled", "false"),
        ("pat.unused.revoke.days", "0"),
        ("atlassian.pats.enabled", "false"),
    ] {
        let folder = folder();
        let store = Arc::new(sqlite(&folder).await);
        let node = Node::set(store.clone(), SETTINGS);
        let token = node.create("alice", 365).await.token;
        node.create("bob", 365).await;
        node.create("bob", 365).await;
        let settings: Vec<_> = SETTINGS.iter().copied().chain([off]).collect();
        let node = Node::set(store.clone(), &settings);
        for _ in 0..30 {
            node.clock.advance(DAY * 7);
            assert_eq!(node.run(Job::ExpiryCheck).await, JobRun::Done);
        }
        let found = store.find(token.id).await.expect("find");
        assert_eq!(found.expect("the token").revoked_at, None, "{off:?}");
        let outbox = node.pats.outbox().await.expect("an outbox");
        assert_eq!(outbox.pending, 0, "{off:?}");
    }
}
