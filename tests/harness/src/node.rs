//! A service in this process, or two that share a database.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use pat_core::notification::NotificationKind;
use pat_core::settings::SettingsBuilder;
use pat_core::store::TokenStore;
use pat_core::testing::{RecordingNotifier, TestClock, TestDirectory};
use pat_core::{AuthError, Caller, CreatedToken, Pats, Settings, TokenRequest};
use pat_sqlx::SqliteStore;

use crate::fault_store::FaultStore;

/// A service and what stands around it.
#[derive(Debug)]
pub struct Node {
    /// The service.
    pub pats: Pats,
    /// Its store.
    pub store: FaultStore,
    /// Its clock, which the test moves.
    pub clock: Arc<TestClock>,
}

impl Node {
    /// Starts a node on this store, which polls once.
    pub async fn on(store: Arc<dyn TokenStore>, settings: SettingsBuilder) -> Self {
        let (store, clock) = (FaultStore::new(store), Arc::new(TestClock::default()));
        let settings = settings.build().expect("settings");
        let pats = Pats::builder(Arc::new(store.clone()))
            .settings(settings)
            .clock(clock.clone())
            .build();
        pats.poll_changes().await.expect("a poll");
        Self { pats, store, clock }
    }

    /// Creates a token of alice's.
    pub async fn create(&self) -> CreatedToken {
        let request = TokenRequest::new("ci", Some(90));
        self.pats.create(&alice(), request).await.expect("a token")
    }

    /// Returns whether the node accepts this token.
    pub async fn accepts(&self, token: &CreatedToken) -> bool {
        accepts(&self.pats, token.plain.expose()).await
    }
}

/// Returns whether a service accepts this token. Panics if the service cannot tell.
pub async fn accepts(pats: &Pats, token: &str) -> bool {
    match pats.authenticate(token.as_bytes()).await {
        Ok(_) => true,
        Err(AuthError::Unavailable(error)) => panic!("a database that answers: {error:?}"),
        Err(_) => false,
    }
}

/// Returns the user alice as a caller.
pub fn alice() -> Caller {
    Caller::header_authenticated("alice".parse().expect("an owner"))
}

/// An `Authorization` header with a new token of alice's.
pub async fn bearer(pats: &Pats) -> String {
    let request = TokenRequest::new("ci", None);
    let created = pats.create(&alice(), request).await.expect("a token");
    format!("Bearer {}", created.plain.expose())
}

/// Returns the URL of the database file in this folder.
pub fn sqlite_url(folder: &Path) -> String {
    format!("sqlite:{}?mode=rwc", folder.join("pat.db").display())
}

/// A SQLite store in a folder of its own.
pub async fn sqlite() -> (tempfile::TempDir, SqliteStore) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = SqliteStore::open(folder.path().join("pat.db"))
        .await
        .expect("a database");
    (folder, store)
}

/// Returns settings that allow a user more tokens than any test creates.
pub fn many_tokens() -> SettingsBuilder {
    // The long time is for busy machines.
    Settings::builder()
        .max_tokens_per_user(1_000_000)
        .auth_database_timeout_ms(60_000)
}

/// Two nodes on one file, both with the token in their caches.
pub async fn pair(settings: SettingsBuilder) -> (tempfile::TempDir, Node, Node, CreatedToken) {
    let (folder, store) = sqlite().await;
    let other = SqliteStore::open(folder.path().join("pat.db"))
        .await
        .expect("the same database");
    let (a, b) = (
        Node::on(Arc::new(store), settings.clone()).await,
        Node::on(Arc::new(other), settings).await,
    );
    let token = a.create().await;
    assert!(a.accepts(&token).await && b.accepts(&token).await);
    (folder, a, b, token)
}

/// Returns whether a node cannot tell if the token is valid.
pub async fn is_unavailable(node: &Node, token: &CreatedToken) -> bool {
    let verdict = node
        .pats
        .authenticate(token.plain.expose().as_bytes())
        .await;
    matches!(verdict, Err(AuthError::Unavailable(_)))
}

/// A directory with active users of these keys.
pub fn named_users(keys: &[&str]) -> TestDirectory {
    let users = TestDirectory::default();
    for key in keys {
        users.add(key);
    }
    users
}

/// Returns when alice's first token was last used, according to the database file in this folder.
pub async fn stored_last_use(folder: &Path) -> Option<Timestamp> {
    let store = SqliteStore::open(folder.join("pat.db")).await;
    let pats = Pats::builder(Arc::new(store.expect("a store"))).build();
    let listed = pats.list(&alice()).await.expect("a list");
    listed[0].last_used_at
}

/// Returns the kinds of the notifications that were sent so far, in the order of sending.
pub fn sent_kinds(notifier: &RecordingNotifier) -> Vec<NotificationKind> {
    let sent = notifier.sent();
    sent.iter().map(|notification| notification.kind).collect()
}
