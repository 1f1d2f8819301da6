//! Bodies of `POST /tokens`, compared with a JSON parser by RFC 8259 and the rules in the documentation
//! of `pat_tower::api`.

use axum::body::Body;
use http::Request;
use http::header::CONTENT_TYPE;
use pat_tower::api::Api;
use serde_json::Value;

use crate::creation::{self, Host, Rule, check_days, check_name, check_seconds};
use crate::driver::{Dice, Target};
use crate::formats;

static TARGET: Target = Target {
    name: "json",
    grammar: body,
    words: &[
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\"name\"",
        "\"expirationDuration\"",
        "\"expirationSeconds\"",
        "null",
        "true",
        "1",
        "1.0",
        "1e2",
        "-",
        "\\u0000",
        "\\ud83e\\uddea",
        "\\ud800",
        "\\n",
        " ",
        "\u{feff}",
        "\u{c}",
        "//",
        "é",
    ],
};

#[test]
fn json() {
    let host = host();
    TARGET.check(bolero::check!(), |input| check(&host, <[_]>::to_vec, input));
}

#[test]
fn finds_a_number_that_is_cut_off_at_its_fraction() {
    let host = host();
    let cut = |body: &[u8]| match str::from_utf8(body) {
        Ok(text) => text.replace(".0}", "}").into_bytes(),
        Err(_) => body.to_vec(),
    };
    TARGET.finds(bolero::check!(), |input| check(&host, cut, input));
}

#[test]
fn finds_names_that_are_measured_in_bytes() {
    let host = host();
    let lengthened = |body: &[u8]| match expected(body) {
        Ok((name, _)) if name.len() > 40 => format!("{{\"name\":\"{}\"}}", "x".repeat(41)).into(),
        _ => body.to_vec(),
    };
    TARGET.finds(bolero::check!(), |input| check(&host, lengthened, input));
}

fn host() -> Host {
    Host::new(|pats| Api::new(pats).router())
}

/// Compares a response with the rules. A planted bug is a `read` that changes the body.
fn check(host: &Host, read: impl Fn(&[u8]) -> Vec<u8>, body: &[u8]) {
    let request = Request::post("/tokens").header(CONTENT_TYPE, "application/json");
    let request = request.body(Body::from(read(body))).expect("a request");
    let (response, tokens) = host.send(request);
    let status = response.status().as_u16();
    let json: Value = serde_json::from_slice(response.body()).expect("JSON");
    match expected(body) {
        Ok((name, seconds)) => {
            assert_eq!(status, 201, "{json}");
            let [token] = &tokens[..] else {
                panic!("{tokens:?}");
            };
            assert_eq!(
                (&*token.name, json["name"].as_str()),
                (&*name, Some(&*name))
            );
            let lives = token
                .expires_at
                .map(|at| at.duration_since(token.created_at).as_secs());
            assert_eq!(lives, seconds);
            assert_eq!(token.is_transient, seconds.is_some_and(|it| it < 86_400));
            let plain = json["rawToken"].as_str().expect("a secret");
            assert!(
                formats::is_prefixed("pat", plain.as_bytes()) && host.authenticates(plain, token)
            );
        }
        Err(rules) => {
            assert_eq!((status, tokens.len()), (400, 0), "{json}");
            assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
            let detail = json["detail"].as_str().expect("a text");
            for same in [&json["error"], &json["message"], &json["errorMessages"][0]] {
                assert_eq!(same, detail);
            }
            assert_eq!(json["status"], status);
            assert!(
                rules.iter().any(|rule| json["type"] == rule.problem()),
                "{rules:?}: {json}"
            );
        }
    }
}

impl Rule {
    fn problem(self) -> &'static str {
        match self {
            Self::MalformedBody => "urn:problem-type:pat/malformed-body",
            Self::InvalidName => "urn:problem-type:pat/invalid-name",
            Self::InvalidDuration => "urn:problem-type:pat/invalid-duration",
        }
    }
}

