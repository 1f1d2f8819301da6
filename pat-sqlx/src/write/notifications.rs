// The enums of pat-core can grow. All variants are named beside the wildcard, so that a new one fails
// Clippy.
#![warn(clippy::wildcard_enum_match_arm)]

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use pat_core::notification::{NotificationId, NotificationKind, NotificationToken};
use pat_core::store::{Claim, LONGEST_DELAY, Outcome, Purge, QueuedNotification, Revocation};
use pat_core::{Client, Owner, TokenId};
use sqlx::Error;

use super::Write;
use super::descendants::LiveChildren;
use crate::dialect::{Dialect, Value};
use crate::row::{self, DEAD, PENDING, TOKEN_COLUMNS, TOKENS, TRANSIENT};
use crate::sql::{CHUNK, Insert, Row, Sql};

impl<DB: Dialect> Write<DB> {
    /// Queues one notification for each owner of these tokens; returns how many there were.
    pub(crate) async fn queue_notifications(
        &mut self,
        kind: NotificationKind,
        ids: &[TokenId],
        now: Timestamp,
        revocation: Option<(&Revocation, &LiveChildren)>,
    ) -> Result<u64, Error> {
        let mut by_owner: BTreeMap<Owner, Vec<NotificationToken>> = BTreeMap::new();
        for chunk in ids.chunks(CHUNK) {
            let mut sql = Sql::new(format!(
                "SELECT {TOKEN_COLUMNS} FROM {TOKENS} WHERE t.id IN "
            ));
            sql.bind_in(chunk.iter().copied());
            for row in self.fetch(sql).await? {
                let token = row::token(&row)?;
                let tokens = by_owner.entry(token.owner.clone()).or_default();
                tokens.push(NotificationToken::from(&token));
            }
        }
        let (mut notifications, mut all_tokens) = (Vec::new(), Vec::new());
        for (owner, tokens) in &by_owner {
            let id = NotificationId::random().map_err(|error| Error::Encode(error.into()))?;
            notifications.push(notification_row(id, kind, owner, now, revocation));
            all_tokens.extend(tokens.iter().map(|token| token_row(id, kind, token)));
        }
        let notifications = Insert::chunks::<DB, _>(
            "pat_notice (id, kind, owner, revoked_by, reason, live_children, queued_at, due_at, \
             state, attempts, mark, sent_by, error, client_address)",
            notifications,
        );
        self.insert_each(notifications).await?;
        let tokens = Insert::chunks::<DB, _>(
            "pat_notice_token \
             (notice_id, token_id, kind, name, created_at, expires_at, last_used_at, scopes)",
            all_tokens,
        );
        self.insert_each(tokens).await?;
        Ok(by_owner.len() as u64)
    }

