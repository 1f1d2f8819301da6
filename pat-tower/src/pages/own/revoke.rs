use askama::Template;
use axum::Extension;
use axum::response::Response;
use http::StatusCode;
use pat_core::Token;

use super::PathId;
use crate::pages::page::{Badge, FORM_TOKEN, Page, Time, show};
use crate::pages::texts::Text;

/// Asks; with JavaScript, the list does that in a dialog.
#[derive(Template)]
#[template(path = "revoke.html")]
struct RevokePage<'a> {
    page: &'a Page,
    question: String,
    badge: Badge,
    created: Time,
    last_used: Option<Time>,
    expires: Option<Time>,
}

pub(in crate::pages) async fn ask(
    Extension(page): Extension<Page>,
    id: PathId,
) -> Result<Response, Response> {
    let token = own_token(&page, id).await?;
    let template = RevokePage {
        question: page.t(Text::RevokeQuestion(&token.name)).into_owned(),
        badge: page.badge(page.pats().status(&token)),
        created: page.time(token.created_at),
        last_used: token.last_used_at.map(|at| page.time(at)),
        expires: token.expires_at.map(|at| page.time(at)),
        page: &page,
    };
    Ok(show(StatusCode::OK, &template))
}

/// One's own token: an administrator revokes others' on the page made for that.
async fn own_token(page: &Page, PathId(id): PathId) -> Result<Token, Response> {
    let id = id.ok_or_else(|| page.not_found())?;
    let found = page.pats().find(page.caller(), id).await;
    let token = found.map_err(|error| page.inaccessible(&error))?;
    if token.owner == *page.caller().owner() {
        Ok(token)
    } else {
        Err(page.not_found())
    }
}

pub(in crate::pages) async fn revoke(
    Extension(page): Extension<Page>,
    id: PathId,
) -> Result<Response, Response> {
    let revoked = match own_token(&page, id).await {
        Ok(token) => page.pats().revoke(page.caller(), token.id).await,
        Err(response) => return Err(response),
    };
    revoked.map_err(|error| page.inaccessible(&error))?;
    Ok(page.go_to("tokens?revoked"))
}
