//! What an administrator does with the tokens of all users, over HTTP.

use std::collections::HashSet;
use std::time::Duration;

use libtest_mimic::Trial;
use pat_core::store::Change;
use pat_core::token::{PrefixedFormat, TokenPrefix};
use pat_core::{AuthError, Caller, NotificationKind, Owner, Pats, TokenFormat as _, TokenRequest};
use pat_sqlx::SqliteStore;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::common::{Answer, MYSELF, NewToken, Server, TOKENS, answer, trial};

const SEARCH: &str = "/rest/pat/latest/tokens/search";
const USERS: &str = "/rest/pat/latest/tokens/search/user";
const BULK: &str = "/rest/pat/latest/admin/tokens";
const REVOKE: &str = "/rest/pat/latest/admin/tokens/revoke";
const IDENTIFY: &str = "/rest/pat/latest/admin/tokens/identify";

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(a_page_has_all_that_clients_read),
        trial(every_filter_filters),
        trial(a_bad_search_says_what_is_wrong),
        trial(a_cursor_goes_on_while_tokens_come_and_go),
        trial(users_are_found_for_the_author_picker),
        trial(bulk_revocation_is_atomic_and_idempotent),
        trial(both_ways_to_revoke_in_bulk_do_the_same),
        trial(a_filter_revokes_what_was_expected_or_nothing),
        trial(children_fall_with_their_parents_in_bulk),
        trial(what_outlives_a_revocation_is_counted),
        trial(more_than_a_thousand_are_revoked_at_once),
        trial(owners_and_auditors_are_told),
        trial(a_found_string_is_identified),
        trial(nobody_else_gets_in),
        trial(it_can_be_switched_off),
    ]
}

fn by_admin(request: RequestBuilder) -> RequestBuilder {
    request.basic_auth("admin", Some("admin"))
}

async fn post(server: &Server, path: &str, body: &Value) -> Answer {
    answer(by_admin(server.post(path)).json(body)).await
}

async fn search(server: &Server, body: &Value) -> Value {
    let found = post(server, SEARCH, body).await;
    assert_eq!(found.status, StatusCode::OK, "{body}: {}", found.body);
    found.json()
}

async fn create(server: &Server, user: &str, name: &str, days: Option<u32>) -> Value {
    let mut body = json!({"name": name});
    if let Some(days) = days {
        body["expirationDuration"] = days.into();
    }
    let request = server.post(TOKENS).basic_auth(user, Some(user));
    let created = answer(request.json(&body)).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.body);
    created.json()
}

fn names(page: &Value) -> Vec<&str> {
    let values = page["values"].as_array().expect("values");
    let names = values.iter().map(|token| token["name"].as_str());
    names.collect::<Option<_>>().expect("names")
}

fn id(token: &Value) -> i64 {
    token["id"].as_i64().expect("an id")
}

fn raw(token: &Value) -> &str {
    token["rawToken"].as_str().expect("a raw token")
}

async fn a_page_has_all_that_clients_read() {
    let server = Server::start().await;
    let token = create(&server, "alice", "deploy", Some(90)).await;
    create(&server, "bob", "ci", None).await;
    let page = search(&server, &json!({})).await;
    let expected = json!({
        "id": token["id"],
        "name": "deploy",
        "createdAt": "2026-02-26T22:42:21.247+00:00",
        "expiringAt": "2026-05-27T22:42:21.247+00:00",
        "status": "ACTIVE",
        "userProfileResource": {
            "userKey": "alice",
            "username": "alice",
            "fullName": "Alice Liddell",
            "email": "alice@example.com",
        },
    });
    assert_eq!(page["values"][1], expected);
    assert_eq!(names(&page), ["ci", "deploy"], "sorted by name");
    let rest = |page: &Value| {
        let mut rest = page.clone();
        rest.as_object_mut().expect("an object").remove("values");
        rest
    };
    let expected = json!({
        "page": 0, "limit": 100, "size": 2, "totalPages": 1, "totalCount": 2, "isLastPage": true,
    });
    assert_eq!(rest(&page), expected);
    let first = search(&server, &json!({"page": 0, "limit": 1, "what": "ever"})).await;
    let mut first = rest(&first);
    assert!(first["nextCursor"].is_string());
    first
        .as_object_mut()
        .expect("an object")
        .remove("nextCursor");
    let expected = json!({
        "page": 0, "limit": 1, "size": 1, "totalPages": 2, "totalCount": 2, "isLastPage": false,
    });
    assert_eq!(first, expected);
    let second = search(&server, &json!({"page": 1, "limit": 1, "orderBy": "DESC"})).await;
    assert_eq!(names(&second), ["ci"]);
    assert_eq!(second["isLastPage"], true);
    let beyond = search(&server, &json!({"page": 7, "limit": 100})).await;
    assert_eq!(
        (beyond["size"].as_i64(), beyond["isLastPage"].as_bool()),
        (Some(0), Some(true))
    );
}

