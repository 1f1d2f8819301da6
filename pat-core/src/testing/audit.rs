//! The suite that every [`AuditStore`] must pass, besides the suites for
//! [`TokenStore`](super::store) and [`JobStore`](super::jobs).

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Duration;

use tokio::task::JoinSet;

use super::case::{Case, Store, at, case, id, new, owner, revocation, revoke, scopes, store_token};
use super::jobs::{claim, jobs, lapsed_lease, lease, prune_all, purge_events, settle};
use crate::TokenDigest;
use crate::client::Client;
use crate::event::{Event, EventKind, HistoryPosition};
use crate::notification::{NotificationId, NotificationKind};
use crate::store::StoreError;
use crate::store::{
    AuditStore, Change, ImportedToken, Insertion, Job, NewImport, NewToken, Outcome, PrunedToken,
    Revocation, RevocationScope, RevokedToken, Rotated, Rotation, Update, Updated,
};

/// All cases of the suite. Each case needs its own empty store, which has the capabilities
/// [`TokenStore::audit`](crate::store::TokenStore::audit) and
/// [`TokenStore::jobs`](crate::store::TokenStore::jobs).
pub const CASES: &[Case] = &[
    case("a_creation_has_its_event", |s| Box::pin(creation(s))),
    case("each_imported_token_has_its_event", |s| {
        Box::pin(imports(s))
    }),
    case("a_rotation_has_its_event", |s| Box::pin(rotations(s))),
    case("each_revoked_token_has_its_event", |s| {
        Box::pin(revocations(s))
    }),
    case("each_change_of_a_token_has_its_event", |s| {
        Box::pin(updates(s))
    }),
    case("a_changed_owner_has_his_event", |s| {
        Box::pin(changed_owner(s))
    }),
    case("each_pruned_token_has_its_event", |s| Box::pin(pruning(s))),
    case("a_settled_notice_has_its_events", |s| {
        Box::pin(notifications(s))
    }),
    case("what_changes_nothing_has_no_event", |s| {
        Box::pin(no_change(s))
    }),
    case("events_without_a_change_are_kept_unchanged", |s| {
        Box::pin(samples(s))
    }),
    case(
        "events_keep_the_client_of_their_request_and_find_the_name_of_their_token",
        |s| Box::pin(clients(s)),
    ),
    case("two_thousand_events_of_one_change_are_all_there", |s| {
        Box::pin(many(s))
    }),
    case("each_event_gets_one_number_without_a_gap", |s| {
        Box::pin(number_race(s))
    }),
    case("numbers_go_on_after_a_raised_one", |s| {
        Box::pin(raised_numbers(s))
    }),
    case("a_token_has_its_history_latest_first", |s| {
        Box::pin(histories(s))
    }),
    case("a_sink_has_its_position_under_the_lease", |s| {
        Box::pin(positions(s))
    }),
    case("old_events_are_trimmed_numbered_or_not", |s| {
        Box::pin(trimming(s))
    }),
];

fn audit(store: &Store) -> &dyn AuditStore {
    store.audit().expect("a store with an audit")
}

/// Numbers all events and returns those after `seq`.
async fn after(store: &Store, seq: u64) -> Vec<Event> {
    while audit(store)
        .number_events(100)
        .await
        .expect("number_events")
        > 0
    {}
    let events = audit(store).events_after(seq, 10_000).await;
    events.expect("events_after")
}

/// Returns the kinds of all events, in order.
async fn kinds(store: &Store) -> Vec<EventKind> {
    let events = after(store, 0).await.into_iter();
    events.map(|event| event.kind).collect()
}

fn revoked(number: i64, owner_key: &str) -> EventKind {
    let Revocation {
        by,
        reason,
        id: number_of_all,
        ..
    } = revocation(0);
    let token = RevokedToken::new(id(number), owner(owner_key));
    EventKind::Revoked {
        tokens: vec![token],
        by,
        reason,
        revocation: number_of_all,
    }
}

fn created(token: &NewToken) -> EventKind {
    EventKind::Created {
        token: token.id,
        owner: token.owner.clone(),
        expires_at: None,
        parent: token.parent,
        scopes: token.scopes.clone(),
    }
}

