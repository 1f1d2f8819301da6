//! What each call of the store reads among many tokens, on every database: as many rows as it touches, whichever
//! plan the database has for its statements. `PAT_TEST_PLANS_TOKENS=300000` has more tokens.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use libtest_mimic::Trial;
use pat_core::event::{Event, EventKind};
use pat_core::notification::NotificationKind;
use pat_core::search::{Search, Sort, SortKey, Start};
use pat_core::store::{
    AuditStore, Change, DueNotifications, ExpiryPosition, FeedPosition, ImportStore, Job, JobStore,
    LastUse, Lease, LeaseAnswer, LeaseRequest, MarkBounds, MissingOwners, NewImport, NodeReport,
    Outcome, Prune, Purge, Revocation, RevocationScope, Rotation, SearchStore, SeenOwner,
    StoreError, TokenStore, UnusedTokens, Update,
};
use pat_core::{Clock as _, Owner, SystemClock, TokenDigest, TokenId};
use pat_harness::database::{AnyDatabase, trials_on_all};
use pat_harness::fault_store::METHODS;
use pat_servers::Kind;
use pat_servers::environment::number;
use pat_servers::filters::{all_orders, filters};
use pat_servers::many::{MANY, OWNER_OF_MANY, fill};
use pat_servers::rows::new_token;
use pat_sqlx::sqlx::pool::PoolOptions;
use pat_sqlx::sqlx::{Executor as _, MySql, Pool, Postgres, query_scalar};
use pat_sqlx::{Dialect, SqlxStore};

use super::{counting_pool, rows_read};

/// How many rows a call may read that finds few.
const FEW: u64 = 1_500;
/// The same of a search whose criterion few tokens meet, whatever its order. The first owner of the order by owners
/// has only revoked ones.
const FEW_MATCH: u64 = FEW + MANY as u64;
/// The same of a search that counts the matches of criteria first, looks whether the first tokens of its order fill the
/// page, and sorts the matches of a criterion if they do not.
const PROBED: u64 = 110_000;
/// How many instructions of its virtual machine SQLite runs for a row, at most.
const STEPS_PER_ROW: u64 = 40;

pub(super) fn trials() -> Vec<Trial> {
    trials_on_all(every_call_reads_few_rows).into()
}

async fn every_call_reads_few_rows(database: AnyDatabase) {
    let url = database.url();
    match &database {
        AnyDatabase::Sqlite(_) => {
            let (options, steps) = counting_pool();
            let pool = options.connect(&url).await;
            let rows = async || steps.load(Ordering::Relaxed) / STEPS_PER_ROW;
            measure(&pool.expect("a pool"), rows).await;
        }
        AnyDatabase::Server(server) if server.kind == Kind::Postgres => {
            let options = PoolOptions::<Postgres>::new().max_connections(1);
            let options = options.after_connect(|connection, _| {
                // As for tables in memory. By default, the planner takes a scan of 100,000 rows for as
                // expensive as some 1,000 look-ups.
                Box::pin(async {
                    let set = "SET random_page_cost = 1.1";
                    connection.execute(set).await.map(drop)
                })
            });
            let pool = options.connect(&url).await.expect("a pool");
            let rows = async || {
                // It takes effect at the end of this statement.
                let flush = "SELECT CAST(pg_stat_force_next_flush() AS TEXT)";
                let _: String = query_scalar(flush).fetch_one(&pool).await.expect("a flush");
                // Entries of an index are counted, and rows of a table that is read as a whole.
                let sum = "SELECT CAST((SELECT SUM(seq_tup_read) FROM pg_stat_user_tables) \
                     + (SELECT SUM(idx_tup_read) FROM pg_stat_user_indexes) AS BIGINT)";
                let sum: i64 = query_scalar(sum).fetch_one(&pool).await.expect("a sum");
                sum.cast_unsigned()
            };
            measure(&pool, rows).await;
        }
        AnyDatabase::Server(_) => {
            let pool = PoolOptions::<MySql>::new().max_connections(1);
            let pool = pool.connect(&url).await.expect("a pool");
            measure(&pool, async || rows_read(&pool).await).await;
        }
    }
}

