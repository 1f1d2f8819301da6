//! Tokens that no client uses.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use pat_core::notification::NotificationKind;
use pat_core::store::{
    CLOCK_TOLERANCE, Revocation, RevokedToken, UNUSED_NOTICE, UNUSED_NOTICE_LASTS, UnusedCount,
    UnusedTokens,
};
use pat_core::{Owner, TokenId};
use sqlx::Error;

use super::Write;
use super::descendants::LiveChildren;
use crate::call_time::CallTime;
use crate::checkout::fetch_one;
use crate::dialect::Dialect;
use crate::row::{self, TRANSIENT};
use crate::sql::{CHUNK, Sql};
use crate::store::SqlxStore;

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

impl Times {
    fn new(time: &CallTime, unused: &UnusedTokens, unused_for: Duration) -> Self {
        let before = |kept| time.cutoff(unused.vouched, kept);
        Self {
            now: time.now(),
            unused_since: before(unused_for),
            oldest_warning: before(UNUSED_NOTICE_LASTS),
            latest_warning: before(UNUSED_NOTICE),
        }
    }
}

impl<DB: Dialect> SqlxStore<DB> {
    pub(crate) async fn try_count_unused(
        &self,
        unused: &UnusedTokens,
        owners: &[Owner],
    ) -> Result<UnusedCount, Error> {
        let time = CallTime::of_reader(self, unused.now).await?;
        let times = Times::new(&time, unused, unused.revoke_after);
        let mut count = UnusedCount::default();
        for chunk in owners.chunks(CHUNK) {
            let mut sql = from_tokens_of("COUNT(*) AS n", chunk, Columns::WithLastUse);
            push_revocable(&mut sql, &times);
            count.revocable += fetch_one(&self.pool, sql).await?.count("n")?;
            let mut sql = from_tokens_of("COUNT(*) AS n", chunk, Columns::OfToken);
            push_live(&mut sql, times.now);
            count.live += fetch_one(&self.pool, sql).await?.count("n")?;
        }
        let sql = Sql::new("SELECT lagging_node_forgotten_at FROM pat_clock WHERE id = 1");
        let clock = fetch_one(&self.pool, sql).await?;
        count.lagging_node_forgotten_at = clock.optional_timestamp("lagging_node_forgotten_at")?;
        Ok(count)
    }
}

impl<DB: Dialect> Write<DB> {
    /// Locks the unused tokens of these owners without a warning that counts; records that they are warned of, and
    /// returns their IDs.
    pub(crate) async fn mark_warned(
        &mut self,
        unused: &UnusedTokens,
        owners: &[Owner],
    ) -> Result<Vec<TokenId>, Error> {
        let times = Times::new(&self.time, unused, unused.warn_after);
        let latest = times.now + CLOCK_TOLERANCE;
        let mut ids = Vec::new();
        for chunk in owners.chunks(CHUNK) {
            let mut sql = from_tokens_of("t.id", chunk, Columns::WithLastUse);
            push_live(&mut sql, times.now + UNUSED_NOTICE);
            push_unused(&mut sql, times.unused_since);
            sql.push(" AND (t.unused_warned_at IS NULL OR t.unused_warned_at < u.last_used_at");
            sql.push(" OR t.unused_warned_at < ")
                .bind(times.oldest_warning);
            // Recorded while a clock was ahead.
            sql.push(" OR t.unused_warned_at > ").bind(latest).push(")");
            sql.push(" ORDER BY t.id").push(DB::FOR_UPDATE);
            ids.extend(self.fetch_ids(sql).await?);
        }
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

    /// Revokes the unused tokens of these owners, and queues the notifications.
    ///
    /// The last uses are read again, and locked, after the tokens are locked.
    pub(crate) async fn revoke_unused(
        &mut self,
        unused: &UnusedTokens,
        owners: &[Owner],
    ) -> Result<(Revocation, Vec<RevokedToken>), Error> {
        let times = Times::new(&self.time, unused, unused.revoke_after);
        let mut revocation = Revocation::new(times.now);
        revocation.reason = Some(unused.reason.clone());
        let mut owners_of_unused = BTreeSet::new();
        let mut ids = Vec::new();
        for chunk in owners.chunks(CHUNK) {
            let mut sql = from_tokens_of("t.id, t.owner", chunk, Columns::WithLastUse);
            push_revocable(&mut sql, &times);
            for row in self.fetch(sql).await? {
                owners_of_unused.insert(row.owner("owner")?);
                ids.push(row.token_id("id")?);
            }
        }
        if ids.is_empty() {
            return Ok((revocation, Vec::new()));
        }
        ids.sort_unstable();
        if !DB::HAS_ONE_WRITER {
            self.lock_owners(&owners_of_unused).await?;
        }
        self.lock_tokens(&ids).await?;
        let mut tokens = Vec::new();
        for chunk in ids.chunks(CHUNK) {
            // Every token has a row of its last use.
            let mut sql = Sql::new(
                "SELECT t.id, t.owner, t.name \
                 FROM pat_token t JOIN pat_last_used u ON u.token_id = t.id WHERE ",
            );
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
}

/// Whether a statement needs the last uses.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Columns {
    OfToken,
    WithLastUse,
}

/// Returns a statement on the unrevoked tokens of these owners, to which a condition is to be appended. Every token has
/// a row of its last use.
fn from_tokens_of<DB: Dialect>(selected: &str, owners: &[Owner], columns: Columns) -> Sql<DB> {
    // By the owners, since another index may have the tokens of all others too.
    let index = DB::by_index(DB::BY_UNREVOKED_OWNER);
    let mut sql = Sql::new(format!("SELECT {selected} FROM pat_token t{index}"));
    if columns == Columns::WithLastUse {
        let join = DB::JOIN_IN_ORDER;
        sql.push(format_args!(" {join} pat_last_used u ON u.token_id = t.id"));
    }
    sql.push(" WHERE t.owner IN ").bind_in(owners).push(" AND ");
    sql
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
