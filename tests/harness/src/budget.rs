//! How long the tests take. Each has a limit, and the groups that could take for ever have budgets,
//! which are printed beside what was used.

use std::collections::BTreeMap;
use std::process;
use std::sync::{LazyLock, Mutex};
use std::thread;
use std::time::Duration;

use pat_servers::environment::number;
use pat_servers::stop_servers;
use tokio::time::Instant;

use crate::run::Plan;
use crate::timer_now;

/// How many of the slowest tests are listed, where more than these have run.
const SLOWEST: usize = 15;
/// How long a test that is too long has to end by itself, with all that it started.
const GRACE: Duration = Duration::from_secs(30);

static RUNNING: Mutex<BTreeMap<String, Instant>> = Mutex::new(BTreeMap::new());
static TAKEN: Mutex<Vec<(String, Duration)>> = Mutex::new(vec![]);

/// How long one test may take: 300 s, or the seconds in `PAT_TEST_LIMIT`.
pub(crate) static LIMIT: LazyLock<Duration> =
    LazyLock::new(|| Duration::from_secs(number("PAT_TEST_LIMIT", 300)));

/// Notes how long a test takes, until it is dropped.
pub(crate) struct Watch(String);

impl Watch {
    pub(crate) fn start(name: String) -> Self {
        let mut running = RUNNING.lock().expect("no poison");
        running.insert(name.clone(), timer_now());
        Self(name)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let begun = RUNNING.lock().expect("no poison").remove(&self.0);
        let taken = begun.map_or(Duration::ZERO, |begun| begun.elapsed());
        let name = std::mem::take(&mut self.0);
        TAKEN.lock().expect("no poison").push((name, taken));
    }
}

/// Ends the process when a test does not end.
pub(crate) fn enforce() {
    thread::spawn(|| {
        loop {
            thread::sleep(Duration::from_secs(1));
            let running = RUNNING.lock().expect("no poison");
            let stuck = |begun: &Instant| begun.elapsed() > *LIMIT + GRACE;
            if let Some((name, begun)) = running.iter().find(|(_, begun)| stuck(begun)) {
                eprintln!("{name} has not ended after {:?}", begun.elapsed());
                stop_servers();
                process::exit(1);
            }
        }
    });
}

/// Prints what was taken.
pub(crate) fn print(plan: &Plan, threads: u32) {
    let mut taken = std::mem::take(&mut *TAKEN.lock().expect("no poison"));
    if taken.len() <= SLOWEST {
        return;
    }
    let mut groups = BTreeMap::<_, Duration>::new();
    for (name, time) in &taken {
        *groups.entry(plan.group(name)).or_default() += *time;
    }
    println!("seconds of each group, with {threads} tests at a time:");
    for (group, time) in &groups {
        let seconds = (*time / threads).as_secs_f64();
        let budget = plan.budgets.iter().find(|(name, _)| name == group);
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
