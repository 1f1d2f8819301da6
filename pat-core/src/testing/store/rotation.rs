//! Tokens that are replaced by others, and what goes with them.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use tokio::task::JoinSet;

use super::{changes, cursor, find_by_digest};
use crate::store::{
    Change, Ending, Insertion, NewToken, NotRotatable, RevocationScope, Rotated, RotatedToken,
    Rotation, Update, Updated,
};
use crate::testing::case::{Store, at, id, new, owner, revocation, revoke, scopes, store_token};
use crate::{Line, Replaced, Token};

const HOUR: i64 = 60 * 60;
/// The overlap of the rotations here.
const OVERLAP: Duration = Duration::from_secs(60 * 60);

/// Returns a rotation of alice's token `from`, whose successor never expires, with an overlap of an hour.
pub(super) fn rotation(from: i64, to: i64, seconds: i64) -> Rotation {
    let digest = new(to, "alice").digest;
    Rotation {
        overlap: OVERLAP,
        max_rows: 1_000_000,
        ..Rotation::new(id(from), owner("alice"), id(to), digest, at(seconds))
    }
}

pub(super) async fn ask(store: &Store, rotation: &Rotation) -> Rotated {
    store.rotate(rotation).await.expect("rotate")
}

async fn made(store: &Store, rotation: &Rotation) -> RotatedToken {
    match ask(store, rotation).await {
        Rotated::Stored(rotated) => rotated,
        refused => panic!("{rotation:?} is refused: {refused:?}"),
    }
}

pub(super) async fn rotate(store: &Store, from: i64, to: i64, seconds: i64) -> RotatedToken {
    made(store, &rotation(from, to, seconds)).await
}

async fn find(store: &Store, number: i64) -> Token {
    let found = store.find(id(number)).await.expect("find");
    found.expect("the token")
}

async fn switch(store: &Store, number: i64, is_enabled: bool, by_administrator: bool) {
    let update = Update {
        is_enabled: Some(is_enabled),
        by_administrator,
        ..Update::new(id(number), at(0), owner("alice"))
    };
    let updated = store.update(&update).await.expect("update");
    assert!(matches!(updated, Updated::Stored(_)), "{updated:?}");
}

/// Checks that a call changes none of alice's tokens, and appends nothing to the feed.
async fn changes_nothing(store: &Store, expected: Rotated, rotation: &Rotation) {
    let before = (
        store.list(&owner("alice")).await.expect("list"),
        cursor(store).await,
    );
    assert_eq!(ask(store, rotation).await, expected, "{rotation:?}");
    let after = (
        store.list(&owner("alice")).await.expect("list"),
        cursor(store).await,
    );
    assert_eq!(after, before, "{rotation:?}");
    assert_eq!(find_by_digest(store, &rotation.digest).await, None);
}

