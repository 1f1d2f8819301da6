//! What a host has beside tokens: a stream of events, a git repository, and an administration of users and notifications.

use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt as _, stream};
use pat_core::notification::NotificationId;
use pat_core::{Owner, Pats};
use pat_tower::scope::ScopedRouter;
use pat_tower::{Pat, SignedIn};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::app::{READ, WRITE};
use crate::failures::unavailable;
use crate::sign_in::{Authenticated, unauthorized};
use crate::users::DemoUsers;

pub(crate) fn router() -> ScopedRouter<DemoUsers> {
    ScopedRouter::new()
        .get("/demo/events", READ, events)
        .get("/demo/repository.git/info/refs", READ, branches)
        .delete("/demo/users/{name}", WRITE, delete_user)
        .post("/demo/users/{name}/{action}", WRITE, set_active)
        .get("/demo/notifications/dead", READ, dead_notifications)
        .post("/demo/notifications/{id}/retry", WRITE, retry_notification)
}

/// A stream of events, one a second, that lasts as long as its token does and the server runs.
async fn events(
    Extension(pats): Extension<Pats>,
    Extension(stopping): Extension<CancellationToken>,
    pat: Pat,
) -> impl IntoResponse {
    let ticks = stream::unfold(0_u64, async |tick| {
        tokio::time::sleep(Duration::from_secs(u64::from(tick > 0))).await;
        Some((
            Ok::<_, Infallible>(Event::default().data(tick.to_string())),
            tick + 1,
        ))
    });
    let end = async move {
        let _reason = stopping
            .run_until_cancelled(pats.until_invalid(pat.principal()))
            .await;
    };
    // A proxy that gathers answers before it passes them on would show nothing of this one.
    let unbuffered = [("x-accel-buffering", "no")];
    (unbuffered, Sse::new(ticks.take_until(Box::pin(end))))
}

/// The branches of a git repository, as `git ls-remote` reads them (the "dumb" protocol of git). There is no more of it.
async fn branches(_: Authenticated) -> &'static str {
    "8f14e45fceea167a5a36dedd4bea2543c9d5a1f0\trefs/heads/main\n"
}

/// `disable` or `enable` a user, as a host's own user administration does: it tells the tokens.
async fn set_active(
    State(users): State<DemoUsers>,
    Extension(pats): Extension<Pats>,
    caller: Option<SignedIn>,
    Path((name, action)): Path<(String, String)>,
) -> Result<StatusCode, Response> {
    check_administrator(&pats, caller).await?;
    let not_found = || StatusCode::NOT_FOUND.into_response();
    let owner = Owner::new(name).map_err(|_| not_found())?;
    let is_active = match action.as_str() {
        "enable" => true,
        "disable" => false,
        _ => return Err(not_found()),
    };
    let changed = users.set_active(&owner, is_active).await;
    if !changed.map_err(unavailable)? {
        return Err(not_found());
    }
    pats.user_changed(&owner).await.map_err(unavailable)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Deletes a user, and with him all his tokens.
async fn delete_user(
    State(users): State<DemoUsers>,
    Extension(pats): Extension<Pats>,
    caller: Option<SignedIn>,
    Path(name): Path<String>,
) -> Result<StatusCode, Response> {
    check_administrator(&pats, caller).await?;
    let not_found = || StatusCode::NOT_FOUND.into_response();
    let owner = Owner::new(name).map_err(|_| not_found())?;
    // First, so that he creates no more tokens meanwhile.
    let was_there = users.remove(&owner).await.map_err(unavailable)?;
    let revoked = pats.user_deleted(&owner).await.map_err(unavailable)?;
    if was_there || revoked > 0 {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(not_found())
    }
}

/// The notifications that could not be sent.
async fn dead_notifications(
    Extension(pats): Extension<Pats>,
    caller: Option<SignedIn>,
) -> Result<Json<Value>, Response> {
    check_administrator(&pats, caller).await?;
    let dead = pats.dead_notifications(100).await.map_err(unavailable)?;
    let json = dead.iter().map(|notification| {
        json!({
            "id": notification.id.get(),
            "kind": notification.kind.as_str(),
            "owner": notification.owner.as_str(),
            "queuedAt": notification.queued_at.to_string(),
            "attempts": notification.attempts,
            "error": notification.error,
        })
    });
    Ok(Json(json.collect()))
}

/// Has one of them tried again.
async fn retry_notification(
    Extension(pats): Extension<Pats>,
    caller: Option<SignedIn>,
    Path(id): Path<i64>,
) -> Result<StatusCode, Response> {
    check_administrator(&pats, caller).await?;
    let not_found = || StatusCode::NOT_FOUND.into_response();
    let id = NotificationId::new(id).ok_or_else(not_found)?;
    let requeued = pats.requeue_notification(id).await;
    if requeued.map_err(unavailable)? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(StatusCode::NOT_FOUND.into_response())
    }
}

async fn check_administrator(pats: &Pats, caller: Option<SignedIn>) -> Result<(), Response> {
    let SignedIn(caller) = caller.ok_or_else(unauthorized)?;
    if pats.is_administrator(&caller).await.map_err(unavailable)? {
        Ok(())
    } else {
        Err(StatusCode::FORBIDDEN.into_response())
    }
}
