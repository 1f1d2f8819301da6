//! The form for a new token.

use askama::Template;
use axum::Extension;
use axum::extract::RawQuery;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use jiff::ToSpan as _;
use pat_core::scope::ScopeChoices;
use pat_core::{Lifetime, PolicyError, Token, TokenRequest};

use super::expiry::{Expiry, offered, today};
use super::list::obstacle;
use super::origin::{SEEN, SHEET, Seen};
use super::scopes::{ACCESS, SCOPE, ScopeSelection, ScopesField};
use crate::pages::csrf_token::SubmissionId;
use crate::pages::fields::Fields;
use crate::pages::messages::Text;
use crate::pages::page::{FORM_TOKEN, Page, show};

#[derive(Template)]
#[template(path = "create.html")]
struct CreatePage<'a> {
    page: &'a Page,
    name: &'a str,
    expiry: &'a Expiry,
    offered: Vec<Offer>,
    sheet: String,
    seen: String,
    obstacle: Option<String>,
    errors: Errors,
    name_hint: String,
    max_name_len: u32,
    expiry_hint: String,
    max_days: u32,
    days_label: String,
    may_be_eternal: bool,
    first_date: String,
    last_date: String,
    /// Unless the host has no scopes.
    scopes: Option<ScopesField>,
}

struct Offer {
    value: String,
    label: String,
}

/// What is wrong with a form, each beside its field.
#[derive(Debug, Default)]
pub(super) struct Errors {
    form: Option<String>,
    name: Option<String>,
    expiry: Option<String>,
    scopes: Option<String>,
}

impl Errors {
    fn is_any(&self) -> bool {
        self.form.is_some() || self.name.is_some() || self.expiry.is_some() || self.scopes.is_some()
    }

    /// Whether the scopes are the first field with which something is wrong.
    fn is_at_scopes_first(&self) -> bool {
        self.scopes.is_some() && self.name.is_none() && self.expiry.is_none()
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
    pub(super) expiry: Expiry,
    pub(super) scopes: ScopeSelection,
}

impl<'a> Filled<'a> {
    pub(super) fn of_form(fields: &'a Fields) -> Self {
        Self {
            name: fields.get("name"),
            expiry: Expiry::of_form(fields),
            scopes: ScopeSelection::of_form(fields),
        }
    }

    fn of_link(page: &Page, fields: &'a Fields, choices: &ScopeChoices<'_>) -> Self {
        Self {
            name: fields.get("name"),
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
        match (pats.check_name(name), lifetime, scopes) {
            (Ok(()), Ok(days), Ok(scopes)) => {
                let request = TokenRequest::new(name, days);
                Ok(match scopes {
                    Some(names) => request.with_scopes(names),
                    None => request,
                })
            }
            (name, lifetime, scopes) => Err(Errors {
                form: None,
                name: name.err().map(refused),
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
        let (page, expiry) = (self.page, &self.filled.expiry);
        let settings = page.pats().settings();
        let scopes = ScopesField::new(page, &self.choices, &self.filled.scopes);
        if scopes.as_ref().is_none_or(ScopesField::is_empty) {
            errors.form = errors.form.or(errors.scopes.take());
        }
        let count = u32::try_from(self.tokens.len()).unwrap_or(u32::MAX);
        let obstacle = obstacle(page, count).or_else(|| {
            let is_none = scopes.as_ref().is_some_and(ScopesField::is_empty);
            is_none.then(|| page.t(Text::NoScopeAllowed).into_owned())
        });
        if obstacle.is_some() {
            // It says the same.
            errors.form = None;
        }
        let max_days = settings.max_tokens_expiry_days();
        let may_be_eternal = settings.eternal_tokens_enabled();
        let offered = offered(settings).into_iter().map(|days| Offer {
            value: days.to_string(),
            label: page.t(Text::Days(days)).into_owned(),
        });
        let max_name_len = settings.token_name_length();
        let date = |days: u32| {
            today(page)
                .saturating_add(i64::from(days).days())
                .to_string()
        };
        let expiry_hint = Text::ExpiryHint {
            max_days,
            may_be_eternal,
            is_announced: settings.mail_notifications_enabled(),
        };
        let template = CreatePage {
            page,
            name: self.filled.name,
            expiry,
            offered: offered.collect(),
            sheet: sheet.encode(),
            seen: Seen::new(&self.tokens).encode(),
            obstacle,
            errors,
            name_hint: page.t(Text::NameHint(max_name_len)).into_owned(),
            max_name_len,
            expiry_hint: page.t(expiry_hint).into_owned(),
            max_days,
            days_label: page.t(Text::DaysLabel(max_days)).into_owned(),
            may_be_eternal,
            first_date: date(1),
            last_date: date(max_days),
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
