//! Exploring a part, completely or at random.

use std::fmt::{self, Debug, Display};
use std::hash::Hash;
use std::time::{Duration, Instant};

use stateright::{Checker, CheckerBuilder, HasDiscoveries, Model, UniformChooser};

use crate::acknowledgement::Acknowledgement;
use crate::clocks::Clocks;
use crate::disabling::Disabling;
use crate::jobs::Jobs;
use crate::lines::Lines;
use crate::locks::Locks;
use crate::staleness::Staleness;
use crate::versions::Versions;
use crate::{Assumption, TICKS, Without};

/// How many ticks of the clocks are explored: twice the life of the token that is judged. Eight have
/// some five times as many states, and are walked at random.
const CLOCK_TICKS: u8 = 6;

/// A part of the protocol with a space of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// [`crate::acknowledgement`].
    Acknowledgement,
    /// [`crate::staleness`].
    Staleness,
    /// [`crate::clocks`].
    Clocks,
    /// [`crate::jobs`].
    Jobs,
    /// [`crate::locks`].
    Locks,
    /// [`crate::versions`].
    Versions,
    /// [`crate::lines`].
    Lines,
    /// [`crate::disabling`].
    Disabling,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Acknowledgement,
        Self::Staleness,
        Self::Clocks,
        Self::Jobs,
        Self::Locks,
        Self::Versions,
        Self::Lines,
        Self::Disabling,
    ];
}

/// What came of an exploration.
#[derive(Debug)]
pub struct Report {
    /// How many different states there are.
    pub states: usize,
    /// How many steps the longest of the shortest ways to them has.
    pub depth: usize,
    /// How long it took.
    pub took: Duration,
    /// Whether all states were seen.
    pub is_complete: bool,
    /// The promises that do not hold.
    pub breaches: Vec<Breach>,
}

/// A promise that does not hold, and how that comes.
#[derive(Debug)]
pub struct Breach {
    /// The promise.
    pub promise: &'static str,
    /// What happens, one sentence a step.
    pub story: Vec<String>,
}

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (states, depth, took) = (self.states, self.depth, self.took.as_secs_f64());
        write!(f, "{states} states, {depth} deep, {took:.1} s")?;
        for breach in &self.breaches {
            write!(f, "\n  BROKEN: {}", breach.promise)?;
            for (number, step) in (1..).zip(&breach.story) {
                write!(f, "\n  {number:>3}. {step}")?;
            }
        }
        Ok(())
    }
}

/// Explores all states of a part, or until the first promise is broken.
#[must_use]
pub fn check(part: Part, without: Option<Assumption>, limit: Duration) -> Report {
    let without = Without(without);
    match part {
        Part::Acknowledgement => explore(Acknowledgement { without }, limit),
        Part::Staleness => explore(
            Staleness {
                without,
                changes: 3,
            },
            limit,
        ),
        Part::Clocks => explore(
            Clocks {
                without,
                ticks: CLOCK_TICKS,
            },
            limit,
        ),
        Part::Jobs => explore(
            Jobs {
                without,
                ticks: TICKS,
            },
            limit,
        ),
        Part::Locks => explore(Locks { without }, limit),
        Part::Versions => explore(
            Versions {
                without,
                ticks: TICKS,
            },
            limit,
        ),
        Part::Lines => explore(
            Lines {
                without,
                members: 3,
                changes: 5,
                ticks: 4,
            },
            limit,
        ),
        Part::Disabling => explore(
            Disabling {
                without,
                changes: 3,
            },
            limit,
        ),
    }
}

/// Walks at random through runs that are longer than those which are explored, for so long.
#[must_use]
pub fn wander(part: Part, seed: u64, limit: Duration) -> Report {
    let without = Without::default();
    match part {
        Part::Acknowledgement => walk(Acknowledgement { without }, seed, limit),
        Part::Staleness => walk(
            Staleness {
                without,
                changes: 12,
            },
            seed,
            limit,
        ),
        Part::Clocks => walk(
            Clocks {
                without,
                ticks: TICKS,
            },
            seed,
            limit,
        ),
        Part::Jobs => walk(
            Jobs {
                without,
                ticks: TICKS,
            },
            seed,
            limit,
        ),
        Part::Locks => walk(Locks { without }, seed, limit),
        Part::Versions => walk(Versions { without, ticks: 60 }, seed, limit),
        Part::Lines => walk(
            Lines {
                without,
                members: 8,
                changes: 20,
                ticks: 12,
            },
            seed,
            limit,
        ),
        Part::Disabling => walk(
            Disabling {
                without,
                changes: 20,
            },
            seed,
            limit,
        ),
    }
}

fn builder<M>(model: M, limit: Duration) -> CheckerBuilder<M>
where
    M: Model + Send + Sync + 'static,
    M::State: Hash + Send + Sync,
{
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    model
        .checker()
        .threads(threads)
        .timeout(limit)
        .finish_when(HasDiscoveries::AnyFailures)
}

#[expect(
    clippy::disallowed_methods,
    reason = "it measures the checker and decides nothing"
)]
fn now() -> Instant {
    Instant::now()
}

fn explore<M>(model: M, limit: Duration) -> Report
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + Debug + Hash + PartialEq + Send + Sync,
    M::Action: Clone + Debug + PartialEq,
{
    let begun = now();
    report(&builder(model, limit).spawn_bfs().join(), begun, limit)
}

fn walk<M>(model: M, seed: u64, limit: Duration) -> Report
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + Debug + Hash + PartialEq + Send + Sync,
    M::Action: Clone + Debug + PartialEq,
{
    let begun = now();
    let walks = builder(model, limit).spawn_simulation(seed, UniformChooser);
    report(&walks.join(), begun, limit)
}

fn report<M: Model>(checker: &impl Checker<M>, begun: Instant, limit: Duration) -> Report
where
    M::State: Clone + Debug + Hash + PartialEq,
    M::Action: Clone + Debug + PartialEq,
{
    let took = begun.elapsed();
    let model = checker.model();
    let discoveries = checker.discoveries().into_iter();
    let breaches = discoveries.map(|(promise, path)| Breach {
        promise,
        story: path
            .into_actions()
            .iter()
            .map(|action| model.format_action(action))
            .collect(),
    });
    Report {
        states: checker.unique_state_count(),
        depth: checker.max_depth(),
        took,
        is_complete: took < limit,
        breaches: breaches.collect(),
    }
}
