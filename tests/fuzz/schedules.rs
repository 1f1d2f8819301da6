//! Quartz expressions, compared with a search through days and seconds. An input has three lines: an
//! expression, a time zone, and the time after which the schedule is to fire.

use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use pat_core::{InvalidSchedule, Schedule, Zone};

use crate::driver::{Dice, Target};

static TARGET: Target = Target {
    name: "schedules",
    grammar: input,
    words: &[
        "\n", " ", ",", "-", "/", "*", "?", "L", "W", "#", "L-3", "LW", "MON", "FRI", "JAN", "dec",
        "0/5", "22-2", "2030", "2299", "0", "59", "60",
    ],
};

/// The next time of a schedule; or, if it is refused, whether that is because it never fires.
type Outcome = Result<Option<Timestamp>, bool>;

#[test]
fn schedules() {
    TARGET.check(bolero::check!(), |input| check(next_after, input));
}

#[test]
fn finds_a_fraction_of_a_second_that_is_rounded_up() {
    TARGET.finds(bolero::check!(), |input| {
        check(
            |text, zone, start| {
                let rounded = start + SignedDuration::from_nanos(999_999_999);
                let rounded = Timestamp::from_second(rounded.as_second()).expect("a date");
                next_after(text, zone, rounded)
            },
            input,
        );
    });
}

#[test]
fn finds_a_repeated_time_that_fires_the_second_time() {
    TARGET.finds(bolero::check!(), |input| {
        check(
            |text, name, start| {
                let next = next_after(text, name, start)?;
                let zone = TimeZone::get(name).expect("a zone");
                Ok(next.map(|at| {
                    let shown = zone.to_ambiguous_timestamp(zone.to_datetime(at));
                    shown.later().expect("a date").max(at)
                }))
            },
            input,
        );
    });
}

fn next_after(text: &str, zone: &str, start: Timestamp) -> Outcome {
    let schedule = text.parse::<Schedule>();
    let schedule = schedule.map_err(|error| matches!(error, InvalidSchedule::Never))?;
    assert_eq!(schedule.to_string(), text);
    let zone: Zone = zone.parse().expect("a zone");
    let next = schedule.next_after(start, &zone);
    // Nothing fires between the latest time up to the start and the next one. What is more than a century
    // ahead is not found.
    let century = SignedDuration::from_hours(24 * 365 * 99);
    let after = |at| {
        let far = next.filter(|next| next.duration_since(at) > century);
        schedule.next_after(at, &zone).or(far)
    };
    if let Some(latest) = schedule.latest_at(start, &zone) {
        let before = latest - SignedDuration::from_nanos(1);
        assert_eq!((after(before), after(latest)), (Some(latest), next));
    } else {
        assert_eq!(after(start - century), next);
    }
    Ok(next)
}

fn check(next_after: impl Fn(&str, &str, Timestamp) -> Outcome, input: &[u8]) {
    let Ok(input) = str::from_utf8(input) else {
        return;
    };
    let mut lines = input.split('\n');
    let (text, name) = (
        lines.next().unwrap_or_default(),
        lines.next().unwrap_or("UTC"),
    );
    let start = lines.next().and_then(|line| line.parse().ok());
    let start = start.unwrap_or(RELEASE);
    let Ok(zone) = TimeZone::get(name) else {
        return;
    };
    // Further away, the calendar ends.
    if start.as_second().abs() > 8_000_000_000 {
        return;
    }
    let Some(cron) = Cron::parse(text) else {
        assert_eq!(next_after(text, name, start), Err(false));
        return;
    };
    let expected = if cron.next_on_the_clock(RELEASE, &TimeZone::UTC).is_none() {
        Err(true)
    } else if cron.hours.len() == 24 {
        Ok(cron.next_in_real_time(start, &zone))
    } else {
        Ok(cron.next_on_the_clock(start, &zone))
    };
    assert_eq!(next_after(text, name, start), expected);
}

/// 2026-01-01T00:00:00Z. An expression that does not fire after this never fires.
const RELEASE: Timestamp = Timestamp::constant(1_767_225_600, 0);
/// How many years ahead Quartz searches.
const MAX_YEARS: i16 = 100;

struct Cron {
    seconds: Vec<i16>,
    minutes: Vec<i16>,
    hours: Vec<i16>,
    months: Vec<i16>,
    years: Vec<i16>,
    day: Day,
}

