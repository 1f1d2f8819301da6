//! Two runners, and a job with an occurrence every few ticks.
//!
//! What a job does has two steps: it looks at what is to be done (for pruning, in the directory),
//! and it does that in a transaction. On a store that locks, whoever wants the lease waits for that
//! transaction; on one that certifies, the transaction that commits second is undone.

use stateright::{Model, Property};

use crate::{Assumption, Fault, Faults, Without};

/// The part, as a model.
#[derive(Debug, Clone)]
pub struct Jobs {
    /// What is taken away.
    pub without: Without,
    /// How long a run lasts.
    pub ticks: u8,
}

/// How many ticks are between occurrences.
const EVERY: i8 = 3;
/// How many ticks a lease lasts.
const TTL: i8 = 2;
/// After how many ticks without a renewal a runner stops by itself.
const HELD: i8 = 1;

/// The lease, as the database has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Lease {
    term: u8,
    held_until: i8,
    done: i8,
}

/// How far a runner has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// It has the lease.
    Acquired,
    /// It has looked, and there is something to be done.
    Looked,
    /// Its transaction has checked the term.
    Checked,
    /// It has committed, and its event is not written.
    Unrecorded,
    /// There is nothing left to be done.
    Finished,
}

/// A runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Run {
    term: u8,
    occurrence: i8,
    renewed: i8,
    stage: Stage,
}

/// A state.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    now: i8,
    certifies: bool,
    /// By how much the clock of each node's machine is wrong.
    errors: [i8; 2],
    lease: Lease,
    runs: [Option<Run>; 2],
    /// How often each occurrence had an effect.
    effects: [u8; 5],
    /// How many of these are in the audit.
    events: [u8; 5],
    faults: Faults,
}

/// A step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Time passes.
    Tick,
    /// A node acquires the lease.
    Acquire(usize),
    /// It renews it.
    Renew(usize),
    /// It looks at what is to be done.
    Look(usize),
    /// Its transaction checks the term.
    Check(usize),
    /// Its transaction commits.
    Commit(usize),
    /// It writes the event, where that is not in the transaction.
    Record(usize),
    /// It notes that the occurrence is done.
    End(usize),
    /// It gives up, since its lease has run out by its own clock.
    GiveUp(usize),
    /// The node is killed.
    Crash(usize),
}

fn index(occurrence: i8) -> usize {
    usize::try_from(occurrence / EVERY).unwrap_or_default()
}

impl State {
    fn relies(&self, run: Run) -> bool {
        self.now <= run.renewed + HELD
    }

    fn is_in_transaction(&self) -> bool {
        let mut runs = self.runs.iter().flatten();
        runs.any(|run| run.stage == Stage::Checked)
    }
}

impl Jobs {
    fn due(&self, state: &State, at: usize) -> Option<i8> {
        let by_machine = self.without.lacks(Assumption::OccurrenceByDatabase);
        let error = if by_machine { state.errors[at] } else { 0 };
        let latest = (state.now + error).max(0) / EVERY * EVERY;
        (latest > state.lease.done).then_some(latest)
    }

    fn may_acquire(&self, state: &State, at: usize) -> bool {
        let waits = state.is_in_transaction() && !state.certifies;
        let is_free = state.lease.held_until <= state.now;
        is_free && !waits && self.due(state, at).is_some()
    }

    fn is_current(&self, state: &State, run: Run) -> bool {
        run.term == state.lease.term || self.without.lacks(Assumption::LeaseTerm)
    }

    fn acquire(&self, state: &mut State, at: usize) -> Option<()> {
        let occurrence = self.due(state, at)?;
        state.lease.term += 1;
        state.lease.held_until = state.now + TTL;
        state.runs[at] = Some(Run {
            term: state.lease.term,
            occurrence,
            renewed: state.now,
            stage: Stage::Acquired,
        });
        Some(())
    }

    fn commit(&self, state: &mut State, at: usize) -> Option<()> {
        let run = state.runs[at]?;
        if !self.is_current(state, run) {
            // Somebody else's transaction has changed the row of the lease.
            state.runs[at] = None;
            return Some(());
        }
        let occurrence = index(run.occurrence);
        state.effects[occurrence] += 1;
        let mut next = Stage::Finished;
        if self.without.lacks(Assumption::EventInTransaction) {
            next = Stage::Unrecorded;
        } else {
            state.events[occurrence] += 1;
        }
        state.runs[at] = Some(Run { stage: next, ..run });
        Some(())
    }

