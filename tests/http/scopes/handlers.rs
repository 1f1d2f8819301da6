use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;
use http::{HeaderMap, StatusCode};
use pat_core::scope::{ScopeSet, Scopes};
use pat_core::{Caller, Pats};
use pat_tower::scope::{Need, ScopeMap, ScopeName, Scoped};
use pat_tower::{Pat, PatLayer, PatRejection, RejectionKind, SignedIn};

use super::{ask, lack, status, test_pats, with_header};

struct Write;

impl ScopeName for Write {
    const NAME: &'static str = "write";
}

struct Misspelt;

impl ScopeName for Misspelt {
    const NAME: &'static str = "wirte";
}

/// Signs the caller in whom a test has sent.
async fn sign_in(mut request: Request, next: Next) -> Response {
    if let Some(owner) = request.headers().get("user") {
        let owner = owner.to_str().expect("text").parse().expect("an owner");
        let caller = Caller::cookie_authenticated(owner);
        request.extensions_mut().insert(caller);
    }
    next.run(request).await
}

pub(super) async fn an_extractor_refuses_a_token_without_its_scope() {
    async fn required(caller: Scoped<Write>) -> String {
        caller.caller().owner().to_string()
    }
    async fn optional(caller: Option<Scoped<Write>>) -> String {
        caller.map_or("nobody".into(), |caller| {
            caller.into_caller().owner().to_string()
        })
    }
    async fn misspelt(_: Scoped<Misspelt>) {}
    let test = test_pats();
    let open = ScopeMap::by(|head| match head.uri().path() {
        "/closed" => Need::Undeclared,
        _ => Need::Nothing,
    });
    let layer = PatLayer::optional(test.pats()).with_scope_map(open);
    let app = Router::new()
        .route("/required", get(required))
        .route("/optional", get(optional))
        .route("/closed", get(required))
        .route("/misspelt", get(misspelt))
        .layer(from_fn(sign_in))
        .layer(layer.expect("declared scopes"))
        .route("/uncovered", get(required))
        .with_state(test.pats());
    let anonymous = HeaderMap::new();
    let session = with_header(&anonymous, "user", "bob");
    let reader = test.token_with_scopes("alice", &["read"]).await;
    // A session beside it does not add to what the token may do.
    let both = with_header(&reader, "user", "bob");
    let writer = test.token_with_scopes("alice", &["write"]).await;
    let unrestricted = test.token("alice").await;
    for (name, headers, by_required, by_optional, by_misspelt) in [
        ("anonymous", &anonymous, 401, 200, 401),
        ("session", &session, 200, 200, 200),
        ("reader", &reader, 403, 403, 403),
        ("both", &both, 403, 403, 403),
        ("writer", &writer, 200, 200, 403),
        ("unrestricted", &unrestricted, 200, 200, 200),
    ] {
        for (path, expected) in [
            ("/required", by_required),
            ("/optional", by_optional),
            ("/misspelt", by_misspelt),
            ("/uncovered", 500),
        ] {
            assert_eq!(
                status(&app, "GET", path, headers).await,
                expected,
                "{name} {path}"
            );
        }
    }
    let response = ask(&app, "GET", "/required", &reader).await;
    assert_eq!(lack(&response).as_deref(), Some("write"));
    let challenge = response.headers()["www-authenticate"].to_str();
    assert!(challenge.expect("text").ends_with(r#"scope="write""#));
    // It opens nothing.
    assert_eq!(status(&app, "GET", "/closed", &writer).await, 403);
}

pub(super) async fn a_handler_can_ask_what_a_token_permits() {
    async fn permits(
        State((pats, write)): State<(Pats, ScopeSet)>,
        pat: Pat,
        SignedIn(caller): SignedIn,
    ) -> String {
        assert_eq!(pats.permits(&caller, "write"), pat.permits(write));
        let scopes = pat.scopes().map(ToString::to_string);
        format!("{scopes:?} {}", pat.permits(write))
    }
    let test = test_pats();
    let open = ScopeMap::by(|_| Need::Nothing);
    let layer = PatLayer::required(test.pats()).with_scope_map(open);
    let write = test.pats().scope_catalog().set(["write"]);
    let app: Router = Router::new()
        .route("/", get(permits))
        .layer(layer.expect("declared scopes"))
        .with_state((test.pats(), write.expect("declared")));
    for (scopes, expected) in [
        (Some(&["read"][..]), r#"Some("read") false"#),
        (Some(&["write", "old"]), r#"Some("old write") true"#),
        (Some(&[]), r#"Some("") false"#),
        (None, "None true"),
    ] {
        let headers = match scopes {
            Some(scopes) => test.token_with_scopes("alice", scopes).await,
            None => test.token("alice").await,
        };
        let response = ask(&app, "GET", "/", &headers).await;
        assert_eq!(response.status(), StatusCode::OK);
        let body = axum::body::to_bytes(response.into_body(), 1000).await;
        assert_eq!(body.expect("a body"), expected);
    }
}

pub(super) async fn the_host_can_check_its_own_callers() {
    /// Signs in a caller whose scopes are in a header, as those of an access token are.
    async fn sign_in(
        State((layer, pats)): State<(PatLayer, Pats)>,
        mut request: Request,
        next: Next,
    ) -> Result<Response, PatRejection> {
        let scopes = request.headers().get("oauth-scopes");
        if let Some(scopes) = scopes.map(|scopes| scopes.to_str().expect("text")) {
            let scopes: Scopes = scopes.parse().expect("scopes");
            let permitted = pats.scope_catalog().permitted_by(&scopes);
            layer.check_scopes(&request, permitted)?;
            let owner = "bob".parse().expect("an owner");
            let caller = Caller::header_authenticated(owner);
            request.extensions_mut().insert(caller);
        }
        Ok(next.run(request).await)
    }
    let test = test_pats();
    let map = ScopeMap::by_method("read", "write");
    let layer = PatLayer::optional(test.pats()).with_scope_map(map);
    let layer = layer.expect("declared scopes");
    let app: Router = Router::new()
        .route(
            "/",
            get(async |_: SignedIn| "passed").post(async |_: SignedIn| "passed"),
        )
        .layer(from_fn_with_state((layer.clone(), test.pats()), sign_in))
        .layer(layer);
    for (scopes, by_get, by_post) in [("read", 200, 403), ("write", 200, 200), ("", 403, 403)] {
        let headers = with_header(&HeaderMap::new(), "oauth-scopes", scopes);
        assert_eq!(status(&app, "GET", "/", &headers).await, by_get);
        assert_eq!(status(&app, "POST", "/", &headers).await, by_post);
    }
    let reader = with_header(&HeaderMap::new(), "oauth-scopes", "read");
    let reader = with_header(&reader, "content-type", "application/grpc");
    let response = ask(&app, "POST", "/", &reader).await;
    assert_eq!(lack(&response), Some("write".into()));
    let rejection = response.extensions().get::<PatRejection>();
    let rejection = rejection.expect("a rejection");
    assert_eq!(rejection.kind(), RejectionKind::InsufficientScope);
    assert_eq!(response.headers()["grpc-status"], "7");
}
