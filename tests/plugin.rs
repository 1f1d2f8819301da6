//! What somebody else wrote against the ports: the file store and the webhook of the examples.

use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Json, State};
use axum::http::StatusCode;
use axum::routing::post;
use jiff::Timestamp;
use libtest_mimic::Trial;
use pat_core::event::{Event, EventKind, EventSink as _};
use pat_core::format::TokenFormat;
use pat_core::format::{AtlassianFormat, RandomnessError};
use pat_core::store::{
    Change, ChangePage, FeedPosition, Insertion, LastUse, NewToken, Revocation, RevocationScope,
    SCHEMA_VERSION, TokenStore,
};
use pat_core::testing::{Case, check_directory, check_format, check_notifier, store};
use pat_core::{
    Caller, CreatedToken, Jobs, MemoryStore, Owner, Pats, PlainToken, Token, TokenDigest, TokenId,
    TokenRequest,
};
use pat_example_server::DemoUsers;
use pat_example_server::plugin::{FileStore, OpenError, WebhookSink};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};

use crate::common::names::name_in_case;
use crate::common::{named_trial, trial};

pub(crate) fn trials() -> Vec<Trial> {
    let suite = store::CASES.iter().map(|case| {
        named_trial(name_in_case(&the_file_store, case.name), || {
            the_file_store(*case)
        })
    });
    let mut trials: Vec<_> = suite.collect();
    trials.extend([
        trial(state_survives_reopening),
        trial(log_holds_no_plain_token),
        trial(log_cut_anywhere_opens_with_all_before_the_cut),
        trial(torn_line_is_written_over),
        trial(corrupt_line_is_refused_by_number),
        trial(foreign_file_is_left_alone),
        trial(second_open_is_refused),
        trial(log_of_a_newer_version_is_refused),
        trial(webhook_gets_events_in_order),
        trial(webhook_is_tried_again_after_500),
        trial(webhook_is_tried_again_when_it_does_not_answer),
        trial(webhook_is_given_up_after_three_times),
        trial(hanging_webhook_holds_up_nobody),
        trial(webhook_of_another_scheme_is_refused),
        trial(failed_webhook_does_not_tell_its_url),
        trial(demo_users_keep_the_contract),
        trial(format_of_the_host_works),
        trial(mailers_keep_the_contract),
    ]);
    trials
}

// The file store

async fn the_file_store(case: Case) {
    let folder = folder();
    case.run(Arc::new(open(&folder).await)).await;
}

async fn state_survives_reopening() {
    let folder = folder();
    let store = open(&folder).await;
    fill(&store).await;
    let before = Snapshot::of(&store).await;
    drop(store);
    let store = open(&folder).await;
    assert_eq!(Snapshot::of(&store).await, before);
    // And what is written next follows on.
    let change = Change::OwnerChanged(owner("bob"));
    let appended = store.append_change(&change, at(9)).await;
    appended.expect("append_change");
    let after = Snapshot::of(&store).await;
    assert_eq!(after.feed.head.generation, 4);
    drop(store);
    assert_eq!(Snapshot::of(&open(&folder).await).await, after);
}

async fn log_of_a_newer_version_is_refused() {
    let folder = folder();
    for readable_from in [SCHEMA_VERSION, SCHEMA_VERSION + 1] {
        let store = open(&folder).await;
        let raised = store.raise_readable_from(readable_from).await;
        raised.expect("raise_readable_from");
    }
    let refused = FileStore::open(log_path(&folder)).await;
    let refused = refused.expect_err("it is for newer versions");
    assert!(matches!(refused, OpenError::Outdated { .. }), "{refused:?}");
}

async fn log_holds_no_plain_token() {
    let folder = folder();
    let pats = Pats::builder(Arc::new(open(&folder).await)).build();
    let created = create(&pats).await;
    let log = fs::read_to_string(log_path(&folder)).expect("the log");
    let plain = created.plain.expose();
    assert!(log.contains("\"alice\""), "{log}");
    // Not even the part behind the prefix, or half of it.
    assert!(!log.contains(&plain[4..20]) && !log.contains(&plain[plain.len() - 16..]));
}

async fn log_cut_anywhere_opens_with_all_before_the_cut() {
    let folder = folder();
    let store = open(&folder).await;
    for number in 1..=3 {
        insert(&store, &new(number)).await;
    }
    drop(store);
    let log = fs::read(log_path(&folder)).expect("the log");
    for len in 0..log.len() {
        fs::write(log_path(&folder), &log[..len]).expect("write");
        let store = open(&folder).await;
        let listed = store.list(&owner("alice")).await.expect("list");
        // Neither the header nor what is behind the last line feed is a token.
        let lines = log[..len].split(|byte| *byte == b'\n').count();
        assert_eq!(listed.len(), lines.saturating_sub(2), "cut at {len}");
    }
}

