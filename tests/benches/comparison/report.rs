//! What the run has shown, as a Markdown table and as a plot.

use std::fmt::Write as _;

use pat_benches::turns::Measured;
use plotters::prelude::IntoLogRange as _;

use crate::{
    LIMIT, LIMIT_WITH_HEADER, LIMIT_WITH_HEADERS, NO_AUTH, PAT_LAYER, PAT_LAYER_EXPIRING, plot,
};

/// A way to use a stack.
type Setting = fn(&Measured) -> f64;

const SETTINGS: [Setting; 4] = [
    |stack| stack.uniform,
    |stack| stack.hot,
    |stack| stack.uniform_beside,
    |stack| stack.hot_beside,
];

fn of(run: &[Measured], name: &str) -> Measured {
    let found = run.iter().find(|measured| measured.name == name);
    *found.expect("every stack is measured")
}

/// The median of the runs.
fn median(runs: &[Vec<Measured>], value: impl Fn(&[Measured]) -> f64) -> f64 {
    pat_benches::middle(runs.iter().map(|run| value(run)).collect())
}

/// What a stack adds to a request without authentication, divided by what another one adds: the median of the runs,
/// with the least and the greatest.
fn ratio(runs: &[Vec<Measured>], names: [&str; 2], time: Setting) -> String {
    let of_run = |run: &[Measured]| {
        let bare = time(&of(run, NO_AUTH));
        let [added, reference] = names.map(|name| time(&of(run, name)) - bare);
        added / reference
    };
    let ratios = runs.iter().map(|run| of_run(run));
    let (least, greatest) = ratios.fold((f64::MAX, f64::MIN), |(least, greatest), ratio| {
        (least.min(ratio), greatest.max(ratio))
    });
    let ratio = median(runs, of_run);
    // Of very slow stacks, the hundredths say nothing.
    let places = if ratio < 100.0 { 2 } else { 0 };
    format!("{ratio:.places$} ({least:.places$}–{greatest:.places$})")
}

pub(crate) fn tables(runs: &[Vec<Measured>], rounds: usize, load_before: &str) -> String {
    let mut table = format!(
        "# Beside other ways to authenticate\n\n\
         {}, by `cargo bench -p pat-benches --bench comparison`; medians of {} runs with {rounds} turns each. \
         \"÷ limit\" compares what is added to a request without authentication: the median of the runs, with the \
         least and the greatest in brackets.\n\n\
         | stack | uniform: ns | ÷ limit | hot: ns | ÷ limit \
         | two threads, uniform: ns | ÷ limit | hot: ns | ÷ limit | two threads ÷ one |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
        pat_benches::surroundings(load_before),
        runs.len(),
    );
    for Measured { name, .. } in &runs[0] {
        write!(table, "| {name} |").expect("a string takes it");
        for time in SETTINGS {
            let nanos = median(runs, |run| time(&of(run, name)));
            let ratio = ratio(runs, [name, LIMIT], time);
            write!(table, " {nanos:.0} | {ratio} |").expect("a string takes it");
        }
        let threads = median(runs, |run| {
            let stack = of(run, name);
            2.0 * stack.uniform / stack.uniform_beside
        });
        writeln!(table, " {threads:.2} |").expect("a string takes it");
    }
    table.push_str(
        "\nBeside the limit with as many headers in the response:\n\n\
         | stack | uniform | hot | two threads, uniform | hot |\n|---|---:|---:|---:|---:|\n",
    );
    for (name, reference) in [
        (PAT_LAYER, LIMIT_WITH_HEADER),
        (PAT_LAYER_EXPIRING, LIMIT_WITH_HEADERS),
    ] {
        // A run of picked stacks may lack it.
        if runs[0].iter().any(|measured| measured.name == name) {
            let ratios = SETTINGS.map(|time| ratio(runs, [name, reference], time));
            writeln!(table, "| {name} | {} |", ratios.join(" | ")).expect("a string takes it");
        }
    }
    table
}

/// What each stack adds to a request without authentication.
pub(crate) fn plot(runs: &[Vec<Measured>]) -> String {
    let added = |name| median(runs, |run| of(run, name).uniform - of(run, NO_AUTH).uniform);
    let mut bars: Vec<_> = runs[0]
        .iter()
        .filter(|stack| stack.name != NO_AUTH)
        .map(|stack| (stack.name, added(stack.name).max(10.0)))
        .collect();
    bars.sort_by(|one, other| other.1.total_cmp(&one.1));
    plot::bars(
        "nanoseconds added to a request (logarithmic scale)",
        &bars,
        (9.0..1e8).log_scale(),
    )
}
