//! Whether a request reads, by its method.

use http::{HeaderMap, HeaderValue, Method, Uri};
use percent_encoding::percent_decode_str;

use super::head::RequestHead;

/// Returns whether a request can do nothing but read: its method is `GET` or `HEAD`, it opens no connection of
/// another protocol, and it names no other method to a middleware that would let it replace the own one.
pub(super) fn is_read(head: RequestHead<'_>) -> bool {
    matches!(*head.method(), Method::GET | Method::HEAD)
        && !has_upgrade_or_override(head.headers())
        && !names_method(head.uri())
}

fn has_upgrade_or_override(headers: &HeaderMap) -> bool {
    // Once over all of them, since a look-up of each of these takes longer.
    headers.iter().any(|(name, value)| match name.as_str() {
        "upgrade" | "x-http-method-override" | "x-http-method" | "x-method-override" => true,
        "connection" => is_upgrade(value),
        _ => false,
    })
}

/// Returns whether a value of `Connection` has the option `upgrade`.
fn is_upgrade(connection: &HeaderValue) -> bool {
    let mut options = connection.as_bytes().split(|byte| *byte == b',');
    options.any(|option| option.trim_ascii().eq_ignore_ascii_case(b"upgrade"))
}

/// Returns whether the query has a parameter `_method`.
fn names_method(uri: &Uri) -> bool {
    let Some(query) = uri.query() else {
        return false;
    };
    // Most queries have neither, and are read once.
    if !query.bytes().any(|byte| matches!(byte, b'_' | b'%')) {
        return false;
    }
    query.split(['&', ';']).any(|parameter| {
        let name = parameter
            .split_once('=')
            .map_or(parameter, |(name, _)| name);
        let name = percent_decode_str(name).map(|byte| byte.to_ascii_lowercase());
        name.eq(b"_method".iter().copied())
    })
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn reads(request: http::request::Builder) -> bool {
        is_read(RequestHead::of(&request.body(()).expect("a request")))
    }

    #[test]
    fn only_get_and_head_read() {
        for (method, expected) in [
            ("GET", true),
            ("HEAD", true),
            ("POST", false),
            ("PUT", false),
            ("PATCH", false),
            ("DELETE", false),
            ("OPTIONS", false),
            ("TRACE", false),
            ("CONNECT", false),
            ("PROPFIND", false),
            ("get", false),
        ] {
            assert_eq!(
                reads(Request::builder().method(method)),
                expected,
                "{method}"
            );
        }
    }

    #[test]
    fn a_header_that_can_change_the_method_or_protocol_is_no_read() {
        for (name, value, expected) in [
            ("accept", "text/html", true),
            ("connection", "keep-alive", true),
            ("connection", "keep-alive, Upgrade", false),
            ("upgrade", "websocket", false),
            ("x-http-method-override", "DELETE", false),
            ("X-HTTP-Method", "GET", false),
            ("x-method-override", "", false),
        ] {
            let request = Request::builder().header("host", "localhost");
            assert_eq!(
                reads(request.header(name, value)),
                expected,
                "{name}: {value}"
            );
        }
    }

    #[test]
    fn a_query_that_names_a_method_is_no_read() {
        for (uri, expected) in [
            ("/", true),
            ("/?", true),
            ("/_method=DELETE", true),
            ("/?method=DELETE", true),
            ("/?x_method=DELETE", true),
            ("/?a=_method", true),
            ("/?_method=DELETE", false),
            ("/?a=b&_method=DELETE", false),
            ("/?a=b;_Method", false),
            ("/?%5Fm%65thod=DELETE", false),
        ] {
            assert_eq!(reads(Request::builder().uri(uri)), expected, "{uri}");
        }
    }
}
