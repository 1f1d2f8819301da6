//! The filter and the order of the list, as they are typed.

use axum::response::Response;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use pat_core::scope::Scopes;
use pat_core::search::{DateRange, Filter, RevokedTokens};
use pat_core::text::fold_case;
use pat_core::{Administration, Owner, TokenStatus, User};

use super::owners::known_as;
use crate::pages::fields::Fields;
use crate::pages::filter_names::{
    EXPIRING, LONGER_THAN, NAMES, OWNER_STATE, QUICK_NAMES, REVOKED_WITHIN, UNUSED, VALID, ZONE,
};
use crate::pages::page::Page;
use crate::pages::text::Text;

/// What the field for the scope says to find unrestricted tokens; no scope has this name.
pub(super) const UNRESTRICTED: &str = "*";
/// How many users a part of a name may stand for.
const MAX_OWNERS: usize = 1_000;
/// How many of them are named where the filter is put into words.
const MAX_NAMED: usize = 5;

/// A criterion that a link sets: one above the filter, or one of the overview.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Quick {
    NeverUsed,
    /// Valid, and not used for so many days.
    Unused(u32),
    NeverExpires,
    /// Valid, and expires within so many days.
    ExpiresWithin(u32),
    OwnerInactive,
    /// Neither revoked nor expired.
    Valid,
    /// Revoked within so many days.
    RevokedWithin(u32),
    /// Expires, and lives longer than so many days.
    LongerThan(u32),
}

impl Quick {
    /// Those that have a link above the filter.
    pub(super) const OFFERED: [Self; 5] = [
        Self::NeverUsed,
        Self::Unused(90),
        Self::NeverExpires,
        Self::ExpiresWithin(30),
        Self::OwnerInactive,
    ];

    /// Returns the criterion of a field of the query, if it is one.
    fn of(name: &str, value: &str) -> Option<Self> {
        let days = || {
            value
                .parse()
                .ok()
                .filter(|days| (1..=MAX_DAYS).contains(days))
        };
        match (name, value) {
            (UNUSED, "always") => Some(Self::NeverUsed),
            (UNUSED, _) => days().map(Self::Unused),
            (EXPIRING, "never") => Some(Self::NeverExpires),
            (EXPIRING, _) => days().map(Self::ExpiresWithin),
            (OWNER_STATE, "inactive") => Some(Self::OwnerInactive),
            (VALID, "true") => Some(Self::Valid),
            (REVOKED_WITHIN, _) => days().map(Self::RevokedWithin),
            (LONGER_THAN, _) => days().map(Self::LongerThan),
            _ => None,
        }
    }

    /// Returns the field of the query.
    pub(super) fn pair(self) -> (&'static str, String) {
        match self {
            Self::NeverUsed => (UNUSED, "always".to_owned()),
            Self::Unused(days) => (UNUSED, days.to_string()),
            Self::NeverExpires => (EXPIRING, "never".to_owned()),
            Self::ExpiresWithin(days) => (EXPIRING, days.to_string()),
            Self::OwnerInactive => (OWNER_STATE, "inactive".to_owned()),
            Self::Valid => (VALID, "true".to_owned()),
            Self::RevokedWithin(days) => (REVOKED_WITHIN, days.to_string()),
            Self::LongerThan(days) => (LONGER_THAN, days.to_string()),
        }
    }

    pub(super) fn text(self) -> Text<'static> {
        match self {
            Self::NeverUsed => Text::QuickNeverUsed,
            Self::Unused(days) => Text::QuickUnused(days),
            Self::NeverExpires => Text::QuickNeverExpires,
            Self::ExpiresWithin(days) => Text::QuickExpiresWithin(days),
            Self::OwnerInactive => Text::QuickOwnerInactive,
            Self::Valid => Text::LiveTokens,
            Self::RevokedWithin(days) => Text::RevokedWithin(days),
            Self::LongerThan(days) => Text::OffendingLife(days),
        }
    }

    /// Narrows the filter. Owners need the directory: [`FilterForm::complete`] adds them.
    fn narrow(self, page: &Page, filter: &mut Filter) {
        let now = page.pats().now();
        let unexpired = now + SignedDuration::from_micros(1);
        let days = |count: u32| SignedDuration::from_hours(i64::from(count) * 24);
        let range = |from, to| DateRange { from, to };
        match self {
            Self::NeverUsed => filter.is_used = Some(false),
            Self::Unused(days) => {
                let unused = page.pats().unused_filter(days);
                filter.unused_since = unused.unused_since;
                filter.is_transient = unused.is_transient;
                filter.expires = filter.expires.and(unused.expires);
            }
            Self::NeverExpires => filter.never_expires = Some(true),
            Self::ExpiresWithin(count) => {
                let end = now.checked_add(days(count)).unwrap_or(Timestamp::MAX);
                filter.expires = filter.expires.and(range(Some(unexpired), Some(end)));
            }
            Self::Valid => {
                filter.expires = filter.expires.and(range(Some(unexpired), None));
            }
            Self::RevokedWithin(count) => {
                let start = now.checked_sub(days(count)).unwrap_or(Timestamp::MIN);
                filter.revoked = RevokedTokens::Only;
                filter.revoked_at = range(Some(start), None);
            }
            Self::LongerThan(count) => {
                filter.never_expires = Some(false);
                filter.longer_than = Some(days(count));
            }
            Self::OwnerInactive => {}
        }
    }
}

