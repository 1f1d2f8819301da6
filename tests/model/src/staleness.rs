//! Two nodes and the change feed: node A revokes, node B follows.
//!
//! What A itself accepts is the subject of [`crate::acknowledgement`], and so are look-ups that
//! overlap with a change: here one is a single step. B caches, polls, reports, is paused (by taking no
//! step), killed, and may have a boot clock that falls behind. A waits for the cluster in half of the
//! runs, and does not in the others.
//!
//! Times are relative to now, and what has long passed is all the same. So runs have no end, and the
//! states are all there are.
//!
//! There are failovers only where A does not wait: a report says up to which generation a node has
//! read, and not of which history, so `wait=cluster` promises nothing across one that lost commits.

use stateright::{Model, Property};

use crate::{ALLOWANCE, Assumption, BOUND, Fault, Faults, Without};

/// The part, as a model.
#[derive(Debug, Clone)]
pub struct Staleness {
    /// What is taken away.
    pub without: Without,
    /// How many changes there are at most.
    pub changes: u8,
}

/// Times beyond this are long ago, for who waits.
const LONG_AGO: u8 = BOUND + ALLOWANCE;

/// An entry of the change feed: which token is concerned, and a nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Entry {
    token: usize,
    nonce: u8,
}

/// What a poll has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Page {
    head: usize,
    nonce: u8,
    /// Whether it goes on where the cursor is.
    continues: bool,
    /// Which tokens are concerned by what came after it.
    concerned: [bool; 2],
}

/// How far a poll has come: how many ticks of B's clock ago it was sent, how many ago B reported, if it
/// did so before that, and what was found.
#[expect(
    missing_docs,
    reason = "the fields are the same for all, and said above"
)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Poll {
    /// The node has reported first, or need not.
    ToSend { reported: Option<u8> },
    /// It was sent so many ticks of B's clock ago.
    Sent { ago: u8, reported: Option<u8> },
    /// The database has read the feed.
    Read {
        ago: u8,
        reported: Option<u8>,
        page: Page,
    },
    /// What it found is applied, and to be reported.
    Applied { ago: u8, reported: Option<u8> },
    /// It is reported, or need not be.
    Reported { ago: u8, reported: Option<u8> },
}

/// How far a revocation has come, on node A.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Revocation {
    token: usize,
    generation: usize,
    /// How many ticks of A's clock it has waited.
    waited: u8,
}

/// What the database has of a life of node B.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Row {
    applied: usize,
    /// For how long A has seen this very report lag behind; `None` before it did.
    lags_for: Option<u8>,
}

/// A state.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    waits: bool,
    left: u8,
    faults: Faults,
    // The database.
    feed: Vec<Entry>,
    rows: [Option<Row>; 2],
    // Node A.
    revocation: Option<Revocation>,
    /// How many ticks ago each token's revocation was acknowledged.
    acknowledged: [Option<u8>; 2],
    // Node B, in its first or its second life.
    life: usize,
    /// How far B has read: the generation and its nonce.
    cursor: Option<(usize, u8)>,
    /// What B has reported.
    reported: Option<usize>,
    /// For how many ticks of its clock B trusts its cache.
    fresh_for: u8,
    cached: [bool; 2],
    poll: Option<Poll>,
    /// A report of this life that its sender gave up waiting for.
    late: Option<(usize, usize)>,
}

/// A step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Time passes.
    Tick,
    /// The same, but B's boot clock does not count it.
    SlowTick,
    /// A commits a revocation, and bumps its epochs.
    Commit(usize),
    /// A reads what nodes have reported.
    Listen,
    /// A acknowledges.
    Acknowledge,
    /// The standby takes over, without the last commit.
    Failover,
    /// B looks a token up that is not revoked, and caches it.
    Cache(usize),
    /// B begins a poll.
    Begin,
    /// B sends its poll.
    Send,
    /// The database reads the feed for it.
    ReadFeed,
    /// B bumps the epochs of what it found.
    Apply,
    /// B reports what it has applied.
    Report,
    /// B trusts its cache for another while.
    Trust,
    /// B gives up waiting for its poll.
    PollLost,
    /// B gives up waiting for its report, which is still under way.
    ReportLate,
    /// That report is written, if none that is later was.
    LateArrives,
    /// B is killed and starts again.
    Crash,
}

fn aged(ago: u8) -> u8 {
    LONG_AGO.min(ago + 1)
}

