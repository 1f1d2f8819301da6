//! How much a database reads for us: as much as a call touches, however much there is. Counted, since
//! times say little.

pub(crate) mod calls;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use libtest_mimic::Trial;
use pat_core::search::{Filter, Search, Sort, Start};
use pat_core::store::{Job, SearchStore as _};
use pat_core::{Caller, Family, JobRun, Owner, Pats, TokenRequest};
use pat_harness::database::{trial_on, trial_on_sqlite};
use pat_servers::filters::all_orders;
use pat_servers::{Database, Kind};
use pat_sqlx::sqlx::pool::PoolOptions;
use pat_sqlx::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use pat_sqlx::sqlx::{MySql, Pool, Sqlite, query_as, query_scalar};
use pat_sqlx::{Dialect, SqlxStore, prepare_connection};

use crate::stores::search::fill;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = calls::trials();
    trials.extend([
        trial_on_sqlite(a_write_to_a_file_reads_only_the_rows_it_touches),
        // These count what they read too. (PostgreSQL's statistics come late.)
        trial_on(Kind::MariaDb, a_write_reads_only_the_rows_it_touches),
        trial_on(Kind::MariaDb, a_page_reads_few_rows),
    ]);
    trials
}

/// How many tokens there are, once and then again.
const TOKENS: [usize; 2] = [1_500, 15_000];

