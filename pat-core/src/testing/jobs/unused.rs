//! Unused tokens, and replaced ones that are in use.

use std::time::Duration;

use jiff::Timestamp;

use super::{DAY, all_owners, claim, ids, jobs, lease, queue_due, settle};
use crate::notification::NotificationKind;
use crate::store::{
    Change, ChangePage, Job, LastUse, Lease, MarkBounds, NewImport, NewToken, NodeReport, Outcome,
    RevocationScope, Rotated, Rotation, UnusedCount, UnusedTokens,
};
use crate::testing::case::{Store, at, id, new, owner, revoke, store_token};
use crate::{TokenDigest, TokenId};

/// Returns the criteria of 90 days at a time in seconds.
fn unused(now: i64) -> UnusedTokens {
    UnusedTokens::new(90, at(now), at(now))
}

async fn warn(store: &Store, lease: &Lease, now: i64) -> u64 {
    let owners = all_owners(store).await;
    let warned = jobs(store).warn_unused(lease, &unused(now), &owners).await;
    warned.expect("warn_unused")
}

async fn count(store: &Store, now: i64) -> [u64; 2] {
    let owners = all_owners(store).await;
    let counted = jobs(store).count_unused(&unused(now), &owners).await;
    let UnusedCount {
        revocable, live, ..
    } = counted.expect("count_unused");
    [revocable, live]
}

async fn revoke_unused(store: &Store, lease: &Lease, now: i64) -> Vec<TokenId> {
    let owners = all_owners(store).await;
    let revoked = jobs(store)
        .revoke_unused(lease, &unused(now), &owners)
        .await;
    let revoked = revoked.expect("revoke_unused");
    assert_eq!(revoked.at, at(now));
    let mut tokens: Vec<_> = revoked.tokens.iter().map(|token| token.id).collect();
    tokens.sort_unstable();
    tokens
}

async fn record_use(store: &Store, number: i64, seconds: i64) {
    let used = LastUse::new(id(number), at(seconds));
    store.record_use(&[used]).await.expect("record_use");
}

/// Claims the notifications that are due, settles them as sent, and returns what they are about.
async fn told(store: &Store, now: i64) -> Vec<(NotificationKind, Vec<TokenId>)> {
    let mut told = Vec::new();
    for notification in claim(store, now).await {
        assert!(settle(store, &notification, Outcome::Sent, now).await);
        told.push((notification.kind, ids(&notification)));
    }
    told.sort();
    told
}

pub(super) async fn warned_first(store: Store) {
    let lease = lease(&store, Job::ExpiryCheck).await;
    let ends = |number, key, end: i64| NewToken {
        expires_at: Some(at(end)),
        ..new(number, key)
    };
    store_token(&store, &new(1, "alice")).await;
    store_token(&store, &new(2, "alice")).await;
    store_token(&store, &new(3, "bob")).await;
    store_token(&store, &ends(4, "bob", 90 * DAY)).await;
    store_token(&store, &ends(5, "bob", 90 * DAY + 1)).await;
    store_token(&store, &new(6, "bob")).await;
    revoke(&store, RevocationScope::Tokens(vec![id(6)]), 1).await;
    let transient = NewToken {
        is_transient: true,
        ..new(7, "bob")
    };
    store_token(&store, &transient).await;
    record_use(&store, 3, 20 * DAY).await;

    assert_eq!(warn(&store, &lease, 83 * DAY - 1).await, 0);
    assert_eq!(warn(&store, &lease, 83 * DAY).await, 2, "by owner");
    assert_eq!(warn(&store, &lease, 83 * DAY).await, 0, "once");
    let kind = NotificationKind::UnusedWarning;
    let expected = [(kind, vec![id(1), id(2)]), (kind, vec![id(5)])];
    assert_eq!(told(&store, 83 * DAY).await, expected);

    record_use(&store, 2, 84 * DAY).await;
    assert_eq!(count(&store, 90 * DAY - 1).await, [0, 5]);
    assert_eq!(revoke_unused(&store, &lease, 90 * DAY - 1).await, []);
    assert_eq!(count(&store, 90 * DAY).await, [2, 4]);
    assert_eq!(
        revoke_unused(&store, &lease, 90 * DAY).await,
        [id(1), id(5)]
    );
    assert_eq!(
        count(&store, 90 * DAY).await,
        [0, 2],
        "used since, or earlier"
    );
    assert_eq!(revoke_unused(&store, &lease, 90 * DAY).await, []);

    let kind = NotificationKind::UnusedRevoked;
    let expected = [(kind, vec![id(1)]), (kind, vec![id(5)])];
    let claimed = claim(&store, 90 * DAY).await;
    for notification in &claimed {
        assert_eq!(notification.reason.as_deref(), Some("not used for 90 days"));
        assert_eq!(notification.by, None);
    }
    let mut about: Vec<_> = claimed.iter().map(|one| (one.kind, ids(one))).collect();
    about.sort();
    assert_eq!(about, expected);
    let revoked = store.find(id(1)).await.expect("find").expect("the token");
    assert_eq!(revoked.revoked_at, Some(at(90 * DAY)));
    assert_eq!(revoked.revoked_by, None);
    assert_eq!(
        revoked.revoke_reason.as_deref(),
        Some("not used for 90 days")
    );

    // The other nodes learn it like any revocation.
    let page = store.changes_since(None).await.expect("changes_since");
    let ChangePage { head, .. } = page;
    let before = crate::store::FeedPosition {
        generation: head.generation - 1,
        nonce: None,
    };
    let page = store.changes_since(Some(before)).await;
    let page = page.expect("changes_since");
    let mut changes: Vec<_> = page.entries.into_iter().map(|entry| entry.change).collect();
    changes.sort_by_key(|change| match change {
        Change::TokenChanged(id) => Some(*id),
        _ => None,
    });
    let expected = [1, 5].map(|number| Change::TokenChanged(id(number)));
    assert_eq!(changes, expected);
}