/// The same, for a time that counts no longer than a cache is trusted.
fn outlasted(ago: u8) -> u8 {
    BOUND.min(ago + 1)
}

impl Poll {
    fn age(mut self) -> Self {
        match &mut self {
            Self::ToSend { reported } => *reported = reported.map(outlasted),
            Self::Sent { ago, reported }
            | Self::Read { ago, reported, .. }
            | Self::Applied { ago, reported }
            | Self::Reported { ago, reported } => {
                (*ago, *reported) = (outlasted(*ago), reported.map(outlasted));
            }
        }
        self
    }
}

impl State {
    fn is_revoked(&self, token: usize) -> bool {
        self.feed.iter().any(|entry| entry.token == token)
    }

    /// Whether B answers a request that comes now from its cache.
    #[must_use]
    pub fn accepts(&self, token: usize) -> bool {
        self.fresh_for > 0 && self.cached[token]
    }

    fn page(&self, compares_nonces: bool) -> Page {
        let head = self.feed.len();
        let (at, nonce) = self.cursor.unwrap_or_default();
        let same = at == 0
            || self
                .feed
                .get(at - 1)
                .is_some_and(|entry| entry.nonce == nonce);
        let mut concerned = [false; 2];
        for entry in self.feed.iter().skip(at) {
            concerned[entry.token] = true;
        }
        Page {
            head,
            nonce: self.feed.last().map_or(0, |entry| entry.nonce),
            continues: self.cursor.is_some() && head >= at && (same || !compares_nonces),
            concerned,
        }
    }

    fn apply(&mut self, page: Page) {
        for token in 0..2 {
            if page.concerned[token] || !page.continues {
                self.cached[token] = false;
            }
        }
        self.cursor = Some((page.head, page.nonce));
    }

    fn write_report(&mut self, applied: usize) {
        if !self.waits {
            // It is read by no one.
            self.reported = Some(0);
            return;
        }
        self.reported = Some(applied);
        self.rows[self.life] = Some(Row {
            applied,
            lags_for: None,
        });
        // One that is later wins.
        self.late = self.late.filter(|(life, _)| *life != self.life);
    }

    /// What A knows after it has read the reports: since when each of them has lagged behind.
    fn listen(&mut self, generation: usize) {
        for row in self.rows.iter_mut().flatten() {
            let lags = row.applied < generation;
            row.lags_for = lags.then(|| row.lags_for.unwrap_or(0));
        }
    }

    fn tick(&mut self, b_counts: bool) {
        if !self.waits {
            for ago in self.acknowledged.iter_mut().flatten() {
                *ago = aged(*ago);
            }
        }
        for row in self.rows.iter_mut().flatten() {
            row.lags_for = row.lags_for.map(aged);
        }
        if self.waits
            && let Some(revocation) = &mut self.revocation
        {
            revocation.waited = aged(revocation.waited);
        }
        if b_counts {
            self.fresh_for = self.fresh_for.saturating_sub(1);
            self.poll = self.poll.map(Poll::age);
        }
    }

    fn crash(&mut self) {
        self.life = 1;
        self.cursor = None;
        self.reported = None;
        self.fresh_for = 0;
        self.cached = [false; 2];
        self.poll = None;
    }

    /// What is revoked and not cached is not accepted again, however long ago that was.
    fn forget_what_is_over(&mut self) {
        for token in 0..2 {
            self.acknowledged[token] = self.acknowledged[token].filter(|_| self.cached[token]);
        }
    }

    fn fail_over(&mut self) {
        let Some(lost) = self.feed.pop() else { return };
        if !self.is_revoked(lost.token) {
            // It is not revoked any more, and whoever revoked it has to do so again.
            self.acknowledged[lost.token] = None;
        }
        self.revocation = None;
    }
}

impl Staleness {
    /// How long A waits for a node that says nothing.
    fn wait(&self) -> u8 {
        if self.without.lacks(Assumption::DriftAllowance) {
            BOUND
        } else {
            BOUND + ALLOWANCE
        }
    }

    fn may_acknowledge(&self, state: &State, revocation: Revocation) -> bool {
        let knows = |row: &Row| {
            row.applied >= revocation.generation
                || row.lags_for.is_some_and(|ticks| ticks >= self.wait())
        };
        !state.waits || revocation.waited >= self.wait() || state.rows.iter().flatten().all(knows)
    }

