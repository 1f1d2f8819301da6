//! Whether another site made a browser send a request.

use std::convert::Infallible;
use std::future::ready;

use axum::extract::Request;
use http::StatusCode;
use tower::{ServiceBuilder, ServiceExt, service_fn};
use tower_http::csrf::CsrfLayer;

/// Asks tower-http's middleware about the head of a request.
pub(crate) async fn is_cross_site(csrf: &CsrfLayer, head: http::Request<()>) -> bool {
    let passed = service_fn(|_| ready(Ok::<_, Infallible>(http::Response::new(()))));
    let answer = ServiceBuilder::new()
        .layer(csrf)
        .service(passed)
        .oneshot(head)
        .await;
    answer.is_ok_and(|answer| answer.status() == StatusCode::FORBIDDEN)
}

/// The head of a request, without its body.
pub(crate) fn head(request: &Request) -> http::Request<()> {
    let mut head = http::Request::new(());
    head.method_mut().clone_from(request.method());
    head.uri_mut().clone_from(request.uri());
    head.headers_mut().clone_from(request.headers());
    head
}
