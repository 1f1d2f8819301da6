//! The pages with one's own tokens.

mod create;
mod expiry;
mod list;
mod revoke;

use pat_core::TokenId;

pub(super) use self::create::{Creations, create, form};
pub(super) use self::list::list;
pub(super) use self::revoke::{ask, revoke};

/// An id in a path: digits without a leading zero, or there is none.
fn parse_id(text: &str) -> Option<TokenId> {
    let number = text
        .parse()
        .ok()
        .filter(|number: &i64| number.to_string() == text);
    number.and_then(TokenId::new)
}
