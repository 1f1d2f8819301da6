//! Several nodes on one database: its clock, its change feed and its hints.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use pat_core::settings::RevocationWait;
use pat_core::store::{Job, LeaseAnswer, LeaseRequest, MarkBounds};
use pat_core::testing::{TestClock, TestDirectory};
use pat_core::{AuthError, Caller, Clock as _, Pats, Settings, SystemClock, TokenRequest};
use pat_harness::database::AnyDatabase;
use pat_harness::node::{named_users, sqlite_url};
use pat_servers::{Database, Kind, rows};
use pat_sqlx::sqlx::{self, Pool};
use pat_sqlx::{AnyStore, Dialect};

use super::{close, open, open_several, owner};

pub(super) async fn leases_go_by_the_databases_clock(database: Database) {
    let store = open(&database).await;
    let tokens = store.tokens();
    let jobs = tokens.jobs().expect("jobs");
    let ask = async |now: &str| {
        let request = LeaseRequest::new(
            Job::Prune,
            now.parse().expect("a date"),
            Duration::from_mins(1),
            &|now| Some(now),
            unmoved(),
        );
        jobs.acquire_lease(&request).await.expect("acquire_lease").0
    };
    let first = ask("2001-01-01T00:00Z").await;
    assert!(matches!(first, LeaseAnswer::Acquired(_)));
    assert_eq!(ask("2099-01-01T00:00Z").await, LeaseAnswer::Held);
    store.close().await;
}

/// Bounds within which a mark does not move.
pub(super) fn unmoved() -> MarkBounds {
    MarkBounds::new(Timestamp::MIN, Timestamp::MIN, SystemClock.wall())
}

/// The users of the nodes below.
pub(super) fn users() -> TestDirectory {
    named_users(&["alice", "bob"])
}

pub(super) fn month() -> TokenRequest {
    TokenRequest::new("ci", Some(30))
}

pub(super) async fn a_node_follows_the_databases_clock(database: Database) {
    let store = open(&database).await;
    let clock = Arc::new(TestClock::default());
    let pats = Pats::builder(store.tokens())
        .users(Arc::new(users()))
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

/// Nodes that by themselves would look once an hour.
pub(super) async fn hints_shorten_the_wait_for_the_next_poll(database: Database) {
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

pub(super) async fn each_node_sees_the_others_revocations(database: Database) {
    let stores = open_several(&database, 2).await;
    let node = |store: &AnyStore| {
        Pats::builder(store.tokens())
            .users(Arc::new(users()))
            .build()
    };
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
    let url = sqlite_url(folder.path());
    (folder, url)
}

pub(super) async fn a_node_that_is_far_behind_revalidates_every_token(database: AnyDatabase) {
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
    let builder = Pats::builder(store.tokens()).users(Arc::new(users()));
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
pub(super) async fn changes_are_reported_only_if_a_node_waits() {
    for (wait, expected) in [(RevocationWait::None, 0), (RevocationWait::Cluster, 2)] {
        let (_folder, url) = sqlite();
        let stores = join_all([0, 1].map(|_| pat_sqlx::connect(&url))).await;
        let stores: Vec<_> = stores
            .into_iter()
            .map(|store| store.expect("a store"))
            .collect();
        let settings = Settings::builder().revocation_wait(wait).build();
        // It stands still, so that no report is due, however long the polls take.
        let clock = Arc::new(TestClock::default());
        let waiting = Pats::builder(stores[0].tokens())
            .settings(settings.expect("settings"))
            .clock(clock.clone())
            .build();
        let other = Pats::builder(stores[1].tokens()).clock(clock).build();
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
