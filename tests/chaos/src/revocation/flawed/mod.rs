//! Nodes that are broken on purpose, in the ways that token caches, change feeds and changes of tokens commonly are: a
//! harness that does not find them out proves nothing.
//!
//! Each flaw is a wrapper around the store of a node and comes in front of the service's own
//! protections, so that nothing of it need be in the libraries. What a flawed store says wrongly,
//! the service cannot know better.

mod cache;
mod feed;
mod lines;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use pat_core::store::{
    Change, ChangePage, FeedPosition, Insertion, JobStore, LastUse, Lookup, MarkBounds, NewToken,
    NodeReport, Revocation, RevocationScope, Revoked, Rotated, Rotation, SearchStore, StoreTime,
    Update, Updated,
};
use pat_core::store::{StoreError, TokenStore};
use pat_core::{Owner, Token, TokenDigest, TokenId};

use super::history::Way;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    /// A cache by the book: `get_with` to look up, `invalidate` at a change. A load that is under
    /// way puts back what it has read before.
    NaiveCache,
    /// A cache that keeps nothing which has changed since the load began, but looks at that just
    /// before it keeps it.
    CheckThenInsert,
    /// A change feed whose cursor is a number from a sequence. A transaction gets its number before
    /// it commits, so that a reader has passed it by then.
    SequenceCursor,
    /// A feed that is read only when the database tells of a change. A listener that has gone deaf
    /// takes silence for peace.
    HintsOnly,
    /// A feed that does not tell of a rotation: other nodes do not learn that a token has another end.
    RotationUntold,
    /// A feed that does not tell that a token was disabled.
    DisablingUntold,
    /// A feed that does not tell that a token was enabled, so that a cached refusal stays.
    EnablingUntold,
    /// A rotation that leaves the replaced token as it was for another hour.
    PredecessorUnended,
    /// A rotation that ends the replaced token at once.
    PredecessorEnded,
    /// An enabling that goes on after it was answered with a failure, and undoes a disabling that was acknowledged
    /// since.
    EnablingBelated,
    /// A feed that takes its time to answer, which is no flaw in a node that asks in time.
    SlowFeed,
}

impl Flaw {
    /// Those that are found out whatever else a node does.
    pub(super) const REAL: [Self; 10] = [
        Self::NaiveCache,
        Self::CheckThenInsert,
        Self::SequenceCursor,
        Self::HintsOnly,
        Self::RotationUntold,
        Self::DisablingUntold,
        Self::EnablingUntold,
        Self::PredecessorUnended,
        Self::PredecessorEnded,
        Self::EnablingBelated,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::NaiveCache => "naive_cache",
            Self::CheckThenInsert => "check_then_insert",
            Self::SequenceCursor => "sequence_cursor",
            Self::HintsOnly => "hints_only",
            Self::RotationUntold => "rotation_untold",
            Self::DisablingUntold => "disabling_untold",
            Self::EnablingUntold => "enabling_untold",
            Self::PredecessorUnended => "predecessor_unended",
            Self::PredecessorEnded => "predecessor_ended",
            Self::EnablingBelated => "enabling_belated",
            Self::SlowFeed => "slow_feed",
        }
    }

    /// The way in which tokens lose their power that it concerns.
    pub(super) fn way(self) -> Way {
        match self {
            Self::RotationUntold | Self::PredecessorUnended | Self::PredecessorEnded => {
                Way::ByRotation
            }
            Self::DisablingUntold | Self::EnablingUntold | Self::EnablingBelated => {
                Way::ByDisabling
            }
            _ => Way::ByOwner,
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        let mut all = Self::REAL.into_iter().chain([Self::SlowFeed]);
        all.find(|flaw| flaw.name() == name)
    }

    pub(super) fn wrap(self, inner: Arc<dyn TokenStore>) -> Arc<dyn TokenStore> {
        let wrong: Box<dyn Wrong> = match self {
            Self::NaiveCache => Box::new(cache::Cached::naive()),
            Self::CheckThenInsert => Box::new(cache::Cached::checking()),
            Self::SequenceCursor => Box::new(feed::Sequence::from_arguments()),
            Self::HintsOnly => Box::new(feed::HintsOnly::default()),
            Self::RotationUntold => Box::new(lines::Untold(|token| token.replaced.is_some())),
            Self::DisablingUntold => Box::new(lines::Untold(|token| token.disabled.is_some())),
            Self::EnablingUntold => Box::new(lines::Untold(|token| {
                token.disabled.is_none() && token.revoked_at.is_none()
            })),
            Self::PredecessorUnended => Box::new(lines::EndsAfter(Duration::from_hours(1))),
            Self::PredecessorEnded => Box::new(lines::EndsAfter(Duration::ZERO)),
            Self::EnablingBelated => Box::new(lines::Belated(Arc::clone(&inner))),
            Self::SlowFeed => Box::new(feed::SlowFeed),
        };
        Arc::new(Flawed { inner, wrong })
    }
}

