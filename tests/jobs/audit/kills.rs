//! Processes that die between any two statements, while a sink is dead all the time.

use std::collections::BTreeSet;
use std::hash::{BuildHasher as _, RandomState};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use libtest_mimic::Trial;
use pat_core::event::{Event, EventKind, EventSink};
use pat_core::testing::{RecordingNotifier, TestDirectory};
use pat_core::{BoxError, Caller, Owner, Pats, Settings, TokenId, TokenRequest};
use pat_harness::trial;
use pat_servers::environment::number;
use pat_sqlx::SqliteStore;
use pat_sqlx::sqlx::{self, SqlitePool};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use super::{stored, tokens};

pub(super) fn trials() -> Vec<Trial> {
    vec![trial(kill_9_anywhere_leaves_one_event_for_each_change)]
}

/// Makes the test program change tokens in a database until it dies. Its arguments: the file, and
/// after how many statements that is. It prints each change that it got an answer for.
pub(crate) const AS_CHANGER: &str = "PAT_TEST_AS_CHANGER";

/// Ends the process, like `kill -9`, after so many statements.
struct Failpoint(AtomicU64);

impl<S: tracing::Subscriber> Layer<S> for Failpoint {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let is_statement = event.metadata().target() == "sqlx::query";
        if is_statement && self.0.fetch_sub(1, Ordering::SeqCst) == 1 {
            std::process::abort();
        }
    }
}

#[derive(Debug)]
struct Dead;

#[async_trait]
impl EventSink for Dead {
    fn name(&self) -> Option<&str> {
        Some("dead")
    }

    async fn record(&self, _: &Event) -> Result<(), BoxError> {
        Err("dead all the while".into())
    }
}

pub(crate) fn change_as_process() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [file, statements] = &arguments[..] else {
        return ExitCode::from(2);
    };
    let statements = statements.parse().expect("a number");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let store = SqliteStore::open(file).await.expect("a store");
        let log = tracing_subscriber::registry().with(Failpoint(AtomicU64::new(statements)));
        tracing::subscriber::set_global_default(log).expect("the only one");
        let users = TestDirectory::default();
        let (alice, admin) = (users.add("alice"), users.add_administrator("admin"));
        let settings = Settings::builder()
            .notice_created(true)
            .max_tokens_per_user(1_000_000);
        let pats = Pats::builder(Arc::new(store))
            .users(Arc::new(users))
            .settings(settings.build().expect("settings"))
            .notifier(Arc::new(RecordingNotifier::default()))
            .events(Arc::new(Dead))
            .build();
        let _jobs = pats.start();
        loop {
            change(
                &pats,
                &Caller::header_authenticated(alice.clone()),
                &Caller::header_authenticated(admin.clone()),
            )
            .await;
        }
    })
}

/// A few changes of every kind.
async fn change(pats: &Pats, alice: &Caller, admin: &Caller) {
    let mut ids = Vec::new();
    for _ in 0..5 {
        let request = TokenRequest::new("ci", Some(90));
        let created = pats.create(alice, request).await.expect("a token");
        acknowledge("created", created.token.id.get());
        ids.push(created.token.id);
    }
    pats.revoke(alice, ids[0]).await.expect("a revocation");
    acknowledge("revoked", ids[0].get());
    let administration = pats.administration(admin).await.expect("an administrator");
    let (two, reason) = (ids[1..3].to_vec(), Some("found".to_owned()));
    administration
        .revoke(two, reason)
        .await
        .expect("revocations");
    for id in &ids[1..3] {
        acknowledge("revoked", id.get());
    }
    // A name of its own for each time.
    let owner = Owner::new(format!("user-{}", ids[0])).expect("an owner");
    pats.user_changed(&owner).await.expect("a change");
    acknowledge("changed", ids[0].get());
    pats.deliver_notifications().await.expect("a delivery");
}

fn acknowledge(change: &str, id: i64) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{change} {id}").expect("a reader");
    out.flush().expect("a reader");
}

/// Lets a process make changes until it dies; returns what it has got an answer for.
async fn run_changer(file: &Path, statements: u64) -> Vec<(String, TokenId)> {
    let mut command = Command::new(std::env::current_exe().expect("this program's path"));
    command.env_clear().env(AS_CHANGER, "1");
    command.arg(file).arg(statements.to_string());
    command.stdin(Stdio::null()).stderr(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output());
    let output = output.await.expect("no panic").expect("a process");
    assert_eq!(output.status.code(), None, "it was killed");
    let lines = String::from_utf8(output.stdout).expect("lines");
    let change = |line: &str| {
        let (change, id) = line.split_once(' ').expect("a change");
        let id = id.parse().ok().and_then(TokenId::new).expect("an id");
        (change.to_owned(), id)
    };
    lines.lines().map(change).collect()
}

/// `PAT_TEST_AUDIT_CHANGES` makes it longer.
async fn kill_9_anywhere_leaves_one_event_for_each_change() {
    let changes = number("PAT_TEST_AUDIT_CHANGES", 1_000);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("pat.db");
    drop(SqliteStore::open(&file).await.expect("a database"));
    let (mut acknowledged, mut kills) = (Vec::new(), 0);
    while acknowledged.len() < changes {
        // Each place in turn, early and late in a round.
        let random = RandomState::new().hash_one(kills) % 200;
        acknowledged.extend(run_changer(&file, kills % 150 + 1 + random).await);
        kills += 1;
        assert!(kills < 10 * changes as u64, "it gets on");
    }
    println!("{} changes, {kills} kills", acknowledged.len());

    let store = SqliteStore::open(&file).await.expect("the database");
    let events = stored(&store).await;
    let pool = SqlitePool::connect(&file.to_string_lossy()).await;
    let pool = pool.expect("the database");
    for (kind, sql) in [
        ("created", "SELECT id FROM pat_token ORDER BY id"),
        (
            "revoked",
            "SELECT id FROM pat_token WHERE revoked_at IS NOT NULL ORDER BY id",
        ),
        (
            "notified",
            "SELECT token_id FROM pat_notice_token JOIN pat_notice ON id = notice_id \
             WHERE state = 1 ORDER BY token_id",
        ),
    ] {
        let mut found: Vec<_> = tokens(&events, kind).iter().map(|id| id.get()).collect();
        found.sort_unstable();
        let rows = sqlx::query_scalar::<_, i64>(sql).fetch_all(&pool).await;
        assert_eq!(
            found,
            rows.expect("rows"),
            "{kind}: one event for each change"
        );
        let found: BTreeSet<_> = found.into_iter().collect();
        let lost = acknowledged
            .iter()
            .filter(|(change, id)| change == kind && !found.contains(&id.get()));
        assert_eq!(lost.count(), 0, "{kind}: what was acknowledged is there");
    }
    let owners = events.iter().filter_map(|event| match &event.kind {
        EventKind::OwnerChanged { owner } => Some(owner.to_string()),
        _ => None,
    });
    let owners: Vec<_> = owners.collect();
    let unique: BTreeSet<_> = owners.iter().cloned().collect();
    assert_eq!(unique.len(), owners.len(), "no owner has changed twice");
    for (_, id) in acknowledged
        .iter()
        .filter(|(change, _)| change == "changed")
    {
        assert!(unique.contains(&format!("user-{id}")), "{id}");
    }
    let seqs = events
        .iter()
        .map(|event| event.row.map_or(0, |row| row.seq));
    assert!(seqs.eq(1..=events.len() as u64), "numbers without a gap");
}
