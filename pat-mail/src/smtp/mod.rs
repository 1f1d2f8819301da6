//! The mailer that sends through an SMTP server.

mod connection;
mod conversation;
mod ehlo;
pub(crate) mod error;
pub(crate) mod reply;
mod reply_stream;
#[cfg(test)]
mod scripted_server;
#[cfg(feature = "testing")]
pub mod testing;
mod tls;
pub(crate) mod url;

use std::time::Duration;

use async_trait::async_trait;
use pat_core::notification::{Notification, Notifier, NotifyError};
use tokio::time::timeout;

use self::connection::{Connections, Server, quit};
use self::error::SmtpError;
use self::url::SmtpUrl;
use crate::message::{Composer, Mail};

/// A notifier that sends mails through an SMTP server.
///
/// The [URL](crate#the-smtp-url) alone decides whether the mailer uses TLS, not what the server offers: with
/// `tls=starttls`, the mailer sends neither the login nor the message to a server that does not offer STARTTLS.
///
/// A connection that has sent a mail stays open while other mails are being sent, for one of them to reuse. At
/// most four such connections are idle at a time; when no mail is being sent, the mailer closes them all.
#[derive(Debug)]
pub struct SmtpMailer {
    composer: Composer,
    connections: Connections,
    timeout: Duration,
}

impl SmtpMailer {
    /// Creates a mailer for the server of this URL. Reads the trusted root certificates, and does not
    /// connect yet.
    ///
    /// ```
    /// use pat_mail::{Composer, SmtpMailer};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let composer = Composer::builder("Example <noreply@example.com>").build()?;
    /// let url = "smtps://user:password@mail.example.com".parse()?;
    /// let mailer = SmtpMailer::new(composer, &url)?;
    /// # drop(mailer);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// - [`SmtpError::UnreadableCa`] if the file in `ca` of the URL cannot be read.
    /// - [`SmtpError::InvalidCa`] if that file contains no PEM certificate, or one that cannot be parsed.
    /// - [`SmtpError::NoTlsLibrary`] if the URL requires TLS, and no enabled feature brings it.
    /// - [`SmtpError::Tls`] if TLS cannot be set up.
    pub fn new(composer: Composer, url: &SmtpUrl) -> Result<Self, SmtpError> {
        Self::with_tls(composer, url, tls::set_up)
    }

    fn with_tls(composer: Composer, url: &SmtpUrl, tls: tls::SetUp) -> Result<Self, SmtpError> {
        Ok(Self {
            composer,
            connections: Connections::new(Server::new(url, tls)?),
            timeout: url.timeout,
        })
    }

    /// Checks, for start-up diagnostics, that the server can be used: connects, sets up TLS and logs in,
    /// and sends no message. A host should start even if the check fails, because the cause may be a
    /// short outage.
    ///
    /// # Errors
    /// Any [`SmtpError`] that prevents the connection or the login. [`SmtpError::Rejected`] and
    /// [`SmtpError::AddressNotAscii`] cannot occur, because they concern a message.
    pub async fn check(&self) -> Result<(), SmtpError> {
        let check = async {
            let guard = self.connections.guard();
            let connection = guard.take().await?;
            guard.give_back(connection);
            Ok(())
        };
        self.in_time(check).await
    }

    async fn deliver(&self, mail: &Mail) -> Result<(), SmtpError> {
        let guard = self.connections.guard();
        let mut connection = guard.take().await?;
        let sent = conversation::send(&mut connection, mail).await;
        match &sent {
            Ok(()) | Err(SmtpError::AddressNotAscii | SmtpError::SenderNotAscii) => {
                guard.give_back(connection);
            }
            Err(SmtpError::Rejected(_)) => quit(vec![connection]),
            Err(_) => {}
        }
        sent
    }

    /// Limits the time of a task: the client of `lettre` limits only the connect.
    async fn in_time<T>(
        &self,
        task: impl Future<Output = Result<T, SmtpError>>,
    ) -> Result<T, SmtpError> {
        match timeout(self.timeout, task).await {
            Ok(result) => result,
            Err(_) => Err(SmtpError::TimedOut(self.timeout)),
        }
    }
}

