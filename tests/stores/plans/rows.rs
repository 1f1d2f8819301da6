//! The rows among which statements are planned.

use pat_servers::Kind;

/// How many tokens there are.
pub(super) const TOKENS: i64 = 100_000;
/// The time of these rows, in microseconds.
pub(super) const NOW: i64 = 1_790_000_000_000_000;
pub(super) const HOUR: i64 = 3_600_000_000;
pub(super) const DAY: i64 = 24 * HOUR;

/// Returns the statements that fill empty tables: tokens of two years, as a large host has them.
///
/// One in twenty is revoked. One in five never expires, one in ten has expired in the last month, the others
/// expire within a year. Two in five were never used, and the others in the last three months. An owner has
/// 20 tokens, but one has 6,700; one token in a hundred has a parent, and one in twelve was rotated.
pub(super) fn fill(server: Option<Kind>) -> Vec<String> {
    let digest = match server {
        None => "CAST(printf('%032d', i) AS BLOB)",
        Some(Kind::Postgres) => "convert_to(lpad(CAST(i AS TEXT), 32, '0'), 'UTF8')",
        Some(Kind::MariaDb) => "LPAD(i, 32, '0')",
    };
    let numbers = numbers(server);
    let owners = TOKENS / 20;
    // Prime factors spread values as if they were random.
    let seconds = |factor: i64, days: i64| {
        let all = days * DAY / 1_000_000;
        format!("(i * {factor} % {all}) * 1000000")
    };
    let created = format!("{NOW} - {} - i", seconds(7_919, 730));
    let expires = format!(
        "CASE WHEN i % 10 < 2 THEN NULL WHEN i % 10 = 2 THEN {NOW} - {} ELSE {NOW} + {} END",
        seconds(5_003, 30),
        seconds(4_801, 365)
    );
    let tokens = format!(
        "INSERT INTO pat_token (id, digest, owner, name, name_folded, created_at, expires_at, revoked_at, \
         parent_id, expiry_notice, line_id, line_seq, disabled_at, scopes) \
         SELECT i, {digest}, \
         CONCAT('user ', CASE WHEN i % 15 = 0 THEN 0 ELSE i * 104729 % {owners} END), \
         CONCAT('Token ', i * 1009 % 1000003), CONCAT('token ', i * 1009 % 1000003), {created}, {expires}, \
         CASE WHEN i % 20 = 7 THEN {NOW} - {revoked} END, CASE WHEN i % 100 = 1 THEN i - 1 END, \
         CASE WHEN i % 100 = 3 THEN 4 WHEN i % 20 = 2 THEN 3 WHEN i % 1000 = 5 THEN 2 ELSE 0 END, \
         CASE WHEN i % 25 < 2 THEN i - i % 25 + 1 END, CASE WHEN i % 25 < 2 THEN i % 25 END, \
         CASE WHEN i % 200 = 11 THEN {NOW} - 1 END, CASE WHEN i % 3 = 0 THEN 'read write' END FROM {numbers}",
        revoked = seconds(6_007, 90)
    );
    let used = format!("{NOW} - (id * 3571 % 7776000) * 1000000");
    let mut statements = vec![
        tokens,
        format!(
            "INSERT INTO pat_last_used (token_id, created_at, last_used_at) SELECT id, created_at, \
             CASE WHEN id % 5 < 2 THEN 0 ELSE {used} END FROM pat_token"
        ),
        "INSERT INTO pat_owner (owner) SELECT DISTINCT owner FROM pat_token".into(),
        "INSERT INTO pat_event (id, at, kind, token_id, owner, number, seq, related_id) \
         SELECT id, created_at, 'created', id, owner, 1, id, CASE WHEN id % 10 = 1 THEN id - 1 END \
         FROM pat_token"
            .into(),
        format!(
            "INSERT INTO pat_notice \
             (id, kind, owner, queued_at, state, due_at, attempts, mark, sent_by, error) \
             SELECT id, 2, owner, {NOW} - id, CASE WHEN id % 20 = 5 THEN 0 WHEN id % 1000 = 10 THEN 2 \
             ELSE 1 END, {NOW} - id, 0, 0, '', '' FROM pat_token WHERE id % 5 = 0"
        ),
        "INSERT INTO pat_notice_token (notice_id, token_id, kind, name, created_at, expires_at) \
         SELECT id, id, 2, name, created_at, COALESCE(expires_at, 0) FROM pat_token WHERE id % 5 = 0"
            .into(),
        "INSERT INTO pat_idempotency (owner, idem_key, request, token_id, at) \
         SELECT owner, CONCAT('key ', id), digest, id, created_at FROM pat_token WHERE id % 20 = 0"
            .into(),
        format!(
            "INSERT INTO pat_change (gen, item, nonce, kind, token_id, at) \
             SELECT id, 0, id, 1, id, created_at FROM pat_token WHERE id <= {}",
            TOKENS / 10
        ),
    ];
    match server {
        // It runs without statistics.
        None => {}
        Some(Kind::Postgres) => statements.push("VACUUM ANALYZE".into()),
        Some(Kind::MariaDb) => statements.push(format!("ANALYZE TABLE {}", TABLES.join(", "))),
    }
    statements
}

/// The tables that grow.
pub(super) const TABLES: [&str; 8] = [
    "pat_token",
    "pat_last_used",
    "pat_owner",
    "pat_event",
    "pat_notice",
    "pat_notice_token",
    "pat_idempotency",
    "pat_change",
];

/// Returns a table with the numbers from 1 to [`TOKENS`] in the column `i`: five digits.
fn numbers(server: Option<Kind>) -> String {
    let integer = match server {
        Some(Kind::MariaDb) => "SIGNED",
        _ => "BIGINT",
    };
    let others: String = (1..10)
        .map(|digit| format!(" UNION ALL SELECT {digit}"))
        .collect();
    let digit = |place: u32| format!("(SELECT 0 AS d{others}) d{place}");
    let tables: Vec<_> = (0..5).map(digit).collect();
    let sum: Vec<_> = (0..5)
        .map(|place| format!("{} * d{place}.d", 10_i64.pow(place)))
        .collect();
    format!(
        "(SELECT CAST(1 AS {integer}) + {} AS i FROM {}) numbers",
        sum.join(" + "),
        tables.join(" CROSS JOIN ")
    )
}
