//! The test program as a node: the example server with a clock that can be set, more users, and
//! perhaps a store with a flaw.

use std::io::BufRead as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use pat_core::{Clock, SystemClock};
use pat_example_server::Parts;

use super::flawed::Flaw;

/// Makes the test program be a node. The value is the name of its flaw, or empty.
pub const AS_NODE: &str = "PAT_TEST_AS_NODE";
/// By how many seconds its clock is wrong at first.
pub(super) const CLOCK_STEP: &str = "PAT_TEST_CLOCK_STEP";

/// How many users there are who can be disabled or deleted, once each.
pub(super) const USERS: usize = 20_000;

pub(super) fn user(number: usize) -> String {
    format!("user{number}")
}

/// Runs the node until the tests end it.
#[must_use]
pub fn run() -> ExitCode {
    let parts = Parts {
        clock: Arc::new(SetClock::start()),
        more_users: (0..USERS).map(user).collect(),
        wrap_store: |store| {
            let flaw = std::env::var(AS_NODE).unwrap_or_default();
            match Flaw::named(&flaw) {
                Some(flaw) => flaw.wrap(store),
                None => store,
            }
        },
    };
    pat_example_server::main_of(std::env::args_os(), parts)
}

/// A clock whose date is wrong by as many seconds as the last line of the standard input says.
#[derive(Debug, Clone)]
struct SetClock(Arc<AtomicI64>);

impl SetClock {
    fn start() -> Self {
        let seconds = |text: String| text.parse().expect("seconds");
        let step = std::env::var(CLOCK_STEP).map_or(0, seconds);
        let clock = Self(Arc::new(step.into()));
        let step = Arc::clone(&clock.0);
        std::thread::spawn(move || {
            for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                step.store(seconds(line), Ordering::SeqCst);
            }
            // The tests are gone, by whatever way.
            std::process::exit(1);
        });
        clock
    }
}

impl Clock for SetClock {
    fn wall(&self) -> Timestamp {
        let step = SignedDuration::from_secs(self.0.load(Ordering::SeqCst));
        SystemClock.wall().saturating_add(step).expect("a date")
    }

    fn boot(&self) -> Duration {
        SystemClock.boot()
    }
}
