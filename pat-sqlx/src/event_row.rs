//! Conversions between rows of `pat_event` and audit events.

// The enums of pat-core can grow. All variants are named beside the wildcard, so that a new one fails
// Clippy.
#![warn(clippy::wildcard_enum_match_arm)]

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use pat_core::event::{Event, EventKind, EventRow};
use pat_core::notification::NotificationKind;
use pat_core::scope::Scopes;
use pat_core::store::{ImportedToken, PrunedToken, RevokedToken};
use pat_core::{Client, Owner, TokenId};
use sqlx::Error;

use crate::dialect::Dialect;
use crate::row;
use crate::sql::{Row, corrupt};

/// The columns of `pat_event` that differ from kind to kind.
#[derive(Clone, Default)]
pub(crate) struct Columns<'a> {
    pub(crate) token: Option<TokenId>,
    pub(crate) owner: Option<&'a Owner>,
    /// The user who revoked, disabled, enabled or changed the token.
    pub(crate) by: Option<&'a Owner>,
    /// The reason of a refusal or revocation, the error of a notification, or the IDs of the tokens whose end a
    /// rotation made earlier, separated by spaces.
    pub(crate) reason: Option<Cow<'a, str>>,
    /// The parent of a created token, the predecessor of a rotated one, or the ID of a notification.
    pub(crate) related: Option<i64>,
    /// How many further events the row stands for; 1 for a token that was rotated again.
    pub(crate) others: u64,
    pub(crate) expires_at: Option<Timestamp>,
    /// The end that a rotation gave to other tokens.
    pub(crate) ends_at: Option<Timestamp>,
    /// The kind of a notification.
    pub(crate) notification: Option<&'a str>,
    /// The scopes of a created or imported token.
    pub(crate) scopes: Option<&'a Scopes>,
    /// The number of a revocation.
    pub(crate) revocation: Option<i64>,
}

impl<'a> Columns<'a> {
    /// Returns the columns of an event of at most one token ([`EventKind::per_token`]).
    #[expect(clippy::too_many_lines, reason = "a list of all kinds")]
    pub(crate) fn of(kind: &'a EventKind) -> Self {
        let row = Self::default();
        match kind {
            EventKind::Created {
                token,
                owner,
                expires_at,
                parent,
                scopes,
            } => Self {
                token: Some(*token),
                owner: Some(owner),
                related: parent.map(TokenId::get),
                expires_at: *expires_at,
                scopes: scopes.as_ref(),
                ..row
            },
            EventKind::Imported { tokens } => {
                let token = tokens.first();
                Self {
                    token: token.map(|token| token.id),
                    owner: token.map(|token| &token.owner),
                    expires_at: token.and_then(|token| token.expires_at),
                    scopes: token.and_then(|token| token.scopes.as_ref()),
                    ..row
                }
            }
            EventKind::Rotated {
                token,
                predecessor,
                owner,
                expires_at,
                ends,
                ends_at,
                is_again,
            } => Self {
                token: Some(*token),
                owner: Some(owner),
                reason: Some(Cow::Owned(joined(ends))),
                related: Some(predecessor.get()),
                others: u64::from(*is_again),
                expires_at: *expires_at,
                ends_at: *ends_at,
                ..row
            },
            EventKind::FirstUsed { token, owner } => Self {
                token: Some(*token),
                owner: Some(owner),
                ..row
            },
            EventKind::Refused {
                reason,
                token,
                unreported,
            } => Self {
                token: *token,
                reason: Some(Cow::Borrowed(reason)),
                others: *unreported,
                ..row
            },
            EventKind::Revoked {
                tokens,
                by,
                reason,
                revocation,
            } => Self {
                token: tokens.first().map(|token| token.id),
                owner: tokens.first().map(|token| &token.owner),
                by: by.as_ref(),
                reason: reason.as_deref().map(Cow::Borrowed),
                revocation: *revocation,
                ..row
            },
            EventKind::Disabled { tokens, owner, by }
            | EventKind::Enabled { tokens, owner, by } => Self {
                token: tokens.first().copied(),
                owner: Some(owner),
                by: Some(by),
                ..row
            },
            EventKind::Changed { token, owner, by } => Self {
                token: Some(*token),
                owner: Some(owner),
                by: Some(by),
                ..row
            },
            EventKind::Pruned { tokens } => Self {
                token: tokens.first().map(|token| token.id),
                owner: tokens.first().map(|token| &token.owner),
                ..row
            },
            EventKind::Notified {
                notification,
                kind,
                owner,
                tokens,
            } => Self {
                token: tokens.first().copied(),
                owner: Some(owner),
                related: Some(notification.get()),
                notification: Some(kind.as_str()),
                ..row
            },
            EventKind::NotificationDead {
                notification,
                kind,
                owner,
                error,
            } => Self {
                owner: Some(owner),
                reason: Some(Cow::Borrowed(error)),
                related: Some(notification.get()),
                notification: Some(kind.as_str()),
                ..row
            },
            EventKind::OwnerChanged { owner } => Self {
                owner: Some(owner),
                ..row
            },
            EventKind::Other { token, owner, .. } => Self {
                token: *token,
                owner: owner.as_ref(),
                ..row
            },
            // `EventKind` is non-exhaustive; this crate is released with `pat-core` and has all
            // kinds.
            _ => row,
        }
    }
}

