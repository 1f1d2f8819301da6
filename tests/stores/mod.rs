//! The stores on database servers: the suites, and what only a server can get wrong.

pub(crate) mod connections;
mod crashes;
mod isolation;
mod reads;
pub(crate) mod search;
mod settings;
mod unsuitable;
pub(crate) mod versions;

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use libtest_mimic::Trial;
use pat_core::Clock as _;
use pat_core::settings::RevocationWait;
use pat_core::store::{
    Insertion, Job, LeaseAnswer, LeaseRequest, MarkBounds, NewToken, Purge, Revocation,
    RevocationScope,
};
use pat_core::testing::{self, Case, TestClock, TestDirectory};
use pat_core::{
    AuthError, Caller, Owner, Pats, Settings, SystemClock, TokenDigest, TokenId, TokenRequest,
    TokenStore,
};
use pat_sqlx::sqlx::migrate::{Migrate, Migration, MigrationType, Migrator};
use pat_sqlx::sqlx::{self, Connection, Pool, SqlSafeStr as _};
use pat_sqlx::{AnyStore, ConnectError, Dialect, SqlxStore, prepare_connection};
use reqwest::StatusCode;
use serde_json::json;
use tokio::time::timeout;
use url::Url;

use crate::common::database::{
    AnyDatabase, Database, Kind, SERVERS, named_trials_on_servers, trial_on, trial_on_sqlite,
    trial_that_stops, trials_on_all, trials_on_servers,
};
use crate::common::names::name_in_case;
use pat_tests::rows;

use crate::common::{Server, TOKENS, answer, named_users, until};

/// What every store has to do.
fn suites() -> impl Iterator<Item = Trial> {
    let suites = [
        testing::store::CASES,
        testing::jobs::CASES,
        testing::search::CASES,
        testing::audit::CASES,
    ];
    suites.into_iter().flatten().flat_map(|case| {
        let name = name_in_case(&every_store, case.name);
        named_trials_on_servers(&name, move |database| every_store(database, *case))
    })
}

async fn every_store(database: Database, case: Case) {
    let store = open(&database).await;
    // The cases move the time.
    case.run(store.dangerous_with_callers_clock()).await;
    store.close().await;
}

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials: Vec<_> = suites().collect();
    trials.extend(connections::trials());
    trials.extend(crashes::trials());
    trials.extend(isolation::trials());
    trials.extend(reads::trials());
    trials.extend(search::trials());
    trials.extend(settings::trials());
    trials.extend(unsuitable::trials());
    trials.extend(versions::trials());
    let on_all = [
        trials_on_all(the_hosts_migrations_live_beside_ours),
        trials_on_all(audit_events_are_written_and_trimmed),
        trials_on_all(a_node_that_is_far_behind_judges_all_anew),
    ];
    let on_servers = [
        trials_on_servers(several_may_migrate_at_once),
        trials_on_servers(a_migration_left_half_done_is_done_again),
        trials_on_servers(the_limit_holds_across_nodes),
        trials_on_servers(text_is_compared_byte_by_byte),
        trials_on_servers(leases_go_by_the_databases_clock),
        trials_on_servers(a_node_follows_the_databases_clock),
        trials_on_servers(each_node_sees_the_others_revocations),
        trials_on_servers(connections_that_were_cut_harm_nobody),
        trials_on_servers(changes_that_wait_leave_connections_for_authentication),
        trials_on_servers(a_token_is_created_used_listed_and_revoked),
        SERVERS.map(|kind| trial_that_stops(kind, a_primary_that_was_demoted_is_not_asked)),
    ];
    trials.extend(on_all.into_iter().flatten());
    trials.extend(on_servers.into_iter().flatten());
    trials.extend([
        trial_on_sqlite(changes_are_reported_where_somebody_waits),
        trial_on(Kind::MariaDb, a_transaction_that_was_left_open_harms_nobody),
        // The PostgreSQL servers of the tests ask nobody for a password.
        trial_on(Kind::MariaDb, an_account_with_a_password_is_let_in),
        // On MariaDB it would be for all databases of the server.
        trial_on(Kind::Postgres, a_server_that_takes_no_writes_is_refused),
        trial_on(Kind::Postgres, hints_shorten_the_wait_for_the_next_poll),
        trial_on(Kind::Postgres, a_database_in_another_encoding_is_refused),
    ]);
    trials
}

