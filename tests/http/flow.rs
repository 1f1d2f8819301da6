//! The HTTP contract, over real HTTP, against the example server.

use std::time::Duration;

use libtest_mimic::Trial;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::common::{Answer, MYSELF, Server, TOKENS, answer, trial};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(create_use_list_revoke),
        trial(both_mount_points_are_one_resource),
        trial(creation_is_checked),
        trial(media_types_and_sizes_are_checked),
        trial(names_are_taken_as_they_are),
        trial(the_limit_counts_expired_tokens),
        trial(a_lowered_limit_is_told_with_how_many_to_revoke),
        trial(a_hundred_concurrent_creates_keep_the_limit),
        trial(status_and_expiry_follow_the_clock),
        trial(eternal_tokens_can_be_switched_off),
        trial(tokens_can_be_switched_off),
        trial(the_policy_shows_the_limits),
        trial(the_presented_token_is_current),
        trial(other_users_tokens_do_not_exist),
        trial(administrators_see_and_revoke_all),
        trial(no_route_answers_a_stranger),
        trial(a_token_may_create_tokens),
        trial(a_revocation_says_what_outlives_it),
        trial(capped_children_live_and_die_with_their_parent),
        trial(creating_by_token_can_be_forbidden),
        trial(a_disabled_owner_is_out_at_once_and_in_again),
        trial(a_stream_ends_with_its_token),
        trial(a_stream_ends_with_its_server),
        trial(last_use_is_written_at_shutdown),
        trial(without_a_cache_it_works_as_well),
        trial(atlassian_format_and_old_prefixes),
    ]
}

/// Asks as a user by Basic.
fn by(request: RequestBuilder, user: &str) -> RequestBuilder {
    request.basic_auth(user, Some(user))
}

async fn create(server: &Server, body: &Value) -> Answer {
    answer(by(server.post(TOKENS), "alice").json(body)).await
}

async fn create_use_list_revoke() {
    let server = Server::start().await;
    let created = create(
        &server,
        &json!({"name": "tokenName", "expirationDuration": 90}),
    )
    .await;
    assert_eq!(created.status, StatusCode::CREATED);
    assert_eq!(created.header("cache-control"), Some("no-store"));
    let token = created.created();
    let expected = format!(
        "{{\"id\":{},\"name\":\"tokenName\",\"createdAt\":\"2026-02-26T22:42:21.247+00:00\",\
         \"expiringAt\":\"2026-05-27T22:42:21.247+00:00\",\"status\":\"ACTIVE\",\
         \"rawToken\":\"{}\"}}",
        token.id, token.raw
    );
    assert_eq!(created.body, expected);
    assert!(token.id < 1 << 53);
    assert!(token.raw.starts_with("pat_") && token.raw.len() == 53);

    let myself = answer(server.get(MYSELF).bearer_auth(&token.raw)).await;
    assert_eq!(
        (myself.status, myself.json()["name"].as_str()),
        (StatusCode::OK, Some("alice"))
    );
    assert_eq!(
        myself.header("pat-expires-at"),
        Some("2026-05-27T22:42:21.247+00:00")
    );

    let eternal = create(&server, &json!({"name": "for ever"})).await;
    assert_eq!(
        eternal.json()["expiringAt"],
        "9999-12-31T00:00:00.000+00:00"
    );
    let list = answer(by(server.get(TOKENS), "alice")).await;
    let list = list.json();
    let ids: Vec<_> = list
        .as_array()
        .expect("an array")
        .iter()
        .map(|t| t["id"].clone())
        .collect();
    assert_eq!(ids, [json!(token.id), eternal.json()["id"].clone()]);
    assert_eq!(
        list[0]["lastAccessedAt"], "2026-02-26T22:42:21.247+00:00",
        "shown at once"
    );
    assert!(
        list[1].get("lastAccessedAt").is_none(),
        "absent before the first use"
    );
    assert!(list[0].get("rawToken").is_none());

    let one = answer(by(server.get(&token.path()), "alice")).await;
    assert_eq!(one.json(), list[0]);
    for _ in 0..2 {
        let revoked = answer(by(server.delete(&token.path()), "alice")).await;
        assert_eq!(
            (revoked.status, revoked.body.as_str()),
            (StatusCode::NO_CONTENT, "")
        );
    }
    let gone = answer(by(server.get(&token.path()), "alice")).await;
    assert_eq!(
        (gone.status, gone.problem().as_str()),
        (StatusCode::NOT_FOUND, "not-found")
    );
    let refused = answer(server.get(MYSELF).bearer_auth(&token.raw)).await;
    assert_eq!(
        (refused.status, refused.problem().as_str()),
        (StatusCode::UNAUTHORIZED, "invalid-token")
    );
    let list = answer(by(server.get(TOKENS), "alice")).await;
    assert_eq!(
        list.json().as_array().expect("an array").len(),
        1,
        "revoked ones are not listed"
    );
}

