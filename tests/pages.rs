//! The pages over HTTP: who gets what, forged forms, headers, and what is escaped.

use axum::body::Body;
use axum::{Extension, Router};
use http::Request;
use http_body_util::BodyExt as _;
use libtest_mimic::Trial;
use pat_core::testing::TestDirectory;
use pat_core::{Caller, MemoryStore, Pats};
use pat_tower::pages::Pages;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::json;
use tower::ServiceExt as _;

use crate::common::gated::Gated;
use crate::common::{Answer, Server, TOKENS, answer, named_users, trial};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("pages::strangers_are_sent_to_the_sign_in", strangers),
        trial("pages::others_see_and_revoke_nothing", others),
        trial("pages::forged_forms_do_nothing", forged),
        trial("pages::every_answer_has_the_headers", headers),
        trial("pages::names_are_text", names),
        trial("pages::a_token_is_in_one_answer", one_answer),
        trial("pages::a_form_that_comes_twice_creates_one_token", twice),
        trial("pages::nonsense_is_never_a_failure", nonsense),
        trial("pages::an_outage_is_a_page_too", outage),
        trial("pages::they_work_wherever_they_are_mounted", mounted),
        trial("pages::a_csv_has_every_token_once", csv),
        trial("pages::the_limits_are_those_of_the_policy", limits),
    ]
}

const ADMIN: &str = "/admin/tokens";

/// A browser session: the cookies of the sign-in and of the forms, and the token of its forms.
struct Session {
    cookies: String,
    form_token: String,
}

impl Session {
    async fn start(server: &Server, user: &str) -> Self {
        let credentials = json!({"username": user, "password": user});
        let signed_in = answer(server.post("/rest/auth/1/session").json(&credentials)).await;
        let session = cookie(&signed_in);
        let page = answer(server.get("/tokens/new").header("cookie", &session)).await;
        Self {
            cookies: format!("{session}; {}", cookie(&page)),
            form_token: field(&page.body, "form_token"),
        }
    }

    async fn get(&self, server: &Server, path: &str) -> Answer {
        answer(server.get(path).header("cookie", &self.cookies)).await
    }

    fn post(&self, server: &Server, path: &str, fields: &[(&str, &str)]) -> RequestBuilder {
        let mut fields = fields.to_vec();
        fields.push(("form_token", &self.form_token));
        form(server, path, &fields).header("cookie", &self.cookies)
    }

    /// The answer to the form for a new token.
    async fn create(&self, server: &Server, name: &str) -> Answer {
        let page = self.get(server, "/tokens/new").await;
        let seen = field(&page.body, "seen");
        let fields = [("name", name), ("expires", "30"), ("seen", &seen)];
        answer(self.post(server, "/tokens/new", &fields)).await
    }
}

fn form(server: &Server, path: &str, fields: &[(&str, &str)]) -> RequestBuilder {
    let mut body = url::form_urlencoded::Serializer::new(String::new());
    body.extend_pairs(fields);
    let request = server.post(path).body(body.finish());
    request.header("content-type", "application/x-www-form-urlencoded")
}

fn cookie(answer: &Answer) -> String {
    let cookie = answer.header("set-cookie").expect("a cookie");
    cookie.split(';').next().expect("name and value").to_owned()
}

/// The value of a hidden field.
fn field(html: &str, name: &str) -> String {
    let start = format!("name=\"{name}\" value=\"");
    let (_, rest) = html
        .split_once(&start)
        .unwrap_or_else(|| panic!("no {name}"));
    rest.split('"').next().expect("a value").to_owned()
}

/// The token that a page shows.
fn shown(html: &str) -> String {
    let (_, rest) = html.split_once("data-secret>").expect("a token");
    rest.split('<').next().expect("a token").to_owned()
}

