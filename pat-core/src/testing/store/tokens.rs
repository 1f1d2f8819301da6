//! Tokens and their last uses.

use jiff::SignedDuration;

use super::find_by_digest;
use crate::TokenDigest;
use crate::scope::Scopes;
use crate::store::{Insertion, LastUse, NewToken, RevocationScope};
use crate::testing::case::{Store, at, id, new, owner, revoke, scopes, store_token};

pub(super) async fn round_trip(store: Store) {
    assert_eq!(store.find(id(1)).await.expect("find"), None);
    assert_eq!(find_by_digest(&store, &TokenDigest::of(b"x")).await, None);
    assert_eq!(store.list(&owner("alice")).await.expect("list"), []);
    let mut full = new((1 << 53) - 1, "alice");
    full.name = "jira-cli / work '\"`\\%_ ü 🎉 \u{202e}".into();
    full.expires_at = Some(at(3600));
    full.description = Some("for 'nightly' builds \\ ü 🎉".into());
    full.hint = Some("x0_Z".into());
    full.is_transient = true;
    let plain = new(0, "alice");
    for token in [&full, &plain] {
        let stored = store_token(&store, token).await;
        let found = find_by_digest(&store, &token.digest).await;
        assert_eq!(found.as_ref(), Some(&stored));
        assert_eq!(store.find(token.id).await.expect("find"), Some(stored));
    }
    let listed = store.list(&owner("alice")).await.expect("list");
    assert_eq!(
        listed,
        [plain.into_token(), full.into_token()],
        "in id order"
    );
}

pub(super) async fn scopes_round_trip(store: Store) {
    let longest: Vec<_> = (0..64).map(|number| format!("s{number:0>63}")).collect();
    let longest = Scopes::new(longest).expect("64 names of 64 characters");
    let lists = [
        None,
        Some(Scopes::none()),
        Some(scopes("read")),
        Some(scopes("read-all tokens:read w_1.x")),
        Some(longest),
    ];
    let mut all = Vec::new();
    for (number, scopes) in (1..).zip(lists) {
        let token = NewToken {
            scopes,
            ..new(number, "alice")
        };
        let stored = store_token(&store, &token).await;
        let found = find_by_digest(&store, &token.digest).await;
        assert_eq!(found.as_ref(), Some(&stored));
        let found = store.find(token.id).await.expect("find");
        assert_eq!(found.as_ref(), Some(&stored));
        all.push(stored);
    }
    assert_eq!(store.list(&owner("alice")).await.expect("list"), all);
}

pub(super) async fn duplicates(store: Store) {
    store_token(&store, &new(1, "alice")).await;
    let same_id = NewToken {
        digest: TokenDigest::of(b"other"),
        ..new(1, "bob")
    };
    let same_digest = NewToken {
        id: id(2),
        ..new(1, "bob")
    };
    for token in [same_id, same_digest] {
        assert_eq!(
            store.insert(&token, 10).await.expect("insert"),
            Insertion::Duplicate
        );
    }
    assert_eq!(
        store.list(&owner("bob")).await.expect("list"),
        [],
        "no row is left"
    );
    let digest = TokenDigest::of(&1_i64.to_le_bytes());
    let found = find_by_digest(&store, &digest).await.expect("the first");
    assert_eq!(found.owner, owner("alice"));
}

pub(super) async fn exact_text(store: Store) {
    let keys = [
        "alice", "Alice", "alice ", "älice", "ALICE", "a'lice", "a%", "a_",
    ];
    for (number, key) in (1..).zip(keys) {
        assert_eq!(
            store.insert(&new(number, key), 1).await.expect("insert"),
            Insertion::Stored(new(number, key).into_token())
        );
    }
    for (number, key) in (1..).zip(keys) {
        let listed = store.list(&owner(key)).await.expect("list");
        assert_eq!(
            listed.iter().map(|token| token.id).collect::<Vec<_>>(),
            [id(number)],
            "{key}"
        );
    }
}

pub(super) async fn recent(store: Store) {
    for number in 1..=6 {
        let created_at = at(number);
        let token = NewToken {
            created_at,
            ..new(number, "alice")
        };
        store_token(&store, &token).await;
    }
    let used = |number, seconds| LastUse {
        id: id(number),
        at: at(seconds),
    };
    let batch = [used(1, 30), used(2, 20), used(3, 10)];
    store.record_use(&batch).await.expect("record_use");
    revoke(&store, RevocationScope::Tokens(vec![id(6)]), 40).await;
    let recent = async |limit| {
        let digests = store.recent_digests(limit).await.expect("recent_digests");
        let number =
            |digest| (1..=6).find(|number: &i64| digest == TokenDigest::of(&number.to_le_bytes()));
        let numbers: Vec<_> = digests.into_iter().filter_map(number).collect();
        numbers
    };
    let all = recent(10).await;
    // A store may omit any.
    if all.is_empty() {
        return;
    }
    assert_eq!(all, [1, 2, 3, 5, 4, 3, 2, 1]);
    let few = recent(2).await;
    assert!(few.starts_with(&[1, 2]) && few.len() <= 4, "{few:?}");
    assert!(!few.contains(&6), "it is revoked");
}

pub(super) async fn last_use(store: Store) {
    let uses = |seconds| {
        [
            LastUse {
                id: id(1),
                at: at(seconds),
            },
            LastUse {
                id: id(9),
                at: at(0),
            },
        ]
    };
    store_token(&store, &new(1, "alice")).await;
    let read = async || {
        store
            .find(id(1))
            .await
            .expect("find")
            .expect("the token")
            .last_used_at
    };
    for (written, expected) in [(5, 5), (3, 5), (7, 7)] {
        store
            .record_use(&uses(written))
            .await
            .expect("an unknown token is skipped");
        assert_eq!(read().await, Some(at(expected)));
    }
    let digest = TokenDigest::of(&1_i64.to_le_bytes());
    let found = find_by_digest(&store, &digest).await.expect("the token");
    let listed = store.list(&owner("alice")).await.expect("list");
    assert_eq!(found.last_used_at, Some(at(7)));
    assert_eq!(listed[0].last_used_at, Some(at(7)));
    revoke(&store, RevocationScope::Tokens(vec![id(1)]), 8).await;
    for (written, expected) in [(9, 9), (8, 9)] {
        store.record_use(&uses(written)).await.expect("record_use");
        assert_eq!(read().await, Some(at(expected)), "of a revoked token too");
    }
    let found = store.find(id(1)).await.expect("find").expect("the token");
    assert_eq!(found.revoked_at, Some(at(8)), "which stays revoked");
    assert_eq!(store.list(&owner("alice")).await.expect("list"), []);
    assert_eq!(
        store.find(id(9)).await.expect("find"),
        None,
        "no token is created"
    );
    store
        .record_use(&[])
        .await
        .expect("an empty batch is nothing");
}

pub(super) async fn last_use_batch(store: Store) {
    let count = 10_000;
    for number in (0..count).step_by(500) {
        store_token(&store, &new(number, "alice")).await;
    }
    let later = at(0) + SignedDuration::from_secs(5);
    let uses: Vec<_> = (0..count)
        .map(|number| LastUse {
            id: id(number),
            at: later,
        })
        .collect();
    store.record_use(&uses).await.expect("record_use");
    let listed = store.list(&owner("alice")).await.expect("list");
    assert_eq!(listed.len(), 20);
    assert!(listed.iter().all(|token| token.last_used_at == Some(later)));
}
