//! The page about a token of any user, and the questions whether to disable it and to enable it again.

use askama::Template;
use axum::Extension;
use axum::extract::RawQuery;
use axum::response::Response;
use http::StatusCode;
use pat_core::{Administration, Token, UpdateError};

use super::administration;
use crate::http::path_id::PathId;
use crate::pages::fields::Fields;
use crate::pages::page::{FORM_TOKEN, Page, show};
use crate::pages::text::Text;
use crate::pages::token::{Reader, show_token};

/// Asks whether to disable a token, or to enable it.
#[derive(Template)]
#[template(path = "admin_pause.html")]
struct PausePage<'a> {
    page: &'a Page,
    id: i64,
    question: String,
    consequence: String,
    owner: String,
    /// Why it cannot be done.
    obstacle: Option<String>,
    confirm: String,
}

pub(in crate::pages) async fn token(
    Extension(page): Extension<Page>,
    id: PathId,
    RawQuery(query): RawQuery,
) -> Result<Response, Response> {
    let admin = administration(&page)?;
    let token = find(&page, admin, id).await?;
    let fields = Fields::of_query(query.as_deref());
    show_token(&page, Reader::Administrator(admin), &token, &fields).await
}

/// Revoked or not.
async fn find(
    page: &Page,
    admin: &Administration<'_>,
    PathId(id): PathId,
) -> Result<Token, Response> {
    let id = id.ok_or_else(|| page.not_found())?;
    let found = admin.find(&[id]).await;
    let mut found = found.map_err(|error| page.not_administered(&error))?;
    found.pop().ok_or_else(|| page.not_found())
}

async fn unrevoked(page: &Page, admin: &Administration<'_>, id: PathId) -> Result<Token, Response> {
    let token = find(page, admin, id).await?;
    match token.revoked_at {
        None => Ok(token),
        Some(_) => Err(page.go_to(&format!("admin/tokens/{}", token.id))),
    }
}

pub(in crate::pages) async fn ask_to_pause(
    Extension(page): Extension<Page>,
    id: PathId,
) -> Result<Response, Response> {
    let admin = administration(&page)?;
    let token = unrevoked(&page, admin, id).await?;
    ask(&page, admin, &token, Action::Pause, None).await
}

pub(in crate::pages) async fn ask_to_resume(
    Extension(page): Extension<Page>,
    id: PathId,
) -> Result<Response, Response> {
    let admin = administration(&page)?;
    let token = unrevoked(&page, admin, id).await?;
    ask(&page, admin, &token, Action::Resume, None).await
}

pub(in crate::pages) async fn pause(
    Extension(page): Extension<Page>,
    id: PathId,
) -> Result<Response, Response> {
    let admin = administration(&page)?;
    let token = unrevoked(&page, admin, id).await?;
    match page.pats().disable(page.caller(), token.id).await {
        Ok(updated) => {
            let path = format!("admin/tokens/{}?paused", token.id);
            Ok(match updated.live_children {
                0 => page.go_to(&path),
                count => page.go_to(&format!("{path}&children={count}")),
            })
        }
        Err(error) => refuse(&page, admin, &token, Action::Pause, &error).await,
    }
}

pub(in crate::pages) async fn resume(
    Extension(page): Extension<Page>,
    id: PathId,
) -> Result<Response, Response> {
    let admin = administration(&page)?;
    let token = unrevoked(&page, admin, id).await?;
    match page.pats().enable(page.caller(), token.id).await {
        Ok(_) => Ok(page.go_to(&format!("admin/tokens/{}?resumed", token.id))),
        Err(error) => refuse(&page, admin, &token, Action::Resume, &error).await,
    }
}

#[derive(Clone, Copy)]
enum Action {
    Pause,
    Resume,
}

async fn refuse(
    page: &Page,
    admin: &Administration<'_>,
    token: &Token,
    action: Action,
    error: &UpdateError,
) -> Result<Response, Response> {
    let UpdateError::Refused(error) = error else {
        return Err(page.not_updated(error));
    };
    let obstacle = page.t(Text::Refused(error)).into_owned();
    ask(page, admin, token, action, Some(obstacle)).await
}

async fn ask(
    page: &Page,
    admin: &Administration<'_>,
    token: &Token,
    action: Action,
    obstacle: Option<String>,
) -> Result<Response, Response> {
    let owners = admin.owners_of(std::slice::from_ref(token)).await;
    let owners = owners.map_err(|error| page.not_administered(&error))?;
    let (question, consequence, confirm) = match action {
        Action::Pause => (
            Text::PauseQuestion(&token.name),
            Text::AdminPauseConsequence,
            Text::PauseToken,
        ),
        Action::Resume => (
            Text::ResumeQuestion(&token.name),
            Text::ResumeConsequence,
            Text::ResumeToken,
        ),
    };
    let status = match obstacle {
        None => StatusCode::OK,
        Some(_) => StatusCode::CONFLICT,
    };
    let template = PausePage {
        page,
        id: token.id.get(),
        question: page.t(question).into_owned(),
        consequence: page.t(consequence).into_owned(),
        owner: owners.into_iter().map(|user| user.full_name).collect(),
        obstacle,
        confirm: page.t(confirm).into_owned(),
    };
    Ok(show(status, &template))
}
