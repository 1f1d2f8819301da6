//! The pages with one's own tokens.

mod create;
mod expiry;
mod list;
mod revoke;
mod turns;

use std::convert::Infallible;

use axum::extract::{FromRequestParts, Path};
use http::request::Parts;
use pat_core::TokenId;

pub(super) use self::create::{create, form};
pub(super) use self::list::list;
pub(super) use self::revoke::{ask, revoke};
pub(super) use self::turns::Creations;

/// An id in a path: digits without a leading zero, or there is none.
pub(super) struct PathId(Option<TokenId>);

impl<S: Send + Sync> FromRequestParts<S> for PathId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let text = Path::<String>::from_request_parts(parts, state).await.ok();
        let id = text.and_then(|Path(text)| {
            let number: i64 = text.parse().ok()?;
            (number.to_string() == text).then_some(number)
        });
        Ok(Self(id.and_then(TokenId::new)))
    }
}
