//! Token strings and the names of their formats, compared with the layouts in the documentation.

use pat_core::format::FormatName;

use crate::driver::{Dice, Target};

static TARGET: Target = Target {
    name: "formats",
    grammar: presented,
    words: &[
        "pat_",
        "prefixed:",
        "atlassian",
        "_",
        "=",
        "Og",
        "MDEyMzQ1Njc4OTAxO",
    ],
};

const PREFIXES: [&str; 3] = ["pat", "p2", "abcdefghijklmnop"];
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#[test]
fn formats() {
    TARGET.check(bolero::check!(), |input| check(recognizes, input));
}

#[test]
fn finds_a_checksum_that_is_read_modulo_2_to_the_32() {
    TARGET.finds(bolero::check!(), |input| {
        check(
            |name, text| recognizes(name, text) || wraps(name, text),
            input,
        );
    });
}

fn recognizes(name: &FormatName, text: &[u8]) -> bool {
    name.format().recognizes(text)
}

/// A planted bug: 62⁶ > 2³², so a checksum has up to fourteen spellings.
fn wraps(name: &FormatName, text: &[u8]) -> bool {
    let value = |digit: &u8| BASE62.iter().position(|known| known == digit);
    let prefix = name.to_string().replace("prefixed:", "");
    text.len() == prefix.len() + 50 && text.starts_with(prefix.as_bytes()) && {
        let (signed, checksum) = text.split_at(text.len() - 6);
        let number = checksum.iter().try_fold(0_u32, |number, digit| {
            let value = u32::try_from(value(digit)?).ok()?;
            Some(number.wrapping_mul(62).wrapping_add(value))
        });
        is_signed_layout(&prefix, signed) && number == Some(crc32(signed))
    }
}

fn check(recognizes: impl Fn(&FormatName, &[u8]) -> bool, text: &[u8]) {
    for prefix in PREFIXES {
        let name = FormatName::Prefixed(prefix.parse().expect("a prefix"));
        let expected = is_prefixed(prefix, text);
        assert_eq!(recognizes(&name, text), expected, "{name}");
        if expected {
            changes(&name, text, &recognizes);
        }
    }
    let name = FormatName::Atlassian;
    assert_eq!(recognizes(&name, text), is_atlassian(text), "{name}");
    check_name(text);
}

/// Checks that a token with one changed character is refused, and that a generated one is recognized.
fn changes(name: &FormatName, text: &[u8], recognizes: impl Fn(&FormatName, &[u8]) -> bool) {
    for at in 0..text.len() {
        let mut changed = text.to_vec();
        let other = usize::from(text[at]) + at;
        changed[at] = BASE62[other % 62];
        assert!(changed == text || !recognizes(name, &changed), "at {at}");
    }
    let token = name.format().generate().expect("randomness");
    assert!(recognizes(name, token.expose().as_bytes()));
}

/// Checks that the name of a format is parsed as documented, and displayed as it was written.
fn check_name(text: &[u8]) {
    let Ok(text) = str::from_utf8(text) else {
        return;
    };
    let is_prefix = |text: &str| {
        let mut chars = text.chars();
        chars.next().is_some_and(|c| c.is_ascii_lowercase())
            && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
            && (2..=16).contains(&text.len())
    };
    let prefix = text.strip_prefix("prefixed:");
    let is_name = text == "atlassian" || prefix.is_some_and(is_prefix);
    match text.parse::<FormatName>() {
        Ok(name) => assert!(is_name && name.to_string() == text, "{text:?} is {name}"),
        Err(_) => assert!(!is_name, "{text:?} is a name"),
    }
}

/// Returns whether a text has the documented layout, with the checksum:
/// `{prefix}_{43 base62 characters}{6 of CRC-32}`.
pub(crate) fn is_prefixed(prefix: &str, text: &[u8]) -> bool {
    let Some(start) = text.len().checked_sub(6) else {
        return false;
    };
    let (signed, checksum) = text.split_at(start);
    is_signed_layout(prefix, signed) && checksum == spelled(crc32(signed).into())
}

fn is_signed_layout(prefix: &str, signed: &[u8]) -> bool {
    let body = signed.strip_prefix(format!("{prefix}_").as_bytes());
    body.is_some_and(|body| body.len() == 43 && body.iter().all(|byte| BASE62.contains(byte)))
}

