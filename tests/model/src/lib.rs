//! The protocol between nodes and their database, as models that a machine explores state by state.
//!
//! `cargo run -p pat-model -- check` prints how many states each part has and how deep they are;
//! `cargo run -p pat-model -- mutants` takes away one assumption after the other and tells what
//! breaks, step by step; `cargo run -p pat-model -- assumptions` lists them; and
//! `cargo run -p pat-model -- random 60` walks at random, for a minute, through runs that are too
//! long to be explored.
//!
//! One space for everything would be too large, so there are several parts. Each has the processes
//! that matter to its properties, and leaves the others at their worst:
//!
//! | part | what is in it |
//! |---|---|
//! | [`acknowledgement`] | one node: look-ups that overlap with changes, its cache, what it acknowledges |
//! | [`staleness`] | a node that revokes, one that follows the change feed, failovers, `wait=cluster` |
//! | [`clocks`] | two nodes and two servers with clocks of their own, the mark, expiry and pruning |
//! | [`jobs`] | two runners, a job's lease, its occurrences, what they change and the events of it |
//! | [`locks`] | creations and a revocation in transactions, on a store that locks and one that certifies |
//! | [`versions`] | an older node beside a newer one that makes a token weaker, or creates a restricted one |
//! | [`lines`] | one line of tokens: rotation, revocation, disabling, enabling, creation and pruning |
//! | [`disabling`] | what two nodes have cached of a token that is replaced, disabled and enabled |
//!
//! Nothing has to happen: a step that is not taken is a pause or a message that is late. Faults
//! ([`Fault`]) happen once each.

pub mod acknowledgement;
pub mod clocks;
pub mod conformance;
pub mod disabling;
pub mod jobs;
pub mod lines;
pub mod locks;
pub mod staleness;
pub mod versions;

mod assumption;
mod check;

pub use self::assumption::{Assumption, Without};
pub use self::check::{Breach, Part, Report, check, wander};

/// How many ticks a run lasts.
pub const TICKS: u8 = 8;
/// For how many ticks a cache may be trusted (`pat.auth.max.staleness.ms`).
pub const BOUND: u8 = 2;
/// What clocks that run at different speeds may add to that: the tenth, rounded up to a tick.
pub const ALLOWANCE: u8 = 1;

/// What goes wrong, once in a run each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// A process is killed; what it had in memory is gone.
    Crash,
    /// The primary is gone, and the standby that takes its place lacks the last commit.
    Failover,
    /// An answer does not arrive.
    AnswerLost,
    /// A write is done after its sender gave up waiting for it.
    WriteLate,
    /// A machine's boot clock falls behind by as much as it may.
    SlowClock,
    /// A real-time clock is set wrong, ahead or behind.
    ClockSet,
}

/// The faults that have happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct Faults(u8);

impl Faults {
    /// Whether it has happened.
    #[must_use]
    pub fn had(self, fault: Fault) -> bool {
        self.0 & (1 << fault as u8) != 0
    }

    /// Has it happen; false if it did before.
    pub fn happen(&mut self, fault: Fault) -> bool {
        let is_first = !self.had(fault);
        self.0 |= 1 << fault as u8;
        is_first
    }
}
