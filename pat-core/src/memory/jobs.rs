use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::unused::is_used_at_the_end;
use super::{LiveChildren, MemoryStore};
use crate::client::Client;
use crate::event::EventKind;
use crate::notification::{NotificationId, NotificationKind, NotificationToken};
use crate::store::{
    CLOCK_TOLERANCE, Claim, DeadNotification, DueNotifications, DueOwners, ExpiryPosition,
    IDEMPOTENCY_KEPT, Job, JobStore, LONGEST_DELAY, Lease, LeaseAnswer, LeaseRequest, ListedOwner,
    MissingOwners, Outbox, Outcome, Prune, Pruned, PrunedToken, Purge, QueuedNotification,
    REPLACED_NOTICE, Revocation, Revoked, StoreError, StoreTime, TRANSIENT_KEPT, UnusedCount,
    UnusedTokens,
};
use crate::token::{Owner, Token, TokenId, random_u64};

#[derive(Debug, Default)]
pub(super) struct Tables {
    leases: HashMap<Job, LeaseRow>,
    /// The last notification of expiry that was queued for each token.
    told: HashMap<TokenId, NotificationKind>,
    /// The reminder that was queued last for each token, in days.
    reminded: HashMap<TokenId, u32>,
    /// When the last warning was queued that a token will be revoked because it is unused.
    pub(super) unused_warned_at: HashMap<TokenId, Timestamp>,
    /// The replaced tokens of whose use a notification was queued.
    pub(super) told_of_use: HashSet<TokenId>,
    notifications: BTreeMap<NotificationId, NotificationRow>,
    missing_since: HashMap<Owner, Timestamp>,
}

#[derive(Debug, Default)]
struct LeaseRow {
    term: u64,
    held_until: Timestamp,
    /// The latest occurrence that is done.
    done: Option<Timestamp>,
}

impl LeaseRow {
    fn acquire(&mut self, request: &LeaseRequest<'_>) -> LeaseAnswer {
        let now = request.now;
        // A later time was written while a clock was wrong.
        let done = self.done.filter(|done| *done <= now + CLOCK_TOLERANCE);
        let Some(occurrence) = (request.due)(now).filter(|due| done < Some(*due)) else {
            return LeaseAnswer::Done;
        };
        if now < self.held_until && self.held_until <= now + request.ttl + CLOCK_TOLERANCE {
            return LeaseAnswer::Held;
        }
        self.term += 1;
        self.held_until = now + request.ttl;
        self.done = done;
        LeaseAnswer::Acquired(Lease {
            job: request.job,
            occurrence,
            term: self.term,
        })
    }
}

#[derive(Debug)]
struct NotificationRow {
    notification: QueuedNotification,
    state: State,
    /// When the next attempt is due, or when it was settled.
    due_at: Timestamp,
    error: String,
}

impl NotificationRow {
    /// Queues a dead notification again; returns whether it was dead.
    fn requeue(&mut self, now: Timestamp) -> bool {
        let was_dead = self.state == State::Dead;
        if was_dead {
            (self.state, self.due_at) = (State::Pending, now);
            self.notification.attempts = 0;
        }
        was_dead
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Pending,
    Sent,
    Dead,
    Skipped,
}

impl Tables {
    pub(super) fn check(&self, lease: &Lease) -> Result<(), StoreError> {
        match self.leases.get(&lease.job) {
            Some(row) if row.term == lease.term => Ok(()),
            _ => Err(StoreError::LeaseLost),
        }
    }

    fn is_notified(&self, id: TokenId, kind: NotificationKind) -> bool {
        self.told.get(&id).is_some_and(|told| *told >= kind)
    }

    fn is_reminded(&self, id: TokenId, reminder: u32) -> bool {
        let is_repeated = |reminded: &u32| *reminded <= reminder;
        self.is_notified(id, NotificationKind::Expired)
            || self.reminded.get(&id).is_some_and(is_repeated)
    }

