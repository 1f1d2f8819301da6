//! Paths that end with a slash, which the pages have not.

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use http::header::LOCATION;
use http::{HeaderValue, StatusCode};

/// The paths of the pages, with a slash at their ends: leads to the page without it.
pub(super) fn with_slash<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let paths = [
        "/tokens/",
        "/tokens/new/",
        "/tokens/{id}/",
        "/tokens/{id}/revoke/",
        "/admin/tokens/",
        "/admin/tokens/revoke/",
        "/admin/tokens/export/",
        "/admin/tokens/owners/",
    ];
    paths.into_iter().fold(Router::new(), |router, path| {
        router.route(path, any(redirect))
    })
}

/// Sends the browser to the same path without the slash at its end. The address is a relative one, so
/// it is right behind a proxy that takes a prefix off.
async fn redirect(request: Request) -> Response {
    let path = request.uri().path().trim_end_matches('/');
    let page = path.rsplit('/').next().unwrap_or_default();
    let query = request.uri().query();
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    match HeaderValue::try_from(format!("../{page}{query}")) {
        Ok(location) => (StatusCode::PERMANENT_REDIRECT, [(LOCATION, location)]).into_response(),
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}