async fn both_mount_points_are_one_resource() {
    let server = Server::start().await;
    let token = server.create("alice").await;
    let other = answer(by(server.get("/rest/pat/1.0/tokens"), "alice")).await;
    assert_eq!(other.json()[0]["id"], token.id);
}

async fn creation_is_checked() {
    let server = Server::start().await;
    let long = "x".repeat(41);
    let table = [
        (json!({"expirationDuration": 1}), "invalid-name"),
        (json!({"name": "", "expirationDuration": 0}), "invalid-name"),
        (json!({"name": " \u{a0}"}), "invalid-name"),
        (
            json!({"name": long, "expirationDuration": 0}),
            "invalid-name",
        ),
        (json!({"name": "a\nb"}), "invalid-name"),
        (json!({"name": "a\u{0}b"}), "invalid-name"),
        (
            json!({"name": "a", "expirationDuration": 0}),
            "invalid-duration",
        ),
        (
            json!({"name": "a", "expirationDuration": -1}),
            "invalid-duration",
        ),
        (
            json!({"name": "a", "expirationDuration": 366}),
            "invalid-duration",
        ),
        (
            json!({"name": "a", "expirationDuration": i64::MAX}),
            "invalid-duration",
        ),
        (
            json!({"name": "a", "expirationDuration": u64::MAX}),
            "invalid-duration",
        ),
        (
            json!({"name": "a", "expirationDuration": 90.0}),
            "invalid-duration",
        ),
        (
            json!({"name": "a", "expirationDuration": 0.4}),
            "invalid-duration",
        ),
        (
            json!({"name": "a", "expirationDuration": 1e308}),
            "invalid-duration",
        ),
        (
            json!({"name": "a", "expirationDuration": "90"}),
            "malformed-body",
        ),
        (
            json!({"name": "a", "expirationDuration": true}),
            "malformed-body",
        ),
        (json!({"name": 7}), "malformed-body"),
        (json!({"name": null}), "malformed-body"),
        (json!({"name": "a", "owner": "bob"}), "malformed-body"),
        (json!([]), "malformed-body"),
        (json!("a"), "malformed-body"),
        (Value::Null, "malformed-body"),
    ];
    for (body, problem) in table {
        let answer = create(&server, &body).await;
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (StatusCode::BAD_REQUEST, problem),
            "{body}"
        );
    }
    for text in [
        "",
        "{",
        "{\"name\":\"a\"",
        "{\"name\":\"a\"} x",
        "{\"name\":\"a\",\"name\":\"b\"}",
        "\u{feff}",
    ] {
        let request = by(server.post(TOKENS), "alice").header("content-type", "application/json");
        let answer = answer(request.body(text)).await;
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (StatusCode::BAD_REQUEST, "malformed-body"),
            "{text}"
        );
    }
    let list = answer(by(server.get(TOKENS), "alice")).await;
    assert_eq!(list.body, "[]", "nothing was created");
    for days in [json!(1), json!(365), Value::Null] {
        let answer = create(&server, &json!({"name": "a", "expirationDuration": days})).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{days}");
    }
}

