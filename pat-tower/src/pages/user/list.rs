use std::collections::HashSet;

use askama::Template;
use axum::Extension;
use axum::extract::RawQuery;
use axum::response::Response;
use http::StatusCode;
use pat_core::{Token, TokenId};

use super::line::{count_of, predecessors, with_live_family};
use crate::pages::fields::Fields;
use crate::pages::page::{Badge, FEW_SCOPES, FORM_TOKEN, Page, ScopeList, Time, show};
use crate::pages::text::Text;

#[derive(Template)]
#[template(path = "tokens.html")]
struct TokensPage<'a> {
    page: &'a Page,
    tokens: Vec<Row>,
    shows_scopes: bool,
    count: String,
    /// Why none can be created.
    obstacle: Option<String>,
    /// What has just been done.
    done: Option<String>,
    /// That tokens outlive the one with which they were created.
    outlived: Option<String>,
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a question of the template"
)]
struct Row {
    id: i64,
    name: String,
    description: Option<String>,
    hint: Option<String>,
    badge: Badge,
    scopes: ScopeList,
    created: Time,
    last_used: Option<Time>,
    expires: Option<Time>,
    is_valid: bool,
    /// Whether it is replaced, and works until it expires.
    is_replaced: bool,
    /// Whether it can be replaced, and no other has replaced it.
    is_replaceable: bool,
    is_disabled: bool,
    question: String,
    /// Whether the page that asks whether to revoke says or asks more than the dialog does.
    needs_page: bool,
}

impl Row {
    fn new(page: &Page, token: &Token, tokens: &[Token], with_family: &HashSet<TokenId>) -> Self {
        let is_valid = token.validity(page.pats().now()).is_ok();
        let is_replaced = token.replaced.is_some();
        Self {
            id: token.id.get(),
            name: token.name.clone(),
            description: token.description.clone(),
            hint: token.hint.clone(),
            badge: page.badge_of(token),
            scopes: page.scopes(token.scopes.as_ref(), FEW_SCOPES),
            created: page.time(token.created_at),
            last_used: token.last_used_at.map(|at| page.time_ago(at)),
            expires: token.expires_at.map(|at| page.time(at)),
            is_valid,
            is_replaced: is_valid && is_replaced,
            is_replaceable: is_valid && !is_replaced,
            is_disabled: token.disabled.is_some(),
            question: page.t(Text::RevokeQuestion(&token.name)).into_owned(),
            needs_page: with_family.contains(&token.id)
                || predecessors(token, tokens).next().is_some(),
        }
    }
}

pub(in crate::pages) async fn list(
    Extension(page): Extension<Page>,
    RawQuery(query): RawQuery,
) -> Response {
    let tokens = match page.pats().list(page.caller()).await {
        Ok(tokens) => tokens,
        Err(error) => return page.inaccessible(&error),
    };
    let count = count_of(&tokens);
    let max = page.pats().settings().max_tokens_per_user();
    let fields = Fields::of_query(query.as_deref());
    let with_family = with_live_family(&page, &tokens);
    let rows = tokens.iter().rev();
    let rows = rows.map(|token| Row::new(&page, token, &tokens, &with_family));
    let done = DONE
        .iter()
        .find(|(name, _)| fields.find(name).is_some())
        .map(|(_, text)| page.t(*text).into_owned());
    let template = TokensPage {
        tokens: rows.collect(),
        shows_scopes: page.shows_scopes(&tokens),
        count: page.t(Text::TokenCount { count, max }).into_owned(),
        obstacle: obstacle(&page, count),
        done,
        outlived: outlived(&page, &fields),
        page: &page,
    };
    show(StatusCode::OK, &template)
}

/// What the address says that was done, as the parameter of the query that says it.
const DONE: [(&str, Text<'static>); 4] = [
    ("revoked", Text::Revoked),
    ("paused", Text::Paused),
    ("resumed", Text::Resumed),
    ("changed", Text::Changed),
];

/// What the address says that a revocation, or a pause, has left.
pub(in crate::pages) fn outlived(page: &Page, fields: &Fields) -> Option<String> {
    let count = fields
        .get("children")
        .parse()
        .ok()
        .filter(|count| *count > 0)?;
    let text = match fields.find("paused") {
        Some(_) => Text::PausedChildren(count),
        None => Text::LiveChildren(count),
    };
    Some(page.t(text).into_owned())
}

/// Why a user with so many tokens can create none.
pub(super) fn obstacle(page: &Page, count: u32) -> Option<String> {
    let settings = page.pats().settings();
    let max = settings.max_tokens_per_user();
    let text = if !settings.enabled() {
        Text::SwitchedOff
    } else if count >= max {
        Text::LimitReached { count, max }
    } else {
        return None;
    };
    Some(page.t(text).into_owned())
}
