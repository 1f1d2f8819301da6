//! What the store writes by itself: the events of a change, in its transaction.

use std::time::Duration;

use super::super::case::{Store, at, id, new, owner, revocation, revoke, scopes, store_token};
use super::super::jobs::{claim, jobs, lease, prune_all, settle};
use super::{after, created, kinds, revoked};
use crate::TokenDigest;
use crate::event::EventKind;
use crate::notification::NotificationKind;
use crate::store::{
    Change, ImportedToken, Insertion, Job, NewImport, NewToken, Outcome, PrunedToken, Revocation,
    RevocationScope, RevokedToken, Rotated, Rotation, Update, Updated,
};

pub(super) async fn creation(store: Store) {
    let parent = new(1, "älice");
    let child = NewToken {
        parent: Some(id(1)),
        ..new(2, "älice")
    };
    for token in [&parent, &child] {
        let stored = store_token(&store, token).await;
        let last = after(&store, 0).await.pop().expect("an event");
        assert_eq!(last.kind, created(token));
        assert_eq!(last.at, stored.created_at, "the time that is stored");
    }
    let expiring = NewToken {
        expires_at: Some(at(3600)),
        ..new(3, "älice")
    };
    let stored = store_token(&store, &expiring).await;
    let last = kinds(&store).await.pop();
    let Some(EventKind::Created { expires_at, .. }) = last else {
        panic!("the third creation: {last:?}")
    };
    assert_eq!(expires_at, stored.expires_at);
    for (number, names) in [(4, ""), (5, "read"), (6, "a.b:c-d_e read")] {
        let restricted = NewToken {
            scopes: Some(scopes(names)),
            ..new(number, "älice")
        };
        store_token(&store, &restricted).await;
        assert_eq!(kinds(&store).await.pop(), Some(created(&restricted)));
    }
    assert_eq!(kinds(&store).await.len(), 6);
}

pub(super) async fn rotations(store: Store) {
    store_token(&store, &new(1, "älice")).await;
    let rotation = |from, to, overlap| Rotation {
        overlap: Duration::from_secs(overlap),
        ..Rotation::new(
            id(from),
            owner("älice"),
            id(to),
            new(to, "älice").digest,
            at(5),
        )
    };
    let capped = Rotation {
        expires_by: Some(at(30)),
        ..rotation(2, 5, 100)
    };
    for rotation in [
        rotation(1, 2, 60),
        rotation(1, 3, 60),
        rotation(1, 4, 60),
        capped,
    ] {
        let rotated = store.rotate(&rotation).await.expect("rotate");
        assert!(matches!(rotated, Rotated::Stored(_)), "{rotated:?}");
    }
    let refused = store.rotate(&rotation(9, 10, 60)).await.expect("rotate");
    assert!(matches!(refused, Rotated::Refused(_)));
    let event = |token, predecessor, ends: &[i64], is_again| EventKind::Rotated {
        token: id(token),
        predecessor: id(predecessor),
        owner: owner("älice"),
        expires_at: (token == 5).then(|| at(30)),
        ends: ends.iter().copied().map(id).collect(),
        // All were replaced with the first.
        ends_at: Some(at(if token == 7 { 20 } else { 65 })),
        is_again,
    };
    let expected = [
        event(2, 1, &[1], false),
        event(3, 1, &[2], true),
        event(4, 1, &[3], true),
        event(5, 2, &[4], true),
    ];
    assert_eq!(kinds(&store).await[1..], expected);
    assert!(after(&store, 1).await.iter().all(|event| event.at == at(5)));
    // Without a token that ends earlier.
    revoke(&store, RevocationScope::Tokens(vec![id(5)]), 6).await;
    let ending = NewToken {
        expires_at: Some(at(20)),
        ..new(6, "älice")
    };
    store_token(&store, &ending).await;
    let last = Rotation {
        now: at(7),
        ..rotation(6, 7, 60)
    };
    store.rotate(&last).await.expect("rotate");
    assert_eq!(kinds(&store).await.pop(), Some(event(7, 6, &[], false)));
}

