//! How long a new token shall live, as a person says it.

use std::time::Duration;

use jiff::civil::Date;
use jiff::{ToSpan as _, Unit};
use pat_core::Settings;

use crate::pages::fields::Fields;
use crate::pages::page::{Page, SECONDS_OF_DAY, Time};
use crate::pages::text::Text;

/// The life spans that are offered, in days, as far as they are allowed.
const OFFERED: [u32; 6] = [7, 30, 60, 90, 180, 365];
/// What is chosen unless something else is asked for, if it is allowed.
const USUAL: u32 = 90;

/// The choice of the life span that the replaced token had.
pub(super) const OWN: &str = "own";

/// What a form or a link says about the life span, as it was typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Expiry {
    /// A number of days that is offered, `days`, `date` or `never`.
    pub(super) choice: String,
    pub(super) days: String,
    pub(super) date: String,
}

/// The life spans that are offered under these settings: never none.
pub(super) fn offered(settings: &Settings) -> Vec<u32> {
    let max = settings.max_tokens_expiry_days();
    let mut offered: Vec<_> = OFFERED.into_iter().filter(|days| *days <= max).collect();
    if max < 365 && !offered.contains(&max) {
        offered.push(max);
    }
    offered
}

impl Expiry {
    /// As a form says it.
    pub(super) fn of_form(fields: &Fields) -> Self {
        Self {
            choice: fields.get("expires").to_owned(),
            days: fields.get("days").to_owned(),
            date: fields.get("date").to_owned(),
        }
    }

    /// As a link says it, in `expires`: a number of days, a date, `never`, or nothing.
    pub(super) fn of_link(fields: &Fields, settings: &Settings) -> Self {
        let offered = offered(settings);
        let wanted = fields.get("expires").trim();
        let days: Option<u32> = wanted.parse().ok();
        let mut expiry = Self::default();
        if days.is_some_and(|days| offered.contains(&days)) || wanted == "never" {
            wanted.clone_into(&mut expiry.choice);
        } else if wanted.parse::<Date>().is_ok() {
            "date".clone_into(&mut expiry.choice);
            wanted.clone_into(&mut expiry.date);
        } else if wanted.is_empty() {
            let usual = Some(USUAL).filter(|usual| offered.contains(usual));
            let usual = usual.or(offered.last().copied());
            expiry.choice = usual.map(|days| days.to_string()).unwrap_or_default();
        } else if parse_days(wanted).is_some() {
            "days".clone_into(&mut expiry.choice);
            wanted.clone_into(&mut expiry.days);
        }
        // What cannot be read is not replaced by another choice.
        expiry
    }

    /// What a link would say, to have a form filled in like this.
    pub(super) fn as_link(&self) -> &str {
        match self.choice.as_str() {
            "days" => &self.days,
            "date" => &self.date,
            choice => choice,
        }
    }

    /// The life span in days; `None` for ever. Whether it is allowed is for the policy to say.
    pub(super) fn lifetime(&self, page: &Page) -> Result<Option<i64>, Text<'static>> {
        let max = page.pats().settings().max_tokens_expiry_days();
        match self.choice.as_str() {
            "" => Err(Text::ExpiryMissing),
            "never" => Ok(None),
            "date" => self.days_until_date(today(page), max).map(Some),
            "days" => parse_days(&self.days)
                .map(Some)
                .ok_or(Text::DaysUnreadable(max)),
            offered => parse_days(offered).map(Some).ok_or(Text::ExpiryMissing),
        }
    }

    fn days_until_date(&self, today: Date, max: u32) -> Result<i64, Text<'static>> {
        let date: Date = self.date.trim().parse().map_err(|_| Text::DateUnreadable)?;
        let span = today
            .until((Unit::Day, date))
            .map_err(|_| Text::DateUnreadable)?;
        match i64::from(span.get_days()) {
            ..=0 => Err(Text::DateNotFuture),
            days if days > i64::from(max) => Err(Text::DateTooFar(max)),
            days => Ok(days),
        }
    }
}

/// The part of a form with the life span.
pub(super) struct ExpiryField {
    pub(super) expiry: Expiry,
    pub(super) label: String,
    pub(super) hint: String,
    pub(super) error: Option<String>,
    /// Whether the focus is here at first.
    pub(super) has_focus: bool,
    /// The life spans to choose from.
    pub(super) offered: Vec<Offer>,
    /// The time at which the page was made, from which the script counts.
    pub(super) now: String,
    /// When the token will expire, with `{time}` in place of the time.
    pub(super) words: String,
    pub(super) days_label: String,
    pub(super) max_days: u32,
    pub(super) may_be_eternal: bool,
    pub(super) first_date: String,
    pub(super) last_date: String,
}

impl ExpiryField {
    pub(super) fn new(page: &Page, expiry: Expiry, error: Option<String>) -> Self {
        let settings = page.pats().settings();
        let max_days = settings.max_tokens_expiry_days();
        let may_be_eternal = settings.eternal_tokens_enabled();
        let offered = offered(settings).into_iter();
        let offered = offered.map(|days| Offer {
            value: days.to_string(),
            label: page.t(Text::Days(days)).into_owned(),
            seconds: Some(u64::from(days) * SECONDS_OF_DAY),
            until: until(page, u64::from(days) * SECONDS_OF_DAY),
        });
        let date = |days: u32| {
            let date = today(page).saturating_add(i64::from(days).days());
            date.to_string()
        };
        Self {
            expiry,
            label: page.t(Text::ExpiryLabel).into_owned(),
            hint: hint(page, may_be_eternal),
            error,
            has_focus: false,
            offered: offered.collect(),
            now: page.time(page.pats().now()).machine,
            words: page.t(Text::WillExpire("{time}")).into_owned(),
            days_label: page.t(Text::DaysLabel(max_days)).into_owned(),
            max_days,
            may_be_eternal,
            first_date: date(1),
            last_date: date(max_days),
        }
    }

