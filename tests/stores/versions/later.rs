//! Tables that a newer version has brought up to date, and what it writes into them.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;
use jiff::{SignedDuration, Timestamp};
use libtest_mimic::Trial;
use pat_core::notification::NotificationKind;
use pat_core::store::StoreError;
use pat_core::store::{
    Insertion, Job, NewToken, Revocation, RevocationScope, Rotation, SCHEMA_VERSION, Update,
};
use pat_core::testing::{self, RecordingNotifier, TestClock};
use pat_core::{
    AuthError, Caller, Clock as _, JobRun, Pats, Settings, SystemClock, TokenDigest, TokenRequest,
};
use pat_harness::database::{AnyDatabase, trials_on_all};
use pat_harness::node::{named_users, sent_kinds};
use pat_harness::process::{command, run_to_end};
use pat_sqlx::{AnyStore, ConnectError};

use crate::stores::{id, owner};

/// Every table that the store writes rows into.
pub(in crate::stores) const TABLES: [&str; 12] = [
    "pat_token",
    "pat_last_used",
    "pat_owner",
    "pat_clock",
    "pat_change",
    "pat_node",
    "pat_lease",
    "pat_notice",
    "pat_notice_token",
    "pat_event",
    "pat_sink",
    "pat_idempotency",
];

