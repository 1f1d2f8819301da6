//! What is in the log of an outage: a line for each cause when it begins, one a minute, and one when it
//! is over, however many jobs and requests meet it.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{Request, StatusCode};
use libtest_mimic::Trial;
use pat_core::{Caller, CreatedToken, Pats, TokenRequest};
use pat_harness::blocking_trial;
use pat_harness::fault_ports::{FaultPorts, FaultSink};
use pat_harness::fault_store::{Fault, METHODS};
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

struct World {
    pats: Pats,
    app: Router,
    ports: FaultPorts,
    alice: Caller,
    token: CreatedToken,
}

impl World {
    async fn new() -> Self {
        let ports = FaultPorts::new(FaultSink::default());
        let alice = Caller::header_authenticated(ports.directory.add("alice"));
        let pats = ports.service(FaultPorts::settings().max_tokens_per_user(1_000_000));
        let api: Router = Api::new(pats.clone()).router();
        let token = pats.create(&alice, request()).await.expect("a token");
        Self {
            app: api.layer(PatLayer::optional(pats.clone())),
            pats,
            ports,
            alice,
            token,
        }
    }

    /// Ten rounds of requests a second, for so many seconds.
    async fn run_requests(&self, seconds: u32, expected: StatusCode) {
        const ROUND: Duration = Duration::from_millis(100);
        for _ in 0..seconds * 10 {
            tokio::time::sleep(ROUND).await;
            self.ports.clock.advance(ROUND);
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
    world.ports.store.set(METHODS, Fault::Failing);
    world
        .run_requests(15, StatusCode::SERVICE_UNAVAILABLE)
        .await;
    world.ports.store.set(METHODS, Fault::Silent);
    world
        .run_requests(15, StatusCode::SERVICE_UNAVAILABLE)
        .await;
    expect_lines(&log.take(), &[(STORE, "an outage begins")]);
    world.ports.store.set(&[], Fault::Silent);
    world.run_requests(5, StatusCode::OK).await;
    expect_lines(&log.take(), &[]);
    world.run_requests(60, StatusCode::OK).await;
    expect_lines(&log.take(), &[(STORE, "the outage is over")]);

    // What a single method does is an outage too, though others answer.
    world.ports.store.set(&["find_by_digest"], Fault::Failing);
    world
        .run_requests(70, StatusCode::SERVICE_UNAVAILABLE)
        .await;
    let lasts = log.take();
    expect_lines(
        &lasts,
        &[(STORE, "an outage begins"), (STORE, "the outage continues")],
    );
    assert!(lasts[1].contains("failures=6"), "it counts: {}", lasts[1]);
    world.ports.store.set(&[], Fault::Silent);
    world.run_requests(30, StatusCode::OK).await;
    expect_lines(&log.take(), &[(STORE, "the outage is over")]);

    // All else.
    let others = ["the user directory", "notifier fault", "event sink 1"];
    world.ports.directory.set_down(true);
    world.ports.sink.set(Some(Fault::Failing));
    world
        .run_requests(20, StatusCode::SERVICE_UNAVAILABLE)
        .await;
    world.ports.directory.set_down(false);
    world.ports.notifier.set(Some(Fault::Failing));
    world.run_requests(5, StatusCode::OK).await;
    expect_lines(
        &log.take(),
        &others.map(|cause| (cause, "an outage begins")),
    );
    world.ports.sink.set(None);
    world.run_requests(30, StatusCode::OK).await;
    let over = [others[0], others[2]].map(|cause| (cause, "the outage is over"));
    expect_lines(&log.take(), &over);
    drop(jobs);
}