async fn creation(store: Store) {
    let parent = new(1, "älice");
    let child = NewToken {
        parent: Some(id(1)),
        ..new(2, "älice")
    };
    for token in [&parent, &child] {
        let stored = store_token(&store, token).await;
        let last = after(&store, 0).await.pop().expect("an event");
        assert_eq!(last.kind, created(token));
        assert_eq!(last.at, stored.created_at, "the time that is stored");
    }
    let expiring = NewToken {
        expires_at: Some(at(3600)),
        ..new(3, "älice")
    };
    let stored = store_token(&store, &expiring).await;
    let last = kinds(&store).await.pop();
    let Some(EventKind::Created { expires_at, .. }) = last else {
        panic!("the third creation: {last:?}")
    };
    assert_eq!(expires_at, stored.expires_at);
    for (number, names) in [(4, ""), (5, "read"), (6, "a.b:c-d_e read")] {
        let restricted = NewToken {
            scopes: Some(scopes(names)),
            ..new(number, "älice")
        };
        store_token(&store, &restricted).await;
        assert_eq!(kinds(&store).await.pop(), Some(created(&restricted)));
    }
    assert_eq!(kinds(&store).await.len(), 6);
}

async fn rotations(store: Store) {
    store_token(&store, &new(1, "älice")).await;
    let rotation = |from, to, overlap| Rotation {
        overlap: Duration::from_secs(overlap),
        ..Rotation::new(
            id(from),
            owner("älice"),
            id(to),
            new(to, "älice").digest,
            at(5),
        )
    };
    let capped = Rotation {
        expires_by: Some(at(30)),
        ..rotation(2, 5, 100)
    };
    for rotation in [
        rotation(1, 2, 60),
        rotation(1, 3, 60),
        rotation(1, 4, 60),
        capped,
    ] {
        let rotated = store.rotate(&rotation).await.expect("rotate");
        assert!(matches!(rotated, Rotated::Stored(_)), "{rotated:?}");
    }
    let refused = store.rotate(&rotation(9, 10, 60)).await.expect("rotate");
    assert!(matches!(refused, Rotated::Refused(_)));
    let event = |token, predecessor, ends: &[i64], is_again| EventKind::Rotated {
        token: id(token),
        predecessor: id(predecessor),
        owner: owner("älice"),
        expires_at: (token == 5).then(|| at(30)),
        ends: ends.iter().copied().map(id).collect(),
        // All were replaced with the first.
        ends_at: Some(at(if token == 7 { 20 } else { 65 })),
        is_again,
    };
    let expected = [
        event(2, 1, &[1], false),
        event(3, 1, &[2], true),
        event(4, 1, &[3], true),
        event(5, 2, &[4], true),
    ];
    assert_eq!(kinds(&store).await[1..], expected);
    assert!(after(&store, 1).await.iter().all(|event| event.at == at(5)));
    // Without a token that ends earlier.
    revoke(&store, RevocationScope::Tokens(vec![id(5)]), 6).await;
    let ending = NewToken {
        expires_at: Some(at(20)),
        ..new(6, "älice")
    };
    store_token(&store, &ending).await;
    let last = Rotation {
        now: at(7),
        ..rotation(6, 7, 60)
    };
    store.rotate(&last).await.expect("rotate");
    assert_eq!(kinds(&store).await.pop(), Some(event(7, 6, &[], false)));
}

async fn revocations(store: Store) {
    for (number, key) in [(1, "alice"), (2, "alice"), (3, "bob"), (4, "bob")] {
        store_token(&store, &new(number, key)).await;
    }
    revoke(&store, RevocationScope::Tokens(vec![id(1)]), 1).await;
    let all = RevocationScope::Tokens(vec![id(1), id(2), id(3), id(9)]);
    revoke(&store, all, 2).await;
    revoke(&store, RevocationScope::Owner(owner("bob")), 3).await;
    let events = after(&store, 4).await;
    let kinds: Vec<_> = events.iter().map(|event| event.kind.clone()).collect();
    assert_eq!(kinds[0], revoked(1, "alice"));
    assert!(kinds[1..3].contains(&revoked(2, "alice")));
    assert!(kinds[1..3].contains(&revoked(3, "bob")));
    assert_eq!(kinds[3], revoked(4, "bob"));
    assert_eq!(kinds.len(), 4, "once each");
    let token = store.find(id(4)).await.expect("find").expect("a token");
    assert_eq!(Some(events[3].at), token.revoked_at);
    let nobodys = Revocation {
        by: None,
        reason: None,
        id: None,
        ..revocation(4)
    };
    store_token(&store, &new(5, "bob")).await;
    let scope = RevocationScope::Tokens(vec![id(5)]);
    store.revoke(&scope, &nobodys).await.expect("revoke");
    let last = after(&store, 0).await.pop().map(|event| event.kind);
    let expected = EventKind::Revoked {
        tokens: vec![RevokedToken::new(id(5), owner("bob"))],
        by: None,
        reason: None,
        revocation: None,
    };
    assert_eq!(last, Some(expected));
}

