//! A node with a wrong date on a server with the right one, on which it has no influence.

use futures_util::future::join_all;
use pat_servers::{Database, Kind};
use tokio::time::{Duration, sleep};

use super::matrix::jobs_run;
use super::node::Node;
use super::shift::{DAY, Shift};
use super::tables::Tables;
use super::tokens::{Tokens, assert_all_kept, assert_told};

const MINUTE: i64 = 60_000_000;

/// Beside one with the right date or alone, whether or not it can report: the jobs run when they
/// should, delete nothing that is not old, and tell what is so.
pub(super) async fn a_node_ahead_runs_jobs_on_time(kind: Kind) {
    let database = Database::create(kind).await;
    let tables = Tables::on(&database).await;
    let tokens = Tokens::insert(&tables).await;
    let shift = Shift::new(400 * DAY);

    let lock = tables.lock_reports().await;
    let ahead = Node::try_start(&tables, Some(&shift), &[]).await;
    sleep(Duration::from_secs(1)).await;
    lock.close().await;
    let ahead = match ahead {
        Some(ahead) => ahead,
        None => Node::start(&tables, Some(&shift), &[]).await,
    };
    jobs_run(&tables, tables.clock().await).await;
    let right = Node::start(&tables, None, &[]).await;
    jobs_run(&tables, tables.clock().await).await;
    right.accepts_live(&tokens).await;
    ahead.stop().await;
    jobs_run(&tables, tables.clock().await).await;
    right.stop().await;
    assert_told(&tables).await;
    assert_all_kept(&tables).await;
    database.delete().await;
}

/// One that is behind refuses what has ended, from its first request on.
pub(super) async fn a_node_behind_refuses_at_once(kind: Kind) {
    let database = Database::create(kind).await;
    let tables = Tables::on(&database).await;
    let tokens = Tokens::insert(&tables).await;
    let shift = Shift::new(-400 * DAY);
    let starts = (0..3).map(async |_| {
        let node = Node::start(&tables, Some(&shift), &[]).await;
        node.refuses_ended(&tokens).await;
        node
    });
    let nodes = join_all(starts).await;
    let lock = tables.lock_reports().await;
    let blocked = Node::try_start(&tables, Some(&shift), &[]).await;
    for node in nodes.iter().chain(&blocked) {
        node.refuses_ended(&tokens).await;
        // By now those that have just reported trust their caches no longer.
        node.keeps_refusing(&tokens, Duration::from_millis(800))
            .await;
    }
    lock.close().await;
    drop((nodes, blocked));
    database.delete().await;
}

/// What is created by one that is ahead ends when it should, also if it has never reported.
pub(super) async fn tokens_end_by_the_servers_time(kind: Kind) {
    let database = Database::create(kind).await;
    let tables = Tables::on(&database).await;
    let shift = Shift::new(400 * DAY);
    let lock = tables.lock_reports().await;
    if let Some(node) = Node::try_start(&tables, Some(&shift), &[]).await {
        assert_lives_a_day(&node, &tables).await;
        drop(node);
    }
    lock.close().await;
    let node = Node::start(&tables, Some(&shift), &[]).await;
    assert_lives_a_day(&node, &tables).await;
    let lock = tables.lock_reports().await;
    shift.set(-400 * DAY);
    assert_lives_a_day(&node, &tables).await;
    lock.close().await;
    node.stop().await;
    database.delete().await;
}

async fn assert_lives_a_day(node: &Node, tables: &Tables) {
    let token = node.create().await;
    let sql = format!("SELECT expires_at FROM pat_token WHERE id = {}", token.id);
    let ends_in = tables.number(&sql).await - tables.clock().await;
    let error = ends_in - DAY * 1_000_000;
    assert!(error.abs() < MINUTE, "it ends in {ends_in} µs");
}
