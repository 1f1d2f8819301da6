use std::sync::Arc;

use fluent_langneg::{NegotiationStrategy, negotiate_languages};
use unic_langid::LanguageIdentifier;

use super::translation::Messages;

/// The languages that the pages and the mails have. The first one is the default. Clones are cheap.
///
/// ```
/// use pat_core::messages::{Languages, Messages};
///
/// let german = Messages::from_ftl("de", "cancel = Abbrechen")?;
/// let languages = Languages::from([Messages::english(), german]);
/// assert_eq!(languages.accepted("de-AT, en;q=0.7").language(), "de");
/// assert_eq!(languages.accepted("fr").language(), "en");
/// # Ok::<(), pat_core::messages::MessagesError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Languages(Arc<[Messages]>);

impl Languages {
    /// Returns the language that a client prefers, by the value of its header `Accept-Language`, or by a single
    /// language tag; the default if there is none of those that the client accepts.
    #[must_use]
    pub fn accepted(&self, accept_language: &str) -> &Messages {
        let requested = by_preference(accept_language);
        let available: Vec<_> = self.0.iter().map(Messages::identifier).collect();
        let strategy = NegotiationStrategy::Filtering;
        let found = negotiate_languages(&requested, &available, None, strategy);
        let found = found.first().and_then(|language| {
            let mut all = self.0.iter();
            all.find(|messages| messages.identifier() == **language)
        });
        found.unwrap_or_else(|| self.default_language())
    }

    /// Returns the default language.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "there is a language")]
    pub fn default_language(&self) -> &Messages {
        self.0.first().expect("there is a language")
    }

    /// Returns all languages, with the default first.
    pub fn iter(&self) -> impl Iterator<Item = &Messages> {
        self.0.iter()
    }
}

/// Returns the languages that a client accepts, with the preferred ones first (RFC 9110, section 12.5.4).
fn by_preference(accept_language: &str) -> Vec<LanguageIdentifier> {
    let mut ranges: Vec<_> = accept_language
        .split(',')
        .filter_map(|range| {
            let (tag, weight) = range.split_once(';').unwrap_or((range, "q=1"));
            let weight = weight.trim().strip_prefix("q=").unwrap_or("1");
            let weight: f32 = weight.trim().parse().unwrap_or(0.0);
            let tag: LanguageIdentifier = tag.trim().parse().ok()?;
            (weight > 0.0).then_some((weight, tag))
        })
        .collect();
    ranges.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    ranges.into_iter().map(|(_, tag)| tag).collect()
}

/// English alone.
impl Default for Languages {
    fn default() -> Self {
        Messages::english().into()
    }
}

impl From<Messages> for Languages {
    fn from(messages: Messages) -> Self {
        [messages].into()
    }
}

impl<const N: usize> From<[Messages; N]> for Languages {
    fn from(languages: [Messages; N]) -> Self {
        languages.into_iter().collect()
    }
}

impl From<Vec<Messages>> for Languages {
    fn from(languages: Vec<Messages>) -> Self {
        languages.into_iter().collect()
    }
}

/// English, if there is no language.
impl FromIterator<Messages> for Languages {
    fn from_iter<I: IntoIterator<Item = Messages>>(languages: I) -> Self {
        let languages: Vec<_> = languages.into_iter().collect();
        if languages.is_empty() {
            return Self::default();
        }
        Self(languages.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_the_one_that_the_client_prefers() {
        let languages: Languages = ["en", "de", "pt-BR", "zh-Hant"]
            .into_iter()
            .map(|tag| Messages::from_ftl(tag, "").expect("a tag"))
            .collect();
        for (header, expected) in [
            ("", "en"),
            ("de", "de"),
            ("DE-at", "de"),
            ("fr, de;q=0.5, en;q=0.9", "en"),
            ("de;q=0.5, en;q=0.4", "de"),
            ("de;q=0, en;q=0.1", "en"),
            ("pt", "pt-BR"),
            ("pt-BR;q=0.2, xx", "pt-BR"),
            ("*", "en"),
            ("nonsense-that-is-no-tag;q=x,,;", "en"),
        ] {
            assert_eq!(languages.accepted(header).language(), expected, "{header}");
        }
    }

    #[test]
    fn without_a_language_there_is_english() {
        assert_eq!(
            Languages::from(Vec::new()).default_language().language(),
            "en"
        );
    }
}
