//! Headers that say what caches between the client and the host may do with a response (RFC 9111).
//!
//! A shared cache serves a response to every client that requests the same address, unless the
//! response says that it depends on the credentials. The host's handlers cannot say so, since they
//! may not know that there are tokens.

use http::header::{AUTHORIZATION, CACHE_CONTROL, Entry, OccupiedEntry, VARY};
use http::{HeaderMap, HeaderName, HeaderValue};

/// Says that another `Authorization` may have another answer, unless the answer says so.
pub(crate) fn vary_by_authorization(headers: &mut HeaderMap) {
    let is_said = |name: &[u8]| name == b"*" || name.eq_ignore_ascii_case(b"authorization");
    let mut said = headers.get_all(VARY).iter();
    if !said.any(|field| members(field).any(is_said)) {
        headers.append(VARY, HeaderValue::from_name(AUTHORIZATION));
    }
}

/// Keeps an answer out of shared caches; other than that, what the handler wants stands.
pub(crate) fn make_private(headers: &mut HeaderMap) {
    remove_targeted(headers);
    // One search, whether the header is there or not.
    match headers.entry(CACHE_CONTROL) {
        Entry::Vacant(entry) => {
            entry.insert(PRIVATE);
        }
        Entry::Occupied(mut entry) => {
            if let Some(value) = made_private(&entry) {
                entry.insert(value);
            }
        }
    }
}

const PRIVATE: HeaderValue = HeaderValue::from_static("private");

/// The directives with what is missing and without those for shared caches, in one field; `None` if they may
/// stay as they are.
fn made_private(entry: &OccupiedEntry<'_, HeaderValue>) -> Option<HeaderValue> {
    let is_private = |directive: &[u8]| {
        directive.eq_ignore_ascii_case(b"private") || directive.eq_ignore_ascii_case(b"no-store")
    };
    let directives = || entry.iter().flat_map(members);
    let is_done = directives().any(is_private);
    let is_shared = directives().any(is_for_shared);
    let is_changed = !is_done || is_shared;
    is_changed.then(|| without_sharing(directives(), !is_done))
}

/// The directives without those for shared caches, in one field.
fn without_sharing<'h>(
    directives: impl Iterator<Item = &'h [u8]>,
    is_private_missing: bool,
) -> HeaderValue {
    let kept = directives.filter(|directive| !is_for_shared(directive));
    // In front, where nothing malformed can hide it.
    let private = is_private_missing.then_some(&b"private"[..]);
    let kept: Vec<_> = private.into_iter().chain(kept).collect();
    let value = HeaderValue::from_bytes(&kept.join(&b", "[..]));
    // It is made of parts of such values.
    value.unwrap_or(PRIVATE)
}

/// Whether a directive lets shared caches keep the answer. `private` with an argument does: it
/// speaks of some headers alone. So may one whose quotes do not end, in which anything may be hidden.
fn is_for_shared(directive: &[u8]) -> bool {
    let mut parts = directive.splitn(2, |byte| *byte == b'=');
    let name = parts.next().unwrap_or_default().trim_ascii();
    let argument = parts.next();
    is_malformed(name, argument)
        || name.eq_ignore_ascii_case(b"public")
        || name.eq_ignore_ascii_case(b"s-maxage")
        || argument.is_some() && name.eq_ignore_ascii_case(b"private")
}

/// Whether there are quotes that are not around the whole argument.
fn is_malformed(name: &[u8], argument: Option<&[u8]>) -> bool {
    let has_quotes = |text: &[u8]| text.contains(&b'"');
    let is_quoted =
        |text: &[u8]| text.len() > 1 && text.starts_with(b"\"") && text.ends_with(b"\"");
    has_quotes(name) || argument.is_some_and(|text| has_quotes(text) && !is_quoted(text))
}

/// Removes what shared caches obey before `Cache-Control`: targeted fields (RFC 9213) and their
/// older kin.
fn remove_targeted(headers: &mut HeaderMap) {
    const KIN: [&str; 3] = ["surrogate-control", "x-accel-expires", "edge-control"];
    let is_targeted = |name: &&HeaderName| {
        let name = name.as_str();
        let is_targeted = name.ends_with("-cache-control") || KIN.contains(&name);
        is_targeted && name != "x-cache-control"
    };
    while let Some(name) = headers.keys().find(is_targeted).cloned() {
        headers.remove(name);
    }
}

