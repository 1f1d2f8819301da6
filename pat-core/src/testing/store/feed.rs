//! The change feed.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::{changes, cursor};
use crate::store::{Change, FeedPosition, MOST_READ, RevocationScope};
use crate::testing::case::{Store, at, id, new, owner, revoke, store_token};

pub(super) async fn feed(store: Store) {
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
    let revoked = Change::TokenChanged(id(1));
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

pub(super) async fn feed_race(store: Store) {
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

pub(super) async fn foreign_cursor(store: Store) {
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
pub(super) async fn long_feed(store: Store) {
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
