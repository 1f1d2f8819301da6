use axum::extract::{Request, State as AxumState};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::problems::CROSS_SITE_REQUEST;
use super::state::State;
use crate::client::client_of;
use crate::http::csrf::head;
use crate::http::problem::Problem;
use crate::signed_in::SignedIn;

/// Lets a request through that has a caller and was not forged by another site. Stands before every
/// route, so that none can be added without it.
pub(super) async fn guard(
    AxumState(state): AxumState<State>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let signed_in = SignedIn::of(request.extensions());
    let SignedIn(caller) =
        signed_in.ok_or_else(|| Problem::not_signed_in(state.challenges.missing.clone()))?;
    if caller.is_cookie_authenticated() && state.cross_site.made(head(&request)).await {
        let detail = "This request was made by another web site, so it was not carried out.";
        return Err(Problem::new(CROSS_SITE_REQUEST, detail));
    }
    request.extensions_mut().insert(caller);
    let client = client_of(&request);
    Ok(state.pats.on_behalf_of(client, next.run(request)).await)
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.into_response()
    }
}
