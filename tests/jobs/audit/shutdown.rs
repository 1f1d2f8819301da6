//! A shutdown ends in twenty seconds, whatever does not answer.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use libtest_mimic::Trial;
use pat_core::event::{Event, EventSink};
use pat_core::notification::{Notification, Notifier, NotifyError};
use pat_core::store::TokenStore;
use pat_core::testing::TestDirectory;
use pat_core::{BoxError, Caller, MemoryStore, Pats, PatsBuilder, Settings, TokenRequest};
use pat_harness::database::trials_on_servers;
use pat_harness::node::alice;
use pat_harness::{trial, until};
use pat_servers::{Database, Kind};
use pat_sqlx::sqlx::{self, AssertSqlSafe, Connection as _, Executor as _};
use tokio::sync::watch;
use tokio::time::timeout;

pub(super) fn trials() -> Vec<Trial> {
    let mut trials = vec![trial(a_shutdown_ends_in_time_though_mailers_and_sinks_hang)];
    trials.extend(trials_on_servers(
        a_shutdown_ends_in_time_though_the_events_are_locked,
    ));
    trials
}

const LIMIT: Duration = Duration::from_secs(20);

/// Takes for ever. Says how often it was asked.
#[derive(Debug, Clone, Default)]
struct Hanging(Arc<watch::Sender<usize>>);

impl Hanging {
    async fn hang<T>(&self) -> T {
        self.0.send_modify(|count| *count += 1);
        std::future::pending().await
    }

    fn asked(&self) -> usize {
        *self.0.borrow()
    }
}

#[async_trait]
impl EventSink for Hanging {
    async fn record(&self, _: &Event) -> Result<(), BoxError> {
        self.hang().await
    }
}

/// The same, as a shared sink.
#[derive(Debug)]
struct Shared(Hanging);

#[async_trait]
impl EventSink for Shared {
    fn name(&self) -> Option<&str> {
        Some("hanging")
    }

    async fn record(&self, event: &Event) -> Result<(), BoxError> {
        self.0.record(event).await
    }
}

#[async_trait]
impl Notifier for Hanging {
    fn name(&self) -> &'static str {
        "hanging"
    }

    async fn send(&self, _: &Notification) -> Result<(), NotifyError> {
        self.hang().await
    }
}

fn builder(store: Arc<dyn TokenStore>, users: &TestDirectory) -> PatsBuilder {
    let settings = Settings::builder().notice_created(true).build();
    Pats::builder(store)
        .users(Arc::new(users.clone()))
        .settings(settings.expect("settings"))
}

async fn create(pats: &Pats, caller: &Caller) -> Result<(), BoxError> {
    let request = TokenRequest::new("ci", Some(90));
    Ok(pats.create(caller, request).await.map(drop)?)
}

async fn a_shutdown_ends_in_time_though_mailers_and_sinks_hang() {
    let users = TestDirectory::default();
    users.add("alice");
    let (sink, shared, mailer) = (Hanging::default(), Hanging::default(), Hanging::default());
    let pats = builder(Arc::new(MemoryStore::default()), &users)
        .events(Arc::new(sink.clone()))
        .events(Arc::new(Shared(shared.clone())))
        .notifier(Arc::new(mailer.clone()))
        .build();
    let jobs = pats.start();
    for _ in 0..10 {
        create(&pats, &alice()).await.expect("a token");
    }
    until("all of them hang", async || {
        [&sink, &shared, &mailer]
            .iter()
            .all(|hanging| hanging.asked() > 0)
    })
    .await;
    // The delivery of the next notification waits for it.
    users.set_silent(true);
    let report = timeout(LIMIT, jobs.shutdown()).await.expect("an end");
    // Events for the shared sink stay in the store.
    assert_eq!(report.cancelled_jobs, ["notice-delivery"], "{report:?}");
    assert!(report.undelivered_events > 0, "{report:?}");
    assert!(
        !report.lost_last_uses && !report.is_complete(),
        "{report:?}"
    );
    assert!(
        sink.asked() > 1,
        "each event had its time: {}",
        sink.asked()
    );
}

/// Holds the table of events until it is dropped.
async fn a_shutdown_ends_in_time_though_the_events_are_locked(database: Database) {
    let store = pat_sqlx::connect(&database.url).await.expect("a store");
    let users = TestDirectory::default();
    let owner = users.add("alice");
    let pats = builder(store.tokens(), &users).build();
    create(&pats, &Caller::header_authenticated(owner))
        .await
        .expect("a token");
    let jobs = pats.start();
    match database.kind {
        Kind::Postgres => {
            let mut other = sqlx::PgConnection::connect(&database.url).await;
            let other = other.as_mut().expect("a connection");
            lock::<sqlx::Postgres>(
                other,
                "BEGIN; LOCK TABLE pat_event IN ACCESS EXCLUSIVE MODE",
            )
            .await;
            blocked(&pats, jobs).await;
        }
        Kind::MariaDb => {
            let mut other = sqlx::MySqlConnection::connect(&database.url).await;
            let other = other.as_mut().expect("a connection");
            lock::<sqlx::MySql>(other, "LOCK TABLES pat_event WRITE").await;
            blocked(&pats, jobs).await;
        }
    }
}

async fn lock<DB: sqlx::Database>(connection: &mut DB::Connection, sql: &'static str)
where
    for<'c> &'c mut DB::Connection: sqlx::Executor<'c, Database = DB>,
{
    let locked = connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await;
    locked.expect("a lock");
}

async fn blocked(pats: &Pats, jobs: pat_core::Jobs) {
    // A refusal to be stored, and a change that has to wait.
    assert!(pats.authenticate(b"junk").await.is_err());
    let waiting = {
        let pats = pats.clone();
        tokio::spawn(async move { create(&pats, &alice()).await.is_ok() })
    };
    let report = timeout(LIMIT, jobs.shutdown()).await.expect("an end");
    assert!(report.undelivered_events > 0, "{report:?}");
    waiting.abort();
}
