//! Pruning, and the search for missing owners.

use std::time::Duration;

use super::{
    DAY, claim, expiring, ids, jobs, lease, prune_all, purge_at, queue_due, seconds, settle,
};
use crate::TokenId;
use crate::notification::NotificationKind;
use crate::store::StoreError;
use crate::store::{
    Change, IdempotencyKey, Job, Lease, MissingOwners, NewToken, Outcome, Prune, Purge, Revocation,
    RevocationScope, Rotated, Rotation,
};
use crate::testing::case::{Store, at, id, new, owner, revocation, revoke, store_token};

pub(super) async fn pruning(store: Store) {
    let lease = lease(&store, Job::Prune).await;
    for number in 1..=5 {
        store_token(&store, &expiring(number, "alice", 100)).await;
    }
    store_token(&store, &expiring(6, "bob", 101)).await;
    store_token(&store, &new(7, "bob")).await;
    store_token(&store, &new(8, "carol")).await;
    revoke(&store, RevocationScope::Tokens(vec![id(5)]), 50).await;
    revoke(&store, RevocationScope::Tokens(vec![id(8)]), 100).await;
    let prune = Prune {
        now: at(500),
        vouched: at(500),
        keep: seconds(400),
        notify: true,
    };
    let mut pruned = Vec::new();
    let batches = [4, 2, 0];
    for expected in batches {
        let batch = jobs(&store).prune(&lease, &prune, 4).await.expect("prune");
        assert_eq!(batch.at, at(500));
        assert_eq!(batch.tokens.len(), expected, "at most the limit");
        pruned.extend(batch.tokens);
    }
    pruned.sort_by_key(|token| token.id);
    let pruned: Vec<_> = pruned
        .iter()
        .map(|token| (token.id.get(), token.owner.as_str()))
        .collect();
    let alices = (1..=5).map(|number| (number, "alice"));
    assert_eq!(pruned, alices.chain([(8, "carol")]).collect::<Vec<_>>());
    for (number, _) in &pruned {
        assert_eq!(store.find(id(*number)).await.expect("find"), None);
    }
    for number in [6, 7] {
        assert!(store.find(id(number)).await.expect("find").is_some());
    }
    let claimed = claim(&store, 500).await;
    let mut told: Vec<_> = claimed.iter().flat_map(ids).collect();
    told.sort_unstable();
    assert_eq!(told, [1, 2, 3, 4].map(id), "of those that were not revoked");
    assert!(
        claimed
            .iter()
            .all(|notification| notification.kind == NotificationKind::Pruned)
    );
    // The digest of a pruned token is free again.
    store_token(&store, &expiring(1, "alice", 100)).await;
}

/// Whether a store queues the notifications with the revocation or later, each owner is notified, even if the tokens
/// are old enough to be deleted at once.
pub(super) async fn large_revocation(store: Store) {
    const OWNERS: i64 = 250;
    let lease = lease(&store, Job::Prune).await;
    for number in 1..=OWNERS {
        store_token(&store, &new(number, &format!("owner {number}"))).await;
    }
    let tokens: Vec<_> = (1..=OWNERS).map(id).collect();
    let revocation = Revocation {
        notify: true,
        ..revocation(1)
    };
    let scope = RevocationScope::Tokens(tokens.clone());
    let revoked = store.revoke(&scope, &revocation).await.expect("revoke");
    assert_eq!(revoked.tokens.len(), tokens.len());
    let mut pruned = Vec::new();
    while pruned.len() < tokens.len() {
        let batch = prune_all(&store, &lease).await;
        assert!(!batch.is_empty(), "{} tokens are left", pruned.len());
        pruned.extend(batch);
    }
    let mut told = Vec::new();
    loop {
        let claimed = claim(&store, 1_000).await;
        if claimed.is_empty() {
            break;
        }
        told.extend(claimed.iter().flat_map(ids));
    }
    told.sort_unstable();
    assert_eq!(told, tokens);
}

