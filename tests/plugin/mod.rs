//! Implementations of the ports outside of `pat-core`: the examples, and what hosts write.

mod directory;
mod file_store;
mod webhook;

use std::sync::Arc;

use libtest_mimic::Trial;
use pat_core::format::{AtlassianFormat, RandomnessError, TokenFormat};
use pat_core::testing::{
    DirectoryUsers, TestDirectory, check_allowed_scopes, check_directory, check_format,
    check_notifier,
};
use pat_core::{CreatedToken, MemoryStore, Pats, PlainToken, TokenRequest};
use pat_example_server::DemoUsers;
use pat_harness::database::{AnyDatabase, trials_on_all};
use pat_harness::node::alice;
use pat_harness::scopes::{NarrowDirectory, catalog};
use pat_harness::trial;

use crate::stores::owner;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = file_store::trials();
    trials.extend(directory::trials());
    trials.extend(webhook::trials());
    trials.extend(trials_on_all(demo_users_keep_the_contract));
    trials.extend([
        trial(format_of_the_host_works),
        trial(allowed_scopes_keep_the_contract),
        trial(mailers_keep_the_contract),
    ]);
    trials
}

async fn create(pats: &Pats) -> CreatedToken {
    let request = TokenRequest::new("ci", Some(90));
    let created = pats.create(&alice(), request).await;
    created.expect("create")
}

async fn demo_users_keep_the_contract(database: AnyDatabase) {
    // As the example server does: the tables of the store come first.
    database.make().await;
    let users = DemoUsers::open(&database.url()).await.expect("users");
    let more = [("zoë_a", "Zoë Ångström")];
    users.add(&more).await.expect("a user");
    users
        .set_active(&owner("bob"), false)
        .await
        .expect("a change");
    let mut keys = DirectoryUsers {
        active: "zoë_a",
        administrator: Some("admin"),
        disabled: Some("bob"),
        unknown: "nobody",
    };
    check_directory(&users, keys).await;
    users
        .set_active(&owner("admin"), false)
        .await
        .expect("a change");
    (keys.administrator, keys.disabled) = (None, Some("admin"));
    check_directory(&users, keys).await;
}

async fn allowed_scopes_keep_the_contract() {
    let users = TestDirectory::default();
    users.add("bob");
    users.add_administrator("root");
    users.set_active(&users.add("carol"), false);
    let keys = DirectoryUsers {
        active: "bob",
        administrator: Some("root"),
        disabled: Some("carol"),
        unknown: "nobody",
    };
    check_allowed_scopes(&NarrowDirectory(users), keys, &catalog()).await;
}

async fn mailers_keep_the_contract() {
    let composer = pat_mail::Composer::builder("Example <pat@example.com>").build();
    let composer = composer.expect("a composer");
    let memory = pat_mail::MemoryMailer::new(composer.clone());
    let sent = check_notifier(&memory).await;
    assert_eq!(memory.messages().len(), sent.len());

    let folder = tempfile::tempdir().expect("a folder");
    let file = pat_mail::FileMailer::new(composer, folder.path().join("mails"));
    let sent = check_notifier(&file).await;
    for (notification, message) in sent.iter().zip(&memory.messages()) {
        let name = format!("{}-{}.eml", notification.kind, notification.id);
        let written = std::fs::read(folder.path().join("mails").join(name)).expect("a file");
        assert!(written.len() > 500 && message.len() > 500);
    }
}

async fn format_of_the_host_works() {
    check_format(&AcmeFormat);
    let pats = Pats::builder(Arc::new(MemoryStore::default()))
        .issue(Arc::new(AcmeFormat))
        .build();
    let plain = create(&pats).await.plain;
    assert!(plain.expose().starts_with("acme-"));
    let principal = pats.authenticate(plain.expose().as_bytes()).await;
    assert_eq!(principal.expect("the token works").owner(), &owner("alice"));
}

/// `acme-` and 64 hexadecimal digits.
#[derive(Debug)]
struct AcmeFormat;

impl TokenFormat for AcmeFormat {
    fn generate(&self) -> Result<PlainToken, RandomnessError> {
        // The digest of 160 random bits: the crate has no other way to get at random bytes.
        let digest = AtlassianFormat.generate()?.digest();
        let digits = digest.as_bytes().iter().map(|byte| format!("{byte:02x}"));
        Ok(PlainToken::new(format!(
            "acme-{}",
            digits.collect::<String>()
        )))
    }

    fn recognizes(&self, presented: &[u8]) -> bool {
        let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        presented
            .strip_prefix(b"acme-")
            .is_some_and(|digits| digits.len() == 64 && digits.iter().all(is_digit))
    }
}
