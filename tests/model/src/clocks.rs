//! Two nodes, two database servers, and clocks that may be wrong.
//!
//! One token expires at a tick of the run, another one long after it. The true time is what the
//! boot clocks have counted; each server's clock is that, and an error. An answer takes up to a
//! tick. Node 0 judges the token, reports and may be killed; node 1, which would do so no otherwise,
//! moves the mark beside it, each tick.

use stateright::{Model, Property};

use crate::{Assumption, Fault, Faults, Without};

/// The part, as a model.
#[derive(Debug, Clone)]
pub struct Clocks {
    /// What is taken away.
    pub without: Without,
    /// How long a run lasts.
    pub ticks: u8,
}

/// How far wrong a clock may be.
const FAR: i16 = 40;
/// How much faster than time passes the mark follows a clock that is ahead.
const PACE: i16 = 2;
/// When the tokens expire.
const EXPIRES: [i16; 2] = [3, 20];
/// For how long an expired token is kept.
const KEEP: i16 = 2;
/// By how much clock and mark may differ before that means anything: what an answer may take.
const TOLERANCE: i16 = 1;
/// By how much a node that has just started is behind at most, if the server's clock is: the time
/// since the mark was moved, and the time of the answer.
const MOST_LATE: i16 = 2;

/// A question to the database that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Question {
    sent: i16,
    answer: Option<Answer>,
}

/// What the database has said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Answer {
    clock: i16,
    mark: i16,
    is_there: bool,
}

/// A node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Node {
    /// The date minus the boot clock, once it was measured.
    distance: Option<i16>,
    /// The mark as it was read, and the boot time of that.
    mark: Option<(i16, i16)>,
    question: Option<Question>,
    /// Until which boot time the token that expires is cached.
    cached_until: Option<i16>,
}

/// A state.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    now: i16,
    errors: [i16; 2],
    primary: usize,
    mark: i16,
    deleted: [bool; 2],
    nodes: [Node; 2],
    faults: Faults,
    /// Whether a clock that counted was wrong.
    was_wrong: bool,
}

/// A step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Time passes.
    Tick,
    /// The primary's clock is set wrong by so much.
    SetClock(i16),
    /// It is set right.
    MendClock,
    /// The other server takes over.
    Failover,
    /// A node reports, which moves the mark.
    Report(usize),
    /// A node looks the token up.
    Ask(usize),
    /// The database reads its row, its clock and the mark.
    Read(usize),
    /// The node has the answer.
    Answer(usize),
    /// A node is killed and starts again.
    Crash(usize),
    /// Somebody prunes.
    Prune,
}

impl Node {
    fn mark_at_least(&self, now: i16) -> Option<i16> {
        self.mark.map(|(value, boot)| value + now - boot)
    }

    fn read_mark(&mut self, value: i16, now: i16) {
        let is_new = |(known, boot): (i16, i16)| value < known || value > known + now - boot;
        if self.mark.is_none_or(is_new) {
            self.mark = Some((value, now));
        }
    }

    fn accepts(&self, now: i16) -> bool {
        let by_date = self
            .distance
            .is_some_and(|distance| now + distance < EXPIRES[0]);
        by_date && self.cached_until.is_some_and(|until| now < until)
    }
}

impl State {
    fn clock(&self) -> i16 {
        self.now + self.errors[self.primary]
    }

    fn note_wrong(&mut self) {
        self.was_wrong |= self.errors[self.primary] != 0;
    }
}

impl Clocks {
    fn report(&self, state: &mut State, node: usize) {
        let (now, clock) = (state.now, state.clock());
        let next = match state.nodes[node].mark {
            _ if self.without.lacks(Assumption::MarkByBootClock) => clock,
            Some((value, boot)) => {
                let passed = now - boot;
                clock.min(value + PACE * passed).max(value + passed)
            }
            // A process that has not read it yet does not move it.
            None => state.mark,
        };
        state.mark = state.mark.max(next);
        state.nodes[node].mark = Some((state.mark, now));
    }

    /// The distance that a node measures by an answer.
    fn measure(&self, node: &Node, sent: i16, now: i16, clock: i16) -> i16 {
        let (least, most) = (clock - now, clock - sent);
        let most = if self.without.lacks(Assumption::DistanceFromSending) {
            least
        } else {
            most
        };
        let vouched = node
            .mark_at_least(now)
            .filter(|_| !self.without.lacks(Assumption::MarkOverServers));
        match (vouched, node.distance) {
            (Some(vouched), old) if clock - vouched < -TOLERANCE => {
                let least = vouched - now;
                old.map_or(least, |old| old.max(least))
            }
            (_, Some(old)) if (least..=most).contains(&old) => old,
            _ => most,
        }
    }

    fn answer(&self, state: &mut State, at: usize) -> Option<()> {
        let now = state.now;
        let node = &mut state.nodes[at];
        let Question { sent, answer } = node.question.take()?;
        let Answer {
            clock,
            mark,
            is_there,
        } = answer?;
        node.read_mark(mark, now);
        let new = self.measure(node, sent, now, clock);
        let old = node.distance.replace(new);
        if old.is_some_and(|old| (old - new).abs() > TOLERANCE) {
            // Everything is judged anew, and this look-up is made again.
            node.cached_until = None;
            return Some(());
        }
        let is_good = is_there && now + new < EXPIRES[0];
        node.cached_until = is_good.then(|| now + EXPIRES[0] - (now + new));
        Some(())
    }