pub(super) fn trials() -> Vec<Trial> {
    [
        trials_on_all(the_suites_pass_on_tables_of_a_newer_version),
        trials_on_all(an_incompatible_program_is_refused),
        trials_on_all(a_program_that_is_too_old_changes_no_token),
        trials_on_all(an_unfinished_migration_of_a_newer_version_is_left_alone),
        trials_on_all(a_change_of_an_unknown_kind_invalidates_everything),
        trials_on_all(work_of_a_newer_version_is_left_to_it),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Has the tables made as of now, and then as of a version that is made up: with another column in
/// each table, and another table.
pub(super) async fn make_later(place: &AnyDatabase) {
    place.make().await;
    for table in TABLES {
        let column =
            format!("ALTER TABLE {table} ADD COLUMN placeholder BIGINT NOT NULL DEFAULT 7");
        place.execute(&column).await;
    }
    for sql in [
        "CREATE TABLE pat_made_up (id BIGINT NOT NULL PRIMARY KEY)",
        "INSERT INTO pat_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'made up', TRUE, X'00', 0)",
        "UPDATE pat_clock SET version = 9999",
    ] {
        place.execute(sql).await;
    }
}

async fn the_suites_pass_on_tables_of_a_newer_version(place: AnyDatabase) {
    make_later(&place).await;
    pass_suites(&place, place.store().await).await;
}

/// Runs the suites of stores on a store in this place.
pub(in crate::stores) async fn pass_suites(place: &AnyDatabase, opened: AnyStore) {
    // The cases move the time.
    let store = opened.dangerous_with_callers_clock();
    let suites = [
        testing::store::CASES,
        testing::jobs::CASES,
        testing::search::CASES,
        testing::audit::CASES,
    ];
    for case in suites.into_iter().flatten() {
        let passed = AssertUnwindSafe(case.run(store.clone())).catch_unwind();
        assert!(passed.await.is_ok(), "{case:?} fails");
        empty(place).await;
    }
    drop(store);
    opened.close().await;
}

/// Empties the tables for the next case of a suite.
async fn empty(place: &AnyDatabase) {
    let rows = TABLES.into_iter().filter(|table| *table != "pat_clock");
    let mut empty: Vec<_> = rows.map(|table| format!("DELETE FROM {table}")).collect();
    empty.push("INSERT INTO pat_sink (name, seq) VALUES ('', 0)".to_owned());
    empty.push("UPDATE pat_clock SET gen = 0, mark = 0, readable_from = 0".to_owned());
    place.execute(&empty.join("; ")).await;
}

async fn an_incompatible_program_is_refused(place: AnyDatabase) {
    make_later(&place).await;
    let next = SCHEMA_VERSION + 1;
    let raise = format!("UPDATE pat_clock SET readable_from = {next}");
    place.execute(&raise).await;
    let refused = place.open().await.expect_err("no store");
    assert!(
        matches!(
            refused,
            ConnectError::Outdated(StoreError::Outdated {
                program: SCHEMA_VERSION,
                store: 9999,
                readable_from
            }) if readable_from == next
        ),
        "{refused:?}"
    );
    let text = refused.to_string();
    for part in ["version 9999", &format!("version {next}"), "start a newer"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut server = command(folder.path());
    server.args(["--listen", "127.0.0.1:0", "--log", "off"]);
    let (code, stderr) = run_to_end(server.args(["--database-url", &place.url()]));
    assert_eq!(code, Some(2), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.contains("start a newer version"), "{stderr}");

    // This version is new enough again.
    let lower = format!("UPDATE pat_clock SET readable_from = {SCHEMA_VERSION}");
    place.execute(&lower).await;
    place.make().await;
}

/// A call may have been under way when the newer version excluded the older ones.
async fn a_program_that_is_too_old_changes_no_token(place: AnyDatabase) {
    let all = place.store().await;
    let store = all.tokens();
    // Databases keep microseconds.
    let now = SystemClock.wall().as_microsecond();
    let now = Timestamp::from_microsecond(now).expect("a time");
    let new = |number: i64| {
        let digest = TokenDigest::of(&number.to_le_bytes());
        NewToken::new(id(number), digest, owner("alice"), "ci", now)
    };
    let Insertion::Stored(token) = store.insert(&new(1), 10).await.expect("insert") else {
        panic!("the token is not stored")
    };
    place
        .execute("UPDATE pat_clock SET version = 9999, readable_from = 9999")
        .await;
    let digest = TokenDigest::of(b"successor");
    let rotation = Rotation::new(token.id, owner("alice"), id(3), digest, now);
    let mut update = Update::new(token.id, now, owner("alice"));
    update.is_enabled = Some(false);
    let scope = RevocationScope::Tokens(vec![token.id]);
    let refused = [
        store.insert(&new(2), 10).await.map(drop),
        store.rotate(&rotation).await.map(drop),
        store.update(&update).await.map(drop),
        store.revoke(&scope, &Revocation::new(now)).await.map(drop),
    ];
    for refused in refused {
        assert!(
            matches!(refused, Err(StoreError::Outdated { .. })),
            "{refused:?}"
        );
    }
    let listed = store.list(&owner("alice")).await.expect("list");
    assert_eq!(listed, [token]);
    all.close().await;
}

/// While a newer node makes its tables, an older one restarts.
async fn an_unfinished_migration_of_a_newer_version_is_left_alone(place: AnyDatabase) {
    make_later(&place).await;
    let begin = "UPDATE pat_migrations SET success = FALSE WHERE version = 9999";
    place.execute(begin).await;
    place.make().await;
    let half_done = "SELECT COUNT(*) FROM pat_migrations WHERE version = 9999 AND success = FALSE";
    assert_eq!(place.number(half_done).await, 1);
}

fn alice() -> Caller {
    Caller::header_authenticated("alice".parse().expect("an owner"))
}

fn month() -> TokenRequest {
    TokenRequest::new("ci", Some(30))
}

async fn a_change_of_an_unknown_kind_invalidates_everything(place: AnyDatabase) {
    let store = place.store().await;
    let pats = Pats::builder(store.tokens())
        .users(Arc::new(named_users(&["alice"])))
        .build();
    pats.poll_changes().await.expect("a poll");
    let created = pats.create(&alice(), month()).await.expect("a token");
    let plain = created.plain.expose().as_bytes();
    pats.authenticate(plain).await.expect("a good token");
    for sql in [
        "UPDATE pat_token SET revoked_at = created_at",
        "UPDATE pat_clock SET gen = gen + 1",
        "INSERT INTO pat_change (gen, item, nonce, kind, token_id, owner, at) \
         SELECT gen, 0, 42, 99, NULL, NULL, 0 FROM pat_clock",
    ] {
        place.execute(sql).await;
    }
    pats.authenticate(plain).await.expect("it is cached");
    for _ in 0..2 {
        pats.poll_changes().await.expect("a poll");
        let refused = pats.authenticate(plain).await;
        assert!(matches!(refused, Err(AuthError::Revoked(_))), "{refused:?}");
    }
    store.close().await;
}

/// Notifications of another kind or in another state, events and leases of another kind, and a token of
/// which its owner was told something else.
async fn work_of_a_newer_version_is_left_to_it(place: AnyDatabase) {
    let store = place.store().await;
    let mailer = RecordingNotifier::default();
    let settings = Settings::builder().notice_created(true);
    let pats = Pats::builder(store.tokens())
        .users(Arc::new(named_users(&["alice"])))
        .settings(settings.build().expect("settings"))
        .notifier(Arc::new(mailer.clone()))
        .clock(Arc::new(TestClock::default()))
        .build();
    pats.poll_changes().await.expect("a poll");
    pats.create(&alice(), month()).await.expect("a token");
    let long_ago = pats.now() - SignedDuration::from_hours(24 * 1_000);
    let (now, long_ago) = (pats.now().as_microsecond(), long_ago.as_microsecond());
    let notification = |id: i64, kind: i64, state: i64| {
        format!(
            "INSERT INTO pat_notice (id, kind, owner, queued_at, state, due_at, attempts, mark, \
             sent_by, error) VALUES ({id}, {kind}, 'alice', {long_ago}, {state}, {long_ago}, 0, 0, \
             '', '')"
        )
    };
    for sql in [
        notification(1, 99, 0),
        notification(2, 99, 2),
        notification(3, 1, 99),
        notification(4, 1, 2),
        "INSERT INTO pat_lease (job, term, held_until, done) VALUES ('made-up', 7, 0, 0)".into(),
        format!(
            "INSERT INTO pat_event (id, at, kind, number) VALUES (5, {now}, 'made-up', 1), \
             (6, {long_ago}, 'made-up', 1)"
        ),
        format!(
            "INSERT INTO pat_token (id, digest, owner, name, name_folded, created_at, expires_at, \
             expiry_notice) VALUES (7, X'{}', 'alice', 'old', 'old', {long_ago}, {long_ago}, 99)",
            "07".repeat(32)
        ),
    ] {
        place.execute(&sql).await;
    }

    let dead = pats
        .dead_notifications(10)
        .await
        .expect("dead notifications");
    let dead: Vec<_> = dead.iter().map(|dead| dead.id.get()).collect();
    assert_eq!(dead, [4], "the one that it can tell of");
    let outbox = pats.outbox().await.expect("the outbox");
    assert_eq!((outbox.pending, outbox.dead), (2, 2), "all there is");
    pats.deliver_notifications().await.expect("a delivery");
    assert_eq!(sent_kinds(&mailer), [NotificationKind::Created]);
    for job in [Job::ExpiryCheck, Job::Prune] {
        assert_eq!(pats.run_if_due(job).await.expect("a job"), JobRun::Done);
    }
    for (what, sql, count) in [
        (
            "its notification waits",
            "pat_notice WHERE id = 1 AND state = 0 AND attempts = 0",
            1,
        ),
        (
            "a state of its own",
            "pat_notice WHERE id = 3 AND state = 99",
            1,
        ),
        (
            "a dead one of long ago is trimmed",
            "pat_notice WHERE id IN (2, 4)",
            0,
        ),
        ("its job", "pat_lease WHERE job = 'made-up' AND term = 7", 1),
        (
            "its events, until they are old",
            "pat_event WHERE kind = 'made-up' AND id = 5",
            1,
        ),
        ("old events", "pat_event WHERE id = 6", 0),
        (
            "old tokens go, whatever their owners were told",
            "pat_token WHERE id = 7",
            0,
        ),
    ] {
        let found = place.number(&format!("SELECT COUNT(*) FROM {sql}")).await;
        assert_eq!(found, count, "{what}");
    }
    store.close().await;
}