    fn step(&self, state: &mut State, action: Action, at: usize) -> Option<()> {
        let run = state.runs[at]?;
        let occurrence = index(run.occurrence);
        let is_current = self.is_current(state, run);
        let next = match action {
            Action::Renew(_) if is_current => {
                state.lease.held_until = state.now + TTL;
                state.runs[at] = Some(Run {
                    renewed: state.now,
                    ..run
                });
                return Some(());
            }
            Action::Look(_) if state.effects[occurrence] == 0 => Stage::Looked,
            Action::Look(_) => Stage::Finished,
            Action::Check(_) if is_current => Stage::Checked,
            Action::Record(_) => {
                state.events[occurrence] += 1;
                Stage::Finished
            }
            Action::End(_) if is_current => {
                state.lease.done = run.occurrence;
                state.lease.held_until = 0;
                state.runs[at] = None;
                return Some(());
            }
            // The lease is lost.
            _ => {
                state.runs[at] = None;
                return Some(());
            }
        };
        state.runs[at] = Some(Run { stage: next, ..run });
        Some(())
    }
}

impl Model for Jobs {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let mut states = Vec::new();
        for certifies in [false, true] {
            for error in [0, EVERY, -EVERY] {
                states.push(State {
                    now: 0,
                    certifies,
                    errors: [0, error],
                    lease: Lease::default(),
                    runs: [None; 2],
                    effects: [0; 5],
                    events: [0; 5],
                    faults: Faults::default(),
                });
            }
        }
        states
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if u8::try_from(state.now).is_ok_and(|now| now < self.ticks) {
            actions.push(Action::Tick);
        }
        for at in 0..2 {
            let Some(run) = state.runs[at] else {
                if self.may_acquire(state, at) {
                    actions.push(Action::Acquire(at));
                }
                continue;
            };
            if !state.faults.had(Fault::Crash) {
                actions.push(Action::Crash(at));
            }
            let relies = state.relies(run);
            match run.stage {
                Stage::Acquired if relies => actions.extend([Action::Renew(at), Action::Look(at)]),
                // Its clock was read before the pause.
                Stage::Looked => actions.push(Action::Check(at)),
                Stage::Checked => actions.push(Action::Commit(at)),
                Stage::Unrecorded => actions.push(Action::Record(at)),
                Stage::Finished => actions.push(Action::End(at)),
                Stage::Acquired => actions.push(Action::GiveUp(at)),
            }
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Tick => state.now += 1,
            Action::Acquire(at) => self.acquire(&mut state, at)?,
            Action::Commit(at) => self.commit(&mut state, at)?,
            Action::Crash(at) => {
                state.faults.happen(Fault::Crash);
                state.runs[at] = None;
            }
            Action::GiveUp(at) => state.runs[at] = None,
            Action::Renew(at)
            | Action::Look(at)
            | Action::Check(at)
            | Action::Record(at)
            | Action::End(at) => {
                self.step(&mut state, action, at)?;
            }
        }
        (state != *last).then_some(state)
    }

    fn format_action(&self, action: &Action) -> String {
        match action {
            Action::Tick => "A tick passes.".into(),
            Action::Acquire(at) => format!("Node {at} finds the job due and acquires its lease."),
            Action::Renew(at) => format!("Node {at} renews the lease."),
            Action::Look(at) => format!("Node {at} looks at what is to be done."),
            Action::Check(at) => {
                format!("Node {at} begins the transaction, which looks at its lease.")
            }
            Action::Commit(at) => {
                format!("Node {at} commits, unless another one has acquired the lease.")
            }
            Action::Record(at) => format!("Node {at} writes the event of what it has changed."),
            Action::End(at) => format!("Node {at} notes that the occurrence is done."),
            Action::GiveUp(at) => format!("Node {at} gives up: its lease may have run out."),
            Action::Crash(at) => format!("Node {at} is killed."),
        }
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("an occurrence has one effect", |_, state: &State| {
                state.effects.iter().all(|count| *count <= 1)
            }),
            Property::always(
                "no occurrence has an effect, or is done, before its time",
                |_, state: &State| {
                    let latest = index(state.now);
                    let early = state
                        .effects
                        .iter()
                        .skip(latest + 1)
                        .any(|count| *count > 0);
                    !early && state.lease.done <= state.now
                },
            ),
            Property::always(
                "what changed something is in the audit",
                |_, state: &State| {
                    let is_under_way = |at: usize| {
                        let mut runs = state.runs.iter().flatten();
                        runs.any(|run| {
                            run.stage == Stage::Unrecorded && index(run.occurrence) == at
                        })
                    };
                    let counts = state.effects.iter().zip(&state.events).enumerate();
                    counts
                        .into_iter()
                        .all(|(at, (effects, events))| effects == events || is_under_way(at))
                },
            ),
        ]
    }
}
