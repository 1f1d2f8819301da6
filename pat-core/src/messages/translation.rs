use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, LazyLock};

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use jiff::ZonedDateTime;
use unic_langid::{CharacterDirection, LanguageIdentifier};

use super::ENGLISH;
use super::check::{Catalog, check};
use super::error::{MessageError, MessagesError};
use super::value::Value;

/// The words of the pages and the mails in one language. Clones are cheap.
///
/// ```
/// use pat_core::messages::Messages;
///
/// let german = Messages::from_ftl("de", "create-token = Token anlegen")?;
/// assert_eq!(german.format("create-token", [])?, "Token anlegen");
/// // What the file lacks is in English.
/// assert_eq!(german.format("cancel", [])?, "Cancel");
/// assert!(german.missing().any(|id| id == "cancel"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Messages(Arc<Translation>);

struct Translation {
    language: LanguageIdentifier,
    tag: String,
    bundle: FluentBundle<FluentResource>,
    missing: Vec<&'static str>,
}

static IN_ENGLISH: LazyLock<Messages> = LazyLock::new(|| {
    let english = LanguageIdentifier::from_bytes(b"en").expect("the tag of English");
    Messages::parse(english, ENGLISH).expect("the tests check the English messages")
});

static IDS: LazyLock<Catalog<'static>> =
    LazyLock::new(|| Catalog::parse(ENGLISH).expect("the tests check the English messages"));

impl Messages {
    /// Returns the messages in English.
    #[must_use]
    pub fn english() -> Self {
        IN_ENGLISH.clone()
    }

    /// Reads the messages of a language from the text of a file in the format of Project Fluent. `language` is its
    /// BCP 47 tag, such as `de` or `pt-BR`. Messages that the file lacks are in English.
    ///
    /// # Errors
    /// [`MessagesError`] with every problem: the tag is not one; the file has a syntax error, a message twice, a message
    /// that [`ENGLISH`] does not have, or one whose arguments are others than in [`ENGLISH`]; a message selects by a
    /// value that its argument cannot have, or refers to a message or function that does not exist.
    pub fn from_ftl(language: &str, source: &str) -> Result<Self, MessagesError> {
        let tag = language.parse().map_err(|_| {
            let problem =
                format!("{language:?} is not the BCP 47 tag of a language, such as de or pt-BR");
            MessagesError::new(language, vec![problem])
        })?;
        Self::parse(tag, source)
    }

    fn parse(language: LanguageIdentifier, source: &str) -> Result<Self, MessagesError> {
        let tag = language.to_string();
        let wrong = |problems| MessagesError::new(&tag, problems);
        let catalog = Catalog::parse(source).map_err(wrong)?;
        let problems = check(&catalog, &IDS);
        if !problems.is_empty() {
            return Err(wrong(problems));
        }
        let missing = IDS.ids().filter(|id| !catalog.contains(id)).collect();
        let resource = FluentResource::try_new(source.to_owned());
        let resource = resource.unwrap_or_else(|(resource, _)| resource);
        let mut bundle = FluentBundle::new_concurrent(vec![language.clone()]);
        // Only names are isolated, by those who pass them.
        bundle.set_use_isolating(false);
        let added = bundle.add_resource(resource);
        added.expect("a checked file has no message twice");
        let formatter = match text(&bundle, "digit-group", None).as_deref() {
            None | Some("") => None,
            Some(",") => Some(grouped::<','> as Formatter),
            Some(".") => Some(grouped::<'.'> as Formatter),
            Some("'") => Some(grouped::<'\''> as Formatter),
            Some("’") => Some(grouped::<'’'> as Formatter),
            Some("\u{A0}") => Some(grouped::<'\u{A0}'> as Formatter),
            Some("\u{202F}") => Some(grouped::<'\u{202F}'> as Formatter),
            Some(_) => {
                let problem =
                    "digit-group must be one of , . ' ’ { \"\\u00A0\" } { \"\\u202F\" } { \"\" }";
                return Err(wrong(vec![problem.to_owned()]));
            }
        };
        bundle.set_formatter(formatter);
        Ok(Self(Arc::new(Translation {
            language,
            tag,
            bundle,
            missing,
        })))
    }

