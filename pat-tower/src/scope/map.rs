use std::fmt;
use std::sync::Arc;

use super::head::RequestHead;
use super::need::{Need, RequiredScopes};
#[cfg(feature = "axum")]
use super::routes::Routes;

/// Which scopes a request needs, for [`PatLayer::with_scope_map`](crate::PatLayer::with_scope_map).
#[derive(Debug, Clone)]
#[must_use]
pub struct ScopeMap(pub(super) Kind);

#[derive(Debug, Clone)]
pub(super) enum Kind {
    ByMethod {
        read: RequiredScopes,
        write: RequiredScopes,
    },
    By(Function),
    #[cfg(feature = "axum")]
    Routes(Routes),
    Or(Box<ScopeMap>, Box<ScopeMap>),
}

/// A host's function.
#[derive(Clone)]
pub(super) struct Function(pub(super) Arc<NeedOf>);

type NeedOf = dyn Fn(RequestHead<'_>) -> Need + Send + Sync;

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Function").finish_non_exhaustive()
    }
}

impl ScopeMap {
    /// Creates a map in which `GET` and `HEAD` requests need the scopes `read`, and all others, such as `OPTIONS`,
    /// need `write`. If `write` is to permit reading too, the catalog says so
    /// ([`ScopeCatalogBuilder::implies`](pat_core::scope::ScopeCatalogBuilder::implies)).
    ///
    /// A `GET` or `HEAD` request needs `write` too if it asks for another protocol, as web sockets do (`Upgrade`,
    /// or `Connection: upgrade`), or if it names another method to a middleware that replaces the method
    /// (`X-HTTP-Method-Override`, `X-HTTP-Method`, `X-Method-Override`, or `_method` in the query).
    ///
    /// The map declares every request, so a host whose `GET` requests change something must not use it.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use pat_core::scope::ScopeCatalog;
    /// use pat_core::{MemoryStore, Pats};
    /// use pat_tower::PatLayer;
    /// use pat_tower::scope::ScopeMap;
    ///
    /// let scopes = ScopeCatalog::builder()
    ///     .scope("read", "Read reports")
    ///     .scope("write", "Read, change and delete reports")
    ///     .implies("write", "read")
    ///     .build()?;
    /// let pats = Pats::builder(Arc::new(MemoryStore::default())).scopes(scopes).build();
    /// let map = ScopeMap::by_method("read", "write");
    /// let layer = PatLayer::optional(pats).with_scope_map(map)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn by_method(read: impl Into<RequiredScopes>, write: impl Into<RequiredScopes>) -> Self {
        let (read, write) = (read.into(), write.into());
        Self(Kind::ByMethod { read, write })
    }

    /// Creates a map from a function of the head of a request. The function is called for each request with a
    /// restricted token. If it panics, the layer responds with 500.
    ///
    /// Make the sets of scopes before, so that a wrong name is an error when the host starts:
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use pat_core::scope::ScopeCatalog;
    /// use pat_core::{MemoryStore, Pats};
    /// use pat_tower::PatLayer;
    /// use pat_tower::scope::{Need, ScopeMap};
    ///
    /// let scopes = ScopeCatalog::builder()
    ///     .scope("read", "Read reports")
    ///     .scope("write", "Change reports")
    ///     .build()?;
    /// let pats = Pats::builder(Arc::new(MemoryStore::default())).scopes(scopes).build();
    ///
    /// // gRPC: each method of a service has a path.
    /// let read = pats.scope_catalog().set(["read"])?;
    /// let write = pats.scope_catalog().set(["write"])?;
    /// let map = ScopeMap::by(move |head| match head.uri().path() {
    ///     "/reports.Reports/List" | "/reports.Reports/Get" => Need::Scopes(read),
    ///     "/reports.Reports/Create" => Need::Scopes(write),
    ///     path if path.starts_with("/grpc.health.v1.Health/") => Need::Nothing,
    ///     _ => Need::Undeclared,
    /// });
    /// let layer = PatLayer::required(pats).with_scope_map(map)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn by(need: impl Fn(RequestHead<'_>) -> Need + Send + Sync + 'static) -> Self {
        Self(Kind::By(Function(Arc::new(need))))
    }

    /// Returns a map that asks `other` about the requests that this map does not declare.
    pub fn or(self, other: Self) -> Self {
        Self(Kind::Or(Box::new(self), Box::new(other)))
    }
}
