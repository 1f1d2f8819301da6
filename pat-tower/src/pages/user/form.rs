//! The form for a new token.

use askama::Template;
use axum::Extension;
use axum::extract::RawQuery;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use pat_core::scope::ScopeChoices;
use pat_core::{Lifetime, PolicyError, Token, TokenRequest};

use super::expiry::{Expiry, ExpiryField};
use super::line::count_of;
use super::list::obstacle;
use super::origin::{SEEN, SHEET, Seen};
use super::scopes::{ACCESS, SCOPE, ScopeSelection, ScopesField};
use crate::pages::csrf_token::SubmissionId;
use crate::pages::fields::Fields;
use crate::pages::page::{FORM_TOKEN, Page, show};
use crate::pages::text::Text;

#[derive(Template)]
#[template(path = "create.html")]
struct CreatePage<'a> {
    page: &'a Page,
    name: &'a str,
    description: &'a str,
    description_hint: String,
    expiry: ExpiryField,
    sheet: String,
    seen: String,
    obstacle: Option<String>,
    errors: Errors,
    name_hint: String,
    max_name_len: u32,
    /// Unless the host has no scopes.
    scopes: Option<ScopesField>,
}

/// What is wrong with a form, each beside its field.
#[derive(Debug, Default)]
pub(super) struct Errors {
    form: Option<String>,
    name: Option<String>,
    description: Option<String>,
    expiry: Option<String>,
    scopes: Option<String>,
}

impl Errors {
    fn is_any(&self) -> bool {
        self.form.is_some() || self.scopes.is_some() || self.is_before_scopes()
    }

    /// Whether the name is the first field with which something is wrong, or nothing is.
    fn is_at_name_first(&self) -> bool {
        let is_elsewhere =
            self.description.is_some() || self.expiry.is_some() || self.scopes.is_some();
        self.name.is_some() || !is_elsewhere
    }

    /// Whether the scopes are the first field with which something is wrong.
    fn is_at_scopes_first(&self) -> bool {
        self.scopes.is_some() && !self.is_before_scopes()
    }

    fn is_before_scopes(&self) -> bool {
        self.name.is_some() || self.description.is_some() || self.expiry.is_some()
    }
}

pub(in crate::pages) async fn form(
    Extension(page): Extension<Page>,
    RawQuery(query): RawQuery,
) -> Result<Response, Response> {
    let fields = Fields::of_query(query.as_deref());
    let tokens = own_tokens(&page).await?;
    let choices = scope_choices(&page).await?;
    let filled = Filled::of_link(&page, &fields, &choices);
    let form = Form::new(&page, filled, tokens, choices);
    Ok(form.show(StatusCode::OK, Errors::default()))
}

/// What a form or a link says.
pub(super) struct Filled<'a> {
    pub(super) name: &'a str,
    pub(super) description: &'a str,
    pub(super) expiry: Expiry,
    pub(super) scopes: ScopeSelection,
}

impl<'a> Filled<'a> {
    pub(super) fn of_form(fields: &'a Fields) -> Self {
        Self {
            name: fields.get("name"),
            description: fields.get("description"),
            expiry: Expiry::of_form(fields),
            scopes: ScopeSelection::of_form(fields),
        }
    }

    fn of_link(page: &Page, fields: &'a Fields, choices: &ScopeChoices<'_>) -> Self {
        Self {
            name: fields.get("name"),
            description: fields.get("description"),
            expiry: Expiry::of_link(fields, page.pats().settings()),
            scopes: ScopeSelection::of_link(fields, choices),
        }
    }
}

/// The form, filled in, and what it is shown with.
pub(super) struct Form<'a> {
    page: &'a Page,
    filled: Filled<'a>,
    /// The caller's tokens.
    tokens: Vec<Token>,
    choices: ScopeChoices<'a>,
}

impl<'a> Form<'a> {
    pub(super) fn new(
        page: &'a Page,
        filled: Filled<'a>,
        tokens: Vec<Token>,
        choices: ScopeChoices<'a>,
    ) -> Self {
        Self {
            page,
            filled,
            tokens,
            choices,
        }
    }

