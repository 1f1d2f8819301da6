//! Notifications: what owners are told about their tokens, and the port through which it reaches them.
//!
//! A notification is queued in the same transaction as the change that it tells of, and sent by a job
//! ([`Pats::deliver_notifications`](crate::Pats::deliver_notifications)). So none is sent for a change that was
//! rolled back, and none is lost when a process dies. One that dies at the wrong moment may have
//! its last notification sent again, with the same [`NotificationId`]: nobody can do better (RFC 1047).

use std::fmt::{self, Debug, Display};
use std::str::FromStr;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::BoxError;
use crate::token::{RandomnessError, Token, TokenId, random_u64};

/// Sends notifications: by mail, to a chat, to a webhook.
///
/// Several may be plugged in; each gets every notification. They do not disturb each other: a notification that
/// one of them took and another did not is offered again to the other alone.
#[async_trait]
pub trait Notifier: Debug + Send + Sync + 'static {
    /// A short name that is this mailer's own among those that are plugged in, and stays the same:
    /// 1 to 32 lower-case letters, digits and hyphens, such as `smtp`.
    fn name(&self) -> &str;

    /// Sends one notification. It is called for several notifications at a time, and has two minutes.
    ///
    /// # Errors
    /// It was not sent. [`NotifyError`] says whether to try again.
    async fn send(&self, notification: &Notification) -> Result<(), NotifyError>;
}

/// A shared mailer is a mailer.
#[async_trait]
impl<T: Notifier + ?Sized> Notifier for Arc<T> {
    fn name(&self) -> &str {
        (**self).name()
    }

    async fn send(&self, notification: &Notification) -> Result<(), NotifyError> {
        (**self).send(notification).await
    }
}

/// Why a notification was not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotifyError {
    /// It may go better later: no connection, a busy server, a wrong password of our own.
    #[error("the notification could not be sent now")]
    Temporary(#[source] BoxError),
    /// It never will, such as for an address that does not exist. The notification becomes a dead letter.
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
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Created,
        Self::ExpiresSoon,
        Self::Expired,
        Self::Pruned,
        Self::RevokedByAdmin,
    ];

    /// A fixed name, for files, logs and metrics: `created`, `expires-soon`, `expired`, `pruned` or
    /// `revoked-by-admin`.
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

    /// A fixed number, for stores. Numbers are never changed or reused.
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

    /// The kind of this [number](NotificationKind::number); `None` for one that this version does not know.
    #[must_use]
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }
}

impl FromStr for NotificationKind {
    type Err = InvalidNotificationKind;

    /// Reads the [name](NotificationKind::as_str).
    fn from_str(name: &str) -> Result<Self, InvalidNotificationKind> {
        let found = Self::ALL.into_iter().find(|kind| kind.as_str() == name);
        found.ok_or(InvalidNotificationKind)
    }
}

/// The error for text that names no [`NotificationKind`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a notification's kind is created, expires-soon, expired, pruned or revoked-by-admin")]
pub struct InvalidNotificationKind;

impl fmt::Display for NotificationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The number of a queued notification, 0 to 2⁵³ − 1: the same for every attempt to send it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NotificationId(i64);

/// The largest number of a notification.
const MAX_ID: i64 = (1 << 53) - 1;

impl NotificationId {
    /// The id of this number; `None` if it is out of this range.
    #[must_use]
    pub const fn new(number: i64) -> Option<Self> {
        match number {
            0..=MAX_ID => Some(Self(number)),
            _ => None,
        }
    }

    /// A new id, drawn at random.
    ///
    /// # Errors
    /// The operating system has no randomness to give.
    pub fn random() -> Result<Self, RandomnessError> {
        Ok(Self((random_u64()? >> 11).cast_signed()))
    }

    /// The number.
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

/// What is to be told, to whom. It never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// The same for every attempt.
    pub id: NotificationId,
    /// What it tells.
    pub kind: NotificationKind,
    /// Whom it tells.
    pub recipient: Recipient,
    /// The tokens it is about: one or several, by expiry and then by id. Those of one owner that
    /// fall due together share a notification.
    pub tokens: Vec<NotificationToken>,
    /// The full name of the administrator who revoked; `None` for other kinds.
    pub by: Option<String>,
    /// The administrator's reason, if he gave one.
    pub reason: Option<String>,
    /// How many tokens of the recipient that were created with these, directly or through others, go
    /// on authenticating; 0 for other kinds than [`NotificationKind::RevokedByAdmin`].
    pub live_children: u64,
    /// When it was queued.
    pub queued_at: Timestamp,
    /// Where users reach the host (`pat.base.url`), without a slash at the end.
    pub base_url: Option<String>,
}

/// Whom a notification tells.
#[derive(Clone, PartialEq, Eq)]
pub struct Recipient {
    /// The name people call him.
    pub full_name: String,
    /// His mail address, as the directory gives it.
    pub email: String,
}

impl fmt::Debug for Recipient {
    /// Without the address, which must not get into logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recipient(..)")
    }
}

/// A token as a notification shows it: as it was when the notification was queued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotificationToken {
    /// Its public number.
    pub id: TokenId,
    /// Its name, as its owner gave it. A name that an older version stored may hold bidi controls
    /// and line separators ([`text`](crate::text)).
    pub name: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it expires or has expired; `None` for never.
    pub expires_at: Option<Timestamp>,
    /// When it was last used; `None` if it never was.
    pub last_used_at: Option<Timestamp>,
}

impl NotificationToken {
    /// By expiry, never last, and then by id: the order in a notification.
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
