//! The users whom the page about a token names.

use std::collections::HashMap;

use axum::response::Response;
use pat_core::event::EventKind;
use pat_core::{Administration, Owner, Token, TokenHistory, User};

use super::reader::Reader;
use crate::pages::page::Page;
use crate::pages::text::Text;

/// The users who have changed a token, as the reader of the page may know them: administrators see their names, and
/// the owner that it was an administrator.
pub(super) enum Users {
    Own(Owner),
    All {
        owner: User,
        others: HashMap<Owner, String>,
    },
}

impl Users {
    /// Asks the directory for the names of all, if the reader may see them.
    pub(super) async fn find(
        page: &Page,
        reader: Reader<'_>,
        token: &Token,
        history: Option<&TokenHistory>,
    ) -> Result<Self, Response> {
        let Reader::Administrator(admin) = reader else {
            return Ok(Self::Own(token.owner.clone()));
        };
        let disabled_by = token.disabled.as_ref().and_then(|it| it.by.as_ref());
        let others = authors(history).chain(token.revoked_by.as_ref());
        Self::find_all(page, admin, &token.owner, others.chain(disabled_by)).await
    }

    /// Asks the directory for the names of all, for an administrator.
    pub(super) async fn find_all<'a>(
        page: &Page,
        admin: &Administration<'_>,
        owner: &'a Owner,
        others: impl Iterator<Item = &'a Owner>,
    ) -> Result<Self, Response> {
        let asked = [owner].into_iter().chain(others);
        let asked: Vec<_> = asked.cloned().collect();
        let users = admin.users(&asked).await;
        let mut users = users
            .map_err(|error| page.not_administered(&error))?
            .into_iter();
        let owner = users.next().expect("a user for each key");
        let others = users.map(|user| (user.owner, user.full_name)).collect();
        Ok(Self::All { owner, others })
    }

    /// The owner, for administrators.
    pub(super) fn owner(&self) -> Option<&User> {
        match self {
            Self::Own(_) => None,
            Self::All { owner, .. } => Some(owner),
        }
    }

    /// What to call the user who did something; `None` if no user did.
    pub(super) fn name(&self, page: &Page, by: Option<&Owner>) -> String {
        let text = match (self, by) {
            (_, None) => Text::Automatically,
            (Self::Own(owner), Some(by)) if owner == by => Text::You,
            (Self::Own(_), Some(_)) => Text::AnAdministrator,
            (Self::All { others, .. }, Some(by)) => {
                let name = others.get(by);
                return name.map_or_else(|| by.to_string(), Clone::clone);
            }
        };
        page.t(text).into_owned()
    }
}

/// The users who did what a history says.
pub(super) fn authors(history: Option<&TokenHistory>) -> impl Iterator<Item = &Owner> {
    let events = history.into_iter().flat_map(|history| &history.events);
    events.filter_map(|event| author(&event.kind))
}

/// The user who did what the event says; `None` also for what only an owner does, and what no user does.
pub(super) fn author(kind: &EventKind) -> Option<&Owner> {
    match kind {
        EventKind::Revoked { by, .. } => by.as_ref(),
        EventKind::Disabled { by, .. }
        | EventKind::Enabled { by, .. }
        | EventKind::Changed { by, .. } => Some(by),
        EventKind::Created { owner, .. } | EventKind::Rotated { owner, .. } => Some(owner),
        EventKind::Imported { .. }
        | EventKind::FirstUsed { .. }
        | EventKind::Refused { .. }
        | EventKind::Pruned { .. }
        | EventKind::Notified { .. }
        | EventKind::NotificationDead { .. }
        | EventKind::OwnerChanged { .. }
        | EventKind::Other { .. }
        | _ => None,
    }
}
