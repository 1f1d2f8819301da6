//! Large revocations on SQLite: how their time grows with the number of tokens, how long the creations of others
//! wait meanwhile, and how many notifications a second are then written into a folder.
//!
//! `cargo bench -p pat-benches --bench bulk` writes a Markdown table into `benchmarks`, or into the folder that
//! `PAT_BENCH_OUTPUT` names.

use std::fmt::Write as _;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use pat_core::search::Filter;
use pat_core::testing::TestDirectory;
use pat_core::{Caller, Clock as _, Pats, Settings, SystemClock, TokenRequest};
use pat_mail::{Composer, FileMailer};
use pat_servers::rows::insert;
use pat_sqlx::SqliteStore;
use pat_sqlx::sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous};
use tokio::runtime::Runtime;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How many tokens are revoked at once: first so many, which never expire, and then so many, which do.
const REVOKED: [usize; 2] = [10_000, 100_000];
const TOKENS_EACH: usize = 2;
/// For how long tokens are created before the first revocation.
const ALONE: Duration = Duration::from_secs(5);
/// The pause between two creations.
const PAUSE: Duration = Duration::from_millis(2);

fn main() {
    // Asked for by `cargo test --benches`, which only wants to see that it builds.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    Runtime::new().expect("a runtime").block_on(measure());
}

#[expect(clippy::disallowed_methods, reason = "a benchmark takes the time")]
async fn measure() {
    let before = pat_benches::load();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let users = TestDirectory::default();
    let pats = pats(folder.path(), &users).await;
    let end = SystemClock.wall() + Duration::from_hours(24 * 365);
    let [few, many] = REVOKED;
    fill(folder.path(), &users, 0..few, None).await;
    fill(folder.path(), &users, few..few + many, Some(end)).await;

    let root = Caller::header_authenticated(users.add_administrator("root"));
    let alone = create_while(&pats, &users, tokio::time::sleep(ALONE))
        .await
        .1;
    let alone = pat_benches::middle(alone);
    let mut table = format!(
        "# Large revocations on SQLite\n\n\
         {}, by `cargo bench -p pat-benches --bench bulk`. Every commit is synced to disk. A creation alone \
         takes {alone:.0} µs (p50).\n\n\
         | tokens revoked at once | in | ÷ first | longest creation meanwhile ÷ p50 alone |\n|---:|---:|---:|---:|\n",
        pat_benches::surroundings(&before)
    );
    let mut first = None;
    for (count, never_expires) in REVOKED.into_iter().zip([true, false]) {
        let administration = pats.administration(&root).await.expect("an administrator");
        let mut filter = Filter::default();
        filter.never_expires = Some(never_expires);
        // And not those that are created meanwhile, which expire too.
        filter.name = "token ".into();
        let revoking = async {
            let begun = Instant::now();
            let revoked = administration
                .revoke_matching(&filter, count as u64, None)
                .await;
            assert_eq!(revoked.expect("a revocation"), count as u64);
            begun.elapsed().as_secs_f64()
        };
        let (took, creations) = create_while(&pats, &users, revoking).await;
        let longest = creations.into_iter().fold(0.0, f64::max);
        writeln!(
            table,
            "| {count} | {took:.2} s | {:.1} | {:.0} |",
            took / *first.get_or_insert(took),
            longest / alone
        )
        .expect("a string takes it");
    }
    let begun = Instant::now();
    let sent = pats.deliver_notifications().await.expect("a delivery");
    let took = begun.elapsed();
    let rate = u32::try_from(sent).map_or(0.0, f64::from) / took.as_secs_f64();
    writeln!(
        table,
        "\nAfter them, {sent} notifications were written into a folder: {rate:.0} a second, each file synced to disk."
    )
    .expect("a string takes it");
    print!("{table}");
    pat_benches::write("bulk.md", &table);
}

/// Creates tokens, one after the other, while `work` lasts; returns what that returns, and the microseconds of each
/// creation.
#[expect(clippy::disallowed_methods, reason = "a benchmark takes the time")]
async fn create_while<T>(
    pats: &Pats,
    users: &TestDirectory,
    work: impl Future<Output = T>,
) -> (T, Vec<f64>) {
    let stop = CancellationToken::new();
    let creator = Caller::header_authenticated(users.add("creator"));
    let (pats, stopped) = (pats.clone(), stop.clone());
    let creating = tokio::spawn(async move {
        let mut times = vec![];
        while !stopped.is_cancelled() {
            let begun = Instant::now();
            let created = pats
                .create(&creator, TokenRequest::new("ci", Some(90)))
                .await;
            times.push(begun.elapsed().as_secs_f64() * 1e6);
            created.expect("a token");
            tokio::time::sleep(PAUSE).await;
        }
        times
    });
    let done = work.await;
    stop.cancel();
    (done, creating.await.expect("no panic"))
}

async fn pats(folder: &Path, users: &TestDirectory) -> Pats {
    let store = SqliteStore::open(folder.join("pat.db"))
        .await
        .expect("a database");
    let composer = Composer::builder("Example <pat@example.com>").build();
    let mailer = FileMailer::new(composer.expect("a composer"), folder.join("mails"));
    let settings = Settings::builder()
        .max_tokens_per_user(1_000_000)
        .auth_database_timeout_ms(60_000);
    Pats::builder(Arc::new(store))
        .users(Arc::new(users.clone()))
        .settings(settings.build().expect("settings"))
        .notifier(Arc::new(mailer))
        .build()
}

/// Adds tokens with these numbers, of owners who have some each.
async fn fill(
    folder: &Path,
    users: &TestDirectory,
    numbers: Range<usize>,
    expires_at: Option<Timestamp>,
) {
    // What fills it need not outlive a power cut.
    let options = SqliteConnectOptions::new()
        .filename(folder.join("pat.db"))
        .synchronous(SqliteSynchronous::Off);
    let pool = SqlitePoolOptions::new().max_connections(1);
    let pool = pool.connect_with(options).await.expect("a pool");
    for first in numbers.step_by(TOKENS_EACH) {
        let owner = users.add(&format!("leaver-{first}"));
        insert(
            &pool,
            first..first + TOKENS_EACH,
            owner.as_str(),
            expires_at,
        )
        .await;
    }
    pool.close().await;
}
