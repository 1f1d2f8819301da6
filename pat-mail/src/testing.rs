//! Access to the SMTP client for the fuzz tests of this repository. Behind the feature `testing`.

use std::net::{Ipv4Addr, SocketAddr};

use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::reply_stream::ReplyStream;
use crate::{Mail, SmtpError, SmtpUrl, conversation, ehlo};

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
