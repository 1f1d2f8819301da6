//! The events of revocations of many tokens, which are written in another way than those of few.

use std::collections::BTreeSet;
use std::sync::Arc;

use libtest_mimic::Trial;
use pat_core::event::{Event, EventKind};
use pat_core::store::{Insertion, RevokedToken};
use pat_core::testing::TestDirectory;
use pat_core::{Caller, Client, Pats, TokenId};
use pat_harness::database::{AnyDatabase, trials_on_all};
use pat_servers::rows::new_token;

use super::{stored, token};

pub(super) fn trials() -> Vec<Trial> {
    trials_on_all(each_token_of_a_large_revocation_has_its_event).into()
}

/// More than one statement writes events of.
const TOKENS: i64 = 1_030;
const OWNERS: i64 = 7;

async fn each_token_of_a_large_revocation_has_its_event(place: AnyDatabase) {
    let store = place.store().await;
    let tokens = store.tokens();
    let mut expected = Vec::new();
    for number in 1..=TOKENS {
        let new = new_token(number, &format!("user {}", number % OWNERS));
        let inserted = tokens.insert(&new, u32::MAX).await.expect("an insertion");
        let Insertion::Stored(stored) = inserted else {
            panic!("not stored: {inserted:?}")
        };
        expected.push(RevokedToken::new(stored.id, stored.owner));
    }
    expected.sort_unstable_by_key(|token| token.id);
    let users = TestDirectory::default();
    let root = Caller::header_authenticated(users.add_administrator("root"));
    let pats = Pats::builder(store.tokens()).users(Arc::new(users)).build();
    let client = Client::default()
        .with_address([192, 0, 2, 7].into())
        .with_user_agent("curl/8.5.0")
        .with_request_id("request-7");
    let administration = pats.administration(&root).await.expect("an administrator");
    // One alone, whose event is written like those of other changes.
    let (few, many) = expected.split_at(1);
    for of in [few, many] {
        let ids: Vec<TokenId> = of.iter().map(|token| token.id).collect();
        let reason = Some("leaked".to_owned());
        let revoked = pats.on_behalf_of(client.clone(), administration.revoke(ids, reason));
        assert_eq!(revoked.await.expect("a revocation"), of.len() as u64);
    }

    let events = stored(&*tokens).await;
    let of_revocations = |event: &&Event| event.kind.as_str() == "revoked";
    let mut revoked: Vec<_> = events.iter().filter(of_revocations).collect();
    let about = |event: &Event| token(&event.kind);
    let is_descent = |pair: &&[&Event]| about(pair[0]) > about(pair[1]);
    let descents = revoked.windows(2).filter(is_descent).count();
    // The counter in the events' IDs may begin anew.
    assert!(descents <= 1, "in the order of the tokens");
    revoked.sort_unstable_by_key(|event| about(event));
    assert_eq!(revoked.len(), expected.len(), "an event for each token");
    let (mut numbers, mut ids) = (BTreeSet::new(), BTreeSet::new());
    for (token, event) in expected.iter().zip(revoked) {
        let EventKind::Revoked {
            tokens: of,
            by,
            reason,
            revocation,
        } = &event.kind
        else {
            panic!("{event:?}")
        };
        assert_eq!(of, std::slice::from_ref(token));
        assert_eq!(by.as_ref(), Some(root.owner()));
        assert_eq!(reason.as_deref(), Some("leaked"));
        assert_eq!(event.client, client);
        let found = tokens.find(token.id).await.expect("an answer");
        assert_eq!(found.expect("the token").revoked_at, Some(event.at));
        numbers.insert(revocation.expect("a number"));
        ids.insert(event.row.expect("a row").id);
    }
    assert_eq!(numbers.len(), 2, "one for each revocation");
    assert_eq!(ids.len(), expected.len());
    assert!(ids.iter().all(|id| (0..1 << 53).contains(id)));
    store.close().await;
}
