use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use lettre::transport::smtp::Error as ClientError;
use pat_core::BoxError;
use pat_core::notification::NotifyError;

use super::reply::SmtpReply;

/// The reason that an [`SmtpMailer`](crate::SmtpMailer) cannot be created, or cannot send a mail.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SmtpError {
    /// The file with trusted root certificates (`ca` of the URL) cannot be read.
    #[error("the root certificate cannot be read from {}", path.display())]
    #[non_exhaustive]
    UnreadableCa {
        /// Path of the file that cannot be read.
        path: PathBuf,
        /// The error that the operating system returned for that path.
        source: io::Error,
    },
    /// The file with trusted root certificates (`ca` of the URL) contains no PEM certificate, or a
    /// certificate that cannot be parsed.
    #[error("there is no valid PEM certificate in {}", path.display())]
    #[non_exhaustive]
    InvalidCa {
        /// Path of the file with the invalid certificates.
        path: PathBuf,
    },
    /// The URL requires TLS, and there is no library for TLS: no such
    /// [feature](crate#tls) of this crate is enabled, or only `rustls`, and the process has no default
    /// `CryptoProvider`.
    #[error(
        "the SMTP URL requires TLS: enable the feature aws-lc-rs, ring or native-tls of pat-mail, or \
         rustls and call CryptoProvider::install_default before"
    )]
    NoTlsLibrary,
    /// TLS cannot be set up, or the server's certificate is not trusted or is for another host.
    #[error("TLS with the mail server failed")]
    Tls(#[source] BoxError),
    /// The connection to the server cannot be opened, or was interrupted.
    #[error("the connection to the mail server failed")]
    Connection(#[source] BoxError),
    /// The attempt took longer than the timeout of the URL, which is the value.
    #[error("the mail server did not finish within {} seconds", .0.as_secs())]
    TimedOut(Duration),
    /// The server refuses the session before the login and the message. The value is the server's reply.
    #[error("the mail server refuses the connection: {0}")]
    Refused(SmtpReply),
    /// The server refuses the user name or the password of the URL. The value is the server's reply,
    /// without its text.
    #[error("the mail server refuses the login: {0}")]
    LoginRefused(SmtpReply),
    /// The URL has a user and a password, but the server offers neither of the authentication mechanisms
    /// `PLAIN` and `LOGIN`.
    #[error(
        "the mail server offers neither AUTH PLAIN nor AUTH LOGIN, but the SMTP URL has a login"
    )]
    NoLogin,
    /// The URL requires STARTTLS, which the server does not offer. The mailer has sent neither the login
    /// nor the message.
    #[error("the mail server does not offer STARTTLS, which is required")]
    NoStartTls,
    /// The server refuses the message, its sender or its recipient. The value is the server's reply.
    #[error("the mail server refuses the message: {0}")]
    Rejected(SmtpReply),
    /// The recipient's address contains non-ASCII characters, and the server does not support SMTPUTF8.
    #[error("the mail server does not support the recipient's address (SMTPUTF8)")]
    AddressNotAscii,
    /// The sender's address contains non-ASCII characters, and the server does not support SMTPUTF8.
    #[error("the mail server does not support the sender's address (SMTPUTF8)")]
    SenderNotAscii,
    /// The server sent a reply that is not valid SMTP, or whose code SMTP does not allow for the command sent.
    /// A refusal (4xx or 5xx) is [`SmtpError::Rejected`] instead.
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

    /// Converts an error of the client before the message is sent.
    pub(crate) fn refused(error: ClientError) -> Self {
        Self::from_client(error, Self::Refused)
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
            Self::refused(error)
        }
    }
}

impl From<SmtpError> for NotifyError {
    /// Converts [`SmtpError::AddressNotAscii`], and [`SmtpError::Rejected`] with a 5xx reply, to a permanent
    /// error, unless the code is 530, 534, 535 or 538: with these codes a server demands a login, which the
    /// operator can correct. Every other error becomes a temporary error, because a later attempt may succeed.
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
