//! Texts to search for, and keys to look up, derived from the users of a directory.

use std::collections::BTreeSet;

use crate::directory::{MAX_PROFILES, User};
use crate::token::Owner;

/// The texts of a user that are searched, with what they are.
pub(super) fn texts(user: &User) -> impl Iterator<Item = (&'static str, &str)> {
    let texts = [
        ("key", user.owner.as_str()),
        ("user name", &user.username),
        ("full name", &user.full_name),
        ("mail address", user.email.as_deref().unwrap_or_default()),
    ];
    texts.into_iter().filter(|(_, text)| !text.is_empty())
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|letter: char| !letter.is_alphanumeric());
    words.filter(|word| !word.is_empty())
}

/// Returns a part of one of a user's texts that none of the user's other texts has: the longest one of ASCII letters
/// and digits alone, or else the whole text. Unless the part is short, it is not at the beginning of the text, where
/// a search for prefixes would find it.
pub(super) fn own_part<'t>(user: &User, text: &'t str) -> Option<&'t str> {
    let is_own = |part: &&str| {
        let part = part.to_lowercase();
        let texts = texts(user).filter(|(_, text)| text.to_lowercase().contains(&part));
        !part.is_empty() && texts.count() == 1
    };
    // Many users have a mail address with the same domain.
    let local = text.split('@').next().unwrap_or_default();
    let parts = local.split(|letter: char| !letter.is_ascii_alphanumeric());
    let parts = parts.map(|part| match part.len() {
        0 | 1 => part,
        _ if text.starts_with(part) => &part[1..],
        _ => part,
    });
    let longest = parts.filter(is_own).max_by_key(|part| part.len());
    longest.or(Some(text).filter(is_own))
}

/// Returns patterns that three letters of a word of the text match, and that are in none of the user's texts.
pub(super) fn texts_like(user: &User, text: &str) -> Vec<String> {
    let word = words(text).max_by_key(|word| (word.is_ascii(), word.chars().count()));
    let letters: Vec<_> = word.unwrap_or_default().chars().collect();
    let not_in_texts = |pattern: &dyn Fn(char, char, char) -> String| {
        let mut patterns = letters
            .windows(3)
            .map(|three| pattern(three[0], three[1], three[2]));
        patterns.find(|pattern| !user.matches(pattern))
    };
    let signs = ('!'..='~').filter(char::is_ascii_punctuation);
    let patterns = signs.flat_map(|sign| {
        [
            // An escape character, or none or more of a character.
            not_in_texts(&|a, b, c| format!("{a}{b}{sign}{c}")),
            // Any character or text.
            not_in_texts(&|a, _, c| format!("{a}{sign}{c}")),
        ]
    });
    let of_regex = [
        not_in_texts(&|a, b, c| format!("{a}[{b}]{c}")),
        not_in_texts(&|a, _, c| format!("{a}.*{c}")),
    ];
    patterns.chain(of_regex).flatten().collect()
}

/// Returns the first such character with the character before and after it, as far as these are of a word.
pub(super) fn around(text: &str, is_such: impl Fn(char) -> bool) -> Option<&str> {
    let (at, such) = text.char_indices().find(|(_, letter)| is_such(*letter))?;
    let end = at + such.len_utf8();
    let length = |beside: Option<char>| {
        let beside = beside.filter(|letter| letter.is_alphanumeric());
        beside.map_or(0, char::len_utf8)
    };
    let before = length(text[..at].chars().next_back());
    let after = length(text[end..].chars().next());
    Some(&text[at - before..end + after])
}

pub(super) fn in_other_case(text: &str) -> String {
    let letters = text.chars();
    letters
        .map(|letter| other_case(letter).unwrap_or(letter))
        .collect()
}

/// Returns the letter in the other case, if the two are a pair for everybody: not ß, whose upper case is two
/// letters, not the two sigmas, and not i, which has another upper case in Turkish.
pub(super) fn other_case(letter: char) -> Option<char> {
    let lower = |letter: char| single(letter.to_lowercase());
    let upper = |letter: char| single(letter.to_uppercase());
    let (small, capital) = (lower(letter)?, upper(letter)?);
    let is_pair = small != capital
        && upper(small) == Some(capital)
        && lower(capital) == Some(small)
        && !letter.eq_ignore_ascii_case(&'i');
    match letter {
        _ if !is_pair => None,
        letter if letter == small => Some(capital),
        letter if letter == capital => Some(small),
        _ => None,
    }
}

fn single(mut letters: impl Iterator<Item = char>) -> Option<char> {
    let first = letters.next()?;
    letters.next().is_none().then_some(first)
}

/// Texts that are hardly keys of any directory.
pub(super) fn senseless_keys() -> impl Iterator<Item = Owner> {
    let texts = ["%", "'", "ключ", &"9".repeat(30), &"x".repeat(255)].map(Owner::new);
    texts.into_iter().filter_map(Result::ok)
}

/// Texts that a careless comparison takes for this key.
pub(super) fn similar_keys(key: &Owner) -> impl Iterator<Item = Owner> {
    let text = key.as_str();
    let mut without_last = text.to_owned();
    without_last.pop();
    let texts = [
        text.to_uppercase(),
        text.to_lowercase(),
        in_other_case(text),
        format!("0{text}"),
        format!("+{text}"),
        format!(" {text}"),
        format!("{text} "),
        format!("{text}.0"),
        format!("{text}x"),
        format!("{{{text}}}"),
        format!("urn:uuid:{text}"),
        text.replace('-', ""),
        format!("{without_last}_"),
    ];
    let keys = texts.into_iter().filter_map(|text| Owner::new(text).ok());
    let keys: BTreeSet<_> = keys.filter(|other| other != key).collect();
    keys.into_iter()
}

/// Texts in the form of this key: the last three characters are replaced by a number.
pub(super) fn keys_like(key: &Owner) -> impl Iterator<Item = Owner> {
    let text = key.as_str();
    let stem = match text.char_indices().nth_back(2) {
        Some((at, _)) if at > 0 => &text[..at],
        _ => text,
    };
    (0..MAX_PROFILES).filter_map(move |number| Owner::new(format!("{stem}{number:03}")).ok())
}
