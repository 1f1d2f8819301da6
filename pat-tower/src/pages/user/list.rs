use std::collections::{HashMap, HashSet};

use askama::Template;
use axum::Extension;
use axum::extract::RawQuery;
use axum::response::Response;
use http::StatusCode;
use pat_core::settings::CreateByToken;
use pat_core::{Token, TokenId, TokenStatus};

use crate::pages::fields::Fields;
use crate::pages::messages::Text;
use crate::pages::page::{Badge, FEW_SCOPES, FORM_TOKEN, Page, ScopeList, Time, show};

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

struct Row {
    id: i64,
    name: String,
    badge: Badge,
    scopes: ScopeList,
    created: Time,
    last_used: Option<Time>,
    expires: Option<Time>,
    revoke_label: String,
    question: String,
    /// Whether to ask if tokens that were created with it are to be revoked too.
    has_children: bool,
}

impl Row {
    fn new(page: &Page, token: Token, with_children: &HashSet<TokenId>) -> Self {
        Self {
            has_children: with_children.contains(&token.id),
            id: token.id.get(),
            badge: page.badge(page.pats().status(&token)),
            scopes: page.scopes(token.scopes.as_ref(), FEW_SCOPES),
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
    let with_children = with_live_children(&page, &tokens);
    let shows_scopes = page.shows_scopes(&tokens);
    let rows = tokens.into_iter().rev();
    let rows = rows.map(|token| Row::new(&page, token, &with_children));
    let template = TokensPage {
        tokens: rows.collect(),
        shows_scopes,
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

/// The tokens that valid ones were created with and that these would outlive.
pub(super) fn with_live_children(page: &Page, tokens: &[Token]) -> HashSet<TokenId> {
    if page.pats().settings().create_by_token() == CreateByToken::Capped {
        return HashSet::new();
    }
    let is_valid = |token: &Token| {
        let status = page.pats().status(token);
        !matches!(status, TokenStatus::Expired | TokenStatus::Revoked)
    };
    ancestors_of_valid(
        tokens
            .iter()
            .map(|token| (token.id, token.parent, is_valid(token))),
    )
}

/// The tokens with which valid ones were created, directly or through others that are listed: by their
/// IDs, their parents, and whether they are valid. The store counts in the same way.
fn ancestors_of_valid(
    tokens: impl Iterator<Item = (TokenId, Option<TokenId>, bool)> + Clone,
) -> HashSet<TokenId> {
    let parents: HashMap<_, _> = tokens.clone().map(|(id, parent, _)| (id, parent)).collect();
    let mut found = HashSet::new();
    for (_, mut parent, _) in tokens.filter(|(.., is_valid)| *is_valid) {
        while let Some(id) = parent.filter(|id| found.insert(*id)) {
            parent = parents.get(&id).copied().flatten();
        }
    }
    found
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

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: i64) -> TokenId {
        TokenId::new(number).expect("an ID")
    }

    #[test]
    fn only_valid_children_count() {
        for (tokens, expected) in [
            (&[(1, None, true), (2, Some(1), true)][..], &[1][..]),
            (&[(1, None, true), (2, Some(1), false)], &[]),
            (
                &[(1, None, true), (2, Some(1), false), (3, Some(2), true)],
                &[1, 2],
            ),
            (
                &[(2, Some(1), true), (3, Some(2), true), (4, Some(2), true)],
                &[1, 2],
            ),
        ] {
            let tokens = tokens.iter();
            let tokens =
                tokens.map(|(number, parent, is_valid)| (id(*number), parent.map(id), *is_valid));
            let expected: HashSet<_> = expected.iter().copied().map(id).collect();
            assert_eq!(ancestors_of_valid(tokens), expected);
        }
    }
}
