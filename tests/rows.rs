//! Many tokens in a database, put there past its store.

use std::ops::Range;

use jiff::Timestamp;
use pat_core::TokenDigest;
use pat_sqlx::sqlx::{Pool, QueryBuilder};
use pat_sqlx::{Portable, Value};

/// How many rows one statement adds: as deep as a recursion may be in MariaDB.
const IN_A_STATEMENT: usize = 1_000;
const IN_A_TRANSACTION: usize = 1_000_000;

/// Adds tokens of this owner with these numbers, which end at the same time.
pub async fn insert<DB: Portable>(
    pool: &Pool<DB>,
    numbers: Range<usize>,
    owner: &str,
    expires_at: Option<Timestamp>,
) {
    let created_at = 1_750_000_000_000_000_i64;
    for first in numbers.clone().step_by(IN_A_TRANSACTION) {
        let mut write = pool.begin().await.expect("a transaction");
        let end = numbers.end.min(first + IN_A_TRANSACTION);
        for first in (first..end).step_by(IN_A_STATEMENT) {
            let count = IN_A_STATEMENT.min(end - first);
            let rows = format!(
                "WITH RECURSIVE numbers (i) AS \
                 (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < {count}) \
                 SELECT {first} + i, {created_at} + {first} + i, "
            );
            // No database digests as we do, so the digests go along, in one piece.
            let digests = (first..first + count).map(digest);
            let digests = digests.flat_map(|digest| *digest.as_bytes()).collect();
            let mut tokens = QueryBuilder::new(format!(
                "INSERT INTO pat_token \
                 (id, created_at, name, name_folded, owner, expires_at, digest) {rows} \
                 CONCAT('Token ', i), CONCAT('token ', i), "
            ));
            DB::bind(&mut tokens, owner.into());
            tokens.push(", ");
            DB::bind(&mut tokens, expires_at.into());
            tokens.push(", SUBSTR(");
            DB::bind(&mut tokens, Value::Bytes(digests));
            tokens.push(", 32 * i - 31, 32) FROM numbers");
            let uses = QueryBuilder::new(format!(
                "INSERT INTO pat_last_used (token_id, created_at, last_used_at) {rows} 0 FROM numbers"
            ));
            for insert in [tokens, uses] {
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
