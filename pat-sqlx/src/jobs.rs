use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use pat_core::Owner;
use pat_core::event::EventKind;
use pat_core::notification::{NotificationId, NotificationKind};
use pat_core::store::StoreError;
use pat_core::store::{
    CLOCK_TOLERANCE, Change, Claim, DeadNotification, DueNotifications, DueOwners, ExpiryPosition,
    JobStore, Lease, LeaseAnswer, LeaseRequest, ListedOwner, MissingOwners, Outbox, Outcome, Prune,
    Pruned, PrunedToken, Purge, QueuedNotification, Revoked, StoreTime, UnusedCount, UnusedTokens,
};
use tracing::instrument;

use crate::checkout::fetch;
use crate::dialect::Dialect;
use crate::row::{self, DEAD, PENDING};
use crate::sql::Sql;
use crate::store::SqlxStore;
use crate::write::{LeaseRow, Locked, Write};

// Calls under a lease return `None` when the lease is lost.
impl<DB: Dialect> SqlxStore<DB> {
    async fn try_acquire(
        &self,
        request: &LeaseRequest<'_>,
    ) -> Result<(LeaseAnswer, StoreTime), sqlx::Error> {
        let mut write = Write::begin_unread(self, request.now).await?;
        let row = write.lock_lease(request.job).await?;
        // After the lock, which the transaction may have waited for.
        let time = write.move_mark(&request.mark).await?;
        let (row, answer) = acquire(&row, request, write.now());
        if let Some(row) = row {
            write.put_lease(request.job, &row).await?;
        }
        write.commit().await?;
        Ok((answer, time))
    }

    async fn try_renew(
        &self,
        lease: &Lease,
        now: Timestamp,
        ttl: Duration,
    ) -> Result<Option<()>, sqlx::Error> {
        let mut write = Write::begin_unread(self, now).await?;
        let row = write.lock_lease(lease.job).await?;
        if row.term.cast_unsigned() != lease.term {
            return Ok(None);
        }
        write.read_time().await?;
        let held_until = (write.now() + ttl).as_microsecond();
        let row = LeaseRow { held_until, ..row };
        write.put_lease(lease.job, &row).await?;
        write.commit().await.map(Some)
    }

    async fn try_release(&self, lease: &Lease, is_done: bool) -> Result<Option<()>, sqlx::Error> {
        let mut write = Write::begin_timeless(self).await?;
        let row = write.lock_lease(lease.job).await?;
        if row.term.cast_unsigned() != lease.term {
            return Ok(None);
        }
        let done = if is_done {
            row.done.max(lease.occurrence.as_microsecond())
        } else {
            row.done
        };
        let row = LeaseRow {
            held_until: 0,
            done,
            ..row
        };
        write.put_lease(lease.job, &row).await?;
        write.commit().await.map(Some)
    }

    async fn try_queue_due(
        &self,
        lease: &Lease,
        due: &DueNotifications,
        owners: &[Owner],
    ) -> Result<Option<u64>, sqlx::Error> {
        let mut write = Write::begin(self, due.now).await?;
        if !write.holds(lease).await? {
            return Ok(None);
        }
        if write.leaps_too_far() {
            return Ok(Some(0));
        }
        let mut due = due.clone();
        due.now = write.now();
        let due = &due;
        let ids = write.lock_due(due, owners).await?;
        write.mark_notified(&ids, due).await?;
        let count = write
            .queue_notifications(due.kind, &ids, due.now, None)
            .await?;
        write.commit().await?;
        Ok(Some(count))
    }

    async fn try_prune(
        &self,
        lease: &Lease,
        prune: &Prune,
        limit: u32,
    ) -> Result<Option<Pruned>, sqlx::Error> {
        let mut write = Write::begin(self, prune.now).await?;
        let at = write.now();
        if !write.holds(lease).await? {
            return Ok(None);
        }
        // Tokens whose owners are still to be notified are not deleted.
        write.queue_revocation_notices().await?;
        let old = write.find_old(prune, limit).await?;
        // Before the tokens, as revocations do.
        write.lock_owners_of_parents(&old).await?;
        let locked = write.lock_tokens(&old).await?;
        write.adopt_children(&old).await?;
        if prune.notify {
            let told_of = locked.iter();
            let told_of = told_of.filter(|locked| !locked.is_revoked && !locked.is_transient);
            let ids: Vec<_> = told_of.map(|locked| locked.token.id).collect();
            let kind = NotificationKind::Pruned;
            write.queue_notifications(kind, &ids, at, None).await?;
        }
        write.delete_tokens(&old).await?;
        let pruned = locked
            .into_iter()
            .map(|Locked { token, .. }| PrunedToken::new(token.id, token.owner));
        let pruned = Pruned::new(at, pruned.collect());
        let tokens = pruned.tokens.clone();
        write.record(at, EventKind::Pruned { tokens }).await?;
        write.commit().await?;
        Ok(Some(pruned))
    }

