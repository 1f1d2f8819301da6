use std::time::Duration;

use askama::Template;
use axum::Extension;
use axum::response::Response;
use http::StatusCode;
use http::header::SET_COOKIE;
use pat_core::{Client, CreateError, PlainToken, PolicyError, Token};
use tokio::time::timeout;
use tracing::Instrument as _;

use super::done::Change;
use super::examples::{Example, examples};
use super::facts::own_tokens;
use super::form::{Filled, Form, scope_choices};
use super::origin::Origin;
use crate::pages::csrf_token::SubmissionId;
use crate::pages::fields::Fields;
use crate::pages::page::{Page, ScopeList, Time, show};
use crate::pages::text::Text;

/// How long a form waits for those before it and is worked at, in all.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Template)]
#[template(path = "created.html")]
struct CreatedPage<'a> {
    page: &'a Page,
    label: String,
    plain: &'a str,
    name: &'a str,
    expires: Option<Time>,
    scopes: Option<ScopeList>,
    examples: Vec<Example>,
    /// Whether the user has another token of this name.
    has_namesake: bool,
    /// The path of the list, with the token highlighted.
    list: String,
    /// The token that it replaces.
    old: Option<Old>,
}

/// A token that has just been replaced.
pub(super) struct Old {
    pub(super) id: i64,
    /// Until when it works; `None` if it works no longer.
    pub(super) until: Option<Time>,
}

/// The answer to a form that was sent again.
#[derive(Template)]
#[template(path = "repeated.html")]
struct RepeatedPage<'a> {
    page: &'a Page,
    name: &'a str,
    /// The token, if it is still there.
    token: Option<Kept>,
    /// The query that fills a new form in likewise.
    again: String,
}

struct Kept {
    id: i64,
    created: Time,
    expires: Option<Time>,
    scopes: Option<ScopeList>,
    revoke_label: String,
}

/// Creates a token and answers with it: it is in this one answer and nowhere else.
///
/// An answer to POST can be asked for again, by a reload, "back" or a double click, and must not
/// create a second token. Two things tell, and neither is kept on a node:
///
/// - The browser's cookie remembers which forms have created a token.
/// - The form says which tokens there were when it was opened. One of the same name that has come
///   since is the form's own, whose answer got lost on the way or is on its way still.
///
/// Two that come at once wait for each other. That holds on one node only; on two, a double click
/// may create two tokens, and the limit per user bounds the harm.
pub(in crate::pages) async fn create(
    Extension(page): Extension<Page>,
    Extension(fields): Extension<Fields>,
) -> Result<Response, Response> {
    let patient = page.clone();
    match timeout(PATIENCE, create_in_turn(page, fields)).await {
        Ok(Some(answer)) => answer,
        Ok(None) | Err(_) => Err(patient.busy()),
    }
}

/// `None` if there are too many before it, or it ended early.
async fn create_in_turn(page: Page, fields: Fields) -> Option<Result<Response, Response>> {
    let place = page.state.creations.enter(page.caller().owner())?;
    let turn = place.turn().await;
    let work = async move {
        let answer = create_now(&page, &fields).await;
        drop(turn);
        answer
    };
    // In a task of its own, since the turn lasts until it is done, also when the client has disconnected.
    tokio::spawn(Client::carry(work).in_current_span())
        .await
        .ok()
}

