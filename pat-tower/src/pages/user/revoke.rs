use askama::Template;
use axum::Extension;
use axum::extract::RawQuery;
use axum::response::Response;
use http::StatusCode;
use pat_core::{AccessError, Family, InvalidToken, Token};

use super::done::Change;
use super::facts::{Facts, own_token, own_tokens};
use super::line::{predecessors, with_live_family};
use crate::http::path_id::PathId;
use crate::pages::csrf_token::FORM_TOKEN;
use crate::pages::fields::Fields;
use crate::pages::page::{Page, show};
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
    consequence: String,
    facts: Facts,
    /// Whether what it replaced is revoked too.
    has_predecessors: bool,
    /// Whether another token has replaced it, which goes on.
    has_successor: bool,
    /// Whether to ask if others of its family are to be revoked too.
    asks_for_family: bool,
    /// Whether the family is to be revoked unless the user says no: the secret has become known to others, or the
    /// user has chosen that before.
    is_family_chosen: bool,
}

pub(in crate::pages) async fn ask(
    Extension(page): Extension<Page>,
    id: PathId,
    RawQuery(query): RawQuery,
) -> Result<Response, Response> {
    let token = own_unrevoked(&page, id).await?;
    let tokens = own_tokens(&page).await?;
    let fields = Fields::of_query(query.as_deref());
    let is_leaked = fields.find("leaked").is_some();
    let is_family_chosen = fields.find(FAMILY).is_some();
    let template = RevokePage {
        question: page.t(Text::RevokeQuestion(&token.name)).into_owned(),
        consequence: page.t(consequence(&page, &token)).into_owned(),
        facts: Facts::new(&page, &token),
        has_predecessors: predecessors(&token, &tokens).next().is_some(),
        has_successor: token.latest_successor(&tokens).is_some(),
        asks_for_family: is_leaked
            || is_family_chosen
            || with_live_family(&page, &tokens).contains(&token.id),
        is_family_chosen: is_leaked || is_family_chosen,
        page: &page,
    };
    Ok(show(StatusCode::OK, &template))
}

pub(in crate::pages) async fn revoke(
    Extension(page): Extension<Page>,
    Extension(fields): Extension<Fields>,
    id: PathId,
) -> Result<Response, Response> {
    let token = own_unrevoked(&page, id).await?;
    let family = family(&fields);
    let revoked = page.pats().revoke_with(page.caller(), token.id, family);
    let revoked = match revoked.await {
        Ok(revoked) => revoked,
        // Another request was faster.
        Err(AccessError::NotFound) => return Ok(page.go_to(&Change::AlreadyRevoked.list(token.id))),
        Err(error) => return Err(page.inaccessible(&error)),
    };
    let list = Change::Revoked.list(token.id);
    Ok(match revoked.live_children {
        0 => page.go_to(&list),
        count => page.go_to(&format!("{list}&children={count}")),
    })
}

/// One's own token; the list, which says so, if it is revoked already.
async fn own_unrevoked(page: &Page, id: PathId) -> Result<Token, Response> {
    let PathId(Some(known)) = id else {
        return Err(page.not_found());
    };
    match page.pats().find_even_revoked(page.caller(), known).await {
        Ok(token) if token.owner == *page.caller().owner() && token.revoked_at.is_some() => {
            Err(page.go_to(&Change::AlreadyRevoked.list(token.id)))
        }
        _ => own_token(page, id).await,
    }
}

/// What follows from revoking this token.
pub(super) fn consequence(page: &Page, token: &Token) -> Text<'static> {
    match token.validity(page.pats().now()) {
        Err(InvalidToken::Expired) => Text::RevokeExpired,
        Err(InvalidToken::Disabled) => Text::RevokePaused,
        _ => Text::RevokeConsequence,
    }
}

/// As the box of the form says.
pub(in crate::pages) fn family(fields: &Fields) -> Family {
    match fields.find(FAMILY) {
        Some(_) => Family::Included,
        None => Family::Configured,
    }
}
