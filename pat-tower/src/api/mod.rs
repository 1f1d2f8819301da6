//! A REST router, with which users manage their own tokens, and administrators the tokens of all users.
//! [`Api`] builds the router. For users it has:
//!
//! | method and path | response |
//! |---|---|
//! | `POST /tokens` with `{"name":"ci","expirationDuration":90}` | 201, the new token with its secret in `rawToken`. The life span is in days, or in seconds (`expirationSeconds`); without one the token never expires, if the settings allow that |
//! | `GET /tokens` | 200, an array of the caller's tokens |
//! | `GET /tokens/{id}` | 200, a token of the caller, or any token for an administrator |
//! | `PATCH /tokens/{id}` with `{"enabled":false}`, `{"name":"ci"}` or `{"description":"…"}` | 200, the token as it is now; disables, enables, renames or describes a token of the caller, or any token for an administrator. `PAT-Live-Children` has the number of valid tokens that were created with a disabled one |
//! | `DELETE /tokens/{id}?family=true` | 204; revokes a token of the caller, or any token for an administrator, and the tokens that it replaced; with `family=true` also the tokens that replaced it, and those created with all these |
//! | `POST /tokens/{id}/rotate` with `{"overlapSeconds":3600,"expirationDuration":90}` or no body | 201, a new token that replaces this token of the caller, with its secret in `rawToken`; `ending` says when the replaced token ends |
//! | `GET /tokens/current` | 200, the token that authenticated the request; 404 if none did |
//! | `DELETE /tokens/current` | 204; revokes the token that authenticated the request; 404 if none did |
//! | `POST /tokens/current/rotate` | 201, a new token that replaces the one that authenticated the request; 404 if none did |
//! | `GET /policy` | 200, the limits for new tokens, and the scopes that the caller may give them |
//!
//! For administrators it has also:
//!
//! | method and path | response |
//! |---|---|
//! | `POST /tokens/search` with `{"name":"ci","limit":100}` | 200, a page of the tokens that match the filter in the body, with their owners; `PAT-Ignored-Fields` names unknown members of the body, which `?strict=true` refuses |
//! | `GET /tokens/search/user?contains=…&limit=20` | 200, an array of up to `limit` users whose key, user name, full name or mail address contains the text |
//! | `DELETE /admin/tokens` with the IDs `[1,2,3]` | 204; revokes these tokens, and skips unknown IDs |
//! | `POST /admin/tokens/revoke` with `{"ids":[1,2,3]}` or `{"filter":{"name":"ci"},"expectedCount":2}` | 200, the number of revoked tokens as `{"count":n}`; revokes the tokens with the IDs, or those that match the filter if their number is `expectedCount` |
//! | `POST /admin/tokens/identify` with `{"token":"…"}` | 200, the token with this secret; 404 if there is none |
//! | `GET /admin/unused?days=90&limit=100` | 200, a page of the tokens that have not been used for so many days (by default the setting `pat.unused.revoke.days`), and how many there are: those that this setting would revoke |
//! | `GET /admin/notifications?limit=100` | 200, up to `limit` notifications that could not be sent, the latest first, and how many there are |
//! | `POST /admin/notifications/send` | 200, how many there were; sends all of these notifications again |
//! | `POST /admin/notifications/{id}/send` | 204; sends this notification again. 404 if it is none of those that could not be sent |
//! | `GET /admin/events?after=0&limit=1000` | 200, the audit events whose `seq` is greater than `after`, one JSON object on each line |
//!
//! `GET /openapi.json` returns an OpenAPI 3.1 document of these paths, with all members of the bodies, such as
//! those of a filter. It needs no authentication.
//!
//! The paths are relative to the router's mount point; the host may mount the router at several paths. A
//! slash at the end of a path is ignored. A request needs a `Content-Type` only if it has a body. To keep
//! secrets out of logs, an error repeats no text from the body of the request, except for the names of
//! unknown members in `PAT-Ignored-Fields`.
//!
//! A request that creates or replaces a token may have an `Idempotency-Key`, of 1 to 255 visible ASCII characters.
//! The same request (method, path and body) of the same user with the same key then creates no other token for a
//! day: the response is 200, with the token that the first request has created, but without its secret, and with a
//! sentence about what to do in `note`. In the path, `current` counts as the ID of the token.
//!
//! The router does not authenticate: it takes the caller from the request's extensions, where a
//! [`PatLayer`](crate::PatLayer) has put a [`Pat`](crate::Pat), or the host a
//! [`Caller`](pat_core::Caller). If a request has both, the `Pat` counts; if it has neither, the response
//! is 401.
//!
//! # Problem types
//! Errors are `application/problem+json` (RFC 9457). The `type` of a problem is `urn:problem-type:pat/`
//! followed by a name from this table. Names are never changed or reused. The members `error`, `message`
//! and `errorMessages` repeat `detail` for existing clients that read one of them. Words such as
//! `pat.admin.enabled` are [settings](pat_core::settings).
//!
//! | name | status | when |
//! |---|---|---|
//! | `not-signed-in` | 401 | the request has no caller |
//! | `invalid-token` | 401 | the token does not authenticate (from the layer), or became invalid during the request |
//! | `invalid-authorization-header` | 400 | the `Authorization` header is not one `Bearer` token (from the layer) |
//! | `insufficient-scope` | 403 | the token has scopes, and lacks some of those that the request needs: `missing_scopes` of `required_scopes`; without these members, no scope permits the request, because the host's [scope map](crate::PatLayer::with_scope_map) does not declare it (from the layer; the missing scopes also from this router and the extractors) |
//! | `misconfigured` | 500 | the layer invalidates sessions, and finds no session layer outside; or a route with an extractor of this crate has no layer around it |
//! | `temporarily-unavailable` | 503 | the database or the user directory does not answer in time |
//! | `cross-site-request` | 403 | another site made the browser send the request |
//! | `not-found` | 404 | the path or token does not exist, the token is another user's, or `pat.admin.enabled` is off |
//! | `method-not-allowed` | 405 | the path has no such method |
//! | `malformed-body` | 400 | the body is not JSON with the required members and types; or the query's `family` is neither `true` nor `false` |
//! | `unsupported-media-type` | 415 | the body is not `application/json`, or has a `Content-Encoding` |
//! | `body-too-large` | 413 | the body has more than 64 KiB, or more than 1 MiB where tokens are revoked by IDs |
//! | `tokens-disabled` | 400 | `atlassian.pats.enabled` is off |
//! | `invalid-name` | 400 | the name has no visible character, is too long, or has a control character, line separator or bidi control |
//! | `invalid-description` | 400 | the description has more than 200 characters, or has a control character, line separator or bidi control |
//! | `invalid-duration` | 400 | the life span is not a whole number of days from 1 to `atlassian.pats.max.tokens.expiry.days`, or of seconds from 60 to as many as these days have; or the request has days and seconds |
//! | `duration-required` | 400 | the request has no life span, and `atlassian.pats.eternal.tokens.enabled` is off |
//! | `outlives-parent` | 400 | `pat.create.by.token` is `capped`, and the new token would expire later than the token that creates it, or that it replaces |
//! | `created-by-token` | 403 | `pat.create.by.token` is `forbidden`, and a token authenticated the request |
//! | `disabled-by-administrator` | 403 | an administrator has disabled the token, and the caller who enables it is none |
//! | `enabled-by-token` | 403 | a token authenticated the request to enable another one that it could not create: it has fewer scopes, or ends earlier (`pat.create.by.token` is `capped`), or `pat.create.by.token` is `forbidden` |
//! | `rotate-itself-only` | 403 | a token authenticated the request, and the token to be replaced is another one |
//! | `rotated-by-token` | 403 | a token authenticated the request to replace it, and `pat.rotate.by.token` is off or `pat.create.by.token` is `forbidden` |
//! | `invalid-overlap` | 400 | the overlap is not a whole number of seconds from 0 to `pat.rotate.overlap.max.seconds`; or it is 0, and a token authenticated the request |
//! | `not-rotatable` | 409 | the token to be replaced has expired or is disabled, or an administrator has disabled a token that it replaced or that replaced it |
//! | `invalid-idempotency-key` | 400 | `Idempotency-Key` is not one text of 1 to 255 visible ASCII characters |
//! | `idempotency-key-reused` | 422 | another request of the user had the same `Idempotency-Key` in the last day |
//! | `created-token-revoked` | 409 | the same request with the same `Idempotency-Key` has created a token, which is revoked |
//! | `invalid-scopes` | 400 | the list of scopes is empty, or has an unknown scope or one twice |
//! | `scopes-required` | 400 | the request has no scopes, and `pat.scopes.required` is `true` |
//! | `scope-exceeds-parent` | 403 | the scopes permit more than the token that authenticated the request |
//! | `scope-not-allowed` | 403 | the host does not allow the caller to give a token these scopes, or none |
//! | `token-limit-reached` | 403 | the user has `atlassian.pats.max.tokens.per.user` tokens |
//! | `older-nodes` | 409 | the new token, its replacement or its disabling needs a feature that a running node of an older version does not know |
//! | `too-many-rows` | 403 | the user has `pat.max.rows.per.user` tokens, with revoked and expired ones that are not yet pruned |
//! | `not-an-administrator` | 403 | the caller is not an administrator (also from the extractor `Admin`) |
//! | `invalid-search` | 400 | a date, order, page, limit or cursor is invalid; or the body has an unknown member with `?strict=true` |
//! | `no-criterion` | 400 | the filter of a revocation has no criterion |
//! | `count-mismatch` | 409 | the number of tokens that match the filter of a revocation is not `expectedCount`; no token was revoked |
//! | `search-not-supported` | 501 | the host's store cannot be searched |
//! | `audit-not-supported` | 501 | the host's store keeps no audit events |

