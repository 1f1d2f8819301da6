//! The mails of every kind: in two languages, on every screen, and through a real server.

use std::sync::LazyLock;

use axum::Router;
use axum::extract::Path;
use axum::response::Html;
use axum::routing::get;
use libtest_mimic::Trial;
use mailparse::parse_mail;
use pat_core::messages::Messages;
use pat_core::notification::{Notification, NotificationId, NotificationKind, Notifier as _};
use pat_core::testing::example_notification;
use pat_harness::browser::{Browser, axe_missing};
use pat_harness::mail::Mail;
use pat_harness::postfix::{self, Postfix};
use pat_harness::smtp::Ca;
use pat_harness::{trial, trial_with_need};
use pat_mail::{Composer, SmtpMailer};
use serde_json::Value;

use crate::pages::languages::assert_translated;
use crate::pages::take_picture;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(no_word_of_the_english_mails_is_in_a_german_mail),
        trial_with_need(
            "postfix",
            postfix::missing(),
            every_kind_goes_through_postfix,
        ),
        trial_with_need("axe", axe_missing(), mails_of_every_kind_are_accessible),
    ]
}

const GERMAN: &str = include_str!("../../examples/messages/de.ftl");

/// Building it renders every template in every language.
static COMPOSER: LazyLock<Composer> = LazyLock::new(|| {
    let german = Messages::from_ftl("de", GERMAN).expect("the German messages");
    let arabic = Messages::from_ftl("ar", "mail-greeting = مرحبا { $name }،").expect("messages");
    let builder = Composer::builder("Example <noreply@example.com>")
        .languages([Messages::english(), german, arabic])
        .token_page("/tokens")
        .creation_page("/tokens/new?name={name}")
        .replacement_page("/tokens/{id}/replace");
    builder.build().expect("a composer")
});

fn composer() -> Composer {
    COMPOSER.clone()
}

/// A notification of this kind about tokens with these names, to a recipient with this language.
fn notification(kind: NotificationKind, names: &[&str], language: &str) -> Notification {
    let mut notification = example_notification(kind, names);
    notification.tokens[0].scopes = Some(SCOPES.parse().expect("scopes"));
    notification.recipient.language = Some(language.to_owned());
    // One for each kind, names and language.
    let id = kind.number() * 1_000 + i64::from(language.as_bytes()[0]) * 2;
    let id = NotificationId::new(id + i64::from(names.len() == 1));
    notification.id = id.expect("an ID");
    notification
}

const SCOPES: &str = "read tokens:read";
const ONE: &[&str] = &["ci"];
const SEVERAL: &[&str] = &["ci", "backup of the wiki", "release bot"];

/// The subject, text and HTML of a mail.
fn parts(notification: &Notification) -> [String; 3] {
    let message = composer()
        .compose(notification)
        .expect("a mail")
        .formatted();
    let mail = parse_mail(&message).expect("a mail");
    let body = |part: usize| mail.subparts[part].get_body().expect("a body");
    let subject = composer().text(notification).expect("a text").subject;
    [subject, body(0), body(1)]
}

/// The names of tokens and people are in quotes or isolates in the text.
fn without_data(text: &str) -> String {
    let data = SEVERAL.iter().chain(&[
        "The token was found in a public repository.",
        "read, tokens:read",
        "Ada Lovelace",
        "Grace Hopper",
        "https://example.com/tokens/new?name=ci",
    ]);
    let addresses = [
        "https://example.com/tokens/1/replace",
        "https://example.com/tokens/new",
        "https://example.com/tokens",
    ];
    let texts = data.copied().chain(addresses);
    let text = text
        .replace("&#x2f;", "/")
        .replace("\u{2068}", "")
        .replace("\u{2069}", "");
    texts.fold(text, |text, data| text.replace(data, " "))
}

