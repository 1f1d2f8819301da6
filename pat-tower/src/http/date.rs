use jiff::Timestamp;
use pat_core::DateText;

/// A date as clients get it.
pub(crate) fn wire_date(at: Timestamp) -> String {
    DateText::new(at).as_str().to_owned()
}
