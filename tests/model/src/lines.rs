//! One line of tokens, each of which replaced the one before: rotation beside all other changes of it.
//!
//! A change is one transaction under the lock of the owner's row, and here a single step: what makes it
//! one is the subject of [`crate::locks`], and when nodes learn of it that of [`crate::disabling`]. A
//! change by a token has two steps, since the token was authenticated earlier, perhaps from a cache.
//! A request whose answer is lost is one that its sender makes again, and a request that is late is one
//! that runs after that.
//!
//! The first token of the line may create a child, which is revoked with it. Whether a child counts for
//! the limit of tokens is left out; another token of the owner does.

use stateright::{Model, Property};

pub use self::state::{By, Child, Disabling, Member, Request, State, Unlocked};
use crate::{Assumption, Without};

mod state;

/// The part, as a model.
#[derive(Debug, Clone)]
pub struct Lines {
    /// What is taken away.
    pub without: Without,
    /// How many tokens the line has at most.
    pub members: usize,
    /// How many changes there are at most.
    pub changes: u8,
    /// How long a run lasts.
    pub ticks: u8,
}

/// How many tokens the owner may have; a line is one of them.
const LIMIT: u8 = 1;
/// For how long a token works after it was replaced.
const OVERLAP: u8 = 2;
/// The life of a short-lived token.
const SHORT: u8 = 1;

/// A step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Time passes.
    Tick,
    /// The owner rotates a token; the successor may be short-lived.
    Rotate {
        /// The token.
        from: usize,
        /// Whether the successor is short-lived.
        is_short: bool,
    },
    /// A token is revoked.
    Revoke(usize),
    /// A token is disabled.
    Disable(usize, By),
    /// A token is enabled.
    Enable(usize, By),
    /// The owner creates another token.
    CreateOther,
    /// A request by a token is authenticated.
    Ask(Request),
    /// Its transaction runs.
    Run,
    /// A token that has ended is pruned.
    Prune(usize),
    /// A rotation reads the line, without the lock.
    ReadUnlocked(usize),
    /// It writes what follows from that.
    WriteUnlocked,
}

impl Lines {
    fn lacks(&self, assumption: Assumption) -> bool {
        self.without.lacks(assumption)
    }

    /// The first token that a change of this one takes along.
    fn first_of(&self, at: usize) -> usize {
        if self.lacks(Assumption::PredecessorsTakenAlong) {
            at
        } else {
            0
        }
    }

    /// Whether an administrator keeps the line from going on.
    fn is_stopped(&self, state: &State) -> bool {
        let stops = |it: &Member| it.is_live(state.now) && it.is_disabled_by(By::Administrator);
        let is_ignored = self.lacks(Assumption::LineStopped);
        !is_ignored && state.members().any(|(_, it)| stops(it))
    }

    fn may_rotate(&self, state: &State, from: usize) -> bool {
        let may_again =
            |it: &Member| it.replaced.is_none() || !self.lacks(Assumption::RotatedAgain);
        state.is_good(from) && state.member(from).is_some_and(may_again) && !self.is_stopped(state)
    }

    fn rotate_now(&self, state: &mut State, from: usize, is_short: bool) {
        state.is_evaded |= state.is_held();
        self.rotate(&mut state.line, state.now, from, is_short);
    }

    fn rotate(&self, line: &mut Vec<Option<Member>>, now: u8, from: usize, is_short: bool) {
        let Some(predecessor) = &mut line[from] else {
            return;
        };
        let is_first = predecessor.replaced.is_none();
        let in_force = predecessor.end;
        if is_first {
            predecessor.end_by(now + OVERLAP);
        } else if self.lacks(Assumption::EndKept) {
            predecessor.end = Some(now + OVERLAP);
        }
        let end = predecessor.end.unwrap_or(now);
        for later in line[from + 1..].iter_mut().flatten() {
            let is_passed_over = self.lacks(Assumption::LaterReplaced) && later.disabled.is_some();
            if !later.is_revoked && !is_passed_over {
                later.end_by(end);
            }
        }
        let inherits = !is_first && self.lacks(Assumption::OwnEnd);
        let mut successor = Member::new(is_short.then_some(now + SHORT));
        if inherits && !is_short {
            successor.end = in_force;
        }
        line.push(Some(successor));
    }

    /// How many tokens count for the limit.
    fn counted(&self, state: &State) -> u8 {
        let is_over = |it: &Member| {
            it.is_revoked || it.is_ended(state.now) && (it.is_short || it.replaced.is_some())
        };
        let mut members = state.members().map(|(_, it)| it);
        let line = if self.lacks(Assumption::LineCountsOnce) {
            members.any(|it| !is_over(it) && it.replaced.is_none())
        } else {
            members.any(|it| !is_over(it))
        };
        u8::from(line) + state.others
    }

