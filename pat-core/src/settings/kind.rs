//! The kinds of property values: their text, and the values it is read as.

use std::fmt::Display;
use std::marker::PhantomData;
use std::net::Ipv6Addr;
use std::str::FromStr;
use std::time::Duration;

use crate::scope::Scopes;
use crate::token::FormatName;

/// Returns the allowed values of a kind, in words that complete "give …". Takes the kind's tokens, so that
/// docs can have these words too.
macro_rules! allowed {
    (Boolean) => {
        "true or false"
    };
    (Formats) => {
        "atlassian and prefixed:<prefix>, separated by commas, or nothing"
    };
    (Realm) => {
        "1 to 64 printable ASCII characters without \" and \\"
    };
    (BaseUrl) => {
        "an absolute http or https URL without a user name, query or fragment, or nothing"
    };
    (ScopeNames) => {
        "names of scopes, separated by spaces, or nothing"
    };
    (ReminderDays) => {
        "up to 10 whole numbers from 1 to 36500, separated by commas, or nothing"
    };
    (Parsed<Schedule>) => {
        "a Quartz cron expression such as 0 0 0 * * ? (six fields, seconds first, or seven with the year) \
         that has a firing time after 2025"
    };
    (Parsed<Zone>) => {
        "local or an IANA name such as Europe/Berlin"
    };
    (Parsed<TokenPrefix>) => {
        "a lower-case letter and 1 to 15 lower-case letters or digits"
    };
    (Parsed<RevocationWait>) => {
        "none or cluster"
    };
    (Parsed<CreateByToken>) => {
        "allowed, capped or forbidden"
    };
    (Parsed<TokenLayout>) => {
        "prefixed or atlassian"
    };
    ($number:ident<$min:literal, $max:literal>) => {
        concat!("a whole number from ", $min, " to ", $max)
    };
}
pub(super) use allowed;

/// A kind of value: its conversion from and to text.
pub(super) trait Kind {
    type Value;

    /// Returns the value of `text`, or `None` if the kind does not allow it.
    fn parse(text: &str) -> Option<Self::Value>;
    fn show(value: &Self::Value) -> String;
}

pub(super) struct Boolean;

impl Kind for Boolean {
    type Value = bool;

    fn parse(text: &str) -> Option<bool> {
        let values = [("true", true), ("false", false)];
        let found = values
            .iter()
            .find(|(word, _)| text.eq_ignore_ascii_case(word));
        found.map(|(_, value)| *value)
    }

    fn show(value: &bool) -> String {
        value.to_string()
    }
}

/// A whole number within a range.
pub(super) struct Count<const MIN: u32, const MAX: u32>;

impl<const MIN: u32, const MAX: u32> Kind for Count<MIN, MAX> {
    type Value = u32;

    fn parse(text: &str) -> Option<u32> {
        // `parse` would take a plus sign.
        let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|_| is_digits);
        number.filter(|number| (MIN..=MAX).contains(number))
    }

    fn show(value: &u32) -> String {
        value.to_string()
    }
}

/// A duration, as a whole number of units of `UNIT` milliseconds within a range.
pub(super) struct Span<const UNIT: u32, const MIN: u32, const MAX: u32>;
pub(super) type Millis<const MIN: u32, const MAX: u32> = Span<1, MIN, MAX>;
pub(super) type Seconds<const MIN: u32, const MAX: u32> = Span<1_000, MIN, MAX>;
pub(super) type Minutes<const MIN: u32, const MAX: u32> = Span<60_000, MIN, MAX>;
pub(super) type Days<const MIN: u32, const MAX: u32> = Span<86_400_000, MIN, MAX>;

impl<const UNIT: u32, const MIN: u32, const MAX: u32> Kind for Span<UNIT, MIN, MAX> {
    type Value = Duration;

    fn parse(text: &str) -> Option<Duration> {
        let count = Count::<MIN, MAX>::parse(text)?;
        Some(Duration::from_millis(u64::from(UNIT) * u64::from(count)))
    }

    fn show(value: &Duration) -> String {
        (value.as_millis() / u128::from(UNIT)).to_string()
    }
}

/// A type with `FromStr` and `Display`.
pub(super) struct Parsed<T>(PhantomData<T>);

impl<T: FromStr + Display> Kind for Parsed<T> {
    type Value = T;