pub(super) async fn replacement(store: Store) {
    store_token(&store, &new(9, "alice")).await;
    let first = NewToken {
        expires_at: Some(at(100 * HOUR)),
        parent: Some(id(9)),
        scopes: Some(scopes("read write")),
        name: "jira-cli ✂".into(),
        description: Some("nightly ✂ builds".into()),
        hint: Some("aaaa".into()),
        ..new(1, "alice")
    };
    let stored = store_token(&store, &first).await;
    let since = cursor(&store).await;
    let rotated = made(
        &store,
        &Rotation {
            hint: Some("bbbb".into()),
            lifetime: Some(SignedDuration::from_hours(50)),
            ..rotation(1, 2, 10)
        },
    )
    .await;
    let successor = Token {
        id: id(2),
        created_at: at(10),
        expires_at: Some(at(10 + 50 * HOUR)),
        hint: Some("bbbb".into()),
        line: Some(Line::new(id(1), 1, Some(id(1)))),
        ..stored.clone()
    };
    let replaced = Token {
        expires_at: Some(at(10 + HOUR)),
        line: Some(Line::new(id(1), 0, None)),
        replaced: Some(Replaced::new(at(10), Some(at(100 * HOUR)))),
        is_transient: true,
        ..stored
    };
    let ending = [Ending::new(id(1), at(10 + HOUR))];
    assert_eq!(rotated.token, successor);
    assert_eq!(rotated.ending, ending);
    assert!(!rotated.is_again);
    assert_eq!(find(&store, 1).await, replaced);
    assert_eq!(find(&store, 2).await, successor);
    let digest = new(2, "alice").digest;
    let by_digest = [
        find_by_digest(&store, &first.digest).await,
        find_by_digest(&store, &digest).await,
    ];
    assert_eq!(by_digest, [Some(replaced.clone()), Some(successor.clone())]);
    let listed = store.list(&owner("alice")).await.expect("list");
    assert_eq!(listed[..2], [replaced, successor]);
    assert_eq!(changes(&store, since).await, [Change::TokenChanged(id(1))]);
    assert_eq!(cursor(&store).await.generation, since.generation + 1);
    // The next one, whose predecessor ends by itself before the overlap does.
    let since = cursor(&store).await;
    let late = 50 * HOUR;
    let rotated = made(
        &store,
        &Rotation {
            expires_by: Some(at(51 * HOUR)),
            is_transient: true,
            ..rotation(2, 3, late)
        },
    )
    .await;
    assert_eq!(rotated.ending, [Ending::new(id(2), at(10 + late))]);
    let successor = find(&store, 3).await;
    assert_eq!(rotated.token, successor);
    assert_eq!(successor.expires_at, Some(at(51 * HOUR)), "its latest end");
    assert!(successor.is_transient);
    assert_eq!(successor.line, Some(Line::new(id(1), 2, Some(id(2)))));
    let own = Replaced::new(at(late), Some(at(10 + late)));
    assert_eq!(find(&store, 2).await.replaced, Some(own));
    assert_eq!(changes(&store, since).await, [], "no token ends earlier");
}

/// Returns the tokens of these numbers that are neither revoked nor replaced.
async fn current(store: &Store, numbers: impl IntoIterator<Item = i64>) -> Vec<i64> {
    let mut current = Vec::new();
    for number in numbers {
        let token = find(store, number).await;
        if token.revoked_at.is_none() && token.replaced.is_none() {
            current.push(number);
        }
    }
    current
}

pub(super) async fn lost_answer(store: Store) {
    store_token(&store, &new(1, "alice")).await;
    rotate(&store, 1, 2, 0).await;
    let since = cursor(&store).await;
    let again = rotate(&store, 1, 3, 60).await;
    assert!(again.is_again);
    assert_eq!(again.token.line, Some(Line::new(id(1), 2, Some(id(1)))));
    // The end of the first stays, and the second ends with it.
    assert_eq!(
        again.ending,
        [1, 2].map(|number| Ending::new(id(number), at(HOUR)))
    );
    assert_eq!(
        find(&store, 1).await.replaced,
        Some(Replaced::new(at(0), None))
    );
    assert_eq!(
        find(&store, 2).await.replaced,
        Some(Replaced::new(at(60), None))
    );
    assert_eq!(changes(&store, since).await, [Change::TokenChanged(id(2))]);
    assert_eq!(current(&store, 1..=3).await, [3]);
    // The second was not lost after all. Its successor takes the place of the third.
    let from_second = rotate(&store, 2, 4, 120).await;
    assert!(from_second.is_again);
    assert_eq!(
        from_second.token.line,
        Some(Line::new(id(1), 3, Some(id(2))))
    );
    assert_eq!(current(&store, 1..=4).await, [4]);
    let short = Rotation {
        lifetime: Some(SignedDuration::from_mins(1)),
        ..rotation(1, 5, 180)
    };
    let last = made(&store, &short).await;
    let ending: Vec<_> = last.ending.iter().map(|ending| ending.id).collect();
    assert_eq!(
        ending,
        [1, 2, 3, 4].map(id),
        "in the order of the rotations"
    );
    assert_eq!(current(&store, 1..=5).await, [5]);
    // A token that has ended is replaced too, and keeps its end.
    let last = rotate(&store, 1, 6, 300).await;
    assert_eq!(last.ending[4], Ending::new(id(5), at(240)));
    assert_eq!(current(&store, 1..=6).await, [6]);
    // So is a disabled one; enabling it does not make it a second current token.
    switch(&store, 6, false, false).await;
    for number in 1..=5 {
        switch(&store, number, true, false).await;
    }
    rotate(&store, 1, 7, 360).await;
    switch(&store, 6, true, false).await;
    assert_eq!(current(&store, 1..=7).await, [7]);
    assert_eq!(find(&store, 6).await.expires_at, Some(at(HOUR)));
    // A revoked one stays as it is.
    revoke(&store, RevocationScope::Tokens(vec![id(7)]), 400).await;
    let listed = store.list(&owner("alice")).await.expect("list");
    assert_eq!(listed, [], "with all that it replaced");
}

