//! Access to the SMTP client for the tests of this repository. Behind the feature `testing`.

use std::net::{Ipv4Addr, SocketAddr};

use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream};
use tokio::io::{AsyncRead, AsyncWrite};

use super::SmtpMailer;
use super::error::SmtpError;
use super::reply_stream::ReplyStream;
#[cfg(any(feature = "native-tls", feature = "rustls"))]
use super::tls;
use super::url::SmtpUrl;
use super::{conversation, ehlo};
use crate::message::{Composer, Mail};

/// Creates a mailer, as [`SmtpMailer::new`] does.
pub type NewMailer = fn(Composer, &SmtpUrl) -> Result<SmtpMailer, SmtpError>;

/// The TLS libraries of the enabled features. `rustls` takes the crypto provider that it finds, of which
/// the last two are.
pub const TLS_LIBRARIES: &[(&str, NewMailer)] = &[
    #[cfg(feature = "native-tls")]
    ("native-tls", |composer, url| {
        SmtpMailer::with_tls(composer, url, tls::native_tls::set_up)
    }),
    #[cfg(feature = "rustls")]
    ("rustls", |composer, url| {
        SmtpMailer::with_tls(composer, url, tls::rustls::set_up)
    }),
    #[cfg(feature = "ring")]
    ("ring", |composer, url| {
        SmtpMailer::with_tls(composer, url, |host, ca| {
            let provider = rustls::crypto::ring::default_provider();
            tls::rustls::set_up_with(provider.into(), host, ca)
        })
    }),
    #[cfg(feature = "aws-lc-rs")]
    ("aws-lc-rs", |composer, url| {
        SmtpMailer::with_tls(composer, url, |host, ca| {
            let provider = rustls::crypto::aws_lc_rs::default_provider();
            tls::rustls::set_up_with(provider.into(), host, ca)
        })
    }),
];

/// Sends a mail on an open connection, without TLS whatever the URL says.
///
/// # Errors
/// Any [`SmtpError`] that the replies cause.
pub async fn send_over<S>(stream: S, url: &SmtpUrl, mail: &Mail) -> Result<(), SmtpError>
where
    S: AsyncRead + AsyncWrite + Send + Sync + Unpin + std::fmt::Debug + 'static,
{
    let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, url.port));
    let stream: Box<dyn AsyncTokioStream> = Box::new(ReplyStream::new(stream, peer));
    let name = ehlo::client_id(url.ehlo.as_ref(), peer.ip());
    let connection = AsyncSmtpConnection::connect_with_transport(stream, &name).await;
    let mut connection = connection.map_err(SmtpError::refused)?;
    conversation::log_in(&mut connection, url).await?;
    conversation::send(&mut connection, mail).await
}