async fn every_filter_filters() {
    let server = Server::start().await;
    create(&server, "alice", "Old one", Some(1)).await;
    server.pass(Duration::from_hours(12)).await;
    let used = create(&server, "alice", "new ONE", Some(30)).await;
    create(&server, "bob", "eternal", None).await;
    let gone = create(&server, "bob", "gone", Some(2)).await;
    answer(server.get(MYSELF).bearer_auth(raw(&used))).await;
    server.pats.flush_last_use().await.expect("a flush");
    let path = format!("{TOKENS}/{}", id(&gone));
    answer(server.delete(&path).basic_auth("bob", Some("bob"))).await;
    let noon = "2026-02-27T10:42:21.247+00:00";
    let all = &["eternal", "new ONE", "Old one"][..];
    for (filter, expected) in [
        (json!({}), all),
        (
            json!({"name": "", "userKeys": [], "tokenCreatedDateFrom": "", "isUsed": "",
                   "sortBy": "", "orderBy": "", "status": "", "cursor": ""}),
            all,
        ),
        (json!({"name": null, "userKeys": null, "limit": null}), all),
        (json!({"name": "oNe"}), &["new ONE", "Old one"]),
        (json!({"userKeys": ["bob", "nobody"]}), &["eternal"]),
        (
            json!({"tokenCreatedDateFrom": noon}),
            &["eternal", "new ONE"],
        ),
        (
            json!({"tokenCreatedDateTo": "2026-02-26T23:42:21.247+01:00"}),
            &["Old one"],
        ),
        (
            json!({"tokenCreatedDateFrom": noon, "tokenCreatedDateTo": noon}),
            &["eternal", "new ONE"],
        ),
        (
            json!({"tokenExpiryDateTo": "2026-02-27T22:42:21.247Z"}),
            &["Old one"],
        ),
        (
            json!({"tokenExpiryDateFrom": "2026-03-01T00:00:00+00:00"}),
            &["eternal", "new ONE"],
        ),
        (
            json!({"tokenExpiryDateFrom": "9999-12-31T00:00:00.000+00:00"}),
            &["eternal"],
        ),
        (
            json!({"tokenExpiryDateTo": "9999-12-31T00:00:00.000+00:00"}),
            all,
        ),
        (json!({"lastAuthenticatedDateFrom": noon}), &["new ONE"]),
        (
            json!({"lastAuthenticatedDateTo": "2026-02-27T10:42:21.246+00:00"}),
            &[],
        ),
        (json!({"isUsed": true}), &["new ONE"]),
        (json!({"isUsed": false}), &["eternal", "Old one"]),
        (json!({"status": "EXPIRES_SOON"}), &["Old one"]),
        (json!({"status": "ACTIVE"}), &["eternal", "new ONE"]),
        (json!({"status": "EXPIRED"}), &[]),
        (json!({"status": "REVOKED"}), &["gone"]),
        (
            json!({"includeRevoked": true, "sortBy": "expiringAt", "orderBy": "Desc"}),
            &["eternal", "new ONE", "gone", "Old one"],
        ),
        (
            json!({"sortBy": "lastAccessedAt", "orderBy": "desc", "limit": 1}),
            &["new ONE"],
        ),
        (
            json!({"sortBy": "userKey", "limit": 1, "page": 2}),
            &["eternal"],
        ),
        (json!({"sortBy": "createdAt", "limit": 1}), &["Old one"]),
    ] {
        let page = search(&server, &filter).await;
        assert_eq!(names(&page), expected, "{filter}");
    }
    let revoked = search(&server, &json!({"status": "REVOKED"})).await;
    let token = &revoked["values"][0];
    assert_eq!(
        (&token["status"], &token["revokedAt"]),
        (&json!("REVOKED"), &json!(noon))
    );
}

