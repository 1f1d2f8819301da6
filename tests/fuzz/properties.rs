//! Property text, compared with a parser by the documentation of the lines, and with the values that
//! [`Property::allowed`] names.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::Ipv6Addr;

use pat_core::format::FormatName;
use pat_core::settings::{Property, SettingsBuilder};
use pat_core::{Schedule, Settings, SettingsError, Zone};

use crate::driver::{Dice, Target};

static TARGET: Target = Target {
    name: "properties",
    grammar: text,
    words: &[
        "\n", "\r\n", "\r", "=", " ", "\u{a0}", "\u{85}", "#", "!", "\\", ":", "pat.", "true", "0",
        "=\n",
    ],
};

/// The value of each property in its usual form; or the kind of the fault and its lines.
type Outcome = Result<Vec<String>, Fault>;

#[derive(Debug, PartialEq)]
enum Fault {
    NoProperty(usize),
    Unknown(usize),
    NotAllowed(usize),
    Twice(usize, usize),
    /// The name of a property that contradicts another one.
    Contradiction(&'static str),
}

#[test]
fn properties() {
    TARGET.check(bolero::check!(), |input| check(build, input));
}

#[test]
fn finds_a_line_that_ends_with_nel() {
    TARGET.finds(bolero::check!(), |input| {
        check(|text| build(&text.replace('\u{85}', "\n")), input);
    });
}

fn build(text: &str) -> Result<Settings, SettingsError> {
    let builder = Settings::builder().parse_properties(text);
    builder.and_then(SettingsBuilder::build)
}

fn check(read: impl Fn(&str) -> Result<Settings, SettingsError>, input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else {
        return;
    };
    let built = read(text);
    let outcome = match &built {
        Ok(settings) => Ok(values(settings)),
        Err(error) => Err(fault(error)),
    };
    assert_eq!(outcome, expected(text));
    if let Ok(settings) = built {
        let again = read(&written(&settings));
        assert_eq!(again.map(|again| values(&again)).ok(), outcome.ok());
    }
}

fn values(settings: &Settings) -> Vec<String> {
    let properties = Settings::properties().iter();
    properties
        .map(|property| property.value(settings))
        .collect()
}

/// Returns the settings as property text, without defaults, which may be contradictions if they are set.
fn written(settings: &Settings) -> String {
    let mut text = String::from("# written\r\n");
    for property in Settings::properties() {
        let value = property.value(settings);
        if value != property.default() {
            write!(text, " {}\t={value} \n\n", property.name()).expect("a string");
        }
    }
    text
}

fn fault(error: &SettingsError) -> Fault {
    match error {
        SettingsError::NoProperty { line, .. } => Fault::NoProperty(*line),
        SettingsError::Twice { first, second, .. } => Fault::Twice(*first, *second),
        SettingsError::Contradiction { name, .. } => Fault::Contradiction(name),
        SettingsError::Line { line, source } => match **source {
            SettingsError::Unknown { .. } => Fault::Unknown(*line),
            SettingsError::NotAllowed { .. } => Fault::NotAllowed(*line),
            _ => panic!("{error}"),
        },
        _ => panic!("{error}"),
    }
}

/// Returns the outcome by the documentation.
fn expected(text: &str) -> Outcome {
    let mut given = BTreeMap::<&str, (usize, String)>::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (index, content) in text.split('\n').enumerate() {
        let (line, content) = (index + 1, bare(content));
        if matches!(content.chars().next(), None | Some('#' | '!')) {
            continue;
        }
        let at = content.find('=').ok_or(Fault::NoProperty(line))?;
        let (name, value) = (bare(&content[..at]), bare(&content[at + 1..]));
        let known = Settings::properties().iter().find(|one| one.name() == name);
        let property = known.ok_or(Fault::Unknown(line))?;
        if let Some((first, _)) = given.get(name) {
            return Err(Fault::Twice(*first, line));
        }
        let value = usual(property, value).ok_or(Fault::NotAllowed(line))?;
        given.insert(property.name(), (line, value));
    }
    let given: BTreeMap<_, _> = given.iter().map(|(k, (_, value))| (*k, &**value)).collect();
    consistent(&given)
}

fn bare(text: &str) -> &str {
    text.trim_matches(char::is_whitespace)
}

/// Returns all values, unless two contradict each other.
fn consistent(given: &BTreeMap<&str, &str>) -> Outcome {
    let value = |property: &Property| {
        let value = given.get(property.name()).copied();
        value.unwrap_or(property.default()).to_owned()
    };
    let number = |name: &str| -> u64 {
        let property = Settings::properties().iter().find(|one| one.name() == name);
        value(property.expect("a property"))
            .parse()
            .expect("a number")
    };
    let staleness = number("pat.auth.max.staleness.ms");
    if staleness > 0 && staleness <= number("pat.cluster.poll.interval.ms") {
        return Err(Fault::Contradiction("pat.cluster.poll.interval.ms"));
    }
    let unused = "pat.unused.revoke.days";
    let interval = number("atlassian.pats.last.used.update.interval.mins");
    if number(unused) > 0 && interval > 30 {
        return Err(Fault::Contradiction(unused));
    }
    let overlap = "pat.rotate.overlap.seconds";
    if number(overlap) > number("pat.rotate.overlap.max.seconds") {
        return Err(Fault::Contradiction(overlap));
    }
    let is_atlassian = given.get("pat.token.format") == Some(&"atlassian");
    if is_atlassian && given.contains_key("pat.token.prefix") {
        return Err(Fault::Contradiction("pat.token.prefix"));
    }
    let rows = "pat.max.rows.per.user";
    let least = number("atlassian.pats.max.tokens.per.user") * 100;
    if given.contains_key(rows) && number(rows) < least {
        return Err(Fault::Contradiction(rows));
    }
    let raised = |property: &Property| {
        if property.name() == rows {
            number(rows).max(least).to_string()
        } else {
            value(property)
        }
    };
    Ok(Settings::properties().iter().map(raised).collect())
}

/// Returns the usual form of a value; `None` if the property cannot have it.
fn usual(property: &Property, value: &str) -> Option<String> {
    let allowed = property.allowed();
    if let Some(range) = allowed.strip_prefix("a whole number from ") {
        let (first, last) = range.split_once(" to ")?;
        let is_number = !value.is_empty() && value.chars().all(|c| c.is_ascii_digit());
        let usual = value.trim_start_matches('0');
        let usual = if usual.is_empty() { "0" } else { usual };
        let order = |text: &str| (text.len(), text.to_owned());
        let fits = order(first) <= order(usual) && order(usual) <= order(last);
        return (is_number && fits).then(|| usual.to_owned());
    }
    if allowed == "true or false" {
        let usual = value.to_ascii_lowercase();
        return ["true", "false"].contains(&&*usual).then_some(usual);
    }
    let fits = match property.name() {
        "pat.token.accepted" => return formats(value),
        "pat.base.url" => return base_url(value),
        "pat.scopes.default" => return scopes(value),
        "pat.expiry.reminder.days" => return reminders(value),
        // Other targets compare these.
        name if name.ends_with(".schedule.cron") => value.parse::<Schedule>().is_ok(),
        "pat.time.zone" => value.parse::<Zone>().is_ok(),
        "pat.token.prefix" => format!("prefixed:{value}").parse::<FormatName>().is_ok(),
        "pat.realm" => {
            let printable = |c: char| (c == ' ' || c.is_ascii_graphic()) && !"\"\\".contains(c);
            (1..=64).contains(&value.chars().count()) && value.chars().all(printable)
        }
        _ => {
            allowed
                .split([' ', ','])
                .any(|word| word != "or" && word == value)
                && !value.is_empty()
        }
    };
    fits.then(|| value.to_owned())
}

fn formats(value: &str) -> Option<String> {
    if value.is_empty() {
        return Some(String::new());
    }
    let names: Vec<_> = value.split(',').map(bare).collect();
    let all = names.iter().all(|name| name.parse::<FormatName>().is_ok());
    all.then(|| names.join(","))
}

/// Returns the names in alphabetical order; `None` if one is not a name, or occurs twice.
fn scopes(value: &str) -> Option<String> {
    let is_name = |name: &&str| {
        let is_other = |c: char| matches!(c, 'a'..='z' | '0'..='9' | ':' | '.' | '_' | '-');
        name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.len() <= 64
            && name.chars().all(is_other)
    };
    let given: Vec<_> = value.split_ascii_whitespace().collect();
    let names: BTreeSet<_> = given.iter().copied().filter(is_name).collect();
    let is_good = names.len() == given.len() && names.len() <= 64;
    is_good.then(|| Vec::from_iter(names).join(" "))
}

/// Returns the numbers in descending order, each once; `None` if one is out of range, or there are too many.
fn reminders(value: &str) -> Option<String> {
    if value.is_empty() {
        return Some(String::new());
    }
    let is_digits = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    let numbers = value.split(',').map(bare).map(|text| {
        let number = text.parse::<u64>().ok().filter(|_| is_digits(text));
        number.filter(|number| (1..=36_500).contains(number))
    });
    let numbers: Option<BTreeSet<_>> = numbers.collect();
    let numbers: Vec<_> = numbers?.iter().rev().map(u64::to_string).collect();
    (numbers.len() <= 10).then(|| numbers.join(","))
}

/// Returns a URL without the slashes at its end; `None` if it is not one by RFC 3986, or has a part that
/// the documentation does not allow.
fn base_url(value: &str) -> Option<String> {
    if value.is_empty() {
        return Some(String::new());
    }
    let (scheme, rest) = value.split_once("://")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (host, port) = if authority.starts_with('[') {
        let (address, port) = authority.split_at(authority.find(']')? + 1);
        (address, port)
    } else {
        authority.split_at(authority.find(':').unwrap_or(authority.len()))
    };
    let is_address = host.strip_prefix('[').is_some_and(|host| {
        let address = host.strip_suffix(']');
        address.is_some_and(|address| address.parse::<Ipv6Addr>().is_ok())
    });
    let is_host = is_address || (!host.is_empty() && is_encoded(host, ""));
    let port_number = port.strip_prefix(':').and_then(|port| {
        let is_digits = port.chars().all(|c| c.is_ascii_digit());
        port.parse::<u16>()
            .ok()
            .filter(|number| *number > 0 && is_digits)
    });
    (["http", "https"].contains(&scheme)
        && is_host
        && (port.is_empty() || port_number.is_some())
        && is_encoded(path, "/:@"))
    .then(|| value.trim_end_matches('/').to_owned())
}

/// Returns whether a text has only unreserved characters, sub-delimiters, `others` and encoded bytes.
fn is_encoded(text: &str, others: &str) -> bool {
    let is_known =
        |c: char| c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=%".contains(c) || others.contains(c);
    let mut after_percent = text.split('%').skip(1);
    text.chars().all(is_known)
        && after_percent.all(|rest| {
            let digits = rest.get(..2);
            digits.is_some_and(|digits| digits.chars().all(|c| c.is_ascii_hexdigit()))
        })
}

fn text(dice: &mut Dice<'_>) -> Vec<u8> {
    let mut text = String::from(if dice.once_in(9) { "\u{feff}" } else { "" });
    for _ in 0..=dice.below(5) {
        line(dice, &mut text);
        text.push_str(dice.word(&["\n", "\n", "\r\n", "\n\n", " \n", "\r", ""]));
    }
    text.into_bytes()
}

fn line(dice: &mut Dice<'_>, text: &mut String) {
    const BLANK: [&str; 8] = ["", "", "", " ", "\t", "\u{a0}", "\u{85}", "\u{b}"];
    if dice.once_in(8) {
        text.push_str(dice.word(&[
            "# comment",
            "!a=b",
            " #pat.realm=x",
            "",
            "no value",
            "=",
            "\\",
        ]));
        return;
    }
    let property = dice.pick(Settings::properties());
    text.push_str(dice.word(&BLANK));
    let mut name = property.name().to_owned();
    if dice.once_in(20) {
        let at = dice.below(name.len());
        name.replace_range(at..=at, dice.word(&["", ".", "A", "  "]));
    }
    text.push_str(&name);
    text.push_str(dice.word(&BLANK));
    text.push_str(if dice.once_in(30) { ":" } else { "=" });
    text.push_str(dice.word(&BLANK));
    text.push_str(&value(dice, property));
    text.push_str(dice.word(&BLANK));
}

fn value(dice: &mut Dice<'_>, property: &Property) -> String {
    let allowed = property.allowed();
    if dice.once_in(12) {
        let odd = ["", "=", "\\", "é", "true", "0", "a=b", "\u{feff}", "x # y"];
        return dice.word(&odd).to_owned();
    }
    if let Some((first, last)) = allowed.rsplit_once(' ').and_then(|(rest, last)| {
        let first = rest
            .strip_prefix("a whole number from ")?
            .split(' ')
            .next()?;
        Some((first.parse::<u64>().ok()?, last.parse::<u64>().ok()?))
    }) {
        let inner = first + u64::try_from(dice.below(3000)).expect("small");
        let edge = [
            first,
            last,
            last + 1,
            first.wrapping_sub(1),
            inner,
            inner,
            u64::MAX,
        ][dice.below(7)];
        return format!(
            "{}{edge}",
            dice.word(&["", "", "", "0", "+", "-", "000000000000"])
        );
    }
    let name = property.name();
    let values: &[&str] = match name {
        "atlassian.pats.pruning.schedule.cron" | "atlassian.pats.expiry.check.schedule.cron" => {
            &["0 0 0 * * ?", "0 0/5 * * * ?", "0 0 0 L * ?", "* * * * *"]
        }
        "pat.token.accepted" => &[
            "atlassian",
            "prefixed:ab",
            "atlassian , prefixed:ab",
            ",",
            "x",
        ],
        "pat.expiry.reminder.days" => &[
            "30,7,1",
            "1, 30 ,7,7",
            "0",
            "36500",
            "36501",
            "7,",
            "1,2,3,4,5,6,7,8,9,10,11",
            "007",
            "+7",
        ],
        "pat.realm" => &["a=b", "a", "A realm", "\"", "\\", "é", "(x)", "#"],
        "pat.time.zone" => &[
            "local",
            "UTC",
            "Europe/Berlin",
            "europe/berlin",
            "Local",
            "../UTC",
        ],
        "pat.base.url" => return url(dice),
        "pat.token.prefix" => &["ab", "a", "a2345678901234567", "Ab", "a_b"],
        _ => &[
            "true",
            "false",
            "TRUE",
            "False",
            "yes",
            "none",
            "cluster",
            "None",
            "allowed",
            "capped",
            "forbidden",
            "prefixed",
            "atlassian",
            "or",
            "allowed,",
        ],
    };
    dice.word(values).to_owned()
}

fn url(dice: &mut Dice<'_>) -> String {
    let scheme = dice.word(&[
        "http://", "https://", "https://", "HTTPS://", "ftp://", "//", "http:",
    ]);
    let host = dice.word(&[
        "example.com",
        "a",
        "[::1]",
        "[::g]",
        "[]",
        "127.0.0.1",
        "999.0.0.1",
        "a%20b",
        "u@b",
        "",
        "..",
        "a b",
        "é.example",
    ]);
    let port = dice.word(&["", "", "", ":80", ":0", ":65536", ":", ":08080", ":+1"]);
    let path = dice.word(&["", "/", "//", "/a/", "/a%2", "/?q", "/#f", "/a:b@c", "/.."]);
    format!("{scheme}{host}{port}{path}")
}
