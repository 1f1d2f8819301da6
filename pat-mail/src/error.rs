//! Errors: of the configuration at the start, and of single notifications later.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use lettre::transport::smtp::Error as ClientError;
use pat_core::BoxError;
use pat_core::notification::NotifyError;

use crate::reply::SmtpReply;

/// The reason that a [`Composer`](crate::Composer) cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ComposerError {
    /// The sender is not a mail address, with or without a name.
    #[error("the sender must be like \"Example <noreply@example.com>\"")]
    InvalidFrom(#[source] BoxError),
    /// The token page is not a path that begins with one slash.
    #[error("the token page must be a path that begins with one slash, without spaces")]
    InvalidTokenPage,
    /// A template or its folder cannot be read.
    #[error("templates cannot be read from {}", path.display())]
    #[non_exhaustive]
    UnreadableTemplate {
        /// The file or folder.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The name is not one that a template can have.
    #[error(
        "there is no template {name}: a folder has the name of a kind, such as expired, and holds \
         subject.txt, body.txt and body.html"
    )]
    #[non_exhaustive]
    UnknownTemplate {
        /// The given name or file.
        name: String,
    },
    /// A template cannot be parsed, or fails with sample data.
    #[error("the template {template} is wrong at line {line}")]
    #[non_exhaustive]
    InvalidTemplate {
        /// The file of the template, or its name if it comes from a string.
        template: String,
        /// The line, from 1.
        line: usize,
        /// The error of the template engine.
        source: BoxError,
    },
}

/// The reason that a notification cannot be composed as a mail.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ComposeError {
    /// The recipient's address from the user directory is not a mail address.
    #[error("the recipient's mail address is not valid")]
    InvalidRecipient,
    /// The notification has no token.
    #[error("the notification has no tokens")]
    NoTokens,
    /// A template of the host fails with this notification.
    #[error("the template {template} fails at line {line}")]
    #[non_exhaustive]
    Template {
        /// The file of the template, or its name if it comes from a string.
        template: String,
        /// The line, from 1.
        line: usize,
        /// The error of the template engine.
        source: BoxError,
    },
    /// The text and HTML parts cannot be assembled into a message.
    #[error("the message cannot be assembled")]
    Message(#[source] BoxError),
}

impl From<ComposeError> for NotifyError {
    /// An error of a template is temporary, since the host can correct it; others are permanent.
    fn from(error: ComposeError) -> Self {
        match error {
            ComposeError::Template { .. } => Self::Temporary(error.into()),
            _ => Self::Permanent(error.into()),
        }
    }
}

/// The reason that an [`SmtpMailer`](crate::SmtpMailer) cannot be created, or did not send.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SmtpError {
    /// The file with the trusted root certificate cannot be read.
    #[error("the root certificate cannot be read from {}", path.display())]
    #[non_exhaustive]
    UnreadableCa {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The file has no PEM certificate, or one that cannot be parsed.
    #[error("there is no valid PEM certificate in {}", path.display())]
    #[non_exhaustive]
    InvalidCa {
        /// The file.
        path: PathBuf,
    },
    /// TLS cannot be set up, or the server's certificate is not trusted.
    #[error("TLS with the mail server failed")]
    Tls(#[source] BoxError),
    /// The connection cannot be opened, or broke.
    #[error("the connection to the mail server failed")]
    Connection(#[source] BoxError),
    /// The server took longer than the timeout of the URL.
    #[error("the mail server did not finish within {} seconds", .0.as_secs())]
    TimedOut(Duration),
    /// The server refuses the connection, before the message was sent.
    #[error("the mail server refuses the connection: {0}")]
    Refused(SmtpReply),
    /// The server refuses the user name or the password.
    #[error("the mail server refuses the login: {0}")]
    LoginRefused(SmtpReply),
    /// The URL has a login, but the server offers neither `PLAIN` nor `LOGIN`.
    #[error(
        "the mail server offers neither AUTH PLAIN nor AUTH LOGIN, but the SMTP URL has a login"
    )]
    NoLogin,
    /// The server does not offer STARTTLS; neither the login nor the message was sent.
    #[error("the mail server does not offer STARTTLS, which is required")]
    NoStartTls,
    /// The server refuses the message or its recipient.
    #[error("the mail server refuses the message: {0}")]
    Rejected(SmtpReply),
    /// The recipient's address is not ASCII, and the server does not support SMTPUTF8.
    #[error("the mail server does not support the recipient's address (SMTPUTF8)")]
    AddressNotAscii,
    /// The server sent something that is not SMTP.
    #[error("the mail server's reply is not SMTP")]
    Protocol,
}

impl SmtpError {
    /// Converts an error of the client; `refusal` converts a negative reply.
    ///
    /// It drops the client's error where that repeats the server's reply, which may hold an address.
    pub(crate) fn from_client(error: ClientError, refusal: impl Fn(SmtpReply) -> Self) -> Self {
        if let Some(code) = error.status() {
            let text = error.source().map(ToString::to_string);
            refusal(SmtpReply::new(code.into(), &text.unwrap_or_default()))
        } else if error.is_response() || error.is_client() {
            Self::Protocol
        } else {
            Self::Connection(error.into())
        }
    }

    /// Converts an error of the client during the TLS handshake, which it returns as a connection
    /// error.
    pub(crate) fn from_handshake(error: ClientError) -> Self {
        let is_about_tls = std::iter::successors(error.source(), |&error| error.source())
            .filter_map(|error| error.downcast_ref::<io::Error>())
            .any(|error| error.kind() == io::ErrorKind::InvalidData);
        if is_about_tls {
            Self::Tls(error.into())
        } else {
            Self::from_client(error, Self::Refused)
        }
    }
}

impl From<SmtpError> for NotifyError {
    /// Only a refusal of this message or recipient is permanent. A reply about the login, or before
    /// the server has received the message, concerns neither.
    fn from(error: SmtpError) -> Self {
        let is_final = match &error {
            SmtpError::AddressNotAscii => true,
            SmtpError::Rejected(reply) => reply.is_permanent() && !reply.is_about_login(),
            _ => false,
        };
        if is_final {
            Self::Permanent(error.into())
        } else {
            Self::Temporary(error.into())
        }
    }
}