pub(super) async fn pruned_parent(store: Store) {
    let lease = lease(&store, Job::Prune).await;
    // 1 → 2 → 3 → 4 and 1 → 2 → 5; 6 → 7.
    let parents = [(1, None), (2, Some(1)), (3, Some(2)), (4, Some(3))];
    for (number, parent) in parents
        .into_iter()
        .chain([(5, Some(2)), (6, None), (7, Some(6))])
    {
        let parent = parent.map(id);
        let token = NewToken {
            parent,
            ..new(number, "alice")
        };
        store_token(&store, &token).await;
    }
    let old = [2, 3, 6].map(id);
    revoke(&store, RevocationScope::Tokens(old.to_vec()), 1).await;
    assert_eq!(prune_all(&store, &lease).await, old);
    let first = RevocationScope::TokensAndDescendants(vec![id(1)]);
    let revoked = revoke(&store, first, 2).await;
    assert_eq!(revoked, [1, 4, 5].map(id));
    let orphan = store.find(id(7)).await.expect("find").expect("a token");
    assert_eq!(orphan.revoked_at, None);
}

pub(super) async fn transient(store: Store) {
    let lease = lease(&store, Job::Prune).await;
    let short = |number| NewToken {
        is_transient: true,
        ..expiring(number, "alice", 100)
    };
    store_token(&store, &short(1)).await;
    store_token(&store, &expiring(2, "alice", 100)).await;
    store_token(&store, &new(3, "alice")).await;
    let replaced = Rotation {
        overlap: seconds(100),
        ..rotation(3, 4, 0)
    };
    rotate(&store, &replaced).await;
    let expiry = super::lease(&store, Job::ExpiryCheck).await;
    // No owner is told that a transient token expires, has expired or is deleted.
    assert_eq!(
        queue_due(&store, &expiry, NotificationKind::Expired, 200, &[]).await,
        1
    );
    let claimed = claim(&store, 200).await;
    assert_eq!(claimed.iter().map(ids).collect::<Vec<_>>(), [vec![id(2)]]);
    assert!(settle(&store, &claimed[0], Outcome::Sent, 200).await);
    let prune = async |now, keep| {
        let prune = Prune {
            now: at(now),
            vouched: at(now),
            keep: seconds(keep),
            notify: true,
        };
        let pruned = jobs(&store)
            .prune(&lease, &prune, 100)
            .await
            .expect("prune");
        let mut pruned: Vec<_> = pruned.tokens.into_iter().map(|token| token.id).collect();
        pruned.sort_unstable();
        pruned
    };
    assert_eq!(prune(DAY + 99, 30 * DAY).await, []);
    assert_eq!(prune(DAY + 100, 30 * DAY).await, [1, 3].map(id));
    assert_eq!(claim(&store, DAY + 100).await, []);
    assert_eq!(
        prune(2 * DAY, 1_000).await,
        [id(2)],
        "kept for less than a day"
    );
    let claimed = claim(&store, 2 * DAY).await;
    assert_eq!(claimed.iter().map(ids).collect::<Vec<_>>(), [vec![id(2)]]);
    assert!(settle(&store, &claimed[0], Outcome::Sent, 2 * DAY).await);
    assert!(store.find(id(4)).await.expect("find").is_some());
    // A notification that was queued before the token was replaced is about an end that is none.
    store_token(&store, &expiring(5, "bob", 10 * DAY)).await;
    let soon = NotificationKind::ExpiresSoon;
    assert_eq!(queue_due(&store, &expiry, soon, 6 * DAY, &[5]).await, 1);
    let replaced = Rotation {
        owner: owner("bob"),
        overlap: seconds(DAY),
        ..rotation(5, 6, 6 * DAY)
    };
    rotate(&store, &replaced).await;
    assert_eq!(claim(&store, 6 * DAY).await, []);
}

/// Returns a rotation of alice's token.
fn rotation(from: i64, to: i64, now: i64) -> Rotation {
    let digest = new(to, "alice").digest;
    Rotation::new(id(from), owner("alice"), id(to), digest, at(now))
}

