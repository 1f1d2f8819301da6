use axum::extract::{Request, State as AxumState};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body::Body as _;

use super::State;
use super::problems::{CROSS_SITE_REQUEST, UNSUPPORTED_MEDIA_TYPE};
use crate::cross_site::{head, is_cross_site};
use crate::pat::caller_of;
use crate::problem::Problem;
use crate::request_id::{request_id, within_request};

/// Lets a request through that has a caller, was not forged by another site, and whose body, if
/// there is one, is JSON. Stands before every route, so that none can be added without it.
pub(super) async fn guard(
    AxumState(state): AxumState<State>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let caller = caller_of(request.extensions());
    let caller = caller.ok_or_else(|| Problem::not_signed_in(state.challenges.missing.clone()))?;
    if caller.is_ambient() && is_cross_site(&state.csrf, head(&request)).await {
        let detail = "This request was made by another web site, so it was not carried out.";
        return Err(Problem::new(CROSS_SITE_REQUEST, detail));
    }
    if !request.body().is_end_stream() && !is_json(request.headers()) {
        let detail = "Send the body as application/json.";
        return Err(Problem::new(UNSUPPORTED_MEDIA_TYPE, detail));
    }
    request.extensions_mut().insert(caller);
    let id = request_id(request.headers()).map(str::to_owned);
    Ok(within_request(id, next.run(request)).await)
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.into_response()
    }
}
