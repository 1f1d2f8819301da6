//! When the host last saw owners.

use std::time::Duration;

use jiff::Timestamp;

use crate::store::{
    Change, Job, LeaseAnswer, LeaseRequest, MarkBounds, RevocationScope, SeenEffect, SeenOwner,
};
use crate::testing::case::{Store, at, id, new, owner, revoke, store_token};

/// The seconds of a day.
const DAY: i64 = 24 * 60 * 60;

async fn see(store: &Store, key: &str, now: i64, max_days: u64) -> SeenEffect {
    let absence = Duration::from_secs(max_days * 24 * 60 * 60);
    let seen = SeenOwner::new(owner(key), at(now), absence);
    store.note_seen(&seen).await.expect("note_seen")
}

async fn seen_at(store: &Store, key: &str) -> Option<Timestamp> {
    let seen = store.owner_seen_at(&owner(key)).await;
    seen.expect("owner_seen_at")
}

pub(super) async fn seen_once_a_day(store: Store) {
    store_token(&store, &new(1, "alice")).await;
    store_token(&store, &new(2, "bob")).await;
    if see(&store, "alice", 10, 30).await == SeenEffect::None {
        // It keeps no such times.
        assert_eq!(seen_at(&store, "alice").await, None);
        return;
    }
    assert_eq!(seen_at(&store, "alice").await, Some(at(10)));
    assert_eq!(seen_at(&store, "bob").await, None);
    let head = store.changes_since(None).await.expect("changes_since").head;
    for (now, max_days, expected, recorded) in [
        (DAY + 9, 30, SeenEffect::None, 10),
        (DAY + 10, 30, SeenEffect::Recorded, DAY + 10),
        (31 * DAY + 9, 30, SeenEffect::Recorded, 31 * DAY + 9),
        (61 * DAY + 9, 30, SeenEffect::Returned, 61 * DAY + 9),
        (61 * DAY + 9, 30, SeenEffect::None, 61 * DAY + 9),
        (99 * DAY, 0, SeenEffect::Recorded, 99 * DAY),
        // As after a clock that was ahead was set back.
        (98 * DAY, 30, SeenEffect::Recorded, 98 * DAY),
    ] {
        let effect = see(&store, "alice", now, max_days).await;
        assert_eq!(effect, expected, "{now}");
        assert_eq!(seen_at(&store, "alice").await, Some(at(recorded)), "{now}");
    }
    let page = store.changes_since(Some(head)).await;
    let changes = page.expect("changes_since").entries.into_iter();
    let changes: Vec<_> = changes.map(|entry| entry.change).collect();
    let returned = Change::OwnerChanged(owner("alice"));
    assert_eq!(changes, [returned], "of the one who returned");
    // An owner without tokens.
    assert_eq!(see(&store, "carol", 0, 30).await, SeenEffect::Recorded);
    store_token(&store, &new(3, "carol")).await;
    assert_eq!(seen_at(&store, "carol").await, Some(at(0)));
}

pub(super) async fn unseen_owners(store: Store) {
    let Some(jobs) = store.jobs() else { return };
    let due = |_| Some(at(0));
    let bounds = MarkBounds::new(at(0), at(0), at(0));
    let request = LeaseRequest::new(
        Job::ExpiryCheck,
        at(0),
        Duration::from_secs(60),
        &due,
        bounds,
    );
    let (answer, _) = jobs.acquire_lease(&request).await.expect("acquire_lease");
    let LeaseAnswer::Acquired(lease) = answer else {
        panic!("an empty store has no leases: {answer:?}")
    };
    for (number, key) in [
        (1, "alice"),
        (2, "alice"),
        (3, "bob"),
        (4, "carol"),
        (5, "dave"),
    ] {
        store_token(&store, &new(number, key)).await;
    }
    revoke(&store, RevocationScope::Tokens(vec![id(5)]), 1).await;
    if see(&store, "bob", 10, 30).await == SeenEffect::None {
        return;
    }
    let unseen = async |now, keys: &[&str]| {
        let owners: Vec<_> = keys.iter().map(|key| owner(key)).collect();
        let noted = jobs.note_unseen(&lease, at(now), &owners).await;
        noted.expect("note_unseen")
    };
    assert_eq!(unseen(20, &["alice", "bob"]).await, 1);
    assert_eq!(unseen(20, &["carol"]).await, 1);
    assert_eq!(unseen(30, &["alice", "bob", "carol"]).await, 0);
    for (key, expected) in [
        ("alice", Some(20)),
        ("bob", Some(10)),
        ("carol", Some(20)),
        ("dave", None),
    ] {
        assert_eq!(seen_at(&store, key).await, expected.map(at), "{key}");
    }
}
