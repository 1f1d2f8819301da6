//! What becomes of a connection when something goes wrong in the middle of a transaction: none stays
//! in it, and the first call after the cause is gone succeeds.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::future::poll_fn;
use std::path::Path;
use std::pin::pin;
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::Poll;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use libtest_mimic::Trial;
use pat_core::store::{
    Change, Insertion, Job, LastUse, LeaseAnswer, LeaseRequest, MarkBounds, NewToken, NodeReport,
    Outcome, Prune, ReportMode, Revocation, RevocationScope, SCHEMA_VERSION, TokenStore,
};
use pat_core::{Owner, StoreError, TokenDigest, TokenId};
use pat_sqlx::sqlx::pool::PoolOptions;
use pat_sqlx::sqlx::{
    Connection, Executor, MySql, Pool, Postgres, Sqlite, SqliteConnection, raw_sql,
};
use pat_sqlx::{Dialect, SqlxStore, prepare_connection};
use tokio::time::timeout;

use crate::common::database::{Database, Kind, SERVERS, trial_on, trial_on_sqlite};
use crate::common::names::name_on;
use crate::common::{named_trial_with_need, until};
use crate::cluster::revocation::disk::{Folder, Full};

/// Makes the test program try a disk that gives errors, and have no memory left.
pub(crate) const AS_LIMITED: &str = "PAT_TEST_AS_LIMITED";
/// How many connections each pool of the tests has.
const CONNECTIONS: u32 = 3;

pub(crate) fn trials() -> Vec<Trial> {
    let small = Folder::on_small_disk();
    let missing = (!small.is_small()).then_some("needs root, to mount a small disk");
    drop(small);
    let mut trials = vec![
        named_trial_with_need(
            name_on(&a_full_disk_leaves_no_connection_in_a_transaction, "sqlite"),
            "root",
            missing,
            a_full_disk_leaves_no_connection_in_a_transaction,
        ),
        trial_on_sqlite(errors_of_the_disk_and_no_memory_leave_no_connection_in_a_transaction),
        trial_on_sqlite(a_transaction_that_the_database_ends_is_left),
        trial_on_sqlite(a_call_on_a_file_that_is_given_up_leaves_no_transaction),
    ];
    for kind in SERVERS {
        trials.push(trial_on(
            kind,
            errors_of_the_server_leave_no_connection_in_a_transaction,
        ));
        trials.push(trial_on(
            kind,
            connections_that_the_server_ended_are_replaced,
        ));
        trials.push(trial_on(
            kind,
            a_call_that_is_given_up_leaves_no_transaction,
        ));
    }
    trials
}

/// What a store is asked to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Create,
    Revoke,
    BulkRevoke,
    Flush,
    Prune,
    Notification,
    Report,
    Change,
}

const CALLS: [Call; 8] = [
    Call::Create,
    Call::Revoke,
    Call::BulkRevoke,
    Call::Flush,
    Call::Prune,
    Call::Notification,
    Call::Report,
    Call::Change,
];

/// Numbers for the tokens of a test, which begin anew in none.
static NUMBER: AtomicI64 = AtomicI64::new(1);

fn new() -> NewToken {
    let number = NUMBER.fetch_add(1, Ordering::SeqCst);
    NewToken {
        id: TokenId::new(number).expect("an id"),
        digest: TokenDigest::of(&number.to_le_bytes()),
        owner: owner(),
        name: "ci".into(),
        created_at: now(),
        expires_at: None,
        expires_by: None,
        parent: None,
        max_rows: u32::MAX,
        notify: true,
    }
}

fn owner() -> Owner {
    "alice".parse().expect("an owner")
}

fn now() -> Timestamp {
    use pat_core::Clock as _;
    pat_core::SystemClock.wall()
}

fn bounds() -> MarkBounds {
    MarkBounds {
        at_least: now(),
        at_most: now(),
        clock: now(),
    }
}