async fn imports(store: Store) {
    let Some(importing) = store.import_store() else {
        return;
    };
    let row = |number: i64, key: &str| {
        let digest = TokenDigest::of(&number.to_le_bytes());
        NewImport::new(id(number), digest, owner(key), "ci", at(-1))
    };
    let restricted = NewImport {
        expires_at: Some(at(7)),
        scopes: Some(scopes("read write")),
        ..row(2, "älice")
    };
    let expired = NewImport {
        expires_at: Some(at(0)),
        ..row(3, "bob")
    };
    let rows = [row(1, "bob"), restricted, expired];
    for _ in 0..2 {
        importing.import(&rows, at(0)).await.expect("import");
    }
    let events = after(&store, 0).await;
    assert!(events.iter().all(|event| event.at == at(0)));
    let mut kinds: Vec<_> = events.into_iter().map(|event| event.kind).collect();
    kinds.sort_by_key(|kind| match kind {
        EventKind::Imported { tokens } => tokens.first().map(|token| token.id),
        _ => None,
    });
    let imported = |row: &NewImport| EventKind::Imported {
        tokens: vec![ImportedToken {
            expires_at: row.expires_at,
            scopes: row.scopes.clone(),
            ..ImportedToken::new(row.id, row.owner.clone())
        }],
    };
    assert_eq!(kinds, [imported(&rows[0]), imported(&rows[1])], "once each");
}

async fn updates(store: Store) {
    store_token(&store, &new(1, "alice")).await;
    let (disabled, enabled) = (Some(false), Some(true));
    let update = |is_enabled, name: &str, by: &str| Update {
        is_enabled,
        name: Some(name.into()),
        by_administrator: true,
        ..Update::new(id(1), at(1), owner(by))
    };
    let (alice, root) = (owner("alice"), owner("root"));
    let changed = || EventKind::Changed {
        token: id(1),
        owner: alice.clone(),
        by: root.clone(),
    };
    let tokens = || vec![id(1)];
    let off = EventKind::Disabled {
        tokens: tokens(),
        owner: alice.clone(),
        by: root.clone(),
    };
    let on = EventKind::Enabled {
        tokens: tokens(),
        owner: alice.clone(),
        by: root.clone(),
    };
    let mut expected = vec![created(&new(1, "alice"))];
    for (update, events) in [
        (update(disabled, "ci", "root"), vec![off.clone()]),
        (update(disabled, "ci", "root"), vec![]),
        (update(enabled, "ci", "root"), vec![on.clone()]),
        (update(None, "other", "root"), vec![changed()]),
        (update(disabled, "both", "root"), vec![changed(), off]),
        (update(enabled, "both", "root"), vec![on]),
    ] {
        let updated = store.update(&update).await.expect("update");
        let Updated::Stored(stored) = updated else {
            panic!("{update:?}: {updated:?}")
        };
        assert_eq!(stored.events, events, "{update:?}");
        expected.extend(events);
        let found = after(&store, 0).await;
        assert!(found.iter().skip(1).all(|event| event.at == at(1)));
        let found: Vec<_> = found.into_iter().map(|event| event.kind).collect();
        // Those of one time may be in any order.
        assert_eq!(found.len(), expected.len(), "{found:?}");
        assert!(
            expected.iter().all(|kind| found.contains(kind)),
            "{found:?}"
        );
    }
}

async fn changed_owner(store: Store) {
    let change = Change::OwnerChanged(owner("bob"));
    store
        .append_change(&change, at(1))
        .await
        .expect("append_change");
    let expected = EventKind::OwnerChanged {
        owner: owner("bob"),
    };
    assert_eq!(kinds(&store).await, [expected]);
}

async fn pruning(store: Store) {
    for number in 1..=3 {
        store_token(&store, &new(number, "alice")).await;
    }
    let scope = RevocationScope::Tokens(vec![id(1), id(2)]);
    revoke(&store, scope, 1).await;
    let lease = lease(&store, Job::Prune).await;
    let pruned = prune_all(&store, &lease).await;
    assert_eq!(pruned, [id(1), id(2)]);
    let events = after(&store, 5).await;
    let kinds: Vec<_> = events.into_iter().map(|event| event.kind).collect();
    let expected = |number| EventKind::Pruned {
        tokens: vec![PrunedToken {
            id: id(number),
            owner: owner("alice"),
        }],
    };
    assert!(kinds.contains(&expected(1)) && kinds.contains(&expected(2)));
    assert_eq!(kinds.len(), 2);
}

