//! Searches, counts, the start of a node and jobs among a million tokens, on every database, each beside
//! something simpler of the same run: only ratios are printed, but for the start.
//!
//! `cargo bench -p pat-benches --bench scale` writes Markdown tables into `benchmarks`, or into the folder that
//! `PAT_BENCH_OUTPUT` names. `PAT_BENCH_TOKENS` says how many tokens there are, of a twentieth as many owners;
//! 1000000 unless set. `PAT_BENCH_DATABASES=sqlite,postgres` measures on these alone. The servers are found or
//! started as for the tests, and one that is started here syncs every commit; a kind that is missing is left out.

mod jobs;
mod node;
mod searches;

use std::fmt::Write as _;

use pat_core::{Clock as _, SystemClock};
use pat_servers::environment::number;
use pat_servers::many::fill;
use pat_servers::rows::pool_to_fill;
use pat_servers::{InEarnest, Kind, stop_servers};
use pat_sqlx::sqlx::{MySqlPool, PgPool, Pool};
use pat_sqlx::{AnyStore, Dialect};
use tokio::runtime::Runtime;
use tokio::time::Instant;

fn main() {
    // Asked for by `cargo test --benches`, which only wants to see that it builds.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    node::count_queries();
    Runtime::new().expect("a runtime").block_on(measure_all());
    stop_servers();
}

async fn measure_all() {
    let tokens = number("PAT_BENCH_TOKENS", 1_000_000);
    let databases = std::env::var("PAT_BENCH_DATABASES");
    let databases = databases.unwrap_or_else(|_| "sqlite,postgres,mariadb".into());
    let mut tables = String::new();
    for database in databases.split(',') {
        let measured = match database {
            "sqlite" => Some(on_sqlite(tokens).await),
            "postgres" => on_server(Kind::Postgres, tokens).await,
            "mariadb" => on_server(Kind::MariaDb, tokens).await,
            other => panic!("there is no database {other}"),
        };
        tables.extend(measured);
    }
    let text = format!(
        "# Among {tokens} tokens\n\n\
         By `cargo bench -p pat-benches --bench scale`. Bold figures miss what is wanted.\n{tables}"
    );
    print!("{text}");
    pat_benches::write("scale.md", &text);
}

async fn on_sqlite(tokens: usize) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("pat.db");
    let url = format!("sqlite:{}", path.display());
    let store = open(&url).await;
    let pool = pool_to_fill(&path).await;
    let measured = measure("SQLite", &store, &pool, &url, tokens).await;
    store.close().await;
    measured
}

async fn on_server(kind: Kind, tokens: usize) -> Option<String> {
    let server = InEarnest::create(kind).await?;
    let (name, url) = (server.name, server.url_over_tcp());
    let store = open(&url).await;
    let measured = match kind {
        Kind::Postgres => {
            let pool = PgPool::connect(&url).await.expect("a pool");
            measure(name, &store, &pool, &url, tokens).await
        }
        Kind::MariaDb => {
            let pool = MySqlPool::connect(&url).await.expect("a pool");
            measure(name, &store, &pool, &url, tokens).await
        }
    };
    store.close().await;
    server.delete().await;
    Some(measured)
}

async fn open(url: &str) -> AnyStore {
    pat_sqlx::connect(url).await.expect("a database")
}

/// Measures on an empty database, and returns the section about it. What changes tokens comes last.
#[expect(clippy::disallowed_methods, reason = "a benchmark takes the time")]
async fn measure<DB: Dialect>(
    name: &str,
    store: &AnyStore,
    pool: &Pool<DB>,
    url: &str,
    tokens: usize,
) -> String {
    let before = pat_benches::load();
    let now = SystemClock.wall();
    let begun = Instant::now();
    fill(pool, tokens, now).await;
    println!("{name}: filled in {:.0?}", begun.elapsed());
    let store = store.tokens();
    let mut rows = Rows::default();
    let pages = searches::measure(store.search_store().expect("searches"), pool, now).await;
    searches::lists(&*store, &mut rows).await;
    searches::texts(url, now, &mut rows).await;
    node::measure(&*store, url, now, &mut rows).await;
    jobs::measure(store.jobs().expect("jobs"), now, &mut rows).await;
    format!(
        "\n## {name}\n\n{}.\n\n{pages}\n| | wanted | measured |\n|---|---:|---:|\n{}",
        pat_benches::surroundings(&before),
        rows.0
    )
}

/// What is wanted of a figure.
#[derive(Debug, Clone, Copy)]
enum Wanted {
    AtMost(f64),
    AtLeast(f64),
}

/// Rows of a table: what was measured, what is wanted, and the figure.
#[derive(Default)]
struct Rows(String);

impl Rows {
    fn add(&mut self, what: &str, wanted: Wanted, measured: f64) {
        let sign = match wanted {
            Wanted::AtMost(bound) => format!("≤ {bound}"),
            Wanted::AtLeast(bound) => format!("≥ {bound}"),
        };
        println!("{what}: {measured:.2}, {sign}");
        let measured = judged(wanted, measured);
        writeln!(self.0, "| {what} | {sign} | {measured} |").expect("a string takes it");
    }
}

/// A figure, in bold if it is not what is wanted.
fn judged(wanted: Wanted, measured: f64) -> String {
    let is_met = match wanted {
        Wanted::AtMost(bound) => measured <= bound,
        Wanted::AtLeast(bound) => measured >= bound,
    };
    let digits = if measured < 10.0 { 2 } else { 0 };
    let bold = if is_met { "" } else { "**" };
    format!("{bold}{measured:.digits$}{bold}")
}

/// The seconds of the shortest of some calls, which other work of the machine lengthens least, and the last answer:
/// as many calls as fit into a twentieth of a second, but at least three, or one that takes a second.
#[expect(clippy::disallowed_methods, reason = "a benchmark takes the time")]
async fn seconds<T>(call: impl AsyncFn() -> T) -> (f64, T) {
    let mut shortest = f64::INFINITY;
    let begun = Instant::now();
    for calls in 1.. {
        let before = Instant::now();
        let answer = call().await;
        shortest = shortest.min(before.elapsed().as_secs_f64());
        let enough = if calls < 3 { 1.0 } else { 0.05 };
        if begun.elapsed().as_secs_f64() > enough {
            return (shortest, answer);
        }
    }
    unreachable!("it returns")
}
