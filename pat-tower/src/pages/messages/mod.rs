//! The words of the pages.

mod english;
mod text;

use std::borrow::Cow;
use std::fmt::Debug;

use jiff::ZonedDateTime;
pub use pat_core::text::isolate;

pub use self::english::english;
pub use self::text::Text;

/// The words of the pages. A host that speaks another language implements this.
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
///             // What is not translated yet.
///             _ => english(text),
///         }
///     }
/// }
/// ```
pub trait Messages: Debug + Send + Sync + 'static {
    /// The language, as a BCP 47 tag such as `de` or `pt-BR`. The script shows dates in it.
    fn language(&self) -> &'static str {
        "en"
    }

    /// The direction that the language is written in: `ltr` or `rtl`.
    fn direction(&self) -> &'static str {
        "ltr"
    }

    /// What a text says. What it says is escaped where it is shown.
    ///
    /// Names come from users. Put them between U+2068 and U+2069, as [`isolate`] does, so that they
    /// cannot turn the reading direction of the words around them.
    fn text<'a>(&self, text: &Text<'a>) -> Cow<'a, str> {
        english(text)
    }

    /// A date with its time and zone, as it is shown to those whose browser runs no script.
    fn date_time(&self, at: &ZonedDateTime) -> String {
        at.strftime("%-d %b %Y, %H:%M\u{a0}%Z").to_string()
    }
}

/// The texts in English.
#[derive(Debug, Clone, Copy, Default)]
pub struct English;

impl Messages for English {}
