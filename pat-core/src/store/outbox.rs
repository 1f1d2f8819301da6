use std::time::Duration;

use jiff::Timestamp;

use crate::notification::{NotificationId, NotificationKind, NotificationToken};
use crate::token::Owner;

/// The longest delay of a notification; one that is due later counts as due now.
pub const LONGEST_DELAY: Duration = Duration::from_hours(2);

/// A notification that a worker has claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueuedNotification {
    /// The worker's claim.
    pub claim: Claim,
    /// The event that it is about.
    pub kind: NotificationKind,
    /// The owner who is notified.
    pub owner: Owner,
    /// The owner's tokens that it is about, by expiry (never last) and then by ID; at least one.
    pub tokens: Vec<NotificationToken>,
    /// The administrator who revoked; `None` for other kinds than
    /// [`NotificationKind::RevokedByAdmin`].
    pub by: Option<Owner>,
    /// The administrator's reason, if given.
    pub reason: Option<String>,
    /// How many of the owner's tokens that were created with these, directly or through others, still
    /// authenticate; 0 for other kinds than [`NotificationKind::RevokedByAdmin`].
    pub live_children: u64,
    /// When it was queued.
    pub queued_at: Timestamp,
    /// How often it has been claimed, this time included.
    pub attempts: u32,
    /// The names of the notifiers that have sent it.
    pub sent_by: Vec<String>,
}

impl QueuedNotification {
    /// Creates a notification that is claimed for the first time and that no notifier has sent, without an
    /// administrator, a reason and live children.
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
            queued_at,
            attempts: 1,
            sent_by: Vec::new(),
        }
    }
}

/// A worker's right to settle a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Claim {
    /// The notification.
    pub id: NotificationId,
    /// A random number that only the holder of this claim knows.
    pub token: u64,
}

impl Claim {
    /// Creates a claim.
    #[must_use]
    pub const fn new(id: NotificationId, token: u64) -> Self {
        Self { id, token }
    }
}

/// The outcome of a notification. Exhaustive: a store must keep each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Every notifier has sent it.
    Sent,
    /// At least one notifier is to try again.
    Retry {
        /// The delay before the next attempt, at most [`LONGEST_DELAY`].
        after: Duration,
        /// Why it was not sent.
        error: String,
        /// The names of the notifiers that have sent it.
        sent_by: Vec<String>,
    },
    /// It cannot be sent: a dead letter, for the operator to inspect.
    Dead {
        /// The last error.
        error: String,
        /// The names of the notifiers that have sent it.
        sent_by: Vec<String>,
    },
    /// It no longer needs to be sent.
    Skipped {
        /// The reason.
        reason: String,
    },
}

/// The counts of an outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Outbox {
    /// Notifications that are not settled yet.
    pub pending: u64,
    /// When the oldest of them was queued.
    pub oldest_pending_at: Option<Timestamp>,
    /// Notifications that could not be sent.
    pub dead: u64,
}

/// A notification that could not be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadNotification {
    /// Its ID.
    pub id: NotificationId,
    /// The event that it is about.
    pub kind: NotificationKind,
    /// The owner who was to be notified.
    pub owner: Owner,
    /// When it was queued.
    pub queued_at: Timestamp,
    /// How often sending was tried.
    pub attempts: u32,
    /// The last error.
    pub error: String,
}

impl DeadNotification {
    /// Creates a notification without attempts.
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