enum Day {
    OfMonth(Vec<i16>),
    /// This number of days before the last day.
    Last(i16),
    WeekdayNearLast(i16),
    WeekdayNear(i16),
    OfWeek(Vec<i16>),
    LastOfWeek(i16),
    NthOfWeek(i16, i16),
}

const MONTHS: &str = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC";
const WEEKDAYS: &str = "SUN MON TUE WED THU FRI SAT";

impl Cron {
    fn parse(text: &str) -> Option<Self> {
        let text = text.to_ascii_uppercase();
        let fields: Vec<_> = text.split_whitespace().collect();
        if !(6..=7).contains(&fields.len()) {
            return None;
        }
        Some(Self {
            seconds: list(fields[0], 0, 59, "")?,
            minutes: list(fields[1], 0, 59, "")?,
            hours: list(fields[2], 0, 23, "")?,
            months: list(fields[4], 1, 12, MONTHS)?,
            years: list(fields.get(6).unwrap_or(&"*"), 1970, 2299, "")?,
            day: match (fields[3], fields[5]) {
                ("?", "?") => return None,
                (day, "?") => Day::of_month(day)?,
                ("?", weekday) => Day::of_week(weekday)?,
                _ => return None,
            },
        })
    }

    fn is_day(&self, date: Date) -> bool {
        self.months.contains(&date.month().into())
            && self.day.is(date)
            && (self.has_all_years() || self.years.contains(&date.year()))
    }

    /// Returns whether the expression has no year, or `*`, which includes years that cannot be written.
    fn has_all_years(&self) -> bool {
        self.years.len() == 330
    }

    fn is_time(&self, time: DateTime) -> bool {
        self.hours.contains(&time.hour().into())
            && self.minutes.contains(&time.minute().into())
            && self.seconds.contains(&time.second().into())
    }

    /// Searches local times, each of which fires once: at the end of the gap if it is skipped, the first
    /// time if it is repeated.
    fn next_on_the_clock(&self, start: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let shown = zone.to_datetime(start);
        // A clock is set back by less.
        let mut time = shown.with().subsec_nanosecond(0).build().ok()? - 3.hours();
        while time.year() <= shown.year() + MAX_YEARS {
            if !self.is_day(time.date()) {
                time = time
                    .date()
                    .tomorrow()
                    .ok()?
                    .to_datetime(jiff::civil::Time::midnight());
            } else if !self.hours.contains(&time.hour().into()) {
                time = time.with().minute(0).second(0).build().ok()? + 1.hour();
            } else {
                if self.is_time(time) {
                    let at = instant(time, zone)?;
                    if at > start {
                        return Some(at);
                    }
                }
                time += 1.second();
            }
        }
        None
    }

    /// Searches instants, each of which fires if its local time does.
    fn next_in_real_time(&self, start: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let first_year = zone.to_datetime(start).year();
        let mut at = Timestamp::from_second(start.as_second().div_euclid(900) * 900).ok()?;
        loop {
            let shown = zone.to_datetime(at);
            if shown.year() > first_year + MAX_YEARS {
                return None;
            }
            let date = shown.date();
            let near = [
                date,
                date.tomorrow().ok()?,
                date.tomorrow().ok()?.tomorrow().ok()?,
            ];
            if !near.iter().any(|date| self.is_day(*date)) {
                at += SignedDuration::from_hours(24);
                continue;
            }
            // Offsets change at quarters of an hour.
            let seconds = (0..900).map(|second| at + SignedDuration::from_secs(second));
            let mut seconds = seconds.filter(|at| *at > start && self.is_day(date));
            let found = seconds.find(|at| self.is_time(zone.to_datetime(*at)));
            if found.is_some() {
                return found;
            }
            at += SignedDuration::from_mins(15);
        }
    }
}

fn instant(time: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(time);
    match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => {
            ambiguous.earlier().ok()
        }
        AmbiguousOffset::Gap { before, after } => {
            // The skipped time as it would be shown after the gap lies before its end.
            let early = after.to_timestamp(time).ok()?;
            let late = before.to_timestamp(time).ok()?;
            let mut changes = zone.following(early).map(|change| change.timestamp());
            changes.next().filter(|change| *change <= late)
        }
    }
}

