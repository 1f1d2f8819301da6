//! Requests of gRPC: a real client and server of tonic, and the layer by itself.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::post;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body::Body as _;
use http_body_util::Full;
use hyper_util::rt::TokioExecutor;
use libtest_mimic::Trial;
use pat_core::{MemoryStore, Pats, Settings};
use pat_harness::node::{Node, alice, bearer};
use pat_harness::trial;
use pat_tower::{Pat, PatLayer, PatRejection, RejectionKind, UntilInvalidLayer, WrappedBody};
use tokio::net::TcpListener;
use tonic::client::{self, GrpcService};
use tonic::codegen::StdError;
use tonic::server::{self, NamedService};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Status, Streaming};
use tonic_prost::ProstCodec;
use tonic_web::{GrpcWebClientLayer, GrpcWebLayer};
use tower::{Layer as _, Service, ServiceBuilder, ServiceExt as _, service_fn};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(a_grpc_client_is_refused_by_a_status),
        trial(a_handlers_unauthenticated_has_the_challenge),
        trial(a_grpc_stream_ends_with_its_token),
        trial(a_grpc_web_stream_ends_with_its_token),
        trial(a_refusal_is_headers_of_the_clients_content_type),
        trial(each_kind_of_rejection_has_a_code),
        trial(the_host_renders_rejections_of_grpc),
    ]
}

const GREET: &str = "/test.Greeter/Greet";
const TICK: &str = "/test.Greeter/Tick";

/// What `tonic-build` would generate for messages of one string.
type Codec = ProstCodec<String, String>;

#[derive(Clone)]
struct Greeter;

impl NamedService for Greeter {
    const NAME: &'static str = "test.Greeter";
}

impl Service<Request<tonic::body::Body>> for Greeter {
    type Response = Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<tonic::body::Body>) -> Self::Future {
        Box::pin(async move {
            let mut grpc = server::Grpc::new(Codec::default());
            Ok(match request.uri().path() {
                GREET => grpc.unary(service_fn(greet), request).await,
                TICK => grpc.server_streaming(service_fn(tick), request).await,
                path => Status::unimplemented(path).into_http(),
            })
        })
    }
}

async fn greet(request: tonic::Request<String>) -> Result<tonic::Response<String>, Status> {
    let pat = Pat::of(request.extensions());
    let pat = pat.ok_or_else(|| Status::unauthenticated("only with a token"))?;
    let greeting = format!("{} {}", request.get_ref(), pat.owner());
    Ok(tonic::Response::new(greeting))
}

/// An endless stream.
async fn tick(
    _: tonic::Request<String>,
) -> Result<tonic::Response<BoxStream<'static, Result<String, Status>>>, Status> {
    let ticks = stream::unfold((), async |()| {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Some((Ok("tick".to_owned()), ()))
    });
    Ok(tonic::Response::new(ticks.boxed()))
}

/// Serves until the test ends.
async fn serve(layer: PatLayer<WrappedBody>, pats: Pats) -> SocketAddr {
    let (incoming, address) = listen().await;
    let server = Server::builder()
        .layer(layer)
        .layer(UntilInvalidLayer::new(pats))
        .add_service(Greeter);
    tokio::spawn(server.serve_with_incoming(incoming));
    address
}

async fn listen() -> (TcpIncoming, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    (TcpIncoming::from(listener), address)
}

struct Client<T>(client::Grpc<T>);

impl Client<Channel> {
    async fn connect(address: SocketAddr) -> Self {
        let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("a URL");
        let channel = endpoint.connect().await.expect("a connection");
        Self(client::Grpc::new(channel))
    }
}

/// A client of gRPC-Web, over HTTP/1.1 as browsers may be.
fn web_client(address: SocketAddr) -> Client<impl TestService> {
    let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new());
    let service = ServiceBuilder::new()
        .layer(GrpcWebClientLayer::new())
        .service(client.build_http());
    let origin = format!("http://{address}").parse().expect("a URL");
    Client(client::Grpc::with_origin(service, origin))
}

/// What a client sends its requests through.
trait TestService:
    GrpcService<tonic::body::Body, ResponseBody = Self::Body, Error: Into<StdError>>
{
    type Body: http_body::Body<Data = Bytes, Error: Into<StdError> + Send> + Send + 'static;
}

impl<T, B> TestService for T
where
    T: GrpcService<tonic::body::Body, ResponseBody = B, Error: Into<StdError>>,
    B: http_body::Body<Data = Bytes, Error: Into<StdError> + Send> + Send + 'static,
{
    type Body = B;
}

impl<T: TestService> Client<T> {
    async fn greet(&mut self, bearer: Option<&str>) -> Result<tonic::Response<String>, Status> {
        self.ready().await;
        let path = PathAndQuery::from_static(GREET);
        self.0.unary(message(bearer), path, Codec::default()).await
    }

    async fn tick(&mut self, bearer: Option<&str>) -> Result<Streaming<String>, Status> {
        self.ready().await;
        let path = PathAndQuery::from_static(TICK);
        let stream = self
            .0
            .server_streaming(message(bearer), path, Codec::default())
            .await;
        stream.map(tonic::Response::into_inner)
    }

