mod port;

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use pat_core::event::EventKind;
use pat_core::notification::NotificationKind;
use pat_core::store::{
    Change, ChangePage, FeedPosition, Insertion, LastUse, Lookup, MOST_READ, MarkBounds, NewToken,
    NodeReport, Revocation, RevocationScope, Revoked, Rotated, Rotation, SeenEffect, SeenOwner,
    StoreTime, StoredUpdate, Update, UpdateRefusal, Updated,
};
use pat_core::{Owner, Token, TokenDigest, TokenId};

use crate::checkout::{fetch, fetch_from_primary};
use crate::dialect::Dialect;
use crate::row::{self, TOKEN_COLUMNS, TOKENS};
use crate::sql::{CHUNK, Sql, corrupt};
use crate::store::SqlxStore;
use crate::write::large_revocations::LARGE;
use crate::write::{Earlier, Write};

/// How long a notification may delay the response to a change.
const NOTIFY_TIMEOUT: Duration = Duration::from_millis(500);
/// How long a report waits for the other writers of this process: half of the usual pause between two polls.
const REPORT_WAIT: Duration = Duration::from_millis(250);
/// How many last uses one statement writes: three parameters each, of the 32,766 that SQLite allows
/// and the 65,535 of the other databases.
const LAST_USES: usize = 10_000;

impl<DB: Dialect> SqlxStore<DB> {
    async fn try_find_by_digest(&self, digest: &TokenDigest) -> Result<Lookup, sqlx::Error> {
        let (is_writable, clock) = (DB::IS_WRITABLE, self.clock.expression::<DB>());
        let rows = fetch_from_primary(&self.auth_pool, {
            let mut sql = Sql::new(format!(
                "SELECT {is_writable} AS is_writable, {clock} AS clock, c.mark, c.version, \
                 c.readable_from, {TOKEN_COLUMNS} \
                 FROM pat_clock c LEFT JOIN pat_token t ON t.digest = "
            ));
            sql.bind(*digest);
            sql.push(" LEFT JOIN pat_last_used u ON u.token_id = t.id WHERE c.id = 1");
            sql
        });
        let rows = rows.await?;
        let row = rows
            .first()
            .ok_or_else(|| corrupt("pat_clock has no row"))?;
        let is_found = row.optional_token_id("id")?.is_some();
        let mut lookup = Lookup::new(is_found.then(|| row::token(row)).transpose()?);
        lookup.time = row.store_time()?;
        lookup.versions = row::versions(row)?;
        Ok(lookup)
    }

    async fn try_owner_seen_at(&self, owner: &Owner) -> Result<Option<Timestamp>, sqlx::Error> {
        let is_writable = DB::IS_WRITABLE;
        let rows = fetch_from_primary(&self.auth_pool, {
            let mut sql = Sql::new(format!(
                "SELECT {is_writable} AS is_writable, o.seen_at FROM (SELECT 1 AS one) s \
                 LEFT JOIN pat_owner o ON o.owner = "
            ));
            sql.bind(owner);
            sql
        });
        let rows = rows.await?;
        let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
        row.optional_timestamp("seen_at")
    }

    async fn try_recent_digests(&self, limit: u32) -> Result<Vec<TokenDigest>, sqlx::Error> {
        let mut digests = Vec::new();
        // Each in the order of an index that is read backwards. Which of equal times comes first does not matter, and
        // MySQL would sort all rows for it.
        let [by_use, by_creation] =
            ["pat_last_used_by_time", "pat_token_by_creation"].map(DB::by_index);
        let mut used = Sql::new(format!(
            "SELECT t.digest FROM (\
             SELECT token_id, last_used_at FROM pat_last_used{by_use} WHERE last_used_at > 0 \
             ORDER BY last_used_at DESC LIMIT "
        ));
        used.bind(limit).push(
            ") u JOIN pat_token t ON t.id = u.token_id WHERE t.revoked_at IS NULL \
             ORDER BY u.last_used_at DESC",
        );
        let mut created = Sql::new(format!(
            "SELECT t.digest FROM (\
             SELECT id, digest, revoked_at, created_at FROM pat_token{by_creation} \
             ORDER BY created_at DESC, id DESC LIMIT "
        ));
        created
            .bind(limit)
            .push(") t WHERE t.revoked_at IS NULL ORDER BY t.created_at DESC, t.id DESC");
        for sql in [used, created] {
            for row in fetch(&self.pool, sql).await? {
                digests.push(row.digest("digest")?);
            }
        }
        Ok(digests)
    }

    async fn try_find(&self, id: TokenId) -> Result<Option<Token>, sqlx::Error> {
        let mut sql = Sql::new(format!(
            "SELECT {TOKEN_COLUMNS} FROM {TOKENS} WHERE t.id = "
        ));
        sql.bind(id);
        let rows = fetch(&self.pool, sql).await?;
        rows.first().map(row::token).transpose()
    }

