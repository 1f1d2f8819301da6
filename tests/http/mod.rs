//! What a client sees over HTTP.

mod admin;
mod allocations;
mod bearer;
mod caches;
mod callers;
mod clients;
mod csrf;
mod flow;
mod formats;
mod grpc;
mod layer;
mod openapi;
mod probing;
mod properties;
pub(crate) mod requests;
mod rotation;
mod scopes;
mod secrets;
mod sessions;
mod stacks;
mod testing;
mod until_invalid;

use axum::response::Response;
use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    [
        admin::trials(),
        allocations::trials(),
        bearer::trials(),
        caches::trials(),
        callers::trials(),
        clients::trials(),
        csrf::trials(),
        flow::trials(),
        formats::trials(),
        grpc::trials(),
        layer::trials(),
        openapi::trials(),
        probing::trials(),
        properties::trials(),
        requests::trials(),
        rotation::trials(),
        scopes::trials(),
        secrets::trials(),
        sessions::trials(),
        stacks::trials(),
        testing::trials(),
        until_invalid::trials(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Returns the body of a response that a router returned.
pub(crate) async fn text_of(response: Response) -> String {
    let body = axum::body::to_bytes(response.into_body(), 10_000_000).await;
    String::from_utf8(body.expect("a body").to_vec()).expect("text")
}
