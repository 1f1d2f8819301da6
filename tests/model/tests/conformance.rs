//! Runs of the model on real nodes.

use std::sync::Arc;
use std::time::Duration;

use pat_core::settings::{RevocationWait, SettingsBuilder};
use pat_core::testing::TestClock;
use pat_core::{CreatedToken, Pats, Settings, TokenDigest, TokenRequest};
use pat_harness::fault_store::FaultStore;
use pat_harness::node::{alice, sqlite_url};
use pat_harness::until;
use pat_model::Without;
use pat_model::staleness::{Action, Staleness, State};
use pat_sqlx::SqliteStore;
use stateright::Model as _;
use tokio::task::JoinHandle;

const TICK: Duration = Duration::from_secs(1);

struct Node {
    pats: Pats,
    store: FaultStore,
    clock: Arc<TestClock>,
}

impl Node {
    async fn on(
        folder: &tempfile::TempDir,
        clock: Arc<TestClock>,
        settings: SettingsBuilder,
    ) -> Self {
        let store = SqliteStore::open(folder.path().join("pat.db"))
            .await
            .expect("a store");
        let store = FaultStore::new(Arc::new(store));
        let pats = Pats::builder(Arc::new(store.clone()))
            .settings(settings.build().expect("settings"))
            .clock(clock.clone())
            .build();
        Self { pats, store, clock }
    }

    async fn poll(&self) {
        self.pats.poll_changes().await.expect("a poll");
    }

    async fn create(&self, name: &str) -> CreatedToken {
        let request = TokenRequest::new(name, Some(90));
        self.pats.create(&alice(), request).await.expect("a token")
    }

    async fn looks_up(&self, token: &CreatedToken) -> bool {
        self.pats
            .authenticate(token.plain.expose().as_bytes())
            .await
            .is_ok()
    }

    fn accepts_from_cache(&self, token: &CreatedToken) -> bool {
        let digest = TokenDigest::of(token.plain.expose().as_bytes());
        matches!(self.pats.authenticate_cached(&digest), Some(Ok(_)))
    }

    fn revoke(&self, token: &CreatedToken) -> JoinHandle<()> {
        let (pats, id) = (self.pats.clone(), token.token.id);
        tokio::spawn(async move { pats.revoke(&alice(), id).await.expect("a revocation") })
    }
}

fn settings() -> SettingsBuilder {
    Settings::builder()
        .auth_max_staleness_ms(2_000)
        .auth_database_timeout_ms(60_000)
}

/// Steps of the model that one call makes on a real node.
const STEPS: &[&[Action]] = &[
    &[Action::Tick],
    &[Action::Tick],
    &[Action::SlowTick],
    &[Action::Cache(0)],
    &[Action::Cache(1)],
    &[Action::Commit(0), Action::Acknowledge],
    &[Action::Commit(1), Action::Acknowledge],
    &[Action::Failover],
    &[Action::Begin, Action::Send, Action::ReadFeed],
    &[Action::Apply, Action::Trust],
    &[Action::Apply, Action::Trust],
];

const MODEL: Staleness = Staleness {
    without: Without(None),
    changes: 6,
};

fn take(state: &State, steps: &[Action]) -> Option<State> {
    steps.iter().try_fold(state.clone(), |state, step| {
        let mut actions = Vec::new();
        MODEL.actions(&state, &mut actions);
        let is_possible = actions.contains(step);
        is_possible.then(|| MODEL.next_state(&state, *step))?
    })
}

struct Replay {
    folder: tempfile::TempDir,
    a: Node,
    b: Node,
    tokens: [CreatedToken; 2],
    poll: Option<JoinHandle<()>>,
    last_revoked: Option<usize>,
}

