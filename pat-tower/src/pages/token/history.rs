//! The history of a token, as its page shows it.

#![expect(clippy::wildcard_enum_match_arm, reason = "most kinds are not special")]

use axum::response::Response;
use jiff::Timestamp;
use pat_core::event::{Event as AuditEvent, EventKind, HistoryPosition};
use pat_core::{AdminError, Token, TokenHistory};

use super::reader::Reader;
use super::users::{Users, author};
use crate::pages::fields::Fields;
use crate::pages::page::{Page, Time};
use crate::pages::text::Text;

/// How many events a page has.
const PAGE_LEN: u32 = 50;
/// The field of the query with the position of the page.
const BEFORE: &str = "before";

/// The page of a history.
pub(super) struct History {
    pub(super) events: Vec<Event>,
    /// The query of the next page.
    pub(super) next: Option<String>,
    pub(super) is_first: bool,
}

/// An event, or several refusals for one reason with no other event between them.
pub(super) struct Event {
    pub(super) at: Time,
    /// The time of the first one, if there are several.
    pub(super) since: Option<Time>,
    pub(super) what: String,
    pub(super) by: Option<String>,
    pub(super) reason: Option<String>,
}

impl Event {
    /// All events of a page, latest first.
    pub(super) fn all(
        page: &Page,
        users: &Users,
        token: &Token,
        events: &[AuditEvent],
    ) -> Vec<Self> {
        let groups = events.chunk_by(|one, two| match (&one.kind, &two.kind) {
            (EventKind::Refused { reason, .. }, EventKind::Refused { reason: other, .. }) => {
                reason == other
            }
            _ => false,
        });
        let group = |events: &[AuditEvent]| {
            let (latest, earliest) = (events.first()?, events.last()?);
            let is_one = events.len() == 1;
            Some(Self {
                at: page.time(latest.at),
                since: (!is_one).then(|| page.time(earliest.at)),
                what: what(page, token, events),
                by: by(page, users, &latest.kind),
                reason: reason(users, &latest.kind).map(str::to_owned),
            })
        };
        groups.filter_map(group).collect()
    }
}

/// What happened: one event, or some equal ones.
fn what(page: &Page, token: &Token, events: &[AuditEvent]) -> String {
    let Some(first) = events.first() else {
        return String::new();
    };
    if let EventKind::Refused { reason, .. } = &first.kind {
        let reason = page.t(Text::Refusal(reason)).into_owned();
        let counts = events.iter().map(|event| refusals(&event.kind));
        let count = counts.fold(0, u64::saturating_add);
        let reason = &reason;
        return page.t(Text::EventRefused { reason, count }).into_owned();
    }
    if let EventKind::Notified { kind, .. } = &first.kind {
        let notice = page.t(Text::Notice(kind.as_str())).into_owned();
        return page.t(Text::EventNotified(&notice)).into_owned();
    }
    page.t(Text::Event(name(token, &first.kind))).into_owned()
}

/// How many refusals an event stands for.
fn refusals(kind: &EventKind) -> u64 {
    match kind {
        EventKind::Refused { unreported, .. } => unreported.saturating_add(1),
        _ => 0,
    }
}

/// The name of what happened to the token.
fn name<'e>(token: &Token, kind: &'e EventKind) -> &'e str {
    match kind {
        EventKind::Rotated { predecessor, .. } if *predecessor == token.id => "replaced",
        EventKind::Created {
            parent: Some(_), ..
        } => "created-with",
        _ => kind.as_str(),
    }
}

/// Who did it, if that is a question.
fn by(page: &Page, users: &Users, kind: &EventKind) -> Option<String> {
    let is_automatic = matches!(kind, EventKind::Revoked { by: None, .. });
    let author = author(kind);
    (author.is_some() || is_automatic).then(|| users.name(page, author))
}

/// Why it was done. Reasons are shown to administrators; the owner sees that of the revocation above the history.
fn reason<'e>(users: &Users, kind: &'e EventKind) -> Option<&'e str> {
    match (users, kind) {
        (Users::All { .. }, EventKind::Revoked { reason, .. }) => reason.as_deref(),
        _ => None,
    }
}

/// Reads a page; `None` if the store keeps no events.
pub(super) async fn read(
    page: &Page,
    reader: Reader<'_>,
    token: &Token,
    before: Option<HistoryPosition>,
) -> Result<Option<TokenHistory>, Response> {
    match reader {
        Reader::Owner => {
            let history = page
                .pats()
                .history(page.caller(), token.id, before, PAGE_LEN);
            history.await.map_err(|error| page.inaccessible(&error))
        }
        Reader::Administrator(admin) => match admin.history(token.id, before, PAGE_LEN).await {
            Ok(history) => Ok(Some(history)),
            Err(AdminError::NoAudit) => Ok(None),
            Err(error) => Err(page.not_administered(&error)),
        },
    }
}

/// The position that the query names; `None` for the latest events.
pub(super) fn position(fields: &Fields) -> Option<HistoryPosition> {
    let (at, id) = fields.get(BEFORE).split_once('.')?;
    let at = Timestamp::from_microsecond(at.parse().ok()?).ok()?;
    Some(HistoryPosition::new(at, id.parse().ok()?))
}

/// The query that names a position.
pub(super) fn query(position: HistoryPosition) -> String {
    let HistoryPosition { at, id } = position;
    format!("{BEFORE}={}.{id}", at.as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_names_a_position() {
        let at = Timestamp::from_microsecond(1_772_145_741_247_001).expect("a time");
        let place = HistoryPosition::new(at, (1 << 53) - 1);
        let fields = Fields::of_query(Some(&query(place)));
        assert_eq!(position(&fields), Some(place));
        for other in ["", "before=", "before=1", "before=x.1", "before=1.x"] {
            assert_eq!(position(&Fields::of_query(Some(other))), None, "{other}");
        }
    }
}