async fn measure<DB: Dialect>(pool: &Pool<DB>, rows: impl AsyncFn() -> u64) {
    let tokens = number("PAT_TEST_PLANS_TOKENS", 150_000);
    let store = SqlxStore::new(pool.clone(), pool.clone());
    store.migrate().await.expect("our migrations");
    let now = SystemClock.wall();
    fill(pool, tokens, now).await;
    let mut meter = Meter {
        store: &store,
        rows,
        now,
        tokens: tokens as u64,
        methods: BTreeSet::new(),
        faults: String::new(),
    };
    meter.reads().await;
    meter.searches().await;
    meter.jobs().await;
    meter.events().await;
    meter.changes().await;
    let missing: Vec<_> = METHODS
        .iter()
        .filter(|name| !meter.methods.contains(**name))
        .copied()
        .collect();
    assert_eq!(missing, ["accept_clock"], "it corrects all rows");
    assert!(meter.faults.is_empty(), "{}", meter.faults);
    store.close().await;
}

/// Makes calls, and counts the rows that each reads.
struct Meter<'a, S, R> {
    store: &'a S,
    rows: R,
    now: Timestamp,
    tokens: u64,
    methods: BTreeSet<&'static str>,
    /// Calls that read too much.
    faults: String,
}

fn owner(key: &str) -> Owner {
    key.parse().expect("a key")
}

fn id(number: i64) -> TokenId {
    TokenId::new(number).expect("an ID")
}

