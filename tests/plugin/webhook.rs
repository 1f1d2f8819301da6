//! The webhook of the examples.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Json, State};
use axum::http::StatusCode;
use axum::routing::post;
use jiff::Timestamp;
use libtest_mimic::Trial;
use pat_core::event::{Event, EventKind, EventSink as _};
use pat_core::{Jobs, MemoryStore, Pats};
use pat_example_server::plugin::WebhookSink;
use pat_harness::node::alice;
use pat_harness::trial;
use serde_json::Value;
use tokio::sync::{mpsc, watch};

use super::create;
use crate::stores::{at, owner};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        trial(webhook_gets_events_in_order),
        trial(webhook_is_tried_again_after_500),
        trial(webhook_is_tried_again_when_it_does_not_answer),
        trial(webhook_is_given_up_after_three_times),
        trial(hanging_webhook_holds_up_nobody),
        trial(webhook_of_another_scheme_is_refused),
        trial(failed_webhook_does_not_tell_its_url),
    ]
}

async fn webhook_gets_events_in_order() {
    let mut receiver = Receiver::start([]).await;
    let (pats, jobs) = receiver.pats(|sink| sink);
    let created = create(&pats).await;
    let plain = created.plain.expose().as_bytes();
    pats.authenticate(plain).await.expect("the token works");
    let revoked = pats.revoke(&alice(), created.token.id).await;
    revoked.expect("revoke");
    jobs.shutdown().await;
    let events = receiver.received();
    assert_eq!(names(&events), ["created", "first-used", "revoked"]);
    for event in &events {
        // A revocation may be one of several tokens.
        let about = event.pointer("/tokens/0").unwrap_or(event);
        assert_eq!(about["token"], created.token.id.get());
        assert_eq!(about["owner"], "alice");
        let at: Timestamp = event["at"]
            .as_str()
            .expect("a text")
            .parse()
            .expect("a date");
        assert!(at >= created.token.created_at);
    }
    assert_eq!(events[2]["by"], "alice");
    let expires_at = created.token.expires_at.expect("a date").to_string();
    assert_eq!(events[0]["expiresAt"], expires_at);
    let text = format!("{events:?}");
    assert!(!text.contains(created.plain.expose()), "no secret");
}

async fn webhook_is_tried_again_after_500() {
    let mut receiver = Receiver::start([Answer::Status(StatusCode::INTERNAL_SERVER_ERROR)]).await;
    let (pats, jobs) = receiver.pats(|sink| sink);
    let first = create(&pats).await;
    let second = create(&pats).await;
    jobs.shutdown().await;
    let tokens = [&first, &first, &second].map(|created| created.token.id.get());
    assert_eq!(numbers(&receiver.received()), tokens);
}

async fn webhook_is_tried_again_when_it_does_not_answer() {
    let mut receiver = Receiver::start([Answer::Never]).await;
    let (pats, jobs) = receiver.pats(|sink| sink.with_timeout(Duration::from_millis(100)));
    let created = create(&pats).await;
    let token = created.token.id.get();
    // Waits for the second attempt before the test ends.
    assert_eq!(receiver.next().await["token"], token);
    assert_eq!(receiver.next().await["token"], token);
    drop(jobs);
}

async fn webhook_is_given_up_after_three_times() {
    let failures = [500, 502, 503, 400]
        .map(|status| Answer::Status(StatusCode::from_u16(status).expect("a status")));
    let mut receiver = Receiver::start(failures).await;
    let (pats, jobs) = receiver.pats(|sink| sink);
    let (first, second, third) = (
        create(&pats).await,
        create(&pats).await,
        create(&pats).await,
    );
    jobs.shutdown().await;
    let tokens = [&first, &first, &first, &second, &third].map(|created| created.token.id.get());
    let attempts = numbers(&receiver.received());
    assert_eq!(attempts, tokens, "three times for 5xx, once for 4xx");
}

async fn hanging_webhook_holds_up_nobody() {
    let mut receiver = Receiver::start([Answer::WhenReleased]).await;
    let (pats, jobs) = receiver.pats(|sink| sink.with_timeout(Duration::from_mins(10)));
    let mut expected = vec![create(&pats).await.token.id.get()];
    let mut events = vec![receiver.next().await];
    // The webhook has the first event now and does not answer.
    for _ in 0..9 {
        let created = tokio::time::timeout(Duration::from_secs(30), create(&pats)).await;
        expected.push(created.expect("nobody waits").token.id.get());
    }
    assert!(receiver.received().is_empty(), "one event at a time");
    receiver.release.send_replace(true);
    jobs.shutdown().await;
    events.extend(receiver.received());
    assert_eq!(numbers(&events), expected);
}

