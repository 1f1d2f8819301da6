//! The way from one node to its database server, which can be made a bad one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use pat_servers::{Database, Kind};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::{ReadHalf, WriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{broadcast, watch};

/// What happens to what is sent. Nothing of it is lost for good while a connection lasts: where a
/// network drops packets, the operating system sends them again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Nothing.
    Open,
    /// All is late by this much, both ways.
    Slow(Duration),
    /// What the server sends is late by this much.
    LateAnswers(Duration),
    /// What the node sends waits.
    HoldsQuestions,
    /// What the server sends waits.
    HoldsAnswers,
}

/// An end of all connections there are.
#[derive(Debug, Clone, Copy)]
pub enum Cut {
    /// Node and server are told.
    Both,
    /// The node is not told, and waits for answers that never come.
    ServerOnly,
}

/// Stands between a node and the socket of a server.
#[derive(Debug)]
pub struct FaultProxy {
    /// The database, by this way.
    pub url: String,
    way: watch::Sender<Way>,
    cuts: broadcast::Sender<Cut>,
    server: watch::Sender<PathBuf>,
}

impl FaultProxy {
    /// Listens in this folder.
    pub fn start(database: &Database, folder: &Path) -> Self {
        let server = socket(database);
        let own = folder.join(server.file_name().expect("the name of a socket"));
        let listener = UnixListener::bind(&own).expect("a socket");
        let (theirs, ours) = (server.parent().expect("a folder"), folder);
        let url = database
            .url
            .replace(&theirs.display().to_string(), &ours.display().to_string());
        let proxy = Self {
            url,
            way: watch::Sender::new(Way::Open),
            cuts: broadcast::Sender::new(8),
            server: watch::Sender::new(server),
        };
        let (way, cuts) = (proxy.way.clone(), proxy.cuts.clone());
        tokio::spawn(accept(listener, proxy.server.subscribe(), way, cuts));
        proxy
    }

    /// Leads to another server from now on.
    pub fn lead_to(&self, database: &Database) {
        self.server.send_replace(socket(database));
        self.cut(Cut::Both);
    }

    /// Has this happen from now on.
    pub fn set(&self, way: Way) {
        self.way.send_replace(way);
    }

    /// Ends all connections.
    pub fn cut(&self, cut: Cut) {
        // There may be no connections.
        let _ = self.cuts.send(cut);
    }
}

/// Where the server listens, as the URL has it.
fn socket(database: &Database) -> PathBuf {
    let (parameter, name) = match database.kind {
        Kind::Postgres => ("host=", Some(".s.PGSQL.5432")),
        Kind::MariaDb => ("socket=", None),
    };
    let (_, path) = database.url.split_once(parameter).expect("a socket");
    name.map_or_else(|| path.into(), |name| Path::new(path).join(name))
}

async fn accept(
    listener: UnixListener,
    server: watch::Receiver<PathBuf>,
    way: watch::Sender<Way>,
    cuts: broadcast::Sender<Cut>,
) {
    while let Ok((node, _)) = listener.accept().await {
        let server = server.borrow().clone();
        if let Ok(server) = UnixStream::connect(&server).await {
            tokio::spawn(connection(node, server, way.subscribe(), cuts.subscribe()));
        }
    }
}

async fn connection(
    mut node: UnixStream,
    mut server: UnixStream,
    way: watch::Receiver<Way>,
    mut cuts: broadcast::Receiver<Cut>,
) {
    let (node_reads, node_writes) = node.split();
    let (server_reads, server_writes) = server.split();
    let cut = tokio::select! {
        () = carry(node_reads, server_writes, Way::HoldsQuestions, way.clone()) => Ok(Cut::Both),
        () = carry(server_reads, node_writes, Way::HoldsAnswers, way) => Ok(Cut::Both),
        cut = cuts.recv() => cut,
    };
    drop(server);
    if matches!(cut, Ok(Cut::ServerOnly)) {
        // Until the node gives up.
        let mut questions = [0; 1_024];
        while node.read(&mut questions).await.is_ok_and(|read| read > 0) {}
    }
}

/// Carries bytes one way, but not while it is `held`.
async fn carry(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    held: Way,
    mut way: watch::Receiver<Way>,
) {
    let mut bytes = vec![0; 16 * 1_024];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        let Ok(now) = way.wait_for(|way| *way != held).await.map(|way| *way) else {
            return;
        };
        let late = match now {
            Way::Slow(late) => late,
            Way::LateAnswers(late) if held == Way::HoldsAnswers => late,
            _ => Duration::ZERO,
        };
        tokio::time::sleep(late).await;
        if to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}
