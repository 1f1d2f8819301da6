//! What nodes have cached of a token that is replaced, disabled and enabled again.
//!
//! The node here makes the changes, and has look-ups that overlap with them, as in
//! [`crate::acknowledgement`]; the one there follows the change feed, as in [`crate::staleness`], where
//! reports and `wait=cluster` are. The difference is that access comes back: a refusal must not be used
//! for longer than a cached token, and what was acknowledged last must hold.
//!
//! Half of the runs watch the node here, and the others the one there: neither learns anything of the
//! other but by the database. There it makes no difference whether two changes are under way at once, since
//! one of them is committed first.
//!
//! Times are relative to now, and what has long passed is all the same.

use stateright::{Model, Property};

use crate::{ALLOWANCE, Assumption, BOUND, Fault, Faults, Without};

/// The part, as a model.
#[derive(Debug, Clone)]
pub struct Disabling {
    /// What is taken away.
    pub without: Without,
    /// How many changes there are at most.
    pub changes: u8,
}

/// From when on the other node must know.
const LATE: u8 = BOUND + ALLOWANCE;
/// For how long a token works after it was replaced.
const OVERLAP: u8 = 1;

/// Which node is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Watched {
    /// The one that makes the changes.
    Here,
    /// The one that follows.
    There,
}

/// A change of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// It is replaced.
    Replace,
    /// It is disabled.
    Disable,
    /// It is enabled.
    Enable,
}

/// How far a change has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// It was asked for.
    Asked,
    /// It is committed.
    Committed,
    /// The epochs are bumped too.
    Bumped,
}

/// What a look-up found, and what is cached of it: a token with the ticks that are left to it, if it
/// ends, or the refusal of a disabled one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Found {
    /// A token that is good for so long.
    Good(Option<u8>),
    /// One that is disabled.
    Disabled,
    /// One that has ended, for ever.
    Ended,
}

/// A look-up that is under way here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LookUp {
    found: Option<Found>,
    /// Whether no epoch was bumped since it began.
    is_current: bool,
}

/// A poll of the node there: how long ago it was sent, and up to which change the feed was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Poll {
    ago: u8,
    head: Option<u8>,
}

/// The node there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct There {
    cached: Option<Found>,
    fresh_for: u8,
    cursor: Option<u8>,
    poll: Option<Poll>,
}

/// A state.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    watched: Watched,
    left: u8,
    faults: Faults,
    // The database.
    is_disabled: bool,
    /// For how many ticks the token works, if it ends.
    end: Option<u8>,
    ended_for: u8,
    generation: u8,
    // The node here.
    cached: Option<Found>,
    look_up: Option<LookUp>,
    changes: [Option<(Change, Stage)>; 2],
    /// A change that is not made yet and goes on after it was answered.
    late: Option<Change>,
    // What was acknowledged.
    /// Whether the last of the changes that were not given up has disabled the token.
    last: bool,
    /// Whether it was said to be disabled or enabled, and how long ago.
    said: Option<(bool, u8)>,
    /// How long ago it was said to be replaced.
    replaced: Option<u8>,
    there: There,
}

/// A step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Time passes.
    Tick,
    /// The same, but the boot clock there does not count it.
    SlowTick,
    /// A look-up begins here.
    Start,
    /// The database reads the row.
    Read,
    /// The answer is there, and is cached.
    Answer,
    /// A client asks for a change.
    Ask(Change),
    /// The change is committed.
    Commit(usize),
    /// The epochs are bumped.
    Bump(usize),
    /// The change is acknowledged.
    Acknowledge(usize),
    /// The answer to its commit is lost: the epochs are bumped, and "perhaps" is said.
    AnswerLost(usize),
    /// It could not be made in time, and "perhaps" is said.
    GiveUp(usize),
    /// It is made all the same.
    CommitLate,
    /// The node there looks the token up.
    Load,
    /// It sends a poll.
    Poll,
    /// The database reads the feed for it.
    ReadFeed,
    /// It has the answer.
    Apply,
    /// It is killed and starts again.
    Crash,
}

impl Found {
    fn age(self) -> Self {
        match self {
            Self::Good(Some(left)) => Self::Good(Some(left.saturating_sub(1))),
            other => other,
        }
    }

