//! A revoked token is accepted nowhere in the cluster after the stated bound, whatever breaks.
//!
//! Three processes of the example server share a database. Clients create and revoke tokens on any
//! of them, and try tokens on each of them all the time, while one thing after another is broken:
//! see [`faults`]. Each request goes into a history; see [`history`]. After the run the [`checker`]
//! looks for
//!
//! - a token that was accepted though the request was sent after the revocation was acknowledged:
//!   at once on the node that acknowledged it, and later than the staleness bound on the others, or
//!   also at once with `pat.revocation.wait=cluster`;
//! - a live token that was refused with 401;
//! - a 503 although nothing was broken. (A server has a second to decide. On a machine that is busy
//!   with other things a few may miss that, so only many of them fail the test.)
//!
//! That it finds such things is tested too: with made-up histories, and with nodes that trust what
//! they know for a minute.
//!
//! A database server that was started here is also reached through a [`proxy`] by one of the nodes,
//! which makes that way slow, deaf or a dead end.
//!
//! Each run prints its figures and its seed. `PAT_TEST_REVOCATION_SECONDS` makes the runs longer,
//! and `PAT_TEST_REVOCATION_SEED` has the same faults again, though not the same history.

mod checker;
mod clients;
mod faults;
mod history;
mod nodes;
mod proxy;
mod random;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::Trial;

use self::checker::{Report, Rules, check};
use self::clients::Clients;
use self::faults::{Broken, Fault, Faults};
use self::history::{Entry, History};
use self::nodes::Nodes;
use self::proxy::Proxy;
use self::random::Random;
use crate::common::database::{Database, Kind, trial_alone};
use crate::common::trial;

/// The default of `pat.auth.max.staleness.ms`, and some time for the way.
const BOUND: Duration = Duration::from_millis(2_100);
/// How long after a fault a server may still be busy with what has piled up.
const RECOVERY: Duration = Duration::from_secs(2);

/// What a revocation waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    None,
    Cluster,
}

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial(
            "revocation::checker::a_late_acceptance_on_the_same_node_is_found",
            checker::tests::late_on_the_same_node,
        ),
        trial(
            "revocation::checker::a_late_acceptance_on_another_node_is_found",
            checker::tests::late_on_another_node,
        ),
        trial(
            "revocation::checker::a_cluster_that_waits_has_no_time_left",
            checker::tests::late_in_a_cluster_that_waits,
        ),
        trial(
            "revocation::checker::nothing_is_promised_without_a_204",
            checker::tests::no_promise_without_an_acknowledgement,
        ),
        trial(
            "revocation::checker::a_false_refusal_is_found",
            checker::tests::false_refusal,
        ),
        trial(
            "revocation::checker::an_outage_without_a_fault_is_found",
            checker::tests::outage_without_a_fault,
        ),
        trial(
            "revocation::checker::a_strange_answer_is_found",
            checker::tests::strange_answer,
        ),
        trial(
            "revocation::nodes_that_do_not_listen_are_found_out",
            deaf_nodes,
        ),
        trial(
            "revocation::a_node_that_wakes_up_with_old_knowledge_is_found_out",
            sleepy_node,
        ),
    ];
    for (wait, name) in [
        (Wait::None, "the_bound_holds_under_faults"),
        (Wait::Cluster, "a_waiting_revocation_is_final_under_faults"),
    ] {
        trials.push(trial(
            &format!("revocation::sqlite::{name}"),
            move || async move { assert_kept(Engine::Sqlite, wait).await },
        ));
        trials.extend([Kind::Postgres, Kind::MariaDb].map(|kind| {
            let name = format!("revocation::{}::{name}", kind.need());
            trial_alone(kind, &name, move |database| async move {
                assert_kept(Engine::Server(database), wait).await;
            })
        }));
    }
    trials
}

enum Engine {
    Sqlite,
    Server(Database),
}

impl Engine {
    fn name(&self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Server(database) => database.kind.need(),
        }
    }

    fn url(&self) -> String {
        match self {
            Self::Sqlite => "sqlite:pat.db".into(),
            Self::Server(database) => database.url.clone(),
        }
    }

    fn faults(&self) -> Vec<Fault> {
        let mut faults = vec![Fault::NodeFrozen, Fault::NodeKilled];
        match self {
            Self::Sqlite => faults.push(Fault::DatabaseLocked),
            Self::Server(database) => {
                if let Some(process) = database.process {
                    faults.push(Fault::DatabaseFrozen(process));
                    faults.extend(Fault::NETWORK);
                }
            }
        }
        faults
    }

    /// In front of a server that was started here, and so has a socket.
    fn proxy(&self, folder: &Path) -> Option<Proxy> {
        match self {
            Self::Server(database) if database.process.is_some() => {
                Some(Proxy::start(database, folder))
            }
            _ => None,
        }
    }
}

