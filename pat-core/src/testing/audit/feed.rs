//! The feed of sinks: numbers, positions, and the end of old events.

use tokio::task::JoinSet;

use super::super::case::{Store, at, new, owner, store_token};
use super::super::jobs::{lapsed_lease, lease, purge_events};
use super::{after, audit};
use crate::event::{Event, EventKind};
use crate::store::{Job, StoreError};

pub(super) async fn number_race(store: Store) {
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

pub(super) async fn raised_numbers(store: Store) {
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

pub(super) async fn positions(store: Store) {
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

pub(super) async fn trimming(store: Store) {
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
