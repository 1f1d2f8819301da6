//! What the run has shown, as a Markdown table and as a plot.

use std::fmt::Write as _;

use pat_benches::turns::Measured;
use plotters::prelude::IntoLogRange as _;

use crate::{LIMIT, NO_AUTH, plot};

fn of(measured: &[Measured], name: &str) -> Measured {
    let found = measured.iter().find(|measured| measured.name == name);
    *found.expect("every stack is measured")
}

pub(crate) fn table(measured: &[Measured], rounds: usize, load_before: &str) -> String {
    let (bare, limit) = (of(measured, NO_AUTH), of(measured, LIMIT));
    let mut table = format!(
        "# Beside other ways to authenticate\n\n\
         {}, by `cargo bench -p pat-benches --bench comparison`; medians of {rounds} turns. \
         \"÷ limit\" compares what is added to a request without authentication.\n\n\
         | stack | uniform: ns | ÷ limit | hot: ns | ÷ limit \
         | two threads, uniform: ns | ÷ limit | hot: ns | ÷ limit | two threads ÷ one |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
        pat_benches::surroundings(load_before)
    );
    let settings: [fn(&Measured) -> f64; 4] = [
        |stack| stack.uniform,
        |stack| stack.hot,
        |stack| stack.uniform_beside,
        |stack| stack.hot_beside,
    ];
    for stack in measured {
        write!(table, "| {} |", stack.name).expect("a string takes it");
        for time in settings {
            let [time, bare, limit] = [stack, &bare, &limit].map(time);
            let ratio = (time - bare) / (limit - bare);
            write!(table, " {time:.0} | {ratio:.2} |").expect("a string takes it");
        }
        let threads = 2.0 * stack.uniform / stack.uniform_beside;
        writeln!(table, " {threads:.2} |").expect("a string takes it");
    }
    table
}

/// What each stack adds to a request without authentication.
pub(crate) fn plot(measured: &[Measured]) -> String {
    let unprotected = of(measured, NO_AUTH).uniform;
    let mut bars: Vec<_> = measured
        .iter()
        .filter(|stack| stack.name != NO_AUTH)
        .map(|stack| (stack.name, (stack.uniform - unprotected).max(10.0)))
        .collect();
    bars.sort_by(|one, other| other.1.total_cmp(&one.1));
    plot::bars(
        "nanoseconds added to a request (logarithmic scale)",
        &bars,
        (9.0..1e8).log_scale(),
    )
}
