//! Ordinary load on a SQLite file, of users, an administrator who revokes many tokens at once, and the jobs.
//! Every call succeeds, and every poll. For each minute, how long calls took and how much memory the process had is
//! printed and not judged.
//!
//! `PAT_TEST_SOAK_SECONDS=900` and `PAT_TEST_SOAK_REVOKED=10000` make it as much as on a large host, with
//! `PAT_TEST_SOAK_NOTICES=50000` notifications to deliver.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::Trial;
use pat_core::search::Filter;
use pat_core::testing::TestDirectory;
use pat_core::{Caller, Pats, Settings, TokenRequest};
use pat_harness::memory::resident_kib;
use pat_harness::node::sqlite_url;
use pat_harness::{timer_now, trial};
use pat_mail::{Composer, FileMailer};
use pat_servers::environment::number;
use pat_servers::rows;
use pat_sqlx::SqliteStore;
use pat_sqlx::sqlx::SqlitePool;
use pat_sqlx::sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(super) fn trials() -> Vec<Trial> {
    vec![
        trial(no_call_fails_under_mixed_load),
        trial(notifications_reach_a_folder),
    ]
}

/// How many users create, use, list and revoke tokens.
const USERS: usize = 8;
/// How long each of them pauses between two rounds.
const PAUSE: Duration = Duration::from_millis(100);
/// How many tokens each owner has whose tokens are revoked together.
const TOKENS_EACH: usize = 20;
/// What one group of owners is revoked in.
const PERIOD: Duration = Duration::from_mins(1);

async fn no_call_fails_under_mixed_load() {
    let seconds = number("PAT_TEST_SOAK_SECONDS", 20);
    let revoked: usize = number("PAT_TEST_SOAK_REVOKED", 2_000);
    let duration = Duration::from_secs(seconds);
    let folder = tempfile::tempdir().expect("a folder");
    let store = SqliteStore::open(folder.path().join("pat.db")).await;
    let store = store.expect("a store");
    let users = TestDirectory::default();
    let rounds = usize::try_from(seconds / PERIOD.as_secs())
        .expect("few")
        .max(1);
    let owners = revoked / TOKENS_EACH;
    let pool = filling_pool(folder.path()).await;
    for group in 0..rounds * owners {
        let owner = users.add(&format!("leaver-{group}"));
        let numbers = group * TOKENS_EACH..(group + 1) * TOKENS_EACH;
        rows::insert(&pool, numbers, owner.as_str(), None).await;
    }
    pool.close().await;
    let composer = Composer::builder("Example <pat@example.com>").build();
    let mailer = FileMailer::new(composer.expect("a composer"), folder.path().join("mails"));
    let pats = Pats::builder(Arc::new(store))
        .users(Arc::new(users.clone()))
        .notifier(Arc::new(mailer))
        .build();
    let jobs = pats.start();

    let start = timer_now();
    let stop = CancellationToken::new();
    let mut running = JoinSet::new();
    for number in 0..USERS {
        let user = Caller::header_authenticated(users.add(&format!("user {number}")));
        let (pats, stop) = (pats.clone(), stop.clone());
        running.spawn(async move { use_tokens(&pats, &user, &stop).await });
    }
    let (polling, stopped) = (pats.clone(), stop.clone());
    let polls = tokio::spawn(async move {
        let (mut polls, mut memory) = (Calls::default(), Vec::new());
        while !stopped.is_cancelled() {
            polls.time(polling.poll_changes()).await.ok();
            if memory.len() as u64 <= start.elapsed().as_secs() / PERIOD.as_secs() {
                memory.push(resident_kib());
            }
            tokio::time::sleep(PAUSE * 5).await;
        }
        (polls, memory)
    });
    // Half of each period without the administrator.
    let administrator = Caller::header_authenticated(users.add_administrator("root"));
    let mut revocations = Calls::default();
    let period = duration / u32::try_from(rounds).expect("few");
    for round in 0..rounds {
        tokio::time::sleep(period / 2).await;
        let half = timer_now() + period / 2;
        let administration = pats.administration(&administrator).await;
        let administration = administration.expect("an administrator");
        let mut filter = Filter::default();
        let leavers = (round * owners..(round + 1) * owners).map(|group| format!("leaver-{group}"));
        let leavers = leavers.map(|leaver| leaver.parse().expect("an owner"));
        filter.owners = leavers.collect();
        let revoking = administration.revoke_matching(&filter, revoked as u64, None);
        revocations.time(revoking).await.ok();
        tokio::time::sleep_until(half).await;
    }
    stop.cancel();
    let (mut calls, mut creations) = (Calls::default(), Calls::default());
    for (created, others) in running.join_all().await {
        creations.0.extend(created.0);
        calls.0.extend(others.0);
    }
    let (polls, memory) = polls.await.expect("no panic");
    jobs.shutdown().await;
    let is_beside = |call: &Call| {
        let mut revocations = revocations.0.iter();
        revocations.any(|other| call.begun < other.ended && other.begun < call.ended)
    };
    let (beside, alone) = creations.0.iter().partition(|call| is_beside(call));
    let (beside, alone) = (Calls(beside), Calls(alone));
    calls.0.extend(creations.0);
    for (minute, memory) in memory.iter().enumerate() {
        let number = u32::try_from(minute).expect("few");
        let span = start + PERIOD * number..start + PERIOD * (number + 1);
        let these = calls.0.iter().filter(|call| span.contains(&call.begun));
        let these = Calls(these.copied().collect());
        println!("minute {}: {these}; {memory} KiB of memory", minute + 1);
    }
    println!(
        "{seconds} s: polls: {polls}; creations: {alone}; beside {rounds} revocations of {revoked}: {beside}; \
         revocations: {revocations}; longest creation / p50 {:.0}",
        beside.part(100).as_secs_f64() / alone.part(50).as_secs_f64(),
    );
    let failed = [&calls, &polls, &revocations].map(Calls::failed);
    assert_eq!(failed, [0; 3], "calls, polls and revocations");
    assert!(
        calls.0.len() > USERS * 10 && polls.0.len() > 10,
        "it was a load"
    );
}

