//! Errors: of the configuration at the start, and of single notifications later.

use std::io;
use std::path::PathBuf;

use pat_core::BoxError;
use pat_core::notification::NotifyError;

/// The reason that a [`Composer`](crate::Composer) cannot be built;
/// [`ComposerBuilder::build`](crate::ComposerBuilder::build) returns it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ComposerError {
    /// The sender is not a mail address such as `noreply@example.com` or
    /// `Example <noreply@example.com>`. The value is the error of the parser.
    #[error("the sender must be like \"Example <noreply@example.com>\"")]
    InvalidFrom(#[source] BoxError),
    /// The path that was passed to [`ComposerBuilder::token_page`](crate::ComposerBuilder::token_page)
    /// does not begin with exactly one slash, or contains white space or a control character.
    #[error("the token page must be a path that begins with one slash, without spaces")]
    InvalidTokenPage,
    /// The path that was passed to [`ComposerBuilder::creation_page`](crate::ComposerBuilder::creation_page) does not
    /// begin with exactly one slash, or contains white space or a control character.
    #[error("the creation page must be a path that begins with one slash, without spaces")]
    InvalidCreationPage,
    /// The path that was passed to [`ComposerBuilder::replacement_page`](crate::ComposerBuilder::replacement_page)
    /// does not contain `{id}`, does not begin with exactly one slash, or contains white space or a control
    /// character.
    #[error(
        "the replacement page must be a path that begins with one slash, without spaces, and with {{id}} for the \
         ID of the token"
    )]
    InvalidReplacementPage,
    /// A template file, or a folder of templates, cannot be read.
    #[error("templates cannot be read from {}", path.display())]
    #[non_exhaustive]
    UnreadableTemplate {
        /// Path of the file or folder that cannot be read.
        path: PathBuf,
        /// The error that the operating system returned for that path.
        source: io::Error,
    },
    /// A template has a name that is not in the [list of names](crate#templates): its folder is not the name
    /// of a kind of notification, as in `expires_soon/body.txt`; or its file in such a folder is none of
    /// `subject.txt`, `body.txt` and `body.html`; or its name begins with a dot, or ends in neither `.txt` nor
    /// `.html`. A folder of templates may have files of the last two sorts, which are ignored.
    #[error(
        "there is no template {name}: a folder has the name of a kind, such as expired, and holds \
         subject.txt, body.txt and body.html"
    )]
    #[non_exhaustive]
    UnknownTemplate {
        /// The name that was passed to [`ComposerBuilder::template`](crate::ComposerBuilder::template). For a
        /// file in a folder of templates, the path of the file, which begins with the path of the folder.
        name: String,
    },
    /// A template cannot be parsed, or cannot be rendered with the sample data with which
    /// [`ComposerBuilder::build`](crate::ComposerBuilder::build) tries every template.
    #[error("the template {template} is wrong at line {line}")]
    #[non_exhaustive]
    InvalidTemplate {
        /// The path of the template's file: the folder that was passed to
        /// [`ComposerBuilder::templates_from`](crate::ComposerBuilder::templates_from), which may be
        /// relative, with the name of the template. For a template that does not come from a folder, only
        /// its name, such as `expired/body.txt`.
        template: String,
        /// The line of the template in which the error is, counted from 1.
        line: usize,
        /// The error that the template engine, MiniJinja, returned for the template.
        source: BoxError,
    },
}

/// The reason that a [`Composer`](crate::Composer) cannot compose the mail of a notification.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ComposeError {
    /// The address of the recipient, which comes from the host's user directory, is not a mail address.
    #[error("the recipient's mail address is not valid")]
    InvalidRecipient,
    /// The list of tokens in the notification is empty.
    #[error("the notification has no tokens")]
    NoTokens,
    /// A template of the host cannot be rendered with this notification, although
    /// [`ComposerBuilder::build`](crate::ComposerBuilder::build) could render it with sample data.
    #[error("the template {template} fails at line {line}")]
    #[non_exhaustive]
    Template {
        /// The path of the template's file: the folder that was passed to
        /// [`ComposerBuilder::templates_from`](crate::ComposerBuilder::templates_from), which may be
        /// relative, with the name of the template. For a template that does not come from a folder, only
        /// its name, such as `expired/body.txt`.
        template: String,
        /// The line of the template in which the error is, counted from 1.
        line: usize,
        /// The error that the template engine, MiniJinja, returned for the template.
        source: BoxError,
    },
    /// The subject, the plain text and the HTML cannot be assembled into a message.
    #[error("the message cannot be assembled")]
    Message(#[source] BoxError),
}

impl From<ComposeError> for NotifyError {
    /// Converts [`ComposeError::Template`] to a temporary error, because the host can correct the
    /// template, and every other error to a permanent error.
    fn from(error: ComposeError) -> Self {
        match error {
            ComposeError::Template { .. } => Self::Temporary(error.into()),
            _ => Self::Permanent(error.into()),
        }
    }
}