async fn open(database: &Database) -> AnyStore {
    pat_sqlx::connect(&database.url).await.expect("a store")
}

async fn open_several(database: &Database, count: usize) -> Vec<AnyStore> {
    join_all((0..count).map(|_| open(database))).await
}

async fn close(stores: Vec<AnyStore>) {
    for store in stores {
        store.close().await;
    }
}

fn owner(key: &str) -> Owner {
    key.parse().expect("an owner")
}

fn id(number: i64) -> TokenId {
    TokenId::new(number).expect("an id")
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_772_145_741 + seconds).expect("a date")
}

pub(crate) fn new(number: i64, key: &str) -> NewToken {
    NewToken {
        id: id(number),
        digest: TokenDigest::of(&number.to_le_bytes()),
        owner: owner(key),
        name: "ci".into(),
        created_at: at(0),
        expires_at: None,
        expires_by: None,
        parent: None,
        max_rows: 10_000,
        notify: false,
    }
}

/// Stores a token, which nothing speaks against.
async fn insert(store: &dyn TokenStore, token: &NewToken) {
    let insertion = store.insert(token, 10).await.expect("insert");
    assert!(matches!(insertion, Insertion::Stored(_)), "{insertion:?}");
}

async fn several_may_migrate_at_once(database: Database) {
    let stores = open_several(&database, 4).await;
    insert(&stores[3].tokens(), &new(1, "alice")).await;
    close(stores).await;
}

/// Where tables are not made in a transaction, a process that ends half-way leaves such a state.
async fn a_migration_left_half_done_is_done_again(database: Database) {
    open(&database).await.close().await;
    for sql in [
        "UPDATE pat_migrations SET success = FALSE WHERE version = 2",
        "DROP TABLE pat_notice_token",
    ] {
        database.execute(sql).await;
    }
    open(&database).await.close().await;
    database
        .execute("SELECT notice_id FROM pat_notice_token")
        .await;
}

async fn the_hosts_migrations_live_beside_ours(database: AnyDatabase) {
    let url = database.url();
    match &database {
        AnyDatabase::Sqlite(_) => host_migrations::<sqlx::Sqlite>(&url).await,
        AnyDatabase::Server(server) if server.kind == Kind::Postgres => {
            host_migrations::<sqlx::Postgres>(&url).await;
        }
        AnyDatabase::Server(_) => host_migrations::<sqlx::MySql>(&url).await,
    }
}

/// In each order.
async fn host_migrations<DB: Dialect>(url: &str)
where
    DB::Connection: Migrate + Connection<Database = DB>,
{
    one_order::<DB>(url, true).await;
    // Without the host's tables, and then without ours, it is as if the other were first.
    for table in ["_sqlx_migrations", "host_user"] {
        drop_table::<DB>(url, table).await;
    }
    one_order::<DB>(url, false).await;
}

async fn drop_table<DB: Dialect>(url: &str, table: &str) {
    let pool = Pool::<DB>::connect(url).await.expect("a pool");
    let mut connection = pool.acquire().await.expect("a connection");
    let query = sqlx::QueryBuilder::new(format!("DROP TABLE {table}"));
    DB::execute(query, false, &mut connection)
        .await
        .expect("no table");
    drop(connection);
    pool.close().await;
}

async fn one_order<DB: Dialect>(url: &str, is_host_first: bool)
where
    DB::Connection: Migrate + Connection<Database = DB>,
{
    let pool = sqlx::pool::PoolOptions::<DB>::new()
        .after_connect(|connection, _| Box::pin(prepare_connection(connection)));
    let pool = pool.connect(url).await.expect("a pool");
    let store = SqlxStore::new(pool.clone(), pool.clone());
    let sql = "CREATE TABLE host_user (id BIGINT NOT NULL PRIMARY KEY)".into_sql_str();
    let host = Migration::new(1, "users".into(), MigrationType::Simple, sql, false);
    let host = Migrator::with_migrations(vec![host]);
    if is_host_first {
        host.run(&pool).await.expect("the host's migrations");
    }
    // Again and again, as at each start.
    for _ in 0..2 {
        store.migrate().await.expect("our migrations");
        host.run(&pool).await.expect("the host's migrations");
    }
    insert(&store, &new(i64::from(is_host_first), "alice")).await;
    store.close().await;
}

