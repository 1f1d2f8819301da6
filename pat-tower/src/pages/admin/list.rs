use std::collections::BTreeSet;

use askama::Template;
use axum::Extension;
use axum::extract::RawQuery;
use axum::response::Response;
use http::StatusCode;
use pat_core::scope::Scopes;
use pat_core::search::{Filter, Order, RevokedTokens};
use pat_core::{Administration, Token, TokenId, TokenStatus, User};

use super::administration;
use super::filter::{FieldError, FilterForm, Quick, UNRESTRICTED};
use super::found::{OwnerState, Position, Users, page_of, users};
use super::revoke::MAX_SELECTED;
use super::selection::{self, Selection};
use crate::pages::fields::Fields;
use crate::pages::filter_names::QUICK_NAMES;
use crate::pages::headers::connecting;
use crate::pages::page::{Badge, FEW_SCOPES, Page, ScopeList, Time, show};
use crate::pages::paging::{self, Column, PagePosition, STATUS, Total};
use crate::pages::text::Text;
use crate::pages::user::outlived;

/// How many found tokens are counted, as for searches of the API: to count more takes longer than to read the page.
const MOST_COUNTED: u64 = 10_000;

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
    quick: Vec<QuickFilter>,
    /// The query of this list.
    same: String,
    columns: Vec<Column>,
    /// The fields that ask for the order.
    order: Vec<(&'static str, &'static str)>,
    /// The tokens that the address says are selected, on this page and others.
    selected: Vec<TokenId>,
    found: Found,
    done: Option<String>,
    notes: Vec<String>,
}

/// A button that sets a criterion of the filter, or removes it.
struct QuickFilter {
    label: String,
    query: String,
    is_set: bool,
}

impl AdminPage<'_> {
    /// How many criteria are set in the form, which may be folded.
    fn criteria(&self) -> u32 {
        let pairs = self.form.pairs().into_iter();
        let set = pairs.filter(|(name, _)| !QUICK_NAMES.contains(name));
        u32::try_from(set.count()).unwrap_or(u32::MAX)
    }

    /// The criteria that the form has no fields for.
    fn quick_pairs(&self) -> Vec<(&'static str, &str)> {
        let pairs = self.form.pairs().into_iter();
        pairs
            .filter(|(name, _)| QUICK_NAMES.contains(name))
            .collect()
    }

    /// What is wrong with a criterion that the form has no field for.
    fn quick_error(&self) -> Option<&str> {
        QUICK_NAMES.iter().find_map(|name| self.error(name))
    }

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

/// What the filter finds.
#[derive(Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a question of the template"
)]
struct Found {
    rows: Vec<Row>,
    shows_scopes: bool,
    /// Whether there is one that can be selected.
    is_selectable: bool,
    /// Which tokens are on this page, and how many there are.
    range: String,
    revoke_label: Option<String>,
    /// If there are more than on this page.
    all: Option<All>,
    /// The selected tokens that are not on this page.
    elsewhere: Vec<TokenId>,
    elsewhere_label: Option<String>,
    /// Whether all that the filter finds is selected.
    is_all_selected: bool,
    export: String,
    /// The values of the buttons to other pages.
    previous: Option<String>,
    next: Option<String>,
    /// Whether the first page is another one.
    has_first: bool,
}

/// The offer of the script once all tokens of the page are selected.
struct All {
    page_selected: String,
    /// The offer to select all that is found, if that can be revoked.
    select: Option<String>,
    found_selected: String,
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
    owner: User,
    /// That the owner is no longer active, or no longer there.
    owner_badge: Option<Badge>,
    badge: Badge,
    is_selected: bool,
    is_disabled: bool,
    is_valid: bool,
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
    pause_label: String,
    resume_label: String,
}

struct RevokedNote {
    at: Time,
    /// The full name, if a user revoked it.
    by: Option<String>,
    reason: Option<String>,
}