pub(super) async fn revocations(store: Store) {
    for (number, key) in [(1, "alice"), (2, "alice"), (3, "bob"), (4, "bob")] {
        store_token(&store, &new(number, key)).await;
    }
    revoke(&store, RevocationScope::Tokens(vec![id(1)]), 1).await;
    let all = RevocationScope::Tokens(vec![id(1), id(2), id(3), id(9)]);
    revoke(&store, all, 2).await;
    revoke(&store, RevocationScope::Owner(owner("bob")), 3).await;
    let events = after(&store, 4).await;
    let kinds: Vec<_> = events.iter().map(|event| event.kind.clone()).collect();
    assert_eq!(kinds[0], revoked(1, "alice"));
    assert!(kinds[1..3].contains(&revoked(2, "alice")));
    assert!(kinds[1..3].contains(&revoked(3, "bob")));
    assert_eq!(kinds[3], revoked(4, "bob"));
    assert_eq!(kinds.len(), 4, "once each");
    let token = store.find(id(4)).await.expect("find").expect("a token");
    assert_eq!(Some(events[3].at), token.revoked_at);
    let nobodys = Revocation {
        by: None,
        reason: None,
        id: None,
        ..revocation(4)
    };
    store_token(&store, &new(5, "bob")).await;
    let scope = RevocationScope::Tokens(vec![id(5)]);
    store.revoke(&scope, &nobodys).await.expect("revoke");
    let last = after(&store, 0).await.pop().map(|event| event.kind);
    let expected = EventKind::Revoked {
        tokens: vec![RevokedToken::new(id(5), owner("bob"))],
        by: None,
        reason: None,
        revocation: None,
    };
    assert_eq!(last, Some(expected));
}

pub(super) async fn imports(store: Store) {
    let Some(importing) = store.import_store() else {
        return;
    };
    let row = |number: i64, key: &str| {
        let digest = TokenDigest::of(&number.to_le_bytes());
        NewImport::new(id(number), digest, owner(key), "ci", at(-1))
    };
    let restricted = NewImport {
        expires_at: Some(at(7)),
        scopes: Some(scopes("read write")),
        ..row(2, "älice")
    };
    let expired = NewImport {
        expires_at: Some(at(0)),
        ..row(3, "bob")
    };
    let rows = [row(1, "bob"), restricted, expired];
    for _ in 0..2 {
        importing.import(&rows, at(0)).await.expect("import");
    }
    let events = after(&store, 0).await;
    assert!(events.iter().all(|event| event.at == at(0)));
    let mut kinds: Vec<_> = events.into_iter().map(|event| event.kind).collect();
    kinds.sort_by_key(|kind| match kind {
        EventKind::Imported { tokens } => tokens.first().map(|token| token.id),
        _ => None,
    });
    let imported = |row: &NewImport| EventKind::Imported {
        tokens: vec![ImportedToken {
            expires_at: row.expires_at,
            scopes: row.scopes.clone(),
            ..ImportedToken::new(row.id, row.owner.clone())
        }],
    };
    assert_eq!(kinds, [imported(&rows[0]), imported(&rows[1])], "once each");
}

pub(super) async fn updates(store: Store) {
    store_token(&store, &new(1, "alice")).await;
    let (disabled, enabled) = (Some(false), Some(true));
    let update = |is_enabled, name: &str, by: &str| Update {
        is_enabled,
        name: Some(name.into()),
        by_administrator: true,
        ..Update::new(id(1), at(1), owner(by))
    };
    let (alice, root) = (owner("alice"), owner("root"));
    let changed = || EventKind::Changed {
        token: id(1),
        owner: alice.clone(),
        by: root.clone(),
    };
    let tokens = || vec![id(1)];
    let off = EventKind::Disabled {
        tokens: tokens(),
        owner: alice.clone(),
        by: root.clone(),
    };
    let on = EventKind::Enabled {
        tokens: tokens(),
        owner: alice.clone(),
        by: root.clone(),
    };
    let mut expected = vec![created(&new(1, "alice"))];
    for (update, events) in [
        (update(disabled, "ci", "root"), vec![off.clone()]),
        (update(disabled, "ci", "root"), vec![]),
        (update(enabled, "ci", "root"), vec![on.clone()]),
        (update(None, "other", "root"), vec![changed()]),
        (update(disabled, "both", "root"), vec![changed(), off]),
        (update(enabled, "both", "root"), vec![on]),
    ] {
        let updated = store.update(&update).await.expect("update");
        let Updated::Stored(stored) = updated else {
            panic!("{update:?}: {updated:?}")
        };
        assert_eq!(stored.events, events, "{update:?}");
        expected.extend(events);
        let found = after(&store, 0).await;
        assert!(found.iter().skip(1).all(|event| event.at == at(1)));
        let found: Vec<_> = found.into_iter().map(|event| event.kind).collect();
        // Those of one time may be in any order.
        assert_eq!(found.len(), expected.len(), "{found:?}");
        assert!(
            expected.iter().all(|kind| found.contains(kind)),
            "{found:?}"
        );
    }
}

