//! TLS by each of the libraries, to a server in Python and to Postfix.

use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::Trial;
use pat_harness::mail::Mail;
use pat_harness::names::name_in_case;
use pat_harness::postfix::{self, Postfix};
use pat_harness::smtp::{Ca, Sink, composer};
use pat_harness::{named_trial_with_need, python};
use pat_mail::testing::{NewMailer, TLS_LIBRARIES};
use pat_mail::{MemoryMailer, SmtpMailer};

use super::Host;

pub(super) fn trials() -> Vec<Trial> {
    let python = ("python", python::CLIENTS.missing());
    let postfix = ("postfix", postfix::missing());
    let libraries = TLS_LIBRARIES.iter();
    libraries
        .flat_map(|&library| {
            [
                trial(
                    library,
                    python,
                    starttls_works_with_a_private_root_and_a_login,
                ),
                trial(library, python, smtps_works),
                trial(library, python, an_unknown_root_is_refused),
                trial(library, python, another_servers_certificate_is_refused),
                trial(library, python, a_server_without_starttls_gets_nothing),
                trial(library, python, a_wrong_or_missing_login_is_tried_again),
                trial(library, postfix, postfix_delivers_what_was_sent),
            ]
        })
        .collect()
}

fn trial<F>(
    (library, tls): (&str, NewMailer),
    (need, missing): (&str, Option<&str>),
    test: impl FnOnce(NewMailer) -> F + Send + 'static,
) -> Trial
where
    F: Future<Output = ()>,
{
    let name = name_in_case(&test, library);
    named_trial_with_need(name, need, missing, move || test(tls))
}

fn mailer(tls: NewMailer, url: &str) -> SmtpMailer {
    tls(composer(), &url.parse().expect("an SMTP URL")).expect("a mailer")
}

async fn starttls_works_with_a_private_root_and_a_login(tls: NewMailer) {
    let ca = Ca::new("localhost");
    let sink = Sink::with_tls("starttls", &ca, &["--login", "us@er:pass word"]);
    let url = format!(
        "smtp://us%40er:pass%20word@localhost:{}?tls=starttls&ca={}",
        sink.port,
        ca.root()
    );
    let mail = send_one(tls, &sink, &url).await;
    assert_eq!(mail.envelope["tls"], true);
    assert_eq!(mail.envelope["login"], true);
}

async fn smtps_works(tls: NewMailer) {
    let ca = Ca::new("127.0.0.1");
    let sink = Sink::with_tls("smtps", &ca, &[]);
    let url = format!("smtps://127.0.0.1:{}?ca={}", sink.port, ca.root());
    assert_eq!(send_one(tls, &sink, &url).await.envelope["tls"], true);
}

/// Sends one mail through this URL.
async fn send_one(tls: NewMailer, sink: &Sink, url: &str) -> Mail {
    let host = Host::new(mailer(tls, url)).await;
    host.create("alice", "ci").await;
    host.check_expiry().await;
    assert_eq!(host.deliver().await, 1);
    let mut mails = host.mails(sink);
    assert_eq!(mails.len(), 1);
    mails.remove(0)
}

async fn an_unknown_root_is_refused(tls: NewMailer) {
    let ca = Ca::new("localhost");
    let other = Ca::new("localhost");
    for (mode, scheme, query) in [("starttls", "smtp", "tls=starttls"), ("smtps", "smtps", "")] {
        let sink = Sink::with_tls(mode, &ca, &[]);
        let url = format!("{scheme}://localhost:{}?{query}", sink.port);
        let distrusted = [url.clone(), format!("{url}&ca={}", other.root())];
        let trusted = format!("{url}&ca={}", ca.root());
        assert_refused_until(tls, &sink, &distrusted, &trusted).await;
    }
}

async fn another_servers_certificate_is_refused(tls: NewMailer) {
    let ca = Ca::new("mx.example.net");
    let sink = Sink::with_tls("starttls", &ca, &[]);
    let good_ca = Ca::new("localhost");
    let good = Sink::with_tls("starttls", &good_ca, &[]);
    let url = |port, ca: &Ca| format!("smtp://localhost:{port}?tls=starttls&ca={}", ca.root());
    assert_refused_until(
        tls,
        &good,
        &[url(sink.port, &ca)],
        &url(good.port, &good_ca),
    )
    .await;
    assert_eq!(sink.count(), 0);
}

async fn a_server_without_starttls_gets_nothing(tls: NewMailer) {
    let sink = Sink::start();
    let url = format!("smtp://us:secret@127.0.0.1:{}?tls=", sink.port);
    let plain = format!("smtp://127.0.0.1:{}?tls=none", sink.port);
    assert_refused_until(tls, &sink, &[format!("{url}starttls")], &plain).await;
}

async fn a_wrong_or_missing_login_is_tried_again(tls: NewMailer) {
    let ca = Ca::new("localhost");
    let sink = Sink::with_tls("starttls", &ca, &["--login", "user:right"]);
    let url = |login| {
        let (port, root) = (sink.port, ca.root());
        format!("smtp://{login}localhost:{port}?ca={root}")
    };
    let wrong = ["user:wrong@", "resu:right@", ""].map(url);
    assert_refused_until(tls, &sink, &wrong, &url("user:right@")).await;
}

/// With each of these URLs nothing is sent and nothing is given up; then one works.
async fn assert_refused_until(tls: NewMailer, sink: &Sink, refused: &[String], works: &str) {
    let mut host = Host::new(mailer(tls, &refused[0])).await;
    host.create("alice", "ci").await;
    host.check_expiry().await;
    for url in refused {
        host = host.restart(mailer(tls, url)).await;
        assert_eq!(host.deliver_later().await, 0, "{url}");
        assert_eq!(host.outbox().await, (1, 0), "{url}");
        assert_eq!(sink.count(), 0, "{url}");
    }
    host = host.restart(mailer(tls, works)).await;
    host.clock.advance(Duration::from_hours(1));
    assert_eq!(host.deliver().await, 1);
    assert_eq!(host.mails(sink).len(), 1);
}

/// What is in the mailbox is what was sent, byte for byte, but for what servers add on top.
async fn postfix_delivers_what_was_sent(tls: NewMailer) {
    let ca = Ca::new("localhost");
    let postfix = Postfix::start(&ca).await;
    for (count, url) in [
        (1, format!("smtp://localhost:{}?", postfix.starttls_port)),
        (2, format!("smtps://localhost:{}?", postfix.smtps_port)),
    ] {
        let smtp = mailer(tls, &format!("{url}ca={}", ca.root()));
        let memory = MemoryMailer::new(composer());
        let both = memory.clone();
        let host =
            Host::with(|builder| builder.notifier(Arc::new(smtp)).notifier(Arc::new(both))).await;
        host.create("alice", &".".repeat(200)).await;
        host.check_expiry().await;
        assert_eq!(host.deliver().await, 1);
        let mails = postfix.mails(count).await;
        host.assert_no_secret(&mails);
        let sent = memory.messages().remove(0);
        let sent = String::from_utf8(sent).expect("a mail in ASCII");
        // An empty line may come to its end on the way.
        let is_sent = |mail: &&Mail| mail.raw.trim_end().ends_with(sent.trim_end());
        assert_eq!(mails.iter().filter(is_sent).count(), 1, "{sent}");
    }
}
