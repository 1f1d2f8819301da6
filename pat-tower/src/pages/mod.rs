//! HTML pages on which users manage their own tokens, and administrators the tokens of all users.
//! [`Pages`] builds an axum router with these paths:
//!
//! | path | page |
//! |---|---|
//! | `tokens` | the signed-in user's tokens; with `?show=revoked`, also those that are revoked |
//! | `tokens/new` | the form for a new token; `?name=ci&description=…&expires=90&scopes=read` fills it in |
//! | `tokens/{id}` | one of the user's tokens: facts, replacements, the tokens that were created with it, what ends if it is revoked, and its history |
//! | `tokens/{id}/replace` | the form to replace a token by a new one, and to say until when the old one works |
//! | `tokens/{id}/edit` | the form for the name and the description of a token |
//! | `tokens/{id}/pause`, `tokens/{id}/resume` | the questions whether to disable a token, and to enable it again |
//! | `tokens/{id}/revoke` | the question whether to revoke a token; with `?leaked`, the box for all tokens that go with it is checked |
//! | `admin/tokens` | the tokens of all users, for administrators; see [Filter](#filter) |
//! | `admin/tokens/{id}/pause`, `admin/tokens/{id}/resume` | the questions whether to disable a token of any user, and to enable it again |
//! | `admin/tokens/revoke` | the question whether to revoke some tokens of any users |
//! | `admin/tokens/export` | the tokens that match the administrators' filter, as CSV |
//! | `admin/tokens/{id}` | a token of any user, as `tokens/{id}`; of a deleted token, what its events still tell |
//! | `admin` | the administrators' overview: numbers of tokens that need attention, and the expiries of the next weeks; each request reads every token once |
//! | `admin/identify` | the form that says whose token a secret is |
//! | `admin/unused` | the tokens that have not been used for some days; `?days=90` |
//! | `admin/notifications` | the notifications that could not be sent, and the buttons that send them again |
//! | `admin/notifications/send` | the question whether to send all of them again |
//! | `admin/tokens/owners` | the users that match a text, as JSON, for the pages' script |
//! | `tokens/assets/…` | the style sheet, the script and the icon |
//!
//! The list of a user's own tokens links to the administrators' list if the user can open it, and back.
//!
//! Merge this router into the host's, or nest it at any path. The links are relative, so they also work
//! behind a proxy that removes a prefix from the path. The pages load nothing from other origins. They
//! need no JavaScript. With JavaScript, times are in the browser's time zone, the form for a new token says when the
//! token will expire, questions are dialogs, there are buttons that copy, owners are suggested while an administrator
//! types, and all tokens that match a filter can be selected at once.
//!
//! A form that was sent after its session had ended, or after its CSRF token had, does nothing. After the sign-in, or
//! at once, the browser gets the same form, filled in as it was sent. The values pass through the address of the form,
//! which may be logged: the fields of these forms are no secrets.
//!
//! Like the REST router, this router does not authenticate: it takes the caller from the request's
//! extensions, where a [`PatLayer`](crate::PatLayer) has put a [`Pat`](crate::Pat), or the host a
//! [`Caller`](pat_core::Caller). If a request has neither, the router redirects browsers to the URL of
//! [`Pages::with_sign_in_url`], and responds with 401 to other clients.
//!
//! # Filter
//! The administrators' filter is in the URL of their list, of the export and of the revocation page. Its dates are days in
//! the time zone `zone`, such as `Europe/Berlin`, or else in that of the pages. Besides the fields of its form, it has these criteria, each of which has a button above the form:
//!
//! | parameter | tokens |
//! |---|---|
//! | `unused=always` | those that were never used |
//! | `unused=90` | valid ones that have not been used for this number of days ([`Pats::unused_filter`]) |
//! | `expiring=never` | those that never expire |
//! | `expiring=30` | valid ones that expire within this number of days |
//! | `owner_state=inactive` | those of owners who are not active, or not in the directory |
//!
//! Only the directory knows who is active. So the list with `owner_state=inactive` asks it for the owners of all
//! tokens each time, 500 at once and 10,000 at most ([`Administration::inactive_owners`]), and says if there are more.
//!
//! [`Administration::inactive_owners`]: pat_core::Administration::inactive_owners
//!
//! # Security
//! - The router refuses requests that another site made the browser send, as the REST router does, by
//!   the headers `Sec-Fetch-Site` and `Origin`. That check trusts all pages of an origin, and passes
//!   clients that send neither header. Each form therefore also contains a CSRF token, which is valid
//!   for one user in one browser session. The cookie `__Host-pat-form` ties that CSRF token to the
//!   session. Browsers send the cookie only over TLS; see [`Pages::dangerous_plain_http`].
//! - `Content-Security-Policy` forbids other origins, inline scripts and styles, and frames around a page.
//!   Scripts may send requests only on the administrators' list, for the suggestions of owners.
//! - Caches may keep only the assets.
//! - A new token is in the response to the form and nowhere else: in no URL, no cookie, no log.
//! - A form that is submitted again, for example by a reload, creates no second token: the response says
//!   that the token exists already. The cookie records the forms that created a token. The response that sets
//!   the cookie may be lost, so a hidden field of the form also has the tokens that existed when the form was
//!   opened: if the user has another token of the same name by then, the form creates none. No state is kept
//!   on a node, so two submissions that arrive at the same time on two nodes may both create a token.
//! - A form that replaces a token, and is submitted again, replaces nothing: the store keeps the ID of the form
//!   for a day.
//!
//! # Scopes
//! If the host declares [scopes](pat_core::scope), the pages show those of each token, and the form for a new
//! token offers the ones that the user may give it ([`Pats::scope_choices`]), in the order in which the host
//! declared them, with their descriptions. The option that is chosen at first is what a request without scopes
//! gets: an unrestricted token, or the default scopes. If scopes are required, the user has to choose.
//!
//! If the host declares a scope with the name `read`, the form also offers it alone, as "read only". A host
//! with several scopes for reading declares a scope `read` that implies them.
//!
//! In a link to the form, the parameter `scopes` names the scopes to choose, with spaces between them
//! (`scopes=read+tokens:read`). Names that the user cannot choose are ignored. If no name is left, the user has
//! to choose.
//!
//! # Appearance
//! The style sheet follows the system's light or dark scheme. The host can set these custom properties
//! in a style sheet that its [`Layout`] links:
//!
//! | property | meaning |
//! |---|---|
//! | `--pat-font` | the font family |
//! | `--pat-accent`, `--pat-on-accent` | the colour of links and main buttons, and of text on such a button |
//! | `--pat-background`, `--pat-surface` | the background of the page, and of tables and forms |
//! | `--pat-text`, `--pat-muted` | the colour of text, and of secondary text |
//! | `--pat-border`, `--pat-radius` | the colour of lines, and the radius of corners |
#![cfg_attr(
    docsrs,
    doc = concat!(
        "\n\n![The tokens of a user](data:image/png;base64,",
        include_str!("../../docs/tokens.base64"),
        ")"
    )
)]