    /// Removes tokens from the notifications of a kind that wait to be sent: newer ones replace them.
    pub(super) fn withdraw(&mut self, kind: NotificationKind, ids: &[TokenId]) {
        for row in self.notifications.values_mut() {
            let notification = &mut row.notification;
            if row.state == State::Pending && notification.kind == kind {
                notification.tokens.retain(|token| !ids.contains(&token.id));
            }
        }
    }
}

impl super::Tables {
    /// Queues one notification for each owner of these tokens.
    pub(super) fn queue(
        &mut self,
        kind: NotificationKind,
        ids: &[TokenId],
        now: Timestamp,
        revocation: Option<(&Revocation, &LiveChildren)>,
    ) -> Result<u64, StoreError> {
        let (revocation, live_children) = revocation.unzip();
        let mut by_owner: BTreeMap<Owner, Vec<NotificationToken>> = BTreeMap::new();
        for token in ids.iter().filter_map(|id| self.tokens.get(id)) {
            let tokens = by_owner.entry(token.owner.clone()).or_default();
            tokens.push(NotificationToken::from(token));
        }
        let count = by_owner.len() as u64;
        let client_address = Client::current().address();
        for (owner, mut tokens) in by_owner {
            tokens.sort_by_key(NotificationToken::order);
            let id = NotificationId::random().map_err(StoreError::backend)?;
            let notification = QueuedNotification {
                claim: Claim { id, token: 0 },
                kind,
                live_children: live_children
                    .and_then(|live| live.get(&owner).copied())
                    .unwrap_or_default(),
                owner,
                tokens,
                by: revocation.and_then(|revocation| revocation.by.clone()),
                reason: revocation.and_then(|revocation| revocation.reason.clone()),
                client_address: client_address.filter(|_| kind.has_client_address()),
                queued_at: now,
                attempts: 0,
                sent_by: Vec::new(),
            };
            let row = NotificationRow {
                notification,
                state: State::Pending,
                due_at: now,
                error: String::new(),
            };
            self.jobs.notifications.insert(id, row);
        }
        Ok(count)
    }

    fn due(&self, due: &DueNotifications) -> impl Iterator<Item = &Token> {
        self.tokens.values().filter(move |token| {
            let is_due = token.expires_at.is_some_and(|at| match due.kind {
                NotificationKind::ExpiresSoon => {
                    at > due.now
                        && due
                            .reminder(token)
                            .is_some_and(|reminder| !self.jobs.is_reminded(token.id, reminder))
                }
                NotificationKind::ReplacedInUse => {
                    at > due.now - REPLACED_NOTICE
                        && is_used_at_the_end(token)
                        && !self.jobs.told_of_use.contains(&token.id)
                }
                _ => at <= due.now && !self.jobs.is_notified(token.id, due.kind),
            });
            let may_be_transient = due.kind == NotificationKind::ReplacedInUse;
            is_due && token.revoked_at.is_none() && (may_be_transient || !token.is_transient)
        })
    }

    /// Returns whether a notification still applies to a token.
    fn still_applies(&self, kind: NotificationKind, id: TokenId, now: Timestamp) -> bool {
        let token = self.tokens.get(&id);
        let is_unrevoked = token.is_some_and(|token| token.revoked_at.is_none());
        // The owner of a replaced token knows of its successor.
        let is_transient = token.is_some_and(|token| token.is_transient);
        let is_over = token.is_some_and(|token| token.expires_at.is_some_and(|end| end <= now));
        match kind {
            NotificationKind::Created | NotificationKind::ReplacedInUse => is_unrevoked,
            NotificationKind::Expired => is_unrevoked && !is_transient,
            NotificationKind::ExpiresSoon | NotificationKind::UnusedWarning => {
                is_unrevoked && !is_transient && !is_over
            }
            NotificationKind::Pruned
            | NotificationKind::RevokedByAdmin
            | NotificationKind::RotatedAgain
            | NotificationKind::UnusedRevoked => true,
        }
    }
}

#[async_trait]
impl JobStore for MemoryStore {
    async fn acquire_lease(
        &self,
        request: &LeaseRequest<'_>,
    ) -> Result<(LeaseAnswer, StoreTime), StoreError> {
        let mut tables = self.tables()?;
        let row = tables.jobs.leases.entry(request.job).or_default();
        Ok((row.acquire(request), StoreTime::default()))
    }

    async fn renew_lease(
        &self,
        lease: &Lease,
        now: Timestamp,
        ttl: Duration,
    ) -> Result<(), StoreError> {
        let mut tables = self.tables()?;
        tables.jobs.check(lease)?;
        let row = tables.jobs.leases.entry(lease.job).or_default();
        row.held_until = now + ttl;
        Ok(())
    }

