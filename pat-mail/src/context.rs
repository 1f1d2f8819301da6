//! The fields of templates. The README documents them for authors of templates.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};
use pat_core::messages::{Messages, Value};
use pat_core::notification::Notification;
use pat_core::notification::NotificationToken;
use pat_core::store::UNUSED_NOTICE;
use serde::Serialize;
use url::form_urlencoded;

use crate::text;

/// What stands for the ID of a token in the path of its page.
pub(crate) const TOKEN_ID: &str = "{id}";

/// What stands for the name of a token in the path of the creation form.
pub(crate) const TOKEN_NAME: &str = "{name}";

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
    /// Of the form for a new token, perhaps with [`TOKEN_NAME`] in it.
    pub(crate) creation: Option<String>,
    /// Of the page on which a token is replaced, with [`TOKEN_ID`] in it.
    pub(crate) replacement: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Context {
    kind: &'static str,
    language: String,
    direction: &'static str,
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
    unused_days: u32,
    client_address: Option<String>,
    revoked_from: String,
    link: Option<String>,
    create_link: Option<String>,
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
        messages: &Messages,
        links: &Links,
        subject: Option<&str>,
    ) -> Option<Self> {
        let tokens: Vec<_> = notification
            .tokens
            .iter()
            .take(MAX_ROWS)
            .map(|token| TokenContext::new(token, notification.queued_at, format, messages, links))
            .collect();
        let by = notification.by.as_deref().map(text::person);
        let revoked_from = notification.queued_at.checked_add(UNUSED_NOTICE);
        let revoked_from = revoked_from.unwrap_or(notification.queued_at);
        let reason = notification.reason.as_deref().map(text::lines);
        Some(Self {
            kind: notification.kind.as_str(),
            language: messages.language().to_owned(),
            direction: messages.direction(),
            product: product.to_owned(),
            recipient: format.name(text::person(&notification.recipient.full_name)),
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
            unused_days: notification.unused_days().unwrap_or(0),
            client_address: notification
                .client_address
                .map(|address| address.to_string()),
            revoked_from: messages.date(&in_utc(revoked_from)),
            link: links.tokens.clone(),
            create_link: links
                .creation
                .as_deref()
                .map(|page| creation(page, notification)),
            queued: messages.date_time(&in_utc(notification.queued_at)),
        })
    }
}

/// Returns the address of the creation form: filled in if the mail is about one token, else without a query.
fn creation(page: &str, notification: &Notification) -> String {
    let [token] = notification.tokens.as_slice() else {
        let path = page.split_once('?').map_or(page, |(path, _)| path);
        return path.replace(TOKEN_NAME, "");
    };
    let name = text::one_line(&token.name);
    let name: String = form_urlencoded::byte_serialize(name.as_bytes()).collect();
    page.replace(TOKEN_NAME, &name)
}

impl TokenContext {
    /// Counts days from the time at which the notification was queued, so that every attempt has the
    /// same text.
    fn new(
        token: &NotificationToken,
        queued_at: Timestamp,
        format: Format,
        messages: &Messages,
        links: &Links,
    ) -> Self {
        let word = |id| messages.format(id, []).map(Into::into).unwrap_or_default();
        let date = |at| messages.date(&in_utc(at));
        let date_and_time = |at| messages.date_time(&in_utc(at));
        let never = || word("mail-never");
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
            when: days_left.and_then(|days| when(days, messages)),
            scopes: token.scopes.as_ref().map(|scopes| {
                let names: Vec<_> = scopes.iter().collect();
                if names.is_empty() {
                    word("mail-no-scopes")
                } else {
                    names.join(", ")
                }
            }),
            replace_link: links
                .replacement
                .as_ref()
                .map(|page| page.replace(TOKEN_ID, &token.id.to_string())),
        }
    }
}

fn when(days_left: i64, messages: &Messages) -> Option<String> {
    let days = u64::try_from(days_left).ok()?;
    let when = messages.format("mail-when", [("days", Value::Number(days))]);
    when.ok().map(Into::into)
}

fn in_utc(at: Timestamp) -> ZonedDateTime {
    at.to_zoned_datetime(TimeZone::UTC)
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
    fn days_are_counted_by_the_calendar() {
        let queued = at("2026-05-20T23:00:00Z");
        let english = Messages::english();
        let days = |text| days_between(queued, at(text));
        assert_eq!(days("2026-05-20T23:30:00Z"), 0);
        assert_eq!(days("2026-05-21T00:10:00Z"), 1);
        assert_eq!(days("2026-05-27T22:42:00Z"), 7);
        assert_eq!(when(0, &english).as_deref(), Some("today"));
        assert_eq!(when(1, &english).as_deref(), Some("tomorrow"));
        assert_eq!(when(7, &english).as_deref(), Some("in 7 days"));
        assert_eq!(when(-1, &english), None);
    }
}
