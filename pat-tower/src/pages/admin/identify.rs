//! Whose token a secret is.

use askama::Template;
use axum::Extension;
use axum::response::Response;
use http::StatusCode;
use pat_core::{Administration, Token, TokenStatus, User};

use super::administration;
use crate::pages::csrf_token::FORM_TOKEN;
use crate::pages::fields::Fields;
use crate::pages::page::{Badge, Page, Time, show};
use crate::pages::text::Text;

/// The name of the field with the secret. No page shows its value again, and no address has it.
const SECRET: &str = "secret";

#[derive(Template)]
#[template(path = "identify.html")]
struct IdentifyPage<'a> {
    page: &'a Page,
    /// What is wrong with the field.
    error: Option<String>,
    /// That the secret is no token.
    not_found: Option<String>,
    found: Option<Found>,
}

/// The token of a secret.
struct Found {
    id: i64,
    name: String,
    badge: Badge,
    owner: User,
    sentence: String,
    consequence: String,
    created: Time,
    last_used: Option<Time>,
    is_unrevoked: bool,
}

impl Found {
    fn new(page: &Page, token: Token, owner: User) -> Self {
        let status = page.pats().status(&token);
        let consequence = match status {
            TokenStatus::Revoked => Text::SecretRevoked,
            TokenStatus::Expired => Text::SecretExpired,
            TokenStatus::Disabled => Text::SecretPaused,
            TokenStatus::Active | TokenStatus::ExpiresSoon | _ => Text::SecretValid,
        };
        Self {
            id: token.id.get(),
            badge: page.badge_of(&token),
            sentence: page.t(Text::SecretOf(&owner.full_name)).into_owned(),
            consequence: page.t(consequence).into_owned(),
            created: page.time(token.created_at),
            last_used: token.last_used_at.map(|at| page.time(at)),
            is_unrevoked: token.revoked_at.is_none(),
            owner,
            name: token.name,
        }
    }
}

pub(in crate::pages) async fn identify_form(
    Extension(page): Extension<Page>,
) -> Result<Response, Response> {
    administration(&page)?;
    Ok(show_form(&page, StatusCode::OK, None, None, None))
}

pub(in crate::pages) async fn identify(
    Extension(page): Extension<Page>,
    Extension(fields): Extension<Fields>,
) -> Result<Response, Response> {
    let admin = administration(&page)?;
    // What is copied often has blanks around it, and some programs write the scheme before the token.
    let secret = fields.get(SECRET).trim();
    let secret = secret.strip_prefix("Bearer ").unwrap_or(secret).trim();
    if secret.is_empty() {
        let error = Some(Text::SecretMissing);
        let status = StatusCode::BAD_REQUEST;
        return Ok(show_form(&page, status, error, None, None));
    }
    if !admin.recognizes(secret.as_bytes()) {
        let answer = Some(Text::SecretMalformed);
        return Ok(show_form(&page, StatusCode::OK, None, answer, None));
    }
    let found = find(&page, admin, secret).await?;
    let answer = found.is_none().then_some(Text::SecretUnknown);
    Ok(show_form(&page, StatusCode::OK, None, answer, found))
}

async fn find(
    page: &Page,
    admin: &Administration<'_>,
    secret: &str,
) -> Result<Option<Found>, Response> {
    let fail = |error| page.not_administered(&error);
    let Some(token) = admin.identify(secret.as_bytes()).await.map_err(fail)? else {
        return Ok(None);
    };
    let owners = admin.owners_of(std::slice::from_ref(&token)).await;
    let owner = owners.map_err(fail)?.pop();
    let owner = owner.expect("a user for each token");
    Ok(Some(Found::new(page, token, owner)))
}

fn show_form(
    page: &Page,
    status: StatusCode,
    error: Option<Text<'_>>,
    not_found: Option<Text<'_>>,
    found: Option<Found>,
) -> Response {
    let template = IdentifyPage {
        page,
        error: error.map(|text| page.t(text).into_owned()),
        not_found: not_found.map(|text| page.t(text).into_owned()),
        found,
    };
    show(status, &template)
}