impl Call {
    /// Asks once. What has to be there for it was put there by [`Call::prepare`].
    async fn ask(self, store: &impl TokenStore, prepared: &Prepared) -> Result<(), StoreError> {
        let revocation = Revocation {
            at: now(),
            by: None,
            reason: None,
            notify: false,
        };
        match self {
            Self::Create => {
                let inserted = store.insert(&new(), u32::MAX).await?;
                assert!(matches!(inserted, Insertion::Stored(_)), "{inserted:?}");
            }
            Self::Revoke | Self::BulkRevoke => {
                let scope = RevocationScope::Tokens(prepared.tokens.clone());
                store.revoke(&scope, &revocation).await?;
            }
            Self::Flush => {
                let last_use = |id: &TokenId| LastUse { id: *id, at: now() };
                let uses: Vec<_> = prepared.tokens.iter().map(last_use).collect();
                store.record_use(&uses).await?;
            }
            Self::Prune => {
                let jobs = store.jobs().expect("jobs");
                let request = LeaseRequest {
                    job: Job::Prune,
                    now: now(),
                    ttl: Duration::from_millis(1),
                    due: &Some,
                    mark: bounds(),
                };
                let (answer, _) = jobs.acquire_lease(&request).await?;
                let LeaseAnswer::Acquired(lease) = answer else {
                    // It was given up with the lease in hand.
                    return Ok(());
                };
                let prune = Prune {
                    now: now(),
                    vouched: now(),
                    keep: Duration::ZERO,
                    notify: false,
                };
                jobs.prune(&lease, &prune, 10).await?;
                jobs.release_lease(&lease, false).await?;
            }
            Self::Notification => {
                let jobs = store.jobs().expect("jobs");
                let ttl = Duration::from_millis(1);
                for notification in jobs.claim_notifications(now(), ttl, 1).await? {
                    jobs.settle_notification(&notification.claim, &Outcome::Sent, now())
                        .await?;
                }
            }
            Self::Report => {
                let report = NodeReport {
                    node: 1,
                    applied: 1,
                    now: now(),
                    mode: ReportMode::Seldom,
                    version: SCHEMA_VERSION,
                    contradicts_leap: false,
                };
                store.heartbeat(&report, &bounds()).await?;
                store.changes_since(None).await?;
            }
            Self::Change => {
                store
                    .append_change(&Change::OwnerChanged(owner()), now())
                    .await?;
            }
        }
        Ok(())
    }

    /// Makes what the call is about.
    async fn prepare(self, store: &impl TokenStore) -> Prepared {
        let count = match self {
            Self::BulkRevoke | Self::Flush => 20,
            _ => 1,
        };
        let mut tokens = Vec::with_capacity(count);
        for _ in 0..count {
            let token = new();
            store.insert(&token, u32::MAX).await.expect("a token");
            tokens.push(token.digest);
        }
        let found = join_all(tokens.iter().map(|digest| store.find_by_digest(digest))).await;
        let ids = found
            .into_iter()
            .map(|found| found.expect("a look-up").token.expect("the token").id);
        Prepared {
            tokens: ids.collect(),
            digests: tokens,
        }
    }
}

struct Prepared {
    tokens: Vec<TokenId>,
    digests: Vec<TokenDigest>,
}

/// A store on pools that can be looked into.
struct Bench<DB: Dialect> {
    store: SqlxStore<DB>,
    pools: [Pool<DB>; 2],
    /// A statement that is an error within a transaction.
    probe: &'static str,
}