async fn media_types_and_sizes_are_checked() {
    let server = Server::start().await;
    let body = r#"{"name":"a"}"#;
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/json-patch+json",
        "",
    ] {
        let request = by(server.post(TOKENS), "alice")
            .header("content-type", kind)
            .body(body);
        let answer = answer(request).await;
        let expected = (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type");
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            expected,
            "{kind}"
        );
    }
    for kind in ["application/json", "Application/JSON; charset=utf-8"] {
        let request = by(server.post(TOKENS), "alice")
            .header("content-type", kind)
            .body(body);
        let request = request
            .header("x-atlassian-token", "no-check")
            .header("accept", "text/csv");
        assert_eq!(answer(request).await.status, StatusCode::CREATED, "{kind}");
    }
    let get = by(server.get(TOKENS), "alice").header("content-type", "text/plain");
    assert_eq!(
        answer(get).await.status,
        StatusCode::OK,
        "a GET needs no content type"
    );
    let put = answer(by(server.request(Method::PUT, TOKENS), "alice")).await;
    assert_eq!(
        (put.status, put.problem().as_str()),
        (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed")
    );
    assert!(
        put.header("allow")
            .is_some_and(|allow| allow.contains("POST"))
    );
    let nowhere = answer(by(server.get("/rest/pat/latest/nowhere"), "alice")).await;
    assert_eq!(
        (nowhere.status, nowhere.problem().as_str()),
        (StatusCode::NOT_FOUND, "not-found")
    );

    let large = json!({"name": "x".repeat(64 * 1024)}).to_string();
    let request = || by(server.post(TOKENS), "alice").header("content-type", "application/json");
    let whole = answer(request().body(large.clone())).await;
    assert_eq!(
        (whole.status, whole.problem().as_str()),
        (StatusCode::PAYLOAD_TOO_LARGE, "body-too-large")
    );
    let chunked = answer({
        let chunks = large.as_bytes().chunks(1000);
        let chunks: Vec<_> = chunks
            .map(|c| Ok::<_, std::io::Error>(c.to_vec()))
            .collect();
        request().body(reqwest::Body::wrap_stream(futures_util::stream::iter(
            chunks,
        )))
    });
    let chunked = chunked.await;
    assert_eq!(
        (chunked.status, chunked.problem().as_str()),
        (StatusCode::PAYLOAD_TOO_LARGE, "body-too-large")
    );
}

async fn names_are_taken_as_they_are() {
    let server = Server::with(&[("atlassian.pats.max.tokens.per.user", "100")]).await;
    let names = [
        "jira-cli / work",
        " spaces ",
        "ci",
        "ci",
        "<b>\"'&",
        "'; DROP TABLE pat_token; --",
        "%_\\",
        "نسخة",
        "🎉👩‍👩‍👧",
        "\u{1F600}".repeat(40).leak(),
        "ﬀ",
    ];
    for name in names {
        let created = create(&server, &json!({"name": name})).await;
        assert_eq!(
            created.status,
            StatusCode::CREATED,
            "{name}: {}",
            created.body
        );
        assert_eq!(created.json()["name"], name);
    }
    let list = answer(by(server.get(TOKENS), "alice")).await.json();
    let listed: Vec<_> = list
        .as_array()
        .expect("an array")
        .iter()
        .map(|t| t["name"].clone())
        .collect();
    assert_eq!(listed, names);
}

async fn the_limit_counts_expired_tokens() {
    let server = Server::with(&[("atlassian.pats.max.tokens.per.user", "2")]).await;
    let day = json!({"name": "a", "expirationDuration": 1});
    let first = create(&server, &day).await.created();
    create(&server, &day).await.created();
    server.clock.advance(Duration::from_hours(48));
    let full = create(&server, &day).await;
    assert_eq!(
        (full.status, full.problem().as_str()),
        (StatusCode::FORBIDDEN, "token-limit-reached")
    );
    assert_eq!(
        full.json()["detail"],
        "You have 2 tokens; at most 2 are allowed, expired ones included. Revoke 1 to create another."
    );
    answer(by(server.delete(&first.path()), "alice")).await;
    assert_eq!(
        create(&server, &day).await.status,
        StatusCode::CREATED,
        "a revoked one does not count"
    );
    assert_eq!(
        server.create("bob").await.raw.len(),
        53,
        "another user has a limit of his own"
    );
}