    async fn try_warn_unused(
        &self,
        lease: &Lease,
        unused: &UnusedTokens,
        owners: &[Owner],
    ) -> Result<Option<u64>, sqlx::Error> {
        let mut write = Write::begin(self, unused.now).await?;
        if !write.holds(lease).await? {
            return Ok(None);
        }
        if write.leaps_too_far() {
            return Ok(Some(0));
        }
        let ids = write.mark_warned(unused, owners).await?;
        let (kind, at) = (NotificationKind::UnusedWarning, write.now());
        let count = write.queue_notifications(kind, &ids, at, None).await?;
        write.commit().await?;
        Ok(Some(count))
    }

    async fn try_revoke_unused(
        &self,
        lease: &Lease,
        unused: &UnusedTokens,
        owners: &[Owner],
    ) -> Result<Option<Revoked>, sqlx::Error> {
        let mut write = Write::begin(self, unused.now).await?;
        if !write.holds(lease).await? {
            return Ok(None);
        }
        let (revocation, tokens) = write.revoke_unused(unused, owners).await?;
        let revoked = Revoked::new(revocation.at, tokens);
        if !revoked.tokens.is_empty() {
            let changes = Change::of_revoked(&revoked.tokens);
            let event = revocation.event(revoked.tokens.clone());
            // Last, since the counter's row stays locked until the commit.
            write
                .append_changes(&changes, revoked.at, Some(event))
                .await?;
            write.commit().await?;
        }
        Ok(Some(revoked))
    }

    async fn try_purge(
        &self,
        lease: &Lease,
        purge: &Purge,
        limit: u32,
    ) -> Result<Option<u64>, sqlx::Error> {
        let mut write = Write::begin(self, purge.now).await?;
        if !write.holds(lease).await? {
            return Ok(None);
        }
        let notifications = write.purge_notifications(purge, limit).await?;
        let events = write.purge_events(purge, limit).await?;
        let changes = write.purge_changes(purge, limit).await?;
        let requests = write.purge_requests(purge, limit).await?;
        write.commit().await?;
        Ok(Some(notifications + events + changes + requests))
    }

    async fn try_mend_future(
        &self,
        lease: &Lease,
        now: Timestamp,
    ) -> Result<Option<u64>, sqlx::Error> {
        let mut write = Write::begin_unread(self, now).await?;
        let mended = write.mend_future_under(lease).await?;
        write.commit().await?;
        Ok(mended)
    }

    async fn try_owners_after(
        &self,
        after: Option<&Owner>,
        limit: u32,
    ) -> Result<Vec<ListedOwner>, sqlx::Error> {
        let index = DB::by_index(DB::BY_UNREVOKED_OWNER);
        let mut sql = Sql::new(format!(
            "SELECT t.owner, o.missing_since FROM (\
             SELECT DISTINCT owner FROM pat_token{index} WHERE revoked_at IS NULL AND owner > ",
        ));
        // An owner's key is never empty.
        sql.bind(after.map_or("", Owner::as_str));
        sql.push(" ORDER BY owner LIMIT ").bind(limit);
        sql.push(") t LEFT JOIN pat_owner o ON o.owner = t.owner ORDER BY t.owner");
        let rows = fetch(&self.pool, sql).await?;
        let listed = rows.iter().map(|row| {
            let mut listed = ListedOwner::new(row.owner("owner")?);
            listed.missing_since = row.optional_timestamp("missing_since")?;
            Ok(listed)
        });
        listed.collect()
    }

    async fn try_note_unseen(
        &self,
        lease: &Lease,
        now: Timestamp,
        owners: &[Owner],
    ) -> Result<Option<u64>, sqlx::Error> {
        let mut write = Write::begin(self, now).await?;
        if !write.holds(lease).await? {
            return Ok(None);
        }
        let count = write.note_unseen(owners).await?;
        write.commit().await?;
        Ok(Some(count))
    }