mod admin;
mod again;
mod assets;
mod counter;
mod creations;
mod csrf_token;
mod failure;
mod fields;
mod filter_names;
mod guard;
mod headers;
mod layout;
mod mount;
mod page;
mod paging;
mod pause;
mod query;
mod state;
mod text;
mod token;
mod user;

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::routing::{MethodFilter, get};
use jiff::tz::TimeZone;
use pat_core::Pats;
use pat_core::messages::Languages;
use pat_core::scope::{TOKENS_ADMIN, TOKENS_WRITE};

use self::creations::Creations;
use self::csrf_token::Transport;
use self::layout::NoLayout;
pub use self::layout::{Layout, PageContext, Section};
use self::state::State;
use crate::http::challenge::Challenges;
use crate::http::csrf::{Csrf, InvalidOrigin};
use crate::http::request_body::read_on;
use crate::scope::{RequiredScopes, ScopedRouter};

/// Builds the router of the [pages](self).
///
/// ```
/// use std::sync::Arc;
///
/// use axum::Router;
/// use pat_core::{MemoryStore, Pats};
/// use pat_tower::{PatLayer, pages::Pages};
///
/// let pats = Pats::builder(Arc::new(MemoryStore::default())).build();
/// let pages: Router = Pages::new(pats.clone())
///     .with_sign_in_url("/login?return_to=")
///     .with_example_url("https://example.com/rest/api/latest/myself")
///     .router();
/// let app: Router = Router::new()
///     .nest("/settings", pages)
///     .layer(PatLayer::optional(pats));
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Pages(State);