pub(super) async fn imported(store: Store) {
    let Some(imports) = store.import_store() else {
        return;
    };
    let lease = lease(&store, Job::ExpiryCheck).await;
    let row = |number: i64, used: Option<i64>| {
        let digest = TokenDigest::of(&number.to_le_bytes());
        let created_at = at(-900 * DAY);
        NewImport {
            last_used_at: used.map(at),
            ..NewImport::new(id(number), digest, owner("alice"), "ci", created_at)
        }
    };
    let rows = [row(1, None), row(2, Some(-200 * DAY))];
    imports.import(&rows, at(0)).await.expect("import");
    assert_eq!(told(&store, 0).await, [], "no notification of an import");
    assert_eq!(warn(&store, &lease, 83 * DAY - 1).await, 0);
    assert_eq!(warn(&store, &lease, 83 * DAY).await, 1);
    told(&store, 83 * DAY).await;
    assert_eq!(revoke_unused(&store, &lease, 90 * DAY - 1).await, []);
    let revoked = revoke_unused(&store, &lease, 90 * DAY).await;
    assert_eq!(revoked, [id(1), id(2)]);
}

pub(super) async fn used_again(store: Store) {
    let lease = lease(&store, Job::ExpiryCheck).await;
    store_token(&store, &new(1, "alice")).await;
    store_token(&store, &new(2, "bob")).await;
    assert_eq!(warn(&store, &lease, 83 * DAY).await, 2);
    // Used after the warning, and then not again: another warning is needed.
    record_use(&store, 1, 85 * DAY).await;
    assert_eq!(warn(&store, &lease, 100 * DAY).await, 0);
    assert_eq!(
        warn(&store, &lease, 168 * DAY - 1).await,
        1,
        "bob's was too long ago"
    );
    assert_eq!(warn(&store, &lease, 168 * DAY).await, 1);
    assert_eq!(warn(&store, &lease, 168 * DAY).await, 0);
    // The newer warning replaces the one that waited.
    let kind = NotificationKind::UnusedWarning;
    let expected = [(kind, vec![id(1)]), (kind, vec![id(2)])];
    assert_eq!(told(&store, 168 * DAY).await, expected);
    // A warning counts for 30 days, after a week.
    for (now, expected) in [
        (175 * DAY - 2, 0),
        (175 * DAY - 1, 1),
        (175 * DAY, 2),
        (198 * DAY - 1, 2),
        (198 * DAY, 1),
        (198 * DAY + 1, 0),
    ] {
        assert_eq!(count(&store, now).await, [expected, 2], "{now}");
    }
    assert_eq!(revoke_unused(&store, &lease, 198 * DAY + 1).await, []);
    assert_eq!(warn(&store, &lease, 198 * DAY + 1).await, 2);
    // A use that was written meanwhile is seen.
    record_use(&store, 2, 205 * DAY).await;
    let now = 206 * DAY;
    assert_eq!(revoke_unused(&store, &lease, now).await, [id(1)]);
    assert_eq!(store.list(&owner("bob")).await.expect("list").len(), 1);
}

pub(super) async fn used_after_the_warning(store: Store) {
    let lease = lease(&store, Job::ExpiryCheck).await;
    store_token(&store, &new(1, "alice")).await;
    // After ten days, so after a warning that still counts.
    let unused = |now| UnusedTokens::new(10, at(now), at(now));
    let owners = [owner("alice")];
    let warn = async |now| {
        let warned = jobs(&store)
            .warn_unused(&lease, &unused(now), &owners)
            .await;
        warned.expect("warn_unused")
    };
    let revocable = async |now| {
        let counted = jobs(&store).count_unused(&unused(now), &owners).await;
        counted.expect("count_unused").revocable
    };
    assert_eq!(warn(5 * DAY - 1).await, 0, "half of the days");
    assert_eq!(warn(5 * DAY).await, 1);
    assert_eq!(revocable(12 * DAY).await, 1);
    record_use(&store, 1, 6 * DAY).await;
    assert_eq!(
        revocable(16 * DAY).await,
        0,
        "it was used after the warning"
    );
    assert_eq!(warn(16 * DAY).await, 1);
    assert_eq!(revocable(23 * DAY).await, 1);
}

