use clap::Args;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::scope::Scopes;
use crate::search::{DateRange, Filter, RevokedTokens};
use crate::service::Pats;
use crate::token::{Owner, TokenStatus};

/// The criteria of a search for tokens, for clap. A token must meet all of them.
#[derive(Debug, Clone, Default, Args)]
#[non_exhaustive]
#[command(next_help_heading = "Filter")]
pub struct FilterArguments {
    /// Tokens of this owner, by the owner's key; repeatable
    #[arg(long, value_name = "KEY")]
    pub owner: Vec<Owner>,

    /// Tokens whose name contains this text, in any letter case
    #[arg(long, value_name = "TEXT")]
    pub name: Option<String>,

    /// Tokens with this status: active, expires-soon, disabled, expired or revoked
    #[arg(long, value_parser = status)]
    pub status: Option<TokenStatus>,

    /// Tokens with one of these scopes; repeatable
    #[arg(long, value_name = "NAME")]
    pub scope: Vec<String>,

    /// Tokens without scopes, besides those of --scope
    #[arg(long)]
    pub unrestricted: bool,

    /// Tokens that were never used
    #[arg(long)]
    pub never_used: bool,

    /// Tokens that were neither used nor created in so many days
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(..=36_500))]
    pub unused_for: Option<u32>,

    /// Tokens that never expire
    #[arg(long, conflicts_with = "expires_within")]
    pub never_expires: bool,

    /// Tokens that expire within so many days
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(..=36_500))]
    pub expires_within: Option<u32>,

    /// Tokens that were created at this time or later: a date, which begins at midnight UTC, or a time such as
    /// 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub created_after: Option<Timestamp>,

    /// Tokens that were created before this time
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub created_before: Option<Timestamp>,

    /// Tokens that were last used at this time or later
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub used_after: Option<Timestamp>,

    /// Tokens that were last used before this time
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub used_before: Option<Timestamp>,
}

impl FilterArguments {
    /// Returns the filter; an error if a value is not allowed.
    pub(super) fn filter(&self, pats: &Pats) -> Result<Filter, String> {
        let now = pats.now();
        let scopes = self.scope.iter().map(String::as_str);
        let scopes = Scopes::new(scopes).map_err(|error| format!("--scope: {error}"))?;
        let mut filter = Filter {
            owners: self.owner.clone(),
            name: self.name.clone().unwrap_or_default(),
            scopes,
            unrestricted: self.unrestricted,
            is_used: self.never_used.then_some(false),
            never_expires: self.never_expires.then_some(true),
            unused_since: self.unused_for.map(|days| earlier(now, days)),
            created: range(self.created_after, self.created_before),
            last_used: range(self.used_after, self.used_before),
            ..Filter::default()
        };
        if let Some(within) = self.expires_within {
            filter.expires = DateRange {
                from: Some(now),
                to: now.checked_add(days(within)).ok(),
            };
        }
        if let Some(status) = self.status {
            let warning = days(pats.settings().expiry_warning_days());
            filter = filter.with_status(status, now, warning);
        }
        Ok(filter)
    }

    /// Returns whether the filter finds revoked tokens alone.
    pub(super) fn is_for_revoked(filter: &Filter) -> bool {
        filter.revoked == RevokedTokens::Only
    }
}

/// From this time on, and before that one.
fn range(from: Option<Timestamp>, before: Option<Timestamp>) -> DateRange {
    let last = |before: Timestamp| before.checked_sub(SignedDuration::from_micros(1));
    DateRange {
        from,
        to: before.map(|before| last(before).unwrap_or(Timestamp::MIN)),
    }
}

fn days(days: u32) -> SignedDuration {
    SignedDuration::from_hours(24 * i64::from(days))
}

fn earlier(now: Timestamp, by: u32) -> Timestamp {
    now.checked_sub(days(by)).unwrap_or(Timestamp::MIN)
}

fn status(text: &str) -> Result<TokenStatus, &'static str> {
    let name = text.to_ascii_uppercase().replace('-', "_");
    name.parse()
        .map_err(|_| "give active, expires-soon, disabled, expired or revoked")
}

fn instant(text: &str) -> Result<Timestamp, &'static str> {
    let midnight = |date: Date| TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0));
    // `Date` would drop a time without an offset.
    let is_date = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'-');
    let parsed = if is_date {
        text.parse().and_then(midnight)
    } else {
        text.parse::<Timestamp>()
    };
    parsed.map_err(|_| "give a date, such as 2026-01-31, or a time, such as 2026-01-31T12:00:00Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_midnight_in_utc() {
        for (text, expected) in [
            ("2026-01-31", Some("2026-01-31T00:00:00Z")),
            ("2026-01-31T12:00:00+02:00", Some("2026-01-31T10:00:00Z")),
            ("2026-02-30", None),
            ("yesterday", None),
            ("2026-01-31 12:00", None),
        ] {
            let expected = expected.map(|text| text.parse::<Timestamp>().expect("a time"));
            assert_eq!(instant(text).ok(), expected, "{text}");
        }
    }
}
