//! A client that replaces its own token keeps access, wherever the answer breaks off.
//!
//! The clients use a token on any of three nodes and replace it all the time. At each rotation a client is killed after
//! it has read some bytes of the answer: one more each time, from none to all. It then does what the guide says: it sends
//! the request again with the old secret, to any node, always with a key or always without one. Meanwhile one thing after
//! another is broken, as in the runs that search for revoked tokens. Afterwards, the test looks for
//!
//! - a secret that was received completely and refused with 401 before the end that the last answer, or its
//!   `PAT-Expires-At`, gave it. If the client has no key, and has given up a request that a node may carry out later,
//!   the new secret may also end with the old one, as the guide warns;
//! - an old secret that a node accepted later than the staleness bound after its end;
//! - a line of which more than one token is left when the overlap has ended, or of which the client has not the last.
//!
//! `PAT_TEST_ROTATION_REQUESTS` says how many requests there are with a token, on each database. Unless set, there are
//! 10,000 on one kind of database, another one each day, and 1,000 on the others, which are too few for an answer that
//! breaks off at each byte. The same variable gives the number of rotations at the limit of tokens: a hundredth of it.

mod client;
mod exchange;
mod report;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use libtest_mimic::Trial;
use pat_core::{Clock as _, SystemClock};
use pat_harness::database::{SERVERS, named_trial_alone};
use pat_harness::names::{name_in_case, name_of, name_on};
use pat_harness::process::Process;
use pat_harness::{Answer, TOKENS, answer, client as http_client, named_trial, trial};
use pat_servers::environment::number;
use reqwest::StatusCode;
use serde_json::json;

use self::client::{Client, Shared};
use self::report::Report;
use super::flawed::Flaw;
use super::nodes::NODES;
use super::random::Random;
use super::run::{Fixture, Run, Started};
use super::{BOUND, breaks_nothing};

/// Clients, each with a token.
const CLIENTS: usize = 24;
/// How many requests there are, unless the environment says it; enough for an answer that breaks off at each byte.
const MANY: usize = 10_000;
const DAY: i64 = 24 * 60 * 60;
/// For longer than that, nothing is broken.
const OVERLAP: u64 = 10;

pub(super) fn trials() -> Vec<Trial> {
    let name = name_of(&no_answer_that_breaks_off_costs_access);
    let today = SystemClock.wall().as_second() / DAY;
    let turn = usize::try_from(today).map_or(0, |today| today % (SERVERS.len() + 1));
    let requests_of = |number| requests(if number == turn { MANY } else { MANY / 10 });
    let on_sqlite = requests_of(SERVERS.len());
    let mut trials = vec![
        named_trial(
            name_on(&no_answer_that_breaks_off_costs_access, "sqlite"),
            move || no_answer_that_breaks_off_costs_access(Fixture::Sqlite, on_sqlite),
        ),
        trial(rotations_at_the_limit_are_not_refused),
    ];
    trials.extend(SERVERS.into_iter().enumerate().map(|(number, kind)| {
        let requests = requests_of(number);
        named_trial_alone(kind, &name, move |database| {
            no_answer_that_breaks_off_costs_access(Fixture::Server(database), requests)
        })
    }));
    for flaw in [Flaw::PredecessorEnded, Flaw::RotationUntold] {
        let name = name_in_case(&a_flawed_rotation_is_detected, flaw.name());
        trials.push(named_trial(name, move || {
            a_flawed_rotation_is_detected(flaw)
        }));
    }
    trials
}

fn requests(unless_set: usize) -> usize {
    number("PAT_TEST_ROTATION_REQUESTS", unless_set)
}

async fn no_answer_that_breaks_off_costs_access(fixture: Fixture, requests: usize) {
    let faults = if breaks_nothing() {
        vec![]
    } else {
        fixture.faults()
    };
    let name = fixture.name();
    let run = Run {
        fixture,
        properties: vec![],
        flaw: None,
        ways: vec![],
        faults,
        length: Duration::ZERO,
    };
    let report = rotate(run, &name, requests, OVERLAP).await;
    report.judge(requests >= MANY);
}

/// A rotation that ends the old token at once, and one of which the caches of other nodes do not learn.
async fn a_flawed_rotation_is_detected(flaw: Flaw) {
    let run = Run {
        fixture: Fixture::Sqlite,
        properties: vec![],
        flaw: Some(flaw),
        ways: vec![],
        faults: vec![],
        length: Duration::ZERO,
    };
    let report = rotate(run, flaw.name(), 300, 3).await;
    let found = match flaw {
        Flaw::PredecessorEnded => &report.refused,
        _ => &report.late,
    };
    assert!(!found.is_empty(), "nothing was found");
}

/// Has clients use and replace their tokens so many times, while things break.
async fn rotate(run: Run, name: &str, requests: usize, overlap: u64) -> Report {
    let seed = Random::seed();
    let Started {
        mut faults,
        clients: others,
        tasks,
        history,
    } = run.start(seed).await;
    let shared = Arc::new(Shared::new(
        Arc::clone(&faults.nodes),
        Arc::clone(&history),
        requests,
        overlap,
    ));
    let mut random = Random::new(seed);
    let clients = (0..CLIENTS).map(|number| {
        let client = Client::new(Arc::clone(&shared), number, random.fork());
        tokio::spawn(client.run())
    });
    let clients: Vec<_> = clients.collect();
    let mut broken = Vec::new();
    while !faults.kinds.is_empty() && !shared.is_enough() {
        let until = history.now() + Duration::from_secs(5);
        broken.push(faults.run(until).await);
    }
    while !shared.is_enough() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    shared.set_quiet();
    let ended = join_all(clients).await;
    // Nothing is broken any more, and after this every overlap has ended, on every node.
    let rest = Duration::from_secs(overlap) + BOUND;
    tokio::time::sleep(rest).await;
    let mut report = shared.report().await;
    for client in ended {
        client.expect("a client").look_back(&mut report).await;
    }
    others.stop();
    tasks.join_all().await;
    println!("{name}, seed {seed}: {report}");
    for broken in broken {
        println!("{broken}");
    }
    report
}

/// A line counts as one token, however many of its tokens are still valid.
async fn rotations_at_the_limit_are_not_refused() {
    const LIMIT: usize = 10;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let limit = format!("atlassian.pats.max.tokens.per.user={LIMIT}");
    let nodes: [_; NODES] = std::array::from_fn(|_| Process::start(folder.path(), &["-D", &limit]));
    let http = http_client();
    let create = async |node: usize| -> Answer {
        let request = http.post(format!("{}{TOKENS}", nodes[node].base));
        let request = request.basic_auth("alice", Some("alice"));
        answer(request.json(&json!({"name": "ci", "expirationDuration": 90}))).await
    };
    let mut tokens = Vec::new();
    for number in 0..LIMIT {
        tokens.push(create(number % NODES).await.created().raw);
    }
    assert_eq!(create(0).await.problem(), "token-limit-reached");
    let rounds = requests(MANY) / 100;
    for round in 0..rounds {
        let token = &mut tokens[round % LIMIT];
        let base = &nodes[round % NODES].base;
        let request = http.post(format!("{base}{TOKENS}/current/rotate"));
        let rotated = answer(request.bearer_auth(&token)).await;
        assert_eq!(
            rotated.status,
            StatusCode::CREATED,
            "round {round}: {rotated:?}"
        );
        *token = rotated.created().raw;
    }
    assert_eq!(create(0).await.problem(), "token-limit-reached");
    println!("{rounds} rotations at the limit of {LIMIT} tokens");
}
