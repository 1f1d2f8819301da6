use askama::Template;
use axum::Extension;
use axum::response::Response;
use http::StatusCode;
use pat_core::{Family, Token};

use super::list::with_live_children;
use crate::http::path_id::PathId;
use crate::pages::fields::Fields;
use crate::pages::messages::Text;
use crate::pages::page::{Badge, FORM_TOKEN, Page, ScopeList, Time, show};

/// The name of the box by which tokens that were created with one are revoked too.
const FAMILY: &str = "family";

/// Asks; with JavaScript, the list does that in a dialog, unless
/// there is more to ask.
#[derive(Template)]
#[template(path = "revoke.html")]
struct RevokePage<'a> {
    page: &'a Page,
    question: String,
    badge: Badge,
    scopes: Option<ScopeList>,
    created: Time,
    last_used: Option<Time>,
    expires: Option<Time>,
    /// Whether to ask if tokens that were created with it are to be revoked too.
    has_children: bool,
}

pub(in crate::pages) async fn ask(
    Extension(page): Extension<Page>,
    id: PathId,
) -> Result<Response, Response> {
    let token = own_token(&page, id).await?;
    let template = RevokePage {
        question: page.t(Text::RevokeQuestion(&token.name)).into_owned(),
        badge: page.badge(page.pats().status(&token)),
        scopes: page.scopes_of(&token),
        created: page.time(token.created_at),
        last_used: token.last_used_at.map(|at| page.time(at)),
        expires: token.expires_at.map(|at| page.time(at)),
        has_children: has_live_children(&page, &token).await?,
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
    Extension(fields): Extension<Fields>,
    id: PathId,
) -> Result<Response, Response> {
    let token = own_token(&page, id).await?;
    let family = family(&fields);
    let revoked = page.pats().revoke_with(page.caller(), token.id, family);
    let revoked = revoked.await.map_err(|error| page.inaccessible(&error))?;
    Ok(match revoked.live_children {
        0 => page.go_to("tokens?revoked"),
        count => page.go_to(&format!("tokens?revoked&children={count}")),
    })
}

/// As the box of the form says.
pub(in crate::pages) fn family(fields: &Fields) -> Family {
    match fields.find(FAMILY) {
        Some(_) => Family::Included,
        None => Family::Configured,
    }
}

async fn has_live_children(page: &Page, token: &Token) -> Result<bool, Response> {
    let listed = page.pats().list(page.caller()).await;
    let listed = listed.map_err(|error| page.inaccessible(&error))?;
    Ok(with_live_children(page, &listed).contains(&token.id))
}
