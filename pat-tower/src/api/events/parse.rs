//! From a line to its event.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use pat_core::event::{Event, EventKind, EventRow};
use pat_core::notification::NotificationId;
use pat_core::store::{ImportedToken, PrunedToken, RevokedToken};
use pat_core::{Client, Owner, TokenId};

use super::EventJson;

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

impl EventJson {
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

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use pat_core::notification::NotificationKind;
    use pat_core::scope::Scopes;

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
