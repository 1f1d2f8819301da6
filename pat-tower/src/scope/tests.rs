//! Random routers, with random declarations: a token with scopes reaches those handlers, and only those, whose routes
//! are declared and need no other scope.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use axum::Router;
use axum::body::Body;
use axum::response::{AppendHeaders, IntoResponse};
use axum::routing::{self, MethodFilter};
use http::{HeaderMap, Method, Request, StatusCode};
use pat_core::scope::ScopeCatalog;
use proptest::prelude::*;
use proptest::sample::select;
use tower::ServiceExt as _;

use super::{RequiredScopes, ScopedRouter};
use crate::auth::PatLayer;
use crate::testing::TestPats;

/// The scopes of the host. A set of them is a number.
const SCOPES: [&str; 2] = ["one", "two"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Scopes(u8);

impl Scopes {
    fn names(self) -> Vec<String> {
        let named = SCOPES.into_iter().enumerate();
        let named = named.filter(|(bit, _)| self.0 & (1 << bit) != 0);
        named.map(|(_, name)| name.to_owned()).collect()
    }

    fn required(self) -> RequiredScopes {
        match self {
            Self(0) => RequiredScopes::none(),
            scopes => scopes.names().into(),
        }
    }
}

/// A router, plain or with scopes.
#[derive(Debug, Clone)]
struct Tree {
    routes: Vec<Route>,
    /// Routers that are nested below a path, or merged.
    inner: Vec<(Option<&'static str>, Tree)>,
    /// Routers that are nested as services.
    services: Vec<(&'static str, Tree)>,
    has_fallback: bool,
    has_method_fallback: bool,
}

#[derive(Debug, Clone)]
struct Route {
    path: &'static str,
    /// For every method if `None`.
    method: Option<&'static str>,
    /// Not declared if `None`.
    scopes: Option<Scopes>,
}

const PATHS: [&str; 7] = ["/", "/a", "/b", "/a/b", "/{id}", "/a/{id}", "/{*rest}"];
const PREFIXES: [&str; 4] = ["/a", "/b", "/a/b", "/{p}"];
const METHODS: [&str; 10] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND",
];

fn routes() -> impl Strategy<Value = Route> {
    let method = prop_oneof![
        1 => Just(None),
        3 => select(&["GET", "GET", "GET", "HEAD", "POST", "PUT", "OPTIONS", "CONNECT"]).prop_map(Some),
    ];
    let scopes = prop_oneof![1 => Just(None), 2 => (0_u8..4).prop_map(|bits| Some(Scopes(bits)))];
    (select(&PATHS), method, scopes).prop_map(|(path, method, scopes)| Route {
        path,
        method,
        scopes,
    })
}

fn trees() -> impl Strategy<Value = Tree> {
    let own = || {
        (
            prop::collection::vec(routes(), 0..6),
            any::<bool>(),
            prop::bool::weighted(0.2),
        )
    };
    let tree = |((routes, has_fallback, has_method_fallback), inner, services)| Tree {
        routes,
        inner,
        services,
        has_fallback,
        has_method_fallback,
    };
    let leaf = own().prop_map(move |own| tree((own, Vec::new(), Vec::new())));
    leaf.prop_recursive(3, 12, 3, move |tree_strategy| {
        let prefix = prop_oneof![2 => select(&PREFIXES).prop_map(Some), 1 => Just(None)];
        let inner = prop::collection::vec((prefix, tree_strategy.clone()), 0..3);
        let services = prop::collection::vec((select(&PREFIXES), tree_strategy), 0..2);
        (own(), inner, services).prop_map(tree)
    })
}

/// What is known of the handlers, without regard to how the scope map works.
#[derive(Debug, Clone, Default)]
struct Handlers {
    /// What each one needs, by its number; `None` if it is not declared.
    needs: Vec<Option<Scopes>>,
    /// The routes that serve `HEAD` alone, by the number of their handler, with their patterns.
    heads: HashMap<usize, String>,
    /// What the declared `GET` of each pattern needs.
    gets: HashMap<String, Scopes>,
}

impl Handlers {
    /// Returns what a request that reached this handler needs.
    fn need(&self, number: usize) -> Option<Scopes> {
        // `HEAD` belongs to the `GET` of the route.
        let get = || self.gets.get(self.heads.get(&number)?).copied();
        self.needs[number].or_else(get)
    }
}

/// Adds to a router what does not panic, since it contradicts no earlier route.
fn attempt<R: Clone>(router: &mut R, add: impl FnOnce(R) -> R) -> bool {
    let before = router.clone();
    let added = catch_unwind(AssertUnwindSafe(|| add(before)));
    added.map(|added| *router = added).is_ok()
}

fn handler(number: usize) -> impl IntoResponse + Clone {
    AppendHeaders([("handler", number.to_string())])
}

fn filter(method: &str) -> MethodFilter {
    let method: Method = method.parse().expect("a method");
    method.try_into().expect("no extension")
}

/// Builds the router of a tree in which every declared route is declared, and all others are mounted with plain axum.
fn build(tree: &Tree, prefix: &str, is_scoped: bool, handlers: &mut Handlers) -> ScopedRouter {
    let mut router = ScopedRouter::new();
    for (path, inner) in &tree.inner {
        let below = format!("{prefix}{}", path.unwrap_or_default());
        let before = handlers.clone();
        let inner = build(inner, &below, is_scoped, handlers);
        let is_added = attempt(&mut router, |router| match path {
            Some(path) => router.nest(path, inner),
            None => router.merge(inner),
        });
        if !is_added {
            (handlers.heads, handlers.gets) = (before.heads, before.gets);
        }
    }
    for route in &tree.routes {
        let number = handlers.needs.len();
        let scopes = route.scopes.filter(|_| is_scoped);
        let say = async move || handler(number);
        let is_added = attempt(&mut router, |router| match (scopes, route.method) {
            (Some(scopes), Some(method)) => {
                router.on(route.path, filter(method), scopes.required(), say)
            }
            (Some(scopes), None) => router.any(route.path, scopes.required(), say),
            (None, Some(method)) => {
                router.map_router(|plain| plain.route(route.path, routing::on(filter(method), say)))
            }
            (None, None) => router.map_router(|plain| plain.route(route.path, routing::any(say))),
        });
        handlers.needs.push(scopes);
        if is_added {
            let pattern = match (prefix, route.path) {
                ("", path) => path.to_owned(),
                (prefix, "/") => prefix.to_owned(),
                (prefix, path) => format!("{prefix}{path}"),
            };
            match (route.method, scopes) {
                (Some("GET"), Some(scopes)) => drop(handlers.gets.insert(pattern, scopes)),
                (None, Some(scopes)) => drop(handlers.gets.entry(pattern).or_insert(scopes)),
                (Some("HEAD"), _) => drop(handlers.heads.insert(number, pattern)),
                _ => {}
            }
        }
    }
    for (path, service) in &tree.services {
        // A service of its own, whose routes are not part of the map.
        let mut of_service = Handlers {
            needs: std::mem::take(&mut handlers.needs),
            ..Handlers::default()
        };
        let (service, _) = build(service, "", false, &mut of_service).into_parts();
        handlers.needs = of_service.needs;
        attempt(&mut router, |router| {
            router.map_router(|plain| plain.nest_service(path, service))
        });
    }
    let mut undeclared = || {
        handlers.needs.push(None);
        let number = handlers.needs.len() - 1;
        async move || handler(number)
    };
    if tree.has_fallback {
        let say = undeclared();
        router = router.map_router(|plain| plain.fallback(say));
    }
    if tree.has_method_fallback {
        let say = undeclared();
        router = router.map_router(|plain| plain.method_not_allowed_fallback(say));
    }
    router
}

/// Returns the status, and the number of the handler that a request reached.
async fn reached(
    app: &Router,
    method: &str,
    path: &str,
    headers: &HeaderMap,
) -> (StatusCode, Option<usize>) {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .body(Body::empty())
        .expect("a request");
    request.headers_mut().clone_from(headers);
    let Ok(response) = app.clone().oneshot(request).await;
    let handler = response.headers().get("handler");
    let handler = handler.map(|number| number.to_str().expect("text").parse().expect("a number"));
    (response.status(), handler)
}

async fn check(tree: &Tree, requests: &[(&'static str, String)]) {
    let catalog = SCOPES
        .into_iter()
        .fold(ScopeCatalog::builder(), |catalog, name| {
            catalog.scope(name, "Something")
        });
    let test = TestPats::new().with_scopes(catalog.build().expect("a catalog"));
    let mut handlers = Handlers::default();
    let (router, map) = build(tree, "", true, &mut handlers).into_parts();
    let layer = PatLayer::required(test.pats()).with_scope_map(map);
    let app = router.layer(layer.expect("declared scopes"));
    let unrestricted = test.token("alice").await;
    let mut tokens = Vec::new();
    for scopes in (0..4).map(Scopes) {
        let names = scopes.names();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        tokens.push((scopes, test.token_with_scopes("alice", &names).await));
    }
    for (method, path) in requests {
        // The router itself says which handler serves the request.
        let (status, handler) = reached(&app, method, path, &unrestricted).await;
        assert_ne!(status, StatusCode::FORBIDDEN);
        let need = handler.and_then(|number| handlers.need(number));
        for (scopes, headers) in &tokens {
            let (status, reached) = reached(&app, method, path, headers).await;
            let is_permitted = need.is_some_and(|need| need.0 & !scopes.0 == 0);
            let expected = if is_permitted { handler } else { None };
            assert_eq!(
                reached, expected,
                "{method} {path} {scopes:?}, needs {need:?}"
            );
            assert_eq!(
                status == StatusCode::FORBIDDEN,
                !is_permitted,
                "{method} {path}"
            );
        }
    }
}

/// Paths that many routers have.
fn paths() -> impl Strategy<Value = String> {
    let segments = prop::collection::vec(select(&["a", "b", "c"]), 0..4);
    (segments, prop::bool::weighted(0.2)).prop_map(|(segments, ends_with_slash)| {
        let path = format!("/{}", segments.join("/"));
        let end = if ends_with_slash && path != "/" {
            "/"
        } else {
            ""
        };
        format!("{path}{end}")
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_restricted_token_reaches_declared_routes_alone(
        tree in trees(),
        requests in prop::collection::vec((select(&METHODS), paths()), 60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(check(&tree, &requests));
    }
}
