//! The proxies of the guide, each as its configuration stands there.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::{Event, Sse};
use axum::routing::get;
use axum::{Router, serve};
use futures_util::future::join;
use futures_util::stream;
use pat_harness::proxy::{CADDY, ENVOY, HAPROXY, NGINX, Program, TRAEFIK};
use pat_harness::{MYSELF, Server, TOKENS, answer, client};
use pat_servers::environment::number;
use reqwest::StatusCode;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::time::sleep;

use super::proxies::{PATIENCE, SESSION, comes, cookie, opened};

/// With what the guide calls them.
pub(crate) const PROXIES: [(&str, &Program); 5] = [
    ("nginx", &NGINX),
    ("Caddy", &CADDY),
    ("Traefik", &TRAEFIK),
    ("Envoy", &ENVOY),
    ("HAProxy", &HAPROXY),
];

pub(super) async fn the_guides_proxy_serves_all(title: &'static str, program: &'static Program) {
    let silent = async {
        let proxy = program.start(&snippet(title, &silent_host().await)).await;
        let stream = client().get(format!("{}/events", proxy.base));
        let mut stream = opened(stream.timeout(Duration::from_hours(1))).await;
        // Longer in all than some proxies let an answer last.
        for count in 0..3 {
            let limit = silence() + PATIENCE;
            comes(&mut stream, &format!("data: {count}"), limit).await;
        }
    };
    let all = async {
        let server = Server::start().await;
        let proxy = program.start(&snippet(title, &server.base)).await;
        all_works(&server, &proxy.base).await;
    };
    join(silent, all).await;
}

/// The configuration in this section of the guide, for a host at this address.
pub(crate) fn snippet(title: &str, host: &str) -> String {
    let guide = include_str!("../../../pat-core/src/docs/proxies.md");
    let heading = format!("\n## {title}\n");
    let (_, section) = guide.split_once(&heading).expect("a section");
    let (_, rest) = section.split_once("\n```").expect("a snippet");
    let (snippet, _) = rest.split_once("\n```").expect("its end");
    let (_language, snippet) = snippet.split_once('\n').expect("lines");
    let (_, port) = host.rsplit_once(':').expect("a port");
    let there = ["127.0.0.1:8080", "127.0.0.1, port_value: 8080"];
    let there = there.into_iter().find(|there| snippet.contains(there));
    let there = there.unwrap_or_else(|| panic!("no address of a host in {snippet}"));
    snippet.replace(there, &there.replace("8080", port))
}

/// What people do, through this proxy.
async fn all_works(server: &Server, base: &str) {
    let url = |path: &str| format!("{base}{path}");
    let create = client()
        .post(url(TOKENS))
        .basic_auth("alice", Some("alice"));
    let create = create.header("origin", base).json(&json!({"name": "ci"}));
    let token = answer(create).await.created();
    let me = client().get(url(MYSELF)).bearer_auth(&token.raw);
    let me = answer(me.header("cookie", format!("other={}", "x".repeat(16 * 1_024)))).await;
    assert_eq!(
        (me.status, &me.json()["name"]),
        (StatusCode::OK, &json!("alice"))
    );
    let credentials = json!({"username": "alice", "password": "alice"});
    let signed_in = client().post(url(SESSION)).header("origin", base);
    let signed_in = answer(signed_in.json(&credentials)).await;
    assert_eq!(signed_in.status, StatusCode::OK);
    let list = client()
        .get(url("/tokens"))
        .header("cookie", cookie(&signed_in));
    let list = answer(list).await;
    assert!(
        list.status == StatusCode::OK && list.body.contains("ci"),
        "{list:?}"
    );
    let ids: Vec<_> = (1..140_000).collect();
    let bulk = client().delete(url("/rest/pat/latest/admin/tokens"));
    let bulk = answer(bulk.basic_auth("admin", Some("admin")).json(&ids)).await;
    assert_eq!(bulk.status, StatusCode::NO_CONTENT, "{bulk:?}");
    // There is no such user; with a slash instead it would be another path, with POST alone.
    let delete = client().delete(url("/demo/users/no%2Fbody"));
    let delete = answer(delete.basic_auth("admin", Some("admin"))).await;
    assert_eq!(delete.status, StatusCode::NOT_FOUND, "{delete:?}");
    let stream = client().get(url("/demo/events")).bearer_auth(&token.raw);
    let mut stream = opened(stream).await;
    comes(&mut stream, "data: 1", PATIENCE).await;
    drop(stream);
    let empty = stream::iter([Ok::<_, std::io::Error>(Vec::new())]);
    let revoke = client().delete(url(&token.path())).bearer_auth(&token.raw);
    let revoke = answer(revoke.body(reqwest::Body::wrap_stream(empty))).await;
    assert_eq!(revoke.status, StatusCode::NO_CONTENT, "{revoke:?}");
    assert_eq!(server.try_token(&token.raw).await, StatusCode::UNAUTHORIZED);
}

/// How long a stream says nothing.
fn silence() -> Duration {
    Duration::from_secs(number("PAT_TEST_PROXY_SILENCE", 1))
}

/// A host whose stream is silent between any two events.
async fn silent_host() -> String {
    let events = async || {
        let events = stream::unfold(0_u64, async |count| {
            sleep(silence() * u32::from(count > 0)).await;
            let event = Event::default().data(count.to_string());
            Some((Ok::<_, Infallible>(event), count + 1))
        });
        ([("x-accel-buffering", "no")], Sse::new(events))
    };
    let app: Router = Router::new().route("/events", get(events));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { serve(listener, app).await });
    base
}
