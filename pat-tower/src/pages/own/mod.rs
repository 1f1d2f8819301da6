//! The pages with one's own tokens.

mod create;
mod expiry;
mod list;
mod revoke;

use axum::response::Response;
use pat_core::TokenId;

pub(super) use self::create::{Creations, create, form};
pub(super) use self::list::list;
pub(super) use self::revoke::{ask, revoke};
use super::page::Page;

/// An id in a path: digits without a leading zero, or there is no such token.
pub(super) fn parse_id(page: &Page, text: &str) -> Result<TokenId, Response> {
    let number = text
        .parse()
        .ok()
        .filter(|number: &i64| number.to_string() == text);
    number
        .and_then(TokenId::new)
        .ok_or_else(|| page.not_found())
}
