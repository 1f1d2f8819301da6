//! Schedules compared with Quartz, and with a search through each day.

use std::collections::BTreeSet;

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use proptest::prelude::*;

use super::{Schedule, Zone};

const QUARTZ: &str = include_str!("quartz-firings.txt");

/// 2127-01-01T00:00:00Z.
const GIVEN_UP: i64 = 4_954_435_200;

#[test]
fn quartz_fires_and_refuses_the_same() {
    let start: Timestamp = "2026-11-27T00:00:00Z".parse().unwrap();
    let mut count = 0;
    for line in QUARTZ.lines().filter(|line| !line.starts_with('#')) {
        let [text, zone, expected] = line.split('|').collect::<Vec<_>>().try_into().unwrap();
        count += 1;
        let parsed = text.parse::<Schedule>();
        if expected.starts_with("ERR") {
            let error = parsed.unwrap_err().to_string();
            assert!(error.contains("day of"), "{text}: {error}");
            continue;
        }
        let (schedule, zone): (_, Zone) = (parsed.unwrap(), zone.parse().unwrap());
        let next = |after: &Timestamp| schedule.next_after(*after, &zone);
        let expected: Vec<i64> = expected.split(',').map(|at| at.parse().unwrap()).collect();
        let fired = std::iter::successors(Some(start), next).skip(1).take(25);
        let mut fired: Vec<_> = fired.map(Timestamp::as_second).collect();
        // Quartz gives up a hundred years after the time of its own clock.
        fired.retain(|at| expected.len() == 25 || *at < GIVEN_UP);
        assert_eq!(fired, expected, "{text}");
    }
    assert_eq!(count, 47);
}

/// A part of an expression, and the values that it means.
#[derive(Debug, Clone)]
struct Part<T> {
    text: String,
    values: T,
}

fn numbers(last: u16) -> impl Strategy<Value = Part<BTreeSet<u16>>> {
    let single = (0..=last).prop_map(|n| (n.to_string(), vec![n]));
    let several = prop::collection::vec(0..=last, 1..4).prop_map(|all| {
        (
            all.iter().map(u16::to_string).collect::<Vec<_>>().join(","),
            all,
        )
    });
    let range = (0..=last, 0..=last).prop_map(move |(a, b)| {
        let values = (0..=last).filter(|n| {
            if a <= b {
                a <= *n && *n <= b
            } else {
                *n >= a || *n <= b
            }
        });
        (format!("{a}-{b}"), values.collect())
    });
    let step = (0..=last, 1..=last).prop_map(move |(a, step)| {
        let values = (a..=last).filter(|n| (n - a) % step == 0);
        (format!("{a}/{step}"), values.collect::<Vec<_>>())
    });
    prop_oneof![single, several, range, step].prop_map(|(text, values)| Part {
        text,
        values: values.into_iter().collect(),
    })
}

/// Day of month, month and day of week.
#[derive(Debug, Clone, Copy)]
enum Day {
    Every,
    Number(i8),
    Before(i8),
    WeekdayBefore(i8),
    Nearest(i8),
    Weekdays(i8, i8),
    LastWeekday(i8),
    Nth(i8, i8),
}

impl Day {
    fn text(self) -> String {
        match self {
            Self::Every => "* * ?".into(),
            Self::Number(day) => format!("{day} * ?"),
            Self::Before(0) => "L * ?".into(),
            Self::Before(days) => format!("L-{days} * ?"),
            Self::WeekdayBefore(0) => "LW * ?".into(),
            Self::WeekdayBefore(days) => format!("L-{days}W * ?"),
            Self::Nearest(day) => format!("{day}W * ?"),
            Self::Weekdays(first, last) => format!("? * {first}-{last}"),
            Self::LastWeekday(day) => format!("? * {day}L"),
            Self::Nth(day, nth) => format!("? * {day}#{nth}"),
        }
    }

    fn is(self, date: Date) -> bool {
        let weekday = |day: i8| Weekday::from_sunday_one_offset(day).unwrap();
        let last = date.last_of_month();
        match self {
            Self::Every => true,
            Self::Number(day) => date.day() == day,
            Self::Before(days) => date == last - i64::from(days).days(),
            Self::WeekdayBefore(days) => nearest(last - i64::from(days).days()) == date,
            Self::Nearest(day) => nearest(date.with().day(day).build().unwrap()) == date,
            Self::Weekdays(first, last) => {
                let mut day = first;
                loop {
                    if date.weekday() == weekday(day) {
                        return true;
                    }
                    if day == last {
                        return false;
                    }
                    day = day % 7 + 1;
                }
            }
            Self::LastWeekday(day) => date.nth_weekday_of_month(-1, weekday(day)).unwrap() == date,
            Self::Nth(day, nth) => date
                .nth_weekday_of_month(nth, weekday(day))
                .is_ok_and(|found| found == date),
        }
    }
}

