//! What the stores take on databases of several sizes: looking tokens up by their digest, creating
//! and revoking them.
//!
//! `cargo bench -p pat-benches --bench database` writes a Markdown table into `benchmarks`, or
//! into the folder that `PAT_BENCH_OUTPUT` names. `PAT_BENCH_SQLITE_ROWS` and `PAT_BENCH_SERVER_ROWS`
//! say how many tokens there are; `10000,1000000` unless set. The servers are found or started as for
//! the tests, and one that is started here syncs every commit; a kind that is missing is left out.

use std::fmt::Write as _;
use std::sync::Arc;

use pat_core::store::TokenStore;
use pat_core::{Caller, Owner, Pats, Settings, TokenDigest, TokenId, TokenRequest};
use pat_servers::rows::{digest, insert, pool_to_fill};
use pat_servers::{InEarnest, Kind, stop_servers};
use pat_sqlx::sqlx::{MySqlPool, PgPool, Pool, QueryBuilder};
use pat_sqlx::{AnyStore, Dialect};
use tokio::runtime::Runtime;
use tokio::time::Instant;

/// How many tasks ask at once, where it is not one alone.
const TASKS: usize = 32;
/// How many look-ups, creations and revocations one task makes in a turn; 32 tasks make some times
/// as many.
const LOOKUPS: usize = 2_000;
const CHANGES: usize = 200;
/// How many turns count.
const TURNS: usize = 7;

fn main() {
    // Asked for by `cargo test --benches`, which only wants to see that it builds.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let runtime = Runtime::new().expect("a runtime");
    runtime.block_on(compare());
    stop_servers();
}

async fn compare() {
    let before = pat_benches::load();
    let mut measured = on_sqlite().await;
    for kind in [Kind::Postgres, Kind::MariaDb] {
        measured.extend(on_server(kind).await);
    }
    let mut table = format!(
        "# In the database\n\n\
         {}, by `cargo bench -p pat-benches --bench database`; medians of {TURNS} turns. \
         Every commit is synced to disk.\n\n\
         | database | tokens | look-up, one task alone | ÷ first | of {TASKS} tasks at once, each | \
         ÷ first |\n|---|---:|---:|---:|---:|---:|\n",
        pat_benches::surroundings(&before)
    );
    for row in &measured {
        let first = measured.iter().find(|first| first.name == row.name);
        let first = first.expect("this one, if no other");
        writeln!(
            table,
            "| {} | {} | {:.0} µs | {:.2} | {:.0} µs | {:.2} |",
            row.name,
            row.tokens,
            row.lookup[0],
            row.lookup[0] / first.lookup[0],
            row.lookup[1],
            row.lookup[1] / first.lookup[1],
        )
        .expect("a string takes it");
    }
    write!(
        table,
        "\n| database | tokens | creations a second, one task alone | of {TASKS} tasks at once | \
         revocations a second, one task alone | of {TASKS} tasks at once |\n\
         |---|---:|---:|---:|---:|---:|\n"
    )
    .expect("a string takes it");
    for row in &measured {
        let rates = [row.creation, row.revocation].concat();
        let rates: Vec<_> = rates
            .iter()
            .map(|took| format!("{:.0}", 1e6 / took))
            .collect();
        writeln!(
            table,
            "| {} | {} | {} |",
            row.name,
            row.tokens,
            rates.join(" | ")
        )
        .expect("a string takes it");
    }
    print!("{table}");
    pat_benches::write("database.md", &table);
}

/// Microseconds for one each: by one task alone, and by many at once.
type Micros = [f64; 2];

struct Measured {
    name: String,
    tokens: usize,
    lookup: Micros,
    creation: Micros,
    revocation: Micros,
}

async fn on_sqlite() -> Vec<Measured> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("pat.db");
    let store = open(&format!("sqlite:{}", path.display())).await;
    let pool = pool_to_fill(&path).await;
    // With a sync of all that filled it, or the first commits would wait for that.
    let settle = "PRAGMA synchronous = FULL; PRAGMA wal_checkpoint(TRUNCATE); \
         PRAGMA synchronous = OFF";
    let sizes = sizes("PAT_BENCH_SQLITE_ROWS");
    let measured = measure("SQLite", &store, &pool, settle, &sizes).await;
    store.close().await;
    measured
}

async fn on_server(kind: Kind) -> Vec<Measured> {
    let Some(server) = InEarnest::create(kind).await else {
        return vec![];
    };
    let (name, url) = (server.name, &server.database.url);
    let store = open(url).await;
    let sizes = sizes("PAT_BENCH_SERVER_ROWS");
    let measured = match kind {
        Kind::Postgres => {
            let pool = PgPool::connect(url).await.expect("a pool");
            let settle = "VACUUM ANALYZE pat_token, pat_last_used";
            measure(name, &store, &pool, settle, &sizes).await
        }
        Kind::MariaDb => {
            let pool = MySqlPool::connect(url).await.expect("a pool");
            let settle = "ANALYZE TABLE pat_token, pat_last_used";
            measure(name, &store, &pool, settle, &sizes).await
        }
    };
    store.close().await;
    server.delete().await;
    measured
}

async fn open(url: &str) -> AnyStore {
    pat_sqlx::connect(url).await.expect("a database")
}

