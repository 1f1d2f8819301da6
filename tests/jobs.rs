//! Pruning, expiry checks and notices: on one node and on several, in time that a test moves.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use libtest_mimic::Trial;
use pat_core::event::EventKind;
use pat_core::settings::SettingsBuilder;
use pat_core::store::{Job, JobStore as _, LastUse};
use pat_core::testing::{RecordingMailer, RecordingSink, TestClock, TestDirectory};
use pat_core::{
    BoxError, Caller, CreatedToken, JobRun, Mailer, Notice, NoticeKind, Owner, Pats, Settings,
    StoreError, TokenRequest, TokenStore, User, UserDirectory,
};
use pat_sqlx::SqliteStore;
use pat_sqlx::sqlx::{self, AssertSqlSafe, SqlitePool};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::common::gated::until;
use crate::common::{Server, answer, trial};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("jobs::a_token_is_told_of_twice_in_its_life", whole_life),
        trial("jobs::an_outage_of_days_loses_no_notice", outage),
        trial("jobs::a_token_that_expired_unseen_is_told_of_once", unseen),
        trial(
            "jobs::missed_occurrences_are_caught_up_once",
            caught_up_once,
        ),
        trial("jobs::one_of_three_nodes_runs_each_occurrence", three_nodes),
        trial("jobs::a_paused_runner_has_no_effect", paused_runner),
        trial("jobs::a_run_that_failed_is_run_again", failed_run),
        trial(
            "jobs::a_run_cut_short_by_a_shutdown_is_gone_on_with",
            interrupted,
        ),
        trial("jobs::tokens_of_gone_owners_are_revoked", gone_owners),
        trial("jobs::a_broken_directory_revokes_nothing", broken_directory),
        trial("jobs::who_cannot_be_told_is_skipped", skipped),
        trial("jobs::nobody_is_told_of_a_revoked_token", revoked),
        trial(
            "jobs::a_mailer_that_failed_is_asked_again_alone",
            two_mailers,
        ),
        trial("jobs::a_panicking_mailer_harms_nobody", panicking_mailer),
        trial("jobs::dead_letters_are_shown_and_tried_again", dead_letters),
        trial("jobs::a_shutdown_finishes_the_mail_in_hand", shutdown),
        trial("jobs::a_queued_notice_is_sent_at_once", at_once),
        trial(
            "jobs::many_old_tokens_are_pruned_in_batches",
            many_old_tokens,
        ),
        trial("jobs::the_prune_job_trims_old_rows", old_rows),
        trial(
            "jobs::a_crash_loses_one_interval_of_last_uses",
            lost_interval,
        ),
        trial("jobs::ten_thousand_last_uses_are_one_batch", last_use_batch),
        trial("jobs::metrics_tell_of_all_this", metrics),
    ]
}

const DAY: Duration = Duration::from_hours(24);

/// A service on a database that may have others, with all that stands around it.
struct Node {
    pats: Pats,
    clock: Arc<TestClock>,
    users: TestDirectory,
    mailer: RecordingMailer,
    events: RecordingSink,
}

impl Node {
    fn on(store: impl TokenStore) -> Self {
        let users = TestDirectory::default();
        Self::with(store, &users, users.clone())
    }

    /// With a directory that is asked instead of `users`.
    fn with(store: impl TokenStore, users: &TestDirectory, asked: impl UserDirectory) -> Self {
        let (clock, mailer) = (Arc::new(TestClock::default()), RecordingMailer::default());
        let events = RecordingSink::default();
        let settings = Settings::builder()
            .max_tokens_per_user(1_000_000)
            .set("pat.time.zone", "UTC");
        let pats = Pats::builder(store)
            .settings(settings.and_then(SettingsBuilder::build).expect("settings"))
            .users(asked)
            .mailer(mailer.clone())
            .events(events.clone())
            .clock(clock.clone())
            .build();
        Self {
            pats,
            clock,
            users: users.clone(),
            mailer,
            events,
        }
    }

    /// A token that lives for so many days, of a user who exists from now on.
    async fn create(&self, user: &str, days: i64) -> CreatedToken {
        let caller = Caller::explicit(self.users.add(user));
        let request = TokenRequest {
            name: "ci".into(),
            lifetime_days: Some(days),
        };
        self.pats.create(&caller, request).await.expect("a token")
    }

