//! A small API in the shape that clients of Atlassian's products expect, to try tokens on.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, delete, get, post};
use axum::{Json, Router};
use futures_util::{StreamExt as _, stream};
use pat_core::notice::NoticeId;
use pat_core::{Caller, Owner, Pats, User};
use pat_tower::Pat;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower_sessions::Session;

use crate::sign_in::{
    Credentials, SESSION_COOKIE, SignedIn, internal_error, start_session, unauthorized,
};
use crate::users::DemoUsers;

pub(crate) fn router() -> Router<DemoUsers> {
    let mut router = Router::new()
        .route("/rest/api/2/project", get(projects))
        .route("/rest/api/content", get(contents))
        .route("/rest/api/content/search", get(contents))
        .route("/rest/api/search", get(contents))
        .route(
            "/rest/auth/1/session",
            get(session).post(open_session).delete(close_session),
        )
        .route("/demo/events", get(events))
        .route("/demo/users/{name}", delete(delete_user))
        .route("/demo/users/{name}/{action}", post(set_active))
        .route("/demo/notices/dead", get(dead_notices))
        .route("/demo/notices/{id}/retry", post(retry_notice));
    for version in ["2", "latest"] {
        router = router
            .route(&format!("/rest/api/{version}/serverInfo"), get(server_info))
            .route(&format!("/rest/api/{version}/myself"), get(myself))
            .route(&format!("/rest/api/{version}/field"), get(fields))
            .route(&format!("/rest/api/{version}/search"), any(search));
    }
    router
}

async fn server_info(Extension(base_url): Extension<BaseUrl>) -> Json<Value> {
    Json(json!({
        "baseUrl": base_url.0,
        "version": "9.12.0",
        "versionNumbers": [9, 12, 0],
        "deploymentType": "Server",
        "serverTitle": "PAT example",
    }))
}

/// Where this server is reached.
#[derive(Debug, Clone)]
pub(crate) struct BaseUrl(pub(crate) String);

fn user_json(user: &User, base_url: &BaseUrl) -> Value {
    json!({
        "self": format!("{}/rest/api/2/user?username={}", base_url.0, user.username),
        "key": user.owner.as_str(),
        "name": user.username,
        "emailAddress": user.email,
        "displayName": user.full_name,
        "active": user.is_active,
    })
}

async fn myself(Extension(base_url): Extension<BaseUrl>, SignedIn(user): SignedIn) -> Json<Value> {
    Json(user_json(&user, &base_url))
}

async fn projects(_: SignedIn) -> Json<Value> {
    Json(json!([]))
}

/// The Python client `jira` reads the fields before it searches.
async fn fields(_: SignedIn) -> Json<Value> {
    Json(json!([]))
}

async fn search(_: SignedIn) -> Json<Value> {
    Json(json!({"startAt": 0, "maxResults": 50, "total": 0, "issues": []}))
}

async fn contents(_: SignedIn) -> Json<Value> {
    Json(json!({"results": [], "start": 0, "limit": 25, "size": 0, "_links": {}}))
}

async fn session(Extension(base_url): Extension<BaseUrl>, SignedIn(user): SignedIn) -> Json<Value> {
    let url = format!("{}/rest/api/2/user?username={}", base_url.0, user.username);
    Json(json!({"self": url, "name": user.username, "loginInfo": {}}))
}

async fn open_session(
    State(users): State<DemoUsers>,
    pat: Option<Pat>,
    session: Session,
    Json(credentials): Json<Credentials>,
) -> Result<Json<Value>, Response> {
    if pat.is_some() {
        // Its session would be thrown away.
        let message = "A request with a personal access token has no session.";
        return Err((StatusCode::BAD_REQUEST, Json(json!({"message": message}))).into_response());
    }
    start_session(&users, &session, &credentials).await?;
    let id = session.id().map(|id| id.to_string());
    Ok(Json(
        json!({"session": {"name": SESSION_COOKIE, "value": id}, "loginInfo": {}}),
    ))
}

async fn close_session(session: Session) -> Result<StatusCode, Response> {
    session.flush().await.map_err(internal_error)?;
    Ok(StatusCode::NO_CONTENT)
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
        let _reason = stopping.run_until_cancelled(pats.until_invalid(&pat)).await;
    };
    Sse::new(ticks.take_until(Box::pin(end)))
}

/// `disable` or `enable` a user, as a host's own user administration does: it tells the tokens.
async fn set_active(
    State(users): State<DemoUsers>,
    Extension(pats): Extension<Pats>,
    caller: Option<Extension<Caller>>,
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
    if !users.set_active(&owner, is_active) {
        return Err(not_found());
    }
    pats.user_changed(&owner).await.map_err(unavailable)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Deletes a user, and with him all his tokens.
async fn delete_user(
    State(users): State<DemoUsers>,
    Extension(pats): Extension<Pats>,
    caller: Option<Extension<Caller>>,
    Path(name): Path<String>,
) -> Result<StatusCode, Response> {
    check_administrator(&pats, caller).await?;
    let not_found = || StatusCode::NOT_FOUND.into_response();
    let owner = Owner::new(name).map_err(|_| not_found())?;
    // First, so that he creates no more tokens meanwhile.
    let was_there = users.remove(&owner);
    let revoked = pats.user_deleted(&owner).await.map_err(unavailable)?;
    if was_there || revoked > 0 {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(not_found())
    }
}

/// The notices that could not be sent.
async fn dead_notices(
    Extension(pats): Extension<Pats>,
    caller: Option<Extension<Caller>>,
) -> Result<Json<Value>, Response> {
    check_administrator(&pats, caller).await?;
    let dead = pats.dead_notices(100).await.map_err(unavailable)?;
    let json = dead.iter().map(|notice| {
        json!({
            "id": notice.id.get(),
            "kind": notice.kind.as_str(),
            "owner": notice.owner.as_str(),
            "queuedAt": notice.queued_at.to_string(),
            "attempts": notice.attempts,
            "error": notice.error,
        })
    });
    Ok(Json(json.collect()))
}

/// Has one of them tried again.
async fn retry_notice(
    Extension(pats): Extension<Pats>,
    caller: Option<Extension<Caller>>,
    Path(id): Path<i64>,
) -> Result<StatusCode, Response> {
    check_administrator(&pats, caller).await?;
    let requeued = pats.requeue_notice(NoticeId::new(id)).await;
    if requeued.map_err(unavailable)? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(StatusCode::NOT_FOUND.into_response())
    }
}

async fn check_administrator(
    pats: &Pats,
    caller: Option<Extension<Caller>>,
) -> Result<(), Response> {
    let Extension(caller) = caller.ok_or_else(unauthorized)?;
    if pats.is_administrator(&caller).await.map_err(unavailable)? {
        Ok(())
    } else {
        Err(StatusCode::FORBIDDEN.into_response())
    }
}

fn unavailable<E>(_: E) -> Response {
    StatusCode::SERVICE_UNAVAILABLE.into_response()
}
