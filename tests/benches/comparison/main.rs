//! What the layer costs beside its peers, in this process and in one run: only the ratios count.
//!
//! `cargo bench -p pat-benches --bench comparison` takes turns between all stacks, many times, and
//! takes the medians, so that whatever else the machine does meets all of them alike. It does so three
//! times, and shows how far the ratios of the three runs are apart. It writes Markdown tables and a plot into
//! `benchmarks`, or into the folder that `PAT_BENCH_OUTPUT` names. `PAT_BENCH_ROUNDS` says how many turns each
//! stack has in a run; 41 unless set.
//! `PAT_BENCH_ONLY` picks stacks by parts of their names, with commas between; the table of these is
//! printed and not written.

#[path = "../by_query.rs"]
mod by_query;
#[path = "../jwt.rs"]
mod jwt;
mod ours;
mod peers;
#[path = "../plot.rs"]
mod plot;
mod report;
mod scopes;

use pat_benches::turns;

/// How many tokens are live.
const TOKENS: u32 = 5_000;

const NO_AUTH: &str = "no auth";
const LIMIT: &str = "limit";
const LIMIT_WITH_HEADER: &str = "limit, and a header in the response";
const LIMIT_WITH_HEADERS: &str = "limit, and two headers in the response";
const PAT_LAYER: &str = "`PatLayer`";
const PAT_LAYER_EXPIRING: &str = "`PatLayer`, tokens that expire";

/// How often all is measured.
const RUNS: usize = 3;

fn main() {
    // Asked for by `cargo test --benches`, which only wants to see that it builds.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let rounds = std::env::var("PAT_BENCH_ROUNDS");
    let rounds = rounds.map_or(41, |rounds| rounds.parse().expect("a number of rounds"));
    let mut stacks = ours::stacks();
    stacks.extend(scopes::stacks());
    stacks.extend(peers::stacks());
    let only = std::env::var("PAT_BENCH_ONLY").ok();
    if let Some(only) = &only {
        stacks.retain(|stack| {
            let is_picked = only.split(',').any(|part| stack.name.contains(part));
            is_picked
                || [NO_AUTH, LIMIT, LIMIT_WITH_HEADER, LIMIT_WITH_HEADERS].contains(&stack.name)
        });
    }
    let load_before = pat_benches::load();
    let runs: Vec<_> = (0..RUNS).map(|_| turns::measure(&stacks, rounds)).collect();
    let table = report::tables(&runs, rounds, &load_before);
    println!("{table}");
    if only.is_none() {
        pat_benches::write("comparison.md", &table);
        pat_benches::write("comparison.svg", &report::plot(&runs));
    }
}
