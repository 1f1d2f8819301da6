//! The form for a new token, and nonsense in all of them.

use pat_harness::{Server, TOKENS, answer};
use reqwest::{Method, StatusCode};

use super::{ADMIN, Opened, Session, paths, shown};

pub(super) async fn a_plain_token_is_in_one_answer_only() {
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

pub(super) async fn a_form_that_comes_twice_creates_one_token() {
    let server = Server::start().await;
    let alice = Session::start(&server, "alice").await;
    let fields = alice.open(&server, "kept <as> typed").await;
    let send = || answer(alice.post(&server, "/tokens/new", &fields.pairs()));
    // A double click, then a reload that has not got the first answer.
    let (one, two) = tokio::join!(send(), send());
    let three = send().await;
    let mut statuses = [one.status, two.status, three.status];
    statuses.sort_unstable();
    let conflict = StatusCode::CONFLICT;
    assert_eq!(statuses, [StatusCode::CREATED, conflict, conflict]);
    let (_, id) = server_token(&server).await;
    let secret = shown(
        if one.status == conflict { &two } else { &one }
            .body
            .as_str(),
    );
    assert!(three.body.contains("created already"), "{}", three.body);
    assert!(three.body.contains("kept &#60;as&#62; typed"));
    assert!(!three.body.contains(&secret[4..]));
    assert!(
        three
            .body
            .contains(&format!("href=\"../tokens/{id}/revoke\""))
    );
    assert!(three.body.contains("href=\"../tokens\""));
    assert_eq!(count(&server).await, 1);
    // Whoever means it has another form, filled in alike.
    let (_, again) = three.body.split_once("tokens/new?").expect("a link");
    let again = again.split('"').next().expect("a link");
    let again = format!("/tokens/new?{}", again.replace("&#38;", "&"));
    let page = alice.get(&server, &again).await;
    assert!(page.body.contains("value=\"kept &#60;as&#62; typed\""));
    let fields = Opened::new(&page.body, "kept <as> typed");
    let meant = answer(alice.post(&server, "/tokens/new", &fields.pairs())).await;
    assert_eq!(meant.status, StatusCode::CREATED);
    assert_eq!(count(&server).await, 2);
}

/// The browser knows that it has sent a form, also when its token is there no more.
pub(super) async fn a_form_cannot_be_sent_again_after_its_token_is_revoked() {
    let server = Server::start().await;
    let mut alice = Session::start(&server, "alice").await;
    let fields = alice.open(&server, "ci").await;
    let created = answer(alice.post(&server, "/tokens/new", &fields.pairs())).await;
    assert_eq!(created.status, StatusCode::CREATED);
    alice.take_cookie(&created);
    let (_, id) = server_token(&server).await;
    let revoked = answer(alice.post(&server, &format!("/tokens/{id}/revoke"), &[])).await;
    assert_eq!(revoked.status, StatusCode::SEE_OTHER);
    let again = answer(alice.post(&server, "/tokens/new", &fields.pairs())).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    assert!(again.body.contains("created already") && !again.body.contains("/revoke"));
    assert_eq!(count(&server).await, 0);
    // A form that was refused may be sent again, and others stay as good as they were.
    let fields = alice.open(&server, "").await;
    let refused = answer(alice.post(&server, "/tokens/new", &fields.pairs())).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert_eq!(refused.header("set-cookie"), None);
    let other = Opened {
        name: "other".into(),
        ..fields
    };
    let created = answer(alice.post(&server, "/tokens/new", &other.pairs())).await;
    assert_eq!(created.status, StatusCode::CREATED);
}

/// What else has come or gone since a form was opened is no reason to refuse it.
pub(super) async fn a_form_stays_valid_after_other_changes() {
    let server = Server::start().await;
    let alice = Session::start(&server, "alice").await;
    let gone = server.create("alice").await;
    let (one, two) = (
        alice.open(&server, "one").await,
        alice.open(&server, "two").await,
    );
    for fields in [one, two] {
        let created = answer(alice.post(&server, "/tokens/new", &fields.pairs())).await;
        assert_eq!(created.status, StatusCode::CREATED);
    }
    let fields = alice.open(&server, "ci").await;
    let path = format!("/tokens/{}/revoke", gone.id);
    answer(alice.post(&server, &path, &[])).await;
    // And names need not be unique.
    for name in ["one", "ci"] {
        let fields = Opened {
            name: name.into(),
            ..fields.clone()
        };
        let created = answer(alice.post(&server, "/tokens/new", &fields.pairs())).await;
        assert_eq!(created.status, StatusCode::CREATED, "{name}");
    }
    assert_eq!(count(&server).await, 4);
}

/// How many tokens Alice has.
async fn count(server: &Server) -> usize {
    let listed = answer(server.get(TOKENS).basic_auth("alice", Some("alice"))).await;
    listed.json().as_array().expect("an array").len()
}

pub(super) async fn malformed_forms_never_cause_a_500() {
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
            (
                "/tokens/new",
                vec![("name", value), ("expires", "30"), ("sheet", value)],
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

/// Each field is told what is wrong with it, in one answer.
pub(super) async fn all_field_errors_are_shown_at_once() {
    let server = Server::start().await;
    let alice = Session::start(&server, "alice").await;
    for (name, name_says) in [
        ("", "The name is blank"),
        ("\u{200b}\u{3164}", "The name is blank"),
        ("a\nb", "control character"),
        ("report\u{202e}fdp.exe", "turns the direction"),
        ("a\u{2028}b", "line break"),
        (&"x".repeat(41), "longer than 40 characters"),
    ] {
        for (expiry, expiry_says) in [
            (vec![], "Choose when"),
            (vec![("expires", "days"), ("days", "x")], "a whole number"),
            (vec![("expires", "days"), ("days", "0")], "at least one day"),
            (vec![("expires", "days"), ("days", "366")], "365 days"),
            (vec![("expires", "date"), ("date", "x")], "Enter a date"),
            (
                vec![("expires", "date"), ("date", "2026-02-26")],
                "after today",
            ),
        ] {
            let mut fields = expiry.clone();
            fields.push(("name", name));
            let got = answer(alice.post(&server, "/tokens/new", &fields)).await;
            assert_eq!(got.status, StatusCode::BAD_REQUEST, "{fields:?}");
            for (id, says) in [
                ("pat-name-error", name_says),
                ("pat-expiry-error", expiry_says),
            ] {
                let (_, text) = got.body.split_once(&format!("id=\"{id}\">")).expect(id);
                let text = text.split('<').next().expect("a text");
                assert!(text.contains(says), "{fields:?}: {text}");
            }
            // Who uses no script begins with the first of them, too.
            assert!(
                got.body.contains("aria-invalid=\"true\" autofocus"),
                "{}",
                got.body
            );
        }
    }
    let off = Server::with(&[("atlassian.pats.eternal.tokens.enabled", "false")]).await;
    let alice = Session::start(&off, "alice").await;
    let fields = [("name", ""), ("expires", "never")];
    let got = answer(alice.post(&off, "/tokens/new", &fields)).await;
    assert!(
        got.body.contains("The name is blank")
            && got
                .body
                .contains("Tokens that never expire are not allowed")
    );
    // The REST interface says one thing, as ever.
    let body = serde_json::json!({"name": "", "expirationDuration": 0});
    let request = server.post(TOKENS).basic_auth("alice", Some("alice"));
    let got = answer(request.json(&body)).await;
    assert_eq!(
        (got.status.as_u16(), &*got.problem()),
        (400, "invalid-name")
    );
}

pub(super) async fn the_limits_are_those_of_the_policy() {
    let server = Server::with(&[
        ("atlassian.pats.max.tokens.expiry.days", "10"),
        ("atlassian.pats.eternal.tokens.enabled", "false"),
        ("atlassian.pats.token.name.length", "5"),
        ("atlassian.pats.max.tokens.per.user", "1"),
    ])
    .await;
    let alice = Session::start(&server, "alice").await;
    let page = alice.get(&server, "/tokens/new?expires=90").await.body;
    assert!(page.contains("At most 10 days. We’ll email you"), "{page}");
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
            "The name is blank",
        ),
        (
            vec![("name", "a"), ("expires", "11")],
            400,
            "for 10 days at most",
        ),
        (
            vec![("name", "a"), ("expires", "never")],
            400,
            "Tokens that never expire are not allowed",
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
            "You have 1 token; at most 1 is allowed, expired ones included. Revoke 1 to create",
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
