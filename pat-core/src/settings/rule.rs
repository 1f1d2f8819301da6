//! What text makes which value: the rules behind the table of properties.

use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::token::FormatName;

pub(super) fn put<T>(target: &mut T, value: Option<T>) -> Option<()> {
    *target = value?;
    Some(())
}

pub(super) fn boolean(text: &str) -> Option<bool> {
    let is = |word| text.eq_ignore_ascii_case(word);
    if is("true") {
        Some(true)
    } else {
        is("false").then_some(false)
    }
}

pub(super) fn number(text: &str, range: RangeInclusive<u32>) -> Option<u32> {
    // `parse` would take a plus sign.
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|number| is_digits && range.contains(number))
}

pub(super) fn choice<T: Copy>(choices: &[(&str, T)], text: &str) -> Option<T> {
    choices
        .iter()
        .find(|(name, _)| *name == text)
        .map(|(_, value)| *value)
}

pub(super) fn name_of<T: Copy + PartialEq>(choices: &[(&str, T)], value: T) -> String {
    let found = choices.iter().find(|(_, other)| *other == value);
    found.map(|(name, _)| *name).unwrap_or_default().to_owned()
}

/// Names separated by commas; blank text for none.
pub(super) fn formats(text: &str) -> Option<Vec<FormatName>> {
    if text.trim().is_empty() {
        return Some(Vec::new());
    }
    let names = text.split(',').map(str::trim);
    names.map(|name| FormatName::from_str(name).ok()).collect()
}

pub(super) fn realm(text: &str) -> Option<Box<str>> {
    let is_quotable = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\';
    let fits = (1..=64).contains(&text.len()) && text.bytes().all(is_quotable);
    fits.then(|| text.into())
}

/// Without the slash at the end, so that a path can be appended.
pub(super) fn base_url(text: &str) -> Option<Box<str>> {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))?;
    let is_url_byte = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}?#".contains(&byte);
    let authority = rest.split('/').next().unwrap_or_default();
    (rest.bytes().all(is_url_byte) && is_host_and_port(authority))
        .then(|| text.trim_end_matches('/').into())
}

/// A user name is refused with all else that is no host: its password would stand in each mail.
fn is_host_and_port(authority: &str) -> bool {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let is_address = host.starts_with('[') && host.ends_with(']');
    let is_name = !host.is_empty() && !host.contains(['@', ':', '[', ']']);
    (is_address || is_name) && port.is_none_or(|port| number(port, 1..=65_535).is_some())
}
