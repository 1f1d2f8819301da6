//! A mail as it was received.

use std::ops::RangeInclusive;

use mailparse::{MailHeaderMap, ParsedMail, parse_mail};
use serde_json::Value;

/// What a mail of ours has, each once and nothing else.
const HEADERS: [&str; 11] = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Content-Language",
    "List-Id",
    "Auto-Submitted",
    "X-Auto-Response-Suppress",
    "MIME-Version",
    "Content-Type",
];

/// What servers add on the way.
const TRACE_HEADERS: [&str; 4] = ["Return-Path", "X-Original-To", "Delivered-To", "Received"];

/// What is left to direct text once a name cannot: the isolates that stand around it.
const ISOLATES: [char; 2] = ['\u{2068}', '\u{2069}'];

/// A received mail, which is sound.
#[derive(Debug)]
pub struct Mail {
    /// What the server knows of it: `from`, `to`, `tls`, `login`, `cut`.
    pub envelope: Value,
    /// As it came.
    pub raw: String,
    /// Its subject.
    pub subject: String,
    /// Its text.
    pub text: String,
    /// Its text as HTML.
    pub html: String,
}

impl Mail {
    /// Parses a mail, and checks what is so for each that we send.
    pub fn parse(envelope: Value, raw: Vec<u8>) -> Self {
        let raw = String::from_utf8(raw).expect("a mail in ASCII");
        assert!(raw.is_ascii(), "{raw}");
        let longest = raw.lines().map(str::len).max();
        assert!(longest.is_some_and(|length| length <= 78), "{raw}");
        assert_eq!(
            raw.matches(['\r', '\n']).count(),
            raw.matches("\r\n").count() * 2
        );

        let mail = parse_mail(raw.as_bytes()).expect("a mail");
        let names = mail.headers.iter().map(mailparse::MailHeader::get_key);
        let mut names: Vec<_> = names
            .filter(|name| !TRACE_HEADERS.contains(&name.as_str()))
            .collect();
        names.sort_unstable();
        let mut expected = HEADERS;
        expected.sort_unstable();
        assert_eq!(names, expected, "{raw}");
        assert_eq!(header(&mail, "Auto-Submitted"), "auto-generated");
        assert_eq!(header(&mail, "X-Auto-Response-Suppress"), "All");
        assert_eq!(mail.ctype.mimetype, "multipart/alternative");
        let [text, html] = &mail.subparts[..] else {
            panic!("{} parts", mail.subparts.len());
        };
        assert_eq!(text.ctype.mimetype, "text/plain");
        assert_eq!(html.ctype.mimetype, "text/html");

        let (subject, text, html) = (header(&mail, "Subject"), body(text), body(html));
        for part in [&subject, &text, &html] {
            assert!(!part.contains(is_harmful), "{part:?}");
        }
        assert!(!subject.contains(ISOLATES), "{subject:?}");
        assert!(!html.contains("<script"), "{html}");
        Self {
            envelope,
            raw,
            subject,
            text,
            html,
        }
    }

    /// Returns the value of a header.
    pub fn header(&self, name: &str) -> String {
        header(&parse_mail(self.raw.as_bytes()).expect("a mail"), name)
    }

    /// Returns the `Message-ID`.
    pub fn id(&self) -> String {
        self.header("Message-ID")
    }

    /// Whether a secret stands anywhere in it, in whatever encoding.
    pub fn contains(&self, secret: &str) -> bool {
        let unfolded = self.raw.replace("=\r\n", "").replace("\r\n ", "");
        [&unfolded, &self.subject, &self.text, &self.html]
            .iter()
            .any(|part| part.contains(secret))
    }
}

fn header(mail: &ParsedMail<'_>, name: &str) -> String {
    mail.headers.get_first_value(name).expect("the header")
}

fn body(part: &ParsedMail<'_>) -> String {
    let body = part.get_body().expect("a body");
    body.replace("\r\n", "\n")
}

/// Whether a character breaks lines or turns the text around it.
fn is_harmful(c: char) -> bool {
    const DIRECTIONS: [RangeInclusive<char>; 2] =
        ['\u{202A}'..='\u{202E}', '\u{2066}'..='\u{2069}'];
    let directs = DIRECTIONS.iter().any(|range| range.contains(&c)) && !ISOLATES.contains(&c);
    directs || (c.is_control() && c != '\n')
}
