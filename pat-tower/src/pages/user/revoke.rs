use askama::Template;
use axum::Extension;
use axum::extract::RawQuery;
use axum::response::Response;
use http::StatusCode;
use pat_core::Family;

use super::facts::{Facts, own_token};
use super::form::own_tokens;
use super::line::{predecessors, with_live_family};
use crate::http::path_id::PathId;
use crate::pages::fields::Fields;
use crate::pages::page::{FORM_TOKEN, Page, show};
use crate::pages::text::Text;

/// The name of the box by which the whole family of a token is revoked.
const FAMILY: &str = "family";

/// Asks; with JavaScript, the list does that in a dialog, unless
/// there is more to ask.
#[derive(Template)]
#[template(path = "revoke.html")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a question of the template"
)]
struct RevokePage<'a> {
    page: &'a Page,
    question: String,
    facts: Facts,
    /// Whether what it replaced is revoked too.
    has_predecessors: bool,
    /// Whether another token has replaced it, which goes on.
    has_successor: bool,
    /// Whether to ask if others of its family are to be revoked too.
    asks_for_family: bool,
    /// Whether the secret has become known to others, so the family is to be revoked unless the user says no.
    is_leaked: bool,
}

pub(in crate::pages) async fn ask(
    Extension(page): Extension<Page>,
    id: PathId,
    RawQuery(query): RawQuery,
) -> Result<Response, Response> {
    let token = own_token(&page, id).await?;
    let tokens = own_tokens(&page).await?;
    let is_leaked = Fields::of_query(query.as_deref()).find("leaked").is_some();
    let template = RevokePage {
        question: page.t(Text::RevokeQuestion(&token.name)).into_owned(),
        facts: Facts::new(&page, &token),
        has_predecessors: predecessors(&token, &tokens).next().is_some(),
        has_successor: token.latest_successor(&tokens).is_some(),
        asks_for_family: is_leaked || with_live_family(&page, &tokens).contains(&token.id),
        is_leaked,
        page: &page,
    };
    Ok(show(StatusCode::OK, &template))
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
