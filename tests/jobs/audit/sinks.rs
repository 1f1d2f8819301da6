//! Who gets events, and what becomes of those who cannot take them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use libtest_mimic::Trial;
use pat_core::event::{Event, EventSink};
use pat_core::store::Job;
use pat_core::store::TokenStore;
use pat_core::testing::RecordingSink;
use pat_core::{BoxError, Client, JobRun, MemoryStore, Pats, Settings, TokenId, TokenRequest};
use pat_harness::database::trials_on_servers;
use pat_harness::node::{alice, many_tokens, sqlite};
use pat_harness::{trial, until};
use pat_servers::{Database, Kind, rows};
use pat_sqlx::Dialect;
use pat_sqlx::sqlx::{self, Pool, SqlitePool};

use super::{stored, tokens};

pub(super) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial(a_sink_that_panics_hangs_or_fails_silences_no_other),
        trial(a_shared_sink_gets_every_event_once_it_works_again),
        trial(one_node_feeds_a_shared_sink),
        trial(a_sink_passes_over_events_that_are_trimmed),
        trial(no_event_of_a_mass_revocation_is_lost),
        trial(events_name_the_client_of_their_request),
        trial(a_store_without_an_audit_has_sinks_fed_from_memory),
    ];
    trials.extend(trials_on_servers(
        an_event_that_is_committed_late_is_not_skipped,
    ));
    trials
}

async fn create(pats: &Pats) -> TokenId {
    let request = TokenRequest::new("ci", Some(90));
    let created = pats.create(&alice(), request).await.expect("a token");
    created.token.id
}

/// What a sink does with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Panics,
    Hangs,
    Fails,
}

#[derive(Debug)]
struct Broken {
    way: Way,
    name: Option<&'static str>,
    asked: Arc<AtomicUsize>,
}

#[async_trait]
impl EventSink for Broken {
    fn name(&self) -> Option<&str> {
        self.name
    }

    async fn record(&self, _: &Event) -> Result<(), BoxError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        match self.way {
            Way::Panics => panic!("a sink of the host's"),
            Way::Hangs => std::future::pending().await,
            Way::Fails => Err("a sink that fails".into()),
        }
    }
}

/// Remembers events under a name, while it works.
#[derive(Debug, Clone, Default)]
struct Shared {
    taken: RecordingSink,
    is_broken: Arc<AtomicBool>,
}

impl Shared {
    fn set_broken(&self, is_broken: bool) {
        self.is_broken.store(is_broken, Ordering::SeqCst);
    }

    fn seqs(&self) -> Vec<u64> {
        let rows = self
            .taken
            .events()
            .into_iter()
            .filter_map(|event| event.row);
        rows.map(|row| row.seq).collect()
    }
}

#[async_trait]
impl EventSink for Shared {
    fn name(&self) -> Option<&str> {
        Some("shared")
    }

    async fn record(&self, event: &Event) -> Result<(), BoxError> {
        if self.is_broken.load(Ordering::SeqCst) {
            return Err("broken".into());
        }
        self.taken.record(event).await
    }
}

/// The names of the kinds.
fn kinds(events: &[Event]) -> Vec<String> {
    let kinds = events.iter().map(|event| event.kind.as_str().to_owned());
    kinds.collect()
}

async fn a_sink_that_panics_hangs_or_fails_silences_no_other() {
    let (_folder, store) = sqlite().await;
    let (process, shared) = (RecordingSink::default(), Shared::default());
    let panics = Arc::new(AtomicUsize::new(0));
    let broken = |way, name| Broken {
        way,
        name,
        asked: Arc::default(),
    };
    let pats = Pats::builder(Arc::new(store))
        .settings(many_tokens().build().expect("settings"))
        .events(Arc::new(Broken {
            asked: panics.clone(),
            ..broken(Way::Panics, None)
        }))
        .events(Arc::new(broken(Way::Hangs, None)))
        .events(Arc::new(broken(Way::Fails, None)))
        .events(Arc::new(process.clone()))
        .events(Arc::new(broken(Way::Panics, Some("panics"))))
        .events(Arc::new(broken(Way::Hangs, Some("hangs"))))
        .events(Arc::new(broken(Way::Fails, Some("fails"))))
        .events(Arc::new(shared.clone()))
        .build();
    let _jobs = pats.start();
    for _ in 0..3 {
        create(&pats).await;
    }
    until("the good process sink has all", async || {
        kinds(&process.events()) == ["created"; 3]
    })
    .await;
    until("the good shared sink has all", async || {
        kinds(&shared.taken.events()) == ["created"; 3]
    })
    .await;
    create(&pats).await;
    until("both go on", async || {
        process.events().len() == 4 && shared.taken.events().len() == 4
    })
    .await;
    until("who panics is asked again", async || {
        panics.load(Ordering::SeqCst) == 4
    })
    .await;
}

