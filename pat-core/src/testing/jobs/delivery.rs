//! Claiming and settling notifications.

use tokio::task::JoinSet;

use super::{DAY, TTL, claim, expiring, ids, jobs, lease, queue_due, seconds, settle};
use crate::notification::NotificationKind;
use crate::store::{Job, NewToken, Outcome, Prune, RevocationScope};
use crate::testing::case::{Store, at, id, new, owner, revoke, store_token};

pub(super) async fn claim_race(store: Store) {
    for number in 0..40 {
        let token = NewToken {
            notify: true,
            ..new(number, "alice")
        };
        store_token(&store, &token).await;
    }
    let mut workers = JoinSet::new();
    for _ in 0..20 {
        let store = store.clone();
        workers.spawn(async move {
            let claimed = jobs(&store).claim_notifications(at(0), TTL, 4).await;
            claimed.expect("no lock error reaches the caller")
        });
    }
    let mut claimed: Vec<_> = workers
        .join_all()
        .await
        .iter()
        .flatten()
        .flat_map(ids)
        .collect();
    claimed.sort_unstable();
    let expected: Vec<_> = (0..40).map(id).collect();
    assert_eq!(claimed, expected, "each by one worker");
}

pub(super) async fn claim_runs_out(store: Store) {
    let token = NewToken {
        notify: true,
        ..new(1, "alice")
    };
    store_token(&store, &token).await;
    let first = claim(&store, 0).await.remove(0);
    assert_eq!(claim(&store, 59).await, []);
    let second = claim(&store, 60).await.remove(0);
    assert_eq!(second.attempts, 2);
    assert_eq!(second.claim.id, first.claim.id);
    assert!(
        !settle(&store, &first, Outcome::Sent, 61).await,
        "another worker has claimed it"
    );
    assert!(settle(&store, &second, Outcome::Sent, 61).await);
    assert!(
        !settle(&store, &second, Outcome::Sent, 61).await,
        "settled already"
    );
    assert_eq!(claim(&store, 1000).await, []);
}

pub(super) async fn not_worth_telling(store: Store) {
    let lease = lease(&store, Job::ExpiryCheck).await;
    for number in 1..=4 {
        let token = NewToken {
            created_at: at(-2 * DAY),
            ..expiring(number, "alice", 100)
        };
        store_token(&store, &token).await;
    }
    let told = NewToken {
        notify: true,
        ..expiring(5, "bob", 1000)
    };
    store_token(&store, &told).await;
    queue_due(&store, &lease, NotificationKind::ExpiresSoon, 50, &[1]).await;
    revoke(&store, RevocationScope::Tokens(vec![id(2)]), 51).await;
    let soon = claim(&store, 60).await;
    let alices = soon
        .iter()
        .find(|notification| notification.owner == owner("alice"));
    assert_eq!(
        ids(alices.expect("alice's")),
        [1, 3, 4].map(id),
        "not of the revoked"
    );

    queue_due(&store, &lease, NotificationKind::Expired, 100, &[]).await;
    revoke(&store, RevocationScope::Tokens(vec![id(3)]), 101).await;
    revoke(&store, RevocationScope::Owner(owner("bob")), 102).await;
    let prune = Prune {
        now: at(110),
        vouched: at(110),
        keep: seconds(9),
        notify: false,
    };
    let pruned = jobs(&store).prune(&lease, &prune, 3).await.expect("prune");
    let pruned = pruned.tokens;
    assert_eq!(pruned.len(), 3);
    let left = claim(&store, 1000).await;
    let kinds: Vec<_> = left
        .iter()
        .map(|notification| (notification.kind, ids(notification)))
        .collect();
    let gone: Vec<_> = pruned.iter().map(|token| token.id).collect();
    let expected: Vec<_> = [1, 4]
        .map(id)
        .into_iter()
        .filter(|id| !gone.contains(id))
        .collect();
    match expected.as_slice() {
        // `ExpiresSoon` no longer applies after the expiry, and bob's token is revoked.
        [] => assert_eq!(kinds, []),
        _ => assert_eq!(kinds, [(NotificationKind::Expired, expected)]),
    }
    let outbox = jobs(&store).outbox().await.expect("outbox");
    assert_eq!(
        outbox.pending,
        left.len() as u64,
        "what is left without tokens is skipped"
    );
}