impl Day {
    fn of_month(text: &str) -> Option<Self> {
        if let Some(rest) = text.strip_prefix('L') {
            let (rest, is_weekday) = match rest.strip_suffix('W') {
                Some(rest) => (rest, true),
                None => (rest, false),
            };
            let before = match rest.strip_prefix('-') {
                Some(days) => number(days).filter(|days| *days <= 30)?,
                None if rest.is_empty() => 0,
                None => return None,
            };
            return Some(if is_weekday {
                Self::WeekdayNearLast(before)
            } else {
                Self::Last(before)
            });
        }
        if let Some(day) = text.strip_suffix('W') {
            let day = number(day).filter(|day| (1..=31).contains(day))?;
            return Some(Self::WeekdayNear(day));
        }
        list(text, 1, 31, "").map(Self::OfMonth)
    }

    fn of_week(text: &str) -> Option<Self> {
        if text == "L" {
            return Some(Self::OfWeek(vec![7]));
        }
        if let Some((day, nth)) = text.split_once('#') {
            let nth = number(nth).filter(|nth| (1..=5).contains(nth))?;
            return Some(Self::NthOfWeek(value(day, 1, 7, WEEKDAYS)?, nth));
        }
        if let Some(day) = text.strip_suffix('L') {
            return value(day, 1, 7, WEEKDAYS).map(Self::LastOfWeek);
        }
        list(text, 1, 7, WEEKDAYS).map(Self::OfWeek)
    }

    fn is(&self, date: Date) -> bool {
        let (day, last) = (i16::from(date.day()), i16::from(date.days_in_month()));
        let weekday = i16::from(date.weekday().to_sunday_one_offset());
        match self {
            Self::OfMonth(days) => days.contains(&day),
            Self::Last(before) => day + before == last,
            Self::WeekdayNearLast(before) => is_nearest(date, last - before),
            Self::WeekdayNear(wanted) => is_nearest(date, *wanted),
            Self::OfWeek(weekdays) => weekdays.contains(&weekday),
            Self::LastOfWeek(wanted) => weekday == *wanted && last - day < 7,
            Self::NthOfWeek(wanted, nth) => {
                weekday == *wanted && (7 * nth - 6..=7 * nth).contains(&day)
            }
        }
    }
}

/// Returns whether `date` is the weekday nearest to a day of its month, within the month. After the end of
/// the month, only a Saturday right after it has one.
fn is_nearest(date: Date, wanted: i16) -> bool {
    let last = i16::from(date.days_in_month());
    let weekend = [Weekday::Saturday, Weekday::Sunday];
    let at = |day: i16| date.first_of_month() + i64::from(day - 1).days();
    if wanted < 1 || wanted > last + 1 {
        return false;
    }
    if wanted == last + 1 && at(wanted).weekday() != Weekday::Saturday {
        return false;
    }
    let by_distance = [0, -1, 1, -2, 2].map(|distance| wanted + distance);
    let is_good = |day: &&i16| (1..=last).contains(*day) && !weekend.contains(&at(**day).weekday());
    by_distance.iter().find(is_good) == Some(&i16::from(date.day()))
}

/// Returns the values of a list of numbers, names, ranges and steps.
fn list(text: &str, first: i16, last: i16, names: &str) -> Option<Vec<i16>> {
    let items: Option<Vec<_>> = text
        .split(',')
        .map(|item| self::item(item, first, last, names))
        .collect();
    let len = last - first + 1;
    let is_in = |value: &i16, (from, to, step): &(i16, i16, i16)| {
        let offset = (value - from).rem_euclid(len);
        offset <= (to - from).rem_euclid(len) && offset % step == 0
    };
    let items = items?;
    Some(
        (first..=last)
            .filter(|value| items.iter().any(|item| is_in(value, item)))
            .collect(),
    )
}

/// Parses an item of a list; returns its first and last value and its step.
fn item(text: &str, first: i16, last: i16, names: &str) -> Option<(i16, i16, i16)> {
    let (range, step) = match text.split_once('/') {
        Some((range, step)) => (range, Some(step)),
        None => (text, None),
    };
    let has_name = range.chars().any(|c| c.is_ascii_alphabetic());
    let value = |text| value(text, first, last, names);
    let (from, to) = match range.split_once('-') {
        Some((from, to)) => (value(from)?, value(to)?),
        None if range == "*" || (range.is_empty() && step.is_some()) => (first, last),
        None => (
            value(range)?,
            if step.is_some() { last } else { value(range)? },
        ),
    };
    let every = match step {
        None => 1,
        Some(_) if has_name => return None,
        Some(step) => number(step).filter(|step| (1..=last).contains(step))?,
    };
    let is_year = first == 1970;
    (from <= to || !is_year).then_some((from, to, every))
}