async fn torn_line_is_written_over() {
    let folder = folder();
    let store = open(&folder).await;
    fill(&store).await;
    let before = Snapshot::of(&store).await;
    drop(store);
    let whole = fs::read(log_path(&folder)).expect("the log");
    let torn = [&whole, &b"{\"revoked\":{\"generation\":4,\"tok"[..]].concat();
    fs::write(log_path(&folder), torn).expect("write");
    let store = open(&folder).await;
    assert_eq!(Snapshot::of(&store).await, before);
    assert_eq!(fs::read(log_path(&folder)).expect("the log"), whole);
    insert(&store, &new(7)).await;
    drop(store);
    let found = open(&folder).await.find(id(7)).await.expect("find");
    assert_eq!(found, Some(new(7).into_token()));
}

async fn corrupt_line_is_refused_by_number() {
    let folder = folder();
    let store = open(&folder).await;
    fill(&store).await;
    drop(store);
    let log = fs::read_to_string(log_path(&folder)).expect("the log");
    let lines: Vec<_> = log.lines().collect();
    let last = lines.len();
    // Line 1 is the header, so lines[2] is line 3.
    let with = |number: usize, text| {
        let mut lines = lines.clone();
        lines[number - 1] = text;
        lines
    };
    let is_revocation = |line: &&str| line.starts_with("{\"revoked\"");
    let revocation = lines.iter().position(is_revocation).expect("a revocation");
    let without_revocation = [&lines[..revocation], &lines[revocation + 1..]].concat();
    for (changed, number) in [
        (with(3, "{\"created\":{\"id\":2,"), 3),
        (with(3, ""), 3),
        (with(4, lines[1]), 4),
        (with(last, "{}"), last),
        // The change after the lost one has the wrong number.
        (without_revocation, revocation + 1),
    ] {
        let changed = format!("{}\n", changed.join("\n"));
        fs::write(log_path(&folder), &changed).expect("write");
        let result = FileStore::open(log_path(&folder)).await;
        let error = result.expect_err("a corrupt log");
        let is_named = matches!(error, OpenError::Corrupt { line, .. } if line == number);
        assert!(is_named, "{error:?}");
        let text = error.to_string();
        assert!(text.starts_with(&format!("line {number} of ")), "{text}");
        let left = fs::read_to_string(log_path(&folder)).expect("the log");
        assert_eq!(left, changed, "nothing is changed");
    }
}

async fn foreign_file_is_left_alone() {
    let folder = folder();
    // One line and no line feed: it must not be taken for a torn one.
    for content in [
        "my diary",
        "{\"pat-token-log\":2}\n",
        "{\"pat-token-log\":1}x\n",
    ] {
        fs::write(log_path(&folder), content).expect("write");
        let error = FileStore::open(log_path(&folder)).await;
        assert!(matches!(error, Err(OpenError::NotALog { .. })), "{error:?}");
        let left = fs::read_to_string(log_path(&folder)).expect("the file");
        assert_eq!(left, content);
    }
}

async fn second_open_is_refused() {
    let folder = folder();
    let first = open(&folder).await;
    let second = FileStore::open(log_path(&folder)).await;
    let error = second.expect_err("the file is in use");
    assert!(matches!(error, OpenError::InUse { .. }), "{error:?}");
    assert!(error.to_string().ends_with("is in use by another process"));
    drop(first);
    open(&folder).await;
}

/// All that can be asked of a store with the tokens of [`fill`].
#[derive(Debug, PartialEq)]
struct Snapshot {
    tokens: Vec<Option<Token>>,
    found: Vec<Option<Token>>,
    listed: Vec<Token>,
    feed: ChangePage,
}

impl Snapshot {
    async fn of(store: &FileStore) -> Self {
        let (mut tokens, mut found) = (Vec::new(), Vec::new());
        for number in 1..=5 {
            tokens.push(store.find(id(number)).await.expect("find"));
            let by_digest = store.find_by_digest(&new(number).digest).await;
            found.push(by_digest.expect("find_by_digest").token);
        }
        let start = FeedPosition {
            generation: 0,
            nonce: None,
        };
        let feed = store.changes_since(Some(start)).await;
        Self {
            tokens,
            found,
            listed: store.list(&owner("alice")).await.expect("list"),
            feed: feed.expect("changes_since"),
        }
    }
}

