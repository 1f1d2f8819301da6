//! What arrives, whatever people call their tokens.

use jiff::SignedDuration;
use libtest_mimic::Trial;
use pat_core::store::{Insertion, NewToken, TokenStore as _};
use pat_core::{Caller, Clock as _, TokenDigest, TokenId};
use pat_harness::mail::Mail;
use pat_harness::smtp::Sink;

use super::{Host, open, trial};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(names_arrive_complete_and_escaped),
        trial(control_characters_in_names_inject_nothing),
        trial(tokens_that_fall_due_together_share_a_mail),
        trial(a_retry_omits_only_revoked_tokens),
        trial(an_administrators_revocation_is_mailed),
    ]
}

/// Names that users may choose.
const NAMES: [&str; 16] = [
    ".",
    "..",
    "a . b .",
    "<script>alert(1)</script>",
    "</bdi><img src=x onerror=alert(1)>",
    "\"quoted\" 'single' & more",
    "{{ product }} {% raw %}",
    "=?utf-8?B?QmNjOiBldmVAZXhhbXBsZS5jb20=?=",
    "=?utf-8?Q?=0D=0ABcc:_eve@example.com?=",
    "Bcc: eve@example.com",
    "--=_pat-notice",
    "=0D=0A.=0D=0A",
    "🎉👩\u{200D}💻 emoji",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 \u{10FFFD}",
    "עברית and العربية",
    "trailing space ",
];

async fn names_arrive_complete_and_escaped() {
    let sink = Sink::start();
    let host = Host::new(sink.mailer()).await;
    let long = [
        ".".repeat(255),
        "é".repeat(255),
        "🎉".repeat(255),
        "w ".repeat(127),
    ];
    let names: Vec<_> = NAMES.iter().map(ToString::to_string).chain(long).collect();
    for (number, name) in names.iter().enumerate() {
        host.create(&format!("user-{number}"), name).await;
    }
    host.check_expiry().await;
    assert_eq!(host.deliver().await, names.len() as u64);
    let mails = host.mails(&sink);
    for (number, name) in names.iter().enumerate() {
        let to = format!("user-{number}@example.com");
        let mail = mails.iter().find(|mail| mail.envelope["to"][0] == *to);
        assert_tells_of(mail.expect("a mail"), name);
    }
}

/// No way of creating a token takes such a name; a store may have it all the same.
async fn control_characters_in_names_inject_nothing() {
    let sink = Sink::start();
    let host = Host::new(sink.mailer()).await;
    let names = [
        "a\r\nBcc: eve@example.com\r\n\r\n.\r\nQUIT\r\n",
        "\r\n.\r\n",
        "lone\rreturn",
        "lone\nfeed",
        "\u{1}heading \u{1B}[31mred \u{7F} \u{85} \t tab",
    ];
    let store = open(&host.folder).await;
    for (number, name) in (1..).zip(names) {
        let mut token = NewToken::new(
            TokenId::new(number).expect("an id"),
            TokenDigest::of(name.as_bytes()),
            host.users.add(&format!("user-{number}")),
            name.to_owned(),
            host.clock.wall(),
        );
        token.expires_at = Some(host.clock.wall() + SignedDuration::from_hours(30 * 24));
        token.max_rows = 10_000;
        let insertion = store.insert(&token, 1).await.expect("insert");
        assert!(matches!(insertion, Insertion::Stored(_)), "{insertion:?}");
    }
    host.check_expiry().await;
    assert_eq!(host.deliver().await, names.len() as u64);
    let mails = host.mails(&sink);
    assert_eq!(mails.len(), names.len());
    for (number, name) in (1..).zip(names) {
        let to = format!("user-{number}@example.com");
        let mail = mails.iter().find(|mail| mail.envelope["to"][0] == *to);
        let mail = mail.expect("a mail");
        assert_eq!(mail.envelope["to"].as_array().map(Vec::len), Some(1));
        assert_tells_of(mail, name);
    }
}

