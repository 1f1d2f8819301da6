//! Authentication beside the work of administrators: the pruning of many old tokens, a walk over a
//! long list, a revocation of many. Every token is judged rightly and in time meanwhile.
//!
//! `PAT_TEST_PRUNE_ROWS=1000000`, `PAT_TEST_LIST_ROWS=50000` and `PAT_TEST_REVOKE_ROWS=10000` make it
//! as much as on a large host. How long authentication took is printed and not judged.

use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::Trial;
use pat_core::search::{DateRange, Filter, RevokedTokens, Search, Sort, SortKey, Start};
use pat_core::store::Job;
use pat_core::store::TokenStore;
use pat_core::testing::TestDirectory;
use pat_core::{
    Caller, Clock as _, JobRun, Owner, Pats, PlainToken, Settings, SystemClock, TokenRequest,
};
use pat_harness::database::{AnyDatabase, trials_on_all};
use pat_harness::timer_now;
use pat_servers::environment::number;
use pat_servers::{Kind, rows};
use pat_sqlx::sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use pat_sqlx::sqlx::{MySqlPool, PgPool, Pool, SqlitePool};
use pat_sqlx::{AnyStore, Dialect};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How many tokens are presented.
const PRESENTED: usize = 50;
/// How long authentication is watched without any other work.
const IDLE: Duration = Duration::from_secs(1);

pub(crate) fn trials() -> Vec<Trial> {
    trials_on_all(authentication_is_not_starved).into()
}

async fn authentication_is_not_starved(database: AnyDatabase) {
    let (name, url) = (database.name(), database.url());
    let store = open(&url).await;
    match &database {
        AnyDatabase::Sqlite(_) => {
            // What fills it need not outlive a power cut.
            let options: SqliteConnectOptions = url.parse().expect("a URL");
            let options = options.synchronous(SqliteSynchronous::Off);
            let pool = SqlitePool::connect_with(options).await.expect("a pool");
            beside_administrators(name, &store, &pool).await;
        }
        AnyDatabase::Server(server) if server.kind == Kind::Postgres => {
            let pool = PgPool::connect(&url).await.expect("a pool");
            beside_administrators(name, &store, &pool).await;
        }
        AnyDatabase::Server(_) => {
            let pool = MySqlPool::connect(&url).await.expect("a pool");
            beside_administrators(name, &store, &pool).await;
        }
    }
}

async fn open(url: &str) -> AnyStore {
    pat_sqlx::connect(url).await.expect("a database")
}

async fn beside_administrators<DB: Dialect>(name: &str, store: &AnyStore, pool: &Pool<DB>) {
    let old = number("PAT_TEST_PRUNE_ROWS", 10_000);
    let listed = number("PAT_TEST_LIST_ROWS", 5_000);
    let revoked = number("PAT_TEST_REVOKE_ROWS", 1_000);
    let long_ago = SystemClock.wall() - Duration::from_hours(24 * 365);
    let all = old + listed + revoked;
    rows::insert(pool, 0..old, "old", Some(long_ago)).await;
    rows::insert(pool, old..old + listed, "listed", None).await;
    rows::insert(pool, old + listed..all, "revoked", None).await;

    let clients = Clients::of(store.tokens()).await;
    let (idle, ()) = clients.beside(tokio::time::sleep(IDLE)).await;
    println!("{name}: idle: {idle}");

    let watched = store.tokens();
    let (times, (took, seen)) = clients
        .beside(async {
            let begun = timer_now();
            let stop = CancellationToken::new();
            let watch = tokio::spawn(watch_old(watched, stop.clone(), pause(old)));
            let run = clients.cached.run_if_due(Job::Prune).await;
            assert_eq!(run.expect("a job"), JobRun::Done);
            stop.cancel();
            (begun.elapsed(), watch.await.expect("no panic"))
        })
        .await;
    println!("{name}: {old} old tokens pruned in {took:.1?}: {times}");
    // None of the steps that were seen is less than one batch.
    let smallest = seen.windows(2).map(|pair| pair[0] - pair[1]).min();
    let smallest = smallest.expect("the watch saw some of it");
    assert!(
        smallest <= old as u64 / 10,
        "{name}: {smallest} at a time: {seen:?}"
    );
    assert_eq!(
        count_old(&*store.tokens()).await,
        0,
        "{name}: old ones left"
    );
    let young = count(&*store.tokens(), &Filter::default()).await;
    assert_eq!(young, (listed + revoked + PRESENTED) as u64, "{name}");

    let administrator = Caller::header_authenticated(clients.users.add_administrator("admin"));
    let administration = clients.cached.administration(&administrator).await;
    let administration = administration.expect("an administrator");
    let mut leavers = Filter::default();
    leavers.owners = vec!["revoked".parse().expect("an owner")];
    let (times, (walked, gone)) = clients
        .beside(async {
            let revoke = administration.revoke_matching(&leavers, revoked as u64, None);
            let (walked, gone) = tokio::join!(walk(&administration, "listed"), revoke);
            (walked, gone.expect("a revocation"))
        })
        .await;
    println!("{name}: {walked} tokens listed and {gone} revoked: {times}");
    assert_eq!((walked, gone), (listed, revoked as u64), "{name}");
    assert_eq!(count(&*store.tokens(), &leavers).await, 0, "{name}");
    drop(clients);
    store.close().await;
}

