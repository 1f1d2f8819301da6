use std::convert::Infallible;

use axum::extract::{FromRequestParts, Path};
use http::request::Parts;
use pat_core::TokenId;

/// An id in a path: digits without a leading zero, or there is none.
pub(crate) struct PathId(pub(crate) Option<TokenId>);

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
