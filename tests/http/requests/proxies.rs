use std::sync::Arc;
use std::time::Duration;

use axum::extract::RawQuery;
use axum::routing::get;
use axum::{Router, serve};
use pat_core::{MemoryStore, Pats};
use pat_harness::proxy::NGINX;
use pat_harness::{Answer, Server, TOKENS, answer, client};
use pat_tower::pages::Pages;
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::time::timeout;
use url::Url;

pub(super) const SESSION: &str = "/rest/auth/1/session";
/// What the browser is at, as seen from the browser.
const OUTSIDE: &str = "http://pat.example:8081";

/// Asks the server, or a proxy before it, as a page of `OUTSIDE` does; the proxy passes on this host.
struct Browser {
    base: String,
    host: &'static str,
    origin: &'static str,
}

impl Browser {
    fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method = method.parse().expect("a method");
        client()
            .request(method, format!("{}{path}", self.base))
            .header("host", self.host)
            .header("origin", self.origin)
    }

    /// The statuses of what a page sends: both ways to sign in, a form, and the REST router.
    async fn statuses(&self, server: &Server) -> [u16; 4] {
        let credentials = json!({"username": "alice", "password": "alice"});
        let api = answer(self.request("POST", SESSION).json(&credentials)).await;
        let kind = "application/x-www-form-urlencoded";
        let form = self.request("POST", "/login").header("content-type", kind);
        let form = answer(form.body("username=alice&password=alice&return_to=")).await;
        // A session of one's own, whatever became of these.
        let own = answer(server.post(SESSION).json(&credentials)).await;
        let session = cookie(&own);
        let page = answer(server.get("/tokens/new").header("cookie", &session)).await;
        let cookies = format!("{session}; {}", cookie(&page));
        let (_, rest) = page
            .body
            .split_once("name=\"form_token\" value=\"")
            .expect("a form");
        let form_token = rest.split('"').next().expect("a value");
        let sent = self
            .request("POST", "/tokens/new")
            .header("content-type", kind);
        let sent = sent
            .header("cookie", &cookies)
            .body(format!("form_token={form_token}&name=&expires=30"));
        let rest = self.request("POST", TOKENS).header("cookie", &cookies);
        let rest = rest.json(&json!({"name": "a"}));
        let (sent, rest) = (answer(sent).await, answer(rest).await);
        [api, form, sent, rest].map(|answer| answer.status.as_u16())
    }
}

pub(super) fn cookie(answer: &Answer) -> String {
    let cookie = answer.header("set-cookie").expect("a cookie");
    cookie.split(';').next().expect("name and value").to_owned()
}

/// The form has no name, which is said by a page of status 400 after it was let through.
const ALL_LET_THROUGH: [u16; 4] = [200, 303, 400, 201];
const ALL_REFUSED: [u16; 4] = [403; 4];

pub(super) async fn a_base_url_replaces_a_host_that_a_proxy_changes() {
    let plain = Server::start().await;
    let configured = Server::with(&[("pat.base.url", "http://pat.example:8081/app")]).await;
    for (server, host, origin, expected) in [
        (&plain, "pat.example:8081", OUTSIDE, ALL_LET_THROUGH),
        (&plain, "pat.example", OUTSIDE, ALL_REFUSED),
        (&configured, "pat.example:8081", OUTSIDE, ALL_LET_THROUGH),
        (&configured, "pat.example", OUTSIDE, ALL_LET_THROUGH),
        (&configured, "127.0.0.1", OUTSIDE, ALL_LET_THROUGH),
        // Either matches.
        (
            &configured,
            "localhost:9",
            "http://localhost:9",
            ALL_LET_THROUGH,
        ),
        (
            &configured,
            "pat.example",
            "https://pat.example:8081",
            ALL_REFUSED,
        ),
        (
            &configured,
            "pat.example",
            "http://pat.example:8082",
            ALL_REFUSED,
        ),
        (
            &configured,
            "pat.example",
            "http://evil.example",
            ALL_REFUSED,
        ),
    ] {
        let browser = Browser {
            base: server.base.clone(),
            host,
            origin,
        };
        let statuses = browser.statuses(server).await;
        assert_eq!(statuses, expected, "{host} {origin}");
    }
    // What a client says of itself counts for nothing.
    for (name, value) in [
        ("x-forwarded-host", "evil.example"),
        ("forwarded", "host=evil.example;proto=http"),
        ("x-forwarded-server", "evil.example"),
        ("x-original-host", "evil.example"),
    ] {
        let forged = configured.post(TOKENS).basic_auth("alice", Some("alice"));
        let forged = forged
            .header("origin", "http://evil.example")
            .header(name, value)
            .json(&json!({"name": "a"}));
        assert_eq!(
            answer(forged).await.problem(),
            "cross-site-request",
            "{name}"
        );
    }
}