async fn the_limit_holds_across_nodes(database: Database) {
    let stores = open_several(&database, 3).await;
    let creations = (0..200).zip(stores.iter().cycle()).map(|(number, store)| {
        let store = store.tokens();
        tokio::spawn(async move { store.insert(&new(number, "alice"), 10).await })
    });
    let outcomes = join_all(creations).await.into_iter().map(|outcome| {
        outcome
            .expect("a task")
            .expect("no lock error reaches the caller")
    });
    let (created, refused): (Vec<_>, Vec<_>) =
        outcomes.partition(|outcome| matches!(outcome, Insertion::Stored(_)));
    assert_eq!(created.len(), 10);
    assert!(
        refused
            .iter()
            .all(|outcome| *outcome == Insertion::LimitReached { count: 10 })
    );
    close(stores).await;
}

async fn text_is_compared_byte_by_byte(database: Database) {
    let store = open(&database).await;
    let tokens = store.tokens();
    let long = "ü".repeat(127);
    let keys = [
        "alice",
        "alice ",
        " alice",
        "alice  ",
        "Alice",
        "álice",
        "a\u{301}lice",
        "ALICE",
        "🎉",
        "🎊",
        "ß",
        "ss",
        "\u{200b}alice",
        "%",
        "_",
        "\\",
        "'",
        &long,
    ];
    for (number, key) in (1..).zip(keys) {
        let token = NewToken {
            name: format!("{key} "),
            ..new(number, key)
        };
        insert(&tokens, &token).await;
    }
    let limited = tokens.insert(&new(99, "alice"), 1).await;
    assert_eq!(
        limited.expect("insert"),
        Insertion::LimitReached { count: 1 }
    );
    for key in keys {
        let listed = tokens.list(&owner(key)).await.expect("list");
        let names: Vec<_> = listed.iter().map(|token| token.name.as_str()).collect();
        assert_eq!(names, [format!("{key} ").as_str()], "{key:?}");
    }
    let revocation = Revocation {
        at: at(1),
        by: Some(owner("admin ")),
        reason: Some("🎉 \0 '\\ ".repeat(10_000)),
        notify: false,
    };
    let scope = RevocationScope::Owner(owner("alice"));
    let revoked = tokens.revoke(&scope, &revocation).await.expect("revoke");
    assert_eq!(revoked.tokens.len(), 1, "{revoked:?}");
    store.close().await;
}

async fn leases_go_by_the_databases_clock(database: Database) {
    let store = open(&database).await;
    let tokens = store.tokens();
    let jobs = tokens.jobs().expect("jobs");
    let ask = async |now: &str| {
        let request = LeaseRequest {
            job: Job::Prune,
            now: now.parse().expect("a date"),
            ttl: Duration::from_mins(1),
            due: &|now| Some(now),
            mark: unmoved(),
        };
        jobs.acquire_lease(&request).await.expect("acquire_lease").0
    };
    let first = ask("2001-01-01T00:00Z").await;
    assert!(matches!(first, LeaseAnswer::Acquired(_)));
    assert_eq!(ask("2099-01-01T00:00Z").await, LeaseAnswer::Held);
    store.close().await;
}

/// Bounds within which a mark does not move.
fn unmoved() -> MarkBounds {
    MarkBounds {
        at_least: Timestamp::MIN,
        at_most: Timestamp::MIN,
        clock: SystemClock.wall(),
    }
}

/// The users of the nodes below.
fn users() -> TestDirectory {
    named_users(&["alice", "bob"])
}

fn month() -> TokenRequest {
    TokenRequest {
        name: "ci".into(),
        lifetime_days: Some(30),
    }
}

async fn a_node_follows_the_databases_clock(database: Database) {
    let store = open(&database).await;
    let clock = Arc::new(TestClock::default());
    let pats = Pats::builder(store.tokens())
        .users(users())
        .clock(clock)
        .build();
    pats.poll_changes().await.expect("a poll");
    let page = store
        .tokens()
        .changes_since(None)
        .await
        .expect("changes_since");
    let databases = page.time.clock.expect("its clock");
    let alice = Caller::header_authenticated(owner("alice"));
    let request = month();
    let created = pats.create(&alice, request).await.expect("a token").token;
    let apart = created.created_at.duration_since(databases).abs();
    assert!(
        apart.as_secs() < 60,
        "{} and {databases}",
        created.created_at
    );
    store.close().await;
}

