//! Notifications by mail, through real mail servers: one that fails as it is told to (`smtp/sink.py`), and
//! Postfix.

mod contents;
mod failures;
mod kills;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use libtest_mimic::Trial;
use pat_core::notification::Notifier;
use pat_core::store::TokenStore;
use pat_core::store::{Job, Outbox};
use pat_core::testing::{TestClock, TestDirectory};
use pat_core::{Caller, JobRun, Owner, Pats, PatsBuilder, Settings, Token, TokenRequest};
use pat_harness::mail::Mail;
use pat_harness::postfix::{self, Postfix};
use pat_harness::smtp::{Ca, Sink, composer, mailer};
use pat_harness::{python, trial_with_need};
use pat_mail::MemoryMailer;
use pat_sqlx::SqliteStore;
use serde_json::json;
use tempfile::TempDir;

pub(crate) use self::kills::{AS_MAILER, deliver_as_process};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial(plain_smtp_works_on_loopback),
        trial(starttls_works_with_a_private_root_and_a_login),
        trial(smtps_works),
        trial(an_unknown_root_is_refused),
        trial(another_servers_certificate_is_refused),
        trial(a_server_without_starttls_gets_nothing),
        trial(a_wrong_or_missing_login_is_tried_again),
        trial_with_need(
            "postfix",
            postfix::missing(),
            postfix_delivers_what_was_sent,
        ),
    ];
    trials.extend(failures::trials());
    trials.extend(contents::trials());
    trials.extend(kills::trials());
    trials
}

/// A test with a server in Python.
fn trial<F>(test: impl FnOnce() -> F + Send + 'static) -> Trial
where
    F: Future<Output = ()>,
{
    trial_with_need("python", python::missing(), test)
}

/// A service on a SQLite file, whose notifications go by mail.
struct Host {
    pats: Pats,
    clock: Arc<TestClock>,
    users: TestDirectory,
    folder: TempDir,
    /// The plain tokens, which no mail may hold.
    secrets: Mutex<Vec<String>>,
}

impl Host {
    async fn new(mailer: impl Notifier) -> Self {
        Self::with(|builder| builder.notifier(Arc::new(mailer))).await
    }

    async fn with(plug_in: impl FnOnce(PatsBuilder) -> PatsBuilder) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (clock, users) = (Arc::default(), TestDirectory::default());
        let store = open(&folder).await;
        Self {
            pats: pats(Arc::new(store), &clock, &users, plug_in),
            clock,
            users,
            folder,
            secrets: Mutex::default(),
        }
    }

    /// The same host, started again with another mailer.
    async fn restart(self, mailer: impl Notifier) -> Self {
        let store = open(&self.folder).await;
        let pats = pats(Arc::new(store), &self.clock, &self.users, |it| {
            it.notifier(Arc::new(mailer))
        });
        Self { pats, ..self }
    }

    /// A token that expires in 30 days.
    async fn create(&self, owner: &str, name: &str) -> Token {
        let request = TokenRequest::new(name.to_owned(), Some(30));
        let caller = Caller::header_authenticated(self.users.add(owner));
        let created = self.pats.create(&caller, request).await.expect("create");
        let secret = created.plain.expose().to_owned();
        let secrets = self.secrets.lock();
        secrets.unwrap_or_else(PoisonError::into_inner).push(secret);
        created.token
    }

    /// The next check of expiry queues what is due, after 26 days the first time.
    async fn check_expiry(&self) {
        self.clock.advance(Duration::from_hours(26 * 24));
        let run = self.pats.run_if_due(Job::ExpiryCheck).await;
        assert_eq!(run.expect("a check"), JobRun::Done);
    }

    /// Tries what is due now; how many were sent.
    async fn deliver(&self) -> u64 {
        self.pats.deliver_notifications().await.expect("a delivery")
    }

    /// Tries again after the first pause, or after a claim has run out.
    async fn deliver_later(&self) -> u64 {
        self.clock.advance(Duration::from_mins(6));
        self.deliver().await
    }

    /// How many notifications wait, and how many are dead.
    async fn outbox(&self) -> (u64, u64) {
        let Outbox { pending, dead, .. } = self.pats.outbox().await.expect("the outbox");
        (pending, dead)
    }

    /// What a server has, without any secret of this host.
    fn mails(&self, sink: &Sink) -> Vec<Mail> {
        let mails = sink.mails();
        self.assert_no_secret(&mails);
        mails
    }

    fn assert_no_secret(&self, mails: &[Mail]) {
        let secrets = self.secrets.lock();
        for secret in &*secrets.unwrap_or_else(PoisonError::into_inner) {
            assert!(mails.iter().all(|mail| !mail.contains(secret)));
        }
    }
}

async fn open(folder: &TempDir) -> SqliteStore {
    let store = SqliteStore::open(folder.path().join("pat.db")).await;
    store.expect("a store")
}

fn pats(
    store: Arc<dyn TokenStore>,
    clock: &Arc<TestClock>,
    users: &TestDirectory,
    plug_in: impl FnOnce(PatsBuilder) -> PatsBuilder,
) -> Pats {
    let settings = Settings::builder()
        .token_name_length(255)
        .max_tokens_per_user(1_000)
        .base_url("https://example.net");
    let builder = Pats::builder(store)
        .settings(settings.build().expect("settings"))
        .users(Arc::new(users.clone()))
        .clock(clock.clone());
    plug_in(builder).build()
}

fn owner(key: &str) -> Owner {
    Owner::new(key).expect("an owner's key")
}