async fn a_lowered_limit_is_told_with_how_many_to_revoke() {
    let server = Server::with(&[("atlassian.pats.max.tokens.per.user", "3")]).await;
    let day = json!({"name": "a", "expirationDuration": 1});
    for _ in 0..3 {
        create(&server, &day).await.created();
    }
    let lower = [("atlassian.pats.max.tokens.per.user", "1")];
    let server = Server::within(server.stop().await, &lower).await;
    let says = "You have 3 tokens; at most 1 is allowed, expired ones included. Revoke 3 to create another.";
    let refused = create(&server, &day).await;
    for member in ["detail", "error", "message"] {
        assert_eq!(refused.json()[member], says);
    }
    assert_eq!(refused.json()["errorMessages"], json!([says]));
    let page = answer(by(server.get("/tokens"), "alice").header("accept", "text/html")).await;
    assert!(page.body.contains(says), "{}", page.body);
}

async fn a_hundred_concurrent_creates_keep_the_limit() {
    let server = Server::start().await;
    let body = json!({"name": "a"});
    let requests = (0..100).map(|_| answer(by(server.post(TOKENS), "alice").json(&body)));
    let answers = futures_util::future::join_all(requests).await;
    let count = |status| {
        answers
            .iter()
            .filter(|answer| answer.status == status)
            .count()
    };
    assert_eq!(
        (count(StatusCode::CREATED), count(StatusCode::FORBIDDEN)),
        (10, 90)
    );
    let list = answer(by(server.get(TOKENS), "alice")).await.json();
    assert_eq!(list.as_array().expect("an array").len(), 10);
}

async fn status_and_expiry_follow_the_clock() {
    let server = Server::start().await;
    let token = create(&server, &json!({"name": "a", "expirationDuration": 10}))
        .await
        .created();
    let status =
        async || answer(by(server.get(&token.path()), "alice")).await.json()["status"].clone();
    assert_eq!(status().await, "ACTIVE");
    assert_eq!(
        server.try_token(&token.raw).await,
        StatusCode::OK,
        "in the cache now"
    );
    server.clock.advance(Duration::from_hours(5 * 24));
    server.pats.poll_changes().await.expect("a poll");
    assert_eq!(status().await, "EXPIRES_SOON");
    assert_eq!(server.try_token(&token.raw).await, StatusCode::OK);
    server
        .clock
        .advance(Duration::from_hours(5 * 24) - Duration::from_micros(1));
    server.pats.poll_changes().await.expect("a poll");
    assert_eq!(
        server.try_token(&token.raw).await,
        StatusCode::OK,
        "up to the last microsecond"
    );
    assert_eq!(status().await, "EXPIRES_SOON");
    server.clock.advance(Duration::from_micros(1));
    assert_eq!(
        server.try_token(&token.raw).await,
        StatusCode::UNAUTHORIZED,
        "also from the cache"
    );
    assert_eq!(status().await, "EXPIRED", "listed until it is pruned");
    assert_eq!(server.try_token(&token.raw).await, StatusCode::UNAUTHORIZED);
}

async fn eternal_tokens_can_be_switched_off() {
    let server = Server::with(&[("atlassian.pats.eternal.tokens.enabled", "false")]).await;
    for body in [
        json!({"name": "a"}),
        json!({"name": "a", "expirationDuration": null}),
    ] {
        let answer = create(&server, &body).await;
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (StatusCode::BAD_REQUEST, "duration-required")
        );
    }
    create(&server, &json!({"name": "a", "expirationDuration": 365}))
        .await
        .created();
}

