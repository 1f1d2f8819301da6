use std::fmt::Debug;

use http::Extensions;
use pat_core::Caller;

/// What the host adds to each page: HTML that is taken as it is.
///
/// The pages allow no script, style, image or font from elsewhere and none inside of the HTML. The
/// host's own go into files, which [`Layout::head`] links: colours and fonts, for example, by
/// setting the custom properties of the style sheet on `:root`.
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
    /// What comes after a page's name in the title of its window, such as the product's name.
    fn title(&self) -> String {
        String::new()
    }

    /// The end of the element `head`: links to style sheets, icons and scripts.
    fn head(&self, visit: &PageContext) -> String {
        let _ = visit;
        String::new()
    }

    /// What is in the element `header`: the logo, a way home, the navigation. By default it is
    /// empty and not shown.
    fn header(&self, visit: &PageContext) -> String {
        let _ = visit;
        String::new()
    }

    /// What is in the element `footer`. By default it is empty and not shown.
    fn footer(&self, visit: &PageContext) -> String {
        let _ = visit;
        String::new()
    }
}

/// Nothing around the pages.
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

/// Which of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// One's own tokens.
    Tokens,
    /// The tokens of all users.
    Administration,
}

impl PageContext {
    /// Who is signed in, if anybody is.
    #[must_use]
    pub fn caller(&self) -> Option<&Caller> {
        self.caller.as_ref()
    }

    /// Whether there is an administration for him: he is an administrator, and `pat.admin.enabled`
    /// is on. False while the host's directory cannot tell.
    #[must_use]
    pub fn may_administer(&self) -> bool {
        self.may_administer
    }

    /// The way from this page to where the router is mounted: empty, or `../` some times. Put
    /// before `tokens` or `admin/tokens` it makes a link to these pages.
    #[must_use]
    pub fn root(&self) -> &str {
        &self.root
    }

    /// Where in the pages this is; nothing on a page that says that there is no such page.
    #[must_use]
    pub fn section(&self) -> Option<Section> {
        self.section
    }

    /// The extensions of the request, where the host may have left something for its layout.
    #[must_use]
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }
}
