//! The layer with a scope map, and without: the same requests, which have a route and the headers of a usual client.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Extension;
use axum::extract::MatchedPath;
use http::Request;
use pat_benches::turns::Stack;
use pat_core::scope::ScopeCatalog;
use pat_core::{Caller, MemoryStore, Owner, Pats, Settings, TokenRequest};
use pat_tower::PatLayer;
use pat_tower::scope::{ScopeMap, ScopedRouter};
use tower::{Layer, ServiceExt as _};

use crate::TOKENS;
use crate::ours::{Inner, Requests, serve};

const ROUTES: usize = 200;

/// A router of many routes.
fn router() -> ScopedRouter {
    async fn matched_path(matched: MatchedPath) -> Extension<MatchedPath> {
        Extension(matched)
    }
    (0..ROUTES).fold(ScopedRouter::new(), |router, number| {
        router.get(&pattern(number, "{id}"), "read", matched_path)
    })
}

fn pattern(number: usize, id: &str) -> String {
    format!("/rest/api/latest/project-{number}/issue/{id}")
}

/// Returns what axum puts into a request for each of the routes.
async fn matched_paths() -> Vec<MatchedPath> {
    let (router, _) = router().into_parts();
    let mut matched = Vec::new();
    for number in 0..ROUTES {
        let request = Request::get(pattern(number, "5")).body(String::new());
        let response = router.clone().oneshot(request.expect("a request")).await;
        let found = response.map(|response| response.extensions().get().cloned());
        let Ok::<_, Infallible>(found) = found;
        matched.push(found.expect("a matched path"));
    }
    matched
}

/// A service whose tokens are all cached, and the tokens, with a scope or without.
async fn cached_tokens(scope: Option<&str>) -> (Pats, Vec<String>) {
    let settings = Settings::builder().auth_cache_max_items(2 * TOKENS);
    let catalog = ScopeCatalog::builder().scope("read", "Read").build();
    let pats = Pats::builder(Arc::new(MemoryStore::default()))
        .settings(settings.build().expect("settings"))
        .scopes(catalog.expect("a catalog"))
        .build();
    let mut tokens = Vec::with_capacity(TOKENS as usize);
    for number in 0..TOKENS {
        let owner = Owner::new(format!("user{number}")).expect("an owner");
        let mut request = TokenRequest::new("ci", None);
        if let Some(scope) = scope {
            request = request.with_scopes([scope]);
        }
        let caller = Caller::header_authenticated(owner);
        let created = pats.create(&caller, request).await.expect("a token");
        let token = created.plain.expose().to_owned();
        pats.authenticate(token.as_bytes()).await.expect("cached");
        tokens.push(token);
    }
    (pats, tokens)
}

pub(crate) fn stacks() -> Vec<Stack> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let matched: Arc<[_]> = runtime.block_on(matched_paths()).into();
    let (unrestricted, tokens) = runtime.block_on(cached_tokens(None));
    let (restricted, tokens_with_scopes) = runtime.block_on(cached_tokens(Some("read")));
    let without = PatLayer::required(unrestricted);
    let layer = |map| {
        let layer = PatLayer::required(restricted.clone()).with_scope_map(map);
        layer.expect("declared scopes")
    };
    let by_method = layer(ScopeMap::by_method("read", "read"));
    let by_route = layer(router().into_parts().1);
    let tokens: Arc<[_]> = tokens.into();
    let tokens_with_scopes: Arc<[_]> = tokens_with_scopes.into();
    [
        ("`PatLayer`, requests with a route", without, &tokens),
        ("the same, scopes by method", by_method, &tokens_with_scopes),
        (
            "the same, scopes by 200 routes",
            by_route,
            &tokens_with_scopes,
        ),
    ]
    .into_iter()
    .map(|(name, layer, tokens)| {
        let (tokens, matched) = (Arc::clone(tokens), Arc::clone(&matched));
        Stack::new(name, move |keys| {
            let requests = Requests::bearers(&tokens, keys);
            let requests = requests.with_routes(Arc::clone(&matched), keys);
            serve(layer.layer(Inner), requests, true)
        })
    })
    .collect()
}
