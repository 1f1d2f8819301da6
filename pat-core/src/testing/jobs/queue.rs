//! Queueing notifications.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::{DAY, claim, due_owners, expiring, ids, jobs, lease, queue_due, settle};
use crate::client::Client;
use crate::notification::{NotificationKind, NotificationToken};
use crate::store::{
    DueNotifications, Job, LastUse, NewToken, Outcome, Revocation, RevocationScope, Rotated,
    Rotation,
};
use crate::testing::case::{Store, at, id, new, owner, revocation, revoke, scopes, store_token};

pub(super) async fn due_once(store: Store) {
    let lease = lease(&store, Job::ExpiryCheck).await;
    let end = 10 * DAY;
    store_token(&store, &new(1, "eternal")).await;
    store_token(&store, &expiring(2, "alice", end)).await;
    store_token(&store, &expiring(3, "revoked", end)).await;
    let transient = NewToken {
        is_transient: true,
        ..expiring(4, "transient", end)
    };
    store_token(&store, &transient).await;
    revoke(&store, RevocationScope::Tokens(vec![id(3)]), 1).await;
    let soon = async |now, days: &[u32]| {
        queue_due(&store, &lease, NotificationKind::ExpiresSoon, now, days).await
    };
    let expired = async |now| queue_due(&store, &lease, NotificationKind::Expired, now, &[]).await;
    assert_eq!(soon(8 * DAY - 1, &[2]).await, 0);
    assert_eq!(soon(8 * DAY, &[]).await, 0, "no reminder");
    assert_eq!(soon(8 * DAY, &[2]).await, 1, "to the microsecond");
    assert_eq!(soon(8 * DAY, &[2]).await, 0, "once");
    assert_eq!(expired(end - 1).await, 0);
    assert_eq!(soon(end, &[2]).await, 0);
    assert_eq!(expired(end).await, 1);
    assert_eq!(expired(end).await, 0, "once");
    assert_eq!(soon(end, &[2]).await, 0);

    // For a token that expired meanwhile, only `Expired` is due.
    store_token(&store, &expiring(5, "bob", 2 * end)).await;
    assert_eq!(expired(3 * end).await, 1);
    assert_eq!(soon(3 * end, &[2]).await, 0);
}

pub(super) async fn reminders(store: Store) {
    let lease = lease(&store, Job::ExpiryCheck).await;
    let soon = async |now: i64, days: &[u32]| {
        queue_due(&store, &lease, NotificationKind::ExpiresSoon, now, days).await
    };
    let list = &[30, 7, 1];
    store_token(&store, &expiring(1, "alice", 100 * DAY)).await;
    for (now, expected) in [
        (70 * DAY - 1, 0),
        (70 * DAY, 1),
        (70 * DAY + 1, 0),
        (93 * DAY - 1, 0),
        (93 * DAY, 1),
        (99 * DAY - 1, 0),
        (99 * DAY, 1),
        (100 * DAY - 1, 0),
    ] {
        assert_eq!(soon(now, list).await, expected, "{now}");
    }

    // After an outage, only the reminder that is nearest to the expiry is queued.
    store_token(&store, &expiring(2, "bob", 200 * DAY)).await;
    assert_eq!(soon(195 * DAY, list).await, 1);
    assert_eq!(soon(195 * DAY, list).await, 0);
    assert_eq!(soon(199 * DAY, list).await, 1);

    // Another list repeats none.
    store_token(&store, &expiring(3, "carol", 300 * DAY)).await;
    assert_eq!(soon(293 * DAY, list).await, 1);
    for repeating in [&[60, 7][..], &[7], &[14], &[90, 30, 10]] {
        assert_eq!(soon(293 * DAY, repeating).await, 0, "{repeating:?}");
    }
    assert_eq!(soon(294 * DAY, &[30, 6]).await, 1);

    // What is not less than the life span does not apply.
    store_token(&store, &expiring(4, "dave", 370 * DAY)).await;
    let young = |number, life: i64| NewToken {
        created_at: at(370 * DAY - life),
        ..expiring(number, "erin", 370 * DAY)
    };
    store_token(&store, &young(5, 7 * DAY)).await;
    store_token(&store, &young(6, 7 * DAY + 1)).await;
    store_token(&store, &young(7, DAY)).await;
    assert_eq!(
        claim(&store, 363 * DAY).await,
        [],
        "the others have expired"
    );
    assert_eq!(soon(363 * DAY, list).await, 2);
    let about = async |now| {
        let mut about = Vec::new();
        for notification in claim(&store, now).await {
            about.push(ids(&notification));
        }
        about.sort();
        about
    };
    assert_eq!(about(363 * DAY).await, [vec![id(4)], vec![id(6)]]);
    assert_eq!(soon(370 * DAY - 1, list).await, 2);
    // Those that were claimed and not settled are due again, without the tokens of newer ones.
    let due_again = about(370 * DAY - 1).await;
    assert_eq!(due_again, [vec![id(4)], vec![id(5), id(6)]]);
}

pub(super) async fn superseded_reminder(store: Store) {
    let lease = lease(&store, Job::ExpiryCheck).await;
    let kind = NotificationKind::ExpiresSoon;
    for (number, key, end) in [
        (1, "alice", 10),
        (2, "alice", 10),
        (3, "alice", 13),
        (4, "bob", 10),
    ] {
        store_token(&store, &expiring(number, key, end * DAY)).await;
    }
    let list = &[7, 1];
    assert_eq!(queue_due(&store, &lease, kind, 6 * DAY, list).await, 2);
    assert_eq!(queue_due(&store, &lease, kind, 9 * DAY, list).await, 2);
    let claimed = claim(&store, 9 * DAY).await;
    let mut about: Vec<_> = claimed.iter().map(ids).collect();
    about.sort();
    let expected = [vec![id(1), id(2)], vec![id(3)], vec![id(4)]];
    assert_eq!(about, expected, "bob's older one is empty");
    for notification in &claimed {
        assert!(settle(&store, notification, Outcome::Sent, 9 * DAY).await);
    }
    // What was sent hinders nothing.
    assert_eq!(queue_due(&store, &lease, kind, 12 * DAY, list).await, 1);
    let claimed = claim(&store, 12 * DAY).await;
    let about: Vec<_> = claimed.iter().map(ids).collect();
    assert_eq!(about, [vec![id(3)]]);
}

