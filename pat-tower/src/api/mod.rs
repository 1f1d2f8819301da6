//! The REST router: users manage their own tokens.
//!
//! | method and path | answer |
//! |---|---|
//! | `POST /tokens` | 201, the new token with its secret in `rawToken` |
//! | `GET /tokens` | 200, an array of the caller's tokens |
//! | `GET /tokens/{id}`, `DELETE /tokens/{id}` | 200, 204; for the owner and administrators |
//! | `GET /tokens/current`, `DELETE /tokens/current` | 200, 204; the token of this very request |
//! | `GET /policy` | 200, the limits in force |
//!
//! and administrators those of all users.
//!
//! | method and path | answer |
//! |---|---|
//! | `POST /tokens/search` | 200, a page of tokens with their owners; `PAT-Ignored-Fields` names members that are not known, and `?strict=true` refuses them |
//! | `GET /tokens/search/user?contains=…&limit=20` | 200, an array of users |
//! | `DELETE /admin/tokens` with `[1,2,3]` | 204; revokes these tokens |
//! | `POST /admin/tokens/revoke` | 200, `{"count":n}`; revokes by ids or by filter |
//! | `POST /admin/tokens/identify` with `{"token":"…"}` | 200, the token that this string is; 404 |
//! | `GET /admin/events?after=0&limit=1000` | 200, audit events after a number, one JSON object a line |
//!
//! `GET /openapi.json` returns a description of these (OpenAPI 3.1), made from the same types. It needs
//! no authentication.
//!
//! A slash at the end of a path is ignored. Only a body that has bytes needs a `Content-Type`. No
//! response repeats text of a body, except for the names of unknown members in `PAT-Ignored-Fields`.
//!
//! Paths are relative to where the host mounts the router, which may be at several places. The
//! router does not authenticate: it takes the caller from the request's extensions, where a
//! [`PatLayer`](crate::PatLayer) has put its [`Pat`](crate::Pat) or the host a
//! [`Caller`](pat_core::Caller). A token outranks a `Caller`; with neither the answer is 401.
//!
//! # Problem types
//! Errors are `application/problem+json` (RFC 9457). Their `type` is `urn:problem-type:pat/` and
//! one of these names, which are never changed or reused; `error`, `message` and
//! `errorMessages` repeat `detail`, each for some existing client.
//!
//! | name | status | when |
//! |---|---|---|
//! | `not-signed-in` | 401 | no caller |
//! | `invalid-token` | 401 | from the layer: the token does not authenticate |
//! | `invalid-authorization-header` | 400 | from the layer: not one `Bearer` header with one token |
//! | `misconfigured` | 500 | from the layer: it invalidates sessions, and finds no session layer outside; from the extractor `Pat`: no layer around the route |
//! | `temporarily-unavailable` | 503 | the database or the directory does not answer |
//! | `cross-site-request` | 403 | another site made the browser send this |
//! | `not-found` | 404 | no such path or token, the token is another user's, or `pat.admin.enabled` is off |
//! | `method-not-allowed` | 405 | |
//! | `malformed-body` | 400 | not a JSON object with the right members and types; a `family` that is neither true nor false |
//! | `unsupported-media-type` | 415 | a body that is not `application/json`, or has a `Content-Encoding` |
//! | `body-too-large` | 413 | a body over 64 KiB; over 1 MiB where tokens are revoked by ids |
//! | `tokens-disabled` | 400 | `atlassian.pats.enabled` is off |
//! | `invalid-name` | 400 | no visible character, too long, or with a control character, line separator or bidi control |
//! | `invalid-duration` | 400 | not a whole number of days from 1 to the limit |
//! | `duration-required` | 400 | tokens that never expire are switched off |
//! | `outlives-parent` | 400 | longer than the token it is created with |
//! | `created-by-token` | 403 | tokens may not create tokens |
//! | `token-limit-reached` | 403 | the user has the maximum number of tokens |
//! | `older-nodes` | 409 | the token would need a feature that a running node of an older version lacks |
//! | `too-many-rows` | 403 | too many tokens of the user, revoked and expired ones included, wait to be pruned |
//! | `not-an-administrator` | 403 | the caller is not an administrator |
//! | `invalid-search` | 400 | a bad date, order, page, limit or cursor; an unknown member with `?strict=true` |
//! | `no-criterion` | 400 | the filter of a revocation restricts nothing |
//! | `count-mismatch` | 409 | the filter matches another number of tokens; none was revoked |
//! | `search-not-supported` | 501 | the host's store cannot be searched |
//! | `audit-not-supported` | 501 | the host's store keeps no audit events |

