//! The texts of the pages.

mod english;
mod text;

use std::borrow::Cow;
use std::fmt::Debug;

use jiff::ZonedDateTime;
pub use pat_core::text::isolate;

pub use self::english::english;
pub use self::text::Text;

/// Translates the texts of the pages. A host whose users do not read English implements this trait,
/// and passes the implementation to [`Pages::with_messages`](super::Pages::with_messages).
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
    /// Returns the language of the texts, as a BCP 47 tag such as `de` or `pt-BR`; `en` by default. The
    /// pages declare it to the browser, and their script formats dates in it.
    fn language(&self) -> &'static str {
        "en"
    }

    /// Returns the direction in which the language is written: `ltr` (the default) or `rtl`.
    fn direction(&self) -> &'static str {
        "ltr"
    }

    /// Returns a text in this language; in English by default. The text is not HTML: the page escapes
    /// it.
    ///
    /// The names of tokens and users in a [`Text`] come from users. Pass them through [`isolate`], so
    /// that a name cannot change the direction of the text around it.
    fn text<'a>(&self, text: &Text<'a>) -> Cow<'a, str> {
        english(text)
    }

    /// Formats a time with its time zone, for browsers without JavaScript; by default as in
    /// `Sun 29 Nov 2026, 12:00 UTC`. The zone is the page's: that of
    /// [`Pages::with_time_zone`](super::Pages::with_time_zone), unless a filter names another one.
    fn date_time(&self, at: &ZonedDateTime) -> String {
        at.strftime("%a %-d %b %Y, %H:%M\u{a0}%Z").to_string()
    }

    /// Formats the date of a time, likewise; by default as in `29 Nov 2026`.
    fn date(&self, at: &ZonedDateTime) -> String {
        at.strftime("%-d\u{a0}%b %Y").to_string()
    }
}

/// The texts in English, which the pages have unless the host calls
/// [`Pages::with_messages`](super::Pages::with_messages).
#[derive(Debug, Clone, Copy, Default)]
pub struct English;

impl Messages for English {}
