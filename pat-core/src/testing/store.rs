//! The suite that every [`TokenStore`](crate::TokenStore) must pass.
//!
//! ```
//! use pat_core::{MemoryStore, testing};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! for case in testing::store::CASES {
//!     // Each case needs its own empty store.
//!     case.run(MemoryStore::default()).await;
//! }
//! # }
//! ```

use std::sync::Arc;

use jiff::SignedDuration;
use tokio::task::JoinSet;

use super::case::{Case, Store, at, case, id, new, owner, revoke, store_token};
use crate::store::{
    Change, FeedPosition, Insertion, LastUse, MOST_READ, MarkBounds, NewToken, NodeReport,
    ReportMode, RevocationScope, SCHEMA_VERSION,
};
use crate::{Token, TokenDigest};

/// All cases. Each needs an empty store.
pub const CASES: &[Case] = &[
    case("a_stored_token_is_found_unchanged", |s| {
        Box::pin(round_trip(s))
    }),
    case("an_id_or_digest_is_taken_once", |s| Box::pin(duplicates(s))),
    case("owners_and_names_are_compared_byte_by_byte", |s| {
        Box::pin(exact_text(s))
    }),
    case("the_limit_counts_expired_and_not_revoked_tokens", |s| {
        Box::pin(limit(s))
    }),
    case("the_limit_of_rows_counts_all_tokens", |s| {
        Box::pin(row_limit(s))
    }),
    case("the_limit_holds_under_concurrent_creates", |s| {
        Box::pin(limit_race(s))
    }),
    case("a_child_needs_a_valid_parent", |s| Box::pin(parents(s))),
    case("no_child_is_born_after_its_parent_is_revoked", |s| {
        Box::pin(parent_race(s))
    }),
    case("a_revocation_happens_once", |s| Box::pin(revoke_once(s))),
    case("one_of_many_concurrent_revocations_wins", |s| {
        Box::pin(revoke_race(s))
    }),
    case("descendants_are_revoked_with_their_ancestor", |s| {
        Box::pin(descendants(s))
    }),
    case("all_tokens_of_an_owner_are_revoked_together", |s| {
        Box::pin(revoke_owner(s))
    }),
    case("several_tokens_are_revoked_together", |s| {
        Box::pin(revoke_several(s))
    }),
    case(
        "a_thousand_revocations_are_told_one_by_one_and_no_more",
        |s| Box::pin(revoke_many(s)),
    ),
    case("the_feed_tells_every_change_once_and_in_order", |s| {
        Box::pin(feed(s))
    }),
    case("the_feed_has_no_gap_under_concurrent_changes", |s| {
        Box::pin(feed_race(s))
    }),
    case("the_feed_says_when_a_cursor_is_not_its_own", |s| {
        Box::pin(foreign_cursor(s))
    }),
    case("the_feed_leaves_out_what_is_too_much", |s| {
        Box::pin(long_feed(s))
    }),
    case("the_mark_moves_within_its_bounds", |s| Box::pin(mark(s))),
    case(
        "nodes_are_known_by_their_last_reports_until_they_are_forgotten",
        |s| Box::pin(nodes(s)),
    ),
    case("older_versions_are_kept_out_for_good", |s| {
        Box::pin(versions(s))
    }),
    case("recent_tokens_are_named_and_revoked_ones_are_not", |s| {
        Box::pin(recent(s))
    }),
    case("last_use_never_moves_backwards", |s| Box::pin(last_use(s))),
    case("last_use_of_ten_thousand_tokens_is_one_batch", |s| {
        Box::pin(last_use_batch(s))
    }),
];

async fn cursor(store: &Store) -> FeedPosition {
    let page = store.changes_since(None).await.expect("changes_since");
    assert!(
        page.entries.is_empty(),
        "without a cursor only the head is read"
    );
    page.head
}

async fn changes(store: &Store, since: FeedPosition) -> Vec<Change> {
    let page = store
        .changes_since(Some(since))
        .await
        .expect("changes_since");
    assert_eq!(
        page.nonce_at_cursor, since.nonce,
        "the cursor belongs to this feed"
    );
    page.entries.into_iter().map(|entry| entry.change).collect()
}

async fn find_by_digest(store: &Store, digest: &TokenDigest) -> Option<Token> {
    let found = store.find_by_digest(digest).await;
    found.expect("find_by_digest").token
}