    async fn ready(&mut self) {
        let ready = self.0.ready().await;
        ready.map_err(Into::into).expect("a connection");
    }
}

fn message(bearer: Option<&str>) -> tonic::Request<String> {
    let mut request = tonic::Request::new("hello".to_owned());
    if let Some(bearer) = bearer {
        let bearer = bearer.parse().expect("a header");
        request.metadata_mut().insert("authorization", bearer);
    }
    request
}

async fn node() -> Node {
    Node::on(Arc::new(MemoryStore::default()), Settings::builder()).await
}

async fn a_grpc_client_is_refused_by_a_status() {
    let node = node().await;
    let good = bearer(&node.pats).await;
    let unchecked = bearer(&node.pats).await;
    let layer = PatLayer::required(node.pats.clone()).wrap_body();
    let mut client = Client::connect(serve(layer, node.pats.clone()).await).await;
    let greeting = client.greet(Some(&good)).await.expect("a greeting");
    assert_eq!(greeting.get_ref(), "hello alice");
    node.store.set_down(true);
    let challenge = |error: &str| Some(format!("Bearer realm=\"PAT\"{error}"));
    for (bearer, code, message, challenge) in [
        (None, Code::Unauthenticated, "Sign in, or ", challenge("")),
        (
            Some("Bearer pat_x"),
            Code::Unauthenticated,
            "The access token is not valid: ",
            challenge(", error=\"invalid_token\""),
        ),
        (
            Some("Bearer a b"),
            Code::Unauthenticated,
            "Send one Authorization header with \"Bearer\", ",
            challenge(", error=\"invalid_request\""),
        ),
        (
            Some(unchecked.as_str()),
            Code::Unavailable,
            "The request cannot be answered now. ",
            None,
        ),
    ] {
        let unary = client.greet(bearer).await.expect_err("a status");
        let streaming = client.tick(bearer).await.expect_err("a status");
        for status in [unary, streaming] {
            assert_eq!(status.code(), code);
            assert!(status.message().starts_with(message), "{status}");
            let found = status.metadata().get("www-authenticate");
            let found = found.map(|found| found.to_str().expect("text").to_owned());
            assert_eq!(found, challenge, "{status}");
        }
    }
}

/// As has a 401 over HTTP.
async fn a_handlers_unauthenticated_has_the_challenge() {
    let node = node().await;
    let layer = PatLayer::optional(node.pats.clone()).wrap_body();
    let mut client = Client::connect(serve(layer, node.pats).await).await;
    let status = client.greet(None).await.expect_err("a status");
    assert_eq!(status.code(), Code::Unauthenticated);
    assert_eq!(status.message(), "only with a token");
    let challenge = status.metadata().get("www-authenticate");
    assert_eq!(challenge.expect("a challenge"), "Bearer realm=\"PAT\"");
}

async fn a_grpc_stream_ends_with_its_token() {
    let node = node().await;
    let layer = PatLayer::required(node.pats.clone()).wrap_body();
    let address = serve(layer, node.pats.clone()).await;
    revoke_during_a_stream(&node, Client::connect(address).await).await;
}

/// With `GrpcWebLayer` on either side of the `PatLayer`.
async fn a_grpc_web_stream_ends_with_its_token() {
    let node = node().await;
    let pats = || node.pats.clone();
    let ours = || PatLayer::required(pats()).wrap_body();
    let until_invalid = || UntilInvalidLayer::new(pats());
    let server = || Server::builder().accept_http1(true);
    let mut outside = server()
        .layer(GrpcWebLayer::new())
        .layer(ours())
        .layer(until_invalid());
    let mut between = server()
        .layer(ours())
        .layer(GrpcWebLayer::new())
        .layer(until_invalid());
    let (first, second) = (listen().await, listen().await);
    tokio::spawn(outside.add_service(Greeter).serve_with_incoming(first.0));
    tokio::spawn(between.add_service(Greeter).serve_with_incoming(second.0));
    for address in [first.1, second.1] {
        let mut client = web_client(address);
        for bearer in [None, Some("Bearer pat_x")] {
            let refused = client.greet(bearer).await.expect_err("a status");
            assert_eq!(refused.code(), Code::Unauthenticated);
            assert!(refused.metadata().contains_key("www-authenticate"));
        }
        revoke_during_a_stream(&node, client).await;
    }
}

/// Opens two streams, by two tokens, and revokes one token. Its stream ends with a status, and the other
/// one goes on.
async fn revoke_during_a_stream<T: TestService>(node: &Node, mut client: Client<T>) {
    let kept = bearer(&node.pats).await;
    let revoked = node.create().await;
    let mut by_kept = client.tick(Some(&kept)).await.expect("a stream");
    let bearer = format!("Bearer {}", revoked.plain.expose());
    let mut by_revoked = client.tick(Some(&bearer)).await.expect("a stream");
    let tick = by_revoked.message().await.expect("no status");
    assert_eq!(tick.expect("a tick"), "tick");
    let id = revoked.token.id;
    node.pats.revoke(&alice(), id).await.expect("revoked");
    let end = async {
        loop {
            match by_revoked.message().await {
                Ok(tick) => assert!(tick.is_some(), "an end without a status"),
                Err(status) => break status,
            }
        }
    };
    let status = tokio::time::timeout(Duration::from_secs(3), end).await;
    let status = status.expect("an end in time");
    assert_eq!(status.code(), Code::Unauthenticated);
    assert!(status.message().starts_with("The access token"), "{status}");
    for _ in 0..100 {
        let tick = by_kept.message().await.expect("no status");
        tick.expect("another token's stream goes on");
    }
}

