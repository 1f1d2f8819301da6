use axum::Router;
use axum::handler::Handler;
use axum::routing::{self, MethodFilter, MethodRouter};

use super::map::{Kind, ScopeMap};
use super::need::RequiredScopes;
use super::routes::Routes;

/// An axum router and its [`ScopeMap`], built together: each route is added with the scopes that a request for it
/// needs. [`ScopedRouter::into_parts`] returns both.
///
/// ```
/// use std::sync::Arc;
///
/// use axum::Router;
/// use axum::routing::get;
/// use pat_core::scope::ScopeCatalog;
/// use pat_core::{MemoryStore, Pats};
/// use pat_tower::PatLayer;
/// use pat_tower::scope::{RequiredScopes, ScopedRouter};
///
/// let scopes = ScopeCatalog::builder()
///     .scope("read", "Read reports")
///     .scope("write", "Read, change and delete reports")
///     .implies("write", "read")
///     .build()?;
/// let pats = Pats::builder(Arc::new(MemoryStore::default())).scopes(scopes).build();
///
/// let reports = ScopedRouter::new()
///     .get("/", "read", async || "all reports")
///     .post("/", "write", async || "a new report")
///     .get("/{id}", "read", async || "a report");
/// let (router, scopes) = ScopedRouter::new()
///     .nest("/reports", reports)
///     .get("/version", RequiredScopes::none(), async || "1.0")
///     .into_parts();
///
/// let app: Router = router
///     // Not declared, so refused to every token with scopes.
///     .route("/metrics", get(async || "requests 5"))
///     .layer(PatLayer::optional(pats).with_scope_map(scopes)?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Which requests are declared
/// The layer finds a route by its pattern ([`MatchedPath`](axum::extract::MatchedPath)) and method. A `HEAD` request
/// is one of the route's `GET`, unless `HEAD` is declared. A request without a matched path is not declared:
///
/// - one that no route matches, so every fallback; a method that a route does not have is not declared either,
/// - one below [`Router::nest_service`],
/// - every request, if the layer is around the router instead of on it. Put it on with [`Router::layer`], after the
///   last route. If no request had a matched path, the first refusal logs that.
///
/// # Where to mount the router
/// The patterns of the map are those of the router that `into_parts` returns. Add plain routes to it, merge and nest
/// other routers *into* it, and put the layer on it, or on a router into which it is merged. Nest it with
/// [`ScopedRouter::nest`] before: if plain axum nests it, the patterns of its routes are no longer those of the map.
/// For the same reason, put the layer on the outermost router: in a router that another router calls as a service, a
/// fallback sees the pattern of the outer route.
///
/// Declare and mount a route only once. axum panics if another route has the same pattern and method.
#[derive(Debug, Clone)]
#[must_use]
pub struct ScopedRouter<S = ()> {
    router: Router<S>,
    declared: Routes,
}