impl<S, R> Meter<'_, S, R>
where
    S: TokenStore + JobStore + SearchStore + AuditStore + ImportStore,
    R: AsyncFn() -> u64,
{
    async fn call<T>(
        &mut self,
        method: &'static str,
        what: &str,
        most: u64,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> T {
        self.methods.insert(method);
        let before = (self.rows)().await;
        let result = call.await;
        let read = (self.rows)().await - before;
        println!("{method} {what}: {read}");
        if read > most {
            writeln!(self.faults, "{method} {what}: {read} > {most}").expect("a text");
        }
        result.unwrap_or_else(|error| panic!("{method} {what}: {error:?}"))
    }

    async fn reads(&mut self) {
        let (store, now) = (self.store, self.now);
        let digest = TokenDigest::from_bytes(*b"00000000000000000000000000000100");
        // The first call may also read what the server knows of the tables.
        let found = self.call("find_by_digest", "", 200, store.find_by_digest(&digest));
        assert!(found.await.token.is_some());
        let recent = self.call("recent_digests", "100", FEW, store.recent_digests(100));
        assert!(recent.await.len() >= 100);
        self.call("find", "", 20, store.find(id(100))).await;
        let (owner, many) = (owner("user 7"), owner(OWNER_OF_MANY));
        let few = self.call("list", "of 20", 100, store.list(&owner));
        let few = few.await.len();
        let seen_at = store.owner_seen_at(&owner);
        self.call("owner_seen_at", "", 20, seen_at).await;
        let many = self.call("list", "beside revoked ones", 100, store.list(&many));
        let many = many.await.len();
        assert!(few >= 15 && many == MANY / 250, "{few} and {many}");
        let position = Some(FeedPosition {
            generation: self.tokens - 5,
            nonce: None,
        });
        let changes = store.changes_since(position);
        self.call("changes_since", "", 50, changes).await;
        self.call("nodes", "", 20, store.nodes()).await;
        let report = NodeReport::new(1, self.tokens, now);
        let bounds = MarkBounds::new(now, now, now);
        self.call("heartbeat", "", 20, store.heartbeat(&report, &bounds))
            .await;
        self.call("deregister", "", 20, store.deregister(&report))
            .await;
        self.call("raise_readable_from", "", 20, store.raise_readable_from(1))
            .await;
    }

    /// Each criterion, in each order.
    async fn searches(&mut self) {
        let store = self.store;
        for (name, filter) in filters(self.now) {
            // A part of a name is looked for in all names: to count those that have it, and to read them.
            let scans = if filter.name.is_empty() {
                0
            } else {
                2 * self.tokens + FEW
            };
            // Each token and its last use, after the probes.
            let all = PROBED + 4 * self.tokens;
            let count = self.call("count", name, all, store.count(&filter)).await;
            let most = match scans {
                0 if count < 1_000 => FEW_MATCH,
                _ => PROBED + scans,
            };
            for (key, is_descending) in all_orders() {
                let sort = Sort { key, is_descending };
                let mut search = Search::new(filter.clone(), sort, Start::Offset(0), 51);
                let what = format!("{name} by {key:?}, {is_descending}");
                let page = self.call("search", &what, most, store.search(&search));
                let page = page.await;
                let Some(middle) = page.get(page.len() / 2) else {
                    continue;
                };
                let position = sort.position_of(middle);
                for start in [Start::After(position.clone()), Start::Before(position)] {
                    search.start = start;
                    let what = format!("{what} beside the middle");
                    self.call("search", &what, most, store.search(&search))
                        .await;
                }
            }
            let counted = store.count_up_to(&filter, 1_000);
            self.call("count_up_to", name, PROBED + scans, counted)
                .await;
            let ids = self.call("ids", name, all, store.ids(&filter)).await;
            assert_eq!(ids.len() as u64, count, "{name}");
        }
        let filters: Vec<_> = filters(self.now)
            .into_iter()
            .map(|(_, filter)| filter)
            .collect();
        // SQLite decides each filter for each token.
        let all = 6 * self.tokens;
        self.call("count_each", "", all, store.count_each(&filters))
            .await;
        let ids: Vec<_> = (1..=50).map(|number| id(number * 7)).collect();
        self.call("find_all", "50", 500, store.find_all(&ids)).await;
    }

    async fn lease(&mut self, job: Job) -> Lease {
        let (store, now) = (self.store, self.now);
        let due = move |_| Some(now);
        let bounds = MarkBounds::new(now, now, now);
        let request = LeaseRequest::new(job, now, Duration::from_mins(1), &due, bounds);
        let acquired = store.acquire_lease(&request);
        let (answer, _) = self.call("acquire_lease", "", 50, acquired).await;
        let LeaseAnswer::Acquired(lease) = answer else {
            panic!("{answer:?}")
        };
        lease
    }

    async fn jobs(&mut self) {
        let (store, now) = (self.store, self.now);
        let lease = self.lease(Job::ExpiryCheck).await;
        let renewed = store.renew_lease(&lease, now, Duration::from_mins(1));
        self.call("renew_lease", "", 20, renewed).await;
        for (kind, days) in [
            (NotificationKind::Expired, vec![]),
            (NotificationKind::ExpiresSoon, vec![30, 7, 1]),
        ] {
            let due = DueNotifications::new(kind, now, days);
            let what = kind.to_string();
            let page = store.owners_due(&due, None, 20);
            let page = self.call("owners_due", &what, FEW, page).await;
            assert_eq!(
                (page.owners.len(), page.next.is_some()),
                (20, true),
                "{what}"
            );
            // Past those that expire earlier.
            let deep = ExpiryPosition::new(
                now + SignedDuration::from_hours(20 * 24),
                id(9_000_000_000_000_000),
            );
            let deep = store.owners_due(&due, Some(deep), 20);
            self.call("owners_due", "later", FEW, deep).await;
            // All tokens of each owner, with what is written about the due ones.
            let queued = store.queue_due_notifications(&lease, &due, &page.owners);
            let queued = self.call("queue_due_notifications", &what, 4 * FEW, queued);
            assert!(queued.await > 0);
        }
        let due = DueNotifications::new(NotificationKind::ReplacedInUse, now, vec![]);
        let page = store.owners_due(&due, None, 20);
        // All tokens that were replaced, of which few are in use.
        let replaced = FEW + self.tokens / 100;
        self.call("owners_due", "replaced", replaced, page).await;
        let after = owner("user 500");
        let listed = store.owners_after(Some(&after), 20);
        let listed = self.call("owners_after", "", FEW, listed).await;
        let owners: Vec<_> = listed.into_iter().map(|listed| listed.owner).collect();
        let unused = UnusedTokens::new(60, now, now);
        let counted = store.count_unused(&unused, &owners);
        self.call("count_unused", "", 2 * FEW, counted).await;
        let warned = store.warn_unused(&lease, &unused, &owners);
        let warned = self.call("warn_unused", "", 4 * FEW, warned).await;
        assert!(warned > 0);
        let revoked = store.revoke_unused(&lease, &unused, &owners);
        self.call("revoke_unused", "", 2 * FEW, revoked).await;
        let seen = store.note_unseen(&lease, now, &owners);
        self.call("note_unseen", "", FEW, seen).await;
        let mut noted = MissingOwners::new(now, now, Duration::from_mins(1));
        noted.missing = owners;
        let noted = store.note_missing(&lease, &noted);
        self.call("note_missing", "", 500, noted).await;
        // The tokens that were replaced.
        let mended = store.mend_future(&lease, now);
        self.call("mend_future", "", self.tokens / 10, mended).await;
        self.call("release_lease", "", 20, store.release_lease(&lease, true))
            .await;

        let lease = self.lease(Job::Prune).await;
        let mut prune = Prune::new(now, now, Duration::from_hours(14 * 24));
        prune.notify = true;
        let pruned = store.prune(&lease, &prune, 50);
        let pruned = self.call("prune", "50", 2 * FEW, pruned).await;
        assert_eq!(pruned.tokens.len(), 50);
        let mut purge = Purge::new(now, now);
        let month = Duration::from_hours(30 * 24);
        (purge.changes, purge.notifications, purge.events) = (month, month, month);
        self.call("purge", "50", FEW, store.purge(&lease, &purge, 50))
            .await;

        let minute = Duration::from_mins(1);
        let claimed = store.claim_notifications(now, minute, 10);
        let claimed = self.call("claim_notifications", "10", FEW, claimed).await;
        let claims: Vec<_> = claimed
            .iter()
            .map(|notification| (notification.claim, Outcome::Sent))
            .collect();
        let [(first, _), others @ ..] = &claims[..] else {
            panic!("nothing was due")
        };
        let dead = Outcome::Dead {
            error: "an error".into(),
            sent_by: Vec::new(),
        };
        let settled = store.settle_notification(first, &dead, now);
        self.call("settle_notification", "", 50, settled).await;
        let settled = store.settle_notifications(others, now);
        self.call("settle_notifications", "", 200, settled).await;
        // All that are pending.
        self.call("outbox", "", self.tokens / 4, store.outbox())
            .await;
        let dead = store.dead_notifications(10);
        self.call("dead_notifications", "10", FEW, dead).await;
        let requeued = store.requeue_notification(first.id, now);
        self.call("requeue_notification", "", 50, requeued).await;
        let requeued = store.requeue_all_notifications(now);
        self.call("requeue_all_notifications", "", FEW, requeued)
            .await;
    }

    async fn events(&mut self) {
        let (store, now) = (self.store, self.now);
        let changed = EventKind::OwnerChanged {
            owner: owner("user 7"),
        };
        let events = [Event::new(now, changed)];
        self.call("record_events", "", 20, store.record_events(&events))
            .await;
        self.call("number_events", "100", FEW, store.number_events(100))
            .await;
        let last = self.call("last_event_number", "", 20, store.last_event_number());
        let last = last.await;
        self.call("raise_event_number", "", 20, store.raise_event_number(last))
            .await;
        let after = store.events_after(last - 50, 20);
        self.call("events_after", "20", FEW, after).await;
        self.call(
            "events_about",
            "",
            100,
            store.events_about(id(100), None, 20),
        )
        .await;
        let lease = self.lease(Job::EventFeed).await;
        self.call(
            "put_sink_position",
            "",
            20,
            store.put_sink_position(&lease, "a", 1),
        )
        .await;
        self.call("sink_position", "", 20, store.sink_position("a"))
            .await;
    }

    async fn changes(&mut self) {
        let (store, now) = (self.store, self.now);
        let owner = owner("user 7");
        let mut token = new_token(10_000_001, "user 7");
        (token.created_at, token.notify) = (now, true);
        self.call("insert", "", 200, store.insert(&token, 100))
            .await;
        let mut token = new_token(10_000_002, OWNER_OF_MANY);
        token.created_at = now;
        // It counts all tokens of the owner, in the index.
        let most = FEW + 2 * MANY as u64;
        self.call("insert", "beside many", most, store.insert(&token, 100))
            .await;
        let digest = TokenDigest::of(b"rotated");
        let (first, next) = (id(10_000_001), id(10_000_003));
        let rotation = Rotation::new(first, owner.clone(), next, digest, now);
        self.call("rotate", "", 300, store.rotate(&rotation)).await;
        let mut update = Update::new(next, now, owner.clone());
        update.is_enabled = Some(false);
        self.call("update", "", 200, store.update(&update)).await;
        let uses = [LastUse::new(next, now), LastUse::new(id(100), now)];
        self.call("record_use", "", 50, store.record_use(&uses))
            .await;
        let seen = SeenOwner::new(owner.clone(), now, Duration::ZERO);
        self.call("note_seen", "", 50, store.note_seen(&seen)).await;
        let change = Change::OwnerChanged(owner.clone());
        self.call("append_change", "", 20, store.append_change(&change, now))
            .await;
        let digest = TokenDigest::of(b"imported");
        let import = NewImport::new(id(10_000_004), digest, owner.clone(), "ci", now);
        self.call("import", "", 50, store.import(&[import], now))
            .await;
        let mut revocation = Revocation::new(now);
        revocation.notify = true;
        for (what, scope) in [
            ("token", RevocationScope::Tokens(vec![id(300)])),
            (
                "descendants",
                RevocationScope::TokensAndDescendants(vec![id(400)]),
            ),
            ("family", RevocationScope::Families(vec![id(500)])),
            ("owner", RevocationScope::Owner(owner)),
        ] {
            let revoked = store.revoke(&scope, &revocation);
            self.call("revoke", what, 500, revoked).await;
        }
    }
}
