//! What callers record beside a change, and what is kept with each event.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::super::case::{Store, at, id, new, owner, revocation, store_token};
use super::{after, audit, kinds};
use crate::client::Client;
use crate::event::{Event, EventKind};
use crate::store::{RevocationScope, RevokedToken};

pub(super) async fn samples(store: Store) {
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

pub(super) async fn clients(store: Store) {
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

pub(super) async fn many(store: Store) {
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