    async fn try_note_missing(
        &self,
        lease: &Lease,
        noted: &MissingOwners,
    ) -> Result<Option<Vec<Owner>>, sqlx::Error> {
        let mut write = Write::begin(self, noted.now).await?;
        if !write.holds(lease).await? {
            return Ok(None);
        }
        write.note_present(&noted.present).await?;
        let gone = write.note_missing(noted).await?;
        write.commit().await?;
        Ok(Some(gone))
    }

    /// Returns `None` if nothing is due; an empty list if all claimed notifications were skipped.
    async fn try_claim(
        &self,
        now: Timestamp,
        ttl: Duration,
        limit: u32,
    ) -> Result<Option<Vec<QueuedNotification>>, sqlx::Error> {
        let mut write = Write::begin(self, now).await?;
        let now = write.now();
        let is_any_queued = write.queue_revocation_notices().await?;
        let mut notifications = write.lock_due_notifications(now, limit).await?;
        let is_any_due = is_any_queued || !notifications.is_empty();
        write.put_claims(&notifications, now + ttl).await?;
        for notification in &notifications {
            if notification.tokens.is_empty() {
                let skipped = Outcome::Skipped {
                    reason: "its tokens are revoked, gone or expired".into(),
                };
                write.settle(&notification.claim, &skipped, now).await?;
            }
        }
        write.commit().await?;
        notifications.retain(|notification| !notification.tokens.is_empty());
        Ok(is_any_due.then_some(notifications))
    }

    async fn try_settle(
        &self,
        claim: &Claim,
        outcome: &Outcome,
        now: Timestamp,
    ) -> Result<bool, sqlx::Error> {
        let mut write = Write::begin(self, now).await?;
        let at = write.now();
        let settled = write.settle(claim, outcome, at).await?;
        if settled {
            write.record_settled(claim, outcome, at).await?;
        }
        write.commit().await?;
        Ok(settled)
    }

    async fn try_settle_all(
        &self,
        settled: &[(Claim, Outcome)],
        now: Timestamp,
    ) -> Result<Vec<bool>, sqlx::Error> {
        let mut write = Write::begin(self, now).await?;
        let at = write.now();
        let sent = settled
            .iter()
            .filter(|(_, outcome)| *outcome == Outcome::Sent);
        let sent: Vec<_> = sent.map(|(claim, _)| *claim).collect();
        let sent = write.settle_sent(&sent, at).await?;
        let mut are_settled = Vec::with_capacity(settled.len());
        for (claim, outcome) in settled {
            if *outcome == Outcome::Sent {
                are_settled.push(sent.contains(&claim.id));
                continue;
            }
            let is_settled = write.settle(claim, outcome, at).await?;
            if is_settled {
                write.record_settled(claim, outcome, at).await?;
            }
            are_settled.push(is_settled);
        }
        write.commit().await?;
        Ok(are_settled)
    }

    async fn try_outbox(&self) -> Result<Outbox, sqlx::Error> {
        let sql = Sql::new(format!(
            "SELECT COUNT(*) AS pending, MIN(queued_at) AS oldest, \
             (SELECT COUNT(*) FROM pat_notice WHERE state = {DEAD}) AS dead, \
             (SELECT COUNT(*) FROM (SELECT DISTINCT notice_due_at, owner FROM pat_token \
             WHERE notice_due_at > 0) d) AS unqueued, \
             (SELECT MIN(notice_due_at) FROM pat_token WHERE notice_due_at > 0) AS oldest_unqueued \
             FROM pat_notice WHERE state = {PENDING}"
        ));
        let rows = fetch(&self.pool, sql).await?;
        let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
        let mut outbox = Outbox::default();
        // Those of large revocations are queued after them.
        outbox.pending = row.count("pending")? + row.count("unqueued")?;
        let oldest = [
            row.optional_timestamp("oldest")?,
            row.optional_timestamp("oldest_unqueued")?,
        ];
        outbox.oldest_pending_at = oldest.into_iter().flatten().min();
        outbox.dead = row.count("dead")?;
        Ok(outbox)
    }

