//! The page about a token of any user.

use axum::Extension;
use axum::extract::RawQuery;
use axum::response::Response;

use super::{administration, token_of_path};
use crate::http::path_id::PathId;
use crate::pages::fields::Fields;
use crate::pages::page::Page;
use crate::pages::token::{Reader, show_token};

/// Also of a revoked token, as long as it is stored.
pub(in crate::pages) async fn token(
    Extension(page): Extension<Page>,
    id: PathId,
    RawQuery(query): RawQuery,
) -> Result<Response, Response> {
    let admin = administration(&page)?;
    let token = token_of_path(&page, admin, id).await?;
    let fields = Fields::of_query(query.as_deref());
    show_token(&page, Reader::Administrator(admin), &token, &fields).await
}
