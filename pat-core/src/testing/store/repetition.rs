//! Requests that clients repeat with a key.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::cursor;
use super::rotation::rotation;
use crate::store::{
    IDEMPOTENCY_KEPT, IdempotencyKey, Insertion, Job, NewToken, RevocationScope, Rotated, Rotation,
};
use crate::testing::case::{Store, at, id, new, owner, revoke, store_token};
use crate::testing::jobs::{lease, prune_all};

const DAY: i64 = 24 * 60 * 60;

fn key(key: &str, request: u8) -> IdempotencyKey {
    IdempotencyKey::new(key, [request; 32])
}

async fn insert(store: &Store, token: &NewToken) -> Insertion {
    store.insert(token, 100).await.expect("insert")
}

pub(super) async fn creation(store: Store) {
    let longest = "~".repeat(255);
    let created = |number, text: &str, request| NewToken {
        idempotency: Some(key(text, request)),
        ..new(number, "alice")
    };
    let first = store_token(&store, &created(1, "a", 1)).await;
    let repeated = insert(&store, &created(2, "a", 1)).await;
    assert_eq!(repeated, Insertion::Repeated(first));
    assert_eq!(store.find(id(2)).await.expect("find"), None);
    assert_eq!(
        insert(&store, &created(2, "a", 2)).await,
        Insertion::KeyConflict
    );
    // Keys are compared byte by byte, and each owner has others.
    for (number, text) in (3..).zip(["A", "a!", longest.as_str()]) {
        store_token(&store, &created(number, text, 1)).await;
    }
    let of_bob = NewToken {
        idempotency: Some(key("a", 2)),
        ..new(6, "bob")
    };
    store_token(&store, &of_bob).await;
    // Before any other rule.
    let full = store.insert(&created(7, "A", 1), 1).await.expect("insert");
    assert!(matches!(full, Insertion::Repeated(token) if token.id == id(3)));
    // A refused request keeps no key.
    let refused = store.insert(&created(7, "b", 1), 1).await.expect("insert");
    assert_eq!(refused, Insertion::LimitReached { count: 4 });
    store_token(&store, &created(7, "b", 2)).await;
    // The token may have been revoked since.
    revoke(&store, RevocationScope::Tokens(vec![id(1)]), 1).await;
    let repeated = insert(&store, &created(8, "a", 1)).await;
    assert!(matches!(repeated, Insertion::Repeated(token) if token.revoked_at.is_some()));
    // The key is kept for a day.
    let late = |seconds| NewToken {
        created_at: at(seconds),
        ..created(8, "a", 3)
    };
    assert_eq!(IDEMPOTENCY_KEPT, Duration::from_secs(DAY.unsigned_abs()));
    assert_eq!(insert(&store, &late(DAY - 1)).await, Insertion::KeyConflict);
    store_token(&store, &late(DAY)).await;
    assert_eq!(insert(&store, &late(DAY + 1)).await, {
        Insertion::Repeated(late(DAY).into_token())
    });
    if store.jobs().is_some() {
        let lease = lease(&store, Job::Prune).await;
        revoke(&store, RevocationScope::Tokens(vec![id(7)]), 1).await;
        prune_all(&store, &lease).await;
        let gone = insert(&store, &created(9, "b", 2)).await;
        assert_eq!(gone, Insertion::KeyConflict, "the token is deleted");
    }
}

pub(super) async fn rotations(store: Store) {
    store_token(&store, &new(1, "alice")).await;
    let rotated = |number, text: &str, request| Rotation {
        overlap: Duration::ZERO,
        idempotency: Some(key(text, request)),
        ..rotation(1, number, 10)
    };
    let ask = async |rotation: &Rotation| store.rotate(rotation).await.expect("rotate");
    let Rotated::Stored(first) = ask(&rotated(2, "a", 1)).await else {
        panic!("the token is not rotated")
    };
    let since = cursor(&store).await;
    // Although the token has ended.
    let repeated = ask(&rotated(3, "a", 1)).await;
    assert_eq!(repeated, Rotated::Repeated(first.token));
    assert_eq!(ask(&rotated(3, "a", 2)).await, Rotated::KeyConflict);
    let created = NewToken {
        idempotency: Some(key("a", 3)),
        ..new(3, "alice")
    };
    assert_eq!(insert(&store, &created).await, Insertion::KeyConflict);
    assert!(matches!(
        ask(&rotated(3, "b", 1)).await,
        Rotated::Refused(_)
    ));
    assert_eq!(store.find(id(3)).await.expect("find"), None);
    assert_eq!(cursor(&store).await, since);
}

pub(super) async fn race(store: Store) {
    store_token(&store, &new(1, "bob")).await;
    let mut requests = JoinSet::new();
    for number in 10..30 {
        let store = Arc::clone(&store);
        requests.spawn(async move {
            if number % 2 == 0 {
                let token = NewToken {
                    idempotency: Some(key("creation", 1)),
                    ..new(number, "alice")
                };
                matches!(insert(&store, &token).await, Insertion::Stored(_))
            } else {
                let rotation = Rotation {
                    owner: owner("bob"),
                    idempotency: Some(key("rotation", 1)),
                    ..rotation(1, number, 0)
                };
                let rotated = store.rotate(&rotation).await.expect("rotate");
                matches!(rotated, Rotated::Stored(_))
            }
        });
    }
    let made = requests.join_all().await;
    let count = made.into_iter().filter(|is_made| *is_made).count();
    assert_eq!(count, 2, "one of each");
    let listed = store.list(&owner("alice")).await.expect("list");
    assert_eq!(listed.len(), 1);
    let listed = store.list(&owner("bob")).await.expect("list");
    assert_eq!(listed.len(), 2);
}
