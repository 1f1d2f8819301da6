//! What the layer costs beside its peers, in this process and in one run: only the ratios count.
//!
//! `cargo bench -p pat-benches --bench comparison` takes turns between all stacks, many times, and
//! takes the medians, so that whatever else the machine does meets all of them alike. It writes a
//! Markdown table and a plot into `pat-core/src/docs`, or into the folder that `PAT_BENCH_OUTPUT`
//! names. `PAT_BENCH_ROUNDS` says how many turns each stack has; 201 unless set.
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

use std::sync::Barrier;

use tokio::time::Instant;

/// How many tokens are live.
const TOKENS: u32 = 5_000;

/// Which of the tokens come: all equally often, or always the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keys {
    Uniform,
    Hot,
}

impl Keys {
    const BOTH: [Self; 2] = [Self::Uniform, Self::Hot];
}

/// Serves one request, from building it to dropping the response.
type Serve = Box<dyn FnMut()>;

/// A stack to be measured.
struct Stack {
    name: &'static str,
    /// Makes a server for the thread that calls this; threads share what a process would share.
    make: Box<dyn Fn(Keys) -> Serve + Sync>,
}

impl Stack {
    fn new(name: &'static str, make: impl Fn(Keys) -> Serve + Sync + 'static) -> Self {
        let make = Box::new(make);
        Self { name, make }
    }
}

/// Median nanoseconds per request of one thread.
#[derive(Debug, Clone, Copy)]
struct Measured {
    name: &'static str,
    uniform: f64,
    hot: f64,
    /// While another thread does the same.
    uniform_beside: f64,
    hot_beside: f64,
}

const NO_AUTH: &str = "no auth";
const LIMIT: &str = "limit";
const PAT_LAYER: &str = "`PatLayer`";

fn main() {
    // Asked for by `cargo test --benches`, which only wants to see that it builds.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let rounds = std::env::var("PAT_BENCH_ROUNDS");
    let rounds = rounds.map_or(201, |rounds| rounds.parse().expect("a number of rounds"));
    let mut stacks = ours::stacks();
    stacks.extend(peers::stacks());
    let only = std::env::var("PAT_BENCH_ONLY").ok();
    if let Some(only) = &only {
        stacks.retain(|stack| {
            let is_picked = only.split(',').any(|part| stack.name.contains(part));
            is_picked || [NO_AUTH, LIMIT].contains(&stack.name)
        });
    }
    let load_before = pat_benches::load();
    let [uniform, hot] = Keys::BOTH.map(|keys| medians(&stacks, keys, 1, rounds));
    let [uniform_beside, hot_beside] = Keys::BOTH.map(|keys| medians(&stacks, keys, 2, rounds));
    let measured: Vec<_> = (0..stacks.len())
        .map(|index| Measured {
            name: stacks[index].name,
            uniform: uniform[index],
            hot: hot[index],
            uniform_beside: uniform_beside[index],
            hot_beside: hot_beside[index],
        })
        .collect();
    let table = report::table(&measured, rounds, &load_before);
    println!("{table}");
    if only.is_none() {
        pat_benches::write("comparison.md", &table);
        pat_benches::write("comparison.svg", &report::plot(&measured));
    }
}

/// How long a batch of requests takes at least, in nanoseconds: long beside reading the clock, short
/// beside the time for which an operating system leaves a thread on its core.
const BATCH_NANOS: f64 = 200_000.0;
/// How many batches a turn has, and how many of them only fill the processor's caches again, which
/// the others' turns have filled with their own.
const BATCHES: usize = 30;
const WARM_UP: usize = 20;
/// A stack whose requests take longer than this, in nanoseconds, gets fewer turns, of one request.
const SLOW_NANOS: f64 = 2_000_000.0;
const SLOW_EVERY: usize = 20;

/// The medians of all stacks, with so many threads at once, each of which measures its own requests.
fn medians(stacks: &[Stack], keys: Keys, threads: usize, rounds: usize) -> Vec<f64> {
    let barrier = Barrier::new(threads);
    let run = || turns(stacks, keys, rounds, &barrier);
    let mut times: Vec<Vec<f64>> = vec![Vec::new(); stacks.len()];
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        for thread in threads {
            let theirs = thread.join().expect("a thread that did not panic");
            for (times, theirs) in times.iter_mut().zip(theirs) {
                times.extend(theirs);
            }
        }
    });
    times.into_iter().map(pat_benches::middle).collect()
}

/// What one thread measures of each stack; with other threads it begins each turn together.
fn turns(stacks: &[Stack], keys: Keys, rounds: usize, barrier: &Barrier) -> Vec<Vec<f64>> {
    let mut running: Vec<_> = stacks
        .iter()
        .map(|stack| {
            let mut serve = (stack.make)(keys);
            let count = batch_len(&mut serve);
            let is_slow = batch(&mut serve, count) > SLOW_NANOS;
            (serve, count, is_slow, Vec::with_capacity(rounds))
        })
        .collect();
    for round in 0..rounds {
        for (serve, count, is_slow, times) in &mut running {
            barrier.wait();
            if !*is_slow {
                times.extend(turn(serve, *count));
            } else if round % SLOW_EVERY == 0 {
                times.push(batch(serve, 1));
            }
        }
    }
    running.into_iter().map(|(.., times)| times).collect()
}

/// How many requests make a batch. The caches of the stack and of the processor fill up meanwhile.
fn batch_len(serve: &mut Serve) -> u32 {
    serve();
    let mut count = 1;
    while batch(serve, count) * f64::from(count) < BATCH_NANOS {
        count *= 2;
    }
    count
}

fn turn(serve: &mut Serve, count: u32) -> impl Iterator<Item = f64> {
    let batches = (0..BATCHES).map(move |_| batch(serve, count));
    batches.skip(WARM_UP)
}

/// Nanoseconds per request.
fn batch(serve: &mut Serve, count: u32) -> f64 {
    let start = Instant::now();
    for _ in 0..count {
        serve();
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(count)
}