async fn notifications(store: Store) {
    for number in 1..=2 {
        let token = NewToken {
            notify: true,
            ..new(number, "alice")
        };
        store_token(&store, &token).await;
    }
    let scope = RevocationScope::Owner(owner("alice"));
    let revocation = Revocation {
        notify: true,
        ..revocation(1)
    };
    store.revoke(&scope, &revocation).await.expect("revoke");
    let notifications = claim(&store, 1).await;
    let [notification] = &notifications[..] else {
        panic!("for revoked tokens only the revocation is notified: {notifications:?}")
    };
    let retry = Outcome::Dead {
        error: "no such box".into(),
        sent_by: Vec::new(),
    };
    assert!(settle(&store, notification, retry, 2).await);
    let dead = EventKind::NotificationDead {
        notification: notification.claim.id,
        kind: NotificationKind::RevokedByAdmin,
        owner: owner("alice"),
        error: "no such box".into(),
    };
    assert_eq!(kinds(&store).await[4..], [dead]);
    let requeued = jobs(&store)
        .requeue_notification(notification.claim.id, at(3))
        .await;
    assert!(requeued.expect("requeue_notification"));
    let notifications = claim(&store, 4).await;
    assert!(settle(&store, &notifications[0], Outcome::Sent, 5).await);
    let notified = |number| EventKind::Notified {
        notification: notification.claim.id,
        kind: NotificationKind::RevokedByAdmin,
        owner: owner("alice"),
        tokens: vec![id(number)],
    };
    let told = kinds(&store).await.split_off(5);
    assert!(told.contains(&notified(1)) && told.contains(&notified(2)));
    assert_eq!(told.len(), 2);
}

async fn no_change(store: Store) {
    let told = NewToken {
        notify: true,
        ..new(1, "alice")
    };
    store_token(&store, &told).await;
    let again = store.insert(&new(1, "bob"), 10).await.expect("insert");
    assert_eq!(again, Insertion::Duplicate);
    let taken = NewToken {
        digest: TokenDigest::of(&1_i64.to_le_bytes()),
        ..new(2, "bob")
    };
    let again = store.insert(&taken, 10).await.expect("insert");
    assert_eq!(again, Insertion::Duplicate);
    let limited = store.insert(&new(3, "alice"), 1).await.expect("insert");
    assert_eq!(limited, Insertion::LimitReached { count: 1 });
    let orphan = NewToken {
        parent: Some(id(9)),
        ..new(4, "alice")
    };
    let orphan = store.insert(&orphan, 10).await.expect("insert");
    assert_eq!(orphan, Insertion::ParentInvalid);
    revoke(&store, RevocationScope::Tokens(vec![id(9)]), 1).await;
    let change = Change::Everything;
    store
        .append_change(&change, at(1))
        .await
        .expect("append_change");
    let claimed = claim(&store, 1).await;
    let retry = Outcome::Skipped {
        reason: "no address".into(),
    };
    assert!(settle(&store, &claimed[0], retry, 2).await);
    assert!(!settle(&store, &claimed[0], Outcome::Sent, 3).await);
    assert_eq!(kinds(&store).await, [created(&new(1, "alice"))]);
}

