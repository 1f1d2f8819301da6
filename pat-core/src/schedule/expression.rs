//! Quartz expressions: parsing, and the times at which they fire.

use jiff::ToSpan as _;
use jiff::civil::{Date, DateTime, Time, Weekday};

use super::InvalidSchedule;

/// How many years ahead a date is searched for, as in Quartz.
const MAX_YEARS: i16 = 100;
const FIRST_YEAR: u16 = 1970;
const LAST_YEAR: u16 = 2299;

/// A parsed expression. Values of a field are in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expression {
    seconds: Vec<u16>,
    minutes: Vec<u16>,
    hours: Vec<u16>,
    days: Days,
    months: Vec<u16>,
    /// `None` for every year.
    years: Option<Vec<u16>>,
}

/// The days of a month. Weekdays are from 1 = Sunday to 7 = Saturday.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Days {
    OfMonth(Vec<u16>),
    /// A number of days before the last day, or the weekday nearest to that day.
    Last {
        offset: u16,
        on_weekday: bool,
    },
    /// The weekday that is nearest to a day, within its month.
    NearestWeekday(u16),
    OfWeek(Vec<u16>),
    LastOfWeek(u16),
    NthOfWeek {
        weekday: u16,
        nth: u16,
    },
}

impl Expression {
    pub(super) fn parse(text: &str) -> Result<Self, InvalidSchedule> {
        let text = text.to_ascii_uppercase();
        let fields: Vec<_> = text.split_whitespace().collect();
        let (&[second, minute, hour, day, month, weekday], year) = match fields.split_first_chunk()
        {
            Some((six, [])) => (six, "*"),
            Some((six, [year])) => (six, *year),
            _ => return Err(InvalidSchedule::Fields(fields.len())),
        };
        Ok(Self {
            seconds: SECOND.values(second)?,
            minutes: MINUTE.values(minute)?,
            hours: HOUR.values(hour)?,
            days: days(day, weekday)?,
            months: MONTH.values(month)?,
            years: (year != "*").then(|| YEAR.values(year)).transpose()?,
        })
    }

    /// Returns whether the expression fires in every hour.
    pub(super) fn is_in_every_hour(&self) -> bool {
        self.hours.len() == 24
    }

    /// Returns the first local time after `after` at which it fires.
    pub(super) fn next_after(&self, after: DateTime) -> Option<DateTime> {
        let next = after.with().subsec_nanosecond(0).build().ok()?;
        let start = next.checked_add(1.second()).ok()?;
        let (mut date, mut from) = (start.date(), start.time());
        let last_year = date.year().saturating_add(MAX_YEARS);
        while date.year() <= last_year {
            let next_date = if !self.has_year(date) {
                Date::new(date.year() + 1, 1, 1).ok()?
            } else if !contains(&self.months, date.month()) {
                date.last_of_month().tomorrow().ok()?
            } else {
                if self.days.contains(date) {
                    if let Some(time) = self.next_time(from) {
                        return Some(date.to_datetime(time));
                    }
                }
                date.tomorrow().ok()?
            };
            (date, from) = (next_date, Time::midnight());
        }
        None
    }

    fn has_year(&self, date: Date) -> bool {
        let year = u16::try_from(date.year());
        let years = self.years.as_ref();
        years.is_none_or(|years| year.is_ok_and(|year| years.contains(&year)))
    }

    /// Returns the first time of a day that is not before `from`.
    fn next_time(&self, from: Time) -> Option<Time> {
        let from = [from.hour(), from.minute(), from.second()].map(value);
        let hours = self.hours.iter().filter(|hour| **hour >= from[0]);
        let mut times = hours.filter_map(|&hour| {
            let bound = if hour > from[0] {
                [0, 0]
            } else {
                [from[1], from[2]]
            };
            let minutes = self.minutes.iter().filter(|minute| **minute >= bound[0]);
            let mut minutes = minutes;
            minutes.find_map(|&minute| {
                let bound = if minute > bound[0] { 0 } else { bound[1] };
                let second = self.seconds.iter().find(|second| **second >= bound)?;
                Some([hour, minute, *second])
            })
        });
        let [hour, minute, second] = times.next()?.map(|value| i8::try_from(value).ok());
        Time::new(hour?, minute?, second?, 0).ok()
    }
}

