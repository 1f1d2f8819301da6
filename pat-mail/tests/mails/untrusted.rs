//! Names, reasons and URLs that others have chosen.

use mailparse::{MailHeaderMap, parse_mail};
use pat_core::notification::NotificationKind;
use pat_core::testing::example_notification;
use proptest::prelude::*;

use super::{assert_sound, compose, composer, header, html, text};

#[test]
fn no_name_does_harm() {
    let long = "é".repeat(255);
    for (name, shown) in [
        ("a\r\nBcc: evil@example.com", "a  Bcc: evil@example.com"),
        ("a\r\n\r\n.\r\nQUIT", "a    .  QUIT"),
        (".", "."),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("\u{202e}gnp.exe", "gnp.exe"),
        ("\u{2069}\u{2068}x", "x"),
        ("a\u{0}\u{1b}[31m\u{85}b", "a  [31m b"),
        ("🎉", "🎉"),
        ("=?utf-8?Q?x?=", "=?utf-8?Q?x?="),
        ("--=_pat-notice-5", "--=_pat-notice-5"),
        ("{{ 7 * 7 }}{% raw %}", "{{ 7 * 7 }}{% raw %}"),
        ("  spaced  out  ", "  spaced  out  "),
        (long.as_str(), long.as_str()),
    ] {
        let mut notification = example_notification(NotificationKind::RevokedByAdmin, &[name]);
        name.clone_into(&mut notification.recipient.full_name);
        notification.by = Some(name.to_owned());
        notification.reason = Some(name.to_owned());
        let message = compose(&notification);
        assert_sound(&message);

        let mail = parse_mail(&message).unwrap();
        let isolated = format!("“\u{2068}{shown}\u{2069}”");
        let subject = header(&mail, "Subject");
        assert!(subject.contains(&format!("“{shown}”")), "{subject}");
        assert!(text(&mail).contains(&isolated), "{}", text(&mail));
        let escaped = shown
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;");
        let escaped = escaped.replace('/', "&#x2f;");
        assert!(
            html(&mail).contains(&format!("<bdi>{escaped}</bdi>")),
            "{}",
            html(&mail)
        );
        assert!(!html(&mail).contains("<script"));
        let to = mailparse::addrparse_header(mail.headers.get_first_header("To").unwrap());
        let to = to.unwrap().extract_single_info().unwrap();
        assert_eq!(to.addr, "ada@example.com");
        let name: Vec<_> = shown.split_whitespace().collect();
        assert_eq!(to.display_name.as_deref(), Some(name.join(" ").as_str()));
    }
}

#[test]
fn a_reason_keeps_its_lines_and_stays_quoted() {
    let mut notification = example_notification(NotificationKind::RevokedByAdmin, &["ci"]);
    notification.reason =
        Some("First.\r\n.\r\n\r\nDear user, <b>pay</b> here.\u{202e}\n".to_owned());
    let message = compose(&notification);
    let mail = parse_mail(&message).unwrap();
    let quoted = "> \u{2068}First.\u{2069}\n> \u{2068}.\u{2069}\n> \n> \u{2068}Dear user, <b>pay</b> here.\u{2069}\n";
    assert!(text(&mail).contains(quoted), "{}", text(&mail));
    assert!(html(&mail).contains("<bdi>First.</bdi><br><bdi>.</bdi><br><bdi></bdi><br>"));
}

#[test]
fn html_needs_nothing_from_elsewhere() {
    for kind in NotificationKind::ALL {
        let message = compose(&example_notification(kind, &["ci", "b"]));
        let html = html(&parse_mail(&message).unwrap());
        for outside in [
            "src=", "url(", "@import", "<link", "<script", "<img", "http:",
        ] {
            assert!(!html.contains(outside), "{kind}: {outside}");
        }
        let links = html.matches("href=").count();
        assert_eq!(
            html.matches("href=\"https:&#x2f;&#x2f;example.com").count(),
            links
        );
    }
}

#[test]
fn only_a_web_address_becomes_a_link() {
    let mut notification = example_notification(NotificationKind::Created, &["ci"]);
    for (base, link) in [
        (
            "https://example.com/app",
            Some("https://example.com/app/profile/tokens"),
        ),
        (
            "http://localhost:8080",
            Some("http://localhost:8080/profile/tokens"),
        ),
        ("javascript:alert(1)//", None),
        ("https://exa mple.com", None),
        ("", None),
    ] {
        notification.base_url = Some(base.to_owned());
        let text = composer().text(&notification).unwrap().body;
        let found = text
            .lines()
            .find_map(|line| line.strip_prefix("Your tokens: "));
        assert_eq!(found, link, "{base}");
    }
}

proptest! {
    #[test]
    fn any_name_makes_a_sound_mail(token in any::<String>(), person in any::<String>(), reason in any::<String>()) {
        let mut notification = example_notification(NotificationKind::RevokedByAdmin, &[&token]);
        notification.recipient.full_name = person;
        notification.by = Some(token.clone());
        notification.reason = Some(reason);
        let message = compose(&notification);
        assert_sound(&message);
        let mail = parse_mail(&message).unwrap();
        let subject = composer().text(&notification).unwrap().subject;
        prop_assert_eq!(header(&mail, "Subject"), subject);
        let to = mailparse::addrparse_header(mail.headers.get_first_header("To").unwrap()).unwrap();
        prop_assert_eq!(to.extract_single_info().unwrap().addr, "ada@example.com");
    }

    #[test]
    fn any_ascii_name_makes_a_sound_mail(name in "[ -~]{0,80}") {
        let mut notification = example_notification(NotificationKind::Created, &[&name]);
        notification.recipient.full_name.clone_from(&name);
        let message = compose(&notification);
        assert_sound(&message);
        let mail = parse_mail(&message).unwrap();
        let to = mailparse::addrparse_header(mail.headers.get_first_header("To").unwrap()).unwrap();
        let shown: Vec<_> = name.split_whitespace().collect();
        let shown = Some(shown.join(" ")).filter(|name| !name.is_empty());
        prop_assert_eq!(to.extract_single_info().unwrap().display_name, shown);
    }
}
