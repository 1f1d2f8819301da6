//! Every method of the port, asked of the store inside.

use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use pat_core::event::{Event, HistoryPosition};
use pat_core::notification::NotificationId;
use pat_core::search::{Filter, Search};
use pat_core::store::{
    AuditStore, Change, ChangePage, Claim, DeadNotification, DueNotifications, DueOwners,
    ExpiryPosition, FeedPosition, ImportOutcome, ImportStore, Insertion, JobStore, LastUse, Lease,
    LeaseAnswer, LeaseRequest, ListedOwner, Lookup, MarkBounds, MissingOwners, NewImport, NewToken,
    NodeReport, Outbox, Outcome, Prune, Pruned, Purge, QueuedNotification, Revocation,
    RevocationScope, Revoked, Rotated, Rotation, SearchStore, StoreTime, Update, Updated,
};
use pat_core::store::{SeenEffect, SeenOwner, StoreError, TokenStore, UnusedCount, UnusedTokens};
use pat_core::{Owner, Token, TokenDigest, TokenId};

use super::FaultStore;

#[async_trait]
impl TokenStore for FaultStore {
    fn is_shared(&self) -> bool {
        self.0.own_nodes.is_some() || self.0.inner.is_shared()
    }

    async fn insert(&self, token: &NewToken, limit: u32) -> Result<Insertion, StoreError> {
        self.call("insert", |store| store.insert(token, limit))
            .await
    }

    async fn find_by_digest(&self, digest: &TokenDigest) -> Result<Lookup, StoreError> {
        self.call("find_by_digest", |store| async move {
            let found = store.find_by_digest(digest).await;
            let is_found = found.as_ref().is_ok_and(|found| found.token.is_some());
            self.0
                .found
                .fetch_add(usize::from(is_found), Ordering::SeqCst);
            found
        })
        .await
    }

    async fn recent_digests(&self, limit: u32) -> Result<Vec<TokenDigest>, StoreError> {
        self.call("recent_digests", |store| store.recent_digests(limit))
            .await
    }

    async fn find(&self, id: TokenId) -> Result<Option<Token>, StoreError> {
        self.call("find", |store| store.find(id)).await
    }

    async fn list(&self, owner: &Owner) -> Result<Vec<Token>, StoreError> {
        self.call("list", |store| store.list(owner)).await
    }

    async fn revoke(
        &self,
        scope: &RevocationScope,
        revocation: &Revocation,
    ) -> Result<Revoked, StoreError> {
        self.call("revoke", |store| store.revoke(scope, revocation))
            .await
    }

    async fn rotate(&self, rotation: &Rotation) -> Result<Rotated, StoreError> {
        self.call("rotate", |store| store.rotate(rotation)).await
    }

    async fn update(&self, update: &Update) -> Result<Updated, StoreError> {
        self.call("update", |store| store.update(update)).await
    }

    async fn append_change(
        &self,
        change: &Change,
        now: Timestamp,
    ) -> Result<Timestamp, StoreError> {
        self.call("append_change", |store| store.append_change(change, now))
            .await
    }

    async fn changes_since(&self, cursor: Option<FeedPosition>) -> Result<ChangePage, StoreError> {
        self.call("changes_since", |store| store.changes_since(cursor))
            .await
    }

    async fn listen(&self, hint: &(dyn Fn() + Send + Sync)) {
        self.0.inner.listen(hint).await;
    }

    async fn heartbeat(
        &self,
        report: &NodeReport,
        mark: &MarkBounds,
    ) -> Result<StoreTime, StoreError> {
        self.call("heartbeat", |store| async move {
            let Some(mut nodes) = self.own_nodes() else {
                return store.heartbeat(report, mark).await;
            };
            nodes.insert(report.node, *report);
            Ok(StoreTime::default())
        })
        .await
    }

    async fn owner_seen_at(&self, owner: &Owner) -> Result<Option<Timestamp>, StoreError> {
        self.call("owner_seen_at", |store| store.owner_seen_at(owner))
            .await
    }

    async fn note_seen(&self, seen: &SeenOwner) -> Result<SeenEffect, StoreError> {
        self.call("note_seen", |store| store.note_seen(seen)).await
    }

    async fn deregister(&self, report: &NodeReport) -> Result<(), StoreError> {
        self.call("deregister", |store| async move {
            let Some(mut nodes) = self.own_nodes() else {
                return store.deregister(report).await;
            };
            nodes.remove(&report.node);
            Ok(())
        })
        .await
    }

    async fn nodes(&self) -> Result<Vec<NodeReport>, StoreError> {
        self.call("nodes", |store| async move {
            let Some(nodes) = self.own_nodes() else {
                return store.nodes().await;
            };
            Ok(nodes.values().copied().collect())
        })
        .await
    }

    async fn raise_readable_from(&self, version: u64) -> Result<(), StoreError> {
        self.call("raise_readable_from", |store| {
            store.raise_readable_from(version)
        })
        .await
    }

