//! A store whose answers a test can hold up, count and let fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use pat_core::store::{
    Change, ChangePage, Cursor, Insertion, JobStore, LastUse, NewToken, Revocation,
    RevocationScope, RevokedToken,
};
use pat_core::{Owner, StoreError, Token, TokenDigest, TokenId, TokenStore};
use tokio::sync::watch;

/// Wraps a store. Clones share one state.
#[derive(Debug, Clone)]
pub(crate) struct Gated(Arc<State>);

#[derive(Debug)]
struct State {
    inner: Arc<dyn TokenStore>,
    lookups: Gate,
    revocations: Gate,
    is_down: AtomicBool,
}

/// Holds answers back while it is closed: what was asked has been done by then.
#[derive(Debug)]
struct Gate {
    is_closed: watch::Sender<bool>,
    passed: AtomicUsize,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            is_closed: watch::Sender::new(false),
            passed: AtomicUsize::new(0),
        }
    }
}

impl Gate {
    async fn pass(&self) {
        self.passed.fetch_add(1, Ordering::SeqCst);
        let mut is_closed = self.is_closed.subscribe();
        let _opened = is_closed.wait_for(|is_closed| !is_closed).await;
    }
}

impl Gated {
    pub(crate) fn new(inner: impl TokenStore) -> Self {
        Self(Arc::new(State {
            inner: Arc::new(inner),
            lookups: Gate::default(),
            revocations: Gate::default(),
            is_down: AtomicBool::new(false),
        }))
    }

    /// Look-ups read the row, but do not answer until this is opened again.
    pub(crate) fn hold_lookups(&self, is_closed: bool) {
        self.0.lookups.is_closed.send_replace(is_closed);
    }

    /// Revocations commit, but do not answer until this is opened again.
    pub(crate) fn hold_revocations(&self, is_closed: bool) {
        self.0.revocations.is_closed.send_replace(is_closed);
    }

    /// Every call fails, or none does.
    pub(crate) fn set_down(&self, is_down: bool) {
        self.0.is_down.store(is_down, Ordering::SeqCst);
    }

    /// How many look-ups have read their row.
    pub(crate) fn lookups(&self) -> usize {
        self.0.lookups.passed.load(Ordering::SeqCst)
    }

    /// How many revocations have been committed.
    pub(crate) fn revocations(&self) -> usize {
        self.0.revocations.passed.load(Ordering::SeqCst)
    }

    fn up(&self) -> Result<&dyn TokenStore, StoreError> {
        if self.0.is_down.load(Ordering::SeqCst) {
            return Err(StoreError::backend("the database is down"));
        }
        Ok(&*self.0.inner)
    }
}

#[async_trait]
impl TokenStore for Gated {
    fn is_shared(&self) -> bool {
        self.0.inner.is_shared()
    }

    async fn insert(&self, token: &NewToken, limit: u32) -> Result<Insertion, StoreError> {
        self.up()?.insert(token, limit).await
    }

    async fn find_by_digest(&self, digest: &TokenDigest) -> Result<Option<Token>, StoreError> {
        let found = self.up()?.find_by_digest(digest).await;
        self.0.lookups.pass().await;
        found
    }

    async fn find(&self, id: TokenId) -> Result<Option<Token>, StoreError> {
        self.up()?.find(id).await
    }

    async fn list(&self, owner: &Owner) -> Result<Vec<Token>, StoreError> {
        self.up()?.list(owner).await
    }

    async fn revoke(
        &self,
        scope: &RevocationScope,
        revocation: &Revocation,
    ) -> Result<Vec<RevokedToken>, StoreError> {
        let revoked = self.up()?.revoke(scope, revocation).await;
        self.0.revocations.pass().await;
        revoked
    }

    async fn append_change(&self, change: &Change, at: jiff::Timestamp) -> Result<(), StoreError> {
        self.up()?.append_change(change, at).await
    }

    async fn changes_since(&self, cursor: Option<Cursor>) -> Result<ChangePage, StoreError> {
        self.up()?.changes_since(cursor).await
    }

    async fn record_use(&self, uses: &[LastUse]) -> Result<(), StoreError> {
        self.up()?.record_use(uses).await
    }

    fn jobs(&self) -> Option<&dyn JobStore> {
        self.0.inner.jobs()
    }
}

/// Waits until something is so; fails after ten seconds.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = std::time::Duration::from_secs(10);
    let reached = tokio::time::timeout(deadline, async {
        while !is_so() {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    });
    assert!(reached.await.is_ok(), "{what} did not happen in time");
}