pub(super) async fn walk(store: Store) {
    let lease = lease(&store, Job::ExpiryCheck).await;
    let kind = NotificationKind::ExpiresSoon;
    let (now, end) = (DAY + 900, 2 * DAY + 100);
    // At one time, as if a host gave tokens a fixed end, and with more tokens of an owner than a step reads.
    for number in 1..=9 {
        store_token(&store, &expiring(number, &format!("owner-{number}"), end)).await;
    }
    for number in 10..=45 {
        store_token(&store, &expiring(number, "many", end + number / 9)).await;
    }
    store_token(&store, &expiring(46, "last", end + 9)).await;
    store_token(&store, &expiring(47, "not-due", 9 * DAY)).await;
    // Some have had an earlier reminder.
    let earlier = DueNotifications::new(kind, at(now), vec![2]);
    let reminded: Vec<_> = (4..=9)
        .map(|number| owner(&format!("owner-{number}")))
        .collect();
    let queued = jobs(&store).queue_due_notifications(&lease, &earlier, &reminded);
    assert_eq!(queued.await.expect("queue_due_notifications"), 6);
    let due = DueNotifications::new(kind, at(now), vec![2, 1]);
    let mut expected: Vec<_> = (1..=9)
        .map(|number| owner(&format!("owner-{number}")))
        .chain([owner("many"), owner("last")])
        .collect();
    expected.sort();
    for max_owners in [1, 2, 3, 100] {
        let pages = due_owners(&store, &due, max_owners).await;
        assert!(pages.iter().all(|page| page.len() <= max_owners as usize));
        let mut found: Vec<_> = pages.into_iter().flatten().collect();
        found.sort();
        // An owner may come again where the tokens of another lie between.
        found.dedup();
        assert_eq!(found, expected, "{max_owners} at a time");
    }
    assert_eq!(queue_due(&store, &lease, kind, now, &[2, 1]).await, 11);
    assert_eq!(due_owners(&store, &due, 3).await, [[]; 1], "none is left");
}

pub(super) async fn grouping(store: Store) {
    let lease = lease(&store, Job::ExpiryCheck).await;
    let mut numbers = 1..;
    for key in ["bob", "alice", "älice", "Alice"] {
        for seconds in [300, 100, 200] {
            let number = numbers.next().expect("a number");
            store_token(&store, &expiring(number, key, 2 * DAY + seconds)).await;
        }
    }
    let used = LastUse {
        id: id(2),
        at: at(50),
    };
    store.record_use(&[used]).await.expect("record_use");
    let now = DAY + 900;
    let due = DueNotifications::new(NotificationKind::ExpiresSoon, at(now), vec![1]);
    // For an owner's tokens together, and for no owner who is not asked for.
    for owners in [["bob", "Alice"], ["nobody", "alice"], ["alice", "älice"]] {
        let owners = owners.map(owner);
        let expected = if owners[0] == owner("bob") { 2 } else { 1 };
        let queued = jobs(&store).queue_due_notifications(&lease, &due, &owners);
        assert_eq!(queued.await.expect("queue_due_notifications"), expected);
    }
    let claimed = claim(&store, now).await;
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
        (at(now), &None, &None)
    );
    let first = NotificationToken {
        id: id(2),
        name: "ci".into(),
        created_at: at(0),
        expires_at: Some(at(2 * DAY + 100)),
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

pub(super) async fn second_rotation(store: Store) {
    store_token(&store, &new(1, "alice")).await;
    let rotate = async |to, notify| {
        let digest = new(to, "alice").digest;
        let rotation = Rotation {
            overlap: Duration::from_secs(60),
            notify,
            ..Rotation::new(id(1), owner("alice"), id(to), digest, at(0))
        };
        let rotated = store.rotate(&rotation).await.expect("rotate");
        assert!(matches!(rotated, Rotated::Stored(_)), "{rotated:?}");
    };
    rotate(2, true).await;
    rotate(3, false).await;
    assert_eq!(claim(&store, 0).await, []);
    rotate(4, true).await;
    let address = IpAddr::from([192, 0, 2, 7]);
    let client = Client::default().with_address(address);
    client.scope(rotate(5, true)).await;
    let claimed = claim(&store, 0).await;
    let mut from: Vec<_> = claimed.iter().map(|told| told.client_address).collect();
    from.sort();
    assert_eq!(from, [None, Some(address)], "as far as it is known");
    let mut about: Vec<_> = claimed.iter().map(ids).collect();
    about.sort();
    assert_eq!(about, [vec![id(4)], vec![id(5)]], "about the new token");
    let kind = NotificationKind::RotatedAgain;
    assert!(claimed.iter().all(|notification| notification.kind == kind));
    let whom = owner("alice");
    assert!(
        claimed
            .iter()
            .all(|notification| notification.owner == whom)
    );
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
        let client = Client::default().with_address([192, 0, 2, 7].into());
        let revoking = client.scope(store.revoke(&scope, &revocation));
        revoking.await.expect("revoke");
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
    assert_eq!(notification.client_address, None, "not the administrator's");
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
