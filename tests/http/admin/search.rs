//! Searches of administrators, and what a found string is.

use std::collections::HashSet;
use std::time::Duration;

use pat_core::format::TokenFormat as _;
use pat_core::format::{PrefixedFormat, TokenPrefix};
use pat_harness::{MYSELF, Server, TOKENS, answer, column};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{IDENTIFY, SEARCH, USERS, by_admin, create, id, post, raw, search};

pub(super) fn names(page: &Value) -> Vec<Value> {
    column(&page["values"], "name")
}

pub(super) async fn a_page_has_all_that_clients_read() {
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
        "hint": raw(&token)[raw(&token).len() - 4..],
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

pub(super) async fn every_filter_filters() {
    let server = Server::with(&[("atlassian.pats.expiry.warning.days", "1")]).await;
    create(&server, "alice", "Old one", Some(2)).await;
    server.advance(Duration::from_hours(24)).await;
    let used = create(&server, "alice", "new ONE", Some(30)).await;
    create(&server, "bob", "eternal", None).await;
    let gone = create(&server, "bob", "gone", Some(2)).await;
    answer(server.get(MYSELF).bearer_auth(raw(&used))).await;
    server.pats.flush_last_use().await.expect("a flush");
    let path = format!("{TOKENS}/{}", id(&gone));
    answer(server.delete(&path).basic_auth("bob", Some("bob"))).await;
    let noon = "2026-02-27T22:42:21.247+00:00";
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
            json!({"tokenExpiryDateTo": "2026-02-28T22:42:21.247Z"}),
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
            json!({"lastAuthenticatedDateTo": "2026-02-27T22:42:21.246+00:00"}),
            &[],
        ),
        (json!({"isUsed": true}), &["new ONE"]),
        (json!({"isUsed": false}), &["eternal", "Old one"]),
        (json!({"neverExpires": true}), &["eternal"]),
        (
            json!({"neverExpires": false, "isUsed": ""}),
            &["new ONE", "Old one"],
        ),
        (json!({"neverExpires": ""}), all),
        (json!({"status": "DISABLED"}), &[]),
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
    assert!(token["revokedBy"].is_string(), "{token}");
    assert_eq!(token["hint"].as_str().map(str::len), Some(4));
}

pub(super) async fn a_bad_search_says_what_is_wrong() {
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

pub(super) async fn a_cursor_goes_on_while_tokens_come_and_go() {
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

pub(super) async fn users_are_found_for_the_author_picker() {
    let server = Server::start().await;
    let find = async |query: &str| {
        let found = answer(by_admin(server.get(&format!("{USERS}{query}")))).await;
        assert_eq!(found.status, StatusCode::OK);
        column(&found.json(), "userKey")
    };
    assert_eq!(find("?contains=LIDD").await, ["alice"]);
    assert_eq!(find("?contains=example.com&limit=2").await.len(), 2);
    assert_eq!(find("").await.len(), 3);
    assert!(find("?contains=%C3%A4%26").await.is_empty());
}

pub(super) async fn a_found_string_is_identified() {
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
    let (rest, last) = token.raw.split_at(token.raw.len() - 1);
    let mistyped = format!("{rest}{}", if last == "x" { "y" } else { "x" });
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
