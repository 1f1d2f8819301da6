//! What arrives: the mails as a mail program reads them.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

mod headers;
mod kinds;
mod mailers;
mod templates;
mod untrusted;

use std::sync::LazyLock;

use mailparse::{MailHeaderMap, ParsedMail, parse_mail};
use pat_core::notification::Notification;
use pat_mail::Composer;

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

fn composer() -> Composer {
    static COMPOSER: LazyLock<Composer> = LazyLock::new(|| {
        let builder = Composer::builder("Example <noreply@example.com>");
        builder.token_page("/profile/tokens").build().unwrap()
    });
    COMPOSER.clone()
}

fn compose(notification: &Notification) -> Vec<u8> {
    composer().compose(notification).unwrap().formatted()
}

fn header(mail: &ParsedMail<'_>, name: &str) -> String {
    mail.headers.get_first_value(name).unwrap()
}

fn text(mail: &ParsedMail<'_>) -> String {
    mail.subparts[0].get_body().unwrap().replace("\r\n", "\n")
}

fn html(mail: &ParsedMail<'_>) -> String {
    mail.subparts[1].get_body().unwrap()
}

/// The mail has the headers that it must have, each once, and two parts.
fn assert_sound(message: &[u8]) {
    let mail = parse_mail(message).unwrap();
    let names: Vec<_> = mail
        .headers
        .iter()
        .map(mailparse::MailHeader::get_key)
        .collect();
    assert_eq!(names, HEADERS);
    let kinds: Vec<_> = mail
        .subparts
        .iter()
        .map(|part| part.ctype.mimetype.as_str())
        .collect();
    assert_eq!(kinds, ["text/plain", "text/html"]);
    assert!(message.is_ascii(), "old servers take ASCII alone");
    let text = std::str::from_utf8(message).unwrap();
    assert!(
        text.split("\r\n").all(|line| line.len() <= 78),
        "lines are short"
    );
    assert!(
        !text.replace("\r\n", "").contains(['\r', '\n']),
        "lines end with CRLF"
    );
}