pub(super) async fn refusals(store: Store) {
    let refused = |why| Rotated::Refused(why);
    let (gone, ended) = (NotRotatable::NotFound, NotRotatable::Ended);
    changes_nothing(&store, refused(gone), &rotation(1, 2, 0)).await;
    store_token(&store, &new(1, "alice")).await;
    let strangers = Rotation {
        owner: owner("bob"),
        ..rotation(1, 2, 0)
    };
    changes_nothing(&store, refused(gone), &strangers).await;
    for (to, digest) in [(1, new(2, "alice").digest), (2, new(1, "alice").digest)] {
        let taken = Rotation {
            digest,
            ..rotation(1, to, 0)
        };
        assert_eq!(ask(&store, &taken).await, Rotated::Duplicate);
    }
    assert_eq!(find(&store, 1).await, new(1, "alice").into_token());
    assert_eq!(store.find(id(2)).await.expect("find"), None);
    let full = Rotation {
        max_rows: 1,
        ..rotation(1, 2, 0)
    };
    changes_nothing(&store, Rotated::TooManyRows, &full).await;
    switch(&store, 1, false, false).await;
    changes_nothing(&store, refused(NotRotatable::Disabled), &rotation(1, 2, 0)).await;
    switch(&store, 1, true, false).await;
    // The overlap of the first ends to the microsecond.
    rotate(&store, 1, 2, 0).await;
    changes_nothing(&store, refused(ended), &rotation(1, 3, HOUR)).await;
    let in_time = Rotation {
        now: at(HOUR) - SignedDuration::from_micros(1),
        ..rotation(1, 3, 0)
    };
    made(&store, &in_time).await;
    let at_once = Rotation {
        overlap: Duration::ZERO,
        ..rotation(3, 4, HOUR)
    };
    let rotated = made(&store, &at_once).await;
    assert_eq!(rotated.ending, [Ending::new(id(3), at(HOUR))]);
    changes_nothing(&store, refused(ended), &rotation(3, 5, HOUR)).await;
    let short = NewToken {
        expires_at: Some(at(HOUR)),
        ..new(10, "alice")
    };
    store_token(&store, &short).await;
    changes_nothing(&store, refused(ended), &rotation(10, 11, HOUR)).await;
    revoke(&store, RevocationScope::Tokens(vec![id(4)]), HOUR).await;
    changes_nothing(&store, refused(gone), &rotation(4, 5, HOUR)).await;
}

pub(super) async fn ended_members(store: Store) {
    store_token(&store, &new(1, "alice")).await;
    rotate(&store, 1, 2, 0).await;
    // An administrator has disabled a token of the line, but not the one to be replaced.
    switch(&store, 1, false, true).await;
    let stopped = Rotated::Refused(NotRotatable::Disabled);
    changes_nothing(&store, stopped, &rotation(2, 3, HOUR - 1)).await;
    rotate(&store, 2, 3, HOUR).await;
}

