//! Revocations by administrators, of several tokens at once.

use std::collections::BTreeSet;
use std::sync::Arc;

use pat_core::notification::NotificationKind;
use pat_core::store::Change;
use pat_core::testing::TestDirectory;
use pat_core::{AuthError, Caller, MemoryStore, Owner, Pats, Settings, TokenRequest};
use pat_harness::{Log, Server, TOKENS, answer};
use pat_sqlx::SqliteStore;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::search::names;
use super::{BULK, REVOKE, SEARCH, by_admin, create, id, post, raw, search};

pub(super) async fn bulk_revocation_is_atomic_and_idempotent() {
    let server = Server::start().await;
    let mut tokens = Vec::new();
    for user in ["alice", "alice", "bob"] {
        tokens.push(create(&server, user, "ci", None).await);
    }
    let kept = server.create("alice").await;
    let mut ids: Vec<_> = tokens.iter().map(id).collect();
    // One twice, one that never was, and numbers that no token has.
    ids.extend([ids[0], 1, 0, -7, i64::MAX]);
    for _ in 0..2 {
        let revoked = answer(by_admin(server.delete(BULK)).json(&ids)).await;
        assert_eq!(
            (revoked.status, revoked.body.as_str()),
            (StatusCode::NO_CONTENT, "")
        );
    }
    for token in &tokens {
        assert_eq!(server.try_token(raw(token)).await, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(server.try_token(&kept.raw).await, StatusCode::OK);
    let nothing = answer(by_admin(server.delete(BULK)).json(&json!([]))).await;
    assert_eq!(nothing.status, StatusCode::NO_CONTENT);
    for body in ["", "{}", "[1.5]", "[\"1\"]", "[null]", "[1"] {
        let request = by_admin(server.delete(BULK)).header("content-type", "application/json");
        let refused = answer(request.body(body)).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{body:?}");
        assert_eq!(refused.problem(), "malformed-body", "{body:?}");
    }
    let bare = answer(by_admin(server.delete(BULK))).await;
    assert_eq!(bare.status, StatusCode::BAD_REQUEST, "no body is no list");
    let text = answer(by_admin(server.delete(BULK)).body("[1]")).await;
    assert_eq!(text.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    // A list of a mebibyte is read, and a longer one is not.
    let longest = format!("[{}1]", "1,".repeat((1 << 19) - 2));
    let request = || by_admin(server.delete(BULK)).header("content-type", "application/json");
    for body in [longest.clone(), format!("{longest} ")] {
        let read = answer(request().body(body)).await;
        assert_eq!(read.status, StatusCode::NO_CONTENT);
    }
    let refused = answer(request().body(format!("{longest}  "))).await;
    assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE);
    let refused = answer({
        let request = by_admin(server.post(SEARCH)).header("content-type", "application/json");
        request.body(" ".repeat(65 * 1024))
    });
    let refused = refused.await;
    assert_eq!(refused.problem(), "body-too-large");
}

fn caller(key: &str) -> Caller {
    Caller::cookie_authenticated(Owner::new(key).expect("an owner"))
}

pub(super) async fn revoking_by_ids_and_by_filter_is_alike() {
    let server = Server::start().await;
    let token = server.create("alice").await;
    let body = json!({"ids": [token.id, 1], "reason": "found in a log"});
    let revoked = post(&server, REVOKE, &body).await;
    assert_eq!(
        (revoked.status, revoked.json()),
        (StatusCode::OK, json!({"count": 1, "children": 0}))
    );
    assert_eq!(server.try_token(&token.raw).await, StatusCode::UNAUTHORIZED);
    let again = post(&server, REVOKE, &body).await;
    assert_eq!(again.json(), json!({"count": 0, "children": 0}));
    for body in [
        json!({}),
        json!({"ids": [1], "filter": {"name": "x"}, "expectedCount": 1}),
        json!({"ids": [1], "dryRun": true}),
        json!({"ids": [1], "expectedCount": 1}),
        json!({"filter": {"name": "x"}}),
        json!({"filter": {"nmae": "x"}, "expectedCount": 0}),
        json!({"filter": {"name": "x", "page": 0}, "expectedCount": 0}),
        json!({"filter": {"name": "x"}, "dryrun": true}),
        json!({"ids": [1], "reason": "r".repeat(1_001)}),
        json!({"filter": {"name": "x"}, "expectedCount": -1}),
    ] {
        let refused = post(&server, REVOKE, &body).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{body}");
        assert_eq!(refused.problem(), "malformed-body", "{body}");
    }
}

pub(super) async fn a_filter_revokes_what_was_expected_or_nothing() {
    let server = Server::start().await;
    let mut mine = Vec::new();
    for name in ["Deploy 1", "deploy 2", "other"] {
        mine.push(create(&server, "alice", name, None).await);
    }
    create(&server, "bob", "deploy 3", None).await;
    let revoke = async |body: Value| post(&server, REVOKE, &body).await;
    let filter = json!({"name": "DEPLOY", "userKeys": ["alice"], "isUsed": false});
    let dry = revoke(json!({"filter": filter, "dryRun": true})).await;
    assert_eq!(dry.json(), json!({"count": 2}));
    for token in &mine {
        assert_eq!(
            server.try_token(raw(token)).await,
            StatusCode::OK,
            "nothing was done"
        );
    }
    // They are used now.
    server.pats.flush_last_use().await.expect("a flush");
    let filter = json!({"name": "DEPLOY", "userKeys": ["alice"]});
    for expected in [0, 1, 3] {
        let refused = revoke(json!({"filter": filter, "expectedCount": expected})).await;
        assert_eq!(refused.status, StatusCode::CONFLICT);
        assert_eq!(refused.problem(), "count-mismatch");
        assert!(
            refused.body.contains("matches 2 tokens"),
            "{}",
            refused.body
        );
    }
    assert_eq!(server.try_token(raw(&mine[0])).await, StatusCode::OK);
    for filter in [
        json!({}),
        json!({"name": ""}),
        json!({"includeRevoked": true}),
        json!({"status": "REVOKED"}),
    ] {
        for body in [
            json!({"filter": filter, "dryRun": true}),
            json!({"filter": filter, "expectedCount": 4}),
        ] {
            let refused = revoke(body).await;
            assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{filter}");
            assert_eq!(refused.problem(), "no-criterion", "{filter}");
        }
    }
    let revoked = revoke(json!({"filter": filter, "expectedCount": 2, "reason": "leak"})).await;
    assert_eq!(revoked.json(), json!({"count": 2, "children": 0}));
    let left: Vec<_> = [&mine[0], &mine[1], &mine[2]].map(raw).to_vec();
    let mut statuses = Vec::new();
    for raw in left {
        statuses.push(server.try_token(raw).await.as_u16());
    }
    assert_eq!(statuses, [401, 401, 200]);
    let page = search(&server, &json!({})).await;
    assert_eq!(names(&page), ["deploy 3", "other"]);
}

/// Administrators are told what outlives a revocation, and may have it revoked too.
pub(super) async fn children_that_outlive_a_bulk_revocation_are_counted() {
    let server = Server::start().await;
    let parent = server.create("alice").await;
    let request = server.post(TOKENS).bearer_auth(&parent.raw);
    let child = answer(request.json(&json!({"name": "child"}))).await.json();
    let revoked = post(&server, REVOKE, &json!({"ids": [parent.id]})).await;
    assert_eq!(revoked.json(), json!({"count": 1, "children": 1}));
    assert_eq!(server.try_token(raw(&child)).await, StatusCode::OK);
    let with_family = json!({"ids": [parent.id], "family": true});
    let revoked = post(&server, REVOKE, &with_family).await;
    assert_eq!(revoked.json(), json!({"count": 1, "children": 0}));
    assert_eq!(
        server.try_token(raw(&child)).await,
        StatusCode::UNAUTHORIZED
    );
}

pub(super) async fn bulk_revocation_includes_capped_children() {
    let server = Server::with(&[("pat.create.by.token", "capped")]).await;
    let parent = server.create("alice").await;
    let request = server.post(TOKENS).bearer_auth(&parent.raw);
    let child = answer(request.json(&json!({"name": "child"}))).await.json();
    let revoked = post(&server, REVOKE, &json!({"ids": [parent.id]})).await;
    assert_eq!(revoked.json(), json!({"count": 2, "children": 0}));
    assert_eq!(
        server.try_token(raw(&child)).await,
        StatusCode::UNAUTHORIZED
    );
}

/// So many that the change feed does not name them one by one.
pub(super) async fn more_than_a_thousand_are_revoked_at_once() {
    let limit = ("atlassian.pats.max.tokens.per.user", "1000000");
    let server = Server::with(&[limit]).await;
    let count = Change::MOST_NAMED + 1;
    let mut known = Vec::new();
    for number in 0..count {
        let request = TokenRequest::new("ci", None);
        let created = server.pats.create(&caller("bob"), request).await;
        let created = created.expect("a token");
        if number % 100 == 0 {
            known.push(created.plain.expose().to_owned());
        }
    }
    let kept = server.create("alice").await;
    // A second node on the same database, which has all of them in its cache.
    let path = server.folder.path().join("pat.db");
    let store = SqliteStore::open(path).await.expect("the database");
    let other = Pats::builder(Arc::new(store))
        .clock(server.clock.clone())
        .build();
    other.poll_changes().await.expect("a poll");
    for raw in known.iter().chain([&kept.raw]) {
        assert_eq!(server.try_token(raw).await, StatusCode::OK);
        let accepted = other.authenticate(raw.as_bytes()).await;
        accepted.expect("a good token");
    }
    let body = json!({"filter": {"userKeys": ["bob"]}, "expectedCount": count});
    let revoked = post(&server, REVOKE, &body).await;
    assert_eq!(revoked.json(), json!({"count": count, "children": 0}));
    for raw in &known {
        assert_eq!(server.try_token(raw).await, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(server.try_token(&kept.raw).await, StatusCode::OK);
    other.poll_changes().await.expect("a poll");
    for raw in &known {
        let refused = other.authenticate(raw.as_bytes()).await;
        assert!(matches!(refused, Err(AuthError::Revoked(_))), "{refused:?}");
    }
    let rows = audit(&server, "revoked").await;
    assert_eq!(rows.len(), count, "each has its event");
}

/// The audit events of a kind, as `token by reason`.
async fn audit(server: &Server, kind: &str) -> Vec<(i64, Option<String>, Option<String>)> {
    let path = server.folder.path().join("pat.db");
    let pool = pat_sqlx::sqlx::SqlitePool::connect(&path.to_string_lossy()).await;
    let pool = pool.expect("the database");
    let sql = "SELECT token_id, revoked_by, reason FROM pat_event WHERE kind = ? ORDER BY token_id";
    let rows = pat_sqlx::sqlx::query_as(sql).bind(kind);
    rows.fetch_all(&pool).await.expect("rows")
}

pub(super) async fn a_bulk_revocation_notifies_owners_and_records_events() {
    let server = Server::start().await;
    let (one, two) = (server.create("alice").await, server.create("alice").await);
    let other = server.create("bob").await;
    let ids = [one.id, two.id, other.id];
    let body = json!({"ids": ids, "reason": "found in a public repository"});
    assert_eq!(
        post(&server, REVOKE, &body).await.json(),
        json!({"count": 3, "children": 0})
    );
    server.run_jobs().await;
    let told = server.sent_notifications();
    let expected = [
        (
            NotificationKind::RevokedByAdmin,
            "alice@example.com".to_owned(),
            2,
        ),
        (
            NotificationKind::RevokedByAdmin,
            "bob@example.com".to_owned(),
            1,
        ),
    ];
    let told: Vec<_> = told
        .into_iter()
        .filter(|(kind, ..)| *kind == NotificationKind::RevokedByAdmin)
        .collect();
    assert_eq!(told, expected);
    let text = Some("found in a public repository".to_owned());
    let expected = ids.map(|id| (id, Some("admin".to_owned()), text.clone()));
    assert_eq!(audit(&server, "revoked").await, expected);
}

pub(super) async fn a_revocation_says_who_when_and_why_and_has_one_number() {
    let server = Server::start().await;
    let mut tokens = Vec::new();
    for user in ["alice", "bob", "alice"] {
        tokens.push(server.create(user).await);
    }
    let reason = "found in a \"public\" repository";
    let ids = [tokens[0].id, tokens[1].id];
    post(&server, REVOKE, &json!({"ids": ids, "reason": reason})).await;
    let own = server
        .delete(&tokens[2].path())
        .basic_auth("alice", Some("alice"));
    answer(own).await;
    let found = search(
        &server,
        &json!({"includeRevoked": true, "sortBy": "createdAt"}),
    )
    .await;
    let rows = found["values"].as_array().expect("rows");
    assert_eq!(rows.len(), 3);
    for row in rows {
        let is_own = row["id"] == tokens[2].id;
        let expected = if is_own {
            json!(["REVOKED", "2026-02-26T22:42:21.247+00:00", "alice", null])
        } else {
            json!(["REVOKED", "2026-02-26T22:42:21.247+00:00", "admin", reason])
        };
        let members = ["status", "revokedAt", "revokedBy", "revokeReason"];
        let seen: Vec<_> = members.iter().map(|name| &row[*name]).collect();
        assert_eq!(json!(seen), expected);
    }
    let page = post(&server, SEARCH, &json!({"includeRevoked": true})).await;
    let last = r#","revokedAt":"2026-02-26T22:42:21.247+00:00","revokedBy":"admin","revokeReason":"found in a"#;
    assert!(page.body.contains(last), "{}", page.body);
    let events = by_admin(server.get("/rest/pat/latest/admin/events"));
    let events = answer(events).await.body;
    let events = events
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"));
    let revoked = events.filter(|event: &Value| event["event"] == "revoked");
    let numbers: Vec<_> = revoked
        .map(|event| (event["tokenId"].as_i64(), event["revocationId"].as_i64()))
        .collect();
    let number_of = |id: i64| {
        let found = numbers.iter().find(|(token, _)| *token == Some(id));
        found.and_then(|(_, number)| *number).expect("a number")
    };
    assert_eq!(number_of(ids[0]), number_of(ids[1]));
    assert_ne!(number_of(ids[0]), number_of(tokens[2].id));
    let path = server.folder.path().join("pat.db");
    let pool = pat_sqlx::sqlx::SqlitePool::connect(&path.to_string_lossy()).await;
    let rows = pat_sqlx::sqlx::query_as("SELECT id, revocation_id FROM pat_token");
    let rows: Vec<(i64, i64)> = rows
        .fetch_all(&pool.expect("the database"))
        .await
        .expect("rows");
    for (id, number) in rows {
        assert_eq!(number, number_of(id));
    }
}

/// On a runtime of this thread, whose log it reads.
pub(super) fn the_log_of_a_bulk_revocation_says_what_it_leaves_out() {
    const COUNT: u32 = 103;
    let log = Log::default();
    let guard = log.start();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        let users = TestDirectory::default();
        let (alice, admin) = (users.add("alice"), users.add_administrator("admin"));
        let settings = Settings::builder().max_tokens_per_user(COUNT);
        let pats = Pats::builder(Arc::new(MemoryStore::default()))
            .users(Arc::new(users))
            .settings(settings.build().expect("settings"))
            .build();
        let mut ids = Vec::new();
        for _ in 0..COUNT {
            let request = TokenRequest::new("ci", None);
            let alice = Caller::header_authenticated(alice.clone());
            let created = pats.create(&alice, request).await.expect("a token");
            ids.push(created.token.id);
        }
        let admin = Caller::header_authenticated(admin);
        let administration = pats.administration(&admin).await.expect("an administrator");
        let revoked = administration
            .revoke(ids, Some("a leak\nINFO".into()))
            .await;
        assert_eq!(revoked.expect("revoked"), u64::from(COUNT));
    });
    drop(guard);
    let log = log.text();
    let revoked: Vec<_> = log
        .lines()
        .filter(|line| line.contains(" revoked"))
        .collect();
    let numbers: BTreeSet<_> = revoked
        .iter()
        .map(|line| {
            let (_, rest) = line.split_once("revocation.id=").expect("a number");
            rest.split(' ').next()
        })
        .collect();
    assert_eq!(numbers.len(), 1, "{log}");
    assert!(
        revoked
            .iter()
            .all(|line| line.contains(r#"reason="a leak\nINFO""#)),
        "{log}"
    );
    assert!(
        revoked.iter().all(|line| line.contains("by=admin ")),
        "{log}"
    );
    let (last, single) = revoked.split_last().expect("lines");
    assert_eq!(single.len(), 100, "{log}");
    assert!(
        single.iter().all(|line| line.contains("token.id=")),
        "{log}"
    );
    assert!(last.contains("tokens=103 logged=100"), "{last}");
}