async fn audit_events_are_written_and_trimmed(database: AnyDatabase) {
    let url = database.url();
    let count = async || match &database {
        AnyDatabase::Sqlite(_) => count_events::<sqlx::Sqlite>(&url).await,
        AnyDatabase::Server(server) if server.kind == Kind::Postgres => {
            count_events::<sqlx::Postgres>(&url).await
        }
        AnyDatabase::Server(_) => count_events::<sqlx::MySql>(&url).await,
    };
    audit(database.store().await, count).await;
}

/// What there is of each kind, by the names of the kinds.
async fn count_events<DB: Dialect>(url: &str) -> Vec<(String, i64)>
where
    for<'c> &'c mut DB::Connection: sqlx::Executor<'c, Database = DB>,
    for<'q> DB::Arguments: sqlx::IntoArguments<DB>,
    (String, i64): for<'r> sqlx::FromRow<'r, DB::Row>,
{
    let pool = Pool::<DB>::connect(url).await.expect("the database");
    let sql = "SELECT kind, COUNT(*) FROM pat_event GROUP BY kind ORDER BY kind";
    let mut connection = pool.acquire().await.expect("a connection");
    let counts = sqlx::query_as(sql).fetch_all(&mut *connection).await;
    counts.expect("counts")
}

/// The life of a token, as the table of events tells it.
async fn audit<F: Future<Output = Vec<(String, i64)>>>(store: AnyStore, count: impl Fn() -> F) {
    let pats = Pats::builder(store.tokens())
        .users(named_users(&["alice"]))
        .build();
    let alice = Caller::header_authenticated(owner("alice"));
    let jobs = pats.start();
    // A first poll would have the token loaded again, and its first use told twice.
    pats.poll_changes().await.expect("a poll");
    let token = pats.create(&alice, month()).await.expect("a token");
    let plain = token.plain.expose().as_bytes();
    pats.authenticate(plain).await.expect("a good token");
    pats.revoke(&alice, token.token.id)
        .await
        .expect("a revocation");
    assert!(pats.authenticate(plain).await.is_err());
    pats.user_changed(&owner("alice")).await.expect("a change");
    jobs.shutdown().await;
    let counted = count().await;
    let counted: Vec<_> = counted
        .iter()
        .map(|(kind, count)| (kind.as_str(), *count))
        .collect();
    let expected = [
        "created",
        "first-used",
        "owner-changed",
        "refused",
        "revoked",
    ];
    assert_eq!(counted, expected.map(|kind| (kind, 1)));

    let jobs = store.tokens();
    let jobs = jobs.jobs().expect("a store with jobs");
    let request = LeaseRequest {
        job: Job::Prune,
        now: SystemClock.wall(),
        ttl: Duration::from_mins(1),
        due: &|now| Some(now),
        mark: unmoved(),
    };
    let (LeaseAnswer::Acquired(lease), _) = jobs.acquire_lease(&request).await.expect("a lease")
    else {
        panic!("nobody else is here");
    };
    let trim = async |events| {
        let now = SystemClock.wall();
        let purge = Purge {
            now,
            vouched: now,
            changes: Duration::from_hours(24),
            notifications: Duration::from_hours(24),
            events,
        };
        jobs.purge(&lease, &purge, 3).await.expect("a trimming")
    };
    assert_eq!(trim(Duration::from_hours(24)).await, 0);
    store
        .tokens()
        .accept_clock(SystemClock.wall())
        .await
        .expect("the clock");
    assert_eq!(trim(Duration::ZERO).await, 3, "in batches");
    assert_eq!(trim(Duration::ZERO).await, 2);
    assert_eq!(count().await, []);
    close(vec![store]).await;
}

