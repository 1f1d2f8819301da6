//! The suite that every [`JobStore`] must pass, besides that for
//! [`TokenStore`](super::store).

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::task::JoinSet;

use super::case::{Case, Store, at, case, id, new, owner, revocation, revoke, store_token};
use crate::notification::{NotificationKind, NotificationToken};
use crate::store::{
    Change, DueNotifications, Job, JobStore, LastUse, Lease, LeaseAnswer, LeaseRequest, MarkBounds,
    MissingOwners, NewToken, Outcome, Prune, Purge, QueuedNotification, Revocation,
    RevocationScope,
};
use crate::{StoreError, TokenId};

/// All cases. Each needs an empty store with [`TokenStore::jobs`](crate::TokenStore::jobs).
pub const CASES: &[Case] = &[
    case("an_occurrence_has_one_runner_and_is_done_once", |s| {
        Box::pin(one_runner(s))
    }),
    case("what_lies_in_an_impossible_future_is_not_set", |s| {
        Box::pin(impossible_future(s))
    }),
    case("one_of_many_concurrent_runners_gets_the_lease", |s| {
        Box::pin(lease_race(s))
    }),
    case("a_runner_who_lost_the_lease_changes_nothing", |s| {
        Box::pin(fencing(s))
    }),
    case("a_token_falls_due_once_for_each_kind", |s| {
        Box::pin(due_once(s))
    }),
    case("tokens_of_one_owner_share_a_notice", |s| {
        Box::pin(grouping(s))
    }),
    case("a_notice_is_queued_with_the_creation", |s| {
        Box::pin(creation(s))
    }),
    case("a_notice_is_queued_with_the_revocation", |s| {
        Box::pin(admin_revocation(s))
    }),
    case("a_notice_tells_how_many_outlive_the_revocation", |s| {
        Box::pin(outlived_revocation(s))
    }),
    case("old_tokens_are_pruned_in_batches", |s| Box::pin(pruning(s))),
    case(
        "descendants_of_a_pruned_token_fall_with_its_ancestor",
        |s| Box::pin(pruned_parent(s)),
    ),
    case("a_claimed_notice_is_nobody_elses", |s| {
        Box::pin(claim_race(s))
    }),
    case("a_claim_runs_out", |s| Box::pin(claim_runs_out(s))),
    case("nobody_is_told_of_revoked_or_pruned_tokens", |s| {
        Box::pin(not_worth_telling(s))
    }),
    case("skipped_notices_hold_up_nobody", |s| {
        Box::pin(skipped_first(s))
    }),
    case("a_notice_is_tried_again_or_becomes_a_dead_letter", |s| {
        Box::pin(outcomes(s))
    }),
    case("old_rows_are_trimmed_and_the_feed_goes_on", |s| {
        Box::pin(trimming(s))
    }),
    case("owners_are_walked_in_byte_order", |s| Box::pin(owners(s))),
    case("owners_are_gone_when_they_were_missing_for_long", |s| {
        Box::pin(missing_owners(s))
    }),
];

const TTL: Duration = Duration::from_mins(1);

pub(super) fn jobs(store: &Store) -> &dyn JobStore {
    store.jobs().expect("a store with jobs")
}

/// Requests the lease of the occurrence at `scheduled`, at `now`, both in seconds.
async fn ask(store: &Store, job: Job, scheduled: i64, now: i64) -> LeaseAnswer {
    ask_for(store, job, scheduled, now, TTL).await
}

/// The same for a lease of another length. One of zero length expires at once, by the caller's clock
/// and by the store's.
async fn ask_for(store: &Store, job: Job, scheduled: i64, now: i64, ttl: Duration) -> LeaseAnswer {
    let request = LeaseRequest {
        job,
        now: at(now),
        ttl,
        due: &|_| Some(at(scheduled)),
        mark: MarkBounds {
            at_least: at(now),
            at_most: at(now),
            clock: at(now),
        },
    };
    let acquired = jobs(store).acquire_lease(&request).await;
    acquired.expect("acquire_lease").0
}

pub(super) async fn lease(store: &Store, job: Job) -> Lease {
    match ask(store, job, 1_000_000, 0).await {
        LeaseAnswer::Acquired(lease) => lease,
        other => panic!("an empty store has no leases: {other:?}"),
    }
}