impl Replay {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let a = Node::on(&folder, Arc::default(), settings()).await;
        a.poll().await;
        let b = Node::on(&folder, Arc::default(), settings()).await;
        b.poll().await;
        let tokens = [a.create("0").await, a.create("1").await];
        Self {
            folder,
            a,
            b,
            tokens,
            poll: None,
            last_revoked: None,
        }
    }

    async fn take(&mut self, step: Action) {
        match step {
            Action::Tick => {
                self.a.clock.advance(TICK);
                self.b.clock.advance(TICK);
            }
            Action::SlowTick => self.a.clock.advance(TICK),
            Action::Cache(token) => assert!(self.b.looks_up(&self.tokens[token]).await),
            Action::Commit(token) => {
                self.a.revoke(&self.tokens[token]).await.expect("no panic");
                self.last_revoked = Some(token);
            }
            Action::Failover => self.fail_over().await,
            Action::Begin => self.begin_poll().await,
            Action::Apply => {
                self.b.store.hold_changes(false);
                self.poll.take().expect("a poll").await.expect("no panic");
            }
            _ => {}
        }
    }

    async fn begin_poll(&mut self) {
        let (pats, polls) = (self.b.pats.clone(), self.b.store.polls());
        self.b.store.hold_changes(true);
        self.poll = Some(tokio::spawn(async move {
            pats.poll_changes().await.expect("a poll");
        }));
        let store = self.b.store.clone();
        until("the feed is read", async || store.polls() > polls).await;
    }

    /// Takes the last commit back.
    async fn fail_over(&mut self) {
        let url = sqlite_url(self.folder.path());
        let pool = pat_sqlx::sqlx::SqlitePool::connect(&url)
            .await
            .expect("the database");
        let token = self.last_revoked.expect("a revocation");
        let undo = [
            "DELETE FROM pat_change WHERE gen = (SELECT gen FROM pat_clock)",
            "UPDATE pat_clock SET gen = gen - 1",
        ];
        for sql in undo {
            pat_sqlx::sqlx::query(sql)
                .execute(&pool)
                .await
                .expect("undone");
        }
        pat_sqlx::sqlx::query("UPDATE pat_token SET revoked_at = NULL WHERE id = ?")
            .bind(self.tokens[token].token.id.get())
            .execute(&pool)
            .await
            .expect("undone");
        pool.close().await;
    }
}

async fn replay(seed: u64) {
    let mut real = Replay::new().await;
    // Neither waits for the cluster.
    let mut state = MODEL.init_states().swap_remove(0);
    let begun = [
        Action::Begin,
        Action::Send,
        Action::ReadFeed,
        Action::Apply,
        Action::Trust,
    ];
    state = take(&state, &begun).expect("a first poll");
    let mut random = seed;
    let (mut story, mut ticks) = (Vec::new(), 0);
    for _ in 0..40 {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let at = usize::try_from(random >> 33).expect("31 bits") % STEPS.len();
        let Some(next) = take(&state, STEPS[at]) else {
            continue;
        };
        ticks += u32::from(STEPS[at][0] == Action::Tick);
        if ticks > 8 {
            break;
        }
        state = next;
        story.push(MODEL.format_action(&STEPS[at][0]));
        for step in STEPS[at] {
            real.take(*step).await;
        }
        for token in 0..2 {
            let accepts = real.b.accepts_from_cache(&real.tokens[token]);
            assert_eq!(
                accepts,
                state.accepts(token),
                "token {token}, seed {seed}: {story:#?}"
            );
        }
    }
    real.b.store.hold_changes(false);
}

#[tokio::test]
async fn what_the_model_accepts_real_nodes_accept() {
    for seed in 1..=60 {
        replay(seed).await;
    }
}

/// The counterexample to [`pat_model::Assumption::ReportIsYoung`]: between its report and its poll
/// node B is held up for longer than others wait for it.
#[tokio::test]
async fn a_poll_whose_report_is_old_does_not_count() {
    let settings = settings()
        .auth_max_staleness_ms(10_000)
        .revocation_wait(RevocationWait::Cluster);
    let folder = tempfile::tempdir().expect("a folder");
    let a = Node::on(&folder, Arc::default(), settings.clone()).await;
    a.poll().await;
    let b = Node::on(&folder, Arc::default(), settings).await;
    b.poll().await;
    let tokens = [a.create("0").await, a.create("1").await];
    let later = || [&a, &b].map(|node| node.clock.advance(Duration::from_secs(12)));
    later();
    a.poll().await;
    assert!(b.looks_up(&tokens[1]).await);

    let first = a.revoke(&tokens[0]);
    until("it is committed", async || a.store.revocations() > 0).await;
    b.store.hold_nodes(true);
    let (pats, reads) = (b.pats.clone(), b.store.node_reads());
    let poll = tokio::spawn(async move { pats.poll_changes().await });
    until("B has reported", async || b.store.node_reads() > reads).await;
    let reads = a.store.node_reads();
    until("A has read that", async || a.store.node_reads() > reads + 1).await;
    later();
    first.await.expect("no panic");

    let polls = b.store.polls();
    b.store.hold_changes(true);
    b.store.hold_nodes(false);
    until("B's poll is read", async || b.store.polls() > polls).await;
    a.revoke(&tokens[1]).await.expect("no panic");
    b.store.hold_changes(false);
    poll.await.expect("no panic").expect("a poll");
    assert!(
        !b.accepts_from_cache(&tokens[1]),
        "it is revoked, and that was acknowledged"
    );
}
