//! A date that is far from what the database vouches for: what waits, what is told of it, and what
//! an operator does who knows that it is right.

use std::time::Duration;

use futures_util::future::join;
use pat_harness::{timer_now, until};
use pat_servers::{Database, Kind};

use super::matrix::jobs_run;
use super::node::{Node, log};
use super::shift::{DAY, Shift};
use super::tables::Tables;
use super::tokens::{self, Tokens, assert_all_kept, assert_told};

const MINUTE: i64 = 60_000_000;
const A_DAY: i64 = DAY * 1_000_000;
const LEAP: &str = "pat_clock_leap_seconds";

/// Waits until a node says that its clock is about so many days from the mark.
pub(super) async fn leap_is(node: &Node, days: f64) {
    until("the leap is measured", async || {
        let leap = node.gauge(LEAP).await;
        leap.is_some_and(|leap| (leap / 86_400.0 - days).abs() < 0.01)
    })
    .await;
}

/// A machine starts four hundred days ahead, on SQLite. Nothing is deleted, no owner is told, and
/// what was created meanwhile is moved back once the date is right.
pub(super) async fn a_leap_ahead_deletes_nothing() {
    let tables = Tables::in_file().await;
    let tokens = Tokens::insert(&tables).await;
    let shift = Shift::new(400 * DAY);
    let node = Node::start(&tables, Some(&shift), &[]).await;
    let created = node.create().await;
    assert_eq!(node.status(&created.raw).await, 200);
    let refuses = node.keeps_refusing(&tokens, Duration::from_secs(1));
    join(refuses, leap_is(&node, 400.0)).await;
    until_logged(&tables, "the clock is ahead").await;
    node.stop().await;

    let right = Node::start(&tables, None, &[]).await;
    right.accepts_live(&tokens).await;
    let sql = format!("SELECT expires_at FROM pat_token WHERE id = {}", created.id);
    until("the new token is moved back", async || {
        let error = tables.number(&sql).await - tables.clock().await - A_DAY;
        error.abs() < MINUTE
    })
    .await;
    let sql = format!("SELECT created_at FROM pat_token WHERE id = {}", created.id);
    assert!(tables.number(&sql).await <= tables.clock().await);
    let everything = "SELECT COUNT(*) FROM pat_change WHERE kind = 3";
    assert!(tables.number(everything).await > 0, "all is judged anew");
    assert_eq!(right.status(&created.raw).await, 200);
    jobs_run(&tables, tables.clock().await).await;
    tables
        .execute(&format!("DELETE FROM pat_token WHERE id = {}", created.id))
        .await;
    assert_all_kept(&tables).await;
    right.stop().await;
}

/// The date of a machine is set back by two days while a node runs there, on SQLite. Nothing lives
/// longer for that, what ends in the meantime ends, and nobody is kept from creating.
pub(super) async fn a_step_back_revives_nothing() {
    let tables = Tables::in_file().await;
    let tokens = Tokens::insert(&tables).await;
    let shift = Shift::new(0);
    let node = Node::start(&tables, Some(&shift), &[]).await;
    let end = tables.clock().await + 3_000_000;
    let ending = tokens::insert(&tables, 20, Some(end), None).await;
    assert_eq!(node.status(&ending).await, 200);
    node.refuses_ended(&tokens).await;
    shift.set(-2 * DAY);
    let token = node.create().await;
    until("it has ended", async || tables.clock().await > end).await;
    assert_ne!(node.status(&ending).await, 200, "it has ended");
    node.keeps_refusing(&tokens, Duration::from_millis(1_500))
        .await;
    node.accepts_live(&tokens).await;
    assert_eq!(node.status(&token.raw).await, 200);
    node.stop().await;

    // Nor does what had ended by the last report live again after a restart.
    let node = Node::start(&tables, Some(&shift), &[]).await;
    node.refuses_ended(&tokens).await;
    node.accepts_live(&tokens).await;
    node.stop().await;
}

