use std::time::Duration;

use jiff::Timestamp;

/// Seven days: how long before its revocation the owner of an unused token is warned, at least
/// ([`JobStore::revoke_unused`](super::JobStore::revoke_unused)).
pub const UNUSED_NOTICE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// A day: how long after the expiry of a replaced token its owner is notified that it was in use until then
/// ([`DueNotifications`](super::DueNotifications)).
pub const REPLACED_NOTICE: Duration = Duration::from_secs(24 * 60 * 60);

/// Thirty days: how long the warning about an unused token counts. A token that was not revoked by then is not
/// revoked without another warning.
pub const UNUSED_NOTICE_LASTS: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The criteria by which a store finds unused tokens: for
/// [`JobStore::warn_unused`](super::JobStore::warn_unused),
/// [`JobStore::count_unused`](super::JobStore::count_unused) and
/// [`JobStore::revoke_unused`](super::JobStore::revoke_unused).
///
/// A token is *unused* since the latest of its last use, its creation, and its import
/// ([`Token::imported_at`](crate::Token::imported_at)), which replaces the creation. Durations are measured from
/// the vouched time ([`StoreTime::vouched`](super::StoreTime::vouched)), which is not ahead even if the store's
/// clock is. A token that is revoked, expired or [transient](crate::Token::is_transient) is not found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnusedTokens {
    /// The present time by the caller's clock, for a store without a clock of its own.
    pub now: Timestamp,
    /// The caller's [vouched](super::StoreTime::vouched) time: the earlier of the caller's clock and a mark that
    /// the caller keeps in memory. A store without a [mark](super::StoreTime::mark) measures durations from this
    /// time; a store with a mark ignores it.
    pub vouched: Timestamp,
    /// After how long without a use a token is revoked.
    pub revoke_after: Duration,
    /// After how long without a use the owner is warned, not longer than `revoke_after`.
    pub warn_after: Duration,
    /// The reason of the revocation, for the owner's notification, the token and the audit event.
    pub reason: String,
}

impl UnusedTokens {
    /// Creates criteria for tokens that have not been used for `days` days of 24 hours, with the times
    /// [`now`](UnusedTokens::now) and [`vouched`](UnusedTokens::vouched). The owner is warned
    /// [`UNUSED_NOTICE`] earlier, but after half of these days at the earliest, so that a small number does not
    /// announce the end of tokens that are in use.
    #[must_use]
    pub fn new(days: u32, now: Timestamp, vouched: Timestamp) -> Self {
        let revoke_after = Duration::from_secs(u64::from(days) * 24 * 60 * 60);
        Self {
            now,
            vouched,
            revoke_after,
            warn_after: revoke_after
                .saturating_sub(UNUSED_NOTICE)
                .max(revoke_after / 2),
            reason: match days {
                1 => A_DAY.to_owned(),
                days => format!("{BEFORE_DAYS}{days}{AFTER_DAYS}"),
            },
        }
    }
}

const A_DAY: &str = "not used for a day";
const BEFORE_DAYS: &str = "not used for ";
const AFTER_DAYS: &str = " days";

/// Returns the days of a [reason](UnusedTokens::reason).
pub(crate) fn unused_days(reason: &str) -> Option<u32> {
    if reason == A_DAY {
        return Some(1);
    }
    let days = reason.strip_prefix(BEFORE_DAYS)?.strip_suffix(AFTER_DAYS)?;
    days.parse().ok()
}

/// How many tokens of some owners [`JobStore::revoke_unused`](super::JobStore::revoke_unused) would revoke, and what a
/// caller must know to decide whether it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct UnusedCount {
    /// Number of tokens that would be revoked now.
    pub revocable: u64,
    /// Number of tokens, these included, that are neither revoked nor expired nor
    /// [transient](crate::Token::is_transient).
    pub live: u64,
    /// When the nodes last [forgot](super::TokenStore::deregister) a node whose last uses may be lost
    /// ([`NodeReport::lags`](super::NodeReport::lags)); `None` if they never did.
    pub lagging_node_forgotten_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_tells_its_days() {
        let now = Timestamp::UNIX_EPOCH;
        for days in [1, 2, 90, u32::MAX] {
            let reason = UnusedTokens::new(days, now, now).reason;
            assert_eq!(unused_days(&reason), Some(days), "{reason}");
        }
        assert_eq!(unused_days("not used for some days"), None);
    }
}
