//! What somebody learns who tries ids of tokens that are not his.

use std::sync::Arc;

use libtest_mimic::Trial;
use pat_core::testing::TestDirectory;
use pat_core::{AccessError, Caller, MemoryStore, Pats, TokenId, TokenRequest};
use pat_harness::node::named_users;
use pat_harness::trial;

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial(an_outage_does_not_reveal_which_ids_exist)]
}

/// An id that nobody has is looked into as much as one that somebody else has: while the directory is
/// down neither is said to be unknown.
async fn an_outage_does_not_reveal_which_ids_exist() {
    let users: TestDirectory = named_users(&["alice", "bob"]);
    let pats = Pats::builder(Arc::new(MemoryStore::default()))
        .users(Arc::new(users.clone()))
        .build();
    let [alice, bob] =
        ["alice", "bob"].map(|user| Caller::header_authenticated(user.parse().expect("a key")));
    let request = TokenRequest::new("ci", None);
    let created = pats.create(&alice, request).await.expect("a token");
    let (theirs, nobodys) = (created.token.id, TokenId::new(7).expect("an id"));
    for is_down in [false, true] {
        users.set_down(is_down);
        for id in [theirs, nobodys] {
            let answers = [
                pats.find(&bob, id).await.map(drop),
                pats.revoke(&bob, id).await,
            ];
            for answer in answers {
                match answer {
                    Err(AccessError::Unavailable(_)) => assert!(is_down, "{id}"),
                    Err(AccessError::NotFound) => assert!(!is_down, "{id}"),
                    answer => panic!("{answer:?}"),
                }
            }
        }
        assert!(pats.find(&alice, theirs).await.is_ok(), "one's own");
    }
}
