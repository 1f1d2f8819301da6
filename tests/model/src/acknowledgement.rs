//! One node: look-ups that overlap with changes.
//!
//! Freshness is left out, which only has the node accept more: what a node acknowledged itself must
//! not rest on it. There are two tokens of one owner, and three changes at most: the revocation of
//! each token, and the owner who is disabled and enabled again.

use stateright::{Model, Property};

use crate::{Assumption, Fault, Faults, Without};

/// The part, as a model.
#[derive(Debug, Clone)]
pub struct Acknowledgement {
    /// What is taken away.
    pub without: Without,
}

/// A change of what tokens may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// A token is revoked.
    Revoke(usize),
    /// The owner is disabled.
    Disable,
    /// The owner is enabled.
    Enable,
}

/// How far a change has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// It was asked for.
    Asked,
    /// One of commit and bump is done.
    Half,
    /// Both are done.
    Done,
}

/// A look-up that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LookUp {
    token: usize,
    /// What the row said, once it was read.
    found: Option<Found>,
    /// Whether its epoch is not below those of its token and owner.
    is_current: bool,
}

/// What a look-up found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Found {
    /// A token that is good.
    Good,
    /// One that was revoked.
    Revoked,
    /// One whose owner is disabled.
    OwnerDisabled,
}

/// A state.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    revoked: [bool; 2],
    disabled: bool,
    /// What was acknowledged.
    ended: [bool; 2],
    owner_ended: bool,
    owner_back: bool,
    /// Tokens in the cache whose epoch is current.
    cached: [bool; 2],
    /// Cached refusals for the owner whose epoch is current.
    refused: [bool; 2],
    look_ups: [Option<LookUp>; 2],
    changes: [Option<(Change, Stage)>; 2],
    left: u8,
    faults: Faults,
}

/// A step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// A look-up begins: it reads the epoch, and sends its query.
    Start(usize),
    /// The database reads the row.
    Read(usize),
    /// The answer is there, and is cached.
    Answer(usize),
    /// Somebody asks for a change.
    Ask(Change),
    /// The change is committed.
    Commit(usize),
    /// The epochs are bumped.
    Bump(usize),
    /// The change is acknowledged.
    Acknowledge(usize),
    /// The commit is not answered: the epochs are bumped, and "perhaps" is said.
    AnswerLost(usize),
    /// The node is killed and started again.
    Crash,
}

impl State {
    /// Whether a request that comes now may be answered by the cache, or by a look-up that it joins.
    fn accepts(&self, token: usize) -> bool {
        let joins =
            |up: &LookUp| up.token == token && up.is_current && up.found == Some(Found::Good);
        self.cached[token] || self.look_ups.iter().flatten().any(joins)
    }

    fn refuses(&self, token: usize) -> bool {
        self.refused[token]
    }

    fn row(&self, token: usize) -> Found {
        if self.revoked[token] {
            Found::Revoked
        } else if self.disabled {
            Found::OwnerDisabled
        } else {
            Found::Good
        }
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::Revoke(token) => self.revoked[token] = true,
            Change::Disable => (self.disabled, self.owner_back) = (true, false),
            Change::Enable => (self.disabled, self.owner_ended) = (false, false),
        }
    }

    fn bump(&mut self, change: Change, refusals_too: bool) {
        for token in 0..2 {
            if let Change::Revoke(one) = change
                && one != token
            {
                continue;
            }
            self.cached[token] = false;
            self.refused[token] &= !refusals_too;
            for up in self.look_ups.iter_mut().flatten() {
                up.is_current &= up.token != token;
            }
        }
    }

    fn acknowledge(&mut self, change: Change) {
        match change {
            Change::Revoke(token) => self.ended[token] = true,
            Change::Disable => self.owner_ended = true,
            Change::Enable => self.owner_back = true,
        }
    }

    /// The host changes a user, and says so afterwards: one change of him at a time.
    fn may_ask(&self, change: Change) -> bool {
        let is_under_way = |other: Change| match (other, change) {
            (Change::Revoke(a), Change::Revoke(b)) => a == b,
            (Change::Revoke(_), _) | (_, Change::Revoke(_)) => false,
            _ => true,
        };
        let is_new = match change {
            Change::Revoke(_) => true,
            Change::Disable => !self.disabled,
            Change::Enable => self.disabled,
        };
        let mut others = self.changes.iter().flatten();
        self.left > 0 && is_new && !others.any(|(other, _)| is_under_way(*other))
    }
}

impl Acknowledgement {
    fn commits_first(&self) -> bool {
        !self.without.lacks(Assumption::CommitBeforeBump)
    }
}

