//! Who makes a request, by a token or by the host's sign-in, as handlers are told.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use http::{StatusCode, header};
use libtest_mimic::Trial;
use pat_core::search::Filter;
use pat_core::testing::TestDirectory;
use pat_core::{Caller, MemoryStore, Owner, Pats, Settings, TokenRequest};
use pat_harness::{Log, trial};
use pat_tower::{Admin, Pat, PatLayer, PatRejection, RejectionKind, SignedIn};
use tower::ServiceExt as _;

use super::text_of;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(a_token_or_the_hosts_sign_in_is_the_caller),
        trial(an_anonymous_request_is_refused_or_none),
        trial(only_administrators_pass_admin),
        trial(an_optional_admin_is_none_for_others),
        trial(a_route_without_the_layer_is_an_error),
        trial(an_administrators_token_is_checked_again),
        trial(a_grpc_request_is_refused_by_a_status),
        trial(the_host_renders_rejections_of_extractors),
    ]
}

/// A host whose sign-in is the cookie `user=…`.
struct Host {
    pats: Pats,
    users: TestDirectory,
}

impl Host {
    fn new() -> Self {
        Self::with(Settings::default())
    }

    fn with(settings: Settings) -> Self {
        let users = TestDirectory::default();
        users.add("alice");
        users.add_administrator("root");
        let builder = Pats::builder(Arc::new(MemoryStore::default()));
        let pats = builder.users(Arc::new(users.clone())).settings(settings);
        let pats = pats.build();
        Self { pats, users }
    }

    fn app(&self, layer: PatLayer) -> Router {
        Router::new()
            .route("/caller", get(caller))
            .route("/maybe", get(maybe))
            .route("/admin", get(admin))
            .route("/maybe-admin", get(maybe_admin))
            .layer(from_fn(sign_in))
            .layer(layer)
            .with_state(self.pats.clone())
    }

    async fn bearer(&self, user: &str) -> String {
        let caller = Caller::header_authenticated(user.parse().expect("an owner"));
        let request = TokenRequest::new("ci", None);
        let created = self.pats.create(&caller, request).await.expect("a token");
        format!("Bearer {}", created.plain.expose())
    }

    async fn ask(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        let app = self.app(PatLayer::optional(self.pats.clone()));
        ask(app, path, headers).await
    }
}

async fn caller(SignedIn(caller): SignedIn) -> String {
    let token = caller.token().map_or("no token", |token| token.name());
    let way = if caller.is_cookie_authenticated() {
        "cookie"
    } else {
        "header"
    };
    format!("{} {token} {way}", caller.owner())
}

async fn maybe(signed_in: Option<SignedIn>) -> String {
    match signed_in {
        Some(signed_in) => caller(signed_in).await,
        None => "nobody".to_owned(),
    }
}

async fn admin(admin: Admin) -> String {
    let count = admin.administration().count(&Filter::default()).await;
    format!("{} {}", admin.caller().owner(), count.expect("a count"))
}

async fn maybe_admin(found: Option<Admin>) -> String {
    match found {
        Some(found) => admin(found).await,
        None => "no administrator".to_owned(),
    }
}

async fn sign_in(mut request: Request, next: Next) -> Response {
    let cookie = request.headers().get(header::COOKIE);
    let user = cookie.and_then(|cookie| cookie.to_str().ok()?.strip_prefix("user="));
    if let Some(owner) = user.and_then(|user| user.parse::<Owner>().ok()) {
        request
            .extensions_mut()
            .insert(Caller::cookie_authenticated(owner));
    }
    next.run(request).await
}

async fn ask(app: Router, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = Request::builder().uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::empty()).expect("a request");
    app.oneshot(request).await.expect("an answer")
}

fn kind(response: &Response) -> RejectionKind {
    let rejection = response.extensions().get::<PatRejection>();
    rejection.expect("a rejection").kind()
}