/// Returns an expired lease, and the next one.
pub(super) async fn lapsed_lease(store: &Store, job: Job) -> (Lease, Lease) {
    let stale = ask_for(store, job, 100, 60, Duration::ZERO).await;
    let current = ask(store, job, 100, 60).await;
    let (LeaseAnswer::Acquired(stale), LeaseAnswer::Acquired(current)) = (stale, current) else {
        panic!("no node holds the lease")
    };
    (stale, current)
}

/// Deletes all tokens that are revoked or expired, whatever the store's time is.
pub(super) async fn prune_all(store: &Store, lease: &Lease) -> Vec<TokenId> {
    let prune = Prune {
        now: at(1_000),
        vouched: at(1_000),
        keep: Duration::ZERO,
        notify: false,
    };
    let pruned = jobs(store).prune(lease, &prune, 100).await.expect("prune");
    let tokens = pruned.tokens.into_iter();
    tokens.map(|token| token.id).collect()
}

/// Deletes events from before the beginning of the suite.
pub(super) async fn purge_events(store: &Store, lease: &Lease) -> u64 {
    let purge = purge_at(1_000, -100, -100);
    jobs(store).purge(lease, &purge, 100).await.expect("purge")
}

fn expiring(number: i64, owner_key: &str, seconds: i64) -> NewToken {
    NewToken {
        expires_at: Some(at(seconds)),
        ..new(number, owner_key)
    }
}

async fn queue_due(
    store: &Store,
    lease: &Lease,
    kind: NotificationKind,
    now: i64,
    until: i64,
) -> u64 {
    let due = DueNotifications {
        kind,
        now: at(now),
        within: seconds(until - now),
    };
    jobs(store)
        .queue_due_notifications(lease, &due, 100)
        .await
        .expect("queue_due_notifications")
}

pub(super) async fn claim(store: &Store, now: i64) -> Vec<QueuedNotification> {
    let claimed = jobs(store).claim_notifications(at(now), TTL, 100).await;
    claimed.expect("claim_notifications")
}

fn seconds(count: i64) -> Duration {
    Duration::from_secs(count.unsigned_abs())
}

fn ids(notification: &QueuedNotification) -> Vec<TokenId> {
    notification.tokens.iter().map(|token| token.id).collect()
}

pub(super) async fn settle(
    store: &Store,
    notification: &QueuedNotification,
    outcome: Outcome,
    now: i64,
) -> bool {
    let settled = jobs(store).settle_notification(&notification.claim, &outcome, at(now));
    settled.await.expect("settle_notification")
}

async fn one_runner(store: Store) {
    let LeaseAnswer::Acquired(first) = ask(&store, Job::Prune, 100, 100).await else {
        panic!("no node holds the lease")
    };
    assert_eq!((first.job, first.occurrence), (Job::Prune, at(100)));
    assert_eq!(ask(&store, Job::Prune, 100, 159).await, LeaseAnswer::Held);
    let other_job = ask(&store, Job::ExpiryCheck, 100, 100).await;
    assert!(
        matches!(other_job, LeaseAnswer::Acquired(_)),
        "each job has its own lease"
    );
    let renew = async |now, ttl| {
        let renewed = jobs(&store).renew_lease(&first, at(now), ttl).await;
        renewed.expect("renew_lease");
    };
    renew(150, TTL).await;
    assert_eq!(ask(&store, Job::Prune, 100, 209).await, LeaseAnswer::Held);
    renew(210, Duration::ZERO).await;
    let LeaseAnswer::Acquired(second) = ask(&store, Job::Prune, 100, 210).await else {
        panic!("the lease has expired")
    };
    assert_eq!(second.term, first.term + 1);
    jobs(&store)
        .release_lease(&second, false)
        .await
        .expect("release_lease");
    let LeaseAnswer::Acquired(third) = ask(&store, Job::Prune, 100, 211).await else {
        panic!("the lease was released, and the occurrence is not done")
    };
    jobs(&store)
        .release_lease(&third, true)
        .await
        .expect("release_lease");
    for scheduled in [100, 99] {
        assert_eq!(
            ask(&store, Job::Prune, scheduled, 300).await,
            LeaseAnswer::Done
        );
    }
    let next = ask(&store, Job::Prune, 101, 300).await;
    assert!(matches!(next, LeaseAnswer::Acquired(_)));
}

