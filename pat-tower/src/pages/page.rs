use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use pat_core::scope::Scopes;
use pat_core::{AdminError, Administration, Caller, Pats, Token, TokenStatus};

use super::again::Again;
use super::csrf_token::CsrfSecret;
use super::layout::PageContext;
use super::state::State;
use super::text::Text;

/// What every page is made with; the guard puts it into the request.
#[derive(Debug, Clone)]
pub(super) struct Page {
    pub(super) state: State,
    pub(super) visit: PageContext,
    pub(super) form_token: String,
    pub(super) form_key: CsrfSecret,
    /// The time zone of the times that it shows, and of the dates that it reads.
    pub(super) zone: TimeZone,
    /// Whether that zone was asked for, so that the script keeps it.
    pub(super) is_zone_chosen: bool,
    /// Why a form that was sent before is shown again.
    pub(super) again: Option<Again>,
    /// Whether it shows a time.
    shows_times: Arc<AtomicBool>,
    /// Whether the caller is an administrator: the directory is asked once for each page.
    administration: Arc<Result<Administration<'static>, AdminError>>,
}

/// How many scopes of a token a list shows at most, before it is asked for the others.
pub(super) const FEW_SCOPES: usize = 4;
/// The same for a page about one token.
pub(super) const MANY_SCOPES: usize = 12;

impl Page {
    /// Makes the page of this visit, of a caller who is no administrator as far as is known.
    pub(super) fn new(state: State, visit: PageContext, form_key: CsrfSecret) -> Self {
        let caller = visit.caller.as_ref();
        let form_token = caller.map(|caller| form_key.token(caller.owner()));
        Self {
            zone: state.zone.clone(),
            is_zone_chosen: false,
            again: None,
            shows_times: Arc::default(),
            state,
            visit,
            form_token: form_token.unwrap_or_default(),
            form_key,
            administration: Arc::new(Err(AdminError::NotAdministrator)),
        }
    }

    /// Asks the directory whether the caller is an administrator.
    pub(super) async fn with_administration(mut self) -> Self {
        let asked = self.pats().administration(self.caller()).await;
        let administration = asked.map(Administration::into_owned);
        // While the directory does not answer, the link to the administration is left out.
        self.visit.may_administer = administration.is_ok();
        self.administration = Arc::new(administration);
        self
    }