    /// The same for a token that replaces one: with the option [`OWN`] before the others, and without those that
    /// it may amount to: as many days, or never.
    pub(super) fn of_successor(
        page: &Page,
        expiry: Expiry,
        own: String,
        own_seconds: Option<u64>,
        error: Option<String>,
    ) -> Self {
        let mut field = Self::new(page, expiry, error);
        field.offered.retain(|offer| offer.seconds != own_seconds);
        let own = Offer {
            value: OWN.to_owned(),
            label: own,
            seconds: own_seconds,
            until: own_seconds.and_then(|seconds| until(page, seconds)),
        };
        field.offered.insert(0, own);
        field.label = page.t(Text::NewExpiryLabel).into_owned();
        field.hint = hint(page, false);
        field.may_be_eternal = false;
        field
    }

    /// Whether an error is about the field of this option.
    pub(super) fn is_wrong(&self, choice: &str) -> bool {
        self.error.is_some() && self.expiry.choice == choice
    }
}

/// A life span to choose.
pub(super) struct Offer {
    /// The value of its button.
    pub(super) value: String,
    pub(super) label: String,
    /// `None` if the token never expires.
    pub(super) seconds: Option<u64>,
    /// The date on which it ends if the token is created now.
    pub(super) until: Option<Time>,
}

fn until(page: &Page, seconds: u64) -> Option<Time> {
    let end = page.pats().now().checked_add(Duration::from_secs(seconds));
    Some(page.date(end.ok()?))
}

fn hint(page: &Page, may_be_eternal: bool) -> String {
    let settings = page.pats().settings();
    let hint = Text::ExpiryHint {
        max_days: settings.max_tokens_expiry_days(),
        may_be_eternal,
        is_announced: settings.mail_notifications_enabled(),
    };
    page.t(hint).into_owned()
}

/// A whole number of days. One that is too large for the type is as large as the type allows, which
/// is over every limit.
fn parse_days(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(i64::MAX))
}

/// Today in the time zone of the pages.
pub(super) fn today(page: &Page) -> Date {
    page.pats()
        .now()
        .to_zoned_datetime(page.zone.clone())
        .date()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(query: &str) -> Expiry {
        Expiry::of_link(&Fields::parse(query.as_bytes()), &Settings::default())
    }

    #[test]
    fn links_choose_what_they_say() {
        for (query, choice, days, date) in [
            ("expires=30", "30", "", ""),
            ("expires=31", "days", "31", ""),
            ("expires=100000", "days", "100000", ""),
            ("expires=never", "never", "", ""),
            ("expires=2026-12-31", "date", "", "2026-12-31"),
            ("", "90", "", ""),
            ("expires=%3Cscript%3E", "", "", ""),
            ("expires=-5", "days", "-5", ""),
        ] {
            let expected = Expiry {
                choice: choice.into(),
                days: days.into(),
                date: date.into(),
            };
            assert_eq!(link(query), expected, "{query}");
            // What cannot be read is not repeated.
            if !expected.choice.is_empty() {
                let again = format!("expires={}", expected.as_link());
                assert_eq!(link(&again), expected, "{query}");
            }
        }
    }

    #[test]
    fn something_is_offered_under_every_limit() {
        for (max, expected) in [
            ("1", vec![1]),
            ("10", vec![7, 10]),
            ("90", vec![7, 30, 60, 90]),
            ("1000", vec![7, 30, 60, 90, 180, 365]),
        ] {
            let name = "atlassian.pats.max.tokens.expiry.days";
            let settings = Settings::builder().set(name, max).expect("a limit");
            let settings = settings.build().expect("settings");
            assert_eq!(offered(&settings), expected, "{max}");
        }
    }

    #[test]
    fn numbers_of_days_never_wrap() {
        for (text, expected) in [
            ("90", Some(90)),
            (" 90 ", Some(90)),
            ("-1", Some(-1)),
            ("0", Some(0)),
            ("99999999999999999999", Some(i64::MAX)),
            ("-99999999999999999999", Some(i64::MAX)),
            ("1.5", None),
            ("1e3", None),
            ("", None),
            ("-", None),
            ("٣", None),
        ] {
            assert_eq!(parse_days(text), expected, "{text}");
        }
    }

    #[test]
    fn dates_are_counted_in_days() {
        let today = jiff::civil::date(2026, 2, 26);
        let days = |date: &str| {
            let expiry = Expiry {
                date: date.into(),
                ..Expiry::default()
            };
            expiry.days_until_date(today, 365)
        };
        assert!(matches!(days("2026-02-27"), Ok(1)));
        assert!(matches!(days("2027-02-26"), Ok(365)));
        assert!(matches!(days("2027-02-27"), Err(Text::DateTooFar(365))));
        assert!(matches!(days("2026-02-26"), Err(Text::DateNotFuture)));
        assert!(matches!(days("9999-12-31"), Err(Text::DateTooFar(365))));
        assert!(days("-9999-01-01").is_err());
        for nonsense in ["", "tomorrow", "2026-13-01", "2026-02-30"] {
            assert!(
                matches!(days(nonsense), Err(Text::DateUnreadable)),
                "{nonsense}"
            );
        }
    }
}