fn request(method: Method, content_type: &str, bearer: &str) -> Request<Body> {
    let request = Request::builder().method(method);
    let request = request
        .header(header::CONTENT_TYPE, content_type)
        .header(header::AUTHORIZATION, bearer);
    request.body(Body::empty()).expect("a request")
}

fn is_grpc(response: &Response<impl Sized>) -> bool {
    let rejection = response.extensions().get::<PatRejection>();
    rejection.expect("a rejection").is_grpc()
}

async fn a_refusal_is_headers_of_the_clients_content_type() {
    let inner = service_fn(async |_: Request<Body>| {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    });
    let service = PatLayer::required(node().await.pats).layer(inner);
    let ask = async |method, content_type: &str| {
        let request = request(method, content_type, "Bearer pat_x");
        service.clone().oneshot(request).await.expect("a response")
    };
    for content_type in [
        "application/grpc",
        "application/grpc+proto",
        "application/grpc-web",
        "application/grpc-web+proto",
        "application/grpc-web-text",
    ] {
        let response = ask(Method::POST, &format!("{content_type};charset=utf-8")).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert!(is_grpc(&response) && response.body().is_end_stream());
        let expected = [
            ("content-type", content_type),
            ("cache-control", "no-store"),
            ("grpc-status", "16"),
            (
                "grpc-message",
                "The access token is not valid: it may be mistyped, expired or revoked.",
            ),
            (
                "www-authenticate",
                "Bearer realm=\"PAT\", error=\"invalid_token\"",
            ),
        ];
        let expected = expected.map(|(name, value)| {
            let name = name.parse().expect("a name");
            (name, value.parse().expect("a value"))
        });
        assert_eq!(*response.headers(), HeaderMap::from_iter(expected));
    }
    for (method, content_type) in [
        (Method::GET, "application/grpc"),
        (Method::POST, "application/json"),
    ] {
        let response = ask(method, content_type).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert!(!is_grpc(&response));
    }
}

/// Those of the layer and those of the extractor.
fn app(layer: Option<PatLayer>) -> Router {
    let app = Router::new().route("/", post(async |pat: Pat| pat.owner().to_string()));
    match layer {
        Some(layer) => app.layer(layer),
        None => app,
    }
}

async fn ask(app: Router, bearer: &str) -> (RejectionKind, Response<Body>) {
    let request = request(Method::POST, "application/grpc", bearer);
    let response = app.oneshot(request).await.expect("a response");
    assert!(is_grpc(&response));
    let rejection = response.extensions().get::<PatRejection>();
    let rejection = rejection.expect("a rejection");
    let code = rejection.grpc_code().to_string();
    assert_eq!(response.headers()["grpc-status"], code);
    (rejection.kind(), response)
}

async fn each_kind_of_rejection_has_a_code() {
    let node = node().await;
    let unchecked = bearer(&node.pats).await;
    node.store.set_down(true);
    let optional = PatLayer::optional(node.pats.clone());
    for (layer, bearer, kind, code) in [
        (Some(&optional), "", RejectionKind::NotSignedIn, "16"),
        (
            Some(&optional),
            "Bearer pat_x",
            RejectionKind::InvalidToken,
            "16",
        ),
        (
            Some(&optional),
            "Bearer a b",
            RejectionKind::InvalidAuthorization,
            "16",
        ),
        (
            Some(&optional),
            unchecked.as_str(),
            RejectionKind::Unavailable,
            "14",
        ),
        (None, "", RejectionKind::MissingLayer, "13"),
    ] {
        let (found, response) = ask(app(layer.cloned()), bearer).await;
        assert_eq!(found, kind);
        assert_eq!(response.headers()["grpc-status"], code);
        let challenges = response.headers().get_all(header::WWW_AUTHENTICATE);
        assert_eq!(challenges.iter().count(), usize::from(code == "16"));
    }
}

async fn the_host_renders_rejections_of_grpc() {
    let node = node().await;
    let layer = PatLayer::optional(node.pats).with_rejection_response(|rejection| {
        assert!(rejection.is_grpc());
        let response = Response::builder()
            .header("grpc-status", rejection.grpc_code())
            .header("x-host", "rendered");
        response.body(Bytes::new()).expect("a response")
    });
    for bearer in ["", "Bearer pat_x"] {
        let (_, response) = ask(app(Some(layer.clone())), bearer).await;
        assert_eq!(response.headers()["x-host"], "rendered");
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        assert!(response.headers().contains_key(header::WWW_AUTHENTICATE));
    }
}
