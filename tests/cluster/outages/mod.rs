//! A database that does not answer: the server says so in time and lets nobody in who might be
//! refused, and goes on by itself once the database is back.
//!
//! Each test breaks the database of a server for some seconds, while clients keep asking with tokens
//! that the server does not know, with one that it knows, and for changes. Its figures are printed.

mod blackhole;
mod lines;
mod load;
mod report;

use std::time::Duration;

use libtest_mimic::Trial;
use pat_harness::database::{SERVERS, named_trial_that_stops, trial_on_sqlite};
use pat_harness::names::name_in_case;
use pat_harness::process::Frozen;
use pat_servers::Database;
use pat_sqlx::sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use pat_sqlx::sqlx::{Connection as _, Executor as _};
use reqwest::StatusCode;

use self::blackhole::BlackHole;
use self::load::{Load, Node};

/// How long the database is broken: well beyond the lease and the deadlines.
const LENGTH: Duration = Duration::from_secs(8);

pub(crate) fn trials() -> Vec<Trial> {
    let faults = [
        (Fault::Down, "server_down"),
        (Fault::Frozen, "server_frozen"),
        (Fault::BlackHole, "network_black_hole"),
        (Fault::Locked, "table_locked"),
        (Fault::Demoted, "server_read_only"),
    ];
    let on_servers = SERVERS.into_iter().flat_map(|kind| {
        faults.into_iter().map(move |(fault, name)| {
            let name = name_in_case(&requests_fail_closed_in_an_outage, name);
            named_trial_that_stops(kind, &name, move |database| {
                requests_fail_closed_in_an_outage(database, fault)
            })
        })
    });
    let mut trials: Vec<_> = on_servers.collect();
    trials.push(trial_on_sqlite(a_held_write_lock_fails_changes_only));
    trials.push(lines::trial());
    trials
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Down,
    Frozen,
    BlackHole,
    /// All connections for authentication wait for a lock, and what comes after waits for them.
    Locked,
    /// As after a failover, to which the connections have not followed.
    Demoted,
}

async fn requests_fail_closed_in_an_outage(database: Database, fault: Fault) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let blackhole = BlackHole::start(&database, folder.path());
    let node = Node::start(folder.path(), &blackhole.url).await;
    let mut load = Load::start(node).await;
    let broken = || tokio::time::sleep(LENGTH);
    match fault {
        Fault::Down => {
            let meanwhile = async {
                load.broken();
                broken().await;
                load.mended();
            };
            database.restart_after(meanwhile).await;
        }
        Fault::Frozen => {
            let frozen = Frozen::with_children(database.own_server().id());
            load.broken();
            broken().await;
            load.mended();
            drop(frozen);
        }
        Fault::BlackHole => {
            blackhole.set_open(false);
            load.broken();
            broken().await;
            load.mended();
            blackhole.set_open(true);
        }
        Fault::Locked => {
            let lock = database.lock_table("pat_token").await.expect("a lock");
            load.broken();
            broken().await;
            load.mended();
            lock.close().await;
        }
        Fault::Demoted => {
            database.set_read_only(true).await;
            // It is told to its processes one after the other.
            tokio::time::sleep(Duration::from_secs(1)).await;
            load.broken();
            broken().await;
            load.mended();
            database.set_read_only(false).await;
        }
    }
    load.back();
    let report = load.finish().await;
    println!("outages: {}, {fault:?}: {report}", database.kind.need());
    // Where only the tokens are locked, the change feed may be read.
    report.assert_closed(fault != Fault::Locked);
}

/// Another process that holds the lock keeps nobody from reading, so only changes fail.
async fn a_held_write_lock_fails_changes_only() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("pat.db");
    let node = Node::start(folder.path(), &format!("sqlite:{}", path.display())).await;
    let mut load = Load::start(node).await;
    let options = SqliteConnectOptions::new().filename(path);
    let options = options.busy_timeout(Duration::from_secs(5));
    let mut holder = SqliteConnection::connect_with(&options)
        .await
        .expect("a connection");
    holder.execute("BEGIN IMMEDIATE").await.expect("the lock");
    load.broken();
    tokio::time::sleep(LENGTH).await;
    load.mended();
    holder.execute("ROLLBACK").await.expect("its end");
    load.back();
    let report = load.finish().await;
    println!("outages: sqlite, held lock: {report}");
    report.assert_changes_fail_in_time();
    assert_eq!(report.cold_statuses(), [StatusCode::OK], "reading goes on");
    holder.close().await.expect("a closed connection");
}
