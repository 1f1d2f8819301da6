//! The rules for names and descriptions.

use super::TokenRequest;
use crate::error::PolicyError;
use crate::settings::Settings;
use crate::text;

/// The greatest length of a name that `atlassian.pats.token.name.length` can allow.
pub(crate) const LONGEST_NAME: u32 = 255;

/// Checks the rules for names.
pub(crate) fn check_name(settings: &Settings, name: &str) -> Result<(), PolicyError> {
    check_name_within(settings.token_name_length(), name)
}

/// Checks the rules for names, with this greatest length in Unicode scalar values.
pub(crate) fn check_name_within(max: u32, name: &str) -> Result<(), PolicyError> {
    if text::is_blank(name) {
        return Err(PolicyError::NameBlank);
    }
    if name.chars().nth(max as usize).is_some() {
        return Err(PolicyError::NameTooLong { max });
    }
    if name.chars().any(text::breaks_line) {
        return Err(PolicyError::NameHasControlCharacter);
    }
    if name.chars().any(text::is_bidi_control) {
        return Err(PolicyError::NameHasBidiControl);
    }
    Ok(())
}

/// Checks the rules for descriptions, of which an empty one is none.
pub(crate) fn check_description(description: &str) -> Result<(), PolicyError> {
    let max = TokenRequest::MAX_DESCRIPTION;
    if description.chars().nth(max).is_some() {
        return Err(PolicyError::DescriptionTooLong { max });
    }
    if description.chars().any(text::breaks_line) {
        return Err(PolicyError::DescriptionHasControlCharacter);
    }
    if description.chars().any(text::is_bidi_control) {
        return Err(PolicyError::DescriptionHasBidiControl);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::policy::expiry;

    #[test]
    fn a_name_shows_something_and_only_itself() {
        let settings = Settings::default();
        for (name, error) in [
            ("\u{200B}", PolicyError::NameBlank),
            ("\u{2060} \u{FEFF}", PolicyError::NameBlank),
            ("\u{3164}", PolicyError::NameBlank),
            ("\u{AD}", PolicyError::NameBlank),
            ("\u{202E}", PolicyError::NameBlank),
            ("\u{E0061}", PolicyError::NameBlank),
            ("\u{2800}", PolicyError::NameBlank),
            ("a\u{2028}b", PolicyError::NameHasControlCharacter),
            ("a\u{2029}b", PolicyError::NameHasControlCharacter),
            ("a\u{85}b", PolicyError::NameHasControlCharacter),
            ("report\u{202E}fdp.exe", PolicyError::NameHasBidiControl),
            ("a\u{200E}", PolicyError::NameHasBidiControl),
            ("a\u{200F}", PolicyError::NameHasBidiControl),
            ("\u{61C}a", PolicyError::NameHasBidiControl),
            ("a\u{2066}b\u{2069}", PolicyError::NameHasBidiControl),
        ] {
            assert_eq!(check_name(&settings, name), Err(error), "{name:?}");
        }
        for name in [
            "jira-cli / work",
            " outer blanks ",
            "👩\u{200D}👩\u{200D}👧",
            "❤\u{FE0F}",
            "🏴\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F}",
            "نسخة احتياطية",
            "می\u{200C}خواهم",
            "דבורה",
            "a\u{200B}b",
            "क्\u{200D}ष",
        ] {
            assert_eq!(check_name(&settings, name), Ok(()), "{name:?}");
        }
    }

    #[test]
    fn a_description_may_be_empty_and_has_the_characters_of_names() {
        for (description, expected) in [
            (String::new(), Ok(())),
            (" ".into(), Ok(())),
            ("\u{1f993}".repeat(200), Ok(())),
            (
                "x".repeat(201),
                Err(PolicyError::DescriptionTooLong { max: 200 }),
            ),
            (
                "a\nb".into(),
                Err(PolicyError::DescriptionHasControlCharacter),
            ),
            (
                "a\u{2028}b".into(),
                Err(PolicyError::DescriptionHasControlCharacter),
            ),
            (
                "a\u{202e}b".into(),
                Err(PolicyError::DescriptionHasBidiControl),
            ),
        ] {
            assert_eq!(check_description(&description), expected, "{description:?}");
            let request = TokenRequest::new("ci", None).with_description(&description);
            let created = expiry(&Settings::default(), &request, None, Timestamp::UNIX_EPOCH);
            assert_eq!(created.map(drop), expected, "{description:?}");
        }
    }
}
