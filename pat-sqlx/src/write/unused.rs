//! Unused tokens, and replaced ones that are in use.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use pat_core::TokenId;
use pat_core::notification::NotificationKind;
use pat_core::store::{
    CLOCK_TOLERANCE, REPLACED_NOTICE, Revocation, RevokedToken, UNUSED_NOTICE, UNUSED_NOTICE_LASTS,
    UnusedCount, UnusedTokens,
};
use sqlx::Error;

use super::Write;
use super::descendants::LiveChildren;
use crate::dialect::Dialect;
use crate::row::{self, TRANSIENT};
use crate::sql::{CHUNK, Sql};

/// Every token has a row of its last use.
const USED_TOKENS: &str = "pat_token t JOIN pat_last_used u ON u.token_id = t.id";

/// The times of a search for unused tokens.
struct Times {
    now: Timestamp,
    /// A token must not have been used after this time.
    unused_since: Timestamp,
    /// Warnings from before this time do not count any more.
    oldest_warning: Timestamp,
    /// Warnings from after this time do not count yet.
    latest_warning: Timestamp,
}

impl<DB: Dialect> Write<DB> {
    fn times(&self, unused: &UnusedTokens, unused_for: Duration) -> Times {
        let before = |kept| self.cutoff(unused.vouched, kept);
        Times {
            now: self.now(),
            unused_since: before(unused_for),
            oldest_warning: before(UNUSED_NOTICE_LASTS),
            latest_warning: before(UNUSED_NOTICE),
        }
    }

    /// Locks the unused tokens without a warning that counts, of up to `max_owners` owners; records that they are
    /// warned of, and returns their IDs.
    pub(crate) async fn mark_warned(
        &mut self,
        unused: &UnusedTokens,
        max_owners: u32,
    ) -> Result<Vec<TokenId>, Error> {
        let times = self.times(unused, unused.warn_after);
        let latest = times.now + CLOCK_TOLERANCE;
        let ids = self
            .lock_due_of_owners(max_owners, |sql| {
                push_live(sql, times.now + UNUSED_NOTICE);
                push_unused(sql, times.unused_since);
                sql.push(" AND (t.unused_warned_at IS NULL OR t.unused_warned_at < u.last_used_at");
                sql.push(" OR t.unused_warned_at < ")
                    .bind(times.oldest_warning);
                // Recorded while a clock was ahead.
                sql.push(" OR t.unused_warned_at > ").bind(latest).push(")");
            })
            .await?;
        let warned_at = self.cutoff(unused.vouched, Duration::ZERO);
        for chunk in ids.chunks(CHUNK) {
            let mut sql = Sql::new("UPDATE pat_token SET unused_warned_at = ");
            sql.bind(warned_at).push(" WHERE id IN ");
            sql.bind_in(chunk.iter().copied());
            self.execute(sql).await?;
        }
        self.withdraw_notifications(NotificationKind::UnusedWarning, &ids)
            .await?;
        Ok(ids)
    }

    /// Removes tokens from earlier notifications of a kind, which a new one replaces: usually they were sent long
    /// ago; if one still waits, only the new one is sent.
    pub(super) async fn withdraw_notifications(
        &mut self,
        kind: NotificationKind,
        ids: &[TokenId],
    ) -> Result<(), Error> {
        for chunk in ids.chunks(CHUNK) {
            let mut sql = Sql::new("DELETE FROM pat_notice_token WHERE kind = ");
            sql.bind(kind.number()).push(" AND token_id IN ");
            sql.bind_in(chunk.iter().copied());
            self.execute(sql).await?;
        }
        Ok(())
    }

    pub(crate) async fn count_unused(
        &mut self,
        unused: &UnusedTokens,
    ) -> Result<UnusedCount, Error> {
        let times = self.times(unused, unused.revoke_after);
        let mut sql = Sql::new(format!("SELECT COUNT(*) AS n FROM {USED_TOKENS} WHERE "));
        push_revocable(&mut sql, &times);
        let revocable = self.fetch_one(sql).await?.count("n")?;
        let mut sql = Sql::new("SELECT COUNT(*) AS n FROM pat_token t WHERE ");
        push_live(&mut sql, times.now);
        let live = self.fetch_one(sql).await?.count("n")?;
        let sql = Sql::new("SELECT lagging_node_forgotten_at FROM pat_clock WHERE id = 1");
        let clock = self.fetch_one(sql).await?;
        let mut count = UnusedCount::default();
        count.revocable = revocable;
        count.live = live;
        count.lagging_node_forgotten_at = clock.optional_timestamp("lagging_node_forgotten_at")?;
        Ok(count)
    }