async fn a_bad_search_says_what_is_wrong() {
    let server = Server::start().await;
    create(&server, "alice", "a", None).await;
    create(&server, "alice", "b", None).await;
    let page = search(&server, &json!({"limit": 1})).await;
    let cursor = &page["nextCursor"];
    for (body, part) in [
        (json!({"limit": 1001}), "limit must be"),
        (json!({"limit": 0}), "limit must be"),
        (json!({"page": 101, "limit": 100}), "nextCursor"),
        (
            json!({"page": 4_000_000_000_u32, "limit": 1000}),
            "nextCursor",
        ),
        (json!({"sortBy": "digest"}), "sortBy must be"),
        (json!({"orderBy": "up"}), "orderBy must be"),
        (
            json!({"tokenCreatedDateFrom": "yesterday"}),
            "tokenCreatedDateFrom must be",
        ),
        (
            json!({"tokenExpiryDateTo": "2026-02-26"}),
            "tokenExpiryDateTo must be",
        ),
        (
            json!({"lastAuthenticatedDateTo": "2026-02-26T22:42:21"}),
            "lastAuthenticatedDateTo",
        ),
        (
            json!({"tokenExpiryDateTo": "9999-12-31"}),
            "tokenExpiryDateTo must be",
        ),
        (json!({"isUsed": "maybe"}), "isUsed must be"),
        (json!({"status": "active"}), "status must be"),
        (json!({"userKeys": [""]}), "user key"),
        (json!({"userKeys": vec!["a"; 1_001]}), "userKeys"),
        (json!({"cursor": "nonsense"}), "cursor"),
        (
            json!({"cursor": cursor, "page": 0}),
            "either page or cursor",
        ),
        (
            json!({"cursor": cursor, "sortBy": "userKey"}),
            "another sortBy",
        ),
        (
            json!({"cursor": cursor, "orderBy": "desc"}),
            "another sortBy or orderBy",
        ),
    ] {
        let refused = post(&server, SEARCH, &body).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{body}");
        assert_eq!(refused.problem(), "invalid-search", "{body}");
        assert!(refused.body.contains(part), "{body}: {}", refused.body);
    }
    for body in [
        "",
        "[]",
        "{\"page\":-1}",
        "{\"page\":\"x\"}",
        "{\"userKeys\":\"bob\"}",
        "{",
    ] {
        let request = by_admin(server.post(SEARCH)).header("content-type", "application/json");
        let refused = answer(request.body(body)).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{body}");
        assert_eq!(refused.problem(), "malformed-body", "{body}");
    }
    for query in ["limit=x", "limit=-1", "limit=1001"] {
        let refused = answer(by_admin(server.get(&format!("{USERS}?{query}")))).await;
        assert_eq!(refused.problem(), "invalid-search", "{query}");
    }
}

async fn a_cursor_goes_on_while_tokens_come_and_go() {
    let server = Server::start().await;
    let mut ids = HashSet::new();
    for number in 0..10 {
        let name = format!("token {number:02}");
        ids.insert(id(&create(&server, "alice", &name, None).await));
    }
    let mut body = json!({"limit": 3, "sortBy": "name"});
    let mut seen = Vec::new();
    loop {
        let page = search(&server, &body).await;
        assert_eq!(page.get("totalCount").is_none(), !seen.is_empty());
        assert_eq!(page.get("page").is_none(), !seen.is_empty());
        let values = page["values"].as_array().expect("values");
        seen.extend(values.iter().map(id));
        let Some(next) = page["nextCursor"].as_str() else {
            assert_eq!(page["isLastPage"], true);
            break;
        };
        // The last one seen goes, and another one comes before all that is left.
        let path = format!("{TOKENS}/{}", seen[seen.len() - 1]);
        answer(by_admin(server.delete(&path))).await;
        create(&server, "bob", "another", None).await;
        body = json!({"limit": 3, "cursor": next});
    }
    assert_eq!(seen.len(), 10, "each once");
    assert_eq!(seen.into_iter().collect::<HashSet<_>>(), ids);
}

async fn users_are_found_for_the_author_picker() {
    let server = Server::start().await;
    let find = async |query: &str| {
        let found = answer(by_admin(server.get(&format!("{USERS}{query}")))).await;
        assert_eq!(found.status, StatusCode::OK);
        let found = found.json();
        let users = found.as_array().expect("an array").iter();
        let keys = users.map(|user| user["userKey"].as_str().expect("a key").to_owned());
        keys.collect::<Vec<_>>()
    };
    assert_eq!(find("?contains=LIDD").await, ["alice"]);
    assert_eq!(find("?contains=example.com&limit=2").await.len(), 2);
    assert_eq!(find("").await.len(), 3);
    assert!(find("?contains=%C3%A4%26").await.is_empty());
}

