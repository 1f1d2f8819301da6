//! Disabling a token of one's own for a while, and enabling it again.

use axum::Extension;
use axum::response::Response;
use http::StatusCode;
use pat_core::UpdateError;

use super::done::Change;
use super::facts::own_token;
use crate::http::path_id::PathId;
use crate::pages::page::Page;
use crate::pages::pause::{Action, Obstacle, show_question};
use crate::pages::text::Text;

pub(in crate::pages) async fn ask_to_pause(
    Extension(page): Extension<Page>,
    id: PathId,
) -> Result<Response, Response> {
    let token = own_token(&page, id).await?;
    show_question(&page, &token, Action::Pause, None, None).await
}

pub(in crate::pages) async fn pause(
    Extension(page): Extension<Page>,
    id: PathId,
) -> Result<Response, Response> {
    let token = own_token(&page, id).await?;
    match page.pats().disable(page.caller(), token.id).await {
        Ok(updated) => {
            let list = Change::Paused.list(token.id);
            Ok(match updated.live_children {
                0 => page.go_to(&list),
                count => page.go_to(&format!("{list}&children={count}")),
            })
        }
        Err(UpdateError::Refused(error)) => {
            let obstacle = Some(Obstacle::refused(&error));
            show_question(&page, &token, Action::Pause, None, obstacle).await
        }
        Err(error) => Err(page.not_updated(&error)),
    }
}

pub(in crate::pages) async fn ask_to_resume(
    Extension(page): Extension<Page>,
    id: PathId,
) -> Result<Response, Response> {
    let token = own_token(&page, id).await?;
    let by_administrator = token
        .disabled
        .as_ref()
        .is_some_and(|it| it.by_administrator);
    // Who is an administrator may have disabled a token of one's own, and so may enable it.
    let is_refused = by_administrator && !page.may_administer();
    let obstacle = is_refused.then_some(Obstacle {
        status: StatusCode::OK,
        text: Text::ResumeRefused,
    });
    show_question(&page, &token, Action::Resume, None, obstacle).await
}

pub(in crate::pages) async fn resume(
    Extension(page): Extension<Page>,
    id: PathId,
) -> Result<Response, Response> {
    let token = own_token(&page, id).await?;
    let Err(error) = page.pats().enable(page.caller(), token.id).await else {
        return Ok(page.go_to(&Change::Resumed.list(token.id)));
    };
    let obstacle = match &error {
        UpdateError::DisabledByAdministrator => Obstacle {
            status: StatusCode::FORBIDDEN,
            text: Text::ResumeRefused,
        },
        UpdateError::Refused(error) => Obstacle::refused(error),
        UpdateError::NotFound | UpdateError::Unavailable(_) | _ => {
            return Err(page.not_updated(&error));
        }
    };
    show_question(&page, &token, Action::Resume, None, Some(obstacle)).await
}