    /// Revokes up to `limit` unused tokens, and queues the notifications.
    ///
    /// The last uses are read again, and locked, after the tokens are locked.
    pub(crate) async fn revoke_unused(
        &mut self,
        unused: &UnusedTokens,
        limit: u32,
    ) -> Result<(Revocation, Vec<RevokedToken>), Error> {
        let times = self.times(unused, unused.revoke_after);
        let mut revocation = Revocation::new(times.now);
        revocation.reason = Some(unused.reason.clone());
        let mut sql = Sql::new(format!("SELECT t.id, t.owner FROM {USED_TOKENS} WHERE "));
        push_revocable(&mut sql, &times);
        sql.push(" LIMIT ").bind(limit);
        let mut owners = BTreeSet::new();
        let mut ids = Vec::new();
        for row in self.fetch(sql).await? {
            owners.insert(row.owner("owner")?);
            ids.push(row.token_id("id")?);
        }
        if ids.is_empty() {
            return Ok((revocation, Vec::new()));
        }
        ids.sort_unstable();
        if !DB::HAS_ONE_WRITER {
            self.lock_owners(&owners).await?;
        }
        self.lock_tokens(&ids).await?;
        let mut tokens = Vec::new();
        for chunk in ids.chunks(CHUNK) {
            let mut sql = Sql::new(format!(
                "SELECT t.id, t.owner, t.name FROM {USED_TOKENS} WHERE "
            ));
            push_revocable(&mut sql, &times);
            sql.push(" AND t.id IN ").bind_in(chunk.iter().copied());
            sql.push(" ORDER BY t.id").push(DB::FOR_UPDATE);
            let mut unused = Vec::new();
            for row in self.fetch(sql).await? {
                unused.push(row::revoked_token(&row)?);
            }
            if !unused.is_empty() {
                self.mark_revoked(&unused, &revocation, false).await?;
            }
            tokens.extend(unused);
        }
        let ids: Vec<_> = tokens.iter().map(|token| token.id).collect();
        let (kind, children) = (NotificationKind::UnusedRevoked, LiveChildren::new());
        let told = Some((&revocation, &children));
        self.queue_notifications(kind, &ids, times.now, told)
            .await?;
        Ok((revocation, tokens))
    }

    /// Locks the replaced tokens, of up to `max_owners` owners, that were used in the last tenth of their overlap
    /// and of which no notification was queued; returns their IDs.
    pub(crate) async fn lock_replaced_in_use(
        &mut self,
        max_owners: u32,
    ) -> Result<Vec<TokenId>, Error> {
        let since = self.now() - REPLACED_NOTICE;
        let kind = NotificationKind::ReplacedInUse.number();
        self.lock_due_of_owners(max_owners, |sql| {
            sql.push(format_args!(
                "t.expiry_notice = {TRANSIENT} AND t.revoked_at IS NULL AND t.replaced_at IS NOT NULL"
            ));
            sql.push(" AND t.expires_at > ").bind(since);
            sql.push(
                " AND t.expires_at > t.replaced_at \
                 AND (t.expires_at - u.last_used_at) * 10 <= t.expires_at - t.replaced_at \
                 AND NOT EXISTS (SELECT 1 FROM pat_notice_token n WHERE n.token_id = t.id \
                 AND n.expires_at = t.expires_at AND n.kind = ",
            );
            sql.bind(kind).push(")");
        })
        .await
    }

    /// Locks the unrevoked tokens that meet a condition, of up to `max_owners` owners, and returns their IDs in order.
    async fn lock_due_of_owners(
        &mut self,
        max_owners: u32,
        push_condition: impl Fn(&mut Sql<DB>),
    ) -> Result<Vec<TokenId>, Error> {
        let mut sql = Sql::new(format!("SELECT DISTINCT t.owner FROM {USED_TOKENS} WHERE "));
        push_condition(&mut sql);
        sql.push(" LIMIT ").bind(max_owners);
        let rows = self.fetch(sql).await?;
        let owners: Result<Vec<_>, _> = rows.iter().map(|row| row.owner("owner")).collect();
        let mut ids = Vec::new();
        for chunk in owners?.chunks(CHUNK) {
            // By the owners, since another index may have the tokens of all others too.
            let (index, join) = (DB::by_index(DB::BY_UNREVOKED_OWNER), DB::JOIN_IN_ORDER);
            let mut sql = Sql::new(format!(
                "SELECT t.id FROM pat_token t{index} {join} pat_last_used u ON u.token_id = t.id WHERE "
            ));
            push_condition(&mut sql);
            sql.push(" AND t.owner IN ").bind_in(chunk);
            sql.push(" ORDER BY t.id").push(DB::FOR_UPDATE);
            ids.extend(self.fetch_ids(sql).await?);
        }
        Ok(ids)
    }
}

/// Appends the condition of tokens that are in force after `now` and do not end by themselves soon.
fn push_live<DB: Dialect>(sql: &mut Sql<DB>, now: Timestamp) {
    sql.push(format_args!(
        "t.revoked_at IS NULL AND t.expiry_notice <> {TRANSIENT} \
         AND (t.expires_at IS NULL OR t.expires_at > "
    ));
    sql.bind(now).push(")");
}

/// Appends the condition that a token was not used, created or imported after a time.
pub(crate) fn push_unused<DB: Dialect>(sql: &mut Sql<DB>, since: Timestamp) {
    sql.push(" AND u.last_used_at <= ").bind(since);
    sql.push(" AND COALESCE(t.imported_at, t.created_at) <= ")
        .bind(since);
}

fn push_revocable<DB: Dialect>(sql: &mut Sql<DB>, times: &Times) {
    push_live(sql, times.now);
    push_unused(sql, times.unused_since);
    sql.push(" AND t.unused_warned_at >= u.last_used_at AND t.unused_warned_at <= ");
    sql.bind(times.latest_warning);
    sql.push(" AND t.unused_warned_at >= ")
        .bind(times.oldest_warning);
}
