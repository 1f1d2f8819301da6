use std::collections::BTreeMap;

use jiff::Timestamp;
use pat_core::notice::{NoticeId, NoticeKind, NoticeToken};
use pat_core::store::{Claim, Outcome, QueuedNotice, Revocation, Trim};
use pat_core::{Owner, TokenId};
use sqlx::{ColumnIndex, Decode, Encode, Executor, IntoArguments, QueryBuilder, Row, Type};

use super::{Write, push_ids, push_numbers};
use crate::Dialect;
use crate::row::{self, DEAD, PENDING, TOKEN_COLUMNS, TOKENS};
use crate::store::CHUNK;

impl<DB: Dialect> Write<DB>
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    DB::Arguments: IntoArguments<DB>,
    for<'q> i64: Encode<'q, DB> + Decode<'q, DB> + Type<DB>,
    for<'q> Option<i64>: Encode<'q, DB>,
    for<'q> String: Encode<'q, DB> + Decode<'q, DB> + Type<DB>,
    for<'q> Option<String>: Encode<'q, DB>,
    for<'q> Vec<u8>: Encode<'q, DB> + Type<DB>,
    for<'i> &'i str: ColumnIndex<DB::Row>,
{
    /// Queues one notice for each owner of these tokens; returns how many that were.
    pub(crate) async fn queue_notices(
        &mut self,
        kind: NoticeKind,
        ids: &[TokenId],
        now: Timestamp,
        revocation: Option<&Revocation>,
    ) -> Result<u64, sqlx::Error> {
        let mut by_owner: BTreeMap<Owner, Vec<NoticeToken>> = BTreeMap::new();
        for chunk in ids.chunks(CHUNK) {
            let mut query = QueryBuilder::new(format!(
                "SELECT {TOKEN_COLUMNS} FROM {TOKENS} WHERE t.id IN ("
            ));
            push_ids(&mut query, chunk);
            for row in self.fetch(query).await? {
                let token = row::token::<DB>(&row)?;
                let tokens = by_owner.entry(token.owner.clone()).or_default();
                tokens.push(NoticeToken::from(&token));
            }
        }
        for (owner, tokens) in &by_owner {
            let id = NoticeId::random().map_err(|error| sqlx::Error::Encode(error.into()))?;
            self.insert_notice(id, kind, owner, now, revocation).await?;
            for chunk in tokens.chunks(CHUNK) {
                self.insert_notice_tokens(id, kind, chunk).await?;
            }
        }
        Ok(by_owner.len() as u64)
    }

    async fn insert_notice(
        &mut self,
        id: NoticeId,
        kind: NoticeKind,
        owner: &Owner,
        now: Timestamp,
        revocation: Option<&Revocation>,
    ) -> Result<(), sqlx::Error> {
        let by = revocation.and_then(|revocation| revocation.by.as_ref());
        let reason = revocation.and_then(|revocation| revocation.reason.clone());
        let mut query = QueryBuilder::new(
            "INSERT INTO pat_notice (id, kind, owner, revoked_by, reason, queued_at, due_at, \
             state, attempts, mark, sent_by, error) VALUES (",
        );
        let mut values = query.separated(", ");
        values.push_bind(id.get());
        values.push_bind(row::kind_number(kind));
        values.push_bind(owner.to_string());
        values.push_bind(by.map(Owner::to_string));
        values.push_bind(reason);
        values.push_bind(now.as_microsecond());
        values.push_bind(now.as_microsecond());
        query.push(", 0, 0, 0, '', '')");
        self.execute(query).await
    }

    async fn insert_notice_tokens(
        &mut self,
        id: NoticeId,
        kind: NoticeKind,
        tokens: &[NoticeToken],
    ) -> Result<(), sqlx::Error> {
        let mut query = QueryBuilder::new(
            "INSERT INTO pat_notice_token \
             (notice_id, token_id, kind, name, created_at, expires_at, last_used_at) ",
        );
        query.push_values(tokens, |mut values, token| {
            values.push_bind(id.get()).push_bind(token.id.get());
            values.push_bind(row::kind_number(kind));
            values.push_bind(token.name.clone());
            values.push_bind(token.created_at.as_microsecond());
            values.push_bind(token.expires_at.map_or(0, Timestamp::as_microsecond));
            values.push_bind(token.last_used_at.map(Timestamp::as_microsecond));
        });
        self.execute(query).await
    }

    /// Locks up to `limit` notices that are due, and which no other worker is about to take, with
    /// the tokens that they still have to tell of; forgets the other tokens.
    pub(crate) async fn lock_due_notices(
        &mut self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<QueuedNotice>, sqlx::Error> {
        let mut query = QueryBuilder::new(format!(
            "SELECT id, kind, owner, revoked_by, reason, queued_at, attempts, sent_by \
             FROM pat_notice WHERE state = {PENDING} AND due_at <= "
        ));
        query.push_bind(now.as_microsecond());
        query.push(" ORDER BY due_at, id LIMIT ");
        query.push_bind(i64::from(limit)).push(DB::SKIP_LOCKED);
        let rows = self.fetch(query).await?;
        let notices: Result<Vec<_>, _> = rows.iter().map(row::queued_notice::<DB>).collect();
        let mut notices = notices?;
        for notice in &mut notices {
            notice.claim.mark = getrandom::u64().map_err(|e| sqlx::Error::Encode(e.into()))?;
            notice.attempts += 1;
            self.load_tokens(notice, now).await?;
        }
        Ok(notices)
    }

    async fn load_tokens(
        &mut self,
        notice: &mut QueuedNotice,
        now: Timestamp,
    ) -> Result<(), sqlx::Error> {
        let mut query = QueryBuilder::new(
            "SELECT n.token_id, n.name, n.created_at, n.expires_at, n.last_used_at, \
             t.id AS live_id, t.revoked_at \
             FROM pat_notice_token n LEFT JOIN pat_token t ON t.id = n.token_id \
             WHERE n.notice_id = ",
        );
        query.push_bind(notice.claim.id.get());
        let mut forgotten = Vec::new();
        for row in self.fetch(query).await? {
            let token = row::notice_token::<DB>(&row)?;
            let is_live = row.try_get::<Option<i64>, _>("live_id")?.is_some()
                && row.try_get::<Option<i64>, _>("revoked_at")?.is_none();
            let is_worth_telling = match notice.kind {
                NoticeKind::Created | NoticeKind::Expired => is_live,
                NoticeKind::ExpiresSoon => is_live && token.expires_at > Some(now),
                _ => true,
            };
            if is_worth_telling {
                notice.tokens.push(token);
            } else {
                forgotten.push(token.id);
            }
        }
        notice.tokens.sort_by_key(NoticeToken::order);
        for chunk in forgotten.chunks(CHUNK) {
            let mut query = QueryBuilder::new("DELETE FROM pat_notice_token WHERE notice_id = ");
            query.push_bind(notice.claim.id.get());
            query.push(" AND token_id IN (");
            push_ids(&mut query, chunk);
            self.execute(query).await?;
        }
        Ok(())
    }

    /// Keeps a locked notice from other workers until then.
    pub(crate) async fn put_claim(
        &mut self,
        notice: &QueuedNotice,
        until: Timestamp,
    ) -> Result<(), sqlx::Error> {
        let mut query = QueryBuilder::new("UPDATE pat_notice SET due_at = ");
        query.push_bind(until.as_microsecond()).push(", mark = ");
        query.push_bind(notice.claim.mark.cast_signed());
        query.push(", attempts = ");
        query.push_bind(i64::from(notice.attempts));
        query.push(" WHERE id = ").push_bind(notice.claim.id.get());
        self.execute(query).await
    }

    /// Settles a notice if the claim is still good; returns whether it was.
    pub(crate) async fn settle(
        &mut self,
        claim: &Claim,
        outcome: &Outcome,
        now: Timestamp,
    ) -> Result<bool, sqlx::Error> {
        let (at, error, sent_by) = match outcome {
            Outcome::Sent => (now, "", None),
            Outcome::Retry { at, error, sent_by } => (*at, error.as_str(), Some(sent_by)),
            Outcome::Dead { error, sent_by } => (now, error.as_str(), Some(sent_by)),
            Outcome::Skipped { reason } => (now, reason.as_str(), None),
        };
        let mut query = QueryBuilder::new("UPDATE pat_notice SET mark = 0, state = ");
        query.push_bind(row::state_number(outcome));
        query.push(", due_at = ").push_bind(at.as_microsecond());
        query.push(", error = ").push_bind(error.to_owned());
        if let Some(sent_by) = sent_by {
            query.push(", sent_by = ").push_bind(sent_by.join(","));
        }
        query.push(" WHERE id = ").push_bind(claim.id.get());
        query.push(" AND mark = ");
        query.push_bind(claim.mark.cast_signed());
        query.push(format!(" AND state = {PENDING}"));
        Ok(self.execute_counted(query).await? == 1)
    }

    /// Has a dead notice tried again; returns whether it was dead.
    pub(crate) async fn requeue(
        &mut self,
        id: NoticeId,
        now: Timestamp,
    ) -> Result<bool, sqlx::Error> {
        let mut query = QueryBuilder::new(format!(
            "UPDATE pat_notice SET state = {PENDING}, attempts = 0, due_at = "
        ));
        query.push_bind(now.as_microsecond()).push(" WHERE id = ");
        query.push_bind(id.get());
        query.push(format!(" AND state = {DEAD}"));
        Ok(self.execute_counted(query).await? == 1)
    }

    /// Deletes up to `limit` notices that were settled long ago; returns how many.
    pub(crate) async fn trim_notices(
        &mut self,
        trim: &Trim,
        limit: u32,
    ) -> Result<u64, sqlx::Error> {
        let mut query = QueryBuilder::new("SELECT id FROM pat_notice WHERE state IN (1, 2, 3) ");
        query.push("AND due_at < ");
        query.push_bind(trim.notices_before.as_microsecond());
        query.push(" LIMIT ").push_bind(i64::from(limit));
        let rows = self.fetch(query).await?;
        let ids: Result<Vec<i64>, _> = rows.iter().map(|row| row.try_get("id")).collect();
        let ids = ids?;
        for chunk in ids.chunks(CHUNK) {
            for table in ["pat_notice_token WHERE notice_id", "pat_notice WHERE id"] {
                let mut query = QueryBuilder::new(format!("DELETE FROM {table} IN ("));
                push_numbers(&mut query, chunk.iter().copied());
                self.execute(query).await?;
            }
        }
        Ok(ids.len() as u64)
    }
}
