//! The page about one's own token.

use axum::Extension;
use axum::extract::RawQuery;
use axum::response::Response;

use crate::http::path_id::PathId;
use crate::pages::fields::Fields;
use crate::pages::page::Page;
use crate::pages::token::{Reader, show_token};

/// Also of a revoked token, as long as it is stored.
pub(in crate::pages) async fn token(
    Extension(page): Extension<Page>,
    PathId(id): PathId,
    RawQuery(query): RawQuery,
) -> Result<Response, Response> {
    let id = id.ok_or_else(|| page.not_found())?;
    let found = page.pats().find_even_revoked(page.caller(), id).await;
    let token = found.map_err(|error| page.inaccessible(&error))?;
    if token.owner != *page.caller().owner() {
        return Err(page.not_found());
    }
    let fields = Fields::of_query(query.as_deref());
    show_token(&page, Reader::Owner, &token, &fields).await
}