async fn plain_smtp_works_on_loopback() {
    let sink = Sink::start();
    let host = Host::new(sink.mailer()).await;
    let token = host.create("alice", "nightly build").await;
    host.check_expiry().await;
    assert_eq!(host.deliver().await, 1);
    assert_eq!(host.outbox().await, (0, 0));
    assert_eq!(host.deliver_later().await, 0, "it is sent once");
    let [mail] = &host.mails(&sink)[..] else {
        panic!("one mail")
    };
    assert_eq!(mail.envelope["from"], "noreply@example.net");
    assert_eq!(mail.envelope["to"], json!(["alice@example.com"]));
    assert_eq!(mail.envelope["tls"], false);
    assert_eq!(mail.header("From"), "\"Example\" <noreply@example.net>");
    assert_eq!(
        mail.header("To").replace('"', ""),
        "alice the tester <alice@example.com>"
    );
    assert!(mail.subject.contains("nightly build"), "{}", mail.subject);
    let expires_at = token.expires_at.expect("a date");
    let date = expires_at.strftime("%-d %B %Y, %H:%M UTC").to_string();
    assert!(mail.text.contains(&date), "{}", mail.text);
    assert!(mail.text.contains("https://example.net"), "{}", mail.text);
}

async fn starttls_works_with_a_private_root_and_a_login() {
    let ca = Ca::new("localhost");
    let sink = Sink::with_tls("starttls", &ca, &["--login", "us@er:pass word"]);
    let url = format!(
        "smtp://us%40er:pass%20word@localhost:{}?tls=starttls&ca={}",
        sink.port,
        ca.root()
    );
    let mail = send_one(&sink, &url).await;
    assert_eq!(mail.envelope["tls"], true);
    assert_eq!(mail.envelope["login"], true);
}

async fn smtps_works() {
    let ca = Ca::new("127.0.0.1");
    let sink = Sink::with_tls("smtps", &ca, &[]);
    let url = format!("smtps://127.0.0.1:{}?ca={}", sink.port, ca.root());
    assert_eq!(send_one(&sink, &url).await.envelope["tls"], true);
}

/// Sends one mail through this URL.
async fn send_one(sink: &Sink, url: &str) -> Mail {
    let host = Host::new(mailer(url)).await;
    host.create("alice", "ci").await;
    host.check_expiry().await;
    assert_eq!(host.deliver().await, 1);
    let mut mails = host.mails(sink);
    assert_eq!(mails.len(), 1);
    mails.remove(0)
}

async fn an_unknown_root_is_refused() {
    let ca = Ca::new("localhost");
    let other = Ca::new("localhost");
    for (tls, scheme, query) in [("starttls", "smtp", "tls=starttls"), ("smtps", "smtps", "")] {
        let sink = Sink::with_tls(tls, &ca, &[]);
        let url = format!("{scheme}://localhost:{}?{query}", sink.port);
        let distrusted = [url.clone(), format!("{url}&ca={}", other.root())];
        let trusted = format!("{url}&ca={}", ca.root());
        assert_refused_until(&sink, &distrusted, &trusted).await;
    }
}

async fn another_servers_certificate_is_refused() {
    let ca = Ca::new("mx.example.net");
    let sink = Sink::with_tls("starttls", &ca, &[]);
    let good_ca = Ca::new("localhost");
    let good = Sink::with_tls("starttls", &good_ca, &[]);
    let url = |port, ca: &Ca| format!("smtp://localhost:{port}?tls=starttls&ca={}", ca.root());
    assert_refused_until(&good, &[url(sink.port, &ca)], &url(good.port, &good_ca)).await;
    assert_eq!(sink.count(), 0);
}

async fn a_server_without_starttls_gets_nothing() {
    let sink = Sink::start();
    let url = format!("smtp://us:secret@127.0.0.1:{}?tls=", sink.port);
    let plain = format!("smtp://127.0.0.1:{}?tls=none", sink.port);
    assert_refused_until(&sink, &[format!("{url}starttls")], &plain).await;
}

async fn a_wrong_or_missing_login_is_tried_again() {
    let ca = Ca::new("localhost");
    let sink = Sink::with_tls("starttls", &ca, &["--login", "user:right"]);
    let url = |login| {
        let (port, root) = (sink.port, ca.root());
        format!("smtp://{login}localhost:{port}?ca={root}")
    };
    let wrong = ["user:wrong@", "resu:right@", ""].map(url);
    assert_refused_until(&sink, &wrong, &url("user:right@")).await;
}

/// With each of these URLs nothing is sent and nothing is given up; then one works.
async fn assert_refused_until(sink: &Sink, refused: &[String], works: &str) {
    let mut host = Host::new(mailer(&refused[0])).await;
    host.create("alice", "ci").await;
    host.check_expiry().await;
    for url in refused {
        host = host.restart(mailer(url)).await;
        assert_eq!(host.deliver_later().await, 0, "{url}");
        assert_eq!(host.outbox().await, (1, 0), "{url}");
        assert_eq!(sink.count(), 0, "{url}");
    }
    host = host.restart(mailer(works)).await;
    host.clock.advance(Duration::from_hours(1));
    assert_eq!(host.deliver().await, 1);
    assert_eq!(host.mails(sink).len(), 1);
}

/// What is in the mailbox is what was sent, byte for byte, but for what servers add on top.
async fn postfix_delivers_what_was_sent() {
    let ca = Ca::new("localhost");
    let postfix = Postfix::start(&ca).await;
    for (count, url) in [
        (1, format!("smtp://localhost:{}?", postfix.starttls_port)),
        (2, format!("smtps://localhost:{}?", postfix.smtps_port)),
    ] {
        let smtp = mailer(&format!("{url}ca={}", ca.root()));
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
