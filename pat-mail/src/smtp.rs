use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use lettre::Message;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, TlsParameters};
use lettre::transport::smtp::extension::{ClientId, Extension};
use pat_core::{MailError, Mailer, Notice};
use tokio::time::timeout;

use crate::connection::{Connections, Server, Tls};
use crate::url::Security;
use crate::{Composer, SmtpError, SmtpReply, SmtpUrl};

/// Sends mails through an SMTP server.
///
/// TLS is never optional: with `tls=starttls` a server that does not offer it gets neither the
/// login nor the message. Connections are shared by the messages of a batch.
#[derive(Debug)]
pub struct SmtpMailer {
    composer: Composer,
    connections: Connections,
    timeout: Duration,
}

impl SmtpMailer {
    /// A mailer for this server. It reads the trusted root certificates, and does not connect yet.
    ///
    /// # Errors
    /// The root certificate of the URL cannot be read, or TLS cannot be set up.
    pub fn new(composer: Composer, url: &SmtpUrl) -> Result<Self, SmtpError> {
        let host = url.host_name();
        let tls = match url.security {
            Security::None => Tls::None,
            Security::StartTls => Tls::StartTls(tls_parameters(&host, url.ca.as_deref())?),
            Security::Tls => Tls::Implicit(tls_parameters(&host, url.ca.as_deref())?),
        };
        let login = url.login.as_ref();
        let login = login.map(|it| Credentials::new(it.user.clone(), it.password.clone()));
        Ok(Self {
            composer,
            connections: Connections::new(Server {
                host,
                port: url.port,
                tls,
                login,
                hello: ClientId::default(),
            }),
            timeout: url.timeout,
        })
    }

    /// Connects, protects the connection and logs in, without sending anything: for start-up
    /// diagnostics. A server that is away for a moment is no reason not to start.
    ///
    /// # Errors
    /// The server cannot be used now.
    pub async fn check(&self) -> Result<(), SmtpError> {
        let check = async {
            let lease = self.connections.lease();
            let connection = lease.take().await?;
            lease.give_back(connection);
            Ok(())
        };
        self.in_time(check).await
    }

    async fn deliver(&self, message: &Message) -> Result<(), SmtpError> {
        let lease = self.connections.lease();
        let mut connection = lease.take().await?;
        let addresses = message.envelope().to();
        let all_ascii = addresses
            .iter()
            .all(|address| AsRef::<str>::as_ref(address).is_ascii());
        if !all_ascii
            && !connection
                .server_info()
                .supports_feature(Extension::SmtpUtfEight)
        {
            lease.give_back(connection);
            return Err(SmtpError::AddressNotAscii);
        }
        let sent = connection
            .send(message.envelope(), &message.formatted())
            .await;
        sent.map_err(|error| failure(&error, SmtpError::Rejected))?;
        lease.give_back(connection);
        Ok(())
    }

    /// The client of `lettre` limits only the connect, so everything is limited here.
    async fn in_time<T>(
        &self,
        task: impl Future<Output = Result<T, SmtpError>>,
    ) -> Result<T, SmtpError> {
        match timeout(self.timeout, task).await {
            Ok(result) => result,
            Err(_) => Err(SmtpError::TimedOut(self.timeout)),
        }
    }
}

#[async_trait]
impl Mailer for SmtpMailer {
    fn name(&self) -> &'static str {
        "smtp"
    }

    async fn send(&self, notice: &Notice) -> Result<(), MailError> {
        let message = self.composer.compose(notice)?;
        Ok(self.in_time(self.deliver(&message)).await?)
    }
}

fn tls_parameters(host: &str, ca: Option<&Path>) -> Result<TlsParameters, SmtpError> {
    let mut parameters = TlsParameters::builder(host.to_owned());
    if let Some(path) = ca {
        let pem = fs::read(path).map_err(|source| SmtpError::UnreadableCa {
            path: path.to_owned(),
            source,
        })?;
        let invalid = || SmtpError::InvalidCa {
            path: path.to_owned(),
        };
        // Without a certificate in it, the file would be taken and add nothing.
        let has_certificate = pem
            .windows(CERTIFICATE.len())
            .any(|bytes| bytes == CERTIFICATE);
        let certificate = Certificate::from_pem(&pem).ok().filter(|_| has_certificate);
        parameters = parameters.add_root_certificate(certificate.ok_or_else(invalid)?);
    }
    parameters
        .build()
        .map_err(|error| SmtpError::Tls(error.into()))
}

const CERTIFICATE: &[u8] = b"-----BEGIN CERTIFICATE-----";

/// What an error of the client means; `refusal` is what a negative reply means at this point.
///
/// The client's error is not kept where it repeats what the server said, which may be an address.
pub(crate) fn failure(
    error: &lettre::transport::smtp::Error,
    refusal: impl Fn(SmtpReply) -> SmtpError,
) -> SmtpError {
    let source = || error.source().map(ToString::to_string).unwrap_or_default();
    if let Some(code) = error.status() {
        refusal(SmtpReply::new(code.into(), &source()))
    } else if error.is_response() {
        SmtpError::Protocol
    } else if error.is_client() {
        SmtpError::Unsupported("it offers no way to log in that is known, or not what is needed")
    } else if error.is_tls() {
        SmtpError::Tls(source().into())
    } else {
        SmtpError::Connection(source().into())
    }
}
