//! Queueing notifications.

use std::collections::BTreeMap;

use super::{claim, expiring, ids, jobs, lease, queue_due, seconds};
use crate::notification::{NotificationKind, NotificationToken};
use crate::store::{DueNotifications, Job, LastUse, NewToken, Revocation, RevocationScope};
use crate::testing::case::{Store, at, id, new, owner, revocation, revoke, scopes, store_token};

pub(super) async fn due_once(store: Store) {
    let lease = lease(&store, Job::ExpiryCheck).await;
    store_token(&store, &new(1, "eternal")).await;
    store_token(&store, &expiring(2, "alice", 1000)).await;
    store_token(&store, &expiring(3, "revoked", 1000)).await;
    revoke(&store, RevocationScope::Tokens(vec![id(3)]), 1).await;
    let soon = NotificationKind::ExpiresSoon;
    assert_eq!(queue_due(&store, &lease, soon, 899, 999).await, 0);
    assert_eq!(
        queue_due(&store, &lease, soon, 900, 1000).await,
        1,
        "to the microsecond"
    );
    assert_eq!(queue_due(&store, &lease, soon, 900, 1000).await, 0, "once");
    let expired = NotificationKind::Expired;
    assert_eq!(queue_due(&store, &lease, expired, 999, 999).await, 0);
    assert_eq!(queue_due(&store, &lease, soon, 1000, 1100).await, 0);
    assert_eq!(queue_due(&store, &lease, expired, 1000, 1000).await, 1);
    assert_eq!(
        queue_due(&store, &lease, expired, 1000, 1000).await,
        0,
        "once"
    );
    assert_eq!(queue_due(&store, &lease, soon, 1000, 9999).await, 0);

    // For a token that expired meanwhile, only `Expired` is due.
    store_token(&store, &expiring(4, "bob", 2000)).await;
    assert_eq!(queue_due(&store, &lease, expired, 5000, 5000).await, 1);
    assert_eq!(queue_due(&store, &lease, soon, 5000, 9999).await, 0);
}

pub(super) async fn grouping(store: Store) {
    let lease = lease(&store, Job::ExpiryCheck).await;
    let mut numbers = 1..;
    for key in ["bob", "alice", "älice", "Alice"] {
        for seconds in [300, 100, 200] {
            let number = numbers.next().expect("a number");
            store_token(&store, &expiring(number, key, seconds)).await;
        }
    }
    let used = LastUse {
        id: id(2),
        at: at(50),
    };
    store.record_use(&[used]).await.expect("record_use");
    let due = DueNotifications {
        kind: NotificationKind::ExpiresSoon,
        now: at(60),
        within: seconds(940),
    };
    // In two batches, neither of which separates an owner's tokens.
    for expected in [3, 1, 0] {
        let queued = jobs(&store).queue_due_notifications(&lease, &due, 3).await;
        assert_eq!(queued.expect("queue_due_notifications"), expected);
    }
    let claimed = claim(&store, 60).await;
    let by_owner: BTreeMap<_, _> = claimed
        .iter()
        .map(|notification| (notification.owner.as_str(), ids(notification)))
        .collect();
    let expected = [("Alice", 10), ("alice", 4), ("bob", 1), ("älice", 7)]
        .map(|(key, first)| (key, [1, 2, 0].map(|place| id(first + place)).to_vec()));
    assert_eq!(by_owner, BTreeMap::from(expected), "by expiry");
    let bobs = claimed
        .iter()
        .find(|notification| notification.owner == owner("bob"))
        .expect("bob's");
    assert_eq!(
        (bobs.kind, bobs.attempts),
        (NotificationKind::ExpiresSoon, 1)
    );
    assert_eq!(
        (bobs.queued_at, &bobs.by, &bobs.reason),
        (at(60), &None, &None)
    );
    let first = NotificationToken {
        id: id(2),
        name: "ci".into(),
        created_at: at(0),
        expires_at: Some(at(100)),
        last_used_at: Some(at(50)),
        scopes: None,
    };
    assert_eq!(bobs.tokens[0], first);
}

