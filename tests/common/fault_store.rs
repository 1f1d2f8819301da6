//! A store whose answers a test can hold up, count and let fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use pat_core::notification::NotificationId;
use pat_core::store::{
    AuditStore, Change, ChangePage, Claim, DeadNotification, DueNotifications, FeedPosition,
    Insertion, JobStore, LastUse, Lease, LeaseAnswer, LeaseRequest, ListedOwner, Lookup,
    MarkBounds, MissingOwners, NewToken, NodeReport, Outbox, Outcome, Prune, Pruned, Purge,
    QueuedNotification, Revocation, RevocationScope, Revoked, StoreTime,
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
    found: AtomicUsize,
    revocations: Gate,
    changes: Gate,
    nodes: Gate,
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
            found: AtomicUsize::new(0),
            revocations: Gate::default(),
            changes: Gate::default(),
            nodes: Gate::default(),
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

    /// The change feed is read, but its reader does not get it until this is opened again.
    pub(crate) fn hold_changes(&self, is_closed: bool) {
        self.0.changes.is_closed.send_replace(is_closed);
    }

    /// The reports of all nodes are read, but their reader does not get them until this is opened
    /// again.
    pub(crate) fn hold_nodes(&self, is_closed: bool) {
        self.0.nodes.is_closed.send_replace(is_closed);
    }

    /// How often the change feed was read.
    pub(crate) fn polls(&self) -> usize {
        self.0.changes.passed.load(Ordering::SeqCst)
    }

    /// How often the reports of all nodes were read.
    pub(crate) fn node_reads(&self) -> usize {
        self.0.nodes.passed.load(Ordering::SeqCst)
    }

    /// Every call fails, or none does.
    pub(crate) fn set_down(&self, is_down: bool) {
        self.0.is_down.store(is_down, Ordering::SeqCst);
    }

    /// How many look-ups have read their row.
    pub(crate) fn lookups(&self) -> usize {
        self.0.lookups.passed.load(Ordering::SeqCst)
    }

    /// How many of them found a token.
    pub(crate) fn found(&self) -> usize {
        self.0.found.load(Ordering::SeqCst)
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

    fn jobs_up(&self) -> Result<&dyn JobStore, StoreError> {
        let jobs = self.up()?.jobs();
        jobs.ok_or_else(|| StoreError::backend("the store has no jobs"))
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

    async fn find_by_digest(&self, digest: &TokenDigest) -> Result<Lookup, StoreError> {
        let found = self.up()?.find_by_digest(digest).await;
        let is_found = found.as_ref().is_ok_and(|found| found.token.is_some());
        self.0
            .found
            .fetch_add(usize::from(is_found), Ordering::SeqCst);
        self.0.lookups.pass().await;
        found
    }

    async fn recent_digests(&self, limit: u32) -> Result<Vec<TokenDigest>, StoreError> {
        self.up()?.recent_digests(limit).await
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
    ) -> Result<Revoked, StoreError> {
        let revoked = self.up()?.revoke(scope, revocation).await;
        self.0.revocations.pass().await;
        revoked
    }

    async fn append_change(
        &self,
        change: &Change,
        now: Timestamp,
    ) -> Result<Timestamp, StoreError> {
        self.up()?.append_change(change, now).await
    }

    async fn changes_since(&self, cursor: Option<FeedPosition>) -> Result<ChangePage, StoreError> {
        let page = self.up()?.changes_since(cursor).await;
        self.0.changes.pass().await;
        page
    }

    async fn listen(&self, hint: &(dyn Fn() + Send + Sync)) {
        self.0.inner.listen(hint).await;
    }

    async fn heartbeat(
        &self,
        report: &NodeReport,
        mark: &MarkBounds,
    ) -> Result<StoreTime, StoreError> {
        self.up()?.heartbeat(report, mark).await
    }

    async fn deregister(&self, report: &NodeReport) -> Result<(), StoreError> {
        self.up()?.deregister(report).await
    }

    async fn nodes(&self) -> Result<Vec<NodeReport>, StoreError> {
        let nodes = self.up()?.nodes().await;
        self.0.nodes.pass().await;
        nodes
    }

    async fn raise_readable_from(&self, version: u64) -> Result<(), StoreError> {
        self.up()?.raise_readable_from(version).await
    }

    async fn record_use(&self, uses: &[LastUse]) -> Result<(), StoreError> {
        self.up()?.record_use(uses).await
    }

    async fn accept_clock(&self, now: Timestamp) -> Result<StoreTime, StoreError> {
        self.up()?.accept_clock(now).await
    }

    fn jobs(&self) -> Option<&dyn JobStore> {
        self.0.inner.jobs().map(|_| self as &dyn JobStore)
    }

    fn audit(&self) -> Option<&dyn AuditStore> {
        self.0.inner.audit()
    }
}

#[async_trait]
impl JobStore for Gated {
    async fn acquire_lease(
        &self,
        request: &LeaseRequest<'_>,
    ) -> Result<(LeaseAnswer, StoreTime), StoreError> {
        self.jobs_up()?.acquire_lease(request).await
    }

    async fn renew_lease(
        &self,
        lease: &Lease,
        now: Timestamp,
        ttl: Duration,
    ) -> Result<(), StoreError> {
        self.jobs_up()?.renew_lease(lease, now, ttl).await
    }

    async fn release_lease(&self, lease: &Lease, is_done: bool) -> Result<(), StoreError> {
        self.jobs_up()?.release_lease(lease, is_done).await
    }

    async fn queue_due_notifications(
        &self,
        lease: &Lease,
        due: &DueNotifications,
        max_owners: u32,
    ) -> Result<u64, StoreError> {
        let jobs = self.jobs_up()?;
        jobs.queue_due_notifications(lease, due, max_owners).await
    }

    async fn prune(&self, lease: &Lease, prune: &Prune, limit: u32) -> Result<Pruned, StoreError> {
        self.jobs_up()?.prune(lease, prune, limit).await
    }

    async fn purge(&self, lease: &Lease, purge: &Purge, limit: u32) -> Result<u64, StoreError> {
        self.jobs_up()?.purge(lease, purge, limit).await
    }

    async fn mend_future(&self, lease: &Lease, now: Timestamp) -> Result<u64, StoreError> {
        self.jobs_up()?.mend_future(lease, now).await
    }

    async fn owners_after(
        &self,
        after: Option<&Owner>,
        limit: u32,
    ) -> Result<Vec<ListedOwner>, StoreError> {
        self.jobs_up()?.owners_after(after, limit).await
    }

    async fn note_missing(
        &self,
        lease: &Lease,
        noted: &MissingOwners,
    ) -> Result<Vec<Owner>, StoreError> {
        self.jobs_up()?.note_missing(lease, noted).await
    }

    async fn claim_notifications(
        &self,
        now: Timestamp,
        ttl: Duration,
        limit: u32,
    ) -> Result<Vec<QueuedNotification>, StoreError> {
        self.jobs_up()?.claim_notifications(now, ttl, limit).await
    }

    async fn settle_notification(
        &self,
        claim: &Claim,
        outcome: &Outcome,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.jobs_up()?
            .settle_notification(claim, outcome, now)
            .await
    }

    async fn outbox(&self) -> Result<Outbox, StoreError> {
        self.jobs_up()?.outbox().await
    }

    async fn dead_notifications(&self, limit: u32) -> Result<Vec<DeadNotification>, StoreError> {
        self.jobs_up()?.dead_notifications(limit).await
    }

    async fn requeue_notification(
        &self,
        id: NotificationId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.jobs_up()?.requeue_notification(id, now).await
    }
}