async fn impossible_future(store: Store) {
    const YEAR: i64 = 400 * 24 * 3600;
    let LeaseAnswer::Acquired(_) = ask(&store, Job::Prune, YEAR, YEAR).await else {
        panic!("no node holds the lease")
    };
    let LeaseAnswer::Acquired(lease) = ask(&store, Job::Prune, 100, 100).await else {
        panic!("a lease in an impossible future counts as not set")
    };
    jobs(&store)
        .release_lease(&lease, false)
        .await
        .expect("release_lease");
    let LeaseAnswer::Acquired(far) = ask(&store, Job::Prune, YEAR, YEAR).await else {
        panic!("the lease was released")
    };
    jobs(&store)
        .release_lease(&far, true)
        .await
        .expect("release_lease");
    let LeaseAnswer::Acquired(lease) = ask(&store, Job::Prune, 101, 101).await else {
        panic!("an occurrence in the future is not done")
    };
    jobs(&store)
        .release_lease(&lease, true)
        .await
        .expect("release_lease");
    assert_eq!(ask(&store, Job::Prune, 101, 102).await, LeaseAnswer::Done);
    // A notification is delayed by at most two hours.
    let token = NewToken {
        notify: true,
        created_at: at(YEAR),
        ..new(1, "alice")
    };
    store_token(&store, &token).await;
    assert_eq!(claim(&store, 200).await.len(), 1);
}

async fn lease_race(store: Store) {
    let mut runners = JoinSet::new();
    for _ in 0..50 {
        let store = store.clone();
        runners.spawn(async move { ask(&store, Job::Prune, 100, 100).await });
    }
    let answers = runners.join_all().await;
    let acquired = answers
        .iter()
        .filter(|answer| matches!(answer, LeaseAnswer::Acquired(_)));
    assert_eq!(acquired.count(), 1);
}

async fn fencing(store: Store) {
    store_token(&store, &expiring(1, "alice", 10)).await;
    let (stale, current) = lapsed_lease(&store, Job::Prune).await;
    let due = DueNotifications {
        kind: NotificationKind::Expired,
        now: at(60),
        within: Duration::ZERO,
    };
    let prune = Prune {
        now: at(60),
        vouched: at(60),
        keep: Duration::ZERO,
        notify: true,
    };
    let purge = purge_at(60, 60, 60);
    let jobs = jobs(&store);
    let refused = [
        jobs.renew_lease(&stale, at(60), TTL).await,
        jobs.release_lease(&stale, true).await,
        jobs.queue_due_notifications(&stale, &due, 10)
            .await
            .map(drop),
        jobs.prune(&stale, &prune, 10).await.map(drop),
        jobs.purge(&stale, &purge, 10).await.map(drop),
    ];
    for result in refused {
        assert!(matches!(result, Err(StoreError::LeaseLost)), "{result:?}");
    }
    assert_eq!(claim(&store, 60).await, [], "nothing was queued");
    assert!(store.find(id(1)).await.expect("find").is_some());
    assert_eq!(ask(&store, Job::Prune, 100, 61).await, LeaseAnswer::Held);
    let pruned = jobs.prune(&current, &prune, 10).await.expect("prune");
    assert_eq!(
        pruned.tokens.len(),
        1,
        "the current runner is not disturbed"
    );
}