    async fn try_list(&self, owner: &Owner) -> Result<Vec<Token>, sqlx::Error> {
        // Not by an index that also has the revoked tokens of the owner, who may have thousands.
        let index = DB::by_index(DB::BY_UNREVOKED_OWNER);
        let columns = row::token_columns_without_join();
        let mut sql = Sql::new(format!(
            "SELECT {columns} FROM pat_token t{index} WHERE t.owner = "
        ));
        sql.bind(owner);
        sql.push(" AND t.revoked_at IS NULL ORDER BY t.id");
        let rows = fetch(&self.pool, sql).await?;
        rows.iter().map(row::token).collect()
    }

    async fn try_insert(
        &self,
        token: &NewToken,
        limit: u32,
        locks_eagerly: bool,
    ) -> Result<Insertion, sqlx::Error> {
        let write = Write::begin_unread(self, token.created_at).await?;
        let mut write = write.with_eager_locks(locks_eagerly);
        write.lock_owners_of_new(token).await?;
        let count = write.count_tokens(&token.owner, token.max_rows).await?;
        let token = &token.created_now(write.now());
        let key = token.idempotency.as_ref();
        match write.find_earlier(&token.owner, key).await? {
            Earlier::Nothing => {}
            Earlier::Created(token) => {
                write.rollback().await?;
                return Ok(Insertion::Repeated(*token));
            }
            Earlier::Conflict => {
                write.rollback().await?;
                return Ok(Insertion::KeyConflict);
            }
        }
        if let Some(parent) = token.parent
            && !write.is_valid_parent(parent, token).await?
        {
            // At once, since other transactions wait for the locks.
            write.rollback().await?;
            return Ok(Insertion::ParentInvalid);
        }
        if count.all >= u64::from(token.max_rows) {
            write.rollback().await?;
            return Ok(Insertion::TooManyRows);
        }
        let count = u32::try_from(count.counted).unwrap_or(u32::MAX);
        if count >= limit {
            write.rollback().await?;
            return Ok(Insertion::LimitReached { count });
        }
        let stored = token.clone().into_token();
        let event = EventKind::Created {
            token: stored.id,
            owner: stored.owner.clone(),
            expires_at: stored.expires_at,
            parent: stored.parent,
            scopes: stored.scopes.clone(),
        };
        let inserted = write.insert_token(&stored, token.digest, event, key);
        match inserted.await {
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                return Ok(Insertion::Duplicate);
            }
            result => result?,
        }
        if token.notify {
            let (kind, ids) = (NotificationKind::Created, [token.id]);
            write
                .queue_notifications(kind, &ids, token.created_at, None)
                .await?;
        }
        write.commit().await?;
        Ok(Insertion::Stored(stored))
    }

    async fn try_rotate(
        &self,
        rotation: &Rotation,
        locks_eagerly: bool,
    ) -> Result<Rotated, sqlx::Error> {
        let write = Write::begin_unread(self, rotation.now).await?;
        let mut write = write.with_eager_locks(locks_eagerly);
        let (owner, key) = (&rotation.owner, rotation.idempotency.as_ref());
        write.lock_owner(owner).await?;
        let rows = write.count_rows(owner, rotation.max_rows).await?;
        let now = write.now();
        let refused = match write.find_earlier(owner, key).await? {
            Earlier::Created(token) => Some(Rotated::Repeated(*token)),
            Earlier::Conflict => Some(Rotated::KeyConflict),
            Earlier::Nothing => None,
        };
        if let Some(refused) = refused {
            write.rollback().await?;
            return Ok(refused);
        }
        let line = write.lock_rotated(rotation.predecessor).await?;
        let replacement = match rotation.decide(&line, now) {
            Ok(replacement) => replacement,
            Err(refused) => {
                write.rollback().await?;
                return Ok(Rotated::Refused(refused));
            }
        };
        if rows >= u64::from(rotation.max_rows) {
            write.rollback().await?;
            return Ok(Rotated::TooManyRows);
        }
        write.mark_all_replaced(&line, &replacement).await?;
        let (successor, event) = (&replacement.successor, replacement.event());
        let inserted = write.insert_token(successor, rotation.digest, event, key);
        match inserted.await {
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                return Ok(Rotated::Duplicate);
            }
            result => result?,
        }
        if rotation.notify && replacement.is_again {
            let (kind, ids) = (NotificationKind::RotatedAgain, [successor.id]);
            write.queue_notifications(kind, &ids, now, None).await?;
        }
        if !replacement.ends.is_empty() {
            // Last, since the counter's row stays locked until the commit.
            let changes = Change::of_changed(replacement.ends.iter().copied());
            write.append_changes(&changes, now, None).await?;
        }
        write.commit().await?;
        Ok(Rotated::Stored(replacement.into_rotated()))
    }

    async fn try_revoke(
        &self,
        scope: &RevocationScope,
        revocation: &Revocation,
        locks_eagerly: bool,
    ) -> Result<Revoked, sqlx::Error> {
        let ahead = Write::read_ahead(self, scope).await?;
        let write = Write::begin_unread(self, revocation.at).await?;
        let mut write = write.with_eager_locks(locks_eagerly);
        let unrevoked = write.lock_read_ahead(scope, ahead).await?;
        let at = write.now();
        let live_children = write.count_live_children(scope, &unrevoked, at).await?;
        let tokens = unrevoked.tokens;
        if tokens.is_empty() {
            let mut revoked = Revoked::new(at, tokens);
            revoked.live_children = live_children.values().sum();
            return Ok(revoked);
        }
        let mut revocation = revocation.clone();
        revocation.at = at;
        let revocation = &revocation;
        let is_large = tokens.len() > LARGE;
        let is_queued_later = revocation.notify && is_large;
        for chunk in tokens.chunks(CHUNK) {
            write
                .mark_revoked(chunk, revocation, is_queued_later)
                .await?;
        }
        if revocation.notify && !is_queued_later {
            let ids: Vec<_> = tokens.iter().map(|token| token.id).collect();
            let kind = NotificationKind::RevokedByAdmin;
            write
                .queue_notifications(kind, &ids, at, Some((revocation, &live_children)))
                .await?;
        }
        let event = if is_large {
            write.record_revoked(&tokens, revocation).await?;
            None
        } else {
            Some(revocation.event(tokens.clone()))
        };
        // Last, since the counter's row stays locked until the commit.
        let changes = Change::of_revoked(&tokens);
        write.append_changes(&changes, at, event).await?;
        if is_large {
            write.commit_large().await?;
        } else {
            write.commit().await?;
        }
        let mut revoked = Revoked::new(at, tokens);
        revoked.live_children = live_children.values().sum();
        Ok(revoked)
    }

    async fn try_update(
        &self,
        update: &Update,
        locks_eagerly: bool,
    ) -> Result<Updated, sqlx::Error> {
        let write = Write::begin_unread(self, update.at).await?;
        let mut write = write.with_eager_locks(locks_eagerly);
        write.lock_owners_of_update(update).await?;
        if let Some(presented) = &update.presented
            && !write.is_valid_presented(presented, write.now()).await?
        {
            write.rollback().await?;
            return Ok(Updated::Refused(UpdateRefusal::PresentedInvalid));
        }
        let line = write.lock_line(update.id).await?;
        let at = write.now();
        let effect = match update.effect(&line.tokens, at) {
            Ok(effect) => effect,
            Err(refusal) => {
                write.rollback().await?;
                return Ok(Updated::Refused(refusal));
            }
        };
        let is_disabled = update.is_enabled == Some(false) && line.have_children;
        let live_children = if is_disabled {
            let descendants = write
                .live_descendants(effect.scope.clone(), BTreeSet::new(), at)
                .await?;
            descendants.values().sum()
        } else {
            0
        };
        if effect.events.is_empty() {
            write.rollback().await?;
        } else {
            write.put_update(&effect, at).await?;
            write.commit().await?;
        }
        let stored = StoredUpdate::new(at, effect, live_children);
        Ok(Updated::Stored(Box::new(stored)))
    }

    async fn try_append(
        &self,
        change: &Change,
        now: Timestamp,
        locks_eagerly: bool,
    ) -> Result<Timestamp, sqlx::Error> {
        let mut write = Write::begin(self, now)
            .await?
            .with_eager_locks(locks_eagerly);
        let at = write.now();
        let event = match change {
            Change::OwnerChanged(owner) => Some(EventKind::OwnerChanged {
                owner: owner.clone(),
            }),
            Change::TokenChanged(_) | Change::Everything => None,
        };
        let changes = std::slice::from_ref(change);
        write.append_changes(changes, at, event).await?;
        write.commit().await?;
        Ok(at)
    }

    /// Reads the head of the feed, the nonce at the cursor and the changes after it in one statement,
    /// so from one snapshot. It asks for one change more than a page has, to find out whether there
    /// are too many.
    async fn try_changes_since(
        &self,
        cursor: Option<FeedPosition>,
    ) -> Result<ChangePage, sqlx::Error> {
        let since = cursor.map_or(i64::MAX, |cursor| cursor.generation.cast_signed());
        let most = MOST_READ.cast_signed() + 1;
        let (is_writable, clock) = (DB::IS_WRITABLE, self.clock.expression::<DB>());
        let rows = fetch_from_primary(&self.auth_pool, {
            let mut sql = Sql::new(format!(
                "SELECT {is_writable} AS is_writable, {clock} AS clock, c.mark, c.version, \
                 c.readable_from, c.gen AS head_gen, \
                 (SELECT MIN(h.nonce) FROM pat_change h WHERE h.gen = c.gen) AS head_nonce, \
                 (SELECT MIN(s.nonce) FROM pat_change s WHERE s.gen = ",
            ));
            sql.bind(since).push(
                ") AS cursor_nonce, x.gen AS change_gen, x.nonce, x.kind, x.token_id, x.owner \
                 FROM pat_clock c LEFT JOIN pat_change x ON x.gen > ",
            );
            sql.bind(since);
            sql.push(" AND x.gen <= ").bind(since.saturating_add(most));
            sql.push(" WHERE c.id = 1 ORDER BY x.gen, x.item LIMIT ")
                .bind(most);
            sql
        });
        row::change_page(&rows.await?)
    }

    async fn try_raise_readable_from(&self, version: u64) -> Result<(), sqlx::Error> {
        let mut write = Write::begin_timeless(self).await?;
        write.raise_readable_from(version).await?;
        write.commit().await
    }

    /// Returns `None` if other writers of this process are busy.
    async fn try_heartbeat(
        &self,
        report: &NodeReport,
        mark: &MarkBounds,
    ) -> Result<Option<StoreTime>, sqlx::Error> {
        let Some(admission) = self.writers.enter(REPORT_WAIT).await else {
            return Ok(None);
        };
        let mut write = Write::begin_admitted(self, admission).await?;
        write.put_node(report).await?;
        let time = write.move_mark(mark).await?;
        write.commit().await?;
        Ok(Some(time))
    }

    async fn try_accept_clock(&self, now: Timestamp) -> Result<StoreTime, sqlx::Error> {
        let mut write = Write::begin(self, now).await?;
        let time = write.accept_clock(now).await?;
        write.mend_future().await?;
        write
            .append_changes(&[Change::Everything], write.now(), None)
            .await?;
        write.commit().await?;
        Ok(time)
    }

    async fn try_note_seen(
        &self,
        seen: &SeenOwner,
        locks_eagerly: bool,
    ) -> Result<SeenEffect, sqlx::Error> {
        let mut write = Write::begin_unread(self, seen.now)
            .await?
            .with_eager_locks(locks_eagerly);
        let effect = write.note_seen(seen).await?;
        if effect == SeenEffect::None {
            write.rollback().await?;
            return Ok(effect);
        }
        if effect == SeenEffect::Returned {
            let change = Change::OwnerChanged(seen.owner.clone());
            write.append_changes(&[change], write.now(), None).await?;
        }
        write.commit().await?;
        Ok(effect)
    }

    async fn try_deregister(&self, report: &NodeReport) -> Result<(), sqlx::Error> {
        let mut write = Write::begin(self, report.now).await?;
        write.delete_node(report).await?;
        write.commit().await
    }

    /// Notifies the other processes of a committed change. They also find it by polling, so a failure
    /// is only logged.
    pub(crate) async fn notify(&self) {
        let Some(notify) = DB::NOTIFY else { return };
        let notified = tokio::time::timeout(NOTIFY_TIMEOUT, async {
            fetch(&self.pool, Sql::new(notify)).await
        });
        match notified.await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::debug!(%error, "the notification of a change failed"),
            Err(_elapsed) => tracing::debug!("the notification of a change timed out"),
        }
    }

    async fn try_nodes(&self) -> Result<Vec<NodeReport>, sqlx::Error> {
        let is_writable = DB::IS_WRITABLE;
        let rows = fetch_from_primary(&self.pool, {
            Sql::new(format!(
                "SELECT {is_writable} AS is_writable, n.id, n.applied_gen, n.reported_at, n.mode, \
                 n.version, n.contradicts_leap, n.flushed_at \
                 FROM (SELECT 1 AS one) o LEFT JOIN pat_node n ON 1 = 1"
            ))
        });
        let rows = rows.await?;
        let rows = rows.iter();
        rows.filter_map(|row| row::node_report(row).transpose())
            .collect()
    }

    async fn try_record_use(&self, uses: &[LastUse]) -> Result<(), sqlx::Error> {
        // Stands for the time of the caller's clock, which this call does not get.
        let latest = uses.iter().map(|used| used.at).max();
        let mut write = Write::begin(self, latest.unwrap_or_default()).await?;
        let created = write.find_created(uses.iter().map(|used| used.id)).await?;
        let uses = uses.iter();
        let uses: Vec<_> = uses
            .filter_map(|used| Some((*used, *created.get(&used.id)?)))
            .collect();
        if uses.is_empty() {
            return Ok(());
        }
        write.put_last_uses(&uses).await?;
        write.commit().await
    }
}
