use super::page::Page;
use super::text::Text;

/// What the script needs to count the characters of a field.
pub(super) struct Counter {
    /// The ID of the field.
    pub(super) field: &'static str,
    /// How many Unicode scalar values it may have.
    pub(super) max: u32,
    /// With `{count}` in place of their number.
    pub(super) words: String,
}

impl Counter {
    pub(super) fn new(page: &Page, field: &'static str, max: u32) -> Self {
        let count = "{count}";
        let words = page.t(Text::CharactersUsed { count, max }).into_owned();
        Self { field, max, words }
    }
}
