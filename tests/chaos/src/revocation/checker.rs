//! Decides, after a run, whether a history keeps the promises.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::Duration;

use super::history::{Entry, Op, Way};

/// What is promised.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// How long after an acknowledged revocation the other nodes may still accept the token. The
    /// node that acknowledged it may not at all.
    pub(super) bound: Duration,
    /// How long after an acknowledged enabling the other nodes may still refuse the token, and how long after the
    /// announced end of a replaced token any node may still accept it.
    pub(super) staleness: Duration,
    /// How long after a fault the servers may still answer 503.
    pub(super) recovery: Duration,
}

/// How much longer a refusal may last on another node if there was a fault.
const REFUSAL: Duration = Duration::from_secs(10);
/// How much earlier than announced a token may end on a node: by the time that its database takes to answer.
const EARLY: Duration = Duration::from_millis(500);

/// When something was broken on purpose.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) from: Duration,
    pub(super) until: Duration,
}

/// What the checker found.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// Those that were acknowledged.
    pub(super) revocations: usize,
    /// How many of them there were by each way.
    pub(super) ways: BTreeMap<Way, usize>,
    /// Those that were acknowledged.
    pub(super) enablings: usize,
    pub(super) authentications: usize,
    pub(super) accepted: usize,
    pub(super) refused: usize,
    /// 503 in and after faults.
    pub(super) unavailable: usize,
    pub(super) unanswered: usize,
    /// Accepted later than promised.
    pub(super) late: Vec<Entry>,
    /// Live tokens that were answered 401.
    pub(super) false_refusals: Vec<Entry>,
    /// 503 without a fault.
    pub(super) outages: Vec<Entry>,
    /// Answers of any other status.
    pub(super) strange: Vec<Entry>,
    /// For each revocation, in ascending order: how long after it another node was last sent a
    /// request that it accepted; zero if none was.
    staleness: Vec<Duration>,
    /// For each revocation, in ascending order: how long its acknowledgement took.
    waits: Vec<Duration>,
}

/// What a history says about one token.
#[derive(Debug, Clone, Default)]
struct Life {
    created: Option<Duration>,
    revoking: Option<Duration>,
    revoked: Option<Acknowledged>,
    /// When it ends at the earliest, since it is being replaced.
    ending: Option<Duration>,
    /// When it ends, as an acknowledged rotation says, or when that was acknowledged.
    ends: Option<Duration>,
    /// Disablings and enablings.
    switches: Vec<Entry>,
}

/// The end of a token.
#[derive(Debug, Clone, Copy)]
struct Acknowledged {
    at: Duration,
    node: usize,
    way: Way,
}

impl Life {
    /// Whether the token was certainly live all through the request.
    fn is_live_during(&self, entry: &Entry, faults: &[Window], rules: Rules) -> bool {
        self.created.is_some_and(|at| at < entry.invoked)
            && self.revoking.is_none_or(|at| entry.returned < at)
            && self.ending.is_none_or(|at| entry.returned + EARLY < at)
            && self.is_enabled_during(entry, faults, rules)
    }

    /// Whether the node that accepted the token should have known that it was revoked, replaced or disabled.
    fn is_over_at(&self, entry: &Entry, rules: Rules) -> bool {
        let known = |at: Duration, node: usize| at + bound_on(entry.node, node, rules.bound);
        let is_revoked = |revoked: Acknowledged| entry.invoked > known(revoked.at, revoked.node);
        let is_disabled = |(last, is_doubtful): (&Entry, bool)| {
            let is_known = entry.invoked > known(last.returned, last.node);
            last.op == Op::Disable && !is_doubtful && is_known
        };
        self.revoked.is_some_and(is_revoked)
            || self
                .ends
                .is_some_and(|at| entry.invoked > at + rules.staleness)
            || self.last_switch(entry).is_some_and(is_disabled)
    }

    fn is_enabled_during(&self, entry: &Entry, faults: &[Window], rules: Rules) -> bool {
        let Some((last, is_doubtful)) = self.last_switch(entry) else {
            return !self
                .switches
                .iter()
                .any(|other| other.invoked <= entry.returned);
        };
        let spoils = |fault: &Window| {
            fault.from <= entry.returned && last.invoked <= fault.until + rules.recovery
        };
        let mut bound = bound_on(entry.node, last.node, rules.staleness);
        if entry.node != last.node && faults.iter().any(spoils) {
            bound += REFUSAL;
        }
        last.op == Op::Enable && !is_doubtful && entry.invoked > last.returned + bound
    }

