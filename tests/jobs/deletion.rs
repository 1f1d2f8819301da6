//! What remains of a user whom the host has deleted, by the guide `pat_tower::guide::deleting_users`.

use std::collections::BTreeSet;
use std::sync::Arc;

use libtest_mimic::Trial;
use pat_core::JobRun;
use pat_core::store::Job;
use pat_harness::trial;
use pat_sqlx::sqlx::{self, AssertSqlSafe, SqlitePool};

use super::{DAY, Node, database, folder, sqlite};

const KEY: &str = "alice-4711";

pub(super) fn trials() -> Vec<Trial> {
    vec![trial(a_deleted_user_remains_where_the_guide_says)]
}

async fn a_deleted_user_remains_where_the_guide_says() {
    let folder = folder();
    let node = Node::on(Arc::new(sqlite(&folder).await));
    let soon = node.create(KEY, 6).await;
    node.create(KEY, 300).await;
    node.clock.advance(DAY);
    let others = node.create("bob", 300).await;
    let used = node.pats.authenticate(soon.plain.expose().as_bytes()).await;
    used.expect("a good token");
    node.pats.flush_last_use().await.expect("a flush");
    node.check_and_deliver().await;
    let alice = &soon.token.owner;
    node.users.remove(alice);
    assert_eq!(node.pats.user_deleted(alice).await.expect("revoked"), 2);
    // The newest change stays, so there is a newer one.
    let bob = &others.token.owner;
    node.pats.user_changed(bob).await.expect("a change");

    let database = database(&folder).await;
    let all = [
        "pat_change",
        "pat_event",
        "pat_notice",
        "pat_owner",
        "pat_token",
    ];
    assert_eq!(traces(&database).await, all);
    prune_after(&node, 2).await;
    let later = ["pat_event", "pat_notice", "pat_owner", "pat_token"];
    assert_eq!(traces(&database).await, later);
    prune_after(&node, 31).await;
    assert_eq!(traces(&database).await, ["pat_event", "pat_owner"]);
    prune_after(&node, 397).await;
    assert_eq!(traces(&database).await, ["pat_owner"]);
    let guide = include_str!("../../pat-tower/src/docs/deleting_users.md");
    let (_, statement) = guide.split_once("```sql\n").expect("a statement");
    let (statement, _) = statement.split_once("```").expect("its end");
    let statement = AssertSqlSafe(statement.replace("'7'", &format!("'{KEY}'")));
    let deleted = sqlx::query(statement).execute(&database).await;
    assert_eq!(deleted.expect("a deletion").rows_affected(), 1);
    assert!(traces(&database).await.is_empty());
}

async fn prune_after(node: &Node, days: u32) {
    node.clock.advance(DAY * days);
    node.pats.poll_changes().await.expect("a poll");
    assert_eq!(node.run(Job::Prune).await, JobRun::Done);
}

/// The tables in which a column has the key.
async fn traces(database: &SqlitePool) -> Vec<String> {
    let columns = "SELECT m.name, c.name FROM sqlite_master m, pragma_table_xinfo(m.name) c \
                   WHERE m.type = 'table'";
    let columns = sqlx::query_as::<_, (String, String)>(columns);
    let mut tables = BTreeSet::new();
    for (table, column) in columns.fetch_all(database).await.expect("the columns") {
        let count = format!("SELECT COUNT(*) FROM {table} WHERE instr({column}, '{KEY}') > 0");
        let count = sqlx::query_scalar::<_, i64>(AssertSqlSafe(count));
        if count.fetch_one(database).await.expect("a count") > 0 {
            tables.insert(table);
        }
    }
    tables.into_iter().collect()
}
