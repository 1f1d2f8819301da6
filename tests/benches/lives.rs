//! What the life of a token adds in the stores: rotations in a long line of replaced tokens, and look-ups with the
//! setting `pat.owner.max.absence.days`.
//!
//! `cargo bench -p pat-benches --bench lives` writes a Markdown table into `benchmarks`, or into the folder that
//! `PAT_BENCH_OUTPUT` names. The servers are found or started as for the tests, and one that is started here syncs
//! every commit; a kind that is missing is left out.

use std::fmt::Write as _;
use std::time::Duration;

use pat_core::{Caller, Owner, Pats, RotationRequest, Settings, TokenId};
use pat_servers::rows::{digest, insert};
use pat_servers::{InEarnest, Kind, stop_servers};
use pat_sqlx::sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use pat_sqlx::sqlx::{MySqlPool, PgPool, Pool, QueryBuilder};
use pat_sqlx::{AnyStore, Dialect};
use tokio::runtime::Runtime;
use tokio::time::Instant;

/// How many tokens are looked up, and how often in a turn.
const TOKENS: usize = 10_000;
const LOOKUPS: usize = 2_000;
/// How many tokens the lines have, and how many rotations of each make a turn.
const LINES: [usize; 2] = [2, 5_000];
const ROTATIONS: usize = 50;
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
    let mut measured = vec![on_sqlite().await];
    for kind in [Kind::Postgres, Kind::MariaDb] {
        measured.extend(on_server(kind).await);
    }
    let mut table = format!(
        "# What the life of a token adds\n\n\
         {}, by `cargo bench -p pat-benches --bench lives`; medians of {TURNS} turns, one task alone. Every commit \
         is synced to disk.\n\n\
         | database | rotation in a line of {} | of {} | ÷ | look-up | with `pat.owner.max.absence.days` | ÷ |\n\
         |---|---:|---:|---:|---:|---:|---:|\n",
        pat_benches::surroundings(&before),
        LINES[0],
        LINES[1],
    );
    for Measured {
        name,
        rotation,
        lookup,
    } in &measured
    {
        writeln!(
            table,
            "| {name} | {:.0} µs | {:.0} µs | {:.2} | {:.0} µs | {:.0} µs | {:.2} |",
            rotation[0],
            rotation[1],
            rotation[1] / rotation[0],
            lookup[0],
            lookup[1],
            lookup[1] / lookup[0],
        )
        .expect("a string takes it");
    }
    print!("{table}");
    pat_benches::write("lives.md", &table);
}

/// Microseconds for one: in the short line and in the long one; without the setting and with it.
struct Measured {
    name: String,
    rotation: [f64; 2],
    lookup: [f64; 2],
}

async fn on_sqlite() -> Measured {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("pat.db");
    let store = open(&format!("sqlite:{}", path.display())).await;
    let options = SqliteConnectOptions::new().filename(&path);
    let pool = SqlitePoolOptions::new().max_connections(1);
    let pool = pool.connect_with(options).await.expect("a pool");
    let measured = measure("SQLite", &store, &pool).await;
    store.close().await;
    measured
}

async fn on_server(kind: Kind) -> Option<Measured> {
    let server = InEarnest::create(kind).await?;
    let (name, url) = (server.name, &server.database.url);
    let store = open(url).await;
    let measured = match kind {
        Kind::Postgres => {
            let pool = PgPool::connect(url).await.expect("a pool");
            measure(name, &store, &pool).await
        }
        Kind::MariaDb => {
            let pool = MySqlPool::connect(url).await.expect("a pool");
            measure(name, &store, &pool).await
        }
    };
    store.close().await;
    server.delete().await;
    Some(measured)
}

async fn open(url: &str) -> AnyStore {
    pat_sqlx::connect(url).await.expect("a database")
}