async fn a_shared_sink_gets_every_event_once_it_works_again() {
    let (folder, store) = sqlite().await;
    let sink = Shared::default();
    sink.set_broken(true);
    let mut created = Vec::new();
    // Two lives of a process, and the sink is dead in both.
    let open = async || pat_sqlx::SqliteStore::open(folder.path().join("pat.db")).await;
    drop(store);
    for _ in 0..2 {
        let store = open().await.expect("the database");
        let pats = Pats::builder(Arc::new(store))
            .events(Arc::new(sink.clone()))
            .build();
        let jobs = pats.start();
        for _ in 0..3 {
            created.push(create(&pats).await);
        }
        let fed = pats.run_if_due(Job::EventFeed).await.expect("a run");
        assert!(matches!(fed, JobRun::Done | JobRun::Held), "{fed:?}");
        jobs.shutdown().await;
        assert_eq!(sink.seqs(), Vec::<u64>::new());
    }
    sink.set_broken(false);
    let store = open().await.expect("the database");
    let pats = Pats::builder(Arc::new(store))
        .events(Arc::new(sink.clone()))
        .build();
    let run = async || pats.run_if_due(Job::EventFeed).await.expect("a run");
    assert_eq!(run().await, JobRun::Done);
    assert_eq!(sink.seqs(), [1, 2, 3, 4, 5, 6]);
    assert_eq!(tokens(&sink.taken.events(), "created"), created);
    assert_eq!(run().await, JobRun::Done, "with nothing to do");
    assert_eq!(sink.seqs().len(), 6, "it is not offered what it has");
    created.push(create(&pats).await);
    run().await;
    assert_eq!(tokens(&sink.taken.events(), "created"), created);
}

async fn one_node_feeds_a_shared_sink() {
    let (folder, store) = sqlite().await;
    let other = pat_sqlx::SqliteStore::open(folder.path().join("pat.db")).await;
    let sink = Shared::default();
    let node = |store| Pats::builder(store).events(Arc::new(sink.clone())).build();
    let nodes = [
        node(Arc::new(store)),
        node(Arc::new(other.expect("the database"))),
    ];
    let jobs = nodes.each_ref().map(Pats::start);
    for round in 0..10 {
        create(&nodes[round % 2]).await;
    }
    until("all events of both", async || sink.seqs().len() >= 10).await;
    for jobs in jobs {
        jobs.shutdown().await;
    }
    assert_eq!(sink.seqs(), (1..=10).collect::<Vec<_>>(), "in order");
}

async fn a_sink_passes_over_events_that_are_trimmed() {
    let (folder, store) = sqlite().await;
    let sink = Shared::default();
    let pats = Pats::builder(Arc::new(store))
        .events(Arc::new(sink.clone()))
        .build();
    let run = async || pats.run_if_due(Job::EventFeed).await.expect("a run");
    create(&pats).await;
    run().await;
    sink.set_broken(true);
    for _ in 0..4 {
        create(&pats).await;
    }
    run().await;
    let file = folder.path().join("pat.db");
    let pool = SqlitePool::connect(&file.to_string_lossy()).await;
    let pool = pool.expect("the database");
    let delete = async |sql: &'static str| {
        let deleted = sqlx::query(sql).execute(&pool).await;
        deleted.expect("a deletion");
    };
    delete("DELETE FROM pat_event WHERE seq IN (2, 3)").await;
    sink.set_broken(false);
    run().await;
    assert_eq!(sink.seqs(), [1, 4, 5], "it goes on behind the gap");
    create(&pats).await;
    sink.set_broken(true);
    run().await;
    delete("DELETE FROM pat_event").await;
    run().await;
    sink.set_broken(false);
    create(&pats).await;
    run().await;
    assert_eq!(sink.seqs(), [1, 4, 5, 7], "and behind the end");
}

