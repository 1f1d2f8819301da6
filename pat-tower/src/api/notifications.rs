//! The notifications that could not be sent, for administrators.

use axum::Json;
use axum::extract::{Extension, RawQuery, State as AxumState};
use http::StatusCode;
use pat_core::notification::NotificationId;
use pat_core::store::DeadNotification;
use pat_core::{Caller, Unavailable};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::admin::administration;
use super::openapi::ADMINISTRATION;
use super::problems::{INVALID_SEARCH, NOT_FOUND};
use super::routes::ApiResult;
use super::search::MAX_LIMIT;
use super::state::State;
use crate::http::date::wire_date;
use crate::http::path_id::PathId;
use crate::http::problem::Problem;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct DeadQuery {
    /// The maximum number of notifications.
    #[serde(default = "hundred")]
    #[param(default = 100, minimum = 1, maximum = 1_000)]
    limit: u32,
}

fn hundred() -> u32 {
    100
}

/// Notifications that could not be sent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeadNotifications)]
pub(super) struct DeadListJson {
    /// The number of all of them.
    count: u64,
    /// The latest first.
    values: Vec<DeadJson>,
}

/// A notification that could not be sent.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DeadNotification)]
struct DeadJson {
    id: i64,
    /// What the owner was to be notified of, such as `expires-soon`.
    kind: &'static str,
    /// The key of the owner.
    user_key: String,
    /// When it was queued.
    queued_at: String,
    /// How often it was tried.
    attempts: u32,
    /// Why the last attempt failed.
    error: String,
}

impl From<DeadNotification> for DeadJson {
    fn from(dead: DeadNotification) -> Self {
        Self {
            id: dead.id.get(),
            kind: dead.kind.as_str(),
            user_key: dead.owner.to_string(),
            queued_at: wire_date(dead.queued_at),
            attempts: dead.attempts,
            error: dead.error,
        }
    }
}

/// Lists the notifications that could not be sent
///
/// They are not tried again by themselves. The latest comes first.
#[utoipa::path(
    get,
    path = "/admin/notifications",
    operation_id = "listDeadNotifications",
    tag = ADMINISTRATION,
    params(DeadQuery),
    responses(
        (status = 200, description = "The notifications, and their number", body = DeadListJson),
        (status = 400, description = "Invalid limit"),
    ),
)]
pub(super) async fn dead(
    AxumState(state): AxumState<State>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> ApiResult<Json<DeadListJson>> {
    administration(&state, &caller).await?;
    let query = serde_urlencoded::from_str(query.as_deref().unwrap_or_default()).ok();
    let query = query.filter(|query: &DeadQuery| (1..=MAX_LIMIT).contains(&query.limit));
    let DeadQuery { limit } = query.ok_or_else(|| {
        let detail = format!("limit must be a whole number from 1 to {MAX_LIMIT}.");
        Problem::new(INVALID_SEARCH, detail)
    })?;
    let dead = state.pats.dead_notifications(limit).await;
    let dead = dead.map_err(Unavailable::from)?;
    let outbox = state.pats.outbox().await;
    let outbox = outbox.map_err(Unavailable::from)?;
    Ok(Json(DeadListJson {
        count: outbox.dead.max(dead.len() as u64),
        values: dead.into_iter().map(DeadJson::from).collect(),
    }))
}

/// How many notifications.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NotificationCount)]
pub(super) struct NotificationCountJson {
    count: u64,
}

/// Sends all notifications again that could not be sent
///
/// At once, as if they were queued anew. What cannot be sent again is listed again.
#[utoipa::path(
    post,
    path = "/admin/notifications/send",
    operation_id = "resendNotifications",
    tag = ADMINISTRATION,
    responses(
        (status = 200, description = "How many notifications are queued again", body = NotificationCountJson),
    ),
)]
pub(super) async fn send_all(
    AxumState(state): AxumState<State>,
    Extension(caller): Extension<Caller>,
) -> ApiResult<Json<NotificationCountJson>> {
    administration(&state, &caller).await?;
    let queued = state.pats.requeue_all_notifications().await;
    let count = queued.map_err(Unavailable::from)?;
    Ok(Json(NotificationCountJson { count }))
}

/// Sends a notification again that could not be sent
///
/// At once, as if it were queued anew. If it cannot be sent again, it is listed again.
#[utoipa::path(
    post,
    path = "/admin/notifications/{id}/send",
    operation_id = "resendNotification",
    tag = ADMINISTRATION,
    params(("id" = i64, Path, description = "Its id")),
    responses(
        (status = 204, description = "The notification is queued again"),
        (status = 404, description = "No notification with this id waits to be sent again"),
    ),
)]
pub(super) async fn send(
    AxumState(state): AxumState<State>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId,
) -> ApiResult<StatusCode> {
    administration(&state, &caller).await?;
    let id = id.and_then(|id| NotificationId::new(id.get()));
    let is_queued = match id {
        Some(id) => state.pats.requeue_notification(id).await,
        None => Ok(false),
    };
    let is_queued = is_queued.map_err(Unavailable::from)?;
    if is_queued {
        Ok(StatusCode::NO_CONTENT)
    } else {
        let detail = "No notification with this id waits to be sent again.";
        Err(Problem::new(NOT_FOUND, detail))
    }
}