impl Days {
    fn contains(&self, date: Date) -> bool {
        let (day, last) = (i32::from(date.day()), i32::from(date.days_in_month()));
        match self {
            Self::OfMonth(days) => contains(days, date.day()),
            Self::Last { offset, on_weekday } => {
                let wanted = last - i32::from(*offset);
                let wanted = if *on_weekday && wanted > 0 {
                    nearest_weekday(date, wanted)
                } else {
                    wanted
                };
                day == wanted
            }
            Self::NearestWeekday(wanted) => day == nearest_weekday(date, i32::from(*wanted)),
            Self::OfWeek(weekdays) => weekdays.contains(&weekday(date)),
            Self::LastOfWeek(wanted) => weekday(date) == *wanted && day + 7 > last,
            Self::NthOfWeek {
                weekday: wanted,
                nth,
            } => weekday(date) == *wanted && (day - 1) / 7 + 1 == i32::from(*nth),
        }
    }
}

/// Returns the weekday nearest to the day within the month of `date`. As in Quartz, a day after the
/// month's end counts into the next month: 31W is the 30th of a short month if the 31st would be a
/// Saturday, and otherwise does not occur in it.
fn nearest_weekday(date: Date, day: i32) -> i32 {
    let last = i32::from(date.days_in_month());
    let Ok(at) = date.first_of_month().checked_add((day - 1).days()) else {
        return 0;
    };
    match at.weekday() {
        Weekday::Saturday if day == 1 => day + 2,
        Weekday::Saturday => day - 1,
        Weekday::Sunday if day == last => day - 2,
        Weekday::Sunday => day + 1,
        _ => day,
    }
}

fn weekday(date: Date) -> u16 {
    value(date.weekday().to_sunday_one_offset())
}

fn value(number: i8) -> u16 {
    number.unsigned_abs().into()
}

fn contains(values: &[u16], number: i8) -> bool {
    values.contains(&value(number))
}

/// A field of an expression, with its range and names.
struct Field {
    name: &'static str,
    first: u16,
    last: u16,
    names: &'static [&'static str],
}

const SECOND: Field = Field::new("seconds", 0, 59, &[]);
const MINUTE: Field = Field::new("minutes", 0, 59, &[]);
const HOUR: Field = Field::new("hours", 0, 23, &[]);
const DAY: Field = Field::new("day of month", 1, 31, &[]);
const MONTH: Field = Field::new(
    "month",
    1,
    12,
    &[
        "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
    ],
);
const WEEKDAY: Field = Field::new(
    "day of week",
    1,
    7,
    &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
);
const YEAR: Field = Field::new("year", FIRST_YEAR, LAST_YEAR, &[]);