async fn no_event_of_a_mass_revocation_is_lost() {
    const TOKENS: usize = 20_000;
    let (folder, store) = sqlite().await;
    let file = folder.path().join("pat.db");
    let pool = SqlitePool::connect(&file.to_string_lossy()).await;
    let pool = pool.expect("the database");
    rows::insert(&pool, 0..TOKENS, "alice", None).await;
    let sink = Shared::default();
    let pats = Pats::builder(Arc::new(store))
        .settings(many_tokens().build().expect("settings"))
        .events(Arc::new(sink.clone()))
        .build();
    let jobs = pats.start();
    let owner = alice().owner().clone();
    assert_eq!(
        pats.user_deleted(&owner).await.expect("revocations"),
        TOKENS
    );
    until("the sink has all", async || sink.seqs().len() > TOKENS).await;
    jobs.shutdown().await;
    assert!(sink.seqs().into_iter().eq(1..=TOKENS as u64 + 1));
    let mut told = tokens(&sink.taken.events(), "revoked");
    told.sort_unstable();
    let last = i64::try_from(TOKENS).expect("a number");
    let all = (1..=last).filter_map(TokenId::new);
    assert!(told.into_iter().eq(all), "each token once");
}

async fn events_name_the_client_of_their_request() {
    for keeps_address in [true, false] {
        let sink = RecordingSink::default();
        let settings = Settings::builder().audit_client_address(keeps_address);
        let pats = Pats::builder(Arc::new(MemoryStore::default()))
            .settings(settings.build().expect("settings"))
            .events(Arc::new(sink.clone()))
            .build();
        let jobs = pats.start();
        let client = |id: &str| {
            Client::default()
                .with_address([192, 0, 2, 7].into())
                .with_user_agent("curl/8.5.0")
                .with_request_id(id)
        };
        let (creating, revoking) = (client("request-7"), client("request-8"));
        let id = pats.on_behalf_of(creating.clone(), create(&pats)).await;
        let owner = alice();
        let revoked = pats.on_behalf_of(revoking.clone(), pats.revoke(&owner, id));
        revoked.await.expect("a revocation");
        create(&pats).await;
        jobs.shutdown().await;
        let expected = [creating, revoking, Client::default()].map(|client| {
            if keeps_address {
                client
            } else {
                client.without_address()
            }
        });
        let events = sink.events();
        let clients: Vec<_> = events.iter().map(|event| event.client.clone()).collect();
        assert_eq!(clients, expected);
        let names: Vec<_> = events
            .iter()
            .map(|event| event.token_name.as_deref())
            .collect();
        assert_eq!(names, [Some("ci"); 3]);
    }
}

async fn a_store_without_an_audit_has_sinks_fed_from_memory() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = pat_example_server::plugin::FileStore::open(folder.path().join("log")).await;
    let sink = Shared::default();
    let pats = Pats::builder(Arc::new(store.expect("a store")))
        .events(Arc::new(sink.clone()))
        .build();
    let jobs = pats.start();
    let id = create(&pats).await;
    jobs.shutdown().await;
    let events = sink.taken.events();
    assert_eq!(tokens(&events, "created"), [id]);
    assert_eq!(events[0].row, None);
}

/// Writes an event, has another one numbered, and only then commits.
async fn commit_late<DB: Dialect>(url: &str, pats: &Pats, store: &dyn TokenStore) {
    let pool = Pool::<DB>::connect(url).await.expect("a pool");
    let mut late = pool.begin().await.expect("a transaction");
    let row = DB::execute(sqlx::QueryBuilder::new(LATE), false, &mut late);
    row.await.expect("a row");
    assert_eq!(numbered(pats, store).await.len(), 1);
    late.commit().await.expect("a commit");
    pool.close().await;
}

/// Somebody else's transaction writes an event early and commits late.
async fn an_event_that_is_committed_late_is_not_skipped(database: Database) {
    let any = pat_sqlx::connect(&database.url).await.expect("a store");
    let store = any.tokens();
    let pats = Pats::builder(store.clone()).build();
    let url = &database.url;
    match database.kind {
        Kind::Postgres => commit_late::<sqlx::Postgres>(url, &pats, &*store).await,
        Kind::MariaDb => commit_late::<sqlx::MySql>(url, &pats, &*store).await,
    }
    create(&pats).await;
    let audit = store.audit().expect("an audit");
    audit.number_events(10).await.expect("numbers");
    let later = audit.events_after(1, 10).await.expect("events");
    let kinds = kinds(&later);
    assert!(kinds.contains(&"owner-changed".to_owned()), "{later:?}");
    assert_eq!(kinds.len(), 2);
    any.close().await;
}

/// Of long ago.
const LATE: &str = "INSERT INTO pat_event (id, at, kind, owner, number, seq) \
                    VALUES (7, 1, 'owner-changed', 'alice', 1, 0)";

async fn numbered(pats: &Pats, store: &dyn TokenStore) -> Vec<Event> {
    create(pats).await;
    stored(store).await
}