impl<DB: Dialect> Bench<DB>
where
    DB::Connection: Connection<Database = DB>,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    async fn on(url: &str, probe: &'static str) -> Self {
        let pool = || {
            PoolOptions::<DB>::new()
                .max_connections(CONNECTIONS)
                .acquire_timeout(Duration::from_secs(30))
                .after_connect(|connection, _| Box::pin(prepare_connection(connection)))
                .connect(url)
        };
        let pools = [pool().await.expect("a pool"), pool().await.expect("a pool")];
        let store = SqlxStore::new(pools[0].clone(), pools[1].clone());
        store.migrate().await.expect("our tables");
        Self {
            store,
            pools,
            probe,
        }
    }

    /// Every connection that the pools may have can be had, and is in no transaction.
    async fn assert_sound(&self, what: &dyn Debug) {
        for pool in &self.pools {
            let all = (0..CONNECTIONS).map(|_| pool.acquire());
            let all = timeout(Duration::from_secs(40), join_all(all)).await;
            for connection in all.unwrap_or_else(|_| panic!("{what:?}: connections are missing")) {
                let mut connection = connection.expect("a connection");
                let probed = raw_sql(self.probe).execute(&mut *connection).await;
                probed.unwrap_or_else(|error| panic!("{what:?}: in a transaction? {error}"));
            }
        }
    }

    /// Each call under each fault: then the first after it, and all connections.
    async fn try_faults(&self, faults: &[&dyn Fault]) {
        for fault in faults {
            let mut failed = 0;
            for call in CALLS {
                let prepared = call.prepare(&self.store).await;
                let what = (fault.name(), call);
                fault.begin().await;
                // More than there are connections.
                let tried =
                    (0..2 * CONNECTIONS).map(|_| patiently(call.ask(&self.store, &prepared)));
                let tried = join_all(tried).await;
                failed += tried.iter().filter(|answer| answer.is_none()).count();
                fault.end().await;
                let first = call.ask(&self.store, &prepared).await;
                first
                    .unwrap_or_else(|error| panic!("{what:?}: the first call after it: {error:?}"));
                self.assert_sound(&what).await;
            }
            assert!(failed >= CALLS.len(), "{}: {failed} failed", fault.name());
        }
    }

    /// Each call is given up at each point at which it waits. Its connection is closed, or is kept for
    /// some seconds if many were closed before.
    async fn give_up(&self) {
        for call in CALLS {
            for polls in 1.. {
                let prepared = call.prepare(&self.store).await;
                let what = (call, polls);
                let ended = {
                    let asked = pin!(call.ask(&self.store, &prepared));
                    poll_times(asked, polls).await
                };
                let next = call.ask(&self.store, &prepared).await;
                next.unwrap_or_else(|error| panic!("{what:?}: the next call: {error:?}"));
                if polls % 8 == 0 || ended {
                    self.assert_sound(&what).await;
                }
                if ended || polls > 200 {
                    break;
                }
            }
        }
        self.give_up_look_ups().await;
    }

    /// An answer that comes late must not be taken for that of another question.
    async fn give_up_look_ups(&self) {
        let prepared = Call::Flush.prepare(&self.store).await;
        let tokens = prepared.digests.iter().zip(&prepared.tokens);
        for (polls, (digest, id)) in (1..).zip(tokens) {
            let given_up = pin!(self.store.find_by_digest(&prepared.digests[0]));
            poll_times(given_up, polls).await;
            let next = (0..CONNECTIONS).map(|_| self.store.find_by_digest(digest));
            for found in join_all(next).await {
                let found = found.expect("a look-up").token.expect("the token");
                assert_eq!(found.id, *id, "given up after {polls}");
            }
        }
        self.assert_sound(&"look-ups").await;
    }
}

/// An answer, if there is one before the caller gives up: while no connection can be opened, a pool
/// tries for long.
async fn patiently<T>(asked: impl Future<Output = Result<T, StoreError>>) -> Option<T> {
    timeout(Duration::from_secs(2), asked).await.ok()?.ok()
}

/// Whether a future ends before it has waited so often.
async fn poll_times(mut future: impl Future + Unpin, mut polls: u32) -> bool {
    poll_fn(|context| {
        if polls == 0 {
            return Poll::Ready(false);
        }
        polls -= 1;
        std::pin::Pin::new(&mut future).poll(context).map(|_| true)
    })
    .await
}

/// Something that goes wrong for a while.
trait Fault {
    fn name(&self) -> &str;
    fn begin(&self) -> futures_util::future::LocalBoxFuture<'_, ()>;
    fn end(&self) -> futures_util::future::LocalBoxFuture<'_, ()>;
}

const SQLITE_PROBE: &str = "BEGIN IMMEDIATE; ROLLBACK";

