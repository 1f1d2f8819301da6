//! Notifications by mail, through real mail servers: one that fails as it is told to (`smtp/sink.py`), and
//! Postfix.

mod contents;
mod failures;
mod kills;
mod tls;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use libtest_mimic::Trial;
use pat_core::notification::Notifier;
use pat_core::store::TokenStore;
use pat_core::store::{Job, Outbox};
use pat_core::testing::{TestClock, TestDirectory};
use pat_core::{Caller, JobRun, Owner, Pats, PatsBuilder, Settings, Token, TokenRequest};
use pat_harness::mail::Mail;
use pat_harness::smtp::{Sink, mailer};
use pat_harness::{python, trial_with_need};
use pat_sqlx::SqliteStore;
use serde_json::json;
use tempfile::TempDir;

pub(crate) use self::kills::{AS_MAILER, deliver_as_process};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![trial(plain_smtp_works_on_loopback)];
    trials.extend(failures::trials());
    trials.extend(contents::trials());
    trials.extend(kills::trials());
    trials.extend(tls::trials());
    trials
}

/// A test with a server in Python.
fn trial<F>(test: impl FnOnce() -> F + Send + 'static) -> Trial
where
    F: Future<Output = ()>,
{
    trial_with_need("python", python::CLIENTS.missing(), test)
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