/// Subject, text and HTML show the name. Each control character is a space in them, and what turns
/// the reading direction is gone.
fn assert_tells_of(mail: &Mail, name: &str) {
    let turns = |c: &char| matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let name = name.chars().filter(|c| !turns(c));
    let name: String = name.map(|c| if breaks(c) { ' ' } else { c }).collect();
    let quoted = squeeze(&format!("“{name}”"));
    assert!(
        squeeze(&mail.subject).contains(&quoted),
        "{:?}",
        mail.subject
    );
    let isolated = squeeze(&format!("“\u{2068}{name}\u{2069}”"));
    assert!(squeeze(&mail.text).contains(&isolated), "{:?}", mail.text);
    let html = squeeze(&format!("<bdi>{}</bdi>", escape(&name)));
    assert!(
        squeeze(&mail.html).contains(&html),
        "{html:?} {}",
        mail.html
    );
}

/// Without spaces, which wrapping may turn into line breaks.
fn squeeze(text: &str) -> String {
    text.split_whitespace().collect()
}

fn escape(text: &str) -> String {
    let escapes = [
        ("&", "&amp;"),
        ("<", "&lt;"),
        (">", "&gt;"),
        ("\"", "&quot;"),
    ];
    let more = [("'", "&#x27;"), ("/", "&#x2f;")];
    let escapes = escapes.into_iter().chain(more);
    escapes.fold(text.to_owned(), |text, (c, escape)| text.replace(c, escape))
}

async fn tokens_that_fall_due_together_share_a_mail() {
    let sink = Sink::start();
    let host = Host::new(sink.mailer()).await;
    let names = ["first", "second", "third"];
    for name in names {
        host.create("alice", name).await;
    }
    host.create("bob", "his").await;
    host.check_expiry().await;
    assert_eq!(host.deliver().await, 2);
    let mails = host.mails(&sink);
    let told: Vec<_> = mails.iter().map(|mail| told_of(mail, &names)).collect();
    assert!(told.contains(&names.to_vec()), "{told:?}");
    assert!(told.contains(&vec![]), "{told:?}");
}

async fn a_retry_omits_only_revoked_tokens() {
    let sink = Sink::start();
    let host = Host::new(sink.mailer()).await;
    let revoked = host.create("alice", "revoked").await;
    host.create("alice", "kept").await;
    host.check_expiry().await;
    sink.fail("rcpt 450 4.2.0 Busy");
    assert_eq!(host.deliver().await, 0);

    let alice = Caller::header_authenticated(revoked.owner);
    host.pats.revoke(&alice, revoked.id).await.expect("revoke");
    sink.work();
    assert_eq!(host.deliver_later().await, 1);
    let [mail] = &host.mails(&sink)[..] else {
        panic!("one mail")
    };
    assert_eq!(told_of(mail, &["revoked", "kept"]), ["kept"]);

    // A notification that waits takes in no token that falls due later.
    host.create("alice", "early").await;
    host.check_expiry().await;
    sink.fail("rcpt 450 4.2.0 Busy");
    assert_eq!(host.deliver().await, 0);
    host.create("alice", "late").await;
    host.check_expiry().await;
    sink.work();
    host.deliver_later().await;
    let names = ["early", "late"];
    let mails = host.mails(&sink);
    let told = mails.iter().map(|mail| told_of(mail, &names));
    let mut told: Vec<_> = told.filter(|told| !told.is_empty()).collect();
    told.sort_unstable();
    assert_eq!(told, [["early"], ["late"]]);
}

/// Which of these tokens a mail names.
fn told_of<'a>(mail: &Mail, names: &[&'a str]) -> Vec<&'a str> {
    let stands = |name: &&&str| mail.text.contains(&format!("\u{2068}{name}\u{2069}"));
    names.iter().filter(stands).copied().collect()
}

async fn an_administrators_revocation_is_mailed() {
    let sink = Sink::start();
    let host = Host::new(sink.mailer()).await;
    let token = host.create("alice", "ci").await;
    let root = Caller::header_authenticated(host.users.add_administrator("root"));
    host.pats.revoke(&root, token.id).await.expect("revoke");
    assert_eq!(host.deliver().await, 1);
    let [mail] = &host.mails(&sink)[..] else {
        panic!("one mail")
    };
    assert_eq!(mail.envelope["to"][0], "alice@example.com");
    assert_eq!(told_of(mail, &["ci"]), ["ci"]);
    assert!(mail.text.contains("root the tester"), "{}", mail.text);
}
