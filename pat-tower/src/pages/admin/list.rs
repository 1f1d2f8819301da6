use askama::Template;
use axum::Extension;
use axum::extract::RawQuery;
use axum::response::Response;
use http::StatusCode;
use pat_core::scope::Scopes;
use pat_core::search::{Filter, RevokedTokens, Search, Sort, Start};
use pat_core::{AdminError, Administration, Token, TokenStatus, User};

use super::administration;
use super::filter::{COLUMNS, FieldError, FilterForm, UNRESTRICTED, sort};
use crate::http::cursor::PageCursor;
use crate::pages::fields::Fields;
use crate::pages::headers::connecting;
use crate::pages::page::{Badge, FEW_SCOPES, Page, ScopeList, Time, show};
use crate::pages::text::Text;
use crate::pages::user::outlived;

/// How many tokens a page of the list has.
const PAGE_LEN: u32 = 50;

#[derive(Template)]
#[template(path = "admin.html")]
struct AdminPage<'a> {
    page: &'a Page,
    form: &'a FilterForm,
    /// What is wrong with which field.
    errors: Vec<(&'static str, String)>,
    statuses: Vec<Choice>,
    /// None for a host without scopes.
    scopes: Vec<Choice>,
    ranges: Vec<Range>,
    zone: String,
    columns: Vec<Column>,
    found: Found,
    done: Option<String>,
    note: Option<String>,
}

impl AdminPage<'_> {
    fn error(&self, name: &str) -> Option<&str> {
        let mut errors = self.errors.iter();
        errors
            .find(|(field, _)| *field == name)
            .map(|(_, text)| text.as_str())
    }
}

struct Choice {
    value: String,
    label: String,
    is_chosen: bool,
}

/// A range of dates in the filter.
struct Range {
    label: String,
    /// From and to.
    days: [Day; 2],
}

struct Day {
    name: &'static str,
    label: String,
    value: String,
}

struct Column {
    label: String,
    /// The query that sorts by it.
    query: String,
    /// What `aria-sort` says.
    order: Option<&'static str>,
}

/// What the filter finds.
#[derive(Default)]
struct Found {
    rows: Vec<Row>,
    shows_scopes: bool,
    /// Whether there is one that can be selected.
    is_selectable: bool,
    count_label: String,
    revoke_label: Option<String>,
    /// If there are more than on this page.
    all: Option<All>,
    export: String,
    first: Option<String>,
    next: Option<String>,
}

/// The offer of the script once all tokens of the page are selected.
struct All {
    page_selected: String,
    /// The offer to select all that is found, if that can be revoked.
    select: Option<String>,
    found_selected: String,
}

struct Row {
    id: i64,
    name: String,
    description: Option<String>,
    hint: Option<String>,
    owner: User,
    badge: Badge,
    scopes: ScopeList,
    created: Time,
    last_used: Option<Time>,
    expires: Option<Time>,
    /// Whether it is replaced, and works until it expires.
    is_replaced: bool,
    /// When and why it was revoked, and by whom.
    revoked: Option<RevokedNote>,
    select_label: String,
    revoke_label: String,
    revoke_query: String,
}

struct RevokedNote {
    at: Time,
    /// The full name, if a user revoked it.
    by: Option<String>,
    reason: Option<String>,
}

impl Row {
    fn new(
        page: &Page,
        form: &FilterForm,
        token: Token,
        owner: User,
        revoked_by: Option<User>,
    ) -> Self {
        let badge = page.badge_of(&token);
        let is_valid = token.validity(page.pats().now()).is_ok();
        let is_replaced = is_valid && token.replaced.is_some();
        let revoked = token.revoked_at.map(|at| RevokedNote {
            at: page.time(at),
            by: revoked_by.map(|user| user.full_name),
            reason: token.revoke_reason,
        });
        Self {
            id: token.id.get(),
            badge,
            scopes: page.scopes(token.scopes.as_ref(), FEW_SCOPES),
            created: page.time(token.created_at),
            last_used: token.last_used_at.map(|at| page.time(at)),
            expires: token.expires_at.map(|at| page.time(at)),
            is_replaced,
            revoked,
            select_label: page.t(Text::SelectNamed(&token.name)).into_owned(),
            revoke_label: page.t(Text::RevokeNamed(&token.name)).into_owned(),
            revoke_query: form.query(&[("id", &token.id.to_string())]),
            owner,
            name: token.name,
            description: token.description,
            hint: token.hint,
        }
    }
}

