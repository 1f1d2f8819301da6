//! TLS to the mail server, by the library of an enabled feature.
//!
//! The mailer does not use the TLS of `lettre`, since a
//! [`ReplyStream`](super::reply_stream::ReplyStream) has to read the decrypted bytes.

#[cfg(feature = "native-tls")]
pub(super) mod native_tls;
#[cfg(feature = "rustls")]
pub(super) mod rustls;

use std::fmt::Debug;
use std::path::Path;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::error::SmtpError;

/// TLS to one server, whose certificate is always verified.
#[async_trait]
pub(super) trait Tls: Send + Sync {
    /// Performs the handshake on an open connection.
    async fn connect(&self, tcp: TcpStream) -> Result<Box<dyn Stream>, SmtpError>;
}

/// A connection that TLS protects.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin + Debug {}

impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin + Debug> Stream for S {}

/// Sets up TLS to the server of this name, with the root certificates of the system and of a PEM file.
pub(super) type SetUp = fn(&str, Option<&Path>) -> Result<Box<dyn Tls>, SmtpError>;

/// The libraries of the enabled features, in the order of preference: a host that enables `native-tls`
/// wants it even if the default feature `aws-lc-rs` is enabled too.
const LIBRARIES: &[SetUp] = &[
    #[cfg(feature = "native-tls")]
    native_tls::set_up,
    #[cfg(feature = "rustls")]
    rustls::set_up,
];

/// Sets up TLS by the first library.
pub(super) fn set_up(host: &str, ca: Option<&Path>) -> Result<Box<dyn Tls>, SmtpError> {
    let library = LIBRARIES.first().ok_or(SmtpError::NoTlsLibrary)?;
    library(host, ca)
}

#[cfg(any(feature = "native-tls", feature = "rustls"))]
fn read_pem(path: &Path) -> Result<Vec<u8>, SmtpError> {
    std::fs::read(path).map_err(|source| SmtpError::UnreadableCa {
        path: path.to_owned(),
        source,
    })
}

#[cfg(any(feature = "native-tls", feature = "rustls"))]
fn invalid_pem(path: &Path) -> SmtpError {
    SmtpError::InvalidCa {
        path: path.to_owned(),
    }
}
