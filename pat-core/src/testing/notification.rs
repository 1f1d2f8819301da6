use std::net::{IpAddr, Ipv6Addr};

use jiff::{SignedDuration, Timestamp};

use crate::TokenId;
use crate::notification::{Notification, NotificationId, NotificationKind};
use crate::notification::{NotificationToken, Recipient};
use crate::store::UnusedTokens;

/// Returns a notification of this kind to Ada Lovelace, about unrestricted tokens with these names, to test a
/// notifier or to look at what it sends. The dates are those of a real one: the token of a
/// [`Created`](NotificationKind::Created) is unused, that of an [`Expired`](NotificationKind::Expired) has
/// expired. Every field that the kind has is set. The same arguments return the same notification, and its ID is the
/// [number](NotificationKind::number) of the kind.
///
/// ```
/// use pat_core::notification::NotificationKind;
/// use pat_core::testing::example_notification;
///
/// let notification = example_notification(NotificationKind::ExpiresSoon, &["ci", "backup"]);
/// let names: Vec<_> = notification.tokens.iter().map(|token| &token.name).collect();
/// assert_eq!(names, ["ci", "backup"]);
/// assert!(notification.tokens[0].expires_at > Some(notification.queued_at));
/// ```
#[must_use]
#[expect(clippy::missing_panics_doc, reason = "the times and IDs are valid")]
pub fn example_notification(kind: NotificationKind, names: &[&str]) -> Notification {
    const UNUSED_DAYS: u32 = 90;
    let days = |days: i64| SignedDuration::from_hours(24 * days);
    let a_moment = SignedDuration::from_mins(7);
    // Microseconds, as stores keep them.
    let queued_at = Timestamp::new(1_779_268_500, 123_456_000).expect("a time of May 2026");
    // Of the first token, in days from now: creation and expiry.
    let (created, expires) = match kind {
        NotificationKind::Created | NotificationKind::RotatedAgain => (0, 90),
        NotificationKind::Expired => (-90, -2),
        NotificationKind::Pruned => (-120, -30),
        NotificationKind::UnusedWarning | NotificationKind::UnusedRevoked => (-150, 215),
        NotificationKind::ExpiresSoon
        | NotificationKind::RevokedByAdmin
        | NotificationKind::ReplacedInUse => (-83, 7),
    };
    let created_at = queued_at + days(created);
    let last_used_at = match kind {
        NotificationKind::Created | NotificationKind::RotatedAgain => None,
        NotificationKind::UnusedWarning => Some(queued_at - days(i64::from(UNUSED_DAYS) - 7)),
        NotificationKind::UnusedRevoked => Some(queued_at - days(UNUSED_DAYS.into())),
        _ => Some(queued_at.min(queued_at + days(expires)) - a_moment),
    };
    let tokens = names.iter().zip(0_i64..).map(|(name, index)| {
        let id = TokenId::new(index + 1).expect("small numbers are IDs");
        let mut token = NotificationToken::new(id, *name, created_at);
        token.expires_at = Some(queued_at + days(expires + index));
        // A token that is still in use was used.
        let is_unused = index == 1 && kind != NotificationKind::ReplacedInUse;
        token.last_used_at = last_used_at.filter(|_| !is_unused);
        token
    });
    let mut notification = Notification::new(
        NotificationId::new(kind.number()).expect("small numbers are IDs"),
        kind,
        Recipient::new("Ada Lovelace", "ada@example.com"),
        tokens.collect(),
        queued_at,
    );
    match kind {
        NotificationKind::RevokedByAdmin => {
            notification.by = Some("Grace Hopper".to_owned());
            notification.reason = Some("The token was found in a public repository.".to_owned());
            notification.live_children = names.len() as u64;
        }
        NotificationKind::UnusedRevoked => {
            notification.reason = Some(UnusedTokens::new(UNUSED_DAYS, queued_at, queued_at).reason);
        }
        _ => {}
    }
    let address = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7));
    notification.client_address = kind.has_client_address().then_some(address);
    notification.base_url = Some("https://example.com".to_owned());
    notification
}
