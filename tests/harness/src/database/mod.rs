//! Tests on database servers.

mod any;
mod pooler;

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use libtest_mimic::Trial;
use pat_servers::{Database, Kind, missing};

pub use self::any::AnyDatabase;
pub use self::pooler::Pooler;
use crate::names::{name_of, name_on};
use crate::trial::{named_trial, named_trial_with_need};

/// The kinds of servers.
pub const SERVERS: [Kind; 2] = [Kind::Postgres, Kind::MariaDb];

/// A test on each kind of database; see [`AnyDatabase`].
pub fn trials_on_all<F>(test: impl Fn(AnyDatabase) -> F + Clone + Send + 'static) -> [Trial; 3]
where
    F: Future<Output = ()>,
{
    named_trials_on_all(&name_of(&test), test)
}

/// The same for one of several cases of a function.
pub fn named_trials_on_all<F>(
    name: &str,
    test: impl Fn(AnyDatabase) -> F + Clone + Send + 'static,
) -> [Trial; 3]
where
    F: Future<Output = ()>,
{
    let on_server = test.clone();
    let [postgres, mariadb] = named_trials_on_servers(name, move |database| {
        on_server(AnyDatabase::Server(database))
    });
    let sqlite = named_trial(format!("{name}::on_sqlite"), move || async move {
        let folder = tempfile::tempdir().expect("a temporary folder");
        test(AnyDatabase::Sqlite(folder)).await;
    });
    [postgres, mariadb, sqlite]
}

/// A test on each kind of server; see [`trial_on`].
pub fn trials_on_servers<F>(test: impl Fn(Database) -> F + Clone + Send + 'static) -> [Trial; 2]
where
    F: Future<Output = ()>,
{
    named_trials_on_servers(&name_of(&test), test)
}

/// The same for one of several cases of a function.
pub fn named_trials_on_servers<F>(
    name: &str,
    test: impl Fn(Database) -> F + Clone + Send + 'static,
) -> [Trial; 2]
where
    F: Future<Output = ()>,
{
    SERVERS.map(|kind| named_trial_on(kind, name, test.clone()))
}

/// A test on a server, with a database of its own.
pub fn trial_on<F>(kind: Kind, test: impl FnOnce(Database) -> F + Send + 'static) -> Trial
where
    F: Future<Output = ()>,
{
    named_trial_on(kind, &name_of(&test), test)
}

fn named_trial_on<F>(
    kind: Kind,
    name: &str,
    test: impl FnOnce(Database) -> F + Send + 'static,
) -> Trial
where
    F: Future<Output = ()>,
{
    let name = format!("{name}::on_{}", kind.need());
    let missing = missing(kind);
    named_trial_with_need(name, kind.need(), missing.as_deref(), move || async move {
        with_database(Database::create(kind).await, test).await;
    })
}

/// A test on a SQLite file alone, which it makes itself.
pub fn trial_on_sqlite<F>(test: impl FnOnce() -> F + Send + 'static) -> Trial
where
    F: Future<Output = ()>,
{
    named_trial(name_on(&test, "sqlite"), test)
}

/// A test that may stop the server: it has one of its own where one can be started on this machine,
/// and otherwise a database on the server of all. `name` is without the server's.
pub fn named_trial_alone<F>(
    kind: Kind,
    name: &str,
    test: impl FnOnce(Database) -> F + Send + 'static,
) -> Trial
where
    F: Future<Output = ()>,
{
    let name = format!("{name}::on_own_{}", kind.need());
    let missing = missing(kind);
    named_trial_with_need(name, kind.need(), missing.as_deref(), move || async move {
        match Database::create_alone(kind, &[]) {
            Some(database) => test(database).await,
            None => with_database(Database::create(kind).await, test).await,
        }
    })
}

/// A test that stops the server: it has one of its own, and is ignored where none can be started.
pub fn trial_that_stops<F>(kind: Kind, test: impl FnOnce(Database) -> F + Send + 'static) -> Trial
where
    F: Future<Output = ()>,
{
    named_trial_that_stops(kind, &name_of(&test), test)
}

/// The same for one of several cases of a function.
pub fn named_trial_that_stops<F>(
    kind: Kind,
    name: &str,
    test: impl FnOnce(Database) -> F + Send + 'static,
) -> Trial
where
    F: Future<Output = ()>,
{
    let name = format!("{name}::on_own_{}", kind.need());
    named_trial_with_need(name, kind.need(), kind.missing_here(), move || async move {
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
