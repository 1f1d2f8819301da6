use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{AppendHeaders, Response};
use axum::routing::{self, MethodFilter, any_service, get, head, put};
use http::{HeaderMap, StatusCode};
use pat_core::Caller;
use pat_harness::Log;
use pat_tower::scope::{RequiredScopes, ScopeMap, ScopedRouter};
use pat_tower::testing::TestPats;
use pat_tower::{PatLayer, SignedIn};
use tower::{Layer as _, ServiceBuilder};

use super::{ask, lack, status, test_pats};

type Handler = AppendHeaders<[(&'static str, &'static str); 1]>;

/// A handler that says its name, also to `HEAD`.
macro_rules! say {
    ($name:expr) => {
        async || -> Handler { AppendHeaders([("handler", $name)]) }
    };
}

/// A router in which routes are declared, and undeclared routes are beside them in each way that axum has.
fn router() -> (Router, ScopeMap) {
    let reports = ScopedRouter::new()
        .get("/", "read", say!("reports"))
        .post("/", "write", say!("new report"))
        .get("/{id}", "read", say!("report"));
    let outer =
        ScopedRouter::new()
            .nest("/inner", reports.clone())
            .get("/", "write", say!("outer"));
    let merged = ScopedRouter::new().get("/merged", "read", say!("merged"));
    let declared = ScopedRouter::new()
        .nest("/reports", reports)
        .nest("/outer", outer)
        .nest(
            "/tenants/{tenant}",
            ScopedRouter::new().get("/me", "read", say!("me")),
        )
        .nest("/slash/", ScopedRouter::new().get("/x", "read", say!("x")))
        .merge(merged)
        .get("/free", RequiredScopes::none(), say!("free"))
        .get("/both", ["read", "write"], say!("both"))
        .get("/nobody", [""; 0], say!("nobody"))
        .get("/files/{*path}", "read", say!("files"))
        .get("/own-head", "read", say!("own get"))
        .on("/own-head", MethodFilter::HEAD, "write", say!("own head"))
        .on("/all", MethodFilter::OPTIONS, "read", say!("options"))
        .on("/all", MethodFilter::TRACE, "read", say!("trace"))
        .on("/all", MethodFilter::CONNECT, "write", say!("connect"))
        .any("/any", "write", say!("any"))
        .get("/mixed", "read", say!("mixed get"))
        .any("/mixed", "write", say!("mixed any"))
        .route(
            "/route",
            MethodFilter::GET,
            "read",
            get(say!("route get")).post(say!("route post")),
        )
        .put("/put", "write", say!("put"))
        .patch("/put", "write", say!("patch"))
        .delete("/put", "write", say!("delete"));
    let (router, map) = declared.into_parts();
    let plain = Router::new()
        .route("/", get(say!("plain root")))
        .route("/merged", get(say!("plain nested")))
        .fallback(say!("nested fallback"));
    let service = Router::new()
        .route("/merged", get(say!("in a service")))
        .fallback(say!("service fallback"));
    let router = router
        .route("/plain", get(say!("plain")))
        .route("/merged", put(say!("plain method")))
        .route("/put", head(say!("plain head")))
        .route("/plain-any", routing::any(say!("plain any")))
        .nest("/nested", plain)
        .nest_service("/service", service)
        .route_service("/routed", any_service(routing::any(say!("routed"))))
        .merge(Router::new().route("/beside", get(say!("beside"))))
        .fallback(say!("fallback"))
        .method_not_allowed_fallback(say!("method fallback"));
    (router, map)
}

/// Signs the caller in whom a test has sent.
async fn sign_in(request: Request, next: Next) -> Response {
    if let Some(owner) = request.headers().get("user") {
        let owner = owner.to_str().expect("text").parse().expect("an owner");
        let mut request = request;
        let caller = Caller::cookie_authenticated(owner);
        request.extensions_mut().insert(caller);
        return next.run(request).await;
    }
    next.run(request).await
}

fn app(test: &TestPats) -> Router {
    let (router, map) = router();
    let layer = PatLayer::optional(test.pats()).with_scope_map(map);
    router
        .layer(from_fn(sign_in))
        .layer(layer.expect("declared scopes"))
        // The layer does not cover it.
        .route("/after", get(async |SignedIn(_)| "after"))
}

/// Where a request got: the name of the handler, what the token lacks, or the status.
async fn place(app: &Router, method: &str, path: &str, headers: &HeaderMap) -> String {
    let response = ask(app, method, path, headers).await;
    if let Some(lack) = lack(&response) {
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        return lack;
    }
    match response.headers().get("handler") {
        Some(handler) => handler.to_str().expect("text").into(),
        None => response.status().as_str().into(),
    }
}

