//! The health of a service on one node: what [`Pats::health`](crate::Pats::health) finds, with what to do.

use std::borrow::Cow;
use std::fmt;

/// What [`Pats::health`](crate::Pats::health) has found on this node. It contains no secret.
///
/// ```
/// # use pat_core::{MemoryStore, Pats};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// # let pats = Pats::builder(std::sync::Arc::new(MemoryStore::default())).build();
/// let health = pats.health().await;
/// for check in health.problems() {
///     eprintln!("{}: {} {}", check.part(), check.message(), check.advice().unwrap_or_default());
/// }
/// assert!(health.is_ready());
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Health {
    checks: Vec<Check>,
}

impl Health {
    pub(crate) fn add(&mut self, check: Check) {
        self.checks.push(check);
    }

    /// Returns whether this node can do its work: no check has failed. This is the result of
    /// [`Pats::ready`](crate::Pats::ready).
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let mut checks = self.checks.iter();
        !checks.any(|check| check.status == Status::Failed)
    }

    /// Returns all checks that were made. After the failure of the database, those that need it are left out.
    #[must_use]
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// Returns the checks that are not [`Status::Ok`].
    pub fn problems(&self) -> impl Iterator<Item = &Check> {
        let checks = self.checks.iter();
        checks.filter(|check| check.status != Status::Ok)
    }
}

/// One check of [`Health`]: a part of the service, its status, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    part: Part,
    status: Status,
    message: Cow<'static, str>,
    advice: Option<&'static str>,
}

impl Check {
    pub(crate) fn ok(part: Part, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            part,
            status: Status::Ok,
            message: message.into(),
            advice: None,
        }
    }

    pub(crate) fn warning(
        part: Part,
        message: impl Into<Cow<'static, str>>,
        advice: &'static str,
    ) -> Self {
        Self {
            status: Status::Warning,
            advice: Some(advice),
            ..Self::ok(part, message)
        }
    }

    pub(crate) fn failed(
        part: Part,
        message: impl Into<Cow<'static, str>>,
        advice: &'static str,
    ) -> Self {
        Self {
            status: Status::Failed,
            ..Self::warning(part, message, advice)
        }
    }

    pub(crate) fn with_message(self, message: String) -> Self {
        let message = message.into();
        Self { message, ..self }
    }

    /// Returns the part that was checked.
    #[must_use]
    pub fn part(&self) -> Part {
        self.part
    }

    /// Returns the status of the part.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// Returns what was found, for the operator.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns what the operator can do; `None` if there is nothing to do.
    #[must_use]
    pub fn advice(&self) -> Option<&str> {
        self.advice
    }
}

/// The status of a part of the service, in [`Check`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Status {
    /// The part works.
    Ok,
    /// The node does its work, but slower or not all of it, or will not do it for long.
    Warning,
    /// The node cannot do its work.
    Failed,
}

impl Status {
    /// Returns the fixed name of the status: `ok`, `warning` or `failed`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A part of the service, in [`Check`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// The database answers.
    Database,
    /// This version of the crate may use the database's tables.
    Schema,
    /// The database stores this node's reports, and returns them.
    Writes,
    /// The database's clock agrees with the store's [mark](crate::store::StoreTime::mark).
    Clock,
    /// This node has read the changes of the other nodes, so that it trusts its cache.
    Feed,
    /// Notifications are sent.
    Outbox,
    /// The jobs of this node run.
    Jobs,
    /// The host's directory, notifiers, event sinks and sessions work.
    PlugIns,
    /// The settings have the effect that they promise.
    Settings,
}

impl Part {
    /// Returns the fixed name of the part: `database`, `schema`, `writes`, `clock`, `feed`, `outbox`, `jobs`,
    /// `plug-ins` or `settings`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Schema => "schema",
            Self::Writes => "writes",
            Self::Clock => "clock",
            Self::Feed => "feed",
            Self::Outbox => "outbox",
            Self::Jobs => "jobs",
            Self::PlugIns => "plug-ins",
            Self::Settings => "settings",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
