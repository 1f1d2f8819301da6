use std::time::Duration;

use askama::Template;
use axum::Extension;
use axum::extract::RawQuery;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use http::header::SET_COOKIE;
use jiff::ToSpan as _;
use pat_core::event::carry_request_id;
use pat_core::{CreateError, CreatedToken, PolicyError, Token, TokenRequest};
use tokio::time::timeout;
use tracing::Instrument as _;

use super::expiry::{Expiry, offered, today};
use super::list::obstacle;
use crate::pages::csrf_token::SubmissionId;
use crate::pages::fields::Fields;
use crate::pages::messages::Text;
use crate::pages::page::{FORM_TOKEN, Page, Time, show};

/// The name of the field that tells a form that is sent again from one that was opened anew.
const SHEET: &str = "sheet";
/// The name of the field that says which tokens there were when the form was opened.
const SEEN: &str = "seen";

/// How long a form waits for those before it and is worked at, in all.
const PATIENCE: Duration = Duration::from_secs(5);

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
}

struct Offer {
    value: String,
    label: String,
}

/// What is wrong with a form, each beside its field.
#[derive(Debug, Default)]
struct Errors {
    form: Option<String>,
    name: Option<String>,
    expiry: Option<String>,
}

impl Errors {
    fn is_any(&self) -> bool {
        self.form.is_some() || self.name.is_some() || self.expiry.is_some()
    }
}

#[derive(Template)]
#[template(path = "created.html")]
struct CreatedPage<'a> {
    page: &'a Page,
    label: String,
    plain: &'a str,
    name: &'a str,
    expires: Option<Time>,
    curl: Option<String>,
}

pub(in crate::pages) async fn form(
    Extension(page): Extension<Page>,
    RawQuery(query): RawQuery,
) -> Result<Response, Response> {
    let fields = Fields::of_query(query.as_deref());
    let expiry = Expiry::of_link(&fields, page.pats().settings());
    let tokens = own_tokens(&page).await?;
    let errors = Errors::default();
    Ok(show_form(
        &page,
        StatusCode::OK,
        &fields,
        &expiry,
        &tokens,
        errors,
    ))
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
    tokio::spawn(carry_request_id(work).in_current_span())
        .await
        .ok()
}

async fn create_now(page: &Page, fields: &Fields) -> Result<Response, Response> {
    let expiry = Expiry::of_form(fields);
    let tokens = own_tokens(page).await?;
    let again = |status, errors| show_form(page, status, fields, &expiry, &tokens, errors);
    let Some(origin) = Origin::of(fields) else {
        return Err(page.bad_request(StatusCode::BAD_REQUEST));
    };
    // Nobody means the blanks around what was typed or pasted.
    let name = fields.get("name").trim();
    let sheet = origin.sheet;
    let twin = origin.seen.and_then(|seen| seen.newcomer(&tokens, name));
    if twin.is_some() || sheet.is_some_and(|sheet| page.form_key.has_sent(sheet)) {
        return Err(show_repeated(page, fields, &expiry, twin));
    }
    let lifetime_days = match check(page, name, &expiry) {
        Ok(lifetime_days) => lifetime_days,
        Err(errors) => return Err(again(StatusCode::BAD_REQUEST, errors)),
    };
    let request = TokenRequest::new(name.to_owned(), lifetime_days);
    match page.pats().create(page.caller(), request).await {
        Ok(created) => Ok(remember(page, sheet, show_created(page, &created))),
        Err(CreateError::Refused(error)) => {
            // Of the fields nothing is wrong.
            let form = Some(page.t(Text::Refused(&error)).into_owned());
            let (name, expiry) = (None, None);
            Err(again(status(&error), Errors { form, name, expiry }))
        }
        Err(CreateError::Unavailable(error)) => Err(page.unavailable(&error)),
        Err(_) => Err(page.bad_request(StatusCode::BAD_REQUEST)),
    }
}

/// The life span that was asked for, or what is wrong with each of the fields.
fn check(page: &Page, name: &str, expiry: &Expiry) -> Result<Option<i64>, Errors> {
    let pats = page.pats();
    let refused = |error| page.t(Text::Refused(&error)).into_owned();
    let lifetime = match expiry.lifetime(page) {
        Ok(days) => {
            let checked = pats.check_lifetime(page.caller(), days);
            checked.map(|()| days).map_err(refused)
        }
        Err(text) => Err(page.t(text).into_owned()),
    };
    match (pats.check_name(name), lifetime) {
        (Ok(()), Ok(days)) => Ok(days),
        (name, lifetime) => Err(Errors {
            form: None,
            name: name.err().map(refused),
            expiry: lifetime.err(),
        }),
    }
}