async fn round_trip(store: Store) {
    assert_eq!(store.find(id(1)).await.expect("find"), None);
    assert_eq!(find_by_digest(&store, &TokenDigest::of(b"x")).await, None);
    assert_eq!(store.list(&owner("alice")).await.expect("list"), []);
    let mut full = new((1 << 53) - 1, "alice");
    full.name = "jira-cli / work '\"`\\%_ ü 🎉 \u{202e}".into();
    full.expires_at = Some(at(3600));
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

async fn revoke_several(store: Store) {
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
    let expected = [2, 4, 1, 3].map(|number| Change::TokenRevoked(id(number)));
    assert_eq!(changes(&store, since).await, expected);
    let nothing = RevocationScope::Tokens(Vec::new());
    assert_eq!(revoke(&store, nothing, 5).await, []);
}

async fn revoke_many(store: Store) {
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

async fn duplicates(store: Store) {
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

async fn exact_text(store: Store) {
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

async fn recent(store: Store) {
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

async fn limit(store: Store) {
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

async fn row_limit(store: Store) {
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

async fn limit_race(store: Store) {
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

async fn parents(store: Store) {
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

async fn parent_race(store: Store) {
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

async fn revoke_once(store: Store) {
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
    assert_eq!(changes(&store, start).await, [Change::TokenRevoked(id(1))]);
}

async fn revoke_race(store: Store) {
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

async fn descendants(store: Store) {
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
        .map(Change::TokenRevoked)
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

async fn revoke_owner(store: Store) {
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

async fn feed(store: Store) {
    let start = cursor(&store).await;
    assert_eq!(
        start,
        FeedPosition {
            generation: 0,
            nonce: None
        },
        "an empty feed"
    );
    store_token(&store, &new(1, "alice")).await;
    assert_eq!(cursor(&store).await, start, "a creation is no change");
    let disabled = Change::OwnerChanged(owner("alice"));
    store
        .append_change(&disabled, at(1))
        .await
        .expect("append_change");
    revoke(&store, RevocationScope::Tokens(vec![id(1)]), 2).await;
    let revoked = Change::TokenRevoked(id(1));
    assert_eq!(
        changes(&store, start).await,
        [disabled.clone(), revoked.clone()]
    );
    let page = store
        .changes_since(Some(start))
        .await
        .expect("changes_since");
    let generations: Vec<_> = page.entries.iter().map(|entry| entry.generation).collect();
    assert_eq!(generations, [1, 2]);
    let first = FeedPosition {
        generation: 1,
        nonce: Some(page.entries[0].nonce),
    };
    assert_eq!(changes(&store, first).await, [revoked]);
    assert_eq!(
        page.head,
        FeedPosition {
            generation: 2,
            nonce: Some(page.entries[1].nonce)
        }
    );
    assert_eq!(changes(&store, page.head).await, []);
}

async fn feed_race(store: Store) {
    let start = cursor(&store).await;
    let mut writers = JoinSet::new();
    for number in 0..50 {
        let store = Arc::clone(&store);
        writers.spawn(async move {
            let change = Change::OwnerChanged(owner(&format!("user{number}")));
            store
                .append_change(&change, at(number))
                .await
                .expect("append_change");
        });
    }
    let mut at_cursor = start;
    let mut seen = 0;
    while seen < 50 {
        let page = store
            .changes_since(Some(at_cursor))
            .await
            .expect("changes_since");
        for entry in &page.entries {
            seen += 1;
            assert_eq!(
                entry.generation,
                start.generation + seen,
                "no gap, no repetition"
            );
        }
        assert_eq!(
            page.head.generation,
            start.generation + seen,
            "one consistent view"
        );
        at_cursor = page.head;
        tokio::task::yield_now().await;
    }
    writers.join_all().await;
}

async fn foreign_cursor(store: Store) {
    for key in ["alice", "bob"] {
        let change = Change::OwnerChanged(owner(key));
        store
            .append_change(&change, at(0))
            .await
            .expect("append_change");
    }
    let ahead = FeedPosition {
        generation: 7,
        nonce: Some(7),
    };
    let page = store
        .changes_since(Some(ahead))
        .await
        .expect("changes_since");
    assert_eq!((page.head.generation, page.nonce_at_cursor), (2, None));
    assert!(page.entries.is_empty());
}

/// Appends many changes in few transactions, which is faster.
async fn long_feed(store: Store) {
    let most = i64::try_from(MOST_READ).expect("a number");
    let start = cursor(&store).await;
    let mut cursors = vec![start];
    let step = i64::try_from(Change::MOST_NAMED).expect("a number");
    for first in (0..=most).step_by(Change::MOST_NAMED) {
        let numbers = first..(first + step).min(most + 1);
        for number in numbers.clone() {
            store_token(&store, &new(number, &format!("user {number}"))).await;
        }
        let ids = numbers.map(id).collect();
        revoke(&store, RevocationScope::Tokens(ids), 1).await;
        cursors.push(cursor(&store).await);
    }
    let missed = async |since| changes(&store, since).await.len();
    assert_eq!(
        missed(cursors[1]).await,
        usize::try_from(MOST_READ).expect("a number") + 1 - Change::MOST_NAMED
    );
    assert_eq!(missed(start).await, 0, "one too many");
}

async fn mark(store: Store) {
    if !store.is_shared() {
        return;
    }
    let mut second = 0;
    let mut report = async |least, most, clock| {
        second += 1;
        let report = NodeReport {
            node: 1,
            applied: 0,
            now: at(second),
            version: SCHEMA_VERSION,
            mode: ReportMode::Seldom,
            contradicts_leap: false,
        };
        let bounds = MarkBounds {
            at_least: at(least),
            at_most: at(most),
            clock: at(clock),
        };
        let time = store.heartbeat(&report, &bounds).await.expect("heartbeat");
        let page = store.changes_since(None).await.expect("changes_since");
        let found = store.find_by_digest(&TokenDigest::of(b"x")).await;
        let marks = [page.time, found.expect("find_by_digest").time].map(|time| time.mark);
        assert_eq!(marks, [time.mark; 2], "the mark is in every response");
        time.mark
    };
    if report(-100, -100, 0).await.is_none() {
        // It keeps none.
        return;
    }
    store_token(&store, &new(1, "alice")).await;
    for (least, most, clock, expected) in [
        (5, 10, 7, 7),
        (8, 10, 400, 10),
        (12, 15, -400, 12),
        (-9, -9, 50, 12),
        (5, 10, 11, 12),
    ] {
        assert_eq!(report(least, most, clock).await, Some(at(expected)));
    }
}

async fn nodes(store: Store) {
    if !store.is_shared() {
        return;
    }
    let report = |node, applied, seconds| NodeReport {
        node,
        applied,
        now: at(seconds),
        mode: ReportMode::EachChange,
        version: applied + 1,
        contradicts_leap: applied % 2 == 1,
    };
    let bounds = MarkBounds {
        at_least: at(0),
        at_most: at(0),
        clock: at(0),
    };
    let put = async |report| {
        let reported = store.heartbeat(&report, &bounds).await;
        reported.expect("heartbeat");
    };
    let forget = async |report| store.deregister(&report).await.expect("deregister");
    let nodes = async || {
        let mut nodes = store.nodes().await.expect("nodes");
        nodes.sort_unstable_by_key(|report| report.node);
        nodes
    };
    let largest = u64::MAX >> 1;
    assert_eq!(nodes().await, []);
    put(report(1, 5, 0)).await;
    put(report(largest, 3, 600)).await;
    assert_eq!(nodes().await, [report(1, 5, 0), report(largest, 3, 600)]);
    for replaced in [report(largest, 7, 601), report(largest, 0, 90_000)] {
        put(replaced).await;
        assert_eq!(nodes().await, [report(1, 5, 0), replaced]);
    }
    for mode in [ReportMode::Seldom, ReportMode::EachChangeAndWaits] {
        let seconds = 100_000 + i64::from(mode == ReportMode::Seldom);
        let changed = NodeReport {
            mode,
            ..report(2, 0, seconds)
        };
        put(changed).await;
        assert!(nodes().await.contains(&changed));
        forget(changed).await;
    }
    for late in [report(largest, 9, 89_999), report(largest, 9, 90_000)] {
        put(late).await;
        let last = report(largest, 0, 90_000);
        assert_eq!(nodes().await, [report(1, 5, 0), last], "it is no later");
    }
    for other in [report(1, 4, 0), report(1, 5, 1), report(4, 5, 0)] {
        forget(other).await;
    }
    assert_eq!(nodes().await.len(), 2, "these are not their last reports");
    for last in [report(1, 5, 0), report(largest, 0, 90_000), report(1, 5, 0)] {
        forget(last).await;
    }
    assert_eq!(nodes().await, []);
}

async fn versions(store: Store) {
    let readable_from = async || {
        let page = store.changes_since(None).await.expect("changes_since");
        assert!(page.versions.version >= SCHEMA_VERSION, "{page:?}");
        let digest = TokenDigest::of(b"unknown");
        let found = store.find_by_digest(&digest).await;
        assert_eq!(found.expect("find_by_digest").versions, page.versions);
        page.versions.readable_from
    };
    assert_eq!(readable_from().await, 0);
    for (raised, is) in [
        (2, 2),
        (1, 2),
        (SCHEMA_VERSION, SCHEMA_VERSION),
        (0, SCHEMA_VERSION),
    ] {
        let raise = store.raise_readable_from(raised).await;
        raise.expect("raise_readable_from");
        assert_eq!(readable_from().await, is);
    }
}

async fn last_use(store: Store) {
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

async fn last_use_batch(store: Store) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryStore;

    #[tokio::test(flavor = "multi_thread")]
    async fn memory_store_passes() {
        for case in CASES {
            case.run(MemoryStore::default()).await;
        }
    }
}
