//! Paths that end with a slash, which the pages have not.

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use pat_core::scope::{TOKENS_ADMIN, TOKENS_WRITE};

use crate::scope::ScopedRouter;

/// The paths of the pages, with a slash at their ends: leads to the page without it. They need the scope of the page.
pub(super) fn with_slash<S: Clone + Send + Sync + 'static>() -> ScopedRouter<S> {
    let paths = [
        ("/tokens/", TOKENS_WRITE),
        ("/tokens/new/", TOKENS_WRITE),
        ("/tokens/{id}/", TOKENS_WRITE),
        ("/tokens/{id}/replace/", TOKENS_WRITE),
        ("/tokens/{id}/edit/", TOKENS_WRITE),
        ("/tokens/{id}/pause/", TOKENS_WRITE),
        ("/tokens/{id}/resume/", TOKENS_WRITE),
        ("/tokens/{id}/revoke/", TOKENS_WRITE),
        ("/admin/tokens/", TOKENS_ADMIN),
        ("/admin/tokens/revoke/", TOKENS_ADMIN),
        ("/admin/tokens/export/", TOKENS_ADMIN),
        ("/admin/tokens/owners/", TOKENS_ADMIN),
        ("/admin/tokens/{id}/", TOKENS_ADMIN),
        ("/admin/tokens/{id}/pause/", TOKENS_ADMIN),
        ("/admin/tokens/{id}/resume/", TOKENS_ADMIN),
        ("/admin/", TOKENS_ADMIN),
        ("/admin/identify/", TOKENS_ADMIN),
        ("/admin/unused/", TOKENS_ADMIN),
        ("/admin/notifications/", TOKENS_ADMIN),
    ];
    let paths = paths.into_iter();
    paths.fold(ScopedRouter::new(), |router, (path, scope)| {
        router.any(path, scope, redirect)
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
