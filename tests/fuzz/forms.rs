//! The form for a new token, compared with the parser of forms in the URL Standard and the rules of the
//! pages. The caller is not authenticated by a cookie, so the form needs no CSRF token.

use std::fmt::Write as _;

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Request;
use http::header::CONTENT_TYPE;
use jiff::Unit;
use jiff::civil::Date;
use pat_tower::pages::Pages;

use crate::creation::{self, Host, NAMES, Rule, TODAY, check_days, check_name};
use crate::driver::{Dice, Target};

static TARGET: Target = Target {
    name: "forms",
    grammar: form,
    words: &[
        "&",
        "=",
        "+",
        "%",
        "%20",
        "%26",
        "%00",
        "%c3%a9",
        "%C3",
        "%zz",
        "name=",
        "expires=",
        "expires=days&days=",
        "date=",
        "sheet=",
        "seen=",
        "never",
        "90",
        ";",
        "é",
    ],
};

#[test]
fn forms() {
    let host = host();
    TARGET.check(bolero::check!(), |input| check(&host, <[_]>::to_vec, input));
}

#[test]
fn finds_the_last_of_two_fields() {
    let host = host();
    let reversed = |body: &[u8]| {
        let mut fields: Vec<_> = body.split(|byte| *byte == b'&').collect();
        fields.reverse();
        fields.join(&b'&')
    };
    TARGET.finds(bolero::check!(), |input| check(&host, reversed, input));
}

fn host() -> Host {
    Host::new(|pats| Pages::new(pats).router())
}

/// Compares a response with the rules. A planted bug is a `read` that changes the form.
fn check(host: &Host, read: impl Fn(&[u8]) -> Vec<u8>, body: &[u8]) {
    let request =
        Request::post("/tokens/new").header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    let request = request.body(Body::from(read(body))).expect("a request");
    let (response, tokens) = host.send(request);
    let status = response.status().as_u16();
    assert_eq!(response.headers()[CONTENT_TYPE], "text/html; charset=utf-8");
    let html = String::from_utf8(response.body().to_vec()).expect("UTF-8");
    let fields = fields(body);
    // What is shown is escaped, these texts of the corpus and of names among it.
    assert!(!html.contains("<b>") && !html.contains("onfocus=\"x"));
    match expected(&fields) {
        Ok((name, days)) => {
            assert_eq!(status, 201, "{html}");
            let [token] = &tokens[..] else {
                panic!("{tokens:?}");
            };
            assert_eq!(token.name, name);
            let lives = token
                .expires_at
                .map(|at| at.duration_since(token.created_at).as_hours());
            assert_eq!(lives, days.map(|days| days * 24));
            let mut texts = html.split(['<', '>']);
            let plain = texts.find(|text| text.starts_with("pat_"));
            assert!(
                plain.is_some_and(|plain| host.authenticates(plain, token)),
                "{html}"
            );
        }
        Err(broken) => {
            assert_eq!((status, tokens.len()), (400, 0), "{broken:?}: {html}");
            // The fields that are wrong are marked as such; a form that is none of ours is not shown.
            for (rule, field) in [
                (Rule::InvalidName, "pat-name-error"),
                (Rule::InvalidDuration, "pat-expiry-error"),
            ] {
                let is_broken = broken.contains(&rule);
                assert_eq!(
                    html.contains(&format!("id=\"{field}\"")),
                    is_broken,
                    "{broken:?}: {html}"
                );
            }
        }
    }
}

/// Returns the requested name and days, or the rules that the form breaks.
fn expected(fields: &[(String, String)]) -> Result<(String, Option<i64>), Vec<Rule>> {
    let field = |name: &str| {
        fields
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| &**value)
    };
    let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).ok().map(|bytes| bytes.len());
    let is_sheet = field("sheet").is_none_or(|text| bytes(text) == Some(9));
    let is_seen = field("seen").is_none_or(|text| bytes(text).is_some_and(|len| len % 4 == 0));
    if !(is_sheet && is_seen) {
        return Err(vec![Rule::MalformedBody]);
    }
    let name = field("name").unwrap_or_default().trim();
    let days = match field("expires").unwrap_or_default() {
        "never" => Some(None),
        "days" => whole(field("days").unwrap_or_default()).map(Some),
        "date" => until(field("date").unwrap_or_default()).map(Some),
        choice => whole(choice).map(Some),
    };
    let days = match days {
        Some(Some(days)) => check_days(days).map_or(Ok(Some(days)), Err),
        Some(None) => Ok(None),
        None => Err(Rule::InvalidDuration),
    };
    let broken: Vec<_> = check_name(name).into_iter().chain(days.err()).collect();
    if broken.is_empty() {
        Ok((name.to_owned(), days.unwrap_or_default()))
    } else {
        Err(broken)
    }
}

