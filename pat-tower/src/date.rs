use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;
use jiff::tz::Offset;

/// Bytes of a date on the wire, in the years from 0 to 9999.
pub(crate) const DATE_LEN: usize = 29;

/// The one format of dates on the wire: UTC with exactly three fraction digits and `+00:00`.
///
/// Never `Z` and never another precision: a published client loops for ever on anything else.
pub(crate) fn wire_date(at: Timestamp) -> String {
    const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(3));
    PRINTER.timestamp_with_offset_to_string(&at, Offset::UTC)
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
        ] {
            assert_eq!(wire_date(date.parse().expect("a date")), expected);
            assert_eq!(expected.len(), DATE_LEN);
        }
    }
}