    /// Returns the BCP 47 tag of the language, such as `de` or `pt-BR`.
    #[must_use]
    pub fn language(&self) -> &str {
        &self.0.tag
    }

    pub(super) fn identifier(&self) -> &LanguageIdentifier {
        &self.0.language
    }

    /// Returns the direction in which the language is written, as the attribute `dir` of HTML has it: `ltr` or `rtl`.
    #[must_use]
    pub fn direction(&self) -> &'static str {
        match self.0.language.character_direction() {
            CharacterDirection::RTL => "rtl",
            _ => "ltr",
        }
    }

    /// Returns the IDs of the messages that the file lacks, and that are in English therefore, in alphabetical order.
    /// A test of a translation checks that there are none.
    pub fn missing(&self) -> impl Iterator<Item = &str> {
        self.0.missing.iter().copied()
    }

    /// Returns the IDs of all messages, in alphabetical order.
    pub fn ids() -> impl Iterator<Item = &'static str> {
        IDS.ids()
    }

    /// Returns the names of the arguments of a message, in alphabetical order; `None` if there is no such message.
    #[must_use]
    pub fn arguments(id: &str) -> Option<impl Iterator<Item = &'static str>> {
        IDS.arguments(id).map(|names| names.iter().copied())
    }

    /// Formats a message with arguments, given with their names. The text is not HTML.
    ///
    /// # Errors
    /// - [`MessageError::UnknownMessage`] if there is no message with this ID.
    /// - [`MessageError::MissingArguments`] if the message needs other arguments.
    pub fn format<'a>(
        &self,
        id: &str,
        arguments: impl IntoIterator<Item = (&'a str, Value<'a>)>,
    ) -> Result<Cow<'_, str>, MessageError> {
        let needed = IDS.arguments(id);
        let needed = needed.ok_or_else(|| MessageError::UnknownMessage { id: id.to_owned() })?;
        let arguments = arguments.into_iter();
        let arguments: FluentArgs<'_> = arguments
            .map(|(name, value)| (name, value.fluent()))
            .collect();
        let missing = needed.iter().filter(|name| arguments.get(**name).is_none());
        let missing: Vec<_> = missing.map(|name| format!("${name}")).collect();
        if !missing.is_empty() {
            return Err(MessageError::MissingArguments {
                id: id.to_owned(),
                arguments: missing,
            });
        }
        let own = text(&self.0.bundle, id, Some(&arguments));
        let found = own.or_else(|| text(&IN_ENGLISH.0.bundle, id, Some(&arguments)));
        Ok(found.unwrap_or_default())
    }

    /// Formats a date with the month's name, such as `27 May 2026`.
    #[must_use]
    pub fn date(&self, at: &ZonedDateTime) -> String {
        self.format_time("date", at)
    }

    /// Formats a time with the month's name, such as `27 May 2026, 22:42 UTC`.
    #[must_use]
    pub fn date_time(&self, at: &ZonedDateTime) -> String {
        self.format_time("date-time", at)
    }

    /// Formats a date with the month's short name, such as `27 Feb 2026`.
    #[must_use]
    pub fn short_date(&self, at: &ZonedDateTime) -> String {
        self.format_time("short-date", at)
    }

    /// Formats a time with the short names of month and weekday, such as `Fri 27 Feb 2026, 22:42 UTC`.
    #[must_use]
    pub fn short_date_time(&self, at: &ZonedDateTime) -> String {
        self.format_time("short-date-time", at)
    }

    fn format_time(&self, id: &str, at: &ZonedDateTime) -> String {
        let number = |number: i8| Value::Number(u64::from(number.unsigned_abs()));
        let [year, hour, minute, zone] =
            ["%Y", "%H", "%M", "%Z"].map(|part| at.strftime(part).to_string());
        let arguments = [
            ("weekday", number(at.weekday().to_monday_one_offset())),
            ("day", number(at.day())),
            ("month", number(at.month())),
            ("year", year.into()),
            ("hour", hour.into()),
            ("minute", minute.into()),
            ("zone", zone.into()),
        ];
        let text = self.format(id, arguments);
        text.map(Cow::into_owned).unwrap_or_default()
    }
}