async fn a_token_or_the_hosts_sign_in_is_the_caller() {
    let host = Host::new();
    let token = host.bearer("root").await;
    let token = ("authorization", token.as_str());
    let session = ("cookie", "user=alice");
    for (headers, expected) in [
        (&[session][..], "alice no token cookie"),
        (&[token], "root ci header"),
        (&[session, token], "root ci header"),
    ] {
        for path in ["/caller", "/maybe"] {
            let response = host.ask(path, headers).await;
            assert_eq!(response.status(), StatusCode::OK);
            assert_eq!(text_of(response).await, expected, "{path}");
        }
    }
}

async fn an_anonymous_request_is_refused_or_none() {
    let host = Host::new();
    assert_eq!(text_of(host.ask("/maybe", &[]).await).await, "nobody");
    for path in ["/caller", "/admin"] {
        let refused = host.ask(path, &[]).await;
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(kind(&refused), RejectionKind::NotSignedIn);
        let challenges = refused.headers().get_all(header::WWW_AUTHENTICATE);
        let challenges: Vec<_> = challenges.iter().collect();
        assert_eq!(challenges, ["Bearer realm=\"PAT\""], "{path}");
        assert!(text_of(refused).await.contains("pat/not-signed-in"));
    }
}

async fn only_administrators_pass_admin() {
    let host = Host::new();
    let root = host.bearer("root").await;
    let alice = host.bearer("alice").await;
    let by_token = |bearer| ("authorization", bearer);
    let (root, alice) = (root.as_str(), alice.as_str());
    for header in [by_token(root), ("cookie", "user=root")] {
        let response = host.ask("/admin", &[header]).await;
        assert_eq!(text_of(response).await, "root 2");
    }
    let refused = async |host: &Host, header| {
        let response = host.ask("/admin", &[header]).await;
        (response.status(), kind(&response), text_of(response).await)
    };
    for header in [by_token(alice), ("cookie", "user=alice")] {
        let (status, kind, text) = refused(&host, header).await;
        assert_eq!(status, StatusCode::FORBIDDEN);
        assert_eq!(kind, RejectionKind::NotAdministrator);
        assert!(text.contains("pat/not-an-administrator"), "{text}");
    }
    host.users.set_down(true);
    let (status, kind, text) = refused(&host, ("cookie", "user=root")).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(kind, RejectionKind::Unavailable);
    assert!(text.contains("pat/temporarily-unavailable"), "{text}");
    let settings = Settings::builder().admin_enabled(false).build();
    let host = Host::with(settings.expect("settings"));
    let (status, kind, _) = refused(&host, ("cookie", "user=root")).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(kind, RejectionKind::NotAdministrator);
}

async fn an_optional_admin_is_none_for_others() {
    let host = Host::new();
    let (root, alice) = (host.bearer("root").await, host.bearer("alice").await);
    let (root, alice) = (("authorization", &*root), ("authorization", &*alice));
    let (root_here, alice_here) = (("cookie", "user=root"), ("cookie", "user=alice"));
    let disabled = Settings::builder().admin_enabled(false).build();
    let disabled = Host::with(disabled.expect("settings"));
    for (host, headers, expected) in [
        (&host, &[root][..], "root 2"),
        (&host, &[root_here], "root 2"),
        (&host, &[alice], "no administrator"),
        (&host, &[alice_here], "no administrator"),
        (&host, &[], "no administrator"),
        (&disabled, &[root_here], "no administrator"),
    ] {
        let response = host.ask("/maybe-admin", headers).await;
        assert_eq!(response.status(), StatusCode::OK, "{headers:?}");
        assert_eq!(text_of(response).await, expected, "{headers:?}");
    }
    // The directory is down, so it cannot say whether this is an administrator.
    host.users.set_down(true);
    let refused = host.ask("/maybe-admin", &[root_here]).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(kind(&refused), RejectionKind::Unavailable);
}

