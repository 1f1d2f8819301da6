//! The headers of a mail.

use mailparse::{MailHeaderMap, parse_mail};
use pat_core::notification::NotificationKind;
use pat_core::testing::example_notification;
use pat_mail::Composer;

use super::{assert_sound, compose, header};

#[test]
fn headers_are_what_they_should_be() {
    let message = compose(&example_notification(
        NotificationKind::ExpiresSoon,
        &["ci"],
    ));
    let mail = parse_mail(&message).unwrap();
    for (name, value) in [
        ("From", "\"Example\" <noreply@example.com>"),
        ("To", "\"Ada Lovelace\" <ada@example.com>"),
        ("Subject", "Your token “ci” expires on 27 May 2026"),
        ("Date", "Wed, 20 May 2026 09:15:00 +0000"),
        ("Message-ID", "<pat-notice.2.1779268500123456@example.com>"),
        ("Content-Language", "en"),
        ("List-Id", "<pat-notice.example.com>"),
        ("Auto-Submitted", "auto-generated"),
        ("X-Auto-Response-Suppress", "All"),
        ("MIME-Version", "1.0"),
    ] {
        assert_eq!(header(&mail, name), value);
    }
}

#[test]
fn a_sender_with_any_name_keeps_the_lines_short() {
    for name in [
        "Größe und Maß der persönlichen Zugriffsschlüssel",
        "個人アクセストークンの管理サービスからのお知らせ",
        "Plain",
        "Example, Inc. (\"PAT\")",
        "A plain name of many words that is longer than one line of a header may ever be",
    ] {
        let sender = format!(
            "\"{}\" <noreply@mail.department.example.com>",
            name.replace('"', "\\\"")
        );
        let composer = Composer::builder(sender).build().unwrap();
        let message = composer
            .compose(&example_notification(NotificationKind::Created, &["ci"]))
            .unwrap()
            .formatted();
        assert_sound(&message);
        let head = std::str::from_utf8(&message)
            .unwrap()
            .split("\r\n\r\n")
            .next()
            .unwrap();
        for line in head.split("\r\n").filter(|line| line.contains("=?")) {
            assert!(line.len() <= 76, "{line}");
        }
        let mail = parse_mail(&message).unwrap();
        let from = mail.headers.get_first_header("From").unwrap();
        let from = mailparse::addrparse_header(from).unwrap();
        let from = from.extract_single_info().unwrap();
        assert_eq!(from.addr, "noreply@mail.department.example.com");
        if !name.contains('"') {
            assert_eq!(from.display_name.as_deref(), Some(name));
        }
    }
}

#[test]
fn a_retry_sends_the_same_bytes() {
    for kind in NotificationKind::ALL {
        let notification = example_notification(kind, &["ci", "🎉"]);
        assert_eq!(compose(&notification), compose(&notification));
    }
}
