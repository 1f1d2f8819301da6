//! A run of all tests.

use std::process::ExitCode;
use std::thread;

use libtest_mimic::{Arguments, Trial};
use pat_servers::stop_servers;

use crate::scratch::Scratch;
use crate::{budget, order};

/// The modules of the tests that a run treats specially.
#[derive(Debug)]
pub struct Plan {
    /// The modules that are folders. Each module in them is a group of its own.
    pub folders: &'static [&'static str],
    /// The groups that may take long, so that none of their tests is left alone at the end.
    pub long: &'static [&'static str],
    /// What some groups may take in a run of all tests, in seconds. What is longer takes its length from
    /// a variable of the environment.
    pub budgets: &'static [(&'static str, u64)],
}

impl Plan {
    /// Returns the group of a test: a module of a folder, or one beside the folders.
    pub(crate) fn group<'a>(&self, name: &'a str) -> &'a str {
        let mut ends = name.match_indices("::").map(|(end, _)| end);
        let first = ends.next().map_or(name, |end| &name[..end]);
        if self.folders.contains(&first) {
            ends.next().map_or(name, |end| &name[..end])
        } else {
            first
        }
    }
}

/// Runs the tests that the arguments of this program select, and prints how long they took.
pub fn run(trials: Vec<Trial>, plan: &Plan) -> ExitCode {
    let mut arguments = Arguments::from_args();
    let threads = arguments.test_threads.unwrap_or_else(threads);
    arguments.test_threads = Some(threads);
    let scratch = Scratch::in_memory();
    budget::enforce();
    let conclusion = libtest_mimic::run(&arguments, order::spread(plan, trials));
    stop_servers();
    drop(scratch);
    budget::print(plan, threads.try_into().expect("a few"));
    conclusion.exit_code()
}

/// How many tests run at a time: more than there are processors, since many wait for timers, for disks
/// and for processes that start.
fn threads() -> usize {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    cores + cores.div_ceil(2)
}