    fn parse(text: &str) -> Option<T> {
        text.parse().ok()
    }

    fn show(value: &T) -> String {
        value.to_string()
    }
}

/// Names of formats, separated by commas; blank text for none.
pub(super) struct Formats;

impl Kind for Formats {
    type Value = Vec<FormatName>;

    fn parse(text: &str) -> Option<Vec<FormatName>> {
        if text.trim().is_empty() {
            return Some(Vec::new());
        }
        let names = text.split(',').map(str::trim);
        names.map(|name| FormatName::from_str(name).ok()).collect()
    }

    fn show(value: &Vec<FormatName>) -> String {
        let names: Vec<_> = value.iter().map(FormatName::to_string).collect();
        names.join(",")
    }
}

/// Names of scopes, separated by white space; blank text for none.
pub(super) struct ScopeNames;

impl Kind for ScopeNames {
    type Value = Option<Scopes>;

    fn parse(text: &str) -> Option<Option<Scopes>> {
        let scopes = Scopes::new(text.split_ascii_whitespace()).ok()?;
        Some(Some(scopes).filter(|scopes| !scopes.is_empty()))
    }

    fn show(value: &Option<Scopes>) -> String {
        value.as_ref().map(Scopes::to_string).unwrap_or_default()
    }
}

/// Numbers of days, separated by commas; blank text for none. The value is in descending order, without
/// duplicates.
pub(super) struct ReminderDays;

/// How many numbers the list may have: each one is a part of the query for due notifications.
const MAX_REMINDERS: usize = 10;

impl Kind for ReminderDays {
    type Value = Vec<u32>;

    fn parse(text: &str) -> Option<Vec<u32>> {
        if text.trim().is_empty() {
            return Some(Vec::new());
        }
        let days = text.split(',').map(str::trim);
        let days: Option<Vec<_>> = days.map(Count::<1, 36_500>::parse).collect();
        let mut days = days?;
        days.sort_unstable_by(|one, other| other.cmp(one));
        days.dedup();
        Some(days).filter(|days| days.len() <= MAX_REMINDERS)
    }

    fn show(value: &Vec<u32>) -> String {
        let days: Vec<_> = value.iter().map(u32::to_string).collect();
        days.join(",")
    }
}

/// Text that an HTTP header can quote.
pub(super) struct Realm;

impl Kind for Realm {
    type Value = Box<str>;

    fn parse(text: &str) -> Option<Box<str>> {
        let is_quotable = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\';
        let fits = (1..=64).contains(&text.len()) && text.bytes().all(is_quotable);
        fits.then(|| text.into())
    }

    fn show(value: &Box<str>) -> String {
        value.to_string()
    }
}

/// A URL without the slash at its end, so that a path can be appended; empty text for none.
pub(super) struct BaseUrl;

impl Kind for BaseUrl {
    type Value = Option<Box<str>>;

    fn parse(text: &str) -> Option<Option<Box<str>>> {
        if text.is_empty() {
            return Some(None);
        }
        let rest = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"))?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        (is_host_and_port(authority) && is_encoded(path, b"/:@"))
            .then(|| Some(text.trim_end_matches('/').into()))
    }

    fn show(value: &Option<Box<str>>) -> String {
        value.as_deref().unwrap_or_default().to_owned()
    }
}

/// Refuses a user name too: its password would appear in each mail.
fn is_host_and_port(authority: &str) -> bool {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let address = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    let is_host = match address {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => !host.is_empty() && is_encoded(host, b""),
    };
    is_host && port.is_none_or(|port| Count::<1, 65_535>::parse(port).is_some())
}

/// Returns whether the text has only characters of a part of a URL (RFC 3986 section 3.3): unreserved
/// ones, sub-delimiters, bytes that are encoded, and `others`.
fn is_encoded(text: &str, others: &[u8]) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let is_known = match byte {
            b'%' => [bytes.next(), bytes.next()]
                .iter()
                .all(|digit| digit.is_some_and(|digit| digit.is_ascii_hexdigit())),
            _ => {
                byte.is_ascii_alphanumeric()
                    || b"-._~!$&'()*+,;=".contains(&byte)
                    || others.contains(&byte)
            }
        };
        if !is_known {
            return false;
        }
    }
    true
}
