//! The numbers of tokens that need attention.

use askama::Template;
use axum::Extension;
use axum::response::Response;
use http::StatusCode;
use jiff::ToSpan as _;
use jiff::civil::Date;

use super::filter::{FilterForm, Quick, UNRESTRICTED, start_of};
use super::{administration, unused};
use crate::pages::fields::Fields;
use crate::pages::page::{Page, show};
use crate::pages::text::Text;

/// Within how many days tokens expire that the overview counts.
const EXPIRING_DAYS: u32 = 30;
/// Within how many days tokens were revoked that the overview counts.
const REVOKED_DAYS: u32 = 7;
/// How many weeks of expiries the plot has.
const WEEKS: u32 = 12;
/// Of how many weeks the plot names one.
const LABELLED: u32 = 4;

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage<'a> {
    page: &'a Page,
    numbers: Vec<Number>,
    /// Tokens that today's settings would not allow, if there are any.
    offenders: Vec<Number>,
    plot: Plot,
    /// Whether unused tokens are revoked.
    unused_state: String,
    unused_days: u32,
    unused_for: String,
    unused_count: String,
    undelivered: String,
    has_undelivered: bool,
}

/// How many tokens the list shows with a query.
struct Number {
    label: String,
    query: String,
    count: u64,
}

/// Which tokens to count: those that the list shows with a query.
struct Criterion {
    label: Text<'static>,
    query: String,
}

impl Criterion {
    fn new(label: Text<'static>, criteria: &[Quick], more: &[(&str, &str)]) -> Self {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(more);
        query.extend_pairs(criteria.iter().map(|quick| quick.pair()));
        Self {
            label,
            query: query.finish(),
        }
    }

    fn of(quick: Quick) -> Self {
        Self::new(quick.text(), &[quick], &[])
    }
}

fn criteria() -> Vec<Criterion> {
    let never_used = [Quick::NeverUsed, Quick::Valid];
    vec![
        Criterion::of(Quick::Valid),
        Criterion::of(Quick::ExpiresWithin(EXPIRING_DAYS)),
        Criterion::of(Quick::NeverExpires),
        Criterion::new(Quick::NeverUsed.text(), &never_used, &[]),
        Criterion::of(Quick::Unused(unused::USUAL_DAYS)),
        Criterion::of(Quick::RevokedWithin(REVOKED_DAYS)),
    ]
}

/// The live tokens that could not be created with today's settings: they never expire although a new token must, they
/// live longer than a new one may, or they have no scopes although a new one needs some. One token may count twice.
fn offences(page: &Page) -> Vec<Criterion> {
    let settings = page.pats().settings();
    let mut offences = Vec::new();
    if !settings.eternal_tokens_enabled() {
        let eternal = [Quick::NeverExpires];
        offences.push(Criterion::new(Text::OffendingEternal, &eternal, &[]));
    }
    let longest = settings.max_tokens_expiry_days();
    let long = [Quick::LongerThan(longest), Quick::Valid];
    offences.push(Criterion::new(Text::OffendingLife(longest), &long, &[]));
    if settings.scopes_required() && !page.pats().scope_catalog().is_empty() {
        let unrestricted = [("scope", UNRESTRICTED)];
        let valid = [Quick::Valid];
        offences.push(Criterion::new(Text::OffendingScopes, &valid, &unrestricted));
    }
    offences
}

/// The expiries of the next weeks.
struct Plot {
    summary: String,
    bars: Vec<Bar>,
}

/// The expiries of a week, with a rectangle in the units of the drawing.
struct Bar {
    count: u64,
    /// The first day, in words.
    day: String,
    /// Whether the plot names the day.
    is_labelled: bool,
    query: String,
    x: u32,
    y: u32,
    height: u32,
}

impl Bar {
    /// How wide a bar is, and the place for it.
    const WIDTH: u32 = 30;
    const PLACE: u32 = 40;
    /// The height of the longest bar, and where all bars end.
    const LONGEST: u64 = 100;
    const BOTTOM: u32 = 120;

    fn middle(&self) -> u32 {
        self.x + Self::WIDTH / 2
    }

    fn above(&self) -> u32 {
        self.y - 4
    }
}