async fn bulk_revocation_is_atomic_and_idempotent() {
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

async fn both_ways_to_revoke_in_bulk_do_the_same() {
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

async fn a_filter_revokes_what_was_expected_or_nothing() {
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
async fn what_outlives_a_revocation_is_counted() {
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

async fn children_fall_with_their_parents_in_bulk() {
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
async fn more_than_a_thousand_are_revoked_at_once() {
    let limit = ("atlassian.pats.max.tokens.per.user", "1000000");
    let server = Server::with(&[limit]).await;
    let count = Change::MOST_NAMED + 1;
    let mut known = Vec::new();
    for number in 0..count {
        let request = TokenRequest {
            name: "ci".into(),
            lifetime_days: None,
        };
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
    let other = Pats::builder(store).clock(server.clock.clone()).build();
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

async fn owners_and_auditors_are_told() {
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
    let told = server.told();
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

async fn a_found_string_is_identified() {
    let server = Server::start().await;
    let token = server.create("alice").await;
    let ask = async |text: &str| post(&server, IDENTIFY, &json!({"token": text})).await;
    let found = ask(&format!(" {}\n", token.raw)).await;
    assert_eq!(found.status, StatusCode::OK);
    let json = found.json();
    assert_eq!(
        (&json["id"], &json["userProfileResource"]["userKey"]),
        (&json!(token.id), &json!("alice"))
    );
    assert!(
        json.get("lastAccessedAt").is_none(),
        "to look is not to use"
    );
    assert!(!found.body.contains(&token.raw));
    let mistyped = format!("{}x", &token.raw[..token.raw.len() - 1]);
    let format = PrefixedFormat::new(TokenPrefix::default());
    let unknown = format.generate().expect("a token");
    for text in ["", "x", &mistyped, unknown.expose()] {
        let missing = ask(text).await;
        assert_eq!(
            (missing.status, missing.problem().as_str()),
            (StatusCode::NOT_FOUND, "not-found")
        );
    }
    answer(by_admin(server.delete(&token.path()))).await;
    assert_eq!(ask(&token.raw).await.json()["status"], "REVOKED");
    for body in [
        json!({}),
        json!({"token": 1}),
        json!({"token": "x", "more": 1}),
    ] {
        assert_eq!(
            post(&server, IDENTIFY, &body).await.problem(),
            "malformed-body"
        );
    }
}

/// Every request that only an administrator may send, about this token.
fn requests(token: &NewToken) -> [(Method, &'static str, Value); 6] {
    [
        (Method::POST, SEARCH, json!({})),
        (Method::GET, USERS, Value::Null),
        (Method::DELETE, BULK, json!([token.id])),
        (Method::POST, REVOKE, json!({"ids": [token.id]})),
        (Method::POST, REVOKE, json!("nonsense")),
        (Method::POST, IDENTIFY, json!({"token": token.raw})),
    ]
}

fn request(server: &Server, method: Method, path: &str, body: &Value) -> RequestBuilder {
    let request = server.request(method, path);
    if body.is_null() {
        request
    } else {
        request.json(body)
    }
}

async fn it_can_be_switched_off() {
    let server = Server::with(&[("pat.admin.enabled", "false")]).await;
    let token = server.create("alice").await;
    for (method, path, body) in requests(&token) {
        let request = request(&server, method, path, &body);
        let none = answer(request.basic_auth("admin", Some("admin"))).await;
        assert_eq!(none.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(none.problem(), "not-found", "{path}");
    }
    let admin = |request: RequestBuilder| answer(request.basic_auth("admin", Some("admin")));
    let home = admin(server.get("/tokens")).await;
    assert!(!home.body.contains("/admin/tokens"), "{}", home.body);
    // One token is an administrator's as before.
    assert_eq!(
        admin(server.get(&token.path())).await.status,
        StatusCode::OK
    );
    let revoked = admin(server.delete(&token.path())).await;
    assert_eq!(revoked.status, StatusCode::NO_CONTENT);
}

async fn nobody_else_gets_in() {
    let server = Server::start().await;
    let token = server.create("alice").await;
    let others = server.create("bob").await;
    for (method, path, body) in requests(&others) {
        let request = || request(&server, method.clone(), path, &body);
        let anonymous = answer(request()).await;
        assert_eq!(anonymous.status, StatusCode::UNAUTHORIZED, "{path}");
        for request in [
            request().basic_auth("alice", Some("alice")),
            request().bearer_auth(&token.raw),
        ] {
            let refused = answer(request).await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}");
            assert_eq!(refused.problem(), "not-an-administrator", "{path}");
            assert!(!refused.body.contains("bob"), "{path}");
        }
    }
    assert_eq!(server.try_token(&others.raw).await, StatusCode::OK);
}
