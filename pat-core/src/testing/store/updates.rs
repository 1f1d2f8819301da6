//! Tokens that are disabled, enabled, renamed and described.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::{changes, cursor, find_by_digest};
use crate::event::EventKind;
use crate::search::Filter;
use crate::store::{
    Change, Ending, Insertion, NewToken, Overlap, Presented, RevocationScope, Rotated, Rotation,
    StoredUpdate, Update, UpdateRefusal, Updated,
};
use crate::testing::case::{Store, at, id, new, owner, revoke, scopes, store_token};
use crate::{Disabled, Line, Replaced, Token, TokenId};

/// Returns an update by the owner of the token.
fn update(number: i64, seconds: i64) -> Update {
    Update::new(id(number), at(seconds), owner("alice"))
}

fn switch(number: i64, is_enabled: bool, seconds: i64) -> Update {
    Update {
        is_enabled: Some(is_enabled),
        ..update(number, seconds)
    }
}

fn by_administrator(update: Update) -> Update {
    Update {
        by: owner("root"),
        by_administrator: true,
        ..update
    }
}

fn presenting(number: i64, names: Option<&str>, update: Update) -> Update {
    Update {
        presented: Some(Presented::new(id(number), names.map(scopes))),
        ..update
    }
}

async fn stored(store: &Store, update: &Update) -> StoredUpdate {
    match store.update(update).await.expect("update") {
        Updated::Stored(stored) => *stored,
        Updated::Refused(refusal) => panic!("{update:?} is refused: {refusal:?}"),
    }
}

async fn refused(store: &Store, update: &Update) -> UpdateRefusal {
    match store.update(update).await.expect("update") {
        Updated::Refused(refusal) => refusal,
        Updated::Stored(_) => panic!("{update:?} is not refused"),
    }
}

async fn find(store: &Store, id: TokenId) -> Token {
    store.find(id).await.expect("find").expect("the token")
}

pub(super) async fn disabling(store: Store) {
    let token = store_token(&store, &new(1, "alice")).await;
    store_token(&store, &new(2, "alice")).await;
    let since = cursor(&store).await;
    let disabled = stored(&store, &switch(1, false, 5)).await;
    let expected = Token {
        disabled: Some(Disabled::new(at(5), Some(owner("alice")), false)),
        ..token.clone()
    };
    assert_eq!((disabled.at, &disabled.token), (at(5), &expected));
    let digest = new(1, "alice").digest;
    let by_digest = find_by_digest(&store, &digest).await;
    assert_eq!(by_digest.as_ref(), Some(&expected));
    assert_eq!(find(&store, token.id).await, expected);
    let listed = store.list(&owner("alice")).await.expect("list");
    assert_eq!(listed, [expected, new(2, "alice").into_token()]);
    // Again, which changes nothing.
    let again = stored(&store, &switch(1, false, 6)).await;
    assert_eq!((again.token, again.events), (disabled.token, Vec::new()));
    let enabled = stored(&store, &switch(1, true, 7)).await;
    assert_eq!(enabled.token, token);
    assert_eq!(find(&store, token.id).await, token);
    let again = stored(&store, &switch(1, true, 8)).await;
    assert_eq!((again.token, again.events), (token, Vec::new()));
    let expected = [1, 1].map(|number| Change::TokenChanged(id(number)));
    assert_eq!(changes(&store, since).await, expected);
    let head = cursor(&store).await;
    assert_eq!(head.generation, since.generation + 2);
}

pub(super) async fn editing(store: Store) {
    let token = NewToken {
        description: Some("old".into()),
        ..new(1, "alice")
    };
    let token = store_token(&store, &token).await;
    let since = cursor(&store).await;
    let edit = |name: Option<&str>, description: Option<&str>| Update {
        name: name.map(str::to_owned),
        description: description.map(str::to_owned),
        ..update(1, 1)
    };
    let renamed = stored(&store, &edit(Some("Nächster 'Name' \\ 🎉"), None)).await;
    let expected = Token {
        name: "Nächster 'Name' \\ 🎉".into(),
        ..token
    };
    assert_eq!(renamed.token, expected);
    assert_eq!(find(&store, id(1)).await, expected);
    let described = stored(&store, &edit(None, Some("ü"))).await;
    assert_eq!(described.token.description.as_deref(), Some("ü"));
    let both = Update {
        is_enabled: Some(false),
        ..edit(Some("other"), Some(""))
    };
    let both = stored(&store, &both).await;
    let expected = Token {
        name: "other".into(),
        description: None,
        disabled: Some(Disabled::new(at(1), Some(owner("alice")), false)),
        ..expected
    };
    assert_eq!(both.token, expected);
    assert_eq!(find(&store, id(1)).await, expected);
    let nothing = stored(&store, &edit(Some("other"), Some(""))).await;
    assert_eq!((nothing.token, nothing.events), (expected, Vec::new()));
    let told = [1, 1, 1].map(|number| Change::TokenChanged(id(number)));
    assert_eq!(changes(&store, since).await, told);
    assert_eq!(cursor(&store).await.generation, since.generation + 3);
}

