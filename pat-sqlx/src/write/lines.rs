use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use pat_core::store::{IDEMPOTENCY_KEPT, IdempotencyKey, Purge, Replacement};
use pat_core::{Owner, Token, TokenId};
use sqlx::Error;

use super::Write;
use super::tokens::{Locked, Place, Takes, count_sql};
use crate::dialect::{Dialect, Value};
use crate::row::{self, TOKEN_COLUMNS, TOKENS, TRANSIENT};
use crate::sql::{SPARSE_CHUNK, Sql};

/// What an earlier request with the same key has done.
pub(crate) enum Earlier {
    Nothing,
    Created(Box<Token>),
    Conflict,
}

impl<DB: Dialect> Write<DB> {
    /// Locks these tokens, and those that are revoked with one of them. Their owners must be locked, so that
    /// none of them is rotated meanwhile.
    pub(super) async fn lock_with_line(
        &mut self,
        ids: &[TokenId],
        takes: Takes,
    ) -> Result<Vec<Locked>, Error> {
        let mut tokens = self.lock_tokens(ids).await?;
        // For each line, the number before which tokens are revoked.
        let mut lines: BTreeMap<TokenId, i64> = BTreeMap::new();
        for place in tokens.iter().filter_map(|locked| locked.line) {
            let before = match takes {
                Takes::Earlier => place.seq,
                Takes::All => i64::MAX,
            };
            let greatest = lines.entry(place.line).or_default();
            *greatest = before.max(*greatest);
        }
        let members = self.tokens_of_lines(lines.keys().copied()).await?;
        let mut others = BTreeSet::new();
        for (id, place) in members {
            if lines
                .get(&place.line)
                .is_some_and(|before| place.seq < *before)
            {
                others.insert(id);
            }
        }
        for id in ids {
            others.remove(id);
        }
        let others: Vec<_> = others.into_iter().collect();
        tokens.extend(self.lock_tokens(&others).await?);
        Ok(tokens)
    }

    /// Returns all tokens of these lines.
    pub(super) async fn tokens_of_lines(
        &mut self,
        lines: impl Iterator<Item = TokenId>,
    ) -> Result<Vec<(TokenId, Place)>, Error> {
        let mut tokens = Vec::new();
        let lines: Vec<_> = lines.collect::<BTreeSet<_>>().into_iter().collect();
        for chunk in lines.chunks(SPARSE_CHUNK) {
            let index = DB::by_sparse_index("pat_token_by_line");
            let mut sql = Sql::new(format!(
                "SELECT id, line_id, line_seq FROM pat_token{index} WHERE line_id IN "
            ));
            sql.bind_in(chunk.iter().copied());
            let rows = self.fetch(sql).await?;
            let mut count = count_sql(&index, "line_id IN ");
            count.bind_in(chunk.iter().copied());
            self.assert_all(rows.len(), count).await?;
            for row in rows {
                if let Some(place) = Place::of(&row)? {
                    tokens.push((row.token_id("id")?, place));
                }
            }
        }
        Ok(tokens)
    }

    /// Locks the owner of tokens. Does nothing where there is one writer at a time.
    pub(crate) async fn lock_owner(&mut self, owner: &Owner) -> Result<(), Error> {
        if DB::HAS_ONE_WRITER {
            return Ok(());
        }
        self.lock_owners(&BTreeSet::from([owner.clone()])).await
    }

    /// Writes what a rotation makes of the other tokens of the line, which has been read in this transaction.
    pub(crate) async fn mark_all_replaced(
        &mut self,
        line: &[Token],
        replacement: &Replacement,
    ) -> Result<(), Error> {
        for token in &replacement.replaced {
            if !line.contains(token) {
                self.mark_replaced(token).await?;
            }
        }
        Ok(())
    }

    /// Writes a token as it is once it is replaced.
    pub(super) async fn mark_replaced(&mut self, token: &Token) -> Result<(), Error> {
        let mut sql = Sql::new(format!(
            "UPDATE pat_token SET expiry_notice = {TRANSIENT}, expires_at = "
        ));
        sql.bind(token.expires_at);
        sql.push(", own_expires_at = ").bind(token.own_expires_at());
        sql.push(", replaced_at = ");
        sql.bind(token.replaced.map(|replaced| replaced.at));
        sql.push(", line_id = ")
            .bind(token.line.map(|line| line.id));
        sql.push(", line_seq = ");
        sql.bind(Value::Int(token.line.map(|line| line.seq.into())));
        sql.push(" WHERE revoked_at IS NULL AND id = ")
            .bind(token.id);
        self.execute_on(1, sql).await
    }

    /// Finds out what an earlier request with this key has done. The owner must be locked, so that a request
    /// at the same time has been made, or comes later.
    pub(crate) async fn find_earlier(
        &mut self,
        owner: &Owner,
        key: Option<&IdempotencyKey>,
    ) -> Result<Earlier, Error> {
        let Some(IdempotencyKey { key, request, .. }) = key else {
            return Ok(Earlier::Nothing);
        };
        let mut sql = Sql::new("SELECT request, token_id, at FROM pat_idempotency WHERE owner = ");
        sql.bind(owner).push(" AND idem_key = ").bind(key.as_str());
        let rows = self.fetch(sql).await?;
        let Some(row) = rows.first() else {
            return Ok(Earlier::Nothing);
        };
        if row.timestamp("at")? + IDEMPOTENCY_KEPT <= self.now() {
            let mut sql = Sql::new("DELETE FROM pat_idempotency WHERE owner = ");
            sql.bind(owner).push(" AND idem_key = ").bind(key.as_str());
            self.execute(sql).await?;
            return Ok(Earlier::Nothing);
        }
        if row.digest("request")?.as_bytes() != request {
            return Ok(Earlier::Conflict);
        }
        let mut sql = Sql::new(format!(
            "SELECT {TOKEN_COLUMNS} FROM {TOKENS} WHERE t.id = "
        ));
        sql.bind(row.token_id("token_id")?);
        let rows = self.fetch(sql).await?;
        let token = rows.first().map(row::token).transpose()?;
        Ok(token.map_or(Earlier::Conflict, |token| Earlier::Created(Box::new(token))))
    }

    /// Deletes about `limit` old keys of requests; returns how many there were.
    pub(crate) async fn purge_requests(&mut self, purge: &Purge, limit: u32) -> Result<u64, Error> {
        let mut sql = Sql::new("SELECT at FROM pat_idempotency WHERE at < ");
        sql.bind(self.cutoff(purge.vouched, IDEMPOTENCY_KEPT));
        sql.push(" ORDER BY at LIMIT ").bind(limit);
        let rows = self.fetch(sql).await?;
        let Some(last) = rows.last() else {
            return Ok(0);
        };
        let last: Timestamp = last.timestamp("at")?;
        let mut sql = Sql::new("DELETE FROM pat_idempotency WHERE at <= ");
        sql.bind(last);
        self.execute(sql).await
    }
}
