use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::error::SmtpError;

/// TLS to one server, whose certificate is always verified.
///
/// The mailer does not use the TLS of `lettre`, since a
/// [`ReplyStream`](crate::reply_stream::ReplyStream) has to read the decrypted bytes.
#[derive(Clone)]
pub(crate) struct Tls {
    connector: TlsConnector,
    server: ServerName<'static>,
}

impl Tls {
    /// Trusts the root certificates of the system and of a PEM file.
    pub(crate) fn new(host: &str, ca: Option<&Path>) -> Result<Self, SmtpError> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Some(path) = ca {
            add_roots(&mut roots, path)?;
        }
        let provider = Arc::new(ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| SmtpError::Tls(error.into()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let server = ServerName::try_from(host.to_owned());
        Ok(Self {
            connector: Arc::new(config).into(),
            server: server.map_err(|error| SmtpError::Tls(error.into()))?,
        })
    }

    pub(crate) async fn connect(&self, tcp: TcpStream) -> Result<TlsStream<TcpStream>, SmtpError> {
        let connected = self.connector.connect(self.server.clone(), tcp).await;
        connected.map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => SmtpError::Tls(error.into()),
            _ => SmtpError::Connection(error.into()),
        })
    }
}

fn add_roots(roots: &mut RootCertStore, path: &Path) -> Result<(), SmtpError> {
    let pem = fs::read(path).map_err(|source| SmtpError::UnreadableCa {
        path: path.to_owned(),
        source,
    })?;
    let invalid = || SmtpError::InvalidCa {
        path: path.to_owned(),
    };
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let certificates = certificates.map_err(|_| invalid())?;
    // A file without a certificate would be accepted without an effect.
    if certificates.is_empty() {
        return Err(invalid());
    }
    for certificate in certificates {
        roots.add(certificate).map_err(|_| invalid())?;
    }
    Ok(())
}
