//! Caches that put back what was revoked.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use moka::future::Cache;
use pat_core::store::StoreError;
use pat_core::store::{
    Change, ChangePage, FeedPosition, Lookup, Revocation, RevocationScope, Revoked, TokenStore,
};
use pat_core::{Token, TokenDigest};

use super::Wrong;

/// How long the moment lasts in which all goes wrong: as long as a thread may have to wait for a
/// processor, or a query for its answer.
const MOMENT: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct Cached {
    tokens: Cache<TokenDigest, Option<Token>>,
    /// Moves with each change.
    generation: AtomicU64,
    checks: bool,
}

impl Cached {
    /// With `get_with` and `invalidate`.
    pub(super) fn naive() -> Self {
        Self {
            tokens: Cache::new(100_000),
            generation: AtomicU64::new(0),
            checks: false,
        }
    }

    /// With a check, then `insert`.
    pub(super) fn checking() -> Self {
        Self {
            checks: true,
            ..Self::naive()
        }
    }

    async fn get_with(
        &self,
        inner: &dyn TokenStore,
        digest: TokenDigest,
    ) -> Result<Option<Token>, StoreError> {
        let load = async {
            let found = inner.find_by_digest(&digest).await;
            tokio::time::sleep(MOMENT).await;
            found.map(|found| found.token)
        };
        let token = self.tokens.try_get_with(digest, load).await;
        token.map_err(|error: Arc<StoreError>| (*error).clone())
    }

    async fn check_then_insert(
        &self,
        inner: &dyn TokenStore,
        digest: TokenDigest,
    ) -> Result<Option<Token>, StoreError> {
        if let Some(token) = self.tokens.get(&digest).await {
            return Ok(token);
        }
        let before = self.generation.load(Ordering::SeqCst);
        let token = inner.find_by_digest(&digest).await?.token;
        if self.generation.load(Ordering::SeqCst) == before {
            tokio::time::sleep(MOMENT).await;
            self.tokens.insert(digest, token.clone()).await;
        }
        Ok(token)
    }

    async fn forget(&self, change: &Change) {
        self.generation.fetch_add(1, Ordering::SeqCst);
        let concerns = |token: &Token| match change {
            Change::TokenChanged(id) => token.id == *id,
            Change::OwnerChanged(owner) => token.owner == *owner,
            Change::Everything => true,
        };
        for (digest, token) in &self.tokens {
            if token.as_ref().is_some_and(concerns) {
                self.tokens.invalidate(&*digest).await;
            }
        }
    }
}

#[async_trait]
impl Wrong for Cached {
    async fn find(
        &self,
        inner: &dyn TokenStore,
        digest: TokenDigest,
    ) -> Result<Lookup, StoreError> {
        let token = if self.checks {
            self.check_then_insert(inner, digest).await?
        } else {
            self.get_with(inner, digest).await?
        };
        Ok(Lookup::new(token))
    }

    async fn revoke(
        &self,
        inner: &dyn TokenStore,
        scope: &RevocationScope,
        revocation: &Revocation,
    ) -> Result<Revoked, StoreError> {
        let revoked = inner.revoke(scope, revocation).await?;
        for token in &revoked.tokens {
            self.forget(&Change::TokenChanged(token.id)).await;
        }
        Ok(revoked)
    }

    async fn append(
        &self,
        inner: &dyn TokenStore,
        change: &Change,
        now: Timestamp,
    ) -> Result<Timestamp, StoreError> {
        let at = inner.append_change(change, now).await?;
        self.forget(change).await;
        Ok(at)
    }

    async fn changes(
        &self,
        inner: &dyn TokenStore,
        since: Option<FeedPosition>,
    ) -> Result<ChangePage, StoreError> {
        let page = inner.changes_since(since).await?;
        for entry in &page.entries {
            self.forget(&entry.change).await;
        }
        Ok(page)
    }
}
