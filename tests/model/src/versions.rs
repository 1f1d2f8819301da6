//! A newer node that makes a token weaker, or creates a restricted one, and an older node that would take
//! it for an unrestricted one.
//!
//! To make a token weaker is to restrict, disable or replace it. An older node that has authenticated it
//! before may be paused, and create a child with it afterwards; and it may be asked to revoke a token that
//! has replaced another one, of which it does not know.

use stateright::{Model, Property};

use crate::{ALLOWANCE, Assumption, BOUND, Fault, Faults, Without};

/// The part, as a model.
#[derive(Debug, Clone)]
pub struct Versions {
    /// What is taken away.
    pub without: Without,
    /// How long a run lasts.
    pub ticks: u8,
}

/// The token that the feature restricts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// It is there, unrestricted, before it is made weaker.
    Existing,
    /// It is created restricted.
    New,
}

/// How far the first use of the feature has come, on the newer node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Use {
    /// It is not asked for, or was refused.
    None,
    /// No older node has reported.
    NoneOlder,
    /// Older versions may not read the store since so many ticks.
    KeptOut(u8),
    /// The token is weaker, or was created restricted, and that is acknowledged.
    Weaker,
}

/// A poll of the older node that is under way, and whether it may use the store by the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Poll {
    ago: u8,
    may_use: Option<bool>,
}

/// A look-up of the older node that is under way: what the database has read for it so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct LookUp {
    may_use: Option<bool>,
    /// Whether there is a row of the token.
    is_found: Option<bool>,
}

/// The older node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Older {
    is_up: bool,
    fresh_for: u8,
    /// Whether the token is cached as the stronger one that it was, or is taken for.
    cached: bool,
    poll: Option<Poll>,
    look_up: Option<LookUp>,
    /// Whether it has a request that the token has authenticated, as that one.
    caller: bool,
}

/// What the older node has changed as it must not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Harm {
    /// It has created a token with one that was created restricted, or made weaker by then. It knows of
    /// neither, so the child is as strong as the token was.
    Child,
    /// It has revoked a token, and not what that has replaced.
    LeftBehind,
}

/// A state.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    now: u8,
    subject: Subject,
    /// Whether the store says that older versions may not read it.
    keeps_out: bool,
    /// Whether there is a report of the older node.
    row: bool,
    first_use: Use,
    older: Older,
    harm: Option<Harm>,
    faults: Faults,
}

/// A step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Time passes.
    Tick,
    /// The same, but the older node's boot clock does not count it.
    SlowTick,
    /// The older node starts, if the store lets it.
    Start,
    /// It stops, and has the others forget it.
    Stop,
    /// It is killed.
    Crash,
    /// It reports if it has to, and sends a poll.
    Poll,
    /// The database reads the feed for it.
    ReadFeed,
    /// It has the answer.
    Apply,
    /// It sends a look-up.
    LookUp,
    /// The database reads for it which versions may use the store, in a statement before that of the row.
    ReadVersions,
    /// The database reads the row for it, and in the same statement which versions may use the store.
    ReadRow,
    /// It has the answer, and goes on with the request.
    Answer,
    /// It authenticates a request from its cache.
    Hit,
    /// It creates a token with the one that authenticated a request.
    CreateChild,
    /// It revokes the token's successor, or what would be one.
    RevokeSuccessor,
    /// The newer node finds that no older one has reported.
    FindNone,
    /// It has older versions kept out.
    KeepOut,
    /// It makes the token weaker, or creates it restricted.
    Weaken,
}

impl State {
    fn tick(&mut self, older_counts: bool) {
        self.now += 1;
        if let Use::KeptOut(ago) = &mut self.first_use {
            *ago = (*ago + 1).min(BOUND + ALLOWANCE);
        }
        if older_counts {
            self.older.fresh_for = self.older.fresh_for.saturating_sub(1);
            if let Some(poll) = &mut self.older.poll {
                poll.ago = (poll.ago + 1).min(BOUND);
            }
        }
    }

    /// Whether there is a row of the token.
    fn has_row(&self) -> bool {
        self.subject == Subject::Existing || self.first_use == Use::Weaker
    }

    /// Takes in whether the older node may use the store.
    fn learn(&mut self, may_use: bool) {
        let older = &mut self.older;
        if !may_use {
            older.fresh_for = 0;
            older.cached = false;
        }
    }
}

impl Versions {
    fn wait(&self) -> u8 {
        if self.without.lacks(Assumption::FeatureWait) {
            0
        } else {
            BOUND + ALLOWANCE
        }
    }

    fn older_actions(&self, state: &State, actions: &mut Vec<Action>) {
        let older = state.older;
        if !older.is_up {
            actions.push(Action::Start);
            return;
        }
        actions.push(Action::Stop);
        if !state.faults.had(Fault::Crash) {
            actions.push(Action::Crash);
        }
        actions.push(match older.poll {
            None => Action::Poll,
            Some(Poll { may_use: None, .. }) => Action::ReadFeed,
            Some(_) => Action::Apply,
        });
        let reads_twice = self.without.lacks(Assumption::RowWithVersions);
        actions.push(match older.look_up {
            None => Action::LookUp,
            Some(LookUp { may_use: None, .. }) if reads_twice => Action::ReadVersions,
            Some(LookUp { is_found: None, .. }) => Action::ReadRow,
            Some(_) => Action::Answer,
        });
        if older.cached && older.fresh_for > 0 {
            actions.push(Action::Hit);
        }
        if older.caller {
            actions.push(Action::CreateChild);
        }
        actions.push(Action::RevokeSuccessor);
    }

