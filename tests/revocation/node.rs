//! The test program as a node: the example server with a clock that can be set, more users, and
//! perhaps a store with a flaw.

use std::io::BufRead as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use pat_core::{BoxError, Clock, Owner, SystemClock, User, UserDirectory};
use pat_example_server::{DemoUsers, Parts};

use super::flawed::Flaw;

/// Makes the test program be a node. The value is the name of its flaw, or empty.
pub(crate) const AS_NODE: &str = "PAT_TEST_AS_NODE";
/// By how many seconds its clock is wrong at first.
pub(super) const CLOCK_STEP: &str = "PAT_TEST_CLOCK_STEP";

/// How many users there are who can be disabled or deleted, once each.
pub(super) const USERS: usize = 20_000;

pub(super) fn user(number: usize) -> String {
    format!("user{number}")
}

pub(crate) fn run() -> ExitCode {
    let users = DemoUsers::default();
    for number in 0..USERS {
        users.add(&user(number), "");
    }
    let parts = Parts {
        clock: Arc::new(SetClock::start()),
        directory: Arc::new(Directory {
            users: users.clone(),
            folder: ".".into(),
        }),
        users,
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

/// Where all nodes look up users: one of whom there is a file in the folder is disabled. (The users
/// of the example server are known to one process only.)
#[derive(Debug)]
struct Directory {
    users: DemoUsers,
    folder: PathBuf,
}

fn mark(folder: &Path, user: &str) -> PathBuf {
    folder.join(format!("{user}.disabled"))
}

/// Disables a user on all nodes, which are not told; false if the disk is too full for that.
pub(super) fn disable(folder: &Path, user: &str) -> bool {
    std::os::unix::fs::symlink("nothing", mark(folder, user)).is_ok()
}

#[async_trait]
impl UserDirectory for Directory {
    async fn find(&self, owner: &Owner) -> Result<Option<User>, BoxError> {
        let user = self.users.find(owner).await?;
        Ok(user.map(|user| User {
            is_active: user.is_active && !mark(&self.folder, owner.as_str()).is_symlink(),
            ..user
        }))
    }

    async fn is_administrator(&self, owner: &Owner) -> Result<bool, BoxError> {
        self.users.is_administrator(owner).await
    }

    async fn search(&self, contains: &str, limit: usize) -> Result<Vec<User>, BoxError> {
        self.users.search(contains, limit).await
    }
}
