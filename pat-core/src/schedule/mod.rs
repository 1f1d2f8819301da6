//! Schedules of jobs: Quartz cron expressions in a time zone.

mod expression;
#[cfg(test)]
mod oracle;

use std::fmt;
use std::str::FromStr;

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use self::expression::Expression;

/// A schedule of a job: a Quartz cron expression, such as `0 0/5 * * * ?` for every five minutes.
///
/// An expression has six fields, seconds first, and optionally a year as the seventh. It may use `?` in the
/// day fields, weekdays from 1 = Sunday to 7 = Saturday, `0/5`, `22-2`, `L`, `L-3`, `W` and `#`.
/// [`str::parse`] creates a schedule from an expression; `Display` returns the expression.
///
/// A schedule fires at the same times as in Quartz 2.3.2, and the same expressions are refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    text: Box<str>,
    expression: Expression,
}

/// The time zone of a [`Schedule`]: that of the machine, or one of the IANA time zone database.
///
/// [`str::parse`] creates a zone from `local` or an IANA name, such as `Europe/Berlin`.
#[derive(Debug, Clone)]
pub struct Zone {
    name: Box<str>,
    zone: TimeZone,
}

impl Schedule {
    /// Returns the schedule `0 0 0 * * ?`: every day at midnight.
    ///
    /// # Panics
    /// Never: the expression is valid.
    #[must_use]
    pub fn daily() -> Self {
        "0 0 0 * * ?".parse().expect("a schedule")
    }

    /// Returns the schedule `0 0 * * * ?`: every full hour.
    ///
    /// # Panics
    /// Never: the expression is valid.
    #[must_use]
    pub fn hourly() -> Self {
        "0 0 * * * ?".parse().expect("a schedule")
    }

    /// Returns the first time after `after` at which the schedule fires in the time zone `zone`; `None` if it
    /// does not fire in the next 100 years.
    ///
    /// If a change of the clocks to daylight saving time skips a local time of the schedule, the schedule
    /// fires once, right after the gap. If a change back repeats a local time, the schedule fires once, the
    /// first time. These rules do not apply to a schedule whose field for hours allows all 24 hours, such as
    /// `0 0 * * * ?` or `0 0/5 * * * ?`: it skips nothing, and also fires in the repeated hour.
    #[must_use]
    pub fn next_after(&self, after: Timestamp, zone: &Zone) -> Option<Timestamp> {
        if self.expression.is_in_every_hour() {
            self.next_in_real_time(after, &zone.zone)
        } else {
            self.next_on_the_clock(after, &zone.zone)
        }
    }

    /// Returns the last time up to and including `now` at which the schedule fired in the time zone `zone`;
    /// `None` if it has not fired in the hundred years of 365 days before `now`.
    #[must_use]
    pub fn latest_at(&self, now: Timestamp, zone: &Zone) -> Option<Timestamp> {
        let first_after = |second| {
            let next = self.next_after(Timestamp::from_second(second).ok()?, zone)?;
            (next <= now).then_some(next)
        };
        // It fires after `before` and, since it fires at whole seconds, no more after `last`.
        let mut last = now.as_second();
        let mut before = last - LOOK_BACK.as_secs();
        first_after(before)?;
        while last - before > 1 {
            let middle = before + (last - before) / 2;
            if first_after(middle).is_some() {
                before = middle;
            } else {
                last = middle;
            }
        }
        first_after(before)
    }

    /// Searches from one change of the UTC offset to the next, between which real and local time run alike.
    fn next_in_real_time(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let mut from = after;
        let mut shown = zone.to_datetime(after);
        loop {
            let change = zone.following(from).next().map(|change| change.timestamp());
            let next = self.expression.next_after(shown)?;
            let next = zone.to_offset(from).to_timestamp(next).ok()?;
            match change {
                Some(change) if next >= change => {
                    from = change;
                    // An occurrence at the instant of the change counts.
                    let before = SignedDuration::from_nanos(1);
                    shown = zone.to_offset(change).to_datetime(change) - before;
                }
                _ => return Some(next),
            }
        }
    }