pub(in crate::pages) async fn list(
    Extension(page): Extension<Page>,
    RawQuery(query): RawQuery,
) -> Result<Response, Response> {
    let admin = administration(&page)?;
    let fields = Fields::of_query(query.as_deref());
    let form = FilterForm::new(fields.clone());
    let sort = sort(&fields);
    let mut template = AdminPage {
        page: &page,
        form: &form,
        errors: Vec::new(),
        statuses: statuses(&page, form.get("status")),
        scopes: scopes(&page, form.get("scope")),
        ranges: ranges(&page, &form),
        zone: page.zone_name(),
        columns: columns(&page, &form, sort),
        found: Found::default(),
        done: fields
            .get("revoked")
            .parse()
            .ok()
            .map(|count: u64| page.t(Text::RevokedMany(count)).into_owned()),
        note: fields
            .find("nothing")
            .map(|_| page.t(Text::NothingSelected).into_owned())
            .or_else(|| outlived(&page, &fields)),
    };
    let filter = match form.complete(&page, admin).await? {
        Ok(filter) => filter,
        Err(wrong) => {
            let errors = wrong.into_iter();
            let errors = errors.map(|FieldError(name, text)| (name, page.t(text).into_owned()));
            template.errors = errors.collect();
            return Ok(connecting(show(StatusCode::BAD_REQUEST, &template)));
        }
    };
    let cursor = fields.get("cursor");
    let start = PageCursor::decode(cursor).filter(|cursor| cursor.sort == sort);
    if start.is_none() && !cursor.is_empty() {
        template.note = Some(page.t(Text::CursorUnreadable).into_owned());
    }
    template.found = find(&page, admin, &form, filter, sort, start).await?;
    Ok(connecting(show(StatusCode::OK, &template)))
}

async fn find(
    page: &Page,
    admin: &Administration<'_>,
    form: &FilterForm,
    filter: Filter,
    sort: Sort,
    cursor: Option<PageCursor>,
) -> Result<Found, Response> {
    let fail = |error| page.not_administered(&error);
    let is_first = cursor.is_none();
    let count = admin.count(&filter).await.map_err(fail)?;
    // What is found is what can be revoked, unless it is revoked already.
    let is_revocable = filter.is_effective() && filter.revoked == RevokedTokens::Excluded;
    let revocable = if is_revocable { count } else { 0 };
    let search = Search::new(
        filter,
        sort,
        cursor.map_or(Start::Offset(0), |cursor| Start::After(cursor.after)),
        PAGE_LEN,
    );
    let found = admin.search(&search).await.map_err(fail)?;
    let users = users(admin, &found.tokens).await.map_err(fail)?;
    let on_page = found.tokens.len() as u64;
    let all = (count > on_page).then(|| All {
        page_selected: page.t(Text::PageSelected(on_page)).into_owned(),
        select: (revocable > 0).then(|| page.t(Text::SelectFound(revocable)).into_owned()),
        found_selected: page.t(Text::FoundSelected(revocable)).into_owned(),
    });
    let is_selectable = found.tokens.iter().any(|token| token.revoked_at.is_none());
    let shows_scopes = page.shows_scopes(&found.tokens);
    let rows = found.tokens.into_iter().zip(users);
    let (key, order) = names_of(sort);
    let sorted = [("sort", key), ("order", order)];
    let next = found.next.map(|after| {
        let cursor = PageCursor { sort, after }.encode();
        form.query(&[sorted[0], sorted[1], ("cursor", &cursor)])
    });
    Ok(Found {
        rows: rows
            .map(|(token, (owner, by))| Row::new(page, form, token, owner, by))
            .collect(),
        shows_scopes,
        is_selectable,
        count_label: page.t(Text::Found(count)).into_owned(),
        revoke_label: (revocable > 0).then(|| page.t(Text::RevokeFound(revocable)).into_owned()),
        all,
        export: form.query(&sorted),
        first: (!is_first).then(|| form.query(&sorted)),
        next,
    })
}