    async fn run(&self, job: Job) -> JobRun {
        self.pats.run_if_due(job).await.expect("a job")
    }

    async fn check_and_deliver(&self) {
        self.run(Job::ExpiryCheck).await;
        self.pats.deliver_notices().await.expect("a delivery");
    }

    fn told(&self) -> Vec<NoticeKind> {
        let sent = self.mailer.sent();
        sent.iter().map(|notice| notice.kind).collect()
    }
}

async fn sqlite(folder: &tempfile::TempDir) -> SqliteStore {
    let store = SqliteStore::open(folder.path().join("pat.db")).await;
    store.expect("a database")
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

async fn whole_life() {
    let folder = folder();
    let node = Node::on(sqlite(&folder).await);
    let token = node.create("alice", 30).await.token;
    let mut told_on_day = Vec::new();
    for day in 0..70 {
        for _ in 0..8 {
            node.check_and_deliver().await;
            node.run(Job::Prune).await;
            node.clock.advance(Duration::from_hours(3));
        }
        told_on_day.resize(node.told().len(), day);
    }
    assert_eq!(node.told(), [NoticeKind::ExpiresSoon, NoticeKind::Expired]);
    assert_eq!(told_on_day, [25, 30]);
    let notice = &node.mailer.sent()[0];
    assert_eq!(notice.recipient.email, "alice@example.com");
    assert_eq!(notice.tokens.len(), 1);
    assert_eq!(notice.tokens[0].id, token.id);
    assert_eq!(notice.tokens[0].expires_at, token.expires_at);
    let alice = Caller::explicit(token.owner);
    assert!(
        node.pats.list(&alice).await.expect("a list").is_empty(),
        "pruned"
    );
}

async fn outage() {
    let folder = folder();
    let node = Node::on(sqlite(&folder).await);
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
    let (soon, expired) = (NoticeKind::ExpiresSoon, NoticeKind::Expired);
    assert_eq!(told, [(soon, late.token.id), (expired, early.token.id)]);
    // A token that lives for less than the warning is told of at the next check.
    node.create("short", 2).await;
    node.clock.advance(Duration::from_hours(1));
    node.check_and_deliver().await;
    assert_eq!(node.told().len(), 3);
    assert_eq!(node.mailer.sent()[2].recipient.email, "short@example.com");
}

async fn unseen() {
    let folder = folder();
    let node = Node::on(sqlite(&folder).await);
    node.create("alice", 1).await;
    node.create("alice", 2).await;
    node.clock.advance(DAY * 5);
    for _ in 0..3 {
        node.check_and_deliver().await;
        node.clock.advance(DAY);
    }
    assert_eq!(node.told(), [NoticeKind::Expired]);
    assert_eq!(node.mailer.sent()[0].tokens.len(), 2, "in one mail");
}

async fn caught_up_once() {
    let folder = folder();
    let node = Node::on(sqlite(&folder).await);
    assert_eq!(node.run(Job::Prune).await, JobRun::Done, "the first start");
    assert_eq!(node.run(Job::Prune).await, JobRun::NotDue);
    node.clock.advance(DAY * 3);
    assert_eq!(node.run(Job::Prune).await, JobRun::Done);
    assert_eq!(node.run(Job::Prune).await, JobRun::NotDue, "for all three");
    // The memory of it is in the database.
    let restarted = Node::on(sqlite(&folder).await);
    restarted.clock.advance(DAY * 3);
    assert_eq!(restarted.run(Job::Prune).await, JobRun::NotDue);
}

async fn three_nodes() {
    let folder = folder();
    let mut nodes = Vec::new();
    let users = TestDirectory::default();
    for _ in 0..3 {
        nodes.push(Node::with(sqlite(&folder).await, &users, users.clone()));
    }
    for user in ["alice", "bob", "carol"] {
        for days in [7, 8, 9] {
            nodes[0].create(user, days).await;
        }
    }
    let mut runs = Vec::new();
    for _ in 0..10 {
        for job in [Job::ExpiryCheck, Job::Prune] {
            let at_once = nodes.iter().map(|node| node.pats.run_if_due(job));
            runs.extend(futures_util::future::join_all(at_once).await);
        }
        for node in &nodes {
            node.pats.deliver_notices().await.expect("a delivery");
            node.clock.advance(DAY);
        }
    }
    let runs: Vec<_> = runs
        .into_iter()
        .collect::<Result<_, _>>()
        .expect("no error");
    let done = runs.iter().filter(|run| **run == JobRun::Done).count();
    assert_eq!(done, 20, "each occurrence of both jobs once: {runs:?}");
    let sent: Vec<_> = nodes.iter().flat_map(|node| node.mailer.sent()).collect();
    let told = |kind| {
        let of_kind = sent.iter().filter(|notice| notice.kind == kind);
        of_kind.map(|notice| notice.tokens.len()).sum::<usize>()
    };
    assert_eq!(told(NoticeKind::ExpiresSoon), 9);
    assert_eq!(told(NoticeKind::Expired), 9);
}

/// A directory that does not answer while it is held.
#[derive(Debug, Clone)]
struct SlowDirectory {
    users: TestDirectory,
    is_held: Arc<watch::Sender<bool>>,
    is_asked: Arc<watch::Sender<bool>>,
}

impl SlowDirectory {
    fn new(users: TestDirectory) -> Self {
        Self {
            users,
            is_held: Arc::new(watch::Sender::new(false)),
            is_asked: Arc::new(watch::Sender::new(false)),
        }
    }
}

#[async_trait]
impl UserDirectory for SlowDirectory {
    async fn find(&self, owner: &Owner) -> Result<Option<User>, BoxError> {
        self.users.find(owner).await
    }

    async fn is_administrator(&self, owner: &Owner) -> Result<bool, BoxError> {
        self.users.is_administrator(owner).await
    }

    async fn search(&self, contains: &str, limit: usize) -> Result<Vec<User>, BoxError> {
        self.users.search(contains, limit).await
    }

    async fn profiles(&self, owners: &[Owner]) -> Result<Vec<User>, BoxError> {
        self.is_asked.send_replace(true);
        let mut is_held = self.is_held.subscribe();
        drop(is_held.wait_for(|is_held| !is_held).await);
        self.users.profiles(owners).await
    }
}

async fn paused_runner() {
    let folder = folder();
    let users = TestDirectory::default();
    let held = SlowDirectory::new(users.clone());
    let paused = Node::with(sqlite(&folder).await, &users, held.clone());
    let other = Node::with(sqlite(&folder).await, &users, users.clone());
    let gone = paused.create("gone", 30).await;
    for user in ["alice", "bob"] {
        paused.create(user, 30).await;
    }
    users.remove(&gone.token.owner);
    held.is_held.send_replace(true);
    let pats = paused.pats.clone();
    let run = tokio::spawn(async move { pats.run_if_due(Job::Prune).await });
    until("the paused node is in the middle", || {
        *held.is_asked.borrow()
    })
    .await;
    assert_eq!(other.run(Job::Prune).await, JobRun::Held);
    // The pause is longer than the lease.
    for node in [&paused, &other] {
        node.clock.advance(Duration::from_secs(61));
    }
    assert_eq!(other.run(Job::Prune).await, JobRun::Done);
    held.is_held.send_replace(false);
    let result = run.await.expect("no panic");
    assert!(matches!(result, Err(StoreError::LeaseLost)), "{result:?}");
    let revoked = |node: &Node| {
        let events = node.events.events();
        events
            .iter()
            .filter(|event| matches!(event.kind, EventKind::Revoked { .. }))
            .count()
    };
    // Events reach a sink by the jobs, which have not run: hand them out now.
    for node in [&paused, &other] {
        node.pats.start().shutdown().await;
    }
    assert_eq!((revoked(&paused), revoked(&other)), (0, 1));
}

async fn failed_run() {
    let folder = folder();
    let node = Node::on(sqlite(&folder).await);
    node.create("alice", 3).await;
    let rename = async |from: &str, to: &str| {
        let sql = format!("ALTER TABLE {from} RENAME TO {to}");
        let query = sqlx::query(AssertSqlSafe(sql));
        query
            .execute(&database(&folder).await)
            .await
            .expect("a renaming");
    };
    rename("pat_notice", "elsewhere").await;
    let failed = node.pats.run_if_due(Job::ExpiryCheck).await;
    assert!(matches!(failed, Err(StoreError::Backend(_))), "{failed:?}");
    rename("elsewhere", "pat_notice").await;
    assert_eq!(
        node.run(Job::ExpiryCheck).await,
        JobRun::Done,
        "the same occurrence"
    );
    node.pats.deliver_notices().await.expect("a delivery");
    assert_eq!(node.told(), [NoticeKind::ExpiresSoon]);
}

async fn interrupted() {
    let folder = folder();
    let users = TestDirectory::default();
    let held = SlowDirectory::new(users.clone());
    let stopping = Node::with(sqlite(&folder).await, &users, held.clone());
    stopping.create("alice", 30).await;
    held.is_held.send_replace(true);
    let jobs = stopping.pats.start();
    until("the run is in the middle", || *held.is_asked.borrow()).await;
    let ((), ()) = tokio::join!(jobs.shutdown(), async {
        tokio::task::yield_now().await;
        held.is_held.send_replace(false);
    });
    let next = Node::with(sqlite(&folder).await, &users, users.clone());
    assert_eq!(
        next.run(Job::Prune).await,
        JobRun::Done,
        "not waiting for the lease to end"
    );
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

async fn skipped() {
    let folder = folder();
    let node = Node::on(sqlite(&folder).await);
    let nobody = node.create("nobody", 1).await.token.owner;
    let absent = node.create("absent", 1).await.token.owner;
    let gone = node.create("gone", 1).await.token.owner;
    node.create("alice", 1).await;
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

async fn revoked() {
    let folder = folder();
    let node = Node::on(sqlite(&folder).await);
    let (kept, revoked) = (node.create("alice", 3).await, node.create("alice", 3).await);
    let alone = node.create("bob", 3).await;
    node.run(Job::ExpiryCheck).await;
    // Between the check and the delivery.
    for token in [&revoked, &alone] {
        let owner = Caller::explicit(token.token.owner.clone());
        node.pats
            .revoke(&owner, token.token.id)
            .await
            .expect("a revocation");
    }
    node.pats.deliver_notices().await.expect("a delivery");
    let sent = node.mailer.sent();
    let told: Vec<_> = sent
        .iter()
        .flat_map(|notice| &notice.tokens)
        .map(|token| token.id)
        .collect();
    assert_eq!(told, [kept.token.id]);
    assert_eq!(node.pats.outbox().await.expect("an outbox").pending, 0);
}

/// A mailer of another name.
#[derive(Debug)]
struct Chat(RecordingMailer);

#[async_trait]
impl Mailer for Chat {
    fn name(&self) -> &'static str {
        "chat"
    }

    async fn send(&self, notice: &Notice) -> Result<(), pat_core::MailError> {
        self.0.send(notice).await
    }
}

async fn two_mailers() {
    let (folder, clock) = (folder(), Arc::new(TestClock::default()));
    let (mail, chat) = (RecordingMailer::default(), RecordingMailer::default());
    let pats = Pats::builder(sqlite(&folder).await)
        .mailer(mail.clone())
        .mailer(Chat(chat.clone()))
        .clock(clock.clone())
        .users(crate::common::named_users(&["alice"]))
        .settings(
            Settings::builder()
                .notice_created(true)
                .build()
                .expect("settings"),
        )
        .build();
    let alice = Caller::explicit("alice".parse().expect("an owner"));
    let request = TokenRequest {
        name: "ci".into(),
        lifetime_days: Some(300),
    };
    pats.create(&alice, request).await.expect("a token");
    chat.fail_for_now();
    let mut attempts = Vec::new();
    for _ in 0..3 {
        pats.deliver_notices().await.expect("a delivery");
        attempts.push((mail.sent().len(), chat.sent().len()));
        clock.advance(Duration::from_mins(5));
    }
    assert_eq!(attempts, [(1, 0); 3]);
    chat.succeed();
    assert_eq!(pats.deliver_notices().await.expect("a delivery"), 1);
    assert_eq!((mail.sent().len(), chat.sent().len()), (1, 1));
    assert_eq!(mail.sent(), chat.sent(), "the same to both");
    assert_eq!(pats.outbox().await.expect("an outbox").pending, 0);
}

/// A mailer that does not survive its first notice.
#[derive(Debug)]
struct Panicking;

#[async_trait]
impl Mailer for Panicking {
    fn name(&self) -> &'static str {
        "panicking"
    }

    async fn send(&self, _: &Notice) -> Result<(), pat_core::MailError> {
        panic!("a mailer that panics, as this test wants")
    }
}

async fn panicking_mailer() {
    let folder = folder();
    let mail = RecordingMailer::default();
    let pats = Pats::builder(sqlite(&folder).await)
        .mailer(Panicking)
        .mailer(mail.clone())
        .settings(
            Settings::builder()
                .notice_created(true)
                .build()
                .expect("settings"),
        )
        .users(crate::common::named_users(&["alice"]))
        .build();
    let alice = Caller::explicit("alice".parse().expect("an owner"));
    for _ in 0..3 {
        let request = TokenRequest {
            name: "ci".into(),
            lifetime_days: None,
        };
        pats.create(&alice, request).await.expect("a token");
    }
    assert_eq!(pats.deliver_notices().await.expect("a delivery"), 0);
    assert_eq!(mail.sent().len(), 3);
    assert_eq!(
        pats.outbox().await.expect("an outbox").pending,
        3,
        "to be tried again"
    );
}

async fn dead_letters() {
    let server = Server::with(&[("pat.notice.created", "true")]).await;
    server.mailer.fail_for_good();
    server.create("alice").await;
    server.run_jobs().await;
    let as_admin = |request: reqwest::RequestBuilder| request.basic_auth("admin", Some("admin"));
    let dead = async || {
        let answer = answer(as_admin(server.get("/demo/notices/dead"))).await;
        answer.json().as_array().expect("an array").clone()
    };
    let shown = dead().await;
    assert_eq!(shown.len(), 1);
    assert_eq!(
        (&shown[0]["kind"], &shown[0]["owner"]),
        (&json!("created"), &json!("alice"))
    );
    let error = shown[0]["error"].as_str().expect("an error");
    assert_eq!(error, "recording: the notice cannot be sent: no such box");
    let as_alice = server
        .get("/demo/notices/dead")
        .basic_auth("alice", Some("alice"));
    assert_eq!(answer(as_alice).await.status, StatusCode::FORBIDDEN);

    server.mailer.succeed();
    server.run_jobs().await;
    assert_eq!(server.told(), [], "a dead letter is not tried by itself");
    let retry = format!("/demo/notices/{}/retry", shown[0]["id"]);
    assert_eq!(
        answer(as_admin(server.post(&retry))).await.status,
        StatusCode::NO_CONTENT
    );
    server.run_jobs().await;
    assert_eq!(server.told().len(), 1);
    assert_eq!(dead().await, [Value::Null; 0]);
    assert_eq!(
        answer(as_admin(server.post(&retry))).await.status,
        StatusCode::NOT_FOUND
    );
}

/// A mailer that takes its time, and says when it has begun.
#[derive(Debug, Clone)]
struct Slow {
    sent: RecordingMailer,
    begun: Arc<watch::Sender<usize>>,
}

#[async_trait]
impl Mailer for Slow {
    fn name(&self) -> &'static str {
        "slow"
    }

    async fn send(&self, notice: &Notice) -> Result<(), pat_core::MailError> {
        self.begun.send_modify(|count| *count += 1);
        tokio::time::sleep(Duration::from_millis(300)).await;
        self.sent.send(notice).await
    }
}

