//! In which order the tests begin.

use std::collections::BTreeMap;

use libtest_mimic::Trial;

use crate::run::Plan;

/// Spreads each group over the run, so that tests that wait run beside tests that compute, and seldom
/// several that each load the machine.
pub(crate) fn spread(plan: &Plan, trials: Vec<Trial>) -> Vec<Trial> {
    let mut groups = BTreeMap::<_, Vec<_>>::new();
    for trial in trials {
        let name = plan.group(trial.name()).to_owned();
        groups.entry(name).or_default().push(trial);
    }
    let placed = groups.into_iter().flat_map(|(group, trials)| {
        let count = trials.len();
        let is_long = plan.long.contains(&group.as_str());
        let trials = trials.into_iter().enumerate();
        trials.map(move |(number, trial)| (place(number, count, is_long), trial))
    });
    let mut placed: Vec<_> = placed.collect();
    placed.sort_by_key(|(place, _)| *place);
    placed.into_iter().map(|(_, trial)| trial).collect()
}

/// When a test begins, in millionths of the run.
fn place(number: usize, count: usize, is_long: bool) -> usize {
    let end = if is_long { 900_000 } else { 1_000_000 };
    (2 * number + 1) * end / (2 * count)
}
