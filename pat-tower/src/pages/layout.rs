use std::fmt::Debug;

use http::Extensions;
use pat_core::Caller;

/// The HTML that the host adds to each page. It is not escaped.
///
/// The pages' `Content-Security-Policy` allows scripts, styles, images and fonts only from files of
/// the host's own origin, not inline. [`Layout::head`] links such files: a style sheet, for example,
/// that sets the custom properties of the pages' style sheet on `:root`.
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
    /// Returns what follows a page's name in the window title, such as the product's name.
    fn title(&self) -> String {
        String::new()
    }

    /// Returns the end of the element `head`: links to style sheets, icons and scripts.
    fn head(&self, visit: &PageContext) -> String {
        let _ = visit;
        String::new()
    }

    /// Returns the content of the element `header`: the logo, a link to the start page, the
    /// navigation. The default is empty, and the element is left out.
    fn header(&self, visit: &PageContext) -> String {
        let _ = visit;
        String::new()
    }

    /// Returns the content of the element `footer`. The default is empty, and the element is left out.
    fn footer(&self, visit: &PageContext) -> String {
        let _ = visit;
        String::new()
    }
}

/// A layout that adds nothing.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct NoLayout;

impl Layout for NoLayout {}

/// A request for a page, as a [`Layout`] sees it.
#[derive(Debug, Clone)]
pub struct PageContext {
    pub(super) caller: Option<Caller>,
    pub(super) may_administer: bool,
    pub(super) root: String,
    pub(super) section: Option<Section>,
    pub(super) extensions: Extensions,
}

/// A part of the pages. More may be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Section {
    /// The signed-in user's tokens.
    Tokens,
    /// The tokens of all users.
    Administration,
}

impl PageContext {
    /// Returns the signed-in user; `None` on the page for requests without one.
    #[must_use]
    pub fn caller(&self) -> Option<&Caller> {
        self.caller.as_ref()
    }

    /// Returns whether the signed-in user can open the administrators' pages: the user is an
    /// administrator, and `pat.admin.enabled` is on. False while the host's directory does not answer.
    #[must_use]
    pub fn may_administer(&self) -> bool {
        self.may_administer
    }

    /// Returns the relative path from this page to the router's mount point: empty, or `../` repeated.
    /// `root` followed by `tokens` or `admin/tokens` is a link to these pages.
    #[must_use]
    pub fn root(&self) -> &str {
        &self.root
    }

    /// Returns the part of the pages that this page belongs to.
    #[must_use]
    pub fn section(&self) -> Option<Section> {
        self.section
    }

    /// Returns the extensions of the request, by which the host's middleware can hand values to its
    /// layout.
    #[must_use]
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }
}
