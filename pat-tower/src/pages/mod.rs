//! Pages on which users manage their tokens, and administrators those of all users.
//!
//! | path | page |
//! |---|---|
//! | `tokens` | the signed-in user's tokens |
//! | `tokens/new` | the form for a new one; `?name=ci&expires=90` fills it in |
//! | `tokens/{id}/revoke` | asks whether to revoke it |
//! | `admin/tokens` | the tokens of all users, for administrators |
//! | `admin/tokens/revoke` | asks whether to revoke some of them |
//! | `admin/tokens/export` | the tokens that the filter finds, as CSV |
//! | `admin/tokens/owners` | the users that match a text, as JSON, for the script |
//! | `tokens/assets/…` | the style sheet and the script |
//!
//! Merge the router into the host's, or nest it at any path. Links are relative, so it works behind
//! a proxy that removes a prefix, too. The pages need no JavaScript; with it, dates are in the
//! browser's time zone, questions are dialogs, there are buttons that copy, owners are suggested
//! while typing, and all tokens that a filter finds can be selected. They load nothing from other
//! origins.
//!
//! Like the REST router, this one does not authenticate: it takes the caller from the request's
//! extensions, where a [`PatLayer`](crate::PatLayer) has put its [`Pat`](crate::Pat) or the host a
//! [`Caller`](pat_core::Caller). With neither, a browser is sent to [`Pages::with_sign_in_url`].
//!
//! # Security
//! - A request that another site made the browser send is refused, as by the REST router. Two checks
//!   are needed: `Sec-Fetch-Site` and `Origin` tell other sites apart, but trust the whole origin and
//!   pass clients that send neither. Each form therefore also holds a token that is valid for one user
//!   in one browser session, by the cookie `__Host-pat-form`. The cookie is sent only over TLS; see
//!   [`Pages::dangerous_plain_http`].
//! - `Content-Security-Policy` forbids other origins, inline scripts and styles, frames, and requests
//!   of scripts except for the suggestions on the administrators' page. Only the assets may be cached.
//! - A new token is in the response to the form and nowhere else: in no address, no cookie, no log.
//!   Sending the form again, as by a reload, does not create another one: the response says that the
//!   token exists already. Two marks are needed, and neither is kept on a node: the cookie remembers
//!   forms that were answered, and the form lists the tokens that there were, for an answer (and its
//!   cookie) that was lost. Two forms that arrive at once on two nodes may both create a token.
//!
//! # Appearance
//! The style sheet follows the system's light or dark scheme. The host can set these custom properties
//! in a style sheet that its [`Layout`] links:
//!
//! | property | meaning |
//! |---|---|
//! | `--pat-font` | the font |
//! | `--pat-accent`, `--pat-on-accent` | the colour of links and main buttons, and of the text on it |
//! | `--pat-background`, `--pat-surface` | behind the page, and behind tables and forms |
//! | `--pat-text`, `--pat-muted` | text, and text of less weight |
//! | `--pat-border`, `--pat-radius` | lines, and how round corners are |

mod admin;
mod assets;
mod creations;
mod csrf_token;
mod failure;
mod fields;
mod guard;
mod headers;
mod layout;
mod messages;
mod mount;
mod page;
mod state;
mod user;

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::routing::get;
use jiff::tz::TimeZone;
use pat_core::Pats;

