//! The delivery of notifications.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use libtest_mimic::Trial;
use pat_core::event::EventKind;
use pat_core::notification::{Notification, Notifier};
use pat_core::testing::{RecordingNotifier, RecordingSink, TestClock};
use pat_core::{Caller, Pats, Settings, TokenRequest};
use pat_harness::{Server, answer, trial, until};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{folder, sqlite};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        trial(only_the_notifier_that_failed_is_retried),
        trial(a_panicking_notifier_does_not_affect_others),
        trial(dead_letters_are_shown_and_tried_again),
        trial(a_shutdown_finishes_the_mail_in_hand),
        trial(a_queued_notice_is_sent_at_once),
    ]
}

/// A mailer of another name.
#[derive(Debug)]
struct Chat(RecordingNotifier);

#[async_trait]
impl Notifier for Chat {
    fn name(&self) -> &'static str {
        "chat"
    }

    async fn send(
        &self,
        notification: &Notification,
    ) -> Result<(), pat_core::notification::NotifyError> {
        self.0.send(notification).await
    }
}

async fn only_the_notifier_that_failed_is_retried() {
    let (folder, clock) = (folder(), Arc::new(TestClock::default()));
    let (mail, chat) = (RecordingNotifier::default(), RecordingNotifier::default());
    let pats = Pats::builder(Arc::new(sqlite(&folder).await))
        .notifier(Arc::new(mail.clone()))
        .notifier(Arc::new(Chat(chat.clone())))
        .clock(clock.clone())
        .users(Arc::new(pat_harness::node::named_users(&["alice"])))
        .settings(
            Settings::builder()
                .notice_created(true)
                .build()
                .expect("settings"),
        )
        .build();
    let alice = Caller::header_authenticated("alice".parse().expect("an owner"));
    let request = TokenRequest::new("ci", Some(300));
    pats.create(&alice, request).await.expect("a token");
    chat.fail_for_now();
    let mut attempts = Vec::new();
    for _ in 0..3 {
        pats.deliver_notifications().await.expect("a delivery");
        attempts.push((mail.sent().len(), chat.sent().len()));
        clock.advance(Duration::from_mins(5));
    }
    assert_eq!(attempts, [(1, 0); 3]);
    chat.succeed();
    assert_eq!(pats.deliver_notifications().await.expect("a delivery"), 1);
    assert_eq!((mail.sent().len(), chat.sent().len()), (1, 1));
    assert_eq!(mail.sent(), chat.sent(), "the same to both");
    assert_eq!(pats.outbox().await.expect("an outbox").pending, 0);
}

/// A mailer that does not survive its first notification.
#[derive(Debug)]
struct Panicking;

#[async_trait]
impl Notifier for Panicking {
    fn name(&self) -> &'static str {
        "panicking"
    }

    async fn send(&self, _: &Notification) -> Result<(), pat_core::notification::NotifyError> {
        panic!("a mailer that panics, as this test wants")
    }
}

async fn a_panicking_notifier_does_not_affect_others() {
    let folder = folder();
    let mail = RecordingNotifier::default();
    let pats = Pats::builder(Arc::new(sqlite(&folder).await))
        .notifier(Arc::new(Panicking))
        .notifier(Arc::new(mail.clone()))
        .settings(
            Settings::builder()
                .notice_created(true)
                .build()
                .expect("settings"),
        )
        .users(Arc::new(pat_harness::node::named_users(&["alice"])))
        .build();
    let alice = Caller::header_authenticated("alice".parse().expect("an owner"));
    for _ in 0..3 {
        let request = TokenRequest::new("ci", None);
        pats.create(&alice, request).await.expect("a token");
    }
    assert_eq!(pats.deliver_notifications().await.expect("a delivery"), 0);
    assert_eq!(mail.sent().len(), 3);
    assert_eq!(
        pats.outbox().await.expect("an outbox").pending,
        3,
        "to be tried again"
    );
}

