use pat_harness::{MYSELF, Server, TOKENS, answer, client};
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{http2, send, status};

/// What others write into the same headers, which is not always ASCII.
pub(super) async fn foreign_headers_may_hold_any_bytes() {
    let server = Server::start().await;
    let credentials = json!({"username": "alice", "password": "alice"});
    let signed_in = answer(server.post("/rest/auth/1/session").json(&credentials)).await;
    let pair = |header: Option<&str>| header.and_then(|h| h.split(';').next()).map(str::to_owned);
    let session = pair(signed_in.header("set-cookie")).expect("a session");
    let page = answer(server.get("/tokens/new").header("cookie", &session)).await;
    let form = pair(page.header("set-cookie")).expect("the cookie of forms");
    let field = |name: &str| {
        let start = format!("name=\"{name}\" value=\"");
        let (_, rest) = page.body.split_once(&start).expect("a field");
        rest.split('"').next().expect("a value").to_owned()
    };
    let body = format!(
        "form_token={}&sheet={}&seen={}&name=ci&expires=30",
        field("form_token"),
        field("sheet"),
        field("seen")
    );
    let others: [&[u8]; 5] = [
        b"lang=Fran\xe7ais",
        "lang=Français".as_bytes(),
        b"\xff\xfe",
        b"=;;==; a",
        b"lang=\"\xe7; x\"",
    ];
    for other in others {
        for cookies in [
            [other, session.as_bytes(), form.as_bytes()],
            [session.as_bytes(), other, form.as_bytes()],
            [form.as_bytes(), session.as_bytes(), other],
        ] {
            let cookies = cookies.join(&b"; "[..]);
            let mut request =
                b"POST /tokens/new HTTP/1.1\r\nhost: x\r\nconnection: close\r\n".to_vec();
            request.extend_from_slice(b"accept: \xe7, text/html\r\n");
            request.extend_from_slice(b"content-type: application/x-www-form-urlencoded\r\n");
            request.extend_from_slice(
                format!("content-length: {}\r\ncookie: ", body.len()).as_bytes(),
            );
            request.extend_from_slice(&cookies);
            request.extend_from_slice(format!("\r\n\r\n{body}").as_bytes());
            let answer = send(&server, &request).await.expect("an answer");
            // The first creates a token, the others hear that it is there.
            let is_known = matches!(status(&answer), 201 | 409);
            assert!(is_known, "{}: {answer}", cookies.escape_ascii());
        }
    }
    let mut stranger = b"GET /tokens HTTP/1.1\r\nhost: x\r\nconnection: close\r\n".to_vec();
    stranger.extend_from_slice(b"accept: text/x-\xe7, text/html;q=0.9\r\n\r\n");
    let answer = send(&server, &stranger).await.expect("an answer");
    assert_eq!(status(&answer), 303, "a browser is sent to the sign-in");
    let json = "POST /rest/pat/latest/tokens HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
                authorization: Basic YWxpY2U6YWxpY2U=\r\ncontent-length: 12\r\n";
    let mut json = json.as_bytes().to_vec();
    json.extend_from_slice(b"content-type: application/json; a=\xe7\r\n\r\n{\"name\":\"a\"}");
    let answer = send(&server, &json).await.expect("an answer");
    assert_eq!(status(&answer), 201, "{answer}");
}