    async fn release_lease(&self, lease: &Lease, is_done: bool) -> Result<(), StoreError> {
        let mut tables = self.tables()?;
        tables.jobs.check(lease)?;
        let row = tables.jobs.leases.entry(lease.job).or_default();
        row.held_until = Timestamp::UNIX_EPOCH;
        if is_done {
            row.done = row.done.max(Some(lease.occurrence));
        }
        Ok(())
    }

    async fn owners_due(
        &self,
        due: &DueNotifications,
        after: Option<ExpiryPosition>,
        max_owners: u32,
    ) -> Result<DueOwners, StoreError> {
        let tables = self.tables()?;
        let positions = tables.due(due).filter_map(|token| {
            let position = ExpiryPosition::new(token.expires_at?, token.id);
            Some((position, token.owner.clone()))
        });
        let later: BTreeMap<_, _> = positions
            .filter(|(position, _)| Some(*position) > after)
            .collect();
        Ok(DueOwners::collect(later, max_owners, None))
    }

    async fn queue_due_notifications(
        &self,
        lease: &Lease,
        due: &DueNotifications,
        owners: &[Owner],
    ) -> Result<u64, StoreError> {
        let mut tables = self.tables()?;
        tables.jobs.check(lease)?;
        let due_tokens = tables.due(due);
        let due_tokens = due_tokens.filter(|token| owners.contains(&token.owner));
        let ids: Vec<_> = due_tokens.map(|token| token.id).collect();
        if due.kind == NotificationKind::ExpiresSoon {
            tables.jobs.withdraw(due.kind, &ids);
        }
        if due.kind == NotificationKind::ReplacedInUse {
            tables.jobs.told_of_use.extend(&ids);
            return tables.queue(due.kind, &ids, due.now, None);
        }
        for id in &ids {
            tables.jobs.told.insert(*id, due.kind);
            if due.kind == NotificationKind::ExpiresSoon {
                let reminder = tables.tokens.get(id).and_then(|token| due.reminder(token));
                tables
                    .jobs
                    .reminded
                    .extend(reminder.map(|days| (*id, days)));
            }
        }
        tables.queue(due.kind, &ids, due.now, None)
    }

    async fn prune(&self, lease: &Lease, prune: &Prune, limit: u32) -> Result<Pruned, StoreError> {
        let mut tables = self.tables()?;
        tables.jobs.check(lease)?;
        let cutoff = StoreTime::default().cutoff(prune.vouched, prune.keep);
        let transient_cutoff = StoreTime::default().cutoff(prune.vouched, TRANSIENT_KEPT);
        let is_old = |at: Option<Timestamp>, cutoff| at.is_some_and(|at| at <= cutoff);
        let is_old = |token: &&Token| {
            is_old(token.expires_at, cutoff)
                || is_old(token.revoked_at, cutoff)
                || token.is_transient && is_old(token.expires_at, transient_cutoff)
        };
        let old: Vec<Token> = tables
            .tokens
            .values()
            .filter(is_old)
            .take(limit as usize)
            .cloned()
            .collect();
        if prune.notify {
            let told_of = old.iter();
            let told_of = told_of.filter(|token| token.revoked_at.is_none() && !token.is_transient);
            let ids: Vec<_> = told_of.map(|token| token.id).collect();
            tables.queue(NotificationKind::Pruned, &ids, prune.now, None)?;
        }
        for token in &old {
            tables.tokens.remove(&token.id);
            tables.jobs.told.remove(&token.id);
            tables.jobs.reminded.remove(&token.id);
            tables.jobs.unused_warned_at.remove(&token.id);
            tables.jobs.told_of_use.remove(&token.id);
        }
        tables.adopt_children_of(&old);
        tables
            .by_digest
            .retain(|_, id| old.binary_search_by_key(id, |token| token.id).is_err());
        let pruned = |token: Token| PrunedToken {
            id: token.id,
            owner: token.owner,
        };
        let pruned = Pruned {
            at: prune.now,
            tokens: old.into_iter().map(pruned).collect(),
        };
        let tokens = pruned.tokens.clone();
        tables
            .audit
            .record(pruned.at, EventKind::Pruned { tokens })?;
        Ok(pruned)
    }

