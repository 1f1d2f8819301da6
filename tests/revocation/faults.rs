//! What is broken, when, and for how long.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use pat_sqlx::sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use pat_sqlx::sqlx::{Connection as _, Executor as _};

use super::checker::Window;
use super::clients::Clients;
use super::history::History;
use super::nodes::{NODES, Nodes};
use super::random::Random;
use crate::common::process::Frozen;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// A node stands still (SIGSTOP), and has requests waiting when it goes on.
    NodeFrozen,
    /// A node is killed, and started again.
    NodeKilled,
    /// All processes of the database server stand still; the number is that of the first.
    DatabaseFrozen(u32),
    /// Somebody else writes to the SQLite file for long.
    DatabaseLocked,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NodeFrozen => "node frozen",
            Self::NodeKilled => "node killed",
            Self::DatabaseFrozen(_) => "database frozen",
            Self::DatabaseLocked => "database locked",
        })
    }
}

/// Breaks one thing after another.
pub(super) struct Faults {
    /// Those that can be had here.
    pub(super) kinds: Vec<Fault>,
    pub(super) nodes: Arc<Nodes>,
    pub(super) clients: Arc<Clients>,
    pub(super) history: Arc<History>,
    pub(super) random: Random,
}

/// What was broken.
#[derive(Debug, Default)]
pub(super) struct Broken {
    pub(super) windows: Vec<Window>,
    counts: BTreeMap<Fault, usize>,
}

impl Faults {
    /// Goes on until this time of the history: each kind once in a random order, then all again.
    pub(super) async fn run(mut self, until: Duration) -> Broken {
        let mut broken = Broken::default();
        // Some tokens first.
        tokio::time::sleep(Duration::from_secs(1)).await;
        'run: loop {
            self.random.shuffle(&mut self.kinds);
            for fault in self.kinds.clone() {
                let rest = self.random.millis(200, 1_000);
                tokio::time::sleep(rest).await;
                let from = self.history.now();
                if from + Duration::from_millis(1_500) > until {
                    break 'run;
                }
                self.make(fault).await;
                let until = self.history.now();
                broken.windows.push(Window { from, until });
                *broken.counts.entry(fault).or_default() += 1;
            }
        }
        broken
    }

    async fn make(&mut self, fault: Fault) {
        let node = self.random.below(NODES);
        match fault {
            Fault::NodeFrozen => {
                let length = self.random.millis(1_000, 5_000);
                self.nodes.mark_broken(Some(node));
                let frozen = self.nodes.freeze(node);
                tokio::time::sleep(length).await;
                let wake = async {
                    // By then the requests are in its queue.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    drop(frozen);
                };
                tokio::join!(self.clients.burst(node), wake);
                self.nodes.mark_broken(None);
            }
            Fault::NodeKilled => {
                self.nodes.mark_broken(Some(node));
                self.nodes.kill(node);
                let length = self.random.millis(0, 500);
                tokio::time::sleep(length).await;
                self.nodes.restart(node).await;
                self.clients.burst(node).await;
                self.nodes.mark_broken(None);
            }
            Fault::DatabaseFrozen(process) => {
                let frozen = Frozen::with_children(process);
                let length = self.random.millis(1_000, 3_000);
                tokio::time::sleep(length).await;
                drop(frozen);
            }
            Fault::DatabaseLocked => {
                let length = self.random.millis(1_000, 3_000);
                self.lock(length).await;
            }
        }
    }

    async fn lock(&self, length: Duration) {
        let path = self.nodes.folder().join("pat.db");
        let options = SqliteConnectOptions::new()
            .filename(path)
            .busy_timeout(Duration::from_secs(5));
        let connection = SqliteConnection::connect_with(&options).await;
        let mut connection = connection.expect("a connection");
        // Under load, others may be served first for long.
        if connection.execute("BEGIN IMMEDIATE").await.is_ok() {
            tokio::time::sleep(length).await;
            connection.execute("ROLLBACK").await.expect("an end");
        }
        connection.close().await.expect("a closed connection");
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("faults:")?;
        let mut comma = "";
        for (fault, count) in &self.counts {
            write!(formatter, "{comma} {count} x {fault}")?;
            comma = ",";
        }
        if self.counts.is_empty() {
            formatter.write_str(" none")?;
        }
        Ok(())
    }
}
