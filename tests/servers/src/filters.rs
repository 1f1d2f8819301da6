//! Searches that administrators make among [many tokens](crate::many).

use jiff::{SignedDuration, Timestamp};
use pat_core::search::{DateRange, Filter, RevokedTokens, SortKey};
use pat_core::{Owner, TokenStatus};

use crate::many::{DAY, HOUR, OWNER_OF_MANY};

/// All orders: each sort key, and whether it is descending.
pub fn all_orders() -> impl Iterator<Item = (SortKey, bool)> {
    let keys = [
        SortKey::Name,
        SortKey::CreatedAt,
        SortKey::ExpiresAt,
        SortKey::LastUsedAt,
        SortKey::Owner,
    ];
    keys.into_iter().flat_map(|key| [(key, false), (key, true)])
}

/// Returns filters that few, many and all tokens meet, each with a name; `now` is the time at which they were filled.
#[must_use]
pub fn filters(now: Timestamp) -> Vec<(&'static str, Filter)> {
    let at = |from_now: i64| {
        let micros = now.as_microsecond() + from_now;
        Some(Timestamp::from_microsecond(micros).expect("a date"))
    };
    let within = |from, to| DateRange {
        from: at(from),
        to: at(to),
    };
    let filter = |set: &dyn Fn(&mut Filter)| {
        let mut filter = Filter::default();
        set(&mut filter);
        filter
    };
    let status =
        |status| Filter::default().with_status(status, now, SignedDuration::from_hours(120));
    vec![
        ("none", Filter::default()),
        (
            "five owners",
            filter(&|f| f.owners = (10..15).map(|n| owner(&format!("user {n}"))).collect()),
        ),
        (
            "owner of many revoked ones",
            filter(&|f| f.owners = vec![owner(OWNER_OF_MANY)]),
        ),
        (
            "created in an hour",
            filter(&|f| f.created = within(-HOUR, 0)),
        ),
        (
            "created in a year",
            filter(&|f| f.created = within(-365 * DAY, 0)),
        ),
        (
            "expires in an hour",
            filter(&|f| f.expires = within(0, HOUR)),
        ),
        (
            "expires in half a year",
            filter(&|f| f.expires = within(0, 180 * DAY)),
        ),
        (
            "used in an hour",
            filter(&|f| f.last_used = within(-HOUR, 0)),
        ),
        (
            "used in a month",
            filter(&|f| f.last_used = within(-30 * DAY, 0)),
        ),
        ("never used", filter(&|f| f.is_used = Some(false))),
        ("used", filter(&|f| f.is_used = Some(true))),
        (
            "unused for 80 days",
            filter(&|f| f.unused_since = at(-80 * DAY)),
        ),
        ("never expires", filter(&|f| f.never_expires = Some(true))),
        (
            "revoked in a day",
            filter(&|f| {
                f.revoked = RevokedTokens::Only;
                f.revoked_at = within(-DAY, 0);
            }),
        ),
        (
            "also revoked",
            filter(&|f| f.revoked = RevokedTokens::Included),
        ),
        ("transient", filter(&|f| f.is_transient = Some(true))),
        // The names end with numbers, so that few tokens have the one part, and many the other.
        (
            "a rare part of a name",
            filter(&|f| "99999".clone_into(&mut f.name)),
        ),
        ("a rare part of a name, active", {
            let mut filter = status(TokenStatus::Active);
            "99999".clone_into(&mut filter.name);
            filter
        }),
        (
            "a common part of a name",
            filter(&|f| "token 1".clone_into(&mut f.name)),
        ),
        ("active", status(TokenStatus::Active)),
        ("expires soon", status(TokenStatus::ExpiresSoon)),
    ]
}

fn owner(key: &str) -> Owner {
    key.parse().expect("a key")
}
