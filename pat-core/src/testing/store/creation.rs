//! Limits and parents of new tokens.

use std::sync::Arc;

use tokio::task::JoinSet;

use crate::store::{Insertion, NewToken, RevocationScope};
use crate::testing::case::{Store, at, id, new, owner, revoke, scopes, store_token};

pub(super) async fn limit(store: Store) {
    let insert = async |token: &NewToken| store.insert(token, 2).await.expect("insert");
    let is_stored = async |token: &NewToken| matches!(insert(token).await, Insertion::Stored(_));
    let expired = NewToken {
        expires_at: Some(at(-60)),
        created_at: at(-120),
        ..new(1, "alice")
    };
    assert!(is_stored(&expired).await);
    assert!(is_stored(&new(2, "alice")).await);
    let third = new(3, "alice");
    assert_eq!(insert(&third).await, Insertion::LimitReached { count: 2 });
    let fewer = store.insert(&third, 1).await.expect("insert");
    assert_eq!(
        fewer,
        Insertion::LimitReached { count: 2 },
        "more than allowed"
    );
    assert_eq!(store.find(third.id).await.expect("find"), None);
    assert!(is_stored(&new(4, "bob")).await);
    revoke(&store, RevocationScope::Tokens(vec![id(2)]), 1).await;
    assert!(is_stored(&third).await);
}

pub(super) async fn row_limit(store: Store) {
    let of = |number, max_rows| NewToken {
        max_rows,
        ..new(number, "alice")
    };
    let insert = async |number, max_rows, limit| {
        let inserted = store.insert(&of(number, max_rows), limit).await;
        inserted.expect("insert")
    };
    for number in 1..=4 {
        store_token(&store, &of(number, 4)).await;
        revoke(&store, RevocationScope::Tokens(vec![id(number)]), 1).await;
    }
    store_token(&store, &new(10, "bob")).await;
    assert_eq!(insert(5, 4, 1).await, Insertion::TooManyRows);
    assert_eq!(store.find(id(5)).await.expect("find"), None);
    store_token(&store, &of(5, 5)).await;
    assert_eq!(insert(6, 9, 1).await, Insertion::LimitReached { count: 1 });
    // Revoking one does not help.
    assert_eq!(insert(6, 5, 1).await, Insertion::TooManyRows);
    store_token(&store, &new(11, "bob")).await;
}

pub(super) async fn limit_race(store: Store) {
    let mut creates = JoinSet::new();
    for number in 0..100 {
        let store = Arc::clone(&store);
        creates.spawn(async move { store.insert(&new(number, "alice"), 10).await });
    }
    let mut outcomes = Vec::new();
    while let Some(outcome) = creates.join_next().await {
        outcomes.push(
            outcome
                .expect("task")
                .expect("no lock error reaches the caller"),
        );
    }
    let stored = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, Insertion::Stored(_)))
        .count();
    assert_eq!(stored, 10, "exactly the limit is stored");
    assert_eq!(store.list(&owner("alice")).await.expect("list").len(), 10);
}

pub(super) async fn parents(store: Store) {
    let child = |number, parent| NewToken {
        parent: Some(id(parent)),
        ..new(number, "alice")
    };
    let orphan = store.insert(&child(2, 1), 10).await.expect("insert");
    assert_eq!(orphan, Insertion::ParentInvalid, "an unknown parent");
    let parent = NewToken {
        expires_at: Some(at(60)),
        ..new(1, "alice")
    };
    store_token(&store, &parent).await;
    let stored = store_token(&store, &child(2, 1)).await;
    assert_eq!(stored.parent, Some(id(1)));
    assert_eq!(store.find(id(2)).await.expect("find"), Some(stored));
    let late = NewToken {
        created_at: at(60),
        ..child(3, 1)
    };
    assert_eq!(
        store.insert(&late, 10).await.expect("insert"),
        Insertion::ParentInvalid
    );
    revoke(&store, RevocationScope::Tokens(vec![id(1)]), 1).await;
    assert_eq!(
        store.insert(&child(3, 1), 10).await.expect("insert"),
        Insertion::ParentInvalid
    );
}

pub(super) async fn parent_scopes(store: Store) {
    let lists = || [None, Some(""), Some("read"), Some("read write")];
    let parsed = |names: Option<&str>| names.map(scopes);
    let mut number = 0;
    for parent_has in lists() {
        number += 1;
        let parent = NewToken {
            scopes: parsed(parent_has),
            ..new(number, "alice")
        };
        store_token(&store, &parent).await;
        let child = |number, known, child_has| NewToken {
            parent: Some(parent.id),
            parent_scopes: parsed(known),
            scopes: parsed(child_has),
            ..new(number, "alice")
        };
        for known in lists() {
            number += 1;
            let child = child(number, known, Some("read"));
            let inserted = store.insert(&child, 1_000).await.expect("insert");
            let found = store.find(child.id).await.expect("find");
            if known == parent_has {
                let stored = child.into_token();
                assert_eq!(inserted, Insertion::Stored(stored.clone()));
                assert_eq!(
                    found,
                    Some(stored),
                    "its own scopes, not those of its parent"
                );
            } else {
                let why = format!("{known:?} is known of {parent_has:?}");
                assert_eq!(inserted, Insertion::ParentInvalid, "{why}");
                assert_eq!(found, None, "{why}");
            }
        }
        let unrestricted = child(number + 1, parent_has, None);
        assert_eq!(store_token(&store, &unrestricted).await.scopes, None);
        revoke(&store, RevocationScope::Tokens(vec![parent.id]), 1).await;
        number += 2;
        let late = store
            .insert(&child(number, parent_has, Some("read")), 1_000)
            .await;
        assert_eq!(late.expect("insert"), Insertion::ParentInvalid);
    }
}

pub(super) async fn parent_race(store: Store) {
    for round in 0..20 {
        let parent = round * 100;
        store_token(&store, &new(parent, "alice")).await;
        let mut creates = JoinSet::new();
        for number in parent + 1..parent + 6 {
            let store = Arc::clone(&store);
            let child = NewToken {
                parent: Some(id(parent)),
                ..new(number, "alice")
            };
            creates.spawn(async move { (store.insert(&child, 10_000).await, child.id) });
        }
        let scope = RevocationScope::TokensAndDescendants(vec![id(parent)]);
        revoke(&store, scope, 1).await;
        while let Some(created) = creates.join_next().await {
            let (outcome, child) = created.expect("task");
            let child = store.find(child).await.expect("find");
            match outcome.expect("no lock error reaches the caller") {
                Insertion::Stored(_) => {
                    let child = child.expect("the stored child");
                    assert!(
                        child.revoked_at.is_some(),
                        "created before, so revoked with its parent"
                    );
                }
                _ => assert_eq!(child, None),
            }
        }
    }
}
