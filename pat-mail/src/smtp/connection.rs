//! Connections to the mail server: protected as the URL says, and shared by the messages of a batch.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fmt, io};

use lettre::transport::smtp::Error as ClientError;
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream};
use lettre::transport::smtp::commands::Starttls;
use lettre::transport::smtp::extension::ClientId;
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::conversation;
use super::ehlo;
use super::error::SmtpError;
use super::reply_stream::{ReplyStream, SharedStream};
use super::tls::{SetUp, Tls};
use super::url::{Security, SmtpUrl};

/// How many idle connections are kept; a further one is closed after its message.
const MAX_IDLE: usize = 4;
/// How long a server may take to reply to `QUIT`.
const QUIT_TIME: Duration = Duration::from_secs(5);

/// A mail server with the trusted roots for its TLS.
pub(crate) struct Server {
    url: SmtpUrl,
    tls: Option<Box<dyn Tls>>,
}

impl Server {
    /// Sets up TLS by `set_up`, if the URL requires TLS.
    pub(crate) fn new(url: &SmtpUrl, set_up: SetUp) -> Result<Self, SmtpError> {
        let tls = match url.security {
            Security::None => None,
            Security::StartTls | Security::Tls => {
                Some(set_up(&url.host_name(), url.ca.as_deref())?)
            }
        };
        Ok(Self {
            url: url.clone(),
            tls,
        })
    }

    /// Opens a connection, protects it and logs in.
    async fn connect(&self) -> Result<AsyncSmtpConnection, SmtpError> {
        let tcp = TcpStream::connect((self.url.host_name().as_str(), self.url.port)).await;
        let tcp = tcp.map_err(|error| SmtpError::Connection(error.into()))?;
        // Otherwise each message waits for the acknowledgement of its previous part.
        let _ = tcp.set_nodelay(true);
        let endpoints = Endpoints::of(&tcp, self.url.ehlo.as_ref());
        let endpoints = endpoints.map_err(|error| SmtpError::Connection(error.into()))?;
        let mut connection = match &self.tls {
            None => endpoints
                .open(ReplyStream::new(tcp, endpoints.peer))
                .await
                .map_err(SmtpError::refused)?,
            Some(tls) if self.url.security == Security::Tls => {
                let stream = ReplyStream::new(tls.connect(tcp).await?, endpoints.peer);
                endpoints
                    .open(stream)
                    .await
                    .map_err(SmtpError::from_handshake)?
            }
            Some(tls) => endpoints.open_and_upgrade(tcp, &**tls).await?,
        };
        conversation::log_in(&mut connection, &self.url).await?;
        Ok(connection)
    }
}

/// The server's address of a connection, and the name with which the mailer greets the server.
struct Endpoints {
    peer: SocketAddr,
    ehlo: ClientId,
}

impl Endpoints {
    fn of(tcp: &TcpStream, given: Option<&ClientId>) -> io::Result<Self> {
        Ok(Self {
            peer: tcp.peer_addr()?,
            ehlo: ehlo::client_id(given, tcp.local_addr()?.ip()),
        })
    }

    async fn open(
        &self,
        stream: impl AsyncTokioStream + 'static,
    ) -> Result<AsyncSmtpConnection, ClientError> {
        AsyncSmtpConnection::connect_with_transport(Box::new(stream), &self.ehlo).await
    }

    /// Sends STARTTLS, and begins a new session on the protected connection: what the server sent
    /// before is discarded (RFC 3207, section 4.2).
    async fn open_and_upgrade(
        &self,
        tcp: TcpStream,
        tls: &dyn Tls,
    ) -> Result<AsyncSmtpConnection, SmtpError> {
        let shared = SharedStream::new(tcp);
        let stream = ReplyStream::new(shared.clone(), self.peer);
        let mut connection = self.open(stream).await.map_err(SmtpError::refused)?;
        if !connection.can_starttls() {
            connection.abort().await;
            return Err(SmtpError::NoStartTls);
        }
        connection
            .command(Starttls)
            .await
            .map_err(SmtpError::refused)?;
        drop(connection);
        let tcp = shared.take_back().ok_or(SmtpError::Protocol)?;
        let stream = ReplyStream::greeted(tls.connect(tcp).await?, self.peer);
        self.open(stream).await.map_err(SmtpError::from_handshake)
    }
}

/// The connections to one server.
///
/// They are kept while any message is being sent, so that a batch of notifications shares them, and
/// closed after the last one. A connection is returned only after its message: if the future of a
/// message is dropped halfway, at a timeout, its connection is closed, since the next message would
/// read the replies to that one. (The pool of `lettre` returns such connections, so it is not used.)
pub(crate) struct Connections {
    server: Server,
    idle: Arc<Mutex<Idle>>,
}

#[derive(Default)]
struct Idle {
    guards: usize,
    connections: Vec<AsyncSmtpConnection>,
}

impl Connections {
    pub(crate) fn new(server: Server) -> Self {
        Self {
            server,
            idle: Arc::default(),
        }
    }

    /// Returns what a connection consists of, in a phrase.
    pub(crate) fn describe(&self) -> String {
        let SmtpUrl {
            host,
            port,
            security,
            login,
            ..
        } = &self.server.url;
        let tls = match security {
            Security::None => "without TLS",
            Security::StartTls => "with STARTTLS",
            Security::Tls => "with TLS",
        };
        let login = match login {
            Some(_) => "and logged in",
            None => "without a login",
        };
        format!("connected to {host}:{port} {tls} {login}")
    }

    /// Returns a guard that keeps idle connections open; the last guard closes them.
    pub(crate) fn guard(&self) -> ConnectionGuard<'_> {
        lock(&self.idle).guards += 1;
        ConnectionGuard { connections: self }
    }
}

/// Takes connections and gives them back.
pub(crate) struct ConnectionGuard<'a> {
    connections: &'a Connections,
}

impl ConnectionGuard<'_> {
    /// Returns an idle connection that works, or else opens one.
    pub(crate) async fn take(&self) -> Result<AsyncSmtpConnection, SmtpError> {
        while let Some(mut connection) = self.pop() {
            if connection.test_connected().await {
                return Ok(connection);
            }
        }
        self.connections.server.connect().await
    }

    fn pop(&self) -> Option<AsyncSmtpConnection> {
        lock(&self.connections.idle).connections.pop()
    }

    /// Returns a connection after its message.
    pub(crate) fn give_back(&self, connection: AsyncSmtpConnection) {
        let mut idle = lock(&self.connections.idle);
        if connection.has_broken() || idle.connections.len() >= MAX_IDLE {
            drop(idle);
            quit(vec![connection]);
        } else {
            idle.connections.push(connection);
        }
    }
}

impl Drop for ConnectionGuard<'_> {
    fn drop(&mut self) {
        let mut idle = lock(&self.connections.idle);
        idle.guards -= 1;
        if idle.guards == 0 {
            let connections = std::mem::take(&mut idle.connections);
            drop(idle);
            quit(connections);
        }
    }
}

/// Sends `QUIT` in the background. Outside a runtime the connections are closed without it.
pub(crate) fn quit(connections: Vec<AsyncSmtpConnection>) {
    let Ok(runtime) = Handle::try_current() else {
        return;
    };
    for mut connection in connections {
        runtime.spawn(async move {
            // The connection is closed even if the server does not reply.
            let _ = timeout(QUIT_TIME, connection.abort()).await;
        });
    }
}

fn lock(idle: &Mutex<Idle>) -> MutexGuard<'_, Idle> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections")
            .field("server", &self.server.url)
            .field("idle", &lock(&self.idle).connections.len())
            .finish_non_exhaustive()
    }
}