    fn prune(&self, state: &mut State) {
        let vouched = if self.without.lacks(Assumption::OldByTheEarlier) {
            state.mark.max(state.clock())
        } else {
            state.mark.min(state.clock())
        };
        for (deleted, expires) in state.deleted.iter_mut().zip(EXPIRES) {
            *deleted |= expires + KEEP <= vouched;
        }
    }

    fn tick(&self, state: &mut State) {
        state.now += 1;
        self.report(state, 1);
        for node in &mut state.nodes {
            // Nobody waits longer for an answer.
            node.question = node
                .question
                .filter(|question| state.now - question.sent <= 1);
        }
    }
}

impl Model for Clocks {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let states = [0, FAR, -FAR].map(|error| State {
            now: 0,
            errors: [0, error],
            primary: 0,
            mark: 0,
            deleted: [false; 2],
            nodes: [Node {
                mark: Some((0, 0)),
                ..Node::default()
            }; 2],
            faults: Faults::default(),
            was_wrong: false,
        });
        states.to_vec()
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.now < i16::from(self.ticks) {
            actions.push(Action::Tick);
        }
        if !state.faults.had(Fault::ClockSet) {
            actions.extend([FAR, -FAR].map(Action::SetClock));
        } else if state.errors[state.primary] != 0 {
            actions.push(Action::MendClock);
        }
        if !state.faults.had(Fault::Failover) {
            actions.push(Action::Failover);
        }
        if !state.faults.had(Fault::Crash) {
            actions.push(Action::Crash(0));
        }
        actions.push(Action::Prune);
        actions.push(Action::Report(0));
        actions.push(match state.nodes[0].question {
            None => Action::Ask(0),
            Some(Question { answer: None, .. }) => Action::Read(0),
            Some(_) => Action::Answer(0),
        });
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Tick => self.tick(&mut state),
            Action::SetClock(error) => {
                state.faults.happen(Fault::ClockSet);
                state.errors[state.primary] = error;
            }
            Action::MendClock => state.errors[state.primary] = 0,
            Action::Failover => {
                state.faults.happen(Fault::Failover);
                state.primary = 1;
            }
            Action::Report(at) => self.report(&mut state, at),
            Action::Ask(at) => {
                let sent = state.now;
                state.nodes[at].question = Some(Question { sent, answer: None });
            }
            Action::Read(at) => {
                let answer = Answer {
                    clock: state.clock(),
                    mark: state.mark,
                    is_there: !state.deleted[0],
                };
                state.nodes[at].question.as_mut()?.answer = Some(answer);
            }
            Action::Answer(at) => self.answer(&mut state, at)?,
            Action::Crash(at) => {
                state.faults.happen(Fault::Crash);
                state.nodes[at] = Node::default();
            }
            Action::Prune => self.prune(&mut state),
        }
        state.note_wrong();
        (state != *last).then_some(state)
    }

    fn format_action(&self, action: &Action) -> String {
        match action {
            Action::Tick => "A tick passes, and node 1 reports and moves the mark.".into(),
            Action::SetClock(by) if *by > 0 => "The primary's clock is set far ahead.".into(),
            Action::SetClock(_) => "The primary's clock is set far behind.".into(),
            Action::MendClock => "The primary's clock is set right.".into(),
            Action::Failover => "The other server takes over, with a clock of its own.".into(),
            Action::Report(at) => format!("Node {at} reports and moves the mark."),
            Action::Ask(at) => format!(
                "Node {at} looks up the token that expires at tick {}.",
                EXPIRES[0]
            ),
            Action::Read(at) => {
                format!("The server reads the row, its clock and the mark for node {at}.")
            }
            Action::Answer(at) => {
                format!("Node {at} has the answer, measures the time by it, and judges the token.")
            }
            Action::Crash(at) => format!("Node {at} is killed and starts again."),
            Action::Prune => "A runner deletes what is old.".into(),
        }
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(
                "an expired token is refused from its instant on, while no clock is wrong",
                |_, state: &State| {
                    let is_over = state.now >= EXPIRES[0] && !state.was_wrong;
                    !(is_over && state.nodes.iter().any(|node| node.accepts(state.now)))
                },
            ),
            Property::always(
                "an expired token is refused whatever a clock says, as far as the mark was moved",
                |_, state: &State| {
                    let is_over = state.now >= EXPIRES[0] + MOST_LATE;
                    !(is_over && state.nodes.iter().any(|node| node.accepts(state.now)))
                },
            ),
            Property::always("no live token is deleted", |_, state: &State| {
                let deleted = state.deleted.iter().zip(EXPIRES);
                deleted
                    .into_iter()
                    .all(|(deleted, expires)| !deleted || state.now >= expires)
            }),
        ]
    }
}
