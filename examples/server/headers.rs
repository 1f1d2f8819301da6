//! Headers that others write, and some of this server's own.

use axum::extract::Request;
use axum::http::header::{
    CONTENT_SECURITY_POLICY, COOKIE, HeaderName, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

/// What the pages of the reference may do: run and load what is the host's own. Their program styles
/// elements as it goes, and has its icons within the style sheet.
pub(crate) const OF_REFERENCE: [(HeaderName, &str); 3] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
         img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; \
         frame-ancestors 'none'; base-uri 'none'",
    ),
    (X_FRAME_OPTIONS, "DENY"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
];

/// Takes cookies out that are no UTF-8, pair by pair: tower-sessions would read none beside them, and
/// whoever has such a cookie from a neighbour could not sign in.
pub(crate) async fn drop_unreadable_cookies(mut request: Request, next: Next) -> Response {
    drop_unreadable(request.headers_mut());
    next.run(request).await
}

fn drop_unreadable(headers: &mut HeaderMap) {
    let is_readable = |bytes: &[u8]| str::from_utf8(bytes).is_ok();
    let mut fields = headers.get_all(COOKIE).iter();
    if fields.all(|field| is_readable(field.as_bytes())) {
        return;
    }
    let fields = headers.get_all(COOKIE).iter();
    let pairs = fields.flat_map(|field| field.as_bytes().split(|byte| *byte == b';'));
    let kept: Vec<_> = pairs.filter(|pair| is_readable(pair)).collect();
    let kept = HeaderValue::from_bytes(&kept.join(&b';')).ok();
    headers.remove(COOKIE);
    if let Some(mut kept) = kept.filter(|kept| !kept.is_empty()) {
        kept.set_sensitive(true);
        headers.insert(COOKIE, kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readable_cookies_stay() {
        for (fields, expected) in [
            (
                &[&b"a=b; lang=Fran\xe7ais; c=d"[..]][..],
                Some(&b"a=b; c=d"[..]),
            ),
            (&[b"lang=Fran\xe7ais", b"c=d"], Some(b"c=d")),
            (&[b"lang=Fran\xe7ais"], None),
            (
                &[b"lang=Fran\xc3\xa7ais; a=b"],
                Some(b"lang=Fran\xc3\xa7ais; a=b"),
            ),
            (&[], None),
        ] {
            let mut headers = HeaderMap::new();
            for field in fields {
                headers.append(COOKIE, HeaderValue::from_bytes(field).expect("a header"));
            }
            drop_unreadable(&mut headers);
            let left = headers.get(COOKIE).map(HeaderValue::as_bytes);
            assert_eq!(left, expected);
            assert!(headers.get_all(COOKIE).iter().count() <= 1);
        }
    }
}
