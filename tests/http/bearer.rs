//! The `Authorization` header, over raw sockets, so that no client tidies it up.

use std::fmt::Write as _;

use libtest_mimic::Trial;
use pat_harness::{MYSELF, Server, TOKENS, answer, trial};
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(each_authorization_header_has_one_answer),
        trial(a_grpc_request_is_refused_by_a_grpc_status),
        trial(all_bad_tokens_get_the_same_answer),
        trial(a_token_outside_the_authorization_header_is_ignored),
        trial(odd_paths_bypass_no_authentication),
        trial(only_the_exact_token_is_accepted),
        trial(modes::the_layer_keeps_to_the_table_in_each_mode),
    ]
}

/// Sends these bytes and returns the status and the head of the answer.
async fn send_raw(server: &Server, request: &[u8]) -> (u16, String) {
    let address = server.base.strip_prefix("http://").expect("an address");
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    // The server may answer and close before it has read everything.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while !answer.windows(4).any(|window| window == b"\r\n\r\n") {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(count) => answer.extend_from_slice(&buffer[..count]),
        }
    }
    let head = String::from_utf8_lossy(&answer).into_owned();
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .unwrap_or_default();
    (status, head)
}

async fn get_with(server: &Server, path: &str, authorization: &[&[u8]]) -> (u16, String) {
    let mut request =
        format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n").into_bytes();
    for value in authorization {
        request.extend_from_slice(b"Authorization:");
        request.extend_from_slice(value);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    send_raw(server, &request).await
}

async fn each_authorization_header_has_one_answer() {
    let server = Server::start().await;
    let token = server.create("alice").await.raw;
    let token = token.as_bytes();
    let with = |before: &[u8], after: &[u8]| [before, token, after].concat();
    let long = [b" Bearer ".as_slice(), &[b'a'; 257]].concat();
    // Near the limit of the server.
    let huge = [b" Bearer ".as_slice(), &vec![b'a'; 60 * 1024]].concat();
    let junk = [b" Bearer ".as_slice(), &[b'a'; 256]].concat();
    let one: &[(Vec<u8>, u16, &str)] = &[
        (with(b" Bearer ", b""), 200, ""),
        (with(b" bearer ", b""), 200, ""),
        (with(b" BEARER ", b""), 200, ""),
        (with(b"Bearer   ", b""), 200, ""),
        (with(b"\tBearer ", b" \t"), 200, ""),
        (with(b" Bearer\t", b""), 400, "error=\"invalid_request\""),
        (with(b" Bearer ", b" x"), 400, "error=\"invalid_request\""),
        (with(b" Bearer ", b", x"), 400, "error=\"invalid_request\""),
        (with(b" Bearer \"", b"\""), 400, "error=\"invalid_request\""),
        (
            with(b" Bearer token=", b""),
            400,
            "error=\"invalid_request\"",
        ),
        (
            with(b" Bearer Bearer ", b""),
            400,
            "error=\"invalid_request\"",
        ),
        (with(b" Bearer ", b"\xe4"), 400, "error=\"invalid_request\""),
        (b" Bearer".to_vec(), 400, "error=\"invalid_request\""),
        (b" Bearer %00".to_vec(), 400, "error=\"invalid_request\""),
        (long, 400, "error=\"invalid_request\""),
        (junk, 401, "error=\"invalid_token\""),
        (b" Bearer x".to_vec(), 401, "error=\"invalid_token\""),
        (
            b" Bearer eyJhbGciOiJIUzI1NiJ9.e30.abc".to_vec(),
            401,
            "error=\"invalid_token\"",
        ),
        (with(b" Bearer ", b"="), 401, "error=\"invalid_token\""),
        (with(b" Bearer ", b"a"), 401, "error=\"invalid_token\""),
        (with(b" Token ", b""), 401, "Bearer realm=\"PAT\"\r\n"),
        (with(b" Bearerx ", b""), 401, "Bearer realm=\"PAT\"\r\n"),
        (with(b" ", b""), 401, "Bearer realm=\"PAT\"\r\n"),
        (
            b" Negotiate \xff\xfe".to_vec(),
            401,
            "Bearer realm=\"PAT\"\r\n",
        ),
        (b"".to_vec(), 401, "Bearer realm=\"PAT\"\r\n"),
        (huge, 400, "error=\"invalid_request\""),
    ];
    for (value, status, challenge) in one {
        let (got, head) = get_with(&server, MYSELF, &[value]).await;
        let shown = value[..value.len().min(80)].escape_ascii();
        assert_eq!(got, *status, "{shown}\n{head}");
        assert!(head.contains(challenge), "{shown}\n{head}");
    }
    let good = with(b" Bearer ", b"");
    let several: &[&[&[u8]]] = &[
        &[&good, &good],
        &[&good, b" Basic YWxpY2U6YWxpY2U="],
        &[b" Basic YWxpY2U6YWxpY2U=", &good],
        &[b" Basic YWxpY2U6YWxpY2U=", b" Basic YWxpY2U6YWxpY2U="],
    ];
    for values in several {
        let (status, head) = get_with(&server, MYSELF, values).await;
        assert_eq!(status, 400, "{head}");
        assert!(head.contains("error=\"invalid_request\""), "{head}");
    }
    let (status, head) = get_with(&server, MYSELF, &[]).await;
    assert_eq!(status, 401);
    assert!(
        head.contains("Bearer realm=\"PAT\"\r\n"),
        "no error without credentials: {head}"
    );
    assert!(
        head.contains("Basic realm="),
        "beside the host's own challenge: {head}"
    );
}

async fn a_grpc_request_is_refused_by_a_grpc_status() {
    let server = Server::start().await;
    for content_type in ["application/grpc+proto", "application/grpc-web"] {
        for (token, error) in [("x", "invalid_token"), ("a b", "invalid_request")] {
            let request = format!(
                "POST {MYSELF} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\
                 Content-Type: {content_type}\r\nAuthorization: Bearer {token}\r\n\r\n"
            );
            let (status, head) = send_raw(&server, request.as_bytes()).await;
            assert_eq!(status, 200, "{head}");
            for line in [
                format!("content-type: {content_type}"),
                "grpc-status: 16".to_owned(),
                format!("www-authenticate: Bearer realm=\"PAT\", error=\"{error}\""),
            ] {
                assert!(
                    head.contains(&format!("\r\n{line}\r\n")),
                    "{line} in {head}"
                );
            }
        }
    }
}

async fn all_bad_tokens_get_the_same_answer() {
    let server = Server::start().await;
    let short = json!({"name": "a", "expirationDuration": 1});
    let expired = answer(
        server
            .post(TOKENS)
            .basic_auth("alice", Some("alice"))
            .json(&short),
    )
    .await;
    let expired = expired.created().raw;
    let (revoked, orphan) = (server.create("alice").await, server.create("bob").await.raw);
    answer(
        server
            .delete(&revoked.path())
            .basic_auth("alice", Some("alice")),
    )
    .await;
    let bob = "bob".parse().expect("an owner");
    let disabled = server.users.set_active(&bob, false).await;
    assert!(disabled.expect("an answer"));
    server.clock.advance(std::time::Duration::from_hours(25));
    let elsewhere = Server::start().await.create("alice").await.raw;
    let mut answers = Vec::new();
    for token in [
        &expired,
        &revoked.raw,
        &orphan,
        &elsewhere,
        "junk",
        "pat_",
        "eyJ.e30.x",
    ] {
        for path in [MYSELF, TOKENS, "/rest/pat/latest/nowhere"] {
            let mut answer = answer(server.get(path).bearer_auth(token)).await;
            answer.headers.remove("date");
            answer.headers.remove("x-request-id");
            answers.push((answer.status, answer.headers, answer.body));
        }
    }
    assert_eq!(answers[0].0, StatusCode::UNAUTHORIZED);
    answers.dedup();
    assert_eq!(answers.len(), 1, "byte for byte: {answers:#?}");
}

async fn a_token_outside_the_authorization_header_is_ignored() {
    let server = Server::start().await;
    let token = server.create("alice").await.raw;
    for path in [
        format!("{MYSELF}?access_token={token}"),
        format!("{TOKENS}?token={token}"),
    ] {
        assert_eq!(
            answer(server.get(&path)).await.status,
            StatusCode::UNAUTHORIZED
        );
    }
    let form = format!("access_token={token}");
    let kind = "application/x-www-form-urlencoded";
    let request = server
        .post("/rest/api/2/search")
        .header("content-type", kind)
        .body(form);
    assert_eq!(answer(request).await.status, StatusCode::UNAUTHORIZED);
    for header in [
        "x-authorization",
        "x-api-key",
        "cookie",
        "proxy-authorization",
    ] {
        let request = server.get(MYSELF).header(header, format!("Bearer {token}"));
        assert_eq!(
            answer(request).await.status,
            StatusCode::UNAUTHORIZED,
            "{header}"
        );
    }
    let digest = pat_core::TokenDigest::of(token.as_bytes());
    let mut hex = String::new();
    for byte in digest.as_bytes() {
        write!(hex, "{byte:02x}").expect("a string takes all");
    }
    assert_eq!(
        server.try_token(&hex).await,
        StatusCode::UNAUTHORIZED,
        "a digest is no token"
    );
}

async fn odd_paths_bypass_no_authentication() {
    let server = Server::start().await;
    let protected = [
        "rest/api/2/myself",
        "rest/pat/latest/tokens",
        "rest/api/2/project",
    ];
    let shapes: &[fn(&str) -> String] = &[
        |path| format!("/{path}"),
        |path| format!("//{path}"),
        |path| format!("/./{path}"),
        |path| format!("/x/../{path}"),
        |path| format!("/{path}/"),
        |path| format!("/{path};x"),
        |path| format!("/{path};.jsp"),
        |path| format!("/{path}/RPC2"),
        |path| format!("/{path}%2f"),
        |path| format!("/{path}%00"),
        |path| format!("/{path}?/login"),
        |path| format!("/{path}#/login"),
        |path| format!("/login/../{path}"),
        |path| format!("/readyz;/../{path}"),
        |path| format!("/%2e/{path}"),
        |path| format!("/{}", path.to_uppercase()),
        |path| format!("/{}", path.replace('/', "%2f")),
        |path| format!("/{}", path.replace('/', "\\")),
        |path| format!("http://x/{path}"),
    ];
    for method in ["GET", "POST", "HEAD", "TRACE", "OPTIONS", "CONNECT", "BREW"] {
        for shape in shapes {
            for path in protected.map(shape) {
                let request =
                    format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
                let (status, head) = send_raw(&server, request.as_bytes()).await;
                assert!((400..500).contains(&status), "{method} {path}: {head}");
            }
        }
    }
}

async fn only_the_exact_token_is_accepted() {
    let server = Server::start().await;
    let token = server.create("alice").await.raw;
    let other = server.create("alice").await.raw;
    let mut wrong = vec![
        token.to_uppercase(),
        token.to_lowercase(),
        token.replace("pat_", "PAT_"),
        token.replace("pat_", ""),
        format!("{}{}", &token[..20], &other[20..]),
        token.chars().rev().collect(),
        token.repeat(2),
        token.replace('_', "%5F"),
    ];
    wrong.extend((1..token.len()).map(|end| token[..end].to_owned()));
    wrong.extend((1..token.len()).map(|start| token[start..].to_owned()));
    for token in &wrong {
        let answer = answer(server.get(MYSELF).bearer_auth(token)).await;
        assert!(answer.status.is_client_error(), "{}", answer.body);
    }
    for method in [Method::GET, Method::POST] {
        let request = server
            .request(method, "/rest/api/2/search")
            .bearer_auth(&token);
        assert_eq!(answer(request).await.status, StatusCode::OK);
    }
}

/// The layer by itself, in each mode, around a service that tells what reaches it.
mod modes {
    use std::convert::Infallible;

    use bytes::Bytes;
    use http::{Request, Response, StatusCode, header};
    use http_body_util::{BodyExt as _, Full};
    use pat_core::{AuthError, MemoryStore, Pats};
    use pat_tower::{Pat, PatLayer, PatRejection};
    use tower::{Layer as _, ServiceExt as _, service_fn};

    use pat_harness::node::bearer;

    /// Answers with who is calling and what is left of the `Authorization` header.
    async fn echo(request: Request<()>) -> Result<Response<Full<Bytes>>, Infallible> {
        let caller = Pat::of(request.extensions()).map(|pat| pat.owner().to_string());
        let header = request.headers().get(header::AUTHORIZATION);
        let kept = header.map_or("none", |header| {
            if header.is_sensitive() {
                "hidden"
            } else {
                "open"
            }
        });
        let text = format!("{} {kept}", caller.as_deref().unwrap_or("anonymous"));
        Ok(Response::new(Full::from(text)))
    }

    async fn ask(layer: &PatLayer, authorization: Option<&str>) -> (u16, String) {
        let mut request = Request::builder();
        if let Some(value) = authorization {
            request = request.header(header::AUTHORIZATION, value);
        }
        let request = request.body(()).expect("a request");
        let response = layer
            .layer(service_fn(echo))
            .oneshot(request)
            .await
            .expect("an answer");
        let status = response.status();
        let challenge = response.headers().get(header::WWW_AUTHENTICATE);
        if let Some(challenge) = challenge {
            let text = challenge.to_str().expect("a text header");
            let error = text
                .strip_prefix("Bearer realm=\"PAT\"")
                .expect("our challenge");
            return (status.as_u16(), error.trim_start_matches(", ").to_owned());
        }
        let body = response
            .into_body()
            .collect()
            .await
            .expect("a body")
            .to_bytes();
        (status.as_u16(), String::from_utf8_lossy(&body).into_owned())
    }

    fn told(status: u16, text: &str) -> (u16, String) {
        (status, text.to_owned())
    }

    pub(super) async fn the_layer_keeps_to_the_table_in_each_mode() {
        let pats = Pats::builder(std::sync::Arc::new(MemoryStore::default())).build();
        let bearer = bearer(&pats).await;
        let good = Some(bearer.as_str());
        let (bad, foreign) = (Some("Bearer pat_x"), Some("Bearer eyJ.e30.x"));
        let (basic, malformed) = (Some("Basic YTph"), Some("Bearer a b"));

        let required = PatLayer::required(pats.clone());
        assert_eq!(ask(&required, good).await, told(200, "alice none"));
        assert_eq!(ask(&required, None).await, told(401, ""));
        assert_eq!(ask(&required, basic).await, told(401, ""));
        assert_eq!(
            ask(&required, bad).await,
            told(401, "error=\"invalid_token\"")
        );
        assert_eq!(
            ask(&required, malformed).await,
            told(400, "error=\"invalid_request\"")
        );

        let optional = PatLayer::optional(pats.clone());
        assert_eq!(ask(&optional, good).await, told(200, "alice none"));
        assert_eq!(ask(&optional, None).await, told(200, "anonymous none"));
        assert_eq!(ask(&optional, basic).await, told(200, "anonymous hidden"));
        assert_eq!(
            ask(&optional, bad).await,
            told(401, "error=\"invalid_token\"")
        );
        assert_eq!(
            ask(&optional, malformed).await,
            told(400, "error=\"invalid_request\"")
        );

        let lenient = PatLayer::dangerous_bad_token_is_anonymous(pats.clone());
        assert_eq!(ask(&lenient, good).await, told(200, "alice none"));
        assert_eq!(ask(&lenient, bad).await, told(200, "anonymous none"));
        assert_eq!(
            ask(&lenient, malformed).await,
            told(400, "error=\"invalid_request\"")
        );

        let foreign_passes = PatLayer::optional(pats.clone()).pass_unrecognized();
        assert_eq!(
            ask(&optional, foreign).await,
            told(401, "error=\"invalid_token\"")
        );
        assert_eq!(
            ask(&foreign_passes, foreign).await,
            told(200, "anonymous hidden")
        );
        let keeps = PatLayer::required(pats.clone()).keep_authorization_header();
        assert_eq!(ask(&keeps, good).await, told(200, "alice hidden"));

        stacked(&pats, &bearer).await;
    }

    /// Two layers of one service decide once; another service decides anew.
    async fn stacked(pats: &Pats, good: &str) {
        let request = || {
            Request::builder()
                .header(header::AUTHORIZATION, good)
                .body(())
                .expect("a request")
        };
        let ours = || PatLayer::required(pats.clone());
        let twice = ours().layer(ours().layer(service_fn(echo)));
        let response = twice.oneshot(request()).await.expect("an answer");
        assert_eq!(
            response.status(),
            StatusCode::OK,
            "the inner layer takes the outer one's word"
        );
        let lenient = PatLayer::dangerous_bad_token_is_anonymous(pats.clone());
        let bad = Request::builder()
            .header(header::AUTHORIZATION, "Bearer pat_x")
            .body(());
        let response = lenient
            .layer(ours().layer(service_fn(echo)))
            .oneshot(bad.expect("a request"));
        let response = response.await.expect("an answer");
        assert_eq!(
            response.status(),
            StatusCode::UNAUTHORIZED,
            "refused is refused further in"
        );
        let rejection = response.extensions().get::<PatRejection>();
        let reason = rejection.and_then(PatRejection::reason);
        assert!(
            matches!(reason, Some(AuthError::Unrecognized)),
            "for layers outside: {reason:?}"
        );
        let other =
            PatLayer::required(Pats::builder(std::sync::Arc::new(MemoryStore::default())).build());
        let keeps = ours().keep_authorization_header();
        let response = keeps
            .layer(other.layer(service_fn(echo)))
            .oneshot(request())
            .await;
        let status = response.expect("an answer").status();
        assert_eq!(
            status,
            StatusCode::UNAUTHORIZED,
            "another service does not know the token"
        );
    }
}
