//! Disabling a token of any user for a while, and enabling it again.

use axum::Extension;
use axum::extract::RawQuery;
use axum::response::Response;
use pat_core::{Administration, Token, UpdateError};

use super::filter::FilterForm;
use super::{administration, token_of_path};
use crate::http::path_id::PathId;
use crate::pages::fields::Fields;
use crate::pages::page::Page;
use crate::pages::pause::{Action, AmongAll, Obstacle, show_question};

pub(in crate::pages) async fn ask_to_pause(
    Extension(page): Extension<Page>,
    id: PathId,
    RawQuery(query): RawQuery,
) -> Result<Response, Response> {
    ask(&page, id, query.as_deref(), Action::Pause).await
}

pub(in crate::pages) async fn ask_to_resume(
    Extension(page): Extension<Page>,
    id: PathId,
    RawQuery(query): RawQuery,
) -> Result<Response, Response> {
    ask(&page, id, query.as_deref(), Action::Resume).await
}

pub(in crate::pages) async fn pause(
    Extension(page): Extension<Page>,
    Extension(fields): Extension<Fields>,
    id: PathId,
) -> Result<Response, Response> {
    act(&page, id, fields, Action::Pause).await
}

pub(in crate::pages) async fn resume(
    Extension(page): Extension<Page>,
    Extension(fields): Extension<Fields>,
    id: PathId,
) -> Result<Response, Response> {
    act(&page, id, fields, Action::Resume).await
}

async fn ask(
    page: &Page,
    id: PathId,
    query: Option<&str>,
    action: Action,
) -> Result<Response, Response> {
    let admin = administration(page)?;
    let form = FilterForm::new(Fields::of_query(query));
    let token = token(page, admin, id).await?;
    show(page, admin, &form, &token, action, None).await
}

async fn act(
    page: &Page,
    id: PathId,
    fields: Fields,
    action: Action,
) -> Result<Response, Response> {
    let admin = administration(page)?;
    let form = FilterForm::new(fields);
    let token = token(page, admin, id).await?;
    let (pats, caller) = (page.pats(), page.caller());
    let updated = match action {
        Action::Pause => pats.disable(caller, token.id).await,
        Action::Resume => pats.enable(caller, token.id).await,
    };
    match updated {
        Ok(updated) => {
            let done = match action {
                Action::Pause => "paused",
                Action::Resume => "resumed",
            };
            let children = updated.live_children.to_string();
            let id = token.id.to_string();
            let mut said = vec![(done, id.as_str())];
            said.extend((updated.live_children > 0).then_some(("children", children.as_str())));
            Ok(page.go_to(&format!("admin/tokens?{}", form.query(&said))))
        }
        Err(UpdateError::Refused(error)) => {
            let obstacle = Some(Obstacle::refused(&error));
            show(page, admin, &form, &token, action, obstacle).await
        }
        Err(error) => Err(page.not_updated(&error)),
    }
}

/// Returns the unrevoked token of any user.
async fn token(page: &Page, admin: &Administration<'_>, id: PathId) -> Result<Token, Response> {
    let found = token_of_path(page, admin, id).await?;
    let unrevoked = Some(found).filter(|token| token.revoked_at.is_none());
    unrevoked.ok_or_else(|| page.not_found())
}

async fn show(
    page: &Page,
    admin: &Administration<'_>,
    form: &FilterForm,
    token: &Token,
    action: Action,
    obstacle: Option<Obstacle<'_>>,
) -> Result<Response, Response> {
    let owners = admin.owners_of(std::slice::from_ref(token)).await;
    let owners = owners.map_err(|error| page.not_administered(&error))?;
    let owner = owners.into_iter().next().ok_or_else(|| page.not_found())?;
    let filter = form.pairs();
    let among_all = Some(AmongAll { owner, filter });
    show_question(page, token, action, among_all, obstacle).await
}
