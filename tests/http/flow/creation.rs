//! What is checked before a token is created.

use std::time::Duration;

use pat_harness::{Server, TOKENS, answer, column, count};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{by, create};

#[expect(clippy::too_many_lines, reason = "a table of requests")]
pub(super) async fn invalid_creations_are_refused() {
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
        (
            json!({"name": "a", "expirationSeconds": 59}),
            "invalid-duration",
        ),
        (
            json!({"name": "a", "expirationSeconds": -60}),
            "invalid-duration",
        ),
        (
            json!({"name": "a", "expirationSeconds": 365 * 86_400 + 1}),
            "invalid-duration",
        ),
        (
            json!({"name": "a", "expirationSeconds": u64::MAX}),
            "invalid-duration",
        ),
        (
            json!({"name": "a", "expirationSeconds": 60.0}),
            "invalid-duration",
        ),
        (
            json!({"name": "a", "expirationSeconds": 60, "expirationDuration": 1}),
            "invalid-duration",
        ),
        (
            json!({"name": "a", "expirationSeconds": "60"}),
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
    // With `null`, as without it.
    let body = json!({"name": "a", "expirationSeconds": null, "expirationDuration": 1});
    assert_eq!(create(&server, &body).await.status, StatusCode::CREATED);
}

pub(super) async fn a_life_span_can_be_given_in_seconds() {
    let server = Server::start().await;
    let ends = async |body: Value| {
        let created = create(&server, &body).await;
        assert_eq!(created.status, StatusCode::CREATED, "{body}");
        created.json()["expiringAt"].clone()
    };
    let with = |seconds: u32| json!({"name": "ci", "expirationSeconds": seconds});
    assert_eq!(ends(with(60)).await, "2026-02-26T22:43:21.247+00:00");
    assert_eq!(ends(with(86_399)).await, "2026-02-27T22:42:20.247+00:00");
    let day = ends(json!({"name": "ci", "expirationDuration": 1})).await;
    assert_eq!(ends(with(86_400)).await, day);
}

pub(super) async fn wrong_media_types_and_sizes_are_refused() {
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

pub(super) async fn names_are_stored_unchanged() {
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
    assert_eq!(column(&list, "name"), names);
}

pub(super) async fn the_limit_counts_expired_tokens() {
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

pub(super) async fn a_lowered_limit_says_how_many_tokens_to_revoke() {
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

pub(super) async fn a_hundred_concurrent_creates_keep_the_limit() {
    let server = Server::start().await;
    let body = json!({"name": "a"});
    let requests = (0..100).map(|_| answer(by(server.post(TOKENS), "alice").json(&body)));
    let answers = futures_util::future::join_all(requests).await;
    assert_eq!(count(&answers, StatusCode::CREATED), 10);
    assert_eq!(count(&answers, StatusCode::FORBIDDEN), 90);
    let list = answer(by(server.get(TOKENS), "alice")).await.json();
    assert_eq!(list.as_array().expect("an array").len(), 10);
}