async fn tokens_can_be_switched_off() {
    let server = Server::start().await;
    let token = server.create("alice").await;
    let folder = server.stop().await;
    let url = format!("sqlite:{}", folder.path().join("pat.db").display());
    let settings = pat_core::Settings::builder()
        .enabled(false)
        .build()
        .expect("settings");
    let store = pat_sqlx::SqliteStore::connect(&url)
        .await
        .expect("the same database");
    let pats = pat_core::Pats::builder(store).settings(settings).build();
    let refused = pats.authenticate(token.raw.as_bytes()).await;
    assert!(
        matches!(refused, Err(pat_core::AuthError::Disabled)),
        "{refused:?}"
    );
    let alice = pat_core::Caller::header_authenticated("alice".parse().expect("an owner"));
    assert_eq!(
        pats.list(&alice).await.expect("a list").len(),
        1,
        "data stays"
    );

    let off = Server::with(&[("atlassian.pats.enabled", "false")]).await;
    let answer = create(&off, &json!({"name": "a"})).await;
    assert_eq!(
        (answer.status, answer.problem().as_str()),
        (StatusCode::BAD_REQUEST, "tokens-disabled")
    );
    assert_eq!(off.try_token(&token.raw).await, StatusCode::UNAUTHORIZED);
}

async fn the_policy_shows_the_limits() {
    let server = Server::with(&[
        ("atlassian.pats.max.tokens.per.user", "7"),
        ("atlassian.pats.max.tokens.expiry.days", "30"),
        ("atlassian.pats.token.name.length", "50"),
        ("atlassian.pats.expiry.warning.days", "3"),
        ("atlassian.pats.eternal.tokens.enabled", "false"),
    ])
    .await;
    let policy = answer(by(server.get("/rest/pat/latest/policy"), "alice")).await;
    let expected = json!({
        "enabled": true, "eternalTokensEnabled": false, "maxTokensExpiryDays": 30,
        "maxTokensPerUser": 7, "tokenNameLength": 50, "expiryWarningDays": 3,
    });
    assert_eq!(policy.json(), expected);
}

async fn the_presented_token_is_current() {
    let server = Server::start().await;
    let (first, second) = (server.create("alice").await, server.create("alice").await);
    let path = format!("{TOKENS}/current");
    for token in [&first, &second] {
        let current = answer(server.get(&path).bearer_auth(&token.raw)).await;
        assert_eq!(current.json()["id"], token.id);
    }
    let none = answer(by(server.get(&path), "alice")).await;
    assert_eq!(none.status, StatusCode::NOT_FOUND, "no token was presented");
    let none = answer(by(server.delete(&path), "alice")).await;
    assert_eq!(none.status, StatusCode::NOT_FOUND);
    let revoked = answer(server.delete(&path).bearer_auth(&first.raw)).await;
    assert_eq!(revoked.status, StatusCode::NO_CONTENT);
    assert_eq!(server.try_token(&first.raw).await, StatusCode::UNAUTHORIZED);
    assert_eq!(server.try_token(&second.raw).await, StatusCode::OK);
}

async fn other_users_tokens_do_not_exist() {
    let server = Server::start().await;
    let token = server.create("alice").await;
    for method in [Method::GET, Method::DELETE] {
        let theirs = answer(by(server.request(method.clone(), &token.path()), "bob")).await;
        for path in [
            "1",
            "0",
            "9007199254740991",
            "9007199254740992",
            "-1",
            "1.0",
            "+1",
            "01",
            "x",
            "%00",
        ] {
            let path = format!("{TOKENS}/{path}");
            let unknown = answer(by(server.request(method.clone(), &path), "bob")).await;
            assert_eq!(
                (unknown.status, &unknown.body),
                (StatusCode::NOT_FOUND, &theirs.body),
                "{path}"
            );
            assert_eq!(theirs.status, unknown.status);
            let names = |answer: &Answer| {
                answer
                    .headers
                    .keys()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
            };
            assert_eq!(names(&theirs), names(&unknown));
        }
    }
    assert_eq!(
        server.try_token(&token.raw).await,
        StatusCode::OK,
        "and nothing was done"
    );
    let list = answer(by(server.get(TOKENS), "bob")).await;
    assert_eq!(list.body, "[]");
}