    fn begin(&self, state: &mut State) {
        let is_due = state.reported.is_none() || state.fresh_for == 0;
        let reports = is_due && !self.without.lacks(Assumption::ReportBeforePoll);
        if reports {
            state.write_report(state.cursor.map_or(0, |(at, _)| at));
        }
        state.poll = Some(Poll::ToSend {
            reported: reports.then_some(0),
        });
    }

    fn trust(&self, state: &mut State, ago: u8, reported: Option<u8>) {
        let counts_from_now = self.without.lacks(Assumption::FreshnessFromSending);
        let may_be_old = self.without.lacks(Assumption::ReportIsYoung);
        let is_heard = reported.is_some_and(|ago| ago < BOUND || may_be_old);
        let is_heard = is_heard || self.without.lacks(Assumption::ReportBeforePoll);
        if is_heard || state.fresh_for > 0 {
            let lasts = if counts_from_now {
                BOUND
            } else {
                BOUND.saturating_sub(ago)
            };
            state.fresh_for = state.fresh_for.max(lasts);
        }
    }

    fn poll_actions(&self, state: &State, actions: &mut Vec<Action>) {
        let trusts_early = self.without.lacks(Assumption::ReportBeforeTrust);
        match state.poll {
            None => actions.push(Action::Begin),
            Some(Poll::ToSend { .. }) => actions.push(Action::Send),
            Some(Poll::Sent { .. }) => actions.push(Action::ReadFeed),
            Some(Poll::Read { .. }) => actions.push(Action::Apply),
            Some(Poll::Applied { .. }) if trusts_early => actions.push(Action::Trust),
            Some(Poll::Applied { .. }) => {
                actions.push(Action::Report);
                if !state.faults.had(Fault::WriteLate) {
                    actions.push(Action::ReportLate);
                }
            }
            Some(Poll::Reported { .. }) => actions.push(Action::Trust),
        }
        let is_asked = matches!(state.poll, Some(Poll::Sent { .. } | Poll::Read { .. }));
        if is_asked && !state.faults.had(Fault::AnswerLost) {
            actions.push(Action::PollLost);
        }
    }

    fn fault_actions(state: &State, actions: &mut Vec<Action>) {
        if state.late.is_some() {
            actions.push(Action::LateArrives);
        }
        if state.life == 0 {
            actions.push(Action::Crash);
        }
        if !state.waits && !state.feed.is_empty() && !state.faults.had(Fault::Failover) {
            actions.push(Action::Failover);
        }
        if !state.faults.had(Fault::SlowClock) {
            actions.push(Action::SlowTick);
        }
    }

    fn poll_step(&self, state: &mut State, action: Action) -> Option<()> {
        let compares_nonces = !self.without.lacks(Assumption::Nonce);
        state.poll = match (action, state.poll?) {
            (Action::Send, Poll::ToSend { reported }) => Some(Poll::Sent { ago: 0, reported }),
            (Action::ReadFeed, Poll::Sent { ago, reported }) => Some(Poll::Read {
                ago,
                reported,
                page: state.page(compares_nonces),
            }),
            (
                Action::Apply,
                Poll::Read {
                    ago,
                    reported,
                    page,
                },
            ) => {
                state.apply(page);
                let is_news = state.reported != Some(page.head);
                Some(if is_news && state.waits {
                    Poll::Applied { ago, reported }
                } else {
                    Poll::Reported { ago, reported }
                })
            }
            (Action::Report, Poll::Applied { ago, reported }) => {
                state.write_report(state.cursor?.0);
                Some(Poll::Reported { ago, reported })
            }
            (Action::Trust, Poll::Reported { ago, reported } | Poll::Applied { ago, reported }) => {
                self.trust(state, ago, reported);
                None
            }
            (Action::ReportLate, Poll::Applied { .. }) => {
                state.faults.happen(Fault::WriteLate);
                state.late = Some((state.life, state.cursor?.0));
                None
            }
            (Action::PollLost, _) => {
                state.faults.happen(Fault::AnswerLost);
                None
            }
            _ => return None,
        };
        Some(())
    }
}

