//! The expiry check: whom it tells, and of what.

use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::Trial;
use pat_core::Caller;
use pat_core::notification::NotificationKind;
use pat_core::store::Job;
use pat_harness::trial;

use super::{DAY, Node, folder, sqlite};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        trial(an_expiring_token_is_notified_twice),
        trial(each_reminder_is_sent_once),
        trial(an_outage_of_days_loses_no_notice),
        trial(a_token_that_expired_during_an_outage_is_notified_once),
        trial(owners_without_an_address_are_skipped),
        trial(a_revoked_token_is_not_notified),
    ]
}

async fn an_expiring_token_is_notified_twice() {
    let folder = folder();
    let node = Node::on(Arc::new(sqlite(&folder).await));
    let token = node.create("alice", 30).await.token;
    let mut told_on_day = Vec::new();
    for day in 0..70 {
        for _ in 0..8 {
            node.check_and_deliver().await;
            node.run(Job::Prune).await;
            node.clock.advance(Duration::from_hours(3));
        }
        told_on_day.resize(node.sent_notifications().len(), day);
    }
    assert_eq!(
        node.sent_notifications(),
        [NotificationKind::ExpiresSoon, NotificationKind::Expired]
    );
    assert_eq!(told_on_day, [25, 30]);
    let notification = &node.mailer.sent()[0];
    assert_eq!(notification.recipient.email, "alice@example.com");
    assert_eq!(notification.tokens.len(), 1);
    assert_eq!(notification.tokens[0].id, token.id);
    assert_eq!(notification.tokens[0].expires_at, token.expires_at);
    let alice = Caller::header_authenticated(token.owner);
    assert!(
        node.pats.list(&alice).await.expect("a list").is_empty(),
        "pruned"
    );
}

async fn each_reminder_is_sent_once() {
    let folder = folder();
    let reminders = &[("pat.expiry.reminder.days", "1, 30, 7")];
    let node = Node::set(Arc::new(sqlite(&folder).await), reminders);
    node.create("alice", 40).await;
    node.create("alice", 20).await;
    let mut told_on_day = Vec::new();
    for day in 0..42 {
        for _ in 0..8 {
            node.check_and_deliver().await;
            node.clock.advance(Duration::from_hours(3));
        }
        told_on_day.resize(node.sent_notifications().len(), day);
    }
    // One of 30 days is nothing to a token of 20.
    assert_eq!(told_on_day, [10, 13, 19, 20, 33, 39, 40]);
    let expired = node.sent_notifications().into_iter().enumerate();
    let expired = expired.filter(|(_, kind)| *kind == NotificationKind::Expired);
    assert_eq!(expired.map(|(at, _)| at).collect::<Vec<_>>(), [3, 6]);
}

async fn an_outage_of_days_loses_no_notice() {
    let folder = folder();
    let node = Node::on(Arc::new(sqlite(&folder).await));
    node.check_and_deliver().await;
    let (early, late) = (
        node.create("early", 10).await,
        node.create("late", 13).await,
    );
    // Across the warning of one token and the expiry of the other.
    node.clock.advance(DAY * 11);
    node.check_and_deliver().await;
    let mut told: Vec<_> = node
        .mailer
        .sent()
        .into_iter()
        .map(|n| (n.kind, n.tokens[0].id))
        .collect();
    told.sort_unstable();
    let (soon, expired) = (NotificationKind::ExpiresSoon, NotificationKind::Expired);
    assert_eq!(told, [(soon, late.token.id), (expired, early.token.id)]);
    // Of a token that lives for less than the warning, its owner is told only when it has expired.
    node.create("short", 2).await;
    node.clock.advance(Duration::from_hours(1));
    node.check_and_deliver().await;
    assert_eq!(node.sent_notifications().len(), 2);
    node.clock.advance(DAY * 2);
    node.check_and_deliver().await;
    let short = &node.mailer.sent()[2..];
    let short: Vec<_> = short
        .iter()
        .map(|sent| (sent.kind, sent.tokens.len()))
        .collect();
    assert_eq!(short, [(expired, 1), (expired, 1)]);
}

async fn a_token_that_expired_during_an_outage_is_notified_once() {
    let folder = folder();
    let node = Node::on(Arc::new(sqlite(&folder).await));
    node.create("alice", 1).await;
    node.create("alice", 2).await;
    node.clock.advance(DAY * 5);
    for _ in 0..3 {
        node.check_and_deliver().await;
        node.clock.advance(DAY);
    }
    assert_eq!(node.sent_notifications(), [NotificationKind::Expired]);
    assert_eq!(node.mailer.sent()[0].tokens.len(), 2, "in one mail");
}

async fn owners_without_an_address_are_skipped() {
    let folder = folder();
    let node = Node::on(Arc::new(sqlite(&folder).await));
    let nobody = node.create("nobody", 6).await.token.owner;
    let absent = node.create("absent", 6).await.token.owner;
    let gone = node.create("gone", 6).await.token.owner;
    node.create("alice", 6).await;
    node.clock.advance(DAY);
    node.users.set_email(&nobody, None);
    node.users.set_active(&absent, false);
    node.users.remove(&gone);
    node.check_and_deliver().await;
    let sent = node.mailer.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].recipient.email, "alice@example.com");
    let outbox = node.pats.outbox().await.expect("an outbox");
    assert_eq!((outbox.pending, outbox.dead), (0, 0), "skipped for good");
}

async fn a_revoked_token_is_not_notified() {
    let folder = folder();
    let node = Node::on(Arc::new(sqlite(&folder).await));
    let (kept, revoked) = (node.create("alice", 6).await, node.create("alice", 6).await);
    let alone = node.create("bob", 6).await;
    node.clock.advance(DAY);
    node.run(Job::ExpiryCheck).await;
    // Between the check and the delivery.
    for token in [&revoked, &alone] {
        let owner = Caller::header_authenticated(token.token.owner.clone());
        node.pats
            .revoke(&owner, token.token.id)
            .await
            .expect("a revocation");
    }
    node.pats.deliver_notifications().await.expect("a delivery");
    let sent = node.mailer.sent();
    let told: Vec<_> = sent
        .iter()
        .flat_map(|notification| &notification.tokens)
        .map(|token| token.id)
        .collect();
    assert_eq!(told, [kept.token.id]);
    assert_eq!(node.pats.outbox().await.expect("an outbox").pending, 0);
}