pub(super) async fn changed_owner(store: Store) {
    let change = Change::OwnerChanged(owner("bob"));
    store
        .append_change(&change, at(1))
        .await
        .expect("append_change");
    let expected = EventKind::OwnerChanged {
        owner: owner("bob"),
    };
    assert_eq!(kinds(&store).await, [expected]);
}

pub(super) async fn pruning(store: Store) {
    for number in 1..=3 {
        store_token(&store, &new(number, "alice")).await;
    }
    let scope = RevocationScope::Tokens(vec![id(1), id(2)]);
    revoke(&store, scope, 1).await;
    let lease = lease(&store, Job::Prune).await;
    let pruned = prune_all(&store, &lease).await;
    assert_eq!(pruned, [id(1), id(2)]);
    let events = after(&store, 5).await;
    let kinds: Vec<_> = events.into_iter().map(|event| event.kind).collect();
    let expected = |number| EventKind::Pruned {
        tokens: vec![PrunedToken {
            id: id(number),
            owner: owner("alice"),
        }],
    };
    assert!(kinds.contains(&expected(1)) && kinds.contains(&expected(2)));
    assert_eq!(kinds.len(), 2);
}

pub(super) async fn notifications(store: Store) {
    for number in 1..=2 {
        let token = NewToken {
            notify: true,
            ..new(number, "alice")
        };
        store_token(&store, &token).await;
    }
    let scope = RevocationScope::Owner(owner("alice"));
    let revocation = Revocation {
        notify: true,
        ..revocation(1)
    };
    store.revoke(&scope, &revocation).await.expect("revoke");
    let notifications = claim(&store, 1).await;
    let [notification] = &notifications[..] else {
        panic!("for revoked tokens only the revocation is notified: {notifications:?}")
    };
    let retry = Outcome::Dead {
        error: "no such box".into(),
        sent_by: Vec::new(),
    };
    assert!(settle(&store, notification, retry, 2).await);
    let dead = EventKind::NotificationDead {
        notification: notification.claim.id,
        kind: NotificationKind::RevokedByAdmin,
        owner: owner("alice"),
        error: "no such box".into(),
    };
    assert_eq!(kinds(&store).await[4..], [dead]);
    let requeued = jobs(&store)
        .requeue_notification(notification.claim.id, at(3))
        .await;
    assert!(requeued.expect("requeue_notification"));
    let notifications = claim(&store, 4).await;
    assert!(settle(&store, &notifications[0], Outcome::Sent, 5).await);
    let notified = |number| EventKind::Notified {
        notification: notification.claim.id,
        kind: NotificationKind::RevokedByAdmin,
        owner: owner("alice"),
        tokens: vec![id(number)],
    };
    let told = kinds(&store).await.split_off(5);
    assert!(told.contains(&notified(1)) && told.contains(&notified(2)));
    assert_eq!(told.len(), 2);
}

pub(super) async fn no_change(store: Store) {
    let told = NewToken {
        notify: true,
        ..new(1, "alice")
    };
    store_token(&store, &told).await;
    let again = store.insert(&new(1, "bob"), 10).await.expect("insert");
    assert_eq!(again, Insertion::Duplicate);
    let taken = NewToken {
        digest: TokenDigest::of(&1_i64.to_le_bytes()),
        ..new(2, "bob")
    };
    let again = store.insert(&taken, 10).await.expect("insert");
    assert_eq!(again, Insertion::Duplicate);
    let limited = store.insert(&new(3, "alice"), 1).await.expect("insert");
    assert_eq!(limited, Insertion::LimitReached { count: 1 });
    let orphan = NewToken {
        parent: Some(id(9)),
        ..new(4, "alice")
    };
    let orphan = store.insert(&orphan, 10).await.expect("insert");
    assert_eq!(orphan, Insertion::ParentInvalid);
    revoke(&store, RevocationScope::Tokens(vec![id(9)]), 1).await;
    let change = Change::Everything;
    store
        .append_change(&change, at(1))
        .await
        .expect("append_change");
    let claimed = claim(&store, 1).await;
    let retry = Outcome::Skipped {
        reason: "no address".into(),
    };
    assert!(settle(&store, &claimed[0], retry, 2).await);
    assert!(!settle(&store, &claimed[0], Outcome::Sent, 3).await);
    assert_eq!(kinds(&store).await, [created(&new(1, "alice"))]);
}