    fn accepts(self) -> bool {
        matches!(self, Self::Good(left) if left != Some(0))
    }

    /// Whether it is kept in a cache, as far as the model goes. A token that has ended is refused for ever.
    fn is_kept(self) -> bool {
        !matches!(self, Self::Ended | Self::Good(Some(0)))
    }
}

impl Change {
    /// Whether the token is disabled by it; `None` if that does not change.
    fn disables(self) -> Option<bool> {
        match self {
            Self::Replace => None,
            Self::Disable => Some(true),
            Self::Enable => Some(false),
        }
    }
}

impl There {
    fn uses(self) -> Option<Found> {
        self.cached.filter(|_| self.fresh_for > 0)
    }
}

fn aged(ago: u8) -> u8 {
    LATE.min(ago + 1)
}

impl State {
    fn row(&self) -> Found {
        if self.end == Some(0) {
            Found::Ended
        } else if self.is_disabled {
            Found::Disabled
        } else {
            Found::Good(self.end)
        }
    }

    /// What a request here is answered by, without a look-up of its own.
    fn used_here(&self) -> impl Iterator<Item = Found> {
        let joined = self.look_up.filter(|it| it.is_current);
        let joined = joined.and_then(|it| it.found);
        self.cached.into_iter().chain(joined)
    }

    fn bump(&mut self, refusals_too: bool) {
        if refusals_too || self.cached != Some(Found::Disabled) {
            self.cached = None;
        }
        if let Some(look_up) = &mut self.look_up {
            look_up.is_current = false;
        }
    }

    fn tick(&mut self, there_counts: bool) {
        if self.end == Some(0) {
            self.ended_for = aged(self.ended_for);
        }
        self.end = self.end.map(|left| left.saturating_sub(1));
        self.cached = self.cached.map(Found::age).filter(|found| found.is_kept());
        if let Some(look_up) = &mut self.look_up {
            look_up.found = look_up.found.map(Found::age);
        }
        self.said = self.said.map(|(what, ago)| (what, aged(ago)));
        self.replaced = self.replaced.map(aged);
        if there_counts {
            let there = &mut self.there;
            there.fresh_for = there.fresh_for.saturating_sub(1);
            there.cached = there.cached.map(Found::age).filter(|found| found.is_kept());
            if let Some(poll) = &mut there.poll {
                poll.ago = BOUND.min(poll.ago + 1);
            }
        }
    }

    fn acknowledge(&mut self, change: Change) {
        if change == Change::Replace {
            self.replaced.get_or_insert(0);
            return;
        }
        // What two changes at once leave is known when both are over.
        let mut others = self.changes.iter().flatten();
        if !others.any(|(other, _)| other.disables().is_some()) {
            self.said = Some((self.last, 0));
        }
    }
}

impl Disabling {
    fn lacks(&self, assumption: Assumption) -> bool {
        self.without.lacks(assumption)
    }

    fn commit(&self, state: &mut State, change: Change) {
        if let Some(is_disabled) = change.disables() {
            state.is_disabled = is_disabled;
        } else {
            let end = state.end.map_or(OVERLAP, |end| end.min(OVERLAP));
            state.end = Some(end);
        }
        let is_told = !self.lacks(if change == Change::Enable {
            Assumption::EnablingInFeed
        } else {
            Assumption::ReplacingInFeed
        });
        state.generation += u8::from(is_told);
    }

    fn change_actions(state: &State, actions: &mut Vec<Action>) {
        let is_here = state.watched == Watched::Here;
        let most = if is_here { 2 } else { 1 };
        if state.left > 0 && state.changes.iter().flatten().count() < most {
            let is_new = |change: &Change| *change != Change::Replace || state.end.is_none();
            let changes = [Change::Replace, Change::Disable, Change::Enable];
            actions.extend(changes.into_iter().filter(is_new).map(Action::Ask));
        }
        for (at, change) in state.changes.iter().enumerate() {
            match change {
                Some((_, Stage::Asked)) => {
                    actions.push(Action::Commit(at));
                    if is_here && !state.faults.had(Fault::WriteLate) {
                        actions.push(Action::GiveUp(at));
                    }
                }
                Some((_, Stage::Committed)) if !is_here => actions.push(Action::Acknowledge(at)),
                Some((_, Stage::Committed)) => {
                    actions.push(Action::Bump(at));
                    if !state.faults.had(Fault::AnswerLost) {
                        actions.push(Action::AnswerLost(at));
                    }
                }
                Some((_, Stage::Bumped)) => actions.push(Action::Acknowledge(at)),
                None => {}
            }
        }
        if state.late.is_some() {
            actions.push(Action::CommitLate);
        }
    }

