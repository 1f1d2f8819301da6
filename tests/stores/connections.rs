//! What becomes of a connection when something goes wrong in the middle of a transaction: none stays
//! in it, and the first call after the cause is gone succeeds.

mod servers;
mod sqlite;

use std::fmt::Debug;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::Poll;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use libtest_mimic::Trial;
use pat_core::store::StoreError;
use pat_core::store::{
    Change, Insertion, Job, LastUse, LeaseAnswer, LeaseRequest, MarkBounds, NewToken, NodeReport,
    Outcome, Prune, Revocation, RevocationScope, SCHEMA_VERSION, TokenStore,
};
use pat_core::{Owner, TokenDigest, TokenId};
use pat_harness::database::{SERVERS, trial_on, trial_on_sqlite};
use pat_harness::disk::Folder;
use pat_harness::named_trial_with_need;
use pat_harness::names::name_on;
use pat_sqlx::sqlx::pool::PoolOptions;
use pat_sqlx::sqlx::{Connection, Executor, Pool, raw_sql};
use pat_sqlx::{Dialect, SqlxStore, prepare_connection};
use tokio::time::timeout;

pub(crate) use self::sqlite::run_as_limited;

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
            name_on(
                &sqlite::a_full_disk_leaves_no_connection_in_a_transaction,
                "sqlite",
            ),
            "root",
            missing,
            sqlite::a_full_disk_leaves_no_connection_in_a_transaction,
        ),
        trial_on_sqlite(
            sqlite::errors_of_the_disk_and_no_memory_leave_no_connection_in_a_transaction,
        ),
        trial_on_sqlite(sqlite::a_transaction_that_the_database_ends_is_left),
        trial_on_sqlite(sqlite::an_abandoned_call_on_a_file_leaves_no_transaction),
    ];
    for kind in SERVERS {
        trials.push(trial_on(
            kind,
            servers::errors_of_the_server_leave_no_connection_in_a_transaction,
        ));
        trials.push(trial_on(
            kind,
            servers::connections_that_the_server_ended_are_replaced,
        ));
        trials.push(trial_on(
            kind,
            servers::an_abandoned_call_leaves_no_transaction,
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
    let mut token = NewToken::new(
        TokenId::new(number).expect("an id"),
        TokenDigest::of(&number.to_le_bytes()),
        owner(),
        "ci",
        now(),
    );
    token.notify = true;
    token
}

fn owner() -> Owner {
    "alice".parse().expect("an owner")
}

fn now() -> Timestamp {
    use pat_core::Clock as _;
    pat_core::SystemClock.wall()
}

fn bounds() -> MarkBounds {
    MarkBounds::new(now(), now(), now())
}

impl Call {
    /// Asks once. What has to be there for it was put there by [`Call::prepare`].
    async fn ask(self, store: &impl TokenStore, prepared: &Prepared) -> Result<(), StoreError> {
        let revocation = Revocation::new(now());
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
                let last_use = |id: &TokenId| LastUse::new(*id, now());
                let uses: Vec<_> = prepared.tokens.iter().map(last_use).collect();
                store.record_use(&uses).await?;
            }
            Self::Prune => {
                let jobs = store.jobs().expect("jobs");
                let request =
                    LeaseRequest::new(Job::Prune, now(), Duration::from_millis(1), &Some, bounds());
                let (answer, _) = jobs.acquire_lease(&request).await?;
                let LeaseAnswer::Acquired(lease) = answer else {
                    // It was given up with the lease in hand.
                    return Ok(());
                };
                let prune = Prune::new(now(), now(), Duration::ZERO);
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
                let mut report = NodeReport::new(1, 1, now());
                report.version = SCHEMA_VERSION;
                report.contradicts_leap = false;
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