impl fmt::Debug for Messages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Messages").field(&self.0.tag).finish()
    }
}

/// Formats a message that the file has.
fn text<'b>(
    bundle: &'b FluentBundle<FluentResource>,
    id: &str,
    arguments: Option<&FluentArgs<'_>>,
) -> Option<Cow<'b, str>> {
    let pattern = bundle.get_message(id)?.value()?;
    let mut errors = Vec::new();
    let text = bundle.format_pattern(pattern, arguments, &mut errors);
    errors.is_empty().then_some(text)
}

type Formatter =
    fn(&FluentValue<'_>, &intl_memoizer::concurrent::IntlLangMemoizer) -> Option<String>;

/// Formats a number with groups of three digits.
fn grouped<const SEPARATOR: char>(
    value: &FluentValue<'_>,
    _: &intl_memoizer::concurrent::IntlLangMemoizer,
) -> Option<String> {
    let FluentValue::Number(number) = value else {
        return None;
    };
    let digits = number.as_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            grouped.push(SEPARATOR);
        }
        grouped.push(digit);
    }
    Some(grouped)
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    fn german(source: &str) -> Messages {
        Messages::from_ftl("de", source).expect("a translation")
    }

    #[test]
    fn the_english_messages_are_a_whole_translation() {
        let english = Messages::from_ftl("en", ENGLISH).expect("the English messages");
        assert_eq!(english.missing().count(), 0);
    }

    #[test]
    fn a_message_has_the_plural_rules_and_the_numbers_of_its_language() {
        let found = "found =\n    { $count ->\n        [0] keine Token\n        [one] { $count } Token\n       *[other] { $count } Tokens\n    }\n";
        let german = german(&format!("digit-group = .\n{found}"));
        for (count, words) in [
            (0_u32, "keine Token"),
            (1, "1 Token"),
            (999, "999 Tokens"),
            (5013, "5.013 Tokens"),
        ] {
            assert_eq!(
                german.format("found", [("count", count.into())]).unwrap(),
                words
            );
        }
        let source = "found =\n    { $count ->\n        [one] { $count } токен\n        [few] { $count } токена\n       *[many] { $count } токенов\n    }\n";
        let russian = Messages::from_ftl("ru", source).unwrap();
        for (count, words) in [(21_u32, "21 токен"), (3, "3 токена"), (5, "5 токенов")]
        {
            assert_eq!(
                russian.format("found", [("count", count.into())]).unwrap(),
                words
            );
        }
        let number = 1_234_567_u64;
        let english = Messages::english();
        assert_eq!(
            english.format("found", [("count", number.into())]).unwrap(),
            "1,234,567 tokens"
        );
    }

    #[test]
    fn what_a_file_lacks_is_in_english() {
        let german = german("cancel = Abbrechen\n");
        assert_eq!(german.format("cancel", []).unwrap(), "Abbrechen");
        assert_eq!(
            german.format("found", [("count", 2_u32.into())]).unwrap(),
            "2 tokens"
        );
        assert_eq!(german.missing().count(), Messages::ids().count() - 1);
        assert!(german.missing().all(|id| id != "cancel"));
    }

    #[test]
    fn a_wrong_id_or_a_missing_argument_is_an_error() {
        let english = Messages::english();
        let unknown = english.format("create-tokens", []).unwrap_err();
        assert_eq!(unknown.to_string(), "there is no message create-tokens");
        let missing = english
            .format("token-count", [("max", 3_u32.into())])
            .unwrap_err();
        assert_eq!(missing.to_string(), "the message token-count needs $count");
    }

    #[test]
    fn the_direction_is_that_of_the_script() {
        for (tag, direction) in [
            ("en", "ltr"),
            ("he", "rtl"),
            ("ar-EG", "rtl"),
            ("fa", "rtl"),
            ("az-Arab", "rtl"),
            ("az", "ltr"),
        ] {
            assert_eq!(
                Messages::from_ftl(tag, "").unwrap().direction(),
                direction,
                "{tag}"
            );
        }
    }

    #[test]
    fn dates_are_in_the_order_and_with_the_months_of_the_language() {
        let at: jiff::Timestamp = "2026-05-07T22:02:59Z".parse().unwrap();
        let at = at.to_zoned_datetime(TimeZone::UTC);
        let english = Messages::english();
        assert_eq!(english.date(&at), "7 May 2026");
        assert_eq!(english.date_time(&at), "7 May 2026, 22:02 UTC");
        assert_eq!(
            english.short_date_time(&at),
            "Thu 7 May 2026, 22:02\u{A0}UTC"
        );
        let month = "month =\n    { $month ->\n        [5] Mai\n       *[6] Juni\n    }\n";
        let german = german(&format!(
            "{month}date = {{ $day }}. {{ month }} {{ $year }}\n"
        ));
        assert_eq!(german.date(&at), "7. Mai 2026");
    }

    #[test]
    fn every_problem_of_a_file_is_told_with_its_line() {
        for (source, problem) in [
            (
                "\ncraete-token = x\n",
                "line 2: there is no message craete-token; did you mean create-token?",
            ),
            (
                "entirely-different = x\n",
                "line 1: there is no message entirely-different",
            ),
            (
                "days = { $dasy } Tage\n",
                "line 1: days has no argument $dasy",
            ),
            ("days = Tage\n", "line 1: days lacks the argument $days"),
            (
                "cancel = Weg\n# A comment.\n\ncancel = Fort\n",
                "line 4: the message cancel occurs twice",
            ),
            ("cancel\n", "line 1: Expected a token starting with \"=\""),
            (
                "save = a\n    .b = c\n",
                "line 1: the message save must have a text and no attributes",
            ),
            (
                "save = { edit }\n",
                "line 1: save refers to edit, which the file lacks",
            ),
            ("save = { save }\n", "line 1: save refers to itself"),
            (
                "save = { edit }\nedit = { save }\n",
                "line 1: save refers to itself",
            ),
            (
                "save = { -brand }\n",
                "line 1: save refers to -brand, which the file lacks",
            ),
            (
                "save = { DATETIME(1) }\n",
                "line 1: save calls DATETIME, which does not exist",
            ),
            (
                "save = { cancel.title }\ncancel = x\n",
                "line 1: save refers to an attribute of cancel, which has none",
            ),
            (
                "token-status =\n    { $status ->\n        [ATCIVE] Aktiv\n       *[other] { $status }\n    }\n",
                "line 1: $status in token-status is never ATCIVE",
            ),
            (
                "digit-group = -\n",
                "digit-group must be one of , . ' ’ { \"\\u00A0\" } { \"\\u202F\" } { \"\" }",
            ),
        ] {
            let error = Messages::from_ftl("de", source).unwrap_err();
            assert!(
                error.problems().any(|found| found == problem),
                "{source}: {error}"
            );
            assert!(
                error
                    .to_string()
                    .starts_with("the messages in de are wrong: "),
                "{error}"
            );
        }
        let error = Messages::from_ftl("german?", "").unwrap_err();
        assert!(
            error
                .to_string()
                .contains("is not the BCP 47 tag of a language"),
            "{error}"
        );
    }

    #[test]
    fn a_translation_may_have_words_of_its_own_for_the_scopes_of_the_host() {
        let source = "scope-description =\n    { $scope ->\n        [tokens-read] Token sehen\n       *[other] { $description }\n    }\n";
        let german = german(source);
        let describe = |scope: &'static str| {
            german.format(
                "scope-description",
                [("scope", scope.into()), ("description", "Read".into())],
            )
        };
        assert_eq!(describe("tokens-read").unwrap(), "Token sehen");
        assert_eq!(describe("read").unwrap(), "Read");
    }
}
