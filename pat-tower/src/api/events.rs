//! What administrators read of the audit.

use axum::extract::{Extension, RawQuery, State as AxumState};
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use pat_core::event::{Event, EventKind};
use pat_core::{Caller, Owner, TokenId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::admin::administration;
use super::openapi::ADMINISTRATION;
use super::problems::INVALID_SEARCH;
use super::routes::ApiResult;
use super::state::State;
use crate::http::date::wire_date;
use crate::http::problem::Problem;

/// The most events that one answer has.
const MAX_EVENTS: u32 = 1_000;
/// The largest number that every JSON parser reads exactly.
const MAX_SEQ: u64 = (1 << 53) - 1;
/// One JSON object a line.
const NDJSON: &str = "application/x-ndjson";

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct EventsQuery {
    /// The `seq` of the last event that is known already.
    #[serde(default)]
    #[param(default = 0, minimum = 0, maximum = 9_007_199_254_740_991_u64)]
    after: u64,
    /// The maximum number of events.
    #[serde(default = "thousand")]
    #[param(default = 1000, minimum = 1, maximum = 1000)]
    limit: u32,
}

fn thousand() -> u32 {
    MAX_EVENTS
}

/// An audit event. What does not apply to its kind is left out.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Event)]
pub(super) struct EventJson {
    /// Its place: the next request goes on after it.
    seq: u64,
    /// A random number of the event's own.
    id: i64,
    #[schema(format = DateTime)]
    at: String,
    /// `created`, `first-used`, `refused`, `revoked`, `pruned`, `notified`, `notice-dead`,
    /// `owner-changed`, or one that is newer.
    event: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    token_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    user_key: Option<String>,
    /// When a new token expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    expiring_at: Option<String>,
    /// The token that a new token was created with.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    parent_id: Option<i64>,
    /// The key of the user that revoked the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    revoked_by: Option<String>,
    /// Why a token was revoked or refused, or an owner could not be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reason: Option<String>,
    /// How many refusals went before without an event.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    unreported: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    notice_id: Option<i64>,
    /// The kind of the notification.
    #[serde(rename = "notice", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    notification: Option<&'static str>,
}

impl EventJson {
    /// Of a stored event, which names one token at most.
    fn new(event: Event) -> Self {
        let row = event.row;
        let json = Self {
            seq: row.map_or(0, |row| row.seq),
            id: row.map_or(0, |row| row.id),
            at: wire_date(event.at),
            event: event.kind.as_str().to_owned(),
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

    fn with(self, kind: EventKind) -> Self {
        match kind {
            EventKind::Created {
                token,
                owner,
                expires_at,
                parent,
            } => Self {
                expiring_at: expires_at.map(wire_date),
                parent_id: parent.map(TokenId::get),
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
            EventKind::Revoked { tokens, by, reason } => {
                let token = tokens.into_iter().next();
                let (token, owner) = token.map(|token| (token.id, token.owner)).unzip();
                Self {
                    revoked_by: by.map(|by| by.to_string()),
                    reason,
                    ..self.about(token, owner)
                }
            }
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
                notification: Some(kind.as_str()),
                ..self.about(tokens.first().copied(), Some(owner))
            },
            EventKind::NotificationDead {
                notification,
                kind,
                owner,
                error,
            } => Self {
                notice_id: Some(notification.get()),
                notification: Some(kind.as_str()),
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

/// Reads audit events
///
/// One JSON object a line, in the order of `seq`. To follow the audit, pass the last `seq` that came
/// as `after`: no event is missed, whichever node wrote it. A response with fewer events than `limit`
/// has all there are now. Events are kept for 396 days.
#[utoipa::path(
    get,
    path = "/admin/events",
    operation_id = "readEvents",
    tag = ADMINISTRATION,
    params(EventsQuery),
    responses(
        (status = 200, description = "The events", body = EventJson, content_type = "application/x-ndjson"),
        (status = 400, description = "Invalid number or limit"),
        (status = 501, description = "The host's store keeps no audit events"),
    ),
)]
pub(super) async fn events(
    AxumState(state): AxumState<State>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> ApiResult<Response> {
    let admin = administration(&state, &caller).await?;
    let query = serde_urlencoded::from_str(query.as_deref().unwrap_or_default());
    let EventsQuery { after, limit } = query
        .ok()
        .filter(|query: &EventsQuery| {
            query.after <= MAX_SEQ && (1..=MAX_EVENTS).contains(&query.limit)
        })
        .ok_or_else(|| {
            let detail = format!(
                "after must be a whole number from 0 to {MAX_SEQ}, and limit one from 1 to \
                 {MAX_EVENTS}."
            );
            Problem::new(INVALID_SEARCH, detail)
        })?;
    let events = admin.events(after, limit).await?;
    let mut lines = String::new();
    for event in events {
        let json = serde_json::to_string(&EventJson::new(event));
        lines.push_str(&json.map_err(|_unserializable| Problem::unavailable())?);
        lines.push('\n');
    }
    Ok(([(CONTENT_TYPE, NDJSON)], lines).into_response())
}
