//! What the mails of each kind say.

use mailparse::parse_mail;
use pat_core::notification::NotificationKind;
use pat_core::scope::Scopes;
use pat_core::testing::example_notification;
use pat_mail::Composer;

use super::{assert_sound, compose, header, html, text};

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