    /// The token that is asked for, or what is wrong with each of the fields.
    pub(super) fn request(&self) -> Result<TokenRequest, Errors> {
        let (page, pats) = (self.page, self.page.pats());
        // A user does not mean the blanks around what was typed or pasted.
        let name = self.filled.name.trim();
        let said = |text: Text<'static>| page.t(text).into_owned();
        let refused = |error| page.t(Text::Refused(&error)).into_owned();
        let lifetime = self.filled.expiry.lifetime(page).map_err(said);
        let lifetime = lifetime.and_then(|days| {
            let checked = pats.check_lifetime(page.caller(), days.map(Lifetime::Days));
            checked.map(|()| days).map_err(refused)
        });
        let scopes = self.filled.scopes.requested(&self.choices).map_err(said);
        let description = self.filled.description.trim();
        let described = pats.check_description(description);
        match (pats.check_name(name), described, lifetime, scopes) {
            (Ok(()), Ok(()), Ok(days), Ok(scopes)) => {
                let request = TokenRequest::new(name, days).with_description(description);
                Ok(match scopes {
                    Some(names) => request.with_scopes(names),
                    None => request,
                })
            }
            (name, description, lifetime, scopes) => Err(Errors {
                form: None,
                name: name.err().map(refused),
                description: description.err().map(refused),
                expiry: lifetime.err(),
                scopes: scopes.err(),
            }),
        }
    }

    /// The rule that a token breaks with whose name and expiry nothing is wrong.
    pub(super) fn errors_of(&self, error: &PolicyError) -> Errors {
        let text = Some(self.page.t(Text::Refused(error)).into_owned());
        let mut errors = Errors::default();
        if is_about_scopes(error) {
            errors.scopes = text;
        } else {
            errors.form = text;
        }
        errors
    }

    pub(super) fn show(&self, status: StatusCode, mut errors: Errors) -> Response {
        let Ok(sheet) = SubmissionId::generate() else {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        };
        let page = self.page;
        let settings = page.pats().settings();
        let scopes = ScopesField::new(page, &self.choices, &self.filled.scopes);
        if scopes.as_ref().is_none_or(ScopesField::is_empty) {
            errors.form = errors.form.or(errors.scopes.take());
        }
        let obstacle = obstacle(page, count_of(&self.tokens)).or_else(|| {
            let is_none = scopes.as_ref().is_some_and(ScopesField::is_empty);
            is_none.then(|| page.t(Text::NoScopeAllowed).into_owned())
        });
        if obstacle.is_some() {
            // It says the same.
            errors.form = None;
        }
        let max_name_len = settings.token_name_length();
        let max = u32::try_from(TokenRequest::MAX_DESCRIPTION).unwrap_or(u32::MAX);
        let expiry = self.filled.expiry.clone();
        let expiry = ExpiryField::new(page, expiry, errors.expiry.clone());
        let template = CreatePage {
            page,
            name: self.filled.name,
            description: self.filled.description,
            description_hint: page.t(Text::DescriptionHint(max)).into_owned(),
            expiry,
            sheet: sheet.encode(),
            seen: Seen::new(&self.tokens).encode(),
            obstacle,
            errors,
            name_hint: page.t(Text::NameHint(max_name_len)).into_owned(),
            max_name_len,
            scopes,
        };
        show(status, &template)
    }
}

pub(super) async fn scope_choices(page: &Page) -> Result<ScopeChoices<'_>, Response> {
    let choices = page.pats().scope_choices(page.caller()).await;
    choices.map_err(|error| page.unavailable(&error))
}

pub(super) async fn own_tokens(page: &Page) -> Result<Vec<Token>, Response> {
    let tokens = page.pats().list(page.caller()).await;
    tokens.map_err(|error| page.inaccessible(&error))
}

/// Returns whether a rule is about the scopes of a token.
fn is_about_scopes(error: &PolicyError) -> bool {
    matches!(
        error,
        PolicyError::NoScope
            | PolicyError::UnknownScope { .. }
            | PolicyError::DuplicateScope { .. }
            | PolicyError::ScopesRequired
            | PolicyError::ScopeExceedsParent
            | PolicyError::ScopeNotAllowed
    )
}