pub(super) async fn line_limit(store: Store) {
    let insert = async |number, limit, seconds| {
        let token = NewToken {
            created_at: at(seconds),
            ..new(number, "alice")
        };
        let inserted = store.insert(&token, limit).await.expect("insert");
        match inserted {
            Insertion::Stored(_) => None,
            Insertion::LimitReached { count } => Some(count),
            other => panic!("{other:?}"),
        }
    };
    store_token(&store, &new(1, "alice")).await;
    rotate(&store, 1, 2, 0).await;
    rotate(&store, 2, 3, 0).await;
    assert_eq!(insert(4, 1, 1).await, Some(1), "a line counts once");
    assert_eq!(insert(4, 2, 1).await, None);
    // Of a line whose last token has ended, the first still counts: it can be rotated.
    let short = Rotation {
        lifetime: Some(SignedDuration::from_mins(1)),
        is_transient: true,
        ..rotation(3, 5, 2)
    };
    made(&store, &short).await;
    assert_eq!(insert(6, 2, HOUR - 1).await, Some(2));
    rotate(&store, 3, 7, HOUR - 1).await;
    assert_eq!(insert(6, 2, HOUR + 60).await, Some(2));
    // A short-lived token counts until it ends, any other token until it is revoked.
    let expiring = |number, is_transient| NewToken {
        expires_at: Some(at(2 * HOUR)),
        is_transient,
        ..new(number, "bob")
    };
    store_token(&store, &expiring(11, true)).await;
    store_token(&store, &expiring(12, false)).await;
    let of_bob = |seconds| NewToken {
        created_at: at(seconds),
        ..new(13, "bob")
    };
    for (seconds, count) in [(2 * HOUR - 1, 2), (2 * HOUR, 1)] {
        let inserted = store.insert(&of_bob(seconds), 1).await.expect("insert");
        assert_eq!(inserted, Insertion::LimitReached { count });
    }
    // At the limit a token can be rotated, but not created, however often.
    for number in 21..30 {
        store_token(&store, &new(number, "carol")).await;
    }
    rotations_at_the_limit(&store, 30, 20).await;
}

/// Rotates a token of carol, who has nine others, at the limit of ten, that often.
pub(super) async fn rotations_at_the_limit(store: &Store, first: i64, rounds: i64) {
    store_token(store, &new(first, "carol")).await;
    for number in first..first + rounds {
        let seconds = (number - first) * HOUR / 2;
        let rotation = Rotation {
            owner: owner("carol"),
            ..rotation(number, number + 1, seconds)
        };
        made(store, &rotation).await;
        let eleventh = NewToken {
            created_at: at(seconds),
            ..new(1_000_000 + number, "carol")
        };
        let inserted = store.insert(&eleventh, 10).await.expect("insert");
        assert_eq!(inserted, Insertion::LimitReached { count: 10 });
    }
}

/// Stores 1 → 2 → 3, a child 4 of the first with a child 5, and a child 6 of the third.
async fn line_with_children(store: &Store) {
    store_token(store, &new(1, "alice")).await;
    rotate(store, 1, 2, 0).await;
    rotate(store, 2, 3, 0).await;
    for (number, parent) in [(4, 1), (5, 4), (6, 3)] {
        let child = NewToken {
            parent: Some(id(parent)),
            ..new(number, "alice")
        };
        store_token(store, &child).await;
    }
    store_token(store, &new(7, "alice")).await;
}

pub(super) async fn revocation_of_the_old(store: Store) {
    line_with_children(&store).await;
    let since = cursor(&store).await;
    let scope = RevocationScope::Tokens(vec![id(2)]);
    let revoked = store.revoke(&scope, &revocation(1)).await.expect("revoke");
    let ids: Vec<_> = revoked.tokens.iter().map(|token| token.id).collect();
    assert_eq!(ids, [1, 2].map(id), "and what it replaced");
    assert_eq!(revoked.live_children, 2, "of both");
    let told = [1, 2].map(|number| Change::TokenChanged(id(number)));
    assert_eq!(changes(&store, since).await, told);
    assert_eq!(cursor(&store).await.generation, since.generation + 1);
    assert_eq!(current(&store, [3, 4, 5, 6, 7]).await, [3, 4, 5, 6, 7]);
    let revoked = store.revoke(&scope, &revocation(2)).await.expect("revoke");
    assert_eq!((revoked.tokens, revoked.live_children), (vec![], 2));
    // Below a token that was revoked before, too.
    let scope = RevocationScope::TokensAndDescendants(vec![id(2)]);
    assert_eq!(revoke(&store, scope, 3).await, [4, 5].map(id));
    let scope = RevocationScope::TokensAndDescendants(vec![id(3)]);
    assert_eq!(revoke(&store, scope, 4).await, [3, 6].map(id));
    let left = store.list(&owner("alice")).await.expect("list");
    assert_eq!(left, [new(7, "alice").into_token()]);
}

