//! The page about a token of any user.

use axum::Extension;
use axum::extract::RawQuery;
use axum::response::Response;

use super::administration;
use crate::http::path_id::PathId;
use crate::pages::fields::Fields;
use crate::pages::page::Page;
use crate::pages::token::{Reader, show_deleted, show_token};

/// Also of a revoked token, as long as it is stored, and of a deleted one, as long as its events are.
pub(in crate::pages) async fn token(
    Extension(page): Extension<Page>,
    PathId(id): PathId,
    RawQuery(query): RawQuery,
) -> Result<Response, Response> {
    let admin = administration(&page)?;
    let id = id.ok_or_else(|| page.not_found())?;
    let found = admin.find(&[id]).await;
    let found = found.map_err(|error| page.not_administered(&error))?;
    let fields = Fields::of_query(query.as_deref());
    match found.first() {
        Some(token) => show_token(&page, Reader::Administrator(admin), token, &fields).await,
        None => show_deleted(&page, admin, id, &fields).await,
    }
}
