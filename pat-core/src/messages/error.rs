use std::fmt;

/// The reason that a file of messages cannot be used: every problem of the file, with its line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct MessagesError {
    language: String,
    problems: Vec<String>,
}

impl MessagesError {
    pub(super) fn new(language: &str, problems: Vec<String>) -> Self {
        Self {
            language: language.to_owned(),
            problems,
        }
    }

    /// Returns the problems in the order of their lines, such as `line 12: there is no message craete-token; did you
    /// mean create-token?`.
    pub fn problems(&self) -> impl Iterator<Item = &str> {
        self.problems.iter().map(String::as_str)
    }
}

impl fmt::Display for MessagesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { language, problems } = self;
        write!(
            f,
            "the messages in {language} are wrong: {}",
            problems.join("; ")
        )
    }
}

/// The reason that a message cannot be formatted: code or a template names a message that does not exist, or lacks an
/// argument of the message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// There is no message with this ID.
    #[error("there is no message {id}")]
    #[non_exhaustive]
    UnknownMessage {
        /// ID that was passed to [`Messages::format`](super::Messages::format).
        id: String,
    },
    /// An argument of the message is missing.
    #[error("the message {id} needs {}", arguments.join(", "))]
    #[non_exhaustive]
    MissingArguments {
        /// ID of the message.
        id: String,
        /// The missing arguments, each with a dollar sign before its name.
        arguments: Vec<String>,
    },
}
