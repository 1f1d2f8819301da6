//! The form for the name and the description of a token.

use askama::Template;
use axum::Extension;
use axum::extract::RawQuery;
use axum::response::Response;
use http::StatusCode;
use pat_core::{PolicyError, TokenRequest, TokenUpdate, UpdateError};

use super::create::status;
use super::done::Change;
use super::facts::own_token;
use crate::http::path_id::PathId;
use crate::pages::counter::Counter;
use crate::pages::csrf_token::FORM_TOKEN;
use crate::pages::fields::Fields;
use crate::pages::page::{Page, show};
use crate::pages::text::Text;

#[derive(Template)]
#[template(path = "edit.html")]
struct EditPage<'a> {
    page: &'a Page,
    name: &'a str,
    name_hint: String,
    name_counter: Counter,
    description: &'a str,
    description_hint: String,
    description_counter: Counter,
    errors: Errors,
}

/// What is wrong with the form, each beside its field.
#[derive(Default)]
struct Errors {
    form: Option<String>,
    name: Option<String>,
    description: Option<String>,
}

impl Errors {
    /// Whether the field of the name has the focus at first: not if only the other one is wrong.
    fn is_at_name_first(&self) -> bool {
        !self.is_at_description_first()
    }

    fn is_at_description_first(&self) -> bool {
        self.name.is_none() && self.description.is_some()
    }

    fn is_any(&self) -> bool {
        self.form.is_some() || self.name.is_some() || self.description.is_some()
    }
}

pub(in crate::pages) async fn edit_form(
    Extension(page): Extension<Page>,
    id: PathId,
    RawQuery(query): RawQuery,
) -> Result<Response, Response> {
    let token = own_token(&page, id).await?;
    let description = token.description.as_deref().unwrap_or_default();
    let fields = Fields::of_query(query.as_deref());
    // What was typed before stands in place of what is so.
    let typed = page
        .again
        .map(|_| (fields.get("name"), fields.get("description")));
    let (name, description) = typed.unwrap_or((&token.name, description));
    let (status, errors) = (StatusCode::OK, Errors::default());
    Ok(show_form(&page, status, name, description, errors))
}

pub(in crate::pages) async fn edit(
    Extension(page): Extension<Page>,
    Extension(fields): Extension<Fields>,
    id: PathId,
) -> Result<Response, Response> {
    let token = own_token(&page, id).await?;
    // A user does not mean the blanks around what was typed or pasted.
    let [name, description] = ["name", "description"].map(|field| fields.get(field).trim());
    let refused = |error: &PolicyError| page.t(Text::Refused(error)).into_owned();
    let pats = page.pats();
    let errors = Errors {
        form: None,
        // A name that a client gave the token may have such blanks, or be longer than is allowed by now.
        name: (name != token.name.trim())
            .then(|| pats.check_name(name))
            .and_then(|checked| checked.err().as_ref().map(refused)),
        description: pats
            .check_description(description)
            .err()
            .as_ref()
            .map(refused),
    };
    let form = |status, errors| {
        show_form(
            &page,
            status,
            fields.get("name"),
            fields.get("description"),
            errors,
        )
    };
    if errors.is_any() {
        return Err(form(StatusCode::BAD_REQUEST, errors));
    }
    let mut update = TokenUpdate::default();
    update.name = (name != token.name.trim()).then(|| name.to_owned());
    update.description = Some(description.to_owned());
    match pats.update(page.caller(), token.id, update).await {
        Ok(_) => Ok(page.go_to(&Change::Edited.list(token.id))),
        Err(UpdateError::Refused(error)) => {
            let text = Some(refused(&error));
            let errors = Errors {
                form: text,
                ..Errors::default()
            };
            Err(form(status(&error), errors))
        }
        Err(error) => Err(page.not_updated(&error)),
    }
}

fn show_form(
    page: &Page,
    status: StatusCode,
    name: &str,
    description: &str,
    errors: Errors,
) -> Response {
    let max_name_len = page.pats().settings().token_name_length();
    let max = u32::try_from(TokenRequest::MAX_DESCRIPTION).unwrap_or(u32::MAX);
    let template = EditPage {
        page,
        name,
        name_hint: page.t(Text::NameHint(max_name_len)).into_owned(),
        name_counter: Counter::new(page, "pat-name", max_name_len),
        description,
        description_hint: page.t(Text::DescriptionHint(max)).into_owned(),
        description_counter: Counter::new(page, "pat-description", max),
        errors,
    };
    show(status, &template)
}