/// Method and path of a request, where a token with the scope `read` gets, and one with `write`.
const ROWS: [(&str, &str, &str, &str); 57] = [
    ("GET", "/reports", "reports", "reports"),
    ("HEAD", "/reports", "reports", "reports"),
    ("POST", "/reports", "write", "new report"),
    ("GET", "/reports/5", "report", "report"),
    ("GET", "/reports?x=y", "reports", "reports"),
    // Other methods of a declared path: the fallback for them is not declared.
    ("PUT", "/reports", "undeclared", "undeclared"),
    ("OPTIONS", "/reports", "undeclared", "undeclared"),
    ("TRACE", "/reports", "undeclared", "undeclared"),
    ("PROPFIND", "/reports", "undeclared", "undeclared"),
    // A router in a router, in a router.
    ("GET", "/outer/inner", "reports", "reports"),
    ("GET", "/outer/inner/5", "report", "report"),
    ("POST", "/outer/inner", "write", "new report"),
    ("GET", "/outer", "write", "outer"),
    ("GET", "/outer/", "undeclared", "undeclared"),
    ("GET", "/tenants/acme/me", "me", "me"),
    ("GET", "/slash/x", "x", "x"),
    ("GET", "/merged", "merged", "merged"),
    ("GET", "/free", "free", "free"),
    ("GET", "/both", "write", "both"),
    ("GET", "/nobody", "undeclared", "undeclared"),
    ("GET", "/files/a/b", "files", "files"),
    ("GET", "/files/", "undeclared", "undeclared"),
    ("HEAD", "/files/a", "files", "files"),
    // HEAD is looked up as HEAD, then as GET.
    ("GET", "/own-head", "own get", "own get"),
    ("HEAD", "/own-head", "write", "own head"),
    ("OPTIONS", "/all", "options", "options"),
    ("TRACE", "/all", "trace", "trace"),
    ("CONNECT", "/all", "write", "connect"),
    ("GET", "/all", "undeclared", "undeclared"),
    ("GET", "/any", "write", "any"),
    ("HEAD", "/any", "write", "any"),
    ("OPTIONS", "/any", "write", "any"),
    ("TRACE", "/any", "write", "any"),
    ("CONNECT", "/any", "write", "any"),
    ("PROPFIND", "/any", "write", "any"),
    ("GET", "/mixed", "mixed get", "mixed get"),
    ("HEAD", "/mixed", "mixed get", "mixed get"),
    ("POST", "/mixed", "write", "mixed any"),
    ("PROPFIND", "/mixed", "write", "mixed any"),
    ("GET", "/route", "route get", "route get"),
    ("POST", "/route", "undeclared", "undeclared"),
    ("PUT", "/put", "write", "put"),
    ("PATCH", "/put", "write", "patch"),
    ("DELETE", "/put", "write", "delete"),
    // Not declared, in each way that axum has.
    ("GET", "/plain", "undeclared", "undeclared"),
    ("PUT", "/merged", "undeclared", "undeclared"),
    ("HEAD", "/put", "undeclared", "undeclared"),
    ("POST", "/plain-any", "undeclared", "undeclared"),
    ("GET", "/nested", "undeclared", "undeclared"),
    ("GET", "/nested/merged", "undeclared", "undeclared"),
    ("GET", "/nested/other", "undeclared", "undeclared"),
    ("GET", "/service/merged", "undeclared", "undeclared"),
    ("GET", "/service", "undeclared", "undeclared"),
    ("GET", "/routed", "undeclared", "undeclared"),
    ("GET", "/beside", "undeclared", "undeclared"),
    ("GET", "/other", "undeclared", "undeclared"),
    // The layer is not around this one, whose handler says so.
    ("GET", "/after", "500", "500"),
];

pub(super) async fn a_token_with_scopes_reaches_what_is_declared() {
    let test = test_pats();
    let app = app(&test);
    let reader = test.token_with_scopes("alice", &["read"]).await;
    let writer = test.token_with_scopes("alice", &["write"]).await;
    let nothing = test.token_with_scopes("alice", &["old"]).await;
    for (method, path, of_reader, of_writer) in ROWS {
        let what = format!("{method} {path}");
        assert_eq!(
            place(&app, method, path, &reader).await,
            of_reader,
            "{what}"
        );
        assert_eq!(
            place(&app, method, path, &writer).await,
            of_writer,
            "{what}"
        );
        // A token whose scopes are not declared any more gets to what needs none.
        let is_same = place(&app, method, path, &nothing).await == of_writer;
        assert_eq!(
            is_same,
            ["undeclared", "free", "500"].contains(&of_writer),
            "{what}"
        );
    }
}

pub(super) async fn other_callers_are_untouched_by_the_map() {
    let test = test_pats();
    let (with_map, (router, _)) = (app(&test), router());
    let without = router
        .layer(from_fn(sign_in))
        .layer(PatLayer::optional(test.pats()))
        .route("/after", get(async |SignedIn(_)| "after"));
    let mut session = HeaderMap::new();
    session.insert("user", "alice".parse().expect("a header"));
    let mut as_well = test.token("alice").await;
    as_well.extend(session.clone());
    let callers = [
        HeaderMap::new(),
        session,
        test.token("alice").await,
        as_well,
    ];
    for (method, path, _, of_writer) in ROWS {
        for headers in &callers {
            let place_without = place(&without, method, path, headers).await;
            assert_eq!(place(&with_map, method, path, headers).await, place_without);
            // The router is the same.
            assert!(
                ["undeclared", &*place_without].contains(&of_writer),
                "{path}"
            );
        }
    }
}

