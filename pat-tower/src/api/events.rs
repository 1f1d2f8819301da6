//! What administrators read of the audit.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Extension, RawQuery, State as AxumState};
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use jiff::Timestamp;
use pat_core::event::{Event, EventKind, EventRow};
use pat_core::notification::NotificationId;
use pat_core::scope::Scopes;
use pat_core::store::{ImportedToken, PrunedToken, RevokedToken};
use pat_core::{Caller, Client, Owner, TokenId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::admin::administration;
use super::openapi::ADMINISTRATION;
use super::problems::INVALID_SEARCH;
use super::routes::ApiResult;
use super::state::State;
use crate::http::date::wire_date;
use crate::http::problem::Problem;

/// The most events that one answer has.
const MAX_EVENTS: u32 = 1_000;
/// The largest number that every JSON parser reads exactly.
const MAX_SEQ: u64 = (1 << 53) - 1;
/// One JSON object a line.
const NDJSON: &str = "application/x-ndjson";

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct EventsQuery {
    /// The `seq` of the last event that is known already.
    #[serde(default)]
    #[param(default = 0, minimum = 0, maximum = 9_007_199_254_740_991_u64)]
    after: u64,
    /// The maximum number of events.
    #[serde(default = "thousand")]
    #[param(default = 1000, minimum = 1, maximum = 1000)]
    limit: u32,
}

fn thousand() -> u32 {
    MAX_EVENTS
}

/// An audit event. What does not apply to its kind is left out.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Event)]
pub(super) struct EventJson {
    /// Its place: the next request goes on after it.
    seq: u64,
    /// A random number of the event's own.
    id: i64,
    #[schema(format = DateTime)]
    at: String,
    /// `created`, `imported`, `rotated`, `first-used`, `refused`, `revoked`, `disabled`, `enabled`, `changed`, `pruned`,
    /// `notified`, `notice-dead`, `owner-changed`, or one that is newer.
    event: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    token_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    user_key: Option<String>,
    /// When a new or imported token expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    expiring_at: Option<String>,
    /// The token that a new token was created with.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    parent_id: Option<i64>,
    /// The token that a new token replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    rotated_from: Option<i64>,
    /// The tokens whose end a rotation made earlier.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    ends: Option<Vec<i64>>,
    /// When the token that a new token replaced ends, and the tokens of `ends` at the latest.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    ends_at: Option<String>,
    /// Whether the token that a new token replaced had been replaced before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    again: Option<bool>,
    /// The key of the user that revoked the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    revoked_by: Option<String>,
    /// A random number that all events of one revocation have in common.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    revocation_id: Option<i64>,
    /// The key of the user that disabled, enabled or changed the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    changed_by: Option<String>,
    /// Why a token was revoked or refused, or an owner could not be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reason: Option<String>,
    /// How many refusals went before without an event.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    unreported: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    notice_id: Option<i64>,
    /// The kind of the notification.
    #[serde(rename = "notice", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    notification: Option<String>,
    /// The scopes of a new or imported token, in alphabetical order; absent if it is unrestricted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<String>, required = false)]
    scopes: Option<Scopes>,
    /// The name that the token has now; absent if it is deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    token_name: Option<String>,
    /// The network address of the client whose request caused the event, unless the host leaves it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false, nullable = false)]
    client_address: Option<IpAddr>,
    /// The user agent of that client, as the client names itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    user_agent: Option<String>,
    /// The ID of that request.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    request_id: Option<String>,
}

impl EventJson {
    /// Of a stored event, which names one token at most.
    fn new(event: Event) -> Self {
        let row = event.row;
        let json = Self {
            seq: row.map_or(0, |row| row.seq),
            id: row.map_or(0, |row| row.id),
            at: wire_date(event.at),
            event: event.kind.as_str().to_owned(),
            token_name: event.token_name.as_deref().map(str::to_owned),
            client_address: event.client.address(),
            user_agent: event.client.user_agent().map(str::to_owned),
            request_id: event.client.request_id().map(str::to_owned),
            ..Self::default()
        };
        json.with(event.kind)
    }

    fn about(self, token: Option<TokenId>, owner: Option<Owner>) -> Self {
        Self {
            token_id: token.map(TokenId::get),
            user_key: owner.map(|owner| owner.to_string()),
            ..self
        }
    }

    #[expect(clippy::too_many_lines, reason = "a list of all kinds")]
    fn with(self, kind: EventKind) -> Self {
        match kind {
            EventKind::Created {
                token,
                owner,
                expires_at,
                parent,
                scopes,
            } => Self {
                expiring_at: expires_at.map(wire_date),
                parent_id: parent.map(TokenId::get),
                scopes,
                ..self.about(Some(token), Some(owner))
            },
            EventKind::Imported { tokens } => match tokens.into_iter().next() {
                Some(token) => Self {
                    expiring_at: token.expires_at.map(wire_date),
                    scopes: token.scopes,
                    ..self.about(Some(token.id), Some(token.owner))
                },
                None => self,
            },
            EventKind::Rotated {
                token,
                predecessor,
                owner,
                expires_at,
                ends,
                ends_at,
                is_again,
            } => Self {
                expiring_at: expires_at.map(wire_date),
                rotated_from: Some(predecessor.get()),
                ends: Some(ends.into_iter().map(TokenId::get).collect()),
                ends_at: ends_at.map(wire_date),
                again: Some(is_again),
                ..self.about(Some(token), Some(owner))
            },
            EventKind::FirstUsed { token, owner } => self.about(Some(token), Some(owner)),
            EventKind::Refused {
                reason,
                token,
                unreported,
            } => Self {
                reason: Some(reason.into_owned()),
                unreported: Some(unreported),
                ..self.about(token, None)
            },
            EventKind::Revoked {
                tokens,
                by,
                reason,
                revocation,
            } => {
                let token = tokens.into_iter().next();
                let (token, owner) = token.map(|token| (token.id, token.owner)).unzip();
                Self {
                    revoked_by: by.map(|by| by.to_string()),
                    reason,
                    revocation_id: revocation,
                    ..self.about(token, owner)
                }
            }
            EventKind::Disabled { tokens, owner, by }
            | EventKind::Enabled { tokens, owner, by } => Self {
                changed_by: Some(by.to_string()),
                ..self.about(tokens.first().copied(), Some(owner))
            },
            EventKind::Changed { token, owner, by } => Self {
                changed_by: Some(by.to_string()),
                ..self.about(Some(token), Some(owner))
            },
            EventKind::Pruned { tokens } => {
                let token = tokens.into_iter().next();
                let (token, owner) = token.map(|token| (token.id, token.owner)).unzip();
                self.about(token, owner)
            }
            EventKind::Notified {
                notification,
                kind,
                owner,
                tokens,
            } => Self {
                notice_id: Some(notification.get()),
                notification: Some(kind.to_string()),
                ..self.about(tokens.first().copied(), Some(owner))
            },
            EventKind::NotificationDead {
                notification,
                kind,
                owner,
                error,
            } => Self {
                notice_id: Some(notification.get()),
                notification: Some(kind.to_string()),
                reason: Some(error),
                ..self.about(None, Some(owner))
            },
            EventKind::OwnerChanged { owner } => self.about(None, Some(owner)),
            EventKind::Other { token, owner, .. } => self.about(token, owner),
            // A kind that is newer than this crate, which is released with `pat-core`.
            _ => self,
        }
    }

    /// Converts the line back.
    fn into_event(self) -> Result<Event, InvalidEvent> {
        let at: Timestamp = self.at.parse().map_err(|_malformed| InvalidEvent)?;
        let row = EventRow::new(self.id, self.seq);
        let (client, token_name) = (self.client(), self.token_name.as_deref().map(Arc::from));
        let mut event = Event::new(at, self.into_kind()?);
        event.row = Some(row);
        event.client = client;
        event.token_name = token_name;
        Ok(event)
    }

    fn client(&self) -> Client {
        let mut client = Client::default();
        if let Some(address) = self.client_address {
            client = client.with_address(address);
        }
        if let Some(user_agent) = &self.user_agent {
            client = client.with_user_agent(user_agent);
        }
        if let Some(id) = &self.request_id {
            client = client.with_request_id(id);
        }
        client
    }

    fn into_kind(self) -> Result<EventKind, InvalidEvent> {
        let token = optional(self.token_id, TokenId::new)?;
        let owner = optional(self.user_key, |key| Owner::new(key).ok())?;
        let notification = optional(self.notice_id, NotificationId::new)?;
        let changed_by = optional(self.changed_by, |key| Owner::new(key).ok())?;
        Ok(match self.event.as_str() {
            "created" => EventKind::Created {
                token: required(token)?,
                owner: required(owner)?,
                expires_at: optional(self.expiring_at, |at| at.parse().ok())?,
                parent: optional(self.parent_id, TokenId::new)?,
                scopes: self.scopes,
            },
            "imported" => {
                let mut imported = ImportedToken::new(required(token)?, required(owner)?);
                imported.expires_at = optional(self.expiring_at, |at| at.parse().ok())?;
                imported.scopes = self.scopes;
                EventKind::Imported {
                    tokens: vec![imported],
                }
            }
            "rotated" => EventKind::Rotated {
                token: required(token)?,
                predecessor: required(optional(self.rotated_from, TokenId::new)?)?,
                owner: required(owner)?,
                expires_at: optional(self.expiring_at, |at| at.parse().ok())?,
                ends: token_ids(required(self.ends)?)?,
                ends_at: optional(self.ends_at, |at| at.parse().ok())?,
                is_again: required(self.again)?,
            },
            "first-used" => EventKind::FirstUsed {
                token: required(token)?,
                owner: required(owner)?,
            },
            "refused" => EventKind::Refused {
                reason: required(self.reason)?.into(),
                token,
                unreported: required(self.unreported)?,
            },
            "revoked" => EventKind::Revoked {
                tokens: vec![RevokedToken::new(required(token)?, required(owner)?)],
                by: optional(self.revoked_by, |key| Owner::new(key).ok())?,
                reason: self.reason,
                revocation: self.revocation_id,
            },
            "disabled" => EventKind::Disabled {
                tokens: vec![required(token)?],
                owner: required(owner)?,
                by: required(changed_by)?,
            },
            "enabled" => EventKind::Enabled {
                tokens: vec![required(token)?],
                owner: required(owner)?,
                by: required(changed_by)?,
            },
            "changed" => EventKind::Changed {
                token: required(token)?,
                owner: required(owner)?,
                by: required(changed_by)?,
            },
            "pruned" => EventKind::Pruned {
                tokens: vec![PrunedToken::new(required(token)?, required(owner)?)],
            },
            "owner-changed" => EventKind::OwnerChanged {
                owner: required(owner)?,
            },
            kind @ ("notified" | "notice-dead") => match required(self.notification)?.parse() {
                Ok(of) if kind == "notified" => EventKind::Notified {
                    notification: required(notification)?,
                    kind: of,
                    owner: required(owner)?,
                    tokens: token.into_iter().collect(),
                },
                Ok(of) => EventKind::NotificationDead {
                    notification: required(notification)?,
                    kind: of,
                    owner: required(owner)?,
                    error: required(self.reason)?,
                },
                Err(_newer) => EventKind::Other {
                    kind: self.event,
                    token,
                    owner,
                },
            },
            _ => EventKind::Other {
                kind: self.event,
                token,
                owner,
            },
        })
    }
}

fn token_ids(numbers: Vec<i64>) -> Result<Vec<TokenId>, InvalidEvent> {
    let ids = numbers.into_iter().map(TokenId::new);
    ids.collect::<Option<_>>().ok_or(InvalidEvent)
}

fn required<T>(field: Option<T>) -> Result<T, InvalidEvent> {
    field.ok_or(InvalidEvent)
}

/// Parses a field that may be missing, but not malformed.
fn optional<F, T>(
    field: Option<F>,
    parse: impl FnOnce(F) -> Option<T>,
) -> Result<Option<T>, InvalidEvent> {
    field
        .map(|field| parse(field).ok_or(InvalidEvent))
        .transpose()
}

/// Parses an audit event from one line of the response to `GET /admin/events`. A host that archives these
/// lines has the events for [`Pats::after_restore`](pat_core::Pats::after_restore).
///
/// The time of the event has the precision of the REST API, milliseconds. An event of a kind that this
/// version does not know is an [`EventKind::Other`].
///
/// ```
/// let line = r#"{"seq": 7, "id": 42, "at": "2026-02-26T22:42:21.247+00:00",
///     "event": "revoked", "tokenId": 1, "userKey": "alice"}"#;
/// let event = pat_tower::api::parse_event(line)?;
/// assert_eq!(event.kind.as_str(), "revoked");
/// # Ok::<(), pat_tower::api::InvalidEvent>(())
/// ```
///
/// # Errors
/// [`InvalidEvent`] if the line is not such an event.
pub fn parse_event(line: &str) -> Result<Event, InvalidEvent> {
    let json: EventJson = serde_json::from_str(line).map_err(|_malformed| InvalidEvent)?;
    json.into_event()
}

/// The error for text that is not a line of the response to `GET /admin/events`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidEvent;

impl fmt::Display for InvalidEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an audit event as GET /admin/events returns it")
    }
}

