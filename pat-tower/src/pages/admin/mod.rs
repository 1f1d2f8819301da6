//! The pages with the tokens of all users.

mod export;
mod filter;
mod identify;
mod list;
mod notifications;
mod overview;
mod owners;
mod pause;
mod revoke;
mod token;
mod unused;

use axum::response::Response;
use pat_core::Administration;

pub(super) use self::export::export;
pub(super) use self::filter::NAMES as FILTER_NAMES;
pub(super) use self::identify::{identify, identify_form};
pub(super) use self::list::list;
pub(super) use self::notifications::{send_again, undelivered};
pub(super) use self::overview::overview;
pub(super) use self::owners::owners;
pub(super) use self::pause::{ask_to_pause, ask_to_resume, pause, resume};
pub(super) use self::revoke::{ask, revoke};
pub(super) use self::token::token;
pub(super) use self::unused::unused;
use super::page::Page;

/// Returns the caller's access; the page of a caller who has none otherwise.
#[expect(clippy::result_large_err, reason = "the error is the response")]
fn administration(page: &Page) -> Result<&Administration<'static>, Response> {
    let administration = page.administration();
    administration.map_err(|error| page.not_administered(error))
}