async fn rotate(store: &Store, rotation: &Rotation) {
    let rotated = store.rotate(rotation).await.expect("rotate");
    assert!(matches!(rotated, Rotated::Stored(_)), "{rotated:?}");
}

pub(super) async fn pruned_predecessor(store: Store) {
    let lease = lease(&store, Job::Prune).await;
    let child = |number, parent| NewToken {
        parent: Some(id(parent)),
        ..new(number, "alice")
    };
    // 1 → 2 → 3 → 4, of which the first three end one after the other; 5 is the parent of all, and 11, 12
    // and 13 are the children of the first three.
    store_token(&store, &new(5, "alice")).await;
    store_token(&store, &child(1, 5)).await;
    for number in 1..=3 {
        store_token(&store, &child(10 + number, number)).await;
        let overlap = Rotation {
            overlap: seconds(number * 100),
            ..rotation(number, number + 1, 0)
        };
        rotate(&store, &overlap).await;
    }
    let prune = async |now| {
        let prune = Prune::new(at(now), at(now), Duration::ZERO);
        let pruned = jobs(&store)
            .prune(&lease, &prune, 100)
            .await
            .expect("prune");
        pruned.tokens.len()
    };
    let parents = async || {
        let mut parents = Vec::new();
        for number in 11..=13 {
            let token = store.find(id(number)).await.expect("find");
            parents.push(token.expect("the child").parent.map(TokenId::get));
        }
        parents
    };
    assert_eq!(prune(100).await, 1);
    assert_eq!(parents().await, [2, 2, 3].map(Some), "the next of its line");
    assert_eq!(prune(300).await, 2);
    assert_eq!(
        parents().await,
        [4, 4, 4].map(Some),
        "over those that are deleted with it"
    );
    revoke(&store, RevocationScope::Tokens(vec![id(4)]), 300).await;
    assert_eq!(prune(400).await, 1);
    assert_eq!(
        parents().await,
        [5, 5, 5].map(Some),
        "without a line, the ancestor"
    );
    let scope = RevocationScope::TokensAndDescendants(vec![id(5)]);
    assert_eq!(revoke(&store, scope, 400).await, [5, 11, 12, 13].map(id));
}

pub(super) async fn old_keys(store: Store) {
    let lease = lease(&store, Job::Prune).await;
    for number in 1..=3 {
        let token = NewToken {
            created_at: at(number),
            idempotency: Some(IdempotencyKey::new(number.to_string(), [0; 32])),
            ..new(number, "alice")
        };
        store_token(&store, &token).await;
    }
    let purge = async |now| {
        let purge = Purge::new(at(now), at(now));
        jobs(&store)
            .purge(&lease, &purge, 100)
            .await
            .expect("purge")
    };
    assert_eq!(purge(DAY + 1).await, 0);
    assert_eq!(purge(DAY + 3).await, 2);
    assert_eq!(purge(DAY + 3).await, 0);
}

pub(super) async fn trimming(store: Store) {
    let lease = lease(&store, Job::Prune).await;
    for (number, seconds) in [(1, 10), (2, 20), (3, 30)] {
        let token = NewToken {
            notify: true,
            ..new(number, "alice")
        };
        store_token(&store, &token).await;
        revoke(&store, RevocationScope::Tokens(vec![id(number)]), seconds).await;
    }
    let head = store.changes_since(None).await.expect("changes_since").head;
    let sent = NewToken {
        notify: true,
        ..new(4, "bob")
    };
    store_token(&store, &sent).await;
    // This skips the notifications of the revoked tokens.
    let claimed = claim(&store, 40).await;
    assert_eq!(claimed.len(), 1);
    assert!(settle(&store, &claimed[0], Outcome::Sent, 41).await);
    let run = async |purge: Purge| {
        jobs(&store)
            .purge(&lease, &purge, 100)
            .await
            .expect("purge")
    };
    assert_eq!(run(purge_at(2000, 10, 40)).await, 0, "nothing is that old");
    assert_eq!(run(purge_at(2000, 11, 41)).await, 1 + 3);
    assert_eq!(
        run(purge_at(2000, 1000, 1000)).await,
        1 + 1,
        "the newest change stays"
    );
    let page = store
        .changes_since(Some(head))
        .await
        .expect("changes_since");
    assert_eq!((page.head, page.nonce_at_cursor), (head, head.nonce));
    let change = Change::OwnerChanged(owner("bob"));
    store
        .append_change(&change, at(2000))
        .await
        .expect("append_change");
    let page = store
        .changes_since(Some(head))
        .await
        .expect("changes_since");
    let changes: Vec<_> = page.entries.into_iter().map(|entry| entry.change).collect();
    assert_eq!(changes, [change]);
}

