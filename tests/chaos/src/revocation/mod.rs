//! A token that was revoked, replaced or disabled is accepted nowhere in the cluster after the stated bound, whatever
//! breaks.
//!
//! Three processes of the example server share a database. Clients create, revoke, rotate, disable and enable tokens
//! on any of them, by all ways there are, and try tokens on each of them all the time, while one thing
//! after another is broken, and now and then two at a time: see [`faults`]. Each request goes into a
//! history; see [`history`]. After the run the [`checker`] looks for
//!
//! - a token that was accepted though the request was sent after the revocation was acknowledged:
//!   at once on the node that acknowledged it, and later than the staleness bound on the others, or
//!   also at once with `pat.revocation.wait=cluster`;
//! - a replaced token that was accepted later than the staleness bound after its announced end;
//! - a token that was accepted though the last acknowledged change has disabled it, by the same bounds as a revocation;
//! - a live token that was refused with 401: also a replaced one before its announced end, and one whose last
//!   acknowledged change has enabled it, at once on the node that acknowledged that, later than the staleness bound
//!   on the others, and ten seconds later if something was broken;
//! - a 503 although nothing was broken. (A server has a second to decide. On a machine that is busy
//!   with other things a few may miss that, so only many of them fail the test.)
//!
//! That it finds such things is tested too: with made-up histories, with nodes that trust what they
//! know for a minute, and with nodes whose caches and feeds are [`flawed`] as such things commonly
//! are.
//!
//! What a run can break depends on this machine. A database server that was started here is frozen
//! and killed, and reached through a [`FaultProxy`] by one of the nodes. With root there are a disk that
//! gets full and, where `ip` and `iptables` are installed, nodes whose networks lose [`packets`]. A
//! run has `PgBouncer` between, and [`promotion`] loses a primary with its last commits.
//!
//! Each run prints its figures and its seed.
//!
//! | variable | meaning |
//! |---|---|
//! | `PAT_TEST_REVOCATION_SECONDS` | how long a run is; 8 unless set |
//! | `PAT_TEST_REVOCATION_WRITERS` | how many clients create and revoke at a time; 12 unless set |
//! | `PAT_TEST_ROTATION_REQUESTS` | see [`rotation`] |
//! | `PAT_TEST_REVOCATION_SEED` | has the same faults again, though not the same history |
//! | `PAT_TEST_REVOCATION_FAULTS` | `none` breaks nothing, for the figures of a healthy cluster |
//! | `PAT_TEST_REVOCATION_HISTORY` | the folder for the histories of runs that fail; in the target folder unless set |

mod checker;
mod clients;
mod faults;
mod flawed;
mod history;
mod node;
mod nodes;
mod packets;
mod promotion;
mod random;
mod rotation;
mod run;
mod self_tests;
mod stranded;
mod tokens;

use std::time::Duration;

use libtest_mimic::Trial;
use pat_harness::database::{Pooler, SERVERS, named_trial_alone};
use pat_harness::names::{name_of, name_on, name_on_own};
use pat_harness::{named_trial, named_trial_with_need};
use pat_servers::environment::number;
use pat_servers::{Database, Kind};

use self::checker::{Report, Rules, check};
use self::faults::Broken;
use self::history::{Entry, Way, save};
pub use self::node::{AS_NODE, run as run_as_node};
use self::packets::Packets;
use self::random::Random;
use self::run::{Fixture, Run};

/// The default of `pat.auth.max.staleness.ms`, and some time for the way.
const BOUND: Duration = Duration::from_millis(2_100);
/// How long after a fault a server may still be busy with what has piled up.
const RECOVERY: Duration = Duration::from_secs(2);
/// How long after the end of a fault of the network a server may still not be reached: what was
/// lost is sent again after pauses that grow.
const NETWORK_RECOVERY: Duration = Duration::from_secs(6);

/// What a revocation waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    None,
    Cluster,
}

impl Wait {
    fn property(self) -> &'static str {
        match self {
            Self::None => "pat.revocation.wait=none",
            Self::Cluster => "pat.revocation.wait=cluster",
        }
    }

    fn rules(self, recovery: Duration) -> Rules {
        let bound = match self {
            Self::None => BOUND,
            Self::Cluster => Duration::ZERO,
        };
        Rules {
            bound,
            staleness: BOUND,
            recovery,
        }
    }
}