async fn create_now(page: &Page, fields: &Fields) -> Result<Response, Response> {
    let tokens = own_tokens(page).await?;
    let Some(origin) = Origin::of(fields) else {
        return Err(page.bad_request(StatusCode::BAD_REQUEST));
    };
    let filled = Filled::of_form(fields);
    let sheet = origin.sheet;
    let twin = origin
        .seen
        .and_then(|seen| seen.newcomer(&tokens, filled.name.trim()));
    if twin.is_some() || sheet.is_some_and(|sheet| page.form_key.has_sent(sheet)) {
        return Err(show_repeated(page, &filled, twin));
    }
    let choices = scope_choices(page).await?;
    let form = Form::new(page, filled, tokens, choices);
    let request = match form.request() {
        Ok(request) => request,
        Err(errors) => return Err(form.show(StatusCode::BAD_REQUEST, errors)),
    };
    let has_namesake = form.is_name_taken();
    match page.pats().create(page.caller(), request).await {
        Ok(created) => Ok(remember(
            page,
            sheet,
            show_created(page, &created.token, &created.plain, None, has_namesake),
        )),
        Err(CreateError::Refused(error)) => Err(form.show(status(&error), form.errors_of(&error))),
        Err(CreateError::Unavailable(error)) => Err(page.unavailable(&error)),
        Err(_) => Err(page.bad_request(StatusCode::BAD_REQUEST)),
    }
}

#[expect(clippy::match_same_arms, reason = "a new variant must fail Clippy")]
pub(in crate::pages) fn status(error: &PolicyError) -> StatusCode {
    match error {
        PolicyError::LimitReached { .. }
        | PolicyError::TooManyRows { .. }
        | PolicyError::ForbiddenByToken
        | PolicyError::RotationForbiddenByToken
        | PolicyError::EnableByToken
        | PolicyError::ScopeExceedsParent
        | PolicyError::ScopeNotAllowed => StatusCode::FORBIDDEN,
        PolicyError::OlderNodes { .. } => StatusCode::CONFLICT,
        PolicyError::Disabled
        | PolicyError::NameBlank
        | PolicyError::NameTooLong { .. }
        | PolicyError::NameHasControlCharacter
        | PolicyError::NameHasBidiControl
        | PolicyError::DescriptionTooLong { .. }
        | PolicyError::DescriptionHasControlCharacter
        | PolicyError::DescriptionHasBidiControl
        | PolicyError::DurationNotPositive
        | PolicyError::DurationTooShort
        | PolicyError::DurationTooLong { .. }
        | PolicyError::EternalNotAllowed
        | PolicyError::NoOverlap
        | PolicyError::OverlapTooLong { .. }
        | PolicyError::OutlivesParent
        | PolicyError::NoScope
        | PolicyError::UnknownScope { .. }
        | PolicyError::DuplicateScope { .. }
        | PolicyError::ScopesRequired
        | PolicyError::ParentInvalid => StatusCode::BAD_REQUEST,
        _ => StatusCode::BAD_REQUEST,
    }
}

/// Has the browser remember that this form has created a token.
fn remember(page: &Page, sheet: Option<SubmissionId>, mut response: Response) -> Response {
    if let Some(sheet) = sheet.filter(|_| page.caller().is_cookie_authenticated()) {
        let key = page.form_key.clone().and_sent(sheet);
        if let Some(cookie) = key.set_cookie(page.state.transport) {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
    }
    response
}

pub(super) fn show_created(
    page: &Page,
    token: &Token,
    plain: &PlainToken,
    old: Option<Old>,
    has_namesake: bool,
) -> Response {
    let plain = plain.expose();
    let template = CreatedPage {
        page,
        label: page.t(Text::PlainToken(&token.name)).into_owned(),
        plain,
        name: &token.name,
        expires: token.expires_at.map(|at| page.time(at)),
        scopes: page.scopes_of(token),
        examples: examples(page),
        has_namesake,
        list: Change::Created.list(token.id),
        old,
    };
    show(StatusCode::CREATED, &template)
}

fn show_repeated(page: &Page, filled: &Filled<'_>, token: Option<&Token>) -> Response {
    let name = filled.name;
    let template = RepeatedPage {
        page,
        name,
        token: token.map(|token| Kept {
            id: token.id.get(),
            created: page.time(token.created_at),
            expires: token.expires_at.map(|at| page.time(at)),
            scopes: page.scopes_of(token),
            revoke_label: page.t(Text::RevokeNamed(name)).into_owned(),
        }),
        again: filled.as_link(),
    };
    show(StatusCode::CONFLICT, &template)
}
