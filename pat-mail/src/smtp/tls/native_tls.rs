use std::error::Error;
use std::io;
use std::path::Path;

use async_trait::async_trait;
use native_tls::{Certificate, Protocol, TlsConnector, TlsConnectorBuilder};
use tokio::net::TcpStream;

use super::{Stream, Tls, invalid_pem, read_pem};
use crate::smtp::error::SmtpError;

struct Connector {
    connector: tokio_native_tls::TlsConnector,
    server: String,
}

/// Sets up TLS with the library of the system, which trusts the roots of the system.
pub(in crate::smtp) fn set_up(host: &str, ca: Option<&Path>) -> Result<Box<dyn Tls>, SmtpError> {
    let mut builder = TlsConnector::builder();
    builder.min_protocol_version(Some(Protocol::Tlsv12));
    if let Some(path) = ca {
        add_roots(&mut builder, path)?;
    }
    let connector = builder.build();
    Ok(Box::new(Connector {
        connector: connector
            .map_err(|error| SmtpError::Tls(error.into()))?
            .into(),
        server: host.to_owned(),
    }))
}

#[async_trait]
impl Tls for Connector {
    async fn connect(&self, tcp: TcpStream) -> Result<Box<dyn Stream>, SmtpError> {
        match self.connector.connect(&self.server, tcp).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) if is_lost_connection(&error) => Err(SmtpError::Connection(error.into())),
            Err(error) => Err(SmtpError::Tls(error.into())),
        }
    }
}

fn is_lost_connection(error: &native_tls::Error) -> bool {
    std::iter::successors(error.source(), |&error| error.source()).any(<dyn Error>::is::<io::Error>)
}

fn add_roots(builder: &mut TlsConnectorBuilder, path: &Path) -> Result<(), SmtpError> {
    let certificates = Certificate::stack_from_pem(&read_pem(path)?);
    let certificates = certificates.map_err(|_| invalid_pem(path))?;
    // A file without a certificate would be accepted without an effect.
    if certificates.is_empty() {
        return Err(invalid_pem(path));
    }
    for certificate in certificates {
        builder.add_root_certificate(certificate);
    }
    Ok(())
}