use self::creations::Creations;
use self::csrf_token::Transport;
use self::layout::NoLayout;
pub use self::layout::{Layout, PageContext, Section};
pub use self::messages::{English, Messages, Text, english, isolate};
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
    /// Creates a builder for the pages of this service.
    pub fn new(pats: Pats) -> Self {
        let challenges = Challenges::new(pats.settings().realm());
        let cross_site = Csrf::new(pats.settings());
        Self(State {
            pats,
            cross_site,
            challenges,
            messages: Arc::new(English),
            layout: Arc::new(NoLayout),
            sign_in: None,
            stripped_prefix: "".into(),
            example_url: None,
            zone: TimeZone::UTC,
            transport: Transport::Tls,
            creations: Creations::default(),
        })
    }

    /// Redirects a browser that is not signed in to `url` (such as `/login?return_to=`), followed by the
    /// percent-encoded path that it requested. By default, and for clients that do not accept HTML, the
    /// response is 401.
    ///
    /// The host must check the path before it redirects to it: any site can link to the sign-in.
    pub fn with_sign_in_url(mut self, url: &str) -> Self {
        self.0.sign_in = Some(url.into());
        self
    }

    /// Sets the prefix that a proxy removes from each path, such as `/app`. It is put before the path
    /// that a browser returns to after the sign-in, and before the URL of the sign-in if that is a
    /// path. Nothing else needs it, since the pages' own links are relative.
    pub fn with_stripped_prefix(mut self, prefix: &str) -> Self {
        let prefix = prefix.trim_matches('/');
        self.0.stripped_prefix = match prefix {
            "" => "".into(),
            prefix => format!("/{prefix}").into(),
        };
        self
    }

    /// Adds an origin (`https://example.com`) whose pages may send the forms of a signed-in user. By
    /// default only pages of the same origin may: that of the request's `Host`, or of `pat.base.url`.
    ///
    /// # Errors
    /// [`InvalidOrigin`] if the text is not an origin.
    pub fn add_trusted_origin(mut self, origin: &str) -> Result<Self, InvalidOrigin> {
        self.0.cross_site = self.0.cross_site.add_trusted_origin(origin)?;
        Ok(self)
    }

    /// Sets a URL for trying a new token out. The page with the token shows a command for it.
    pub fn with_example_url(mut self, url: &str) -> Self {
        self.0.example_url = Some(url.into());
        self
    }

    /// Sets the host's head, header and footer.
    pub fn with_layout(mut self, layout: impl Layout) -> Self {
        self.0.layout = Arc::new(layout);
        self
    }

    /// Sets the texts of the pages; [`English`] by default.
    pub fn with_messages(mut self, messages: impl Messages) -> Self {
        self.0.messages = Arc::new(messages);
        self
    }

    /// Sets the time zone of dates that users type, and of dates in browsers that run no script; UTC by
    /// default.
    pub fn with_time_zone(mut self, zone: TimeZone) -> Self {
        self.0.zone = zone;
        self
    }

    /// Sends the cookie of the forms without TLS too, under the name `pat-form`.
    ///
    /// The danger: other hosts under the same domain, and attackers on the network, can replace that
    /// cookie. For development on a local machine, where not every browser keeps secure cookies.
    pub fn dangerous_plain_http(mut self) -> Self {
        self.0.transport = Transport::Plain;
        self
    }

    /// Builds the router, which the host merges or nests.
    pub fn router<S: Clone + Send + Sync + 'static>(self) -> Router<S> {
        let (pages, assets) = self.router_and_assets();
        pages.merge(assets)
    }

    /// Builds a router of the pages and another of the style sheet and the script. Mounted at the same
    /// path, but outside of the [`PatLayer`](crate::PatLayer) and the session layer, the assets are the
    /// same for every client, so that shared caches may keep them.
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
        let assets = Router::new()
            .route("/tokens/assets/{file}", get(assets::file))
            .route_layer(from_fn(read_on));
        let state = self.0;
        let pages = Router::new()
            .route("/tokens", get(user::list))
            .route("/tokens/new", get(user::form).post(user::create))
            .route("/tokens/{id}/revoke", get(user::ask).post(user::revoke))
            .route("/tokens/{id}", get(failure::not_found))
            .route("/admin/tokens", get(admin::list))
            .route("/admin/tokens/revoke", get(admin::ask).post(admin::revoke))
            .route("/admin/tokens/export", get(admin::export))
            .route("/admin/tokens/owners", get(admin::owners))
            .method_not_allowed_fallback(failure::method_not_allowed)
            .route_layer(from_fn_with_state(state.clone(), guard::guard))
            .merge(mount::with_slash())
            .route_layer(map_response(headers::protect))
            .route_layer(from_fn(read_on))
            .with_state(state);
        (pages, assets)
    }
}