    /// The last acknowledged disabling or enabling before a request, and whether another may have come after it:
    /// one that was under way at the same time, or has no answer. One that was answered before this one began has
    /// been decided by then, even if its answer was a failure.
    fn last_switch(&self, entry: &Entry) -> Option<(&Entry, bool)> {
        let before = self
            .switches
            .iter()
            .filter(|switch| switch.status == Some(200) && switch.returned < entry.invoked);
        let last = before.max_by_key(|switch| switch.returned)?;
        let is_later = |other: &Entry| other.status.is_none() || other.returned > last.invoked;
        let mut others = self.switches.iter().filter(|other| *other != last);
        let is_doubtful = others
            .any(|other| other.op != last.op && other.invoked <= entry.returned && is_later(other));
        Some((last, is_doubtful))
    }
}

/// The bound on a node for what another one, or the same, has acknowledged.
fn bound_on(node: usize, acknowledging: usize, bound: Duration) -> Duration {
    if node == acknowledging {
        Duration::ZERO
    } else {
        bound
    }
}

pub(super) fn check(history: &[Entry], faults: &[Window], rules: Rules) -> Report {
    let lives = lives(history);
    let mut staleness: HashMap<i64, Duration> = lives
        .iter()
        .filter(|(_, life)| life.revoked.is_some())
        .map(|(token, _)| (*token, Duration::ZERO))
        .collect();
    let mut report = Report {
        revocations: staleness.len(),
        ..Report::default()
    };
    for revoked in lives.values().filter_map(|life| life.revoked) {
        *report.ways.entry(revoked.way).or_default() += 1;
    }
    for entry in history {
        match (entry.op, entry.status) {
            (Op::Rotate, Some(201)) => *report.ways.entry(Way::ByRotation).or_default() += 1,
            (Op::Disable, Some(200)) => *report.ways.entry(Way::ByDisabling).or_default() += 1,
            (Op::Enable, Some(200)) => report.enablings += 1,
            _ => {}
        }
    }
    for entry in history.iter().filter(|entry| entry.op == Op::Authenticate) {
        let Some(life) = lives.get(&entry.token) else {
            continue;
        };
        report.authentications += 1;
        match entry.status {
            None => report.unanswered += 1,
            Some(200) => {
                report.accepted += 1;
                if life.is_over_at(entry, rules) {
                    report.late.push(*entry);
                }
                if let Some(revoked) = life.revoked
                    && let Some(last) = staleness.get_mut(&entry.token)
                    && entry.node != revoked.node
                {
                    *last = (*last).max(entry.invoked.saturating_sub(revoked.at));
                }
            }
            Some(401) => {
                report.refused += 1;
                if life.is_live_during(entry, faults, rules) {
                    report.false_refusals.push(*entry);
                }
            }
            Some(503) => {
                let excuses = |fault: &Window| {
                    fault.from <= entry.returned && entry.invoked <= fault.until + rules.recovery
                };
                if faults.iter().any(excuses) {
                    report.unavailable += 1;
                } else {
                    report.outages.push(*entry);
                }
            }
            Some(_) => report.strange.push(*entry),
        }
    }
    report.staleness = staleness.into_values().collect();
    report.staleness.sort_unstable();
    let acknowledged =
        |entry: &&Entry| matches!(entry.op, Op::Revoke(_)) && entry.status == Some(204);
    let waits = history.iter().filter(acknowledged);
    report.waits = waits
        .map(|entry| entry.returned.saturating_sub(entry.invoked))
        .collect();
    report.waits.sort_unstable();
    report
}

fn lives(history: &[Entry]) -> HashMap<i64, Life> {
    let mut lives: HashMap<i64, Life> = HashMap::new();
    for entry in history {
        let life = lives.entry(entry.token).or_default();
        match (entry.op, entry.status) {
            (Op::Create, Some(201)) => life.created = Some(entry.returned),
            (Op::Revoke(way), status) => {
                let earliest = life.revoking.unwrap_or(entry.invoked);
                life.revoking = Some(earliest.min(entry.invoked));
                if status == Some(204) {
                    life.revoked = Some(Acknowledged {
                        at: entry.returned,
                        node: entry.node,
                        way,
                    });
                }
            }
            (Op::Rotate, status) => {
                let earliest = life.ending.into_iter().chain(entry.ends).min();
                life.ending = earliest;
                if status == Some(201) {
                    // Without an overlap, the end is before the answer.
                    let known = entry.ends.map(|end| end.max(entry.returned));
                    life.ends = life.ends.into_iter().chain(known).min();
                }
            }
            (Op::Disable | Op::Enable, _) => life.switches.push(*entry),
            (Op::Create | Op::Authenticate, _) => {}
        }
    }
    lives
}

