//! Notifications to the owners of tokens, and the port that sends them.
//!
//! The store queues a notification in the transaction of the change that the notification is about, and a
//! job sends it ([`Pats::deliver_notifications`](crate::Pats::deliver_notifications)). So no notification
//! is sent for a change that was rolled back, and none is lost when a process dies. If a process dies after
//! it has sent a notification and before it has recorded that, the notification is sent again with the same
//! [`NotificationId`]; this cannot be excluded (RFC 1047).

use std::fmt::{self, Debug, Display};
use std::net::IpAddr;
use std::str::FromStr;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::BoxError;
use crate::scope::Scopes;
use crate::store::unused_days;
use crate::token::{RandomnessError, Token, TokenId, random_u53};

/// A sender of notifications: by mail, to a chat, to a webhook.
///
/// A service may have several notifiers
/// ([`PatsBuilder::notifier`](crate::PatsBuilder::notifier)). Every notifier gets every notification. If a
/// notifier fails, only this notifier gets the notification again.
///
/// ```
/// use pat_core::async_trait;
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
    /// Returns the notifier's name, under which the store records what the notifier has sent. The name must
    /// be unique in the service and never change: 1 to 32 lower-case letters, digits and hyphens, such as
    /// `smtp`.
    fn name(&self) -> &str;

    /// Sends one notification. The service may call this method for several notifications at the same time.
    /// It cancels a call after two minutes, and then treats it as failed with [`NotifyError::Temporary`].
    ///
    /// # Errors
    /// The implementation returns [`NotifyError::Temporary`] to get the notification again later, and
    /// [`NotifyError::Permanent`] to give up.
    async fn send(&self, notification: &Notification) -> Result<(), NotifyError>;

    /// Checks whether the notifier could send now, and sends nothing. Returns what was checked, in a phrase without a
    /// secret, such as `connected to mail.example.com with TLS`; `None`, which is the default, if the notifier has no
    /// check. The command `doctor` calls this method, the service never does.
    ///
    /// # Errors
    /// The reason that the notifier could not send.
    async fn diagnose(&self) -> Result<Option<String>, NotifyError> {
        Ok(None)
    }
}

/// The reason that a [`Notifier`] did not send a notification.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotifyError {
    /// A later attempt may succeed: there was no connection, the server was busy, or the settings have a
    /// wrong password. The notifier gets the notification again, for about five days; then the notification
    /// becomes a [dead letter](crate::store::Outcome::Dead).
    #[error("the notification could not be sent now")]
    Temporary(#[source] BoxError),
    /// No attempt can succeed, for example because the recipient's address does not exist. The
    /// notification becomes a [dead letter](crate::store::Outcome::Dead), which
    /// [`Pats::dead_notifications`](crate::Pats::dead_notifications) lists.
    #[error("the notification cannot be sent")]
    Permanent(#[source] BoxError),
}

/// The kind of a notification: what its recipient is notified of. `Display`, `FromStr` and serde use the
/// [name](NotificationKind::as_str).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum NotificationKind {
    /// A token of the recipient was created.
    Created,
    /// Tokens of the recipient expire within one of the numbers of days in the setting
    /// `pat.expiry.reminder.days`; without it, within that in `atlassian.pats.expiry.warning.days` (by default 5).
    ExpiresSoon,
    /// Tokens of the recipient have expired.
    Expired,
    /// Tokens of the recipient were deleted, because they had been expired for the number of days in the
    /// setting `atlassian.pats.pruning.delay.days` (by default 30).
    Pruned,
    /// An administrator revoked tokens of the recipient.
    RevokedByAdmin,
    /// A token of the recipient that had been replaced was replaced again: its client lost the answer, or two
    /// clients have its secret. The notification is about the new token.
    RotatedAgain,
    /// Tokens of the recipient that were replaced were still in use shortly before their expiry, which may have
    /// come meanwhile.
    ReplacedInUse,
    /// Tokens of the recipient will be revoked because they are not used (the setting
    /// `pat.unused.revoke.days`), after [`UNUSED_NOTICE`](crate::store::UNUSED_NOTICE) at the earliest.
    UnusedWarning,
    /// Tokens of the recipient were revoked because they were not used (the setting `pat.unused.revoke.days`).
    UnusedRevoked,
}

