//! Three processes of the example server on one database.

use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::future::join_all;
use tempfile::TempDir;

use super::random::Random;
use crate::common::process::{Frozen, Process};

pub(super) const NODES: usize = 3;

pub(super) struct Nodes {
    folder: TempDir,
    /// What each is started with.
    arguments: [Vec<String>; NODES],
    running: Mutex<Vec<Running>>,
    /// The node that is broken just now.
    broken: Mutex<Option<usize>>,
}

struct Running {
    process: Process,
    /// Changes with each start.
    base: String,
}

impl Running {
    fn start(folder: &std::path::Path, arguments: &[String]) -> Self {
        let process = Process::start_silent(folder, arguments);
        let base = process.base.clone();
        Self { process, base }
    }
}

impl Nodes {
    /// Starts them, each with its own URL of the database they share, and all with these properties.
    pub(super) async fn start(
        folder: TempDir,
        databases: [String; NODES],
        properties: &[String],
    ) -> Self {
        let arguments = databases.map(|database| {
            let database = ["--database-url".to_owned(), database];
            let properties = properties.iter().flat_map(|one| ["-D".into(), one.clone()]);
            database.into_iter().chain(properties).collect::<Vec<_>>()
        });
        let starting = arguments.clone().map(|arguments| {
            let folder = folder.path().to_owned();
            tokio::task::spawn_blocking(move || Running::start(&folder, &arguments))
        });
        let running = join_all(starting).await;
        let running = running.into_iter().map(|node| node.expect("a node"));
        Self {
            folder,
            arguments,
            running: Mutex::new(running.collect()),
            broken: Mutex::default(),
        }
    }

    fn running(&self) -> MutexGuard<'_, Vec<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Where a node is reached now.
    pub(super) fn base(&self, node: usize) -> String {
        self.running()[node].base.clone()
    }

    /// A node for a change: seldom the broken one, where the client would only wait.
    pub(super) fn pick(&self, random: &mut Random) -> usize {
        let node = random.below(NODES);
        let broken = *self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        if broken == Some(node) && !random.once_in(10) {
            return (node + 1 + random.below(NODES - 1)) % NODES;
        }
        node
    }

    pub(super) fn mark_broken(&self, node: Option<usize>) {
        *self.broken.lock().unwrap_or_else(PoisonError::into_inner) = node;
    }

    /// Has a node stand still until the answer is dropped.
    pub(super) fn freeze(&self, node: usize) -> Frozen {
        Frozen::new(&[self.running()[node].process.id()])
    }

    /// Ends a node as a power cut would.
    pub(super) fn kill(&self, node: usize) {
        self.running()[node].process.kill();
    }

    /// Starts a node that was killed. It has another port then.
    pub(super) async fn restart(&self, node: usize) {
        let (folder, arguments) = (self.folder().to_owned(), self.arguments[node].clone());
        let starting = tokio::task::spawn_blocking(move || Running::start(&folder, &arguments));
        let started = starting.await.expect("a node");
        self.running()[node] = started;
    }
}
