//! Disabling a token for a while, and enabling it again.

use askama::Template;
use axum::Extension;
use axum::response::Response;
use http::StatusCode;
use pat_core::{PolicyError, Token, UpdateError};

use super::create::status;
use super::done::Change;
use super::facts::{Facts, own_token, own_tokens};
use super::line::{live_descendants, predecessors};
use crate::http::path_id::PathId;
use crate::pages::csrf_token::FORM_TOKEN;
use crate::pages::page::{Page, show};
use crate::pages::text::Text;

/// Asks whether to disable a token, or to enable it.
#[derive(Template)]
#[template(path = "pause.html")]
struct PausePage<'a> {
    page: &'a Page,
    question: String,
    consequence: String,
    /// What else there is to know.
    notes: Vec<String>,
    /// Why it cannot be done.
    obstacle: Option<String>,
    facts: Facts,
    confirm: String,
}

pub(in crate::pages) async fn ask_to_pause(
    Extension(page): Extension<Page>,
    id: PathId,
) -> Result<Response, Response> {
    let token = own_token(&page, id).await?;
    show_pause(&page, &token, None).await
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
        Err(UpdateError::Refused(error)) => show_pause(&page, &token, Some(&error)).await,
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
    let obstacle = (by_administrator && !page.may_administer()).then_some(Text::ResumeRefused);
    Ok(show_resume(&page, &token, StatusCode::OK, obstacle))
}

pub(in crate::pages) async fn resume(
    Extension(page): Extension<Page>,
    id: PathId,
) -> Result<Response, Response> {
    let token = own_token(&page, id).await?;
    match page.pats().enable(page.caller(), token.id).await {
        Ok(_) => Ok(page.go_to(&Change::Resumed.list(token.id))),
        Err(UpdateError::DisabledByAdministrator) => {
            let (status, text) = (StatusCode::FORBIDDEN, Text::ResumeRefused);
            Ok(show_resume(&page, &token, status, Some(text)))
        }
        Err(UpdateError::Refused(error)) => {
            let text = Some(Text::Refused(&error));
            Ok(show_resume(&page, &token, status(&error), text))
        }
        Err(error) => Err(page.not_updated(&error)),
    }
}

/// The first text if the token has expired, and the other one otherwise.
fn if_expired<'a>(page: &Page, token: &Token, expired: Text<'a>, other: Text<'a>) -> Text<'a> {
    let is_over = token.expires_at.is_some_and(|end| end <= page.pats().now());
    if is_over { expired } else { other }
}

async fn show_pause(
    page: &Page,
    token: &Token,
    error: Option<&PolicyError>,
) -> Result<Response, Response> {
    let tokens = own_tokens(page).await?;
    let mut notes = Vec::new();
    if predecessors(token, &tokens).next().is_some() {
        notes.push(Text::PausePredecessors);
    }
    let descendants = live_descendants(page, token, &tokens);
    if descendants > 0 {
        notes.push(Text::PauseChildren(descendants));
    }
    let notes = notes.into_iter();
    let template = PausePage {
        page,
        question: page.t(Text::PauseQuestion(&token.name)).into_owned(),
        consequence: page
            .t(if_expired(
                page,
                token,
                Text::PauseExpired,
                Text::PauseConsequence,
            ))
            .into_owned(),
        notes: notes.map(|note| page.t(note).into_owned()).collect(),
        obstacle: error.map(|error| page.t(Text::Refused(error)).into_owned()),
        facts: Facts::new(page, token),
        confirm: page.t(Text::PauseToken).into_owned(),
    };
    Ok(show(error.map_or(StatusCode::OK, status), &template))
}

fn show_resume(
    page: &Page,
    token: &Token,
    status: StatusCode,
    obstacle: Option<Text<'_>>,
) -> Response {
    let template = PausePage {
        page,
        question: page.t(Text::ResumeQuestion(&token.name)).into_owned(),
        consequence: page
            .t(if_expired(
                page,
                token,
                Text::ResumeExpired,
                Text::ResumeConsequence,
            ))
            .into_owned(),
        notes: Vec::new(),
        obstacle: obstacle.map(|text| page.t(text).into_owned()),
        facts: Facts::new(page, token),
        confirm: page.t(Text::ResumeToken).into_owned(),
    };
    show(status, &template)
}
