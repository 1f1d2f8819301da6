//! What clients of Atlassian's products find in a failure, whoever has answered with it.

use std::fmt::Display;

use axum::Json;
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// A failure as Jira's clients read it (`errorMessages`, `errors`) and Confluence's (`statusCode`,
/// `message`).
pub(crate) fn failure(status: StatusCode, message: &str) -> Response {
    let json = json!({
        "statusCode": status.as_u16(),
        "message": message,
        "errorMessages": [message],
        "errors": {},
    });
    (status, Json(json)).into_response()
}

/// The answer where the database gives none. pat-core logs an outage once, so this does not log each
/// request.
pub(crate) fn unavailable(error: impl Display) -> Response {
    tracing::debug!(%error, "a request cannot be answered now");
    let status = StatusCode::SERVICE_UNAVAILABLE;
    ([(RETRY_AFTER, "1")], failure(status, message(status))).into_response()
}

/// There is nothing at this path. Set explicitly, inside the layer that authenticates: axum's own
/// would be replaced by that of the next router that is merged, outside of it.
pub(crate) async fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "There is nothing here.\n").into_response()
}

/// Has every failure under `/rest` hold JSON, those too that axum and tower-http answer with.
pub(crate) async fn as_json(request: Request, next: Next) -> Response {
    let is_rest = request.uri().path().starts_with("/rest/");
    let response = next.run(request).await;
    let status = response.status();
    let is_failure = status.is_client_error() || status.is_server_error();
    if !is_rest || !is_failure || is_json(response.headers()) {
        return response;
    }
    let (head, body) = failure(status, message(status)).into_parts();
    let mut changed = response.map(|_| body);
    let headers = changed.headers_mut();
    headers.remove(CONTENT_LENGTH);
    headers.extend(head.headers);
    changed
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    kind.is_some_and(|kind| [&b"application/json"[..], b"application/problem+json"].contains(&kind))
}

/// Nothing of the request is repeated, which may hold a password.
fn message(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND => "There is nothing here.",
        StatusCode::METHOD_NOT_ALLOWED => "This method is not allowed here.",
        StatusCode::FORBIDDEN => "You may not do this, or another web site made your browser ask.",
        StatusCode::SERVICE_UNAVAILABLE => "This cannot be answered now. Try again in a moment.",
        status if status.is_client_error() => {
            "The request cannot be read. Send JSON as application/json."
        }
        _ => "This failed.",
    }
}