async fn samples(store: Store) {
    let refused = |token, unreported| EventKind::Refused {
        reason: Cow::Borrowed("owner_inactive"),
        token,
        unreported,
    };
    let kinds = [
        refused(None, 0),
        refused(Some(id(1)), 3),
        EventKind::FirstUsed {
            token: id((1 << 53) - 1),
            owner: owner("älice"),
        },
        EventKind::Revoked {
            tokens: vec![RevokedToken::new(id(7), owner("alice"))],
            by: Some(owner("admin")),
            reason: Some("lost ✂ laptop \u{202e}".into()),
            revocation: Some(0),
        },
        EventKind::Disabled {
            tokens: vec![id(7)],
            owner: owner("alice"),
            by: owner("älice"),
        },
        EventKind::Enabled {
            tokens: vec![id(8)],
            owner: owner("alice"),
            by: owner("älice"),
        },
        EventKind::Changed {
            token: id(9),
            owner: owner("alice"),
            by: owner("älice"),
        },
        EventKind::Other {
            kind: "made-up".into(),
            token: Some(id(1)),
            owner: Some(owner("alice")),
        },
        EventKind::Other {
            kind: "made-up-too".into(),
            token: None,
            owner: None,
        },
    ];
    // Their times are in order, so their numbers are.
    let events = (0..).zip(&kinds);
    let events: Vec<_> = events
        .map(|(seconds, kind)| Event::new(at(seconds), kind.clone()))
        .collect();
    audit(&store)
        .record_events(&events)
        .await
        .expect("record_events");
    let unnumbered = audit(&store).events_after(0, 10).await;
    assert_eq!(unnumbered.expect("events_after"), []);
    let found = after(&store, 0).await;
    let without_rows = found.iter().map(|event| Event {
        row: None,
        ..event.clone()
    });
    assert_eq!(without_rows.collect::<Vec<_>>(), events);
    let rows = found.iter().map(|event| event.row.expect("a row"));
    let (ids, seqs): (BTreeSet<_>, Vec<_>) = rows.map(|row| (row.id, row.seq)).unzip();
    assert_eq!(
        (ids.len(), &seqs[..]),
        (9, &[1, 2, 3, 4, 5, 6, 7, 8, 9][..])
    );
    assert_eq!(after(&store, 0).await, found, "the same each time");
    assert_eq!(after(&store, 4).await, found[4..]);
    let first = audit(&store).events_after(1, 2).await;
    assert_eq!(first.expect("events_after"), found[1..3]);
}

async fn clients(store: Store) {
    let client = |number: u8| {
        Client::default()
            .with_address([192, 0, 2, number].into())
            .with_user_agent("Gitea runner/1.0 (älter) ✂")
            .with_request_id("01HV3ZK9-7")
    };
    let first = new(1, "alice");
    client(1).scope(store_token(&store, &first)).await;
    let longest = Client::default()
        .with_address(
            "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"
                .parse()
                .expect("an address"),
        )
        .with_user_agent(&"✂".repeat(1_000))
        .with_request_id(&"x".repeat(1_000));
    store_token(&store, &new(2, "alice")).await;
    let scope = RevocationScope::Tokens(vec![id(1)]);
    let revocation = revocation(4);
    let revoking = store.revoke(&scope, &revocation);
    longest.clone().scope(revoking).await.expect("revoke");
    let sample = |token, client| Event {
        client,
        ..Event::new(
            at(9),
            EventKind::FirstUsed {
                token: id(token),
                owner: owner("alice"),
            },
        )
    };
    // Not those on whose behalf they are written.
    let samples = [sample(2, client(2)), sample(3, Client::default())];
    let recording = audit(&store).record_events(&samples);
    client(3).scope(recording).await.expect("record_events");
    let found = after(&store, 0).await;
    let clients: Vec<_> = found.iter().map(|event| event.client.clone()).collect();
    let nothing = Client::default();
    assert_eq!(
        clients,
        [client(1), nothing.clone(), longest, client(2), nothing]
    );
    let names: Vec<_> = found
        .iter()
        .map(|event| event.token_name.as_deref())
        .collect();
    let name = Some(&*first.name);
    assert_eq!(names, [name, name, name, name, None], "there is no token 3");
}

async fn many(store: Store) {
    const COUNT: i64 = 2_001;
    let tokens: Vec<_> = (1..=COUNT)
        .map(|number| RevokedToken::new(id(number), owner("alice")))
        .collect();
    let kind = EventKind::Revoked {
        tokens: tokens.clone(),
        by: None,
        reason: None,
        revocation: None,
    };
    audit(&store)
        .record_events(&[Event::new(at(0), kind)])
        .await
        .expect("record_events");
    let mut found = BTreeSet::new();
    for kind in kinds(&store).await {
        let EventKind::Revoked { tokens, .. } = kind else {
            panic!("no revocation: {kind:?}")
        };
        found.extend(tokens.into_iter().map(|token| token.id));
    }
    assert_eq!(found, (1..=COUNT).map(id).collect());
}

