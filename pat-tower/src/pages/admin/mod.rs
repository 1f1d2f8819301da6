//! The pages with the tokens of all users.

mod export;
mod filter;
mod found;
mod identify;
mod list;
mod notifications;
mod overview;
mod owners;
mod pause;
mod revoke;
mod selection;
mod token;
mod unused;

use axum::response::Response;
use pat_core::{Administration, Token};

pub(super) use self::export::export;
pub(super) use self::identify::{identify, identify_form};
pub(super) use self::list::list;
pub(super) use self::notifications::{ask_to_send_all, send_again, send_all_again, undelivered};
pub(super) use self::overview::overview;
pub(super) use self::owners::owners;
pub(super) use self::pause::{ask_to_pause, ask_to_resume, pause, resume};
pub(super) use self::revoke::{ask, revoke};
pub(super) use self::token::token;
pub(super) use self::unused::unused;
use super::page::Page;
use crate::http::path_id::PathId;

/// Returns the caller's access; the page of a caller who has none otherwise.
#[expect(clippy::result_large_err, reason = "the error is the response")]
fn administration(page: &Page) -> Result<&Administration<'static>, Response> {
    let administration = page.administration();
    administration.map_err(|error| page.not_administered(error))
}

/// Returns the token of any user with the ID in the path.
async fn token_of_path(
    page: &Page,
    admin: &Administration<'_>,
    PathId(id): PathId,
) -> Result<Token, Response> {
    let id = id.ok_or_else(|| page.not_found())?;
    let found = admin.find(&[id]).await;
    let mut found = found.map_err(|error| page.not_administered(&error))?;
    found.pop().ok_or_else(|| page.not_found())
}
