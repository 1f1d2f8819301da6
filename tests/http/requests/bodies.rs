use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::{StreamExt as _, stream};
use pat_harness::{Answer, Server, TOKENS, answer};
use reqwest::{Body, Method, RequestBuilder, StatusCode, Version};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{http2, send, status};

const SEARCH: &str = "/rest/pat/latest/tokens/search";
const IDENTIFY: &str = "/rest/pat/latest/admin/tokens/identify";
const REVOKE: &str = "/rest/pat/latest/admin/tokens/revoke";
const BULK: &str = "/rest/pat/latest/admin/tokens";
/// All that read a body.
const READERS: [(Method, &str); 6] = [
    (Method::POST, TOKENS),
    (Method::PATCH, "/rest/pat/latest/tokens/1"),
    (Method::POST, SEARCH),
    (Method::POST, IDENTIFY),
    (Method::POST, REVOKE),
    (Method::DELETE, BULK),
];

fn by(request: RequestBuilder, user: &str) -> RequestBuilder {
    request.basic_auth(user, Some(user))
}

/// An empty body in chunks, and over HTTP/2 an empty frame with the end.
pub(super) async fn an_empty_body_needs_no_media_type() {
    let server = Server::start().await;
    let http2 = http2();
    for version in [Version::HTTP_11, Version::HTTP_2] {
        for kind in [None, Some("text/plain"), Some("application/octet-stream")] {
            let token = server.create("alice").await;
            for (method, path, expected) in [
                (Method::GET, TOKENS.to_owned(), 200),
                (Method::GET, token.path(), 200),
                (Method::GET, format!("{TOKENS}/current"), 200),
                (Method::GET, "/rest/pat/latest/policy".to_owned(), 200),
                (Method::DELETE, token.path(), 204),
            ] {
                let empty = stream::iter([Ok::<_, std::io::Error>(Bytes::new())]);
                let request = if version == Version::HTTP_2 {
                    http2.request(method.clone(), format!("{}{path}", server.base))
                } else {
                    server.request(method.clone(), &path)
                };
                let mut request = request
                    .bearer_auth(&token.raw)
                    .body(Body::wrap_stream(empty));
                if let Some(kind) = kind {
                    request = request.header("content-type", kind);
                }
                let answer = request.send().await.expect("an answer");
                let cell = format!("{version:?} {method} {path} {kind:?}");
                assert_eq!(answer.version(), version, "{cell}");
                assert_eq!(answer.status(), expected, "{cell}");
            }
            assert_eq!(
                server.try_token(&token.raw).await,
                StatusCode::UNAUTHORIZED,
                "revoked"
            );
        }
    }
    // Where one is wanted, an empty one is none, whatever it is called.
    for kind in ["application/json", "text/plain"] {
        for (method, path) in [(Method::POST, TOKENS), (Method::DELETE, BULK)] {
            let request = by(server.request(method, path), "admin").header("content-type", kind);
            let empty = stream::iter([Ok::<_, std::io::Error>(Bytes::new())]);
            let refused = answer(request.body(Body::wrap_stream(empty))).await;
            assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{kind}");
            assert_eq!(refused.problem(), "malformed-body", "{kind}");
        }
    }
    // A body that nobody reads may be anything.
    let token = server.create("alice").await;
    let request = by(server.delete(&token.path()), "alice").header("content-type", "text/plain");
    let deleted = answer(request.body("because")).await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
}

pub(super) async fn json_may_begin_with_a_byte_order_mark() {
    let server = Server::start().await;
    let create = |body: String| {
        let request = by(server.post(TOKENS), "alice");
        answer(
            request
                .header("content-type", "application/json")
                .body(body),
        )
    };
    let marked = create("\u{feff}{\"name\":\"\u{feff}a\"}".to_owned()).await;
    assert_eq!(marked.status, StatusCode::CREATED, "{}", marked.body);
    assert_eq!(marked.json()["name"], "\u{feff}a", "only in front");
    for body in ["\u{feff}", "\u{feff}\u{feff}{\"name\":\"a\"}", " \n"] {
        let refused = create(body.to_owned()).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{body:?}");
    }
}