    /// Searches local time, so that a time fires once on each day that has it.
    fn next_on_the_clock(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let mut on_the_clock = zone.to_datetime(after);
        loop {
            on_the_clock = self.expression.next_after(on_the_clock)?;
            let next = instant(on_the_clock, zone)?;
            // In a repeated hour the next local time may be an earlier instant.
            if next > after {
                return Some(next);
            }
        }
    }
}

/// Returns the instant of a local time: the first one if it is repeated, the end of the gap if it is
/// skipped. A later local time never has an earlier instant.
fn instant(time: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(time);
    let is_skipped = matches!(ambiguous.offset(), AmbiguousOffset::Gap { .. });
    let earlier = ambiguous.earlier().ok()?;
    if is_skipped {
        // The earlier instant of a skipped time lies before the gap.
        zone.following(earlier).next().map(|gap| gap.timestamp())
    } else {
        Some(earlier)
    }
}

impl FromStr for Schedule {
    type Err = InvalidSchedule;

    /// Parses a Quartz cron expression.
    ///
    /// # Errors
    /// [`InvalidSchedule`] if Quartz 2.3.2 refuses the expression, or if the schedule never fires after 2025.
    fn from_str(text: &str) -> Result<Self, InvalidSchedule> {
        let schedule = Self {
            text: text.into(),
            expression: Expression::parse(text)?,
        };
        schedule
            .next_after(FIRST_RELEASE, &Zone::utc())
            .ok_or(InvalidSchedule::Never)?;
        Ok(schedule)
    }
}

/// How far back an occurrence is searched for: not more than the hundred years that one is searched
/// ahead.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(100 * 365 * 24);

