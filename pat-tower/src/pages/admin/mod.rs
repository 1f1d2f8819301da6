//! The pages with the tokens of all users.

mod export;
mod filter;
mod list;
mod owners;
mod revoke;

use axum::response::Response;
use pat_core::Administration;

pub(super) use self::export::export;
pub(super) use self::list::list;
pub(super) use self::owners::owners;
pub(super) use self::revoke::{ask, revoke};
use super::page::Page;

/// What the caller may do here; asks the host on each request.
async fn administration(page: &Page) -> Result<Administration<'_>, Response> {
    let administration = page.pats().administration(page.caller()).await;
    administration.map_err(|error| page.not_administered(&error))
}
