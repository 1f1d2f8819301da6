//! In which order the tests begin.

use libtest_mimic::Trial;

/// Those that may take long, so that none of them is left alone at the end.
const LONG: [&str; 5] = [
    "browser",
    "clocks",
    "outages",
    "revocation",
    "settings_of_servers",
];

/// Spreads each group over the run, so that tests that wait run beside tests that compute, and seldom
/// several that each load the machine.
pub(crate) fn spread(groups: Vec<Vec<Trial>>) -> Vec<Trial> {
    let placed = groups.into_iter().flat_map(|group| {
        let count = group.len();
        let trials = group.into_iter().enumerate();
        trials.map(move |(number, trial)| (place(number, count, trial.name()), trial))
    });
    let mut placed: Vec<_> = placed.collect();
    placed.sort_by_key(|(place, _)| *place);
    placed.into_iter().map(|(_, trial)| trial).collect()
}

/// When a test begins, in millionths of the run.
fn place(number: usize, count: usize, name: &str) -> usize {
    let (group, _rest) = name.split_once("::").unwrap_or((name, ""));
    let end = if LONG.contains(&group) {
        900_000
    } else {
        1_000_000
    };
    (2 * number + 1) * end / (2 * count)
}