impl std::error::Error for InvalidEvent {}

/// Reads audit events
///
/// One JSON object a line, in the order of `seq`. To follow the audit, pass the last `seq` that came
/// as `after`: no event is missed, whichever node wrote it. A response with fewer events than `limit`
/// has all there are now. Events are kept for 396 days. A number that no event has yet is refused: the
/// database was restored from a backup, and new events would be missed.
#[utoipa::path(
    get,
    path = "/admin/events",
    operation_id = "readEvents",
    tag = ADMINISTRATION,
    params(EventsQuery),
    responses(
        (status = 200, description = "The events", body = EventJson, content_type = "application/x-ndjson"),
        (status = 400, description = "Invalid number or limit, or a number that no event has"),
        (status = 501, description = "The host's store keeps no audit events"),
    ),
)]
pub(super) async fn events(
    AxumState(state): AxumState<State>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> ApiResult<Response> {
    let admin = administration(&state, &caller).await?;
    let query = serde_urlencoded::from_str(query.as_deref().unwrap_or_default());
    let EventsQuery { after, limit } = query
        .ok()
        .filter(|query: &EventsQuery| {
            query.after <= MAX_SEQ && (1..=MAX_EVENTS).contains(&query.limit)
        })
        .ok_or_else(|| {
            let detail = format!(
                "after must be a whole number from 0 to {MAX_SEQ}, and limit one from 1 to \
                 {MAX_EVENTS}."
            );
            Problem::new(INVALID_SEARCH, detail)
        })?;
    let events = admin.events(after, limit).await?;
    let mut lines = String::new();
    for event in events {
        let json = serde_json::to_string(&EventJson::new(event));
        lines.push_str(&json.map_err(|_unserializable| Problem::unavailable())?);
        lines.push('\n');
    }
    Ok(([(CONTENT_TYPE, NDJSON)], lines).into_response())
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use pat_core::notification::NotificationKind;

    use super::*;

    fn line(event: &Event) -> String {
        serde_json::to_string(&EventJson::new(event.clone())).expect("JSON")
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a list of all kinds")]
    fn each_kind_of_event_is_parsed_from_its_line() {
        let token = TokenId::new(7).expect("an ID");
        let owner = Owner::new("älice").expect("an owner");
        let notification = NotificationId::new(9).expect("an ID");
        let at: Timestamp = "2026-02-26T22:42:21.247Z".parse().expect("a time");
        let created = |expires_at, parent, scopes| EventKind::Created {
            token,
            owner: owner.clone(),
            expires_at,
            parent,
            scopes,
        };
        let revoked = |by: Option<Owner>, reason| EventKind::Revoked {
            tokens: vec![RevokedToken::new(token, owner.clone())],
            revocation: by.is_some().then_some(1 << 52),
            by,
            reason,
        };
        let refused = |token| EventKind::Refused {
            reason: Cow::Borrowed("expired"),
            token,
            unreported: 3,
        };
        let other = |token, owner| EventKind::Other {
            kind: "made-up".into(),
            token,
            owner,
        };
        let imported = |expires_at, scopes| {
            let mut imported = ImportedToken::new(token, owner.clone());
            (imported.expires_at, imported.scopes) = (expires_at, scopes);
            EventKind::Imported {
                tokens: vec![imported],
            }
        };
        let kinds = [
            imported(None, None),
            imported(Some(at), Scopes::new(["write", "read"]).ok()),
            created(None, None, None),
            created(Some(at), Some(token), Scopes::new(["write", "read"]).ok()),
            created(None, None, Some(Scopes::none())),
            EventKind::Rotated {
                token,
                predecessor: TokenId::new(6).expect("an ID"),
                owner: owner.clone(),
                expires_at: Some(at),
                ends: [6, 5].into_iter().filter_map(TokenId::new).collect(),
                ends_at: Some(at),
                is_again: true,
            },
            EventKind::FirstUsed {
                token,
                owner: owner.clone(),
            },
            refused(None),
            refused(Some(token)),
            revoked(None, None),
            revoked(Some(owner.clone()), Some("lost \"laptop\"\n".into())),
            EventKind::Disabled {
                tokens: vec![token],
                owner: owner.clone(),
                by: owner.clone(),
            },
            EventKind::Enabled {
                tokens: vec![token],
                owner: owner.clone(),
                by: owner.clone(),
            },
            EventKind::Changed {
                token,
                owner: owner.clone(),
                by: owner.clone(),
            },
            EventKind::Pruned {
                tokens: vec![PrunedToken::new(token, owner.clone())],
            },
            EventKind::Notified {
                notification,
                kind: NotificationKind::ExpiresSoon,
                owner: owner.clone(),
                tokens: vec![token],
            },
            EventKind::NotificationDead {
                notification,
                kind: NotificationKind::Pruned,
                owner: owner.clone(),
                error: "no such box".into(),
            },
            EventKind::OwnerChanged {
                owner: owner.clone(),
            },
            other(None, None),
            other(Some(token), Some(owner.clone())),
        ];
        for kind in kinds {
            let mut event = Event::new(at, kind);
            event.row = Some(EventRow::new(42, 7));
            assert_eq!(parse_event(&line(&event)), Ok(event.clone()));
            event.token_name = Some("ci \"✂\"".into());
            event.client = Client::default()
                .with_address("2001:db8::7".parse().expect("an address"))
                .with_user_agent("curl/8.5.0 \"✂\"")
                .with_request_id("7");
            assert_eq!(parse_event(&line(&event)), Ok(event));
        }
    }

    #[test]
    fn other_lines_are_refused() {
        let event = r#"{"seq":1,"id":2,"at":"2026-02-26T22:42:21.247+00:00","event":"revoked""#;
        assert!(parse_event(&format!(r#"{event},"tokenId":1,"userKey":"a"}}"#)).is_ok());
        for fields in [
            "",
            r#","tokenId":1"#,
            r#","tokenId":-1,"userKey":"a""#,
            r#","tokenId":1,"userKey":"""#,
            r#","tokenId":1,"userKey":"a","revokedBy":"""#,
        ] {
            let line = format!("{event}{fields}}}");
            assert_eq!(parse_event(&line), Err(InvalidEvent), "{line}");
        }
        for line in [
            "",
            "[]",
            "null",
            r#"{"seq":1,"id":2,"event":"x"}"#,
            r#"{"seq":1,"id":2,"at":"yesterday","event":"x"}"#,
            r#"{"seq":-1,"id":2,"at":"2026-02-26T22:42:21Z","event":"x"}"#,
        ] {
            assert_eq!(parse_event(line), Err(InvalidEvent), "{line}");
        }
    }
}
