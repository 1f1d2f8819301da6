//! The form for a new token, and nonsense in all of them.

use reqwest::{Method, StatusCode};

use super::{ADMIN, Session, field, paths, shown};
use crate::common::{Server, TOKENS, answer};

pub(super) async fn one_answer() {
    let server = Server::start().await;
    let alice = Session::start(&server, "alice").await;
    let admin = Session::start(&server, "admin").await;
    let created = alice.create(&server, "ci").await;
    assert_eq!(created.status, StatusCode::CREATED);
    let raw = shown(&created.body);
    assert_eq!(server.try_token(&raw).await, StatusCode::OK);
    // In the body, and in no header.
    assert!(!format!("{:?}", created.headers).contains(&raw));
    let (_, id) = server_token(&server).await;
    let mut answers = Vec::new();
    for (method, path) in paths(id) {
        for session in [&alice, &admin] {
            answers.push(match method {
                Method::GET => session.get(&server, &path).await,
                _ => answer(session.post(&server, &path, &[])).await,
            });
        }
    }
    assert!(
        answers
            .iter()
            .any(|answer| answer.body.contains("<bdi>ci</bdi>"))
    );
    for answer in answers {
        assert!(!format!("{answer:?}").contains(&raw[4..]), "{answer:?}");
    }
}

/// Alice's only token: its name and id.
async fn server_token(server: &Server) -> (String, i64) {
    let listed = answer(server.get(TOKENS).basic_auth("alice", Some("alice"))).await;
    let token = &listed.json()[0];
    let name = token["name"].as_str().expect("a name");
    (name.to_owned(), token["id"].as_i64().expect("an id"))
}

pub(super) async fn twice() {
    let server = Server::start().await;
    let alice = Session::start(&server, "alice").await;
    let page = alice.get(&server, "/tokens/new").await;
    let seen = field(&page.body, "seen");
    let fields = [
        ("name", "kept <as> typed"),
        ("expires", "30"),
        ("seen", &seen),
    ];
    let send = || answer(alice.post(&server, "/tokens/new", &fields));
    // A double click, then a reload.
    let (one, two) = tokio::join!(send(), send());
    let three = send().await;
    let mut statuses = [one.status, two.status, three.status];
    statuses.sort_unstable();
    let conflict = StatusCode::CONFLICT;
    assert_eq!(statuses, [StatusCode::CREATED, conflict, conflict]);
    assert!(three.body.contains("Nothing was created just now"));
    assert!(three.body.contains("value=\"kept &#60;as&#62; typed\""));
    let listed = answer(server.get(TOKENS).basic_auth("alice", Some("alice"))).await;
    assert_eq!(listed.json().as_array().expect("an array").len(), 1);
    // Whoever means it, sends the form that is shown then.
    let seen = field(&three.body, "seen");
    let fields = [("name", "second"), ("expires", "30"), ("seen", &seen)];
    let meant = answer(alice.post(&server, "/tokens/new", &fields)).await;
    assert_eq!(meant.status, StatusCode::CREATED);
}