pub(super) async fn a_trailing_slash_is_served() {
    let server = Server::start().await;
    let token = server.create("alice").await;
    let by = |request: reqwest::RequestBuilder| request.bearer_auth(&token.raw);
    for mount in ["/rest/pat/latest", "/rest/pat/1.0"] {
        for path in [
            "/tokens",
            "/tokens/current",
            &format!("/tokens/{}", token.id),
            "/policy",
            "/openapi.json",
        ] {
            let one = answer(by(server.get(&format!("{mount}{path}")))).await;
            let other = answer(by(server.get(&format!("{mount}{path}/")))).await;
            assert_eq!(one.status, StatusCode::OK, "{path}");
            assert_eq!((one.status, one.body), (other.status, other.body), "{path}");
        }
        for path in [
            "/",
            "",
            "/nowhere",
            "/nowhere/",
            "/tokens//",
            "/tokens/%ff",
            "/tokens/%ff/",
        ] {
            let nothing = answer(by(server.get(&format!("{mount}{path}")))).await;
            assert_eq!(nothing.status, StatusCode::NOT_FOUND, "{path}");
            assert!(nothing.json()["errorMessages"][0].is_string(), "{path}");
        }
        for path in ["/tokens/%ff", "/tokens/%ff/", "/tokens/x", "/nowhere"] {
            let nothing = answer(by(server.delete(&format!("{mount}{path}")))).await;
            assert_eq!(nothing.problem(), "not-found", "{path}");
        }
    }
    let created = server.post(&format!("{TOKENS}/")).bearer_auth(&token.raw);
    let created = answer(created.json(&json!({"name": "a"}))).await;
    assert_eq!(created.status, StatusCode::CREATED);
    for (path, expected) in [
        ("/tokens/", "../tokens"),
        ("/tokens/new/?name=a%20b", "../new?name=a%20b"),
        ("/tokens/5/revoke/", "../revoke"),
        ("/admin/tokens/?name=x", "../tokens?name=x"),
        ("/admin/tokens/export/", "../export"),
        ("/admin/tokens/5/", "../5"),
        ("/admin/", "../admin"),
    ] {
        let moved = answer(by(server.get(path))).await;
        assert_eq!(moved.status, StatusCode::PERMANENT_REDIRECT, "{path}");
        assert_eq!(moved.header("location"), Some(expected), "{path}");
        let base = url::Url::parse(&format!("{}{path}", server.base)).expect("a URL");
        let target = base.join(expected).expect("a URL");
        assert_eq!(target.path(), base.path().trim_end_matches('/'), "{path}");
        let old = answer(server.post(path)).await;
        assert_eq!(
            old.status,
            StatusCode::PERMANENT_REDIRECT,
            "keeps the method"
        );
    }
    for path in [
        "/tokens/%ff/revoke",
        "/tokens/%ff",
        "/tokens/assets/none",
        "/tokens/assets/%ff",
    ] {
        let nothing = answer(by(server.get(path))).await;
        assert_eq!(nothing.status, StatusCode::NOT_FOUND, "{path}");
        assert!(!nothing.body.is_empty(), "{path}");
    }
}

pub(super) async fn every_answer_has_nosniff() {
    let server = Server::start().await;
    let token = server.create("alice").await.raw;
    let paths = [
        TOKENS,
        "/rest/pat/latest/policy",
        "/rest/pat/latest/openapi.json",
        "/rest/pat/latest/nowhere",
        "/rest/pat/latest/admin/events",
        "/rest/pat/latest/admin/unused?days=1",
        "/rest/pat/latest/admin/notifications",
        MYSELF,
        "/nowhere",
    ];
    for path in paths {
        for token in ["pat_x", &token] {
            let answer = answer(server.get(path).bearer_auth(token)).await;
            if path != MYSELF || token == "pat_x" {
                let option = answer.header("x-content-type-options");
                let is_ours = path.starts_with("/rest/pat") || token == "pat_x";
                assert!(!is_ours || option == Some("nosniff"), "{path} {answer:?}");
            }
        }
    }
    for path in [
        "/reference/",
        "/reference/index.html",
        "/reference/swagger-ui.css",
    ] {
        let page = answer(server.get(path)).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        let policy = page.header("content-security-policy").expect("a policy");
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(policy.contains("default-src 'none'"), "{policy}");
        assert!(policy.contains("script-src 'self';"), "{policy}");
        assert_eq!(page.header("x-frame-options"), Some("DENY"));
        assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    }
}

/// What the example serves to whoever asks, outside of the layer.
const PUBLIC: [&str; 5] = [
    "/readyz",
    "/livez",
    "/metrics",
    "/reference/",
    "/tokens/assets/pat.css",
];

/// Every path of the example, and some that are none.
const PATHS: &[&str] = &[
    "/",
    "/login",
    "/logout",
    "/tokens",
    "/tokens/",
    "/tokens/new",
    "/tokens/1",
    "/tokens/1/revoke",
    "/admin/tokens",
    "/admin/tokens/revoke",
    "/admin/tokens/export",
    "/admin/tokens/owners",
    "/admin/tokens/1/pause",
    "/demo/events",
    "/demo/users/alice",
    "/demo/users/alice/disable",
    "/demo/notifications/dead",
    "/demo/notifications/1/retry",
    "/rest/api/2/serverInfo",
    "/rest/api/latest/serverInfo",
    "/rest/api/2/myself",
    "/rest/api/latest/myself",
    "/rest/api/2/field",
    "/rest/api/2/search",
    "/rest/api/2/project",
    "/rest/api/latest/project",
    "/rest/api/2/project/DEMO",
    "/rest/api/2/issue/DEMO-1",
    "/rest/api/2/issue/DEMO-1/comment",
    "/rest/api/2/user",
    "/rest/api/user/current",
    "/rest/api/space",
    "/rest/api/space/DEMO",
    "/rest/api/content",
    "/rest/api/content/20001",
    "/rest/api/content/search",
    "/rest/api/search",
    "/rest/auth/1/session",
    "/rest/auth/latest/session",
    "/rest/pat/latest/tokens",
    "/rest/pat/latest/tokens/",
    "/rest/pat/latest/tokens/1",
    "/rest/pat/latest/tokens/current",
    "/rest/pat/latest/tokens/search",
    "/rest/pat/latest/tokens/search/user",
    "/rest/pat/latest/policy",
    "/rest/pat/latest/openapi.json",
    "/rest/pat/latest/admin/tokens",
    "/rest/pat/latest/admin/tokens/revoke",
    "/rest/pat/latest/admin/tokens/identify",
    "/rest/pat/latest/admin/unused",
    "/rest/pat/latest/admin/notifications",
    "/rest/pat/latest/admin/notifications/1/send",
    "/rest/pat/latest/admin/notifications/send",
    "/rest/pat/latest/admin/events",
    "/rest/pat/1.0/tokens",
    "/rest/pat/latest",
    "/rest/pat/latest/",
    "/rest/pat/latest/nothing",
    "/rest/pat",
    "/rest/api/2/nothing",
    "/rest/nothing",
    "/rest",
    "/nothing",
    "/nothing/at/all",
    "/nothing%ff",
    "//",
    "/referencex",
    "/readyzx",
    "/readyz/x",
];