async fn administrators_see_and_revoke_all() {
    let server = Server::start().await;
    let token = server.create("alice").await;
    let seen = answer(by(server.get(&token.path()), "admin")).await.json();
    let owner = json!({
        "userKey": "alice", "username": "alice", "fullName": "Alice Liddell", "email": "alice@example.com",
    });
    assert_eq!(seen["userProfileResource"], owner);
    let own = answer(by(server.get(&token.path()), "alice")).await.json();
    assert!(
        own.get("userProfileResource").is_none(),
        "only in an administrator's answers"
    );
    let revoked = answer(by(server.delete(&token.path()), "admin")).await;
    assert_eq!(revoked.status, StatusCode::NO_CONTENT);
    assert_eq!(server.try_token(&token.raw).await, StatusCode::UNAUTHORIZED);
}

async fn no_route_answers_a_stranger() {
    let server = Server::start().await;
    let methods = [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
        Method::TRACE,
    ];
    let paths = [
        "/tokens",
        "/tokens/1",
        "/tokens/current",
        "/policy",
        "/nowhere",
        "",
        "/tokens/",
        "/tokens/1/x",
    ];
    for method in methods {
        for path in paths {
            for mount in ["/rest/pat/latest", "/rest/pat/1.0"] {
                let request = server.request(method.clone(), &format!("{mount}{path}"));
                let answer = answer(request).await;
                if answer.status == StatusCode::NOT_FOUND && path.ends_with(['/']) | path.is_empty()
                {
                    continue;
                }
                assert_eq!(
                    answer.status,
                    StatusCode::UNAUTHORIZED,
                    "{method} {mount}{path}"
                );
                assert_eq!(answer.problem(), "not-signed-in");
                assert_eq!(
                    answer.challenges(),
                    ["Bearer realm=\"PAT\""],
                    "{method} {mount}{path}"
                );
            }
        }
    }
}

/// Creates a token by a token.
async fn child(server: &Server, parent: &str, days: Value) -> Answer {
    let body = json!({"name": "child", "expirationDuration": days});
    answer(server.post(TOKENS).bearer_auth(parent).json(&body)).await
}

async fn a_token_may_create_tokens() {
    let server = Server::start().await;
    let parent = server.create("alice").await;
    let child = child(&server, &parent.raw, json!(365)).await.created();
    let alice = pat_core::Caller::header_authenticated("alice".parse().expect("an owner"));
    let id = pat_core::TokenId::new(child.id).expect("an id");
    let stored = server.pats.find(&alice, id).await.expect("the child");
    assert_eq!(stored.parent.map(pat_core::TokenId::get), Some(parent.id));
    answer(by(server.delete(&parent.path()), "alice")).await;
    assert_eq!(
        server.try_token(&child.raw).await,
        StatusCode::OK,
        "it stands on its own"
    );
}

