use std::fmt;

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;
use jiff::tz::Offset;

/// A time in the format of the REST API: in UTC, with exactly three fraction digits and the offset `+00:00`,
/// such as `2026-01-02T03:04:05.678+00:00`.
///
/// The offset is never `Z`, and the precision never differs: a published client loops forever on any other
/// format.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DateText([u8; LEN]);

/// Bytes of a date in the years from 0 to 9999.
const LEN: usize = 29;

impl DateText {
    /// Formats the time `at`. Digits after the milliseconds are cut off, not rounded. A time before the year 0
    /// becomes `0000-01-01T00:00:00.000+00:00`; no token has such a time. A [`Timestamp`] cannot be after the
    /// year 9999.
    #[must_use]
    pub fn new(at: Timestamp) -> Self {
        const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(3));
        const FIRST: [u8; LEN] = *b"0000-01-01T00:00:00.000+00:00";
        let text = PRINTER.timestamp_with_offset_to_string(&at, Offset::UTC);
        Self(text.as_bytes().try_into().unwrap_or(FIRST))
    }

    /// Returns the formatted time as bytes, which are ASCII.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the formatted time.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // A date is ASCII.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for DateText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for DateText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_have_three_fraction_digits_and_an_offset() {
        for (date, expected) in [
            ("2026-02-26T22:42:21.247Z", "2026-02-26T22:42:21.247+00:00"),
            ("2026-02-26T22:42:21Z", "2026-02-26T22:42:21.000+00:00"),
            (
                "2026-02-26T22:42:21.9999999Z",
                "2026-02-26T22:42:21.999+00:00",
            ),
            ("9999-12-30T00:00:00Z", "9999-12-30T00:00:00.000+00:00"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000+00:00"),
            ("-000001-01-01T00:00:00Z", "0000-01-01T00:00:00.000+00:00"),
        ] {
            let text = DateText::new(date.parse().expect("a date"));
            assert_eq!(text.as_str(), expected);
        }
    }
}
