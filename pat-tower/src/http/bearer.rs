//! Reading the `Authorization` header (RFC 9110 section 11.4, RFC 6750 section 2.1).

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use pat_core::auth::MAX_TOKEN_LEN;

/// The credentials that a request presents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presented<'a> {
    /// No credentials.
    Nothing,
    /// Credentials of another scheme.
    OtherScheme,
    /// The scheme `Bearer` with this value of at most 256 bytes. A value that a token format
    /// recognises [is one token68](is_token68) by itself.
    Bearer(&'a [u8]),
    /// Several headers, or `Bearer` without a value or with one that is too long.
    Malformed,
}

const SCHEME: &[u8] = b"bearer";

/// The `Authorization` header of a request, taken out of the request: to take it and to read it is one search.
#[derive(Debug)]
pub(crate) struct Authorization {
    /// The first one.
    value: Option<HeaderValue>,
    has_more: bool,
}

impl Authorization {
    /// Removes all `Authorization` headers.
    pub(crate) fn take(headers: &mut HeaderMap) -> Self {
        let before = headers.len();
        let value = headers.remove(AUTHORIZATION);
        let has_more = before - headers.len() > 1;
        Self { value, has_more }
    }

    /// Puts the header back, marked so that it gets into no log.
    pub(crate) fn put_back(&self, headers: &mut HeaderMap) {
        if let Some(value) = &self.value {
            let mut value = value.clone();
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
    }

    /// Reads the header.
    pub(crate) fn presented(&self) -> Presented<'_> {
        match &self.value {
            None => Presented::Nothing,
            Some(value) if !self.has_more => read(value.as_bytes()),
            Some(_) => Presented::Malformed,
        }
    }
}

/// Reads a header as bytes: it need not be UTF-8.
fn read(value: &[u8]) -> Presented<'_> {
    match value.strip_prefix(b"Bearer ") {
        // Nearly every client writes it so.
        Some(token @ [first, ..]) if *first != b' ' && token.len() <= MAX_TOKEN_LEN => {
            Presented::Bearer(token)
        }
        _ => read_any(value),
    }
}

/// Reads a header whose scheme may have any letter case, and several spaces after it.
fn read_any(value: &[u8]) -> Presented<'_> {
    let is_bearer = value
        .get(..SCHEME.len())
        .is_some_and(|s| s.eq_ignore_ascii_case(SCHEME));
    let rest = value.get(SCHEME.len()..).unwrap_or_default();
    if !is_bearer || rest.first().is_some_and(|byte| is_scheme_byte(*byte)) {
        return Presented::OtherScheme;
    }
    let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
    let token = &rest[spaces..];
    if spaces > 0 && (1..=MAX_TOKEN_LEN).contains(&token.len()) {
        Presented::Bearer(token)
    } else {
        Presented::Malformed
    }
}

/// Returns whether `byte` may be part of a scheme's name (a `tchar` of RFC 9110 section 5.6.2).
fn is_scheme_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Returns whether `text` is one token68 (RFC 9110 section 11.2).
///
/// Looks at every byte without a branch on each, which compilers turn into vector instructions.
pub(crate) fn is_token68(text: &[u8]) -> bool {
    let padding = text.iter().rev().take_while(|byte| **byte == b'=').count();
    let body = &text[..text.len() - padding];
    !body.is_empty()
        && body
            .iter()
            .fold(true, |all, byte| all & is_token68_byte(*byte))
}