pub(super) async fn skipped_first(store: Store) {
    for number in 1..=9 {
        let key = if number == 9 { "bob" } else { "alice" };
        let token = NewToken {
            notify: true,
            created_at: at(number),
            ..new(number, key)
        };
        store_token(&store, &token).await;
    }
    revoke(&store, RevocationScope::Owner(owner("alice")), 10).await;
    let claimed = jobs(&store).claim_notifications(at(20), TTL, 2).await;
    let claimed = claimed.expect("claim_notifications");
    assert_eq!(claimed.iter().flat_map(ids).collect::<Vec<_>>(), [id(9)]);
    let outbox = jobs(&store).outbox().await.expect("outbox");
    assert_eq!(outbox.pending, 1);
}

pub(super) async fn outcomes(store: Store) {
    for number in 1..=2 {
        let token = NewToken {
            notify: true,
            created_at: at(number),
            ..new(number, "alice")
        };
        store_token(&store, &token).await;
    }
    let outbox = async || jobs(&store).outbox().await.expect("outbox");
    let before = outbox().await;
    assert_eq!((before.pending, before.dead), (2, 0));
    assert_eq!(before.oldest_pending_at, Some(at(1)));
    let claimed = claim(&store, 10).await;
    let retry = Outcome::Retry {
        after: seconds(89),
        error: "try later".into(),
        sent_by: vec!["chat".into(), "smtp".into()],
    };
    assert!(settle(&store, &claimed[0], retry, 11).await);
    let dead = Outcome::Dead {
        error: "no such box ✂".into(),
        sent_by: vec!["chat".into()],
    };
    assert!(settle(&store, &claimed[1], dead, 12).await);
    assert_eq!(claim(&store, 99).await, []);
    let again = claim(&store, 100).await;
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].attempts, 2);
    assert_eq!(again[0].sent_by, ["chat", "smtp"]);
    let skipped = Outcome::Skipped {
        reason: "no address".into(),
    };
    assert!(settle(&store, &again[0], skipped, 101).await);

    let after = outbox().await;
    assert_eq!(
        (after.pending, after.oldest_pending_at, after.dead),
        (0, None, 1)
    );
    let dead = jobs(&store)
        .dead_notifications(10)
        .await
        .expect("dead_notifications");
    assert_eq!(dead.len(), 1);
    assert_eq!(
        (dead[0].id, dead[0].kind),
        (claimed[1].claim.id, NotificationKind::Created)
    );
    assert_eq!(
        (dead[0].error.as_str(), dead[0].attempts),
        ("no such box ✂", 1)
    );
    let requeue = async |id| {
        let requeued = jobs(&store).requeue_notification(id, at(200)).await;
        requeued.expect("requeue_notification")
    };
    assert!(!requeue(claimed[0].claim.id).await, "it is not dead");
    assert!(requeue(dead[0].id).await);
    assert!(!requeue(dead[0].id).await, "it is not dead any more");
    let retried = claim(&store, 200).await.remove(0);
    assert_eq!(retried.attempts, 1);
    assert_eq!(retried.sent_by, ["chat"]);
    let dead = Outcome::Dead {
        error: "no such box ✂".into(),
        sent_by: vec!["chat".into()],
    };
    assert!(settle(&store, &retried, dead, 201).await);
    for (expected, what) in [(1, "the dead one"), (0, "none is dead any more")] {
        let requeued = jobs(&store).requeue_all_notifications(at(300)).await;
        let requeued = requeued.expect("requeue_all_notifications");
        assert_eq!(requeued, expected, "{what}");
    }
    let after = outbox().await;
    assert_eq!((after.pending, after.dead), (1, 0), "the skipped one stays");
    let retried = claim(&store, 300).await.remove(0);
    assert_eq!(retried.attempts, 1);
    assert_eq!(retried.sent_by, ["chat"]);
}