    async fn record_use(&self, uses: &[LastUse]) -> Result<(), StoreError> {
        self.call("record_use", |store| store.record_use(uses))
            .await
    }

    async fn accept_clock(&self, now: Timestamp) -> Result<StoreTime, StoreError> {
        self.call("accept_clock", |store| store.accept_clock(now))
            .await
    }

    fn jobs(&self) -> Option<&dyn JobStore> {
        self.0.inner.jobs().map(|_| self as &dyn JobStore)
    }

    fn search_store(&self) -> Option<&dyn SearchStore> {
        let search = self.0.inner.search_store();
        let shown = search.filter(|_| !self.0.hides_search.load(Ordering::SeqCst));
        shown.map(|_| self as &dyn SearchStore)
    }

    fn import_store(&self) -> Option<&dyn ImportStore> {
        let imports = self.0.inner.import_store();
        imports.map(|_| self as &dyn ImportStore)
    }

    fn audit(&self) -> Option<&dyn AuditStore> {
        self.0.inner.audit().map(|_| self as &dyn AuditStore)
    }
}

#[async_trait]
impl JobStore for FaultStore {
    async fn acquire_lease(
        &self,
        request: &LeaseRequest<'_>,
    ) -> Result<(LeaseAnswer, StoreTime), StoreError> {
        self.call("acquire_lease", |_| {
            self.jobs_inside().acquire_lease(request)
        })
        .await
    }

    async fn renew_lease(
        &self,
        lease: &Lease,
        now: Timestamp,
        ttl: Duration,
    ) -> Result<(), StoreError> {
        self.call("renew_lease", |_| {
            self.jobs_inside().renew_lease(lease, now, ttl)
        })
        .await
    }

    async fn release_lease(&self, lease: &Lease, is_done: bool) -> Result<(), StoreError> {
        self.call("release_lease", |_| {
            self.jobs_inside().release_lease(lease, is_done)
        })
        .await
    }

    async fn owners_due(
        &self,
        due: &DueNotifications,
        after: Option<ExpiryPosition>,
        max_owners: u32,
    ) -> Result<DueOwners, StoreError> {
        self.call("owners_due", |_| {
            self.jobs_inside().owners_due(due, after, max_owners)
        })
        .await
    }

    async fn queue_due_notifications(
        &self,
        lease: &Lease,
        due: &DueNotifications,
        owners: &[Owner],
    ) -> Result<u64, StoreError> {
        self.call("queue_due_notifications", |_| {
            self.jobs_inside()
                .queue_due_notifications(lease, due, owners)
        })
        .await
    }

    async fn prune(&self, lease: &Lease, prune: &Prune, limit: u32) -> Result<Pruned, StoreError> {
        self.call("prune", |_| self.jobs_inside().prune(lease, prune, limit))
            .await
    }

    async fn purge(&self, lease: &Lease, purge: &Purge, limit: u32) -> Result<u64, StoreError> {
        self.call("purge", |_| self.jobs_inside().purge(lease, purge, limit))
            .await
    }

    async fn mend_future(&self, lease: &Lease, now: Timestamp) -> Result<u64, StoreError> {
        self.call("mend_future", |_| {
            self.jobs_inside().mend_future(lease, now)
        })
        .await
    }

    async fn note_unseen(
        &self,
        lease: &Lease,
        now: Timestamp,
        owners: &[Owner],
    ) -> Result<u64, StoreError> {
        self.call("note_unseen", |_| {
            self.jobs_inside().note_unseen(lease, now, owners)
        })
        .await
    }

    async fn warn_unused(
        &self,
        lease: &Lease,
        unused: &UnusedTokens,
        owners: &[Owner],
    ) -> Result<u64, StoreError> {
        self.call("warn_unused", |_| {
            self.jobs_inside().warn_unused(lease, unused, owners)
        })
        .await
    }

    async fn count_unused(
        &self,
        unused: &UnusedTokens,
        owners: &[Owner],
    ) -> Result<UnusedCount, StoreError> {
        self.call("count_unused", |_| {
            self.jobs_inside().count_unused(unused, owners)
        })
        .await
    }

    async fn revoke_unused(
        &self,
        lease: &Lease,
        unused: &UnusedTokens,
        owners: &[Owner],
    ) -> Result<Revoked, StoreError> {
        self.call("revoke_unused", |_| {
            self.jobs_inside().revoke_unused(lease, unused, owners)
        })
        .await
    }

    async fn owners_after(
        &self,
        after: Option<&Owner>,
        limit: u32,
    ) -> Result<Vec<ListedOwner>, StoreError> {
        self.call("owners_after", |_| {
            self.jobs_inside().owners_after(after, limit)
        })
        .await
    }

    async fn note_missing(
        &self,
        lease: &Lease,
        noted: &MissingOwners,
    ) -> Result<Vec<Owner>, StoreError> {
        self.call("note_missing", |_| {
            self.jobs_inside().note_missing(lease, noted)
        })
        .await
    }

