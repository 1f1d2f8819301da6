//! The page about a token that is deleted, which the audit events still tell of, for administrators.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "most kinds tell nothing more"
)]

use askama::Template;
use axum::response::Response;
use http::StatusCode;
use jiff::Timestamp;
use pat_core::event::EventKind;
use pat_core::scope::Scopes;
use pat_core::{AdminError, Administration, Owner, TokenHistory, TokenId};

use super::history::{self, History};
use super::users::{Users, authors};
use super::{Moment, OwnerNames};
use crate::pages::fields::Fields;
use crate::pages::page::{MANY_SCOPES, Page, ScopeList, Time, show};
use crate::pages::text::Text;

#[derive(Template)]
#[template(path = "deleted_token.html")]
struct DeletedPage<'a> {
    page: &'a Page,
    /// The path of the pages about tokens, from where the router is mounted.
    base: &'static str,
    id: i64,
    title: String,
    owner: Option<OwnerNames>,
    scopes: Option<ScopeList>,
    created: Option<Time>,
    /// The token with which it was created, which may be deleted too.
    parent: Option<i64>,
    /// When it was to expire; nothing if that is not known.
    expires: Option<End>,
    /// When it was revoked and deleted.
    moments: Vec<Moment>,
    history: Option<History>,
}

/// When a token was to expire; `None` for never.
struct End {
    at: Option<Time>,
}

/// What the events of a page of the history tell about their token.
#[derive(Default)]
struct Facts<'e> {
    owner: Option<&'e Owner>,
    created_at: Option<Timestamp>,
    parent: Option<TokenId>,
    /// The end that it had at first, and its scopes; of an event that told them.
    first: Option<(Option<Timestamp>, Option<&'e Scopes>)>,
    /// When it was revoked, by whom and why.
    revoked: Option<(Timestamp, Option<&'e Owner>, Option<&'e str>)>,
    deleted_at: Option<Timestamp>,
}

impl<'e> Facts<'e> {
    fn new(id: TokenId, history: &'e TokenHistory) -> Self {
        let mut facts = Self::default();
        for event in &history.events {
            let at = event.at;
            match &event.kind {
                EventKind::Created {
                    owner,
                    expires_at,
                    parent,
                    scopes,
                    ..
                } => {
                    (facts.owner, facts.created_at) = (Some(owner), Some(at));
                    (facts.parent, facts.first) = (*parent, Some((*expires_at, scopes.as_ref())));
                }
                EventKind::Imported { tokens } => {
                    if let Some(token) = tokens.iter().find(|token| token.id == id) {
                        facts.owner = Some(&token.owner);
                        facts.first = Some((token.expires_at, token.scopes.as_ref()));
                    }
                }
                EventKind::Rotated { token, owner, .. } => {
                    facts.owner = Some(owner);
                    facts.created_at = (*token == id).then_some(at).or(facts.created_at);
                }
                EventKind::Revoked {
                    tokens, by, reason, ..
                } => {
                    let token = tokens.iter().find(|token| token.id == id);
                    facts.owner = token.map(|token| &token.owner).or(facts.owner);
                    facts.revoked = Some((at, by.as_ref(), reason.as_deref()));
                }
                EventKind::Pruned { tokens } => {
                    let token = tokens.iter().find(|token| token.id == id);
                    facts.owner = token.map(|token| &token.owner).or(facts.owner);
                    facts.deleted_at = Some(at);
                }
                EventKind::FirstUsed { owner, .. }
                | EventKind::Disabled { owner, .. }
                | EventKind::Enabled { owner, .. }
                | EventKind::Changed { owner, .. }
                | EventKind::Notified { owner, .. } => facts.owner = Some(owner),
                _ => {}
            }
        }
        facts
    }
}

/// Shows what the events still tell about a token that is not stored; "not found" if they tell nothing.
pub(in crate::pages) async fn show_deleted(
    page: &Page,
    admin: &Administration<'_>,
    id: TokenId,
    fields: &Fields,
) -> Result<Response, Response> {
    let before = history::position(fields);
    let found = match admin.history(id, before, history::PAGE_LEN).await {
        Ok(found) => found,
        Err(AdminError::NoAudit) => return Err(page.not_found()),
        Err(error) => return Err(page.not_administered(&error)),
    };
    let facts = Facts::new(id, &found);
    let Some(owner) = facts.owner else {
        return Err(page.not_found());
    };
    let users = Users::find_all(page, admin, owner, authors(Some(&found))).await?;
    let revoked = facts.revoked.map(|(at, by, reason)| Moment {
        label: page.t(Text::RevokedLabel).into_owned(),
        at: page.time(at),
        by: Some(users.name(page, by)),
        reason: reason.map(str::to_owned),
    });
    let deleted = facts.deleted_at.map(|at| Moment {
        label: page.t(Text::DeletedLabel).into_owned(),
        at: page.time(at),
        by: None,
        reason: None,
    });
    let shows_scopes = !page.pats().scope_catalog().is_empty();
    let scopes = facts.first.filter(|_| shows_scopes);
    let template = DeletedPage {
        page,
        base: "admin/tokens",
        id: id.get(),
        title: page.t(Text::DeletedToken(&id.to_string())).into_owned(),
        owner: users.owner().map(OwnerNames::new),
        scopes: scopes.map(|(_, scopes)| page.scopes(scopes, MANY_SCOPES)),
        created: facts.created_at.map(|at| page.time(at)),
        parent: facts.parent.map(TokenId::get),
        expires: facts.first.map(|(at, _)| End {
            at: at.map(|at| page.time(at)),
        }),
        moments: revoked.into_iter().chain(deleted).collect(),
        history: Some(History::new(page, &users, id, &found, before)),
    };
    Ok(show(StatusCode::OK, &template))
}
