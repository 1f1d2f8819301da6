//! Functions for text that users choose, such as token names: which characters are visible, and which
//! change the direction of text, by the properties of the Unicode Character Database. Others prepare text for
//! searches that ignore letter case.

use std::cmp::Ordering;

/// FIRST STRONG ISOLATE (UAX 9).
const ISOLATE: char = '\u{2068}';
/// POP DIRECTIONAL ISOLATE.
const POP_ISOLATE: char = '\u{2069}';
/// Characters with a blank glyph that have no property for it: BRAILLE PATTERN BLANK, MUSICAL SYMBOL
/// NULL NOTEHEAD, KHITAN SMALL SCRIPT FILLER.
const BLANK_GLYPHS: [char; 3] = ['\u{2800}', '\u{1D159}', '\u{16FE4}'];

/// The characters that have the general category `Control` or `Format` or the property
/// `Default_Ignorable_Code_Point`, in order. A table, since the data of all properties would
/// be twenty packages more for every host; a test compares it with that data.
const NOT_SHOWN: [(char, char); 27] = [
    ('\0', '\u{1F}'),
    ('\u{7F}', '\u{9F}'),
    ('\u{AD}', '\u{AD}'),
    ('\u{34F}', '\u{34F}'),
    ('\u{600}', '\u{605}'),
    ('\u{61C}', '\u{61C}'),
    ('\u{6DD}', '\u{6DD}'),
    ('\u{70F}', '\u{70F}'),
    ('\u{890}', '\u{891}'),
    ('\u{8E2}', '\u{8E2}'),
    ('\u{115F}', '\u{1160}'),
    ('\u{17B4}', '\u{17B5}'),
    ('\u{180B}', '\u{180F}'),
    ('\u{200B}', '\u{200F}'),
    ('\u{202A}', '\u{202E}'),
    ('\u{2060}', '\u{206F}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{FE00}', '\u{FE0F}'),
    ('\u{FEFF}', '\u{FEFF}'),
    ('\u{FFA0}', '\u{FFA0}'),
    ('\u{FFF0}', '\u{FFFB}'),
    ('\u{110BD}', '\u{110BD}'),
    ('\u{110CD}', '\u{110CD}'),
    ('\u{13430}', '\u{1343F}'),
    ('\u{1BCA0}', '\u{1BCA3}'),
    ('\u{1D173}', '\u{1D17A}'),
    ('\u{E0000}', '\u{E0FFF}'),
];

/// Returns whether `text` has no visible character: it is empty, or every character
/// [is invisible](is_invisible).
#[must_use]
pub fn is_blank(text: &str) -> bool {
    text.chars().all(is_invisible)
}

/// Returns whether the character `c` is invisible by itself: white space, a control character, a format
/// character, a default-ignorable character, or a character with a blank glyph, such as U+2800 BRAILLE
/// PATTERN BLANK.
#[must_use]
pub fn is_invisible(c: char) -> bool {
    c.is_whitespace() || BLANK_GLYPHS.contains(&c) || is_not_shown(c)
}

fn is_not_shown(c: char) -> bool {
    let place = NOT_SHOWN.binary_search_by(|(first, last)| match c {
        c if c < *first => Ordering::Greater,
        c if c > *last => Ordering::Less,
        _ => Ordering::Equal,
    });
    place.is_ok()
}

/// Returns whether the character `c` controls the direction of the text around it, like U+202E
/// RIGHT-TO-LEFT OVERRIDE and U+200E LEFT-TO-RIGHT MARK (the Unicode property `Bidi_Control`). Such a
/// character can make one name look like another.
#[must_use]
pub fn is_bidi_control(c: char) -> bool {
    matches!(
        c,
        '\u{61C}'
            | '\u{200E}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2066}'..='\u{2069}'
    )
}