/// 2026-01-01T00:00:00Z. An expression that does not fire after this never fires.
const FIRST_RELEASE: Timestamp = Timestamp::constant(1_767_225_600, 0);

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The reason that text is not a [`Schedule`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSchedule {
    /// The text has this number of fields, instead of six or seven.
    #[error("a schedule has six fields, seconds first, or seven with the year, not {0}")]
    Fields(usize),
    /// A field of the text is not valid.
    #[error("the {field} of a schedule: {reason}")]
    Field {
        /// Name of the invalid field, such as `day of month`.
        field: &'static str,
        /// What is wrong with the field, and what is allowed, as a phrase for the error text.
        reason: String,
    },
    /// No date after 2025 matches the expression, for example because it names 30 February.
    #[error("the schedule never fires")]
    Never,
}

impl Zone {
    /// Returns the time zone of the machine, as it is set now.
    #[must_use]
    pub fn local() -> Self {
        Self {
            name: "local".into(),
            zone: TimeZone::system(),
        }
    }

    /// Returns the zone as jiff has it.
    #[must_use]
    pub fn time_zone(&self) -> &TimeZone {
        &self.zone
    }

    fn utc() -> Self {
        Self {
            name: "UTC".into(),
            zone: TimeZone::UTC,
        }
    }
}

impl FromStr for Zone {
    type Err = UnknownZone;

    /// Returns the zone with this name: `local` for that of the machine, or an IANA name.
    ///
    /// # Errors
    /// [`UnknownZone`] if the time zone database has no such name.
    fn from_str(name: &str) -> Result<Self, UnknownZone> {
        if name == "local" {
            return Ok(Self::local());
        }
        let zone = TimeZone::get(name).map_err(|_| UnknownZone)?;
        Ok(Self {
            name: name.into(),
            zone,
        })
    }
}

#[cfg(feature = "commands")]
impl Zone {
    /// Returns this time on the clocks of the zone.
    pub(crate) fn show(&self, at: Timestamp) -> String {
        let local = self.zone.to_datetime(at);
        local.strftime("%Y-%m-%d %H:%M:%S").to_string()
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// The error for a name that is neither `local` nor in the time zone database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no such time zone; give local or an IANA name such as Europe/Berlin")]
pub struct UnknownZone;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn fires(schedule: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
        let schedule: Schedule = schedule.parse().expect("a schedule");
        let zone: Zone = zone.parse().expect("a zone");
        let first: Timestamp = from.parse().expect("a date");
        let next = |after: &Timestamp| schedule.next_after(*after, &zone);
        std::iter::successors(Some(first), next)
            .skip(1)
            .take(count)
            .map(|t| t.to_string())
            .collect()
    }

    #[test]
    fn quartz_syntax_is_understood() {
        let from = "2026-01-01T00:00:00Z";
        for (schedule, expected) in [
            ("0 0 0 * * ?", "2026-01-02T00:00:00Z"),
            ("0 0/5 * * * ?", "2026-01-01T00:05:00Z"),
            ("0 0 0 ? * 1", "2026-01-04T00:00:00Z"),
            ("0 0 0 ? * 7", "2026-01-03T00:00:00Z"),
            ("0 0 0 ? * MON-FRI", "2026-01-02T00:00:00Z"),
            ("0 0 0 L * ?", "2026-01-31T00:00:00Z"),
            ("0 0 0 ? * L", "2026-01-03T00:00:00Z"),
            ("0 0 0 ? * 1L", "2026-01-25T00:00:00Z"),
            ("0 0 0 LW * ?", "2026-01-30T00:00:00Z"),
            ("0 0 0 15W 8 ?", "2026-08-14T00:00:00Z"),
            ("0 0 0 ? * 6#3", "2026-01-16T00:00:00Z"),
            ("0 0 0 1 1 ? 2030", "2030-01-01T00:00:00Z"),
        ] {
            assert_eq!(fires(schedule, "UTC", from, 1), [expected], "{schedule}");
        }
    }

    #[test]
    fn a_skipped_time_fires_once_right_after_the_gap() {
        // Berlin skips 02:00 to 03:00 on 2026-03-29.
        assert_eq!(
            fires("0 30 2 * * ?", "Europe/Berlin", "2026-03-28T12:00:00Z", 2),
            ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]
        );
    }

    #[test]
    fn a_repeated_time_fires_once() {
        // Berlin repeats 02:00 to 03:00 on 2026-10-25.
        assert_eq!(
            fires("0 30 2 * * ?", "Europe/Berlin", "2026-10-24T12:00:00Z", 2),
            ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
        );
    }

    #[test]
    fn every_skipped_time_of_a_gap_fires_together_once() {
        for (schedule, expected) in [
            (
                "0 0/15 2 * * ?",
                ["2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z"],
            ),
            (
                "0 30 2,14 * * ?",
                ["2026-03-29T01:00:00Z", "2026-03-29T12:30:00Z"],
            ),
            (
                "0 0 2,3 * * ?",
                ["2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z"],
            ),
        ] {
            let fired = fires(schedule, "Europe/Berlin", "2026-03-28T22:00:00Z", 2);
            assert_eq!(fired, expected, "{schedule}");
        }
        // Samoa skipped the whole of 2011-12-30 at 10:00 UTC.
        assert_eq!(
            fires("0 0 12 * * ?", "Pacific/Apia", "2011-12-29T23:00:00Z", 2),
            ["2011-12-30T10:00:00Z", "2011-12-30T22:00:00Z"]
        );
    }

    #[test]
    fn every_repeated_time_of_an_overlap_fires_once() {
        for (schedule, expected) in [
            (
                "0 0/30 2 * * ?",
                [
                    "2026-10-25T00:00:00Z",
                    "2026-10-25T00:30:00Z",
                    "2026-10-26T01:00:00Z",
                ],
            ),
            (
                "0 30 2,3 * * ?",
                [
                    "2026-10-25T00:30:00Z",
                    "2026-10-25T02:30:00Z",
                    "2026-10-26T01:30:00Z",
                ],
            ),
        ] {
            let fired = fires(schedule, "Europe/Berlin", "2026-10-24T22:00:00Z", 3);
            assert_eq!(fired, expected, "{schedule}");
        }
    }

    #[test]
    fn a_start_within_the_second_round_does_not_fire_again() {
        for schedule in ["0 30 2 * * ?", "0 30 2,2 * * ?", "0 0/30 2 * * ?"] {
            let fired = fires(schedule, "Europe/Berlin", "2026-10-25T01:10:00Z", 1);
            assert!(fired[0].starts_with("2026-10-26T01:"), "{fired:?}");
        }
    }

    #[test]
    fn a_schedule_of_every_hour_counts_real_hours() {
        for from in ["2026-03-28T23:00:00Z", "2026-10-24T23:00:00Z"] {
            let fired = fires("0 0 * * * ?", "Europe/Berlin", from, 5);
            let start: Timestamp = from.parse().expect("a date");
            for (hours, fired) in (1..).zip(fired) {
                let expected = start + jiff::SignedDuration::from_hours(hours);
                assert_eq!(fired, expected.to_string());
            }
        }
    }

    #[test]
    fn the_latest_occurrence_is_found_however_far_back() {
        for (schedule, now, expected) in [
            (
                "* * * * * ?",
                "2026-03-01T12:00:00.5Z",
                Some("2026-03-01T12:00:00Z"),
            ),
            (
                "0 0 * * * ?",
                "2026-03-01T12:00:00Z",
                Some("2026-03-01T12:00:00Z"),
            ),
            (
                "0 0 * * * ?",
                "2026-03-01T11:59:59.999999Z",
                Some("2026-03-01T11:00:00Z"),
            ),
            (
                "0 0 0 * * ?",
                "2026-03-01T12:00:00Z",
                Some("2026-03-01T00:00:00Z"),
            ),
            (
                "0 0 0 1 1 ?",
                "2026-03-01T12:00:00Z",
                Some("2026-01-01T00:00:00Z"),
            ),
            (
                "0 0 0 29 2 ?",
                "2028-02-28T12:00:00Z",
                Some("2024-02-29T00:00:00Z"),
            ),
            ("0 0 0 1 1 ? 2030", "2029-03-01T12:00:00Z", None),
            (
                "0 0 0 1 1 ? 2030",
                "2034-03-01T12:00:00Z",
                Some("2030-01-01T00:00:00Z"),
            ),
            // It fires 31 million times.
            (
                "* * * * * ? 2026",
                "2034-03-01T12:00:00Z",
                Some("2026-12-31T23:59:59Z"),
            ),
            (
                "0 0 0 ? 2 FRI#5",
                "2060-03-01T12:00:00Z",
                Some("2036-02-29T00:00:00Z"),
            ),
        ] {
            let parsed: Schedule = schedule.parse().expect("a schedule");
            let now = now.parse().expect("a date");
            let expected = expected.map(|date| date.parse().expect("a date"));
            assert_eq!(parsed.latest_at(now, &Zone::utc()), expected, "{schedule}");
        }
    }

    /// Returns how often `schedule` fires on each local day from 2026 to 2028.
    fn firings_by_day(schedule: &str, zone: &str) -> BTreeMap<jiff::civil::Date, usize> {
        let schedule: Schedule = schedule.parse().expect("a schedule");
        let zone: Zone = zone.parse().expect("a zone");
        let date = |at: Timestamp| zone.zone.to_datetime(at).date();
        let (first, end): (Timestamp, Timestamp) = (
            "2025-12-30T00:00:00Z".parse().expect("a date"),
            "2029-01-03T00:00:00Z".parse().expect("a date"),
        );
        let next = |after: &Timestamp| schedule.next_after(*after, &zone);
        let fired = std::iter::successors(Some(first), next).skip(1);
        let mut count = BTreeMap::new();
        for at in fired.take_while(|at| *at < end) {
            *count.entry(date(at)).or_default() += 1;
        }
        count.retain(|date, _| (2026..=2028).contains(&date.year()));
        count
    }

    /// Zones of all kinds: changes at 02:00, at midnight and by half an hour, north and south, and
    /// none.
    const ZONES: [&str; 6] = [
        "Europe/Berlin",
        "America/New_York",
        "America/Santiago",
        "Africa/Cairo",
        "Australia/Lord_Howe",
        "Asia/Kolkata",
    ];

    #[test]
    fn a_daily_schedule_fires_once_on_each_local_day_of_three_years() {
        for zone in ZONES {
            for schedule in [
                "0 0 0 * * ?",
                "0 30 0 * * ?",
                "0 30 1 * * ?",
                "0 15 2 * * ?",
            ] {
                let count = firings_by_day(schedule, zone);
                assert_eq!(count.len(), 365 + 365 + 366, "{schedule} in {zone}");
                let odd: Vec<_> = count.iter().filter(|(_, count)| **count != 1).collect();
                assert!(odd.is_empty(), "{schedule} in {zone}: {odd:?}");
            }
        }
    }

    #[test]
    fn an_hourly_schedule_fires_once_in_each_real_hour_of_three_years() {
        for zone in ZONES {
            let count: usize = firings_by_day("0 0 * * * ?", zone).values().sum();
            // With a change by half an hour, one full hour a year is skipped.
            let skipped = if zone == "Australia/Lord_Howe" { 3 } else { 0 };
            assert_eq!(count, (365 + 365 + 366) * 24 - skipped, "{zone}");
        }
    }

    #[test]
    fn fractions_of_a_second_do_not_fire_twice() {
        assert_eq!(
            fires("0 30 2 * * ?", "UTC", "2026-01-01T02:30:00.5Z", 1),
            ["2026-01-02T02:30:00Z"]
        );
        assert_eq!(
            fires("0 30 2 * * ?", "UTC", "2026-01-01T02:29:59.5Z", 1),
            ["2026-01-01T02:30:00Z"]
        );
    }

    #[test]
    fn a_year_that_ends_never_fires_again() {
        let from = "2030-01-01T00:00:00Z";
        assert!(fires("0 0 0 1 1 ? 2030", "UTC", from, 1).is_empty());
    }

    #[test]
    fn zones_are_local_or_iana_names() {
        for name in ["local", "UTC", "Europe/Berlin"] {
            let zone: Zone = name.parse().expect("a zone");
            assert_eq!(zone.to_string(), name);
        }
        for name in ["", "Europe/Atlantis", "CET+1"] {
            assert!(name.parse::<Zone>().is_err(), "{name}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_judged_without_a_panic(
            fields in proptest::collection::vec("[0-9*?/,LW#-]{1,6}", 6..=7)
        ) {
            let _ = fields.join(" ").parse::<Schedule>();
        }
    }

    #[test]
    fn bad_schedules_say_why() {
        let error = |text: &str| {
            text.parse::<Schedule>()
                .expect_err("a bad schedule")
                .to_string()
        };
        assert!(error("0 0 * * *").contains("six fields, seconds first"));
        assert_eq!(error("0 0 0 30 2 ?"), "the schedule never fires");
        assert_eq!(error("0 0 0 1 1 ? 1999"), "the schedule never fires");
        for (text, field, allowed) in [
            ("61 0 0 * * ?", "seconds", "0 to 59"),
            ("0 60 0 * * ?", "minutes", "0 to 59"),
            ("0 0/60 0 * * ?", "minutes", "1 to 59"),
            ("0 0 24 * * ?", "hours", "0 to 23"),
            ("0 0 ? * * ?", "hours", "? can only stand"),
            ("0 0 0 32 * ?", "day of month", "1 to 31"),
            ("0 0 0 L,15 * ?", "day of month", "alone"),
            ("0 0 0 LW-2 * ?", "day of month", "alone"),
            ("0 0 0 L-31 * ?", "day of month", "no month"),
            ("0 0 0 1 13 ?", "month", "1 to 12 or JAN to DEC"),
            ("0 0 0 1 JUNE ?", "month", "JAN to DEC"),
            ("0 0 0 ? * 8", "day of week", "1 to 7 or SUN to SAT"),
            ("0 0 0 ? * 6#6", "day of week", "1 to 5"),
            ("0 0 0 ? * MON,6L", "day of week", "alone"),
            ("0 0 0 ? * ?", "day of week", "one of"),
            ("0 0 0 15 * MON", "day of week", "must be ?"),
            ("0 0 0 * * *", "day of week", "must be ?"),
            ("0 0 0 1 1 ? 2030-2026", "year", "before it begins"),
            ("0 0 0 1 1 ? 20x6", "year", "1970"),
        ] {
            let error = error(text);
            assert!(
                error.contains(&format!("the {field} of")),
                "{text}: {error}"
            );
            assert!(error.contains(allowed), "{text}: {error}");
        }
    }
}