/// Nodes that by themselves would look once an hour.
async fn hints_shorten_the_wait_for_the_next_poll(database: Database) {
    let stores = open_several(&database, 2).await;
    let settings = Settings::builder()
        .cluster_poll_interval_ms(3_000_000)
        .auth_max_staleness_ms(3_600_000)
        .max_tokens_per_user(100);
    let settings = settings.build().expect("settings");
    let pats = stores.iter().map(|store| {
        Pats::builder(store.tokens())
            .settings(settings.clone())
            .build()
    });
    let nodes: Vec<_> = pats.collect();
    let jobs: Vec<_> = nodes.iter().map(Pats::start).collect();
    let alice = Caller::header_authenticated(owner("alice"));
    for is_cut in [false, true, false] {
        if is_cut {
            // The listeners too.
            database.cut_connections().await;
        }
        let token = nodes[0].create(&alice, month()).await.expect("a token");
        let plain = token.plain.expose().as_bytes();
        nodes[1].authenticate(plain).await.expect("a good token");
        nodes[0]
            .revoke(&alice, token.token.id)
            .await
            .expect("a revocation");
        let refused = async {
            while !matches!(
                nodes[1].authenticate(plain).await,
                Err(AuthError::Revoked(_))
            ) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let refused = tokio::time::timeout(Duration::from_secs(10), refused).await;
        assert!(refused.is_ok(), "long before an hour; cut: {is_cut}");
    }
    for jobs in jobs {
        jobs.shutdown().await;
    }
    close(stores).await;
}

async fn each_node_sees_the_others_revocations(database: Database) {
    let stores = open_several(&database, 2).await;
    let node = |store: &AnyStore| Pats::builder(store.tokens()).users(users()).build();
    let nodes = [node(&stores[0]), node(&stores[1])];
    let alice = Caller::header_authenticated(owner("alice"));
    for (here, there) in [(0, 1), (1, 0)] {
        let request = month();
        let created = nodes[here].create(&alice, request).await.expect("a token");
        let secret = created.plain.expose().to_owned();
        let accepts = async |node: &Pats| match node.authenticate(secret.as_bytes()).await {
            Ok(_) => true,
            Err(AuthError::Revoked(_)) => false,
            Err(error) => panic!("{error:?}"),
        };
        for node in &nodes {
            node.poll_changes().await.expect("a poll");
            assert!(accepts(node).await);
        }
        nodes[here]
            .revoke(&alice, created.token.id)
            .await
            .expect("a revocation");
        assert!(!accepts(&nodes[here]).await);
        nodes[there].poll_changes().await.expect("a poll");
        assert!(!accepts(&nodes[there]).await, "within one poll");
    }
    close(stores).await;
}

/// A folder that goes when it is dropped, and the URL of a file in it.
fn sqlite() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = format!("sqlite:{}?mode=rwc", folder.path().join("pat.db").display());
    (folder, url)
}

async fn a_node_that_is_far_behind_judges_all_anew(database: AnyDatabase) {
    let url = database.url();
    match &database {
        AnyDatabase::Sqlite(_) => far_behind::<sqlx::Sqlite>(&url).await,
        AnyDatabase::Server(server) if server.kind == Kind::Postgres => {
            far_behind::<sqlx::Postgres>(&url).await;
        }
        AnyDatabase::Server(_) => far_behind::<sqlx::MySql>(&url).await,
    }
}

/// Many more changes than a node reads, among them one that it must not miss.
async fn far_behind<DB: Dialect>(url: &str) {
    const CHANGES: usize = 50_000;
    let store = pat_sqlx::connect(url).await.expect("a store");
    // It stands still, however long it takes to write the changes.
    let clock = Arc::new(TestClock::default());
    let builder = Pats::builder(store.tokens()).users(users());
    let pats = builder.clock(clock).build();
    pats.poll_changes().await.expect("a poll");
    let alice = Caller::header_authenticated(owner("alice"));
    let created = pats.create(&alice, month()).await.expect("a token");
    let secret = created.plain.expose().as_bytes();
    pats.authenticate(secret).await.expect("a good token");
    let pool = Pool::<DB>::connect(url).await.expect("a pool");
    rows::insert_selected(&pool, 0..CHANGES, |numbers, of| {
        let end = of.end;
        let changes = sqlx::QueryBuilder::new(format!(
            "INSERT INTO pat_change (gen, item, nonce, kind, owner, at) {numbers} \
             SELECT i, 0, i, 2, 'bob', 0 FROM numbers"
        ));
        let counter = format!("UPDATE pat_clock SET gen = {end} WHERE id = 1");
        [changes, sqlx::QueryBuilder::new(counter)]
    })
    .await;
    let revoked = sqlx::QueryBuilder::new("UPDATE pat_token SET revoked_at = created_at");
    let mut connection = pool.acquire().await.expect("a connection");
    DB::execute(revoked, false, &mut connection)
        .await
        .expect("revoked");
    drop(connection);
    pool.close().await;
    assert!(
        pats.authenticate(secret).await.is_ok(),
        "it is in the cache"
    );
    pats.poll_changes().await.expect("a poll in time");
    assert!(pats.authenticate(secret).await.is_err());
    // From there on it reads changes one by one again.
    pats.user_changed(&owner("bob")).await.expect("a change");
    let head = store
        .tokens()
        .changes_since(None)
        .await
        .expect("the head")
        .head;
    assert_eq!(head.generation, CHANGES as u64 + 1);
    store.close().await;
}