fn whole(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_whole = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit());
    // One that is too large for the type is over the limit.
    is_whole.then(|| text.parse().unwrap_or(i64::MAX))
}

fn until(text: &str) -> Option<i64> {
    let date: Date = text.trim().parse().ok()?;
    TODAY
        .until((Unit::Day, date))
        .ok()
        .map(|span| span.get_days().into())
}

/// Parses the fields of a form (URL Standard, section 5.1).
fn fields(body: &[u8]) -> Vec<(String, String)> {
    let pairs = body
        .split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty());
    let read = |pair: &[u8]| {
        let at = pair
            .iter()
            .position(|byte| *byte == b'=')
            .unwrap_or(pair.len());
        (
            decoded(&pair[..at]),
            decoded(pair.get(at + 1..).unwrap_or_default()),
        )
    };
    pairs.map(read).collect()
}

fn decoded(text: &[u8]) -> String {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let [first, after @ ..] = rest {
        let digits = after
            .get(..2)
            .and_then(|digits| str::from_utf8(digits).ok());
        let is_hex = |digits: &&str| digits.chars().all(|c| c.is_ascii_hexdigit());
        let byte = digits
            .filter(is_hex)
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        (bytes, rest) = match byte.filter(|_| *first == b'%') {
            Some(byte) => ([bytes, vec![byte]].concat(), &after[2..]),
            None if *first == b'+' => ([bytes, vec![b' ']].concat(), after),
            None => ([bytes, vec![*first]].concat(), after),
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn form(dice: &mut Dice<'_>) -> Vec<u8> {
    let mut fields = Vec::new();
    if !dice.once_in(12) {
        fields.push(("name", creation::name(dice)));
    }
    let expires = [
        "90", "30", "never", "days", "days", "date", "date", "", "0", "366", "Never",
    ];
    if !dice.once_in(12) {
        fields.push(("expires", dice.word(&expires).to_owned()));
    }
    fields.push(("days", days(dice)));
    fields.push(("date", date(dice)));
    if dice.once_in(5) {
        fields.push((
            "sheet",
            dice.word(&["AAAAAAAAAAAA", "AAAAAAAAAAA", "AAAAAAAAAAA=", "", "é"])
                .to_owned(),
        ));
    }
    if dice.once_in(5) {
        fields.push((
            "seen",
            dice.word(&["", "AAAAAA", "AAAAAA==", "AAAAAAAAAAA", "AAA", "AAAAAB"])
                .to_owned(),
        ));
    }
    if dice.once_in(5) {
        let at = dice.below(fields.len());
        fields.push((fields[at].0, dice.word(&NAMES).to_owned()));
    }
    if dice.once_in(5) {
        let (one, other) = (dice.below(fields.len()), dice.below(fields.len()));
        fields.swap(one, other);
    }
    let pairs: Vec<_> = fields
        .iter()
        .map(|(name, value)| format!("{name}={}", encoded(dice, value)))
        .collect();
    pairs
        .join(dice.word(&["&", "&", "&", "&&", ";"]))
        .into_bytes()
}

fn encoded(dice: &mut Dice<'_>, text: &str) -> String {
    let encodes_all = dice.once_in(8);
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._*".contains(&byte);
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b' ' if !encodes_all => encoded.push('+'),
            _ if is_plain(byte) && !encodes_all => encoded.push(byte.into()),
            _ => write!(encoded, "%{byte:02X}").expect("a string"),
        }
    }
    encoded
}

fn days(dice: &mut Dice<'_>) -> String {
    let others = [
        "0",
        "1",
        "365",
        "366",
        " 7 ",
        "-1",
        "",
        "1.5",
        "1e2",
        "+5",
        "99999999999999999999",
        "٣",
        "07",
        "-0",
        "\u{a0}9",
    ];
    if dice.once_in(2) {
        (1 + dice.below(365)).to_string()
    } else {
        dice.word(&others).to_owned()
    }
}

fn date(dice: &mut Dice<'_>) -> String {
    let others = [
        "",
        "tomorrow",
        "2026-02-30",
        "9999-12-31",
        "-009999-01-01",
        "20991231",
        "2099-12-31T10:00",
        "31.12.2099",
        "0",
        "2099-12-31[u-ca=iso8601]",
        "+002099-12-31",
        " 2099-12-31",
        "2099-W01-1",
    ];
    match dice.below(4) {
        0 => dice.word(&others).to_owned(),
        1 => TODAY.to_string(),
        2 => (TODAY + jiff::Span::new().days(365)).to_string(),
        _ => (TODAY + jiff::Span::new().days(i64::try_from(dice.below(400)).expect("small")))
            .to_string(),
    }
}
