//! Which tokens are due for a notification, and the walk through them.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::notification::NotificationKind;
use crate::token::{Owner, Token, TokenId};

/// The criteria by which [`JobStore::owners_due`](super::JobStore::owners_due) and
/// [`JobStore::queue_due_notifications`](super::JobStore::queue_due_notifications) find the tokens whose owners are
/// notified.
///
/// For [`NotificationKind::ExpiresSoon`], a token is due if it is unrevoked and has not expired, and
/// [`DueNotifications::reminder`] returns a reminder for which no notification was queued before: neither this
/// reminder, in days, nor a smaller one, nor `Expired`. The store keeps the reminder, so that a change of
/// [`DueNotifications::reminder_days`] repeats none.
///
/// For [`NotificationKind::Expired`], a token is due if it is unrevoked, has expired, and no `Expired` was queued for
/// it before. A [transient](Token::is_transient) token is due for neither of these kinds.
///
/// For [`NotificationKind::ReplacedInUse`], a token is due if it is [replaced](Token::replaced) and unrevoked, was last
/// used in the last tenth of the time from its replacement to its expiry, did not expire longer than
/// [`REPLACED_NOTICE`](super::REPLACED_NOTICE) ago, and no such notification was queued for it before.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DueNotifications {
    /// Kind of the queued notifications: [`NotificationKind::ExpiresSoon`], [`NotificationKind::Expired`] or
    /// [`NotificationKind::ReplacedInUse`].
    pub kind: NotificationKind,
    /// The present time by the caller's clock, for a store without a clock of its own.
    pub now: Timestamp,
    /// How many days of 24 hours before its expiry a token is due for [`NotificationKind::ExpiresSoon`], in
    /// descending order without duplicates (the setting `pat.expiry.reminder.days`); unused for the other kinds.
    pub reminder_days: Vec<u32>,
    /// Which reminder counts as queued for a token about which a version of this crate without
    /// [`reminder_days`](DueNotifications::reminder_days) has queued [`NotificationKind::ExpiresSoon`], in days
    /// (the setting `atlassian.pats.expiry.warning.days`).
    pub warning_days: u32,
}

impl DueNotifications {
    /// Creates criteria for notifications of the kind `kind` at the time `now`. `reminder_days` becomes the
    /// field of this name; [`DueNotifications::warning_days`] is 0.
    #[must_use]
    pub const fn new(kind: NotificationKind, now: Timestamp, reminder_days: Vec<u32>) -> Self {
        Self {
            kind,
            now,
            reminder_days,
            warning_days: 0,
        }
    }

    /// Returns the reminder, in days, that applies to `token` now: the smallest one of
    /// [`reminder_days`](DueNotifications::reminder_days) that is not less than the time until the token's
    /// expiry. `None` if there is none, or if it is not less than the life span of the token.
    #[must_use]
    pub fn reminder(&self, token: &Token) -> Option<u32> {
        let left = token.expires_at?.duration_since(self.now);
        let days = |days: u32| SignedDuration::from_hours(i64::from(days) * 24);
        let reminders = self.reminder_days.iter().rev().copied();
        let nearest = reminders
            .into_iter()
            .find(|reminder| left <= days(*reminder));
        nearest.filter(|reminder| token.lives_longer_than(days(*reminder)))
    }
}

/// The place of a token among those that expire: a walk through them goes on after it, and reads none twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct ExpiryPosition {
    /// When the token expires.
    pub expires_at: Timestamp,
    /// ID of the token, by which those are ordered that expire at the same time.
    pub id: TokenId,
}

impl ExpiryPosition {
    /// Creates the position of the token with the ID `id` that expires at `expires_at`.
    #[must_use]
    pub const fn new(expires_at: Timestamp, id: TokenId) -> Self {
        Self { expires_at, id }
    }
}

/// A step of a walk through due tokens, as [`JobStore::owners_due`](super::JobStore::owners_due) returns it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct DueOwners {
    /// Owners of due tokens, without duplicates.
    pub owners: Vec<Owner>,
    /// Where the next step goes on; `None` if no token is due after this step.
    pub next: Option<ExpiryPosition>,
}

impl DueOwners {
    /// Returns the owners of the tokens `due`, of up to `max_owners` owners. The tokens are in the order of their
    /// positions, and all are due. `next` is the position after `due` if there may be more tokens.
    #[must_use]
    pub fn collect(
        due: impl IntoIterator<Item = (ExpiryPosition, Owner)>,
        max_owners: u32,
        next: Option<ExpiryPosition>,
    ) -> Self {
        let mut owners = BTreeSet::new();
        let mut last = None;
        for (position, owner) in due {
            if owners.len() >= max_owners as usize && !owners.contains(&owner) {
                let owners = owners.into_iter().collect();
                return Self { owners, next: last };
            }
            owners.insert(owner);
            last = Some(position);
        }
        Self {
            owners: owners.into_iter().collect(),
            next,
        }
    }
}
