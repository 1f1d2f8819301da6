//! The form for a new token.

use askama::Template;
use axum::Extension;
use axum::extract::RawQuery;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use pat_core::scope::ScopeChoices;
use pat_core::{Lifetime, PolicyError, Token, TokenRequest};

use super::expiry::{Expiry, ExpiryField};
use super::facts::own_tokens;
use super::line::count_of;
use super::list::obstacle;
use super::origin::{SEEN, SHEET, Seen};
use super::scopes::{ACCESS, SCOPE, ScopeSelection, ScopesField};
use crate::pages::counter::Counter;
use crate::pages::csrf_token::{FORM_TOKEN, SubmissionId};
use crate::pages::fields::Fields;
use crate::pages::page::{Page, show};
use crate::pages::text::Text;

/// Of how many tokens the page has the names, for the script to notice one that is taken.
const MAX_NAMES: usize = 500;

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
    errors: Errors,
    name_hint: String,
    name_counter: Counter,
    description_counter: Counter,
    /// The names that the user's tokens have.
    names: String,
    is_name_taken: bool,
    /// Unless the host has no scopes.
    scopes: Option<ScopesField>,
}

/// Why no token can be created, in place of the form.
#[derive(Template)]
#[template(path = "not_creatable.html")]
struct NotCreatablePage<'a> {
    page: &'a Page,
    obstacle: &'a str,
    /// The query that opens the form as it was filled in, if anything was typed.
    typed: Option<String>,
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

    fn is_at_description_first(&self) -> bool {
        self.name.is_none() && self.description.is_some()
    }

    fn is_at_expiry_first(&self) -> bool {
        self.name.is_none() && self.description.is_none() && self.expiry.is_some()
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
    // A form that is shown again says what it said before; a link may say less.
    let (filled, has_expiry) = if page.again.is_some() {
        (Filled::of_form(&fields), false)
    } else {
        let has_expiry = !fields.get("expires").trim().is_empty();
        (Filled::of_link(&page, &fields, &choices), has_expiry)
    };
    let form = Form::new(&page, filled, tokens, choices);
    let errors = form.errors_of_link(has_expiry);
    Ok(form.show(StatusCode::OK, errors))
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

    /// The query of a link that fills the form in like this.
    pub(super) fn as_link(&self) -> String {
        let mut link = form_urlencoded::Serializer::new(String::new());
        let scopes = self.scopes.as_link();
        for (name, value) in [
            ("name", self.name),
            ("expires", self.expiry.as_link()),
            ("description", self.description),
            ("scopes", &scopes),
        ] {
            if !value.is_empty() {
                link.append_pair(name, value);
            }
        }
        link.finish()
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

    /// What is wrong with what a link says. What it leaves out is still to be typed.
    fn errors_of_link(&self, has_expiry: bool) -> Errors {
        let errors = self.request().err().unwrap_or_default();
        Errors {
            form: None,
            scopes: None,
            name: errors.name.filter(|_| !self.filled.name.is_empty()),
            expiry: errors.expiry.filter(|_| has_expiry),
            description: errors.description,
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

    /// Whether the user has a token of this name.
    pub(super) fn is_name_taken(&self) -> bool {
        let typed = self.filled.name.trim();
        self.tokens.iter().any(|token| token.name == typed)
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
        if let Some(obstacle) = obstacle {
            let is_typed = !self.filled.name.is_empty() || !self.filled.description.is_empty();
            let template = NotCreatablePage {
                page,
                obstacle: &obstacle,
                typed: is_typed.then(|| self.filled.as_link()),
            };
            return show(status, &template);
        }
        let max_name_len = settings.token_name_length();
        let max = u32::try_from(TokenRequest::MAX_DESCRIPTION).unwrap_or(u32::MAX);
        let expiry = self.filled.expiry.clone();
        let mut expiry = ExpiryField::new(page, expiry, errors.expiry.clone());
        expiry.has_focus = errors.is_at_expiry_first();
        let names = self.tokens.iter().map(|token| token.name.as_str());
        let names: Vec<_> = names.take(MAX_NAMES).collect();
        let template = CreatePage {
            page,
            name: self.filled.name,
            description: self.filled.description,
            description_hint: page.t(Text::DescriptionHint(max)).into_owned(),
            expiry,
            sheet: sheet.encode(),
            seen: Seen::new(&self.tokens).encode(),
            errors,
            name_hint: page.t(Text::NameHint(max_name_len)).into_owned(),
            name_counter: Counter::new(page, "pat-name", max_name_len),
            description_counter: Counter::new(page, "pat-description", max),
            names: names.join("\n"),
            is_name_taken: self.is_name_taken(),
            scopes,
        };
        show(status, &template)
    }
}

pub(super) async fn scope_choices(page: &Page) -> Result<ScopeChoices<'_>, Response> {
    let choices = page.pats().scope_choices(page.caller()).await;
    choices.map_err(|error| page.unavailable(&error))
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
