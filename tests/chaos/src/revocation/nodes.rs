//! Three processes of the example server on one database.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use pat_harness::disk::Folder;
use pat_harness::process::{Frozen, Process};

use super::flawed::Flaw;
use super::node::{AS_NODE, CLOCK_STEP};
use super::random::Random;

pub(super) const NODES: usize = 3;

/// Where a node is.
#[derive(Clone)]
pub(super) struct Place {
    /// The database, by this node's way.
    pub(super) database: String,
    /// The command that starts a program there; empty for here.
    pub(super) within: Vec<OsString>,
    pub(super) listen: String,
}

impl Place {
    /// On this machine's own network.
    pub(super) fn here(database: String) -> Self {
        Self {
            database,
            within: Vec::new(),
            listen: "127.0.0.1:0".into(),
        }
    }
}

pub(super) struct Nodes {
    folder: Folder,
    places: [Place; NODES],
    properties: Vec<String>,
    flaw: Option<Flaw>,
    running: Mutex<Vec<Running>>,
    /// How many faults each has just now.
    broken: [AtomicUsize; NODES],
}

struct Running {
    process: Process,
    /// Changes with each start.
    base: String,
}

impl Running {
    /// Starts a node, again and again until its database lets it start.
    fn start(command: impl Fn() -> Command) -> Self {
        for _ in 0..60 {
            if let Some(process) = Process::try_spawn(&mut command()) {
                let base = process.base.clone();
                return Self { process, base };
            }
            std::thread::sleep(Duration::from_millis(500));
        }
        panic!("a node does not start");
    }
}

impl Nodes {
    /// Starts them at these places, all with these properties and this flaw.
    pub(super) async fn start(
        folder: Folder,
        places: [Place; NODES],
        properties: Vec<String>,
        flaw: Option<Flaw>,
    ) -> Self {
        let nodes = Self {
            folder,
            places,
            properties,
            flaw,
            running: Mutex::default(),
            broken: Default::default(),
        };
        let running = join_all((0..NODES).map(|node| nodes.start_one(node, 0))).await;
        *nodes.running() = running;
        nodes
    }

    async fn start_one(&self, node: usize, clock_step: i64) -> Running {
        let place = self.places[node].clone();
        let (folder, flaw) = (self.folder().to_owned(), self.flaw.map_or("", Flaw::name));
        let properties = self.properties.clone();
        let command = move || {
            let mut words = place.within.clone();
            words.push(std::env::current_exe().expect("this program's path").into());
            let mut command = Command::new(&words[0]);
            command
                .args(&words[1..])
                .args(["--log", "off", "--demo-users-anywhere"])
                .args(["--database-url", &place.database])
                .args(["--listen", &place.listen])
                .args(properties.iter().flat_map(|one| ["-D", one]))
                .env_clear()
                .env(AS_NODE, flaw)
                .env(CLOCK_STEP, clock_step.to_string())
                .current_dir(&folder)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                // That much goes wrong is what it is there for.
                .stderr(Stdio::null());
            command
        };
        let starting = tokio::task::spawn_blocking(move || Running::start(command));
        starting.await.expect("a node")
    }

    fn running(&self) -> MutexGuard<'_, Vec<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where a node is reached now.
    pub(super) fn base(&self, node: usize) -> String {
        self.running()[node].base.clone()
    }

    /// A node for a change: seldom a broken one, where the client would only wait.
    pub(super) fn pick(&self, random: &mut Random) -> usize {
        let node = random.below(NODES);
        if self.is_broken(node) && !random.once_in(10) {
            return (node + 1 + random.below(NODES - 1)) % NODES;
        }
        node
    }

    fn is_broken(&self, node: usize) -> bool {
        self.broken[node].load(Ordering::SeqCst) > 0
    }

    /// Has changes made on other nodes until the answer is dropped.
    pub(super) fn mark_broken(&self, node: usize) -> Mark<'_> {
        self.broken[node].fetch_add(1, Ordering::SeqCst);
        Mark(&self.broken[node])
    }

    /// Has a node stand still until the answer is dropped.
    pub(super) fn freeze(&self, node: usize) -> Frozen {
        Frozen::new(&[self.running()[node].process.id()])
    }

    /// Sets the clock of a node wrong by so many seconds.
    pub(super) fn step_clock(&self, node: usize, seconds: i64) {
        self.running()[node].process.tell(&seconds.to_string());
    }

    /// Ends a node as a power cut would.
    pub(super) fn kill(&self, node: usize) {
        self.running()[node].process.kill();
    }

    /// Starts a node that was killed, with a clock that is wrong by so many seconds. It has another
    /// port then.
    pub(super) async fn restart(&self, node: usize, clock_step: i64) {
        let started = self.start_one(node, clock_step).await;
        self.running()[node] = started;
    }
}

pub(super) struct Mark<'a>(&'a AtomicUsize);

impl Drop for Mark<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