impl Field {
    const fn new(
        name: &'static str,
        first: u16,
        last: u16,
        names: &'static [&'static str],
    ) -> Self {
        Self {
            name,
            first,
            last,
            names,
        }
    }

    fn wrong(&self, reason: impl Into<String>) -> InvalidSchedule {
        InvalidSchedule::Field {
            field: self.name,
            reason: reason.into(),
        }
    }

    /// Returns the values of a list of numbers, names, ranges and steps, in order.
    fn values(&self, text: &str) -> Result<Vec<u16>, InvalidSchedule> {
        let mut values = Vec::new();
        for part in text.split(',') {
            values.extend(self.part(part)?);
        }
        values.sort_unstable();
        values.dedup();
        Ok(values)
    }

    fn part(&self, part: &str) -> Result<Vec<u16>, InvalidSchedule> {
        if part == "?" {
            return Err(self.wrong("? can only stand in day of month or day of week"));
        }
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(self.step(step)?)),
            None => (part, None),
        };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" || (range.is_empty() && step.is_some()) => (self.first, self.last),
            Some((first, last)) => (self.value(first)?, self.value(last)?),
            None if step.is_some() => (self.value(range)?, self.last),
            None => (self.value(range)?, self.value(range)?),
        };
        let has_name = range.contains(|c: char| c.is_ascii_alphabetic());
        if has_name && step.is_some() {
            return Err(self.wrong(format!("{part} has a step after a name; use numbers")));
        }
        self.range(first, last, step.unwrap_or(1))
    }

    /// A range that ends before it begins wraps around: 22-2 is 22, 23, 0, 1, 2.
    fn range(&self, first: u16, last: u16, step: u16) -> Result<Vec<u16>, InvalidSchedule> {
        let len = self.last - self.first + 1;
        let end = match last < first {
            false => last,
            true if self.name == YEAR.name => {
                return Err(self.wrong(format!("{first}-{last} ends before it begins")));
            }
            true => last + len,
        };
        let values = (first..=end).step_by(step.into());
        Ok(values
            .map(|value| {
                if value > self.last {
                    value - len
                } else {
                    value
                }
            })
            .collect())
    }

    fn step(&self, text: &str) -> Result<u16, InvalidSchedule> {
        let most = if self.name == YEAR.name {
            LAST_YEAR
        } else {
            self.last
        };
        let step = number(text).filter(|step| (1..=most).contains(step));
        step.ok_or_else(|| self.wrong(format!("a step is 1 to {most}, not {text:?}")))
    }

    fn value(&self, text: &str) -> Result<u16, InvalidSchedule> {
        let named = self.names.iter().position(|name| *name == text);
        let named = named.and_then(|index| u16::try_from(index + 1).ok());
        let value = named.or_else(|| number(text));
        let value = value.filter(|value| (self.first..=self.last).contains(value));
        value.ok_or_else(|| {
            let (first, last) = (self.first, self.last);
            let or_named = match self.names {
                [] => String::new(),
                [first, .., last] => format!(" or {first} to {last}"),
                [only] => format!(" or {only}"),
            };
            self.wrong(format!(
                "a value is {first} to {last}{or_named}, not {text:?}"
            ))
        })
    }
}

fn number(text: &str) -> Option<u16> {
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

fn days(day: &str, weekday: &str) -> Result<Days, InvalidSchedule> {
    match (day, weekday) {
        ("?", "?") => Err(WEEKDAY.wrong("? can only stand in one of day of month and day of week")),
        ("?", weekday) => days_of_week(weekday),
        (day, "?") => days_of_month(day),
        _ => Err(WEEKDAY.wrong("one of day of month and day of week must be ?")),
    }
}

fn days_of_month(text: &str) -> Result<Days, InvalidSchedule> {
    if !text.contains(['L', 'W']) {
        return DAY.values(text).map(Days::OfMonth);
    }
    let wrong = || {
        DAY.wrong(format!(
            "L, L-3, LW, L-3W and 15W must stand alone, not {text:?}"
        ))
    };
    let (text, on_weekday) = match text.strip_suffix('W') {
        Some(text) => (text, true),
        None => (text, false),
    };
    match text.strip_prefix('L') {
        Some("") => Ok(Days::Last {
            offset: 0,
            on_weekday,
        }),
        Some(offset) => {
            let offset = offset
                .strip_prefix('-')
                .and_then(number)
                .ok_or_else(wrong)?;
            if offset > 30 {
                return Err(DAY.wrong(format!("the last day less {offset} is in no month")));
            }
            Ok(Days::Last { offset, on_weekday })
        }
        None if on_weekday && number(text).is_some() => DAY.value(text).map(Days::NearestWeekday),
        None => Err(wrong()),
    }
}

fn days_of_week(text: &str) -> Result<Days, InvalidSchedule> {
    if text == "L" {
        return Ok(Days::OfWeek(vec![7]));
    }
    if let Some((weekday, nth)) = text.split_once('#') {
        let nth_number = number(nth).filter(|nth| (1..=5).contains(nth));
        let wrong = || {
            WEEKDAY.wrong(format!(
                "# is followed by 1 to 5 and nothing else, not {nth:?}"
            ))
        };
        return Ok(Days::NthOfWeek {
            weekday: WEEKDAY.value(weekday)?,
            nth: nth_number.ok_or_else(wrong)?,
        });
    }
    match text.strip_suffix('L') {
        Some(weekday) if !weekday.contains([',', '-', '/']) => {
            WEEKDAY.value(weekday).map(Days::LastOfWeek)
        }
        Some(_) => Err(WEEKDAY.wrong(format!(
            "a last weekday such as 6L must stand alone, not {text:?}"
        ))),
        None => WEEKDAY.values(text).map(Days::OfWeek),
    }
}