/// Every page and form, for this token.
fn paths(id: i64) -> Vec<(Method, String)> {
    let mut paths = Vec::new();
    for path in ["/tokens", "/tokens/new", ADMIN] {
        paths.push((Method::GET, path.to_owned()));
    }
    for path in [
        format!("/tokens/{id}/revoke"),
        format!("{ADMIN}/revoke?id={id}"),
        format!("{ADMIN}/export"),
        format!("/tokens/{id}"),
    ] {
        paths.push((Method::GET, path));
    }
    for path in [
        "/tokens/new".to_owned(),
        format!("/tokens/{id}/revoke"),
        format!("{ADMIN}/revoke"),
    ] {
        paths.push((Method::POST, path));
    }
    paths
}

async fn strangers() {
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
            _ if path.starts_with(ADMIN) => ADMIN.to_owned(),
            _ => "/tokens".to_owned(),
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

async fn others() {
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
        if !path.starts_with(ADMIN) {
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

async fn forged() {
    let server = Server::start().await;
    let token = server.create("alice").await;
    let id = token.id.to_string();
    let alice = Session::start(&server, "alice").await;
    let second = Session::start(&server, "alice").await;
    let admin = Session::start(&server, "admin").await;
    let own = format!("/tokens/{id}/revoke");
    let forms: [(&Session, &str, Vec<(&str, &str)>); 3] = [
        (
            &alice,
            "/tokens/new",
            vec![("name", "forged"), ("expires", "30")],
        ),
        (&alice, &own, vec![]),
        (&admin, "/admin/tokens/revoke", vec![("id", &id)]),
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
    let (cookie, _) = (alice.cookies.split("; ").nth(1).expect("a cookie"), ());
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
    assert_eq!(revoked.header("location"), Some("../../tokens?revoked"));
    assert_eq!(server.try_token(&token.raw).await, StatusCode::UNAUTHORIZED);
    // A script with a token has nothing that a browser would send by itself.
    let script = server.create("alice").await;
    let fields = [("name", "by script"), ("expires", "30")];
    let request = form(&server, "/tokens/new", &fields).bearer_auth(&script.raw);
    let created = answer(request).await;
    assert_eq!(created.status, StatusCode::CREATED);
    assert_eq!(created.header("set-cookie"), None);
}

async fn headers() {
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
        for (name, value) in [
            ("cache-control", "no-store"),
            ("referrer-policy", "same-origin"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}");
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
    let none = answer(server.get("/tokens/assets/other.css")).await;
    assert_eq!(none.status, StatusCode::NOT_FOUND);
}

async fn names() {
    let server = Server::start().await;
    for name in [
        "<img src=x onerror=alert(1)>",
        "\"><script>1</script>",
        "a\u{202e}b",
        "=1+1",
    ] {
        let body = json!({"name": name, "expirationDuration": 9});
        let request = server
            .post(TOKENS)
            .basic_auth("alice", Some("alice"))
            .json(&body);
        let id = answer(request).await.created().id;
        let alice = Session::start(&server, "alice").await;
        let admin = Session::start(&server, "admin").await;
        let escaped = name
            .replace('"', "&#34;")
            .replace('<', "&#60;")
            .replace('>', "&#62;");
        let filled = format!("/tokens/new?name={}", name.replace('+', "%2B"));
        for (session, path, is_isolated) in [
            (&alice, "/tokens".to_owned(), true),
            (&alice, format!("/tokens/{id}/revoke"), false),
            (&alice, filled, false),
            (&admin, "/admin/tokens".to_owned(), true),
            (
                &admin,
                format!("/admin/tokens/revoke?id={id}&name={name}"),
                false,
            ),
        ] {
            let page = session.get(&server, &path).await;
            assert_eq!(page.status, StatusCode::OK, "{path}");
            assert!(page.body.contains(&escaped), "{path}: {name}");
            assert!(
                !page.body.contains("<img") && !page.body.contains("<script>"),
                "{path}"
            );
            let isolated = format!("<bdi>{escaped}</bdi>");
            assert!(
                !is_isolated || page.body.contains(&isolated),
                "{path}: {name}"
            );
        }
        let question = alice.get(&server, &format!("/tokens/{id}/revoke")).await;
        assert!(
            question
                .body
                .contains(&format!("\u{2068}{escaped}\u{2069}"))
        );
    }
    let csv = server
        .get("/admin/tokens/export")
        .basic_auth("admin", Some("admin"));
    let csv = answer(csv).await;
    assert!(csv.body.contains("\"'=1+1\""), "{}", csv.body);
    assert!(csv.body.contains("\"\"\"><script>1</script>\""));
}

async fn one_answer() {
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

async fn twice() {
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

async fn nonsense() {
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

/// The pages without a server, for one caller.
fn alone(pages: Pages, user: &str) -> Router {
    let caller = Caller::ambient(user.parse().expect("an owner"));
    Router::new()
        .nest("/a", Router::new().nest("/b", pages.router()))
        .layer(Extension(caller))
}

async fn call(
    app: &Router,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request
        .body(Body::from(body.to_owned()))
        .expect("a request");
    let response = app.clone().oneshot(request).await.expect("an answer");
    let (parts, body) = response.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    }
}

async fn outage() {
    let store = Gated::new(MemoryStore::default());
    let users: TestDirectory = named_users(&["alice"]);
    users.add_administrator("alice");
    let pats = Pats::builder(store.clone()).users(users.clone()).build();
    let app = alone(Pages::new(pats), "alice");
    // This store cannot be searched.
    for path in ["/a/b/admin/tokens", "/a/b/admin/tokens/export"] {
        let unknown = call(&app, "GET", path, &[], "").await;
        assert_eq!(unknown.status, StatusCode::NOT_IMPLEMENTED, "{path}");
    }
    let before = call(&app, "GET", "/a/b/tokens/new", &[], "").await;
    let cookie = cookie(&before);
    let body = format!(
        "form_token={}&name=a&expires=30",
        field(&before.body, "form_token")
    );
    store.set_down(true);
    users.set_down(true);
    for (method, path) in paths(1).into_iter().filter(|(_, path)| path != "/tokens/1") {
        let path = format!("/a/b{path}");
        let body = format!("{body}&id=1");
        let headers = [("cookie", cookie.as_str())];
        let down = call(&app, method.as_str(), &path, &headers, &body).await;
        assert_eq!(
            down.status,
            StatusCode::SERVICE_UNAVAILABLE,
            "{method} {path}"
        );
        assert_eq!(down.header("retry-after"), Some("1"), "{method} {path}");
        assert!(
            down.body.contains("Temporarily unavailable"),
            "{method} {path}"
        );
    }
}

async fn mounted() {
    let pats = Pats::builder(MemoryStore::default())
        .users(named_users(&["alice"]))
        .build();
    let app = alone(Pages::new(pats).sign_in("/in?to="), "alice");
    let page = call(&app, "GET", "/a/b/tokens/new", &[], "").await;
    assert_eq!(page.status, StatusCode::OK);
    let cookie = page.header("set-cookie").expect("a cookie");
    assert!(cookie.starts_with("__Host-pat-form="), "{cookie}");
    assert!(
        cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure"),
        "{cookie}"
    );
    let cookie = cookie.split(';').next().expect("name and value").to_owned();
    // Every link leads to something.
    let here = url::Url::parse("https://host/a/b/tokens/new").expect("an address");
    let links: Vec<_> = page
        .body
        .split("href=\"")
        .chain(page.body.split("src=\""))
        .collect();
    let links = links.iter().filter_map(|rest| rest.split('"').next());
    let links: Vec<_> = links.filter(|link| link.starts_with("..")).collect();
    assert!(links.len() >= 3, "{links:?}");
    for link in links {
        let target = here.join(link).expect("a link");
        let path = &target[url::Position::BeforePath..];
        let followed = call(&app, "GET", path, &[], "").await;
        assert_eq!(followed.status, StatusCode::OK, "{link}");
    }
    let body = format!(
        "form_token={}&name=a&expires=30",
        field(&page.body, "form_token")
    );
    let created = call(
        &app,
        "POST",
        "/a/b/tokens/new",
        &[("cookie", &cookie)],
        &body,
    )
    .await;
    assert_eq!(created.status, StatusCode::CREATED);
    let list = call(&app, "GET", "/a/b/tokens", &[("cookie", &cookie)], "").await;
    let (_, link) = list
        .body
        .split_once("href=\"tokens/")
        .filter(|_| true)
        .expect("a link");
    let _first = link;
    let link = list
        .body
        .split("href=\"")
        .filter_map(|rest| rest.split('"').next());
    let link = link
        .filter(|link| link.ends_with("/revoke"))
        .next()
        .expect("a link");
    let path = format!("/a/b/{link}");
    let revoked = call(&app, "POST", &path, &[("cookie", &cookie)], &body).await;
    let target = url::Url::parse(&format!("https://host{path}")).expect("an address");
    let target = target
        .join(revoked.header("location").expect("a redirect"))
        .expect("a link");
    assert_eq!(target.as_str(), "https://host/a/b/tokens?revoked");
}

async fn csv() {
    let server = Server::with(&[("atlassian.pats.max.tokens.per.user", "2000")]).await;
    let caller = Caller::explicit("alice".parse().expect("an owner"));
    let mut ids = Vec::new();
    for number in 0..1_203 {
        let request = pat_core::TokenRequest {
            name: format!("n{}", number % 7),
            lifetime_days: (number % 2 == 0).then_some(9),
        };
        let created = server.pats.create(&caller, request).await.expect("a token");
        ids.push(created.token.id.get().to_string());
    }
    for (query, keep) in [
        ("", 1_203),
        ("?sort=name", 1_203),
        ("?name=n3&sort=expires", 172),
    ] {
        let request = server.get(&format!("/admin/tokens/export{query}"));
        let csv = answer(request.basic_auth("admin", Some("admin"))).await;
        let kind = csv.header("content-type").expect("a type");
        assert!(kind.starts_with("text/csv; charset=utf-8"), "{kind}");
        let name = csv.header("content-disposition").expect("a name");
        assert!(
            name.starts_with("attachment") && name.contains(".csv\""),
            "{name}"
        );
        let body = csv.body.trim_start_matches('\u{feff}');
        let mut lines = body.split_terminator("\r\n");
        assert!(
            lines
                .next()
                .is_some_and(|head| head.starts_with("\"id\",\"name\",\"owner\""))
        );
        let mut found: Vec<_> = lines
            .map(|line| line.split('"').nth(1).expect("an id"))
            .collect();
        assert_eq!(found.len(), keep, "{query}");
        found.sort_unstable();
        found.dedup();
        assert_eq!(found.len(), keep, "{query}");
        assert!(found.iter().all(|id| ids.iter().any(|known| known == id)));
    }
    // The pages of the list have each token once, too.
    let admin = Session::start(&server, "admin").await;
    let mut path = "/admin/tokens?sort=name".to_owned();
    let mut seen = std::collections::BTreeSet::new();
    let mut pages = 0;
    loop {
        let page = admin.get(&server, &path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        for part in page.body.split("name=\"id\" value=\"").skip(1) {
            let id = part.split('"').next().expect("an id").to_owned();
            assert!(seen.insert(id), "a token came twice");
        }
        pages += 1;
        let Some((_, rest)) = page.body.split_once("rel=\"next\" href=\"") else {
            break;
        };
        let next = rest
            .split('"')
            .next()
            .expect("a link")
            .replace("&#38;", "&");
        path = format!("/{next}");
    }
    assert_eq!((seen.len(), pages), (1_203, 25));
}

async fn limits() {
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
