//! What is broken, when, and for how long.

mod database;
mod network;
mod nodes;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use pat_harness::database::Pooler;
use pat_harness::fault_proxy::FaultProxy;
use pat_servers::Database;

use super::checker::Window;
use super::clients::Clients;
use super::history::History;
use super::nodes::Nodes;
use super::packets::{Loss, Packets};
use super::random::Random;
use super::tokens::Token;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// A node stands still (SIGSTOP), and has requests waiting when it goes on.
    NodeFrozen,
    /// A node is killed, and started again, with a clock that is wrong unless it is also the database's.
    NodeKilled,
    /// A node gets a fifth of its time, in bits.
    NodeStarved,
    /// The clock of a node is set wrong by ten minutes.
    ClockSet,
    /// All processes of the database server stand still.
    DatabaseFrozen,
    /// They are killed, and started again.
    DatabaseKilled,
    /// Somebody else changes something for long, and then is idle.
    DatabaseLocked,
    /// The tokens cannot be read, so that look-ups take all connections.
    PoolExhausted,
    /// The disk is full.
    DiskFull,
    /// The pooler is killed, and started again.
    PoolerKilled,
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
    /// The network between a node and the server loses packets.
    PacketsLost(Loss),
}

impl Fault {
    /// Those that need nothing but nodes.
    pub(super) const NODES: [Self; 4] = [
        Self::NodeFrozen,
        Self::NodeKilled,
        Self::NodeStarved,
        Self::ClockSet,
    ];
    /// Those that need a server of the test's own.
    pub(super) const SERVER: [Self; 2] = [Self::DatabaseFrozen, Self::DatabaseKilled];
    /// Those that need a server of any kind.
    pub(super) const TABLES: [Self; 2] = [Self::DatabaseLocked, Self::PoolExhausted];
    /// Those that need a [`FaultProxy`].
    pub(super) const NETWORK: [Self; 5] = [
        Self::NetworkSlow,
        Self::NetworkCut,
        Self::NetworkDeaf,
        Self::NetworkHoldsQuestions,
        Self::NetworkHoldsAnswers,
    ];

    /// Whether servers may answer 503 meanwhile.
    fn excuses(self) -> bool {
        self != Self::ClockSet
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NodeFrozen => "node frozen",
            Self::NodeKilled => "node killed",
            Self::NodeStarved => "node starved",
            Self::ClockSet => "clock set",
            Self::DatabaseFrozen => "database frozen",
            Self::DatabaseKilled => "database killed",
            Self::DatabaseLocked => "database locked",
            Self::PoolExhausted => "pool exhausted",
            Self::DiskFull => "disk full",
            Self::PoolerKilled => "pooler killed",
            Self::NetworkSlow => "network slow",
            Self::NetworkCut => "network cut",
            Self::NetworkDeaf => "network deaf",
            Self::NetworkHoldsQuestions => "network holds questions",
            Self::NetworkHoldsAnswers => "network holds answers",
            Self::PacketsLost(loss) => loss.name(),
        })
    }
}

/// Breaks one thing after another, and now and then two at a time.
pub(super) struct Faults {
    /// Those that can be had here.
    pub(super) kinds: Vec<Fault>,
    pub(super) nodes: Arc<Nodes>,
    pub(super) clients: Arc<Clients>,
    pub(super) history: Arc<History>,
    /// `None` for SQLite.
    pub(super) database: Option<Database>,
    pub(super) pooler: Option<Pooler>,
    /// In front of the server, for the last of the nodes.
    pub(super) proxy: Option<FaultProxy>,
    /// The networks of the nodes.
    pub(super) packets: Option<Packets>,
    pub(super) random: Random,
}

/// What was broken.
#[derive(Debug, Default)]
pub(super) struct Broken {
    pub(super) windows: Vec<Window>,
    counts: BTreeMap<Fault, usize>,
    pairs: usize,
}

impl Faults {
    /// Goes on until this time of the history, and until something was broken: each kind once in a random
    /// order, then all again.
    pub(super) async fn run(&mut self, until: Duration) -> Broken {
        let mut broken = Broken::default();
        // Some tokens first.
        tokio::time::sleep(Duration::from_secs(1)).await;
        'run: loop {
            self.random.shuffle(&mut self.kinds);
            let mut kinds = self.kinds.clone().into_iter();
            while let Some(fault) = kinds.next() {
                let rest = self.random.millis(200, 1_000);
                tokio::time::sleep(rest).await;
                // On a busy machine nothing may have been so far.
                let may_end = !broken.windows.is_empty();
                if may_end && self.history.now() + Duration::from_millis(1_500) > until {
                    break 'run;
                }
                let second = if self.random.once_in(3) {
                    kinds.next()
                } else {
                    None
                };
                self.make_both(fault, second, &mut broken).await;
            }
        }
        broken
    }

    async fn make_both(&mut self, first: Fault, second: Option<Fault>, broken: &mut Broken) {
        let (mut random, mut other) = (self.random.fork(), self.random.fork());
        let from = self.history.now();
        let late = random.millis(0, 1_000);
        tokio::join!(self.make(first, &mut random), async {
            if let Some(second) = second {
                tokio::time::sleep(late).await;
                self.make(second, &mut other).await;
            }
        });
        let until = self.history.now();
        if first.excuses() || second.is_some_and(Fault::excuses) {
            broken.windows.push(Window { from, until });
        }
        for fault in [Some(first), second].into_iter().flatten() {
            *broken.counts.entry(fault).or_default() += 1;
        }
        broken.pairs += usize::from(second.is_some());
    }

    async fn make(&self, fault: Fault, random: &mut Random) {
        match fault {
            Fault::NodeFrozen => self.freeze_node(random).await,
            Fault::NodeKilled => self.kill_node(random).await,
            Fault::NodeStarved => self.starve_node(random).await,
            Fault::ClockSet => self.set_clock(random).await,
            Fault::DatabaseFrozen => self.freeze_database(random).await,
            Fault::DatabaseKilled => self.kill_database(random).await,
            Fault::DatabaseLocked => self.lock_database(random).await,
            Fault::PoolExhausted => self.exhaust_pool(random).await,
            Fault::DiskFull => self.fill_disk(random).await,
            Fault::PoolerKilled => self.kill_pooler(random).await,
            Fault::NetworkSlow
            | Fault::NetworkHoldsQuestions
            | Fault::NetworkHoldsAnswers
            | Fault::NetworkCut
            | Fault::NetworkDeaf => self.break_way(fault, random).await,
            Fault::PacketsLost(loss) => self.lose_packets(loss, random).await,
        }
    }

    /// Has a node know all live tokens, and returns them: they are revoked while it is broken, and
    /// tried again.
    async fn fill_cache(&self, node: usize) -> Vec<Token> {
        let known = self.clients.live();
        self.clients.burst(node, &known).await;
        known
    }

    /// Tries these on a node, again and again.
    async fn try_for(&self, length: Duration, node: usize, known: &[Token]) {
        let until = self.history.now() + length;
        while self.history.now() < until {
            tokio::time::sleep(Duration::from_millis(100)).await;
            self.clients.burst(node, known).await;
        }
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
            return formatter.write_str(" none");
        }
        write!(formatter, "; {} pairs of them at a time", self.pairs)
    }
}