async fn webhook_of_another_scheme_is_refused() {
    for url in [
        "https://localhost/secret",
        "/secret",
        "localhost:80",
        "http://user:secret@localhost/",
    ] {
        let sink = WebhookSink::new(url.parse().expect("a URL"));
        let error = sink.expect_err(url).to_string();
        assert!(error.contains("must begin with http://"), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }
}

async fn failed_webhook_does_not_tell_its_url() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let address = listener.expect("a port").local_addr();
    // The listener is closed, so no server accepts the connection.
    let url = format!("http://{}/secret", address.expect("an address"));
    let sink = WebhookSink::new(url.parse().expect("a URL")).expect("a sink");
    let kind = EventKind::OwnerChanged {
        owner: owner("alice"),
    };
    let error = sink.record(&Event::new(at(0), kind)).await;
    let error = error.expect_err("nobody listens");
    assert_eq!(error.to_string(), "the webhook did not answer");
    let shown = format!("{sink:?} {error:?}");
    assert!(shown.contains("127.0.0.1"), "{shown}");
    assert!(!shown.contains("secret"), "{shown}");
}

/// The other end of a webhook.
struct Receiver {
    url: String,
    attempts: mpsc::UnboundedReceiver<Value>,
    release: watch::Sender<bool>,
}

/// How an attempt is answered; without one of these with 200.
#[derive(Debug, Clone, Copy)]
enum Answer {
    Status(StatusCode),
    WhenReleased,
    Never,
}

#[derive(Clone)]
struct Script {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    attempts: mpsc::UnboundedSender<Value>,
    released: watch::Receiver<bool>,
}

impl Receiver {
    async fn start(answers: impl IntoIterator<Item = Answer>) -> Self {
        let (sender, attempts) = mpsc::unbounded_channel();
        let (release, released) = watch::channel(false);
        let script = Script {
            answers: Arc::new(Mutex::new(answers.into_iter().collect())),
            attempts: sender,
            released,
        };
        let app = Router::new()
            .route("/events", post(answer))
            .with_state(script);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(axum::serve(listener, app).into_future());
        Self {
            url: format!("http://{address}/events"),
            attempts,
            release,
        }
    }

    /// A service whose events come here.
    fn pats(&self, change: impl FnOnce(WebhookSink) -> WebhookSink) -> (Pats, Jobs) {
        let sink = WebhookSink::new(self.url.parse().expect("a URL")).expect("a client");
        let pats = Pats::builder(Arc::new(MemoryStore::default()))
            .events(Arc::new(change(sink)))
            .build();
        let jobs = pats.start();
        (pats, jobs)
    }

    async fn next(&mut self) -> Value {
        let attempt = tokio::time::timeout(Duration::from_secs(30), self.attempts.recv()).await;
        attempt.expect("an attempt in time").expect("an attempt")
    }

    /// What has come and was not looked at yet.
    fn received(&mut self) -> Vec<Value> {
        std::iter::from_fn(|| self.attempts.try_recv().ok()).collect()
    }
}

async fn answer(State(mut script): State<Script>, Json(event): Json<Value>) -> StatusCode {
    script.attempts.send(event).expect("the test runs");
    let answers = script.answers.lock();
    let answer = answers.unwrap_or_else(PoisonError::into_inner).pop_front();
    match answer {
        None => StatusCode::OK,
        Some(Answer::Status(status)) => status,
        Some(Answer::WhenReleased) => {
            let released = script.released.wait_for(|released| *released).await;
            released.expect("the test runs");
            StatusCode::OK
        }
        Some(Answer::Never) => std::future::pending().await,
    }
}

fn names(events: &[Value]) -> Vec<&Value> {
    events.iter().map(|event| &event["event"]).collect()
}

fn numbers(events: &[Value]) -> Vec<i64> {
    let number = |event: &Value| event["token"].as_i64();
    events.iter().filter_map(number).collect()
}
