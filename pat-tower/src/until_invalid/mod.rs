//! The layer that ends long responses with their token.

mod body;
mod layer;

pub use self::body::UntilInvalidBody;
pub use self::layer::{UntilInvalid, UntilInvalidFuture, UntilInvalidLayer};