    /// Returns the caller's access as an administrator, of when the page was made.
    pub(super) fn administration(&self) -> Result<&Administration<'static>, &AdminError> {
        self.administration.as_ref().as_ref()
    }

    /// Returns the signed-in user; the guard calls no handler without one.
    pub(super) fn caller(&self) -> &Caller {
        self.visit
            .caller
            .as_ref()
            .expect("the guard has found a caller")
    }

    pub(super) fn pats(&self) -> &Pats {
        &self.state.pats
    }

    // For templates

    pub(super) fn t(&self, text: Text<'_>) -> Cow<'_, str> {
        let (id, arguments) = text.message();
        let text = self.visit.messages.format(id, arguments);
        text.unwrap_or_else(|error| {
            tracing::error!(%error, "a page lacks a text");
            id.into()
        })
    }

    pub(super) fn root(&self) -> &str {
        &self.visit.root
    }

    /// Whether to show the link to the administration.
    pub(super) fn may_administer(&self) -> bool {
        self.visit.may_administer
    }

    pub(super) fn language(&self) -> &str {
        self.visit.messages.language()
    }

    pub(super) fn direction(&self) -> &'static str {
        self.visit.messages.direction()
    }

    /// What the window is called.
    pub(super) fn window_title(&self, title: &str) -> String {
        match self.state.layout.title() {
            product if product.is_empty() => title.to_owned(),
            product => format!("{title} · {product}"),
        }
    }

    pub(super) fn head(&self) -> String {
        self.state.layout.head(&self.visit)
    }

    pub(super) fn header(&self) -> String {
        self.state.layout.header(&self.visit)
    }

    pub(super) fn footer(&self) -> String {
        self.state.layout.footer(&self.visit)
    }

    /// A time as the pages show it. A page that shows one also names the time zone.
    pub(super) fn time(&self, at: Timestamp) -> Time {
        self.shows_times.store(true, Ordering::Relaxed);
        let zoned = at.to_zoned_datetime(self.zone.clone());
        let relative = distance(at.duration_since(self.pats().now()).as_secs());
        Time {
            machine: at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            exact: self.visit.messages.short_date_time(&zoned),
            relative: relative.map(|text| self.t(text).into_owned()),
        }
    }

    /// The date of a time, as the pages show it.
    pub(super) fn date(&self, at: Timestamp) -> Time {
        let zoned = at.to_zoned_datetime(self.zone.clone());
        Time {
            exact: self.visit.messages.short_date(&zoned),
            ..self.time(at)
        }
    }

    /// A time span in its largest unit, or in the next smaller ones if it is no multiple.
    pub(super) fn span(&self, seconds: u64) -> String {
        let unit = [
            (SECONDS_OF_DAY, Text::Days as fn(u32) -> Text<'static>),
            (60 * 60, Text::Hours),
            (60, Text::Minutes),
            (1, Text::Seconds),
        ];
        let unit = unit
            .into_iter()
            .find(|(unit, _)| seconds.is_multiple_of(*unit));
        let (unit, text) = unit.expect("every number is a multiple of 1");
        let count = u32::try_from(seconds / unit).unwrap_or(u32::MAX);
        self.t(text(count)).into_owned()
    }

    /// The name of the time zone in which the page shows times and reads dates.
    pub(super) fn zone_name(&self) -> String {
        let now = self.pats().now().to_zoned_datetime(self.zone.clone());
        let name = self.zone.iana_name().map(str::to_owned);
        name.unwrap_or_else(|| now.strftime("%Z").to_string())
    }

    /// Whether the page shows a time.
    pub(super) fn shows_times(&self) -> bool {
        self.shows_times.load(Ordering::Relaxed)
    }

    /// Has the page show times, and read dates, in this zone, whichever one the browser is in.
    pub(super) fn in_zone(mut self, zone: TimeZone) -> Self {
        (self.zone, self.is_zone_chosen) = (zone, true);
        self
    }

    /// Why the page shows a form again that was sent before.
    pub(super) fn mishap(&self) -> Option<String> {
        self.again.map(|again| self.t(again.text()).into_owned())
    }

    /// The state of a token. That it is replaced says more than that it expires soon.
    pub(super) fn badge_of(&self, token: &Token) -> Badge {
        let status = self.pats().status(token);
        let is_valid = matches!(status, TokenStatus::Active | TokenStatus::ExpiresSoon);
        if is_valid && token.replaced.is_some() {
            let words = self.t(Text::Replaced).into_owned();
            return Badge {
                class: "replaced",
                words,
            };
        }
        self.badge(status)
    }

    fn badge(&self, status: TokenStatus) -> Badge {
        let class = match status {
            TokenStatus::Active => "active",
            TokenStatus::ExpiresSoon => "soon",
            TokenStatus::Disabled => "disabled",
            TokenStatus::Expired => "expired",
            TokenStatus::Revoked => "revoked",
            _ => "",
        };
        let words = self.t(Text::Status(status)).into_owned();
        Badge { class, words }
    }

    /// Whether the scopes of these tokens are shown: the host has scopes, or one of the tokens has some from
    /// another time.
    pub(super) fn shows_scopes<'t>(&self, tokens: impl IntoIterator<Item = &'t Token>) -> bool {
        !self.pats().scope_catalog().is_empty()
            || tokens.into_iter().any(|token| token.scopes.is_some())
    }

    /// The scopes of a token for a page about it, if they are shown.
    pub(super) fn scopes_of(&self, token: &Token) -> Option<ScopeList> {
        self.shows_scopes([token])
            .then(|| self.scopes(token.scopes.as_ref(), MANY_SCOPES))
    }

    /// The scopes of a token, of which the first ones are shown if there are more than `most`.
    pub(super) fn scopes(&self, scopes: Option<&Scopes>, most: usize) -> ScopeList {
        let Some(scopes) = scopes.filter(|scopes| !scopes.is_empty()) else {
            let words = scopes.map_or(Text::Unrestricted, |_| Text::NoScopes);
            return ScopeList {
                words: Some(self.t(words).into_owned()),
                ..ScopeList::default()
            };
        };
        let mut names: Vec<_> = scopes.iter().map(str::to_owned).collect();
        let others = if names.len() > most {
            names.split_off(most - 1)
        } else {
            Vec::new()
        };
        let count = u32::try_from(others.len()).unwrap_or(u32::MAX);
        ScopeList {
            words: None,
            names,
            more: self.t(Text::MoreScopes(count)).into_owned(),
            others,
        }
    }

    // Answers

    /// Sends the browser on with GET, to a path from where the router is mounted.
    pub(super) fn go_to(&self, path: &str) -> Response {
        see_other(&format!("{}{path}", self.root()))
    }
}

