//! Tests on database servers.

mod pooler;

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use libtest_mimic::Trial;
use pat_tests::servers::missing;
pub(crate) use pat_tests::servers::{Database, Kind, start_standby, stop_servers};

pub(crate) use self::pooler::Pooler;
use super::trial_with_need;

/// A test on each kind of server; see [`trial_on`].
pub(crate) fn trials_on_servers<F>(
    name: &str,
    test: impl Fn(Database) -> F + Clone + Send + 'static,
) -> [Trial; 2]
where
    F: Future<Output = ()>,
{
    [Kind::Postgres, Kind::MariaDb].map(|kind| trial_on(kind, name, test.clone()))
}

/// A test on a server, with a database of its own; `name` without the name of the module, which is
/// `stores`.
pub(crate) fn trial_on<F>(
    kind: Kind,
    name: &str,
    test: impl FnOnce(Database) -> F + Send + 'static,
) -> Trial
where
    F: Future<Output = ()>,
{
    let name = format!("stores::{}::{name}", kind.need());
    let missing = missing(kind);
    trial_with_need(&name, kind.need(), missing.as_deref(), move || async move {
        with_database(Database::create(kind).await, test).await;
    })
}

/// A test that may stop the server: it has one of its own where one can be started on this machine,
/// and otherwise a database on the server of all.
pub(crate) fn trial_alone<F>(
    kind: Kind,
    name: &str,
    test: impl FnOnce(Database) -> F + Send + 'static,
) -> Trial
where
    F: Future<Output = ()>,
{
    let missing = missing(kind);
    trial_with_need(name, kind.need(), missing.as_deref(), move || async move {
        match Database::create_alone(kind, &[]) {
            Some(database) => test(database).await,
            None => with_database(Database::create(kind).await, test).await,
        }
    })
}

/// A test that stops the server: it has one of its own, and is ignored where none can be started.
pub(crate) fn trial_that_stops<F>(
    kind: Kind,
    name: &str,
    test: impl FnOnce(Database) -> F + Send + 'static,
) -> Trial
where
    F: Future<Output = ()>,
{
    trial_with_need(name, kind.need(), kind.missing_here(), move || async move {
        test(Database::create_alone(kind, &[]).expect("a server")).await;
    })
}

async fn with_database<F>(database: Database, test: impl FnOnce(Database) -> F)
where
    F: Future<Output = ()>,
{
    let kept = database.clone();
    let result = AssertUnwindSafe(test(database)).catch_unwind().await;
    kept.delete().await;
    if let Err(panic) = result {
        std::panic::resume_unwind(panic);
    }
}