/// A node that waits for no other makes none of them report each change.
async fn changes_are_reported_where_somebody_waits() {
    for (wait, expected) in [(RevocationWait::None, 0), (RevocationWait::Cluster, 2)] {
        let (_folder, url) = sqlite();
        let stores = join_all([0, 1].map(|_| pat_sqlx::connect(&url))).await;
        let stores: Vec<_> = stores
            .into_iter()
            .map(|store| store.expect("a store"))
            .collect();
        let settings = Settings::builder().revocation_wait(wait).build();
        let waiting = Pats::builder(stores[0].tokens())
            .settings(settings.expect("settings"))
            .build();
        let other = Pats::builder(stores[1].tokens()).build();
        for node in [&waiting, &other] {
            node.poll_changes().await.expect("a poll");
        }
        let alice = owner("alice");
        let mut change = pin!(waiting.user_changed(&alice));
        loop {
            tokio::select! {
                changed = &mut change => break changed.expect("a change"),
                polled = other.poll_changes() => polled.expect("a poll"),
            }
        }
        other.poll_changes().await.expect("a poll");
        let nodes = stores[0].tokens().nodes().await.expect("nodes");
        let know = nodes.iter().filter(|node| node.applied == 1).count();
        assert_eq!((nodes.len(), know), (2, expected), "{wait:?}");
        close(stores).await;
    }
}

async fn connections_that_were_cut_harm_nobody(database: Database) {
    let store = open(&database).await;
    let tokens = store.tokens();
    for round in 1..=3 {
        insert(&tokens, &new(round, "alice")).await;
        let digest = new(round, "alice").digest;
        let found = tokens
            .find_by_digest(&digest)
            .await
            .expect("find_by_digest");
        assert!(found.token.is_some());
        database.cut_connections().await;
    }
    store.close().await;
}

/// More changes than there are connections wait for a lock.
async fn changes_that_wait_leave_connections_for_authentication(database: Database) {
    // The store has six connections for them.
    const CONNECTIONS: i64 = 6;
    const CHANGES: usize = 40;
    /// Much less than a change waits for the lock, or for a connection.
    const SOON: Duration = Duration::from_millis(500);
    let store = open(&database).await;
    let token = new(1, "alice");
    insert(&store.tokens(), &token).await;
    let lock = database.lock_table("pat_owner").await.expect("a lock");
    let ended = AtomicUsize::new(0);
    let changes = join_all((2..).take(CHANGES).map(async |number| {
        let inserted = store.tokens().insert(&new(number, "alice"), 10).await;
        ended.fetch_add(1, Ordering::SeqCst);
        drop(inserted);
    }));
    let look_ups = async {
        until("all connections wait", async || {
            database.waiting().await == CONNECTIONS
        })
        .await;
        for _ in 0..100 {
            let found = timeout(SOON, store.tokens().find_by_digest(&token.digest)).await;
            assert!(found.expect("in time").expect("an answer").token.is_some());
        }
        let waiting = CHANGES - ended.load(Ordering::SeqCst);
        assert!(waiting > 10, "{waiting}");
        lock.close().await;
    };
    tokio::join!(look_ups, changes);
    store.close().await;
}

/// Also on pools of the host's own, which know nothing of primaries.
async fn a_primary_that_was_demoted_is_not_asked(database: Database) {
    match database.kind {
        Kind::Postgres => demoted_under::<sqlx::Postgres>(&database).await,
        Kind::MariaDb => demoted_under::<sqlx::MySql>(&database).await,
    }
}

