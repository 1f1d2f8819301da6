use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use pat_core::Pats;

use crate::http::challenge::Challenges;
use crate::rejection::PatRejection;
use crate::scope::ResolvedMap;
use crate::session::SessionInvalidator;

/// What a layer and its services share.
#[derive(Debug, Clone)]
pub(super) struct Config {
    pub(super) pats: Pats,
    pub(super) mode: Mode,
    pub(super) challenges: Arc<Challenges>,
    pub(super) passes_unrecognized: bool,
    pub(super) keeps_header: bool,
    pub(super) sessions: Option<Arc<dyn SessionInvalidator>>,
    pub(super) renderer: Option<Renderer>,
    pub(super) scopes: Arc<ResolvedMap>,
}

/// Which requests pass without a good token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// None.
    Required,
    /// Those that present no token.
    Optional,
    /// Those too that present a bad one.
    Lenient,
}

/// The host's way to render rejections.
#[derive(Clone)]
pub(super) struct Renderer(pub(super) Arc<Render>);

type Render = dyn Fn(&PatRejection) -> Response<Bytes> + Send + Sync;

impl fmt::Debug for Renderer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renderer").finish_non_exhaustive()
    }
}