#[async_trait]
impl Notifier for SmtpMailer {
    fn name(&self) -> &'static str {
        "smtp"
    }

    async fn send(&self, notification: &Notification) -> Result<(), NotifyError> {
        let mail = self.composer.compose(notification)?;
        Ok(self.in_time(self.deliver(&mail)).await?)
    }

    /// Checks the server like [`SmtpMailer::check`].
    async fn diagnose(&self) -> Result<Option<String>, NotifyError> {
        self.check().await?;
        Ok(Some(self.connections.describe()))
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use pat_core::notification::NotificationKind;
    use pat_core::testing::example_notification;

    use super::scripted_server::Script;
    use super::*;

    fn notification(email: &str) -> Notification {
        let mut notification = example_notification(NotificationKind::Created, &["."]);
        email.clone_into(&mut notification.recipient.email);
        notification
    }

    #[cfg(not(any(feature = "aws-lc-rs", feature = "ring", feature = "native-tls")))]
    #[test]
    fn without_a_library_a_url_with_tls_is_refused_at_once() {
        for (url, works) in [
            ("smtps://mail.example.com", false),
            ("smtp://localhost", true),
        ] {
            let composer = Composer::builder("noreply@example.com").build().unwrap();
            match SmtpMailer::new(composer, &url.parse().unwrap()) {
                Ok(_) => assert!(works, "{url}"),
                Err(error) => assert!(!works && matches!(error, SmtpError::NoTlsLibrary)),
            }
        }
    }

    #[tokio::test]
    async fn only_a_refusal_of_the_message_is_final() {
        for (answer, is_final) in [
            (("CONNECT", "554 not you"), false),
            (("CONNECT", "what?"), false),
            (("EHLO", "550 not you"), false),
            (("EHLO", "250 no login here"), false),
            (("AUTH", "535 5.7.8 bad login for user"), false),
            (("AUTH", "454 later"), false),
            (("MAIL", "451 later"), false),
            (("MAIL", "530 log in first"), false),
            (("RCPT", "450 busy"), false),
            (("RCPT", "550 5.1.1 <ada@example.com> unknown"), true),
            (("RCPT", "553 bad"), true),
            (("DATA", "421 bye"), false),
            (("END", "452 full"), false),
            (("END", "554 spam"), true),
        ] {
            let script = Script::new(Box::leak(Box::new([answer])));
            let mailer = script.start("").await;
            let error = mailer
                .send(&notification("ada@example.com"))
                .await
                .unwrap_err();
            assert_eq!(
                matches!(error, NotifyError::Permanent(_)),
                is_final,
                "{answer:?}: {error:?}"
            );
            let cause = error.source().unwrap();
            let shown = format!("{error:?} {cause}");
            assert!(
                !shown.contains("ada@") && !shown.contains("user"),
                "{shown}"
            );
        }
    }

    /// The scripted server sends Latin-1.
    #[tokio::test]
    async fn the_code_of_a_reply_decides_whatever_its_text() {
        let long = Box::leak(format!("250 {}", "x".repeat(3_000)).into_boxed_str());
        for (answer, is_sent) in [
            (("CONNECT", "220 Grüezi"), true),
            (("EHLO", "250-hiér\r\n250 AUTH PLAIN"), true),
            (("EHLO", "250-\r\n250 AUTH PLAIN"), true),
            (("EHLO", "250-here\r\n250 auth plain"), true),
            (("AUTH", "235 angemeldet für user"), true),
            (("RCPT", "250 Empfänger ok"), true),
            (("DATA", "354 los gehts, müde"), true),
            (("END", "250 angenommen für Zustellung"), true),
            (("END", "250"), true),
            (("END", &*long), true),
            (("RCPT", "550 Empfänger unbekannt"), false),
            (("RCPT", "550"), false),
            (("END", "554-Müll\r\n554 Spam\u{ff}"), false),
        ] {
            let script = Script::new(Box::leak(Box::new([answer])));
            let mailer = script.start("").await;
            let sent = mailer.send(&notification("ada@example.com")).await;
            let is_final = matches!(sent, Err(NotifyError::Permanent(_)));
            assert_eq!(
                (sent.is_ok(), is_final),
                (is_sent, !is_sent),
                "{answer:?}: {sent:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_reply_that_the_command_cannot_have_sends_nothing() {
        for answer in [
            ("AUTH", "334 "),
            ("AUTH", "354 go on"),
            ("MAIL", "354 go on"),
            ("RCPT", "354 go on"),
            ("DATA", "250 fine"),
            ("END", "354 go on"),
        ] {
            let script = Script::new(Box::leak(Box::new([answer])));
            let mut mailer = script.start("").await;
            mailer.timeout = Duration::from_secs(2);
            let mail = notification("ada@example.com");
            let mail = mailer.composer.compose(&mail).unwrap();
            let error = mailer.in_time(mailer.deliver(&mail)).await.unwrap_err();
            assert!(
                matches!(error, SmtpError::Protocol),
                "{answer:?}: {error:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_refusal_counts_though_the_server_says_no_farewell() {
        let script = Script::new(&[("RCPT", "550 no"), ("QUIT", "")]);
        let mut mailer = script.start("").await;
        mailer.timeout = Duration::from_millis(500);
        let error = mailer.send(&notification("ada@example.com")).await;
        assert!(matches!(error, Err(NotifyError::Permanent(_))), "{error:?}");
    }

    #[tokio::test]
    async fn a_server_that_hangs_up_is_a_broken_connection() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("smtp://{}?tls=none", listener.local_addr().unwrap());
        tokio::spawn(async move { while listener.accept().await.is_ok() {} });
        let composer = Composer::builder("noreply@example.com").build().unwrap();
        let mailer = SmtpMailer::new(composer, &url.parse().unwrap()).unwrap();
        let error = mailer.check().await.unwrap_err();
        assert!(matches!(error, SmtpError::Connection(_)), "{error:?}");
    }

    #[tokio::test]
    async fn the_server_is_greeted_by_the_given_name() {
        for (url, name) in [
            ("?ehlo=app.example.com", "app.example.com"),
            ("?ehlo=[192.0.2.1]", "[192.0.2.1]"),
        ] {
            let script = Script::default();
            script.start(url).await.check().await.unwrap();
            assert_eq!(script.times(&format!("EHLO {name}")), 1, "{url}");
        }
        let script = Script::default();
        script.start("").await.check().await.unwrap();
        let is_full = |command: &str| command.starts_with("EHLO [") || command.contains('.');
        assert!(script.heard("EHLO").iter().all(|command| is_full(command)));
    }

    #[tokio::test]
    async fn without_starttls_nothing_is_sent() {
        let script = Script::default();
        let mailer = script.start("?tls=starttls").await;
        let error = mailer.check().await.unwrap_err();
        assert!(matches!(error, SmtpError::NoStartTls), "{error:?}");
        assert!(mailer.send(&notification("ada@example.com")).await.is_err());
        assert_eq!(script.times("AUTH") + script.times("MAIL"), 0);
    }

    #[tokio::test]
    async fn a_batch_shares_a_connection_and_then_closes_it() {
        let script = Script::default();
        let mailer = script.start("").await;
        let batch = mailer.connections.guard();
        for _ in 0..3 {
            mailer.send(&notification("ada@example.com")).await.unwrap();
        }
        assert_eq!((script.times("CONNECT"), script.times("END")), (1, 3));
        assert_eq!(script.times("QUIT"), 0);
        drop(batch);
        while script.times("QUIT") == 0 {
            tokio::task::yield_now().await;
        }
        mailer.check().await.unwrap();
        assert_eq!(script.times("CONNECT"), 2);
    }

    #[tokio::test]
    async fn a_connection_that_timed_out_is_not_used_again() {
        let script = Script::new(&[("RCPT TO:<slow@", "")]);
        let mut mailer = script.start("").await;
        mailer.timeout = Duration::from_millis(500);
        let _batch = mailer.connections.guard();
        let error = mailer
            .send(&notification("slow@example.com"))
            .await
            .unwrap_err();
        assert!(matches!(error, NotifyError::Temporary(_)));
        mailer.send(&notification("ada@example.com")).await.unwrap();
        assert_eq!(script.times("CONNECT"), 2);
    }

    #[tokio::test]
    async fn an_address_that_is_not_ascii_needs_a_server_that_takes_it() {
        let plain = Script::default().start("").await;
        let error = plain
            .send(&notification("üser@example.com"))
            .await
            .unwrap_err();
        assert!(matches!(error, NotifyError::Permanent(_)));
        let sender = Composer::builder("üser@example.com").build().unwrap();
        let sender = SmtpMailer {
            composer: sender,
            ..Script::default().start("").await
        };
        let error = sender.send(&notification("ada@example.com")).await;
        assert!(matches!(error, Err(NotifyError::Temporary(_))), "{error:?}");
        assert!(
            error
                .unwrap_err()
                .source()
                .unwrap()
                .to_string()
                .contains("sender")
        );
        let modern = Script::new(&[(
            "EHLO",
            "250-here\r\n250-SMTPUTF8\r\n250-8BITMIME\r\n250 AUTH PLAIN",
        )]);
        modern
            .start("")
            .await
            .send(&notification("üser@example.com"))
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn the_login_is_never_shown() {
        let mailer = Script::default().start("").await;
        assert!(!format!("{mailer:?} {mailer:#?}").contains("secret"));
        let missing = "smtps://user:secret@localhost?ca=/nowhere.pem"
            .parse()
            .unwrap();
        let composer = Composer::builder("noreply@example.com").build().unwrap();
        let error = SmtpMailer::new(composer, &missing).unwrap_err();
        assert!(matches!(error, SmtpError::UnreadableCa { .. }));
    }
}