async fn demoted_under<DB: Dialect>(database: &Database) {
    let pool = Pool::<DB>::connect(&database.url).await.expect("a pool");
    let store = SqlxStore::new(pool.clone(), pool);
    store.migrate().await.expect("our migrations");
    let token = new(1, "alice");
    insert(&store, &token).await;
    for is_demoted in [false, true, false] {
        database.set_read_only(is_demoted).await;
        // The server tells its processes one after the other.
        until("it is asked, or not", async || {
            let found = store.find_by_digest(&token.digest).await;
            let is_unknown = found.as_ref().is_ok_and(|found| found.token.is_none());
            assert!(!is_unknown, "a replica's word is taken");
            let polled = store.changes_since(None).await;
            let nodes = store.nodes().await;
            [found.is_err(), polled.is_err(), nodes.is_err()] == [is_demoted; 3]
        })
        .await;
    }
    store.close().await;
}

/// A caller who gives up at the wrong moment leaves an open transaction in the host's pool.
async fn a_transaction_that_was_left_open_harms_nobody(database: Database) {
    let options = pat_sqlx::sqlx::mysql::MySqlPoolOptions::new().max_connections(1);
    let pool = options.connect(&database.url).await.expect("a pool");
    let store = SqlxStore::new(pool.clone(), pool.clone());
    store.migrate().await.expect("our migrations");
    let opened = sqlx::raw_sql("START TRANSACTION").execute(&pool).await;
    opened.expect("an open transaction");
    insert(&store, &new(1, "alice")).await;
    store.close().await;
}

/// An account such as a host has: with a password, and with rights in its database alone. MySQL has
/// not seen the password yet, and so wants more than a proof that the other side knows it.
async fn an_account_with_a_password_is_let_in(database: Database) {
    let name = database.name("");
    for sql in [
        format!("CREATE USER {name} IDENTIFIED BY 'secret'"),
        format!("GRANT ALL ON {name}.* TO {name}"),
    ] {
        database.execute(&sql).await;
    }
    let mut url = Url::parse(&database.url).expect("a URL");
    url.set_username(&name).expect("a name");
    url.set_password(Some("secret")).expect("a password");
    let opened = pat_sqlx::connect(url.as_str()).await;
    database.execute(&format!("DROP USER {name}")).await;
    let store = opened.expect("a store");
    insert(&store.tokens(), &new(1, "alice")).await;
    store.close().await;
}

async fn a_server_that_takes_no_writes_is_refused(database: Database) {
    open(&database).await.close().await;
    database.make_read_only().await;
    let refused = pat_sqlx::connect(&database.url)
        .await
        .expect_err("no store");
    let ConnectError::Open(cause) = &refused else {
        panic!("{refused:?}")
    };
    assert!(cause.to_string().contains("takes no writes"), "{cause}");
}

async fn a_database_in_another_encoding_is_refused(database: Database) {
    let other = database.name("latin");
    let create = "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0";
    database
        .execute(&format!("CREATE DATABASE {other} {create}"))
        .await;
    let url = database.url.replace(&database.name(""), &other);
    let refused = pat_sqlx::connect(&url).await.expect_err("no store");
    database
        .execute(&format!("DROP DATABASE {other} WITH (FORCE)"))
        .await;
    assert!(refused.to_string().contains("LATIN1"), "{refused}");
}

async fn a_token_is_created_used_listed_and_revoked(database: Database) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = Server::on(database.url.clone(), folder, &[]).await;
    let token = server.create("alice").await;
    assert_eq!(server.try_token(&token.raw).await, StatusCode::OK);
    let list = answer(server.get(TOKENS).bearer_auth(&token.raw))
        .await
        .json();
    assert_eq!((&list[0]["id"], &list[1]), (&json!(token.id), &json!(null)));
    let revoked = server
        .delete(&token.path())
        .basic_auth("alice", Some("alice"));
    assert_eq!(answer(revoked).await.status, StatusCode::NO_CONTENT);
    assert_eq!(server.try_token(&token.raw).await, StatusCode::UNAUTHORIZED);
    let health = answer(server.get("/healthz")).await;
    assert_eq!(health.status, StatusCode::OK);
    server.stop().await;
}
