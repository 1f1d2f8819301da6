//! A process that dies after a large revocation, whose notifications are queued later.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::Trial;
use mailparse::{MailHeaderMap as _, parse_mail};
use pat_core::search::Filter;
use pat_core::testing::{TestClock, TestDirectory};
use pat_core::{Caller, Pats};
use pat_harness::node::sqlite_url;
use pat_harness::{trial, until};
use pat_mail::{Composer, FileMailer};
use pat_servers::rows;
use pat_sqlx::SqliteStore;
use pat_sqlx::sqlx::{self, Connection as _, SqliteConnection, SqlitePool};

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial(kill_9_loses_no_notice_of_a_large_revocation)]
}

/// Makes the test program revoke all tokens of a database and deliver the notifications. Its arguments: the folder,
/// and by how many hours its clock is ahead.
pub(crate) const AS_REVOKER: &str = "PAT_TEST_AS_REVOKER";

const OWNERS: usize = 1_000;
const TOKENS_EACH: usize = 2;

pub(crate) fn revoke_as_process() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [folder, hours] = &arguments[..] else {
        return ExitCode::from(2);
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(revoke_and_deliver(
        folder.as_ref(),
        hours.parse().expect("hours"),
    ));
    ExitCode::SUCCESS
}

async fn revoke_and_deliver(folder: &Path, hours: u64) {
    let store = SqliteStore::open(folder.join("pat.db")).await;
    let clock = Arc::new(TestClock::default());
    clock.advance(Duration::from_hours(hours));
    let users = TestDirectory::default();
    for number in 0..OWNERS {
        users.add(&format!("leaver-{number}"));
    }
    let composer = Composer::builder("Example <pat@example.com>").build();
    let mailer = FileMailer::new(composer.expect("a composer"), folder.join("mails"));
    let pats = Pats::builder(Arc::new(store.expect("a store")))
        .clock(clock)
        .users(Arc::new(users.clone()))
        .notifier(Arc::new(mailer))
        .build();
    let root = Caller::header_authenticated(users.add_administrator("root"));
    let administration = pats.administration(&root).await;
    let administration = administration.expect("an administrator");
    // Of a revocation that was carried out before, there is nothing left to do.
    let mut all = Filter::default();
    all.never_expires = Some(true);
    let live = administration.count(&all).await.expect("a count");
    if live > 0 {
        let revoked = administration.revoke_matching(&all, live, None).await;
        assert_eq!(revoked.expect("a revocation"), live);
    }
    pats.deliver_notifications().await.expect("a delivery");
}

async fn kill_9_loses_no_notice_of_a_large_revocation() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = SqliteStore::open(folder.path().join("pat.db")).await;
    drop(store.expect("a store"));
    let pool = SqlitePool::connect(&sqlite_url(folder.path())).await;
    let pool = pool.expect("a pool");
    for number in 0..OWNERS {
        let numbers = number * TOKENS_EACH..(number + 1) * TOKENS_EACH;
        rows::insert(&pool, numbers, &format!("leaver-{number}"), None).await;
    }
    pool.close().await;

    let connection = SqliteConnection::connect(&sqlite_url(folder.path())).await;
    let mut connection = connection.expect("a connection");
    // Killed after the revocation, and then each time that more notifications are queued. Each process comes hours
    // after the last, when its claims have run out.
    let (mut kills, mut before) = (0, usize::MAX);
    for hours in 0.. {
        let mut process = start(folder.path(), hours * 2);
        let unqueued = until_fewer(&mut connection, before).await;
        process.kill().expect("kill -9");
        process.wait().expect("its end");
        if unqueued == 0 {
            break;
        }
        (kills, before) = (kills + 1, unqueued);
    }
    let last = start(folder.path(), 1_000).wait();
    assert!(last.expect("its end").success());

    let mut told = BTreeMap::<String, usize>::new();
    for file in std::fs::read_dir(folder.path().join("mails")).expect("mails") {
        let path = file.expect("a file").path();
        // What a process was writing when it died.
        if path
            .extension()
            .is_some_and(|extension| extension == "part")
        {
            continue;
        }
        let raw = std::fs::read(path).expect("a mail");
        let mail = parse_mail(&raw).expect("a mail");
        let to = mail.headers.get_first_value("To").expect("an address");
        *told.entry(to).or_default() += 1;
    }
    assert_eq!(told.len(), OWNERS, "none is missing");
    assert!(
        told.values().all(|mails| *mails == 1),
        "all tokens of an owner are in one mail"
    );
    println!("{OWNERS} owners, {kills} kills before all notifications were queued");
    assert!(kills > 1, "none in the midst");
}

fn start(folder: &Path, hours: u64) -> Child {
    let mut command = Command::new(std::env::current_exe().expect("this program's path"));
    command
        .env_clear()
        .env(AS_REVOKER, "1")
        .stdin(Stdio::null());
    command.arg(folder).arg(hours.to_string());
    command.spawn().expect("a process")
}

/// Waits until all tokens are revoked, and fewer than `before` of them have an owner who is still to be notified;
/// returns how many have.
async fn until_fewer(connection: &mut SqliteConnection, before: usize) -> usize {
    let mut unqueued = 0;
    until("fewer", async || {
        let query = "SELECT COUNT(*) FILTER (WHERE revoked_at IS NULL), \
                     COUNT(*) FILTER (WHERE notice_due_at > 0) FROM pat_token";
        let counts = sqlx::query_as::<_, (i64, i64)>(query);
        let (live, due) = counts.fetch_one(&mut *connection).await.expect("counts");
        unqueued = usize::try_from(due).expect("a count");
        live == 0 && unqueued < before
    })
    .await;
    unqueued
}
