//! From an event to its line.

use pat_core::Owner;
use pat_core::TokenId;
use pat_core::event::{Event, EventKind};

use super::EventJson;
use crate::http::date::wire_date;

impl EventJson {
    /// Of a stored event, which names one token at most.
    pub(super) fn new(event: Event) -> Self {
        let row = event.row;
        let json = Self {
            seq: row.map_or(0, |row| row.seq),
            id: row.map_or(0, |row| row.id),
            at: wire_date(event.at),
            event: event.kind.as_str().to_owned(),
            token_name: event.token_name.as_deref().map(str::to_owned),
            client_address: event.client.address(),
            user_agent: event.client.user_agent().map(str::to_owned),
            request_id: event.client.request_id().map(str::to_owned),
            ..Self::default()
        };
        json.with(event.kind)
    }

    fn about(self, token: Option<TokenId>, owner: Option<Owner>) -> Self {
        Self {
            token_id: token.map(TokenId::get),
            user_key: owner.map(|owner| owner.to_string()),
            ..self
        }
    }

    #[expect(clippy::too_many_lines, reason = "a list of all kinds")]
    fn with(self, kind: EventKind) -> Self {
        match kind {
            EventKind::Created {
                token,
                owner,
                expires_at,
                parent,
                scopes,
            } => Self {
                expiring_at: expires_at.map(wire_date),
                parent_id: parent.map(TokenId::get),
                scopes,
                ..self.about(Some(token), Some(owner))
            },
            EventKind::Imported { tokens } => match tokens.into_iter().next() {
                Some(token) => Self {
                    expiring_at: token.expires_at.map(wire_date),
                    scopes: token.scopes,
                    ..self.about(Some(token.id), Some(token.owner))
                },
                None => self,
            },
            EventKind::Rotated {
                token,
                predecessor,
                owner,
                expires_at,
                ends,
                ends_at,
                is_again,
            } => Self {
                expiring_at: expires_at.map(wire_date),
                rotated_from: Some(predecessor.get()),
                ends: Some(ends.into_iter().map(TokenId::get).collect()),
                ends_at: ends_at.map(wire_date),
                again: Some(is_again),
                ..self.about(Some(token), Some(owner))
            },
            EventKind::FirstUsed { token, owner } => self.about(Some(token), Some(owner)),
            EventKind::Refused {
                reason,
                token,
                unreported,
            } => Self {
                reason: Some(reason.into_owned()),
                unreported: Some(unreported),
                ..self.about(token, None)
            },
            EventKind::Revoked {
                tokens,
                by,
                reason,
                revocation,
            } => {
                let token = tokens.into_iter().next();
                let (token, owner) = token.map(|token| (token.id, token.owner)).unzip();
                Self {
                    revoked_by: by.map(|by| by.to_string()),
                    reason,
                    revocation_id: revocation,
                    ..self.about(token, owner)
                }
            }
            EventKind::Disabled { tokens, owner, by }
            | EventKind::Enabled { tokens, owner, by } => Self {
                changed_by: Some(by.to_string()),
                ..self.about(tokens.first().copied(), Some(owner))
            },
            EventKind::Changed { token, owner, by } => Self {
                changed_by: Some(by.to_string()),
                ..self.about(Some(token), Some(owner))
            },
            EventKind::Pruned { tokens } => {
                let token = tokens.into_iter().next();
                let (token, owner) = token.map(|token| (token.id, token.owner)).unzip();
                self.about(token, owner)
            }
            EventKind::Notified {
                notification,
                kind,
                owner,
                tokens,
            } => Self {
                notice_id: Some(notification.get()),
                notification: Some(kind.to_string()),
                ..self.about(tokens.first().copied(), Some(owner))
            },
            EventKind::NotificationDead {
                notification,
                kind,
                owner,
                error,
            } => Self {
                notice_id: Some(notification.get()),
                notification: Some(kind.to_string()),
                reason: Some(error),
                ..self.about(None, Some(owner))
            },
            EventKind::OwnerChanged { owner } => self.about(None, Some(owner)),
            EventKind::Other { token, owner, .. } => self.about(token, owner),
            // A kind that is newer than this crate, which is released with `pat-core`.
            _ => self,
        }
    }
}
