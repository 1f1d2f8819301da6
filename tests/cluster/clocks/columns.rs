//! Every time that is stored is the database's.

use pat_harness::until;
use pat_servers::{Database, Kind};

use super::node::Node;
use super::shift::{DAY, Shift};
use super::tables::Tables;

/// How long after it was written a time is looked at, at most, in microseconds.
const MINUTE: i64 = 60_000_000;
/// How much later than now a time may be, by what is rounded and by what a mark may be ahead.
const SOON: i64 = 1_000_000;
const A_DAY: i64 = DAY * 1_000_000;

/// What the numbers of a column mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// The time at which a row was written; 0 for never.
    Written,
    /// A time up to some minutes later: until then a lease is held, or a notification is in hand.
    Until,
    /// When a token ends that was created for a day then.
    Ends,
    /// A public number of a token, which has the time of its creation within.
    Token,
    NoTime,
}

use Meaning::{Ends, NoTime, Token, Until, Written};

/// All columns of numbers.
const COLUMNS: &[(&str, Meaning)] = &[
    ("pat_token.id", Token),
    ("pat_token.created_at", Written),
    ("pat_token.expires_at", Ends),
    ("pat_token.expires_key", Ends),
    ("pat_token.revoked_at", Written),
    ("pat_token.parent_id", Token),
    ("pat_token.expiry_notice", NoTime),
    ("pat_token.line_id", Token),
    ("pat_token.line_seq", NoTime),
    ("pat_token.rotated_from", Token),
    ("pat_token.replaced_at", Written),
    ("pat_token.own_expires_at", Ends),
    ("pat_token.disabled_at", Written),
    ("pat_token.disabled_by_admin", NoTime),
    ("pat_token.reminded_days", NoTime),
    ("pat_token.unused_warned_at", Written),
    ("pat_token.imported_at", Written),
    ("pat_token.revocation_id", NoTime),
    ("pat_token.notice_due_at", Written),
    ("pat_last_used.token_id", Token),
    ("pat_last_used.created_at", Written),
    ("pat_last_used.last_used_at", Written),
    ("pat_owner.seq", NoTime),
    ("pat_owner.missing_since", Written),
    ("pat_owner.seen_at", Written),
    ("pat_clock.id", NoTime),
    ("pat_clock.gen", NoTime),
    ("pat_clock.mark", Written),
    ("pat_clock.version", NoTime),
    ("pat_clock.readable_from", NoTime),
    ("pat_clock.lagging_node_forgotten_at", Written),
    ("pat_change.gen", NoTime),
    ("pat_change.item", NoTime),
    ("pat_change.nonce", NoTime),
    ("pat_change.kind", NoTime),
    ("pat_change.token_id", Token),
    ("pat_change.at", Written),
    ("pat_lease.term", NoTime),
    ("pat_lease.seq", NoTime),
    ("pat_lease.held_until", Until),
    ("pat_lease.done", Written),
    ("pat_notice.id", NoTime),
    ("pat_notice.kind", NoTime),
    ("pat_notice.queued_at", Written),
    ("pat_notice.state", NoTime),
    ("pat_notice.due_at", Until),
    ("pat_notice.attempts", NoTime),
    ("pat_notice.mark", NoTime),
    ("pat_notice.live_children", NoTime),
    ("pat_notice_token.notice_id", NoTime),
    ("pat_notice_token.token_id", Token),
    ("pat_notice_token.kind", NoTime),
    ("pat_notice_token.created_at", Written),
    ("pat_notice_token.expires_at", Ends),
    ("pat_notice_token.last_used_at", Written),
    ("pat_node.id", NoTime),
    ("pat_node.applied_gen", NoTime),
    ("pat_node.reported_at", Written),
    ("pat_node.version", NoTime),
    ("pat_node.mode", NoTime),
    ("pat_node.contradicts_leap", NoTime),
    ("pat_node.flushed_at", Written),
    ("pat_event.id", NoTime),
    ("pat_event.at", Written),
    ("pat_event.token_id", Token),
    ("pat_event.related_id", NoTime),
    ("pat_event.number", NoTime),
    ("pat_event.seq", NoTime),
    ("pat_event.expires_at", Ends),
    ("pat_event.revocation_id", NoTime),
    ("pat_event.ends_at", Ends),
    ("pat_sink.seq", NoTime),
    ("pat_idempotency.token_id", Token),
    ("pat_idempotency.at", Written),
];

