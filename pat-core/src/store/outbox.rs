use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;

use crate::notification::{NotificationId, NotificationKind, NotificationToken};
use crate::token::Owner;

/// The longest time from a failed attempt to send a notification to the next attempt: two hours. A
/// notification whose next attempt is due more than two hours from now was put off while a clock was wrong,
/// so it counts as due now.
pub const LONGEST_DELAY: Duration = Duration::from_secs(2 * 60 * 60);

/// A queued notification that a worker has claimed ([`JobStore::claim_notifications`](super::JobStore::claim_notifications)).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueuedNotification {
    /// The worker's claim, with the ID of the notification.
    pub claim: Claim,
    /// What the owner is notified of.
    pub kind: NotificationKind,
    /// The owner who is notified.
    pub owner: Owner,
    /// The owner's tokens that the notification is about, at least one, in the order of
    /// [`NotificationToken::order`].
    pub tokens: Vec<NotificationToken>,
    /// The administrator who revoked the tokens; `None` for other kinds than
    /// [`NotificationKind::RevokedByAdmin`].
    pub by: Option<Owner>,
    /// The reason for the revocation, for [`NotificationKind::RevokedByAdmin`] the administrator's; `None` if none
    /// was given, and for other kinds than this one and [`NotificationKind::UnusedRevoked`].
    pub reason: Option<String>,
    /// For [`NotificationKind::RevokedByAdmin`], how many of the owner's tokens that were created with one of
    /// the revoked tokens, directly or through other tokens, were valid at the time of the revocation; 0 for
    /// other kinds.
    pub live_children: u64,
    /// Network address of the client on whose behalf the notification was queued
    /// ([`Client::current`](crate::Client::current)), for the kinds of
    /// [`NotificationKind::has_client_address`]; `None` if it is not known, and for other kinds.
    pub client_address: Option<IpAddr>,
    /// When the notification was queued.
    pub queued_at: Timestamp,
    /// How often workers have claimed the notification, this claim included.
    pub attempts: u32,
    /// Names ([`Notifier::name`](crate::notification::Notifier::name)) of the notifiers that have sent the
    /// notification already.
    pub sent_by: Vec<String>,
}

impl QueuedNotification {
    /// Creates a notification that is claimed for the first time and that no notifier has sent. The
    /// notification has no administrator, no reason and no client address, and its
    /// [`live_children`](QueuedNotification::live_children) is 0.
    #[must_use]
    pub const fn new(
        claim: Claim,
        kind: NotificationKind,
        owner: Owner,
        tokens: Vec<NotificationToken>,
        queued_at: Timestamp,
    ) -> Self {
        Self {
            claim,
            kind,
            owner,
            tokens,
            by: None,
            reason: None,
            live_children: 0,
            client_address: None,
            queued_at,
            attempts: 1,
            sent_by: Vec::new(),
        }
    }
}

/// A worker's right to record the outcome of its attempt to send a notification
/// ([`JobStore::settle_notification`](super::JobStore::settle_notification)), until the claim expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Claim {
    /// ID of the claimed notification.
    pub id: NotificationId,
    /// Random number, any `u64`, that the store draws for each claim
    /// ([`JobStore::claim_notifications`](super::JobStore::claim_notifications)). It distinguishes this claim
    /// from later claims of the same notification; it is no access token.
    pub token: u64,
}

impl Claim {
    /// Creates a claim of the notification `id`, for a store that has drawn and saved the random number
    /// `token` ([`Claim::token`]).
    #[must_use]
    pub const fn new(id: NotificationId, token: u64) -> Self {
        Self { id, token }
    }
}

/// The outcome of an attempt to send a notification.
///
/// This enum is exhaustive: a store must handle every variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Every notifier has sent the notification.
    Sent,
    /// Not every notifier has sent the notification; another attempt follows.
    Retry {
        /// How long after this attempt the next one is due, at most [`LONGEST_DELAY`].
        after: Duration,
        /// Why the notification was not sent, for the operator.
        error: String,
        /// Names of the notifiers that have sent the notification, in this attempt or an earlier one. The
        /// store replaces the names that it holds by these.
        sent_by: Vec<String>,
    },
    /// Not every notifier has sent the notification, and no other attempt follows. The notification is kept
    /// as a *dead letter*, which the operator can inspect
    /// ([`Pats::dead_notifications`](crate::Pats::dead_notifications)) and queue again.
    Dead {
        /// Why the last attempt failed, for the operator.
        error: String,
        /// Names of the notifiers that have sent the notification, in this attempt or an earlier one. The
        /// store replaces the names that it holds by these.
        sent_by: Vec<String>,
    },
    /// The notification need not be sent, for example because the owner has no mail address.
    Skipped {
        /// Why the notification need not be sent, for the operator.
        reason: String,
    },
}

/// The state of the outbox: how many queued notifications wait, and how many could not be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Outbox {
    /// Number of notifications that wait for their first or next attempt, or are being sent.
    pub pending: u64,
    /// When the oldest pending notification was queued; `None` if none is pending.
    pub oldest_pending_at: Option<Timestamp>,
    /// Number of dead letters: notifications that could not be sent ([`Outcome::Dead`]).
    pub dead: u64,
}

/// A dead letter: a notification that could not be sent ([`Outcome::Dead`]) and is not tried again by
/// itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadNotification {
    /// ID of the notification, for [`Pats::requeue_notification`](crate::Pats::requeue_notification).
    pub id: NotificationId,
    /// What the owner was to be notified of.
    pub kind: NotificationKind,
    /// The owner who was to be notified.
    pub owner: Owner,
    /// When the notification was queued.
    pub queued_at: Timestamp,
    /// How often workers have claimed the notification to send it.
    pub attempts: u32,
    /// Why the last attempt failed.
    pub error: String,
}

impl DeadNotification {
    /// Creates a dead letter ([`Outcome::Dead`]) with 0 attempts.
    #[must_use]
    pub const fn new(
        id: NotificationId,
        kind: NotificationKind,
        owner: Owner,
        queued_at: Timestamp,
        error: String,
    ) -> Self {
        Self {
            id,
            kind,
            owner,
            queued_at,
            attempts: 0,
            error,
        }
    }
}
