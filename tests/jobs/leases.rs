//! Who runs a job, and what becomes of a run that does not end well.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use libtest_mimic::Trial;
use pat_core::event::EventKind;
use pat_core::notification::NotificationKind;
use pat_core::store::Job;
use pat_core::store::StoreError;
use pat_core::testing::TestDirectory;
use pat_core::{BoxError, JobRun, Owner, User, UserDirectory};
use pat_harness::{trial, until};
use pat_sqlx::sqlx::{self, AssertSqlSafe};
use tokio::sync::watch;

use super::{DAY, Node, database, folder, sqlite};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        trial(missed_occurrences_are_caught_up_once),
        trial(one_of_three_nodes_runs_each_occurrence),
        trial(a_paused_runner_has_no_effect),
        trial(a_run_that_failed_is_run_again),
        trial(a_run_interrupted_by_a_shutdown_is_resumed),
    ]
}

async fn missed_occurrences_are_caught_up_once() {
    let folder = folder();
    let node = Node::on(Arc::new(sqlite(&folder).await));
    assert_eq!(node.run(Job::Prune).await, JobRun::Done, "the first start");
    assert_eq!(node.run(Job::Prune).await, JobRun::NotDue);
    node.clock.advance(DAY * 3);
    assert_eq!(node.run(Job::Prune).await, JobRun::Done);
    assert_eq!(node.run(Job::Prune).await, JobRun::NotDue, "for all three");
    // The memory of it is in the database.
    let restarted = Node::on(Arc::new(sqlite(&folder).await));
    restarted.clock.advance(DAY * 3);
    assert_eq!(restarted.run(Job::Prune).await, JobRun::NotDue);
}

async fn one_of_three_nodes_runs_each_occurrence() {
    let folder = folder();
    let mut nodes = Vec::new();
    let users = TestDirectory::default();
    for _ in 0..3 {
        nodes.push(Node::with(
            Arc::new(sqlite(&folder).await),
            &users,
            Arc::new(users.clone()),
        ));
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
            node.pats.deliver_notifications().await.expect("a delivery");
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
        let of_kind = sent.iter().filter(|notification| notification.kind == kind);
        of_kind
            .map(|notification| notification.tokens.len())
            .sum::<usize>()
    };
    assert_eq!(told(NotificationKind::ExpiresSoon), 9);
    assert_eq!(told(NotificationKind::Expired), 9);
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

async fn a_paused_runner_has_no_effect() {
    let folder = folder();
    let users = TestDirectory::default();
    let held = SlowDirectory::new(users.clone());
    let paused = Node::with(
        Arc::new(sqlite(&folder).await),
        &users,
        Arc::new(held.clone()),
    );
    let other = Node::with(
        Arc::new(sqlite(&folder).await),
        &users,
        Arc::new(users.clone()),
    );
    let gone = paused.create("gone", 30).await;
    for user in ["alice", "bob"] {
        paused.create(user, 30).await;
    }
    users.remove(&gone.token.owner);
    // He is missing for the first time, and a day later the second.
    assert_eq!(other.run(Job::Prune).await, JobRun::Done);
    for node in [&paused, &other] {
        node.clock.advance(DAY + Duration::from_hours(1));
    }
    held.is_held.send_replace(true);
    let pats = paused.pats.clone();
    let run = tokio::spawn(async move { pats.run_if_due(Job::Prune).await });
    until("the paused node is in the middle", async || {
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

async fn a_run_that_failed_is_run_again() {
    let folder = folder();
    let node = Node::on(Arc::new(sqlite(&folder).await));
    node.create("alice", 6).await;
    node.clock.advance(DAY);
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
    node.pats.deliver_notifications().await.expect("a delivery");
    assert_eq!(node.sent_notifications(), [NotificationKind::ExpiresSoon]);
}

async fn a_run_interrupted_by_a_shutdown_is_resumed() {
    let folder = folder();
    let users = TestDirectory::default();
    let held = SlowDirectory::new(users.clone());
    let stopping = Node::with(
        Arc::new(sqlite(&folder).await),
        &users,
        Arc::new(held.clone()),
    );
    stopping.create("alice", 30).await;
    held.is_held.send_replace(true);
    let jobs = stopping.pats.start();
    until("the run is in the middle", async || *held.is_asked.borrow()).await;
    let (report, ()) = tokio::join!(jobs.shutdown(), async {
        tokio::task::yield_now().await;
        held.is_held.send_replace(false);
    });
    assert!(report.is_complete(), "{report:?}");
    let next = Node::with(
        Arc::new(sqlite(&folder).await),
        &users,
        Arc::new(users.clone()),
    );
    assert_eq!(
        next.run(Job::Prune).await,
        JobRun::Done,
        "not waiting for the lease to end"
    );
}
