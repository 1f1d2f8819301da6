//! What is broken, when, and for how long.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use pat_sqlx::sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use pat_sqlx::sqlx::{Connection as _, Executor as _};

use super::checker::Window;
use super::clients::{Clients, Token};
use super::history::History;
use super::nodes::{NODES, Nodes};
use super::proxy::{Cut, Proxy, Way};
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
    /// The way from a node to the database server is a slow one.
    NetworkSlow,
    /// It loses connections, again and again.
    NetworkCut,
    /// It loses all connections once, and tells only the server.
    NetworkDeaf,
    /// It takes nothing to the server.
    NetworkHoldsQuestions,
    /// It takes nothing to the node.
    NetworkHoldsAnswers,
}

impl Fault {
    /// Those that need a [`Proxy`].
    pub(super) const NETWORK: [Self; 5] = [
        Self::NetworkSlow,
        Self::NetworkCut,
        Self::NetworkDeaf,
        Self::NetworkHoldsQuestions,
        Self::NetworkHoldsAnswers,
    ];
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NodeFrozen => "node frozen",
            Self::NodeKilled => "node killed",
            Self::DatabaseFrozen(_) => "database frozen",
            Self::DatabaseLocked => "database locked",
            Self::NetworkSlow => "network slow",
            Self::NetworkCut => "network cut",
            Self::NetworkDeaf => "network deaf",
            Self::NetworkHoldsQuestions => "network holds questions",
            Self::NetworkHoldsAnswers => "network holds answers",
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
    /// In front of the server, for the last of the nodes.
    pub(super) proxy: Option<Proxy>,
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
        match fault {
            Fault::NodeFrozen => self.freeze_node().await,
            Fault::NodeKilled => self.kill_node().await,
            Fault::DatabaseFrozen(process) => {
                let length = self.random.millis(1_000, 3_000);
                let frozen = Frozen::with_children(process);
                tokio::time::sleep(length).await;
                drop(frozen);
            }
            Fault::DatabaseLocked => {
                let length = self.random.millis(1_000, 3_000);
                self.lock(length).await;
            }
            Fault::NetworkSlow => {
                let late = self.random.millis(20, 400);
                self.mend_later(Way::Slow(late)).await;
            }
            Fault::NetworkHoldsQuestions => self.mend_later(Way::HoldsQuestions).await,
            Fault::NetworkHoldsAnswers => self.mend_later(Way::HoldsAnswers).await,
            Fault::NetworkCut => {
                for _ in 0..10 {
                    self.proxy().cut(Cut::Both);
                    let pause = self.random.millis(10, 300);
                    tokio::time::sleep(pause).await;
                }
            }
            Fault::NetworkDeaf => {
                let known = self.fill_cache(NODES - 1).await;
                self.proxy().cut(Cut::ServerOnly);
                // Not broken any more, but the node has to find that out, connection by connection.
                self.try_for(Duration::from_secs(3), &known).await;
            }
        }
    }

    async fn freeze_node(&mut self) {
        let node = self.random.below(NODES);
        let length = self.random.millis(1_000, 5_000);
        let known = self.fill_cache(node).await;
        self.nodes.mark_broken(Some(node));
        let frozen = self.nodes.freeze(node);
        tokio::time::sleep(length).await;
        let wake = async {
            // By then the requests are in its queue.
            tokio::time::sleep(Duration::from_millis(50)).await;
            drop(frozen);
        };
        tokio::join!(self.clients.burst(node, &known), wake);
        self.nodes.mark_broken(None);
    }

    async fn kill_node(&mut self) {
        let node = self.random.below(NODES);
        let length = self.random.millis(0, 500);
        let known = self.clients.live();
        self.nodes.mark_broken(Some(node));
        self.nodes.kill(node);
        tokio::time::sleep(length).await;
        self.nodes.restart(node).await;
        self.clients.burst(node, &known).await;
        self.nodes.mark_broken(None);
    }

    /// Has a node know all live tokens, and returns them: they are revoked while it is broken, and
    /// tried again.
    async fn fill_cache(&self, node: usize) -> Vec<Token> {
        let known = self.clients.live();
        self.clients.burst(node, &known).await;
        known
    }

    /// Tries these on the last node, again and again.
    async fn try_for(&self, length: Duration, known: &[Token]) {
        let until = self.history.now() + length;
        while self.history.now() < until {
            tokio::time::sleep(Duration::from_millis(100)).await;
            self.clients.burst(NODES - 1, known).await;
        }
    }

    fn proxy(&self) -> &Proxy {
        self.proxy.as_ref().expect("a proxy for these faults")
    }

    async fn mend_later(&mut self, way: Way) {
        let length = self.random.millis(1_000, 5_000);
        let known = self.fill_cache(NODES - 1).await;
        self.nodes.mark_broken(Some(NODES - 1));
        self.proxy().set(way);
        self.try_for(length, &known).await;
        self.proxy().set(Way::Open);
        self.nodes.mark_broken(None);
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
