//! What the pages about one token show of it.

use axum::response::Response;
use pat_core::Token;

use crate::http::path_id::PathId;
use crate::pages::page::{Badge, Page, ScopeList, Time};

/// What is known of a token.
pub(in crate::pages) struct Facts {
    pub(in crate::pages) description: Option<String>,
    pub(in crate::pages) hint: Option<String>,
    pub(in crate::pages) badge: Badge,
    pub(in crate::pages) scopes: Option<ScopeList>,
    pub(in crate::pages) created: Time,
    pub(in crate::pages) last_used: Option<Time>,
    pub(in crate::pages) expires: Option<Time>,
}

impl Facts {
    pub(in crate::pages) fn new(page: &Page, token: &Token) -> Self {
        Self {
            description: token.description.clone(),
            hint: token.hint.clone(),
            badge: page.badge_of(token),
            scopes: page.scopes_of(token),
            created: page.time(token.created_at),
            last_used: token.last_used_at.map(|at| page.time(at)),
            expires: token.expires_at.map(|at| page.time(at)),
        }
    }
}

/// One's own token: the pages of a user are about no others, also for an administrator.
pub(super) async fn own_token(page: &Page, PathId(id): PathId) -> Result<Token, Response> {
    let id = id.ok_or_else(|| page.not_found())?;
    let found = page.pats().find(page.caller(), id).await;
    let token = found.map_err(|error| page.inaccessible(&error))?;
    if token.owner == *page.caller().owner() {
        Ok(token)
    } else {
        Err(page.not_found())
    }
}

pub(super) async fn own_tokens(page: &Page) -> Result<Vec<Token>, Response> {
    let tokens = page.pats().list(page.caller()).await;
    tokens.map_err(|error| page.inaccessible(&error))
}