/// The owner of each token, and the user who revoked it. The directory is asked once.
async fn users(
    admin: &Administration<'_>,
    tokens: &[Token],
) -> Result<Vec<(User, Option<User>)>, AdminError> {
    let revoked = tokens.iter().filter_map(|token| {
        let by = token.revoked_by.clone()?;
        Some(Token::new(token.id, by, "", token.created_at))
    });
    let asked: Vec<_> = tokens.iter().cloned().chain(revoked).collect();
    let mut users = admin.owners_of(&asked).await?;
    let mut by = users.split_off(tokens.len()).into_iter();
    let pairs = users.into_iter().zip(tokens);
    let pair = |(owner, token): (User, &Token)| {
        let by = token.revoked_by.as_ref().and_then(|_| by.next());
        (owner, by)
    };
    Ok(pairs.map(pair).collect())
}

fn names_of(sort: Sort) -> (&'static str, &'static str) {
    let column = COLUMNS.iter().find(|(_, key)| *key == sort.key);
    let order = if sort.is_descending { "desc" } else { "asc" };
    (column.map_or("", |(name, _)| name), order)
}

/// The heads of the columns; following one sorts by it, and once more the other way round.
fn columns(page: &Page, form: &FilterForm, sort: Sort) -> Vec<Column> {
    let columns = COLUMNS.iter().map(|(name, key)| {
        let is_sorted = *key == sort.key;
        let order = match (is_sorted, sort.is_descending) {
            (true, false) => "desc",
            _ => "asc",
        };
        let label = match *name {
            "owner" => Text::Owner,
            "created" => Text::Created,
            "used" => Text::LastUsed,
            "expires" => Text::Expires,
            _ => Text::Name,
        };
        Column {
            label: page.t(label).into_owned(),
            query: form.query(&[("sort", name), ("order", order)]),
            order: is_sorted.then_some(if sort.is_descending {
                "descending"
            } else {
                "ascending"
            }),
        }
    });
    columns.collect()
}

fn statuses(page: &Page, chosen: &str) -> Vec<Choice> {
    let all = [
        TokenStatus::Active,
        TokenStatus::ExpiresSoon,
        TokenStatus::Disabled,
        TokenStatus::Expired,
        TokenStatus::Revoked,
    ];
    let choices = all.into_iter().map(|status| Choice {
        value: status.as_str().to_owned(),
        label: page.t(Text::Status(status)).into_owned(),
        is_chosen: status.as_str() == chosen,
    });
    choices.collect()
}

/// The scopes to choose from: the declared ones, and one from another time that a link names.
fn scopes(page: &Page, chosen: &str) -> Vec<Choice> {
    let choice = |value: &str, label: String| Choice {
        value: value.to_owned(),
        label,
        is_chosen: value == chosen,
    };
    let catalog = page.pats().scope_catalog();
    let other = Scopes::new([chosen]).is_ok() && catalog.set([chosen]).is_err();
    if catalog.is_empty() && chosen.is_empty() {
        return Vec::new();
    }
    let unrestricted = page.t(Text::Unrestricted).into_owned();
    let names = catalog.iter().map(|scope| scope.name());
    let names = names.chain(other.then_some(chosen));
    let names = names.map(|name| choice(name, name.to_owned()));
    let first = [choice(UNRESTRICTED, unrestricted)].into_iter();
    first.chain(names).collect()
}

fn ranges(page: &Page, form: &FilterForm) -> Vec<Range> {
    let range = |label, from, to| {
        let label = page.t(label).into_owned();
        let day = |name, text: Text<'_>| Day {
            name,
            label: page.t(text).into_owned(),
            value: form.get(name).to_owned(),
        };
        Range {
            days: [
                day(from, Text::FromNamed(&label)),
                day(to, Text::ToNamed(&label)),
            ],
            label,
        }
    };
    vec![
        range(Text::Created, "created_from", "created_to"),
        range(Text::LastUsed, "used_from", "used_to"),
        range(Text::Expires, "expires_from", "expires_to"),
    ]
}