async fn due_once(store: Store) {
    let lease = lease(&store, Job::ExpiryCheck).await;
    store_token(&store, &new(1, "eternal")).await;
    store_token(&store, &expiring(2, "alice", 1000)).await;
    store_token(&store, &expiring(3, "revoked", 1000)).await;
    revoke(&store, RevocationScope::Tokens(vec![id(3)]), 1).await;
    let soon = NotificationKind::ExpiresSoon;
    assert_eq!(queue_due(&store, &lease, soon, 899, 999).await, 0);
    assert_eq!(
        queue_due(&store, &lease, soon, 900, 1000).await,
        1,
        "to the microsecond"
    );
    assert_eq!(queue_due(&store, &lease, soon, 900, 1000).await, 0, "once");
    let expired = NotificationKind::Expired;
    assert_eq!(queue_due(&store, &lease, expired, 999, 999).await, 0);
    assert_eq!(queue_due(&store, &lease, soon, 1000, 1100).await, 0);
    assert_eq!(queue_due(&store, &lease, expired, 1000, 1000).await, 1);
    assert_eq!(
        queue_due(&store, &lease, expired, 1000, 1000).await,
        0,
        "once"
    );
    assert_eq!(queue_due(&store, &lease, soon, 1000, 9999).await, 0);

    // For a token that expired meanwhile, only `Expired` is due.
    store_token(&store, &expiring(4, "bob", 2000)).await;
    assert_eq!(queue_due(&store, &lease, expired, 5000, 5000).await, 1);
    assert_eq!(queue_due(&store, &lease, soon, 5000, 9999).await, 0);
}

async fn grouping(store: Store) {
    let lease = lease(&store, Job::ExpiryCheck).await;
    let mut numbers = 1..;
    for key in ["bob", "alice", "älice", "Alice"] {
        for seconds in [300, 100, 200] {
            let number = numbers.next().expect("a number");
            store_token(&store, &expiring(number, key, seconds)).await;
        }
    }
    let used = LastUse {
        id: id(2),
        at: at(50),
    };
    store.record_use(&[used]).await.expect("record_use");
    let due = DueNotifications {
        kind: NotificationKind::ExpiresSoon,
        now: at(60),
        within: seconds(940),
    };
    // In two batches, neither of which separates an owner's tokens.
    for expected in [3, 1, 0] {
        let queued = jobs(&store).queue_due_notifications(&lease, &due, 3).await;
        assert_eq!(queued.expect("queue_due_notifications"), expected);
    }
    let claimed = claim(&store, 60).await;
    let by_owner: BTreeMap<_, _> = claimed
        .iter()
        .map(|notification| (notification.owner.as_str(), ids(notification)))
        .collect();
    let expected = [("Alice", 10), ("alice", 4), ("bob", 1), ("älice", 7)]
        .map(|(key, first)| (key, [1, 2, 0].map(|place| id(first + place)).to_vec()));
    assert_eq!(by_owner, BTreeMap::from(expected), "by expiry");
    let bobs = claimed
        .iter()
        .find(|notification| notification.owner == owner("bob"))
        .expect("bob's");
    assert_eq!(
        (bobs.kind, bobs.attempts),
        (NotificationKind::ExpiresSoon, 1)
    );
    assert_eq!(
        (bobs.queued_at, &bobs.by, &bobs.reason),
        (at(60), &None, &None)
    );
    let first = NotificationToken {
        id: id(2),
        name: "ci".into(),
        created_at: at(0),
        expires_at: Some(at(100)),
        last_used_at: Some(at(50)),
    };
    assert_eq!(bobs.tokens[0], first);
}

async fn creation(store: Store) {
    let told = |number| NewToken {
        notify: true,
        ..new(number, "alice")
    };
    store_token(&store, &told(1)).await;
    let refused = store.insert(&told(2), 1).await.expect("insert");
    assert_eq!(refused, crate::store::Insertion::LimitReached { count: 1 });
    store_token(&store, &new(3, "bob")).await;
    let claimed = claim(&store, 0).await;
    assert_eq!(claimed.len(), 1, "only for the stored token with `notify`");
    assert_eq!(
        (claimed[0].kind, ids(&claimed[0])),
        (NotificationKind::Created, vec![id(1)])
    );
    assert_eq!(claimed[0].tokens[0].expires_at, None);
}

async fn admin_revocation(store: Store) {
    for (number, key) in [(1, "alice"), (2, "alice"), (3, "bob")] {
        store_token(&store, &new(number, key)).await;
    }
    let revocation = Revocation {
        notify: true,
        ..revocation(5)
    };
    let scope = RevocationScope::Owner(owner("alice"));
    for _ in 0..2 {
        store.revoke(&scope, &revocation).await.expect("revoke");
    }
    revoke(&store, RevocationScope::Tokens(vec![id(3)]), 6).await;
    let claimed = claim(&store, 10).await;
    assert_eq!(claimed.len(), 1, "once, and only with `notify`");
    let notification = &claimed[0];
    assert_eq!(notification.kind, NotificationKind::RevokedByAdmin);
    assert_eq!(
        (&notification.owner, ids(notification)),
        (&owner("alice"), vec![id(1), id(2)])
    );
    assert_eq!(notification.by, Some(owner("admin")));
    assert_eq!(notification.reason.as_deref(), Some("lost ✂ laptop"));
}

