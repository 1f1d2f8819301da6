//! Parts of HTTP: what a header, a body or an error response looks like, apart from tokens.

pub(crate) mod bearer;
pub(crate) mod caching;
pub(crate) mod challenge;
#[cfg(any(feature = "api", feature = "pages"))]
pub(crate) mod csrf;
#[cfg(any(feature = "api", feature = "pages"))]
pub(crate) mod cursor;
#[cfg(any(feature = "api", feature = "pages"))]
pub(crate) mod date;
pub(crate) mod grpc;
#[cfg(any(feature = "api", feature = "pages"))]
pub(crate) mod path_id;
pub(crate) mod problem;
#[cfg(any(feature = "api", feature = "pages"))]
pub(crate) mod request_body;