/// Returns the requested name and life span in seconds, or the rules that the body breaks.
fn expected(body: &[u8]) -> Result<(String, Option<i64>), Vec<Rule>> {
    let malformed = || vec![Rule::MalformedBody];
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let Some(Json::Object(members)) = read(body) else {
        return Err(malformed());
    };
    let (mut name, mut days, mut seconds) = (None, None, None);
    for (member, value) in members {
        let is_new = match &*member {
            "name" => name.replace(value).is_none(),
            "expirationDuration" => days.replace(value).is_none(),
            "expirationSeconds" => seconds.replace(value).is_none(),
            _ => false,
        };
        if !is_new {
            return Err(malformed());
        }
    }
    let mut broken = Vec::new();
    let name = match name {
        Some(Json::Text(name)) => name,
        None => String::new(),
        Some(_) => return Err(malformed()),
    };
    broken.extend(check_name(&name));
    let is_given = |value: &Option<Json>| !matches!(value, None | Some(Json::Null));
    if is_given(&days) && is_given(&seconds) {
        broken.push(Rule::InvalidDuration);
    }
    let days = whole(days, check_days, &mut broken).ok_or_else(malformed)?;
    let seconds = whole(seconds, check_seconds, &mut broken).ok_or_else(malformed)?;
    if broken.is_empty() {
        Ok((name, days.map(|days| days * 86_400).or(seconds)))
    } else {
        Err(broken)
    }
}

/// Returns the number that a member has, and adds the rules that it breaks. The result is `None` if the member
/// has a value of another type.
#[expect(
    clippy::option_option,
    reason = "the outer one says whether the type is right"
)]
fn whole(
    value: Option<Json>,
    check: fn(i64) -> Option<Rule>,
    broken: &mut Vec<Rule>,
) -> Option<Option<i64>> {
    let digits = match value {
        Some(Json::Number(digits)) => digits,
        Some(Json::Null) | None => return Some(None),
        Some(_) => return None,
    };
    if digits.parse::<f64>().is_ok_and(f64::is_infinite) {
        // Numbers beyond those of IEEE 754 need not be read (section 6).
        broken.push(Rule::MalformedBody);
    }
    let is_whole = |byte: u8| byte.is_ascii_digit() || byte == b'-';
    if !digits.bytes().all(is_whole) {
        broken.push(Rule::InvalidDuration);
        return Some(None);
    }
    // One that is too large for the type is over the limit.
    let number = digits.parse().unwrap_or(i64::MAX);
    broken.extend(check(number));
    Some(Some(number))
}

enum Json {
    Null,
    Boolean,
    Number(String),
    Text(String),
    Array,
    Object(Vec<(String, Json)>),
}

/// Parses a JSON text (RFC 8259).
fn read(body: &[u8]) -> Option<Json> {
    let text = str::from_utf8(body).ok()?;
    let (value, rest) = value(blank(text), 0)?;
    blank(rest).is_empty().then_some(value)
}

fn blank(text: &str) -> &str {
    text.trim_start_matches([' ', '\t', '\n', '\r'])
}

fn value(text: &str, depth: usize) -> Option<(Json, &str)> {
    // A reader may set a limit (section 9).
    if depth > 100 {
        return None;
    }
    for (word, value) in [
        ("null", Json::Null),
        ("true", Json::Boolean),
        ("false", Json::Boolean),
    ] {
        if let Some(rest) = text.strip_prefix(word) {
            return Some((value, rest));
        }
    }
    match text.chars().next()? {
        '"' => string(text).map(|(text, rest)| (Json::Text(text), rest)),
        '[' => {
            let item = |text| value(text, depth + 1).map(|(_, rest)| ((), rest));
            list(&text[1..], ']', item).map(|(_, rest)| (Json::Array, rest))
        }
        '{' => {
            let member = |text| {
                let (name, rest) = string(text)?;
                let rest = blank(rest).strip_prefix(':')?;
                let (value, rest) = value(blank(rest), depth + 1)?;
                Some(((name, value), rest))
            };
            list(&text[1..], '}', member).map(|(members, rest)| (Json::Object(members), rest))
        }
        _ => number(text),
    }
}

fn list<'t, T>(
    text: &'t str,
    end: char,
    item: impl Fn(&'t str) -> Option<(T, &'t str)>,
) -> Option<(Vec<T>, &'t str)> {
    let mut items = Vec::new();
    let mut text = blank(text);
    if let Some(rest) = text.strip_prefix(end) {
        return Some((items, rest));
    }
    loop {
        let (one, rest) = item(text)?;
        items.push(one);
        let rest = blank(rest);
        if let Some(rest) = rest.strip_prefix(end) {
            return Some((items, rest));
        }
        text = blank(rest.strip_prefix(',')?);
    }
}