/// Even of a user who is signed in: tokens would not be looked at.
async fn a_route_without_the_layer_is_an_error() {
    let host = Host::new();
    let app = Router::new()
        .route("/caller", get(caller))
        .route("/maybe", get(maybe))
        .route("/admin", get(admin))
        .route("/maybe-admin", get(maybe_admin))
        .route("/pat", get(async |_: Option<Pat>| "a token or none"))
        .layer(from_fn(sign_in))
        .with_state(host.pats);
    for path in ["/caller", "/maybe", "/admin", "/maybe-admin", "/pat"] {
        for headers in [&[][..], &[("cookie", "user=root")]] {
            let log = Log::default();
            let _guard = log.start();
            let refused = ask(app.clone(), path, headers).await;
            let log = log.text();
            assert!(log.contains("ERROR") && log.contains(path), "{log}");
            assert!(log.contains("`Router::layer`"), "{log}");
            assert_eq!(refused.status(), StatusCode::INTERNAL_SERVER_ERROR);
            assert_eq!(kind(&refused), RejectionKind::MissingLayer);
            let text = text_of(refused).await;
            assert!(text.contains("`pat_tower::PatLayer`"), "{text}");
        }
    }
}

/// It may have been revoked while the request was under way.
async fn an_administrators_token_is_checked_again() {
    async fn revoke(State(pats): State<Pats>, request: Request, next: Next) -> Response {
        let SignedIn(caller) = SignedIn::of(request.extensions()).expect("a caller");
        let token = caller.token().expect("a token").token_id();
        pats.revoke(&caller, token).await.expect("it is revoked");
        next.run(request).await
    }

    let host = Host::new();
    let app = Router::new()
        .route("/admin", get(admin))
        .route("/maybe-admin", get(maybe_admin))
        .layer(from_fn_with_state(host.pats.clone(), revoke))
        .layer(PatLayer::optional(host.pats.clone()))
        .with_state(host.pats.clone());
    for path in ["/admin", "/maybe-admin"] {
        let bearer = host.bearer("root").await;
        let refused = ask(app.clone(), path, &[("authorization", &bearer)]).await;
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(kind(&refused), RejectionKind::InvalidToken);
        let challenge = &refused.headers()[header::WWW_AUTHENTICATE];
        assert_eq!(challenge, "Bearer realm=\"PAT\", error=\"invalid_token\"");
    }
}

async fn a_grpc_request_is_refused_by_a_status() {
    let host = Host::new();
    let app = Router::new()
        .route("/admin", axum::routing::post(admin))
        .layer(from_fn(sign_in))
        .layer(PatLayer::optional(host.pats.clone()))
        .with_state(host.pats.clone());
    for (cookie, code) in [("user=alice", "7"), ("none", "16")] {
        let request = Request::post("/admin")
            .header(header::CONTENT_TYPE, "application/grpc")
            .header("cookie", cookie);
        let request = request.body(Body::empty()).expect("a request");
        let refused = app.clone().oneshot(request).await.expect("an answer");
        assert_eq!(refused.status(), StatusCode::OK);
        assert_eq!(refused.headers()["grpc-status"], code);
    }
}

/// Those of a request with a token too.
async fn the_host_renders_rejections_of_extractors() {
    let host = Host::new();
    let alice = host.bearer("alice").await;
    let layer = PatLayer::optional(host.pats.clone()).with_rejection_response(|rejection| {
        let response = Response::builder().status(rejection.status());
        response.body(Bytes::from("rendered")).expect("a response")
    });
    let token = ("authorization", alice.as_str());
    for (headers, status) in [
        (&[][..], StatusCode::UNAUTHORIZED),
        (&[token], StatusCode::FORBIDDEN),
    ] {
        let refused = ask(host.app(layer.clone()), "/admin", headers).await;
        assert_eq!(refused.status(), status);
        assert_eq!(text_of(refused).await, "rendered");
    }
}
