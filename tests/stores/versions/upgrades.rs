//! Tables as released versions left them, brought up to date.

use std::sync::Arc;

use jiff::Timestamp;
use libtest_mimic::Trial;
use pat_core::notification::NotificationKind;
use pat_core::store::{Change, FeedPosition, SCHEMA_VERSION, StoreVersions};
use pat_core::testing::RecordingNotifier;
use pat_core::{AuthError, Pats, Token, TokenId};
use pat_harness::database::{AnyDatabase, named_trials_on_all, trials_on_servers};
use pat_harness::names::name_in_case;
use pat_harness::node::{named_users, sent_kinds};
use pat_harness::repository;
use pat_servers::{Database, Kind};

use super::later::TABLES;
use crate::stores::owner;

/// The versions that were released, each with a file for every database in `schemas`.
const RELEASED: [&str; 7] = ["0004", "0005", "0006", "0007", "0008", "0009", "0010"];
/// The secrets of the tokens in `schemas/rows.sql`.
const CI: &str = "pat_lHvDqrT5tVxb0iwvXimWnbYhmaWhI4KOnAVJlRmNzcC3Qy331";
const LAPTOP: &str = "pat_9XcS80J3GqjVee7WCbNJANbMCNgNdpKQ46ZQJKqmAFT1J6fYH";
const OLD: &str = "pat_43KoP3PfQhY9ewFdml9n9tRO3ILOtWzhoZL40TL2FLn3I11Ny";
const BOB: &str = "pat_E841Zdk1NwMilJO9fKzWgaZq9MK0UHV0wkJD53psBpx0gDrDB";
const OTHER: &str = "pat_uduEn6UwPPzucBPLZsPIPJFmCeTYPTokvnkTquJuCH61Zq9is";

pub(super) fn trials() -> Vec<Trial> {
    let of = |version: &'static str| {
        let name = name_in_case(&older_tables_are_brought_up_to_date, version);
        named_trials_on_all(&name, move |place| {
            older_tables_are_brought_up_to_date(place, version)
        })
    };
    let mut trials: Vec<_> = RELEASED.into_iter().flat_map(of).collect();
    trials.extend(trials_on_servers(the_last_migration_rewrites_no_table));
    trials
}

async fn older_tables_are_brought_up_to_date(place: AnyDatabase, version: &str) {
    load(&place, version).await;
    upgrade(&place).await;
}

/// Fills an empty database with what this release left.
pub(in crate::stores) async fn load(place: &AnyDatabase, version: &str) {
    place.execute(&schema(place, version)).await;
    place.execute(&file("rows.sql")).await;
}

/// Returns the statements that make the tables of a version.
fn schema(place: &AnyDatabase, version: &str) -> String {
    file(&format!("{version}.{}.sql", place.dialect()))
}

fn file(name: &str) -> String {
    let path = repository().join("tests/schemas").join(name);
    std::fs::read_to_string(path).expect(name)
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).expect("a time")
}

fn id(number: i64) -> TokenId {
    TokenId::new(number).expect("an id")
}

fn expected() -> [Token; 5] {
    let token = |number: i64, owner: &str, name: &str, created_at: i64| {
        Token::new(
            id(number),
            owner.parse().expect("an owner"),
            name.to_owned(),
            at(created_at),
        )
    };
    let far = Some(at(4_102_444_800_000_000));
    let mut ci = token(892_896_198_094_832, "alice", "CI", 1_772_145_741_247_001);
    ci.last_used_at = Some(at(1_772_149_341_247_001));
    let mut laptop = token(
        892_896_198_410_395,
        "alice",
        "laptop ☂",
        1_772_145_742_247_001,
    );
    laptop.expires_at = far;
    laptop.parent = Some(ci.id);
    let mut old = token(892_896_198_514_321, "alice", "old", 1_772_145_743_247_001);
    old.expires_at = Some(at(1_772_232_143_247_001));
    old.last_used_at = Some(at(1_772_145_843_247_001));
    let mut bob = token(
        892_896_198_653_714,
        "bob",
        "it's bob's",
        1_772_145_744_247_001,
    );
    bob.revoked_at = Some(at(1_772_145_750_247_001));
    bob.revoked_by = Some(owner("admin"));
    bob.revoke_reason = Some("lost ✂ laptop".into());
    let mut other = token(892_896_198_783_738, "bob", "other", 1_772_145_745_247_001);
    other.expires_at = far;
    [ci, laptop, old, bob, other]
}