mod admin;
mod body;
mod events;
mod guard;
mod idempotency;
mod ignored;
mod notifications;
mod openapi;
mod problems;
mod routes;
mod scopes;
mod search;
mod state;
mod unused;
mod wire;

use std::sync::Arc;

use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::routing::{MethodFilter, get};
use axum::{Extension, Router};
use pat_core::Pats;
use pat_core::scope::{TOKENS_ADMIN, TOKENS_READ, TOKENS_WRITE};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};
use utoipa_axum::routes;

pub use self::events::{InvalidEvent, parse_event};
use self::scopes::PathScopes;
use self::state::State;
use crate::http::challenge::Challenges;
use crate::http::csrf::{Csrf, InvalidOrigin};
use crate::http::request_body::read_on;
use crate::scope::{RequiredScopes, ScopedRouter};

/// Builds the [REST router](self).
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
    /// Creates a builder for a router that manages the tokens of this service.
    pub fn new(pats: Pats) -> Self {
        let cross_site = Csrf::new(pats.settings());
        Self {
            pats,
            cross_site,
            sign_ins: Vec::new(),
        }
    }

    /// Adds an origin (`https://example.com`) whose pages may send requests to this router with a user's
    /// session cookie. By default only pages of the host's own origin may: the origin of a page must match
    /// the request's `Host` or the setting `pat.base.url`; a match with either is enough.
    ///
    /// # Errors
    /// [`InvalidOrigin`] if `origin` is not a scheme and a host with an optional port.
    pub fn add_trusted_origin(mut self, origin: &str) -> Result<Self, InvalidOrigin> {
        self.cross_site = self.cross_site.add_trusted_origin(origin)?;
        Ok(self)
    }

    /// Adds Basic authentication to the security schemes of the OpenAPI document, which always has
    /// Bearer tokens. The router does not authenticate; call this method if the host accepts Basic.
    pub fn add_basic_security_scheme(mut self) -> Self {
        self.sign_ins.push(openapi::SignIn::Basic);
        self
    }

    /// Adds the session cookie of this name to the security schemes of the OpenAPI document, which always
    /// has Bearer tokens. The router does not authenticate; call this method if the host has such
    /// sessions.
    pub fn add_cookie_security_scheme(mut self, name: &str) -> Self {
        self.sign_ins
            .push(openapi::SignIn::Session(name.to_owned()));
        self
    }

    /// Builds the router, which the host nests, merges or serves by itself.
    ///
    /// For the layer's [scope map](crate::PatLayer::with_scope_map), the routes are the host's to declare;
    /// [`Api::scoped_router`] declares them. If the service has a [catalog](Pats::scope_catalog) of scopes, this method
    /// logs that.
    pub fn router<S: Clone + Send + Sync + 'static>(self) -> Router<S> {
        if !self.pats.scope_catalog().is_empty() {
            tracing::info!(
                "the REST router of access tokens does not declare the scopes of its routes: a token with scopes is \
                 refused there, unless the host's scope map declares them; `Api::scoped_router` does"
            );
        }
        self.scoped_router().into_parts().0
    }

    /// Builds the router with the scopes that its routes need, which the host nests or merges into its own
    /// [`ScopedRouter`].
    ///
    /// | request | needs |
    /// |---|---|
    /// | `GET /tokens`, `GET /tokens/{id}` | `tokens:read`; for another user's token also `tokens:admin` |
    /// | `POST /tokens`, `PATCH /tokens/{id}`, `DELETE /tokens/{id}`, `POST /tokens/{id}/rotate`, `POST /tokens/current/rotate` | `tokens:write`; to change or revoke another user's token also `tokens:admin` |
    /// | the paths for administrators | `tokens:admin` |
    /// | `/tokens/current`, `GET /policy`, `GET /openapi.json` | nothing |
    ///
    /// The router checks this too, whatever the host's scope map says of its paths. To a token without `tokens:admin`,
    /// another user's token does not exist.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use axum::Router;
    /// use pat_core::scope::ScopeCatalog;
    /// use pat_core::{MemoryStore, Pats};
    /// use pat_tower::{PatLayer, api::Api, scope::ScopedRouter};
    ///
    /// let scopes = ScopeCatalog::builder().scope("read", "Read reports").build()?;
    /// let pats = Pats::builder(Arc::new(MemoryStore::default())).scopes(scopes).build();
    /// let (router, scopes) = ScopedRouter::new()
    ///     .get("/reports", "read", async || "reports")
    ///     .nest("/rest/pat/latest", Api::new(pats.clone()).scoped_router())
    ///     .into_parts();
    /// let app: Router = router.layer(PatLayer::optional(pats).with_scope_map(scopes)?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn scoped_router<S: Clone + Send + Sync + 'static>(self) -> ScopedRouter<S> {
        let challenges = Challenges::new(self.pats.settings().realm());
        let state = State {
            pats: self.pats,
            cross_site: self.cross_site,
            challenges,
        };
        let own = PathScopes::new(TOKENS_READ, TOKENS_WRITE);
        let admin = PathScopes::new(TOKENS_ADMIN, TOKENS_ADMIN);
        let routes = [
            (routes!(routes::create, routes::list), own),
            (
                routes!(routes::current, routes::revoke_current),
                PathScopes::NONE,
            ),
            (routes!(routes::find, routes::update, routes::revoke), own),
            (routes!(routes::rotate_current), own),
            (routes!(routes::rotate), own),
            (routes!(routes::policy), PathScopes::NONE),
            (routes!(admin::search), admin),
            (routes!(admin::search_users), admin),
            (routes!(admin::identify), admin),
            (routes!(admin::revoke), admin),
            (routes!(admin::revoke_matching), admin),
            (routes!(unused::unused), admin),
            (routes!(notifications::dead), admin),
            (routes!(notifications::send_all), admin),
            (routes!(notifications::send), admin),
            (routes!(events::events), admin),
        ];
        let paths = routes
            .each_ref()
            .map(|((_, paths, _), scopes)| (paths.clone(), *scopes));
        let checked = routes.map(|((schemas, paths, methods), scopes)| {
            let check = from_fn_with_state((state.clone(), scopes), scopes::check);
            (schemas, paths, methods.route_layer(check))
        });
        let all = checked.into_iter().fold(OpenApiRouter::new(), add_routes);
        let (guarded, document) = all.split_for_parts();
        let document = openapi::complete(document, state.pats.settings(), &self.sign_ins, &paths);
        let guarded = guarded
            .fallback(problems::not_found)
            .method_not_allowed_fallback(problems::method_not_allowed)
            .layer(from_fn_with_state(state.clone(), guard::guard));
        let complete = Router::new()
            // Without authentication: it says nothing about any user.
            .route("/openapi.json", get(openapi::serve))
            .route("/openapi.json/", get(openapi::serve))
            .method_not_allowed_fallback(problems::method_not_allowed)
            .layer(Extension(Arc::new(document)))
            .merge(guarded)
            .layer(from_fn(read_on))
            .layer(map_response(problems::finish))
            .with_state(state);
        scopes::declare(complete, &paths)
            .declare("/openapi.json", MethodFilter::GET, RequiredScopes::none())
            .declare("/openapi.json/", MethodFilter::GET, RequiredScopes::none())
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
