//! Who gets what, and what is forged.

use pat_harness::{Server, TOKENS, answer};
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{ADMIN, Session, form, paths};

pub(super) async fn anonymous_visitors_are_sent_to_the_sign_in() {
    let server = Server::start().await;
    let token = server.create("alice").await;
    for (method, path) in paths(token.id) {
        let script = answer(server.request(method.clone(), &path)).await;
        assert_eq!(script.status, StatusCode::UNAUTHORIZED, "{method} {path}");
        let browser = server.request(method.clone(), &path);
        let browser = answer(browser.header("accept", "text/html,*/*;q=0.8")).await;
        assert_eq!(browser.status, StatusCode::SEE_OTHER, "{method} {path}");
        let wanted = match method {
            Method::GET => path.replace('?', "%3F").replace('=', "%3D"),
            // What is no form that can be shown again, or may have a secret in it.
            _ if path.ends_with("/send") || path.ends_with("/identify") => ADMIN.to_owned(),
            // The form that was sent is shown again.
            _ => format!("{path}%3Fagain%3Dsigned-out"),
        };
        let expected = format!("/login?return_to={wanted}");
        assert_eq!(browser.header("location"), Some(&*expected));
        for answer in [script, browser] {
            assert!(!answer.body.contains("alice") && !answer.body.contains("ci<"));
        }
    }
    let wrong = server.get("/tokens").basic_auth("alice", Some("wrong"));
    assert_eq!(answer(wrong).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(server.try_token(&token.raw).await, StatusCode::OK);
}

pub(super) async fn other_users_see_and_revoke_nothing() {
    let server = Server::start().await;
    let token = server.create("alice").await;
    let bob = Session::start(&server, "bob").await;
    let path = format!("/tokens/{}/revoke", token.id);
    let unknown = bob.get(&server, "/tokens/17/revoke").await;
    let others = bob.get(&server, &path).await;
    assert_eq!(others.status, StatusCode::NOT_FOUND);
    assert_eq!(others.body, unknown.body);
    // An administrator's own page is for his own tokens as well.
    let admin = Session::start(&server, "admin").await;
    for session in [&bob, &admin] {
        let revoked = answer(session.post(&server, &path, &[])).await;
        assert_eq!(revoked.status, StatusCode::NOT_FOUND);
    }
    assert!(
        !bob.get(&server, "/tokens")
            .await
            .body
            .contains(&token.id.to_string())
    );
    let id = token.id.to_string();
    for (method, path) in paths(token.id) {
        if !path.starts_with("/admin") {
            continue;
        }
        let refused = match method {
            Method::GET => bob.get(&server, &path).await,
            _ => answer(bob.post(&server, &path, &[("id", &id)])).await,
        };
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{method} {path}");
        for leak in ["alice", "Alice", ">ci<"] {
            assert!(!refused.body.contains(leak), "{method} {path}: {leak}");
        }
    }
    assert_eq!(server.try_token(&token.raw).await, StatusCode::OK);
    // And he can: otherwise this would show nothing.
    let revoked = answer(admin.post(&server, "/admin/tokens/revoke", &[("id", &id)])).await;
    assert_eq!(
        revoked.header("location"),
        Some("../../admin/tokens?revoked=1")
    );
    assert_eq!(server.try_token(&token.raw).await, StatusCode::UNAUTHORIZED);
}

pub(super) async fn forged_forms_do_nothing() {
    let server = Server::start().await;
    let token = server.create("alice").await;
    let id = token.id.to_string();
    let alice = Session::start(&server, "alice").await;
    let second = Session::start(&server, "alice").await;
    let admin = Session::start(&server, "admin").await;
    let [own, replaced, paused, edited] =
        ["revoke", "replace", "pause", "edit"].map(|page| format!("/tokens/{id}/{page}"));
    let paused_by_admin = format!("{ADMIN}/{id}/pause");
    let forms = [
        (
            &alice,
            "/tokens/new",
            vec![("name", "forged"), ("expires", "30")],
        ),
        (&alice, own.as_str(), vec![]),
        (
            &alice,
            replaced.as_str(),
            vec![("overlap", "0"), ("expires", "own")],
        ),
        (&alice, paused.as_str(), vec![]),
        (&alice, edited.as_str(), vec![("name", "forged")]),
        (&admin, "/admin/tokens/revoke", vec![("id", id.as_str())]),
        (&admin, paused_by_admin.as_str(), vec![]),
    ];
    for (session, path, fields) in &forms {
        let send = async |form_token: Option<&str>, headers: &[(&str, &str)]| {
            let mut fields = fields.clone();
            fields.extend(form_token.map(|token| ("form_token", token)));
            let mut request = form(&server, path, &fields).header("cookie", &session.cookies);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            answer(request).await
        };
        let own = session.form_token.as_str();
        let cut = &own[1..];
        for (form_token, headers) in [
            (None, &[][..]),
            (Some(""), &[]),
            (Some(cut), &[]),
            (Some("nonsense"), &[]),
            (Some(second.form_token.as_str()), &[]),
            (Some(own), &[("sec-fetch-site", "cross-site")]),
            (Some(own), &[("sec-fetch-site", "same-site")]),
            (Some(own), &[("origin", "https://evil.example")]),
            (Some(own), &[("origin", "null")]),
        ] {
            let refused = send(form_token, headers).await;
            let cell = format!("{path} {form_token:?} {headers:?}");
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{cell}");
            assert!(refused.body.contains("Nothing was done"), "{cell}");
        }
    }
    // Without the cookie of the forms, and with one user's forms in another's hands.
    let session = alice.cookies.split("; ").next().expect("a session");
    let cookie = alice.cookies.split("; ").nth(1).expect("a cookie");
    let bob = Session::start(&server, "bob").await;
    let bobs = bob.cookies.split("; ").next().expect("a session");
    for cookies in [session.to_owned(), format!("{bobs}; {cookie}")] {
        let fields = [
            ("name", "forged"),
            ("expires", "30"),
            ("form_token", &alice.form_token),
        ];
        let request = form(&server, "/tokens/new", &fields).header("cookie", cookies);
        assert_eq!(answer(request).await.status, StatusCode::FORBIDDEN);
    }
    for user in ["alice", "bob"] {
        let request = server.get(TOKENS).basic_auth(user, Some(user));
        assert!(!answer(request).await.body.contains("forged"));
    }
    assert_eq!(server.try_token(&token.raw).await, StatusCode::OK);
    // The same forms do something if they are as they should be.
    let created = alice.create(&server, "mine").await;
    assert_eq!(created.status, StatusCode::CREATED);
    let revoked = answer(alice.post(&server, &own, &[])).await;
    let list = format!("../../tokens?revoked={id}");
    assert_eq!(revoked.header("location"), Some(&*list));
    assert_eq!(server.try_token(&token.raw).await, StatusCode::UNAUTHORIZED);
    // A script with a token has nothing that a browser would send by itself.
    let script = server.create("alice").await;
    let fields = [("name", "by script"), ("expires", "30")];
    let request = form(&server, "/tokens/new", &fields).bearer_auth(&script.raw);
    let created = answer(request).await;
    assert_eq!(created.status, StatusCode::CREATED);
    assert_eq!(created.header("set-cookie"), None);
}

/// The field of the owner suggests users to administrators: to nobody else, and nothing unasked.
pub(super) async fn owners_are_suggested_to_administrators() {
    let server = Server::start().await;
    let admin = Session::start(&server, "admin").await;
    let ask = async |query: &str| {
        let path = format!("{ADMIN}/owners{query}");
        let answer = admin.get(&server, &path).await;
        assert_eq!(answer.status, StatusCode::OK, "{query}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        answer.json()
    };
    let alice =
        "\u{2068}Alice Liddell\u{2069} · \u{2068}alice\u{2069} · \u{2068}alice@example.com\u{2069}";
    for query in ["?contains=LIDD", "?contains=%20alice%40 "] {
        assert_eq!(ask(query).await, json!([{"key": "alice", "label": alice}]));
    }
    for query in [
        "",
        "?contains=",
        "?contains=%20",
        "?contains=nobody",
        "?contains=%ff",
    ] {
        assert_eq!(ask(query).await, json!([]), "{query}");
    }
    for number in 0..30 {
        let user = (&*format!("user{number}"), "One of many");
        server.users.add(&[user]).await.expect("a user");
    }
    let many = ask("?contains=many").await;
    assert_eq!(many.as_array().map(Vec::len), Some(20));
    let off = Server::with(&[("pat.admin.enabled", "false")]).await;
    let path = format!("{ADMIN}/owners?contains=a");
    let none = off.get(&path).basic_auth("admin", Some("admin"));
    assert_eq!(answer(none).await.status, StatusCode::NOT_FOUND);
}

pub(super) async fn every_page_has_the_security_headers() {
    let server = Server::start().await;
    let token = server.create("alice").await;
    let mut answers = Vec::new();
    for session in [None, Some("alice"), Some("admin")] {
        for (method, path) in paths(token.id) {
            let mut request = server.request(method, &path);
            if let Some(user) = session {
                request = request.basic_auth(user, Some(user));
            }
            answers.push((path, answer(request).await));
        }
    }
    for method in [Method::PUT, Method::DELETE, Method::OPTIONS] {
        let request = server
            .request(method, "/tokens")
            .basic_auth("alice", Some("alice"));
        answers.push(("/tokens".to_owned(), answer(request).await));
    }
    for (path, answer) in &answers {
        let policy = answer.header("content-security-policy").expect(path);
        for directive in [
            "default-src 'none'",
            "style-src 'self'",
            "script-src 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        ] {
            assert!(
                policy.split("; ").any(|part| part == directive),
                "{path}: {policy}"
            );
        }
        assert!(!policy.contains("unsafe"));
        // Scripts ask the host for something on one page.
        let connects = policy.contains("connect-src 'self'");
        let is_list = path == ADMIN && answer.status == StatusCode::OK;
        assert_eq!(connects, is_list, "{path}: {policy}");
        for (name, value) in [
            ("cache-control", "no-store"),
            ("referrer-policy", "same-origin"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}");
        }
        let permissions = answer.header("permissions-policy").expect(path);
        for feature in ["camera", "geolocation", "microphone", "payment", "usb"] {
            assert!(permissions.contains(&format!("{feature}=()")), "{path}");
        }
        // What the policy forbids would not work.
        for forbidden in [
            "<style",
            " style=",
            " onclick=",
            "javascript:",
            "http://",
            "https://",
        ] {
            assert!(!answer.body.contains(forbidden), "{path}: {forbidden}");
        }
        let inline = answer
            .body
            .match_indices("<script")
            .find(|(at, _)| !answer.body[*at..].starts_with("<script src=\""));
        assert_eq!(inline, None, "{path}");
    }
    let asset = answer(server.get("/tokens/assets/pat.css")).await;
    assert_eq!(
        asset.header("content-type"),
        Some("text/css; charset=utf-8")
    );
    assert_eq!(asset.header("cache-control"), Some("no-cache"));
    let (_, page) = &answers[answers.len() - 4];
    let (_, version) = page.body.split_once("pat.css?").expect("a version");
    let version = version.split('"').next().expect("a version");
    let asset = answer(server.get(&format!("/tokens/assets/pat.css?{version}"))).await;
    assert!(
        asset
            .header("cache-control")
            .is_some_and(|value| value.contains("immutable"))
    );
    let icon = answer(server.get("/tokens/assets/pat.svg")).await;
    assert_eq!(icon.header("content-type"), Some("image/svg+xml"));
    assert!(page.body.contains("<link rel=\"icon\""), "{}", page.body);
    let none = answer(server.get("/tokens/assets/other.css")).await;
    assert_eq!(none.status, StatusCode::NOT_FOUND);
}
