//! Stacks that take turns, many times, so that whatever else the machine does meets all of them
//! alike.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::Instant;

/// Which of the tokens come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// All equally often.
    Uniform,
    /// Always the same.
    Hot,
}

impl Keys {
    const BOTH: [Self; 2] = [Self::Uniform, Self::Hot];
}

/// Chooses keys, by a generator that costs next to nothing.
#[derive(Debug)]
pub struct Choice {
    keys: Keys,
    state: u64,
}

impl Choice {
    /// Choices of its own, so that threads do not go through the keys side by side.
    #[must_use]
    pub fn new(keys: Keys) -> Self {
        static SEED: AtomicU64 = AtomicU64::new(42);
        let state = SEED.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        Self { keys, state }
    }

    /// The index of the next key, of `count`.
    pub fn next(&mut self, count: usize) -> usize {
        self.state = self
            .state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        match self.keys {
            Keys::Uniform => usize::try_from(self.state >> 33).unwrap_or_default() % count,
            Keys::Hot => 0,
        }
    }
}

/// Serves one request, from building it to dropping the response.
pub type Serve = Box<dyn FnMut()>;

/// A stack to be measured.
pub struct Stack {
    /// What it is called in tables.
    pub name: &'static str,
    /// Makes a server for the thread that calls this; threads share what a process would share.
    make: Box<dyn Fn(Keys) -> Serve + Sync>,
}

impl Stack {
    /// A stack of this name; `make` makes a server.
    pub fn new(name: &'static str, make: impl Fn(Keys) -> Serve + Sync + 'static) -> Self {
        let make = Box::new(make);
        Self { name, make }
    }
}

/// Median nanoseconds per request of one thread.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// The name of the stack.
    pub name: &'static str,
    /// With all keys equally often.
    pub uniform: f64,
    /// With always the same key.
    pub hot: f64,
    /// With all keys equally often, while another thread does the same.
    pub uniform_beside: f64,
    /// With always the same key, while another thread does the same.
    pub hot_beside: f64,
}

impl std::fmt::Debug for Stack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Measures all stacks with one thread and with two, with all keys equally often and with one.
#[must_use]
pub fn measure(stacks: &[Stack], rounds: usize) -> Vec<Measured> {
    let [uniform, hot] = Keys::BOTH.map(|keys| medians(stacks, keys, 1, rounds));
    let [uniform_beside, hot_beside] = Keys::BOTH.map(|keys| medians(stacks, keys, 2, rounds));
    (0..stacks.len())
        .map(|index| Measured {
            name: stacks[index].name,
            uniform: uniform[index],
            hot: hot[index],
            uniform_beside: uniform_beside[index],
            hot_beside: hot_beside[index],
        })
        .collect()
}

/// How long a batch of requests takes at least, in nanoseconds: long beside reading the clock, short
/// beside the time for which an operating system leaves a thread on its core.
const BATCH_NANOS: f64 = 200_000.0;
/// How many batches a turn has, and how many of them only fill the processor's caches again, which
/// the others' turns have filled with their own: enough that each of 5,000 keys has come.
const BATCHES: usize = 70;
const WARM_UP: usize = 60;
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
    times.into_iter().map(crate::middle).collect()
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
#[expect(clippy::disallowed_methods, reason = "a benchmark takes the time")]
fn batch(serve: &mut Serve, count: u32) -> f64 {
    let start = Instant::now();
    for _ in 0..count {
        serve();
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(count)
}