async fn outlived_revocation(store: Store) {
    for (number, key, parent, end) in [
        (1, "alice", None, None),
        (2, "alice", Some(1), None),
        (3, "alice", Some(2), Some(60)),
        (4, "alice", Some(2), Some(4)),
        (5, "bob", None, None),
        (6, "bob", Some(5), None),
        (7, "bob", Some(6), None),
        (8, "carol", None, None),
    ] {
        let token = NewToken {
            parent: parent.map(id),
            expires_at: end.map(at),
            ..new(number, key)
        };
        store_token(&store, &token).await;
    }
    revoke(&store, RevocationScope::Tokens(vec![id(6)]), 3).await;
    let revocation = Revocation {
        notify: true,
        ..revocation(5)
    };
    let revoke = async |scope| store.revoke(&scope, &revocation).await.expect("revoke");
    let named = vec![id(1), id(5), id(8)];
    let revoked = revoke(RevocationScope::Tokens(named)).await;
    assert_eq!(revoked.live_children, 3);
    let rest = vec![id(1), id(5)];
    let revoked = revoke(RevocationScope::TokensAndDescendants(rest)).await;
    assert_eq!(revoked.live_children, 0, "none is left");
    let mut told: Vec<_> = claim(&store, 10)
        .await
        .iter()
        .map(|notification| {
            let mut tokens = ids(notification);
            tokens.sort();
            (
                notification.owner.to_string(),
                tokens,
                notification.live_children,
            )
        })
        .collect();
    told.sort();
    let expected = [
        ("alice", vec![1], 2),
        ("alice", vec![2, 3, 4], 0),
        ("bob", vec![5], 1),
        ("bob", vec![7], 0),
        ("carol", vec![8], 0),
    ]
    .map(|(owner, tokens, live)| {
        let tokens: Vec<_> = tokens.into_iter().map(id).collect();
        (owner.to_owned(), tokens, live)
    });
    assert_eq!(
        told, expected,
        "each owner is notified of the owner's own tokens"
    );
}

async fn pruning(store: Store) {
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

async fn pruned_parent(store: Store) {
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

async fn claim_race(store: Store) {
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

async fn claim_runs_out(store: Store) {
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

async fn not_worth_telling(store: Store) {
    let lease = lease(&store, Job::ExpiryCheck).await;
    for number in 1..=4 {
        store_token(&store, &expiring(number, "alice", 100)).await;
    }
    let told = NewToken {
        notify: true,
        ..expiring(5, "bob", 1000)
    };
    store_token(&store, &told).await;
    queue_due(&store, &lease, NotificationKind::ExpiresSoon, 50, 100).await;
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

    queue_due(&store, &lease, NotificationKind::Expired, 100, 100).await;
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

async fn skipped_first(store: Store) {
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

async fn outcomes(store: Store) {
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
    assert_eq!(
        (retried.attempts, retried.sent_by),
        (1, vec!["chat".to_owned()])
    );
}

/// Returns a purge of rows older than these times, at `now`, all in seconds.
fn purge_at(now: i64, changes: i64, notifications: i64) -> Purge {
    Purge {
        now: at(now),
        vouched: at(now),
        changes: seconds(now - changes),
        notifications: seconds(now - notifications),
        // The suite for audit events covers the events.
        events: seconds(now + 100),
    }
}

async fn trimming(store: Store) {
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

async fn owners(store: Store) {
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

async fn missing_owners(store: Store) {
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
    let (day, no_time) = (Duration::from_hours(24), Duration::ZERO);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryStore;

    #[tokio::test(flavor = "multi_thread")]
    async fn memory_store_passes() {
        for case in CASES {
            case.run(MemoryStore::default()).await;
        }
    }
}
