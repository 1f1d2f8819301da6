//! The layer in the stacks of others: each body type that an inner service can have, and each place.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::middleware::{Next, from_fn};
use axum::routing::get;
use http::{Request, Response, StatusCode, header};
use http_body_util::combinators::{BoxBody, UnsyncBoxBody};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use libtest_mimic::Trial;
use pat_core::{MemoryStore, Pats};
use pat_harness::node::bearer;
use pat_harness::trial;
use pat_tower::{Pat, PatLayer, PatRejection};
use tokio::net::TcpListener;
use tower::{BoxError, Layer as _, Service, ServiceBuilder, ServiceExt as _, service_fn};
use tower_http::compression::CompressionLayer;
use tower_http::timeout::{ResponseBodyTimeoutLayer, TimeoutLayer};
use tower_http::trace::TraceLayer;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(axum_takes_the_layer_as_it_is),
        trial(a_service_of_any_body_takes_the_wrapping_layer),
        trial(layers_of_tower_http_stand_on_both_sides),
        trial(hyper_serves_both),
    ]
}

const MINUTE: Duration = Duration::from_mins(1);

fn pats() -> Pats {
    Pats::builder(Arc::new(MemoryStore::default())).build()
}

fn timeout() -> TimeoutLayer {
    TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, MINUTE)
}

/// Asks with a token, without one and with a bad one. The bounds are those of hyper's and tonic's servers.
async fn check<S, B>(service: S, bearer: &str)
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    for (authorization, status, text) in [
        (Some(bearer), StatusCode::OK, "alice"),
        (None, StatusCode::UNAUTHORIZED, "Sign in"),
        (
            Some("Bearer pat_x"),
            StatusCode::UNAUTHORIZED,
            "is not valid",
        ),
    ] {
        let mut request = Request::new(Body::empty());
        if let Some(authorization) = authorization {
            let authorization = authorization.parse().expect("a header");
            request
                .headers_mut()
                .insert(header::AUTHORIZATION, authorization);
        }
        let response = service.clone().oneshot(request).await;
        let response = response.map_err(Into::into).expect("a response");
        assert_eq!(response.status(), status);
        let rejection = response.extensions().get::<PatRejection>();
        assert_eq!(rejection.is_some(), status != StatusCode::OK);
        let body = response.into_body().collect().await;
        let body = body.map_err(Into::into).expect("a body").to_bytes();
        let body = str::from_utf8(&body).expect("text");
        assert!(body.contains(text), "{body}");
    }
}

/// Requires that the body is axum's, which axum does not box.
fn in_axums_body<S>(service: S) -> S
where
    S: Service<Request<Body>, Response = Response<Body>>,
{
    service
}

/// The response of each inner service, before its body gets another type.
fn greet<B>(request: &Request<B>) -> Response<Full<Bytes>> {
    let pat = Pat::of(request.extensions()).expect("only with a token");
    Response::new(pat.owner().to_string().into())
}

fn same_body<B>(body: B) -> B {
    body
}

/// An inner service whose response body is `$map` of a `Full`.
macro_rules! inner {
    ($map:expr) => {
        inner!(Body, $map)
    };
    ($request:ty, $map:expr) => {
        service_fn(async |request: Request<$request>| {
            Ok::<_, Infallible>(greet(&request).map($map))
        })
    };
}

/// Checks a stack around inner services of two body types.
macro_rules! for_each_body {
    ($bearer:ident, $stack:expr) => {
        check($stack.service(inner!(same_body)), &$bearer).await;
        check($stack.service(inner!(BoxBody::new)), &$bearer).await;
    };
}

async fn axum_takes_the_layer_as_it_is() {
    async fn pass(request: Request<Body>, next: Next) -> Response<Body> {
        next.run(request).await
    }
    let pats = pats();
    let bearer = bearer(&pats).await;
    let layer = || PatLayer::required(pats.clone());
    let router = || Router::new().route("/", get(async |pat: Pat| pat.owner().to_string()));
    let outside = ServiceBuilder::new().layer(from_fn(pass)).layer(layer());
    let inside = ServiceBuilder::new().layer(layer()).layer(from_fn(pass));
    let timed = ServiceBuilder::new().layer(layer()).layer(timeout());
    // And where it is wrapped without need.
    let wrapped = layer().wrap_body();
    for app in [
        router().layer(layer()),
        router().route_layer(layer()),
        Router::new().route_service("/", layer().layer(router())),
        router().layer(outside),
        router().layer(inside),
        router().layer(timed),
        router().layer(wrapped),
    ] {
        check(app, &bearer).await;
    }
}