impl NotificationKind {
    /// All kinds, in ascending order of [`NotificationKind::number`].
    pub const ALL: [Self; 9] = [
        Self::Created,
        Self::ExpiresSoon,
        Self::Expired,
        Self::Pruned,
        Self::RevokedByAdmin,
        Self::RotatedAgain,
        Self::ReplacedInUse,
        Self::UnusedWarning,
        Self::UnusedRevoked,
    ];

    /// Returns the fixed name of the kind for files, logs and metrics: `created`, `expires-soon`, `expired`,
    /// `pruned`, `revoked-by-admin`, `rotated-again`, `replaced-in-use`, `unused-warning` or `unused-revoked`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::ExpiresSoon => "expires-soon",
            Self::Expired => "expired",
            Self::Pruned => "pruned",
            Self::RevokedByAdmin => "revoked-by-admin",
            Self::RotatedAgain => "rotated-again",
            Self::ReplacedInUse => "replaced-in-use",
            Self::UnusedWarning => "unused-warning",
            Self::UnusedRevoked => "unused-revoked",
        }
    }

    /// Returns the fixed number under which stores keep the kind, from 1. The number of a kind never
    /// changes, and is never reused for another kind.
    #[must_use]
    pub const fn number(self) -> i64 {
        match self {
            Self::Created => 1,
            Self::ExpiresSoon => 2,
            Self::Expired => 3,
            Self::Pruned => 4,
            Self::RevokedByAdmin => 5,
            Self::RotatedAgain => 6,
            Self::ReplacedInUse => 7,
            Self::UnusedWarning => 8,
            Self::UnusedRevoked => 9,
        }
    }

    /// Returns whether the notification says from which network address the request came that it is about: the
    /// recipient's own, or that of a client with a token of the recipient. An administrator's address is not
    /// told.
    #[must_use]
    pub const fn has_client_address(self) -> bool {
        matches!(self, Self::Created | Self::RotatedAgain)
    }

    /// Returns the kind with this [number](NotificationKind::number); `None` if this version of the crate
    /// knows no such kind.
    #[must_use]
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }
}

impl FromStr for NotificationKind {
    type Err = InvalidNotificationKind;

    /// Parses the [name](NotificationKind::as_str) of a kind.
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
#[error(
    "a notification's kind is created, expires-soon, expired, pruned, revoked-by-admin, rotated-again, \
     replaced-in-use, unused-warning or unused-revoked"
)]
pub struct InvalidNotificationKind;

impl fmt::Display for NotificationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The ID of a queued notification: a number from 0 to 2⁵³ − 1, which stays the same for every attempt to
/// send the notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NotificationId(i64);

const MAX_ID: i64 = (1 << 53) - 1;

impl NotificationId {
    /// Creates the ID with this number; `None` unless `number` is from 0 to 2⁵³ − 1.
    #[must_use]
    pub const fn new(number: i64) -> Option<Self> {
        match number {
            0..=MAX_ID => Some(Self(number)),
            _ => None,
        }
    }

    /// Generates a random ID for a new notification.
    ///
    /// # Errors
    /// [`RandomnessError`] if the operating system's random number generator fails.
    pub fn random() -> Result<Self, RandomnessError> {
        random_u53().map(Self)
    }

