#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
// The enums of pat-core can grow. Where one is matched, all variants are named beside the wildcard, so
// that a new one fails Clippy.
#![warn(clippy::wildcard_enum_match_arm)]

#[cfg(feature = "api")]
pub mod api;
mod auth;
mod client;
#[cfg(feature = "axum")]
mod extract;
pub mod guide;
mod http;
#[cfg(feature = "pages")]
pub mod pages;
mod pat;
#[cfg(feature = "axum")]
pub mod probes;
#[cfg(feature = "commands")]
pub mod proxy_probe;
mod rejection;
pub mod scope;
mod session;
mod signed_in;
#[cfg(feature = "testing")]
pub mod testing;
mod until_invalid;

pub use self::auth::{
    PatLayer, PatService, RejectionBody, ResponseBody, ResponseFuture, SameBody, WrappedBody,
};
pub use self::client::{
    ClientAddress, ClientAddressLayer, ClientAddressService, InvalidNetwork, ProxyHeader,
    TrustedProxies, client_of,
};
#[cfg(feature = "axum")]
pub use self::extract::Admin;
#[cfg(any(feature = "api", feature = "pages"))]
pub use self::http::csrf::InvalidOrigin;
pub use self::pat::Pat;
pub use self::rejection::{PatRejection, RejectionKind};
#[cfg(feature = "axum-login")]
pub use self::session::AxumLogin;
#[cfg(feature = "tower-sessions")]
pub use self::session::TowerSessions;
#[cfg(feature = "tower-sessions-014")]
pub use self::session::TowerSessions014;
pub use self::session::{Destroy, SessionInvalidator};
pub use self::signed_in::SignedIn;
pub use self::until_invalid::{
    UntilInvalid, UntilInvalidBody, UntilInvalidFuture, UntilInvalidLayer,
};
