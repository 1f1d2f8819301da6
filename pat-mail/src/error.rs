//! What can go wrong: at the start, in what the operator wrote; later, with one notification.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use pat_core::{BoxError, NotifyError};

use crate::SmtpReply;

/// Why a [`Composer`](crate::Composer) cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ComposerError {
    /// The sender is no mail address, with or without a name.
    #[error("the sender must be like \"Example <noreply@example.com>\"")]
    InvalidFrom(#[source] BoxError),
    /// The page of the tokens is no path.
    #[error("the token page must be a path that starts with one slash, without spaces")]
    InvalidTokenPage,
    /// A template or its folder cannot be read.
    #[error("templates cannot be read from {}", path.display())]
    UnreadableTemplate {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// There is no template of this name.
    #[error(
        "there is no template {name}: a folder is named as a notification, such as expired, and holds \
         subject.txt, body.txt and body.html"
    )]
    UnknownTemplate {
        /// The name or file that was given.
        name: String,
    },
    /// A template is wrong: it cannot be parsed, or it fails with sample data.
    #[error("the template {template} is wrong at line {line}")]
    InvalidTemplate {
        /// Its file, or its name where it came from no file.
        template: String,
        /// The line, from 1.
        line: usize,
        /// What the template engine says.
        source: BoxError,
    },
}

/// Why a notification does not become a mail.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ComposeError {
    /// The directory gave something that is no mail address.
    #[error("the recipient's mail address is not valid")]
    InvalidRecipient,
    /// The notification is about no token.
    #[error("the notification has no tokens")]
    NoTokens,
    /// A host's template fails with this notification.
    #[error("the template {template} fails at line {line}")]
    Template {
        /// Its file, or its name where it came from no file.
        template: String,
        /// The line, from 1.
        line: usize,
        /// What the template engine says.
        source: BoxError,
    },
    /// The parts do not make a message.
    #[error("the message cannot be put together")]
    Message(#[source] BoxError),
}

impl From<ComposeError> for NotifyError {
    /// A template can be mended; a bad address stays bad.
    fn from(error: ComposeError) -> Self {
        match error {
            ComposeError::Template { .. } => Self::Temporary(error.into()),
            _ => Self::Permanent(error.into()),
        }
    }
}

/// What is wrong with an SMTP URL. It never repeats what was given, which may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SmtpUrlError {
    /// It is no URL at all.
    #[error("the SMTP URL must be like smtp://user:password@host:587 or smtps://host:465")]
    NotAUrl,
    /// The scheme is another one.
    #[error("the scheme of the SMTP URL must be smtp or smtps")]
    Scheme,
    /// The host is missing or no host name or address.
    #[error("the host of the SMTP URL must be a host name or an IP address")]
    Host,
    /// The port is 0.
    #[error("the port of the SMTP URL must be 1 to 65535")]
    Port,
    /// There is a path or a fragment.
    #[error("the SMTP URL must have no path and no fragment; use ca= and the like after a ?")]
    Path,
    /// There is a user without a password, or a password without a user.
    #[error("the SMTP URL must have both a user and a password, or neither")]
    Login,
    /// The percent-encoding of this part is not UTF-8, or it has control characters.
    #[error("the {0} in the SMTP URL must be percent-encoded UTF-8 without control characters")]
    Encoding(&'static str),
    /// A parameter is not known.
    #[error("the parameters of the SMTP URL are tls, ca, timeout and ehlo")]
    UnknownParameter,
    /// A parameter is there twice.
    #[error("the parameter {0} is in the SMTP URL twice")]
    RepeatedParameter(&'static str),
    /// `tls` has another value.
    #[error("tls in the SMTP URL must be starttls or none")]
    Tls,
    /// `tls` is given with `smtps`.
    #[error("an smtps URL uses TLS from the start: leave tls out, or use smtp with tls=starttls")]
    TlsWithSmtps,
    /// `tls=none` is given for a host that is not this machine.
    #[error("tls=none in the SMTP URL is for localhost, 127.0.0.0/8 and [::1] only")]
    PlainToRemote,
    /// `ca` is given, but no TLS is used.
    #[error("ca in the SMTP URL needs TLS: use tls=starttls or smtps")]
    CaWithoutTls,
    /// `ca` is empty.
    #[error("ca in the SMTP URL must be the path of a PEM file")]
    Ca,
    /// `timeout` is no number of seconds in the allowed range.
    #[error("timeout in the SMTP URL must be 1 to 100 seconds")]
    Timeout,
    /// `ehlo` is no host name and no address in brackets.
    #[error(
        "ehlo in the SMTP URL must be a host name such as app.example.com, or an address in \
         brackets such as [192.0.2.1] or [IPv6:2001:db8::1]"
    )]
    Ehlo,
}

/// Why an [`SmtpMailer`](crate::SmtpMailer) cannot be made, or did not send.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SmtpError {
    /// The file with the trusted root certificate cannot be read.
    #[error("the root certificate cannot be read from {}", path.display())]
    UnreadableCa {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file has no certificate in PEM.
    #[error("there is no certificate in {}", path.display())]
    InvalidCa {
        /// The file.
        path: PathBuf,
    },
    /// TLS cannot be set up, or not with this server.
    #[error("TLS with the mail server failed")]
    Tls(#[source] BoxError),
    /// There is no connection, or it broke.
    #[error("the connection to the mail server failed")]
    Connection(#[source] BoxError),
    /// The server took too long.
    #[error("the mail server did not finish within {} seconds", .0.as_secs())]
    TimedOut(Duration),
    /// The server refuses to serve anybody, or us; the message was not tried.
    #[error("the mail server refuses to serve us: {0}")]
    Refused(SmtpReply),
    /// The server refuses the user name or the password.
    #[error("the mail server refuses our login: {0}")]
    LoginRefused(SmtpReply),
    /// The server knows neither `PLAIN` nor `LOGIN`.
    #[error("the mail server offers no known way to log in, though a login is configured")]
    NoLogin,
    /// The server does not offer STARTTLS, so it gets neither the login nor the message.
    #[error("the mail server does not offer STARTTLS, which is required")]
    NoStartTls,
    /// The server refuses the message.
    #[error("the mail server refuses the message: {0}")]
    Rejected(SmtpReply),
    /// The recipient's address is not ASCII, and the server does not take such addresses.
    #[error("the mail server does not take the recipient's kind of address (SMTPUTF8)")]
    AddressNotAscii,
    /// The server says something that is not SMTP.
    #[error("the mail server's answer is not SMTP")]
    Protocol,
}

impl From<SmtpError> for NotifyError {
    /// Only a refusal of this very message or recipient is final. What the server says before it
    /// has seen them, or about our login, says nothing about them.
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
