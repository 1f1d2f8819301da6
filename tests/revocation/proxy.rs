//! The way from one node to its database server, which can be made a bad one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::{ReadHalf, WriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{broadcast, watch};

use crate::common::database::{Database, Kind};

/// What happens to what is sent. Nothing of it is lost for good while a connection lasts: where a
/// network drops packets, the operating system sends them again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Open,
    /// All is late by this much, both ways.
    Slow(Duration),
    /// What the node sends waits.
    HoldsQuestions,
    /// What the server sends waits.
    HoldsAnswers,
}

/// An end of all connections there are.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cut {
    Both,
    /// The node is not told, and waits for answers that never come.
    ServerOnly,
}

/// Stands between a node and the socket of a server.
pub(super) struct Proxy {
    /// The database, by this way.
    pub(super) url: String,
    way: watch::Sender<Way>,
    cuts: broadcast::Sender<Cut>,
}

impl Proxy {
    /// Listens in this folder.
    pub(super) fn start(database: &Database, folder: &Path) -> Self {
        let (parameter, name) = match database.kind {
            // The URL has the folder of the socket.
            Kind::Postgres => ("host=", Some(".s.PGSQL.5432")),
            Kind::MariaDb => ("socket=", None),
        };
        let (start, path) = database.url.split_once(parameter).expect("a socket");
        let (server, own) = match name {
            Some(name) => (Path::new(path).join(name), folder.join(name)),
            None => (path.into(), folder.join("socket")),
        };
        let listener = UnixListener::bind(&own).expect("a socket");
        let shown = if name.is_some() { folder } else { &own };
        let proxy = Self {
            url: format!("{start}{parameter}{}", shown.display()),
            way: watch::Sender::new(Way::Open),
            cuts: broadcast::Sender::new(8),
        };
        let (way, cuts) = (proxy.way.clone(), proxy.cuts.clone());
        tokio::spawn(accept(listener, server, way, cuts));
        proxy
    }

    pub(super) fn set(&self, way: Way) {
        self.way.send_replace(way);
    }

    pub(super) fn cut(&self, cut: Cut) {
        // There may be no connections.
        let _ = self.cuts.send(cut);
    }
}

async fn accept(
    listener: UnixListener,
    server: PathBuf,
    way: watch::Sender<Way>,
    cuts: broadcast::Sender<Cut>,
) {
    while let Ok((node, _)) = listener.accept().await {
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
        if let Way::Slow(late) = now {
            tokio::time::sleep(late).await;
        }
        if to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}
