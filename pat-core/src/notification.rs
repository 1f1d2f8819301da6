//! Notifications to the owners of tokens, and the port that sends them.
//!
//! A notification is queued in the transaction of the change that it is about, and sent by a job
//! ([`Pats::deliver_notifications`](crate::Pats::deliver_notifications)). So none is sent for a change
//! that was rolled back, and none is lost when a process dies. If a process dies after it has sent a
//! notification and before it has recorded that, the notification is sent again with the same
//! [`NotificationId`]; this cannot be excluded (RFC 1047).

use std::fmt::{self, Debug, Display};
use std::str::FromStr;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::BoxError;
use crate::token::{RandomnessError, Token, TokenId, random_u64};

/// A sender of notifications: by mail, to a chat, to a webhook.
///
/// A service may have several; each gets every notification. If one of them fails, only that one gets
/// the notification again.
///
/// ```
/// use async_trait::async_trait;
/// use pat_core::notification::{Notification, Notifier, NotifyError};
///
/// /// Prints notifications.
/// #[derive(Debug)]
/// struct Console;
///
/// #[async_trait]
/// impl Notifier for Console {
///     fn name(&self) -> &str {
///         "console"
///     }
///
///     async fn send(&self, notification: &Notification) -> Result<(), NotifyError> {
///         println!("{}: {}", notification.recipient.full_name, notification.kind);
///         Ok(())
///     }
/// }
/// ```
#[async_trait]
pub trait Notifier: Debug + Send + Sync + 'static {
    /// Returns the notifier's name, which must be unique in the service and never change: 1 to 32
    /// lower-case letters, digits and hyphens, such as `smtp`.
    fn name(&self) -> &str;

    /// Sends one notification. Called for several notifications concurrently, and cancelled after two
    /// minutes.
    ///
    /// # Errors
    /// [`NotifyError::Temporary`] to try again later, [`NotifyError::Permanent`] to give up.
    async fn send(&self, notification: &Notification) -> Result<(), NotifyError>;
}

/// The reason that a notification was not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotifyError {
    /// A later attempt may succeed: no connection, a busy server, a wrong password in the settings.
    #[error("the notification could not be sent now")]
    Temporary(#[source] BoxError),
    /// No attempt can succeed, for example because the address does not exist. The notification becomes
    /// a dead letter.
    #[error("the notification cannot be sent")]
    Permanent(#[source] BoxError),
}

/// The event that a notification is about. `Display`, `FromStr` and serde use the
/// [name](NotificationKind::as_str).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum NotificationKind {
    /// A token was created.
    Created,
    /// A token expires within `atlassian.pats.expiry.warning.days`.
    ExpiresSoon,
    /// A token has expired.
    Expired,
    /// An expired token was deleted.
    Pruned,
    /// An administrator revoked a token.
    RevokedByAdmin,
}

impl NotificationKind {
    /// All kinds.
    pub const ALL: [Self; 5] = [
        Self::Created,
        Self::ExpiresSoon,
        Self::Expired,
        Self::Pruned,
        Self::RevokedByAdmin,
    ];

    /// Returns the fixed name for files, logs and metrics: `created`, `expires-soon`, `expired`,
    /// `pruned` or `revoked-by-admin`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::ExpiresSoon => "expires-soon",
            Self::Expired => "expired",
            Self::Pruned => "pruned",
            Self::RevokedByAdmin => "revoked-by-admin",
        }
    }

    /// Returns the fixed number for stores. Numbers are never changed or reused.
    #[must_use]
    pub const fn number(self) -> i64 {
        match self {
            Self::Created => 1,
            Self::ExpiresSoon => 2,
            Self::Expired => 3,
            Self::Pruned => 4,
            Self::RevokedByAdmin => 5,
        }
    }

    /// Returns the kind with this [number](NotificationKind::number); `None` if this version has none.
    #[must_use]
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }
}

impl FromStr for NotificationKind {
    type Err = InvalidNotificationKind;

    /// Parses the [name](NotificationKind::as_str).
    ///
    /// # Errors
    /// [`InvalidNotificationKind`] for any other text.
    fn from_str(name: &str) -> Result<Self, InvalidNotificationKind> {
        let found = Self::ALL.into_iter().find(|kind| kind.as_str() == name);
        found.ok_or(InvalidNotificationKind)
    }
}

/// The error for text that is not the name of a [`NotificationKind`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a notification's kind is created, expires-soon, expired, pruned or revoked-by-admin")]
pub struct InvalidNotificationKind;

impl fmt::Display for NotificationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The ID of a queued notification, 0 to 2⁵³ − 1: the same for every attempt to send it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NotificationId(i64);

const MAX_ID: i64 = (1 << 53) - 1;

impl NotificationId {
    /// Returns the ID with this number; `None` unless it is 0 to 2⁵³ − 1.
    #[must_use]
    pub const fn new(number: i64) -> Option<Self> {
        match number {
            0..=MAX_ID => Some(Self(number)),
            _ => None,
        }
    }

