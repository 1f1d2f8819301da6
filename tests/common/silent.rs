//! A shared store of which a test chooses the methods that never answer, or fail.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use pat_core::event::Event;
use pat_core::notification::NotificationId;
use pat_core::search::{Filter, Search};
use pat_core::store::{
    AuditStore, Change, ChangePage, Claim, DeadNotification, DueNotifications, FeedPosition,
    Insertion, JobStore, LastUse, Lease, LeaseAnswer, LeaseRequest, ListedOwner, Lookup,
    MarkBounds, MissingOwners, NewToken, NodeReport, Outbox, Outcome, Prune, Pruned, Purge,
    QueuedNotification, Revocation, RevocationScope, Revoked, SearchStore, StoreTime,
};
use pat_core::{MemoryStore, Owner, StoreError, Token, TokenDigest, TokenId, TokenStore};

/// Every method of the port by which something is asked.
pub(crate) const METHODS: &[&str] = &[
    "insert",
    "find_by_digest",
    "recent_digests",
    "find",
    "list",
    "revoke",
    "append_change",
    "changes_since",
    "heartbeat",
    "deregister",
    "nodes",
    "raise_readable_from",
    "record_use",
    "accept_clock",
    "acquire_lease",
    "renew_lease",
    "release_lease",
    "queue_due_notifications",
    "prune",
    "purge",
    "owners_after",
    "note_missing",
    "mend_future",
    "claim_notifications",
    "settle_notification",
    "outbox",
    "dead_notifications",
    "requeue_notification",
    "search",
    "count",
    "ids",
    "find_all",
    "record_events",
    "number_events",
    "last_event_number",
    "events_after",
    "sink_position",
    "put_sink_position",
];

/// What a method does instead of its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It never answers.
    Silent,
    /// It fails at once.
    Failing,
}

/// A store in memory that says that it is shared. Clones share one state.
#[derive(Debug, Clone, Default)]
pub(crate) struct Silent(Arc<State>);

#[derive(Debug, Default)]
struct State {
    inner: MemoryStore,
    nodes: Mutex<BTreeMap<u64, NodeReport>>,
    faults: Mutex<BTreeMap<&'static str, Fault>>,
}

impl Silent {
    /// From now on these methods are at fault, and no others.
    pub(crate) fn set(&self, methods: &[&'static str], fault: Fault) {
        let faults = methods.iter().map(|method| (*method, fault));
        *self.0.faults.lock().expect("the faults") = faults.collect();
    }

    /// The store, unless this method is at fault.
    async fn pass(&self, method: &'static str) -> Result<&MemoryStore, StoreError> {
        assert!(METHODS.contains(&method), "{method} is in the table");
        let fault = self
            .0
            .faults
            .lock()
            .expect("the faults")
            .get(method)
            .copied();
        match fault {
            None => Ok(&self.0.inner),
            Some(Fault::Silent) => std::future::pending().await,
            Some(Fault::Failing) => Err(StoreError::backend("the database is down")),
        }
    }
}

#[async_trait]
impl TokenStore for Silent {
    fn is_shared(&self) -> bool {
        true
    }

    async fn insert(&self, token: &NewToken, limit: u32) -> Result<Insertion, StoreError> {
        self.pass("insert").await?.insert(token, limit).await
    }

    async fn find_by_digest(&self, digest: &TokenDigest) -> Result<Lookup, StoreError> {
        self.pass("find_by_digest")
            .await?
            .find_by_digest(digest)
            .await
    }

    async fn recent_digests(&self, limit: u32) -> Result<Vec<TokenDigest>, StoreError> {
        let inner = self.pass("recent_digests").await?;
        inner.recent_digests(limit).await
    }

    async fn find(&self, id: TokenId) -> Result<Option<Token>, StoreError> {
        self.pass("find").await?.find(id).await
    }

    async fn list(&self, owner: &Owner) -> Result<Vec<Token>, StoreError> {
        self.pass("list").await?.list(owner).await
    }

    async fn revoke(
        &self,
        scope: &RevocationScope,
        revocation: &Revocation,
    ) -> Result<Revoked, StoreError> {
        self.pass("revoke").await?.revoke(scope, revocation).await
    }

    async fn append_change(
        &self,
        change: &Change,
        now: Timestamp,
    ) -> Result<Timestamp, StoreError> {
        self.pass("append_change")
            .await?
            .append_change(change, now)
            .await
    }

    async fn changes_since(&self, cursor: Option<FeedPosition>) -> Result<ChangePage, StoreError> {
        self.pass("changes_since")
            .await?
            .changes_since(cursor)
            .await
    }

    async fn heartbeat(
        &self,
        report: &NodeReport,
        _: &MarkBounds,
    ) -> Result<StoreTime, StoreError> {
        self.pass("heartbeat").await?;
        let mut nodes = self.0.nodes.lock().expect("the nodes");
        nodes.insert(report.node, *report);
        Ok(StoreTime::default())
    }

    async fn raise_readable_from(&self, version: u64) -> Result<(), StoreError> {
        let inner = self.pass("raise_readable_from").await?;
        inner.raise_readable_from(version).await
    }

    async fn deregister(&self, report: &NodeReport) -> Result<(), StoreError> {
        self.pass("deregister").await?;
        self.0.nodes.lock().expect("the nodes").remove(&report.node);
        Ok(())
    }

