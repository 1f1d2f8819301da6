//! The port of tokens: each call repeats a transaction that another one has disturbed.

use async_trait::async_trait;
use jiff::Timestamp;
use pat_core::store::{
    AuditStore, Change, ChangePage, FeedPosition, ImportStore, Insertion, JobStore, LastUse,
    Lookup, MarkBounds, NewToken, NodeReport, Revocation, RevocationScope, Revoked, Rotated,
    Rotation, SearchStore, SeenEffect, SeenOwner, StoreError, StoreTime, TokenStore, Update,
    Updated,
};
use pat_core::{Owner, Token, TokenDigest, TokenId};
use tracing::instrument;

use super::LAST_USES;
use crate::dialect::Dialect;
use crate::store::SqlxStore;

#[async_trait]
impl<DB: Dialect> TokenStore for SqlxStore<DB> {
    #[instrument(name = "pat.store.insert", skip_all, fields(token.id = token.id.get()))]
    async fn insert(&self, token: &NewToken, limit: u32) -> Result<Insertion, StoreError> {
        self.retry_with_eager_locks(|locks_eagerly| self.try_insert(token, limit, locks_eagerly))
            .await
    }

    #[instrument(name = "pat.store.find_by_digest", skip_all)]
    async fn find_by_digest(&self, digest: &TokenDigest) -> Result<Lookup, StoreError> {
        self.retry(|| self.try_find_by_digest(digest)).await
    }

    #[instrument(name = "pat.store.recent_digests", skip_all)]
    async fn recent_digests(&self, limit: u32) -> Result<Vec<TokenDigest>, StoreError> {
        self.retry(|| self.try_recent_digests(limit)).await
    }

    #[instrument(name = "pat.store.find", skip_all, fields(token.id = id.get()))]
    async fn find(&self, id: TokenId) -> Result<Option<Token>, StoreError> {
        self.retry(|| self.try_find(id)).await
    }

    #[instrument(name = "pat.store.list", skip_all, fields(%owner))]
    async fn list(&self, owner: &Owner) -> Result<Vec<Token>, StoreError> {
        self.retry(|| self.try_list(owner)).await
    }

    #[instrument(name = "pat.store.revoke", skip_all)]
    async fn revoke(
        &self,
        scope: &RevocationScope,
        revocation: &Revocation,
    ) -> Result<Revoked, StoreError> {
        let revoke = |locks_eagerly| self.try_revoke(scope, revocation, locks_eagerly);
        let revoked = self.retry_with_eager_locks(revoke).await?;
        if !revoked.tokens.is_empty() {
            self.notify().await;
        }
        Ok(revoked)
    }

    #[instrument(name = "pat.store.update", skip_all, fields(token.id = update.id.get()))]
    async fn update(&self, update: &Update) -> Result<Updated, StoreError> {
        let change = |locks_eagerly| self.try_update(update, locks_eagerly);
        let updated = self.retry_with_eager_locks(change).await?;
        if matches!(&updated, Updated::Stored(stored) if !stored.events.is_empty()) {
            self.notify().await;
        }
        Ok(updated)
    }

    #[instrument(name = "pat.store.rotate", skip_all, fields(token.id = rotation.predecessor.get()))]
    async fn rotate(&self, rotation: &Rotation) -> Result<Rotated, StoreError> {
        let rotate = |locks_eagerly| self.try_rotate(rotation, locks_eagerly);
        let rotated = self.retry_with_eager_locks(rotate).await?;
        if matches!(rotated, Rotated::Stored(_)) {
            self.notify().await;
        }
        Ok(rotated)
    }

    #[instrument(name = "pat.store.append_change", skip_all)]
    async fn append_change(
        &self,
        change: &Change,
        now: Timestamp,
    ) -> Result<Timestamp, StoreError> {
        let append = |locks_eagerly| self.try_append(change, now, locks_eagerly);
        let at = self.retry_with_eager_locks(append).await?;
        self.notify().await;
        Ok(at)
    }

    #[instrument(name = "pat.store.changes_since", level = "debug", skip_all)]
    async fn changes_since(&self, cursor: Option<FeedPosition>) -> Result<ChangePage, StoreError> {
        self.retry(|| self.try_changes_since(cursor)).await
    }

    async fn listen(&self, notify: &(dyn Fn() + Send + Sync)) {
        if let Err(error) = DB::listen(&self.pool, notify).await {
            tracing::debug!(%error, "listening for notifications failed and is repeated");
        }
    }

    #[instrument(name = "pat.store.heartbeat", level = "debug", skip_all)]
    async fn heartbeat(
        &self,
        report: &NodeReport,
        mark: &MarkBounds,
    ) -> Result<StoreTime, StoreError> {
        let reported = self.retry(|| self.try_heartbeat(report, mark)).await?;
        reported.ok_or(StoreError::Busy)
    }

    #[instrument(name = "pat.store.owner_seen_at", skip_all)]
    async fn owner_seen_at(&self, owner: &Owner) -> Result<Option<Timestamp>, StoreError> {
        self.retry(|| self.try_owner_seen_at(owner)).await
    }

    #[instrument(name = "pat.store.note_seen", skip_all, fields(owner = %seen.owner))]
    async fn note_seen(&self, seen: &SeenOwner) -> Result<SeenEffect, StoreError> {
        let note = |locks_eagerly| self.try_note_seen(seen, locks_eagerly);
        let effect = self.retry_with_eager_locks(note).await?;
        if effect == SeenEffect::Returned {
            self.notify().await;
        }
        Ok(effect)
    }

    #[instrument(name = "pat.store.deregister", skip_all)]
    async fn deregister(&self, report: &NodeReport) -> Result<(), StoreError> {
        self.retry(|| self.try_deregister(report)).await
    }

    #[instrument(name = "pat.store.nodes", level = "debug", skip_all)]
    async fn nodes(&self) -> Result<Vec<NodeReport>, StoreError> {
        self.retry(|| self.try_nodes()).await
    }

    #[instrument(name = "pat.store.raise_readable_from", skip(self))]
    async fn raise_readable_from(&self, version: u64) -> Result<(), StoreError> {
        self.retry(|| self.try_raise_readable_from(version)).await
    }

    #[instrument(name = "pat.store.record_use", skip_all, fields(count = uses.len()))]
    async fn record_use(&self, uses: &[LastUse]) -> Result<(), StoreError> {
        for chunk in uses.chunks(LAST_USES) {
            self.retry(|| self.try_record_use(chunk)).await?;
        }
        Ok(())
    }

    #[instrument(name = "pat.store.accept_clock", skip_all)]
    async fn accept_clock(&self, now: Timestamp) -> Result<StoreTime, StoreError> {
        let time = self.retry(|| self.try_accept_clock(now)).await?;
        self.notify().await;
        Ok(time)
    }

    fn jobs(&self) -> Option<&dyn JobStore> {
        Some(self)
    }

    fn search_store(&self) -> Option<&dyn SearchStore> {
        Some(self)
    }

    fn audit(&self) -> Option<&dyn AuditStore> {
        Some(self)
    }

    fn import_store(&self) -> Option<&dyn ImportStore> {
        Some(self)
    }
}
