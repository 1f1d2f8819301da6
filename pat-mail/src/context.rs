//! The fields of templates. The README documents them for authors of templates.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use pat_core::notification::Notification;
use pat_core::notification::NotificationToken;
use pat_core::scope::Scopes;
use pat_core::store::UNUSED_NOTICE;
use serde::Serialize;

use crate::text;

/// What stands for the ID of a token in the path of its page.
pub(crate) const TOKEN_ID: &str = "{id}";

/// How many tokens a mail shows at most: a user may have thousands.
const MAX_ROWS: usize = 20;

/// The format of a template, which decides how a name is separated from the text around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Names are put between isolates.
    Text,
    /// Templates put names into `<bdi>`; the engine escapes them.
    Html,
}

impl Format {
    fn name(self, name: String) -> String {
        match self {
            Self::Text if !name.is_empty() => pat_core::text::isolate(&name),
            Self::Text | Self::Html => name,
        }
    }
}

/// The addresses of the host's pages, as far as there are any.
#[derive(Debug, Default)]
pub(crate) struct Links {
    /// Of the page with the user's tokens.
    pub(crate) tokens: Option<String>,
    /// Of the page on which a token is replaced, with [`TOKEN_ID`] in it.
    pub(crate) replacement: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Context {
    kind: &'static str,
    product: String,
    recipient: String,
    subject: Option<String>,
    count: usize,
    token: TokenContext,
    tokens: Vec<TokenContext>,
    more: usize,
    by: Option<String>,
    reason: Option<Vec<String>>,
    live_children: u64,
    client_address: Option<String>,
    revoked_from: String,
    link: Option<String>,
    queued: String,
}

#[derive(Debug, Clone, Serialize)]
struct TokenContext {
    id: i64,
    name: String,
    created: String,
    created_date: String,
    expires: String,
    expires_date: Option<String>,
    last_used: String,
    days_left: Option<i64>,
    when: Option<String>,
    scopes: Option<String>,
    replace_link: Option<String>,
}

impl Context {
    /// `None` for a notification without tokens.
    pub(crate) fn new(
        notification: &Notification,
        format: Format,
        product: &str,
        links: &Links,
        subject: Option<&str>,
    ) -> Option<Self> {
        let tokens: Vec<_> = notification
            .tokens
            .iter()
            .take(MAX_ROWS)
            .map(|token| TokenContext::new(token, notification.queued_at, format, links))
            .collect();
        let by = notification.by.as_deref().map(text::person);
        let reason = notification.reason.as_deref().map(text::lines);
        Some(Self {
            kind: notification.kind.as_str(),
            product: product.to_owned(),
            recipient: format.name(recipient(notification)),
            subject: subject.map(str::to_owned),
            count: notification.tokens.len(),
            more: notification.tokens.len() - tokens.len(),
            token: tokens.first()?.clone(),
            tokens,
            by: by
                .filter(|name| !name.is_empty())
                .map(|name| format.name(name)),
            reason: reason
                .filter(|lines| lines.iter().any(|line| !line.is_empty()))
                .map(|lines| lines.into_iter().map(|line| format.name(line)).collect()),
            live_children: notification.live_children,
            client_address: notification
                .client_address
                .map(|address| address.to_string()),
            revoked_from: notification
                .queued_at
                .checked_add(UNUSED_NOTICE)
                .map_or_else(|_| date(notification.queued_at), date),
            link: links.tokens.clone(),
            queued: date_and_time(notification.queued_at),
        })
    }
}

/// Returns the recipient's name, or a word for a greeting without one.
fn recipient(notification: &Notification) -> String {
    let name = text::person(&notification.recipient.full_name);
    if name.is_empty() {
        "there".to_owned()
    } else {
        name
    }
}

impl TokenContext {
    /// Counts days from the time at which the notification was queued, so that every attempt has the
    /// same text.
    fn new(token: &NotificationToken, queued_at: Timestamp, format: Format, links: &Links) -> Self {
        let never = || "never".to_owned();
        let days_left = token.expires_at.map(|at| days_between(queued_at, at));
        Self {
            id: token.id.get(),
            name: format.name(text::one_line(&token.name)),
            created: date_and_time(token.created_at),
            created_date: date(token.created_at),
            expires: token.expires_at.map_or_else(never, date_and_time),
            expires_date: token.expires_at.map(date),
            last_used: token.last_used_at.map_or_else(never, date_and_time),
            days_left,
            when: days_left.and_then(when),
            scopes: token.scopes.as_ref().map(scopes),
            replace_link: links
                .replacement
                .as_ref()
                .map(|page| page.replace(TOKEN_ID, &token.id.to_string())),
        }
    }
}

fn scopes(scopes: &Scopes) -> String {
    if scopes.is_empty() {
        return "none".to_owned();
    }
    scopes.iter().collect::<Vec<_>>().join(", ")
}

fn when(days_left: i64) -> Option<String> {
    match days_left {
        ..0 => None,
        0 => Some("today".to_owned()),
        1 => Some("tomorrow".to_owned()),
        days => Some(format!("in {days} days")),
    }
}

fn date(at: Timestamp) -> String {
    at.strftime("%-d %B %Y").to_string()
}

fn date_and_time(at: Timestamp) -> String {
    at.strftime("%-d %B %Y, %H:%M UTC").to_string()
}

/// Returns the days from one date to the other, whatever the hours.
fn days_between(from: Timestamp, to: Timestamp) -> i64 {
    let day = |at: Timestamp| {
        let midnight = TimeZone::UTC
            .to_datetime(at)
            .date()
            .to_datetime(jiff::civil::Time::MIN);
        TimeZone::UTC
            .to_timestamp(midnight)
            .map_or(0, Timestamp::as_second)
            / 86_400
    };
    day(to) - day(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn dates_are_written_out() {
        assert_eq!(
            date_and_time(at("2026-05-07T22:42:59Z")),
            "7 May 2026, 22:42 UTC"
        );
        assert_eq!(date(at("2026-12-31T23:59:59Z")), "31 December 2026");
    }

    #[test]
    fn days_are_counted_by_the_calendar() {
        let queued = at("2026-05-20T23:00:00Z");
        let days = |text| days_between(queued, at(text));
        assert_eq!(days("2026-05-20T23:30:00Z"), 0);
        assert_eq!(days("2026-05-21T00:10:00Z"), 1);
        assert_eq!(days("2026-05-27T22:42:00Z"), 7);
        assert_eq!(when(0).as_deref(), Some("today"));
        assert_eq!(when(1).as_deref(), Some("tomorrow"));
        assert_eq!(when(7).as_deref(), Some("in 7 days"));
        assert_eq!(when(-1), None);
    }
}