/// What a flaw does in place of a store; all else is done by the store.
#[async_trait]
trait Wrong: Debug + Send + Sync + 'static {
    async fn find(
        &self,
        inner: &dyn TokenStore,
        digest: TokenDigest,
    ) -> Result<Lookup, StoreError> {
        inner.find_by_digest(&digest).await
    }

    async fn revoke(
        &self,
        inner: &dyn TokenStore,
        scope: &RevocationScope,
        revocation: &Revocation,
    ) -> Result<Revoked, StoreError> {
        inner.revoke(scope, revocation).await
    }

    async fn rotate(
        &self,
        inner: &dyn TokenStore,
        rotation: &Rotation,
    ) -> Result<Rotated, StoreError> {
        inner.rotate(rotation).await
    }

    async fn update(&self, inner: &dyn TokenStore, update: &Update) -> Result<Updated, StoreError> {
        inner.update(update).await
    }

    async fn append(
        &self,
        inner: &dyn TokenStore,
        change: &Change,
        now: Timestamp,
    ) -> Result<Timestamp, StoreError> {
        inner.append_change(change, now).await
    }

    async fn changes(
        &self,
        inner: &dyn TokenStore,
        since: Option<FeedPosition>,
    ) -> Result<ChangePage, StoreError> {
        inner.changes_since(since).await
    }

    async fn follow(&self, inner: &dyn TokenStore, hint: &(dyn Fn() + Send + Sync)) {
        inner.listen(hint).await;
    }
}

#[derive(Debug)]
struct Flawed {
    inner: Arc<dyn TokenStore>,
    wrong: Box<dyn Wrong>,
}

#[async_trait]
impl TokenStore for Flawed {
    async fn insert(&self, token: &NewToken, limit: u32) -> Result<Insertion, StoreError> {
        self.inner.insert(token, limit).await
    }

    async fn find_by_digest(&self, digest: &TokenDigest) -> Result<Lookup, StoreError> {
        self.wrong.find(&*self.inner, *digest).await
    }

    async fn recent_digests(&self, limit: u32) -> Result<Vec<TokenDigest>, StoreError> {
        self.inner.recent_digests(limit).await
    }

    async fn find(&self, id: TokenId) -> Result<Option<Token>, StoreError> {
        self.inner.find(id).await
    }

    async fn list(&self, owner: &Owner) -> Result<Vec<Token>, StoreError> {
        self.inner.list(owner).await
    }

    async fn revoke(
        &self,
        scope: &RevocationScope,
        revocation: &Revocation,
    ) -> Result<Revoked, StoreError> {
        self.wrong.revoke(&*self.inner, scope, revocation).await
    }

    async fn rotate(&self, rotation: &Rotation) -> Result<Rotated, StoreError> {
        self.wrong.rotate(&*self.inner, rotation).await
    }

    async fn update(&self, update: &Update) -> Result<Updated, StoreError> {
        self.wrong.update(&*self.inner, update).await
    }

    async fn append_change(
        &self,
        change: &Change,
        now: Timestamp,
    ) -> Result<Timestamp, StoreError> {
        self.wrong.append(&*self.inner, change, now).await
    }

    async fn changes_since(&self, cursor: Option<FeedPosition>) -> Result<ChangePage, StoreError> {
        self.wrong.changes(&*self.inner, cursor).await
    }

    async fn listen(&self, hint: &(dyn Fn() + Send + Sync)) {
        self.wrong.follow(&*self.inner, hint).await;
    }

    async fn heartbeat(
        &self,
        report: &NodeReport,
        mark: &MarkBounds,
    ) -> Result<StoreTime, StoreError> {
        self.inner.heartbeat(report, mark).await
    }

    async fn deregister(&self, report: &NodeReport) -> Result<(), StoreError> {
        self.inner.deregister(report).await
    }

    async fn nodes(&self) -> Result<Vec<NodeReport>, StoreError> {
        self.inner.nodes().await
    }

    async fn raise_readable_from(&self, version: u64) -> Result<(), StoreError> {
        self.inner.raise_readable_from(version).await
    }

    async fn record_use(&self, uses: &[LastUse]) -> Result<(), StoreError> {
        self.inner.record_use(uses).await
    }

    fn jobs(&self) -> Option<&dyn JobStore> {
        self.inner.jobs()
    }

    fn search_store(&self) -> Option<&dyn SearchStore> {
        self.inner.search_store()
    }
}
