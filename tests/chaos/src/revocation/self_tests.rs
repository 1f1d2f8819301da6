//! The harness finds out what is broken.

use std::time::Duration;

use libtest_mimic::Trial;
use pat_harness::names::name_in_case;
use pat_harness::{named_trial, named_trial_with_need, trial};
use pat_servers::{Database, Kind};

use super::checker::{check, tests as checker};
use super::faults::Fault;
use super::flawed::Flaw;
use super::history::Way;
use super::random::Random;
use super::run::{Fixture, Run};
use super::{RECOVERY, Wait, excerpt};

pub(super) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial(checker::a_late_acceptance_on_the_same_node_is_found),
        trial(checker::a_late_acceptance_on_another_node_is_found),
        trial(checker::any_acceptance_after_a_waiting_revocation_is_found),
        trial(checker::an_unacknowledged_revocation_promises_nothing),
        trial(checker::a_false_refusal_is_found),
        trial(checker::a_replaced_token_that_outlives_its_end_is_found),
        trial(checker::a_replaced_token_that_ends_too_early_is_found),
        trial(checker::a_disabled_token_that_is_accepted_is_found),
        trial(checker::an_enabling_that_undoes_a_later_disabling_is_found),
        trial(checker::an_enabled_token_that_is_refused_is_found),
        trial(checker::an_outage_without_a_fault_is_found),
        trial(checker::an_unexpected_status_is_found),
        trial(nodes_that_do_not_poll_are_detected),
        trial(a_thawed_node_with_a_stale_cache_is_detected),
    ];
    for flaw in Flaw::REAL {
        let name = name_in_case(&a_flawed_node_is_detected, flaw.name());
        trials.push(match flaw {
            // These are flaws of transactions that run at the same time, and of hints.
            Flaw::SequenceCursor | Flaw::HintsOnly => {
                let kind = Kind::Postgres;
                named_trial_with_need(name, kind.need(), kind.missing_here(), move || {
                    let database = Database::create_alone(kind, &[]).expect("a server");
                    a_flawed_node_is_detected(flaw, Some(database))
                })
            }
            _ => named_trial(name, move || a_flawed_node_is_detected(flaw, None)),
        });
    }
    trials
}

/// Nodes with this flaw accept too late, or refuse. Chance has a part in that, so there are many tries, of which
/// the first one mostly finds something.
async fn a_flawed_node_is_detected(flaw: Flaw, server: Option<Database>) {
    for _ in 0..12 {
        let (faults, seconds) = match flaw {
            Flaw::HintsOnly => (vec![Fault::NetworkDeaf], 6),
            _ => (vec![], 4),
        };
        let run = Run {
            fixture: server.clone().map_or(Fixture::Sqlite, Fixture::Server),
            properties: vec![Wait::None.property()],
            flaw: Some(flaw),
            // So that it is this flaw which is found, and not what else it brings along.
            ways: vec![flaw.way()],
            faults,
            length: Duration::from_secs(seconds),
        };
        let seed = Random::seed();
        let (history, broken) = run.go(seed).await;
        let report = check(&history, &broken.windows, Wait::None.rules(RECOVERY));
        println!("{}, seed {seed}: {report}; {broken}", flaw.name());
        let (found, others) = match flaw {
            Flaw::EnablingUntold | Flaw::PredecessorEnded => (&report.false_refusals, &report.late),
            _ => (&report.late, &report.false_refusals),
        };
        if let Some(first) = others.first() {
            panic!("{}", excerpt(&history, first));
        }
        if !found.is_empty() {
            return;
        }
    }
    panic!("nothing was found");
}

/// The ways that need no feature whose first use waits for as long as nodes trust what they know.
fn revoking() -> Vec<Way> {
    let features = [Way::WithSuccessor, Way::ByRotation, Way::ByDisabling];
    let ways = Way::ALL.into_iter();
    ways.filter(|way| !features.contains(way)).collect()
}

/// The nodes trust what they know for a minute, and ask nobody for about as long.
async fn nodes_that_do_not_poll_are_detected() {
    let run = Run {
        fixture: Fixture::Sqlite,
        properties: vec![
            "pat.auth.max.staleness.ms=60000",
            "pat.cluster.poll.interval.ms=59000",
        ],
        flaw: None,
        ways: revoking(),
        faults: vec![],
        length: Duration::from_secs(5),
    };
    let seed = Random::seed();
    let (history, broken) = run.go(seed).await;
    for wait in [Wait::None, Wait::Cluster] {
        let report = check(&history, &broken.windows, wait.rules(RECOVERY));
        println!("sqlite, deaf nodes, rules of {wait:?}, seed {seed}: {report}");
        assert!(!report.late.is_empty(), "{report}");
        assert!(report.false_refusals.is_empty(), "{report}");
    }
}

/// The nodes poll as they should, and trust what they know for a minute: only what cannot poll for a
/// while accepts too much. A node that wakes up asks at once, so the feed takes its time to answer; and
/// not everyone sleeps long enough, so there are some tries.
async fn a_thawed_node_with_a_stale_cache_is_detected() {
    for _ in 0..12 {
        let run = Run {
            fixture: Fixture::Sqlite,
            properties: vec!["pat.auth.max.staleness.ms=60000"],
            flaw: Some(Flaw::SlowFeed),
            ways: revoking(),
            faults: vec![Fault::NodeFrozen],
            // One fault, and no second one.
            length: Duration::from_secs(6),
        };
        let seed = Random::seed();
        let (history, broken) = run.go(seed).await;
        let report = check(&history, &broken.windows, Wait::None.rules(RECOVERY));
        println!("sqlite, sleepy node, seed {seed}: {report}; {broken}");
        assert!(report.false_refusals.is_empty(), "{report}");
        if !report.late.is_empty() {
            return;
        }
    }
    panic!("nothing was accepted too late");
}
