//! Headers and addresses in the exact form that mail programs and servers need.

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use lettre::Address;
use lettre::message::Mailbox;
use lettre::message::header::{HeaderName, HeaderValue};
use pat_core::notification::Recipient;

use crate::error::ComposeError;
use crate::text;

/// How many bytes an encoded word holds: in base64 it then has 64 characters, and with `Subject: `
/// before it stays within the 76 that RFC 2047 allows in a line.
const WORD_BYTES: usize = 39;
/// The longest line with encoded words that RFC 2047 allows.
const MAX_LINE: usize = 76;
/// The longest address: RFC 5321, section 4.5.3.1.3, without the angle brackets.
const MAX_ADDRESS: usize = 254;

/// Returns a `Subject` that mail programs decode to exactly this text. Plain ASCII stays as it is; any
/// other text is encoded as a whole, since programs disagree about spaces between encoded words and
/// plain ones.
pub(crate) fn subject(subject: &str) -> HeaderValue {
    let name = HeaderName::new_from_ascii_str("Subject");
    let is_plain = subject.bytes().all(|b| matches!(b, b' '..=b'~'))
        && subject
            .split(' ')
            .all(|word| !word.is_empty() && word.len() <= WORD_BYTES)
        && !subject.contains("=?");
    if is_plain {
        return HeaderValue::new(name, subject.to_owned());
    }
    let encoded = encoded_words(subject);
    HeaderValue::dangerous_new_pre_encoded(name, subject.to_owned(), encoded)
}

/// Returns a `To` or `From` whose name is encoded like the text of [`subject`]: `lettre` would make
/// lines that are too long.
pub(crate) fn mailbox_header(header: &'static str, mailbox: &Mailbox) -> HeaderValue {
    let name = HeaderName::new_from_ascii_str(header);
    let email = &mailbox.email;
    let encoded = match &mailbox.name {
        None => email.to_string(),
        Some(name) if is_plain_name(name) => with_address(header, &format!("\"{name}\""), email),
        Some(name) => with_address(header, &encoded_words(name), email),
    };
    HeaderValue::dangerous_new_pre_encoded(name, mailbox.to_string(), encoded)
}

/// Returns the name and the address, on one line if it is short enough.
fn with_address(header: &str, name: &str, address: &Address) -> String {
    let line = format!("{header}: {name} <{address}>");
    let fold = if line.len() <= MAX_LINE { "" } else { "\r\n" };
    format!("{name}{fold} <{address}>")
}

/// Whether a name can be put in quotes unchanged, on one line.
fn is_plain_name(name: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b' ' | b'-' | b'_' | b'.');
    name.len() <= WORD_BYTES && name.bytes().all(is_plain)
}

fn encoded_words(text: &str) -> String {
    pieces(text)
        .map(encoded_word)
        .collect::<Vec<_>>()
        .join("\r\n ")
}

fn encoded_word(piece: &str) -> String {
    format!("=?utf-8?B?{}?=", STANDARD.encode(piece))
}

/// Splits the text between characters.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let mut ends = (0..=WORD_BYTES).rev();
        let (piece, after) = ends.find_map(|end| rest.split_at_checked(end))?;
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Returns a header with a short value in ASCII.
pub(crate) fn plain(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

/// Returns the `To` of a recipient whose address and name come from a directory.
pub(crate) fn to(recipient: &Recipient) -> Result<Mailbox, ComposeError> {
    let address = &recipient.email;
    let is_clean = !address.chars().any(|c| c.is_whitespace() || c.is_control());
    if !is_clean || address.len() > MAX_ADDRESS {
        return Err(ComposeError::InvalidRecipient);
    }
    let address: Address = address
        .parse()
        .map_err(|_| ComposeError::InvalidRecipient)?;
    let name = text::person(&recipient.full_name);
    Ok(Mailbox::new(
        (!name.is_empty()).then_some(name),
        ascii_domain(&address),
    ))
}

/// Returns the address with its domain in the ASCII form of DNS (`xn--…`).
pub(crate) fn ascii_domain(address: &Address) -> Address {
    if address.domain().is_ascii() {
        return address.clone();
    }
    let domain = url::Host::parse(address.domain()).map(|host| host.to_string());
    let ascii = domain
        .ok()
        .and_then(|domain| Address::new(address.user(), domain).ok());
    ascii.unwrap_or_else(|| address.clone())
}

/// Returns the `Date`; `lettre` has none before 1970.
pub(crate) fn date(at: Timestamp) -> SystemTime {
    let seconds = u64::try_from(at.as_second()).unwrap_or(0);
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_cut_between_characters() {
        for text in ["é".repeat(255), "🎉".repeat(100), "a🎉é".repeat(50)] {
            let pieces: Vec<_> = pieces(&text).collect();
            assert_eq!(pieces.concat(), text);
            assert!(pieces.iter().all(|piece| encoded_word(piece).len() <= 64));
        }
    }

    #[test]
    fn addresses_are_checked_and_never_shown() {
        let to = |email: &str| to(&Recipient::new("Ada", email));
        for bad in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "a b@example.com",
            "ada@exam ple.com",
            "ada@example.com\r\nBcc: eve@example.com",
            "\"a\r\nb\"@example.com",
            "a@b, c@d",
            "<ada@example.com>",
            &format!("{}@example.com", "a".repeat(300)),
        ] {
            let error = to(bad).unwrap_err();
            assert_eq!(
                error.to_string(),
                "the recipient's mail address is not valid",
                "{bad}"
            );
        }
        assert_eq!(
            to("o'hara+x@example.com").unwrap().email.to_string(),
            "o'hara+x@example.com"
        );
        assert_eq!(
            to("ada@bücher.example").unwrap().email.to_string(),
            "ada@xn--bcher-kva.example"
        );
        assert_eq!(
            to("ada@[192.0.2.1]").unwrap().email.to_string(),
            "ada@[192.0.2.1]"
        );
    }

    #[test]
    fn dates_before_1970_do_no_harm() {
        assert_eq!(date(Timestamp::MIN), SystemTime::UNIX_EPOCH);
        assert!(date(Timestamp::MAX) > SystemTime::UNIX_EPOCH);
    }
}
