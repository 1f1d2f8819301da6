//! What is in the log of an outage: a line for each cause when it begins, one a minute, and one when it
//! is over, however many jobs and requests meet it.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use http::{Request, StatusCode};
use libtest_mimic::Trial;
use pat_core::event::Event;
use pat_core::event::EventSink;
use pat_core::settings::SettingsBuilder;
use pat_core::testing::{RecordingNotifier, TestClock, TestDirectory};
use pat_core::{BoxError, Caller, CreatedToken, Pats, Settings, TokenRequest};
use pat_harness::blocking_trial;
use pat_harness::fault_store::{Fault, FaultStore, METHODS};
use pat_tower::PatLayer;
use pat_tower::api::Api;
use tower::ServiceExt as _;

pub(super) fn trial() -> Trial {
    blocking_trial(the_log_has_one_line_for_a_cause)
}

fn the_log_has_one_line_for_a_cause() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let log = Log::default();
    let lines = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || lines.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, || runtime.block_on(outages(&log)));
}

/// The lines so far. Clones share them.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("the log").write(text)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// What was logged since the last call, but for what happens to tokens.
    fn take(&self) -> Vec<String> {
        let text = std::mem::take(&mut *self.0.lock().expect("the log"));
        let text = String::from_utf8(text).expect("text");
        let lines = text.lines().filter(|line| {
            let is_warning = line.contains("WARN ") || line.contains("ERROR ");
            is_warning || line.contains("outage") || line.contains("works again")
        });
        let lines = lines.map(str::to_owned);
        // What an outage has cost the audit is told when something is stored again.
        let (lost, lines): (Vec<_>, Vec<_>) =
            lines.partition(|line| line.contains("missing in the audit"));
        assert!(lost.len() <= 1, "{lost:#?}");
        lines
    }
}

/// Fails when it is told to.
#[derive(Debug, Clone, Default)]
struct Sink(Arc<AtomicBool>);

#[async_trait]
impl EventSink for Sink {
    async fn record(&self, _: &Event) -> Result<(), BoxError> {
        if self.0.load(Ordering::SeqCst) {
            return Err("the queue is gone".into());
        }
        Ok(())
    }
}

struct World {
    pats: Pats,
    app: Router,
    store: FaultStore,
    directory: TestDirectory,
    mailer: RecordingNotifier,
    sink: Sink,
    clock: Arc<TestClock>,
    alice: Caller,
    token: CreatedToken,
}

impl World {
    async fn new() -> Self {
        let (store, directory) = (FaultStore::shared_in_memory(), TestDirectory::default());
        let alice = Caller::header_authenticated(directory.add("alice"));
        let (mailer, sink) = (RecordingNotifier::default(), Sink::default());
        let clock = Arc::new(TestClock::default());
        let settings = Settings::builder()
            .max_tokens_per_user(1_000_000)
            .auth_cache_expiry_mins(0)
            .notice_created(true)
            .set("pat.time.zone", "UTC");
        let settings = settings.and_then(SettingsBuilder::build).expect("settings");
        let pats = Pats::builder(Arc::new(store.clone()))
            .users(Arc::new(directory.clone()))
            .notifier(Arc::new(mailer.clone()))
            .events(Arc::new(sink.clone()))
            .clock(clock.clone())
            .settings(settings)
            .build();
        let api: Router = Api::new(pats.clone()).router();
        let token = pats.create(&alice, request()).await.expect("a token");
        Self {
            app: api.layer(PatLayer::optional(pats.clone())),
            pats,
            store,
            directory,
            mailer,
            sink,
            clock,
            alice,
            token,
        }
    }

    /// Ten rounds of requests a second, for so many seconds.
    async fn run_requests(&self, seconds: u32, expected: StatusCode) {
        const ROUND: Duration = Duration::from_millis(100);
        for _ in 0..seconds * 10 {
            tokio::time::sleep(ROUND).await;
            self.clock.advance(ROUND);
            // The layer's own answer, and the router's.
            let bearer = format!("Bearer {}", self.token.plain.expose());
            let by_token = Request::get("/policy").header("authorization", bearer);
            let by_token = self
                .app
                .clone()
                .oneshot(by_token.body(Body::empty()).expect("one"));
            let path = format!("/tokens/{}", self.token.token.id.get());
            let mut by_user = Request::get(path).body(Body::empty()).expect("a request");
            by_user.extensions_mut().insert(self.alice.clone());
            let by_user = self.app.clone().oneshot(by_user);
            let created = self.pats.create(&self.alice, request());
            let (by_token, by_user, _) = tokio::join!(by_token, by_user, created);
            assert_eq!(by_token.expect("an answer").status(), expected);
            drop(by_user.expect("an answer"));
        }
    }
}

fn request() -> TokenRequest {
    TokenRequest::new("ci", None)
}

/// Asserts that there are just these lines.
fn expect_lines(found: &[String], expected: &[(&str, &str)]) {
    let is_it = |line: &String, (cause, what): &(&str, &str)| {
        line.contains(what) && line.contains(&format!("cause=\"{cause}\""))
    };
    for expected in expected {
        let count = found.iter().filter(|line| is_it(line, expected)).count();
        assert_eq!(count, 1, "{expected:?} in {found:#?}");
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
}

async fn outages(log: &Log) {
    const STORE: &str = "the token store";
    let world = World::new().await;
    let jobs = world.pats.start();
    world.run_requests(5, StatusCode::OK).await;
    expect_lines(&log.take(), &[]);

    // Half a minute, in which it fails in two ways.
    world.store.set(METHODS, Fault::Failing);
    world
        .run_requests(15, StatusCode::SERVICE_UNAVAILABLE)
        .await;
    world.store.set(METHODS, Fault::Silent);
    world
        .run_requests(15, StatusCode::SERVICE_UNAVAILABLE)
        .await;
    expect_lines(&log.take(), &[(STORE, "an outage begins")]);
    world.store.set(&[], Fault::Silent);
    world.run_requests(5, StatusCode::OK).await;
    expect_lines(&log.take(), &[]);
    world.run_requests(60, StatusCode::OK).await;
    expect_lines(&log.take(), &[(STORE, "the outage is over")]);

    // What a single method does is an outage too, though others answer.
    world.store.set(&["find_by_digest"], Fault::Failing);
    world
        .run_requests(70, StatusCode::SERVICE_UNAVAILABLE)
        .await;
    let lasts = log.take();
    expect_lines(
        &lasts,
        &[(STORE, "an outage begins"), (STORE, "the outage continues")],
    );
    assert!(lasts[1].contains("failures=6"), "it counts: {}", lasts[1]);
    world.store.set(&[], Fault::Silent);
    world.run_requests(30, StatusCode::OK).await;
    expect_lines(&log.take(), &[(STORE, "the outage is over")]);

    // All else.
    let others = ["the user directory", "notifier recording", "event sink 1"];
    world.directory.set_down(true);
    world.sink.0.store(true, Ordering::SeqCst);
    world
        .run_requests(20, StatusCode::SERVICE_UNAVAILABLE)
        .await;
    world.directory.set_down(false);
    world.mailer.fail_for_now();
    world.run_requests(5, StatusCode::OK).await;
    expect_lines(
        &log.take(),
        &others.map(|cause| (cause, "an outage begins")),
    );
    world.sink.0.store(false, Ordering::SeqCst);
    world.run_requests(30, StatusCode::OK).await;
    let over = [others[0], others[2]].map(|cause| (cause, "the outage is over"));
    expect_lines(&log.take(), &over);
    drop(jobs);
}
