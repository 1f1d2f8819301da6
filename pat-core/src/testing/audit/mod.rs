//! The suite that every [`AuditStore`] must pass, besides the suites for
//! [`TokenStore`](super::store) and [`JobStore`](super::jobs).

mod changes;
mod feed;
mod history;
mod records;

use super::case::{Case, Store, case, id, owner, revocation};
use crate::event::{Event, EventKind};
use crate::store::{AuditStore, NewToken, Revocation, RevokedToken};

/// All cases of the suite. Each case needs its own empty store, which has the capabilities
/// [`TokenStore::audit`](crate::store::TokenStore::audit) and
/// [`TokenStore::jobs`](crate::store::TokenStore::jobs).
pub const CASES: &[Case] = &[
    case("a_creation_has_its_event", |s| {
        Box::pin(changes::creation(s))
    }),
    case("each_imported_token_has_its_event", |s| {
        Box::pin(changes::imports(s))
    }),
    case("a_rotation_has_its_event", |s| {
        Box::pin(changes::rotations(s))
    }),
    case("each_revoked_token_has_its_event", |s| {
        Box::pin(changes::revocations(s))
    }),
    case("each_change_of_a_token_has_its_event", |s| {
        Box::pin(changes::updates(s))
    }),
    case("a_changed_owner_has_his_event", |s| {
        Box::pin(changes::changed_owner(s))
    }),
    case("each_pruned_token_has_its_event", |s| {
        Box::pin(changes::pruning(s))
    }),
    case("a_settled_notice_has_its_events", |s| {
        Box::pin(changes::notifications(s))
    }),
    case("what_changes_nothing_has_no_event", |s| {
        Box::pin(changes::no_change(s))
    }),
    case("events_without_a_change_are_kept_unchanged", |s| {
        Box::pin(records::samples(s))
    }),
    case(
        "events_keep_the_client_of_their_request_and_find_the_name_of_their_token",
        |s| Box::pin(records::clients(s)),
    ),
    case("two_thousand_events_of_one_change_are_all_there", |s| {
        Box::pin(records::many(s))
    }),
    case("each_event_gets_one_number_without_a_gap", |s| {
        Box::pin(feed::number_race(s))
    }),
    case("numbers_go_on_after_a_raised_one", |s| {
        Box::pin(feed::raised_numbers(s))
    }),
    case("a_token_has_its_history_latest_first", |s| {
        Box::pin(history::histories(s))
    }),
    case("a_sink_has_its_position_under_the_lease", |s| {
        Box::pin(feed::positions(s))
    }),
    case("old_events_are_trimmed_numbered_or_not", |s| {
        Box::pin(feed::trimming(s))
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