    async fn warn_unused(
        &self,
        lease: &Lease,
        unused: &UnusedTokens,
        owners: &[Owner],
    ) -> Result<u64, StoreError> {
        let mut tables = self.tables()?;
        tables.jobs.check(lease)?;
        tables.warn_unused(unused, owners)
    }

    async fn count_unused(
        &self,
        unused: &UnusedTokens,
        owners: &[Owner],
    ) -> Result<UnusedCount, StoreError> {
        Ok(self.tables()?.count_unused(unused, owners))
    }

    async fn revoke_unused(
        &self,
        lease: &Lease,
        unused: &UnusedTokens,
        owners: &[Owner],
    ) -> Result<Revoked, StoreError> {
        let mut tables = self.tables()?;
        tables.jobs.check(lease)?;
        tables.revoke_unused(unused, owners)
    }

    async fn purge(&self, lease: &Lease, purge: &Purge, limit: u32) -> Result<u64, StoreError> {
        let mut tables = self.tables()?;
        tables.jobs.check(lease)?;
        let head = tables.generation;
        let cutoff = |kept| StoreTime::default().cutoff(purge.vouched, kept);
        let (changes_before, notifications_before) =
            (cutoff(purge.changes), cutoff(purge.notifications));
        let old_changes = std::iter::zip(&tables.changes, &tables.changed_at)
            .take_while(|(entry, at)| entry.generation < head && **at < changes_before)
            .count()
            .min(limit as usize);
        tables.changes.drain(..old_changes);
        tables.changed_at.drain(..old_changes);
        let is_old = |row: &NotificationRow| {
            row.state != State::Pending && row.due_at < notifications_before
        };
        let rows = tables.jobs.notifications.iter();
        let old_notifications: Vec<_> = rows
            .filter(|(_, row)| is_old(row))
            .map(|(id, _)| *id)
            .take(limit as usize)
            .collect();
        for id in &old_notifications {
            tables.jobs.notifications.remove(id);
        }
        let old_events = tables.audit.purge(cutoff(purge.events), limit as usize);
        let old_requests = tables.purge_requests(cutoff(IDEMPOTENCY_KEPT), limit as usize);
        Ok((old_changes + old_notifications.len() + old_events + old_requests) as u64)
    }

    async fn owners_after(
        &self,
        after: Option<&Owner>,
        limit: u32,
    ) -> Result<Vec<ListedOwner>, StoreError> {
        let tables = self.tables()?;
        let unrevoked = tables.tokens.values().filter(|t| t.revoked_at.is_none());
        let owners: BTreeSet<_> = unrevoked.map(|token| &token.owner).collect();
        let later = owners.into_iter().filter(|owner| Some(*owner) > after);
        let listed = later.take(limit as usize).map(|owner| ListedOwner {
            owner: owner.clone(),
            missing_since: tables.jobs.missing_since.get(owner).copied(),
        });
        Ok(listed.collect())
    }

    async fn note_unseen(
        &self,
        lease: &Lease,
        now: Timestamp,
        owners: &[Owner],
    ) -> Result<u64, StoreError> {
        let mut tables = self.tables()?;
        tables.jobs.check(lease)?;
        let mut count = 0;
        for owner in owners {
            if !tables.seen_at.contains_key(owner) {
                tables.seen_at.insert(owner.clone(), now);
                count += 1;
            }
        }
        Ok(count)
    }

    async fn note_missing(
        &self,
        lease: &Lease,
        noted: &MissingOwners,
    ) -> Result<Vec<Owner>, StoreError> {
        let mut tables = self.tables()?;
        tables.jobs.check(lease)?;
        let missing_since = &mut tables.jobs.missing_since;
        missing_since.retain(|owner, _| !noted.present.contains(owner));
        let vouched = StoreTime::default().vouched(noted.vouched);
        let long_ago = StoreTime::default().cutoff(noted.vouched, noted.at_least);
        let mut gone = Vec::new();
        for owner in &noted.missing {
            let since = missing_since.entry(owner.clone()).or_insert(vouched);
            // A time in the future was recorded while a clock was wrong.
            *since = vouched.min(*since);
            if *since <= long_ago {
                gone.push(owner.clone());
            }
        }
        Ok(gone)
    }