pub(super) async fn an_encoded_body_is_refused_by_its_encoding() {
    let server = Server::start().await;
    let token = server.create("alice").await;
    let gzip: &[u8] =
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xabV\xcaK\xccMU\xb2RJT\xaa\x05\x00";
    for (method, path) in READERS {
        for coding in ["gzip", "br", "identity, gzip", "GZIP"] {
            let request = by(server.request(method.clone(), path), "admin")
                .header("content-type", "application/json")
                .header("content-encoding", coding);
            let refused = answer(request.body(gzip)).await;
            assert_eq!(refused.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{path}");
            assert_eq!(refused.problem(), "unsupported-media-type");
            assert!(
                refused.body.contains("Content-Encoding"),
                "{}",
                refused.body
            );
            assert_eq!(refused.header("accept-encoding"), Some("identity"));
        }
    }
    let form = server.post("/tokens/new").bearer_auth(&token.raw);
    let form = form
        .header("content-type", "application/x-www-form-urlencoded")
        .header("content-encoding", "gzip");
    let refused = answer(form.body(gzip)).await;
    assert_eq!(refused.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let identity = by(server.post(TOKENS), "alice").header("content-encoding", "identity");
    let created = answer(identity.json(&json!({"name": "a"}))).await;
    assert_eq!(created.status, StatusCode::CREATED);
}

/// A secret at every place of a body, of every operation that reads one.
pub(super) async fn no_error_repeats_a_bodys_content() {
    let server = Server::start().await;
    let secret = server.create("bob").await.raw;
    let places = |value: &Value| {
        let text = value.to_string();
        let members = [
            "name",
            "expirationDuration",
            "expirationSeconds",
            "token",
            "ids",
            "filter",
            "expectedCount",
            "dryRun",
            "reason",
            "page",
            "limit",
            "cursor",
            "sortBy",
            "orderBy",
            "userKeys",
            "isUsed",
            "neverExpires",
            "enabled",
            "description",
            "status",
            "tokenCreatedDateFrom",
            "includeRevoked",
            "scopes",
            "unrestricted",
        ];
        let mut bodies = vec![
            text.clone(),
            secret.clone(),
            format!("[[{text}]]"),
            format!("{{{text}:1}}"),
            format!("{{\"name\":\"a\",{text}:1}}"),
            format!("{{\"filter\":{{{text}:1}},\"dryRun\":true}}"),
        ];
        for member in members {
            bodies.push(format!("{{\"{member}\":{text}}}"));
            bodies.push(format!("{{\"{member}\":[{text}]}}"));
            bodies.push(format!("{{\"{member}\":{{{text}:{text}}}}}"));
            bodies.push(format!("{{\"{member}\":{text}"));
            bodies.push(format!(
                "{{\"filter\":{{\"{member}\":[{text}]}},\"dryRun\":true}}"
            ));
        }
        bodies
    };
    let bodies = places(&json!(secret));
    let mut refused = 0;
    for (method, path) in READERS {
        for body in &bodies {
            let request = by(server.request(method.clone(), path), "admin");
            let request = request.header("content-type", "application/json");
            let answer = answer(request.body(body.clone())).await;
            if answer.status.is_client_error() {
                refused += 1;
                let headers = format!("{:?}", answer.headers);
                let shown = format!("{headers}{}", answer.body);
                let is_shown = shown.contains(&secret[..12]);
                assert!(!is_shown, "{method} {path} {body}: {shown}");
            }
        }
    }
    assert!(refused > 200, "{refused}");
}

/// Bodies that are longer than they may be, to whoever answers before the end, over raw sockets: no
/// write may fail, and the answer can be read.
pub(super) async fn a_client_that_sends_too_much_can_read_the_answer() {
    let server = Server::start().await;
    let token = server.create("alice").await.raw;
    let good = format!("authorization: Bearer {token}\r\n");
    let basic = "authorization: Basic YWxpY2U6YWxpY2U=\r\n";
    let json = "content-type: application/json\r\n";
    let long = 900 * 1024;
    for (request, expected) in [
        (format!("POST {TOKENS} HTTP/1.1\r\n{good}{json}"), 413),
        (format!("POST {TOKENS} HTTP/1.1\r\n{basic}{json}"), 413),
        (
            format!("POST {TOKENS}/search HTTP/1.1\r\n{good}{json}"),
            413,
        ),
        // Who is not let in, is somewhere else, or sends what nobody reads.
        (format!("POST {TOKENS} HTTP/1.1\r\n{json}"), 401),
        (
            format!("POST {TOKENS} HTTP/1.1\r\n{basic}{json}origin: https://evil.example\r\n"),
            403,
        ),
        (
            format!("POST {TOKENS}/nowhere/x HTTP/1.1\r\n{good}{json}"),
            404,
        ),
        (format!("PUT {TOKENS} HTTP/1.1\r\n{good}{json}"), 405),
        (format!("GET {TOKENS} HTTP/1.1\r\n{good}"), 200),
        (format!("POST /tokens/new HTTP/1.1\r\n{good}"), 413),
        (format!("POST /tokens/new HTTP/1.1\r\n{json}"), 401),
        (
            format!("POST /tokens/assets/pat.css HTTP/1.1\r\n{good}"),
            405,
        ),
    ] {
        let body = "x".repeat(long);
        let whole = format!(
            "{request}host: x\r\nconnection: close\r\ncontent-length: {long}\r\n\r\n{body}"
        );
        let chunk = "x".repeat(0xffff);
        let chunk = format!("ffff\r\n{chunk}\r\n");
        let chunked = format!(
            "{request}host: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n{}0\r\n\r\n",
            chunk.repeat(long / 0xffff)
        );
        for message in [whole, chunked] {
            let answer = send(&server, message.as_bytes()).await;
            let answer = answer.unwrap_or_else(|error| panic!("{request}: {error}"));
            assert_eq!(status(&answer), expected, "{request}: {answer}");
        }
    }
    // There is an end to it: of a body that goes on, the answer comes all the same.
    let endless = stream::repeat(Bytes::from_static(&[b'x'; 1000]))
        .then(async |chunk| {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Ok::<_, std::io::Error>(chunk)
        })
        .boxed();
    let request = by(server.request(Method::PUT, TOKENS), "alice").body(Body::wrap_stream(endless));
    let refused = request.send().await.expect("an answer");
    assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED);
    // A client that waits to be asked for its body is not asked.
    let waiting = format!(
        "PUT {TOKENS} HTTP/1.1\r\nhost: x\r\n{good}connection: close\r\nexpect: 100-continue\r\n\
         content-length: 1000\r\n\r\n"
    );
    let answer = send(&server, waiting.as_bytes()).await.expect("an answer");
    assert_eq!(status(&answer), 405, "{answer}");
}

pub(super) async fn ignored_members_of_a_search_are_named() {
    let server = Server::start().await;
    server.create("alice").await;
    let search = |path: &str, body: &Value| {
        let request = by(server.post(&format!("{SEARCH}{path}")), "admin");
        answer(request.json(body))
    };
    let misspelt: Answer = search("", &json!({"nmae": "x", "limit": 5, "userkeys": []})).await;
    assert_eq!(misspelt.status, StatusCode::OK);
    assert_eq!(misspelt.json()["size"], 1, "ignored, as clients expect");
    assert_eq!(
        misspelt.header("pat-ignored-fields"),
        Some(r#""nmae", "userkeys""#)
    );
    for path in ["", "?strict=false", "?strict=true"] {
        let known = search(path, &json!({"name": "ci", "page": 0})).await;
        assert_eq!(known.status, StatusCode::OK, "{path}");
        assert_eq!(known.header("pat-ignored-fields"), None, "{path}");
    }
    let strict = search("?strict=true", &json!({"nmae": "x"})).await;
    assert_eq!(strict.status, StatusCode::BAD_REQUEST);
    assert_eq!(strict.problem(), "invalid-search");
    assert_eq!(strict.header("pat-ignored-fields"), Some(r#""nmae""#));
    let nonsense = search("?strict=maybe", &json!({})).await;
    assert_eq!(nonsense.problem(), "invalid-search");
}

/// Who begins a request and does not go on keeps nothing for long.
pub(super) async fn an_incomplete_request_is_disconnected() {
    let server = Server::start().await;
    let head = format!("POST {TOKENS} HTTP/1.1\r\nHost: here\r\n");
    // alice:alice
    let body = format!(
        "{head}Authorization: Basic YWxpY2U6YWxpY2U=\r\nContent-Type: application/json\r\n\
         Content-Length: 20\r\n\r\n{{"
    );
    let address = server.base.strip_prefix("http://").expect("an address");
    // A connection that has been of use is kept, and no longer than that.
    let whole = "GET /readyz HTTP/1.1\r\nHost: here\r\n\r\n";
    let second = format!("{whole}{head}");
    let halves = ["", &head[..9], &head, &body, whole, &second];
    let ends = halves.map(async |half| {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        stream.write_all(half.as_bytes()).await.expect("a half");
        let mut answer = Vec::new();
        let end = stream.read_to_end(&mut answer);
        // However it ends.
        let ended = tokio::time::timeout(Duration::from_secs(40), end).await;
        assert!(ended.is_ok(), "{half:?} is waited for");
    });
    join_all(ends).await;
    let listed = answer(by(server.get(TOKENS), "alice")).await;
    assert_eq!(listed.json(), json!([]), "nothing was created");
}
