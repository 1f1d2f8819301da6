//! Tokens to put into a database: by its store, or many at a time past it.

use std::ops::Range;
use std::path::Path;

use jiff::Timestamp;
use pat_core::store::NewToken;
use pat_core::{TokenDigest, TokenId};
use pat_sqlx::sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous};
use pat_sqlx::sqlx::{Pool, QueryBuilder, SqlitePool};
use pat_sqlx::{Dialect, Value};

/// How many rows one statement adds: as deep as a recursion may be in MariaDB.
const IN_A_STATEMENT: usize = 1_000;
const IN_A_TRANSACTION: usize = 1_000_000;

/// Returns a pool that fills this SQLite file. What it writes need not outlive a power cut, and is quicker with all
/// indexes in memory.
pub async fn pool_to_fill(path: &Path) -> SqlitePool {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .synchronous(SqliteSynchronous::Off)
        .pragma("cache_size", "-1500000");
    let pool = SqlitePoolOptions::new().max_connections(1);
    pool.connect_with(options).await.expect("a pool")
}

/// Returns a token for a store to insert, whose ID and digest are made from this number.
#[must_use]
pub fn new_token(number: i64, owner: &str) -> NewToken {
    let mut token = NewToken::new(
        TokenId::new(number).expect("an id"),
        TokenDigest::of(&number.to_le_bytes()),
        owner.parse().expect("an owner"),
        "ci",
        Timestamp::from_second(1_772_145_741).expect("a date"),
    );
    token.max_rows = 10_000;
    token
}

/// Adds tokens of this owner with these numbers, which end at the same time. The one with the number
/// 0 has the id 1.
pub async fn insert<DB: Dialect>(
    pool: &Pool<DB>,
    numbers: Range<usize>,
    owner: &str,
    expires_at: Option<Timestamp>,
) {
    let created_at = 1_750_000_000_000_000_i64;
    insert_selected(pool, numbers, |numbers, of| {
        let first = of.start;
        // No database digests as we do, so the digests go along, in one piece.
        let digests = of.flat_map(|number| *digest(number).as_bytes()).collect();
        let mut tokens = QueryBuilder::new(format!(
            "INSERT INTO pat_token \
             (id, created_at, name, name_folded, owner, expires_at, digest) {numbers} \
             SELECT i, {created_at} + i, CONCAT('Token ', i), CONCAT('token ', i), "
        ));
        DB::bind(&mut tokens, owner.into());
        tokens.push(", ");
        DB::bind(&mut tokens, expires_at.into());
        tokens.push(", SUBSTR(");
        DB::bind(&mut tokens, Value::Bytes(digests));
        tokens.push(format_args!(", 32 * (i - {first}) - 31, 32) FROM numbers"));
        let uses = QueryBuilder::new(format!(
            "INSERT INTO pat_last_used (token_id, created_at, last_used_at) {numbers} \
             SELECT i, {created_at} + i, 0 FROM numbers"
        ));
        [tokens, uses]
    })
    .await;
}

/// Adds the rows of tokens with these numbers and of their last uses, by `statements` for some of
/// them at a time: they begin with the table and its columns, go on with the text that they are
/// given, and select from what that defines, `numbers (i)`, with ids from 1 on.
pub async fn insert_selected<DB: Dialect>(
    pool: &Pool<DB>,
    numbers: Range<usize>,
    statements: impl Fn(&str, Range<usize>) -> [QueryBuilder<DB>; 2],
) {
    for first in numbers.clone().step_by(IN_A_TRANSACTION) {
        let mut write = pool.begin().await.expect("a transaction");
        let end = numbers.end.min(first + IN_A_TRANSACTION);
        for first in (first..end).step_by(IN_A_STATEMENT) {
            let last = end.min(first + IN_A_STATEMENT);
            let ids = format!(
                "WITH RECURSIVE numbers (i) AS \
                 (SELECT {first} + 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < {last})"
            );
            for insert in statements(&ids, first..last) {
                DB::execute(insert, false, &mut write).await.expect("rows");
            }
        }
        write.commit().await.expect("a commit");
    }
}

/// The digest of the token with this number.
#[must_use]
pub fn digest(number: usize) -> TokenDigest {
    TokenDigest::of(&number.to_le_bytes())
}

/// Returns the expression that makes a digest of the column `i`: its digits, filled up with zeros.
#[must_use]
pub fn number_as_digest<DB: Dialect>() -> &'static str {
    match DB::NAME {
        "MySQL" => "LPAD(i, 32, '0')",
        "PostgreSQL" => "convert_to(lpad(CAST(i AS TEXT), 32, '0'), 'UTF8')",
        _ => "CAST(printf('%032d', i) AS BLOB)",
    }
}