pub(super) async fn nonsense() {
    let server = Server::start().await;
    let alice = Session::start(&server, "alice").await;
    let admin = Session::start(&server, "admin").await;
    let long = "x".repeat(5_000);
    let values = [
        "",
        "\0",
        "\u{feff}",
        "-1",
        "9999999999999999999999",
        "%",
        "'\"<>",
        &long,
    ];
    for value in values {
        let encoded: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
        for path in [
            format!("/tokens/new?name={encoded}&expires={encoded}"),
            format!("/tokens/{encoded}/revoke"),
            format!("{ADMIN}?cursor={encoded}"),
            format!("{ADMIN}?name={encoded}&owner={encoded}"),
            format!("{ADMIN}?status={encoded}&sort={encoded}&order={encoded}"),
            format!("{ADMIN}?created_from={encoded}&used_to={encoded}"),
            format!("{ADMIN}/revoke?id={encoded}"),
            format!("{ADMIN}/revoke?what=found&name={encoded}"),
            format!("{ADMIN}/export?expires_to={encoded}&sort={encoded}"),
        ] {
            let got = admin.get(&server, &path).await;
            assert!(!got.status.is_server_error(), "{path}: {}", got.status);
        }
        for (path, fields) in [
            (
                "/tokens/new",
                vec![("name", value), ("expires", value), ("days", value)],
            ),
            (
                "/tokens/new",
                vec![("name", "a"), ("expires", "date"), ("date", value)],
            ),
            (
                "/tokens/new",
                vec![("name", "a"), ("expires", "days"), ("days", value)],
            ),
            (
                "/tokens/new",
                vec![("name", value), ("expires", "30"), ("seen", value)],
            ),
        ] {
            let got = answer(alice.post(&server, path, &fields)).await;
            assert!(got.status.is_client_error(), "{fields:?}: {}", got.status);
        }
        for fields in [
            vec![("id", value), ("what", value)],
            vec![("what", "found"), ("expected", value)],
            vec![("what", "found"), ("expected", "0"), ("created_to", value)],
        ] {
            let got = answer(admin.post(&server, "/admin/tokens/revoke", &fields)).await;
            assert!(!got.status.is_server_error(), "{fields:?}: {}", got.status);
        }
    }
    let request = server.get("/tokens/new?name=%ff%fe&expires=%ff");
    assert_eq!(
        answer(request.basic_auth("alice", Some("alice")))
            .await
            .status,
        StatusCode::OK
    );
    let huge = "a".repeat(100_000);
    let huge = answer(alice.post(&server, "/tokens/new", &[("name", &huge)])).await;
    assert_eq!(huge.status, StatusCode::PAYLOAD_TOO_LARGE);
    let listed = answer(server.get(TOKENS).basic_auth("alice", Some("alice"))).await;
    assert_eq!(listed.body, "[]");
}

pub(super) async fn limits() {
    let server = Server::with(&[
        ("atlassian.pats.max.tokens.expiry.days", "10"),
        ("atlassian.pats.eternal.tokens.enabled", "false"),
        ("atlassian.pats.token.name.length", "5"),
        ("atlassian.pats.max.tokens.per.user", "1"),
    ])
    .await;
    let alice = Session::start(&server, "alice").await;
    let page = alice.get(&server, "/tokens/new?expires=90").await.body;
    assert!(page.contains("At most 10 days. You"), "{page}");
    assert!(page.contains("At most 5 characters") && !page.contains("value=\"never\""));
    assert!(page.contains("name=\"days\" value=\"90\""));
    for (fields, status, says) in [
        (
            vec![("name", "toolong"), ("expires", "7")],
            400,
            "longer than 5 characters",
        ),
        (
            vec![("name", " "), ("expires", "7")],
            400,
            "Give the token a name",
        ),
        (
            vec![("name", "a"), ("expires", "11")],
            400,
            "longer than 10 days",
        ),
        (
            vec![("name", "a"), ("expires", "never")],
            400,
            "A duration is needed",
        ),
        (vec![("name", "a")], 400, "Choose when"),
        (
            vec![("name", "a"), ("expires", "date"), ("date", "2026-02-26")],
            400,
            "after today",
        ),
        (
            vec![("name", "a"), ("expires", "date"), ("date", "2026-03-09")],
            400,
            "at most 10 days",
        ),
        (
            vec![("name", "a"), ("expires", "date"), ("date", "2026-03-08")],
            201,
            "Your new token",
        ),
        (
            vec![("name", "b"), ("expires", "7")],
            403,
            "as many as allowed",
        ),
    ] {
        let got = answer(alice.post(&server, "/tokens/new", &fields)).await;
        assert_eq!(got.status, status, "{fields:?}");
        assert!(got.body.contains(says), "{fields:?}: {}", got.body);
        let is_titled = got.body.contains("<title>Error: ");
        assert_eq!(is_titled, status == 400, "{fields:?}");
    }
    let listed = answer(server.get(TOKENS).basic_auth("alice", Some("alice"))).await;
    assert_eq!(
        listed.json()[0]["expiringAt"],
        "2026-03-08T22:42:21.247+00:00"
    );
    let off = Server::with(&[("atlassian.pats.enabled", "false")]).await;
    let page = off.get("/tokens").basic_auth("alice", Some("alice"));
    let page = answer(page).await;
    assert!(page.body.contains("switched off") && !page.body.contains("tokens/new"));
    let admin_off = Server::with(&[("pat.admin.enabled", "false")]).await;
    let page = admin_off.get(ADMIN).basic_auth("admin", Some("admin"));
    assert_eq!(answer(page).await.status, StatusCode::NOT_FOUND);
}
