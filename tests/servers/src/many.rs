//! Many tokens, with all that a large host has of them.

use jiff::Timestamp;
use pat_sqlx::Dialect;
use pat_sqlx::sqlx::{Pool, QueryBuilder};

use crate::rows::number_as_digest;

/// Microseconds.
pub const HOUR: i64 = 3_600_000_000;
/// Microseconds.
pub const DAY: i64 = 24 * HOUR;
/// The owner of [`MANY`] tokens, of which all but 20 are revoked.
pub const OWNER_OF_MANY: &str = "many";
/// How many tokens [`OWNER_OF_MANY`] has.
pub const MANY: usize = 5_000;

/// Fills empty tables.
///
/// Tokens were created within two years. One in twenty is revoked; one in five never expires, one in ten
/// expired within the last month, the others expire within a year. Three in seven were never used, the others
/// within three months. One in a hundred has a parent, and one in twelve was rotated. An owner has 20 tokens
/// except [`OWNER_OF_MANY`], who has the last ones.
pub async fn fill<DB: Dialect>(pool: &Pool<DB>, tokens: usize, now: Timestamp) {
    let mut write = pool.begin().await.expect("a transaction");
    for sql in statements::<DB>(tokens, now.as_microsecond()) {
        let query = QueryBuilder::new(sql.clone());
        DB::execute(query, false, &mut write).await.expect(&sql);
    }
    write.commit().await.expect("a commit");
    // Only what is analysed here counts. Besides, dead rows are read again for as long as autovacuum has a snapshot.
    if DB::NAME == "PostgreSQL" {
        let mut connection = pool.acquire().await.expect("a connection");
        let off = "DO $$ DECLARE t regclass; BEGIN FOR t IN SELECT relid FROM pg_stat_user_tables LOOP \
             EXECUTE format('ALTER TABLE %s SET (autovacuum_enabled = false)', t); END LOOP; END $$";
        DB::run(off, &mut connection).await.expect("no autovacuum");
    }
    let analyze = if DB::NAME == "MySQL" {
        "ANALYZE TABLE pat_token, pat_last_used, pat_owner, pat_event, pat_notice, pat_notice_token, \
         pat_idempotency, pat_change"
    } else if DB::NAME == "PostgreSQL" {
        // Which also notes that all rows are visible.
        "VACUUM ANALYZE"
    } else {
        // SQLite gathers no statistics by itself.
        "SELECT 1"
    };
    let mut connection = pool.acquire().await.expect("a connection");
    DB::execute(QueryBuilder::new(analyze), false, &mut connection)
        .await
        .expect("statistics");
}

fn statements<DB: Dialect>(tokens: usize, now: i64) -> Vec<String> {
    let digest = number_as_digest::<DB>();
    let numbers = numbers::<DB>(tokens);
    let (owners, one_of_many) = (tokens / 20, tokens - MANY);
    // Factors without a common divisor spread the times as if they were random.
    let seconds =
        |factor: i64, days: i64| format!("(i * {factor} % {}) * 1000000", days * DAY / 1_000_000);
    let created = format!("{now} - {} - i", seconds(7_919, 730));
    let expires = format!(
        "CASE WHEN i % 10 < 2 THEN NULL WHEN i % 10 = 2 THEN {now} - {} ELSE {now} + {} END",
        seconds(5_003, 30),
        seconds(4_801, 365)
    );
    let revoked = format!(
        "CASE WHEN i > {one_of_many} AND i % 250 > 0 OR i <= {one_of_many} AND i % 20 = 7 \
         THEN {now} - {} END",
        seconds(6_007, 90)
    );
    let token = format!(
        "INSERT INTO pat_token (id, digest, owner, name, name_folded, created_at, expires_at, \
         revoked_at, parent_id, expiry_notice, line_id, line_seq, scopes) SELECT i, {digest}, \
         CASE WHEN i > {one_of_many} THEN '{OWNER_OF_MANY}' \
         ELSE CONCAT('user ', i * 104729 % {owners}) END, \
         CONCAT('Token ', i * 1009 % 1000003), CONCAT('token ', i * 1009 % 1000003), {created}, \
         {expires}, {revoked}, CASE WHEN i % 100 = 1 AND i > 1 THEN i - 1 END, \
         CASE WHEN i % 100 = 3 THEN 4 WHEN i % 20 = 2 THEN 3 WHEN i % 1000 = 5 THEN 2 ELSE 0 END, \
         CASE WHEN i % 25 < 2 THEN i - i % 25 + 1 END, CASE WHEN i % 25 < 2 THEN i % 25 END, \
         CASE WHEN i % 3 = 0 THEN 'read write' END FROM {numbers}"
    );
    let used = format!(
        "INSERT INTO pat_last_used (token_id, created_at, last_used_at) SELECT id, created_at, \
         CASE WHEN id % 7 < 3 THEN 0 ELSE {now} - (id * 3571 % 7776000) * 1000000 END FROM pat_token"
    );
    let notice = format!(
        "INSERT INTO pat_notice (id, kind, owner, queued_at, state, due_at, attempts, mark, sent_by, \
         error) SELECT id, 2, owner, {now} - id, \
         CASE WHEN id % 20 = 5 THEN 0 WHEN id % 1000 = 10 THEN 2 ELSE 1 END, {now} - id, 0, 0, '', '' \
         FROM pat_token WHERE id % 5 = 0 AND revoked_at IS NULL"
    );
    let texts = [
        "INSERT INTO pat_owner (owner) SELECT DISTINCT owner FROM pat_token",
        "INSERT INTO pat_event (id, at, kind, token_id, owner, number, seq) \
         SELECT id, created_at, 'created', id, owner, 1, id FROM pat_token",
        "INSERT INTO pat_notice_token (notice_id, token_id, kind, name, created_at, expires_at) \
         SELECT id, id, 2, name, created_at, COALESCE(expires_at, 0) FROM pat_token \
         WHERE id % 5 = 0 AND revoked_at IS NULL",
        "INSERT INTO pat_idempotency (owner, idem_key, request, token_id, at) \
         SELECT owner, CONCAT('key ', id), digest, id, created_at FROM pat_token WHERE id % 20 = 0",
        "INSERT INTO pat_change (gen, item, nonce, kind, token_id, at) \
         SELECT id, 0, id, 1, id, created_at FROM pat_token",
    ];
    let mut all = vec![token, used, notice];
    all.extend(texts.map(str::to_owned));
    all.push(format!("UPDATE pat_clock SET gen = {tokens}"));
    all.push(format!("UPDATE pat_sink SET seq = {tokens}"));
    all
}

/// Returns a table with the numbers from 1 to `tokens` in the column `i`.
fn numbers<DB: Dialect>(tokens: usize) -> String {
    let integer = if DB::NAME == "MySQL" {
        "SIGNED"
    } else {
        "BIGINT"
    };
    let digits = "SELECT 0 AS d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 \
         UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9";
    let places = 0..=tokens.ilog10();
    let tables = places.clone().map(|place| format!("({digits}) d{place}"));
    let tables: Vec<_> = tables.collect();
    let sum = places.map(|place| format!("{} * d{place}.d", 10_u64.pow(place)));
    let sum: Vec<_> = sum.collect();
    format!(
        "(SELECT i FROM (SELECT CAST(1 AS {integer}) + {} AS i FROM {}) digits WHERE i <= {tokens}) numbers",
        sum.join(" + "),
        tables.join(" CROSS JOIN ")
    )
}