/// The longest time of a [`Quick`] criterion, in days.
const MAX_DAYS: u32 = 36_500;

/// A filter with its owners.
pub(super) struct Completed {
    pub(super) filter: Filter,
    /// Whether the filter may lack owners, of whom there are too many to look up.
    pub(super) lacks_owners: bool,
}

/// What was typed into the filter.
#[derive(Debug, Clone)]
pub(super) struct FilterForm(Fields);

/// A field with which something is wrong: its name, and what.
#[derive(Debug)]
pub(super) struct FieldError(pub(super) &'static str, pub(super) Text<'static>);

impl FilterForm {
    pub(super) fn new(fields: Fields) -> Self {
        Self(fields)
    }

    pub(super) fn get<'a>(&'a self, name: &'a str) -> &'a str {
        self.0.get(name)
    }

    /// The fields that say something, to be put into links and forms.
    pub(super) fn pairs(&self) -> Vec<(&'static str, &str)> {
        let pairs = NAMES.iter().map(|name| (*name, self.0.get(name)));
        let pairs: Vec<_> = pairs.filter(|(_, value)| !value.is_empty()).collect();
        let has_dates = pairs.iter().any(|(name, _)| is_date(name));
        let is_said = |(name, _): &(&str, &str)| has_dates || *name != ZONE;
        pairs.into_iter().filter(is_said).collect()
    }

    /// Returns whether a criterion is set.
    pub(super) fn has(&self, quick: Quick) -> bool {
        let (name, value) = quick.pair();
        self.get(name) == value
    }