    /// Returns the number of the ID, from 0 to 2⁵³ − 1.
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

/// A notification to the owner of one or more tokens, as a [`Notifier`] sends it. It contains no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Notification {
    /// ID of the notification, which is the same for every attempt to send it.
    pub id: NotificationId,
    /// What the recipient is notified of.
    pub kind: NotificationKind,
    /// The owner who is notified.
    pub recipient: Recipient,
    /// The recipient's tokens that the notification is about, at least one, in the order of
    /// [`NotificationToken::order`]. Tokens of one owner that are due together share a notification.
    pub tokens: Vec<NotificationToken>,
    /// Full name of the administrator who revoked the tokens, or the administrator's key if the directory
    /// does not return a name; `None` for other kinds than [`NotificationKind::RevokedByAdmin`].
    pub by: Option<String>,
    /// The reason for the revocation, for [`NotificationKind::RevokedByAdmin`] the administrator's; `None` if none
    /// was given, and for other kinds than this one and [`NotificationKind::UnusedRevoked`].
    pub reason: Option<String>,
    /// For [`NotificationKind::RevokedByAdmin`], how many of the recipient's tokens that were created with one
    /// of the revoked tokens, directly or through other tokens, were valid at the time of the revocation; 0 for
    /// other kinds.
    pub live_children: u64,
    /// When the notification was queued.
    pub queued_at: Timestamp,
    /// Network address of the client whose request the notification is about, for the kinds of
    /// [`NotificationKind::has_client_address`]; `None` if it is not known.
    pub client_address: Option<IpAddr>,
    /// URL at which users reach the host (the setting `pat.base.url`), without a slash at its end; `None`
    /// if the property is not set.
    pub base_url: Option<String>,
}

impl Notification {
    /// Creates a notification without an administrator, a reason, a client's address and the host's URL, whose
    /// [`live_children`](Notification::live_children) is 0.
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
            client_address: None,
            base_url: None,
        }
    }

    /// Returns for how many days the tokens were not used, for [`NotificationKind::UnusedRevoked`]; `None` for other
    /// kinds, and if the store has another [reason](crate::store::UnusedTokens::reason) than this crate gives.
    #[must_use]
    pub fn unused_days(&self) -> Option<u32> {
        let reason = self.reason.as_deref();
        let reason = reason.filter(|_| self.kind == NotificationKind::UnusedRevoked);
        reason.and_then(unused_days)
    }
}

/// The recipient of a notification: the name and the mail address of the owner who is notified.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recipient {
    /// Full name of the recipient ([`User::full_name`](crate::User::full_name)), which may be empty.
    pub full_name: String,
    /// Mail address of the recipient ([`User::email`](crate::User::email)). It is not checked, so it may be
    /// malformed.
    pub email: String,
    /// Language of the recipient ([`User::language`](crate::User::language)); `None` if it is unknown.
    pub language: Option<String>,
}

impl Recipient {
    /// Creates a recipient with this full name and this mail address, whose language is unknown.
    #[must_use]
    pub fn new(full_name: impl Into<String>, email: impl Into<String>) -> Self {
        Self {
            full_name: full_name.into(),
            email: email.into(),
            language: None,
        }
    }
}

impl fmt::Debug for Recipient {
    /// Hides the address, which must not appear in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recipient(..)")
    }
}

/// A token that a notification is about, as it was when the notification was queued.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotificationToken {
    /// ID of the token.
    pub id: TokenId,
    /// Name that the owner gave the token. A name that an older version of this crate stored may contain
    /// bidi controls and line separators; the module [`text`](crate::text) detects them.
    pub name: String,
    /// When the token was created.
    pub created_at: Timestamp,
    /// When the token expires or expired; `None` if it never expires.
    pub expires_at: Option<Timestamp>,
    /// When the token was last used, as far as the store knew; `None` if it was unused.
    pub last_used_at: Option<Timestamp>,
    /// Scopes of the token; `None` if it is unrestricted.
    pub scopes: Option<Scopes>,
}

impl NotificationToken {
    /// Creates an unrestricted token that never expires and is unused.
    #[must_use]
    pub fn new(id: TokenId, name: impl Into<String>, created_at: Timestamp) -> Self {
        Self {
            id,
            name: name.into(),
            created_at,
            expires_at: None,
            last_used_at: None,
            scopes: None,
        }
    }

    /// Returns the key by which the tokens of a notification are sorted, in ascending order: the expiry
    /// ([`Timestamp::MAX`] if the token never expires), then the ID.
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
            scopes: token.scopes.clone(),
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
        assert_eq!(NotificationKind::from_number(10), None);
    }
}