fn joined(ids: &[TokenId]) -> String {
    let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
    ids.join(" ")
}

fn split(ids: &str) -> Result<Vec<TokenId>, Error> {
    let ids = ids.split_ascii_whitespace();
    ids.map(|id| id.parse().map_err(corrupt)).collect()
}

/// The columns that [`event`] reads.
pub(crate) const COLUMNS: &str = "id, at, kind, token_id, owner, revoked_by, reason, related_id, number, seq, \
     expires_at, notice, scopes, revocation_id, ends_at, client_address, user_agent, request_id";

/// Converts a row; `None` for the empty side of an outer join.
pub(crate) fn event<DB: Dialect>(row: &Row<DB>) -> Result<Option<Event>, Error> {
    let Some(id) = row.optional_int("id")? else {
        return Ok(None);
    };
    // It is 0 before the row is numbered, and -1 in a row from before events were numbered.
    let seq = u64::try_from(row.int("seq")?).unwrap_or_default();
    let mut event = Event::new(row.timestamp("at")?, event_kind(row)?);
    event.row = Some(EventRow::new(id, seq));
    event.client = client(row)?;
    event.token_name = row.optional_text("token_name")?.map(Arc::from);
    Ok(Some(event))
}

fn client<DB: Dialect>(row: &Row<DB>) -> Result<Client, Error> {
    let mut client = Client::default();
    if let Some(address) = row::address(row)? {
        client = client.with_address(address);
    }
    if let Some(user_agent) = row.optional_text("user_agent")? {
        client = client.with_user_agent(&user_agent);
    }
    if let Some(id) = row.optional_text("request_id")? {
        client = client.with_request_id(&id);
    }
    Ok(client)
}

fn event_kind<DB: Dialect>(row: &Row<DB>) -> Result<EventKind, Error> {
    let token = || row.token_id("token_id");
    let owner = || row.owner("owner");
    let by = || row.owner("revoked_by");
    let notification = || row::notice_id(row.int("related_id")?);
    let kind = row.text("kind")?;
    // A newer version may write further kinds of both.
    let notification_kind = notification_kind(row)?;
    Ok(match (kind.as_str(), notification_kind) {
        ("created", _) => EventKind::Created {
            token: token()?,
            owner: owner()?,
            expires_at: row.optional_timestamp("expires_at")?,
            parent: row.optional_token_id("related_id")?,
            scopes: row::scopes(row, token()?)?,
        },
        ("imported", _) => {
            let mut imported = ImportedToken::new(token()?, owner()?);
            imported.expires_at = row.optional_timestamp("expires_at")?;
            imported.scopes = row::scopes(row, token()?)?;
            EventKind::Imported {
                tokens: vec![imported],
            }
        }
        ("rotated", _) => EventKind::Rotated {
            token: token()?,
            predecessor: row.token_id("related_id")?,
            owner: owner()?,
            expires_at: row.optional_timestamp("expires_at")?,
            ends: split(&row.text("reason")?)?,
            ends_at: row.optional_timestamp("ends_at")?,
            is_again: row.int("number")? > 1,
        },
        ("first-used", _) => EventKind::FirstUsed {
            token: token()?,
            owner: owner()?,
        },
        ("refused", _) => EventKind::Refused {
            reason: Cow::Owned(row.text("reason")?),
            token: row.optional_token_id("token_id")?,
            unreported: row.count("number")?.saturating_sub(1),
        },
        ("revoked", _) => EventKind::Revoked {
            tokens: vec![RevokedToken::new(token()?, owner()?)],
            by: row.optional_owner("revoked_by")?,
            reason: row.optional_text("reason")?,
            revocation: row.optional_int("revocation_id")?,
        },
        ("disabled", _) => EventKind::Disabled {
            tokens: vec![token()?],
            owner: owner()?,
            by: by()?,
        },
        ("enabled", _) => EventKind::Enabled {
            tokens: vec![token()?],
            owner: owner()?,
            by: by()?,
        },
        ("changed", _) => EventKind::Changed {
            token: token()?,
            owner: owner()?,
            by: by()?,
        },
        ("pruned", _) => EventKind::Pruned {
            tokens: vec![PrunedToken::new(token()?, owner()?)],
        },
        ("notified", Some(kind)) => EventKind::Notified {
            notification: notification()?,
            kind,
            owner: owner()?,
            tokens: row.optional_token_id("token_id")?.into_iter().collect(),
        },
        ("notice-dead", Some(kind)) => EventKind::NotificationDead {
            notification: notification()?,
            kind,
            owner: owner()?,
            error: row.text("reason")?,
        },
        ("owner-changed", _) => EventKind::OwnerChanged { owner: owner()? },
        _ => EventKind::Other {
            kind,
            token: row.optional_token_id("token_id")?,
            owner: row.optional_owner("owner")?,
        },
    })
}

fn notification_kind<DB: Dialect>(row: &Row<DB>) -> Result<Option<NotificationKind>, Error> {
    let name = row.optional_text("notice")?;
    let is_named = |kind: &NotificationKind| name.as_deref() == Some(kind.as_str());
    Ok(NotificationKind::ALL.into_iter().find(is_named))
}