/// Returns a token of the default format, given the part before its checksum.
pub(crate) fn with_checksum(signed: &str) -> String {
    let checksum = spelled(crc32(signed.as_bytes()).into());
    format!("{signed}{}", String::from_utf8_lossy(&checksum))
}

/// Computes the CRC-32 bit by bit, with the reversed polynomial of IEEE 802.3.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 {
                crc >> 1 ^ 0xEDB8_8320
            } else {
                crc >> 1
            };
        }
    }
    !crc
}

/// Returns the six base62 digits of a number.
fn spelled(number: u64) -> Vec<u8> {
    let places = (0..6).rev().map(|place| 62_u64.pow(place));
    let digits = places.map(|place| usize::try_from(number / place % 62).expect("a digit"));
    digits.map(|digit| BASE62[digit]).collect()
}

/// Returns whether a text is the standard base64, without padding, of twelve digits, a colon and twenty
/// bytes.
fn is_atlassian(text: &[u8]) -> bool {
    let sextets = text
        .iter()
        .map(|byte| BASE64.iter().position(|known| known == byte));
    let Some(sextets) = sextets.collect::<Option<Vec<_>>>() else {
        return false;
    };
    let bytes = regrouped(&sextets, 6, 8);
    text.len() == 44
        && bytes[..12].iter().all(|byte| (48..58).contains(byte))
        && bytes[12] == usize::from(b':')
}

/// Converts numbers of `from` bits to numbers of `to` bits, of which the last may be incomplete.
fn regrouped(numbers: &[usize], from: usize, to: usize) -> Vec<usize> {
    let places = (0..from).rev();
    let bits = |number: &usize| {
        places
            .clone()
            .map(|place| number >> place & 1)
            .collect::<Vec<_>>()
    };
    let bits: Vec<_> = numbers.iter().flat_map(bits).collect();
    let number = |bits: &[usize]| bits.iter().fold(0, |number, bit| 2 * number + bit);
    bits.chunks(to).map(number).collect()
}

fn presented(dice: &mut Dice<'_>) -> Vec<u8> {
    match dice.below(8) {
        0..=4 => prefixed(dice),
        5..=6 => atlassian(dice),
        _ => {
            let prefix = dice.pick(&["prefixed:", "", "Prefixed:", "atlassian", "prefixed"]);
            let name = dice.pick(&["pat", "p", "p2", "2p", "abcdefghijklmnopq", "ä", "a_b", ""]);
            format!("{prefix}{name}").into_bytes()
        }
    }
}

fn prefixed(dice: &mut Dice<'_>) -> Vec<u8> {
    let mut text = dice.pick(&PREFIXES).as_bytes().to_vec();
    text.push(if dice.once_in(20) { dice.byte() } else { b'_' });
    let length = 43 + usize::from(dice.once_in(10)) - usize::from(dice.once_in(10));
    text.extend((0..length).map(|_| *dice.pick(BASE62)));
    let mut checksum = u64::from(crc32(&text));
    if dice.once_in(4) {
        // Near numbers, and those that are equal in 32 bits.
        checksum += [1, 62, 62_u64.pow(5), 1 << 32, 3 << 32][dice.below(5)];
    }
    text.extend(spelled(checksum));
    text
}

fn atlassian(dice: &mut Dice<'_>) -> Vec<u8> {
    let mut bytes: Vec<_> = (0..12).map(|_| *dice.pick(b"0123456789")).collect();
    bytes.push(b':');
    bytes.extend((0..20).map(|_| dice.byte()));
    if dice.once_in(3) {
        let at = dice.below(bytes.len());
        bytes[at] = *dice.pick(b"09/:;a\0\xff");
    }
    let bytes: Vec<_> = bytes.into_iter().map(usize::from).collect();
    let sextets = regrouped(&bytes, 8, 6);
    let mut text: Vec<_> = sextets.into_iter().map(|value| BASE64[value]).collect();
    if dice.once_in(6) {
        text.extend(*dice.pick(&[&b"="[..], b"==", b"A", b"\n"]));
    }
    text
}