/// An operator says that the date is right, after it was said to be a leap: ahead, and back again.
pub(super) async fn an_operator_can_accept_a_leap() {
    let tables = Tables::in_file().await;
    let tokens = Tokens::insert(&tables).await;
    let shift = Shift::new(400 * DAY);
    let accept = ["--accept-clock"];
    let node = Node::start(&tables, Some(&shift), &accept).await;
    // All but the one that never expires are old enough now, and all of the events but one.
    until("what is old is deleted", async || {
        tables.numbers("SELECT id FROM pat_token").await == [1]
    })
    .await;
    assert_eq!(node.status(&tokens.live[0]).await, 200);
    let created = node.create().await;
    node.stop().await;

    // Then it turns out to have been wrong. It is not believed by itself.
    let node = Node::start(&tables, None, &[]).await;
    leap_is(&node, -400.0).await;
    until_logged(&tables, "the clock is behind").await;
    assert_eq!(node.status(&created.raw).await, 200);
    node.stop().await;
    let node = Node::start(&tables, None, &accept).await;
    let mark = tables.number("SELECT mark FROM pat_clock").await;
    assert!((mark - tables.clock().await).abs() < MINUTE, "{mark}");
    let sql = format!("SELECT expires_at FROM pat_token WHERE id = {}", created.id);
    until("the token is moved back", async || {
        let error = tables.number(&sql).await - tables.clock().await - A_DAY;
        error.abs() < MINUTE
    })
    .await;
    jobs_run(&tables, tables.clock().await).await;
    assert_eq!(node.status(&created.raw).await, 200);
    node.stop().await;
}

/// The date of a server is set ahead or back by days while a node runs: no job runs, no owner is told,
/// and the node says by how much, and that it is not ready. Then it is right again.
pub(super) async fn a_leap_of_a_server_deletes_nothing(kind: Kind) {
    let shift = Shift::new(0);
    let database = Database::create_in_environment(kind, &shift.variables()).expect("a server");
    let tables = Tables::on(&database.create_beside("pat").await).await;
    let tokens = Tokens::insert(&tables).await;
    let node = Node::start(&tables, None, &[]).await;
    jobs_run(&tables, tables.clock().await).await;
    for days in [2, -2, 400] {
        shift.set(days * DAY);
        until("it is not ready", async || !node.is_ready().await).await;
        let held = "SELECT COUNT(*) FROM pat_lease WHERE held_until > 0";
        until("no job is in hand any more", async || {
            tables.number(held).await == 0
        })
        .await;
        let done = "SELECT MAX(done) FROM pat_lease";
        let before = tables.number(done).await;
        node.keeps_refusing(&tokens, Duration::from_millis(1_500))
            .await;
        assert_eq!(tables.number(done).await, before, "no job runs");
        if days == 400 {
            leap_is(&node, 400.0).await;
            until_logged(&tables, "the clock is ahead").await;
            // Nor does one believe the clock that starts now and finds it so.
            let late = Node::start(&tables, None, &[]).await;
            let end = timer_now() + Duration::from_secs(2);
            while timer_now() < end {
                assert!(!late.is_ready().await, "another node contradicts it");
                late.refuses_ended(&tokens).await;
            }
            assert_eq!(tables.number(done).await, before, "no job runs");
            late.stop().await;
        }
        assert!(!node.is_ready().await);
        shift.set(0);
        until("it is ready again", async || node.is_ready().await).await;
    }
    node.accepts_live_again(&tokens).await;
    node.refuses_ended(&tokens).await;
    jobs_run(&tables, tables.clock().await).await;
    assert_told(&tables).await;
    assert_all_kept(&tables).await;
    node.stop().await;

    // Another time everything is off for a weekend.
    let tables = Tables::on(&database.create_beside("weekend").await).await;
    let tokens = Tokens::insert(&tables).await;
    // Who has reported so far ends well.
    tables.execute("DELETE FROM pat_node").await;
    database.restart_after(async { shift.set(2 * DAY) }).await;
    after_weekend(&tables, &tokens).await;
}

/// It works and runs its jobs; only what is deleted for its age waits until time has passed that
/// somebody vouches for.
async fn after_weekend(tables: &Tables, tokens: &Tokens) {
    let node = Node::start(tables, None, &[]).await;
    until("it is ready", async || node.is_ready().await).await;
    assert_eq!(node.status(&tokens.live[1]).await, 200);
    node.refuses_ended(tokens).await;
    // By the clock it is old, and by the mark it will be tomorrow.
    let end = tables.clock().await - 31 * A_DAY;
    tokens::insert(tables, 20, Some(end), None).await;
    jobs_run(tables, tables.clock().await).await;
    jobs_run(tables, tables.clock().await).await;
    let is_there = "SELECT COUNT(*) FROM pat_token WHERE id = 20";
    assert_eq!(tables.number(is_there).await, 1, "it waits");
    node.stop().await;

    // Unless an operator says that the date is right.
    let node = Node::start(tables, None, &["--accept-clock"]).await;
    until("it is deleted", async || tables.number(is_there).await == 0).await;
    node.stop().await;
}

async fn until_logged(tables: &Tables, line: &str) {
    until("it is logged", async || log(tables).contains(line)).await;
}