/// As after a restore, when the successor is lost.
pub(super) async fn replacing(store: Store) {
    let ending = NewToken {
        expires_at: Some(at(100)),
        ..new(2, "alice")
    };
    let eternal = store_token(&store, &new(1, "alice")).await;
    let ending = store_token(&store, &ending).await;
    let since = cursor(&store).await;
    let replace = |number: i64, until: i64| Update {
        overlap: Some(Overlap::new(at(5), at(until))),
        ..update(number, 10)
    };
    let replaced = |token: &Token, until: i64| Token {
        expires_at: Some(at(until)),
        line: Some(Line::new(token.id, 0, None)),
        replaced: Some(Replaced::new(at(5), token.expires_at)),
        is_transient: true,
        ..token.clone()
    };
    for (token, number, until) in [(&eternal, 1, 60), (&ending, 2, 60), (&ending, 2, 30)] {
        let changed = stored(&store, &replace(number, until)).await;
        let expected = replaced(token, until);
        assert_eq!(changed.token, expected);
        assert_eq!(find(&store, token.id).await, expected);
        let digest = new(number, "alice").digest;
        let by_digest = find_by_digest(&store, &digest).await;
        assert_eq!(by_digest.as_ref(), Some(&expected));
        let event = EventKind::Changed {
            token: token.id,
            owner: owner("alice"),
            by: owner("alice"),
        };
        assert_eq!(changed.events, [event]);
    }
    // No end becomes later.
    for (token, number, until) in [(&eternal, 1, 60), (&ending, 2, 60)] {
        let again = stored(&store, &replace(number, until)).await;
        assert_eq!(again.events, Vec::new());
        assert_eq!(find(&store, token.id).await, again.token);
    }
    assert_eq!(find(&store, ending.id).await, replaced(&ending, 30));
    let told = [1, 2, 2].map(|number| Change::TokenChanged(id(number)));
    assert_eq!(changes(&store, since).await, told);
    // It is rotated as one that has a successor.
    let digest = new(3, "alice").digest;
    let rotation = Rotation {
        overlap: Duration::from_secs(60 * 60),
        ..Rotation::new(id(1), owner("alice"), id(3), digest, at(20))
    };
    match store.rotate(&rotation).await.expect("rotate") {
        Rotated::Stored(rotated) => {
            assert_eq!(rotated.ending, [Ending::new(id(1), at(60))]);
            assert!(rotated.is_again);
        }
        refused => panic!("{refused:?}"),
    }
}

/// The new name is one that a search finds, and the old one is not.
pub(super) async fn renamed_search(store: Store) {
    let Some(search) = store.search_store() else {
        return;
    };
    store_token(&store, &new(1, "alice")).await;
    let renamed = Update {
        name: Some("GROSSE Straße".into()),
        ..update(1, 1)
    };
    stored(&store, &renamed).await;
    for (name, expected) in [("grosse stra", 1), ("ci", 0)] {
        let filter = Filter {
            name: name.into(),
            ..Filter::default()
        };
        assert_eq!(search.count(&filter).await.expect("count"), expected);
    }
}

pub(super) async fn refusals(store: Store) {
    assert_eq!(
        refused(&store, &switch(1, false, 0)).await,
        UpdateRefusal::NotFound
    );
    store_token(&store, &new(1, "alice")).await;
    store_token(&store, &new(2, "alice")).await;
    revoke(&store, RevocationScope::Tokens(vec![id(2)]), 0).await;
    let since = cursor(&store).await;
    assert_eq!(
        refused(&store, &switch(2, false, 1)).await,
        UpdateRefusal::NotFound
    );
    assert_eq!(find(&store, id(2)).await.disabled, None);
    assert_eq!(changes(&store, since).await, []);
}