    fn change_step(&self, state: &mut State, action: Action) -> Option<()> {
        let refusals_too = !self.lacks(Assumption::DisabledHasEpoch);
        match action {
            Action::Ask(change) => {
                let free = state.changes.iter_mut().find(|change| change.is_none())?;
                *free = Some((change, Stage::Asked));
                state.left -= 1;
                let contradicts = |what: bool| change.disables().is_some_and(|it| it != what);
                state.said = state.said.filter(|(what, _)| !contradicts(*what));
            }
            Action::Commit(at) => {
                let (change, _) = state.changes[at]?;
                self.commit(state, change);
                state.last = change.disables().unwrap_or(state.last);
                state.changes[at] = Some((change, Stage::Committed));
            }
            Action::Bump(at) => {
                let (change, _) = state.changes[at]?;
                state.bump(refusals_too);
                state.changes[at] = Some((change, Stage::Bumped));
            }
            Action::Acknowledge(at) => {
                let (change, _) = state.changes[at].take()?;
                state.acknowledge(change);
            }
            Action::AnswerLost(at) => {
                state.faults.happen(Fault::AnswerLost);
                state.changes[at] = None;
                state.bump(refusals_too);
            }
            Action::GiveUp(at) => {
                state.faults.happen(Fault::WriteLate);
                let (change, _) = state.changes[at].take()?;
                state.late = self.lacks(Assumption::NoneAfterAnswer).then_some(change);
            }
            Action::CommitLate => {
                let change = state.late.take()?;
                self.commit(state, change);
                state.bump(refusals_too);
            }
            _ => return None,
        }
        Some(())
    }

    fn there_step(state: &mut State, action: Action) -> Option<()> {
        let (generation, row) = (state.generation, state.row());
        let there = &mut state.there;
        match action {
            Action::Load => there.cached = Some(row).filter(|found| found.is_kept()),
            Action::Poll => there.poll = Some(Poll { ago: 0, head: None }),
            Action::ReadFeed => there.poll.as_mut()?.head = Some(generation),
            Action::Apply => {
                let Poll { ago, head } = there.poll.take()?;
                if there.cursor != head {
                    there.cached = None;
                }
                there.cursor = head;
                there.fresh_for = there.fresh_for.max(BOUND.saturating_sub(ago));
            }
            _ => return None,
        }
        Some(())
    }
}