impl<S: Clone + Send + Sync + 'static> ScopedRouter<S> {
    /// Creates a router without routes.
    pub fn new() -> Self {
        Router::new().into()
    }

    /// Adds a `GET` route, which also serves `HEAD`.
    ///
    /// # Panics
    /// If the router has this route already, or the path is not valid, as [`Router::route`] does. So do the other
    /// methods that add routes.
    #[track_caller]
    pub fn get<H, T>(self, path: &str, scopes: impl Into<RequiredScopes>, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.on(path, MethodFilter::GET, scopes, handler)
    }

    /// Adds a `POST` route.
    #[track_caller]
    pub fn post<H, T>(self, path: &str, scopes: impl Into<RequiredScopes>, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.on(path, MethodFilter::POST, scopes, handler)
    }

    /// Adds a `PUT` route.
    #[track_caller]
    pub fn put<H, T>(self, path: &str, scopes: impl Into<RequiredScopes>, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.on(path, MethodFilter::PUT, scopes, handler)
    }

    /// Adds a `PATCH` route.
    #[track_caller]
    pub fn patch<H, T>(self, path: &str, scopes: impl Into<RequiredScopes>, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.on(path, MethodFilter::PATCH, scopes, handler)
    }

    /// Adds a `DELETE` route.
    #[track_caller]
    pub fn delete<H, T>(self, path: &str, scopes: impl Into<RequiredScopes>, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.on(path, MethodFilter::DELETE, scopes, handler)
    }

    /// Adds a route for these methods.
    #[track_caller]
    pub fn on<H, T>(
        self,
        path: &str,
        methods: MethodFilter,
        scopes: impl Into<RequiredScopes>,
        handler: H,
    ) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.route(path, methods, scopes, routing::on(methods, handler))
    }

    /// Adds a route for all methods, extension methods such as `PROPFIND` included, except for those that are
    /// declared for this path already. Declare these first: afterwards, no other method can be added.
    ///
    /// A web socket needs such a route, because it begins with `GET` over HTTP/1.1 and with `CONNECT` over HTTP/2.
    #[track_caller]
    pub fn any<H, T>(mut self, path: &str, scopes: impl Into<RequiredScopes>, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        let scopes = scopes.into();
        let mut method_router = routing::any(handler.clone());
        // Added one by one, so that axum refuses a plain route for one of them, which would have these scopes.
        if let Some(methods) = self.declared.undeclared_methods(path) {
            method_router = method_router.on(methods, handler);
            self.declared.declare(path, methods, &scopes);
        }
        self.declared.declare_extensions(path, scopes);
        Self {
            router: self.router.route(path, method_router),
            declared: self.declared,
        }
    }

    /// Adds axum's router of the methods of a path, and declares what these methods need. Other methods that the
    /// router has are not declared.
    ///
    /// ```
    /// use axum::routing::{MethodFilter, get};
    /// use pat_core::Pats;
    /// use pat_tower::UntilInvalidLayer;
    /// use pat_tower::scope::ScopedRouter;
    ///
    /// # async fn events() {}
    /// fn routes(pats: Pats) -> ScopedRouter {
    ///     let events = get(events).layer(UntilInvalidLayer::new(pats));
    ///     ScopedRouter::new().route("/events", MethodFilter::GET, "read", events)
    /// }
    /// ```
    #[track_caller]
    pub fn route(
        self,
        path: &str,
        methods: MethodFilter,
        scopes: impl Into<RequiredScopes>,
        method_router: MethodRouter<S>,
    ) -> Self {
        Self {
            router: self.router.route(path, method_router),
            declared: self.declared,
        }
        .declare(path, methods, scopes)
    }

    /// Declares what these methods of a route need that the router has already, because it was made
    /// [from an axum router](#impl-From<Router<S>>-for-ScopedRouter<S>).
    ///
    /// # Panics
    /// If one of these methods is declared already.
    #[track_caller]
    pub fn declare(
        mut self,
        path: &str,
        methods: MethodFilter,
        scopes: impl Into<RequiredScopes>,
    ) -> Self {
        self.declared.declare(path, methods, &scopes.into());
        self
    }

    /// Adds the routes of another router below a path, with their scopes, as [`Router::nest`] does.
    #[track_caller]
    pub fn nest(mut self, path: &str, other: Self) -> Self {
        self.declared.nest(path, other.declared);
        Self {
            router: self.router.nest(path, other.router),
            declared: self.declared,
        }
    }

    /// Adds the routes of another router, with their scopes, as [`Router::merge`] does.
    #[track_caller]
    pub fn merge(mut self, other: Self) -> Self {
        self.declared.merge(other.declared);
        Self {
            router: self.router.merge(other.router),
            declared: self.declared,
        }
    }

    /// Changes the axum router, for example with [`Router::layer`], and keeps the scopes. The patterns of its
    /// routes must stay as they are: the layer refuses routes whose patterns have changed.
    ///
    /// ```
    /// use axum::Extension;
    /// use pat_tower::scope::ScopedRouter;
    ///
    /// let reports: ScopedRouter = ScopedRouter::new()
    ///     .get("/reports", "read", async |Extension(limit): Extension<usize>| format!("{limit} reports"))
    ///     .map_router(|router| router.layer(Extension(10_usize)));
    /// ```
    pub fn map_router(self, change: impl FnOnce(Router<S>) -> Router<S>) -> Self {
        Self {
            router: change(self.router),
            declared: self.declared,
        }
    }

    /// Sets the state of the handlers, as [`Router::with_state`] does.
    pub fn with_state<S2>(self, state: S) -> ScopedRouter<S2> {
        ScopedRouter {
            router: self.router.with_state(state),
            declared: self.declared,
        }
    }

    /// Returns the router, and the map for
    /// [`PatLayer::with_scope_map`](crate::PatLayer::with_scope_map).
    pub fn into_parts(self) -> (Router<S>, ScopeMap) {
        (self.router, ScopeMap(Kind::Routes(self.declared)))
    }
}

