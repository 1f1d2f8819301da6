//! How long a large import takes.

use std::sync::Arc;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use pat_core::{ImportRow, Owner, Pats, TokenDigest};
use pat_sqlx::SqliteStore;

const ROWS: u64 = 100_000;

/// Run with `--ignored --nocapture`; `--release` for a figure.
#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::disallowed_methods, reason = "a benchmark takes the time")]
#[ignore = "takes minutes in a debug build"]
async fn a_hundred_thousand_tokens_are_imported_into_sqlite() {
    let now = Timestamp::now();
    let midnight: Timestamp = "2024-02-29T00:00:00Z".parse().expect("a time");
    let spread = |number: i64| now - SignedDuration::from_secs(number * 600);
    // A table with the day of creation alone has many tokens of one time.
    for (name, created_at) in [("spread over years", None), ("one day", Some(midnight))] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = SqliteStore::open(folder.path().join("pat.db")).await;
        let pats = Pats::builder(Arc::new(store.expect("a new database"))).build();
        let rows: Vec<_> = (0_i64..)
            .zip(0..ROWS)
            .map(|(number, key)| {
                let digest = TokenDigest::of(&key.to_le_bytes());
                let owner = Owner::new((key % 20_000).to_string()).expect("an owner");
                let created_at = created_at.unwrap_or_else(|| spread(number));
                let mut row = ImportRow::new(digest, owner, format!("key {key}"), created_at);
                row.last_used_at = (key % 3 > 0).then_some(now);
                row
            })
            .collect();
        let started = Instant::now();
        let imported = pats.import(rows.clone()).await.expect("import");
        println!("{ROWS} rows, {name}: {:?}", started.elapsed());
        assert_eq!((imported.stored, imported.refused), (ROWS, Vec::new()));
        let started = Instant::now();
        let again = pats.import(rows).await.expect("import");
        println!("{ROWS} rows, {name}, again: {:?}", started.elapsed());
        assert_eq!((again.skipped, again.tokens), (ROWS, imported.tokens));
    }
}
