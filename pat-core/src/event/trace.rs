use super::EventKind;
use crate::scope::Scopes;
use crate::store::{ImportedToken, PrunedToken, RevokedToken};
use crate::token::{Owner, TokenId};

/// How many tokens of a revocation are logged one by one; sinks get all.
const MOST_TRACED: usize = 100;

/// Writes an event to the log.
pub(super) fn trace(kind: &EventKind) {
    match kind {
        EventKind::Created {
            token,
            owner,
            parent,
            scopes,
            ..
        } => tracing::info!(
            token.id = token.get(),
            %owner,
            parent = parent.map(TokenId::get),
            scopes = scopes.as_ref().map(Scopes::as_str),
            "token created"
        ),
        EventKind::Rotated {
            token,
            predecessor,
            owner,
            is_again,
            ..
        } => tracing::info!(
            token.id = token.get(),
            %owner,
            predecessor = predecessor.get(),
            is_again,
            "token rotated"
        ),
        EventKind::FirstUsed { token, owner } => {
            tracing::info!(token.id = token.get(), %owner, "token used for the first time");
        }
        EventKind::Refused {
            reason,
            token,
            unreported,
        } => tracing::debug!(
            %reason,
            token.id = token.map(TokenId::get),
            unreported,
            "token refused"
        ),
        EventKind::Revoked {
            tokens,
            by,
            reason,
            revocation,
        } => trace_revoked(tokens, by.as_ref(), reason.as_deref(), *revocation),
        EventKind::Disabled { tokens, owner, by } => {
            for id in tokens {
                tracing::info!(token.id = id.get(), %owner, %by, "token disabled");
            }
        }
        EventKind::Enabled { tokens, owner, by } => {
            for id in tokens {
                tracing::info!(token.id = id.get(), %owner, %by, "token enabled");
            }
        }
        EventKind::Changed { token, owner, by } => {
            tracing::info!(token.id = token.get(), %owner, %by, "token changed");
        }
        EventKind::Imported { tokens } => {
            for ImportedToken { id, owner, .. } in tokens {
                tracing::debug!(token.id = id.get(), %owner, "token imported");
            }
            tracing::info!(tokens = tokens.len(), "tokens imported");
        }
        EventKind::Pruned { tokens } => {
            for PrunedToken { id, owner } in tokens {
                tracing::debug!(token.id = id.get(), %owner, "token pruned");
            }
        }
        EventKind::Notified {
            notification,
            kind,
            owner,
            tokens,
        } => tracing::info!(
            notification.id = %notification, %kind, %owner, tokens = tokens.len(), "owner notified"
        ),
        EventKind::NotificationDead {
            notification,
            kind,
            owner,
            error,
        } => {
            tracing::error!(notification.id = %notification, %kind, %owner, error, "a notification cannot be sent");
        }
        EventKind::OwnerChanged { owner } => tracing::info!(%owner, "owner changed"),
        EventKind::Other { .. } => {}
    }
}

fn trace_revoked(
    tokens: &[RevokedToken],
    by: Option<&Owner>,
    reason: Option<&str>,
    revocation: Option<i64>,
) {
    let by = by.map(Owner::as_str);
    for RevokedToken { id, owner } in tokens.iter().take(MOST_TRACED) {
        tracing::info!(
            token.id = id.get(),
            %owner,
            by,
            reason,
            revocation.id = revocation,
            "token revoked"
        );
    }
    if tokens.len() > MOST_TRACED {
        tracing::info!(
            tokens = tokens.len(),
            logged = MOST_TRACED,
            by,
            reason,
            revocation.id = revocation,
            "more tokens were revoked than are logged one by one; the audit events with this revocation ID have all"
        );
    }
}