    fn disable(&self, state: &mut State, at: usize, by: By) -> Option<()> {
        let before = state.member(at)?.disabled;
        let is_kept = |it: Disabling| by == By::Owner && it.by == By::Administrator;
        if before.is_some_and(is_kept) {
            return None;
        }
        if self.lacks(Assumption::DisabledAgain) && before.is_some_and(|it| it.by == by) {
            state.line[at].as_mut()?.is_paused = true;
            return Some(());
        }
        state.acts += 1;
        let act = if self.lacks(Assumption::ActsDiffer) {
            state.now
        } else {
            state.acts
        };
        for other in self.first_of(at)..=at {
            let Some(member) = &mut state.line[other] else {
                continue;
            };
            if member.is_revoked {
                continue;
            }
            let takes_over = by == By::Administrator && !self.lacks(Assumption::AdministratorsAct);
            let is_included = match member.disabled {
                None => true,
                Some(it) if is_kept(it) => false,
                Some(it) if it.by == By::Owner && by == By::Administrator => takes_over,
                Some(it) => other == at || Some(it) == before,
            };
            if is_included {
                member.disabled = Some(Disabling { act, by });
                member.is_paused = other == at;
            }
        }
        for member in state.line[..=at].iter_mut().flatten() {
            member.is_held |= by == By::Administrator && !member.is_revoked;
        }
        Some(())
    }

    fn enable(state: &mut State, at: usize, by: By) -> Option<()> {
        let disabled = state.member(at)?.disabled?;
        if disabled.by == By::Administrator && by == By::Owner {
            return None;
        }
        for (other, member) in state.line[..=at].iter_mut().enumerate() {
            let Some(member) = member else { continue };
            if member.disabled == Some(disabled) {
                member.disabled = None;
                member.is_held &= by == By::Owner;
                member.is_paused &= other != at;
            }
        }
        Some(())
    }

    fn run(&self, state: &mut State, request: Request) -> Option<()> {
        let is_good = state.is_good(request.presenter());
        if !is_good && !self.lacks(Assumption::PresentedRead) {
            // Refused.
            return Some(());
        }
        match request {
            Request::Create(creator) => {
                let child = Child {
                    creator,
                    parent: creator,
                    is_revoked: false,
                };
                state.child.get_or_insert(child);
            }
            Request::Rotate(from) => {
                state.member(from)?;
                if state.line.len() < self.members && !self.is_stopped(state) {
                    self.rotate_now(state, from, false);
                }
            }
            Request::Enable(at) => Self::enable(state, at, By::Owner)?,
        }
        state.is_abused |= !is_good;
        Some(())
    }

    fn prune(&self, state: &mut State, at: usize) {
        state.line[at] = None;
        let Some(child) = &mut state.child else {
            return;
        };
        let mut remain = (at + 1..state.line.len()).filter(|later| state.line[*later].is_some());
        let adopts = if self.lacks(Assumption::AdoptedByNext) {
            remain.next_back()
        } else {
            remain.next()
        };
        if child.parent == at {
            child.parent = adopts.unwrap_or(at);
        }
    }

    fn write_unlocked(&self, state: &mut State) -> Option<()> {
        let Unlocked { from, seen } = state.unlocked.take()?;
        let mut after = seen.clone();
        self.rotate(&mut after, state.now, from, false);
        state.line.push(after.pop()?);
        let changed = after.into_iter().zip(seen).enumerate();
        for (at, (after, before)) in changed {
            if after != before {
                state.line[at] = after;
            }
        }
        Some(())
    }

    fn owner_actions(&self, state: &State, actions: &mut Vec<Action>) {
        let has_room = state.line.len() < self.members;
        for (at, member) in state.members() {
            if has_room && self.may_rotate(state, at) {
                actions.extend([false, true].map(|is_short| Action::Rotate { from: at, is_short }));
                if self.lacks(Assumption::LineLocked) && state.unlocked.is_none() {
                    actions.push(Action::ReadUnlocked(at));
                }
            }
            if member.is_revoked {
                continue;
            }
            actions.push(Action::Revoke(at));
            for by in [By::Owner, By::Administrator] {
                actions.push(Action::Disable(at, by));
                if member.disabled.is_some() {
                    actions.push(Action::Enable(at, by));
                }
            }
            if state.request.is_none() && member.is_good(state.now) {
                actions.push(Action::Ask(Request::Enable(at)));
                if has_room && self.may_rotate(state, at) {
                    actions.push(Action::Ask(Request::Rotate(at)));
                }
                if state.child.is_none() {
                    actions.push(Action::Ask(Request::Create(at)));
                }
            }
        }
        if self.counted(state) < LIMIT {
            actions.push(Action::CreateOther);
        }
    }
}