/// Looks at every token of an owner, page by page; returns how many there are.
async fn walk(administration: &pat_core::Administration<'_>, owner: &str) -> usize {
    let mut filter = Filter::default();
    filter.owners = vec![owner.parse().expect("an owner")];
    let mut search = Search::new(
        filter,
        Sort {
            key: SortKey::Name,
            is_descending: false,
        },
        Start::Offset(0),
        500,
    );
    let mut walked = 0;
    loop {
        let page = administration.search(&search).await.expect("a page");
        walked += page.tokens.len();
        match page.next {
            Some(next) => search.start = Start::After(next),
            None => return walked,
        }
    }
}

/// How often to look how many tokens are left: often enough to see single batches of a few, and
/// seldom enough not to be a burden of its own among many.
fn pause(old: usize) -> Duration {
    Duration::from_millis(old as u64 / 4_000)
}

/// How many old tokens are there: every number seen, until it is told to stop.
async fn watch_old(
    store: Arc<dyn TokenStore>,
    stop: CancellationToken,
    pause: Duration,
) -> Vec<u64> {
    let mut seen = vec![];
    while !stop.is_cancelled() {
        seen.push(count_old(&*store).await);
        tokio::time::sleep(pause).await;
    }
    seen.dedup();
    seen
}

async fn count_old(store: &dyn TokenStore) -> u64 {
    let mut old = Filter::default();
    old.expires = DateRange {
        from: None,
        to: Some(SystemClock.wall()),
    };
    old.revoked = RevokedTokens::Included;
    count(store, &old).await
}

async fn count(store: &dyn TokenStore, filter: &Filter) -> u64 {
    let searched = store.search_store().expect("it can be searched");
    searched.count(filter).await.expect("a count")
}

/// Those who present tokens.
struct Clients {
    /// A node that knows the tokens.
    cached: Pats,
    /// Another one, which asks the database each time.
    uncached: Pats,
    users: TestDirectory,
    tokens: Arc<Vec<(Owner, PlainToken)>>,
}

impl Clients {
    async fn of(store: Arc<dyn TokenStore>) -> Self {
        let users = TestDirectory::default();
        for owner in ["old", "listed", "revoked"] {
            users.add(owner);
        }
        let [cached, uncached] = ["60", "0"].map(|minutes| {
            let settings = Settings::builder()
                .set("atlassian.pats.auth.cache.expiry.mins", minutes)
                .expect("a property");
            let builder = Pats::builder(store.clone()).users(Arc::new(users.clone()));
            let settings = settings.build().expect("settings");
            builder.settings(settings).build()
        });
        let mut tokens = vec![];
        for number in 0..PRESENTED {
            let owner = users.add(&format!("user {number}"));
            let request = TokenRequest::new("ci", Some(90));
            let caller = Caller::header_authenticated(owner.clone());
            let created = cached.create(&caller, request).await;
            tokens.push((owner, created.expect("a token").plain));
        }
        Self {
            cached,
            uncached,
            users,
            tokens: Arc::new(tokens),
        }
    }

    /// Presents tokens for as long as this work takes.
    async fn beside<T>(&self, work: impl Future<Output = T>) -> (Times, T) {
        let stop = CancellationToken::new();
        let mut running = JoinSet::new();
        for (is_cached, pats) in [
            (true, &self.cached),
            (false, &self.uncached),
            (false, &self.uncached),
        ] {
            let (pats, tokens) = (pats.clone(), self.tokens.clone());
            let stop = stop.clone();
            running.spawn(async move { (is_cached, present(&pats, &tokens, &stop).await) });
        }
        // What a node's own jobs do twice a second, so that it may trust its cache.
        let (polling, stopped) = (self.cached.clone(), stop.clone());
        let polls = tokio::spawn(async move {
            while !stopped.is_cancelled() {
                // A report may have to wait for the writer of a SQLite file longer than a poll does.
                // Then the next one makes up for it, as long as the answers are right.
                drop(polling.poll_changes().await);
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        });
        let done = work.await;
        stop.cancel();
        polls.await.expect("no panic");
        let mut times = Times::default();
        for (is_cached, taken) in running.join_all().await {
            let times = if is_cached {
                &mut times.cached
            } else {
                &mut times.uncached
            };
            times.extend(taken);
        }
        (times, done)
    }
}

/// Presents these tokens in turn, until it is told to stop; returns how long each answer took. Every
/// one has to be right.
async fn present(
    pats: &Pats,
    tokens: &[(Owner, PlainToken)],
    stop: &CancellationToken,
) -> Vec<Duration> {
    let mut times = vec![];
    for (owner, token) in tokens.iter().cycle() {
        if stop.is_cancelled() {
            break;
        }
        let begun = timer_now();
        let verdict = pats.authenticate(token.expose().as_bytes()).await;
        times.push(begun.elapsed());
        let principal = verdict.expect("a good token, and an answer in time");
        assert_eq!(principal.owner(), owner);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    times
}

/// How long authentication took.
#[derive(Default)]
struct Times {
    cached: Vec<Duration>,
    uncached: Vec<Duration>,
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (what, times) in [("cached", &self.cached), (", uncached", &self.uncached)] {
            let mut times = times.clone();
            times.sort_unstable();
            let (count, last) = (times.len(), times.last().copied().unwrap_or_default());
            let part = |percent| {
                times
                    .get(count * percent / 100)
                    .copied()
                    .unwrap_or_default()
            };
            let (half, most) = (part(50), part(99));
            write!(
                f,
                "{what} {count} × p50 {half:.1?} p99 {most:.1?} max {last:.1?}"
            )?;
        }
        Ok(())
    }
}
