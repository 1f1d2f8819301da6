use std::sync::Arc;

use jiff::tz::TimeZone;
use pat_core::Pats;
use pat_core::messages::Languages;

use super::creations::Creations;
use super::csrf_token::Transport;
use super::layout::Layout;
use crate::http::challenge::Challenges;
use crate::http::csrf::Csrf;

/// What the handlers share.
#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) pats: Pats,
    pub(super) cross_site: Csrf,
    pub(super) challenges: Challenges,
    pub(super) languages: Languages,
    pub(super) layout: Arc<dyn Layout>,
    pub(super) sign_in: Option<Arc<str>>,
    /// Begins with a slash and does not end with one, unless it is empty.
    pub(super) stripped_prefix: Arc<str>,
    pub(super) example_url: Option<Arc<str>>,
    pub(super) git_example_url: Option<Arc<str>>,
    pub(super) zone: TimeZone,
    pub(super) transport: Transport,
    pub(super) creations: Creations,
}

impl State {
    /// What a browser has to put before this address, if it is a path of the host.
    pub(super) fn prefix_of(&self, address: &str) -> &str {
        let is_path = address.starts_with('/') && !address.starts_with("//");
        if is_path { &self.stripped_prefix } else { "" }
    }
}
