//! What a client says on a connection, and what it makes of the replies.

use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::extension::Extension;

use crate::error::SmtpError;
use crate::message::Mail;
use crate::url::{Login, SmtpUrl};

/// Logs in, if the URL has a login.
pub(crate) async fn log_in(
    connection: &mut AsyncSmtpConnection,
    url: &SmtpUrl,
) -> Result<(), SmtpError> {
    let Some(Login { user, password }) = &url.login else {
        return Ok(());
    };
    let login = Credentials::new(user.clone(), password.clone());
    let reply = connection.auth(DEFAULT_MECHANISMS, &login).await;
    reply.map_err(|error| {
        if error.is_client() {
            SmtpError::NoLogin
        } else {
            SmtpError::from_client(error, |reply| SmtpError::LoginRefused(reply.without_text()))
        }
    })?;
    Ok(())
}

/// Sends a message.
pub(crate) async fn send(
    connection: &mut AsyncSmtpConnection,
    mail: &Mail,
) -> Result<(), SmtpError> {
    let envelope = mail.envelope();
    let addresses = envelope.to();
    let all_ascii = addresses
        .iter()
        .all(|address| AsRef::<str>::as_ref(address).is_ascii());
    let extensions = connection.server_info();
    if !all_ascii && !extensions.supports_feature(Extension::SmtpUtfEight) {
        return Err(SmtpError::AddressNotAscii);
    }
    let sent = connection.send(envelope, &mail.formatted()).await;
    sent.map_err(|error| SmtpError::from_client(error, SmtpError::Rejected))?;
    Ok(())
}
