//! What a token with scopes may do.

mod answers;
mod guards;
mod handlers;
mod rows;
mod wire;

use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt as _;
use libtest_mimic::Trial;
use pat_harness::scopes::catalog;
use pat_harness::trial;
use pat_tower::testing::TestPats;
use pat_tower::{PatRejection, RejectionKind};
use serde_json::Value;
use tower::{Service, ServiceExt as _};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(rows::a_token_with_scopes_reaches_what_is_declared),
        trial(rows::other_callers_are_untouched_by_the_map),
        trial(rows::a_layer_that_sees_no_route_says_how_to_mend_it),
        trial(rows::a_router_that_is_nested_with_its_map_is_closed),
        trial(rows::a_name_that_is_not_declared_is_an_error_at_the_start),
        trial(rows::routes_of_a_router_that_was_built_elsewhere_can_be_declared),
        trial(wire::a_web_socket_needs_the_scope_of_its_route),
        trial(wire::a_web_socket_needs_the_scope_for_writing),
        trial(answers::a_refusal_says_what_is_missing),
        trial(answers::an_undeclared_request_is_refused_without_scopes),
        trial(answers::a_refusal_of_grpc_has_the_code_7),
        trial(answers::the_host_renders_a_refusal),
        trial(answers::a_function_that_panics_is_an_error_of_the_host),
        trial(answers::the_session_of_a_refused_request_stays),
        trial(answers::the_log_says_what_was_refused),
        trial(answers::two_layers_must_both_permit_a_request),
        trial(guards::our_routers_check_what_the_host_leaves_open),
        trial(guards::our_routers_bring_their_scopes),
        trial(guards::without_its_scopes_a_router_is_closed_and_says_so),
        trial(guards::an_administrators_token_needs_the_scope),
        trial(handlers::an_extractor_refuses_a_token_without_its_scope),
        trial(handlers::a_handler_can_ask_what_a_token_permits),
        trial(handlers::the_host_can_check_its_own_callers),
    ]
}

fn test_pats() -> TestPats {
    TestPats::new().with_scopes(catalog())
}

async fn ask<S>(app: &S, method: &str, uri: &str, headers: &HeaderMap) -> Response<Body>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone,
{
    let request = Request::builder().method(method).uri(uri);
    let mut request = request.body(Body::empty()).expect("a request");
    request.headers_mut().extend(headers.clone());
    let Ok(response) = app.clone().oneshot(request).await;
    response
}

async fn status(app: &Router, method: &str, uri: &str, headers: &HeaderMap) -> u16 {
    ask(app, method, uri, headers).await.status().as_u16()
}

async fn json(response: Response<Body>) -> Value {
    let body = response.into_body().collect().await.expect("a body");
    serde_json::from_slice(&body.to_bytes()).expect("JSON")
}

/// Returns what a refusal for scopes lacks: `undeclared`, or the missing scopes.
fn lack(response: &Response<Body>) -> Option<String> {
    let rejection = response.extensions().get::<PatRejection>()?;
    if rejection.kind() != RejectionKind::InsufficientScope {
        return None;
    }
    let missing: Vec<_> = rejection.missing_scopes().collect();
    Some(match missing.join(" ") {
        missing if missing.is_empty() => "undeclared".into(),
        missing => missing,
    })
}

fn with_header(headers: &HeaderMap, name: &'static str, value: &'static str) -> HeaderMap {
    let mut headers = headers.clone();
    headers.insert(name, value.parse().expect("a header"));
    headers
}