impl Model for Staleness {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let states = [false, true].map(|waits| State {
            waits,
            left: self.changes,
            faults: Faults::default(),
            feed: Vec::new(),
            rows: [None; 2],
            revocation: None,
            acknowledged: [None; 2],
            life: 0,
            cursor: None,
            reported: None,
            fresh_for: 0,
            cached: [false; 2],
            poll: None,
            late: None,
        });
        states.to_vec()
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        actions.push(Action::Tick);
        match state.revocation {
            None if state.left > 0 => {
                // Of two tokens that are alike, the one that is revoked first is called 0.
                let named = 1 + usize::from(state.left < self.changes);
                let live = (0..named).filter(|token| !state.is_revoked(*token));
                actions.extend(live.map(Action::Commit));
            }
            None => {}
            Some(revocation) => {
                if state.waits {
                    actions.push(Action::Listen);
                }
                if self.may_acknowledge(state, revocation) {
                    actions.push(Action::Acknowledge);
                }
            }
        }
        let live = (0..2).filter(|token| !state.is_revoked(*token) && !state.cached[*token]);
        actions.extend(live.map(Action::Cache));
        self.poll_actions(state, actions);
        Self::fault_actions(state, actions);
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Tick => state.tick(true),
            Action::SlowTick => {
                state.faults.happen(Fault::SlowClock);
                state.tick(false);
            }
            Action::Commit(token) => {
                state.left -= 1;
                let nonce = 1 + u8::from(state.faults.had(Fault::Failover));
                state.feed.push(Entry { token, nonce });
                let generation = state.feed.len();
                state.revocation = Some(Revocation {
                    token,
                    generation,
                    waited: 0,
                });
            }
            Action::Listen => state.listen(last.revocation?.generation),
            Action::Acknowledge => {
                let revocation = state.revocation.take()?;
                state.acknowledged[revocation.token] = Some(0);
            }
            Action::Failover => {
                state.faults.happen(Fault::Failover);
                let before = state.acknowledged;
                state.fail_over();
                if self.without.lacks(Assumption::Durability) {
                    state.acknowledged = before;
                }
            }
            Action::Cache(token) => state.cached[token] = true,
            Action::Begin => self.begin(&mut state),
            Action::LateArrives => {
                let (life, applied) = state.late.take()?;
                state.rows[life] = Some(Row {
                    applied,
                    lags_for: None,
                });
            }
            Action::Crash => {
                state.faults.happen(Fault::Crash);
                state.crash();
            }
            _ => self.poll_step(&mut state, action)?,
        }
        if !self.without.lacks(Assumption::Durability) {
            state.forget_what_is_over();
        }
        (state != *last).then_some(state)
    }

    fn format_action(&self, action: &Action) -> String {
        match action {
            Action::Tick => "A tick passes.".into(),
            Action::SlowTick => "A tick passes that node B's boot clock does not count.".into(),
            Action::Commit(token) => {
                format!("Node A commits the revocation of token {token} and bumps its epochs.")
            }
            Action::Listen => "Node A reads what the nodes have reported.".into(),
            Action::Acknowledge => "Node A acknowledges the revocation.".into(),
            Action::Failover => {
                "The primary dies; the standby that takes its place lacks the last commit.".into()
            }
            Action::Cache(token) => {
                format!("Node B looks up token {token}, finds it good and caches it.")
            }
            Action::Begin if self.without.lacks(Assumption::ReportBeforePoll) => {
                "Node B begins a poll, without a report.".into()
            }
            Action::Begin => {
                "Node B begins a poll; it reports first if it does not trust its cache.".into()
            }
            Action::Send => "Node B sends its poll.".into(),
            Action::ReadFeed => "The database reads the change feed for it.".into(),
            Action::Apply => {
                "Node B has the answer, and bumps the epochs of what has changed.".into()
            }
            Action::Report => "Node B reports how far it has read.".into(),
            Action::Trust => "Node B trusts its cache for another while.".into(),
            Action::PollLost => "The answer to node B's poll is lost.".into(),
            Action::ReportLate => {
                "Node B gives up waiting for its report, which is still under way.".into()
            }
            Action::LateArrives => "That report is written at last.".into(),
            Action::Crash => "Node B is killed and starts again.".into(),
        }
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(
                "a token is accepted elsewhere no longer than the bound after its revocation was acknowledged",
                |_, state: &State| {
                    (0..2).all(|token| {
                        let is_late =
                            state.acknowledged[token].is_some_and(|ago| ago >= BOUND + ALLOWANCE);
                        !(is_late && state.accepts(token))
                    })
                },
            ),
            Property::always(
                "with wait=cluster a token is accepted nowhere once its revocation is acknowledged",
                |_, state: &State| {
                    (0..2).all(|token| {
                        let is_over = state.acknowledged[token].is_some();
                        !(state.waits && is_over && state.accepts(token))
                    })
                },
            ),
        ]
    }
}