impl Plot {
    fn new(page: &Page, weeks: &[Week], counts: &[u64]) -> Self {
        let most = counts.iter().copied().max().unwrap_or_default().max(1);
        let bar = |(number, (week, count)): (u32, (&Week, &u64))| {
            // A week with a token has a bar that can be seen.
            let height = (count * Bar::LONGEST).div_ceil(most);
            let height = u32::try_from(height).unwrap_or_default();
            Bar {
                count: *count,
                day: week.label(page),
                is_labelled: number.is_multiple_of(LABELLED),
                query: week.query(),
                x: number * Bar::PLACE + (Bar::PLACE - Bar::WIDTH) / 2,
                y: Bar::BOTTOM - height,
                height,
            }
        };
        let summary = Text::ExpiriesSummary {
            count: counts.iter().sum(),
            weeks: WEEKS,
        };
        Self {
            summary: page.t(summary).into_owned(),
            bars: (0..).zip(weeks.iter().zip(counts)).map(bar).collect(),
        }
    }
}

/// Seven days.
struct Week {
    first: Date,
    last: Date,
}

impl Week {
    /// The week of today and the ones after it.
    fn all(page: &Page) -> Vec<Self> {
        let today = page.pats().now().to_zoned_datetime(page.zone.clone());
        let mut first = Some(today.date());
        let weeks = (0..WEEKS).map_while(|_| {
            let week = first?;
            first = week.checked_add(7.days()).ok();
            let last = week.checked_add(6.days()).ok()?;
            Some(Self { first: week, last })
        });
        weeks.collect()
    }

    fn query(&self) -> String {
        let (valid, is_valid) = Quick::Valid.pair();
        let Self { first, last } = self;
        format!("expires_from={first}&expires_to={last}&{valid}={is_valid}")
    }

    fn label(&self, page: &Page) -> String {
        match start_of(self.first, &page.zone) {
            Some(start) => page.date(start).exact,
            None => self.first.to_string(),
        }
    }
}

pub(in crate::pages) async fn overview(
    Extension(page): Extension<Page>,
) -> Result<Response, Response> {
    let admin = administration(&page)?;
    let (criteria, offences, weeks) = (criteria(), offences(&page), Week::all(&page));
    let queries = criteria.iter().chain(&offences);
    let queries = queries.map(|criterion| criterion.query.clone());
    let queries = queries.chain(weeks.iter().map(Week::query));
    let filters = queries.map(|query| {
        let form = FilterForm::new(Fields::of_query(Some(&query)));
        form.without_owner(&page).0
    });
    let days = unused::usual_days(&page);
    let filters: Vec<_> = filters.chain(unused::filters(&page, days)).collect();
    // All numbers come from one pass over the tokens.
    let counts = admin.count_each(&filters).await;
    let counts = counts.map_err(|error| page.not_administered(&error))?;
    let (of_criteria, counts) = counts.split_at(criteria.len());
    let (of_offences, counts) = counts.split_at(offences.len());
    let (of_weeks, of_unused) = counts.split_at(weeks.len());
    let [count, live] = *of_unused else {
        return Err(page.busy());
    };
    let numbers = |criteria: Vec<Criterion>, counts: &[u64]| -> Vec<_> {
        let number = |(criterion, count): (Criterion, &u64)| Number {
            label: page.t(criterion.label).into_owned(),
            query: criterion.query,
            count: *count,
        };
        criteria.into_iter().zip(counts).map(number).collect()
    };
    let mut offenders = numbers(offences, of_offences);
    offenders.retain(|number| number.count > 0);
    let outbox = page.pats().outbox().await;
    let outbox = outbox.map_err(|error| page.unavailable(&error.into()))?;
    let undelivered = match outbox.dead {
        0 => Text::NoUndelivered,
        count => Text::UndeliveredCount(count),
    };
    let template = OverviewPage {
        numbers: numbers(criteria, of_criteria),
        offenders,
        plot: Plot::new(&page, &weeks, of_weeks),
        unused_state: unused::state(&page),
        unused_days: days,
        unused_for: page.t(Quick::Unused(days).text()).into_owned(),
        unused_count: page.t(Text::UnusedCount { count, live }).into_owned(),
        undelivered: page.t(undelivered).into_owned(),
        has_undelivered: outbox.dead > 0,
        page: &page,
    };
    Ok(show(StatusCode::OK, &template))
}