async fn a_write_to_a_file_reads_only_the_rows_it_touches() {
    let mut costs = Vec::new();
    for count in TOKENS {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let options = SqliteConnectOptions::new()
            .filename(folder.path().join("pat.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal);
        let (pool, steps) = counting_pool();
        let pool = pool.connect_with(options).await.expect("a pool");
        let steps = async || steps.load(Ordering::Relaxed);
        costs.push(costs_among(&pool, count, steps).await);
    }
    assert_alike(&costs);
}

/// Returns a pool of one connection, and how many instructions of its virtual machine SQLite has run for it.
fn counting_pool() -> (PoolOptions<Sqlite>, Arc<AtomicU64>) {
    let steps = Arc::new(AtomicU64::new(0));
    let counted = steps.clone();
    let options = PoolOptions::<Sqlite>::new()
        .max_connections(1)
        .after_connect(move |connection, _| {
            let steps = counted.clone();
            Box::pin(async move {
                prepare_connection(connection).await?;
                let mut handle = connection.lock_handle().await?;
                handle.set_progress_handler(10, move || {
                    steps.fetch_add(10, Ordering::Relaxed);
                    true
                });
                Ok(())
            })
        });
    (options, steps)
}

async fn a_write_reads_only_the_rows_it_touches(database: Database) {
    let mut costs = Vec::new();
    let other = database.create_beside("more").await;
    for (count, database) in TOKENS.into_iter().zip([&database, &other]) {
        let pool = PoolOptions::<MySql>::new().max_connections(1);
        let pool = pool.connect(&database.url).await.expect("a pool");
        let cost = costs_among(&pool, count, async || rows_read(&pool).await);
        costs.push(cost.await);
    }
    other.delete().await;
    assert_alike(&costs);
}

/// What each of these costs among so many tokens: a creation and a revocation, those of a child with
/// its parent, and the pruning of a token. Nearly none has a parent or is revoked, and the database
/// knows that.
async fn costs_among<DB: Dialect>(
    pool: &Pool<DB>,
    count: usize,
    spent: impl AsyncFn() -> u64,
) -> [(&'static str, u64); 3] {
    const TIMES: u64 = 20;
    let store = SqlxStore::new(pool.clone(), pool.clone());
    store.migrate().await.expect("our migrations");
    fill(pool, count).await;
    let pats = Pats::builder(Arc::new(store.clone())).build();
    let caller = Caller::cookie_authenticated(Owner::new("somebody else").expect("an owner"));
    let create = async |caller: &Caller| {
        let request = TokenRequest::new("Token", None);
        pats.create(caller, request).await.expect("a token")
    };

    let begun = spent().await;
    for _ in 0..TIMES {
        let token = create(&caller).await.token;
        pats.revoke(&caller, token.id).await.expect("a revocation");
    }
    let alone = spent().await;
    for _ in 0..TIMES {
        let parent = create(&caller).await;
        let user = pats
            .authenticate(parent.plain.expose().as_bytes())
            .await
            .expect("a user");
        create(&Caller::with_token(user)).await;
        pats.revoke_with(&caller, parent.token.id, Family::Included)
            .await
            .expect("a revocation");
    }
    let families = spent().await;
    let pruned = count / 7 - count / 35;
    assert_eq!(
        pats.run_if_due(Job::Prune).await.expect("a run"),
        JobRun::Done
    );
    let end = spent().await;
    store.close().await;
    [
        ("a creation and a revocation", (alone - begun) / TIMES),
        ("the same of a family", (families - alone) / TIMES),
        ("the pruning of a token", (end - families) / pruned as u64),
    ]
}

/// What is counted is twice as much at most among ten times as many.
fn assert_alike(costs: &[[(&str, u64); 3]]) {
    println!("{costs:?}");
    let [few, many] = costs else {
        panic!("there are not two")
    };
    for ((what, among_few), (_, among_many)) in few.iter().zip(many) {
        assert!(
            *among_many <= 2 * among_few,
            "{what}: {among_few} grew to {among_many}"
        );
    }
}

/// How many rows the server has read for the only connection of this pool.
async fn rows_read(pool: &Pool<MySql>) -> u64 {
    let counts = "SHOW STATUS LIKE 'Handler\\_read\\_%'";
    let counts = query_as::<_, (String, String)>(counts)
        .fetch_all(pool)
        .await;
    let counts = counts.expect("counts").into_iter();
    counts
        .map(|(_, count)| count.parse::<u64>().expect("a number"))
        .sum()
}

/// However many tokens there are, in whichever order, and also where a page ends among equals: most
/// tokens were never used, and a fifth never expires.
async fn a_page_reads_few_rows(database: Database) {
    const TOKENS: usize = 20_000;
    const USED: u32 = 20_000 / 11;
    const LIMIT: u32 = 100;
    // All on one connection, whose reads the server counts.
    let pool = PoolOptions::<MySql>::new().max_connections(1);
    let pool = pool.connect(&database.url).await.expect("a pool");
    let store = SqlxStore::new(pool.clone(), pool.clone());
    store.migrate().await.expect("our migrations");
    fill(&pool, TOKENS).await;
    let reads = async || rows_read(&pool).await;
    let version: String = query_scalar("SELECT VERSION()")
        .fetch_one(&pool)
        .await
        .expect("a version");
    for (key, is_descending) in all_orders() {
        let sort = Sort { key, is_descending };
        let page = async |start, limit| {
            let search = Search::new(Filter::default(), sort, start, limit);
            store.search(&search).await.expect("search")
        };
        // Somewhat before the last of those that were used.
        let place = page(Start::Offset(USED - 50), 1).await;
        let place = sort.position_of(&place[0]);
        let (after, before) = (Start::After(place.clone()), Start::Before(place));
        for start in [Start::Offset(0), Start::Offset(LIMIT), after, before] {
            let before = reads().await;
            let found = page(start.clone(), LIMIT).await;
            let read = reads().await - before;
            assert_eq!(found.len(), LIMIT as usize);
            // MySQL sorts tokens with equal values when it reads backward.
            let is_sorted = matches!(start, Start::Before(_)) && !version.contains("MariaDB");
            let equal = if is_sorted { 2_000 } else { 0 };
            // Each with its last use, and those before it, and once more where a page ends.
            assert!(
                read < 15 * u64::from(LIMIT) + equal,
                "{read} for {sort:?}, {start:?}"
            );
        }
    }
    store.close().await;
}
