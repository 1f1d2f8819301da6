//! Jira's way to sign in: a session for a name and a password.

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::Response;
use pat_tower::Pat;
use serde_json::{Value, json};
use tower_sessions::Session;

use super::{BaseUrl, user_url};
use crate::failures::failure;
use crate::sign_in::{ActiveUser, Credentials, SESSION_COOKIE, internal_error, start_session};
use crate::users::DemoUsers;

pub(super) async fn show(
    Extension(base_url): Extension<BaseUrl>,
    ActiveUser(user): ActiveUser,
) -> Json<Value> {
    Json(json!({"self": user_url(&user, &base_url), "name": user.username, "loginInfo": {}}))
}

pub(super) async fn open(
    State(users): State<DemoUsers>,
    pat: Option<Pat>,
    session: Session,
    Json(credentials): Json<Credentials>,
) -> Result<Json<Value>, Response> {
    if pat.is_some() {
        // Its session would be thrown away.
        let message = "A request with a personal access token has no session.";
        return Err(failure(StatusCode::BAD_REQUEST, message));
    }
    start_session(&users, &session, &credentials).await?;
    let id = session.id().map(|id| id.to_string());
    Ok(Json(
        json!({"session": {"name": SESSION_COOKIE, "value": id}, "loginInfo": {}}),
    ))
}

pub(super) async fn close(session: Session) -> Result<StatusCode, Response> {
    session.flush().await.map_err(internal_error)?;
    Ok(StatusCode::NO_CONTENT)
}
