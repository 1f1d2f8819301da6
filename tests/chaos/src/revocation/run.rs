//! One run: nodes, clients and faults, from the start to the history.

use std::sync::Arc;
use std::time::Duration;

use pat_harness::database::Pooler;
use pat_harness::disk::Folder;
use pat_harness::fault_proxy::FaultProxy;
use pat_servers::{Database, Kind};
use tokio::task::JoinSet;

use super::clients::Clients;
use super::faults::{Broken, Fault, Faults};
use super::flawed::Flaw;
use super::history::{Entry, History, Way};
use super::nodes::{NODES, Nodes, Place};
use super::packets::{Loss, Packets};
use super::random::Random;

/// What the nodes stand on.
pub(super) enum Fixture {
    /// A file.
    Sqlite,
    Server(Database),
    /// A server behind a pooler.
    Pooled(Database, Pooler),
    /// A server that each node reaches over a network of its own.
    Networks(Database, Packets),
}

impl Fixture {
    pub(super) fn name(&self) -> String {
        match self {
            Self::Sqlite => "sqlite".into(),
            Self::Server(database) => database.kind.need().into(),
            Self::Pooled(database, _) => format!("{} behind a pooler", database.kind.need()),
            Self::Networks(database, _) => format!("{} over networks", database.kind.need()),
        }
    }

    /// All that can be broken here.
    pub(super) fn faults(&self) -> Vec<Fault> {
        let mut faults = Fault::NODES.to_vec();
        match self {
            Self::Sqlite => {
                // The processes of one machine have one clock, which is also the database's.
                faults.retain(|fault| *fault != Fault::ClockSet);
                faults.extend([Fault::DatabaseLocked, Fault::DiskFull]);
            }
            Self::Server(database) => {
                faults.extend(Fault::TABLES);
                if database.server.is_some() {
                    faults.extend([&Fault::SERVER[..], &Fault::NETWORK].concat());
                }
            }
            Self::Pooled(..) => {
                faults.extend([&Fault::TABLES[..], &Fault::SERVER].concat());
                faults.push(Fault::PoolerKilled);
            }
            Self::Networks(..) => faults = Loss::ALL.map(Fault::PacketsLost).into(),
        }
        faults
    }
}

/// What a run is to be.
pub(super) struct Run {
    pub(super) fixture: Fixture,
    pub(super) properties: Vec<&'static str>,
    pub(super) flaw: Option<Flaw>,
    /// By which ways tokens are revoked, in turn; if there are none, no tokens are created.
    pub(super) ways: Vec<Way>,
    pub(super) faults: Vec<Fault>,
    pub(super) length: Duration,
}

impl Run {
    /// What happens in this time.
    pub(super) async fn go(self, seed: u64) -> (Vec<Entry>, Broken) {
        let length = self.length;
        let Started {
            mut faults,
            clients,
            tasks,
            history,
        } = self.start(seed).await;
        let broken = if faults.kinds.is_empty() {
            tokio::time::sleep(length).await;
            Broken::default()
        } else {
            faults.run(length).await
        };
        clients.used_all_ways().await;
        clients.stop();
        tasks.join_all().await;
        // The networks of the nodes go with it, so not before.
        drop(faults);
        drop(clients);
        let history = Arc::into_inner(history).expect("no client is left");
        (history.into_entries(), broken)
    }

    /// Starts everything; nothing is broken yet.
    pub(super) async fn start(self, seed: u64) -> Started {
        let mut random = Random::new(seed);
        let folder = match self.fixture {
            Fixture::Sqlite if self.faults.contains(&Fault::DiskFull) => Folder::on_small_disk(),
            _ => Folder::temporary(),
        };
        let mut kinds = self.faults;
        if kinds.contains(&Fault::DiskFull) && !folder.is_small() {
            println!("without root, no disk gets full");
            kinds.retain(|fault| *fault != Fault::DiskFull);
        }
        let mut places = [const { None }; NODES];
        let (mut database, mut pooler, mut proxy, mut packets) = (None, None, None, None);
        match self.fixture {
            Fixture::Sqlite => places.fill(Some(Place::here("sqlite:pat.db".into()))),
            Fixture::Server(server) => {
                places.fill(Some(Place::here(server.url.clone())));
                if server.server.is_some() {
                    let last = proxy.insert(FaultProxy::start(&server, folder.path()));
                    places[NODES - 1] = Some(Place::here(last.url.clone()));
                }
                database = Some(server);
            }
            Fixture::Pooled(server, between) => {
                places.fill(Some(Place::here(between.url.clone())));
                (database, pooler) = (Some(server), Some(between));
            }
            Fixture::Networks(server, networks) => {
                for (node, place) in places.iter_mut().enumerate() {
                    *place = Some(networked(server.kind, &networks, node));
                }
                (database, packets) = (Some(server), Some(networks));
            }
        }
        let places = places.map(|place| place.expect("a place for each"));
        let properties = ["atlassian.pats.max.tokens.per.user=1000000"]
            .into_iter()
            .chain(["pat.create.by.token=capped"])
            .chain(self.properties);
        let properties = properties.map(str::to_owned).collect();
        let nodes = Nodes::start(folder, places, properties, self.flaw).await;
        let nodes = Arc::new(nodes);
        let history = Arc::new(History::new());
        let (clients, tasks) = Clients::start(
            Arc::clone(&nodes),
            Arc::clone(&history),
            self.ways,
            &mut random.fork(),
        );
        let faults = Faults {
            kinds,
            nodes,
            clients: Arc::clone(&clients),
            history: Arc::clone(&history),
            database,
            pooler,
            proxy,
            packets,
            random,
        };
        Started {
            faults,
            clients,
            tasks,
            history,
        }
    }
}

/// A run that has begun.
pub(super) struct Started {
    pub(super) faults: Faults,
    pub(super) clients: Arc<Clients>,
    pub(super) tasks: JoinSet<()>,
    pub(super) history: Arc<History>,
}

pub(super) fn networked(kind: Kind, networks: &Packets, node: usize) -> Place {
    let [database, own] = networks.addresses_of(node);
    let database = match kind {
        Kind::Postgres => format!("postgres://postgres@{database}/postgres"),
        Kind::MariaDb => format!("mariadb://root@{database}/mysql"),
    };
    Place {
        database,
        within: networks.within(node),
        listen: format!("{own}:0"),
    }
}