impl Model for Disabling {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let states = [Watched::Here, Watched::There].map(|watched| State {
            watched,
            left: self.changes,
            faults: Faults::default(),
            is_disabled: false,
            end: None,
            ended_for: 0,
            generation: 0,
            cached: None,
            look_up: None,
            changes: [None; 2],
            late: None,
            last: false,
            said: None,
            replaced: None,
            there: There::default(),
        });
        states.to_vec()
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        actions.push(Action::Tick);
        Self::change_actions(state, actions);
        if state.watched == Watched::Here {
            match state.look_up {
                None if state.cached.is_none() => actions.push(Action::Start),
                None => {}
                Some(LookUp { found: None, .. }) => actions.push(Action::Read),
                Some(_) => actions.push(Action::Answer),
            }
            return;
        }
        if state.there.uses().is_none() {
            actions.push(Action::Load);
        }
        actions.push(match state.there.poll {
            None => Action::Poll,
            Some(Poll { head: None, .. }) => Action::ReadFeed,
            Some(_) => Action::Apply,
        });
        if !state.faults.had(Fault::Crash) {
            actions.push(Action::Crash);
        }
        if !state.faults.had(Fault::SlowClock) {
            actions.push(Action::SlowTick);
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
            Action::Start => {
                state.look_up = Some(LookUp {
                    found: None,
                    is_current: true,
                });
            }
            Action::Read => {
                let row = state.row();
                state.look_up.as_mut()?.found = Some(row);
            }
            Action::Answer => {
                let LookUp { found, is_current } = state.look_up.take()?;
                let found = found.filter(|found| found.is_kept());
                let has_no_epoch = self.lacks(Assumption::DisabledHasEpoch);
                let is_used = is_current || has_no_epoch && found == Some(Found::Disabled);
                state.cached = found.filter(|_| is_used);
            }
            Action::Crash => {
                state.faults.happen(Fault::Crash);
                state.there = There::default();
            }
            Action::Load | Action::Poll | Action::ReadFeed | Action::Apply => {
                Self::there_step(&mut state, action)?;
            }
            _ => self.change_step(&mut state, action)?,
        }
        (state != *last).then_some(state)
    }

    fn format_action(&self, action: &Action) -> String {
        match action {
            Action::Tick => "A tick passes.".into(),
            Action::SlowTick => "A tick passes that the boot clock there does not count.".into(),
            Action::Start => "A look-up here reads the epoch and sends its query.".into(),
            Action::Read => "The database reads the row for it.".into(),
            Action::Answer => "The answer to it arrives and is cached.".into(),
            Action::Ask(change) => format!("A client asks for {change:?}."),
            Action::Commit(at) => format!("Change {at} is committed."),
            Action::Bump(at) => format!("The epochs here are bumped for change {at}."),
            Action::Acknowledge(at) => format!("Change {at} is acknowledged."),
            Action::AnswerLost(at) => {
                format!(
                    "The answer to the commit of change {at} is lost; the epochs are bumped all the same."
                )
            }
            Action::GiveUp(at) => {
                format!("Change {at} is not made in time, and answered with \"perhaps\".")
            }
            Action::CommitLate => "That change is committed at last.".into(),
            Action::Load => "The node there looks the token up and caches what it finds.".into(),
            Action::Poll => "The node there sends a poll.".into(),
            Action::ReadFeed => "The database reads the change feed for it.".into(),
            Action::Apply => "The node there has the answer, and trusts its cache.".into(),
            Action::Crash => "The node there is killed and starts again.".into(),
        }
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(
                "what was acknowledged last holds: a token is disabled, or it is enabled",
                |_, state: &State| state.said.is_none_or(|(what, _)| what == state.is_disabled),
            ),
            Property::always(
                "after a token's disabling is acknowledged, the node that acknowledged it does not accept it",
                |_, state: &State| {
                    let is_said = matches!(state.said, Some((true, _)));
                    !(is_said && state.used_here().any(Found::accepts))
                },
            ),
            Property::always(
                "after a token's enabling is acknowledged, the node that acknowledged it does not refuse it as disabled",
                |_, state: &State| {
                    let is_said = matches!(state.said, Some((false, _)));
                    !(is_said && state.used_here().any(|found| found == Found::Disabled))
                },
            ),
            Property::always(
                "a disabled token is accepted elsewhere no longer than the bound after that was acknowledged",
                |_, state: &State| {
                    let is_late = state.said == Some((true, LATE));
                    !(is_late && state.there.uses().is_some_and(Found::accepts))
                },
            ),
            Property::always(
                "an enabled token is refused elsewhere no longer than the bound after that was acknowledged",
                |_, state: &State| {
                    let is_late = state.said == Some((false, LATE));
                    !(is_late && state.there.uses() == Some(Found::Disabled))
                },
            ),
            Property::always(
                "a replaced token that has ended is not accepted by the node that acknowledged the replacement",
                |_, state: &State| {
                    let is_over = state.end == Some(0) && state.replaced.is_some();
                    !(is_over && state.used_here().any(Found::accepts))
                },
            ),
            Property::always(
                "a replaced token is accepted elsewhere no longer than the bound after it has ended",
                |_, state: &State| {
                    let is_late = state.ended_for == LATE && state.replaced == Some(LATE);
                    !(is_late && state.there.uses().is_some_and(Found::accepts))
                },
            ),
        ]
    }
}