impl<S: Clone + Send + Sync + 'static> Default for ScopedRouter<S> {
    fn default() -> Self {
        Self::new()
    }
}

/// Creates a router that declares none of its routes, for a router that was built elsewhere;
/// [`ScopedRouter::declare`] declares them.
impl<S> From<Router<S>> for ScopedRouter<S> {
    fn from(router: Router<S>) -> Self {
        let declared = Routes::default();
        Self { router, declared }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use axum::body::Body;
    use axum::routing::{any, get};
    use http::{Request, StatusCode};
    use tower::ServiceExt as _;

    use super::*;

    fn handler() -> impl Handler<((),), ()> {
        async || "a response"
    }

    #[tokio::test]
    async fn a_route_serves_its_method_and_no_other() {
        let router = ScopedRouter::new;
        for (method, router) in [
            ("GET", router().get("/x", "read", handler())),
            ("POST", router().post("/x", "read", handler())),
            ("PUT", router().put("/x", "read", handler())),
            ("PATCH", router().patch("/x", "read", handler())),
            ("DELETE", router().delete("/x", "read", handler())),
            (
                "GET",
                router().nest("/x", router().get("/", "read", handler())),
            ),
            (
                "GET",
                router().map_router(|plain| plain.route("/x", get(handler()))),
            ),
        ] {
            let (router, _) = router.into_parts();
            for (requested, expected) in [
                (method, StatusCode::OK),
                ("OPTIONS", StatusCode::METHOD_NOT_ALLOWED),
            ] {
                let request = Request::builder().method(requested).uri("/x");
                let request = request.body(Body::empty()).expect("a request");
                let Ok(response) = router.clone().oneshot(request).await;
                assert_eq!(response.status(), expected, "{requested} of {method}");
            }
        }
    }

    #[test]
    fn a_route_that_contradicts_an_earlier_one_panics() {
        let get_x = || ScopedRouter::<()>::new().get("/x", "read", handler());
        let any_x = || ScopedRouter::<()>::new().any("/x", "write", handler());
        let plain = |router: ScopedRouter, route| router.into_parts().0.route("/x", route);
        for (build, panics) in [
            // What axum alone would add to the route for any method, whose scopes it would then have.
            (
                &(|| plain(any_x(), get(handler()))) as &dyn Fn() -> Router,
                true,
            ),
            (&|| plain(any_x(), any(handler())), true),
            (
                &|| plain(any_x().with_state(()), get(handler()).head(handler())),
                true,
            ),
            (&|| plain(get_x(), any(handler())), false),
            (
                &|| any_x().get("/x", "read", handler()).into_parts().0,
                true,
            ),
            (
                &|| get_x().any("/x", "write", handler()).into_parts().0,
                false,
            ),
            (
                &|| get_x().get("/x", "read", handler()).into_parts().0,
                true,
            ),
            (&|| get_x().merge(get_x()).into_parts().0, true),
            (&|| get_x().nest("/y", get_x()).into_parts().0, false),
            (
                &|| {
                    get_x()
                        .declare("/x", MethodFilter::GET, "read")
                        .into_parts()
                        .0
                },
                true,
            ),
        ] {
            let built = catch_unwind(std::panic::AssertUnwindSafe(build));
            assert_eq!(built.is_err(), panics);
        }
    }
}
