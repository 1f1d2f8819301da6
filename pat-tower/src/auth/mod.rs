//! The layer that authenticates requests by their Bearer token.

mod caching;
mod future;
mod layer;
mod service;

pub use self::future::ResponseFuture;
pub(crate) use self::layer::Config;
pub use self::layer::PatLayer;
pub use self::service::PatService;
