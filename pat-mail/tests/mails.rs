//! What arrives: the mails as a mail program reads them.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::error::Error as _;
use std::sync::LazyLock;

use mailparse::{MailHeaderMap, ParsedMail, parse_mail};
use pat_core::messages::Messages;
use pat_core::notification::{Notification, NotificationKind, Notifier, NotifyError};
use pat_core::scope::Scopes;
use pat_core::testing::example_notification;
use pat_mail::{Composer, FileMailer, MemoryMailer};
use proptest::prelude::*;

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

#[test]
fn a_mail_about_many_tokens_is_short() {
    let names: Vec<_> = (0..200).map(|number| format!("token {number}.")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    for kind in NotificationKind::ALL {
        let message = compose(&example_notification(kind, &names));
        assert_sound(&message);
        assert!(message.len() < 50_000, "{kind}: {}", message.len());
        let mail = parse_mail(&message).unwrap();
        assert!(header(&mail, "Subject").contains("200"), "{kind}");
        for body in [text(&mail), html(&mail)] {
            for (number, name) in names.iter().enumerate() {
                assert_eq!(body.contains(name), number < 20, "{kind}: {name}");
            }
            assert!(body.contains("and 180 more"), "{kind}: {body}");
        }
        assert!(text(&mail).contains("https://example.com/profile/tokens"));
        assert!(html(&mail).contains(">Review your tokens</a>"));
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
fn each_kind_reads_well() {
    for kind in NotificationKind::ALL {
        for names in [&["ci"][..], &["ci", "backup of the wiki", "🎉 bot"]] {
            let message = compose(&example_notification(kind, names));
            assert_sound(&message);
            let mail = parse_mail(&message).unwrap();
            let read = format!("Subject: {}\n\n{}", header(&mail, "Subject"), text(&mail));
            insta::assert_snapshot!(format!("{kind}-{}", names.len()), read);
        }
    }
}

#[test]
fn a_restricted_token_is_shown_with_its_scopes() {
    for kind in NotificationKind::ALL {
        let mut notification = example_notification(kind, &["ci"]);
        let unrestricted = compose(&notification);
        notification.tokens[0].scopes = Some("write read tokens:read".parse().unwrap());
        let message = compose(&notification);
        assert_sound(&message);
        let mail = parse_mail(&message).unwrap();
        insta::assert_snapshot!(format!("{kind}-restricted"), text(&mail));
        let cells = [">Scopes</th>", ">read, tokens:read, write</td>"];
        assert!(
            cells.iter().all(|cell| html(&mail).contains(cell)),
            "{kind}"
        );
        let is_limited = html(&mail).contains("as far as its scopes permit, until");
        assert_eq!(is_limited, kind == NotificationKind::Created);
        let mail = parse_mail(&unrestricted).unwrap();
        for body in [text(&mail), html(&mail)] {
            assert!(!body.to_lowercase().contains("scopes"), "{kind}: {body}");
        }
    }
}

#[test]
fn tokens_with_and_without_scopes_share_a_mail() {
    let mut notification = example_notification(NotificationKind::Expired, &["ci", "bot", "all"]);
    let long: Vec<_> = (0..64)
        .map(|n| format!("{}{n:02}", "x".repeat(62)))
        .collect();
    notification.tokens[0].scopes = Some(Scopes::new(&long).unwrap());
    notification.tokens[1].scopes = Some(Scopes::none());
    let message = compose(&notification);
    assert_sound(&message);
    let mail = parse_mail(&message).unwrap();
    let shown = text(&mail);
    assert_eq!(shown.matches("\n    Scopes   ").count(), 2, "{shown}");
    assert!(shown.contains("    Scopes     none\n"), "{shown}");
    for name in &long {
        assert!(shown.contains(name) && html(&mail).contains(name), "{name}");
    }
    assert_eq!(html(&mail).matches(">Scopes: ").count(), 2);
    assert!(html(&mail).contains(">Scopes: none</span></th>"));
}

#[test]
fn mails_without_link_reason_or_name_read_well() {
    let mut notification = example_notification(NotificationKind::RevokedByAdmin, &["ci"]);
    notification.base_url = None;
    notification.by = None;
    notification.reason = Some(" \r\n ".to_owned());
    notification.recipient.full_name = String::new();
    notification.tokens[0].last_used_at = None;
    let message = compose(&notification);
    let mail = parse_mail(&message).unwrap();
    assert_eq!(header(&mail, "To"), "ada@example.com");
    assert!(!html(&mail).contains("href"));
    insta::assert_snapshot!("bare", text(&mail));
}

/// The button and the plain text lead to where the owner acts: one token that expires is replaced, in place of one that
/// has ended another is created, and everything else is done on the page with all tokens.
#[test]
fn the_button_leads_to_where_the_owner_acts() {
    let builder = Composer::builder("Example <noreply@example.com>").token_page("/tokens");
    let builder = builder.creation_page("/tokens/new?name={name}");
    let builder = builder.replacement_page("/tokens/{id}/replace");
    let composer = builder.build().unwrap();
    let all = ("Review your tokens", "/tokens", "Your tokens: ");
    let create = ("Create a new token", "/tokens/new", "Create a new one: ");
    for kind in NotificationKind::ALL {
        for names in [&["ci & cd"][..], &["ci", "bot"]] {
            let (button, page, line) = match (kind, names) {
                (NotificationKind::ExpiresSoon, [_]) => {
                    ("Replace this token…", "/tokens/1/replace", "Replace it: ")
                }
                (NotificationKind::Expired | NotificationKind::UnusedRevoked, [_]) => {
                    (create.0, "/tokens/new?name=ci+%26+cd", create.2)
                }
                (NotificationKind::Expired | NotificationKind::UnusedRevoked, _) => create,
                _ => all,
            };
            let notification = example_notification(kind, names);
            let message = composer.compose(&notification).unwrap().formatted();
            assert_sound(&message);
            let mail = parse_mail(&message).unwrap();
            let page = format!("https://example.com{page}");
            // The engine escapes slashes, too.
            let html = html(&mail).replace("&#x2f;", "/");
            assert_eq!(
                html.matches(&format!("href=\"{page}\"")).count(),
                2,
                "{kind}: {html}"
            );
            assert_eq!(html.matches("href=").count(), 2, "{kind}");
            assert!(html.contains(&format!(">{button}</a>")), "{kind}: {html}");
            let text = text(&mail);
            assert!(text.contains(&format!("{line}{page}\n")), "{kind}: {text}");
            assert!(
                text.contains("Your tokens: https://example.com/tokens\n"),
                "{kind}: {text}"
            );
            if kind == NotificationKind::ExpiresSoon && names.len() == 1 {
                insta::assert_snapshot!("replacement", text);
            }
        }
    }
    let mut bare = example_notification(NotificationKind::ExpiresSoon, &["ci"]);
    bare.base_url = None;
    let message = composer.compose(&bare).unwrap().formatted();
    assert!(!html(&parse_mail(&message).unwrap()).contains("href"));
}

/// A list of mails shows it after the subject. It is at the beginning of the HTML, out of sight, and says what to do
/// or what has happened rather than the subject again.
#[test]
fn each_kind_has_a_preheader() {
    for kind in NotificationKind::ALL {
        for names in [&["ci"][..], &["ci", "bot"]] {
            let message = compose(&example_notification(kind, names));
            let mail = parse_mail(&message).unwrap();
            let html = html(&mail);
            let (_, body) = html.split_once("<body").unwrap();
            let (_, first) = body
                .split_once("<div aria-hidden=\"true\" style=\"display:none;")
                .unwrap();
            let (first, _) = first.split_once("</div>").unwrap();
            let (_, shown) = first.split_once('>').unwrap();
            let (preheader, _) = shown.split_once("&#847;").unwrap();
            assert!(preheader.ends_with('.'), "{kind}: {preheader}");
            assert!(preheader.len() > 20, "{kind}: {preheader}");
            assert_ne!(preheader, header(&mail, "Subject"));
            assert!(
                !body.split_once("<table").unwrap().0.contains("Hello"),
                "{kind}"
            );
        }
    }
}

#[test]
fn a_mail_says_how_many_tokens_outlive_the_revocation() {
    for (names, live, sentence) in [
        (&["ci"][..], 0, None),
        (
            &["ci"],
            1,
            Some("1 token that was created with the revoked one still works. Revoke it too unless"),
        ),
        (
            &["ci"],
            2,
            Some(
                "2 tokens that were created with the revoked one still work. Revoke them too unless",
            ),
        ),
        (
            &["ci", "cd"],
            1,
            Some(
                "1 token that was created with the revoked ones still works. Revoke it too unless",
            ),
        ),
        (
            &["ci", "cd"],
            7,
            Some(
                "7 tokens that were created with the revoked ones still work. Revoke them too unless",
            ),
        ),
    ] {
        let mut notification = example_notification(NotificationKind::RevokedByAdmin, names);
        notification.live_children = live;
        let message = compose(&notification);
        let mail = parse_mail(&message).unwrap();
        let bodies = [text(&mail), html(&mail).replace("</strong>", "")];
        for body in bodies {
            let body = body.split_whitespace().collect::<Vec<_>>().join(" ");
            match sentence {
                Some(sentence) => assert!(body.contains(sentence), "{body}"),
                None => assert!(!body.contains("still work"), "{body}"),
            }
        }
    }
}

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
fn a_retry_sends_the_same_bytes() {
    for kind in NotificationKind::ALL {
        let notification = example_notification(kind, &["ci", "🎉"]);
        assert_eq!(compose(&notification), compose(&notification));
    }
}

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

#[tokio::test]
async fn mailers_send_what_was_composed() {
    let folder = tempfile::tempdir().unwrap();
    let memory = MemoryMailer::new(composer());
    let files = FileMailer::new(composer(), folder.path().join("mails"));
    let notification = example_notification(NotificationKind::ExpiresSoon, &["ci"]);
    for _ in 0..2 {
        memory.clone().send(&notification).await.unwrap();
        files.send(&notification).await.unwrap();
    }
    assert_eq!(
        memory.messages(),
        [compose(&notification), compose(&notification)]
    );
    let written: Vec<_> = std::fs::read_dir(files.folder())
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let [file] = written.as_slice() else {
        panic!("one notification makes one file: {written:?}");
    };
    assert_eq!(file.file_name(), "expires-soon-2.eml");
    assert_eq!(std::fs::read(file.path()).unwrap(), compose(&notification));
}

#[tokio::test]
async fn a_bad_address_is_final_and_never_shown() {
    let mut notification = example_notification(NotificationKind::Expired, &["ci"]);
    notification.recipient.email = "ada@exa mple.com".to_owned();
    let error = MemoryMailer::new(composer())
        .send(&notification)
        .await
        .unwrap_err();
    let source = error.source().unwrap();
    assert!(matches!(error, NotifyError::Permanent(_)));
    assert!(!format!("{error} {error:?} {source} {source:?}").contains("ada"));

    notification.recipient.email = "ada@example.com".to_owned();
    notification.tokens.clear();
    let error = MemoryMailer::new(composer())
        .send(&notification)
        .await
        .unwrap_err();
    assert!(matches!(error, NotifyError::Permanent(_)));
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_for_later() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mailer = FileMailer::new(composer(), file.path().join("mails"));
    let error = mailer
        .send(&example_notification(NotificationKind::Expired, &["ci"]))
        .await
        .unwrap_err();
    assert!(matches!(error, NotifyError::Temporary(_)));
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

/// The IDs of messages in the text of a template: `t("mail-created-done")`.
fn messages_of(template: &str) -> impl Iterator<Item = &str> {
    let calls = template.split("t(\"").skip(1);
    let ids = calls.filter_map(|call| call.split('"').next());
    ids.filter(|id| id.starts_with(char::is_alphabetic))
}

#[test]
fn templates_use_every_message_of_mails() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    let entries = |folder: &std::path::Path| -> Vec<_> {
        let entries = std::fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    };
    let files = entries(&folder).into_iter().flat_map(|path| {
        if path.is_dir() {
            entries(&path)
        } else {
            vec![path]
        }
    });
    let templates: Vec<_> = files
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    let used: std::collections::BTreeSet<_> = templates
        .iter()
        .flat_map(|template| messages_of(template))
        .collect();
    // Those of the fields of a token.
    let fields = ["mail-never", "mail-no-scopes", "mail-when"];
    let unused: Vec<_> = Messages::ids()
        .filter(|id| id.starts_with("mail-") && !used.contains(id) && !fields.contains(id))
        .collect();
    assert!(unused.is_empty(), "no template uses {unused:?}");
    for id in used {
        assert!(Messages::arguments(id).is_some(), "{id}");
    }
}