pub(super) async fn revocation_of_the_first(store: Store) {
    line_with_children(&store).await;
    let scope = RevocationScope::TokensAndDescendants(vec![id(1)]);
    assert_eq!(revoke(&store, scope, 1).await, [1, 4, 5].map(id));
    assert_eq!(current(&store, [3, 6, 7]).await, [3, 6, 7]);
}

pub(super) async fn revocation_of_a_family(store: Store) {
    line_with_children(&store).await;
    // A child that was rotated itself.
    rotate(&store, 5, 8, 0).await;
    let scope = RevocationScope::Families(vec![id(2), id(99)]);
    let family = [1, 2, 3, 4, 5, 6, 8].map(id);
    assert_eq!(revoke(&store, scope.clone(), 1).await, family);
    assert_eq!(revoke(&store, scope, 2).await, []);
    assert_eq!(current(&store, [7]).await, [7]);
    let alone = RevocationScope::Families(vec![id(7)]);
    assert_eq!(revoke(&store, alone, 3).await, [id(7)]);
}

pub(super) async fn rotation_race(store: Store) {
    for round in 0..5 {
        let first = round * 100;
        store_token(&store, &new(first, "alice")).await;
        let mut rotations = JoinSet::new();
        for number in first + 1..first + 9 {
            let store = Arc::clone(&store);
            rotations.spawn(async move { rotate(&store, first, number, 0).await });
        }
        let rotated = rotations.join_all().await;
        let again = rotated.iter().filter(|rotated| rotated.is_again).count();
        assert_eq!(again, 7, "one of them was the first");
        let places = rotated.iter().map(|rotated| rotated.token.line);
        let mut places: Vec<_> = places.map(|line| line.map(|line| line.seq)).collect();
        places.sort_unstable();
        assert_eq!(places, (1..=8).map(Some).collect::<Vec<_>>());
        let current = current(&store, first..first + 9).await;
        assert_eq!(current.len(), 1, "{current:?}");
        let last = find(&store, current[0]).await;
        assert_eq!(last.line.map(|line| line.seq), Some(8));
    }
}

pub(super) async fn revocation_race(store: Store) {
    for round in 0..20 {
        let first = round * 100;
        store_token(&store, &new(first, "alice")).await;
        let mut calls = JoinSet::new();
        for number in first + 1..first + 4 {
            let rotation = rotation(first, number, 0);
            let rotating = Arc::clone(&store);
            calls.spawn(async move { drop(ask(&rotating, &rotation).await) });
            let creating = Arc::clone(&store);
            let child = NewToken {
                parent: Some(id(first)),
                ..new(number + 50, "alice")
            };
            calls.spawn(async move {
                let inserted = creating.insert(&child, 10_000).await;
                drop(inserted.expect("no lock error reaches the caller"));
            });
        }
        let scope = if round % 2 == 0 {
            RevocationScope::Families(vec![id(first)])
        } else {
            RevocationScope::TokensAndDescendants(vec![id(first)])
        };
        revoke(&store, scope, 1).await;
        calls.join_all().await;
        let mut found = Vec::new();
        for number in first..first + 100 {
            found.extend(store.find(id(number)).await.expect("find"));
        }
        for token in &found {
            // Without the whole family, those that replaced the token go on.
            let goes_on = round % 2 == 1 && token.id.get() > first && token.id.get() < first + 50;
            let is_revoked = token.revoked_at.is_some();
            assert!(is_revoked || goes_on, "left in round {round}: {token:?}");
        }
        let is_current = |token: &&Token| token.revoked_at.is_none() && token.replaced.is_none();
        assert!(found.iter().filter(is_current).count() <= 1, "{found:?}");
    }
}