pub(super) async fn a_layer_that_sees_no_route_says_how_to_mend_it() {
    let test = test_pats();
    let writer = test.token_with_scopes("alice", &["write"]).await;
    let unrestricted = test.token("alice").await;
    let layer = || {
        let (router, map) = router();
        let layer = PatLayer::optional(test.pats()).with_scope_map(map);
        (router, layer.expect("declared scopes"))
    };
    let advice = "put the PatLayer on the router with `Router::layer`";
    // Around the router.
    let log = Log::default();
    let guard = log.start();
    let (inner, around) = layer();
    let app = ServiceBuilder::new().layer(around).service(inner);
    for path in ["/reports", "/free", "/plain"] {
        let response = ask(&app, "GET", path, &writer).await;
        assert_eq!(lack(&response).as_deref(), Some("undeclared"));
        let passed = ask(&app, "GET", path, &unrestricted).await;
        assert_eq!(passed.status(), StatusCode::OK);
    }
    drop(guard);
    assert_eq!(log.text().matches(advice).count(), 1, "{}", log.text());
    // On the router, a request that has no route is none of the layer's fault.
    let log = Log::default();
    let guard = log.start();
    let (inner, on) = layer();
    let app = inner.layer(on);
    for path in ["/reports", "/other", "/service/merged"] {
        ask(&app, "GET", path, &writer).await;
    }
    drop(guard);
    assert_eq!(log.text().matches(advice).count(), 0, "{}", log.text());
    // Without a map.
    let log = Log::default();
    let guard = log.start();
    let app = router().0.layer(PatLayer::optional(test.pats()));
    for path in ["/reports", "/free"] {
        let response = ask(&app, "GET", path, &writer).await;
        assert_eq!(lack(&response).as_deref(), Some("undeclared"));
    }
    drop(guard);
    let advice = "set one with `PatLayer::with_scope_map`";
    assert_eq!(log.text().matches(advice).count(), 1, "{}", log.text());
}

/// Its patterns are others then, and so they are where the layer is in a router that another one nests.
pub(super) async fn a_router_that_is_nested_with_its_map_is_closed() {
    let test = test_pats();
    let writer = test.token_with_scopes("alice", &["write"]).await;
    let (inner, map) = router();
    let layer = PatLayer::required(test.pats()).with_scope_map(map);
    let layer = layer.expect("declared scopes");
    let outside = Router::new()
        .nest("/v1", inner.clone())
        .layer(layer.clone());
    let inside = Router::new().nest("/v1", inner.clone().layer(layer.clone()));
    let as_service = Router::new().nest_service("/v1", inner.clone().layer(layer.clone()));
    let around = Router::new().nest_service("/v1", layer.layer(inner.clone()));
    for (name, app) in [
        ("outside", outside),
        ("inside", inside),
        ("as service", as_service),
        ("around", around),
    ] {
        for path in ["/v1/reports", "/v1/free", "/v1/plain", "/v1/other"] {
            assert_eq!(
                place(&app, "GET", path, &writer).await,
                "undeclared",
                "{name} {path}"
            );
        }
    }
    // Nested before, the router is where the map says.
    let (router, map) = ScopedRouter::new()
        .nest(
            "/v1",
            ScopedRouter::new().get("/reports", "read", say!("reports")),
        )
        .into_parts();
    let layer = PatLayer::required(test.pats()).with_scope_map(map);
    let layer = layer.expect("declared scopes");
    let merged = Router::new().merge(router.clone()).layer(layer.clone());
    let by_route_layer = router.route_layer(layer);
    for app in [merged, by_route_layer] {
        assert_eq!(place(&app, "GET", "/v1/reports", &writer).await, "reports");
    }
}

pub(super) async fn a_name_that_is_not_declared_is_an_error_at_the_start() {
    let test = test_pats();
    let misspelt = ScopedRouter::<()>::new().get("/x", "wirte", say!("x"));
    let nested = ScopedRouter::new().nest("/y", misspelt.clone());
    for map in [
        misspelt.into_parts().1,
        nested.into_parts().1,
        ScopeMap::by_method("read", ["write", "wirte"]),
    ] {
        let error = PatLayer::required(test.pats()).with_scope_map(map);
        assert_eq!(error.expect_err("an error").name, "wirte");
    }
}

pub(super) async fn routes_of_a_router_that_was_built_elsewhere_can_be_declared() {
    let test = test_pats();
    let built = Router::new().route("/x", get(say!("x")).post(say!("post")));
    let (router, map) = ScopedRouter::from(built)
        .declare("/x", MethodFilter::GET, "read")
        .into_parts();
    let layer = PatLayer::required(test.pats()).with_scope_map(map);
    let app = router.layer(layer.expect("declared scopes"));
    let reader = test.token_with_scopes("alice", &["read"]).await;
    assert_eq!(status(&app, "GET", "/x", &reader).await, 200);
    assert_eq!(status(&app, "POST", "/x", &reader).await, 403);
}