impl Row {
    fn new(page: &Page, form: &FilterForm, token: Token, users: Users, is_selected: bool) -> Self {
        let badge = page.badge_of(&token);
        let is_valid = token.validity(page.pats().now()).is_ok();
        let is_replaced = is_valid && token.replaced.is_some();
        let revoked = token.revoked_at.map(|at| RevokedNote {
            at: page.time(at),
            by: users.revoked_by.map(|user| user.full_name),
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
            pause_label: page.t(Text::PauseNamed(&token.name)).into_owned(),
            resume_label: page.t(Text::ResumeNamed(&token.name)).into_owned(),
            owner_badge: owner_badge(page, users.owner_state),
            owner: users.owner,
            is_selected,
            is_disabled: token.disabled.is_some(),
            is_valid,
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
    if let Some(list) = selection::target(&form, &fields) {
        return Ok(page.go_to(&list));
    }
    let order = paging::order(&fields);
    let selection = Selection::new(&fields);
    let mut template = AdminPage {
        page: &page,
        form: &form,
        errors: Vec::new(),
        statuses: statuses(&page, form.get("status")),
        scopes: scopes(&page, form.get("scope")),
        ranges: ranges(&page, &form),
        zone: page.zone_name(),
        quick: quick(&page, &form, order),
        same: form.query(&paging::fields_of(order)),
        columns: paging::columns(&page, &COLUMNS, order, |more| form.query(more)),
        order: paging::fields_of(order),
        selected: selection.ids.iter().copied().collect(),
        found: Found::default(),
        done: done(&page, admin, &fields).await?,
        notes: Vec::new(),
    };
    let completed = match form.complete(&page, admin).await? {
        Ok(completed) => completed,
        Err(wrong) => {
            let errors = wrong.into_iter();
            let errors = errors.map(|FieldError(name, text)| (name, page.t(text).into_owned()));
            template.errors = errors.collect();
            template.found.elsewhere.clone_from(&template.selected);
            return Ok(connecting(show(StatusCode::BAD_REQUEST, &template)));
        }
    };
    let start = Position::new(&fields, order);
    let mut notes: Vec<_> = [
        fields.find("nothing").map(|_| Text::NothingSelected),
        selection
            .is_too_large
            .then_some(Text::TooManySelected(MAX_SELECTED)),
        start.is_none().then_some(Text::CursorUnreadable),
        completed.lacks_owners.then_some(Text::OwnersIncomplete),
    ]
    .into_iter()
    .flatten()
    .map(|text| page.t(text).into_owned())
    .collect();
    notes.extend(outlived(&page, &fields));
    template.notes = notes;
    let start = start.unwrap_or(Position::First);
    template.found = find(
        &page,
        admin,
        &form,
        completed.filter,
        order,
        start,
        &selection,
    )
    .await?;
    Ok(connecting(show(StatusCode::OK, &template)))
}

/// The columns to sort by, as links name them.
const COLUMNS: [&str; 6] = ["name", STATUS, "owner", "created", "used", "expires"];

/// What has just been done, as the address says: how many tokens were revoked, or the ID of another one.
async fn done(
    page: &Page,
    admin: &Administration<'_>,
    fields: &Fields,
) -> Result<Option<String>, Response> {
    if let Ok(count) = fields.get("revoked").parse() {
        return Ok(Some(page.t(Text::RevokedMany(count)).into_owned()));
    }
    for (name, is_paused) in [("paused", true), ("resumed", false)] {
        let Some(id) = fields.get(name).parse().ok().and_then(TokenId::new) else {
            continue;
        };
        let found = admin.find(&[id]).await;
        let found = found.map_err(|error| page.not_administered(&error))?;
        return Ok(found.first().map(|token| {
            let text = if is_paused {
                Text::Paused(&token.name)
            } else {
                Text::Resumed(&token.name)
            };
            page.t(text).into_owned()
        }));
    }
    Ok(None)
}

fn quick(page: &Page, form: &FilterForm, order: Order) -> Vec<QuickFilter> {
    let filters = Quick::OFFERED.into_iter().map(|quick| QuickFilter {
        label: page.t(quick.text()).into_owned(),
        query: form.toggled(quick, &paging::fields_of(order)),
        is_set: form.has(quick),
    });
    filters.collect()
}

async fn find(
    page: &Page,
    admin: &Administration<'_>,
    form: &FilterForm,
    filter: Filter,
    order: Order,
    start: Position,
    selection: &Selection,
) -> Result<Found, Response> {
    let fail = |error| page.not_administered(&error);
    let count = admin.count_up_to(&filter, MOST_COUNTED + 1);
    let count = count.await.map_err(fail)?;
    // What is found is what can be revoked, unless it is revoked already.
    let is_revocable = filter.is_effective() && filter.revoked == RevokedTokens::Excluded;
    let is_revocable = is_revocable && count > 0;
    let found = page_of(admin, filter, order, start).await.map_err(fail)?;
    let users = users(admin, &found.tokens).await.map_err(fail)?;
    let on_page = found.tokens.len() as u64;
    let total = match (count > MOST_COUNTED, &found.next) {
        (false, _) => Total::Exactly(count),
        (true, Some(_)) => Total::MoreThan(MOST_COUNTED),
        (true, None) => Total::Exactly(found.first + on_page.saturating_sub(1)),
    };
    // How many there are, or only that it is all of them.
    let numbered = |with_number: fn(u64) -> Text<'static>, of_all| {
        let text = match total {
            Total::Exactly(count) => with_number(count),
            Total::MoreThan(_) => of_all,
        };
        page.t(text).into_owned()
    };
    let all = (count > on_page).then(|| All {
        page_selected: page.t(Text::PageSelected(on_page)).into_owned(),
        select: is_revocable.then(|| numbered(Text::SelectFound, Text::SelectAllFound)),
        found_selected: numbered(Text::FoundSelected, Text::AllFoundSelected),
    });
    let is_all_selected = selection.is_all && is_revocable && all.is_some();
    let is_selectable = found.tokens.iter().any(|token| token.revoked_at.is_none());
    let shows_scopes = page.shows_scopes(&found.tokens);
    let here: BTreeSet<_> = found.tokens.iter().map(|token| token.id).collect();
    let elsewhere = selection.ids.difference(&here).copied();
    let elsewhere = if is_all_selected {
        Vec::new()
    } else {
        elsewhere.collect()
    };
    let range = paging::range(page, found.first, on_page, total);
    let rows = found.tokens.into_iter().zip(users);
    let rows = rows.map(|(token, users)| {
        let is_selected = is_all_selected || selection.ids.contains(&token.id);
        Row::new(page, form, token, users, is_selected)
    });
    Ok(Found {
        rows: rows.collect(),
        shows_scopes,
        is_selectable,
        range,
        revoke_label: is_revocable.then(|| numbered(Text::RevokeFound, Text::RevokeAllFound)),
        all,
        elsewhere_label: (!elsewhere.is_empty()).then(|| {
            let count = elsewhere.len() as u64;
            page.t(Text::SelectedElsewhere(count)).into_owned()
        }),
        elsewhere,
        is_all_selected,
        export: form.query(&paging::fields_of(order)),
        has_first: found.first > 1 || found.previous.is_some(),
        previous: found.previous.as_ref().map(PagePosition::encode),
        next: found.next.as_ref().map(PagePosition::encode),
    })
}

fn owner_badge(page: &Page, state: OwnerState) -> Option<Badge> {
    let (class, text) = match state {
        OwnerState::Active => return None,
        OwnerState::Inactive => ("disabled", Text::OwnerInactive),
        OwnerState::Missing => ("expired", Text::OwnerMissing),
    };
    let words = page.t(text).into_owned();
    Some(Badge { class, words })
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