pub(super) async fn of_some_owners(store: Store) {
    let lease = lease(&store, Job::ExpiryCheck).await;
    for number in 1..=5 {
        store_token(&store, &new(number, "alice")).await;
    }
    for (number, key) in [(6, "bob"), (7, "carol")] {
        store_token(&store, &new(number, key)).await;
    }
    let pages = [["alice", "bob"], ["carol", "nobody"]].map(|keys| keys.map(owner));
    let criteria = unused(83 * DAY);
    for (page, expected) in pages.iter().zip([2, 1]) {
        for expected in [expected, 0] {
            let warned = jobs(&store).warn_unused(&lease, &criteria, page).await;
            assert_eq!(warned.expect("warn_unused"), expected);
        }
    }
    let criteria = unused(90 * DAY);
    for (page, expected) in pages.iter().zip([6, 1]) {
        for expected in [expected, 0] {
            let counted = jobs(&store).count_unused(&criteria, page).await;
            let counted = counted.expect("count_unused");
            assert_eq!([counted.revocable, counted.live], [expected; 2]);
            let revoked = jobs(&store).revoke_unused(&lease, &criteria, page).await;
            let revoked = revoked.expect("revoke_unused").tokens;
            assert_eq!(revoked.len() as u64, expected);
        }
    }
}

pub(super) async fn lagging_nodes(store: Store) {
    if !store.is_shared() {
        return;
    }
    let forgotten_at = async || {
        let counted = jobs(&store).count_unused(&unused(DAY), &[]).await;
        counted.expect("count_unused").lagging_node_forgotten_at
    };
    let bounds = MarkBounds::new(at(0), at(0), at(0));
    let forget = async |node, flushed_at: Option<Timestamp>| {
        let report = NodeReport {
            flushed_at,
            ..NodeReport::new(node, 0, at(10_000))
        };
        store.heartbeat(&report, &bounds).await.expect("heartbeat");
        let other = NodeReport {
            now: at(1),
            ..report
        };
        store.deregister(&other).await.expect("deregister");
        let before = forgotten_at().await;
        store.deregister(&report).await.expect("deregister");
        (before, forgotten_at().await)
    };
    // From other cases, if the tables have rows of them.
    let others = forgotten_at().await;
    assert_eq!(forget(1, Some(at(6_401))).await, (others, others));
    let (before, after) = forget(2, Some(at(6_400))).await;
    assert_eq!(before, others, "its report is a later one");
    assert_eq!(after, Some(at(10_000)));
    let (_, after) = forget(3, None).await;
    assert_eq!(after, Some(at(10_000)), "unknown");
}

pub(super) async fn replaced_in_use(store: Store) {
    let lease = lease(&store, Job::ExpiryCheck).await;
    let kind = NotificationKind::ReplacedInUse;
    let warn = async |now| queue_due(&store, &lease, kind, now, &[]).await;
    // Replaced at 1,000 until 2,000, so that the last tenth begins at 1,900.
    for (number, key) in [
        (1, "alice"),
        (2, "alice"),
        (3, "bob"),
        (4, "bob"),
        (5, "carol"),
    ] {
        store_token(&store, &new(number, key)).await;
        let digest = TokenDigest::of(format!("successor of {number}").as_bytes());
        let rotation = Rotation {
            overlap: Duration::from_secs(1_000),
            ..Rotation::new(id(number), owner(key), id(number + 10), digest, at(1_000))
        };
        let rotated = store.rotate(&rotation).await.expect("rotate");
        assert!(matches!(rotated, Rotated::Stored(_)), "{rotated:?}");
    }
    assert_eq!(warn(1_899).await, 0);
    for (number, used) in [(1, 1_900), (2, 1_950), (3, 1_899), (4, 500), (5, 1_999)] {
        record_use(&store, number, used).await;
        // The successors are in use, as they should be.
        record_use(&store, number + 10, used).await;
    }
    revoke(&store, RevocationScope::Tokens(vec![id(5)]), 1_999).await;
    assert_eq!(warn(1_960).await, 1);
    assert_eq!(warn(1_961).await, 0, "once");
    // Also if it is sent after their end.
    assert_eq!(told(&store, 2_100).await, [(kind, vec![id(1), id(2)])]);
    record_use(&store, 3, 1_999).await;
    assert_eq!(warn(2_000 + DAY).await, 0, "too late");
    assert_eq!(warn(1_999 + DAY).await, 1);
    assert_eq!(told(&store, 1_999 + DAY).await, [(kind, vec![id(3)])]);
}