/// Returns whether the character `c` is a control character, such as a line feed, or U+2028 LINE SEPARATOR
/// or U+2029 PARAGRAPH SEPARATOR.
#[must_use]
pub fn breaks_line(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Returns `text` without its [bidi controls](is_bidi_control), between the characters U+2068 FIRST STRONG
/// ISOLATE and U+2069 POP DIRECTIONAL ISOLATE. So it neither looks like another text nor changes the
/// direction of the text around it. In HTML, use the element `<bdi>` instead.
#[must_use]
pub fn isolate(text: &str) -> String {
    let mut isolated = String::from(ISOLATE);
    isolated.extend(text.chars().filter(|c| !is_bidi_control(*c)));
    isolated.push(POP_ISOLATE);
    isolated
}

/// Returns `text` with its letters folded to one case, for comparisons that ignore letter case. Text in which
/// `needle` is to be found, in any letter case, is folded too: `fold_case(text).contains(&fold_case(needle))`.
///
/// A database that compares folded texts byte by byte finds the same whatever its collation is.
/// [`User::search_text`](crate::User::search_text) is such a text.
///
/// ```
/// use pat_core::text::fold_case;
///
/// assert_eq!(fold_case("Zoë ÅNGSTRÖM"), "zoë ångström");
/// assert_eq!(fold_case("STRASSE"), fold_case("Straße"));
/// ```
#[must_use]
pub fn fold_case(text: &str) -> String {
    folded(text).collect()
}

/// Returns the characters of `text`, folded to one case.
pub(crate) fn folded(text: &str) -> impl Iterator<Item = char> {
    // Via upper case, since some texts differ in lower case only (ß and ss).
    let upper = text.chars().flat_map(char::to_uppercase);
    upper.flat_map(char::to_lowercase)
}

/// Returns `text` with a `!` before each `%`, `_` and `!`, so that an SQL pattern takes these characters
/// literally. The condition must name the escape character: `LIKE … ESCAPE '!'`.
///
/// ```
/// use pat_core::text::escape_like;
///
/// // For `full_name LIKE ? ESCAPE '!'`: the names with "100%" in them.
/// let pattern = format!("%{}%", escape_like("100%"));
/// assert_eq!(pattern, "%100!%%");
/// ```
#[must_use]
pub fn escape_like(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '%' | '_' | '!') {
            escaped.push('!');
        }
        escaped.push(character);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use icu_properties::props::{BidiControl, DefaultIgnorableCodePoint, GeneralCategory};
    use icu_properties::{CodePointMapData, CodePointSetData};

    use super::*;

    #[test]
    fn what_shows_nothing_is_blank() {
        for text in [
            "",
            " ",
            "\u{a0}",
            "\u{3000}",
            "\u{200B}",
            "\u{2060}",
            "\u{FEFF}",
            "\u{3164}",
            "\u{FFA0}",
            "\u{115F}\u{1160}",
            "\u{AD}",
            "\u{202E}",
            "\u{E0041}\u{E007F}",
            "\u{FE0F}",
            "\u{180E}",
            "\u{2800}",
            "\u{1D159}",
            "\u{200D} \u{200C}",
            "\u{61C}",
            "\u{FFF9}",
            "\u{34F}",
        ] {
            assert!(is_blank(text), "{text:?}");
        }
        for text in [
            "a",
            "é",
            "👩\u{200D}👩\u{200D}👧",
            "ک\u{200C}ر",
            "\u{301}",
            "⠁",
            "。",
            "🏴\u{E0067}\u{E007F}",
        ] {
            assert!(!is_blank(text), "{text:?}");
        }
    }

    #[test]
    fn properties_are_those_of_unicode() {
        let (bidi, ignorable, category) = (
            CodePointSetData::new::<BidiControl>(),
            CodePointSetData::new::<DefaultIgnorableCodePoint>(),
            CodePointMapData::<GeneralCategory>::new(),
        );
        for c in '\0'..=char::MAX {
            assert_eq!(is_bidi_control(c), bidi.contains(c), "{c:?}");
            let is_control = matches!(
                category.get(c),
                GeneralCategory::Control | GeneralCategory::Format
            );
            assert_eq!(
                is_not_shown(c),
                is_control || ignorable.contains(c),
                "{c:?}"
            );
        }
    }

    #[test]
    fn folding_is_blind_to_letter_case() {
        for (one, two) in [
            ("CI / Work", "ci / wORK"),
            ("ÄÖÜ", "äöü"),
            ("ΟΔΟΣ", "οδος"),
            ("STRASSE", "straße"),
            ("Ǆ", "ǆ"),
        ] {
            assert_eq!(fold_case(one), fold_case(two), "{one} {two}");
        }
        assert_ne!(fold_case("a"), fold_case("ä"));
    }

    #[test]
    fn patterns_are_escaped_with_the_escape_character_itself() {
        assert_eq!(escape_like("a_b% 100!é\\"), "a!_b!% 100!!é\\");
    }

    proptest::proptest! {
        #[test]
        fn an_isolated_text_is_balanced(text in "[\u{2066}-\u{2069}\u{202A}-\u{202E}a-c]{0,20}") {
            let isolated = isolate(&text);
            let controls: Vec<_> = isolated.chars().filter(|c| is_bidi_control(*c)).collect();
            proptest::prop_assert_eq!(controls, [ISOLATE, POP_ISOLATE]);
        }
    }
}