mod admin;
mod body;
mod events;
mod guard;
mod ignored;
mod openapi;
mod problems;
mod routes;
mod search;
mod state;
mod wire;

use std::sync::Arc;

use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::routing::get;
use axum::{Extension, Router};
use pat_core::Pats;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};
use utoipa_axum::routes;

use self::state::State;
use crate::http::challenge::Challenges;
use crate::http::csrf::{Csrf, InvalidOrigin};
use crate::http::request_body::read_on;

/// Builds the router.
///
/// ```
/// use std::sync::Arc;
///
/// use axum::Router;
/// use pat_core::{MemoryStore, Pats};
/// use pat_tower::{PatLayer, api::Api};
///
/// let pats = Pats::builder(Arc::new(MemoryStore::default())).build();
/// let api: Router = Api::new(pats.clone()).router();
/// let app: Router = Router::new()
///     .nest("/rest/pat/latest", api.clone())
///     .nest("/rest/pat/1.0", api)
///     .layer(PatLayer::optional(pats));
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Api {
    pats: Pats,
    cross_site: Csrf,
    sign_ins: Vec<openapi::SignIn>,
}

impl Api {
    /// Creates a builder for the router of this service.
    pub fn new(pats: Pats) -> Self {
        let cross_site = Csrf::new(pats.settings());
        Self {
            pats,
            cross_site,
            sign_ins: Vec::new(),
        }
    }

    /// Adds an origin (`https://example.com`) whose pages may send requests with the user's session.
    /// By default only pages of the same origin may: that of the request's `Host`, or of
    /// `pat.base.url`.
    ///
    /// # Errors
    /// [`InvalidOrigin`] if the text is not an origin.
    pub fn add_trusted_origin(mut self, origin: &str) -> Result<Self, InvalidOrigin> {
        self.cross_site = self.cross_site.add_trusted_origin(origin)?;
        Ok(self)
    }

    /// Adds Basic authentication to the security schemes of the OpenAPI document. The router does not
    /// authenticate, so the host says what it accepts besides tokens.
    pub fn add_basic_security_scheme(mut self) -> Self {
        self.sign_ins.push(openapi::SignIn::Basic);
        self
    }

    /// Adds a session cookie of this name to the security schemes of the OpenAPI document.
    pub fn add_cookie_security_scheme(mut self, name: &str) -> Self {
        self.sign_ins
            .push(openapi::SignIn::Session(name.to_owned()));
        self
    }

    /// Builds the router, which the host nests, merges or serves by itself.
    pub fn router<S: Clone + Send + Sync + 'static>(self) -> Router<S> {
        let challenges = Challenges::new(self.pats.settings().realm());
        let state = State {
            pats: self.pats,
            cross_site: self.cross_site,
            challenges,
        };
        let routes = [
            routes!(routes::create, routes::list),
            routes!(routes::current, routes::revoke_current),
            routes!(routes::find, routes::revoke),
            routes!(routes::policy),
            routes!(admin::search),
            routes!(admin::search_users),
            routes!(admin::identify),
            routes!(admin::revoke),
            routes!(admin::revoke_matching),
            routes!(events::events),
        ];
        let all = routes.into_iter().fold(OpenApiRouter::new(), add_routes);
        let (guarded, document) = all.split_for_parts();
        let document = openapi::complete(document, state.pats.settings(), &self.sign_ins);
        let guarded = guarded
            .fallback(problems::not_found)
            .method_not_allowed_fallback(problems::method_not_allowed)
            .layer(from_fn_with_state(state.clone(), guard::guard));
        Router::new()
            // Without authentication: it says nothing about any user.
            .route("/openapi.json", get(openapi::serve))
            .route("/openapi.json/", get(openapi::serve))
            .method_not_allowed_fallback(problems::method_not_allowed)
            .layer(Extension(Arc::new(document)))
            .merge(guarded)
            .layer(from_fn(read_on))
            .layer(map_response(problems::finish))
            .with_state(state)
    }
}

/// Adds the routes of a path, and the same, undescribed, with a slash at its end.
fn add_routes(
    router: OpenApiRouter<State>,
    handlers: UtoipaMethodRouter<State>,
) -> OpenApiRouter<State> {
    let (_, described, methods) = &handlers;
    let paths = described.paths.keys();
    let router = paths.fold(router, |router, path| {
        router.route(&format!("{path}/"), methods.clone())
    });
    router.routes(handlers)
}
