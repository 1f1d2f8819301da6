//! Over connections, on which web sockets begin: with `Upgrade` over HTTP/1.1, and with `CONNECT` over HTTP/2.

use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::routing::{any, get};
use http::{HeaderMap, Request};
use hyper::ext::Protocol;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use pat_tower::PatLayer;
use pat_tower::scope::{ScopeMap, ScopedRouter};
use pat_tower::testing::TestPats;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::test_pats;

/// Serves on a port of its own, until the test ends.
async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = TowerToHyperService::new(app.clone());
            tokio::spawn(async move {
                let mut builder = auto::Builder::new(TokioExecutor::new());
                builder.http2().enable_connect_protocol();
                let io = TokioIo::new(stream);
                builder.serve_connection_with_upgrades(io, service).await
            });
        }
    });
    address
}

fn bearer(headers: &HeaderMap) -> &str {
    headers["authorization"].to_str().expect("text")
}

/// Asks for a web socket over HTTP/1.1, and returns the status.
async fn upgrade(address: SocketAddr, path: &str, headers: &HeaderMap) -> u16 {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGVzdA==\r\n\r\n",
        bearer(headers)
    );
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut start = [0; 12];
    stream.read_exact(&mut start).await.expect("a status line");
    let start = str::from_utf8(&start).expect("text");
    start["HTTP/1.1 ".len()..].parse().expect("a status")
}

/// Sends a request over HTTP/2, which is an extended `CONNECT` with a protocol, and returns the status.
async fn http2(
    address: SocketAddr,
    method: &str,
    path: &str,
    protocol: Option<&'static str>,
    headers: &HeaderMap,
) -> u16 {
    let stream = TcpStream::connect(address).await.expect("a connection");
    let io = TokioIo::new(stream);
    let (mut client, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io)
        .await
        .expect("HTTP/2");
    tokio::spawn(connection);
    let request = || {
        let uri = format!("http://{address}{path}");
        let request = Request::builder().method(method).uri(uri);
        let mut request = request.header("authorization", bearer(headers));
        if let Some(protocol) = protocol {
            request = request.extension(Protocol::from_static(protocol));
        }
        request.body(Body::empty()).expect("a request")
    };
    // Until the server's settings arrive, the client does not know that it may send such requests.
    for _ in 0..100 {
        client.ready().await.expect("a connection");
        if let Ok(response) = client.send_request(request()).await {
            return response.status().as_u16();
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("no response")
}

/// Opens a web socket over both versions of HTTP.
async fn check_socket(address: SocketAddr, headers: &HeaderMap, expected: u16) {
    assert_eq!(upgrade(address, "/socket", headers).await, expected);
    let protocol = Some("websocket");
    let connect = http2(address, "CONNECT", "/socket", protocol, headers).await;
    assert_eq!(connect, expected);
}

pub(super) async fn a_web_socket_needs_the_scope_of_its_route() {
    let test = test_pats();
    let (router, map) = ScopedRouter::new()
        .any("/socket", "write", async || "a socket")
        .get("/get", "read", async || "get")
        .into_parts();
    let layer = PatLayer::required(test.pats()).with_scope_map(map);
    let app = router.layer(layer.expect("declared scopes"));
    check(&test, app, 403).await;
}

pub(super) async fn a_web_socket_needs_the_scope_for_writing() {
    let test = test_pats();
    let map = ScopeMap::by_method("read", "write");
    let layer = PatLayer::required(test.pats()).with_scope_map(map);
    let app = Router::new()
        .route("/socket", any(async || "a socket"))
        .route("/get", get(async || "get"))
        .layer(layer.expect("declared scopes"));
    // The map declares every request, and the router has no such method.
    check(&test, app, 405).await;
}

/// Asks for a web socket and a page over both versions of HTTP. `by_post` is the status of a `POST` of the page, for a
/// token that may write.
async fn check(test: &TestPats, app: Router, by_post: u16) {
    let address = serve(app).await;
    let reader = test.token_with_scopes("alice", &["read"]).await;
    let writer = test.token_with_scopes("alice", &["write"]).await;
    check_socket(address, &reader, 403).await;
    check_socket(address, &writer, 200).await;
    for (headers, by_post) in [(&reader, 403), (&writer, by_post)] {
        assert_eq!(http2(address, "GET", "/get", None, headers).await, 200);
        assert_eq!(http2(address, "HEAD", "/get", None, headers).await, 200);
        assert_eq!(http2(address, "POST", "/get", None, headers).await, by_post);
    }
}
