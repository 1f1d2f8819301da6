//! Revocations.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::{changes, cursor};
use crate::Token;
use crate::store::{Change, NewToken, RevocationScope};
use crate::testing::case::{Store, at, id, new, owner, revoke, store_token};

pub(super) async fn revoke_several(store: Store) {
    for (number, parent) in [(1, None), (2, Some(1)), (3, Some(2)), (4, None), (5, None)] {
        let token = NewToken {
            parent: parent.map(id),
            ..new(number, "alice")
        };
        store_token(&store, &token).await;
    }
    revoke(&store, RevocationScope::Tokens(vec![id(5)]), 1).await;
    let since = cursor(&store).await;
    // In no order, with a duplicate, a revoked token and an unknown ID.
    let named = [4, 5, 2, 4, 99].map(id).to_vec();
    let scope = RevocationScope::Tokens(named.clone());
    assert_eq!(revoke(&store, scope, 2).await, [2, 4].map(id));
    // The third descends from the second, which is revoked already, and from the first.
    let named = [named, vec![id(1)]].concat();
    let scope = RevocationScope::TokensAndDescendants(named);
    assert_eq!(revoke(&store, scope.clone(), 3).await, [1, 3].map(id));
    assert_eq!(revoke(&store, scope, 4).await, []);
    let expected = [2, 4, 1, 3].map(|number| Change::TokenChanged(id(number)));
    assert_eq!(changes(&store, since).await, expected);
    let nothing = RevocationScope::Tokens(Vec::new());
    assert_eq!(revoke(&store, nothing, 5).await, []);
}

pub(super) async fn revoke_many(store: Store) {
    let most = i64::try_from(Change::MOST_NAMED).expect("a number");
    let numbers = || (1..=2 * most + 1).map(id);
    for id in numbers() {
        let owner = format!("user {}", id.get() % 64);
        store_token(&store, &new(id.get(), &owner)).await;
    }
    let since = cursor(&store).await;
    let few = numbers().take(Change::MOST_NAMED).collect();
    let revoked = revoke(&store, RevocationScope::Tokens(few), 1).await;
    assert_eq!(revoked.len(), Change::MOST_NAMED);
    assert_eq!(changes(&store, since).await.len(), Change::MOST_NAMED);
    let since = cursor(&store).await;
    let all = numbers().collect();
    let revoked = revoke(&store, RevocationScope::Tokens(all), 2).await;
    assert_eq!(revoked.len(), Change::MOST_NAMED + 1);
    assert_eq!(changes(&store, since).await, [Change::Everything]);
}

pub(super) async fn revoke_once(store: Store) {
    let scope = RevocationScope::Tokens(vec![id(1)]);
    assert_eq!(
        revoke(&store, scope.clone(), 1).await,
        [],
        "an unknown token"
    );
    let token = store_token(&store, &new(1, "alice")).await;
    let start = cursor(&store).await;
    assert_eq!(revoke(&store, scope.clone(), 1).await, [id(1)]);
    assert_eq!(
        revoke(&store, scope, 2).await,
        [],
        "the second time there is nothing to do"
    );
    let expected = Token {
        revoked_at: Some(at(1)),
        revoked_by: Some(owner("admin")),
        revoke_reason: Some("lost ✂ laptop".into()),
        ..token
    };
    assert_eq!(
        store.find(id(1)).await.expect("find"),
        Some(expected),
        "the first time counts"
    );
    assert_eq!(
        store.list(&owner("alice")).await.expect("list"),
        [],
        "not listed any more"
    );
    assert_eq!(changes(&store, start).await, [Change::TokenChanged(id(1))]);
}

pub(super) async fn revoke_race(store: Store) {
    store_token(&store, &new(1, "alice")).await;
    let mut revocations = JoinSet::new();
    for second in 0..20 {
        let store = Arc::clone(&store);
        revocations.spawn(async move {
            revoke(&store, RevocationScope::Tokens(vec![id(1)]), second).await
        });
    }
    let winners: Vec<_> = revocations.join_all().await.concat();
    assert_eq!(winners, [id(1)]);
    assert_eq!(
        cursor(&store).await.generation,
        1,
        "the counter was incremented once"
    );
}

pub(super) async fn descendants(store: Store) {
    store_token(&store, &new(1, "alice")).await;
    for (number, parent) in [(2, 1), (3, 2), (4, 3)] {
        store_token(
            &store,
            &NewToken {
                parent: Some(id(parent)),
                ..new(number, "alice")
            },
        )
        .await;
    }
    store_token(&store, &new(5, "alice")).await;
    revoke(&store, RevocationScope::Tokens(vec![id(3)]), 1).await;
    let start = cursor(&store).await;
    let revoked = revoke(
        &store,
        RevocationScope::TokensAndDescendants(vec![id(1)]),
        2,
    )
    .await;
    assert_eq!(
        revoked,
        [id(1), id(2), id(4)],
        "also below a token that was revoked before"
    );
    let expected = revoked
        .into_iter()
        .map(Change::TokenChanged)
        .collect::<Vec<_>>();
    assert_eq!(changes(&store, start).await, expected);
    assert_eq!(
        cursor(&store).await.generation,
        start.generation + 1,
        "one increment for all"
    );
    let left = store.list(&owner("alice")).await.expect("list");
    assert_eq!(
        left.iter().map(|token| token.id).collect::<Vec<_>>(),
        [id(5)]
    );
}

pub(super) async fn revoke_owner(store: Store) {
    for number in 1..=3 {
        store_token(&store, &new(number, "alice")).await;
    }
    store_token(&store, &new(4, "Alice")).await;
    revoke(&store, RevocationScope::Tokens(vec![id(2)]), 1).await;
    let scope = RevocationScope::Owner(owner("alice"));
    assert_eq!(revoke(&store, scope.clone(), 2).await, [id(1), id(3)]);
    let head = cursor(&store).await;
    assert_eq!(revoke(&store, scope, 3).await, []);
    assert_eq!(
        cursor(&store).await,
        head,
        "without a revocation the counter stays"
    );
    assert_eq!(store.list(&owner("Alice")).await.expect("list").len(), 1);
}