pub(super) async fn administrators(store: Store) {
    store_token(&store, &new(1, "alice")).await;
    stored(&store, &switch(1, false, 1)).await;
    // The owner has disabled it already.
    let held = stored(&store, &by_administrator(switch(1, false, 2))).await;
    let disabled = Disabled::new(at(2), Some(owner("root")), true);
    assert_eq!(held.token.disabled.as_ref(), Some(&disabled));
    let since = cursor(&store).await;
    let rename = Update {
        name: Some("other".into()),
        ..switch(1, true, 3)
    };
    assert_eq!(
        refused(&store, &rename).await,
        UpdateRefusal::DisabledByAdministrator
    );
    // Neither does the owner make it one of his own.
    let again = stored(&store, &switch(1, false, 4)).await;
    assert_eq!((&again.token, again.events), (&held.token, Vec::new()));
    assert_eq!(find(&store, id(1)).await, held.token);
    assert_eq!(changes(&store, since).await, []);
    let enabled = stored(&store, &by_administrator(switch(1, true, 5))).await;
    assert_eq!(enabled.token.disabled, None);
}

pub(super) async fn presented(store: Store) {
    let presented = NewToken {
        scopes: Some(scopes("read")),
        expires_at: Some(at(60)),
        ..new(1, "alice")
    };
    store_token(&store, &presented).await;
    for number in 2..=4 {
        store_token(&store, &new(number, "alice")).await;
    }
    let rename = |seconds| Update {
        name: Some(format!("at {seconds}")),
        ..update(2, seconds)
    };
    let known = Some("read");
    stored(&store, &presenting(1, known, rename(1))).await;
    let since = cursor(&store).await;
    let invalid = UpdateRefusal::PresentedInvalid;
    for (presented, names, seconds) in [
        (9, None, 2),
        // Other scopes than the caller knows.
        (1, None, 2),
        (1, Some(""), 2),
        (1, Some("read write"), 2),
        // Expired.
        (1, known, 60),
    ] {
        let update = presenting(presented, names, rename(seconds));
        assert_eq!(refused(&store, &update).await, invalid, "{update:?}");
    }
    assert_eq!(changes(&store, since).await, []);
    revoke(&store, RevocationScope::Tokens(vec![id(3)]), 2).await;
    let by_revoked = presenting(3, None, rename(3));
    assert_eq!(refused(&store, &by_revoked).await, invalid);
    stored(&store, &switch(4, false, 3)).await;
    let by_disabled = presenting(4, None, rename(4));
    assert_eq!(refused(&store, &by_disabled).await, invalid);
    // A disabled token does not enable itself.
    let itself = presenting(4, None, switch(4, true, 4));
    assert_eq!(refused(&store, &itself).await, invalid);
    assert_eq!(find(&store, id(2)).await.name, "at 1");
    assert!(find(&store, id(4)).await.disabled.is_some());
}

pub(super) async fn children(store: Store) {
    for (number, parent) in [
        (1, None),
        (2, Some(1)),
        (3, Some(2)),
        (4, Some(1)),
        (5, Some(3)),
    ] {
        let token = NewToken {
            parent: parent.map(id),
            ..new(number, "alice")
        };
        store_token(&store, &token).await;
    }
    let disabled = stored(&store, &switch(1, false, 1)).await;
    assert_eq!(disabled.live_children, 4);
    assert_eq!(find(&store, id(2)).await.disabled, None, "it goes on");
    stored(&store, &switch(3, false, 2)).await;
    revoke(&store, RevocationScope::Tokens(vec![id(4)]), 3).await;
    let again = stored(&store, &switch(1, false, 4)).await;
    assert_eq!(again.live_children, 2, "neither disabled nor revoked ones");
    let scope = RevocationScope::Tokens(vec![id(1)]);
    let revocation = crate::testing::case::revocation(5);
    let revoked = store.revoke(&scope, &revocation).await.expect("revoke");
    assert_eq!(revoked.live_children, 2);
    // A disabled token creates none.
    let child = NewToken {
        parent: Some(id(3)),
        ..new(6, "alice")
    };
    let inserted = store.insert(&child, 100).await.expect("insert");
    assert_eq!(inserted, Insertion::ParentInvalid);
    let enabled = stored(&store, &switch(3, true, 6)).await;
    assert_eq!(enabled.live_children, 0);
    let inserted = store.insert(&child, 100).await.expect("insert");
    assert!(matches!(inserted, Insertion::Stored(_)));
}

