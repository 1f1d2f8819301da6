//! Pages on which people manage their tokens, and administrators those of everybody.
//!
//! | path | page |
//! |---|---|
//! | `tokens` | one's own tokens |
//! | `tokens/new` | the form for a new one; `?name=ci&expires=90` fills it in |
//! | `tokens/{id}/revoke` | asks whether to revoke it |
//! | `admin/tokens` | the tokens of all users, for administrators |
//! | `admin/tokens/revoke` | asks whether to revoke some of them |
//! | `admin/tokens/export` | what the filter finds, as CSV |
//! | `admin/tokens/owners` | users that a text fits, as JSON, for the script |
//! | `tokens/assets/…` | the style sheet and the script |
//!
//! Merge the router into the host's, or nest it at any path. Links are relative, so it works behind
//! a proxy that takes a prefix off, too. The pages need no JavaScript; with it, dates are in the
//! viewer's time zone, questions are dialogs, there are buttons that copy, owners are suggested as
//! one types, and all that a filter finds can be selected. They load nothing from elsewhere.
//!
//! Like the REST router, this one does not authenticate: it takes the caller from the request's
//! extensions, where a [`PatLayer`](crate::PatLayer) has put its [`Pat`](crate::Pat) or the host a
//! [`Caller`](pat_core::Caller). With neither, a browser is sent to [`Pages::with_sign_in_url`].
//!
//! # What protects them
//! - A request that another site made the browser send is refused, as by the REST router.
//! - Besides, each form holds a token that is good for one user in one browser session, by way of
//!   the cookie `__Host-pat-form`. It goes out only over TLS; see [`Pages::dangerous_plain_http`].
//! - `Content-Security-Policy` forbids whatever is not the host's own, inline scripts and styles,
//!   frames, and requests of scripts but for the suggestions on the administrators' page. Nothing but
//!   the assets may be cached.
//! - A new token is in the answer to the form and nowhere else: in no address, no cookie, no log.
//!   Sending the form again, as by a reload, does not create another one: the answer says that the
//!   token exists already. The browser's cookie and the form itself tell, so it holds on any node and
//!   after a restart; but two that arrive at once on two nodes may both create one.
//!
//! # The look
//! The style sheet follows the system's light or dark scheme. Its custom properties are for the host
//! to set, in a style sheet that its [`Layout`] links:
//!
//! | property | what it is |
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
/// use axum::Router;
/// use pat_core::{MemoryStore, Pats};
/// use pat_tower::{PatLayer, pages::Pages};
///
/// let pats = Pats::builder(MemoryStore::default()).build();
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
    /// The pages for the tokens of this service.
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

    /// Sends a browser that is not signed in to this address, with the path that it wanted put
    /// behind it, percent-encoded: such as `/login?return_to=`. Without it, and for everybody else
    /// than browsers, the answer is 401.
    ///
    /// The host has to check the path when it comes back: anybody can make a link to the sign-in.
    pub fn with_sign_in_url(mut self, address: &str) -> Self {
        self.0.sign_in = Some(address.into());
        self
    }

    /// Tells what a proxy takes off the front of each path before the request gets here, such as
    /// `/app`. It is put before the path that a browser comes back to after the sign-in, and before
    /// the address of the sign-in if that is a path: the host names both as it serves them itself.
    /// Nothing else needs it, since the pages' own links are relative.
    pub fn with_stripped_prefix(mut self, prefix: &str) -> Self {
        let prefix = prefix.trim_matches('/');
        self.0.stripped_prefix = match prefix {
            "" => "".into(),
            prefix => format!("/{prefix}").into(),
        };
        self
    }

    /// Lets pages of another origin (`https://example.com`) send the forms of a signed-in user. By
    /// default only pages of the same origin may: of the request's `Host`, or of `pat.base.url`.
    ///
    /// # Errors
    /// [`InvalidOrigin`] if the text is not an origin.
    pub fn add_trusted_origin(mut self, origin: &str) -> Result<Self, InvalidOrigin> {
        self.0.cross_site = self.0.cross_site.add_trusted_origin(origin)?;
        Ok(self)
    }

    /// An address that a new token can be tried on. The page with the token shows how.
    pub fn with_example_url(mut self, url: &str) -> Self {
        self.0.example_url = Some(url.into());
        self
    }

    /// What is around the pages: the host's head, header and footer.
    pub fn with_layout(mut self, layout: impl Layout) -> Self {
        self.0.layout = Arc::new(layout);
        self
    }

    /// The words of the pages; English by default.
    pub fn with_messages(mut self, messages: impl Messages) -> Self {
        self.0.messages = Arc::new(messages);
        self
    }

    /// The time zone of dates that are typed in, and of those that are shown to browsers that run
    /// no script; UTC by default.
    pub fn with_time_zone(mut self, zone: TimeZone) -> Self {
        self.0.zone = zone;
        self
    }

    /// Has the cookie of the forms sent without TLS too, under the name `pat-form`, which neighbours
    /// under the same domain and whoever is on the network can replace. For trying things out on
    /// one's own machine, where not every browser keeps secure cookies.
    pub fn dangerous_plain_http(mut self) -> Self {
        self.0.transport = Transport::Plain;
        self
    }

    /// The router, to be merged into the host's or nested.
    pub fn router<S: Clone + Send + Sync + 'static>(self) -> Router<S> {
        let (pages, assets) = self.router_and_assets();
        pages.merge(assets)
    }

    /// The pages, and the style sheet and script apart from them. Mounted at the same path, but
    /// outside of the [`PatLayer`](crate::PatLayer) and the session layer, these are the same for
    /// everybody, so that caches on the way may keep them whoever asks.
    ///
    /// ```
    /// use axum::Router;
    /// use pat_core::{MemoryStore, Pats};
    /// use pat_tower::{PatLayer, pages::Pages};
    ///
    /// let pats = Pats::builder(MemoryStore::default()).build();
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