impl Model for Acknowledgement {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            revoked: [false; 2],
            disabled: false,
            ended: [false; 2],
            owner_ended: false,
            owner_back: false,
            cached: [false; 2],
            refused: [false; 2],
            look_ups: [None; 2],
            changes: [None; 2],
            left: 3,
            faults: Faults::default(),
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.look_ups.iter().any(Option::is_none) {
            actions.extend([0, 1].map(Action::Start));
        }
        for (at, up) in state.look_ups.iter().enumerate() {
            match up {
                Some(LookUp { found: None, .. }) => actions.push(Action::Read(at)),
                Some(_) => actions.push(Action::Answer(at)),
                None => {}
            }
        }
        if state.changes.iter().any(Option::is_none) {
            let changes = [
                Change::Revoke(0),
                Change::Revoke(1),
                Change::Disable,
                Change::Enable,
            ];
            let asked = changes.into_iter().filter(|change| state.may_ask(*change));
            actions.extend(asked.map(Action::Ask));
        }
        for (at, change) in state.changes.iter().enumerate() {
            match change {
                Some((_, Stage::Asked)) if self.commits_first() => actions.push(Action::Commit(at)),
                Some((_, Stage::Half)) if !self.commits_first() => actions.push(Action::Commit(at)),
                Some((_, Stage::Asked | Stage::Half)) => actions.push(Action::Bump(at)),
                Some((_, Stage::Done)) => actions.push(Action::Acknowledge(at)),
                None => {}
            }
            if let Some((_, Stage::Half)) = change
                && self.commits_first()
                && !state.faults.had(Fault::AnswerLost)
            {
                actions.push(Action::AnswerLost(at));
            }
        }
        if !state.faults.had(Fault::Crash) {
            actions.push(Action::Crash);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Start(token) => {
                let is_known = state.cached[token] || state.refused[token];
                let flies = |up: &LookUp| up.token == token;
                if is_known || state.look_ups.iter().flatten().any(flies) {
                    return None;
                }
                let free = state.look_ups.iter_mut().find(|up| up.is_none())?;
                *free = Some(LookUp {
                    token,
                    found: None,
                    is_current: true,
                });
            }
            Action::Read(at) => {
                let found = state.row(state.look_ups[at]?.token);
                let up = state.look_ups[at].as_mut()?;
                up.found = Some(found);
            }
            Action::Answer(at) => {
                let LookUp {
                    token,
                    found,
                    is_current,
                } = state.look_ups[at].take()?;
                let is_current = is_current || self.without.lacks(Assumption::EpochBeforeQuery);
                let is_kept = is_current || self.without.lacks(Assumption::RefusalHasEpoch);
                state.cached[token] |= found == Some(Found::Good) && is_current;
                state.refused[token] |= found == Some(Found::OwnerDisabled) && is_kept;
            }
            Action::Ask(change) => {
                let free = state.changes.iter_mut().find(|change| change.is_none())?;
                *free = Some((change, Stage::Asked));
                state.left -= 1;
            }
            Action::Commit(at) | Action::Bump(at) => {
                let (change, before) = state.changes[at]?;
                if action == Action::Commit(at) {
                    state.apply(change);
                } else {
                    state.bump(change, !self.without.lacks(Assumption::RefusalHasEpoch));
                }
                let next = if before == Stage::Asked {
                    Stage::Half
                } else {
                    Stage::Done
                };
                state.changes[at] = Some((change, next));
            }
            Action::Acknowledge(at) => {
                let (change, _) = state.changes[at].take()?;
                state.acknowledge(change);
            }
            Action::AnswerLost(at) => {
                let (change, _) = state.changes[at].take()?;
                state.faults.happen(Fault::AnswerLost);
                state.bump(change, !self.without.lacks(Assumption::RefusalHasEpoch));
            }
            Action::Crash => {
                state.faults.happen(Fault::Crash);
                state.cached = [false; 2];
                state.refused = [false; 2];
                state.look_ups = [None; 2];
                state.changes = [None; 2];
            }
        }
        Some(state)
    }

    fn format_action(&self, action: &Action) -> String {
        match action {
            Action::Start(token) => {
                format!("A look-up of token {token} reads the epoch and sends its query.")
            }
            Action::Read(at) => format!("The database reads the row for look-up {at}."),
            Action::Answer(at) => format!("The answer to look-up {at} arrives and is cached."),
            Action::Ask(change) => format!("Somebody asks for {change:?}."),
            Action::Commit(at) => format!("Change {at} is committed."),
            Action::Bump(at) => format!("The epochs are bumped for change {at}."),
            Action::Acknowledge(at) => format!("Change {at} is acknowledged."),
            Action::AnswerLost(at) => {
                format!(
                    "The answer to the commit of change {at} is lost; the epochs are bumped all the same."
                )
            }
            Action::Crash => "The node is killed and starts again with an empty cache.".into(),
        }
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(
                "after a revocation is acknowledged, the node that acknowledged it does not accept the token",
                |_, state: &State| {
                    (0..2).all(|token| !(state.ended[token] && state.accepts(token)))
                },
            ),
            Property::always(
                "after an owner's disabling is acknowledged, that node accepts none of his tokens",
                |_, state: &State| !state.owner_ended || (0..2).all(|token| !state.accepts(token)),
            ),
            Property::always(
                "after an owner's return is acknowledged, that node does not refuse his tokens for him",
                |_, state: &State| !state.owner_back || (0..2).all(|token| !state.refuses(token)),
            ),
        ]
    }
}
