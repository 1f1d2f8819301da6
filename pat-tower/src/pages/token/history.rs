//! The history of a token, as its page shows it.

#![expect(clippy::wildcard_enum_match_arm, reason = "most kinds are not special")]

use axum::response::Response;
use jiff::Timestamp;
use pat_core::event::{Event as AuditEvent, EventKind, HistoryPosition};
use pat_core::{AdminError, Client, TokenHistory, TokenId};

use super::reader::Reader;
use super::users::{Users, author};
use crate::pages::fields::Fields;
use crate::pages::page::{Page, Time};
use crate::pages::text::Text;

/// How many events a page has.
pub(super) const PAGE_LEN: u32 = 50;
/// The field of the query with the position of the page.
const BEFORE: &str = "before";
/// How many clients of refusals a row names.
const MAX_CLIENTS: usize = 3;

/// The page of a history.
pub(super) struct History {
    pub(super) events: Vec<Event>,
    /// Whether a client is known, which only administrators are told.
    pub(super) shows_clients: bool,
    /// The query of the next page.
    pub(super) next: Option<String>,
    pub(super) is_first: bool,
}

impl History {
    pub(super) fn new(
        page: &Page,
        users: &Users,
        id: TokenId,
        history: &TokenHistory,
        before: Option<HistoryPosition>,
    ) -> Self {
        let events = Event::all(page, users, id, &history.events);
        Self {
            shows_clients: events.iter().any(|event| !event.clients.clients.is_empty()),
            events,
            next: history.next.map(query),
            is_first: before.is_none(),
        }
    }
}

/// An event, or several refusals for one reason with no other event between them.
pub(super) struct Event {
    pub(super) at: Time,
    /// The time of the first one, if there are several.
    pub(super) since: Option<Time>,
    pub(super) what: String,
    pub(super) by: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) clients: Clients,
}

/// The clients of one event, or of some equal ones, latest first.
pub(super) struct Clients {
    pub(super) clients: Vec<ClientNames>,
    /// How many others there are.
    pub(super) more: Option<String>,
}

pub(super) struct ClientNames {
    pub(super) address: Option<String>,
    pub(super) user_agent: Option<String>,
}

impl Clients {
    fn new(page: &Page, events: &[AuditEvent]) -> Self {
        let mut found: Vec<&Client> = Vec::new();
        for event in events {
            let client = &event.client;
            let is_known = client.address().is_some() || client.user_agent().is_some();
            let is_same = |other: &&Client| {
                (other.address(), other.user_agent()) == (client.address(), client.user_agent())
            };
            if is_known && !found.iter().any(is_same) {
                found.push(client);
            }
        }
        let more = found.len().saturating_sub(MAX_CLIENTS) as u64;
        let clients = found.into_iter().take(MAX_CLIENTS);
        let clients = clients.map(|client| ClientNames {
            address: client.address().map(|address| address.to_string()),
            user_agent: client.user_agent().map(str::to_owned),
        });
        Self {
            clients: clients.collect(),
            more: (more > 0).then(|| page.t(Text::AndMore(more)).into_owned()),
        }
    }
}

impl Event {
    /// All events of a page, latest first.
    fn all(page: &Page, users: &Users, id: TokenId, events: &[AuditEvent]) -> Vec<Self> {
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
                what: what(page, id, events),
                by: by(page, users, &latest.kind),
                reason: reason(users, &latest.kind).map(str::to_owned),
                clients: Clients::new(page, events),
            })
        };
        groups.filter_map(group).collect()
    }
}

/// What happened: one event, or some equal ones.
fn what(page: &Page, id: TokenId, events: &[AuditEvent]) -> String {
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
    page.t(Text::Event(name(id, &first.kind))).into_owned()
}

/// How many refusals an event stands for.
fn refusals(kind: &EventKind) -> u64 {
    match kind {
        EventKind::Refused { unreported, .. } => unreported.saturating_add(1),
        _ => 0,
    }
}

/// The name of what happened to the token.
fn name(id: TokenId, kind: &EventKind) -> &str {
    match kind {
        EventKind::Rotated { predecessor, .. } if *predecessor == id => "replaced",
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
    id: TokenId,
    before: Option<HistoryPosition>,
) -> Result<Option<TokenHistory>, Response> {
    match reader {
        Reader::Owner => {
            let history = page.pats().history(page.caller(), id, before, PAGE_LEN);
            history.await.map_err(|error| page.inaccessible(&error))
        }
        Reader::Administrator(admin) => match admin.history(id, before, PAGE_LEN).await {
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
fn query(position: HistoryPosition) -> String {
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
