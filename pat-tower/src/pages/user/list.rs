use std::collections::HashSet;

use askama::Template;
use axum::Extension;
use axum::extract::RawQuery;
use axum::response::Response;
use http::StatusCode;
use pat_core::search::{Order, RevokedTokens};
use pat_core::{OwnPage, OwnSearch, Token, TokenId};

use super::done::Done;
use super::line::{count_of, predecessors, with_live_family};
use super::revoke::consequence;
use crate::pages::csrf_token::FORM_TOKEN;
use crate::pages::fields::Fields;
use crate::pages::page::{Badge, FEW_SCOPES, Page, ScopeList, Time, show};
use crate::pages::paging::{self, Column, STATUS, Total};
use crate::pages::text::Text;
use crate::pages::token::may_owner_read_reason;

/// How many tokens a page of the list has.
const PAGE_LEN: u32 = 100;
/// From how many tokens on the list has a field to search them.
const MANY: usize = 10;

#[derive(Template)]
#[template(path = "tokens.html")]
struct TokensPage<'a> {
    page: &'a Page,
    tokens: Vec<Row>,
    columns: Vec<Column>,
    tools: Tools<'a>,
    shows_scopes: bool,
    count: String,
    /// Why none can be created.
    obstacle: Option<String>,
    /// What has just been done.
    done: Done,
    /// That tokens outlive the one with which they were created.
    outlived: Option<String>,
}

/// The search and the pages.
struct Tools<'a> {
    /// What is searched.
    contains: &'a str,
    has_search: bool,
    /// The fields that a search keeps.
    kept: Vec<(&'static str, &'static str)>,
    /// The other list, with or without revoked tokens, as the query of a link and its text.
    other: (String, String),
    /// Which tokens are on this page, if there are others.
    range: Option<String>,
    /// The queries of links.
    previous: Option<String>,
    next: Option<String>,
}

/// What the address of the list says.
struct Shown<'a> {
    contains: &'a str,
    shows_revoked: bool,
    order: Order,
    /// Counted from 0.
    page: u32,
}

impl<'a> Shown<'a> {
    fn new(fields: &'a Fields) -> Self {
        let page = fields.get("page").parse().unwrap_or(1_u32);
        Self {
            contains: fields.get("contains").trim(),
            shows_revoked: fields.get("show") == "revoked",
            order: paging::order(fields),
            page: page.saturating_sub(1).min(u32::MAX / PAGE_LEN),
        }
    }

    fn search(&self) -> OwnSearch {
        let mut search = OwnSearch::new(self.page * PAGE_LEN, PAGE_LEN);
        self.contains.clone_into(&mut search.contains);
        search.order = self.order;
        if self.shows_revoked {
            search.revoked = RevokedTokens::Included;
        }
        search
    }

    /// The fields besides the searched text.
    fn kept(&self) -> Vec<(&'static str, &'static str)> {
        let mut kept = paging::fields_of(self.order);
        kept.extend(self.shows_revoked.then_some(("show", "revoked")));
        kept
    }

    /// The query of a link to these tokens, in this order or another one.
    fn query(&self, more: &[(&str, &str)]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs((!self.contains.is_empty()).then_some(("contains", self.contains)));
        query.extend_pairs(self.shows_revoked.then_some(("show", "revoked")));
        query.extend_pairs(more);
        query.finish()
    }

    /// The query of a link to the page with this number, counted from 0.
    fn query_of_page(&self, number: u32) -> String {
        let number = (number > 0).then(|| (number + 1).to_string());
        let mut more = paging::fields_of(self.order);
        more.extend(number.as_deref().map(|number| ("page", number)));
        self.query(&more)
    }

    /// The list with revoked tokens, if this one is without, and the other way round.
    fn other(&self, page: &Page) -> (String, String) {
        let (other, text) = if self.shows_revoked {
            (false, Text::HideRevoked)
        } else {
            (true, Text::ShowRevoked)
        };
        let other = Self {
            shows_revoked: other,
            page: 0,
            ..*self
        };
        (other.query_of_page(0), page.t(text).into_owned())
    }

    fn tools(&self, page: &Page, found: &OwnPage) -> Tools<'a> {
        let on_page = u32::try_from(found.tokens.len()).unwrap_or(u32::MAX);
        let has_next = found.offset + on_page < found.found;
        let has_previous = found.offset > 0;
        let first = u64::from(found.offset) + 1;
        Tools {
            contains: self.contains,
            has_search: found.unrevoked.len() > MANY || !self.contains.is_empty(),
            kept: self.kept(),
            other: self.other(page),
            range: (has_next || has_previous).then(|| {
                paging::range(
                    page,
                    first,
                    on_page.into(),
                    Total::Exactly(found.found.into()),
                )
            }),
            previous: has_previous.then(|| self.query_of_page(self.page.saturating_sub(1))),
            next: has_next.then(|| self.query_of_page(self.page + 1)),
        }
    }
}

/// When a token was revoked, and why.
struct RevokedNote {
    at: Time,
    by_administrator: bool,
    reason: Option<String>,
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
    revoked: Option<RevokedNote>,
    question: String,
    consequence: String,
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
            last_used: token.last_used_at.map(|at| page.time(at)),
            expires: token.expires_at.map(|at| page.time(at)),
            is_valid,
            is_replaced: is_valid && is_replaced,
            is_replaceable: is_valid && !is_replaced,
            is_disabled: token.disabled.is_some(),
            revoked: token.revoked_at.map(|at| RevokedNote {
                at: page.time(at),
                by_administrator: token
                    .revoked_by
                    .as_ref()
                    .is_some_and(|by| *by != token.owner),
                reason: token
                    .revoke_reason
                    .clone()
                    .filter(|_| may_owner_read_reason(page, token)),
            }),
            question: page.t(Text::RevokeQuestion(&token.name)).into_owned(),
            consequence: page.t(consequence(page, token)).into_owned(),
            needs_page: with_family.contains(&token.id)
                || predecessors(token, tokens).next().is_some(),
        }
    }
}

pub(in crate::pages) async fn list(
    Extension(page): Extension<Page>,
    RawQuery(query): RawQuery,
) -> Response {
    let fields = Fields::of_query(query.as_deref());
    let shown = Shown::new(&fields);
    let found = match page.pats().search_own(page.caller(), &shown.search()).await {
        Ok(found) => found,
        Err(error) => return page.inaccessible(&error),
    };
    if found.tokens.is_empty() && found.found > 0 {
        // The page is behind the last one.
        let last = (found.found - 1) / PAGE_LEN;
        let query = shown.query_of_page(last);
        let mark = if query.is_empty() { "" } else { "?" };
        return page.go_to(&format!("tokens{mark}{query}"));
    }
    // What is revoked counts for nothing, and has no family that goes on.
    let tokens = &found.unrevoked;
    let count = count_of(tokens);
    let max = page.pats().settings().max_tokens_per_user();
    let with_family = with_live_family(&page, tokens);
    let rows = found.tokens.iter();
    let rows = rows.map(|token| Row::new(&page, token, tokens, &with_family));
    let keys = ["name", STATUS, "created", "used", "expires"];
    let template = TokensPage {
        tokens: rows.collect(),
        columns: paging::columns(&page, &keys, shown.order, |more| shown.query(more)),
        tools: shown.tools(&page, &found),
        shows_scopes: page.shows_scopes(&found.tokens),
        count: page.t(Text::TokenCount { count, max }).into_owned(),
        obstacle: obstacle(&page, count),
        done: Done::of(&page, &fields).await,
        outlived: outlived(&page, &fields),
        page: &page,
    };
    show(StatusCode::OK, &template)
}

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