    async fn nodes(&self) -> Result<Vec<NodeReport>, StoreError> {
        self.pass("nodes").await?;
        Ok(self
            .0
            .nodes
            .lock()
            .expect("the nodes")
            .values()
            .copied()
            .collect())
    }

    async fn accept_clock(&self, now: Timestamp) -> Result<StoreTime, StoreError> {
        self.pass("accept_clock").await?.accept_clock(now).await
    }

    async fn record_use(&self, uses: &[LastUse]) -> Result<(), StoreError> {
        self.pass("record_use").await?.record_use(uses).await
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
}

#[async_trait]
impl JobStore for Silent {
    async fn acquire_lease(
        &self,
        request: &LeaseRequest<'_>,
    ) -> Result<(LeaseAnswer, StoreTime), StoreError> {
        let store = self.pass("acquire_lease").await?;
        store.acquire_lease(request).await
    }

    async fn renew_lease(
        &self,
        lease: &Lease,
        now: Timestamp,
        ttl: Duration,
    ) -> Result<(), StoreError> {
        self.pass("renew_lease")
            .await?
            .renew_lease(lease, now, ttl)
            .await
    }

    async fn release_lease(&self, lease: &Lease, is_done: bool) -> Result<(), StoreError> {
        self.pass("release_lease")
            .await?
            .release_lease(lease, is_done)
            .await
    }

    async fn queue_due_notifications(
        &self,
        lease: &Lease,
        due: &DueNotifications,
        max_owners: u32,
    ) -> Result<u64, StoreError> {
        let store = self.pass("queue_due_notifications").await?;
        store.queue_due_notifications(lease, due, max_owners).await
    }

    async fn prune(&self, lease: &Lease, prune: &Prune, limit: u32) -> Result<Pruned, StoreError> {
        self.pass("prune").await?.prune(lease, prune, limit).await
    }

    async fn mend_future(&self, lease: &Lease, now: Timestamp) -> Result<u64, StoreError> {
        let store = self.pass("mend_future").await?;
        store.mend_future(lease, now).await
    }

    async fn purge(&self, lease: &Lease, purge: &Purge, limit: u32) -> Result<u64, StoreError> {
        self.pass("purge").await?.purge(lease, purge, limit).await
    }

    async fn owners_after(
        &self,
        after: Option<&Owner>,
        limit: u32,
    ) -> Result<Vec<ListedOwner>, StoreError> {
        self.pass("owners_after")
            .await?
            .owners_after(after, limit)
            .await
    }

    async fn note_missing(
        &self,
        lease: &Lease,
        noted: &MissingOwners,
    ) -> Result<Vec<Owner>, StoreError> {
        self.pass("note_missing")
            .await?
            .note_missing(lease, noted)
            .await
    }

    async fn claim_notifications(
        &self,
        now: Timestamp,
        ttl: Duration,
        limit: u32,
    ) -> Result<Vec<QueuedNotification>, StoreError> {
        self.pass("claim_notifications")
            .await?
            .claim_notifications(now, ttl, limit)
            .await
    }

    async fn settle_notification(
        &self,
        claim: &Claim,
        outcome: &Outcome,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.pass("settle_notification")
            .await?
            .settle_notification(claim, outcome, now)
            .await
    }

    async fn outbox(&self) -> Result<Outbox, StoreError> {
        self.pass("outbox").await?.outbox().await
    }

    async fn dead_notifications(&self, limit: u32) -> Result<Vec<DeadNotification>, StoreError> {
        self.pass("dead_notifications")
            .await?
            .dead_notifications(limit)
            .await
    }

    async fn requeue_notification(
        &self,
        id: NotificationId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.pass("requeue_notification")
            .await?
            .requeue_notification(id, now)
            .await
    }
}

#[async_trait]
impl SearchStore for Silent {
    async fn search(&self, search: &Search) -> Result<Vec<Token>, StoreError> {
        self.pass("search").await?.search(search).await
    }

    async fn count(&self, filter: &Filter) -> Result<u64, StoreError> {
        self.pass("count").await?.count(filter).await
    }

    async fn ids(&self, filter: &Filter) -> Result<Vec<TokenId>, StoreError> {
        self.pass("ids").await?.ids(filter).await
    }

    async fn find_all(&self, ids: &[TokenId]) -> Result<Vec<Token>, StoreError> {
        self.pass("find_all").await?.find_all(ids).await
    }
}

#[async_trait]
impl AuditStore for Silent {
    async fn record_events(&self, events: &[Event]) -> Result<(), StoreError> {
        self.pass("record_events")
            .await?
            .record_events(events)
            .await
    }

    async fn number_events(&self, limit: u32) -> Result<u64, StoreError> {
        self.pass("number_events").await?.number_events(limit).await
    }

    async fn last_event_number(&self) -> Result<u64, StoreError> {
        let store = self.pass("last_event_number").await?;
        store.last_event_number().await
    }

    async fn events_after(&self, seq: u64, limit: u32) -> Result<Vec<Event>, StoreError> {
        self.pass("events_after")
            .await?
            .events_after(seq, limit)
            .await
    }

    async fn sink_position(&self, sink: &str) -> Result<Option<u64>, StoreError> {
        self.pass("sink_position").await?.sink_position(sink).await
    }

    async fn put_sink_position(
        &self,
        lease: &Lease,
        sink: &str,
        seq: u64,
    ) -> Result<(), StoreError> {
        let store = self.pass("put_sink_position").await?;
        store.put_sink_position(lease, sink, seq).await
    }
}
