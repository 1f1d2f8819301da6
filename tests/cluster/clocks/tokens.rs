//! Tokens that end at certain times, and old rows of other tables, put into the database past its
//! store.

use pat_core::TokenDigest;
use pat_core::format::{PrefixedFormat, TokenFormat as _};
use pat_harness::until;

use super::shift::DAY;
use super::tables::Tables;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const MICROS: i64 = 1_000_000;

/// When a token ends, in seconds from now; `None` for never.
type End = Option<i64>;

/// Of tokens that are to be accepted.
const LIVE: [End; 4] = [None, Some(90 * DAY), Some(3 * DAY), Some(HOUR)];
/// Of tokens that are to be refused; none of them so long that it would be deleted.
const EXPIRED: [End; 3] = [Some(-10 * DAY), Some(-HOUR), Some(-5 * MINUTE)];
/// How old events are, in seconds; none of them so old that it would be deleted.
const EVENTS: [i64; 3] = [300 * DAY, 30 * DAY, HOUR];

/// What is in the tables of a test.
pub(super) struct Tokens {
    pub(super) live: Vec<String>,
    /// All that are to be refused.
    pub(super) ended: Vec<String>,
}

impl Tokens {
    /// Adds them all, as of the database's time.
    pub(super) async fn insert(tables: &Tables) -> Self {
        let now = tables.clock().await;
        let (mut live, mut ended) = (vec![], vec![]);
        let mut id = 0;
        let kinds = [(&LIVE[..], &mut live), (&EXPIRED[..], &mut ended)];
        for (ends, tokens) in kinds {
            for end in ends {
                id += 1;
                let end = end.map(|end| now + end * MICROS);
                tokens.push(insert(tables, id, end, None).await);
            }
        }
        let revoked = insert(tables, id + 1, None, Some(now - HOUR * MICROS)).await;
        ended.push(revoked);
        for (id, age) in (1..).zip(EVENTS) {
            let at = now - age * MICROS;
            let event = format!(
                "INSERT INTO pat_event (id, at, kind, token_id, owner, number) \
                 VALUES ({id}, {at}, 'created', {id}, 'alice', 1)"
            );
            tables.execute(&event).await;
        }
        Self { live, ended }
    }
}

/// Adds a token of alice's that ends or was revoked at these times, in microseconds since 1970.
pub(super) async fn insert(
    tables: &Tables,
    id: i64,
    expires_at: Option<i64>,
    revoked_at: Option<i64>,
) -> String {
    let format = PrefixedFormat::new("pat".parse().expect("a prefix"));
    let plain = format.generate().expect("a token").expose().to_owned();
    let digest = tables.literal(TokenDigest::of(plain.as_bytes()).as_bytes());
    // A hundred days are within what all of them may be old.
    let created_at = tables.clock().await - 100 * DAY * MICROS;
    let null = |time: Option<i64>| time.map_or("NULL".to_owned(), |time| time.to_string());
    let (expires_at, revoked_at) = (null(expires_at), null(revoked_at));
    for sql in [
        format!(
            "INSERT INTO pat_token \
             (id, digest, owner, name, name_folded, created_at, expires_at, revoked_at) \
             VALUES ({id}, {digest}, 'alice', 'Token {id}', 'token {id}', {created_at}, \
             {expires_at}, {revoked_at})"
        ),
        format!(
            "INSERT INTO pat_last_used (token_id, created_at, last_used_at) \
             VALUES ({id}, {created_at}, 0)"
        ),
    ] {
        tables.execute(&sql).await;
    }
    plain
}

/// Adds a token that is so old that the next pruning deletes it; its id.
pub(super) async fn insert_old(tables: &Tables) -> i64 {
    let (id, age) = (1_000, 60 * DAY * MICROS);
    let now = tables.clock().await;
    insert(tables, id, Some(now - age), None).await;
    id
}

/// Waits until the owner was told of all that ends soon or has ended, and fails if he was told of
/// anything else.
pub(super) async fn assert_told(tables: &Tables) {
    // The numbers of kinds in the schema, and of tokens as `Tokens::insert` counts.
    for (kind, tokens) in [(2, [3, 4].as_slice()), (3, &[5, 6, 7])] {
        let sql = format!(
            "SELECT token_id FROM pat_notice_token WHERE kind = {kind} AND token_id < 1000 ORDER BY token_id"
        );
        until("a notification is queued", async || {
            let told = tables.numbers(&sql).await;
            let is_wrong = told.iter().any(|token| !tokens.contains(token));
            assert!(!is_wrong, "kind {kind} is told of tokens {told:?}");
            told == tokens
        })
        .await;
    }
}

/// Fails if a row that [`Tokens::insert`] has added is gone.
pub(super) async fn assert_all_kept(tables: &Tables) {
    let tokens = LIVE.len() + EXPIRED.len() + 1;
    for (table, count) in [("pat_token", tokens), ("pat_event", EVENTS.len())] {
        let sql = format!("SELECT COUNT(*) FROM {table} WHERE id < 1000");
        let kept = tables.number(&sql).await;
        assert_eq!(usize::try_from(kept), Ok(count), "of {table}");
    }
}
