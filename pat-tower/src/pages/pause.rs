//! The question whether to disable a token for a while, or to enable it again: for its owner, and for administrators.

use askama::Template;
use axum::response::Response;
use http::StatusCode;
use pat_core::{PolicyError, Token, User};

use super::csrf_token::FORM_TOKEN;
use super::page::{Page, show};
use super::text::Text;
use super::user::{Facts, status_of};

/// What is to be done with the token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Pause,
    Resume,
}

/// What the page of an administrator has besides that of the owner.
pub(super) struct AmongAll<'a> {
    pub(super) owner: User,
    /// The filter of the list, which the answer returns to.
    pub(super) filter: Vec<(&'static str, &'a str)>,
}

/// Why the token cannot be disabled or enabled, and the status of the response that says so.
pub(super) struct Obstacle<'a> {
    pub(super) status: StatusCode,
    pub(super) text: Text<'a>,
}

impl<'a> Obstacle<'a> {
    pub(super) fn refused(error: &'a PolicyError) -> Self {
        Self {
            status: status_of(error),
            text: Text::Refused(error),
        }
    }
}

#[derive(Template)]
#[template(path = "pause.html")]
struct PausePage<'a> {
    page: &'a Page,
    question: String,
    consequence: String,
    /// What else there is to know.
    notes: Vec<String>,
    obstacle: Option<String>,
    owner: Option<User>,
    filter: Vec<(&'static str, &'a str)>,
    facts: Facts,
    confirm: String,
    /// The address of the list.
    list: String,
    to_list: String,
}

/// Asks whether to disable or enable the token; `among_all` if an administrator is asked.
pub(super) async fn show_question(
    page: &Page,
    token: &Token,
    action: Action,
    among_all: Option<AmongAll<'_>>,
    obstacle: Option<Obstacle<'_>>,
) -> Result<Response, Response> {
    let notes = match action {
        Action::Pause => notes(page, token).await?,
        Action::Resume => Vec::new(),
    };
    let is_expired = token.expires_at.is_some_and(|end| end <= page.pats().now());
    let is_administration = among_all.is_some();
    let name = &token.name;
    let (question, consequence, confirm) = match action {
        Action::Pause => (
            Text::PauseQuestion(name),
            match (is_expired, is_administration) {
                (true, _) => Text::PauseExpired,
                (false, true) => Text::AdminPauseConsequence,
                (false, false) => Text::PauseConsequence,
            },
            Text::PauseToken,
        ),
        Action::Resume => (
            Text::ResumeQuestion(name),
            if is_expired {
                Text::ResumeExpired
            } else {
                Text::ResumeConsequence
            },
            Text::ResumeToken,
        ),
    };
    let to_list = match &obstacle {
        Some(_) if is_administration => Text::AllTokens,
        Some(_) => Text::BackToTokens,
        None => Text::Cancel,
    };
    let (owner, filter) = among_all.map_or((None, Vec::new()), |all| (Some(all.owner), all.filter));
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(&filter);
    let list = match (is_administration, query.finish()) {
        (false, _) => "tokens".to_owned(),
        (true, query) if query.is_empty() => "admin/tokens".to_owned(),
        (true, query) => format!("admin/tokens?{query}"),
    };
    let status = obstacle.as_ref().map_or(StatusCode::OK, |it| it.status);
    let template = PausePage {
        page,
        question: page.t(question).into_owned(),
        consequence: page.t(consequence).into_owned(),
        notes,
        obstacle: obstacle.map(|it| page.t(it.text).into_owned()),
        owner,
        filter,
        facts: Facts::new(page, token),
        confirm: page.t(confirm).into_owned(),
        list,
        to_list: page.t(to_list).into_owned(),
    };
    Ok(show(status, &template))
}

/// What is disabled with the token, and what is not.
async fn notes(page: &Page, token: &Token) -> Result<Vec<String>, Response> {
    let relatives = page.pats().relatives(token).await;
    let relatives = relatives.map_err(|error| page.unavailable(&error))?;
    let seq = token.line.map(|line| line.seq);
    let has_predecessor = relatives.line.iter().any(|other| {
        other.revoked_at.is_none()
            && other
                .line
                .zip(seq)
                .is_some_and(|(line, own)| line.seq < own)
    });
    let descendants = relatives.live_descendants;
    let notes = [
        has_predecessor.then_some(Text::PausePredecessors),
        (descendants > 0).then_some(Text::PauseChildren(descendants)),
    ];
    let notes = notes.into_iter().flatten();
    Ok(notes.map(|note| page.t(note).into_owned()).collect())
}