async fn number_race(store: Store) {
    let mut tasks = JoinSet::new();
    for number in 1..=40 {
        let store = store.clone();
        tasks.spawn(async move {
            store_token(&store, &new(number, &format!("user-{number}"))).await;
            let numbered = audit(&store).number_events(3).await;
            numbered.expect("number_events")
        });
    }
    let numbered: u64 = tasks.join_all().await.into_iter().sum();
    let events = after(&store, 0).await;
    assert!(numbered <= 40);
    let seqs = events.iter().map(|event| event.row.map(|row| row.seq));
    assert_eq!(
        seqs.collect::<Vec<_>>(),
        (1..=40).map(Some).collect::<Vec<_>>()
    );
    let last = audit(&store).last_event_number().await;
    assert_eq!(last.expect("last_event_number"), 40);
    let numbered = audit(&store).number_events(3).await;
    assert_eq!(numbered.expect("number_events"), 0, "nothing is left");
}

async fn raised_numbers(store: Store) {
    let raise = async |seq| {
        let raised = audit(&store).raise_event_number(seq).await;
        raised.expect("raise_event_number");
    };
    let last = async || {
        let last = audit(&store).last_event_number().await;
        last.expect("last_event_number")
    };
    for number in 1..=2 {
        store_token(&store, &new(number, "alice")).await;
    }
    assert_eq!(after(&store, 0).await.len(), 2);
    let lease = lease(&store, Job::EventFeed).await;
    for (sink, seq) in [("complete", 2), ("behind", 1)] {
        let put = audit(&store).put_sink_position(&lease, sink, seq).await;
        put.expect("put_sink_position");
    }
    raise(100).await;
    assert_eq!(last().await, 100);
    for (sink, seq) in [("complete", 100), ("behind", 1)] {
        let position = audit(&store).sink_position(sink).await;
        assert_eq!(position.expect("sink_position"), Some(seq), "{sink}");
    }
    for seq in [99, 100, 0] {
        raise(seq).await;
        assert_eq!(last().await, 100, "never lower");
    }
    store_token(&store, &new(3, "alice")).await;
    let seqs = after(&store, 0).await.into_iter();
    let seqs: Vec<_> = seqs.filter_map(|event| Some(event.row?.seq)).collect();
    assert_eq!(seqs, [1, 2, 101]);
    assert_eq!(last().await, 101);
}

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

async fn histories(store: Store) {
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

async fn positions(store: Store) {
    let position = async |sink| {
        let found = audit(&store).sink_position(sink).await;
        found.expect("sink_position")
    };
    let (stale, current) = lapsed_lease(&store, Job::EventFeed).await;
    assert_eq!(position("webhook").await, None);
    let put = async |lease, sink, seq| audit(&store).put_sink_position(lease, sink, seq).await;
    put(&current, "webhook", 7).await.expect("put");
    put(&current, "queue", 3).await.expect("put");
    put(&current, "webhook", 9).await.expect("put");
    let refused = put(&stale, "webhook", 8).await;
    assert!(matches!(refused, Err(StoreError::LeaseLost)), "{refused:?}");
    assert_eq!(position("webhook").await, Some(9));
    assert_eq!(position("queue").await, Some(3));
    let last = audit(&store).last_event_number().await;
    assert_eq!(last.expect("last_event_number"), 0, "not a sink's");
}

async fn trimming(store: Store) {
    let event = |seconds| {
        let owner = owner("alice");
        Event::new(at(seconds), EventKind::OwnerChanged { owner })
    };
    let record = async |seconds| {
        let recorded = audit(&store).record_events(&[event(seconds)]).await;
        recorded.expect("record_events");
    };
    record(-1_000).await;
    assert_eq!(after(&store, 0).await.len(), 1);
    record(-999).await;
    record(1_000_000_000).await;
    let lease = lease(&store, Job::Prune).await;
    assert_eq!(purge_events(&store, &lease).await, 2);
    let left = after(&store, 0).await;
    let [left] = &left[..] else {
        panic!("one is left: {left:?}")
    };
    assert_eq!(left.at, at(1_000_000_000));
    assert!(left.row.is_some_and(|row| row.seq >= 2), "{left:?}");
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::store::flawed::{Flaw, Flawed, failed_cases};
    use super::*;
    use crate::MemoryStore;

    #[tokio::test(flavor = "multi_thread")]
    async fn memory_store_passes() {
        for case in CASES {
            case.run(Arc::new(MemoryStore::default())).await;
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn flawed_histories_are_found() {
        for flaw in Flaw::HISTORIES {
            let failed = failed_cases(CASES, || Arc::new(Flawed::new(flaw))).await;
            assert_eq!(failed, ["a_token_has_its_history_latest_first"], "{flaw:?}");
        }
    }
}
