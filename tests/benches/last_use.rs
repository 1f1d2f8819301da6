//! What it costs to write ten thousand last uses: in one batch, and one by one; in one run, so that
//! the ratio counts. On SQLite as the store opens it, with every commit synced to disk.
//!
//! `cargo bench -p pat-benches --bench last_use` prints the ratio at its end.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use criterion::Criterion;
use jiff::Timestamp;
use pat_core::store::TokenStore as _;
use pat_core::store::{LastUse, NewToken};
use pat_core::{Owner, TokenDigest, TokenId};
use pat_sqlx::SqliteStore;
use tokio::runtime::Runtime;

const TOKENS: i64 = 10_000;

fn main() {
    let runtime = Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = runtime.block_on(filled(&folder));
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(10))
        .configure_from_args();
    let mut group = criterion.benchmark_group("last use");
    // Each round is later than the one before, so that every row changes.
    let second = AtomicI64::new(1_800_000_000);
    let uses = || {
        let at = Timestamp::from_second(second.fetch_add(1, Ordering::Relaxed)).expect("a date");
        let uses = (0..TOKENS).map(|number| LastUse::new(id(number), at));
        uses.collect::<Vec<_>>()
    };
    group.bench_function(BATCH, |b| {
        b.iter(|| {
            let written = runtime.block_on(store.record_use(&uses()));
            written.expect("record_use");
        });
    });
    group.bench_function(ONE_BY_ONE, |b| {
        b.iter(|| {
            for last_use in uses() {
                let written = store.record_use(std::slice::from_ref(&last_use));
                runtime.block_on(written).expect("record_use");
            }
        });
    });
    group.finish();
    criterion.final_summary();
    let [batch, one_by_one] = [BATCH, ONE_BY_ONE].map(median);
    if let (Some(batch), Some(one_by_one)) = (batch, one_by_one) {
        println!(
            "\n{TOKENS} last uses: {:.0} ms in one batch, {:.0} ms one by one, ratio {:.0}",
            batch / 1e6,
            one_by_one / 1e6,
            one_by_one / batch
        );
    }
}

const BATCH: &str = "one batch";
const ONE_BY_ONE: &str = "one by one";

fn median(name: &str) -> Option<f64> {
    pat_benches::median("last use", name)
}

fn id(number: i64) -> TokenId {
    TokenId::new(number).expect("an id")
}

async fn filled(folder: &tempfile::TempDir) -> SqliteStore {
    let store = SqliteStore::open(folder.path().join("pat.db")).await;
    let store = store.expect("a database");
    for number in 0..TOKENS {
        let mut token = NewToken::new(
            id(number),
            TokenDigest::of(&number.to_le_bytes()),
            Owner::new(format!("user{number}")).expect("an owner"),
            "ci",
            Timestamp::UNIX_EPOCH,
        );
        token.max_rows = 10_000;
        store.insert(&token, 1).await.expect("insert");
    }
    store
}