pub(super) async fn owners(store: Store) {
    for (number, key) in (1..).zip(["b", "a", "ä", "A", "a", "gone"]) {
        store_token(&store, &new(number, key)).await;
    }
    revoke(&store, RevocationScope::Owner(owner("gone")), 1).await;
    let mut walked = Vec::new();
    loop {
        let page = jobs(&store).owners_after(walked.last(), 2).await;
        let page = page.expect("owners_after");
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 2);
        assert!(page.iter().all(|listed| listed.missing_since.is_none()));
        walked.extend(page.into_iter().map(|listed| listed.owner));
    }
    assert_eq!(walked, ["A", "a", "b", "ä"].map(owner));
}

pub(super) async fn missing_owners(store: Store) {
    for (number, key) in (1..).zip(["alice", "bob", "Bob", "carol"]) {
        store_token(&store, &new(number, key)).await;
    }
    let lease = lease(&store, Job::Prune).await;
    let noted = |missing: &[&str], present: &[&str], at_least| MissingOwners {
        now: at(0),
        vouched: at(0),
        missing: missing.iter().copied().map(owner).collect(),
        present: present.iter().copied().map(owner).collect(),
        at_least,
    };
    let note = async |missing: &[&str], present: &[&str], at_least| {
        let noted = noted(missing, present, at_least);
        let gone = jobs(&store).note_missing(&lease, &noted).await;
        gone.expect("note_missing")
    };
    let since = async || {
        let listed = jobs(&store).owners_after(None, 10).await;
        let since = listed.expect("owners_after").into_iter();
        let since = since.filter_map(|listed| Some((listed.owner, listed.missing_since?)));
        since.collect::<Vec<_>>()
    };
    let (day, no_time) = (Duration::from_secs(24 * 60 * 60), Duration::ZERO);
    assert_eq!(since().await, []);
    // An owner who has just been present is not returned. One without tokens is recorded too.
    assert_eq!(note(&["bob", "carol", "dave"], &[], day).await, []);
    let first = since().await;
    let missing: Vec<_> = first.iter().map(|(owner, _)| owner.clone()).collect();
    assert_eq!(missing, ["bob", "carol"].map(owner));
    let gone = note(&["bob", "carol", "dave"], &[], no_time).await;
    assert_eq!(gone, ["bob", "carol", "dave"].map(owner));
    assert_eq!(since().await, first, "the first time in a row counts");
    // The record of an owner who is present again is reset, and only that.
    assert_eq!(note(&["bob"], &["carol", "alice", "nobody"], day).await, []);
    assert_eq!(since().await, first[..1]);
    assert_eq!(note(&[], &[], no_time).await, []);
    // A lost lease changes nothing.
    let lost = Lease {
        term: lease.term + 1,
        ..lease.clone()
    };
    let noted = noted(&["carol"], &["bob"], no_time);
    let refused = jobs(&store).note_missing(&lost, &noted).await;
    assert!(matches!(refused, Err(StoreError::LeaseLost)), "{refused:?}");
    assert_eq!(since().await, first[..1]);
}