async fn measure<DB: Dialect>(name: &str, store: &AnyStore, pool: &Pool<DB>) -> Measured {
    insert(pool, 0..TOKENS, "somebody", None).await;
    let settings = Settings::builder().max_tokens_per_user(1_000_000).build();
    let pats = Pats::builder(store.tokens());
    let pats = pats.settings(settings.expect("settings")).build();
    let mut lines = Lines {
        pool,
        pats,
        filled: TOKENS,
    };
    let long = Owner::new("long").expect("an owner");
    let mut of_long = lines.fill(&long, LINES[1]).await;
    let (mut rotation, mut lookup) = ([vec![], vec![]], [vec![], vec![]]);
    for turn in 0..=TURNS {
        // A new one for each turn, so that it stays short.
        let short = Owner::new(format!("short {turn}")).expect("an owner");
        let mut of_short = lines.fill(&short, LINES[0]).await;
        rotation[0].push(lines.rotate(&short, &mut of_short).await);
        rotation[1].push(lines.rotate(&long, &mut of_long).await);
        for (reads_owner, took) in [false, true].into_iter().zip(&mut lookup) {
            took.push(look_up(store, turn, reads_owner).await);
        }
    }
    // The first turn opens the connections.
    let middle = |mut turns: Vec<f64>| {
        turns.remove(0);
        pat_benches::middle(turns)
    };
    Measured {
        name: name.to_owned(),
        rotation: rotation.map(middle),
        lookup: lookup.map(middle),
    }
}

struct Lines<'a, DB: Dialect> {
    pool: &'a Pool<DB>,
    pats: Pats,
    /// How many tokens there are.
    filled: usize,
}

impl<DB: Dialect> Lines<'_, DB> {
    /// Adds a line of so many tokens, all but the last replaced and ended; returns the ID of the last.
    async fn fill(&mut self, owner: &Owner, tokens: usize) -> TokenId {
        let numbers = self.filled..self.filled + tokens;
        self.filled = numbers.end;
        let (first, last) = (numbers.start + 1, numbers.end);
        insert(self.pool, numbers, owner.as_str(), None).await;
        let mut connection = self.pool.acquire().await.expect("a connection");
        for sql in [
            format!(
                "UPDATE pat_token SET line_id = {first}, line_seq = id - {first} \
                 WHERE id BETWEEN {first} AND {last}"
            ),
            format!(
                "UPDATE pat_token SET replaced_at = created_at, expires_at = created_at + 1, expiry_notice = 4 \
                 WHERE id BETWEEN {first} AND {last} - 1"
            ),
        ] {
            let updated = DB::execute(QueryBuilder::new(sql), false, &mut connection).await;
            updated.expect("rows");
        }
        TokenId::new(last.try_into().expect("a number")).expect("an ID")
    }

    /// Replaces the last token of a line so many times; returns the microseconds for each.
    #[expect(clippy::disallowed_methods, reason = "a benchmark takes the time")]
    async fn rotate(&self, owner: &Owner, last: &mut TokenId) -> f64 {
        let caller = Caller::header_authenticated(owner.clone());
        let begun = Instant::now();
        for _ in 0..ROTATIONS {
            let request = RotationRequest::default().with_overlap(Duration::ZERO);
            let rotated = self.pats.rotate(&caller, *last, request).await;
            *last = rotated.expect("a successor").token.id;
        }
        micros(begun, ROTATIONS)
    }
}

/// Looks tokens up that are there, and when their owner was seen if `reads_owner`.
#[expect(clippy::disallowed_methods, reason = "a benchmark takes the time")]
async fn look_up(store: &AnyStore, turn: usize, reads_owner: bool) -> f64 {
    let tokens = store.tokens();
    let begun = Instant::now();
    for number in 0..LOOKUPS {
        let digest = digest((turn * LOOKUPS + number) * 7_919 % TOKENS);
        let found = tokens.find_by_digest(&digest).await.expect("an answer");
        let owner = found.token.expect("a token").owner;
        if reads_owner {
            let seen = tokens.owner_seen_at(&owner).await.expect("an answer");
            assert_eq!(seen, None);
        }
    }
    micros(begun, LOOKUPS)
}

fn micros(begun: Instant, count: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "they are few")]
    let count = count as f64;
    begun.elapsed().as_secs_f64() * 1e6 / count
}