/// Returns a pool to fill the file with. What fills it need not outlive a power cut.
async fn filling_pool(folder: &Path) -> SqlitePool {
    let options: SqliteConnectOptions = sqlite_url(folder).parse().expect("a URL");
    let options = options.synchronous(SqliteSynchronous::Off);
    SqlitePool::connect_with(options).await.expect("a pool")
}

/// What a user does all the time: the creations, and the other calls.
async fn use_tokens(pats: &Pats, user: &Caller, stop: &CancellationToken) -> (Calls, Calls) {
    let (mut created, mut others) = (Calls::default(), Calls::default());
    while !stop.is_cancelled() {
        let creation = pats.create(user, TokenRequest::new("ci", Some(90)));
        if let Ok(token) = created.time(creation).await {
            for _ in 0..3 {
                let plain = token.plain.expose().as_bytes();
                others.time(pats.authenticate(plain)).await.ok();
            }
            others.time(pats.list(user)).await.ok();
            let revocation = pats.revoke(user, token.token.id);
            others.time(revocation).await.ok();
        }
        tokio::time::sleep(PAUSE).await;
    }
    (created, others)
}

#[derive(Clone, Copy)]
struct Call {
    begun: Instant,
    ended: Instant,
    failed: bool,
}

#[derive(Default)]
struct Calls(Vec<Call>);

impl Calls {
    async fn time<T, E: std::fmt::Debug>(
        &mut self,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let begun = timer_now();
        let result = call.await;
        if let Err(error) = &result {
            println!("a call failed: {error:?}");
        }
        self.0.push(Call {
            begun,
            ended: timer_now(),
            failed: result.is_err(),
        });
        result
    }

    fn failed(&self) -> usize {
        self.0.iter().filter(|call| call.failed).count()
    }

    /// The time that this percentage of the calls took at most.
    fn part(&self, percent: usize) -> Duration {
        let times = self.0.iter().map(|call| call.ended - call.begun);
        let mut times: Vec<_> = times.collect();
        times.sort_unstable();
        let index = (times.len() * percent / 100).min(times.len().saturating_sub(1));
        times.get(index).copied().unwrap_or_default()
    }
}

impl std::fmt::Display for Calls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [half, most, longest] = [50, 99, 100].map(|percent| self.part(percent));
        let (failed, all) = (self.failed(), self.0.len());
        write!(
            f,
            "{failed} of {all} failed, p50 {half:.1?} p99 {most:.1?} max {longest:.1?}"
        )
    }
}

async fn notifications_reach_a_folder() {
    let notices: usize = number("PAT_TEST_SOAK_NOTICES", 500);
    let folder = tempfile::tempdir().expect("a folder");
    let store = SqliteStore::open(folder.path().join("pat.db")).await;
    let users = TestDirectory::default();
    let pool = filling_pool(folder.path()).await;
    for number in 0..notices {
        let owner = users.add(&format!("leaver-{number}"));
        let next = number + 1;
        rows::insert(&pool, number..next, owner.as_str(), None).await;
    }
    pool.close().await;
    let mails = folder.path().join("mails");
    let composer = Composer::builder("Example <pat@example.com>").build();
    let mailer = FileMailer::new(composer.expect("a composer"), &mails);
    let settings = Settings::builder().auth_database_timeout_ms(60_000).build();
    let pats = Pats::builder(Arc::new(store.expect("a store")))
        .users(Arc::new(users.clone()))
        .settings(settings.expect("settings"))
        .notifier(Arc::new(mailer))
        .build();
    let administrator = Caller::header_authenticated(users.add_administrator("root"));
    let administration = pats.administration(&administrator).await;
    let administration = administration.expect("an administrator");
    let mut filter = Filter::default();
    filter.never_expires = Some(true);
    let begun = timer_now();
    let gone = administration
        .revoke_matching(&filter, notices as u64, None)
        .await;
    assert_eq!(gone.expect("a revocation"), notices as u64);
    let revoked_in = begun.elapsed();
    let begun = timer_now();
    let delivered = pats.deliver_notifications().await.expect("a delivery");
    let delivered_in = begun.elapsed();
    let files = std::fs::read_dir(&mails).expect("a folder").count();
    assert_eq!((delivered, files), (notices as u64, notices));
    println!(
        "{notices} tokens revoked in {revoked_in:.1?}, and their notifications written in \
         {delivered_in:.1?}: {:.0} a second",
        u32::try_from(notices).map_or(0.0, f64::from) / delivered_in.as_secs_f64()
    );
}