async fn dead_letters_are_shown_and_tried_again() {
    let server = Server::with(&[("pat.notice.created", "true")]).await;
    server.mailer.fail_for_good();
    server.create("alice").await;
    server.run_jobs().await;
    let as_admin = |request: reqwest::RequestBuilder| request.basic_auth("admin", Some("admin"));
    let dead = async || {
        let answer = answer(as_admin(server.get("/demo/notifications/dead"))).await;
        answer.json().as_array().expect("an array").clone()
    };
    let shown = dead().await;
    assert_eq!(shown.len(), 1);
    assert_eq!(
        (&shown[0]["kind"], &shown[0]["owner"]),
        (&json!("created"), &json!("alice"))
    );
    let error = shown[0]["error"].as_str().expect("an error");
    assert_eq!(
        error,
        "recording: the notification cannot be sent: no such box"
    );
    let as_alice = server
        .get("/demo/notifications/dead")
        .basic_auth("alice", Some("alice"));
    assert_eq!(answer(as_alice).await.status, StatusCode::FORBIDDEN);

    server.mailer.succeed();
    server.run_jobs().await;
    assert_eq!(
        server.sent_notifications(),
        [],
        "a dead letter is not tried by itself"
    );
    let retry = format!("/demo/notifications/{}/retry", shown[0]["id"]);
    assert_eq!(
        answer(as_admin(server.post(&retry))).await.status,
        StatusCode::NO_CONTENT
    );
    server.run_jobs().await;
    assert_eq!(server.sent_notifications().len(), 1);
    assert_eq!(dead().await, [Value::Null; 0]);
    assert_eq!(
        answer(as_admin(server.post(&retry))).await.status,
        StatusCode::NOT_FOUND
    );
}

/// A mailer that takes its time, and says when it has begun.
#[derive(Debug, Clone)]
struct Slow {
    sent: RecordingNotifier,
    begun: Arc<watch::Sender<usize>>,
}

#[async_trait]
impl Notifier for Slow {
    fn name(&self) -> &'static str {
        "slow"
    }

    async fn send(
        &self,
        notification: &Notification,
    ) -> Result<(), pat_core::notification::NotifyError> {
        self.begun.send_modify(|count| *count += 1);
        tokio::time::sleep(Duration::from_millis(300)).await;
        self.sent.send(notification).await
    }
}

async fn a_shutdown_finishes_the_mail_in_hand() {
    let folder = folder();
    let slow = Slow {
        sent: RecordingNotifier::default(),
        begun: Arc::new(watch::Sender::new(0)),
    };
    let events = RecordingSink::default();
    let pats = Pats::builder(Arc::new(sqlite(&folder).await))
        .notifier(Arc::new(slow.clone()))
        .events(Arc::new(events.clone()))
        .users(Arc::new(pat_harness::node::named_users(&["alice"])))
        .settings(
            Settings::builder()
                .notice_created(true)
                .max_tokens_per_user(100)
                .build()
                .expect("settings"),
        )
        .build();
    let alice = Caller::header_authenticated("alice".parse().expect("an owner"));
    for _ in 0..20 {
        let request = TokenRequest::new("ci", None);
        pats.create(&alice, request).await.expect("a token");
    }
    let jobs = pats.start();
    until("the first batch is in hand", async || {
        *slow.begun.borrow() > 0
    })
    .await;
    jobs.shutdown().await;
    let (begun, sent) = (*slow.begun.borrow(), slow.sent.sent().len());
    assert_eq!(begun, sent, "what was begun is finished");
    assert!(begun < 20, "and no more is begun");
    let outbox = pats.outbox().await.expect("an outbox");
    assert_eq!(outbox.pending, 20 - sent as u64, "and noted as sent");
    let notified = events.events().into_iter();
    let notified = notified.filter(|event| matches!(event.kind, EventKind::Notified { .. }));
    assert_eq!(notified.count(), sent, "and its events are handed out");
}

/// The delivery is woken, long before it looks by itself.
async fn a_queued_notice_is_sent_at_once() {
    let server = Server::with(&[("pat.notice.created", "true")]).await;
    server.create("alice").await;
    until("the notification is sent", async || {
        server.sent_notifications().len() == 1
    })
    .await;
}
