//! A cluster, each member of which has a clock of its own.

use std::time::Duration;

use pat_harness::{timer_now, until};
use pat_servers::galera::Cluster;

use super::leaps::leap_is;
use super::matrix::jobs_run;
use super::node::Node;
use super::shift::{DAY, Shift};
use super::tables::Tables;
use super::tokens::{Tokens, assert_all_kept};

/// The date of one member is wrong from its start on. As long as a node on another member knows better,
/// a node there is not ready and runs no job, and nothing is lost; the other one works on. Then the date
/// is right again.
pub(super) async fn a_date_that_other_members_contradict_is_not_believed() {
    let shift = Shift::new(400 * DAY);
    let cluster = Cluster::create_in_environment(&shift.variables()).await;
    let [member, _, wrong] = &cluster.members;
    let tables = Tables::on(member).await;
    let tokens = Tokens::insert(&tables).await;
    let node = Node::start(&tables, None, &[]).await;
    jobs_run(&tables, tables.clock().await).await;
    cluster.await_all().await;

    let there = Tables::on(wrong).await;
    let misled = Node::start(&there, None, &[]).await;
    leap_is(&misled, 400.0).await;
    let end = timer_now() + Duration::from_secs(3);
    while timer_now() < end {
        assert!(!misled.is_ready().await, "another node contradicts it");
        misled.refuses_ended(&tokens).await;
    }
    assert!(node.is_ready().await);
    node.accepts_live(&tokens).await;
    jobs_run(&tables, tables.clock().await).await;
    let tomorrow = tables.clock().await + DAY * 1_000_000;
    let done = tables.number("SELECT MAX(done) FROM pat_lease").await;
    assert!(done < tomorrow, "no job has run by the wrong date");
    assert_all_kept(&tables).await;

    shift.set(0);
    until("it is ready", async || misled.is_ready().await).await;
    misled.accepts_live_again(&tokens).await;
    misled.stop().await;
    node.stop().await;
}