    async fn claim_notifications(
        &self,
        now: Timestamp,
        ttl: Duration,
        limit: u32,
    ) -> Result<Vec<QueuedNotification>, StoreError> {
        let mut tables = self.tables()?;
        let is_due = |row: &NotificationRow| {
            let is_put_off = now < row.due_at && row.due_at <= now + LONGEST_DELAY;
            row.state == State::Pending && !is_put_off
        };
        let mut due: Vec<_> = tables
            .jobs
            .notifications
            .values()
            .filter(|row| is_due(row))
            .map(|row| (row.due_at, row.notification.clone()))
            .collect();
        due.sort_by_key(|(due_at, notification)| (*due_at, notification.claim.id));
        let mut claimed = Vec::new();
        for (_, mut notification) in due {
            if claimed.len() == limit as usize {
                break;
            }
            let kind = notification.kind;
            notification
                .tokens
                .retain(|token| tables.still_applies(kind, token.id, now));
            notification.claim.token = random_u64().map_err(StoreError::backend)?;
            notification.attempts += 1;
            let is_empty = notification.tokens.is_empty();
            let row = NotificationRow {
                notification: notification.clone(),
                state: if is_empty {
                    State::Skipped
                } else {
                    State::Pending
                },
                due_at: if is_empty { now } else { now + ttl },
                error: String::new(),
            };
            tables.jobs.notifications.insert(notification.claim.id, row);
            if !is_empty {
                claimed.push(notification);
            }
        }
        Ok(claimed)
    }

    async fn settle_notification(
        &self,
        claim: &Claim,
        outcome: &Outcome,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tables = self.tables()?;
        let Some(row) = tables.jobs.notifications.get_mut(&claim.id) else {
            return Ok(false);
        };
        if row.state != State::Pending || row.notification.claim != *claim {
            return Ok(false);
        }
        // Ends the claim.
        row.notification.claim.token = 0;
        let event = EventKind::of_settled(&row.notification, outcome);
        row.due_at = now;
        match outcome {
            Outcome::Sent => row.state = State::Sent,
            Outcome::Retry {
                after,
                error,
                sent_by,
            } => {
                row.due_at = now + *after;
                row.error.clone_from(error);
                row.notification.sent_by.clone_from(sent_by);
            }
            Outcome::Dead { error, sent_by } => {
                row.state = State::Dead;
                row.error.clone_from(error);
                row.notification.sent_by.clone_from(sent_by);
            }
            Outcome::Skipped { reason } => {
                row.state = State::Skipped;
                row.error.clone_from(reason);
            }
        }
        if let Some(event) = event {
            tables.audit.record(now, event)?;
        }
        Ok(true)
    }

    async fn outbox(&self) -> Result<Outbox, StoreError> {
        let tables = self.tables()?;
        let rows = || tables.jobs.notifications.values();
        let pending = || rows().filter(|row| row.state == State::Pending);
        Ok(Outbox {
            pending: pending().count() as u64,
            oldest_pending_at: pending().map(|row| row.notification.queued_at).min(),
            dead: rows().filter(|row| row.state == State::Dead).count() as u64,
        })
    }

    async fn dead_notifications(&self, limit: u32) -> Result<Vec<DeadNotification>, StoreError> {
        let tables = self.tables()?;
        let rows = tables.jobs.notifications.values();
        let mut dead: Vec<_> = rows
            .filter(|row| row.state == State::Dead)
            .map(|row| DeadNotification {
                id: row.notification.claim.id,
                kind: row.notification.kind,
                owner: row.notification.owner.clone(),
                queued_at: row.notification.queued_at,
                attempts: row.notification.attempts,
                error: row.error.clone(),
            })
            .collect();
        dead.sort_by_key(|notification| {
            std::cmp::Reverse((notification.queued_at, notification.id))
        });
        dead.truncate(limit as usize);
        Ok(dead)
    }

    async fn requeue_notification(
        &self,
        id: NotificationId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tables = self.tables()?;
        let found = tables.jobs.notifications.get_mut(&id);
        Ok(found.is_some_and(|row| row.requeue(now)))
    }

    async fn requeue_all_notifications(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut tables = self.tables()?;
        let rows = tables.jobs.notifications.values_mut();
        let requeued = rows.map(|row| u64::from(row.requeue(now)));
        Ok(requeued.sum())
    }
}