async fn shutdown() {
    let folder = folder();
    let slow = Slow {
        sent: RecordingMailer::default(),
        begun: Arc::new(watch::Sender::new(0)),
    };
    let events = RecordingSink::default();
    let pats = Pats::builder(sqlite(&folder).await)
        .mailer(slow.clone())
        .events(events.clone())
        .users(crate::common::named_users(&["alice"]))
        .settings(
            Settings::builder()
                .notice_created(true)
                .max_tokens_per_user(100)
                .build()
                .expect("settings"),
        )
        .build();
    let alice = Caller::explicit("alice".parse().expect("an owner"));
    for _ in 0..20 {
        let request = TokenRequest {
            name: "ci".into(),
            lifetime_days: None,
        };
        pats.create(&alice, request).await.expect("a token");
    }
    let jobs = pats.start();
    until("the first batch is in hand", || *slow.begun.borrow() > 0).await;
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
async fn at_once() {
    let server = Server::with(&[("pat.notice.created", "true")]).await;
    server.create("alice").await;
    until("the notice is sent", || server.told().len() == 1).await;
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

/// The database itself.
async fn database(folder: &tempfile::TempDir) -> SqlitePool {
    let url = format!("sqlite:{}", folder.path().join("pat.db").display());
    let pool = SqlitePool::connect(&url).await;
    pool.expect("the database")
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

/// A process that is killed loses what it noted since the last flush, and no more.
async fn lost_interval() {
    let folder = folder();
    let killed = Node::on(sqlite(&folder).await);
    let token = killed.create("alice", 300).await;
    let use_it = async |node: &Node| {
        let plain = token.plain.expose().as_bytes();
        node.pats.authenticate(plain).await.expect("a good token");
    };
    use_it(&killed).await;
    let flushed = killed.pats.flush_last_use().await.expect("a flush");
    assert_eq!(flushed, 1);
    let shown = async |node: &Node| {
        let alice = Caller::explicit(token.token.owner.clone());
        let list = node.pats.list(&alice).await.expect("a list");
        list[0].last_used_at.expect("a last use")
    };
    let written = shown(&killed).await;
    killed.clock.advance(Duration::from_secs(59));
    use_it(&killed).await;
    let noted = shown(&killed).await;
    assert_eq!(
        noted.duration_since(written).as_secs(),
        59,
        "lists show it at once"
    );
    drop(killed);
    let restarted = Node::on(sqlite(&folder).await);
    assert_eq!(
        shown(&restarted).await,
        written,
        "less than an interval is lost"
    );
}

async fn last_use_batch() {
    let folder = folder();
    let store = sqlite(&folder).await;
    let node = Node::on(store.clone());
    let mut ids = Vec::new();
    for _ in 0..50 {
        ids.push(node.create("alice", 300).await.token);
    }
    let gone = &ids[49];
    let alice = Caller::explicit(gone.owner.clone());
    node.pats
        .revoke(&alice, gone.id)
        .await
        .expect("a revocation");
    let at = |seconds: i64| Timestamp::from_second(1_800_000_000 + seconds).expect("a date");
    let batch = |seconds| {
        let known = ids.iter().map(|token| token.id);
        let unknown = (0..9_950).map(|id| pat_core::TokenId::new(id).expect("an id"));
        let mut uses: Vec<_> = known
            .chain(unknown)
            .map(|id| LastUse {
                id,
                at: at(seconds),
            })
            .collect();
        uses.sort_by_key(|last_use| last_use.id);
        uses
    };
    assert_eq!(batch(0).len(), 10_000);
    for seconds in [10, 5] {
        store.record_use(&batch(seconds)).await.expect("record_use");
    }
    for token in &ids {
        let found = store
            .find(token.id)
            .await
            .expect("find")
            .expect("the token");
        let expected = (token.id != gone.id).then(|| at(10));
        assert_eq!(
            found.last_used_at, expected,
            "never backwards, nothing of a revoked one"
        );
    }
}

async fn metrics() {
    let server = Server::with(&[("pat.notice.created", "true")]).await;
    let token = server.create("alice").await;
    server.try_token(&token.raw).await;
    server.try_token(&token.raw).await;
    server.try_token("pat_x").await;
    server.run_jobs().await;
    let text = async || answer(server.get("/metrics")).await.body;
    // Other tests count in this process too, so that only the names can be told beforehand.
    for name in [
        "pat_authentications_total{outcome=\"accepted\"}",
        "pat_authentications_total{outcome=\"foreign\"}",
        "pat_cache_hits_total",
        "pat_cache_misses_total",
        "pat_job_runs_total{job=\"prune\"}",
        "pat_job_failures_total{job=\"change-poll\"}",
        "pat_notices_total{kind=\"created\",outcome=\"sent\"}",
        "pat_outbox_notices{state=\"pending\"}",
        "pat_outbox_notices{state=\"dead\"}",
        "pat_outbox_age_seconds",
        "pat_last_used_flush_lag_seconds",
        "pat_cache_fresh_for_seconds",
    ] {
        let mut shown = text().await;
        for _ in 0..100 {
            if shown.lines().any(|line| line.starts_with(name)) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            shown = text().await;
        }
        assert!(
            shown.lines().any(|line| line.starts_with(name)),
            "{name} in\n{shown}"
        );
    }
    assert!(!text().await.contains(&token.raw));
}
