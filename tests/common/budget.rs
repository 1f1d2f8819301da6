//! How long the tests take. Each has a limit, and the groups that could take for ever have budgets,
//! which are printed beside what was used.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

/// What a group may take in a run of all tests, in seconds. What is longer takes its length from a
/// variable of the environment.
const BUDGETS: [(&str, u64); 3] = [("clocks", 60), ("galera", 120), ("settings", 60)];
/// How many of the slowest tests are listed.
const SLOWEST: usize = 15;

static TAKEN: Mutex<Vec<(String, Duration)>> = Mutex::new(vec![]);

/// How long one test may take, or the seconds in `PAT_TEST_LIMIT`.
pub(crate) fn limit() -> Duration {
    Duration::from_secs(pat_tests::number("PAT_TEST_LIMIT", 300))
}

/// Notes how long a test took, when it is dropped.
pub(crate) struct Watch(String, Instant);

impl Watch {
    pub(crate) fn start(name: &str) -> Self {
        Self(name.to_owned(), Instant::now())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let taken = (std::mem::take(&mut self.0), self.1.elapsed());
        TAKEN.lock().expect("no poison").push(taken);
    }
}

/// Prints what was taken, where the budgets count: in a run of all tests.
pub(crate) fn print(threads: u32) {
    let mut taken = std::mem::take(&mut *TAKEN.lock().expect("no poison"));
    let mut groups = BTreeMap::<_, Duration>::new();
    for (name, time) in &taken {
        let (group, _rest) = name.split_once("::").unwrap_or((name, ""));
        *groups.entry(group).or_default() += *time;
    }
    println!("seconds of each group, with {threads} tests at a time:");
    for (group, time) in &groups {
        let seconds = (*time / threads).as_secs_f64();
        let budget = BUDGETS.iter().find(|(name, _)| name == group);
        match budget {
            None => println!("{seconds:8.1}  {group}"),
            Some((_, budget)) => println!("{seconds:8.1}  {group}, of {budget}"),
        }
    }
    taken.sort_by_key(|(_, time)| std::cmp::Reverse(*time));
    println!("seconds of the slowest tests:");
    for (name, time) in taken.iter().take(SLOWEST) {
        println!("{:8.1}  {name}", time.as_secs_f64());
    }
}
