//! Tokens to look at, in all the states there are.

use jiff::{SignedDuration, Timestamp};
use pat_core::format::TokenFormat as _;
use pat_core::format::{PrefixedFormat, TokenPrefix};
use pat_core::store::TokenStore;
use pat_core::store::{LastUse, NewToken, Revocation, RevocationScope};
use pat_core::{BoxError, Owner, TokenId};

use crate::users::DemoUsers;

/// Names as people, programs and attackers choose them.
const NAMES: [&str; 12] = [
    "ci",
    "jira-cli / work",
    "Backup script",
    "grafana dashboards",
    "terraform",
    "Žluťoučký kůň 🐎",
    "نسخة احتياطية",
    "=HYPERLINK(\"https://example.com\")",
    "<img src=x onerror=alert(1)>",
    "report\u{202e}fdp.exe",
    "a-name-as-long-as-a-name-may-be-40-chars",
    "laptop",
];
const USERS: [(&str, &str); 3] = [
    ("carol", "Carol Danvers"),
    ("zoe", "Zoë Żółć"),
    ("dvora", "דבורה כהן"),
];
/// Creation, end and last use: hours ago. An end that is negative is still to come.
const LIVES: [(i64, Option<i64>, Option<i64>); 6] = [
    (24 * 40, Some(-24 * 50), Some(1)),
    (24 * 300, None, Some(24 * 9)),
    (24 * 87, Some(-24 * 3 - 5), Some(5)),
    (24 * 5, Some(-24 * 360), None),
    (24 * 35, Some(24 * 5), Some(24 * 6)),
    (2, Some(-24 * 28), None),
];

/// Adds users, and `count` tokens for all of them, of which some are revoked. Nobody knows their
/// secrets.
pub(crate) async fn fill(
    store: &dyn TokenStore,
    users: &DemoUsers,
    now: Timestamp,
    count: u32,
) -> Result<(), BoxError> {
    users.add(&USERS).await?;
    let _is_there = users.set_active(&Owner::new("zoe")?, false).await?;
    let known = ["alice", "carol", "bob", "dvora", "zoe", "alice", "gone"];
    let format = PrefixedFormat::new(TokenPrefix::default());
    let mut last_uses = Vec::new();
    for (index, number) in (0..count).zip(0_usize..) {
        let ago = |hours: i64| now - SignedDuration::from_hours(hours);
        let (created, expires, used) = LIVES[number % LIVES.len()];
        // No two at the same time.
        let created_at = ago(created) - SignedDuration::from_mins(i64::from(index) * 7);
        let millis = created_at.as_millisecond() - 1_577_836_800_000;
        let id = TokenId::new((millis << 12) | i64::from(index % 4096)).ok_or("a strange time")?;
        let owner = match known[number % known.len()] {
            // They are to create more.
            "alice" | "bob" if number >= 2 * known.len() => "carol",
            owner => owner,
        };
        let mut token = NewToken::new(
            id,
            format.generate()?.digest(),
            Owner::new(owner)?,
            NAMES[(number * 5 + number / 12) % NAMES.len()].to_owned(),
            created_at,
        );
        token.expires_at = expires.map(ago);
        store.insert(&token, u32::MAX).await?;
        last_uses.extend(used.map(|hours| LastUse::new(id, ago(hours))));
        if number % 11 == 10 {
            let mut revocation = Revocation::new(now);
            revocation.by = Some(token.owner);
            store
                .revoke(&RevocationScope::Tokens(vec![id]), &revocation)
                .await?;
        }
    }
    store.record_use(&last_uses).await?;
    Ok(())
}