async fn sqlite(folder: &Path) -> Bench<Sqlite> {
    let url = format!("sqlite:{}?mode=rwc", folder.join("pat.db").display());
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

async fn a_full_disk_leaves_no_connection_in_a_transaction() {
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
async fn errors_of_the_disk_and_no_memory_leave_no_connection_in_a_transaction() {
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

/// Tables of which a trigger has every write fail, while its flag is set.
struct Triggers<'a, DB: Dialect> {
    name: &'static str,
    pool: &'a Pool<DB>,
    begin: String,
    end: String,
}

impl<DB: Dialect> Triggers<'_, DB>
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    async fn run(&self, sql: &str) {
        let sql = pat_sqlx::sqlx::AssertSqlSafe(sql.to_owned());
        let mut connection = self.pool.acquire().await.expect("a connection");
        raw_sql(sql)
            .execute(&mut *connection)
            .await
            .expect("no error");
    }
}

impl<DB: Dialect> Fault for Triggers<'_, DB>
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    fn name(&self) -> &str {
        self.name
    }

    fn begin(&self) -> futures_util::future::LocalBoxFuture<'_, ()> {
        Box::pin(self.run(&self.begin))
    }

    fn end(&self) -> futures_util::future::LocalBoxFuture<'_, ()> {
        Box::pin(self.run(&self.end))
    }
}

/// Each is written by some of the calls.
const TABLES: [&str; 5] = [
    "pat_token",
    "pat_last_used",
    "pat_notice",
    "pat_node",
    "pat_change",
];

/// As after some lacks of space, the transaction is over and the driver does not know.
async fn a_transaction_that_the_database_ends_is_left() {
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

async fn a_call_on_a_file_that_is_given_up_leaves_no_transaction() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let bench = sqlite(folder.path()).await;
    bench.give_up().await;
    bench.store.close().await;
}

const POSTGRES_PROBE: &str = "VACUUM pat_node";
const MARIADB_PROBE: &str = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED";

async fn a_call_that_is_given_up_leaves_no_transaction(database: Database) {
    match database.kind {
        Kind::Postgres => {
            let bench = Bench::<Postgres>::on(&database.url, POSTGRES_PROBE).await;
            bench.give_up().await;
            bench.store.close().await;
        }
        Kind::MariaDb => {
            let bench = Bench::<MySql>::on(&database.url, MARIADB_PROBE).await;
            bench.give_up().await;
            bench.store.close().await;
        }
    }
}

async fn errors_of_the_server_leave_no_connection_in_a_transaction(database: Database) {
    match database.kind {
        Kind::Postgres => errors_on_postgres(&database).await,
        Kind::MariaDb => errors_on_mariadb(&database).await,
    }
}

async fn errors_on_postgres(database: &Database) {
    let bench = Bench::<Postgres>::on(&database.url, POSTGRES_PROBE).await;
    let function = |body: &str| {
        format!(
            "CREATE OR REPLACE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS \
             $$BEGIN {body}; RETURN NULL; END$$"
        )
    };
    let fault = |name, body: &str| Triggers {
        name,
        pool: &bench.pools[1],
        begin: function(body),
        end: function("NULL"),
    };
    let raise = |code: &str| format!("RAISE EXCEPTION 'a fault' USING ERRCODE = '{code}'");
    let faults = [
        fault("full", &raise("53100")),
        fault("input or output", &raise("58030")),
        fault("out of memory", &raise("53200")),
        fault("cancelled", &raise("57014")),
        fault("ended", "PERFORM pg_terminate_backend(pg_backend_pid())"),
    ];
    database.execute(&faults[0].end).await;
    for is_deferred in [false, true] {
        // At the statement, or at the commit.
        for table in TABLES {
            database
                .execute(&format!("DROP TRIGGER IF EXISTS fault ON {table}"))
                .await;
            let create = if is_deferred {
                format!(
                    "CREATE CONSTRAINT TRIGGER fault AFTER INSERT OR UPDATE OR DELETE ON {table} \
                     DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fault()"
                )
            } else {
                format!(
                    "CREATE TRIGGER fault AFTER INSERT OR UPDATE OR DELETE ON {table} \
                     FOR EACH ROW EXECUTE FUNCTION fault()"
                )
            };
            database.execute(&create).await;
        }
        let faults: Vec<_> = faults.iter().map(|fault| fault as &dyn Fault).collect();
        bench.try_faults(&faults).await;
    }
    bench.store.close().await;
}