#[expect(
    clippy::needless_bitwise_bool,
    reason = "a lazy operator would branch on each byte"
)]
fn is_token68_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        | (byte == b'-')
        | (byte == b'.')
        | (byte == b'_')
        | (byte == b'~')
        | (byte == b'+')
        | (byte == b'/')
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn several_headers_are_malformed() {
        let values = ["Bearer abc", "Bearer abc", "Basic YTpi"].map(HeaderValue::from_static);
        for (count, expected) in [
            (0, Presented::Nothing),
            (1, Presented::Bearer(b"abc")),
            (2, Presented::Malformed),
            (3, Presented::Malformed),
        ] {
            let mut headers = HeaderMap::new();
            headers.append("accept", HeaderValue::from_static("text/html"));
            headers.append("accept", HeaderValue::from_static("text/plain"));
            for value in &values[..count] {
                headers.append(AUTHORIZATION, value.clone());
            }
            let taken = Authorization::take(&mut headers);
            assert_eq!(taken.presented(), expected);
            assert!(!headers.contains_key(AUTHORIZATION), "{count}");
            assert_eq!(headers.len(), 2);
        }
    }

    #[test]
    fn a_header_that_is_put_back_is_sensitive() {
        let mut headers = HeaderMap::new();
        Authorization::take(&mut headers).put_back(&mut headers);
        assert!(headers.is_empty());
        headers.insert(AUTHORIZATION, HeaderValue::from_static("Basic YTpi"));
        Authorization::take(&mut headers).put_back(&mut headers);
        assert_eq!(headers[AUTHORIZATION], "Basic YTpi");
        assert!(headers[AUTHORIZATION].is_sensitive());
    }

    #[test]
    fn one_bearer_token_is_read() {
        let long = [b"Bearer ".as_slice(), &[b'a'; 256]].concat();
        let too_long = [b"Bearer ".as_slice(), &[b'a'; 257]].concat();
        let table: &[(&[u8], Presented<'_>)] = &[
            (b"Bearer abc", Presented::Bearer(b"abc")),
            (b"bearer abc", Presented::Bearer(b"abc")),
            (b"BEARER   abc", Presented::Bearer(b"abc")),
            (b"bEaReR a-._~+/9==", Presented::Bearer(b"a-._~+/9==")),
            (&long, Presented::Bearer(&[b'a'; 256])),
            (&too_long, Presented::Malformed),
            (b"Bearer", Presented::Malformed),
            (b"Bearer ", Presented::Malformed),
            (b"Bearer    ", Presented::Malformed),
            (b"Bearer\tabc", Presented::Malformed),
            (b"Bearer: abc", Presented::Malformed),
            (b"Bearer,abc", Presented::Malformed),
            (b"Bearer a b", Presented::Bearer(b"a b")),
            (b"Basic YTpi", Presented::OtherScheme),
            (b"Bearerx abc", Presented::OtherScheme),
            (b"Bearer2 abc", Presented::OtherScheme),
            (b"Bear er abc", Presented::OtherScheme),
            (b"Digest username=\"\xff\"", Presented::OtherScheme),
            (b"", Presented::OtherScheme),
            (b"\xf0\x9f\x8e\x89\xf0\x9f\x8e\x89", Presented::OtherScheme),
        ];
        for (value, expected) in table {
            assert_eq!(read(value), *expected, "{}", value.escape_ascii());
        }
    }

    #[test]
    fn a_token68_is_told_from_other_text() {
        for text in ["abc", "a-._~+/9==", "a="] {
            assert!(is_token68(text.as_bytes()), "{text}");
        }
        let others: [&[u8]; 8] = [
            b"=", b"a b", b"a,b", b"a ", b"a=b", b"\tabc", b"\"abc\"", b"ab\xe4c",
        ];
        for text in others {
            assert!(!is_token68(text), "{}", text.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(value in proptest::collection::vec(any::<u8>(), 0..400)) {
            if let Presented::Bearer(token) = read(&value) {
                prop_assert!(value.ends_with(token) && !token.is_empty());
            }
        }

        #[test]
        fn every_token68_is_read_whole(token in "[A-Za-z0-9._~+/-]{1,200}={0,2}", spaces in 1_usize..9) {
            prop_assert!(is_token68(token.as_bytes()));
            let value = format!("Bearer{}{token}", " ".repeat(spaces));
            prop_assert_eq!(read(value.as_bytes()), Presented::Bearer(token.as_bytes()));
        }
    }
}
