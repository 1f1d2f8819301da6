#![doc = include_str!("../README.md")]

#[cfg(feature = "api")]
pub mod api;
mod auth;
mod bearer;
mod challenge;
#[cfg(any(feature = "api", feature = "pages"))]
mod csrf;
#[cfg(any(feature = "api", feature = "pages"))]
mod cursor;
mod date;
#[cfg(feature = "axum")]
mod extract;
#[cfg(feature = "pages")]
pub mod pages;
mod pat;
#[cfg(any(feature = "api", feature = "pages"))]
mod path_id;
mod problem;
#[cfg(any(feature = "api", feature = "pages"))]
mod request_body;
#[cfg(any(feature = "api", feature = "pages"))]
mod request_id;
mod session;

pub use self::auth::{PatLayer, PatService, ResponseFuture};
#[cfg(feature = "axum")]
pub use self::extract::PatRejection;
pub use self::pat::Pat;
#[cfg(feature = "tower-sessions")]
pub use self::session::TowerSessions;
pub use self::session::{Destroy, SessionInvalidator};