    async fn claim_notifications(
        &self,
        now: Timestamp,
        ttl: Duration,
        limit: u32,
    ) -> Result<Vec<QueuedNotification>, StoreError> {
        self.call("claim_notifications", |_| {
            self.jobs_inside().claim_notifications(now, ttl, limit)
        })
        .await
    }

    async fn settle_notification(
        &self,
        claim: &Claim,
        outcome: &Outcome,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.call("settle_notification", |_| {
            self.jobs_inside().settle_notification(claim, outcome, now)
        })
        .await
    }

    async fn settle_notifications(
        &self,
        settled: &[(Claim, Outcome)],
        now: Timestamp,
    ) -> Result<Vec<bool>, StoreError> {
        self.call("settle_notifications", |_| {
            self.jobs_inside().settle_notifications(settled, now)
        })
        .await
    }

    async fn outbox(&self) -> Result<Outbox, StoreError> {
        self.call("outbox", |_| self.jobs_inside().outbox()).await
    }

    async fn dead_notifications(&self, limit: u32) -> Result<Vec<DeadNotification>, StoreError> {
        self.call("dead_notifications", |_| {
            self.jobs_inside().dead_notifications(limit)
        })
        .await
    }

    async fn requeue_notification(
        &self,
        id: NotificationId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.call("requeue_notification", |_| {
            self.jobs_inside().requeue_notification(id, now)
        })
        .await
    }

    async fn requeue_all_notifications(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.call("requeue_all_notifications", |_| {
            self.jobs_inside().requeue_all_notifications(now)
        })
        .await
    }
}

#[async_trait]
impl SearchStore for FaultStore {
    async fn search(&self, search: &Search) -> Result<Vec<Token>, StoreError> {
        self.call("search", |_| self.search_inside().search(search))
            .await
    }

    async fn count(&self, filter: &Filter) -> Result<u64, StoreError> {
        self.call("count", |_| self.search_inside().count(filter))
            .await
    }

    async fn count_up_to(&self, filter: &Filter, most: u64) -> Result<u64, StoreError> {
        self.call("count_up_to", |_| {
            self.search_inside().count_up_to(filter, most)
        })
        .await
    }

    async fn count_each(&self, filters: &[Filter]) -> Result<Vec<u64>, StoreError> {
        self.call("count_each", |_| self.search_inside().count_each(filters))
            .await
    }

    async fn ids(&self, filter: &Filter) -> Result<Vec<TokenId>, StoreError> {
        self.call("ids", |_| self.search_inside().ids(filter)).await
    }

    async fn find_all(&self, ids: &[TokenId]) -> Result<Vec<Token>, StoreError> {
        self.call("find_all", |_| self.search_inside().find_all(ids))
            .await
    }
}

#[async_trait]
impl ImportStore for FaultStore {
    async fn import(
        &self,
        tokens: &[NewImport],
        now: Timestamp,
    ) -> Result<Vec<ImportOutcome>, StoreError> {
        self.call("import", |_| self.imports_inside().import(tokens, now))
            .await
    }
}

#[async_trait]
impl AuditStore for FaultStore {
    async fn record_events(&self, events: &[Event]) -> Result<(), StoreError> {
        self.call("record_events", |_| {
            self.audit_inside().record_events(events)
        })
        .await
    }

    async fn number_events(&self, limit: u32) -> Result<u64, StoreError> {
        self.call("number_events", |_| {
            self.audit_inside().number_events(limit)
        })
        .await
    }

    async fn last_event_number(&self) -> Result<u64, StoreError> {
        self.call("last_event_number", |_| {
            self.audit_inside().last_event_number()
        })
        .await
    }

    async fn raise_event_number(&self, seq: u64) -> Result<(), StoreError> {
        self.call("raise_event_number", |_| {
            self.audit_inside().raise_event_number(seq)
        })
        .await
    }

    async fn events_after(&self, seq: u64, limit: u32) -> Result<Vec<Event>, StoreError> {
        self.call("events_after", |_| {
            self.audit_inside().events_after(seq, limit)
        })
        .await
    }

    async fn events_about(
        &self,
        token: TokenId,
        before: Option<HistoryPosition>,
        limit: u32,
    ) -> Result<Vec<Event>, StoreError> {
        self.call("events_about", |_| {
            self.audit_inside().events_about(token, before, limit)
        })
        .await
    }

    async fn sink_position(&self, sink: &str) -> Result<Option<u64>, StoreError> {
        self.call("sink_position", |_| self.audit_inside().sink_position(sink))
            .await
    }

    async fn put_sink_position(
        &self,
        lease: &Lease,
        sink: &str,
        seq: u64,
    ) -> Result<(), StoreError> {
        self.call("put_sink_position", |_| {
            self.audit_inside().put_sink_position(lease, sink, seq)
        })
        .await
    }
}
