//! The suite that every [`JobStore`] must pass, besides the [suite](super::store) for
//! [`TokenStore`](crate::store::TokenStore).

mod delivery;
mod leases;
mod pruning;
mod queue;
mod unused;

use std::time::Duration;

use super::case::{Case, Store, at, case, new};
use crate::notification::NotificationKind;
use crate::store::{
    DueNotifications, Job, JobStore, Lease, LeaseAnswer, LeaseRequest, MarkBounds, NewToken,
    Outcome, Prune, Purge, QueuedNotification,
};
use crate::{Owner, TokenId};

/// All cases of the suite. Each case needs its own empty store, which has the capability
/// [`TokenStore::jobs`](crate::store::TokenStore::jobs).
pub const CASES: &[Case] = &[
    case("an_occurrence_has_one_runner_and_is_done_once", |s| {
        Box::pin(leases::one_runner(s))
    }),
    case("what_lies_in_an_impossible_future_is_not_set", |s| {
        Box::pin(leases::impossible_future(s))
    }),
    case("one_of_many_concurrent_runners_gets_the_lease", |s| {
        Box::pin(leases::lease_race(s))
    }),
    case("a_runner_who_lost_the_lease_changes_nothing", |s| {
        Box::pin(leases::fencing(s))
    }),
    case("a_token_falls_due_once_for_each_kind", |s| {
        Box::pin(queue::due_once(s))
    }),
    case("each_reminder_is_sent_once_and_late_ones_not_at_all", |s| {
        Box::pin(queue::reminders(s))
    }),
    case("a_reminder_replaces_one_that_waits", |s| {
        Box::pin(queue::superseded_reminder(s))
    }),
    case("tokens_of_one_owner_share_a_notice", |s| {
        Box::pin(queue::grouping(s))
    }),
    case("a_walk_through_due_tokens_finds_each_owner", |s| {
        Box::pin(queue::walk(s))
    }),
    case("a_notice_is_queued_with_the_creation", |s| {
        Box::pin(queue::creation(s))
    }),
    case("a_notice_is_queued_with_the_revocation", |s| {
        Box::pin(queue::admin_revocation(s))
    }),
    case("a_notice_tells_how_many_outlive_the_revocation", |s| {
        Box::pin(queue::outlived_revocation(s))
    }),
    case("old_tokens_are_pruned_in_batches", |s| {
        Box::pin(pruning::pruning(s))
    }),
    case("no_notice_of_a_large_revocation_is_pruned", |s| {
        Box::pin(pruning::large_revocation(s))
    }),
    case(
        "descendants_of_a_pruned_token_fall_with_its_ancestor",
        |s| Box::pin(pruning::pruned_parent(s)),
    ),
    case(
        "transient_tokens_are_pruned_after_a_day_and_not_told_of",
        |s| Box::pin(pruning::transient(s)),
    ),
    case("the_children_of_a_pruned_token_go_to_its_line", |s| {
        Box::pin(pruning::pruned_predecessor(s))
    }),
    case("keys_of_requests_are_trimmed_after_a_day", |s| {
        Box::pin(pruning::old_keys(s))
    }),
    case("a_notice_is_queued_with_a_second_rotation", |s| {
        Box::pin(queue::second_rotation(s))
    }),
    case("a_claimed_notice_is_nobody_elses", |s| {
        Box::pin(delivery::claim_race(s))
    }),
    case("a_claim_runs_out", |s| {
        Box::pin(delivery::claim_runs_out(s))
    }),
    case("nobody_is_told_of_revoked_or_pruned_tokens", |s| {
        Box::pin(delivery::not_worth_telling(s))
    }),
    case("skipped_notices_hold_up_nobody", |s| {
        Box::pin(delivery::skipped_first(s))
    }),
    case("a_notice_is_tried_again_or_becomes_a_dead_letter", |s| {
        Box::pin(delivery::outcomes(s))
    }),
    case("old_rows_are_trimmed_and_the_feed_goes_on", |s| {
        Box::pin(pruning::trimming(s))
    }),
    case("unused_tokens_are_revoked_after_a_warning", |s| {
        Box::pin(unused::warned_first(s))
    }),
    case("a_token_that_is_used_again_is_warned_of_again", |s| {
        Box::pin(unused::used_again(s))
    }),
    case("an_imported_token_is_unused_from_its_import_on", |s| {
        Box::pin(unused::imported(s))
    }),
    case("a_use_after_the_warning_makes_it_void", |s| {
        Box::pin(unused::used_after_the_warning(s))
    }),
    case(
        "unused_tokens_of_some_owners_are_warned_of_and_revoked",
        |s| Box::pin(unused::of_some_owners(s)),
    ),
    case("nodes_with_last_uses_are_not_forgotten_silently", |s| {
        Box::pin(unused::lagging_nodes(s))
    }),
    case("owners_learn_that_a_replaced_token_is_in_use", |s| {
        Box::pin(unused::replaced_in_use(s))
    }),
    case("owners_are_walked_in_byte_order", |s| {
        Box::pin(pruning::owners(s))
    }),
    case("owners_are_gone_when_they_were_missing_for_long", |s| {
        Box::pin(pruning::missing_owners(s))
    }),
];

const TTL: Duration = Duration::from_secs(60);
/// The seconds of a day.
const DAY: i64 = 24 * 60 * 60;

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
    reminder_days: &[u32],
) -> u64 {
    let due = DueNotifications {
        kind,
        now: at(now),
        reminder_days: reminder_days.to_vec(),
        warning_days: 5,
    };
    let mut queued = 0;
    for page in due_owners(store, &due, 100).await {
        let more = jobs(store).queue_due_notifications(lease, &due, &page);
        queued += more.await.expect("queue_due_notifications");
    }
    queued
}

/// Walks through the due tokens, and returns their owners, as many at a time.
async fn due_owners(store: &Store, due: &DueNotifications, max_owners: u32) -> Vec<Vec<Owner>> {
    let mut pages = Vec::new();
    let mut after = None;
    loop {
        let page = jobs(store).owners_due(due, after, max_owners).await;
        let page = page.expect("owners_due");
        pages.push(page.owners);
        let Some(next) = page.next else {
            return pages;
        };
        assert!(Some(next) > after, "the walk goes on");
        after = Some(next);
    }
}

/// Returns the owners of unrevoked tokens.
async fn all_owners(store: &Store) -> Vec<Owner> {
    let listed = jobs(store).owners_after(None, 100).await;
    let listed = listed.expect("owners_after").into_iter();
    listed.map(|listed| listed.owner).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryStore;

    #[tokio::test(flavor = "multi_thread")]
    async fn memory_store_passes() {
        for case in CASES {
            case.run(std::sync::Arc::new(MemoryStore::default())).await;
        }
    }
}
