//! What the list says was just done.

use pat_core::{Token, TokenId};

use crate::pages::fields::Fields;
use crate::pages::page::Page;
use crate::pages::text::Text;

/// A change that led to the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Created,
    Revoked,
    AlreadyRevoked,
    Paused,
    Resumed,
    Edited,
}

/// The parameters of the list that say what was done: each with the ID of the token.
const CHANGES: [(&str, Change); 6] = [
    ("created", Change::Created),
    ("revoked", Change::Revoked),
    ("gone", Change::AlreadyRevoked),
    ("paused", Change::Paused),
    ("resumed", Change::Resumed),
    ("changed", Change::Edited),
];

impl Change {
    /// The path of the list that says that this was done.
    pub(super) fn list(self, id: TokenId) -> String {
        let (name, _) = CHANGES
            .into_iter()
            .find(|(_, change)| *change == self)
            .expect("every change has a parameter");
        format!("tokens?{name}={id}")
    }
}

/// What the list says was done, and with which token.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) text: Option<String>,
    /// Whether nothing was done.
    pub(super) is_warning: bool,
    /// The token, to be highlighted.
    id: Option<TokenId>,
}

impl Done {
    /// As the query of the list says; nothing if it names no token of the caller's. The name is the token's own, so
    /// that a link cannot put words into the page.
    pub(super) async fn of(page: &Page, fields: &Fields) -> Self {
        let said = CHANGES.into_iter().find_map(|(name, change)| {
            let id = fields.get(name).parse().ok().and_then(TokenId::new)?;
            Some((change, id))
        });
        let Some((change, id)) = said else {
            return Self::default();
        };
        let found = page.pats().find_even_revoked(page.caller(), id).await;
        let own = |token: &Token| token.owner == *page.caller().owner();
        let Some(token) = found.ok().filter(own) else {
            return Self::default();
        };
        let name = token.name.as_str();
        let text = match change {
            Change::Created => None,
            Change::Revoked | Change::AlreadyRevoked if token.revoked_at.is_none() => None,
            Change::Revoked => Some(Text::Revoked(name)),
            Change::AlreadyRevoked => Some(Text::AlreadyRevoked(name)),
            Change::Paused => Some(Text::Paused(name)),
            Change::Resumed => Some(Text::Resumed(name)),
            Change::Edited => Some(Text::Changed(name)),
        };
        Self {
            text: text.map(|text| page.t(text).into_owned()),
            is_warning: change == Change::AlreadyRevoked,
            id: Some(id),
        }
    }

    /// Whether this row is highlighted.
    pub(super) fn is_about(&self, id: i64) -> bool {
        self.id.is_some_and(|changed| changed.get() == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_has_a_parameter() {
        let id = TokenId::new(5).expect("an ID");
        for (name, change) in CHANGES {
            assert_eq!(change.list(id), format!("tokens?{name}=5"));
        }
    }
}
