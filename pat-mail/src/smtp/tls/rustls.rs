use std::io;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{Stream, Tls, invalid_pem, read_pem};
use crate::smtp::error::SmtpError;

/// The crypto providers of the enabled features, in the order of preference: a host that enables `ring`
/// wants it even if the default feature `aws-lc-rs` is enabled too.
const PROVIDERS: &[fn() -> CryptoProvider] = &[
    #[cfg(feature = "ring")]
    rustls::crypto::ring::default_provider,
    #[cfg(feature = "aws-lc-rs")]
    rustls::crypto::aws_lc_rs::default_provider,
];

struct Connector {
    connector: TlsConnector,
    server: ServerName<'static>,
}

/// Sets up TLS with the provider that the host has installed as the default of the process, else with
/// that of an enabled feature.
///
/// `ClientConfig::builder()` is not used: it panics if `rustls` has been built with two providers, one
/// for the host and one for this crate, and none of them is installed.
pub(in crate::smtp) fn set_up(host: &str, ca: Option<&Path>) -> Result<Box<dyn Tls>, SmtpError> {
    let own = || PROVIDERS.first().map(|provider| Arc::new(provider()));
    let provider = CryptoProvider::get_default().cloned().or_else(own);
    set_up_with(provider.ok_or(SmtpError::NoTlsLibrary)?, host, ca)
}

pub(in crate::smtp) fn set_up_with(
    provider: Arc<CryptoProvider>,
    host: &str,
    ca: Option<&Path>,
) -> Result<Box<dyn Tls>, SmtpError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = ca {
        add_roots(&mut roots, path)?;
    }
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| SmtpError::Tls(error.into()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let server = ServerName::try_from(host.to_owned());
    Ok(Box::new(Connector {
        connector: Arc::new(config).into(),
        server: server.map_err(|error| SmtpError::Tls(error.into()))?,
    }))
}

#[async_trait]
impl Tls for Connector {
    async fn connect(&self, tcp: TcpStream) -> Result<Box<dyn Stream>, SmtpError> {
        match self.connector.connect(self.server.clone(), tcp).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                Err(SmtpError::Tls(error.into()))
            }
            Err(error) => Err(SmtpError::Connection(error.into())),
        }
    }
}

fn add_roots(roots: &mut RootCertStore, path: &Path) -> Result<(), SmtpError> {
    let pem = read_pem(path)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let certificates = certificates.map_err(|_| invalid_pem(path))?;
    // A file without a certificate would be accepted without an effect.
    if certificates.is_empty() {
        return Err(invalid_pem(path));
    }
    for certificate in certificates {
        roots.add(certificate).map_err(|_| invalid_pem(path))?;
    }
    Ok(())
}