impl Pages {
    /// Creates a builder for pages that manage the tokens of this service.
    pub fn new(pats: Pats) -> Self {
        let challenges = Challenges::new(pats.settings().realm());
        let cross_site = Csrf::new(pats.settings());
        let zone = pats.settings().time_zone().time_zone().clone();
        Self(State {
            pats,
            cross_site,
            challenges,
            languages: Languages::default(),
            layout: Arc::new(NoLayout),
            sign_in: None,
            stripped_prefix: "".into(),
            example_url: None,
            git_example_url: None,
            zone,
            transport: Transport::Tls,
            creations: Creations::default(),
        })
    }

    /// Redirects browsers without a signed-in user to `url` (such as `/login?return_to=`), followed by a
    /// return path. Clients that do not accept HTML get a 401 response. If the host does not call this method,
    /// browsers get that response too.
    ///
    /// The return path is percent-encoded. It is the path and query of the requested page as the browser sees
    /// them, so with the path at which the router is nested and the
    /// [stripped prefix](Pages::with_stripped_prefix). After a submitted form, it is the path of the form, with what was
    /// typed in its query (no secrets), so that the user need not type it again; or the path of the token list, if that
    /// would be longer than 2,500 bytes, or another site made the browser send the form.
    /// The sign-in must check the return path before it redirects to it, because any site can link to the
    /// sign-in with a path of its choice. A return path leads to this site if it begins with `/`, the second
    /// character is neither `/` nor `\`, and there are no control characters, which browsers drop.
    pub fn with_sign_in_url(mut self, url: &str) -> Self {
        self.0.sign_in = Some(url.into());
        self
    }

    /// Sets the prefix that a proxy removes from the path of each request, such as `/app`; none by
    /// default. The redirect to the sign-in adds the prefix to the path of the requested page, and to
    /// the [sign-in URL](Pages::with_sign_in_url) if that is a path. The pages' own links are relative
    /// and need no prefix.
    pub fn with_stripped_prefix(mut self, prefix: &str) -> Self {
        let prefix = prefix.trim_matches('/');
        self.0.stripped_prefix = match prefix {
            "" => "".into(),
            prefix => format!("/{prefix}").into(),
        };
        self
    }

    /// Adds an origin (`https://example.com`) whose pages may submit forms to this router in the name of
    /// a signed-in user. By default only pages of the host's own origin may: the origin of a page must match
    /// the request's `Host` or the setting `pat.base.url`; a match with either is enough.
    ///
    /// # Errors
    /// [`InvalidOrigin`] if `origin` is not a scheme and a host with an optional port.
    pub fn add_trusted_origin(mut self, origin: &str) -> Result<Self, InvalidOrigin> {
        self.0.cross_site = self.0.cross_site.add_trusted_origin(origin)?;
        Ok(self)
    }

    /// Sets a URL of the host that accepts tokens. The page that shows a new token then also shows how to request
    /// this URL with the token: with curl, in Python, and in a job of continuous integration. By default there are no
    /// examples.
    ///
    /// The examples do not contain the token. They read it from a prompt or a variable, so it gets neither into the
    /// history of a shell nor into the list of processes.
    pub fn with_example_url(mut self, url: &str) -> Self {
        self.0.example_url = Some(url.into());
        self
    }

    /// Sets the URL of a git repository that accepts tokens as `Authorization: Bearer`. The page that shows a new token
    /// then also shows how to read the repository with git. By default it does not.
    pub fn with_git_example_url(mut self, url: &str) -> Self {
        self.0.git_example_url = Some(url.into());
        self
    }

    /// Sets the host's part of each page: title, head, header and footer; empty by default.
    pub fn with_layout(mut self, layout: impl Layout) -> Self {
        self.0.layout = Arc::new(layout);
        self
    }

    /// Sets the languages of the pages; English by default. A page has the one that the browser prefers, by the
    /// header `Accept-Language` of the request, or else the first one. A host that knows the user's language sets that
    /// header before the request reaches the pages.
    ///
    /// ```
    /// use pat_core::messages::Messages;
    /// # use std::sync::Arc;
    /// # use pat_core::{MemoryStore, Pats};
    /// # use pat_tower::pages::Pages;
    /// # let pats = Pats::builder(Arc::new(MemoryStore::default())).build();
    ///
    /// # let source = "cancel = Abbrechen";
    /// let german = Messages::from_ftl("de", source)?; // such as include_str!("de.ftl")
    /// let pages = Pages::new(pats).with_languages([Messages::english(), german]);
    /// # drop(pages);
    /// # Ok::<(), pat_core::messages::MessagesError>(())
    /// ```
    pub fn with_languages(mut self, languages: impl Into<Languages>) -> Self {
        self.0.languages = languages.into();
        self
    }

