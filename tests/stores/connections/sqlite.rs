//! What can go wrong with a file, its disk and the memory of the process.

use std::collections::VecDeque;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use pat_core::store::TokenStore as _;
use pat_harness::disk::{Folder, Full};
use pat_harness::node::sqlite_url;
use pat_sqlx::sqlx::{Connection as _, Sqlite, SqliteConnection, raw_sql};

use super::{AS_LIMITED, Bench, Fault, TABLES, Triggers, patiently};

const SQLITE_PROBE: &str = "BEGIN IMMEDIATE; ROLLBACK";

pub(super) async fn sqlite(folder: &Path) -> Bench<Sqlite> {
    let url = sqlite_url(folder);
    Bench::on(&url, SQLITE_PROBE).await
}

/// A disk that fills up.
struct FullDisk<'a> {
    folder: &'a Path,
    full: std::cell::RefCell<Option<Full<'a>>>,
}

impl Fault for FullDisk<'_> {
    fn name(&self) -> &'static str {
        "full"
    }

    fn begin(&self) -> futures_util::future::LocalBoxFuture<'_, ()> {
        Box::pin(async {
            *self.full.borrow_mut() = Some(Full::fill(self.folder));
        })
    }

    fn end(&self) -> futures_util::future::LocalBoxFuture<'_, ()> {
        Box::pin(async {
            self.full.borrow_mut().take();
        })
    }
}

pub(super) async fn a_full_disk_leaves_no_connection_in_a_transaction() {
    let folder = Folder::on_small_disk();
    let bench = sqlite(folder.path()).await;
    // What is in the log already is written over, which needs no space.
    raw_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        .execute(&bench.pools[0])
        .await
        .expect("a checkpoint");
    let disk = FullDisk {
        folder: folder.path(),
        full: std::cell::RefCell::default(),
    };
    bench.try_faults(&[&disk]).await;
    bench.store.close().await;
}

/// A disk on which no file may grow: to SQLite an error of reading and writing.
struct Limit;

impl Limit {
    fn set(bytes: &str) {
        let mut command = Command::new("prlimit");
        command.arg(format!("--pid={}", std::process::id()));
        let status = command.arg(format!("--fsize={bytes}:")).status();
        assert!(status.expect("prlimit").success());
    }
}

impl Fault for Limit {
    fn name(&self) -> &'static str {
        "input or output"
    }

    fn begin(&self) -> futures_util::future::LocalBoxFuture<'_, ()> {
        Box::pin(async { Self::set("1") })
    }

    fn end(&self) -> futures_util::future::LocalBoxFuture<'_, ()> {
        Box::pin(async { Self::set("unlimited") })
    }
}

/// Memory that SQLite is not given, since a table in memory has all that it may have.
#[derive(Default)]
struct Memory(std::cell::RefCell<Option<SqliteConnection>>);

impl Memory {
    /// What SQLite may have in the process. It can only be lowered.
    const LIMIT: &str = "PRAGMA hard_heap_limit = 20000000";

    async fn table() -> SqliteConnection {
        let connection = SqliteConnection::connect("sqlite::memory:").await;
        let mut connection = connection.expect("a table in memory");
        for sql in [Self::LIMIT, "CREATE TABLE memory (taken BLOB)"] {
            raw_sql(sql).execute(&mut connection).await.expect(sql);
        }
        connection
    }

    async fn take() -> SqliteConnection {
        let mut connection = Self::table().await;
        for taken in [
            "INSERT INTO memory VALUES (zeroblob(1000000))",
            "INSERT INTO memory VALUES (zeroblob(1000))",
        ] {
            while raw_sql(taken).execute(&mut connection).await.is_ok() {}
        }
        connection
    }

    /// Takes all but this many bytes.
    async fn leave(bytes: u32) -> SqliteConnection {
        let mut left = Self::table().await;
        let sql = format!("INSERT INTO memory VALUES (zeroblob({bytes}))");
        let sql = pat_sqlx::sqlx::AssertSqlSafe(sql);
        raw_sql(sql).execute(&mut left).await.expect("memory");
        let taken = Self::take().await;
        left.close().await.expect("an end");
        taken
    }
}

