//! Scopes on requests: which scopes a request needs, and refusals of tokens that lack them.
//!
//! A token with [scopes](pat_core::scope), a *restricted token*, may do only what its scopes permit. A
//! [`PatLayer`](crate::PatLayer) enforces that before it calls the inner service: it looks up in a [`ScopeMap`]
//! which scopes the request [needs](Need), and refuses a restricted token that lacks one with 403. What the map does
//! not declare, no restricted token may do; without a map ([`PatLayer::with_scope_map`]), that is everything. The
//! map is not asked about other requests: those with an unrestricted token, with a session, or without a caller.
//!
//! There are three kinds of map:
//!
#![cfg_attr(
    feature = "axum",
    doc = "| map | for |
|---|---|
| [`ScopedRouter`] | axum: each route is added together with its scopes |
| [`ScopeMap::by_method`] | hosts with one scope for reading, and one for everything else |
| [`ScopeMap::by`] | everything else, such as gRPC, where the path decides |"
)]
#![cfg_attr(
    not(feature = "axum"),
    doc = "| map | for |
|---|---|
| `ScopedRouter` (feature `axum`) | axum: each route is added together with its scopes |
| [`ScopeMap::by_method`] | hosts with one scope for reading, and one for everything else |
| [`ScopeMap::by`] | everything else, such as gRPC, where the path decides |"
)]
//!
//! The guide [`scopes`](crate::guide::scopes) describes how to introduce them.
//!
//! [`PatLayer::with_scope_map`]: crate::PatLayer::with_scope_map

#[cfg(feature = "axum")]
mod extract;
mod head;
mod map;
mod method;
mod need;
mod refusal;
mod resolved;
#[cfg(feature = "axum")]
mod router;
#[cfg(feature = "axum")]
mod routes;
#[cfg(all(test, feature = "axum", feature = "testing"))]
mod tests;

#[cfg(feature = "axum")]
pub use self::extract::{ScopeName, Scoped};
pub use self::head::RequestHead;
pub use self::map::ScopeMap;
pub use self::need::{Need, RequiredScopes};
pub(crate) use self::refusal::{MissingScopes, note};
pub(crate) use self::resolved::{Panicked, ResolvedMap};
#[cfg(feature = "axum")]
pub use self::router::ScopedRouter;
