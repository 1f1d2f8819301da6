//! In which order the tests begin.

use std::collections::BTreeMap;

use libtest_mimic::Trial;

/// Those that may take long, so that none of them is left alone at the end.
const LONG: [&str; 5] = [
    "cluster::clocks",
    "cluster::outages",
    "cluster::revocation",
    "pages::browser",
    "stores::settings",
];

/// The folders of modules.
const FOLDERS: [&str; 6] = ["cluster", "http", "jobs", "mail", "pages", "stores"];

/// Spreads each module over the run, so that tests that wait run beside tests that compute, and seldom
/// several that each load the machine.
pub(crate) fn spread(trials: Vec<Trial>) -> Vec<Trial> {
    let mut modules = BTreeMap::<_, Vec<_>>::new();
    for trial in trials {
        let name = module(trial.name()).to_owned();
        modules.entry(name).or_default().push(trial);
    }
    let placed = modules.into_values().flat_map(|trials| {
        let count = trials.len();
        let trials = trials.into_iter().enumerate();
        trials.map(move |(number, trial)| (place(number, count, trial.name()), trial))
    });
    let mut placed: Vec<_> = placed.collect();
    placed.sort_by_key(|(place, _)| *place);
    placed.into_iter().map(|(_, trial)| trial).collect()
}

/// The module that a test is in: one of a folder, or one beside the folders.
pub(super) fn module(name: &str) -> &str {
    let mut ends = name.match_indices("::").map(|(end, _)| end);
    let first = ends.next().map_or(name, |end| &name[..end]);
    if FOLDERS.contains(&first) {
        ends.next().map_or(name, |end| &name[..end])
    } else {
        first
    }
}

/// When a test begins, in millionths of the run.
fn place(number: usize, count: usize, name: &str) -> usize {
    let end = if LONG.contains(&module(name)) {
        900_000
    } else {
        1_000_000
    };
    (2 * number + 1) * end / (2 * count)
}
