//! Pruning, expiry checks and notifications: on one node and on several, in time that a test moves.

pub(crate) mod audit;
mod bulk_notices;
mod deletion;
mod delivery;
mod expiry;
mod last_use;
mod leaps;
mod leases;
mod metrics;
mod prune;
mod unused;

use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::Trial;
use pat_core::notification::NotificationKind;
use pat_core::settings::SettingsBuilder;
use pat_core::store::Job;
use pat_core::store::TokenStore;
use pat_core::testing::{RecordingNotifier, RecordingSink, TestClock, TestDirectory};
use pat_core::{Caller, CreatedToken, JobRun, Pats, Settings, TokenRequest, UserDirectory};
use pat_harness::node::{sent_kinds, sqlite_url};
use pat_sqlx::SqliteStore;
use pat_sqlx::sqlx::SqlitePool;

pub(crate) fn trials() -> Vec<Trial> {
    let trials = [
        leaps::trials(),
        expiry::trials(),
        leases::trials(),
        prune::trials(),
        unused::trials(),
        deletion::trials(),
        delivery::trials(),
        last_use::trials(),
        metrics::trials(),
        audit::trials(),
        bulk_notices::trials(),
    ];
    trials.into_iter().flatten().collect()
}

const DAY: Duration = Duration::from_hours(24);

/// A service on a database that may have others, with all that stands around it.
struct Node {
    pats: Pats,
    clock: Arc<TestClock>,
    users: TestDirectory,
    mailer: RecordingNotifier,
    events: RecordingSink,
}

impl Node {
    fn on(store: Arc<dyn TokenStore>) -> Self {
        let users = TestDirectory::default();
        Self::with(store, &users, Arc::new(users.clone()))
    }

    /// With these values of properties.
    fn set(store: Arc<dyn TokenStore>, values: &[(&str, &str)]) -> Self {
        let users = TestDirectory::default();
        Self::build(store, &users, Arc::new(users.clone()), values)
    }

    /// With a directory that is asked instead of `users`.
    fn with(
        store: Arc<dyn TokenStore>,
        users: &TestDirectory,
        asked: Arc<dyn UserDirectory>,
    ) -> Self {
        Self::build(store, users, asked, &[])
    }

    fn build(
        store: Arc<dyn TokenStore>,
        users: &TestDirectory,
        asked: Arc<dyn UserDirectory>,
        values: &[(&str, &str)],
    ) -> Self {
        let (clock, mailer) = (Arc::new(TestClock::default()), RecordingNotifier::default());
        let events = RecordingSink::default();
        let settings = values.iter().try_fold(
            Settings::builder().max_tokens_per_user(1_000_000),
            |builder, (name, value)| builder.set(name, value),
        );
        let settings = settings.and_then(|builder| builder.set("pat.time.zone", "UTC"));
        let pats = Pats::builder(store)
            .settings(settings.and_then(SettingsBuilder::build).expect("settings"))
            .users(asked)
            .notifier(Arc::new(mailer.clone()))
            .events(Arc::new(events.clone()))
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
        let caller = Caller::header_authenticated(self.users.add(user));
        let request = TokenRequest::new("ci", Some(days));
        self.pats.create(&caller, request).await.expect("a token")
    }

    async fn run(&self, job: Job) -> JobRun {
        self.pats.run_if_due(job).await.expect("a job")
    }

    async fn check_and_deliver(&self) {
        self.run(Job::ExpiryCheck).await;
        self.pats.deliver_notifications().await.expect("a delivery");
    }

    fn sent_notifications(&self) -> Vec<NotificationKind> {
        sent_kinds(&self.mailer)
    }
}

async fn sqlite(folder: &tempfile::TempDir) -> SqliteStore {
    let store = SqliteStore::open(folder.path().join("pat.db")).await;
    store.expect("a database")
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// The database itself.
async fn database(folder: &tempfile::TempDir) -> SqlitePool {
    let url = sqlite_url(folder.path());
    let pool = SqlitePool::connect(&url).await;
    pool.expect("the database")
}
