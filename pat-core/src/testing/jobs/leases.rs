//! Leases.

use std::time::Duration;

use tokio::task::JoinSet;

use super::{TTL, ask, claim, expiring, jobs, lapsed_lease, purge_at};
use crate::notification::NotificationKind;
use crate::store::StoreError;
use crate::store::{DueNotifications, Job, LeaseAnswer, NewToken, Prune};
use crate::testing::case::{Store, at, id, new, owner, store_token};

pub(super) async fn one_runner(store: Store) {
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

pub(super) async fn impossible_future(store: Store) {
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

pub(super) async fn lease_race(store: Store) {
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

pub(super) async fn fencing(store: Store) {
    store_token(&store, &expiring(1, "alice", 10)).await;
    let (stale, current) = lapsed_lease(&store, Job::Prune).await;
    let due = DueNotifications::new(NotificationKind::Expired, at(60), Vec::new());
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
        jobs.queue_due_notifications(&stale, &due, &[owner("alice")])
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
