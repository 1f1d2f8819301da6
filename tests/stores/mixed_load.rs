//! Ordinary load on a SQLite file, of users, an administrator who revokes many tokens at once, and the jobs.
//! Every call succeeds, and every poll. How long creations took is printed and not judged.
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
use pat_harness::node::sqlite_url;
use pat_harness::{timer_now, trial};
use pat_mail::{Composer, FileMailer};
use pat_servers::environment::number;
use pat_servers::rows;
use pat_sqlx::SqliteStore;
use pat_sqlx::sqlx::SqlitePool;
use pat_sqlx::sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use tokio::task::JoinSet;
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

    let stop = CancellationToken::new();
    let mut running = JoinSet::new();
    for number in 0..USERS {
        let user = Caller::header_authenticated(users.add(&format!("user {number}")));
        let (pats, stop) = (pats.clone(), stop.clone());
        running.spawn(async move { use_tokens(&pats, &user, &stop).await });
    }
    let (polling, stopped) = (pats.clone(), stop.clone());
    let polls = tokio::spawn(async move {
        let mut polls = Counts::default();
        while !stopped.is_cancelled() {
            polls.record(&polling.poll_changes().await);
            tokio::time::sleep(PAUSE * 5).await;
        }
        polls
    });
    // Half of each period without the administrator.
    let administrator = Caller::header_authenticated(users.add_administrator("root"));
    let (mut revocations, mut bulk) = (Vec::new(), Counts::default());
    let period = duration / u32::try_from(rounds).expect("few");
    for round in 0..rounds {
        tokio::time::sleep(period / 2).await;
        let begun = timer_now();
        let administration = pats.administration(&administrator).await;
        let administration = administration.expect("an administrator");
        let mut filter = Filter::default();
        let leavers = (round * owners..(round + 1) * owners).map(|group| format!("leaver-{group}"));
        let leavers = leavers.map(|leaver| leaver.parse().expect("an owner"));
        filter.owners = leavers.collect();
        let gone = administration
            .revoke_matching(&filter, revoked as u64, None)
            .await;
        bulk.record(&gone);
        revocations.push((begun, timer_now()));
        tokio::time::sleep_until(begun + period / 2).await;
    }
    stop.cancel();
    let mut calls = bulk;
    let mut creations = Vec::new();
    for (created, counts) in running.join_all().await {
        creations.extend(created);
        calls.add(&counts);
    }
    let polls = polls.await.expect("no panic");
    jobs.shutdown().await;
    let is_beside = |(begun, ended): &(Instant, Instant)| {
        let mut revocations = revocations.iter();
        revocations.any(|(first, last)| begun < last && first < ended)
    };
    let (beside, alone): (Vec<_>, Vec<_>) = creations.into_iter().partition(is_beside);
    let (alone, beside) = (Times::of(&alone), Times::of(&beside));
    let longest = revocations
        .iter()
        .map(|(begun, ended)| *ended - *begun)
        .max();
    println!(
        "{seconds} s: {calls}; polls: {polls}; creations: {alone}; beside {rounds} revocations of {revoked} \
         (the longest {:.1?}): {beside}; longest / p50 {:.0}",
        longest.unwrap_or_default(),
        beside.longest.as_secs_f64() / alone.half.as_secs_f64(),
    );
    assert_eq!((calls.failed, polls.failed), (0, 0));
    assert!(calls.all > USERS * 10 && polls.all > 10, "it was a load");
}

/// Returns a pool to fill the file with. What fills it need not outlive a power cut.
async fn filling_pool(folder: &Path) -> SqlitePool {
    let options: SqliteConnectOptions = sqlite_url(folder).parse().expect("a URL");
    let options = options.synchronous(SqliteSynchronous::Off);
    SqlitePool::connect_with(options).await.expect("a pool")
}

type Instant = tokio::time::Instant;
/// When a creation began, and when it had ended.
type Span = (Instant, Instant);

/// What a user does all the time.
async fn use_tokens(pats: &Pats, user: &Caller, stop: &CancellationToken) -> (Vec<Span>, Counts) {
    let (mut created, mut counts) = (Vec::new(), Counts::default());
    while !stop.is_cancelled() {
        let begun = timer_now();
        let creation = pats.create(user, TokenRequest::new("ci", Some(90))).await;
        created.push((begun, timer_now()));
        counts.record(&creation);
        if let Ok(token) = creation {
            for _ in 0..3 {
                counts.record(&pats.authenticate(token.plain.expose().as_bytes()).await);
            }
            counts.record(&pats.list(user).await);
            counts.record(&pats.revoke(user, token.token.id).await);
        }
        tokio::time::sleep(PAUSE).await;
    }
    (created, counts)
}

/// How many calls there were, and how many failed.
#[derive(Debug, Default)]
struct Counts {
    all: usize,
    failed: usize,
}

impl Counts {
    fn record<T, E: std::fmt::Debug>(&mut self, result: &Result<T, E>) {
        self.all += 1;
        if let Err(error) = result {
            self.failed += 1;
            println!("a call failed: {error:?}");
        }
    }

    fn add(&mut self, other: &Self) {
        self.all += other.all;
        self.failed += other.failed;
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {} failed", self.failed, self.all)
    }
}

/// How long creations took.
struct Times {
    count: usize,
    half: Duration,
    longest: Duration,
}

impl Times {
    fn of(spans: &[Span]) -> Self {
        let times = spans.iter().map(|(begun, ended)| *ended - *begun);
        let mut times: Vec<_> = times.collect();
        times.sort_unstable();
        let at = |index: usize| times.get(index).copied().unwrap_or_default();
        Self {
            count: times.len(),
            half: at(times.len() / 2),
            longest: at(times.len().saturating_sub(1)),
        }
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            count,
            half,
            longest,
        } = self;
        write!(f, "{count} × p50 {half:.1?} max {longest:.1?}")
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
