//! The members of a search that are not known, which are ignored as clients expect, and told.

use std::borrow::Cow;

use http::{HeaderName, HeaderValue};
use serde::Deserialize;
use utoipa::IntoParams;

use super::problems::INVALID_SEARCH;
use crate::http::problem::Problem;

/// The header that names them: a list of strings (RFC 9651).
pub(super) const PAT_IGNORED_FIELDS: HeaderName = HeaderName::from_static("pat-ignored-fields");

/// How many are named at most.
const MAX_NAMES: usize = 20;
/// The longest name that is repeated, in bytes; no member of ours is longer, and a token is.
const MAX_NAME_LEN: usize = 32;

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct StrictQuery {
    /// Refuses members that are not known, instead of ignoring them.
    #[serde(default)]
    #[param(default = false)]
    strict: bool,
}

impl StrictQuery {
    pub(super) fn parse(query: Option<&str>) -> Result<Self, Problem> {
        serde_urlencoded::from_str(query.unwrap_or_default())
            .map_err(|_| Problem::new(INVALID_SEARCH, "strict must be true or false."))
    }
}

/// Tells of members that are not known: the header for the answer, or why there is none.
pub(super) fn tell<'a>(
    query: &StrictQuery,
    unknown: impl Iterator<Item = &'a String>,
) -> Result<Option<(HeaderName, HeaderValue)>, Problem> {
    let names: Vec<_> = unknown.take(MAX_NAMES).map(|name| quoted(name)).collect();
    if names.is_empty() {
        return Ok(None);
    }
    let names = HeaderValue::try_from(names.join(", "));
    // Quoted names are visible ASCII.
    let names = names.unwrap_or_else(|_| HeaderValue::from_static("\"?\""));
    if query.strict {
        let detail = "The search has members that are not known; PAT-Ignored-Fields names them.";
        let problem = Problem::new(INVALID_SEARCH, detail);
        return Err(problem.with_header(PAT_IGNORED_FIELDS, names));
    }
    Ok(Some((PAT_IGNORED_FIELDS, names)))
}

/// A name, or a question mark for what can be no misspelt one.
fn quoted(name: &str) -> Cow<'static, str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    if name.len() <= MAX_NAME_LEN && name.bytes().all(is_plain) {
        format!("\"{name}\"").into()
    } else {
        "\"?\"".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_looks_like_a_member_is_named() {
        let token = format!("pat_{}", "a".repeat(49));
        for (names, expected) in [
            (&["nmae", "user_keys"][..], r#""nmae", "user_keys""#),
            (&["a\r\nset-cookie: x"], r#""?""#),
            (&["Fran\u{e7}ais", ""], r#""?", """#),
            (&[&token], r#""?""#),
        ] {
            let names: Vec<_> = names.iter().map(ToString::to_string).collect();
            let header = tell(&StrictQuery::default(), names.iter()).expect("no problem");
            let (_, value) = header.expect("a header");
            assert_eq!(value, expected);
            assert!(tell(&StrictQuery { strict: true }, names.iter()).is_err());
        }
        let header = tell(&StrictQuery { strict: true }, [].iter()).expect("no problem");
        assert!(header.is_none());
    }
}