impl Fault for Memory {
    fn name(&self) -> &'static str {
        "out of memory"
    }

    fn begin(&self) -> futures_util::future::LocalBoxFuture<'_, ()> {
        Box::pin(async {
            let taken = Self::take().await;
            self.0.replace(Some(taken));
        })
    }

    fn end(&self) -> futures_util::future::LocalBoxFuture<'_, ()> {
        Box::pin(async {
            let taken = self.0.take().expect("what was taken");
            taken.close().await.expect("an end");
        })
    }
}

impl Bench<Sqlite> {
    /// What there is no memory for cannot be told, and must not pass for what is not there.
    async fn run_out_of_memory_in_answers(&self) {
        let tokens = raw_sql(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
             INSERT INTO pat_token (id, digest, owner, name, name_folded, created_at)
             SELECT 9000000 + i, randomblob(32), 'alice', 'ci', 'ci', i FROM n",
        );
        tokens.execute(&self.pools[0]).await.expect("tokens");
        let all = self.store.recent_digests(u32::MAX).await.expect("all");
        let mut failed = 0;
        for kilobytes in (0..2_000).step_by(100) {
            let taken = Memory::leave(kilobytes * 1_000).await;
            let answer = patiently(self.store.recent_digests(u32::MAX)).await;
            taken.close().await.expect("an end");
            match answer {
                Some(digests) => assert_eq!(digests.len(), all.len(), "with {kilobytes} kB"),
                None => failed += 1,
            }
            self.assert_sound(&("out of memory", kilobytes)).await;
        }
        assert!((1..20).contains(&failed), "{failed} of 20 failed");
    }
}

/// In a process of its own, since the limits are for all of its files and memory.
pub(super) async fn errors_of_the_disk_and_no_memory_leave_no_connection_in_a_transaction() {
    let mut command = Command::new("sh");
    let ended = command
        // The signal would end it.
        .args(["-c", "trap '' XFSZ; exec \"$0\""])
        .arg(std::env::current_exe().expect("this program's path"))
        .env(AS_LIMITED, "1")
        .stdin(Stdio::null())
        .output();
    let output = ended.expect("this program");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

pub(crate) fn run_as_limited() -> ExitCode {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let bench = sqlite(folder.path()).await;
        bench.try_faults(&[&Limit, &Memory::default()]).await;
        bench.run_out_of_memory_in_answers().await;
        bench.store.close().await;
    });
    ExitCode::SUCCESS
}

/// As after some lacks of space, the transaction is over and the driver does not know.
pub(super) async fn a_transaction_that_the_database_ends_is_left() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let bench = sqlite(folder.path()).await;
    let mut sql = VecDeque::from(["CREATE TABLE fault (is_set INTEGER)".to_owned()]);
    for table in TABLES {
        for event in ["INSERT", "UPDATE", "DELETE"] {
            sql.push_back(format!(
                "CREATE TRIGGER {table}_{event} BEFORE {event} ON {table} \
                 WHEN EXISTS (SELECT 1 FROM fault) \
                 BEGIN SELECT RAISE(ROLLBACK, 'out of memory'); END"
            ));
        }
    }
    let sql: Vec<_> = sql.into();
    let triggers = Triggers {
        name: "ended",
        pool: &bench.pools[1],
        begin: "INSERT INTO fault VALUES (1)".into(),
        end: "DELETE FROM fault".into(),
    };
    triggers.run(&sql.join("; ")).await;
    bench.try_faults(&[&triggers]).await;
    bench.store.close().await;
}

pub(super) async fn an_abandoned_call_on_a_file_leaves_no_transaction() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let bench = sqlite(folder.path()).await;
    bench.give_up().await;
    bench.store.close().await;
}
