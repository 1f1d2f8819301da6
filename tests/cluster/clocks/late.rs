//! A server whose answers are late: what it says of the time is old by then.

use std::time::Duration;

use pat_core::{Clock as _, SystemClock};
use pat_harness::fault_proxy::{FaultProxy, Way};
use pat_servers::{Database, Kind};

use super::node::Node;
use super::tables::Tables;
use super::tokens;

/// No token is accepted after its end by the database's clock, though a node hears of that clock a
/// moment later each time.
pub(super) async fn tokens_end_in_time_when_answers_are_late(kind: Kind) {
    let database = Database::create_alone(kind, &[]).expect("a server");
    let beside = database.create_beside("pat").await;
    let mut tables = Tables::on(&beside).await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let proxy = FaultProxy::start(&beside, folder.path());
    let direct = std::mem::replace(&mut tables.url, proxy.url.clone());
    proxy.set(Way::LateAnswers(Duration::from_millis(60)));
    let patient = ["-D", "pat.auth.database.timeout.ms=5000"];
    let node = Node::start(&tables, None, &patient).await;
    tables.url = direct;
    let never = tokens::insert(&tables, 10, None, None).await;
    // What it has learned of the time while it connected is soon known better.
    node.accepts_for(&never, Duration::from_millis(1_500)).await;
    for number in 0..2 {
        let end = tables.clock().await + 2_000_000;
        let token = tokens::insert(&tables, 20 + number, Some(end), None).await;
        let mut accepted = 0;
        loop {
            // This machine's clock is the server's.
            let sent = SystemClock.wall().as_microsecond();
            let status = node.status(&token).await;
            if sent >= end {
                assert_ne!(status, 200, "{} µs after its end", sent - end);
            }
            if sent > end + 500_000 {
                break;
            }
            accepted += usize::from(status == 200);
        }
        assert!(accepted > 0, "it was good for a while");
    }
    node.stop().await;
}
