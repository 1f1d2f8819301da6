//! The JSON that a request holds.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use http::header::{ACCEPT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::problems::{BODY_TOO_LARGE, MALFORMED_BODY, UNSUPPORTED_MEDIA_TYPE, sentence};
use crate::http::problem::Problem;
use crate::http::request_body::{BodyError, is_encoded, read_whole};

/// The largest body that is read, in bytes.
const MAX_LEN: usize = 64 * 1024;
/// The largest body with ids of tokens, in bytes.
pub(super) const MAX_IDS_LEN: usize = 1024 * 1024;

/// What some programs begin a text in UTF-8 with; a parser may pass over it (RFC 8259 section 8.1).
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The body of a request that wants one, of at most so many bytes. One that has none may call it
/// whatever it likes; one that has must call it JSON.
pub(super) struct JsonBody<const MAX: usize = MAX_LEN>(Bytes);

impl<const MAX: usize, S: Send + Sync> FromRequest<S> for JsonBody<MAX> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        let (head, body) = request.into_parts();
        let body = read_whole(body, MAX).await.map_err(|error| match error {
            BodyError::TooLong => {
                let detail = format!("The body is too large; at most {MAX} bytes are read.");
                Problem::new(BODY_TOO_LARGE, detail)
            }
            BodyError::Broken => malformed("The body ended before its end."),
        })?;
        if !body.is_empty() {
            check_media_type(&head.headers)?;
        }
        Ok(Self(body))
    }
}

impl<const MAX: usize> JsonBody<MAX> {
    /// Reads an object.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        read_object(&self.0)
    }

    /// Reads an object, or none from an empty body.
    pub(super) fn read_optional<T: DeserializeOwned + Default>(&self) -> Result<T, Problem> {
        if self.0.is_empty() {
            return Ok(T::default());
        }
        self.read()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Reads an array.
    pub(super) fn read_array<T: DeserializeOwned>(&self) -> Result<Vec<T>, Problem> {
        read(json(&self.0)?)
    }
}

fn check_media_type(headers: &HeaderMap) -> Result<(), Problem> {
    if is_encoded(headers) {
        let detail = "Send the body as it is, without a Content-Encoding such as gzip.";
        let problem = Problem::new(UNSUPPORTED_MEDIA_TYPE, detail);
        let identity = HeaderValue::from_static("identity");
        return Err(problem.with_header(ACCEPT_ENCODING, identity));
    }
    if is_json(headers) {
        return Ok(());
    }
    let detail = "Send the body as application/json.";
    Err(Problem::new(UNSUPPORTED_MEDIA_TYPE, detail))
}

/// Whether the media type is JSON, whatever bytes its parameters have.
fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let essence = value.and_then(|value| value.split(|byte| *byte == b';').next());
    essence.is_some_and(|essence| {
        essence
            .trim_ascii()
            .eq_ignore_ascii_case(b"application/json")
    })
}

/// serde would also take an array, for the values of the members in their order.
fn read_object<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let json = json(body)?;
    if json.trim_ascii_start().starts_with(b"[") {
        return Err(malformed("Send an object, not an array."));
    }
    read(json)
}

fn json(body: &[u8]) -> Result<&[u8], Problem> {
    let json = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    if json.trim_ascii().is_empty() {
        return Err(malformed("Send a body of JSON."));
    }
    Ok(json)
}

fn read<T: DeserializeOwned>(json: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(json).map_err(|error| malformed(&describe(&error)))
}

pub(super) fn malformed(detail: &str) -> Problem {
    Problem::new(MALFORMED_BODY, detail)
}

/// Says what is wrong without anything of the body, which may hold a secret in the wrong place. What
/// serde found comes before what it expected, and only that is a text of ours.
fn describe(error: &serde_json::Error) -> String {
    let text = error.to_string();
    if error.classify() != Category::Data {
        return sentence(&text);
    }
    // A type without members expects none, so the words would be the body's.
    let expects_something = !text.contains("`, there are no ");
    if let Some((_found, expected)) = text
        .rsplit_once(", expected ")
        .filter(|_| expects_something)
    {
        return sentence(&format!("expected {expected}"));
    }
    let names_a_member_of_ours = ["missing field `", "duplicate field `"];
    if names_a_member_of_ours
        .iter()
        .any(|start| text.starts_with(start))
    {
        return sentence(&text);
    }
    let (line, column) = (error.line(), error.column());
    format!("A member has a value that it cannot have, at line {line} column {column}.")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only whether it can be read counts")]
    struct Sample {
        token: String,
        #[serde(default)]
        count: u32,
        #[serde(default)]
        kind: Option<Kind>,
        #[serde(default)]
        nothing: Option<Empty>,
    }

    #[derive(Debug, Deserialize)]
    enum Kind {
        One,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Empty {}

    fn detail(body: &str) -> String {
        let error = serde_json::from_slice::<Sample>(body.as_bytes()).expect_err("an error");
        describe(&error)
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (body, expected) in [
            ("{", "EOF while parsing an object at line 1 column 1."),
            ("{}", "Missing field `token` at line 1 column 2."),
            (r#""s3cret""#, "Expected struct Sample at line 1 column 8."),
            (
                r#"{"token":"a","s3cret":1}"#,
                "Expected one of `token`, `count`, `kind`, `nothing` at line 1 column 21.",
            ),
        ] {
            assert_eq!(detail(body), expected, "{body}");
        }
    }

    #[test]
    fn an_array_is_no_object() {
        for (body, is_good) in [
            (r#"{"token":"a"}"#, true),
            ("\u{feff} {\"token\":\"a\"}", true),
            (r#"["a"]"#, false),
            ("\u{feff}\r\n[\"a\",1]", false),
        ] {
            let read = read_object::<Sample>(body.as_bytes());
            assert_eq!(read.is_ok(), is_good, "{body}");
        }
    }

    /// JSON with this text at any place of it.
    fn holding(text: &str) -> [String; 9] {
        let text = serde_json::to_string(text).expect("JSON");
        [
            text.clone(),
            format!("[[{text}]]"),
            format!("{{\"token\":[{text}]}}"),
            format!("{{\"token\":{{{text}:1}}}}"),
            format!("{{{text}:{text}}}"),
            format!("{{\"token\":\"\",\"count\":{text}}}"),
            format!("{{\"token\":\"\",\"kind\":{text}}}"),
            format!("{{\"token\":\"\",\"nothing\":{{{text}:1}}}}"),
            format!("{{\"token\":{text} {text}}}"),
        ]
    }

    proptest! {
        #[test]
        fn nothing_of_a_body_is_repeated(text in "[xyzXYZ]{6}(, expected |`| missing field `)?[xyzXYZ]{6}") {
            let (start, end) = (&text[..6], &text[text.len() - 6..]);
            for body in holding(&text) {
                let detail = detail(&body);
                prop_assert!(!detail.contains(start) && !detail.contains(end), "{body}: {detail}");
            }
        }
    }

    #[test]
    fn a_media_type_is_read_as_bytes() {
        for (value, expected) in [
            (&b"application/json"[..], true),
            (b" Application/JSON ;charset=utf-8", true),
            (b"application/json; title=Fran\xe7ais", true),
            (b"application/json-patch+json", false),
            (b"text/plain", false),
            (b"", false),
        ] {
            let mut headers = HeaderMap::new();
            let value = HeaderValue::from_bytes(value).expect("a header");
            headers.insert(CONTENT_TYPE, value.clone());
            assert_eq!(is_json(&headers), expected, "{value:?}");
        }
    }
}