    /// Sets the time zone in which the pages show times, and read dates, where a browser has no JavaScript; that of
    /// the setting `pat.time.zone` by default. With JavaScript it is the browser's time zone. Each page with a time
    /// says which zone it is.
    pub fn with_time_zone(mut self, zone: TimeZone) -> Self {
        self.0.zone = zone;
        self
    }

    /// Lets browsers send the cookie `__Host-pat-form`, which protects the forms against cross-site
    /// requests, without TLS; the cookie then has the name `pat-form`. This is for development on a local
    /// machine, where not every browser keeps cookies that require TLS.
    ///
    /// The danger: other hosts under the same domain, and attackers on the network, can replace that
    /// cookie, and so defeat the CSRF token in the forms.
    pub fn dangerous_plain_http(mut self) -> Self {
        self.0.transport = Transport::Plain;
        self
    }

    /// Builds the router with pages and assets, for the host to merge or nest.
    ///
    /// For the layer's [scope map](crate::PatLayer::with_scope_map), the routes are the host's to declare;
    /// [`Pages::scoped_router`] declares them. If the service has a [catalog](Pats::scope_catalog) of scopes, this method
    /// logs that.
    pub fn router<S: Clone + Send + Sync + 'static>(self) -> Router<S> {
        let (pages, assets) = self.router_and_assets();
        pages.merge(assets)
    }

    /// Builds two routers: the first with the pages, the second with the assets (style sheet,
    /// script and icon). Mount both at the same path, the assets outside of the [`PatLayer`](crate::PatLayer) and
    /// the session layer. Then responses with an asset are the same for every client, and shared caches
    /// may keep them.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use axum::Router;
    /// use pat_core::{MemoryStore, Pats};
    /// use pat_tower::{PatLayer, pages::Pages};
    ///
    /// let pats = Pats::builder(Arc::new(MemoryStore::default())).build();
    /// let (pages, assets) = Pages::new(pats.clone()).router_and_assets();
    /// let app: Router = Router::new()
    ///     .nest("/settings", pages)
    ///     .layer(PatLayer::optional(pats))
    ///     .nest("/settings", assets);
    /// ```
    pub fn router_and_assets<S: Clone + Send + Sync + 'static>(self) -> (Router<S>, Router<S>) {
        if !self.0.pats.scope_catalog().is_empty() {
            tracing::info!(
                "the router of the pages does not declare the scopes of its routes: an access token with scopes is \
                 refused there, unless the host's scope map declares them; `Pages::scoped_router` does"
            );
        }
        let (pages, assets) = self.scoped_router_and_assets();
        (pages.into_parts().0, assets)
    }

    /// Builds the router with pages and assets, and the scopes that its routes need, which the host merges or nests
    /// into its own [`ScopedRouter`]. The pages of a user need `tokens:write`, those of administrators `tokens:admin`,
    /// and the assets nothing. The pages check this too, whatever the host's scope map says of their paths.
    ///
    /// This is about requests with a token that has scopes. Users who are signed in by the host need none.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use axum::Router;
    /// use pat_core::scope::ScopeCatalog;
    /// use pat_core::{MemoryStore, Pats};
    /// use pat_tower::{PatLayer, pages::Pages, scope::ScopedRouter};
    ///
    /// let scopes = ScopeCatalog::builder().scope("read", "Read reports").build()?;
    /// let pats = Pats::builder(Arc::new(MemoryStore::default())).scopes(scopes).build();
    /// let (router, scopes) = ScopedRouter::new()
    ///     .get("/reports", "read", async || "reports")
    ///     .nest("/settings", Pages::new(pats.clone()).scoped_router())
    ///     .into_parts();
    /// let app: Router = router.layer(PatLayer::optional(pats).with_scope_map(scopes)?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn scoped_router<S: Clone + Send + Sync + 'static>(self) -> ScopedRouter<S> {
        let (pages, assets) = self.scoped_router_and_assets();
        let none = RequiredScopes::none();
        let assets = ScopedRouter::from(assets).declare(ASSETS, MethodFilter::GET, none);
        pages.merge(assets)
    }

    /// Builds two routers, as [`Pages::router_and_assets`] does: the first with the pages and the scopes that they
    /// need, as [`Pages::scoped_router`] describes, the second with the assets.
    pub fn scoped_router_and_assets<S: Clone + Send + Sync + 'static>(
        self,
    ) -> (ScopedRouter<S>, Router<S>) {
        let assets = Router::new()
            .route(ASSETS, get(assets::file))
            .route_layer(from_fn(read_on));
        let state = self.0;
        let user = ScopedRouter::new()
            .get("/tokens", TOKENS_WRITE, user::list)
            .get("/tokens/new", TOKENS_WRITE, user::form)
            .post("/tokens/new", TOKENS_WRITE, user::create)
            .get("/tokens/{id}/revoke", TOKENS_WRITE, user::ask)
            .post("/tokens/{id}/revoke", TOKENS_WRITE, user::revoke)
            .get("/tokens/{id}/replace", TOKENS_WRITE, user::replace_form)
            .post("/tokens/{id}/replace", TOKENS_WRITE, user::replace)
            .get("/tokens/{id}/edit", TOKENS_WRITE, user::edit_form)
            .post("/tokens/{id}/edit", TOKENS_WRITE, user::edit)
            .get("/tokens/{id}/pause", TOKENS_WRITE, user::ask_to_pause)
            .post("/tokens/{id}/pause", TOKENS_WRITE, user::pause)
            .get("/tokens/{id}/resume", TOKENS_WRITE, user::ask_to_resume)
            .post("/tokens/{id}/resume", TOKENS_WRITE, user::resume)
            .get("/tokens/{id}", TOKENS_WRITE, user::token);
        let admin = ScopedRouter::new()
            .get("/admin/tokens", TOKENS_ADMIN, admin::list)
            .get("/admin/tokens/revoke", TOKENS_ADMIN, admin::ask)
            .post("/admin/tokens/revoke", TOKENS_ADMIN, admin::revoke)
            .get("/admin/tokens/export", TOKENS_ADMIN, admin::export)
            .get("/admin/tokens/owners", TOKENS_ADMIN, admin::owners)
            .get("/admin/tokens/{id}", TOKENS_ADMIN, admin::token)
            .get(
                "/admin/tokens/{id}/pause",
                TOKENS_ADMIN,
                admin::ask_to_pause,
            )
            .post("/admin/tokens/{id}/pause", TOKENS_ADMIN, admin::pause)
            .get(
                "/admin/tokens/{id}/resume",
                TOKENS_ADMIN,
                admin::ask_to_resume,
            )
            .post("/admin/tokens/{id}/resume", TOKENS_ADMIN, admin::resume)
            .get("/admin", TOKENS_ADMIN, admin::overview)
            .get("/admin/identify", TOKENS_ADMIN, admin::identify_form)
            .post("/admin/identify", TOKENS_ADMIN, admin::identify)
            .get("/admin/unused", TOKENS_ADMIN, admin::unused)
            .get("/admin/notifications", TOKENS_ADMIN, admin::undelivered)
            .get(
                "/admin/notifications/send",
                TOKENS_ADMIN,
                admin::ask_to_send_all,
            )
            .post(
                "/admin/notifications/send",
                TOKENS_ADMIN,
                admin::send_all_again,
            )
            .post(
                "/admin/notifications/{id}/send",
                TOKENS_ADMIN,
                admin::send_again,
            );
        let guarded = |pages: ScopedRouter<State>, scope| {
            let guard = from_fn_with_state((state.clone(), scope), guard::guard);
            pages.map_router(|pages| {
                pages
                    .method_not_allowed_fallback(failure::method_not_allowed)
                    .route_layer(guard)
            })
        };
        let pages = guarded(user, TOKENS_WRITE)
            .merge(guarded(admin, TOKENS_ADMIN))
            .merge(mount::with_slash())
            .map_router(|pages| {
                pages
                    .route_layer(map_response(headers::protect))
                    .route_layer(from_fn(read_on))
            })
            .with_state(state);
        (pages, assets)
    }
}

/// The path of the style sheet, the script and the icon.
const ASSETS: &str = "/tokens/assets/{file}";