#[expect(clippy::match_same_arms, reason = "a new variant must fail Clippy")]
fn status(error: &PolicyError) -> StatusCode {
    match error {
        PolicyError::LimitReached { .. }
        | PolicyError::TooManyRows { .. }
        | PolicyError::ForbiddenByToken
        | PolicyError::ScopeExceedsParent
        | PolicyError::ScopeNotAllowed => StatusCode::FORBIDDEN,
        PolicyError::OlderNodes { .. } => StatusCode::CONFLICT,
        PolicyError::Disabled
        | PolicyError::NameBlank
        | PolicyError::NameTooLong { .. }
        | PolicyError::NameHasControlCharacter
        | PolicyError::NameHasBidiControl
        | PolicyError::DurationNotPositive
        | PolicyError::DurationTooLong { .. }
        | PolicyError::EternalNotAllowed
        | PolicyError::OutlivesParent
        | PolicyError::NoScope
        | PolicyError::UnknownScope { .. }
        | PolicyError::DuplicateScope { .. }
        | PolicyError::ScopesRequired
        | PolicyError::ParentInvalid => StatusCode::BAD_REQUEST,
        _ => StatusCode::BAD_REQUEST,
    }
}

async fn own_tokens(page: &Page) -> Result<Vec<Token>, Response> {
    let tokens = page.pats().list(page.caller()).await;
    tokens.map_err(|error| page.inaccessible(&error))
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

/// The hidden fields of a form; a form that a script makes up has none.
struct Origin {
    sheet: Option<SubmissionId>,
    seen: Option<Seen>,
}

impl Origin {
    /// `None` if no form of ours says that.
    fn of(fields: &Fields) -> Option<Self> {
        let sheet = fields.find(SHEET).map(SubmissionId::decode);
        let seen = fields.find(SEEN).map(Seen::decode);
        let is_ours = sheet != Some(None) && !matches!(seen, Some(None));
        is_ours.then(|| Self {
            sheet: sheet.flatten(),
            seen: seen.flatten(),
        })
    }
}

/// The tokens that there were when a form was opened: of each the end of its id.
struct Seen(Vec<[u8; 4]>);

impl Seen {
    fn new(tokens: &[Token]) -> Self {
        Self(tokens.iter().map(Self::mark).collect())
    }

    fn mark(token: &Token) -> [u8; 4] {
        let [.., a, b, c, d] = token.id.get().to_be_bytes();
        [a, b, c, d]
    }

    fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0.as_flattened())
    }

    fn decode(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (marks, rest) = bytes.as_chunks();
        rest.is_empty().then(|| Self(marks.to_vec()))
    }

    /// The last token of this name that was not there then.
    fn newcomer<'a>(&self, tokens: &'a [Token], name: &str) -> Option<&'a Token> {
        let is_new = |token: &&Token| token.name == name && !self.0.contains(&Self::mark(token));
        tokens.iter().rev().find(is_new)
    }
}

fn show_form(
    page: &Page,
    status: StatusCode,
    fields: &Fields,
    expiry: &Expiry,
    tokens: &[Token],
    mut errors: Errors,
) -> Response {
    let Ok(sheet) = SubmissionId::generate() else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let settings = page.pats().settings();
    let count = u32::try_from(tokens.len()).unwrap_or(u32::MAX);
    let obstacle = obstacle(page, count);
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
        name: fields.get("name"),
        expiry,
        offered: offered.collect(),
        sheet: sheet.encode(),
        seen: Seen::new(tokens).encode(),
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
    };
    show(status, &template)
}

fn show_created(page: &Page, created: &CreatedToken) -> Response {
    let (token, plain) = (&created.token, created.plain.expose());
    let url = page.state.example_url.as_deref();
    let template = CreatedPage {
        page,
        label: page.t(Text::PlainToken(&token.name)).into_owned(),
        plain,
        name: &token.name,
        expires: token.expires_at.map(|at| page.time(at)),
        curl: url.map(|url| format!("curl -H \"Authorization: Bearer {plain}\" {url}")),
    };
    show(StatusCode::CREATED, &template)
}

fn show_repeated(page: &Page, fields: &Fields, expiry: &Expiry, token: Option<&Token>) -> Response {
    let name = fields.get("name");
    let mut again = form_urlencoded::Serializer::new(String::new());
    again.append_pair("name", name);
    again.append_pair("expires", expiry.as_link());
    let template = RepeatedPage {
        page,
        name,
        token: token.map(|token| Kept {
            id: token.id.get(),
            created: page.time(token.created_at),
            expires: token.expires_at.map(|at| page.time(at)),
            revoke_label: page.t(Text::RevokeNamed(name)).into_owned(),
        }),
        again: again.finish(),
    };
    show(StatusCode::CONFLICT, &template)
}