/// Returns the nearest weekday in the month.
fn nearest(date: Date) -> Date {
    let distances = [0, -1, 1, -2, 2];
    let near = distances.map(|days: i64| date + days.days());
    let is_good = |near: &&Date| {
        near.month() == date.month()
            && !matches!(near.weekday(), Weekday::Saturday | Weekday::Sunday)
    };
    *near.iter().find(is_good).unwrap()
}

fn day() -> impl Strategy<Value = Day> {
    prop_oneof![
        Just(Day::Every),
        (1..=31_i8).prop_map(Day::Number),
        (0..=27_i8).prop_map(Day::Before),
        (0..=27_i8).prop_map(Day::WeekdayBefore),
        (1..=28_i8).prop_map(Day::Nearest),
        (1..=7_i8, 1..=7_i8).prop_map(|(first, last)| Day::Weekdays(first, last)),
        (1..=7_i8).prop_map(Day::LastWeekday),
        (1..=7_i8, 1..=5_i8).prop_map(|(day, nth)| Day::Nth(day, nth)),
    ]
}

/// Returns the instants of each day from the one before `start`: for a skipped time the gap's end, for a
/// repeated time the first one.
fn walk(
    zone: &TimeZone,
    start: Timestamp,
    days: i64,
    is_day: impl Fn(Date) -> bool,
    times: &[(u16, u16, u16)],
) -> BTreeSet<Timestamp> {
    let first = zone.to_datetime(start).date() - 1.day();
    let dates = (0..days).map(|number| first + number.days());
    let dates = dates.filter(|date| is_day(*date));
    let shown = dates.flat_map(|date| {
        let time = |&(h, m, s): &(u16, u16, u16)| {
            let [h, m, s] = [h, m, s].map(|n| i8::try_from(n).unwrap());
            date.at(h, m, s, 0)
        };
        times.iter().map(time).collect::<Vec<_>>()
    });
    let instants = shown.map(|shown| {
        let ambiguous = zone.to_ambiguous_timestamp(shown);
        let at = ambiguous.compatible().unwrap();
        // jiff moves a skipped time forward by the length of the gap; its end is needed.
        let moved = zone.to_datetime(at) != shown;
        if moved {
            let before = at - SignedDuration::from_hours(26);
            zone.following(before).next().unwrap().timestamp()
        } else {
            at
        }
    });
    instants.filter(|at| *at > start).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn a_walk_over_each_day_finds_the_same(
        second in numbers(59),
        minute in numbers(59),
        hour in numbers(23),
        day in day(),
        zone in prop::sample::select(
            &["UTC", "Europe/Berlin", "America/Santiago", "Australia/Lord_Howe"][..]
        ),
        start in 1_767_225_600_i64..1_900_000_000,
    ) {
        prop_assume!(hour.values.len() < 24);
        let text = format!("{} {} {} {}", second.text, minute.text, hour.text, day.text());
        let start = Timestamp::from_second(start).unwrap();
        let parsed: Zone = zone.parse().unwrap();
        let times: Vec<_> = hour
            .values
            .iter()
            .flat_map(|h| minute.values.iter().map(move |m| (*h, *m)))
            .flat_map(|(h, m)| second.values.iter().map(move |s| (h, m, *s)))
            .take(40)
            .collect();
        let is_whole = times.len() < 40;
        let found = walk(&parsed.zone, start, 130, |date| day.is(date), &times);
        let expected: Vec<_> = found.into_iter().take(8).collect();
        let schedule = text.parse::<Schedule>();
        prop_assume!(!expected.is_empty() && is_whole);
        let schedule = schedule.unwrap();
        let next = |after: &Timestamp| schedule.next_after(*after, &parsed);
        let fired = std::iter::successors(Some(start), next).skip(1);
        let fired: Vec<_> = fired.take(expected.len()).collect();
        prop_assert_eq!(fired, expected, "{} in {}", text, zone);
    }
}