/// A run with all faults keeps all promises.
async fn assert_kept(engine: Engine, wait: Wait) {
    let seconds = std::env::var("PAT_TEST_REVOCATION_SECONDS").ok();
    let seconds = seconds.map(|text| text.parse().expect("PAT_TEST_REVOCATION_SECONDS"));
    let length = Duration::from_secs(seconds.unwrap_or(8));
    let seed = Random::seed();
    let (property, bound) = match wait {
        Wait::None => ("pat.revocation.wait=none", BOUND),
        Wait::Cluster => ("pat.revocation.wait=cluster", Duration::ZERO),
    };
    let (history, broken) = run(&engine, &[property], engine.faults(), length, seed).await;
    let rules = Rules {
        bound,
        recovery: RECOVERY,
    };
    let report = check(&history, &broken.windows, rules);
    let run = format!("{}, {property}, seed {seed}", engine.name());
    println!("{run}: {report}; {broken}");
    assert_good(&run, &report, &history, &broken);
}

fn assert_good(run: &str, report: &Report, history: &[Entry], broken: &Broken) {
    for (what, entries) in [
        ("accepted too late", &report.late),
        ("false refusals", &report.false_refusals),
        ("answers of another kind", &report.strange),
    ] {
        assert!(
            entries.is_empty(),
            "{run}: {} {what}; the first: {}; {:?}",
            entries.len(),
            excerpt(history, &entries[0]),
            broken.windows
        );
    }
    assert!(
        report.outages.len() * 100 <= report.authentications,
        "{run}: {} outages without a fault; the first: {:?}; {:?}",
        report.outages.len(),
        report.outages[0],
        broken.windows
    );
    // Else there was nothing to find.
    assert!(!broken.windows.is_empty(), "{run}: no faults");
    assert!(
        report.revocations >= 10 && report.accepted >= 100 && report.refused >= 100,
        "{run}: {report}"
    );
}

/// What else happened to this token, but for refusals.
fn excerpt(history: &[Entry], entry: &Entry) -> String {
    let same = history.iter().filter(|other| other.token == entry.token);
    let lines = same
        .filter(|other| other.status != Some(401) || *other == entry)
        .map(|other| format!("\n  {other:?}"));
    format!("{entry:?}, among{}", lines.collect::<String>())
}

/// The nodes trust what they know for a minute, and ask nobody for about as long.
async fn deaf_nodes() {
    let properties = [
        "pat.auth.max.staleness.ms=60000",
        "pat.cluster.poll.interval.ms=59000",
    ];
    let (length, seed) = (Duration::from_secs(5), Random::seed());
    let (history, broken) = run(&Engine::Sqlite, &properties, vec![], length, seed).await;
    for bound in [BOUND, Duration::ZERO] {
        let rules = Rules {
            bound,
            recovery: RECOVERY,
        };
        let report = check(&history, &broken.windows, rules);
        println!("sqlite, deaf nodes, bound {bound:?}, seed {seed}: {report}");
        assert!(!report.late.is_empty(), "{report}");
        assert!(report.false_refusals.is_empty(), "{report}");
    }
}

/// The nodes poll as they should, and trust what they know for a minute: only what cannot poll for a
/// while accepts too much. A node that wakes up may still be quick enough with its poll, so there
/// are many tries, of which about every second one finds something.
async fn sleepy_node() {
    let properties = ["pat.auth.max.staleness.ms=60000"];
    let rules = Rules {
        bound: BOUND,
        recovery: RECOVERY,
    };
    for _ in 0..12 {
        // The first fault is five seconds long, and there is no second one.
        let (length, seed) = (Duration::from_secs(6), 27);
        let kinds = vec![Fault::NodeFrozen];
        let (history, broken) = run(&Engine::Sqlite, &properties, kinds, length, seed).await;
        let report = check(&history, &broken.windows, rules);
        println!("sqlite, sleepy node, seed {seed}: {report}; {broken}");
        assert!(report.false_refusals.is_empty(), "{report}");
        if !report.late.is_empty() {
            return;
        }
    }
    panic!("nothing was accepted too late");
}

/// What happens in this time on nodes with these properties, while things of these kinds are broken.
async fn run(
    engine: &Engine,
    properties: &[&str],
    kinds: Vec<Fault>,
    length: Duration,
    seed: u64,
) -> (Vec<Entry>, Broken) {
    let mut random = Random::new(seed);
    let limit = "atlassian.pats.max.tokens.per.user=1000000";
    let properties = properties.iter().chain([&limit]);
    let properties: Vec<_> = properties.map(|&property| property.to_owned()).collect();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let proxy = engine.proxy(folder.path());
    let last = proxy.as_ref().map(|proxy| proxy.url.clone());
    let databases = [
        engine.url(),
        engine.url(),
        last.unwrap_or_else(|| engine.url()),
    ];
    let nodes = Arc::new(Nodes::start(folder, databases, &properties).await);
    let history = Arc::new(History::new());
    let (clients, tasks) =
        Clients::start(Arc::clone(&nodes), Arc::clone(&history), &mut random.fork());
    let broken = if kinds.is_empty() {
        tokio::time::sleep(length).await;
        Broken::default()
    } else {
        let faults = Faults {
            kinds,
            nodes,
            clients: Arc::clone(&clients),
            history: Arc::clone(&history),
            proxy,
            random,
        };
        faults.run(length).await
    };
    clients.stop();
    tasks.join_all().await;
    drop(clients);
    let history = Arc::into_inner(history).expect("no client is left");
    (history.into_entries(), broken)
}