impl Model for Lines {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            now: 0,
            left: self.changes,
            line: vec![Some(Member::new(None))],
            others: 0,
            child: None,
            request: None,
            unlocked: None,
            acts: 0,
            revoked_to: None,
            is_abused: false,
            is_evaded: false,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.now < self.ticks {
            actions.push(Action::Tick);
        }
        if state.left > 0 {
            self.owner_actions(state, actions);
        }
        if state.request.is_some() {
            actions.push(Action::Run);
        }
        if state.unlocked.is_some() && state.line.len() < self.members {
            actions.push(Action::WriteUnlocked);
        }
        let is_old = |it: &Member| it.end.is_some_and(|end| end < state.now);
        let old = state.members().filter(|(_, it)| is_old(it));
        actions.extend(old.map(|(at, _)| Action::Prune(at)));
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        let is_free = matches!(
            action,
            Action::Tick | Action::Run | Action::Prune(_) | Action::WriteUnlocked
        );
        state.left -= u8::from(!is_free);
        match action {
            Action::Tick => state.now += 1,
            Action::Rotate { from, is_short } => {
                self.rotate_now(&mut state, from, is_short);
            }
            Action::Revoke(at) => state.revoke(self.first_of(at), at),
            Action::Disable(at, by) => self.disable(&mut state, at, by)?,
            Action::Enable(at, by) => Self::enable(&mut state, at, by)?,
            Action::CreateOther => state.others += 1,
            Action::Ask(request) => state.request = Some(request),
            Action::Run => {
                let request = state.request.take()?;
                self.run(&mut state, request)?;
            }
            Action::Prune(at) => self.prune(&mut state, at),
            Action::ReadUnlocked(from) => {
                let seen = state.line.clone();
                state.unlocked = Some(Unlocked { from, seen });
            }
            Action::WriteUnlocked => self.write_unlocked(&mut state)?,
        }
        Some(state)
    }

    fn format_action(&self, action: &Action) -> String {
        match action {
            Action::Tick => "A tick passes.".into(),
            Action::Rotate { from, is_short } => {
                let successor = if *is_short {
                    "a short-lived one"
                } else {
                    "one"
                };
                format!("The owner replaces token {from} by {successor}.")
            }
            Action::Revoke(at) => format!("Token {at} is revoked."),
            Action::Disable(at, by) => format!("Token {at} is disabled ({by:?})."),
            Action::Enable(at, by) => format!("Token {at} is enabled ({by:?})."),
            Action::CreateOther => "The owner creates another token.".into(),
            Action::Ask(request) => format!("A request by a token is authenticated: {request:?}."),
            Action::Run => "The transaction of that request runs.".into(),
            Action::Prune(at) => format!("Token {at}, which has ended, is pruned."),
            Action::ReadUnlocked(from) => {
                format!("A rotation of token {from} reads the line without a lock.")
            }
            Action::WriteUnlocked => "That rotation writes and commits.".into(),
        }
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(
                "at most one token of a line is live and not replaced",
                |_, state: &State| {
                    let newest = |it: &Member| it.is_live(state.now) && it.replaced.is_none();
                    state.members().filter(|(_, it)| newest(it)).count() <= 1
                },
            ),
            Property::always(
                "what a revoked token replaced is revoked, and what that has created",
                |_, state: &State| {
                    let is_over = |at: usize| state.revoked_to.is_some_and(|to| at <= to);
                    let is_ok = |at: usize, is_revoked: bool| is_revoked || !is_over(at);
                    let mut members = state.members();
                    let child = state.child.as_ref();
                    members.all(|(at, it)| is_ok(at, it.is_revoked))
                        && child.is_none_or(|it| is_ok(it.creator, it.is_revoked))
                },
            ),
            Property::always(
                "no token that is revoked, disabled or ended has any effect",
                |_, state: &State| !state.is_abused,
            ),
            Property::always(
                "what an administrator disabled is enabled only by an administrator",
                |_, state: &State| {
                    let is_ok = |it: &Member| {
                        !it.is_held || it.is_revoked || it.is_disabled_by(By::Administrator)
                    };
                    state.members().all(|(_, it)| is_ok(it))
                },
            ),
            Property::always(
                "a line does not go on of which an administrator has disabled a live token",
                |_, state: &State| !state.is_evaded,
            ),
            Property::always(
                "what was disabled by an act of its own is not enabled along with its successor",
                |_, state: &State| {
                    let is_ok =
                        |it: &Member| !it.is_paused || it.is_revoked || it.disabled.is_some();
                    state.members().all(|(_, it)| is_ok(it))
                },
            ),
            Property::always(
                "an owner has no more lines of live tokens than the limit allows",
                |_, state: &State| {
                    let line = state.members().any(|(_, it)| it.is_live(state.now));
                    u8::from(line) + state.others <= LIMIT
                },
            ),
            Property::always(
                "a token of a line that is not stopped can be rotated until it ends",
                |model: &Self, state: &State| {
                    let is_whole = state.members().all(|(_, it)| it.disabled.is_none());
                    let is_refused = |at: usize, it: &Member| {
                        it.is_good(state.now) && !model.may_rotate(state, at)
                    };
                    !is_whole || !state.members().any(|(at, it)| is_refused(at, it))
                },
            ),
            Property::always(
                "what a rotation makes has a life of its own",
                |_, state: &State| {
                    let is_ok =
                        |it: &Member| it.replaced.is_some() || it.end.is_none() || it.is_short;
                    state.members().all(|(_, it)| is_ok(it))
                },
            ),
            Property::always(
                "a replaced token ends no later than was said when it was replaced",
                |_, state: &State| {
                    let is_ok = |it: &Member| it.replaced.is_none_or(|said| it.end <= Some(said));
                    state.members().all(|(_, it)| is_ok(it))
                },
            ),
        ]
    }
}
