//! The tokens that nothing has used for some days.

use askama::Template;
use axum::Extension;
use axum::extract::RawQuery;
use axum::response::Response;
use http::StatusCode;
use pat_core::search::{Filter, Search, Sort, SortKey, Start};
use pat_core::{Administration, Token, User};

use super::administration;
use crate::http::cursor::PageCursor;
use crate::pages::fields::Fields;
use crate::pages::page::{Page, Time, show};
use crate::pages::text::Text;

/// How many tokens a page of the list has.
const PAGE_LEN: u32 = 50;
/// The days of the list if neither the address nor the setting has a number.
pub(super) const USUAL_DAYS: u32 = 90;
/// The most days of the setting `pat.unused.revoke.days`.
const MAX_DAYS: u32 = 36_500;
/// Unused for longest first.
const SORT: Sort = Sort {
    key: SortKey::LastUsedAt,
    is_descending: false,
};

#[derive(Template)]
#[template(path = "unused.html")]
struct UnusedPage<'a> {
    page: &'a Page,
    /// Whether unused tokens are revoked.
    state: String,
    days: &'a str,
    error: Option<String>,
    list: Option<List>,
}

struct List {
    count: String,
    is_too_many: bool,
    rows: Vec<Row>,
    first: Option<String>,
    next: Option<String>,
}

struct Row {
    id: i64,
    name: String,
    owner: User,
    created: Time,
    last_used: Option<Time>,
}

/// What the setting `pat.unused.revoke.days` with this number would revoke, and the live tokens that it could.
pub(super) fn filters(page: &Page, days: u32) -> [Filter; 2] {
    let unused = page.pats().unused_filter(days);
    let mut live = unused.clone();
    live.unused_since = None;
    [unused, live]
}

/// Whether unused tokens are revoked, and after how many days.
pub(super) fn state(page: &Page) -> String {
    let text = match page.pats().settings().unused_revoke_days() {
        0 => Text::UnusedOff,
        days => Text::UnusedOn(days),
    };
    page.t(text).into_owned()
}

/// The days of the list unless the address has some.
pub(super) fn usual_days(page: &Page) -> u32 {
    match page.pats().settings().unused_revoke_days() {
        0 => USUAL_DAYS,
        days => days,
    }
}

pub(in crate::pages) async fn unused(
    Extension(page): Extension<Page>,
    RawQuery(query): RawQuery,
) -> Result<Response, Response> {
    let admin = administration(&page)?;
    let fields = Fields::of_query(query.as_deref());
    let usual = usual_days(&page).to_string();
    let typed = fields.find("days").unwrap_or(&usual).trim();
    let days = typed.parse().ok();
    let days = days.filter(|days| (1..=MAX_DAYS).contains(days));
    let mut template = UnusedPage {
        page: &page,
        state: state(&page),
        days: typed,
        error: None,
        list: None,
    };
    let Some(days) = days else {
        template.error = Some(page.t(Text::UnusedDaysWrong(MAX_DAYS)).into_owned());
        return Ok(show(StatusCode::BAD_REQUEST, &template));
    };
    template.list = Some(list(&page, admin, days, fields.get("cursor")).await?);
    Ok(show(StatusCode::OK, &template))
}

async fn list(
    page: &Page,
    admin: &Administration<'_>,
    days: u32,
    cursor: &str,
) -> Result<List, Response> {
    let fail = |error| page.not_administered(&error);
    let cursor = PageCursor::decode(cursor).filter(|cursor| cursor.sort == SORT);
    let is_first = cursor.is_none();
    let start = cursor.map_or(Start::Offset(0), |cursor| Start::After(cursor.after));
    let filters = filters(page, days);
    let counts = admin.count_each(&filters).await.map_err(fail)?;
    let [count, live] = counts[..] else {
        return Err(page.busy());
    };
    let [unused, _] = filters;
    let search = Search::new(unused, SORT, start, PAGE_LEN);
    let found = admin.search(&search).await.map_err(fail)?;
    let owners = admin.owners_of(&found.tokens).await.map_err(fail)?;
    let rows = found.tokens.into_iter().zip(owners);
    let row = |(token, owner): (Token, User)| Row {
        id: token.id.get(),
        name: token.name,
        owner,
        created: page.time(token.created_at),
        last_used: token.last_used_at.map(|at| page.time(at)),
    };
    let next = found.next.map(|after| {
        let cursor = PageCursor { sort: SORT, after }.encode();
        format!("days={days}&cursor={cursor}")
    });
    Ok(List {
        count: page.t(Text::UnusedCount { count, live }).into_owned(),
        is_too_many: count > live / 2,
        rows: rows.map(row).collect(),
        first: (!is_first).then(|| format!("days={days}")),
        next,
    })
}
