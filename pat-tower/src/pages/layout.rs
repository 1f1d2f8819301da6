use std::fmt::Debug;

use http::Extensions;
use pat_core::Caller;
use pat_core::messages::Messages;

/// The host's part of each page, such as a header with the host's navigation. Pass an implementation to
/// [`Pages::with_layout`](super::Pages::with_layout). By default each method returns an empty string,
/// which adds nothing to the page.
///
/// The pages' `Content-Security-Policy` allows scripts, styles, images and fonts only from files of
/// the host's own origin, not inline. [`Layout::head`] links such files: for example a style sheet that
/// sets, on `:root`, the custom properties of the pages' style sheet ([list](super#appearance)).
///
/// ```
/// use pat_tower::pages::{Layout, PageContext};
///
/// #[derive(Debug)]
/// struct Intranet;
///
/// impl Layout for Intranet {
///     fn head(&self, _: &PageContext) -> String {
///         // In it, for example: :root { --pat-accent: #b3005e; --pat-font: Inter, sans-serif }
///         r#"<link rel="stylesheet" href="/brand.css">"#.to_owned()
///     }
///
///     fn header(&self, _: &PageContext) -> String {
///         r#"<a href="/"><img src="/logo.svg" alt="Intranet" height="32"></a>"#.to_owned()
///     }
/// }
/// ```
pub trait Layout: Debug + Send + Sync + 'static {
    /// Returns the text that follows the title of a page in the window title, such as the product's
    /// name: `Personal access tokens · Example`. The page escapes it.
    fn title(&self) -> String {
        String::new()
    }

    /// Returns the HTML at the end of the element `head`, which the page does not escape: links to style
    /// sheets, icons and scripts.
    fn head(&self, visit: &PageContext) -> String {
        let _ = visit;
        String::new()
    }

    /// Returns the HTML content of the element `header`, which the page does not escape: a logo, a link
    /// to the start page, the navigation. A page with an empty header has no such element.
    fn header(&self, visit: &PageContext) -> String {
        let _ = visit;
        String::new()
    }

    /// Returns the HTML content of the element `footer`, which the page does not escape. A page with an
    /// empty footer has no such element.
    fn footer(&self, visit: &PageContext) -> String {
        let _ = visit;
        String::new()
    }
}

/// A layout that adds nothing.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct NoLayout;

impl Layout for NoLayout {}

/// The request that a page responds to, as a [`Layout`] sees it.
#[derive(Debug, Clone)]
pub struct PageContext {
    pub(super) caller: Option<Caller>,
    pub(super) messages: Messages,
    pub(super) may_administer: bool,
    pub(super) root: String,
    pub(super) section: Option<Section>,
    pub(super) extensions: Extensions,
}

/// A section of the [pages](super), so that a [`Layout`] can mark the current entry of the host's
/// navigation. More variants may be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Section {
    /// The pages for the signed-in user's own tokens: those whose URL path, relative to the router's mount
    /// point, is `tokens` or begins with `tokens/`. Also an error page at any other path outside `admin` and `admin/`.
    Tokens,
    /// The administrators' pages for the tokens of all users: those whose URL path, relative to the
    /// router's mount point, is `admin` or begins with `admin/`.
    Administration,
}

impl PageContext {
    /// Returns the signed-in user; `None` on the error page for requests without a signed-in user.
    #[must_use]
    pub fn caller(&self) -> Option<&Caller> {
        self.caller.as_ref()
    }

    /// Returns the BCP 47 tag of the page's language, such as `de`, which a layout should have too: one of those
    /// passed to [`Pages::with_languages`](super::Pages::with_languages).
    #[must_use]
    pub fn language(&self) -> &str {
        self.messages.language()
    }

    /// Returns whether the signed-in user can open the administrators' pages: `true` if the user is an
    /// administrator and the setting `pat.admin.enabled` is on; `false` also while the host's user
    /// directory does not answer.
    #[must_use]
    pub fn may_administer(&self) -> bool {
        self.may_administer
    }

    /// Returns the relative path from this page to the router's mount point: empty, or `../` repeated.
    /// A layout links to the pages with this path followed by `tokens` or `admin/tokens`.
    #[must_use]
    pub fn root(&self) -> &str {
        &self.root
    }

    /// Returns the section that this page belongs to. Each page of this version belongs to one; `None` is
    /// for pages of later versions.
    #[must_use]
    pub fn section(&self) -> Option<Section> {
        self.section
    }

    /// Returns the extensions of the request, through which the host's middleware can pass values to
    /// the layout.
    #[must_use]
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }
}