fn sizes(variable: &str) -> Vec<usize> {
    let sizes = std::env::var(variable).unwrap_or_else(|_| "10000,1000000".into());
    let sizes = sizes.split(',');
    sizes
        .map(|size| size.parse().expect("numbers of tokens"))
        .collect()
}

/// Fills the database up to each of these sizes, and measures there.
#[expect(clippy::disallowed_methods, reason = "a benchmark takes the time")]
async fn measure<DB: Dialect>(
    name: &str,
    store: &AnyStore,
    pool: &Pool<DB>,
    settle: &str,
    sizes: &[usize],
) -> Vec<Measured> {
    let mut measured = vec![];
    let mut filled = 0;
    for tokens in sizes.iter().copied() {
        let begun = Instant::now();
        insert(pool, filled..tokens, "somebody", None).await;
        let mut connection = pool.acquire().await.expect("a connection");
        let settled = DB::fetch(QueryBuilder::new(settle), &mut connection).await;
        settled.expect("its end");
        filled = tokens;
        println!("{name}: {tokens} tokens, filled in {:.1?}", begun.elapsed());
        let pats = pats(store);
        let mut lookup = [0.0; 2];
        let (mut creation, mut revocation) = (lookup, lookup);
        for (place, tasks) in [1, TASKS].into_iter().enumerate() {
            lookup[place] = look_up(&store.tokens(), tokens, tasks).await;
            [creation[place], revocation[place]] = change(&pats, tasks).await;
        }
        measured.push(Measured {
            name: name.to_owned(),
            tokens,
            lookup,
            creation,
            revocation,
        });
    }
    measured
}

/// A number below `end` that looks chosen at random, another for each seed.
fn at_random(seed: usize, end: usize) -> usize {
    let digest = TokenDigest::of(format!("seed {seed}").as_bytes());
    let (first, _) = digest.as_bytes().split_first_chunk().expect("bytes");
    usize::from_le_bytes(*first) % end
}

/// Looks tokens up that are there.
async fn look_up(store: &Arc<dyn TokenStore>, tokens: usize, tasks: usize) -> f64 {
    let each = share(LOOKUPS, tasks);
    let mut turns = vec![];
    for turn in 0..=TURNS {
        let took = timed(tasks, each, |task| {
            let store = store.clone();
            async move {
                for number in 0..each {
                    let seed = (turn * tasks + task) * each + number;
                    let digest = digest(at_random(seed, tokens));
                    let found = store.find_by_digest(&digest).await;
                    found.expect("an answer").token.expect("a token");
                }
            }
        });
        turns.push(took.await);
    }
    // The first turn opens the connections.
    turns.remove(0);
    pat_benches::middle(turns)
}

/// Creates tokens and revokes them.
async fn change(pats: &Pats, tasks: usize) -> [f64; 2] {
    let each = share(CHANGES, tasks);
    let mut turns = [vec![], vec![]];
    for _ in 0..TURNS {
        let (send, created) = std::sync::mpsc::channel();
        let took = timed(tasks, each, |task| {
            let (pats, caller, send) = (pats.clone(), caller(task), send.clone());
            async move {
                for _ in 0..each {
                    let request = TokenRequest::new("ci", Some(90));
                    let created = pats.create(&caller, request).await.expect("a token");
                    send.send((task, created.token.id)).expect("a receiver");
                }
            }
        });
        turns[0].push(took.await);
        drop(send);
        let mut ids: Vec<Vec<TokenId>> = vec![vec![]; tasks];
        for (task, id) in created {
            ids[task].push(id);
        }
        let took = timed(tasks, each, |task| {
            let (pats, caller, ids) = (pats.clone(), caller(task), std::mem::take(&mut ids[task]));
            async move {
                for id in ids {
                    pats.revoke(&caller, id).await.expect("a revocation");
                }
            }
        });
        turns[1].push(took.await);
    }
    turns.map(pat_benches::middle)
}

/// What each of many tasks does, of that which one alone does: in all four times as much.
fn share(alone: usize, tasks: usize) -> usize {
    if tasks == 1 { alone } else { 4 * alone / tasks }
}

/// Microseconds for each of `each` things that every task does.
#[expect(clippy::disallowed_methods, reason = "a benchmark takes the time")]
async fn timed<F>(tasks: usize, each: usize, mut work: impl FnMut(usize) -> F) -> f64
where
    F: Future<Output = ()> + Send + 'static,
{
    let begun = Instant::now();
    let running: Vec<_> = (0..tasks).map(|task| tokio::spawn(work(task))).collect();
    for task in running {
        task.await.expect("no panic");
    }
    #[expect(clippy::cast_precision_loss, reason = "they are few")]
    let count = (tasks * each) as f64;
    begun.elapsed().as_secs_f64() * 1e6 / count
}

fn caller(task: usize) -> Caller {
    Caller::header_authenticated(Owner::new(format!("creator {task}")).expect("an owner"))
}

fn pats(store: &AnyStore) -> Pats {
    let settings = Settings::builder().max_tokens_per_user(1_000_000).build();
    let builder = Pats::builder(store.tokens());
    builder.settings(settings.expect("settings")).build()
}