impl Report {
    /// The longest time after a revocation at which a token was sent and accepted elsewhere.
    pub(super) fn longest(&self) -> Duration {
        quantile(&self.staleness, 100)
    }
}

/// What this share of them is not above.
fn quantile(ascending: &[Duration], percent: usize) -> Duration {
    let last = ascending.len().saturating_sub(1);
    ascending
        .get(last * percent / 100)
        .copied()
        .unwrap_or_default()
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} revocations {:?}, {} enablings, {} authentications ({} accepted, {} refused, {} unavailable, {} \
             unanswered), {} accepted too late, {} false refusals, {} outages without a fault, \
             last accepted p50 {} ms, p99 {} ms, max {} ms, acknowledged p50 {} ms, p99 {} ms",
            self.revocations,
            self.ways,
            self.enablings,
            self.authentications,
            self.accepted,
            self.refused,
            self.unavailable,
            self.unanswered,
            self.late.len(),
            self.false_refusals.len(),
            self.outages.len(),
            quantile(&self.staleness, 50).as_millis(),
            quantile(&self.staleness, 99).as_millis(),
            self.longest().as_millis(),
            quantile(&self.waits, 50).as_millis(),
            quantile(&self.waits, 99).as_millis(),
        )
    }
}

/// Histories that break each rule, and some that keep to its edge.
pub(super) mod tests {
    use std::time::Duration;

    use super::{Report, Rules, Window, check};
    use crate::revocation::history::{Entry, Op, Way};

    const RULES: Rules = Rules {
        bound: Duration::from_millis(2_100),
        staleness: Duration::from_millis(2_100),
        recovery: Duration::from_secs(1),
    };

    /// On the first node, a millisecond long.
    fn entry(op: Op, at: u64, status: u16) -> Entry {
        Entry {
            op,
            node: 0,
            token: 1,
            invoked: Duration::from_millis(at),
            returned: Duration::from_millis(at + 1),
            status: Some(status),
            ends: None,
        }
    }

    fn on_node(node: usize, entry: Entry) -> Entry {
        Entry { node, ..entry }
    }

    /// A token from 0 to 101 ms, and one authentication.
    fn with(authentication: Entry) -> [Entry; 3] {
        let create = entry(Op::Create, 0, 201);
        [
            create,
            entry(Op::Revoke(Way::ByOwner), 100, 204),
            authentication,
        ]
    }

    fn checked(authentication: Entry, rules: Rules) -> Report {
        check(&with(authentication), &[], rules)
    }

    fn accepted(node: usize, at: u64) -> Entry {
        on_node(node, entry(Op::Authenticate, at, 200))
    }

    pub(crate) async fn a_late_acceptance_on_the_same_node_is_found() {
        let report = checked(accepted(0, 102), RULES);
        assert_eq!(report.late, [accepted(0, 102)]);
        for at in [50, 100, 101] {
            assert!(checked(accepted(0, at), RULES).late.is_empty(), "{at}");
        }
    }

    pub(crate) async fn a_late_acceptance_on_another_node_is_found() {
        let report = checked(accepted(1, 2_202), RULES);
        assert_eq!(report.late, [accepted(1, 2_202)]);
        assert_eq!(report.longest(), Duration::from_millis(2_101));
        let report = checked(accepted(1, 2_201), RULES);
        assert!(report.late.is_empty());
        assert_eq!(report.longest(), Duration::from_millis(2_100));
    }

    pub(crate) async fn any_acceptance_after_a_waiting_revocation_is_found() {
        let rules = Rules {
            bound: Duration::ZERO,
            ..RULES
        };
        assert_eq!(checked(accepted(1, 102), rules).late, [accepted(1, 102)]);
        assert!(checked(accepted(1, 101), rules).late.is_empty());
    }

    pub(crate) async fn an_unacknowledged_revocation_promises_nothing() {
        for status in [None, Some(503)] {
            let mut history = with(accepted(1, 5_000));
            history[1].status = status;
            let report = check(&history, &[], RULES);
            assert_eq!((report.revocations, report.late.len()), (0, 0));
        }
    }

    pub(crate) async fn a_false_refusal_is_found() {
        let refused = |at| entry(Op::Authenticate, at, 401);
        let report = checked(refused(50), RULES);
        assert_eq!(report.false_refusals, [refused(50)]);
        // Under way at the same time as its creation or its revocation.
        for at in [0, 99, 100, 500] {
            let report = checked(refused(at), RULES);
            assert!(report.false_refusals.is_empty(), "{at}");
        }
    }

    /// A token that is replaced at 100 ms and ends at 1,100 ms, and one request with it.
    fn replaced(status: Option<u16>, authentication: Entry) -> Report {
        let rotation = Entry {
            status,
            ends: Some(Duration::from_millis(1_100)),
            ..entry(Op::Rotate, 100, 201)
        };
        let history = [entry(Op::Create, 0, 201), rotation, authentication];
        check(&history, &[], RULES)
    }