/// Tables of tokens and events are large, and while one is rewritten, no token is looked up.
async fn the_last_migration_rewrites_no_table(database: Database) {
    let (last, before) = (RELEASED[RELEASED.len() - 1], RELEASED[RELEASED.len() - 2]);
    assert_eq!(last, format!("{SCHEMA_VERSION:04}"));
    let place = AnyDatabase::Server(database.clone());
    load(&place, before).await;
    let schema = schema(&place, before);
    let is_old = |table: &&str| schema.contains(&format!("CREATE TABLE IF NOT EXISTS {table} "));
    let files = async || {
        let mut files = Vec::new();
        for table in TABLES.into_iter().filter(is_old) {
            files.push((table, file_of(&database, table).await));
        }
        files
    };
    let old = files().await;
    place.make().await;
    assert_eq!(files().await, old);
}

/// Returns the number that a table gets when it is made, and again when it is rewritten.
async fn file_of(database: &Database, table: &str) -> i64 {
    match database.kind {
        Kind::Postgres => {
            let sql = format!("SELECT pg_relation_filenode('{table}')::BIGINT");
            database.number(&sql).await
        }
        Kind::MariaDb => {
            let is_mysql = "SELECT COUNT(*) FROM information_schema.tables \
                            WHERE table_schema = 'information_schema' AND table_name = 'INNODB_TABLES'";
            let tables = match database.number(is_mysql).await {
                0 => "innodb_sys_tables",
                _ => "innodb_tables",
            };
            let sql = format!(
                "SELECT CAST(table_id AS SIGNED) FROM information_schema.{tables} \
                 WHERE name = CONCAT(DATABASE(), '/{table}')"
            );
            database.number(&sql).await
        }
    }
}

async fn upgrade(place: &AnyDatabase) {
    let store = place.store().await;
    let tokens = store.tokens();
    let [ci, laptop, old, bob, other] = expected();
    for token in [&ci, &laptop, &old, &bob, &other] {
        let found = tokens.find(token.id).await.expect("find");
        assert_eq!(found.as_ref(), Some(token));
    }
    let list = async |token: &Token| tokens.list(&token.owner).await.expect("list");
    assert_eq!(list(&ci).await, [ci.clone(), laptop, old]);
    assert_eq!(list(&other).await, [other]);

    let cursor = FeedPosition {
        generation: 1,
        nonce: Some((-7_i64).cast_unsigned()),
    };
    let page = tokens.changes_since(Some(cursor)).await.expect("changes");
    assert_eq!(page.nonce_at_cursor, cursor.nonce);
    let mut versions = StoreVersions::default();
    versions.version = SCHEMA_VERSION;
    versions.readable_from = 0;
    assert_eq!(page.versions, versions);
    let head = FeedPosition {
        generation: 3,
        nonce: Some(77),
    };
    assert_eq!(page.head, head);
    let changes: Vec<_> = page.entries.into_iter().map(|entry| entry.change).collect();
    assert_eq!(changes, [Change::Everything, Change::TokenChanged(bob.id)]);

    let nodes = tokens.nodes().await.expect("nodes");
    let nodes: Vec<_> = nodes.iter().map(|node| (node.node, node.applied)).collect();
    assert_eq!(nodes, [(9_007_199_254_740_993, 3)]);
    assert_eq!(place.number("SELECT COUNT(*) FROM pat_event").await, 2);
    assert_eq!(place.number("SELECT COUNT(*) FROM pat_owner").await, 2);

    let mailer = RecordingNotifier::default();
    let pats = Pats::builder(tokens.clone())
        .users(Arc::new(named_users(&["alice", "bob"])))
        .notifier(Arc::new(mailer.clone()))
        .build();
    pats.poll_changes().await.expect("a poll");
    for _ in 0..2 {
        // From the database, and then from the cache.
        for good in [CI, LAPTOP, OTHER] {
            pats.authenticate(good.as_bytes()).await.expect("a token");
        }
    }
    let of_bob = pats.authenticate(BOB.as_bytes()).await;
    assert!(matches!(of_bob, Err(AuthError::Revoked(found)) if found == bob.id));
    let old = pats.authenticate(OLD.as_bytes()).await;
    assert!(matches!(old, Err(AuthError::Expired(_))), "{old:?}");

    let outbox = pats.outbox().await.expect("the outbox");
    assert_eq!((outbox.pending, outbox.dead), (1, 1));
    let dead = pats
        .dead_notifications(10)
        .await
        .expect("dead notifications");
    let dead: Vec<_> = dead.iter().map(|dead| (dead.kind, dead.attempts)).collect();
    assert_eq!(dead, [(NotificationKind::Expired, 12)]);
    pats.deliver_notifications().await.expect("a delivery");
    assert_eq!(sent_kinds(&mailer), [NotificationKind::RevokedByAdmin]);
    store.close().await;
    // And again, as at each start.
    place.make().await;
}