    /// Generates a random ID.
    ///
    /// # Errors
    /// [`RandomnessError`] if the operating system's random number generator fails.
    pub fn random() -> Result<Self, RandomnessError> {
        Ok(Self((random_u64()? >> 11).cast_signed()))
    }

    /// Returns the number.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for NotificationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.0, f)
    }
}

/// A notification to an owner. It contains no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Notification {
    /// Its ID, the same for every attempt.
    pub id: NotificationId,
    /// The event that it is about.
    pub kind: NotificationKind,
    /// The owner who is notified.
    pub recipient: Recipient,
    /// The tokens it is about, by expiry (never last) and then by ID; at least one. An owner's tokens
    /// that are due together share a notification.
    pub tokens: Vec<NotificationToken>,
    /// The full name of the administrator who revoked; `None` for other kinds.
    pub by: Option<String>,
    /// The administrator's reason, if given.
    pub reason: Option<String>,
    /// How many tokens of the recipient that were created with these, directly or through others,
    /// still authenticate; 0 for other kinds than [`NotificationKind::RevokedByAdmin`].
    pub live_children: u64,
    /// When it was queued.
    pub queued_at: Timestamp,
    /// The URL of the host (`pat.base.url`), without a slash at the end; `None` if not set.
    pub base_url: Option<String>,
}

impl Notification {
    /// Creates a notification without an administrator, a reason, live children and the host's URL.
    #[must_use]
    pub const fn new(
        id: NotificationId,
        kind: NotificationKind,
        recipient: Recipient,
        tokens: Vec<NotificationToken>,
        queued_at: Timestamp,
    ) -> Self {
        Self {
            id,
            kind,
            recipient,
            tokens,
            by: None,
            reason: None,
            live_children: 0,
            queued_at,
            base_url: None,
        }
    }
}

/// The recipient of a notification.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recipient {
    /// The recipient's full name.
    pub full_name: String,
    /// The recipient's mail address, as the directory returns it, unchecked.
    pub email: String,
}

impl Recipient {
    /// Creates a recipient.
    #[must_use]
    pub fn new(full_name: impl Into<String>, email: impl Into<String>) -> Self {
        Self {
            full_name: full_name.into(),
            email: email.into(),
        }
    }
}

impl fmt::Debug for Recipient {
    /// Hides the address, which must not appear in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recipient(..)")
    }
}

/// A token of a notification, as it was when the notification was queued.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotificationToken {
    /// Its ID.
    pub id: TokenId,
    /// Its name, as its owner gave it. A name that an older version stored may contain bidi controls
    /// and line separators ([`text`](crate::text)).
    pub name: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it expires or has expired; `None` for never.
    pub expires_at: Option<Timestamp>,
    /// When it was last used; `None` if never.
    pub last_used_at: Option<Timestamp>,
}

impl NotificationToken {
    /// Creates a token that never expires and is unused.
    #[must_use]
    pub fn new(id: TokenId, name: impl Into<String>, created_at: Timestamp) -> Self {
        Self {
            id,
            name: name.into(),
            created_at,
            expires_at: None,
            last_used_at: None,
        }
    }

    /// Returns the sort key of a notification's tokens: the expiry, [`Timestamp::MAX`] for never, and
    /// the ID.
    #[must_use]
    pub fn order(&self) -> (Timestamp, TokenId) {
        (self.expires_at.unwrap_or(Timestamp::MAX), self.id)
    }
}

impl From<&Token> for NotificationToken {
    fn from(token: &Token) -> Self {
        Self {
            id: token.id,
            name: token.name.clone(),
            created_at: token.created_at,
            expires_at: token.expires_at,
            last_used_at: token.last_used_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_in_the_range_of_those_that_are_drawn() {
        for number in [0, 1, MAX_ID] {
            assert_eq!(
                NotificationId::new(number).map(NotificationId::get),
                Some(number)
            );
        }
        for number in [i64::MIN, -1, MAX_ID + 1, i64::MAX] {
            assert_eq!(NotificationId::new(number), None, "{number}");
        }
        let drawn = NotificationId::random().expect("randomness");
        assert_eq!(NotificationId::new(drawn.get()), Some(drawn));
    }

    #[test]
    fn each_kind_has_a_number_and_a_name_of_its_own() {
        for kind in NotificationKind::ALL {
            assert_eq!(NotificationKind::from_number(kind.number()), Some(kind));
            assert_eq!(kind.to_string().parse(), Ok(kind));
            let json = serde_json::to_string(&kind).expect("JSON");
            assert_eq!(json, format!("\"{kind}\""));
        }
        assert_eq!(NotificationKind::from_number(0), None);
        assert_eq!(NotificationKind::from_number(6), None);
    }
}