async fn errors_on_mariadb(database: &Database) {
    let bench = Bench::<MySql>::on(&database.url, MARIADB_PROBE).await;
    database
        .execute("CREATE TABLE fault (number INT NOT NULL) ENGINE = InnoDB")
        .await;
    for table in TABLES {
        for event in ["INSERT", "UPDATE", "DELETE"] {
            let trigger = format!(
                "CREATE TRIGGER {table}_{event} BEFORE {event} ON {table} FOR EACH ROW BEGIN \
                 DECLARE fault INT DEFAULT (SELECT MAX(number) FROM fault); \
                 IF fault IS NOT NULL THEN \
                 SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = fault, MESSAGE_TEXT = 'a fault'; \
                 END IF; END"
            );
            database.execute(&trigger).await;
        }
    }
    let fault = |name, number: u16| Triggers {
        name,
        pool: &bench.pools[1],
        begin: format!("INSERT INTO fault VALUES ({number})"),
        end: "DELETE FROM fault".into(),
    };
    let faults = [
        fault("full", 1021),
        fault("input or output", 1030),
        fault("out of memory", 1037),
        fault("cancelled", 1317),
        fault("ended", 1927),
    ];
    let faults: Vec<_> = faults.iter().map(|fault| fault as &dyn Fault).collect();
    bench.try_faults(&faults).await;
    bench.store.close().await;
}

/// On a pool of the host's that asks no connection whether it still works.
async fn connections_that_the_server_ended_are_replaced(database: Database) {
    match database.kind {
        Kind::Postgres => {
            farewells_on::<Postgres>(&database, "SET idle_session_timeout = '300ms'").await;
        }
        Kind::MariaDb => farewells_on::<MySql>(&database, "SET wait_timeout = 1").await,
    }
}

async fn farewells_on<DB: Dialect>(database: &Database, sets_limit: &'static str)
where
    DB::Connection: Connection<Database = DB>,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    let pool = PoolOptions::<DB>::new()
        .max_connections(CONNECTIONS)
        .test_before_acquire(false)
        .connect(&database.url)
        .await
        .expect("a pool");
    let store = SqlxStore::new(pool.clone(), pool.clone());
    store.migrate().await.expect("our tables");
    let all = async || {
        let all = join_all((0..CONNECTIONS).map(|_| pool.acquire())).await;
        all.into_iter().map(|one| one.expect("a connection"))
    };
    for call in CALLS {
        let prepared = call.prepare(&store).await;
        // Somebody ends all of them, or they were idle for too long.
        drop(all().await);
        database.cut_connections().await;
        let asked = call.ask(&store, &prepared).await;
        asked.unwrap_or_else(|error| panic!("{call:?}, cut: {error:?}"));
        for mut connection in all().await {
            let set = raw_sql(sets_limit).execute(&mut *connection).await;
            set.expect("a limit");
        }
        until("the server ends them", async || others(database).await == 0).await;
        let asked = call.ask(&store, &prepared).await;
        asked.unwrap_or_else(|error| panic!("{call:?}, idle: {error:?}"));
        let found = store.find_by_digest(&new().digest).await;
        found.unwrap_or_else(|error| panic!("a look-up, idle: {error:?}"));
    }
    store.close().await;
}

/// How many connections to this database there are, but for the one that asks.
async fn others(database: &Database) -> i64 {
    let sql = match database.kind {
        Kind::Postgres => {
            "SELECT COUNT(*) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()"
        }
        Kind::MariaDb => {
            "SELECT COUNT(*) FROM information_schema.processlist \
             WHERE db = DATABASE() AND id <> CONNECTION_ID()"
        }
    };
    database.number(sql).await
}
