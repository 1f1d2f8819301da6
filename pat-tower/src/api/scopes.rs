//! Which scopes the routes need of a token that has some.

use axum::extract::{Request, State as AxumState};
use axum::middleware::Next;
use axum::response::Response;
use axum::routing::MethodFilter;
use axum::{Extension, Router};
use http::Method;
use pat_core::{Caller, Principal};
use utoipa::openapi::Paths;

use super::state::State;
use crate::http::problem::Problem;
use crate::scope::{MissingScopes, RequestHead, RequiredScopes, ScopedRouter, note};

/// The scopes that the requests of a path need; `None` for no scope.
#[derive(Debug, Clone, Copy)]
pub(super) struct PathScopes {
    read: Option<&'static str>,
    write: Option<&'static str>,
}

impl PathScopes {
    /// For a path that only tells of, or ends, the token at hand.
    pub(super) const NONE: Self = Self {
        read: None,
        write: None,
    };

    pub(super) const fn new(read: &'static str, write: &'static str) -> Self {
        Self {
            read: Some(read),
            write: Some(write),
        }
    }

    pub(super) fn of(self, method: &Method) -> Option<&'static str> {
        match *method {
            Method::GET | Method::HEAD => self.read,
            _ => self.write,
        }
    }
}

/// Declares what the described methods of some paths need, with and without a slash at the end.
pub(super) fn declare<S: Clone + Send + Sync + 'static>(
    router: Router<S>,
    paths: &[(Paths, PathScopes)],
) -> ScopedRouter<S> {
    let mut router = ScopedRouter::from(router);
    for (paths, scopes) in paths {
        for (path, item) in &paths.paths {
            for (operation, method, filter) in [
                (&item.get, Method::GET, MethodFilter::GET),
                (&item.post, Method::POST, MethodFilter::POST),
                (&item.patch, Method::PATCH, MethodFilter::PATCH),
                (&item.delete, Method::DELETE, MethodFilter::DELETE),
            ] {
                if operation.is_some() {
                    let needed = scopes.of(&method);
                    let needed = needed.map_or_else(RequiredScopes::none, RequiredScopes::from);
                    router = router.declare(path, filter, needed.clone()).declare(
                        &format!("{path}/"),
                        filter,
                        needed,
                    );
                }
            }
        }
    }
    router
}

/// Refuses a token that lacks the scope of its request, whatever the host's scope map says of it. Stands before every
/// handler of the path.
pub(super) async fn check(
    AxumState((state, scopes)): AxumState<(State, PathScopes)>,
    Extension(caller): Extension<Caller>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    match scopes.of(request.method()) {
        Some(scope) if !state.pats.permits(&caller, scope) => {
            let missing = MissingScopes::one(scope);
            let token = caller.token().map(Principal::token_id);
            note(
                &state.pats,
                token,
                RequestHead::of(&request),
                &missing.missing,
            );
            Err(missing.problem(&state.challenges))
        }
        Some(_) | None => Ok(next.run(request).await),
    }
}
