use std::net::IpAddr;

use tracing::field::{DisplayValue, display};

use super::{Event, EventKind};
use crate::scope::Scopes;
use crate::store::{ImportedToken, PrunedToken, RevokedToken};
use crate::token::TokenId;

/// How many tokens of a revocation are logged one by one; sinks get all.
const MOST_TRACED: usize = 100;

/// Logs a line about an event, with what is known of its client and the name of its token.
macro_rules! line {
    ($level:ident, $event:expr, $name:expr, { $($fields:tt)* }, $message:literal) => {
        tracing::$level!(
            $($fields)*
            token.name = $name,
            request.id = $event.client.request_id(),
            client.address = address($event),
            client.user_agent = $event.client.user_agent(),
            $message
        )
    };
}

/// Writes an event to the log: one line, or one for each token of an event about several.
pub(super) fn trace(event: &Event) {
    let name = event.token_name.as_deref();
    match &event.kind {
        EventKind::Created {
            token,
            owner,
            parent,
            scopes,
            ..
        } => line!(info, event, name, {
            token.id = token.get(),
            %owner,
            parent = parent.map(TokenId::get),
            scopes = scopes.as_ref().map(Scopes::as_str),
        }, "token created"),
        EventKind::Rotated {
            token,
            predecessor,
            owner,
            is_again,
            ..
        } => line!(info, event, name, {
            token.id = token.get(),
            %owner,
            predecessor = predecessor.get(),
            is_again,
        }, "token rotated"),
        EventKind::FirstUsed { token, owner } => {
            line!(info, event, name, { token.id = token.get(), %owner, }, "token used for the first time");
        }
        EventKind::Refused {
            reason,
            token,
            unreported,
        } => line!(debug, event, name, {
            %reason,
            token.id = token.map(TokenId::get),
            unreported,
        }, "token refused"),
        EventKind::Revoked { tokens, .. } => trace_revoked(event, tokens),
        EventKind::Disabled { tokens, owner, by } => {
            for id in tokens {
                line!(info, event, name, { token.id = id.get(), %owner, %by, }, "token disabled");
            }
        }
        EventKind::Enabled { tokens, owner, by } => {
            for id in tokens {
                line!(info, event, name, { token.id = id.get(), %owner, %by, }, "token enabled");
            }
        }
        EventKind::Changed { token, owner, by } => {
            line!(info, event, name, { token.id = token.get(), %owner, %by, }, "token changed");
        }
        EventKind::Imported { tokens } => {
            for ImportedToken { id, owner, .. } in tokens {
                line!(debug, event, name, { token.id = id.get(), %owner, }, "token imported");
            }
            line!(info, event, name, { tokens = tokens.len(), }, "tokens imported");
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
        EventKind::OwnerChanged { owner } => {
            line!(info, event, name, { %owner, }, "owner changed");
        }
        EventKind::Other { .. } => {}
    }
}

fn address(event: &Event) -> Option<DisplayValue<IpAddr>> {
    event.client.address().map(display)
}

fn trace_revoked(event: &Event, tokens: &[RevokedToken]) {
    let EventKind::Revoked {
        by,
        reason,
        revocation,
        ..
    } = &event.kind
    else {
        return;
    };
    let (by, reason) = (by.as_ref().map(display), reason.as_deref());
    for RevokedToken { id, owner, name } in tokens.iter().take(MOST_TRACED) {
        line!(info, event, name.as_deref(), {
            token.id = id.get(),
            %owner,
            by = by.clone(),
            reason,
            revocation.id = *revocation,
        }, "token revoked");
    }
    if tokens.len() > MOST_TRACED {
        line!(info, event, None::<&str>, {
            tokens = tokens.len(),
            logged = MOST_TRACED,
            by,
            reason,
            revocation.id = *revocation,
        }, "more tokens were revoked than are logged one by one; the audit events with this revocation ID have all");
    }
}