/// Makes one of everything happen, and the change counter 3.
async fn fill(store: &FileStore) {
    insert(store, &new(1)).await;
    let mut full = new(2);
    full.name = "line\u{2028}\"\\ ü 🎉".into();
    full.expires_at = Some(at(3600));
    insert(store, &full).await;
    for (number, parent) in [(3, 2), (4, 3)] {
        let mut child = new(number);
        child.parent = Some(id(parent));
        insert(store, &child).await;
    }
    let uses = [(1, 5), (2, 6)].map(|(number, seconds)| LastUse::new(id(number), at(seconds)));
    store.record_use(&uses).await.expect("record_use");
    let scope = RevocationScope::TokensAndDescendants(vec![id(3)]);
    let mut revocation = Revocation::new(at(7));
    revocation.by = Some(owner("admin"));
    revocation.reason = Some("lost\nlaptop".into());
    let revoked = store.revoke(&scope, &revocation).await.expect("revoke");
    assert_eq!(revoked.tokens.len(), 2);
    for change in [
        Change::OwnerChanged(owner("alice")),
        Change::TokenRevoked(id(1)),
    ] {
        let appended = store.append_change(&change, at(8)).await;
        appended.expect("append_change");
    }
}

async fn insert(store: &FileStore, token: &NewToken) {
    let insertion = store.insert(token, 100).await.expect("insert");
    assert!(matches!(insertion, Insertion::Stored(_)), "{insertion:?}");
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn log_path(folder: &TempDir) -> std::path::PathBuf {
    Path::join(folder.path(), "tokens.log")
}

async fn open(folder: &TempDir) -> FileStore {
    FileStore::open(log_path(folder)).await.expect("open")
}

fn new(number: i64) -> NewToken {
    let mut token = NewToken::new(
        id(number),
        TokenDigest::of(&number.to_le_bytes()),
        owner("alice"),
        "ci",
        at(0),
    );
    token.max_rows = 10_000;
    token
}

fn id(number: i64) -> TokenId {
    TokenId::new(number).expect("an id")
}

fn owner(key: &str) -> Owner {
    Owner::new(key).expect("an owner's key")
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_microsecond(1_772_145_741_247_001 + seconds * 1_000_000).expect("a date")
}

// The webhook

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
    // Nobody listens there any more.
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

fn alice() -> Caller {
    Caller::header_authenticated(owner("alice"))
}

async fn create(pats: &Pats) -> CreatedToken {
    let request = TokenRequest::new("ci", Some(90));
    let created = pats.create(&alice(), request).await;
    created.expect("create")
}

// The other ports

async fn demo_users_keep_the_contract() {
    let folder = folder();
    let url = format!("sqlite:{}?mode=rwc", folder.path().join("pat.db").display());
    let users = DemoUsers::open(&url).await.expect("users");
    check_directory(&users, &owner("alice"), &owner("nobody")).await;
}

async fn mailers_keep_the_contract() {
    let composer = pat_mail::Composer::builder("Example <pat@example.com>").build();
    let composer = composer.expect("a composer");
    let memory = pat_mail::MemoryMailer::new(composer.clone());
    let sent = check_notifier(&memory).await;
    assert_eq!(memory.messages().len(), sent.len());

    let folder = folder();
    let file = pat_mail::FileMailer::new(composer, folder.path().join("mails"));
    let sent = check_notifier(&file).await;
    for (notification, message) in sent.iter().zip(&memory.messages()) {
        let name = format!("{}-{}.eml", notification.kind, notification.id);
        let written = std::fs::read(folder.path().join("mails").join(name)).expect("a file");
        assert!(written.len() > 500 && message.len() > 500);
    }
}

async fn format_of_the_host_works() {
    check_format(&AcmeFormat);
    let pats = Pats::builder(Arc::new(MemoryStore::default()))
        .issue(Arc::new(AcmeFormat))
        .build();
    let plain = create(&pats).await.plain;
    assert!(plain.expose().starts_with("acme-"));
    let principal = pats.authenticate(plain.expose().as_bytes()).await;
    assert_eq!(principal.expect("the token works").owner(), &owner("alice"));
}

/// `acme-` and 64 hexadecimal digits.
#[derive(Debug)]
struct AcmeFormat;

impl TokenFormat for AcmeFormat {
    fn generate(&self) -> Result<PlainToken, RandomnessError> {
        // The digest of 160 random bits: the crate has no other way to get at random bytes.
        let digest = AtlassianFormat.generate()?.digest();
        let digits = digest.as_bytes().iter().map(|byte| format!("{byte:02x}"));
        Ok(PlainToken::new(format!(
            "acme-{}",
            digits.collect::<String>()
        )))
    }

    fn recognizes(&self, presented: &[u8]) -> bool {
        let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        presented
            .strip_prefix(b"acme-")
            .is_some_and(|digits| digits.len() == 64 && digits.iter().all(is_digit))
    }
}
