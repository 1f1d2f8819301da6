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

#[cfg(all(test, feature = "axum"))]
mod tests {
    use std::sync::Arc;

    use axum::Router;
    use axum::body::Body;
    use axum::extract::Request;
    use axum::routing::get;
    use pat_core::scope::ScopeSet;
    use tower::ServiceExt as _;

    use super::*;
    use crate::scope::{RequiredScopes, ScopedRouter};

    /// A map of one route, `GET /x`.
    fn routes() -> ScopeMap {
        let router = ScopedRouter::<()>::new();
        let router = router.get("/x", RequiredScopes::none(), async || {});
        router.into_parts().1
    }

    fn by(need: Need) -> ScopeMap {
        ScopeMap::by(move |_| need)
    }

    fn resolved(map: ScopeMap) -> ResolvedMap {
        ResolvedMap::new(map, &ScopeCatalog::default()).expect("no scopes")
    }

    /// A request that is not seen by a router.
    fn unrouted() -> Request {
        Request::new(Body::empty())
    }

    #[test]
    fn a_map_that_refuses_every_request_has_advice_once() {
        let request = unrouted();
        let head = RequestHead::of(&request);
        let (no_map, no_route) = ("with_scope_map", "Router::layer");
        for (map, expected) in [
            (ResolvedMap::default(), Some(no_map)),
            (resolved(routes()), Some(no_route)),
            (resolved(routes().or(by(Need::Undeclared))), Some(no_route)),
            (resolved(by(Need::Undeclared).or(routes())), Some(no_route)),
            (resolved(by(Need::Undeclared)), None),
            (resolved(ScopeMap::by_method([""; 0], [""; 0])), None),
        ] {
            let advice = map.advice(head);
            match expected {
                Some(expected) => assert!(
                    advice.is_some_and(|advice| advice.contains(expected)),
                    "{map:?}"
                ),
                None => assert_eq!(advice, None, "{map:?}"),
            }
            assert_eq!(map.advice(head), None);
        }
    }

    #[tokio::test]
    async fn a_map_whose_routes_are_matched_has_no_advice() {
        let map = Arc::new(resolved(routes()));
        let in_route = map.clone();
        let app = Router::new().route(
            "/x",
            get(async move |request: Request| {
                let head = RequestHead::of(&request);
                assert_eq!(in_route.advice(head), None);
                assert_eq!(in_route.need(head), Ok(Need::Nothing));
            }),
        );
        let request = Request::get("/x").body(Body::empty());
        let Ok(response) = app.oneshot(request.expect("a request")).await;
        assert!(response.status().is_success());
        assert_eq!(map.advice(RequestHead::of(&unrouted())), None);
    }

    #[test]
    fn a_function_that_needs_an_empty_set_declares_nothing() {
        let request = unrouted();
        let needed = |map| resolved(map).need(RequestHead::of(&request));
        let empty = || by(Need::Scopes(ScopeSet::default()));
        assert_eq!(needed(empty()), Ok(Need::Undeclared));
        assert_eq!(needed(empty().or(by(Need::Nothing))), Ok(Need::Nothing));
        assert_eq!(needed(by(Need::Nothing).or(empty())), Ok(Need::Nothing));
        assert_eq!(needed(ScopeMap::by(|_| panic!("a test"))), Err(Panicked));
    }
}
