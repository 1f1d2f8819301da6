//! Tokens that are imported, if the store has the capability.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::{cursor, find_by_digest};
use crate::search::Filter;
use crate::store::{ImportOutcome, ImportStore, Insertion, NewImport, NewToken, RevocationScope};
use crate::testing::case::{Store, at, id, new, owner, revoke, scopes, store_token};
use crate::{Token, TokenDigest, TokenId};

fn imports(store: &Store) -> &dyn ImportStore {
    store.import_store().expect("a store that imports")
}

fn can_import(store: &Store) -> bool {
    store.import_store().is_some()
}

/// Returns a token with the digest of [`new`] for the same number.
fn row(number: i64, owner_key: &str) -> NewImport {
    let digest = TokenDigest::of(&number.to_le_bytes());
    NewImport::new(id(number), digest, owner(owner_key), "ci", at(-500))
}

/// Imports tokens at the time 0.
async fn import(store: &Store, rows: &[NewImport]) -> Vec<ImportOutcome> {
    let outcomes = imports(store).import(rows, at(0)).await.expect("import");
    assert_eq!(outcomes.len(), rows.len(), "one for each");
    outcomes
}

fn stored(row: &NewImport) -> ImportOutcome {
    ImportOutcome::Stored(Box::new(row.to_token(at(0))))
}

async fn find(store: &Store, id: TokenId) -> Option<Token> {
    store.find(id).await.expect("find")
}

pub(super) async fn round_trip(store: Store) {
    if !can_import(&store) {
        return;
    }
    let full = NewImport {
        name: "Nächster 'Name' \\ 🎉".into(),
        expires_at: Some(at(1)),
        last_used_at: Some(at(-400)),
        scopes: Some(scopes("read write")),
        description: Some("für den Bau".into()),
        ..row(1, "älice")
    };
    let restricted = NewImport {
        scopes: Some(scopes("")),
        ..row(3, "bob")
    };
    let rows = [full, row(2, "bob"), restricted];
    let since = cursor(&store).await;
    assert_eq!(import(&store, &rows).await, rows.each_ref().map(stored));
    for row in &rows {
        let token = row.to_token(at(0));
        assert_eq!(token.imported_at, Some(at(0)));
        assert_eq!(find(&store, row.id).await.as_ref(), Some(&token));
        let by_digest = find_by_digest(&store, &row.digest).await;
        assert_eq!(by_digest, Some(token));
    }
    let listed = store.list(&owner("bob")).await.expect("list");
    assert_eq!(
        listed,
        [1, 2].map(|index: usize| rows[index].to_token(at(0)))
    );
    assert_eq!(import(&store, &[]).await, []);
    assert_eq!(cursor(&store).await, since, "the feed has nothing to tell");
    // It is a token like others.
    let scope = RevocationScope::Owner(owner("bob"));
    assert_eq!(revoke(&store, scope, 1).await, [id(2), id(3)]);
    if let Some(search) = store.search_store() {
        let filter = Filter {
            name: "NÄCHSTER".into(),
            ..Filter::default()
        };
        assert_eq!(search.count(&filter).await.expect("count"), 1);
    }
}

pub(super) async fn outcomes(store: Store) {
    if !can_import(&store) {
        return;
    }
    store_token(&store, &new(1, "alice")).await;
    store_token(&store, &new(2, "alice")).await;
    revoke(&store, RevocationScope::Tokens(vec![id(2)]), 1).await;
    let other_id = |number, other, key: &str| NewImport {
        id: id(other),
        ..row(number, key)
    };
    let ends = |number, seconds| NewImport {
        expires_at: Some(at(seconds)),
        ..row(number, "bob")
    };
    let future = NewImport {
        created_at: at(60),
        last_used_at: Some(at(60)),
        ..row(8, "bob")
    };
    let rows = [
        other_id(1, 11, "alice"),
        other_id(2, 12, "alice"),
        other_id(1, 13, "Alice"),
        other_id(3, 1, "alice"),
        ends(4, 0),
        ends(5, 1),
        row(6, "bob"),
        other_id(6, 16, "bob"),
        other_id(6, 17, "carol"),
        other_id(7, 6, "bob"),
        future.clone(),
    ];
    let expected = [
        ImportOutcome::Present(id(1)),
        ImportOutcome::Present(id(2)),
        ImportOutcome::OtherOwner,
        ImportOutcome::Duplicate,
        ImportOutcome::Expired,
        stored(&rows[5]),
        stored(&rows[6]),
        ImportOutcome::Present(id(6)),
        ImportOutcome::OtherOwner,
        ImportOutcome::Duplicate,
        stored(&future),
    ];
    assert_eq!(import(&store, &rows).await, expected);
    for number in [11, 12, 13, 3, 4, 16, 17, 7] {
        assert_eq!(find(&store, id(number)).await, None, "{number}");
    }
    let token = find(&store, id(8)).await.expect("the token");
    let times = (token.created_at, token.last_used_at);
    assert_eq!(times, (at(0), Some(at(0))), "not in the future");
    // Again: a revoked token stays revoked.
    let scope = RevocationScope::Tokens(vec![id(6)]);
    assert_eq!(revoke(&store, scope, 2).await, [id(6)]);
    let again = [row(6, "bob"), row(8, "bob")];
    let present = [6, 8].map(|number| ImportOutcome::Present(id(number)));
    assert_eq!(import(&store, &again).await, present);
    let revoked = find(&store, id(6)).await.expect("the token");
    assert_eq!(revoked.revoked_at, Some(at(2)));
}

