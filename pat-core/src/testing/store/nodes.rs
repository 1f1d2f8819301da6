//! The mark, nodes and versions.

use crate::TokenDigest;
use crate::store::{MarkBounds, NodeReport, ReportMode, SCHEMA_VERSION};
use crate::testing::case::{Store, at, new, store_token};

pub(super) async fn mark(store: Store) {
    if !store.is_shared() {
        return;
    }
    let mut second = 0;
    let mut report = async |least, most, clock| {
        second += 1;
        let report = NodeReport {
            node: 1,
            applied: 0,
            now: at(second),
            version: SCHEMA_VERSION,
            mode: ReportMode::Seldom,
            contradicts_leap: false,
            flushed_at: None,
        };
        let bounds = MarkBounds {
            at_least: at(least),
            at_most: at(most),
            clock: at(clock),
        };
        let time = store.heartbeat(&report, &bounds).await.expect("heartbeat");
        let page = store.changes_since(None).await.expect("changes_since");
        let found = store.find_by_digest(&TokenDigest::of(b"x")).await;
        let marks = [page.time, found.expect("find_by_digest").time].map(|time| time.mark);
        assert_eq!(marks, [time.mark; 2], "the mark is in every response");
        time.mark
    };
    if report(-100, -100, 0).await.is_none() {
        // It keeps none.
        return;
    }
    store_token(&store, &new(1, "alice")).await;
    for (least, most, clock, expected) in [
        (5, 10, 7, 7),
        (8, 10, 400, 10),
        (12, 15, -400, 12),
        (-9, -9, 50, 12),
        (5, 10, 11, 12),
    ] {
        assert_eq!(report(least, most, clock).await, Some(at(expected)));
    }
}

pub(super) async fn nodes(store: Store) {
    if !store.is_shared() {
        return;
    }
    let report = |node, applied, seconds| NodeReport {
        node,
        applied,
        now: at(seconds),
        mode: ReportMode::EachChange,
        version: applied + 1,
        contradicts_leap: applied % 2 == 1,
        flushed_at: (applied > 2).then(|| at(seconds - 1)),
    };
    let bounds = MarkBounds {
        at_least: at(0),
        at_most: at(0),
        clock: at(0),
    };
    let put = async |report| {
        let reported = store.heartbeat(&report, &bounds).await;
        reported.expect("heartbeat");
    };
    let forget = async |report| store.deregister(&report).await.expect("deregister");
    let nodes = async || {
        let mut nodes = store.nodes().await.expect("nodes");
        nodes.sort_unstable_by_key(|report| report.node);
        nodes
    };
    let largest = u64::MAX >> 1;
    assert_eq!(nodes().await, []);
    put(report(1, 5, 0)).await;
    put(report(largest, 3, 600)).await;
    assert_eq!(nodes().await, [report(1, 5, 0), report(largest, 3, 600)]);
    for replaced in [report(largest, 7, 601), report(largest, 0, 90_000)] {
        put(replaced).await;
        assert_eq!(nodes().await, [report(1, 5, 0), replaced]);
    }
    for mode in [ReportMode::Seldom, ReportMode::EachChangeAndWaits] {
        let seconds = 100_000 + i64::from(mode == ReportMode::Seldom);
        let changed = NodeReport {
            mode,
            ..report(2, 0, seconds)
        };
        put(changed).await;
        assert!(nodes().await.contains(&changed));
        forget(changed).await;
    }
    for late in [report(largest, 9, 89_999), report(largest, 9, 90_000)] {
        put(late).await;
        let last = report(largest, 0, 90_000);
        assert_eq!(nodes().await, [report(1, 5, 0), last], "it is no later");
    }
    for other in [report(1, 4, 0), report(1, 5, 1), report(4, 5, 0)] {
        forget(other).await;
    }
    assert_eq!(nodes().await.len(), 2, "these are not their last reports");
    for last in [report(1, 5, 0), report(largest, 0, 90_000), report(1, 5, 0)] {
        forget(last).await;
    }
    assert_eq!(nodes().await, []);
}

pub(super) async fn versions(store: Store) {
    let readable_from = async || {
        let page = store.changes_since(None).await.expect("changes_since");
        assert!(page.versions.version >= SCHEMA_VERSION, "{page:?}");
        let digest = TokenDigest::of(b"unknown");
        let found = store.find_by_digest(&digest).await;
        assert_eq!(found.expect("find_by_digest").versions, page.versions);
        page.versions.readable_from
    };
    assert_eq!(readable_from().await, 0);
    for (raised, is) in [
        (2, 2),
        (1, 2),
        (SCHEMA_VERSION, SCHEMA_VERSION),
        (0, SCHEMA_VERSION),
    ] {
        let raise = store.raise_readable_from(raised).await;
        raise.expect("raise_readable_from");
        assert_eq!(readable_from().await, is);
    }
}