/// Of concurrent changes by a token and its disabling, none comes after.
pub(super) async fn presented_race(store: Store) {
    for round in 0..20 {
        let presented = round * 100;
        store_token(&store, &new(presented, "alice")).await;
        store_token(&store, &new(presented + 1, "alice")).await;
        let mut renames = JoinSet::new();
        for number in 0..5 {
            let store = Arc::clone(&store);
            let rename = Update {
                name: Some(format!("name {number}")),
                ..update(presented + 1, 1)
            };
            let rename = presenting(presented, None, rename);
            renames.spawn(async move { store.update(&rename).await });
        }
        stored(&store, &switch(presented, false, 1)).await;
        let named = find(&store, id(presented + 1)).await.name;
        while let Some(updated) = renames.join_next().await {
            let updated = updated.expect("task");
            updated.expect("no lock error reaches the caller");
        }
        let later = find(&store, id(presented + 1)).await.name;
        assert_eq!(later, named, "a disabled token has changed another");
    }
}

/// Replaces the token `from` by the token `to`, with an overlap of an hour.
async fn rotate(store: &Store, from: i64, to: i64) {
    let digest = new(to, "alice").digest;
    let rotation = Rotation {
        overlap: Duration::from_secs(3600),
        ..Rotation::new(id(from), owner("alice"), id(to), digest, at(0))
    };
    let rotated = store.rotate(&rotation).await.expect("rotate");
    assert!(matches!(rotated, Rotated::Stored(_)), "{rotated:?}");
}

/// Returns which of the first tokens are disabled.
async fn disabled(store: &Store, count: i64) -> Vec<i64> {
    let mut disabled = Vec::new();
    for number in 1..=count {
        let token = find(store, id(number)).await;
        disabled.extend(token.disabled.map(|_| number));
    }
    disabled
}

pub(super) async fn lines(store: Store) {
    store_token(&store, &new(1, "alice")).await;
    rotate(&store, 1, 2).await;
    rotate(&store, 2, 3).await;
    // Of another line.
    store_token(&store, &new(4, "alice")).await;
    let child = NewToken {
        parent: Some(id(1)),
        ..new(5, "alice")
    };
    store_token(&store, &child).await;
    let since = cursor(&store).await;
    let off = stored(&store, &switch(2, false, 1)).await;
    assert_eq!(disabled(&store, 5).await, [1, 2]);
    assert_eq!(off.live_children, 1, "of the token that is taken along");
    stored(&store, &switch(2, true, 2)).await;
    assert_eq!(disabled(&store, 5).await, [0; 0]);
    let expected = [1, 2, 1, 2].map(|number| Change::TokenChanged(id(number)));
    assert_eq!(changes(&store, since).await, expected);
    assert_eq!(cursor(&store).await.generation, since.generation + 2);
    // One act each, though at the same time.
    stored(&store, &switch(1, false, 3)).await;
    stored(&store, &switch(3, false, 3)).await;
    assert_eq!(disabled(&store, 5).await, [1, 2, 3]);
    stored(&store, &switch(3, true, 4)).await;
    assert_eq!(disabled(&store, 5).await, [1]);
    stored(&store, &switch(1, true, 4)).await;
    // Disabled with its successor, and then by itself.
    stored(&store, &switch(2, false, 4)).await;
    stored(&store, &switch(1, false, 4)).await;
    stored(&store, &switch(2, true, 4)).await;
    assert_eq!(disabled(&store, 5).await, [1]);
    stored(&store, &switch(1, true, 4)).await;
    // An administrator's act is not the owner's.
    stored(&store, &by_administrator(switch(2, false, 5))).await;
    stored(&store, &switch(3, false, 6)).await;
    stored(&store, &switch(3, true, 7)).await;
    assert_eq!(disabled(&store, 5).await, [1, 2]);
    let refusal = refused(&store, &switch(1, true, 8)).await;
    assert_eq!(refusal, UpdateRefusal::DisabledByAdministrator);
    stored(&store, &by_administrator(switch(2, true, 9))).await;
    assert_eq!(disabled(&store, 5).await, [0; 0]);
}
