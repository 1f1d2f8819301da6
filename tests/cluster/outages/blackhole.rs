//! A way to a database server that can become a black hole.

use std::path::{Path, PathBuf};

use pat_servers::{Database, Kind};
use tokio::io::copy_bidirectional;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

/// Stands between a node and the socket of a server.
pub(super) struct BlackHole {
    /// The database, by this way.
    pub(super) url: String,
    is_open: watch::Sender<bool>,
}

impl BlackHole {
    /// Listens in this folder.
    pub(super) fn start(database: &Database, folder: &Path) -> Self {
        const POSTGRES: &str = ".s.PGSQL.5432";
        // The URL has the folder of the one's socket, and the path of the other's.
        let parameter = match database.kind {
            Kind::Postgres => "host=",
            Kind::MariaDb => "socket=",
        };
        let (start, path) = database.url.split_once(parameter).expect("a socket");
        let (server, own, shown) = match database.kind {
            Kind::Postgres => (
                Path::new(path).join(POSTGRES),
                folder.join(POSTGRES),
                folder.to_owned(),
            ),
            Kind::MariaDb => (path.into(), folder.join("socket"), folder.join("socket")),
        };
        let listener = UnixListener::bind(own).expect("a socket");
        let is_open = watch::Sender::new(true);
        tokio::spawn(accept(listener, server, is_open.clone()));
        Self {
            url: format!("{start}{parameter}{}", shown.display()),
            is_open,
        }
    }

    /// Nothing that is sent arrives any more, and nobody is told; or new connections get through
    /// again. Old ones never do: the server has given them up.
    pub(super) fn set_open(&self, is_open: bool) {
        self.is_open.send_replace(is_open);
    }
}

async fn accept(listener: UnixListener, server: PathBuf, is_open: watch::Sender<bool>) {
    while let Ok((node, _)) = listener.accept().await {
        tokio::spawn(carry(node, server.clone(), is_open.subscribe()));
    }
}

async fn carry(mut node: UnixStream, server: PathBuf, mut is_open: watch::Receiver<bool>) {
    if *is_open.borrow() {
        let Ok(mut server) = UnixStream::connect(server).await else {
            return;
        };
        tokio::select! {
            _ended = copy_bidirectional(&mut node, &mut server) => return,
            _closed = is_open.wait_for(|is_open| !is_open) => {}
        }
    }
    // The node's end stays open, without an answer, until the test is over.
    let _closed = is_open.wait_for(|_| false).await;
    drop(node);
}
