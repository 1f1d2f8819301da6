//! The SQLite store keeps every promise of the suites.

use std::sync::Arc;

use pat_core::testing::{audit, jobs, search, store};
use pat_sqlx::SqliteStore;

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_store_passes() {
    for case in [store::CASES, jobs::CASES, search::CASES, audit::CASES].concat() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = SqliteStore::open(folder.path().join("pat.db"))
            .await
            .expect("a new database");
        // The suite sets the time.
        case.run(Arc::new(store.dangerous_with_callers_clock()))
            .await;
    }
}
