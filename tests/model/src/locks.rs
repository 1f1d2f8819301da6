//! Transactions of one owner: he may have two tokens, and has one, which may create others.
//!
//! That token creates a child, he creates another token on his own, and he revokes the first one
//! with its descendants, all at once and on two members. A store that locks has one transaction wait
//! for the other; one that certifies (Galera) has a lock known to its member alone, and compares at
//! the commit which rows both have written.

use stateright::{Model, Property};

use crate::{Assumption, Without};

/// The part, as a model.
#[derive(Debug, Clone)]
pub struct Locks {
    /// What is taken away.
    pub without: Without,
}

/// How many tokens the owner may have.
const LIMIT: u8 = 2;
/// How often a transaction that has lost is tried again.
const TRIES: u8 = 3;

/// What a transaction does: [`CHILD`] and [`OTHER`] create, [`REVOKE`] revokes.
pub const CHILD: usize = 0;
/// See [`CHILD`].
pub const OTHER: usize = 1;
/// See [`CHILD`].
pub const REVOKE: usize = 2;

/// On which member each runs.
const MEMBERS: [usize; 3] = [0, 1, 1];

/// How far a transaction has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// It is not begun, or was undone.
    Idle,
    /// It has the owner's row.
    Locked {
        /// The row as it was.
        seq: u8,
    },
    /// It has read what it needs.
    Read {
        /// The row as it was.
        seq: u8,
        /// How many tokens there are.
        live: u8,
        /// Whether the parent is good.
        has_parent: bool,
        /// Whether the child is there.
        has_child: bool,
    },
    /// It is committed, or refused.
    Over,
}

/// A state.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    certifies: bool,
    seq: u8,
    parent: bool,
    created: [bool; 2],
    stages: [Stage; 3],
    tries: [u8; 3],
}

/// A step of one of the transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// It takes the lock on the owner's row.
    Lock(usize),
    /// It reads the tokens.
    Read(usize),
    /// It writes and commits.
    Commit(usize),
    /// Its connection is lost, and it is undone.
    Lose(usize),
}

impl State {
    fn live(&self) -> u8 {
        [self.parent, self.created[0], self.created[1]]
            .into_iter()
            .map(u8::from)
            .sum()
    }

    /// Whether a transaction has to wait for another one's lock.
    fn is_locked_out(&self, by: usize) -> bool {
        let holds = |stage: &Stage| matches!(stage, Stage::Locked { .. } | Stage::Read { .. });
        let others = self.stages.iter().enumerate();
        let meets = |other: usize| !self.certifies || MEMBERS[other] == MEMBERS[by];
        let mut others = others.filter(|(other, _)| *other != by && meets(*other));
        others.any(|(_, stage)| holds(stage))
    }

    fn undo(&mut self, at: usize) {
        self.tries[at] += 1;
        self.stages[at] = if self.tries[at] < TRIES {
            Stage::Idle
        } else {
            Stage::Over
        };
    }
}

impl Locks {
    fn commit(&self, state: &mut State, at: usize) -> Option<()> {
        let Stage::Read {
            seq,
            live,
            has_parent,
            has_child,
        } = state.stages[at]
        else {
            return None;
        };
        let is_write = !self.without.lacks(Assumption::LockIsWrite);
        if state.certifies && is_write && seq != state.seq {
            state.undo(at);
            return Some(());
        }
        state.stages[at] = Stage::Over;
        state.seq += u8::from(is_write);
        match at {
            REVOKE => {
                state.parent = false;
                state.created[CHILD] &= !has_child;
            }
            _ if live >= LIMIT || (at == CHILD && !has_parent) => {}
            _ => state.created[at] = true,
        }
        Some(())
    }
}

impl Model for Locks {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let states = [false, true].map(|certifies| State {
            certifies,
            seq: 0,
            parent: true,
            created: [false; 2],
            stages: [Stage::Idle; 3],
            tries: [0; 3],
        });
        states.to_vec()
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (at, stage) in state.stages.iter().enumerate() {
            match stage {
                Stage::Idle if !state.is_locked_out(at) => actions.push(Action::Lock(at)),
                Stage::Idle | Stage::Over => {}
                Stage::Locked { .. } => actions.extend([Action::Read(at), Action::Lose(at)]),
                Stage::Read { .. } => actions.extend([Action::Commit(at), Action::Lose(at)]),
            }
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Lock(at) => state.stages[at] = Stage::Locked { seq: state.seq },
            Action::Read(at) => {
                let Stage::Locked { seq } = state.stages[at] else {
                    return None;
                };
                // Who asks by a token was authenticated before.
                let believes = self.without.lacks(Assumption::ParentLocked);
                state.stages[at] = Stage::Read {
                    seq,
                    live: state.live(),
                    has_parent: state.parent || believes,
                    has_child: state.created[CHILD],
                };
            }
            Action::Commit(at) => self.commit(&mut state, at)?,
            Action::Lose(at) => state.undo(at),
        }
        Some(state)
    }

    fn format_action(&self, action: &Action) -> String {
        let name = |at: &usize| {
            let what = [
                "The creation by the first token",
                "The owner's own creation",
                "The revocation of the first token",
            ][*at];
            format!("{what} (on member {})", MEMBERS[*at])
        };
        match action {
            Action::Lock(at) => format!("{} locks the owner's row.", name(at)),
            Action::Read(at) => format!("{} reads the owner's tokens.", name(at)),
            Action::Commit(at) => format!("{} writes and commits.", name(at)),
            Action::Lose(at) => format!("{} loses its connection and is undone.", name(at)),
        }
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(
                "an owner has no more tokens than he may",
                |_, state: &State| state.live() <= LIMIT,
            ),
            Property::always(
                "no child outlives its parent's revocation",
                |_, state: &State| state.parent || !state.created[CHILD],
            ),
        ]
    }
}
