use pat_core::Pats;

use crate::http::challenge::Challenges;
use crate::http::csrf::Csrf;

/// What the handlers share.
#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) pats: Pats,
    pub(super) cross_site: Csrf,
    pub(super) challenges: Challenges,
}