    /// Locks up to `limit` due notifications of known kinds that no other worker has locked, and loads
    /// their tokens; removes the tokens to which a notification no longer applies.
    pub(crate) async fn lock_due_notifications(
        &mut self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<QueuedNotification>, Error> {
        let index = DB::lock_by_index("pat_notice_by_state");
        let mut sql = Sql::new(format!(
            "SELECT id, kind, owner, revoked_by, reason, live_children, queued_at, attempts, \
             sent_by, client_address \
             FROM pat_notice{index} WHERE state = "
        ));
        // A time later than the longest delay was written while a clock was wrong.
        sql.bind(PENDING).push(" AND (due_at <= ").bind(now);
        sql.push(" OR due_at > ").bind(now + LONGEST_DELAY);
        sql.push(")");
        sql.push(" AND kind IN ").bind_in(row::known_kinds());
        sql.push(" ORDER BY due_at, id LIMIT ").bind(limit);
        sql.push(DB::SKIP_LOCKED);
        let rows = self.fetch(sql).await?;
        let notifications: Result<Vec<_>, _> = rows.iter().map(row::queued_notification).collect();
        let mut notifications = notifications?;
        // A removed token never gets this notification, so a leap of the clock must not remove one.
        let ends_by = if self.leaps_too_far() {
            self.cutoff(now, Duration::ZERO)
        } else {
            now
        };
        let token = getrandom::u64().map_err(|e| Error::Encode(e.into()))?;
        for notification in &mut notifications {
            notification.claim.token = token;
            notification.attempts += 1;
        }
        for chunk in notifications.chunks_mut(CHUNK) {
            self.load_tokens(chunk, ends_by).await?;
        }
        Ok(notifications)
    }

    /// Loads the tokens of at most a [`CHUNK`] of notifications.
    async fn load_tokens(
        &mut self,
        notifications: &mut [QueuedNotification],
        ends_by: Timestamp,
    ) -> Result<(), Error> {
        if notifications.is_empty() {
            return Ok(());
        }
        let mut sql = Sql::new(
            "SELECT n.notice_id, n.token_id, n.name, n.created_at, n.expires_at, n.last_used_at, \
             n.scopes, t.id AS live_id, t.revoked_at, t.expiry_notice \
             FROM pat_notice_token n LEFT JOIN pat_token t ON t.id = n.token_id \
             WHERE n.notice_id IN ",
        );
        sql.bind_in(notifications.iter().map(|queued| queued.claim.id.get()));
        let mut by_id: BTreeMap<i64, _> = notifications
            .iter_mut()
            .map(|queued| (queued.claim.id.get(), (queued, Vec::new())))
            .collect();
        for row in self.fetch(sql).await? {
            let Some((notification, forgotten)) = by_id.get_mut(&row.int("notice_id")?) else {
                continue;
            };
            let token = row::notification_token(&row)?;
            if still_applies(notification.kind, &token, &row, ends_by)? {
                notification.tokens.push(token);
            } else {
                forgotten.push(token.id);
            }
        }
        for (id, (notification, forgotten)) in by_id {
            notification.tokens.sort_by_key(NotificationToken::order);
            for chunk in forgotten.chunks(CHUNK) {
                let mut sql = Sql::new("DELETE FROM pat_notice_token WHERE notice_id = ");
                sql.bind(id);
                sql.push(" AND token_id IN ");
                sql.bind_in(chunk.iter().copied());
                self.execute(sql).await?;
            }
        }
        Ok(())
    }

    /// Reserves locked notifications for this worker until a time.
    pub(crate) async fn put_claims(
        &mut self,
        notifications: &[QueuedNotification],
        until: Timestamp,
    ) -> Result<(), Error> {
        for chunk in notifications.chunks(CHUNK) {
            let mut sql = Sql::new("UPDATE pat_notice SET attempts = attempts + 1, due_at = ");
            sql.bind(until).push(", mark = ");
            sql.bind(chunk[0].claim.token.cast_signed());
            sql.push(" WHERE id IN ");
            sql.bind_in(chunk.iter().map(|queued| queued.claim.id.get()));
            self.execute_on(chunk.len(), sql).await?;
        }
        Ok(())
    }

    /// Settles notifications that were sent, as [`Write::settle`] does one, and records their events; returns
    /// those of which the claim was still valid.
    pub(crate) async fn settle_sent(
        &mut self,
        claims: &[Claim],
        now: Timestamp,
    ) -> Result<BTreeSet<NotificationId>, Error> {
        let mut settled = BTreeSet::new();
        let tokens: BTreeMap<_, _> = claims.iter().map(|claim| (claim.id, claim.token)).collect();
        let ids: Vec<_> = tokens.keys().map(|id| id.get()).collect();
        for chunk in ids.chunks(CHUNK) {
            // By the IDs: the column alone would be looked up in its index, which has all that are pending.
            let mut sql = Sql::new(
                "SELECT id, mark, kind, owner FROM pat_notice WHERE COALESCE(state, 0) = ",
            );
            sql.bind(PENDING).push(" AND id IN ");
            sql.bind_in(chunk.iter().copied());
            sql.push(" ORDER BY id").push(DB::FOR_UPDATE);
            let mut valid = Vec::new();
            for row in self.fetch(sql).await? {
                let id = row::notice_id(row.int("id")?)?;
                if tokens.get(&id).map(|token| token.cast_signed()) == Some(row.int("mark")?) {
                    valid.push((id, row::kind(row.int("kind")?)?, row.owner("owner")?));
                }
            }
            if valid.is_empty() {
                continue;
            }
            let mut sql = Sql::new("UPDATE pat_notice SET mark = 0, error = '', state = ");
            sql.bind(row::state_number(&Outcome::Sent));
            sql.push(", due_at = ").bind(now).push(" WHERE id IN ");
            sql.bind_in(valid.iter().map(|(id, ..)| id.get()));
            self.execute_on(valid.len(), sql).await?;
            settled.extend(valid.iter().map(|(id, ..)| *id));
            self.record_sent(valid, now).await?;
        }
        Ok(settled)
    }

    /// Settles a notification if the claim is still valid; returns whether it was.
    pub(crate) async fn settle(
        &mut self,
        claim: &Claim,
        outcome: &Outcome,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let (at, error, sent_by) = match outcome {
            Outcome::Sent => (now, "", None),
            Outcome::Retry {
                after,
                error,
                sent_by,
            } => (now + *after, error.as_str(), Some(sent_by)),
            Outcome::Dead { error, sent_by } => (now, error.as_str(), Some(sent_by)),
            Outcome::Skipped { reason } => (now, reason.as_str(), None),
        };
        let mut sql = Sql::new("UPDATE pat_notice SET mark = 0, state = ");
        sql.bind(row::state_number(outcome));
        sql.push(", due_at = ").bind(at);
        sql.push(", error = ").bind(error);
        if let Some(sent_by) = sent_by {
            sql.push(", sent_by = ").bind(sent_by.join(",").as_str());
        }
        sql.push(" WHERE id = ").bind(claim.id.get());
        sql.push(" AND mark = ").bind(claim.token.cast_signed());
        sql.push(" AND state = ").bind(PENDING);
        Ok(self.execute(sql).await? == 1)
    }

    /// Queues a dead notification again, or all; returns how many were dead.
    pub(crate) async fn requeue(
        &mut self,
        id: Option<NotificationId>,
        now: Timestamp,
    ) -> Result<u64, Error> {
        let mut sql = Sql::new("UPDATE pat_notice SET attempts = 0, state = ");
        sql.bind(PENDING).push(", due_at = ").bind(now);
        sql.push(" WHERE state = ").bind(DEAD);
        if let Some(id) = id {
            sql.push(" AND id = ").bind(id.get());
        }
        self.execute(sql).await
    }

    /// Deletes up to `limit` notifications that were settled long ago; returns how many there were.
    pub(crate) async fn purge_notifications(
        &mut self,
        purge: &Purge,
        limit: u32,
    ) -> Result<u64, Error> {
        let mut sql = Sql::new("SELECT id FROM pat_notice WHERE state IN (1, 2, 3) ");
        sql.push("AND due_at < ");
        sql.bind(self.cutoff(purge.vouched, purge.notifications));
        sql.push(" LIMIT ").bind(limit);
        let rows = self.fetch(sql).await?;
        let ids: Result<Vec<_>, _> = rows.iter().map(|row| row.int("id")).collect();
        let ids = ids?;
        self.delete("pat_notice_token WHERE notice_id", &ids)
            .await?;
        self.delete("pat_notice WHERE id", &ids).await?;
        Ok(ids.len() as u64)
    }
}

/// The columns of `pat_notice` for a new notification.
fn notification_row(
    id: NotificationId,
    kind: NotificationKind,
    owner: &Owner,
    now: Timestamp,
    revocation: Option<(&Revocation, &LiveChildren)>,
) -> [Value; 14] {
    let live_children = revocation.and_then(|(_, live)| live.get(owner).copied());
    let live_children = live_children.unwrap_or_default();
    let revocation = revocation.map(|(revocation, _)| revocation);
    let by = revocation.and_then(|revocation| revocation.by.as_ref());
    let reason = revocation.and_then(|revocation| revocation.reason.as_deref());
    let address = Client::current().address();
    let address = address.filter(|_| kind.has_client_address());
    let address = address.as_ref().map(IpAddr::to_string);
    [
        id.get().into(),
        kind.number().into(),
        owner.into(),
        by.into(),
        reason.into(),
        live_children.cast_signed().into(),
        now.into(),
        now.into(),
        PENDING.into(),
        0_i64.into(),
        0_i64.into(),
        "".into(),
        "".into(),
        address.as_deref().into(),
    ]
}

/// The columns of `pat_notice_token` for a token of a new notification.
fn token_row(id: NotificationId, kind: NotificationKind, token: &NotificationToken) -> [Value; 8] {
    [
        id.get().into(),
        token.id.into(),
        kind.number().into(),
        token.name.as_str().into(),
        token.created_at.into(),
        token.expires_at.unwrap_or(Timestamp::UNIX_EPOCH).into(),
        token.last_used_at.into(),
        token.scopes.as_ref().into(),
    ]
}

/// Whether a notification still applies to one of its tokens, in the row with the token's present state.
#[expect(clippy::match_same_arms, reason = "a new variant must fail Clippy")]
fn still_applies<DB: Dialect>(
    kind: NotificationKind,
    token: &NotificationToken,
    row: &Row<DB>,
    ends_by: Timestamp,
) -> Result<bool, Error> {
    let is_live =
        row.optional_int("live_id")?.is_some() && row.optional_int("revoked_at")?.is_none();
    let is_transient = row.optional_int("expiry_notice")? == Some(TRANSIENT);
    Ok(match kind {
        NotificationKind::Created | NotificationKind::ReplacedInUse => is_live,
        // Its owner knows of the successor of a replaced token.
        NotificationKind::Expired => is_live && !is_transient,
        NotificationKind::ExpiresSoon | NotificationKind::UnusedWarning => {
            is_live && !is_transient && token.expires_at.is_none_or(|end| end > ends_by)
        }
        NotificationKind::Pruned
        | NotificationKind::RevokedByAdmin
        | NotificationKind::RotatedAgain
        | NotificationKind::UnusedRevoked => true,
        _ => true,
    })
}