async fn a_service_of_any_body_takes_the_wrapping_layer() {
    let pats = pats();
    let bearer = bearer(&pats).await;
    let same = PatLayer::required(pats);
    let wrap = same.clone().wrap_body();
    check(same.layer(inner!(same_body)), &bearer).await;
    check(in_axums_body(same.layer(inner!(Body::new))), &bearer).await;
    check(wrap.layer(inner!(same_body)), &bearer).await;
    check(wrap.layer(inner!(BoxBody::new)), &bearer).await;
    check(wrap.layer(inner!(UnsyncBoxBody::new)), &bearer).await;
    check(wrap.layer(inner!(tonic::body::Body::new)), &bearer).await;
    // A second layer around a wrapped body needs no other.
    check(same.layer(wrap.layer(inner!(BoxBody::new))), &bearer).await;
}

async fn layers_of_tower_http_stand_on_both_sides() {
    let pats = pats();
    let bearer = bearer(&pats).await;
    let wrap = || PatLayer::required(pats.clone()).wrap_body();
    let (trace, compress) = (TraceLayer::new_for_http, CompressionLayer::new);
    let body_timeout = || ResponseBodyTimeoutLayer::new(MINUTE);
    let stack = ServiceBuilder::new;
    // Inside, around bodies of both kinds.
    for_each_body!(bearer, stack().layer(wrap()).layer(trace()));
    for_each_body!(bearer, stack().layer(wrap()).layer(compress()));
    for_each_body!(bearer, stack().layer(wrap()).layer(timeout()));
    for_each_body!(bearer, stack().layer(wrap()).layer(body_timeout()));
    let all = || {
        stack()
            .layer(trace())
            .layer(compress())
            .layer(body_timeout())
    };
    for_each_body!(bearer, stack().layer(wrap()).layer(all()));
    // Outside.
    for_each_body!(bearer, stack().layer(trace()).layer(wrap()));
    for_each_body!(bearer, stack().layer(compress()).layer(wrap()));
    for_each_body!(bearer, stack().layer(timeout()).layer(wrap()));
    for_each_body!(bearer, stack().layer(body_timeout()).layer(wrap()));
    for_each_body!(bearer, stack().layer(all()).layer(wrap()).layer(timeout()));
    // Outside, the layer's own body type needs no wrapper.
    let same = || PatLayer::required(pats.clone());
    let app = stack()
        .layer(all())
        .layer(same())
        .service(inner!(Body::new));
    check(app, &bearer).await;
    // In axum, on both sides.
    let router = Router::new().route("/", get(async |pat: Pat| pat.owner().to_string()));
    let app = router.layer(stack().layer(all()).layer(wrap()).layer(all()));
    check(app, &bearer).await;
}

async fn hyper_serves_both() {
    let pats = pats();
    let bearer = bearer(&pats).await;
    let same = PatLayer::required(pats);
    let wrapped = same
        .clone()
        .wrap_body()
        .layer(inner!(Incoming, BoxBody::new));
    let addresses = [
        serve(same.layer(inner!(Incoming, same_body))).await,
        serve(wrapped).await,
    ];
    for address in addresses {
        let client = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("a client");
        let request = || client.get(format!("http://{address}"));
        let accepted = request()
            .header(header::AUTHORIZATION, &bearer)
            .send()
            .await;
        let accepted = accepted.expect("a response").text().await;
        assert_eq!(accepted.expect("a body"), "alice");
        let rejected = request().send().await.expect("a response");
        assert_eq!(rejected.status(), StatusCode::UNAUTHORIZED);
        let length = rejected.headers()[header::CONTENT_LENGTH].to_str();
        let length = length.expect("text").parse::<usize>();
        let body = rejected.text().await.expect("a body");
        assert_eq!(Ok(body.len()), length, "the size of the body is known");
    }
}

/// Serves on a port of its own, until the test ends.
async fn serve<S, B>(service: S) -> SocketAddr
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(async move {
                let builder = auto::Builder::new(TokioExecutor::new());
                builder
                    .serve_connection(TokioIo::new(stream), service)
                    .await
            });
        }
    });
    address
}
