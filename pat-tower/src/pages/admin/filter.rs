//! The filter and the order of the list, as they are typed.

use axum::response::Response;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use pat_core::scope::Scopes;
use pat_core::search::{DateRange, Filter, Sort, SortKey};
use pat_core::text::fold_case;
use pat_core::{Administration, Owner, TokenStatus, User};

use super::owners::known_as;
use crate::pages::fields::Fields;
use crate::pages::page::Page;
use crate::pages::text::Text;

/// The fields of the filter, in the order of the page.
const NAMES: [&str; 10] = [
    "name",
    "owner",
    "status",
    "created_from",
    "created_to",
    "used_from",
    "used_to",
    "expires_from",
    "expires_to",
    "scope",
];
/// What the field for the scope says to find unrestricted tokens; no scope has this name.
pub(super) const UNRESTRICTED: &str = "*";
/// How many users a part of a name may stand for.
const MAX_OWNERS: usize = 1_000;
/// How many of them are named where the filter is put into words.
const MAX_NAMED: usize = 5;

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
        pairs.filter(|(_, value)| !value.is_empty()).collect()
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
        for (name, value) in self.pairs() {
            let words = match (name, value.parse::<TokenStatus>()) {
                ("status", Ok(status)) => page.t(Text::Status(status)),
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
    fn without_owner(&self, page: &Page) -> (Filter, Vec<FieldError>) {
        let zone = &page.state.zone;
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
    ) -> Result<Result<Filter, Vec<FieldError>>, Response> {
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
        Ok(if wrong.is_empty() {
            Ok(filter)
        } else {
            Err(wrong)
        })
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

fn start_of(day: Date, zone: &TimeZone) -> Option<Timestamp> {
    let start = zone.to_ambiguous_timestamp(day.to_datetime(jiff::civil::Time::midnight()));
    start.compatible().ok()
}

/// The last microsecond of a day.
fn end_of(day: Date, zone: &TimeZone) -> Option<Timestamp> {
    let next = start_of(day.tomorrow().ok()?, zone)?;
    next.checked_sub(SignedDuration::from_micros(1)).ok()
}

/// How the columns are called in links.
pub(super) const COLUMNS: [(&str, SortKey); 5] = [
    ("name", SortKey::Name),
    ("owner", SortKey::Owner),
    ("created", SortKey::CreatedAt),
    ("used", SortKey::LastUsedAt),
    ("expires", SortKey::ExpiresAt),
];

/// The order that a link asks for; the newest first unless it asks for one.
pub(super) fn sort(fields: &Fields) -> Sort {
    let wanted = fields.get("sort");
    let column = COLUMNS.iter().find(|(name, _)| *name == wanted);
    match column {
        Some((_, key)) => Sort {
            key: *key,
            is_descending: fields.get("order") == "desc",
        },
        None => Sort {
            key: SortKey::CreatedAt,
            is_descending: true,
        },
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
    fn links_keep_the_filter_and_nothing_else() {
        let typed = "name=a%26b&owner=&cursor=x&status=EXPIRED&evil=1&sort=name";
        let form = FilterForm::new(Fields::parse(typed.as_bytes()));
        assert_eq!(form.query(&[("order", "")]), "name=a%26b&status=EXPIRED");
        assert_eq!(
            form.query(&[("sort", "owner")]),
            "name=a%26b&status=EXPIRED&sort=owner"
        );
    }
}