    async fn try_dead(&self, limit: u32) -> Result<Vec<DeadNotification>, sqlx::Error> {
        let mut sql = Sql::new(
            "SELECT id, kind, owner, queued_at, attempts, error FROM pat_notice WHERE state = ",
        );
        sql.bind(DEAD);
        sql.push(" AND kind IN ").bind_in(row::known_kinds());
        sql.push(" ORDER BY queued_at DESC, id DESC LIMIT ")
            .bind(limit);
        let rows = fetch(&self.pool, sql).await?;
        rows.iter().map(row::dead_notification).collect()
    }

    /// Queues one dead letter again, or all.
    async fn try_requeue(
        &self,
        id: Option<NotificationId>,
        now: Timestamp,
    ) -> Result<u64, sqlx::Error> {
        let mut write = Write::begin(self, now).await?;
        let requeued = write.requeue(id, write.now()).await?;
        write.commit().await?;
        Ok(requeued)
    }
}

#[async_trait]
impl<DB: Dialect> JobStore for SqlxStore<DB> {
    #[instrument(name = "pat.store.acquire_lease", skip_all, fields(job = request.job.as_str()))]
    async fn acquire_lease(
        &self,
        request: &LeaseRequest<'_>,
    ) -> Result<(LeaseAnswer, StoreTime), StoreError> {
        self.retry(|| self.try_acquire(request)).await
    }

    #[instrument(name = "pat.store.renew_lease", skip_all, fields(job = lease.job.as_str()))]
    async fn renew_lease(
        &self,
        lease: &Lease,
        now: Timestamp,
        ttl: Duration,
    ) -> Result<(), StoreError> {
        held(self.retry(|| self.try_renew(lease, now, ttl)).await)
    }

    #[instrument(name = "pat.store.release_lease", skip_all, fields(job = lease.job.as_str()))]
    async fn release_lease(&self, lease: &Lease, is_done: bool) -> Result<(), StoreError> {
        held(self.retry(|| self.try_release(lease, is_done)).await)
    }

    #[instrument(name = "pat.store.owners_due", skip_all, fields(kind = %due.kind))]
    async fn owners_due(
        &self,
        due: &DueNotifications,
        after: Option<ExpiryPosition>,
        max_owners: u32,
    ) -> Result<DueOwners, StoreError> {
        self.retry(|| self.try_owners_due(due, after, max_owners))
            .await
    }

    #[instrument(name = "pat.store.queue_due_notifications", skip_all, fields(kind = %due.kind))]
    async fn queue_due_notifications(
        &self,
        lease: &Lease,
        due: &DueNotifications,
        owners: &[Owner],
    ) -> Result<u64, StoreError> {
        held(self.retry(|| self.try_queue_due(lease, due, owners)).await)
    }

    #[instrument(name = "pat.store.prune", skip_all)]
    async fn prune(&self, lease: &Lease, prune: &Prune, limit: u32) -> Result<Pruned, StoreError> {
        held(self.retry(|| self.try_prune(lease, prune, limit)).await)
    }

    #[instrument(name = "pat.store.warn_unused", skip_all)]
    async fn warn_unused(
        &self,
        lease: &Lease,
        unused: &UnusedTokens,
        owners: &[Owner],
    ) -> Result<u64, StoreError> {
        let warned = self.retry(|| self.try_warn_unused(lease, unused, owners));
        held(warned.await)
    }

    #[instrument(name = "pat.store.count_unused", skip_all)]
    async fn count_unused(
        &self,
        unused: &UnusedTokens,
        owners: &[Owner],
    ) -> Result<UnusedCount, StoreError> {
        self.retry(|| self.try_count_unused(unused, owners)).await
    }

    #[instrument(name = "pat.store.revoke_unused", skip_all)]
    async fn revoke_unused(
        &self,
        lease: &Lease,
        unused: &UnusedTokens,
        owners: &[Owner],
    ) -> Result<Revoked, StoreError> {
        let revoked = self.retry(|| self.try_revoke_unused(lease, unused, owners));
        let revoked = held(revoked.await)?;
        if !revoked.tokens.is_empty() {
            self.notify().await;
        }
        Ok(revoked)
    }

    #[instrument(name = "pat.store.purge", skip_all)]
    async fn purge(&self, lease: &Lease, purge: &Purge, limit: u32) -> Result<u64, StoreError> {
        held(self.retry(|| self.try_purge(lease, purge, limit)).await)
    }

    #[instrument(name = "pat.store.mend_future", skip_all)]
    async fn mend_future(&self, lease: &Lease, now: Timestamp) -> Result<u64, StoreError> {
        held(self.retry(|| self.try_mend_future(lease, now)).await)
    }