/// What was imported counts, but is not refused for its number.
pub(super) async fn limits(store: Store) {
    if !can_import(&store) {
        return;
    }
    store_token(&store, &new(1, "alice")).await;
    let rows = [2, 3].map(|number| row(number, "alice"));
    assert_eq!(import(&store, &rows).await, rows.each_ref().map(stored));
    let refused = store.insert(&new(4, "alice"), 3).await.expect("insert");
    assert_eq!(refused, Insertion::LimitReached { count: 3 });
    let limited = NewToken {
        max_rows: 3,
        ..new(4, "alice")
    };
    let refused = store.insert(&limited, 10).await.expect("insert");
    assert_eq!(refused, Insertion::TooManyRows);
    let created = store.insert(&new(4, "alice"), 4).await.expect("insert");
    assert_eq!(created, Insertion::Stored(new(4, "alice").into_token()));
}

pub(super) async fn many(store: Store) {
    if !can_import(&store) {
        return;
    }
    let rows: Vec<_> = (1..=2_500)
        .map(|number| row(number, &format!("owner {}", number % 1_200)))
        .collect();
    let expected: Vec<_> = rows.iter().map(stored).collect();
    assert!(import(&store, &rows).await == expected, "all are stored");
    let found = store.list(&owner("owner 7")).await.expect("list");
    let found: Vec<_> = found.into_iter().map(|token| token.id).collect();
    assert_eq!(found, [id(7), id(1_207), id(2_407)]);
    let present = rows.iter().map(|row| ImportOutcome::Present(row.id));
    let present: Vec<_> = present.collect();
    assert!(import(&store, &rows).await == present, "none again");
}

/// Two nodes import the same rows, a third one creates tokens for their owners, and a fourth gives the digests to
/// other owners.
pub(super) async fn race(store: Store) {
    const ROWS: i64 = 60;
    if !can_import(&store) {
        return;
    }
    let key = |number: i64| format!("owner {}", number % 5);
    let rows = |offset: i64, key: fn(i64) -> String| {
        let rows = (1..=ROWS).map(move |number| NewImport {
            id: id(number + offset),
            ..row(number, &key(number))
        });
        rows.collect::<Vec<_>>()
    };
    let mut reversed = rows(1_000, key);
    reversed.reverse();
    let others = rows(2_000, |_| "mallory".into());
    let mut tasks = JoinSet::new();
    for rows in [rows(0, key), reversed, others] {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let mut stored = Vec::new();
            let mut left = rows;
            // As a duplicate is the loser of a race, it is told soon what the winner has stored.
            for _ in 0..100 {
                let mut duplicates = Vec::new();
                for chunk in left.chunks(20) {
                    let outcomes = import(&store, chunk).await;
                    for (row, outcome) in chunk.iter().zip(outcomes) {
                        match outcome {
                            ImportOutcome::Stored(token) => stored.push((row.digest, token.id)),
                            ImportOutcome::Duplicate => duplicates.push(row.clone()),
                            ImportOutcome::Present(_) | ImportOutcome::OtherOwner => {}
                            ImportOutcome::Expired => panic!("none has an end"),
                        }
                    }
                }
                left = duplicates;
            }
            assert_eq!(left, [], "no outcome is repeated for ever");
            stored
        });
    }
    let creating = Arc::clone(&store);
    let created = tokio::spawn(async move {
        for number in 1..=20 {
            let token = new(5_000 + number, &key(number));
            store_token(&creating, &token).await;
        }
    });
    let mut stored = Vec::new();
    while let Some(task) = tasks.join_next().await {
        stored.extend(task.expect("an import"));
    }
    created.await.expect("creations");
    stored.sort_by_key(|(_, id)| *id);
    let all = usize::try_from(ROWS).expect("a number");
    assert_eq!(stored.len(), all, "each digest once");
    for (digest, id) in stored {
        let found = find_by_digest(&store, &digest).await;
        assert_eq!(found.map(|token| token.id), Some(id));
    }
    let mut left = 0;
    for key in (0..5).map(key).chain(["mallory".into()]) {
        left += store.list(&owner(&key)).await.expect("list").len();
    }
    assert_eq!(left, all + 20, "and the created ones");
}
