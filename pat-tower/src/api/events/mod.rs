//! What administrators read of the audit.

mod format;
mod parse;

use std::net::IpAddr;

use axum::extract::{Extension, RawQuery, State as AxumState};
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use pat_core::Caller;
use pat_core::scope::Scopes;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

pub use self::parse::{InvalidEvent, parse_event};
use super::admin::administration;
use super::openapi::ADMINISTRATION;
use super::problems::INVALID_SEARCH;
use super::routes::ApiResult;
use super::state::State;
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
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Event)]
pub(super) struct EventJson {
    /// Its place: the next request goes on after it.
    seq: u64,
    /// A random number of the event's own.
    id: i64,
    #[schema(format = DateTime)]
    at: String,
    /// `created`, `imported`, `rotated`, `first-used`, `refused`, `revoked`, `disabled`, `enabled`, `changed`, `pruned`,
    /// `notified`, `notice-dead`, `owner-changed`, or one that is newer.
    event: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    token_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    user_key: Option<String>,
    /// When a new or imported token expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    expiring_at: Option<String>,
    /// The token that a new token was created with.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    parent_id: Option<i64>,
    /// The token that a new token replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    rotated_from: Option<i64>,
    /// The tokens whose end a rotation made earlier.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    ends: Option<Vec<i64>>,
    /// When the token that a new token replaced ends, and the tokens of `ends` at the latest.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    ends_at: Option<String>,
    /// Whether the token that a new token replaced had been replaced before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    again: Option<bool>,
    /// The key of the user that revoked the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    revoked_by: Option<String>,
    /// A random number that all events of one revocation have in common.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    revocation_id: Option<i64>,
    /// The key of the user that disabled, enabled or changed the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    changed_by: Option<String>,
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
    notification: Option<String>,
    /// The scopes of a new or imported token, in alphabetical order; absent if it is unrestricted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<String>, required = false)]
    scopes: Option<Scopes>,
    /// The name that the token has now; absent if it is deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    token_name: Option<String>,
    /// The network address of the client whose request caused the event, unless the host leaves it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false, nullable = false)]
    client_address: Option<IpAddr>,
    /// The user agent of that client, as the client names itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    user_agent: Option<String>,
    /// The ID of that request.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    request_id: Option<String>,
}

/// Reads audit events
///
/// One JSON object a line, in the order of `seq`. To follow the audit, pass the last `seq` that came
/// as `after`: no event is missed, whichever node wrote it. A response with fewer events than `limit`
/// has all there are now. Events are kept for 396 days. A number that no event has yet is refused: the
/// database was restored from a backup, and new events would be missed.
#[utoipa::path(
    get,
    path = "/admin/events",
    operation_id = "readEvents",
    tag = ADMINISTRATION,
    params(EventsQuery),
    responses(
        (status = 200, description = "The events", body = EventJson, content_type = "application/x-ndjson"),
        (status = 400, description = "Invalid number or limit, or a number that no event has"),
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