pub(super) async fn creation(store: Store) {
    let told = |number| NewToken {
        notify: true,
        ..new(number, "alice")
    };
    let restricted = NewToken {
        scopes: Some(scopes("read write")),
        ..told(1)
    };
    store_token(&store, &restricted).await;
    let refused = store.insert(&told(2), 1).await.expect("insert");
    assert_eq!(refused, crate::store::Insertion::LimitReached { count: 1 });
    store_token(&store, &new(3, "bob")).await;
    let claimed = claim(&store, 0).await;
    assert_eq!(claimed.len(), 1, "only for the stored token with `notify`");
    assert_eq!(
        (claimed[0].kind, ids(&claimed[0])),
        (NotificationKind::Created, vec![id(1)])
    );
    assert_eq!(claimed[0].tokens[0].expires_at, None);
    assert_eq!(claimed[0].tokens[0].scopes, restricted.scopes);
}

pub(super) async fn admin_revocation(store: Store) {
    for (number, key) in [(1, "alice"), (2, "alice"), (3, "bob")] {
        store_token(&store, &new(number, key)).await;
    }
    let revocation = Revocation {
        notify: true,
        ..revocation(5)
    };
    let scope = RevocationScope::Owner(owner("alice"));
    for _ in 0..2 {
        store.revoke(&scope, &revocation).await.expect("revoke");
    }
    revoke(&store, RevocationScope::Tokens(vec![id(3)]), 6).await;
    let claimed = claim(&store, 10).await;
    assert_eq!(claimed.len(), 1, "once, and only with `notify`");
    let notification = &claimed[0];
    assert_eq!(notification.kind, NotificationKind::RevokedByAdmin);
    assert_eq!(
        (&notification.owner, ids(notification)),
        (&owner("alice"), vec![id(1), id(2)])
    );
    assert_eq!(notification.by, Some(owner("admin")));
    assert_eq!(notification.reason.as_deref(), Some("lost ✂ laptop"));
}

pub(super) async fn outlived_revocation(store: Store) {
    for (number, key, parent, end) in [
        (1, "alice", None, None),
        (2, "alice", Some(1), None),
        (3, "alice", Some(2), Some(60)),
        (4, "alice", Some(2), Some(4)),
        (5, "bob", None, None),
        (6, "bob", Some(5), None),
        (7, "bob", Some(6), None),
        (8, "carol", None, None),
    ] {
        let token = NewToken {
            parent: parent.map(id),
            expires_at: end.map(at),
            ..new(number, key)
        };
        store_token(&store, &token).await;
    }
    revoke(&store, RevocationScope::Tokens(vec![id(6)]), 3).await;
    let revocation = Revocation {
        notify: true,
        ..revocation(5)
    };
    let revoke = async |scope| store.revoke(&scope, &revocation).await.expect("revoke");
    let named = vec![id(1), id(5), id(8)];
    let revoked = revoke(RevocationScope::Tokens(named)).await;
    assert_eq!(revoked.live_children, 3);
    let rest = vec![id(1), id(5)];
    let revoked = revoke(RevocationScope::TokensAndDescendants(rest)).await;
    assert_eq!(revoked.live_children, 0, "none is left");
    let mut told: Vec<_> = claim(&store, 10)
        .await
        .iter()
        .map(|notification| {
            let mut tokens = ids(notification);
            tokens.sort();
            (
                notification.owner.to_string(),
                tokens,
                notification.live_children,
            )
        })
        .collect();
    told.sort();
    let expected = [
        ("alice", vec![1], 2),
        ("alice", vec![2, 3, 4], 0),
        ("bob", vec![5], 1),
        ("bob", vec![7], 0),
        ("carol", vec![8], 0),
    ]
    .map(|(owner, tokens, live)| {
        let tokens: Vec<_> = tokens.into_iter().map(id).collect();
        (owner.to_owned(), tokens, live)
    });
    assert_eq!(
        told, expected,
        "each owner is notified of the owner's own tokens"
    );
}