fn value(text: &str, first: i16, last: i16, names: &str) -> Option<i16> {
    let mut known = names.split(' ').filter(|name| !name.is_empty());
    let index = known.position(|name| name == text);
    let number_of_name = index.and_then(|index| i16::try_from(index + 1).ok());
    number_of_name
        .or_else(|| number(text))
        .filter(|value| (first..=last).contains(value))
}

fn number(text: &str) -> Option<i16> {
    let is_number = !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

const ZONES: [&str; 8] = [
    "UTC",
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Santiago",
    "Africa/Cairo",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
];

fn input(dice: &mut Dice<'_>) -> Vec<u8> {
    let mut fields = vec![field(dice, 0, 59, ""), field(dice, 0, 59, "")];
    fields.push(if dice.once_in(3) {
        "*".into()
    } else {
        field(dice, 0, 23, "")
    });
    let is_of_month = dice.once_in(2);
    fields.push(if is_of_month {
        day_of_month(dice)
    } else {
        "?".into()
    });
    fields.push(if dice.once_in(3) {
        field(dice, 1, 12, MONTHS)
    } else {
        "*".into()
    });
    fields.push(if is_of_month {
        "?".into()
    } else {
        day_of_week(dice)
    });
    if dice.once_in(6) {
        fields.push(field(dice, 2024, 2040, ""));
    }
    if dice.once_in(40) {
        fields.remove(dice.below(fields.len()));
    }
    let zone = dice.word(&ZONES);
    format!(
        "{}\n{zone}\n{}",
        fields.join(dice.word(&[" ", " ", "\t ", "\u{a0}"])),
        start(dice, zone)
    )
    .into_bytes()
}

/// Returns a time from 2026 to 2046, often near a change of the UTC offset.
fn start(dice: &mut Dice<'_>, zone: &str) -> Timestamp {
    let seconds = i64::try_from(dice.below(20 * 366 * 86_400)).expect("small");
    let start = RELEASE + SignedDuration::from_secs(seconds);
    let zone = TimeZone::get(zone).expect("a zone");
    let change = zone
        .following(start)
        .next()
        .map(|change| change.timestamp());
    let start = change.filter(|_| dice.once_in(2)).unwrap_or(start);
    let moved = i64::try_from(dice.below(4 * 3600)).expect("small") - 2 * 3600;
    let moved = [moved, moved, 0, -1, -3600][dice.below(5)];
    let nanos = [0, 0, 1, 500_000_000, 999_999_999][dice.below(5)];
    start + SignedDuration::new(moved, nanos)
}

fn field(dice: &mut Dice<'_>, first: usize, last: usize, names: &str) -> String {
    let count = 1 + usize::from(dice.once_in(5)) + usize::from(dice.once_in(9));
    let items = (0..count).map(|_| one_item(dice, first, last, names));
    items.collect::<Vec<_>>().join(",")
}

fn one_item(dice: &mut Dice<'_>, first: usize, last: usize, names: &str) -> String {
    let one = |dice: &mut Dice<'_>| {
        let number = first + dice.below(last + 1 - first);
        if dice.once_in(40) {
            return (last + 1).to_string();
        }
        let name = names
            .split(' ')
            .nth(number - first)
            .filter(|name| !name.is_empty());
        match name {
            Some(name) if dice.once_in(3) => name.to_owned(),
            _ => number.to_string(),
        }
    };
    match dice.below(8) {
        0 => "*".to_owned(),
        1 => format!("{}/{}", one(dice), 1 + dice.below(last)),
        2 => format!("{}-{}/{}", one(dice), one(dice), 1 + dice.below(last)),
        3 => format!("{}-{}", one(dice), one(dice)),
        4 => format!("{}/{}", dice.word(&["*", ""]), dice.below(last + 2)),
        _ => one(dice),
    }
}

fn day_of_month(dice: &mut Dice<'_>) -> String {
    let day = dice.below(33);
    match dice.below(8) {
        0 => "L".into(),
        1 => "LW".into(),
        2 => format!("L-{day}"),
        3 => format!("L-{day}W"),
        4 => format!("{day}W"),
        5 => "*".into(),
        _ => field(dice, 1, 31, ""),
    }
}

fn day_of_week(dice: &mut Dice<'_>) -> String {
    let day = one_item(dice, 1, 7, WEEKDAYS);
    match dice.below(5) {
        0 => "L".into(),
        1 => format!("{day}L"),
        2 => format!("{day}#{}", dice.below(7)),
        _ => field(dice, 1, 7, WEEKDAYS),
    }
}