fn number(text: &str) -> Option<(Json, &str)> {
    let digits =
        |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let mut len = usize::from(text.starts_with('-'));
    let whole = digits(&text[len..]);
    if whole == 0 || (whole > 1 && text[len..].starts_with('0')) {
        return None;
    }
    len += whole;
    if let Some(fraction) = text[len..].strip_prefix('.') {
        len += 1 + Some(digits(fraction)).filter(|len| *len > 0)?;
    }
    if let Some(exponent) = text[len..].strip_prefix(['e', 'E']) {
        let unsigned = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        let sign = exponent.len() - unsigned.len();
        len += 1 + sign + Some(digits(unsigned)).filter(|len| *len > 0)?;
    }
    Some((Json::Number(text[..len].to_owned()), &text[len..]))
}

/// Parses a string into UTF-16 units, since escapes are in them.
fn string(text: &str) -> Option<(String, &str)> {
    let text = text.strip_prefix('"')?;
    let mut units = Vec::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((String::from_utf16(&units).ok()?, &text[at + 1..])),
            '\\' => {
                let (at, escaped) = chars.next()?;
                let plain = "\"\\/bfnrt"
                    .find(escaped)
                    .map(|it| b"\"\\/\x08\x0c\n\r\t"[it]);
                match plain {
                    Some(plain) => units.push(plain.into()),
                    None if escaped == 'u' => {
                        let digits = text.get(at + 1..at + 5)?;
                        let is_hex = digits.chars().all(|c| c.is_ascii_hexdigit());
                        units.push(u16::from_str_radix(digits, 16).ok().filter(|_| is_hex)?);
                        chars.nth(3);
                    }
                    None => return None,
                }
            }
            '\0'..='\u{1f}' => return None,
            _ => units.extend(c.encode_utf16(&mut [0; 2]).iter()),
        }
    }
    None
}

fn body(dice: &mut Dice<'_>) -> Vec<u8> {
    let mut members = Vec::new();
    if !dice.once_in(12) {
        members.push(format!("\"name\":{}", name(dice)));
    }
    if !dice.once_in(4) {
        members.push(format!("\"expirationDuration\":{}", duration(dice)));
    }
    if dice.once_in(6) {
        members.push(format!("\"expirationSeconds\":{}", seconds(dice)));
    }
    if dice.once_in(10) {
        let others = [
            "\"name\":\"x\"",
            "\"Name\":\"x\"",
            "\"id\":1",
            "",
            "\"n\\u0061me\":\"x\"",
            "\"x\":[[{}]]",
        ];
        members.push(dice.word(&others).to_owned());
    }
    if dice.once_in(6) {
        members.reverse();
    }
    let blank = dice.word(&["", "", "", " ", "\r\n\t", "\u{c}", "\u{a0}"]);
    let members = members.join(&format!("{blank},{blank}"));
    let body = match dice.below(20) {
        0 => format!("[{members}]"),
        1 => {
            let (name, duration) = (name(dice), duration(dice));
            format!("[{name},{duration}]")
        }
        2 => format!("\u{feff}{{{members}}}"),
        3 => format!("{{{members}}}{}", dice.word(&[",", "x", "{}", " ", "\0"])),
        _ => format!("{blank}{{{members}{blank}}}{blank}"),
    };
    body.into_bytes()
}

fn name(dice: &mut Dice<'_>) -> String {
    let name = creation::name(dice);
    match dice.below(8) {
        0 => dice
            .word(&[
                "null",
                "1",
                "\"\\ud83e\\uddea\"",
                "\"\\ud83e\"",
                "\"\\u0000a\"",
                "\"\\x\"",
                "[]",
            ])
            .to_owned(),
        1 => {
            name.encode_utf16()
                .fold("\"".to_owned(), |json, unit| format!("{json}\\u{unit:04X}"))
                + "\""
        }
        _ => Value::from(name).to_string(),
    }
}

fn seconds(dice: &mut Dice<'_>) -> String {
    let edges = ["59", "60", "86399", "86400", "31536000", "31536001"];
    if dice.once_in(2) {
        dice.word(&edges).to_owned()
    } else {
        duration(dice)
    }
}

fn duration(dice: &mut Dice<'_>) -> String {
    let others = [
        "null",
        "0",
        "-1",
        "366",
        "365",
        "1",
        "1.0",
        "30.0",
        "1e2",
        "1E400",
        "-0",
        "01",
        "+1",
        "1.",
        ".5",
        "\"30\"",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551616",
        "true",
        "-9223372036854775809",
    ];
    if dice.once_in(2) {
        (1 + dice.below(365)).to_string()
    } else {
        dice.word(&others).to_owned()
    }
}
