use std::collections::HashSet;

use askama::Template;
use axum::Extension;
use axum::extract::RawQuery;
use axum::response::Response;
use http::StatusCode;
use pat_core::{Token, TokenId};

use crate::pages::fields::Fields;
use crate::pages::messages::Text;
use crate::pages::page::{Badge, FORM_TOKEN, Page, Time, show};

#[derive(Template)]
#[template(path = "tokens.html")]
struct TokensPage<'a> {
    page: &'a Page,
    tokens: Vec<Row>,
    count: String,
    /// Why none can be created.
    obstacle: Option<String>,
    /// What has just been done.
    done: Option<String>,
    /// That tokens outlive the one with which they were created.
    outlived: Option<String>,
}

struct Row {
    id: i64,
    name: String,
    badge: Badge,
    created: Time,
    last_used: Option<Time>,
    expires: Option<Time>,
    revoke_label: String,
    question: String,
    /// Whether other tokens of the list were created with it.
    has_children: bool,
}

impl Row {
    fn new(page: &Page, token: Token, parents: &HashSet<TokenId>) -> Self {
        Self {
            has_children: parents.contains(&token.id),
            id: token.id.get(),
            badge: page.badge(page.pats().status(&token)),
            created: page.time(token.created_at),
            last_used: token.last_used_at.map(|at| page.time(at)),
            expires: token.expires_at.map(|at| page.time(at)),
            revoke_label: page.t(Text::RevokeNamed(&token.name)).into_owned(),
            question: page.t(Text::RevokeQuestion(&token.name)).into_owned(),
            name: token.name,
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
    let count = u32::try_from(tokens.len()).unwrap_or(u32::MAX);
    let max = page.pats().settings().max_tokens_per_user();
    let fields = Fields::of_query(query.as_deref());
    let is_done = fields.find("revoked").is_some();
    let parents = tokens.iter().filter_map(|token| token.parent).collect();
    let rows = tokens.into_iter().rev();
    let rows = rows.map(|token| Row::new(&page, token, &parents));
    let template = TokensPage {
        tokens: rows.collect(),
        count: page.t(Text::TokenCount { count, max }).into_owned(),
        obstacle: obstacle(&page, count),
        done: is_done.then(|| page.t(Text::Revoked).into_owned()),
        outlived: outlived(&page, &fields),
        page: &page,
    };
    show(StatusCode::OK, &template)
}

/// What the address says that a revocation has left.
pub(in crate::pages) fn outlived(page: &Page, fields: &Fields) -> Option<String> {
    let count = fields
        .get("children")
        .parse()
        .ok()
        .filter(|count| *count > 0)?;
    Some(page.t(Text::LiveChildren(count)).into_owned())
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
