//! Connections to the mail server: made with the protection that was asked for, and used again
//! while there is more to send.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fmt, io};

use lettre::transport::smtp::Error as Client;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream};
use lettre::transport::smtp::commands::Starttls;
use lettre::transport::smtp::extension::ClientId;
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::SmtpError;
use crate::hello::hello;
use crate::reply_stream::{ReplyStream, SharedStream};
use crate::smtp::{failure, tls_failure};
use crate::tls::Tls;

/// So many idle connections are kept; one more is closed after its message.
const MAX_IDLE: usize = 4;
/// How long a server may take to say goodbye.
const QUIT_TIME: Duration = Duration::from_secs(5);

/// A mail server, and how to talk to it.
pub(crate) struct Server {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) protection: Protection,
    pub(crate) login: Option<Credentials>,
    /// The name for `EHLO`, unless the mailer finds one.
    pub(crate) hello: Option<ClientId>,
}

/// How the connection is protected, and by which trusted roots.
pub(crate) enum Protection {
    None,
    StartTls(Tls),
    Tls(Tls),
}

impl Server {
    /// A connection that is protected and logged in.
    async fn connect(&self) -> Result<AsyncSmtpConnection, SmtpError> {
        let tcp = TcpStream::connect((self.host.as_str(), self.port)).await;
        let tcp = tcp.map_err(|error| SmtpError::Connection(error.into()))?;
        // Without it each message waits for the acknowledgement of the part before.
        let _ = tcp.set_nodelay(true);
        let ends = Ends::of(&tcp, self.hello.as_ref());
        let ends = ends.map_err(|error| SmtpError::Connection(error.into()))?;
        let mut connection = match &self.protection {
            Protection::None => ends
                .open(ReplyStream::new(tcp, ends.peer))
                .await
                .map_err(refused)?,
            Protection::Tls(tls) => {
                let stream = ReplyStream::new(tls.connect(tcp).await?, ends.peer);
                ends.open(stream).await.map_err(tls_failure)?
            }
            Protection::StartTls(tls) => ends.open_and_upgrade(tcp, tls).await?,
        };
        if let Some(login) = &self.login {
            let answer = connection.auth(DEFAULT_MECHANISMS, login).await;
            answer.map_err(|error| {
                if error.is_client() {
                    SmtpError::NoLogin
                } else {
                    failure(error, |reply| SmtpError::LoginRefused(reply.without_text()))
                }
            })?;
        }
        Ok(connection)
    }
}

/// The two ends of a connection: who the server is, and the name that the mailer has for it.
struct Ends {
    peer: SocketAddr,
    hello: ClientId,
}

impl Ends {
    fn of(tcp: &TcpStream, given: Option<&ClientId>) -> io::Result<Self> {
        Ok(Self {
            peer: tcp.peer_addr()?,
            hello: hello(given, tcp.local_addr()?.ip()),
        })
    }

    async fn open(
        &self,
        stream: impl AsyncTokioStream + 'static,
    ) -> Result<AsyncSmtpConnection, Client> {
        AsyncSmtpConnection::connect_with_transport(Box::new(stream), &self.hello).await
    }

    /// Asks for STARTTLS, and begins anew on the protected connection: nothing that was said before is
    /// believed (RFC 3207, section 4.2).
    async fn open_and_upgrade(
        &self,
        tcp: TcpStream,
        tls: &Tls,
    ) -> Result<AsyncSmtpConnection, SmtpError> {
        let lent = SharedStream::new(tcp);
        let stream = ReplyStream::new(lent.clone(), self.peer);
        let mut connection = self.open(stream).await.map_err(refused)?;
        if !connection.can_starttls() {
            connection.abort().await;
            return Err(SmtpError::NoStartTls);
        }
        connection.command(Starttls).await.map_err(refused)?;
        drop(connection);
        let tcp = lent.take_back().ok_or(SmtpError::Protocol)?;
        let stream = ReplyStream::greeted(tls.connect(tcp).await?, self.peer);
        self.open(stream).await.map_err(tls_failure)
    }
}

fn refused(error: Client) -> SmtpError {
    failure(error, SmtpError::Refused)
}

/// The connections to one server.
///
/// They are kept as long as any message is under way, so that a batch of notifications shares them, and
/// closed after the last one. A connection comes back only when its message is done: one whose
/// future was dropped halfway, at a time-out, is closed, for the next message would read the answers
/// to the last. (That is what the pool of `lettre` does, which is why it is not used.)
pub(crate) struct Connections {
    server: Server,
    idle: Arc<Mutex<Idle>>,
}

#[derive(Default)]
struct Idle {
    leases: usize,
    connections: Vec<AsyncSmtpConnection>,
}

impl Connections {
    pub(crate) fn new(server: Server) -> Self {
        Self {
            server,
            idle: Arc::default(),
        }
    }

    /// Joins those who use the connections. The last one to leave closes them.
    pub(crate) fn lease(&self) -> Lease<'_> {
        lock(&self.idle).leases += 1;
        Lease { connections: self }
    }
}

/// The right to take connections and give them back.
pub(crate) struct Lease<'a> {
    connections: &'a Connections,
}

impl Lease<'_> {
    /// A connection that works, made now if need be.
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

    /// Gives back a connection whose message is done.
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

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let mut idle = lock(&self.connections.idle);
        idle.leases -= 1;
        if idle.leases == 0 {
            let connections = std::mem::take(&mut idle.connections);
            drop(idle);
            quit(connections);
        }
    }
}

/// Says goodbye without making anybody wait. Outside a runtime the connections are just closed.
fn quit(connections: Vec<AsyncSmtpConnection>) {
    let Ok(runtime) = Handle::try_current() else {
        return;
    };
    for mut connection in connections {
        runtime.spawn(async move {
            // A server that does not answer loses the connection all the same.
            let _ = timeout(QUIT_TIME, connection.abort()).await;
        });
    }
}

fn lock(idle: &Mutex<Idle>) -> MutexGuard<'_, Idle> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let server = format_args!("{}:{}", self.server.host, self.server.port).to_string();
        f.debug_struct("Connections")
            .field("server", &server)
            .field("idle", &lock(&self.idle).connections.len())
            .finish_non_exhaustive()
    }
}
