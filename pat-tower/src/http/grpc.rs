//! gRPC over HTTP/2 and gRPC-Web: which requests are gRPC's, and how a status is written.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

const GRPC: &[u8] = b"application/grpc";
const TYPES: [&[u8]; 3] = [GRPC, b"application/grpc-web", b"application/grpc-web-text"];

const PERMISSION_DENIED: i32 = 7;
const INTERNAL: i32 = 13;
const UNAVAILABLE: i32 = 14;
const UNAUTHENTICATED: i32 = 16;

/// A status of gRPC.
#[derive(Debug)]
pub(crate) struct Status {
    pub(crate) code: i32,
    /// A sentence for a person.
    pub(crate) message: Cow<'static, str>,
}

impl Status {
    fn write(&self, headers: &mut HeaderMap) {
        headers.insert(GRPC_STATUS, HeaderValue::from(self.code));
        let message = encode_message(&self.message);
        if let Ok(message) = HeaderValue::try_from(message) {
            headers.insert(GRPC_MESSAGE, message);
        }
    }

    /// Returns the trailers that end a stream.
    pub(crate) fn into_trailers(self) -> HeaderMap {
        let mut trailers = HeaderMap::new();
        self.write(&mut trailers);
        trailers
    }

    /// Returns a response without messages, in which headers are also the trailers.
    pub(crate) fn into_response<B: From<Bytes>>(
        self,
        content_type: &HeaderValue,
        challenge: Option<&HeaderValue>,
    ) -> Response<B> {
        let mut response = Response::new(B::from(Bytes::new()));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, content_type.clone());
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(challenge) = challenge {
            headers.insert(WWW_AUTHENTICATE, challenge.clone());
        }
        self.write(headers);
        response
    }
}

/// Returns the code for a rejection with this HTTP status. A malformed header, which is 400 in HTTP, is a
/// matter of the credentials and not of the message, to which `INVALID_ARGUMENT` would refer.
pub(crate) fn code(status: StatusCode) -> i32 {
    match status {
        StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED => UNAUTHENTICATED,
        StatusCode::FORBIDDEN => PERMISSION_DENIED,
        StatusCode::SERVICE_UNAVAILABLE => UNAVAILABLE,
        _ => INTERNAL,
    }
}

/// Returns whether a response without messages has this code.
pub(crate) fn has_code(headers: &HeaderMap, code: i32) -> bool {
    let status = headers.get(GRPC_STATUS);
    status.is_some_and(|status| *status == code.to_string())
}

/// Returns whether the headers of a response say that the client is not authenticated.
pub(crate) fn is_unauthenticated(headers: &HeaderMap) -> bool {
    has_code(headers, UNAUTHENTICATED)
}

/// Returns the content type of the response to a gRPC request: that of the request, without parameters.
/// `None` if the request is not gRPC's.
pub(crate) fn content_type(method: &Method, headers: &HeaderMap) -> Option<HeaderValue> {
    if method != Method::POST {
        return None;
    }
    let media_type = media_type(headers)?;
    let is_grpc = TYPES.iter().any(|base| is_of_type(media_type, base));
    is_grpc.then(|| HeaderValue::from_bytes(media_type).ok())?
}

/// Returns whether a response is gRPC's, and ends with trailers. Those of gRPC-Web are in the body.
pub(crate) fn ends_with_trailers(headers: &HeaderMap) -> bool {
    media_type(headers).is_some_and(|media_type| is_of_type(media_type, GRPC))
}

/// Returns the media type in `Content-Type`, without parameters.
pub(crate) fn media_type(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(CONTENT_TYPE)?.as_bytes();
    value
        .split(|byte| *byte == b';')
        .next()
        .map(<[u8]>::trim_ascii)
}

/// Returns whether a media type is this one, with or without a suffix such as `+proto`.
fn is_of_type(media_type: &[u8], base: &[u8]) -> bool {
    media_type
        .split_at_checked(base.len())
        .is_some_and(|(start, rest)| {
            start.eq_ignore_ascii_case(base) && matches!(rest, [] | [b'+', ..])
        })
}

/// Encodes what gRPC's `Status-Message` has to: all but printable ASCII, and `%`.
fn encode_message(message: &str) -> String {
    const ENCODED: &AsciiSet = &CONTROLS.add(b'%');
    utf8_percent_encode(message, ENCODED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(content_type: &str) -> HeaderMap {
        let value = HeaderValue::try_from(content_type).expect("a header");
        HeaderMap::from_iter([(CONTENT_TYPE, value)])
    }

    #[test]
    fn a_post_of_grpcs_media_types_is_grpc() {
        for (sent, expected, with_trailers) in [
            ("application/grpc", Some("application/grpc"), true),
            (
                "application/grpc+proto",
                Some("application/grpc+proto"),
                true,
            ),
            ("Application/GRPC", Some("Application/GRPC"), true),
            ("application/grpc ; x=y", Some("application/grpc"), true),
            ("application/grpc-web", Some("application/grpc-web"), false),
            (
                "application/grpc-web-text+proto;x=y",
                Some("application/grpc-web-text+proto"),
                false,
            ),
            ("application/grpcx", None, false),
            ("application/grpc-webx", None, false),
            ("application/grp", None, false),
            ("application/json", None, false),
            ("", None, false),
        ] {
            let headers = headers(sent);
            let found = content_type(&Method::POST, &headers);
            let found = found.as_ref().map(|found| found.to_str().expect("text"));
            assert_eq!(found, expected, "{sent}");
            assert_eq!(ends_with_trailers(&headers), with_trailers, "{sent}");
            assert!(content_type(&Method::GET, &headers).is_none());
        }
        assert!(content_type(&Method::POST, &HeaderMap::new()).is_none());
    }

    #[test]
    fn a_message_is_percent_encoded() {
        assert_eq!(encode_message("a <b> \"c\"~"), "a <b> \"c\"~");
        assert_eq!(encode_message("100 %\n\u{7f}é"), "100 %25%0A%7F%C3%A9");
    }

    #[test]
    fn each_http_status_has_a_code() {
        for (status, expected) in [(400, 16), (401, 16), (403, 7), (500, 13), (503, 14)] {
            let status = StatusCode::from_u16(status).expect("a status");
            assert_eq!(code(status), expected, "{status}");
        }
    }

    #[test]
    fn a_status_is_headers_or_trailers() {
        let status = |code| Status {
            code,
            message: "50 %".into(),
        };
        let challenge = HeaderValue::from_static("Bearer");
        let content_type = HeaderValue::from_static("application/grpc+proto");
        let response: Response<Bytes> = status(16).into_response(&content_type, Some(&challenge));
        assert_eq!(response.status(), StatusCode::OK);
        assert!(response.body().is_empty());
        let mut headers = response.headers().clone();
        for (name, expected) in [
            ("content-type", "application/grpc+proto"),
            ("cache-control", "no-store"),
            ("www-authenticate", "Bearer"),
        ] {
            assert_eq!(headers.remove(name).expect("a header"), expected);
        }
        assert!(is_unauthenticated(&headers));
        assert_eq!(headers["grpc-message"], "50 %25");
        assert_eq!(headers, status(16).into_trailers());
        assert!(!is_unauthenticated(&status(14).into_trailers()));
    }
}