    pub(crate) async fn a_replaced_token_that_outlives_its_end_is_found() {
        for node in [0, 1] {
            let late = accepted(node, 3_201);
            assert_eq!(replaced(Some(201), late).late, [late]);
            for at in [50, 500, 1_100, 3_200] {
                let report = replaced(Some(201), accepted(node, at));
                assert!(report.late.is_empty(), "{at}");
            }
        }
        for status in [None, Some(503)] {
            assert!(replaced(status, accepted(1, 9_000)).late.is_empty());
        }
    }

    pub(crate) async fn a_replaced_token_that_ends_too_early_is_found() {
        for status in [None, Some(201), Some(503)] {
            let refused = |at| entry(Op::Authenticate, at, 401);
            let early = refused(598);
            assert_eq!(replaced(status, early).false_refusals, [early]);
            for at in [599, 5_000] {
                assert!(replaced(status, refused(at)).false_refusals.is_empty());
            }
        }
    }

    /// A token, these disablings and enablings, and one request.
    fn switched(switches: &[Entry], authentication: Entry, faults: &[Window]) -> Report {
        let mut history = vec![entry(Op::Create, 0, 201)];
        history.extend_from_slice(switches);
        history.push(authentication);
        check(&history, faults, RULES)
    }

    pub(crate) async fn a_disabled_token_that_is_accepted_is_found() {
        let disable = [entry(Op::Disable, 100, 200)];
        for (node, at) in [(0, 102), (1, 2_202)] {
            let late = accepted(node, at);
            assert_eq!(switched(&disable, late, &[]).late, [late]);
            let in_time = accepted(node, at - 1);
            assert!(switched(&disable, in_time, &[]).late.is_empty());
        }
        // Enabled since, or perhaps.
        for status in [Some(200), Some(503), None] {
            let enable = Entry {
                status,
                ..entry(Op::Enable, 200, 200)
            };
            let report = switched(&[disable[0], enable], accepted(1, 9_000), &[]);
            assert!(report.late.is_empty());
        }
    }

    pub(crate) async fn an_enabling_that_undoes_a_later_disabling_is_found() {
        let late = accepted(1, 9_000);
        for (status, is_found) in [(Some(200), true), (Some(503), true), (None, false)] {
            let enable = Entry {
                status,
                ..entry(Op::Enable, 100, 200)
            };
            let report = switched(&[enable, entry(Op::Disable, 200, 200)], late, &[]);
            assert_eq!(!report.late.is_empty(), is_found, "{status:?}");
            // At the same time, so that nobody knows which was the last.
            let report = switched(&[enable, entry(Op::Disable, 100, 200)], late, &[]);
            assert!(report.late.is_empty());
        }
    }

    pub(crate) async fn an_enabled_token_that_is_refused_is_found() {
        let switches = [entry(Op::Disable, 100, 200), entry(Op::Enable, 200, 200)];
        let refused = |node, at| on_node(node, entry(Op::Authenticate, at, 401));
        let fault = Window {
            from: Duration::from_secs(2),
            until: Duration::from_secs(3),
        };
        for (node, at, faults) in [
            (0, 202, &[][..]),
            (1, 2_302, &[]),
            (0, 202, &[fault]),
            (1, 12_302, &[fault]),
        ] {
            let wrong = refused(node, at);
            assert_eq!(switched(&switches, wrong, faults).false_refusals, [wrong]);
            let report = switched(&switches, refused(node, at - 1), faults);
            assert!(report.false_refusals.is_empty(), "{node} {at}");
        }
        let report = switched(&switches[..1], refused(1, 9_000), &[]);
        assert!(report.false_refusals.is_empty());
    }

    pub(crate) async fn an_outage_without_a_fault_is_found() {
        let unavailable = |at| entry(Op::Authenticate, at, 503);
        let fault = Window {
            from: Duration::from_secs(2),
            until: Duration::from_secs(3),
        };
        let check = |at| check(&with(unavailable(at)), &[fault], RULES);
        for at in [1_998, 4_001] {
            assert_eq!(check(at).outages, [unavailable(at)], "{at}");
        }
        for at in [1_999, 2_500, 4_000] {
            let report = check(at);
            assert_eq!((report.outages.len(), report.unavailable), (0, 1), "{at}");
        }
    }

    pub(crate) async fn an_unexpected_status_is_found() {
        let strange = entry(Op::Authenticate, 50, 500);
        assert_eq!(checked(strange, RULES).strange, [strange]);
    }
}