pub(super) async fn a_base_url_is_needed_behind_nginx_without_a_port() {
    for (properties, expected) in [
        (&[][..], ALL_REFUSED),
        (&[("pat.base.url", OUTSIDE)], ALL_LET_THROUGH),
    ] {
        let server = Server::with(properties).await;
        let nginx = NGINX
            .start(&format!(
                "location / {{ proxy_pass {}; proxy_set_header Host $host; }}",
                server.base
            ))
            .await;
        let browser = Browser {
            base: nginx.base.clone(),
            host: "pat.example:8081",
            origin: OUTSIDE,
        };
        assert_eq!(browser.statuses(&server).await, expected, "{properties:?}");
    }
}

/// A host that has its own sign-in, at a path that only the proxy knows.
async fn host(pages: Pages) -> String {
    let echo = async |RawQuery(query): RawQuery| query.unwrap_or_default();
    let app: Router = Router::new()
        .route("/login", get(echo))
        .nest("/settings", pages.router());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { serve(listener, app).await });
    base
}

pub(super) async fn the_sign_in_redirect_has_the_stripped_prefix() {
    let sign_in = |address: &str| {
        let pats = Pats::builder(Arc::new(MemoryStore::default())).build();
        Pages::new(pats).with_sign_in_url(address)
    };
    for (pages, expected) in [
        (
            sign_in("/login?return_to=").with_stripped_prefix("/app"),
            "/app/login?return_to=",
        ),
        (
            sign_in("/login?return_to=").with_stripped_prefix("app/"),
            "/app/login?return_to=",
        ),
        (
            sign_in("https://sso.example/?to=").with_stripped_prefix("/app"),
            "https://sso.example/?to=",
        ),
        (
            sign_in("//sso.example/?to=").with_stripped_prefix("/app"),
            "//sso.example/?to=",
        ),
    ] {
        let base = host(pages).await;
        let nginx = NGINX
            .start(&format!("location /app/ {{ proxy_pass {base}/; }}"))
            .await;
        let outside = |path: &str| client().get(format!("{}{path}", nginx.base));
        let path = "/app/settings/tokens/new?name=a%20b";
        let sent = answer(outside(path).header("accept", "text/html")).await;
        assert_eq!(sent.status, StatusCode::SEE_OTHER);
        let location = sent.header("location").expect("a location");
        let wanted = location.strip_prefix(expected).expect("the sign-in");
        let wanted = wanted
            .replace("%3F", "?")
            .replace("%3D", "=")
            .replace("%25", "%");
        assert_eq!(wanted, path, "comes back to where it wanted to go");
        if expected.starts_with("/app/") {
            let here = Url::parse(&nginx.base).and_then(|base| base.join(location));
            let there = answer(client().get(here.expect("a URL"))).await;
            assert_eq!(there.status, StatusCode::OK, "{location}");
            assert!(
                there.body.starts_with("return_to=/app/settings/"),
                "{}",
                there.body
            );
        }
        let slash = answer(outside("/app/settings/tokens/").header("accept", "text/html")).await;
        let to = slash.header("location").expect("a location");
        let base = Url::parse(&format!("{}/app/settings/tokens/", nginx.base));
        let to = base.and_then(|base| base.join(to)).expect("a URL");
        assert_eq!(to.path(), "/app/settings/tokens");
    }
}

/// How long what comes at once may take on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);

/// A stream that is begun at once.
pub(super) async fn opened(request: RequestBuilder) -> Response {
    let stream = timeout(PATIENCE, request.send()).await;
    let stream = stream.expect("the head is held back").expect("an answer");
    assert_eq!(stream.status(), StatusCode::OK);
    stream
}

/// Reads a stream until this comes.
pub(super) async fn comes(stream: &mut Response, expected: &str, limit: Duration) {
    let reading = async {
        let mut seen = String::new();
        while !seen.contains(expected) {
            let chunk = stream.chunk().await.expect("a chunk");
            let chunk = chunk.expect("the stream goes on");
            seen.push_str(&String::from_utf8_lossy(&chunk));
        }
    };
    let came = timeout(limit, reading).await;
    assert!(came.is_ok(), "{expected} is held back");
}

pub(super) async fn a_stream_is_seen_through_nginx_as_it_comes() {
    let server = Server::start().await;
    let token = server.create("alice").await.raw;
    let nginx = NGINX
        .start(&format!("location / {{ proxy_pass {}; }}", server.base))
        .await;
    let stream = client().get(format!("{}/demo/events", nginx.base));
    let mut stream = opened(stream.bearer_auth(&token)).await;
    comes(&mut stream, "data: 1", PATIENCE).await;
    drop(stream);
    let export = client().get(format!("{}/admin/tokens/export", server.base));
    let export = answer(export.basic_auth("admin", Some("admin"))).await;
    assert_eq!(export.header("x-accel-buffering"), Some("no"));
}
