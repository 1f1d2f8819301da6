//! The texts of the pages.

mod english;
mod text;

use std::borrow::Cow;
use std::fmt::Debug;

use jiff::ZonedDateTime;
pub use pat_core::text::isolate;

pub use self::english::english;
pub use self::text::Text;

/// Translates the texts of the pages. A host with another language than English implements this.
///
/// ```
/// use std::borrow::Cow;
/// use pat_tower::pages::{Text, Messages, english};
///
/// #[derive(Debug)]
/// struct German;
///
/// impl Messages for German {
///     fn language(&self) -> &'static str {
///         "de"
///     }
///
///     fn text<'a>(&self, text: &Text<'a>) -> Cow<'a, str> {
///         match *text {
///             Text::CreateToken => "Token anlegen".into(),
///             Text::Days(1) => "1 Tag".into(),
///             Text::Days(days) => format!("{days} Tage").into(),
///             // Texts that are not translated yet.
///             _ => english(text),
///         }
///     }
/// }
/// ```
pub trait Messages: Debug + Send + Sync + 'static {
    /// Returns the language, as a BCP 47 tag such as `de` or `pt-BR`. The script formats dates by it.
    fn language(&self) -> &'static str {
        "en"
    }

    /// Returns the direction in which the language is written: `ltr` or `rtl`.
    fn direction(&self) -> &'static str {
        "ltr"
    }

    /// Returns a text in this language, unescaped; the page escapes it.
    ///
    /// Names come from users. Pass them through [`isolate`], so that they cannot change the direction
    /// of the text around them.
    fn text<'a>(&self, text: &Text<'a>) -> Cow<'a, str> {
        english(text)
    }

    /// Formats a date with its time and zone, for browsers that run no script.
    fn date_time(&self, at: &ZonedDateTime) -> String {
        at.strftime("%-d %b %Y, %H:%M\u{a0}%Z").to_string()
    }
}

/// The texts in English.
#[derive(Debug, Clone, Copy, Default)]
pub struct English;

impl Messages for English {}