    /// Returns the query of a link that sets a criterion, in place of another one about the same, or, if it is set,
    /// removes it.
    pub(super) fn toggled(&self, quick: Quick, more: &[(&str, &str)]) -> String {
        let (name, value) = quick.pair();
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.pairs().into_iter().filter(|(other, _)| *other != name));
        if !self.has(quick) {
            query.append_pair(name, &value);
        }
        query.extend_pairs(more);
        query.finish()
    }

    /// What a link to the same filter has in its query, and these fields behind it.
    pub(super) fn query(&self, more: &[(&str, &str)]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.pairs());
        query.extend_pairs(more.iter().filter(|(_, value)| !value.is_empty()));
        query.finish()
    }

    /// The same in words: what each field is called, and what it says. What was typed for the owner
    /// may fit several users, so they are named.
    pub(super) async fn criteria(
        &self,
        page: &Page,
        admin: &Administration<'_>,
    ) -> Result<Vec<(String, Vec<String>)>, Response> {
        let mut criteria = Vec::new();
        // The page says what its zone is.
        for (name, value) in self.pairs().into_iter().filter(|(name, _)| *name != ZONE) {
            let words = match (name, value.parse::<TokenStatus>()) {
                ("status", Ok(status)) => page.t(Text::Status(status)),
                _ if QUICK_NAMES.contains(&name) => match Quick::of(name, value) {
                    Some(quick) => page.t(quick.text()),
                    None => value.into(),
                },
                ("scope", _) if value == UNRESTRICTED => page.t(Text::Unrestricted),
                _ => value.into(),
            };
            let mut values = vec![words.into_owned()];
            if name == "owner" {
                let users = self.users(page, admin).await?;
                let named = users.iter().take(MAX_NAMED);
                values.extend(named.map(known_as));
                values.extend((users.len() > MAX_NAMED).then(|| "…".to_owned()));
            }
            criteria.push((label(page, name), values));
        }
        Ok(criteria)
    }

    /// What a link to the same filter has in its query.
    pub(super) fn query_of_filter(&self) -> String {
        self.query(&[])
    }

    /// The filter as far as it can be read, and all that is wrong with it. Whom the owner's name
    /// means is for [`FilterForm::complete`] to find out.
    pub(super) fn without_owner(&self, page: &Page) -> (Filter, Vec<FieldError>) {
        let zone = &page.zone;
        let mut wrong = Vec::new();
        let mut range = |from, to| {
            let range = DateRange {
                from: self.instant(from, |day| start_of(day, zone), &mut wrong),
                to: self.instant(to, |day| end_of(day, zone), &mut wrong),
            };
            if range.from.zip(range.to).is_some_and(|(from, to)| from > to) {
                wrong.push(FieldError(to, Text::DayBeforeStart));
            }
            range
        };
        let mut filter = Filter::default();
        filter.name = self.get("name").into();
        filter.created = range("created_from", "created_to");
        filter.last_used = range("used_from", "used_to");
        filter.expires = range("expires_from", "expires_to");
        for (name, value) in self.pairs() {
            match Quick::of(name, value) {
                Some(quick) => quick.narrow(page, &mut filter),
                None if QUICK_NAMES.contains(&name) => {
                    wrong.push(FieldError(name, Text::QuickUnreadable));
                }
                None => {}
            }
        }
        match self.get("scope") {
            "" => {}
            UNRESTRICTED => filter.unrestricted = true,
            name => match Scopes::new([name]) {
                Ok(scopes) => filter.scopes = scopes,
                Err(_) => wrong.push(FieldError("scope", Text::ScopeUnreadable)),
            },
        }
        let status = self.get("status");
        let filter = match status.parse::<TokenStatus>() {
            Ok(status) => page.pats().with_status(filter, status),
            Err(_) if status.is_empty() => filter,
            Err(_) => {
                wrong.push(FieldError("status", Text::StatusUnreadable));
                filter
            }
        };
        (filter, wrong)
    }

    /// The filter with its owners: all users that the typed text fits, or those whose user name or
    /// key it is. Tokens stay when their owner has left the host, so it may be his key as well.
    pub(super) async fn complete(
        &self,
        page: &Page,
        admin: &Administration<'_>,
    ) -> Result<Result<Completed, Vec<FieldError>>, Response> {
        let (mut filter, mut wrong) = self.without_owner(page);
        let wanted = self.get("owner").trim();
        if !wanted.is_empty() {
            let users = self.users(page, admin).await?.into_iter();
            filter.owners = users.map(|user| user.owner).collect();
            match Owner::new(wanted) {
                Ok(key) if !filter.owners.contains(&key) => filter.owners.push(key),
                // Without an owner the filter would find the tokens of all.
                Err(_) if filter.owners.is_empty() => {
                    wrong.push(FieldError("owner", Text::OwnerUnreadable));
                }
                Ok(_) | Err(_) => {}
            }
        }
        if !wrong.is_empty() {
            return Ok(Err(wrong));
        }
        let mut lacks_owners = false;
        if self.has(Quick::OwnerInactive) {
            let inactive = admin.inactive_owners().await;
            let inactive = inactive.map_err(|error| page.not_administered(&error))?;
            lacks_owners = !inactive.is_complete;
            narrow_owners(&mut filter, inactive.owners);
        }
        Ok(Ok(Completed {
            filter,
            lacks_owners,
        }))
    }

    /// The users whom the owner's name fits, or those whose user name or key it is.
    async fn users(&self, page: &Page, admin: &Administration<'_>) -> Result<Vec<User>, Response> {
        let wanted = self.get("owner").trim();
        let found = admin.search_users(wanted, MAX_OWNERS).await;
        let mut users = found.map_err(|error| page.not_administered(&error))?;
        let folded = fold_case(wanted);
        let is_exact =
            |user: &User| fold_case(&user.username) == folded || user.owner.as_str() == wanted;
        if users.iter().any(is_exact) {
            users.retain(is_exact);
        }
        Ok(users)
    }

    /// An end of a range of days.
    fn instant(
        &self,
        name: &'static str,
        at: impl FnOnce(Date) -> Option<Timestamp>,
        wrong: &mut Vec<FieldError>,
    ) -> Option<Timestamp> {
        let text = self.get(name).trim();
        if text.is_empty() {
            return None;
        }
        let instant = text.parse().ok().and_then(at);
        if instant.is_none() {
            wrong.push(FieldError(name, Text::DateUnreadable));
        }
        instant
    }
}

/// Whether a field holds an end of a range of days.
fn is_date(name: &str) -> bool {
    name.ends_with("_from") || name.ends_with("_to")
}

/// How a field of the filter is called.
fn label(page: &Page, name: &str) -> String {
    let (what, end) = name.rsplit_once('_').unwrap_or((name, ""));
    let what = page.t(match what {
        "owner" => Text::Owner,
        "status" => Text::StatusHead,
        "created" => Text::Created,
        "used" => Text::LastUsed,
        "expires" => Text::Expires,
        "scope" => Text::Scopes,
        _ => Text::Name,
    });
    match end {
        "from" => page.t(Text::FromNamed(&what)).into_owned(),
        "to" => page.t(Text::ToNamed(&what)).into_owned(),
        _ => what.into_owned(),
    }
}

