use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};

use pat_core::scope::{ScopeCatalog, UndeclaredScope};

use super::head::RequestHead;
use super::map::{Function, Kind, ScopeMap};
use super::method::is_read;
use super::need::Need;
#[cfg(feature = "axum")]
use super::routes::ResolvedRoutes;

/// A scope map whose names are sets of one catalog; or none, which declares nothing.
#[derive(Debug, Default)]
pub(crate) struct ResolvedMap {
    map: Option<Resolved>,
    /// Whether the log has said how to mend what refuses every request.
    has_advised: AtomicBool,
}

#[derive(Debug)]
enum Resolved {
    ByMethod {
        read: Need,
        write: Need,
    },
    By(Function),
    #[cfg(feature = "axum")]
    Routes(ResolvedRoutes),
    Or(Box<(Resolved, Resolved)>),
}

/// The error for a host's function that panicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Panicked;

impl ResolvedMap {
    pub(crate) fn new(map: ScopeMap, catalog: &ScopeCatalog) -> Result<Self, UndeclaredScope> {
        Ok(Self {
            map: Some(Resolved::new(map, catalog)?),
            has_advised: AtomicBool::new(false),
        })
    }

    /// Returns what a request needs.
    pub(crate) fn need(&self, head: RequestHead<'_>) -> Result<Need, Panicked> {
        match &self.map {
            Some(map) => map.need(head),
            None => Ok(Need::Undeclared),
        }
    }

    /// Returns how to mend what refuses every request, the first time that it is the reason why this request is
    /// not declared.
    pub(crate) fn advice(&self, head: RequestHead<'_>) -> Option<&'static str> {
        let advice = match &self.map {
            None => {
                "the PatLayer has no scope map, so it refuses every token with scopes; set one with \
                 `PatLayer::with_scope_map`"
            }
            Some(map) if head.matched_path().is_none() && map.has_never_matched() => {
                "no request has had a matched path so far, by which the scope map of a `ScopedRouter` finds its \
                 routes. Unless this request has no route, put the PatLayer on the router with `Router::layer`; \
                 around the router, it sees no matched path, and refuses every token with scopes"
            }
            Some(_) => return None,
        };
        let is_first = !self.has_advised.swap(true, Ordering::Relaxed);
        is_first.then_some(advice)
    }
}

impl Resolved {
    fn new(map: ScopeMap, catalog: &ScopeCatalog) -> Result<Self, UndeclaredScope> {
        Ok(match map.0 {
            Kind::ByMethod { read, write } => Self::ByMethod {
                read: read.resolve(catalog)?,
                write: write.resolve(catalog)?,
            },
            Kind::By(function) => Self::By(function),
            #[cfg(feature = "axum")]
            Kind::Routes(routes) => Self::Routes(routes.resolve(catalog)?),
            Kind::Or(first, second) => {
                let both = (Self::new(*first, catalog)?, Self::new(*second, catalog)?);
                Self::Or(Box::new(both))
            }
        })
    }

    fn need(&self, head: RequestHead<'_>) -> Result<Need, Panicked> {
        Ok(match self {
            Self::ByMethod { read, .. } if is_read(head) => *read,
            Self::ByMethod { write, .. } => *write,
            // Nothing of ours is left half-changed by a panic, and what the host's function shares is its own.
            Self::By(Function(need)) => {
                let need = catch_unwind(AssertUnwindSafe(|| need(head))).map_err(|_| Panicked)?;
                match need {
                    Need::Scopes(scopes) if scopes.is_empty() => Need::Undeclared,
                    Need::Scopes(_) | Need::Nothing | Need::Undeclared => need,
                }
            }
            #[cfg(feature = "axum")]
            Self::Routes(routes) => routes.need(head),
            Self::Or(both) => match both.0.need(head)? {
                Need::Undeclared => both.1.need(head)?,
                need @ (Need::Scopes(_) | Need::Nothing) => need,
            },
        })
    }

    /// Returns whether it looks up routes and has never seen a request with one.
    fn has_never_matched(&self) -> bool {
        match self {
            Self::ByMethod { .. } | Self::By(_) => false,
            #[cfg(feature = "axum")]
            Self::Routes(routes) => routes.has_never_matched(),
            Self::Or(both) => both.0.has_never_matched() || both.1.has_never_matched(),
        }
    }
}
