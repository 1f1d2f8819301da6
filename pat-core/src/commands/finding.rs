use std::fmt::{self, Debug};

use async_trait::async_trait;

/// A check of a host's own, which the command `doctor` runs beside the others.
///
/// ```
/// use pat_core::async_trait;
/// use pat_core::commands::{DoctorCheck, Finding};
///
/// /// Checks the folder of mails.
/// #[derive(Debug)]
/// struct MailFolder;
///
/// #[async_trait]
/// impl DoctorCheck for MailFolder {
///     async fn run(&self) -> Vec<Finding> {
///         vec![match std::fs::metadata("mails") {
///             Ok(_) => Finding::ok("mails", "the folder exists"),
///             Err(error) => Finding::failed("mails", error.to_string(), "create the folder"),
///         }]
///     }
/// }
/// ```
#[async_trait]
pub trait DoctorCheck: Debug + Send + Sync + 'static {
    /// Runs the check, and returns what it found. The command cancels it after half a minute.
    async fn run(&self) -> Vec<Finding>;
}

/// A check of the way from clients to the host, which the command `doctor` runs with the URL of `--url`.
/// `pat_tower::proxy_probe::ProxyProbe` is one.
#[async_trait]
pub trait UrlCheck: Debug + Send + Sync + 'static {
    /// Runs the check at this URL, and returns what it found. The command cancels it after half a minute.
    async fn run(&self, url: &str) -> Vec<Finding>;
}

/// Something that the command `doctor` has found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// Whether it is in order.
    pub level: Level,
    /// What was checked, in a word or two, such as `database`.
    pub subject: String,
    /// What was found, in a phrase. It must contain no secret.
    pub text: String,
    /// What the operator can do about it; `None` if it is in order.
    pub advice: Option<String>,
}

/// Whether a [`Finding`] is in order.
///
/// This enum is exhaustive: the exit code of `doctor` depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// It is in order.
    Ok,
    /// The server works, but not as well as it could.
    Warning,
    /// The server does not work, or not as promised.
    Failed,
}

impl Finding {
    /// Creates a finding that something is in order.
    #[must_use]
    pub fn ok(subject: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            level: Level::Ok,
            subject: subject.into(),
            text: text.into(),
            advice: None,
        }
    }

    /// Creates a finding that something could be better.
    #[must_use]
    pub fn warning(
        subject: impl Into<String>,
        text: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            level: Level::Warning,
            advice: Some(advice.into()),
            ..Self::ok(subject, text)
        }
    }

    /// Creates a finding that something does not work.
    #[must_use]
    pub fn failed(
        subject: impl Into<String>,
        text: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            level: Level::Failed,
            advice: Some(advice.into()),
            ..Self::ok(subject, text)
        }
    }
}

impl Level {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