pub(super) fn start_of(day: Date, zone: &TimeZone) -> Option<Timestamp> {
    let start = zone.to_ambiguous_timestamp(day.to_datetime(jiff::civil::Time::midnight()));
    start.compatible().ok()
}

/// The last microsecond of a day.
fn end_of(day: Date, zone: &TimeZone) -> Option<Timestamp> {
    let next = start_of(day.tomorrow().ok()?, zone)?;
    next.checked_sub(SignedDuration::from_micros(1)).ok()
}

/// Narrows the filter to the tokens of these owners.
fn narrow_owners(filter: &mut Filter, owners: Vec<Owner>) {
    let wanted = std::mem::replace(&mut filter.owners, owners);
    if !wanted.is_empty() {
        filter.owners.retain(|owner| wanted.contains(owner));
    }
    if filter.owners.is_empty() {
        // Without an owner the filter would find the tokens of all; no time is in this range.
        filter.created = DateRange {
            from: Some(Timestamp::MAX),
            to: Some(Timestamp::MIN),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_begin_and_end_in_their_zone() {
        let zone = TimeZone::get("Europe/Berlin").expect("a zone");
        // The day on which summer time begins has 23 hours.
        let day: Date = "2026-03-29".parse().expect("a day");
        let start = start_of(day, &zone).expect("a time");
        let end = end_of(day, &zone).expect("a time");
        assert_eq!(start.to_string(), "2026-03-28T23:00:00Z");
        assert_eq!(end.to_string(), "2026-03-29T21:59:59.999999Z");
        assert_eq!(end_of(Date::MAX, &zone), None);
    }

    #[test]
    fn a_link_sets_a_criterion_and_removes_it() {
        let form = |query: &str| FilterForm::new(Fields::parse(query.as_bytes()));
        for quick in Quick::OFFERED {
            let set = form("name=ci").toggled(quick, &[("sort", "name")]);
            let fields = Fields::parse(set.as_bytes());
            let (name, value) = quick.pair();
            assert_eq!(Quick::of(name, fields.get(name)), Some(quick), "{value}");
            assert_eq!((fields.get("name"), fields.get("sort")), ("ci", "name"));
            assert_eq!(form(&set).toggled(quick, &[]), "name=ci");
        }
        // Two about the same exclude each other.
        let set = form("unused=90&expiring=never").toggled(Quick::NeverUsed, &[]);
        assert_eq!(set, "expiring=never&unused=always");
        for (name, value) in [
            (UNUSED, "0"),
            (UNUSED, "36501"),
            (UNUSED, "never"),
            (EXPIRING, "-1"),
            (OWNER_STATE, "active"),
            ("name", "always"),
        ] {
            assert_eq!(Quick::of(name, value), None, "{name}={value}");
        }
    }

    #[test]
    fn only_the_tokens_of_these_owners_are_left() {
        let owners = |keys: &[&str]| -> Vec<_> {
            let keys = keys.iter().map(|key| Owner::new(*key).expect("a key"));
            keys.collect()
        };
        for (wanted, these, expected) in [
            (&[][..], &["a", "b"][..], &["a", "b"][..]),
            (&["b", "c"], &["a", "b"], &["b"]),
            (&["c"], &["a", "b"], &[]),
            (&[], &[], &[]),
        ] {
            let mut filter = Filter::default();
            filter.owners = owners(wanted);
            narrow_owners(&mut filter, owners(these));
            assert_eq!(filter.owners, owners(expected));
            let finds_none = !filter.created.is_open();
            assert_eq!(finds_none, expected.is_empty(), "{wanted:?} {these:?}");
        }
    }

    #[test]
    fn links_keep_the_filter_and_nothing_else() {
        let typed = "zone=UTC&name=a%26b&owner=&cursor=x&status=EXPIRED&evil=1&sort=name";
        let form = FilterForm::new(Fields::parse(typed.as_bytes()));
        assert_eq!(form.query(&[("order", "")]), "name=a%26b&status=EXPIRED");
        let dates = Fields::parse(b"created_from=2026-01-01&zone=Europe%2FBerlin");
        assert_eq!(
            FilterForm::new(dates).query(&[]),
            "created_from=2026-01-01&zone=Europe%2FBerlin"
        );
        assert_eq!(
            form.query(&[("sort", "owner")]),
            "name=a%26b&status=EXPIRED&sort=owner"
        );
    }
}