    #[instrument(name = "pat.store.owners_after", skip_all)]
    async fn owners_after(
        &self,
        after: Option<&Owner>,
        limit: u32,
    ) -> Result<Vec<ListedOwner>, StoreError> {
        self.retry(|| self.try_owners_after(after, limit)).await
    }

    #[instrument(name = "pat.store.note_unseen", skip_all)]
    async fn note_unseen(
        &self,
        lease: &Lease,
        now: Timestamp,
        owners: &[Owner],
    ) -> Result<u64, StoreError> {
        let noted = self.retry(|| self.try_note_unseen(lease, now, owners));
        held(noted.await)
    }

    #[instrument(name = "pat.store.note_missing", skip_all)]
    async fn note_missing(
        &self,
        lease: &Lease,
        noted: &MissingOwners,
    ) -> Result<Vec<Owner>, StoreError> {
        held(self.retry(|| self.try_note_missing(lease, noted)).await)
    }

    #[instrument(name = "pat.store.claim_notifications", level = "debug", skip_all)]
    async fn claim_notifications(
        &self,
        now: Timestamp,
        ttl: Duration,
        limit: u32,
    ) -> Result<Vec<QueuedNotification>, StoreError> {
        loop {
            match self.retry(|| self.try_claim(now, ttl, limit)).await? {
                None => return Ok(Vec::new()),
                // All claimed notifications were skipped.
                Some(claimed) if claimed.is_empty() => {}
                Some(claimed) => return Ok(claimed),
            }
        }
    }

    #[instrument(name = "pat.store.settle_notification", skip_all, fields(notification.id = %claim.id))]
    async fn settle_notification(
        &self,
        claim: &Claim,
        outcome: &Outcome,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.retry(|| self.try_settle(claim, outcome, now)).await
    }

    #[instrument(name = "pat.store.settle_notifications", skip_all)]
    async fn settle_notifications(
        &self,
        settled: &[(Claim, Outcome)],
        now: Timestamp,
    ) -> Result<Vec<bool>, StoreError> {
        self.retry(|| self.try_settle_all(settled, now)).await
    }

    #[instrument(name = "pat.store.outbox", level = "debug", skip_all)]
    async fn outbox(&self) -> Result<Outbox, StoreError> {
        self.retry(|| self.try_outbox()).await
    }

    #[instrument(name = "pat.store.dead_notifications", skip_all)]
    async fn dead_notifications(&self, limit: u32) -> Result<Vec<DeadNotification>, StoreError> {
        self.retry(|| self.try_dead(limit)).await
    }

    #[instrument(name = "pat.store.requeue_notification", skip_all, fields(notification.id = %id))]
    async fn requeue_notification(
        &self,
        id: NotificationId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let requeued = self.retry(|| self.try_requeue(Some(id), now)).await?;
        Ok(requeued == 1)
    }

    #[instrument(name = "pat.store.requeue_all_notifications", skip_all)]
    async fn requeue_all_notifications(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.retry(|| self.try_requeue(None, now)).await
    }
}

/// Decides a request for a lease, and returns the row to write. Times that are later than possible were
/// written while a clock was wrong, and count as not set.
fn acquire(
    row: &LeaseRow,
    request: &LeaseRequest<'_>,
    now: Timestamp,
) -> (Option<LeaseRow>, LeaseAnswer) {
    let now_micros = now.as_microsecond();
    let held_until = (now + request.ttl).as_microsecond();
    let latest = (now + CLOCK_TOLERANCE).as_microsecond();
    let done = if row.done > latest { 0 } else { row.done };
    let occurrence = (request.due)(now);
    let Some(occurrence) = occurrence.filter(|due| done < due.as_microsecond()) else {
        return (None, LeaseAnswer::Done);
    };
    let longest = (now + request.ttl + CLOCK_TOLERANCE).as_microsecond();
    if now_micros < row.held_until && row.held_until <= longest {
        return (None, LeaseAnswer::Held);
    }
    let row = LeaseRow {
        term: row.term + 1,
        held_until,
        done,
    };
    let lease = Lease::new(request.job, occurrence, row.term.cast_unsigned());
    (Some(row), LeaseAnswer::Acquired(lease))
}

fn held<T>(result: Result<Option<T>, StoreError>) -> Result<T, StoreError> {
    result?.ok_or(StoreError::LeaseLost)
}