/// By default tokens outlive the one that created them; whoever revokes that is told how many, and may
/// have them revoked too.
async fn a_revocation_says_what_outlives_it() {
    const LIVE_CHILDREN: &str = "pat-live-children";
    let server = Server::start().await;
    let parent = server.create("alice").await;
    let middle = child(&server, &parent.raw, json!(30)).await.created();
    let first = child(&server, &middle.raw, json!(30)).await.created();
    let second = child(&server, &parent.raw, json!(30)).await.created();
    let unrelated = server.create("alice").await;
    let delete = async |path: &str| answer(by(server.delete(path), "alice")).await;
    let childless = delete(&first.path()).await;
    assert_eq!(childless.status, StatusCode::NO_CONTENT);
    assert_eq!(childless.header(LIVE_CHILDREN), None);
    let third = child(&server, &middle.raw, json!(30)).await.created();
    assert_eq!(
        delete(&middle.path()).await.header(LIVE_CHILDREN),
        Some("1")
    );
    // Through one that is revoked.
    let outlived = delete(&parent.path()).await;
    assert_eq!(outlived.header(LIVE_CHILDREN), Some("2"));
    for token in [&second, &third, &unrelated] {
        assert_eq!(server.try_token(&token.raw).await, StatusCode::OK);
    }
    let wrong = delete(&format!("{}?family=2", parent.path())).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    let with_family = delete(&format!("{}?family=true", parent.path())).await;
    assert_eq!(with_family.status, StatusCode::NO_CONTENT);
    assert_eq!(with_family.header(LIVE_CHILDREN), None);
    for token in [&second, &third] {
        assert_eq!(server.try_token(&token.raw).await, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(server.try_token(&unrelated.raw).await, StatusCode::OK);
    // A token that revokes itself and its children.
    let parent = server.create("alice").await;
    let child = child(&server, &parent.raw, json!(30)).await.created();
    let current = server.delete(&format!("{TOKENS}/current?family=true"));
    let current = answer(current.bearer_auth(&parent.raw)).await;
    assert_eq!(current.status, StatusCode::NO_CONTENT);
    assert_eq!(server.try_token(&child.raw).await, StatusCode::UNAUTHORIZED);
}

async fn capped_children_live_and_die_with_their_parent() {
    let server = Server::with(&[("pat.create.by.token", "capped")]).await;
    let parent = server.create("alice").await;
    let longer = child(&server, &parent.raw, json!(91)).await;
    assert_eq!(
        (longer.status, longer.problem().as_str()),
        (StatusCode::BAD_REQUEST, "outlives-parent")
    );
    let same = child(&server, &parent.raw, Value::Null).await;
    assert_eq!(
        same.json()["expiringAt"],
        "2026-05-27T22:42:21.247+00:00",
        "the parent's expiry"
    );
    let same = same.created();
    let grandchild = child(&server, &same.raw, json!(1)).await.created();
    assert_eq!(server.try_token(&grandchild.raw).await, StatusCode::OK);
    let unrelated = server.create("alice").await;
    answer(by(server.delete(&parent.path()), "alice")).await;
    for token in [&parent, &same, &grandchild] {
        assert_eq!(server.try_token(&token.raw).await, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(server.try_token(&unrelated.raw).await, StatusCode::OK);
}

async fn creating_by_token_can_be_forbidden() {
    let server = Server::with(&[("pat.create.by.token", "forbidden")]).await;
    let parent = server.create("alice").await;
    let child = child(&server, &parent.raw, json!(1)).await;
    assert_eq!(
        (child.status, child.problem().as_str()),
        (StatusCode::FORBIDDEN, "created-by-token")
    );
}

async fn a_disabled_owner_is_out_at_once_and_in_again() {
    let server = Server::start().await;
    let token = server.create("bob").await;
    assert_eq!(
        server.try_token(&token.raw).await,
        StatusCode::OK,
        "in the cache now"
    );
    let set = async |action: &str, user: &str| {
        answer(by(server.post(&format!("/demo/users/bob/{action}")), user))
            .await
            .status
    };
    assert_eq!(set("disable", "alice").await, StatusCode::FORBIDDEN);
    assert_eq!(server.try_token(&token.raw).await, StatusCode::OK);
    assert_eq!(set("disable", "admin").await, StatusCode::NO_CONTENT);
    assert_eq!(server.try_token(&token.raw).await, StatusCode::UNAUTHORIZED);
    assert_eq!(set("enable", "admin").await, StatusCode::NO_CONTENT);
    assert_eq!(server.try_token(&token.raw).await, StatusCode::OK);
}

/// Opens an event stream with this token, and reads its first event.
async fn open_stream(server: &Server, token: &str) -> reqwest::Response {
    let mut stream = server
        .get("/demo/events")
        .bearer_auth(token)
        .send()
        .await
        .expect("a stream");
    assert_eq!(stream.status(), StatusCode::OK);
    let first = stream.chunk().await.expect("an event").expect("no end");
    assert!(first.starts_with(b"data: 0"), "{first:?}");
    stream
}

/// Whether the stream ends in good time: the staleness bound and a second.
async fn ends(mut stream: reqwest::Response) -> bool {
    let rest = async { while stream.chunk().await.expect("a good end").is_some() {} };
    tokio::time::timeout(Duration::from_secs(3), rest)
        .await
        .is_ok()
}

async fn a_stream_ends_with_its_token() {
    let server = Server::start().await;
    let (revoked, kept) = (server.create("alice").await, server.create("alice").await);
    let expires =
        answer(by(server.post(TOKENS), "bob").json(&json!({"name": "a", "expirationDuration": 1})));
    let expires = expires.await.created();
    let by_revoked = open_stream(&server, &revoked.raw).await;
    let by_kept = open_stream(&server, &kept.raw).await;
    let by_expiring = open_stream(&server, &expires.raw).await;
    answer(by(server.delete(&revoked.path()), "alice")).await;
    assert!(ends(by_revoked).await);
    assert!(!ends(by_kept).await, "that of another token goes on");
    server.clock.advance(Duration::from_hours(24));
    assert!(ends(by_expiring).await);
    let anonymous = answer(server.get("/demo/events")).await;
    assert_eq!(anonymous.status, StatusCode::UNAUTHORIZED);
}

async fn a_stream_ends_with_its_server() {
    let server = Server::start().await;
    let token = server.create("alice").await;
    let stream = open_stream(&server, &token.raw).await;
    let stopped = tokio::time::timeout(Duration::from_secs(20), server.stop());
    let (stopped, ended) = tokio::join!(stopped, ends(stream));
    assert!(stopped.is_ok() && ended);
}

async fn last_use_is_written_at_shutdown() {
    let server = Server::start().await;
    let token = server.create("alice").await;
    server.clock.advance(Duration::from_secs(1));
    assert_eq!(server.try_token(&token.raw).await, StatusCode::OK);
    let folder = server.stop().await;
    let store = pat_sqlx::SqliteStore::open(folder.path().join("pat.db"))
        .await
        .expect("a store");
    let pats = pat_core::Pats::builder(store).build();
    let alice = pat_core::Caller::header_authenticated("alice".parse().expect("an owner"));
    let listed = pats.list(&alice).await.expect("a list");
    let last_used = listed[0].last_used_at.map(|at| at.to_string());
    assert_eq!(last_used.as_deref(), Some("2026-02-26T22:42:22.247Z"));
}

async fn without_a_cache_it_works_as_well() {
    let server = Server::with(&[("atlassian.pats.auth.cache.expiry.mins", "0")]).await;
    let token = server.create("alice").await;
    for _ in 0..3 {
        assert_eq!(server.try_token(&token.raw).await, StatusCode::OK);
    }
    let list = answer(by(server.get(TOKENS), "alice")).await.json();
    assert!(list[0].get("lastAccessedAt").is_some(), "the use is noted");
    answer(by(server.delete(&token.path()), "alice")).await;
    assert_eq!(server.try_token(&token.raw).await, StatusCode::UNAUTHORIZED);
}

async fn atlassian_format_and_old_prefixes() {
    let server = Server::with(&[
        ("pat.token.format", "atlassian"),
        ("pat.token.accepted", "prefixed:old"),
    ])
    .await;
    let token = server.create("alice").await;
    assert_eq!(token.raw.len(), 44);
    assert_eq!(server.try_token(&token.raw).await, StatusCode::OK);
    let folder = server.stop().await;
    let url = format!("sqlite:{}", folder.path().join("pat.db").display());
    let store = pat_sqlx::SqliteStore::connect(&url)
        .await
        .expect("the same database");
    let pats = pat_core::Pats::builder(store).build();
    let refused = pats.authenticate(token.raw.as_bytes()).await;
    assert!(
        matches!(refused, Err(pat_core::AuthError::Unrecognized)),
        "no longer accepted"
    );
}