async fn no_word_of_the_english_mails_is_in_a_german_mail() {
    for kind in NotificationKind::ALL {
        for names in [ONE, SEVERAL] {
            for is_full in [true, false] {
                let [english, german] = ["en", "de"].map(|language| {
                    let mut notification = notification(kind, names, language);
                    if !is_full {
                        (notification.by, notification.reason) = (None, None);
                        notification.recipient.full_name.clear();
                        notification.base_url = None;
                        notification.tokens[0].expires_at = None;
                        notification.tokens[0].scopes = None;
                    }
                    parts(&notification).map(|part| without_data(&part))
                });
                for ((english, german), part) in
                    english.iter().zip(&german).zip(["subject", "text", "html"])
                {
                    assert_translated(&format!("the {part} of {kind}"), english, german);
                }
                assert!(german[2].contains("<html lang=\"de\" dir=\"ltr\">"));
            }
        }
    }
}

async fn every_kind_goes_through_postfix() {
    let ca = Ca::new("localhost");
    let postfix = Postfix::start(&ca).await;
    let url = format!(
        "smtp://localhost:{}?ca={}",
        postfix.starttls_port,
        ca.root()
    );
    let url = url.parse().expect("an SMTP URL");
    let mailer = SmtpMailer::new(composer(), &url).expect("a mailer");
    let mut sent = Vec::new();
    for kind in NotificationKind::ALL {
        for (names, language) in [(ONE, "en"), (SEVERAL, "de")] {
            let notification = notification(kind, names, language);
            mailer.send(&notification).await.expect("it is sent");
            let message = composer()
                .compose(&notification)
                .expect("a mail")
                .formatted();
            sent.push((kind, language, Mail::parse(Value::Null, message)));
        }
    }
    let received = postfix.mails(sent.len()).await;
    for (kind, language, sent) in sent {
        let same = received.iter().filter(|mail| mail.id() == sent.id());
        let [mail] = same.collect::<Vec<_>>()[..] else {
            panic!("{kind} arrives once");
        };
        assert!(
            mail.raw.trim_end().ends_with(sent.raw.trim_end()),
            "{}",
            mail.raw
        );
        assert_eq!(mail.header("Content-Language"), language);
        assert_eq!(mail.header("List-Id"), "<pat-notice.example.com>");
    }
}

/// The HTML of a mail, by the address `/{kind}/{count}/{language}`.
async fn html(
    Path((kind, count, language)): Path<(NotificationKind, usize, String)>,
) -> Html<String> {
    let names = if count == 1 { ONE } else { SEVERAL };
    let [_, _, html] = parts(&notification(kind, names, &language));
    Html(html)
}

/// Wide and narrow, light and dark: nothing sticks out, and axe-core finds nothing. `.ci/screenshots` takes pictures.
async fn mails_of_every_kind_are_accessible() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
        .await
        .expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    let app: Router = Router::new().route("/{kind}/{count}/{language}", get(html));
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    let browser = Browser::start(&base).await;
    let kinds = NotificationKind::ALL.map(|kind| (kind, "en")).into_iter();
    let others = ["de", "ar"].map(|language| (NotificationKind::ExpiresSoon, language));
    for (kind, language) in kinds.chain(others) {
        for count in [ONE.len(), SEVERAL.len()] {
            browser.go(&format!("/{kind}/{count}/{language}")).await;
            for (width, is_dark) in [(640, false), (360, true), (360, false), (640, true)] {
                browser.screen(width, is_dark).await;
                let state = format!("mail {kind} {count} {language}");
                let excess = "return document.documentElement.scrollWidth - window.innerWidth";
                let excess = browser.run(excess).await;
                assert!(
                    excess.as_i64() <= Some(0),
                    "{state} at {width}: {excess} too wide"
                );
                take_picture(&browser, &state, width, is_dark).await;
                // Its rules are about the markup and the colours.
                if is_dark != (width == 360) {
                    continue;
                }
                let found = browser.accessibility().await;
                // A mail has no landmarks: programs show it within a page of theirs.
                let found: Vec<_> = found
                    .iter()
                    .filter(|found| {
                        !found.starts_with("region:") && !found.starts_with("landmark-")
                    })
                    .collect();
                assert!(
                    found.is_empty(),
                    "{state} at {width}, dark: {is_dark}: {found:#?}"
                );
            }
        }
    }
    browser.stop().await;
    server.abort();
}
