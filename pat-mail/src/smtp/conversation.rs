//! The commands of a client on an open connection, and the meaning of the replies.

use lettre::address::Envelope;
use lettre::transport::smtp::Error as ClientError;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail as MailFrom, Rcpt};
use lettre::transport::smtp::extension::{Extension, MailBodyParameter, MailParameter, ServerInfo};
use lettre::transport::smtp::response::{Response, Severity};

use super::error::SmtpError;
use super::reply::SmtpReply;
use super::url::{Login, SmtpUrl};
use crate::message::Mail;

/// Logs in, if the URL has a login.
pub(crate) async fn log_in(
    connection: &mut AsyncSmtpConnection,
    url: &SmtpUrl,
) -> Result<(), SmtpError> {
    let Some(Login { user, password }) = &url.login else {
        return Ok(());
    };
    let offered = connection.server_info();
    if offered.get_auth_mechanism(DEFAULT_MECHANISMS).is_none() {
        return Err(SmtpError::NoLogin);
    }
    let login = Credentials::new(user.clone(), password.clone());
    let refusal = |reply: SmtpReply| SmtpError::LoginRefused(reply.without_text());
    let reply = connection.auth(DEFAULT_MECHANISMS, &login).await;
    expect(reply, Severity::PositiveCompletion, refusal)
}

/// Sends a message.
///
/// Each reply must be one that its command can have. The client of `lettre` continues after any positive
/// reply: with a server that is one reply behind, it would take the request for the message for its
/// acceptance.
pub(crate) async fn send(
    connection: &mut AsyncSmtpConnection,
    mail: &Mail,
) -> Result<(), SmtpError> {
    let (envelope, message) = (mail.envelope(), mail.formatted());
    let parameters = parameters(connection.server_info(), envelope)?;
    let from = MailFrom::new(envelope.from().cloned(), parameters);
    let completed = |reply| expect(reply, Severity::PositiveCompletion, SmtpError::Rejected);
    completed(connection.command(from).await)?;
    for address in envelope.to() {
        completed(
            connection
                .command(Rcpt::new(address.clone(), Vec::new()))
                .await,
        )?;
    }
    let reply = connection.command(Data).await;
    expect(reply, Severity::PositiveIntermediate, SmtpError::Rejected)?;
    completed(connection.message(&message).await)
}

/// Returns the parameters that addresses with non-ASCII characters need (RFC 6531, section 3.4).
fn parameters(offered: &ServerInfo, envelope: &Envelope) -> Result<Vec<MailParameter>, SmtpError> {
    let is_ascii = |address: &lettre::Address| AsRef::<str>::as_ref(address).is_ascii();
    let is_recipient_ascii = envelope.to().iter().all(is_ascii);
    if is_recipient_ascii && envelope.from().is_none_or(is_ascii) {
        return Ok(Vec::new());
    }
    let needed = [Extension::SmtpUtfEight, Extension::EightBitMime];
    if needed.into_iter().all(|it| offered.supports_feature(it)) {
        let body = MailParameter::Body(MailBodyParameter::EightBitMime);
        return Ok(vec![MailParameter::SmtpUtfEight, body]);
    }
    Err(if is_recipient_ascii {
        SmtpError::SenderNotAscii
    } else {
        SmtpError::AddressNotAscii
    })
}

fn expect(
    reply: Result<Response, ClientError>,
    severity: Severity,
    refusal: impl Fn(SmtpReply) -> SmtpError,
) -> Result<(), SmtpError> {
    let reply = reply.map_err(|error| SmtpError::from_client(error, refusal))?;
    if reply.code().severity == severity {
        Ok(())
    } else {
        Err(SmtpError::Protocol)
    }
}