pub(super) async fn a_bad_token_is_refused_on_every_path() {
    let server = Server::start().await;
    let methods = [
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW",
    ];
    for path in PATHS {
        for method in methods {
            let method: Method = method.parse().expect("a method");
            for (authorization, expected) in [
                ("Bearer pat_x", StatusCode::UNAUTHORIZED),
                ("Bearer a b", StatusCode::BAD_REQUEST),
            ] {
                let request = server.request(method.clone(), path);
                let request = request.header("authorization", authorization);
                let refused = answer(request).await;
                assert_eq!(refused.status, expected, "{method} {path}");
                if method != Method::HEAD {
                    refused.problem();
                }
            }
        }
    }
    for path in PUBLIC {
        let public = answer(server.get(path).bearer_auth("pat_x")).await;
        assert_eq!(public.status, StatusCode::OK, "{path}");
    }
}

/// Foreign clients show what they find in JSON.
pub(super) async fn failures_under_rest_are_json() {
    let server = Server::start().await;
    let token = server.create("alice").await.raw;
    for (method, path, body, expected) in [
        (Method::GET, "/rest/nothing", "", 404),
        (Method::GET, "/rest/api/2/nothing", "", 404),
        (Method::GET, "/rest/api/2/issue/NONE-1", "", 404),
        (Method::GET, "/rest/pat/nothing", "", 404),
        (Method::PUT, "/rest/api/2/myself", "", 405),
        (Method::DELETE, "/rest/api/content", "", 405),
        (
            Method::POST,
            "/rest/auth/1/session",
            "{\"username\":5}",
            415,
        ),
        (Method::POST, "/rest/auth/1/session", "", 415),
    ] {
        let request = server.request(method.clone(), path).bearer_auth(&token);
        let failed = answer(request.body(body)).await;
        let cell = format!("{method} {path}: {failed:?}");
        assert_eq!(failed.status, expected, "{cell}");
        let json = failed.json();
        for member in ["/message", "/errorMessages/0"] {
            let message = json.pointer(member).and_then(|message| message.as_str());
            assert!(message.is_some_and(|message| message.len() > 10), "{cell}");
        }
        assert_eq!(json["errors"], json!({}), "{cell}");
        if expected == 405 {
            assert!(failed.header("allow").is_some(), "{cell}");
        }
    }
    let secret = json!({"username": "alice", "password": ["s3cret"]});
    let failed = answer(server.post("/rest/auth/1/session").json(&secret)).await;
    assert!(failed.status.is_client_error() && !failed.body.contains("s3cret"));
    let forged = server.post("/rest/auth/1/session").json(&secret);
    let forged = answer(forged.header("origin", "https://evil.example")).await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN);
    assert!(forged.json()["errorMessages"][0].is_string());
}

/// A head is as long as it may be, over either version of HTTP.
pub(super) async fn a_long_request_head_is_accepted() {
    let server = Server::start().await;
    let token = server.create("alice").await;
    let (http1, http2) = (client(), http2());
    for (len, is_taken) in [(40_000, true), (60_000, true), (70_000, false)] {
        for http in [&http1, &http2] {
            let request = http.get(format!("{}{MYSELF}", server.base));
            let request = request
                .bearer_auth(&token.raw)
                .header("x-long", "x".repeat(len));
            // Who is still writing may find the connection closed.
            let status = request.send().await.map(|answer| answer.status().as_u16());
            if is_taken {
                assert_eq!(status.expect("an answer"), 200, "{len}");
            } else {
                assert!(matches!(status, Ok(431) | Err(_)), "{len}: {status:?}");
            }
        }
    }
    assert_eq!(server.try_token(&token.raw).await, StatusCode::OK);
}