/// Returns the tests, and those of the checker.
#[must_use]
pub fn trials() -> Vec<Trial> {
    let mut trials = self_tests::trials();
    trials.extend(promotion::trials());
    trials.extend(rotation::trials());
    trials.extend(stranded::trials());
    trials.extend(with_each_database(the_bound_holds_under_faults));
    trials.extend(with_each_database(
        a_waiting_revocation_is_final_under_faults,
    ));
    for (kind, wait) in [(Kind::Postgres, Wait::None), (Kind::MariaDb, Wait::Cluster)] {
        trials.push(named_trial_with_need(
            name_on_own(&the_bound_holds_when_packets_are_lost, kind.need()),
            "netns",
            Packets::missing().or_else(|| kind.missing_here()),
            move || the_bound_holds_when_packets_are_lost(kind, wait),
        ));
    }
    let kind = Kind::Postgres;
    trials.push(named_trial_with_need(
        name_on_own(&the_bound_holds_through_a_pooler, kind.need()),
        "pgbouncer",
        Pooler::missing().or_else(|| kind.missing_here()),
        the_bound_holds_through_a_pooler,
    ));
    trials
}

/// A test on a file, and on each kind of server.
fn with_each_database<F>(test: impl Fn(Fixture) -> F + Copy + Send + 'static) -> Vec<Trial>
where
    F: Future<Output = ()>,
{
    let name = name_of(&test);
    let on_servers = SERVERS.map(|kind| {
        named_trial_alone(kind, &name, move |database| test(Fixture::Server(database)))
    });
    let on_file = named_trial(name_on(&test, "sqlite"), move || test(Fixture::Sqlite));
    on_servers.into_iter().chain([on_file]).collect()
}

async fn the_bound_holds_under_faults(fixture: Fixture) {
    assert_kept(fixture, Wait::None).await;
}

async fn a_waiting_revocation_is_final_under_faults(fixture: Fixture) {
    assert_kept(fixture, Wait::Cluster).await;
}

async fn the_bound_holds_through_a_pooler() {
    let database = Database::create_alone(Kind::Postgres, &[]).expect("a server");
    let pooler = Pooler::start(&database);
    assert_kept(Fixture::Pooled(database, pooler), Wait::None).await;
}

async fn the_bound_holds_when_packets_are_lost(kind: Kind, wait: Wait) {
    let packets = Packets::start(kind);
    let database = Database::create_alone(kind, &packets.addresses()).expect("a server");
    if kind == Kind::MariaDb {
        // Who comes over a network is somebody else than who comes by the socket.
        for sql in [
            "CREATE USER 'root'@'198.18.%'",
            "GRANT ALL ON *.* TO 'root'@'198.18.%'",
        ] {
            database.execute(sql).await;
        }
    }
    assert_kept(Fixture::Networks(database, packets), wait).await;
}

/// A run with all faults keeps all promises.
async fn assert_kept(fixture: Fixture, wait: Wait) {
    let seed = Random::seed();
    let name = format!("{}, {}, seed {seed}", fixture.name(), wait.property());
    let recovery = match fixture {
        Fixture::Networks(..) => NETWORK_RECOVERY,
        _ => RECOVERY,
    };
    let run = Run {
        properties: vec![wait.property()],
        flaw: None,
        ways: Way::ALL.to_vec(),
        faults: if breaks_nothing() {
            vec![]
        } else {
            fixture.faults()
        },
        length: Duration::from_secs(number("PAT_TEST_REVOCATION_SECONDS", 8)),
        fixture,
    };
    let (history, broken) = run.go(seed).await;
    let report = check(&history, &broken.windows, wait.rules(recovery));
    println!("{name}: {report}; {broken}");
    if let Err(why) = judge(&report, &history, &broken) {
        let path = save(&name, &broken.windows, &history);
        panic!("{name}: {why}; the history is in {}", path.display());
    }
}

fn breaks_nothing() -> bool {
    std::env::var("PAT_TEST_REVOCATION_FAULTS").is_ok_and(|faults| faults == "none")
}

fn judge(report: &Report, history: &[Entry], broken: &Broken) -> Result<(), String> {
    for (what, entries) in [
        ("accepted too late", &report.late),
        ("false refusals", &report.false_refusals),
        ("answers of another kind", &report.strange),
    ] {
        if let Some(first) = entries.first() {
            let (count, excerpt) = (entries.len(), excerpt(history, first));
            return Err(format!("{count} {what}; the first: {excerpt}"));
        }
    }
    if report.outages.len() * 100 > report.authentications {
        let (count, first) = (report.outages.len(), report.outages[0]);
        return Err(format!(
            "{count} outages without a fault; the first: {first:?}"
        ));
    }
    // Else there was nothing to find.
    if broken.windows.is_empty() && !breaks_nothing() {
        return Err("no faults".into());
    }
    let has_all_ways = report.ways.len() == Way::ALL.len();
    if has_all_ways && report.accepted >= 100 && report.refused >= 100 {
        Ok(())
    } else {
        Err(report.to_string())
    }
}

/// What else happened to this token, but for refusals.
fn excerpt(history: &[Entry], entry: &Entry) -> String {
    let same = history.iter().filter(|other| other.token == entry.token);
    let lines = same
        .filter(|other| other.status != Some(401) || *other == entry)
        .map(|other| format!("\n  {other:?}"));
    format!("{entry:?}, among{}", lines.collect::<String>())
}
