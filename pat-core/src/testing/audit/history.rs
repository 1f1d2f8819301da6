//! The history of one token.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::super::case::{Store, at, id, new, owner, revoke, store_token};
use super::{after, audit};
use crate::event::{Event, EventKind, HistoryPosition};
use crate::notification::{NotificationId, NotificationKind};
use crate::store::{NewToken, RevocationScope, Rotated, Rotation};

/// Reads the history of a token in pages.
async fn history(store: &Store, number: i64, limit: u32) -> Vec<Event> {
    let mut found = Vec::<Event>::new();
    let mut before = None;
    loop {
        let page = audit(store).events_about(id(number), before, limit).await;
        let page = page.expect("events_about");
        assert!(page.len() <= limit as usize, "a page is too long");
        let Some(last) = page.last() else {
            return found;
        };
        before = HistoryPosition::of(last);
        assert!(before.is_some(), "an event has no ID: {last:?}");
        found.extend(page);
        assert!(found.len() <= 100, "the history does not end");
    }
}

pub(super) async fn histories(store: Store) {
    store_token(&store, &new(1, "alice")).await;
    let child = NewToken {
        parent: Some(id(1)),
        ..new(2, "alice")
    };
    store_token(&store, &child).await;
    let rotation = Rotation::new(id(1), owner("alice"), id(3), new(3, "alice").digest, at(5));
    let rotated = store.rotate(&rotation).await.expect("rotate");
    assert!(matches!(rotated, Rotated::Stored(_)), "{rotated:?}");
    let refused = |token, seconds, unreported| {
        let reason = Cow::Borrowed("expired");
        let kind = EventKind::Refused {
            reason,
            token,
            unreported,
        };
        Event::new(at(seconds), kind)
    };
    // Some of the same time, and one that is written after later ones.
    let notified = EventKind::Notified {
        notification: NotificationId::new(3).expect("an ID"),
        kind: NotificationKind::Created,
        owner: owner("alice"),
        tokens: vec![id(2), id(1)],
    };
    let others = [
        refused(Some(id(1)), 7, 1),
        refused(Some(id(1)), 7, 2),
        refused(Some(id(1)), 7, 3),
        refused(Some(id(3)), 7, 0),
        refused(None, 7, 0),
        refused(Some(id(1)), 4, 4),
        Event::new(at(8), notified),
    ];
    audit(&store)
        .record_events(&others)
        .await
        .expect("record_events");
    revoke(&store, RevocationScope::Tokens(vec![id(1)]), 9).await;
    let whole = history(&store, 1, 50).await;
    let kinds = whole.iter().map(|event| event.kind.as_str());
    let expected = [
        "revoked", "notified", "refused", "refused", "refused", "rotated", "refused", "created",
    ];
    assert_eq!(kinds.collect::<Vec<_>>(), expected);
    assert!(whole.iter().all(|event| event.kind.is_about(id(1))));
    let times = whole.iter().map(|event| event.at);
    assert!(times.is_sorted_by(|later, earlier| later >= earlier));
    let rows = whole.iter().map(|event| event.row.expect("a row"));
    let (ids, seqs): (BTreeSet<_>, Vec<_>) = rows.map(|row| (row.id, row.seq)).unzip();
    assert_eq!((ids.len(), seqs), (8, vec![0; 8]), "none has a number yet");
    for limit in [1, 2, 3, 8] {
        assert_eq!(history(&store, 1, limit).await, whole, "pages of {limit}");
    }
    for (number, expected) in [
        (2, &["notified", "created"][..]),
        (3, &["refused", "rotated"]),
        (9, &[]),
    ] {
        let found = history(&store, number, 50).await;
        let kinds = found.iter().map(|event| event.kind.as_str());
        assert_eq!(kinds.collect::<Vec<_>>(), expected, "token {number}");
    }
    let numbered = after(&store, 0).await;
    for event in history(&store, 1, 3).await {
        assert!(numbered.contains(&event), "{event:?}");
    }
}