    fn older_step(&self, state: &mut State, action: Action) -> Option<()> {
        let may_use = !state.keeps_out;
        let may_change = may_use || self.without.lacks(Assumption::ChangeWithVersions);
        match action {
            Action::Start if may_use => {
                state.older = Older {
                    is_up: true,
                    ..Older::default()
                }
            }
            Action::Stop => {
                state.older = Older::default();
                state.row = false;
            }
            Action::Poll => {
                // Reports first where it does not trust its cache, as always at its start.
                state.row |= state.older.fresh_for == 0;
                state.older.poll = Some(Poll {
                    ago: 0,
                    may_use: None,
                });
            }
            Action::ReadFeed => {
                state.older.poll.as_mut()?.may_use = Some(may_use);
            }
            Action::Apply => {
                let Poll { ago, may_use } = state.older.poll.take()?;
                let may_use = may_use?;
                state.learn(may_use);
                if may_use {
                    state.older.fresh_for = state.older.fresh_for.max(BOUND.saturating_sub(ago));
                }
            }
            Action::LookUp => state.older.look_up = Some(LookUp::default()),
            Action::ReadVersions => state.older.look_up.as_mut()?.may_use = Some(may_use),
            Action::ReadRow => {
                let is_found = state.has_row();
                let look_up = state.older.look_up.as_mut()?;
                look_up.is_found = Some(is_found);
                look_up.may_use.get_or_insert(may_use);
            }
            Action::Answer => {
                let LookUp { may_use, is_found } = state.older.look_up.take()?;
                let (may_use, is_found) = (may_use?, is_found?);
                state.learn(may_use);
                // Its request is answered even if it does not trust its cache.
                state.older.cached |= may_use && is_found;
                state.older.caller |= may_use && is_found;
            }
            Action::Hit => state.older.caller = true,
            Action::CreateChild => {
                state.older.caller = false;
                let is_weaker = state.subject == Subject::New || state.first_use == Use::Weaker;
                if may_change && is_weaker {
                    state.harm = Some(Harm::Child);
                }
            }
            Action::RevokeSuccessor => {
                if may_change && state.first_use == Use::Weaker {
                    state.harm = Some(Harm::LeftBehind);
                }
            }
            _ => return None,
        }
        Some(())
    }
}

impl Model for Versions {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let begin = |subject| State {
            now: 0,
            subject,
            keeps_out: false,
            row: false,
            first_use: Use::None,
            older: Older::default(),
            harm: None,
            faults: Faults::default(),
        };
        [Subject::Existing, Subject::New].map(begin).into()
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.now < self.ticks {
            actions.push(Action::Tick);
            if !state.faults.had(Fault::SlowClock) {
                actions.push(Action::SlowTick);
            }
        }
        self.older_actions(state, actions);
        match state.first_use {
            Use::None if !state.row || self.without.lacks(Assumption::ReadableFrom) => {
                actions.push(Action::FindNone);
            }
            Use::NoneOlder => actions.push(Action::KeepOut),
            Use::KeptOut(ago) if ago >= self.wait() => actions.push(Action::Weaken),
            Use::None | Use::KeptOut(_) | Use::Weaker => {}
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Tick => state.tick(true),
            Action::SlowTick => {
                state.faults.happen(Fault::SlowClock);
                state.tick(false);
            }
            Action::Crash => {
                state.faults.happen(Fault::Crash);
                state.older = Older::default();
            }
            Action::FindNone => state.first_use = Use::NoneOlder,
            Action::KeepOut => {
                state.keeps_out = !self.without.lacks(Assumption::ReadableFrom);
                state.first_use = Use::KeptOut(0);
            }
            Action::Weaken => state.first_use = Use::Weaker,
            _ => self.older_step(&mut state, action)?,
        }
        (state != *last).then_some(state)
    }

    fn format_action(&self, action: &Action) -> String {
        match action {
            Action::Tick => "A tick passes.",
            Action::SlowTick => "A tick passes that the older node's boot clock does not count.",
            Action::Start => "The older node starts: the store lets it.",
            Action::Stop => "The older node stops, and is forgotten.",
            Action::Crash => "The older node is killed.",
            Action::Poll => "The older node sends a poll, after a report if it does not trust its cache.",
            Action::ReadFeed => "The database reads the change feed for it, and which versions may.",
            Action::Apply => "The older node has the answer, and trusts its cache if it may use the store.",
            Action::LookUp => "The older node looks the token up.",
            Action::ReadVersions => "The database reads for it which versions may.",
            Action::ReadRow => "The database reads the row for it, and which versions may.",
            Action::Answer => "The older node has the answer, and caches and answers for the token if it may use the store.",
            Action::Hit => "The older node answers for the token from its cache.",
            Action::CreateChild => "The older node creates a token with the one that it has answered for.",
            Action::RevokeSuccessor => "The older node revokes what has replaced the token, if anything has.",
            Action::FindNone => "The newer node is asked for what the older one would misread, and finds no report of it.",
            Action::KeepOut => "The newer node has older versions kept out.",
            Action::Weaken => "The newer node makes the token weaker, or creates it restricted, and acknowledges that.",
        }
        .into()
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(
                "an older version never takes a weaker token for what it was",
                |_, state: &State| {
                    let older = state.older;
                    !(state.first_use == Use::Weaker && older.cached && older.fresh_for > 0)
                },
            ),
            Property::always(
                "an older version never answers for a token that was created restricted",
                |_, state: &State| !(state.subject == Subject::New && state.older.caller),
            ),
            Property::always(
                "an older version never creates a child of a token that is weaker, or was created restricted",
                |_, state: &State| state.harm != Some(Harm::Child),
            ),
            Property::always(
                "an older version never revokes a token without what that has replaced",
                |_, state: &State| state.harm != Some(Harm::LeftBehind),
            ),
        ]
    }
}