/// Those in which no number need be: nothing happens here that is written there.
const MAY_BE_EMPTY: [&str; 7] = [
    "pat_owner.missing_since",
    "pat_owner.seen_at",
    "pat_lease.held_until",
    "pat_token.unused_warned_at",
    "pat_token.imported_at",
    "pat_token.notice_due_at",
    "pat_clock.lagging_node_forgotten_at",
];

/// All is written through nodes that are ahead.
pub(super) async fn every_time_column_has_the_servers_time(kind: Kind) {
    let database = Database::create(kind).await;
    let tables = Tables::on(&database).await;
    let shift = Shift::new(400 * DAY);
    let more = ["-D", "pat.notice.created=true"];

    let node = Node::start(&tables, Some(&shift), &more).await;
    let [used, other] = [node.create().await, node.create().await];
    assert_eq!(node.status(&used.raw).await, 200);
    assert_eq!(node.status(&other.raw).await, 200);
    node.create_by(&used).await;
    let replaced = node.create().await;
    node.rotate(&replaced).await;
    node.disable(&replaced).await;
    node.revoke(&other).await;
    // So that the use is written.
    node.stop().await;

    let node = Node::start(&tables, Some(&shift), &more).await;
    // Whose notification tells of the use.
    node.revoke_by_admin(&used).await;
    until("its last report is there", async || {
        tables.number("SELECT COUNT(*) FROM pat_node").await > 0
            && tables
                .numbers("SELECT done FROM pat_lease WHERE done > 0")
                .await
                .len()
                == 2
    })
    .await;
    assert_times(&tables, kind, &MAY_BE_EMPTY).await;
    node.stop().await;
    // Nor what is written at the end. (By then nobody reports.)
    let of_nodes = ["pat_node.reported_at", "pat_node.flushed_at"];
    let may_be_empty = [&MAY_BE_EMPTY[..], &of_nodes].concat();
    assert_times(&tables, kind, &may_be_empty).await;
    database.delete().await;
}

/// The columns of a server that are neither text nor bytes.
fn numbers(kind: Kind) -> &'static str {
    match kind {
        Kind::Postgres => {
            "SELECT CONCAT(table_name, '.', column_name) FROM information_schema.columns \
             WHERE table_schema = CURRENT_SCHEMA() AND table_name LIKE 'pat%' \
             AND table_name <> 'pat_migrations' AND data_type NOT IN ('text', 'bytea')"
        }
        Kind::MariaDb => {
            "SELECT CONCAT(table_name, '.', column_name) FROM information_schema.columns \
             WHERE table_schema = DATABASE() AND table_name LIKE 'pat%' \
             AND table_name <> 'pat_migrations' \
             AND NOT data_type REGEXP 'text|char|binary|blob'"
        }
    }
}

/// Fails if a column is not known, or has a time that is not the database's.
async fn assert_times(tables: &Tables, kind: Kind, may_be_empty: &[&str]) {
    for name in tables.texts(numbers(kind)).await {
        let known = COLUMNS.iter().find(|(column, _)| *column == name);
        let (_, meaning) = known.unwrap_or_else(|| panic!("{name}: add what it means"));
        let Some((table, column)) = name.split_once('.') else {
            panic!("a column: {name}");
        };
        let sql = format!("SELECT {column} FROM {table}");
        let values = match meaning {
            NoTime => continue,
            _ => tables.numbers(&sql).await,
        };
        let now = tables.clock().await;
        let times: Vec<_> = values.into_iter().filter(|value| *value != 0).collect();
        let is_empty = times.is_empty() && !may_be_empty.contains(&name.as_str());
        assert!(!is_empty, "{name}: nothing is written");
        for time in times {
            let (time, from, to) = meaning.bounds(time, now);
            assert!((from..=to).contains(&time), "{name}: {time} at {now}");
        }
    }
}

impl Meaning {
    /// The time that a value stands for, and within which it has to be.
    fn bounds(self, value: i64, now: i64) -> (i64, i64, i64) {
        match self {
            NoTime | Written => (value, now - MINUTE, now + SOON),
            Until => (value, now - MINUTE, now + 10 * MINUTE),
            Ends => (value - A_DAY, now - MINUTE, now + SOON),
            Token => (created_at(value), now - MINUTE, now + SOON),
        }
    }
}

/// When the token of this number was created: the upper bits are milliseconds since 2020.
fn created_at(id: i64) -> i64 {
    ((id >> 12) + 1_577_836_800_000) * 1_000
}
