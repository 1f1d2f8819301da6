//! Which requests another site made a browser send.

use axum::extract::{Extension, Request};
use axum::http::HeaderMap;
use axum::http::header::{HOST, HeaderName, ORIGIN};
use axum::middleware::Next;
use axum::response::Response;
use tower_http::csrf::{CsrfLayer, ProtectionError};
use url::Url;

use crate::atlassian::BaseUrl;

/// Lets those of this server's pages through: of the request's `Host` or of the base URL, since a proxy
/// may pass on another `Host` than the browser sent.
pub(crate) fn protection(base_url: &BaseUrl) -> CsrfLayer {
    let layer = CsrfLayer::new();
    let origin = Url::parse(&base_url.0).map(|url| url.origin().ascii_serialization());
    let trusting = origin
        .ok()
        .and_then(|origin| layer.clone().add_trusted_origin(origin).ok());
    trusting.unwrap_or(layer)
}

/// Logs a refusal with what was compared.
pub(crate) async fn log_refusal(
    Extension(base_url): Extension<BaseUrl>,
    request: Request,
    next: Next,
) -> Response {
    let [origin, host] = [&ORIGIN, &HOST].map(|name| text(request.headers(), name));
    let response = next.run(request).await;
    if response.extensions().get::<ProtectionError>().is_some() {
        tracing::warn!(
            origin,
            host,
            base_url = base_url.0,
            "refused a request that another site made a browser send"
        );
    }
    response
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let value = headers.get(name)?.as_bytes();
    Some(value.escape_ascii().take(200).map(char::from).collect())
}
