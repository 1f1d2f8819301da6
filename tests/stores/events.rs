//! The events of the audit, as the database has them.

use std::sync::Arc;
use std::time::Duration;

use pat_core::store::{Job, LeaseAnswer, LeaseRequest, Purge};
use pat_core::{Caller, Clock as _, Pats, SystemClock};
use pat_harness::database::AnyDatabase;
use pat_harness::node::named_users;
use pat_servers::Kind;
use pat_sqlx::sqlx::{self, Pool};
use pat_sqlx::{AnyStore, Dialect};

use super::nodes::{month, unmoved};
use super::{close, owner};

pub(super) async fn audit_events_are_written_and_trimmed(database: AnyDatabase) {
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
        .users(Arc::new(named_users(&["alice"])))
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
    let request = LeaseRequest::new(
        Job::Prune,
        SystemClock.wall(),
        Duration::from_mins(1),
        &|now| Some(now),
        unmoved(),
    );
    let (LeaseAnswer::Acquired(lease), _) = jobs.acquire_lease(&request).await.expect("a lease")
    else {
        panic!("nobody else is here");
    };
    let trim = async |events| {
        let now = SystemClock.wall();
        let mut purge = Purge::new(now, now);
        purge.changes = Duration::from_hours(24);
        purge.notifications = Duration::from_hours(24);
        purge.events = events;
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
