//! Text that people choose, such as the names of tokens: what can be seen of it, and how it is shown
//! without an effect on the text around it.
//!
//! The properties are those of the Unicode Character Database.

use icu_properties::props::{BidiControl, DefaultIgnorableCodePoint, GeneralCategory};
use icu_properties::{CodePointMapData, CodePointSetData};

/// FIRST STRONG ISOLATE (UAX 9).
const ISOLATE: char = '\u{2068}';
/// POP DIRECTIONAL ISOLATE.
const POP_ISOLATE: char = '\u{2069}';
/// Characters whose glyph is blank, though no property says so: a braille pattern without dots, a note
/// head without ink, a filler.
const BLANK_GLYPHS: [char; 3] = ['\u{2800}', '\u{1D159}', '\u{16FE4}'];

/// Returns whether nothing of the text can be seen: it has white space, format characters and
/// characters that fonts do not show alone, or is empty.
#[must_use]
pub fn is_blank(text: &str) -> bool {
    text.chars().all(is_invisible)
}

/// Returns whether the character shows nothing by itself.
#[must_use]
pub fn is_invisible(c: char) -> bool {
    c.is_whitespace()
        || BLANK_GLYPHS.contains(&c)
        || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
        || matches!(
            CodePointMapData::<GeneralCategory>::new().get(c),
            GeneralCategory::Control | GeneralCategory::Format
        )
}

/// Returns whether the character steers the direction of the text around it, such as U+202E RIGHT-TO-LEFT
/// OVERRIDE and U+200E LEFT-TO-RIGHT MARK. By such a character a name shows as another one.
#[must_use]
pub fn is_bidi_control(c: char) -> bool {
    CodePointSetData::new::<BidiControl>().contains(c)
}

/// Returns whether the character is a control character, or separates lines or paragraphs.
#[must_use]
pub fn breaks_line(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Returns the text between isolates, without its own bidi controls: the text neither shows as another
/// one nor turns what stands around it. Text in HTML goes into `<bdi>` instead.
#[must_use]
pub fn isolate(text: &str) -> String {
    let mut isolated = String::from(ISOLATE);
    isolated.extend(text.chars().filter(|c| !is_bidi_control(*c)));
    isolated.push(POP_ISOLATE);
    isolated
}

#[cfg(test)]
mod tests {
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
    fn the_bidi_controls_are_those_of_unicode() {
        let found: String = ('\0'..=char::MAX).filter(|c| is_bidi_control(*c)).collect();
        assert_eq!(
            found,
            "\u{61C}\u{200E}\u{200F}\u{202A}\u{202B}\u{202C}\u{202D}\u{202E}\u{2066}\u{2067}\u{2068}\u{2069}"
        );
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