/// The members of a list, which are separated by commas outside of quotes.
fn members(field: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    let mut is_quoted = false;
    let mut is_escaped = false;
    let bytes = field.as_bytes();
    bytes
        .split(move |byte| {
            let is_separator = *byte == b',' && !is_quoted;
            if *byte == b'"' && !is_escaped {
                is_quoted = !is_quoted;
            }
            is_escaped = is_quoted && *byte == b'\\' && !is_escaped;
            is_separator
        })
        .map(<[u8]>::trim_ascii)
        .filter(|member| !member.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn headers(name: &HeaderName, fields: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(name, HeaderValue::from_str(field).expect("a field"));
        }
        headers
    }

    fn fields(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
        let fields = headers.get_all(name).iter();
        let text = |field: &HeaderValue| field.to_str().expect("ASCII").to_owned();
        fields.map(text).collect()
    }

    #[test]
    fn an_answer_varies_once() {
        for (before, after) in [
            (&[][..], &["authorization"][..]),
            (&["Accept"], &["Accept", "authorization"]),
            (&["Accept, AUTHORIZATION"], &["Accept, AUTHORIZATION"]),
            (&["Accept", "authorization"], &["Accept", "authorization"]),
            (&["*"], &["*"]),
            (&["X-Authorization"], &["X-Authorization", "authorization"]),
        ] {
            let mut headers = headers(&VARY, before);
            for _twice in 0..2 {
                vary_by_authorization(&mut headers);
                assert_eq!(fields(&headers, &VARY), after);
            }
        }
    }

    #[test]
    fn only_what_lets_shared_caches_keep_an_answer_goes() {
        for (before, after) in [
            (&[][..], "private"),
            (&["private"], "private"),
            (&["no-store"], "no-store"),
            (&["no-store, max-age=0"], "no-store, max-age=0"),
            (&["no-cache"], "private, no-cache"),
            (
                &["public, max-age=31536000, immutable"],
                "private, max-age=31536000, immutable",
            ),
            (&["PUBLIC,S-MaxAge=60"], "private"),
            (&["max-age=1", "s-maxage = 60"], "private, max-age=1"),
            (&["public", "private"], "private"),
            (&["public, no-store"], "no-store"),
            (
                &["private=\"set-cookie, public\", max-age=5"],
                "private, max-age=5",
            ),
            (
                &["x=\"a\\\", public\", public"],
                "private, x=\"a\\\", public\"",
            ),
            (&["community=\"public\""], "private, community=\"public\""),
            (&[", ,"], "private"),
            (&["max-age=1, x=\"y, public"], "private, max-age=1"),
        ] {
            let mut headers = headers(&CACHE_CONTROL, before);
            for _twice in 0..2 {
                make_private(&mut headers);
                assert_eq!(
                    fields(&headers, &CACHE_CONTROL).join(", "),
                    after,
                    "{before:?}"
                );
            }
        }
    }

    #[test]
    fn fields_for_some_shared_caches_go() {
        for (name, stays) in [
            ("cdn-cache-control", false),
            ("cloudflare-cdn-cache-control", false),
            ("surrogate-control", false),
            ("x-accel-expires", false),
            ("x-cache-control", true),
            ("expires", true),
        ] {
            let name = HeaderName::from_static(name);
            let mut headers = headers(&name, &["max-age=60"]);
            make_private(&mut headers);
            assert_eq!(headers.contains_key(&name), stays, "{name}");
        }
    }

    proptest! {
        #[test]
        fn a_shared_cache_keeps_nothing(fields in vec(FIELD, 0..4)) {
            let fields: Vec<_> = fields.iter().map(String::as_str).collect();
            let mut headers = headers(&CACHE_CONTROL, &fields);
            make_private(&mut headers);
            let left = headers.get_all(CACHE_CONTROL).iter().flat_map(members);
            let text = |member| String::from_utf8_lossy(member).to_ascii_lowercase();
            let left: Vec<_> = left.map(text).collect();
            let says = |name: &str| left.iter().any(|member| member == name);
            prop_assert!(says("private") || says("no-store"), "{left:?}");
            prop_assert!(!says("public"), "{left:?}");
            prop_assert!(!left.iter().any(|member| member.starts_with("s-maxage")), "{left:?}");
        }
    }

    const FIELD: &str =
        "[ -~]{0,30}|(public|s-maxage=9|private=\"x\"|max-age=1)(, ?(public|no-store|private))?";
}
