use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use pat_core::TokenId;
use pat_core::search::{NEVER, Position, Sort, SortKey, SortValue};
use serde::{Deserialize, Serialize};

/// Where the next page of a search begins. Opaque to clients.
#[derive(Debug, PartialEq)]
pub(crate) struct PageCursor {
    /// The order it belongs to.
    pub(crate) sort: Sort,
    /// The last token that was seen.
    pub(crate) after: Position,
}

/// Times are microseconds since 1970.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CursorJson {
    key: Key,
    descending: bool,
    time: Option<i64>,
    text: Option<String>,
    created: i64,
    id: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Key {
    Created,
    Expires,
    Used,
    Name,
    Owner,
}

impl PageCursor {
    pub(crate) fn encode(&self) -> String {
        let Self { sort, after } = self;
        let (time, text) = match &after.value {
            SortValue::Time(at) => (Some(at.as_microsecond()), None),
            SortValue::Text(text) => (None, Some(text.clone())),
        };
        let json = CursorJson {
            key: match sort.key {
                SortKey::CreatedAt => Key::Created,
                SortKey::ExpiresAt => Key::Expires,
                SortKey::LastUsedAt => Key::Used,
                SortKey::Name => Key::Name,
                SortKey::Owner => Key::Owner,
            },
            descending: sort.is_descending,
            time,
            text,
            created: after.created_at.as_microsecond(),
            id: after.id.get(),
        };
        // A struct of texts and numbers is always JSON.
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(&json).unwrap_or_default())
    }

    /// `None` for what [`PageCursor::encode`] cannot have made: serde also reads JSON in other forms, such
    /// as an array of the members' values.
    pub(crate) fn decode(text: &str) -> Option<Self> {
        Self::read(text).filter(|cursor| cursor.encode() == text)
    }

    fn read(text: &str) -> Option<Self> {
        let json = URL_SAFE_NO_PAD.decode(text).ok()?;
        let json: CursorJson = serde_json::from_slice(&json).ok()?;
        let key = match json.key {
            Key::Created => SortKey::CreatedAt,
            Key::Expires => SortKey::ExpiresAt,
            Key::Used => SortKey::LastUsedAt,
            Key::Name => SortKey::Name,
            Key::Owner => SortKey::Owner,
        };
        let value = match (json.time, json.text) {
            (Some(micros), None) => SortValue::Time(time(micros)?),
            (None, Some(text)) => SortValue::Text(text),
            _ => return None,
        };
        let after = Position {
            value,
            created_at: Timestamp::from_microsecond(json.created).ok()?,
            id: TokenId::new(json.id)?,
        };
        let sort = Sort {
            key,
            is_descending: json.descending,
        };
        key.fits(&after.value).then_some(Self { sort, after })
    }
}

/// The time of so many microseconds. What never expires is sorted by the last time there is, which
/// has a fraction that `from_microsecond` does not take.
fn time(micros: i64) -> Option<Timestamp> {
    if micros == NEVER.as_microsecond() {
        return Some(NEVER);
    }
    Timestamp::from_microsecond(micros).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor(key: SortKey, value: SortValue) -> PageCursor {
        PageCursor {
            sort: Sort {
                key,
                is_descending: true,
            },
            after: Position {
                value,
                created_at: Timestamp::from_microsecond(1_772_145_741_247_001).expect("a date"),
                id: TokenId::new(7).expect("an id"),
            },
        }
    }

    #[test]
    fn a_cursor_comes_back_as_it_went() {
        for cursor in [
            cursor(SortKey::Name, SortValue::Text("\u{202e}\"ci\\".into())),
            cursor(SortKey::Owner, SortValue::Text(String::new())),
            cursor(SortKey::ExpiresAt, SortValue::Time(NEVER)),
            cursor(SortKey::LastUsedAt, SortValue::Time(Timestamp::UNIX_EPOCH)),
        ] {
            assert_eq!(PageCursor::decode(&cursor.encode()), Some(cursor));
        }
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        let mixed = cursor(SortKey::Name, SortValue::Time(Timestamp::UNIX_EPOCH));
        let others = [
            r#"["name",true,null,"ci",0,7]"#,
            r#"{"key":{"name":null},"descending":true,"time":null,"text":"ci","created":0,"id":7}"#,
            r#"{"descending":true,"key":"name","time":null,"text":"ci","created":0,"id":7}"#,
            r#"{"key":"name","descending":true,"text":"ci","created":0,"id":7}"#,
            r#"{"key":"name","descending":true,"time":null,"text":"\u0063i","created":0,"id":7}"#,
        ]
        .map(|json| URL_SAFE_NO_PAD.encode(json));
        let others = others.iter().map(String::as_str);
        for text in ["", "x", "e30", &mixed.encode(), "=", "\u{e9}"]
            .into_iter()
            .chain(others)
        {
            assert_eq!(PageCursor::decode(text), None, "{text:?}");
        }
    }
}