pub(super) fn show(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// A redirect that has the browser send a GET.
pub(super) fn see_other(address: &str) -> Response {
    match HeaderValue::from_str(address) {
        Ok(location) => (StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response(),
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}

/// A time as the element `time` shows it.
#[derive(Debug, Clone)]
pub(super) struct Time {
    pub(super) machine: String,
    /// With the time zone.
    pub(super) exact: String,
    /// How long ago it was, or how far off it is, unless a date says more.
    pub(super) relative: Option<String>,
}

pub(super) const SECONDS_OF_DAY: u64 = 24 * 60 * 60;
/// Up to how many days a time is told by its distance, and from then on by its date.
const MAX_DAYS: u32 = 400;

/// How far a time is from now. In the past, the largest unit that is over; in the future, the nearest one, so that a
/// token of 30 days, seen a second after it was created, expires in 30 days.
fn distance(seconds: i64) -> Option<Text<'static>> {
    const MINUTE: u32 = 60;
    const HOUR: u32 = 60 * MINUTE;
    const DAY: u32 = 24 * HOUR;
    let is_ahead = seconds > 0;
    let seconds = u32::try_from(seconds.unsigned_abs()).ok()?;
    let count = |unit: u32| {
        if is_ahead {
            (seconds + unit / 2) / unit
        } else {
            seconds / unit
        }
    };
    match (count(MINUTE), count(HOUR), count(DAY)) {
        (0, ..) => Some(Text::JustNow),
        (minutes @ 1..60, ..) if is_ahead => Some(Text::InMinutes(minutes)),
        (minutes @ 1..60, ..) => Some(Text::MinutesAgo(minutes)),
        (_, hours @ 1..24, _) if is_ahead => Some(Text::InHours(hours)),
        (_, hours @ 1..24, _) => Some(Text::HoursAgo(hours)),
        (.., days @ 1..=MAX_DAYS) if is_ahead => Some(Text::InDays(days)),
        (.., days @ 1..=MAX_DAYS) => Some(Text::DaysAgo(days)),
        _ => None,
    }
}

/// A state as a page shows it.
#[derive(Debug, Clone)]
pub(super) struct Badge {
    pub(super) class: &'static str,
    pub(super) words: String,
}

/// The scopes of a token as a page shows them.
#[derive(Debug, Clone, Default)]
pub(super) struct ScopeList {
    /// What is shown in place of names.
    pub(super) words: Option<String>,
    pub(super) names: Vec<String>,
    /// How many others there are.
    pub(super) more: String,
    pub(super) others: Vec<String>,
}

impl ScopeList {
    /// The same in one line.
    pub(super) fn line(&self) -> String {
        let others = (!self.others.is_empty()).then_some(self.more.as_str());
        let names = self.names.iter().map(String::as_str).chain(others);
        let names: Vec<_> = names.collect();
        self.words.clone().unwrap_or_else(|| names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use pat_core::messages::Messages;

    use super::*;

    #[test]
    fn times_are_told_by_their_distance() {
        const HOUR: i64 = 60 * 60;
        const DAY: i64 = 24 * HOUR;
        let english = Messages::english();
        for (seconds, expected) in [
            (0, "just now"),
            // Another node's clock may be ahead of this one's.
            (5, "just now"),
            (-59, "just now"),
            (-60, "1 minute ago"),
            (1 - HOUR, "59 minutes ago"),
            (-2 * HOUR, "2 hours ago"),
            (1 - DAY, "23 hours ago"),
            (-DAY, "1 day ago"),
            (1 - 31 * DAY, "30 days ago"),
            (-400 * DAY, "400 days ago"),
            (30, "in 1 minute"),
            (59 * 60 + 29, "in 59 minutes"),
            (HOUR - 1, "in 1 hour"),
            (DAY - 1, "in 1 day"),
            (30 * DAY - 1, "in 30 days"),
            (4 * DAY + 11 * HOUR, "in 4 days"),
        ] {
            let text = distance(seconds).expect("not far away");
            let (id, arguments) = text.message();
            let text = english.format(id, arguments).expect("a message");
            assert_eq!(text, expected, "{seconds}");
        }
        for seconds in [-401 * DAY, 401 * DAY, i64::MAX, i64::MIN] {
            assert!(distance(seconds).is_none(), "{seconds}");
        }
    }
}
