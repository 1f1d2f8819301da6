mod jobs;
mod notices;

use jiff::Timestamp;
use pat_core::store::{Change, NewToken, Revocation, RevocationScope, RevokedToken};
use pat_core::{Owner, TokenId};
use sqlx::{
    ColumnIndex, Decode, Encode, Executor, IntoArguments, Pool, QueryBuilder, Row, Transaction,
    Type,
};

pub(crate) use self::jobs::LeaseRow;
use crate::Dialect;
use crate::row;
use crate::store::CHUNK;

/// A transaction that writes; rolled back unless it is committed.
///
/// Locks are taken in one order everywhere: owner, parent token, tokens, and the change counter
/// last.
pub(crate) struct Write<DB: Dialect>(Transaction<'static, DB>);

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
    pub(crate) async fn begin(pool: &Pool<DB>) -> Result<Self, sqlx::Error> {
        pool.begin_with(DB::BEGIN_WRITE).await.map(Self)
    }

    pub(crate) async fn commit(self) -> Result<(), sqlx::Error> {
        self.0.commit().await
    }

    async fn execute(&mut self, mut query: QueryBuilder<DB>) -> Result<(), sqlx::Error> {
        query.build().execute(&mut *self.0).await.map(drop)
    }

    /// Returns how many rows were touched.
    async fn execute_counted(&mut self, mut query: QueryBuilder<DB>) -> Result<u64, sqlx::Error> {
        let result = query.build().execute(&mut *self.0).await?;
        Ok(DB::rows_affected(&result))
    }

    async fn fetch(&mut self, mut query: QueryBuilder<DB>) -> Result<Vec<DB::Row>, sqlx::Error> {
        query.build().fetch_all(&mut *self.0).await
    }

    /// Keeps all other creations for this owner out until the end of the transaction. Without it,
    /// creations that run side by side all count before any of them inserts.
    pub(crate) async fn lock_owner(&mut self, owner: &Owner) -> Result<(), sqlx::Error> {
        let mut insert = QueryBuilder::new("INSERT INTO pat_owner (owner) VALUES (");
        insert
            .push_bind(owner.to_string())
            .push(")")
            .push(DB::OR_IGNORE);
        self.execute(insert).await?;
        if !DB::FOR_UPDATE.is_empty() {
            let mut lock = QueryBuilder::new("SELECT owner FROM pat_owner WHERE owner = ");
            lock.push_bind(owner.to_string()).push(DB::FOR_UPDATE);
            self.fetch(lock).await?;
        }
        Ok(())
    }

    /// Whether a token may still create others at `at`; it cannot be revoked until the end of the
    /// transaction.
    pub(crate) async fn is_valid_parent(
        &mut self,
        parent: TokenId,
        at: Timestamp,
    ) -> Result<bool, sqlx::Error> {
        let mut query = QueryBuilder::new("SELECT id FROM pat_token WHERE id = ");
        query.push_bind(parent.get());
        query.push(" AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ");
        query
            .push_bind(at.as_microsecond())
            .push(")")
            .push(DB::FOR_UPDATE);
        Ok(!self.fetch(query).await?.is_empty())
    }

    pub(crate) async fn count_unrevoked(&mut self, owner: &Owner) -> Result<i64, sqlx::Error> {
        let mut query =
            QueryBuilder::<DB>::new("SELECT COUNT(*) AS n FROM pat_token WHERE owner = ");
        query
            .push_bind(owner.to_string())
            .push(" AND revoked_at IS NULL");
        query.build().fetch_one(&mut *self.0).await?.try_get("n")
    }

    pub(crate) async fn insert_token(&mut self, token: &NewToken) -> Result<(), sqlx::Error> {
        let mut query = QueryBuilder::new(
            "INSERT INTO pat_token \
             (id, digest, owner, name, created_at, expires_at, parent_id) VALUES (",
        );
        let mut values = query.separated(", ");
        values.push_bind(token.id.get());
        values.push_bind(token.digest.as_bytes().to_vec());
        values.push_bind(token.owner.to_string());
        values.push_bind(token.name.clone());
        values.push_bind(token.created_at.as_microsecond());
        values.push_bind(token.expires_at.map(Timestamp::as_microsecond));
        values.push_bind(token.parent.map(TokenId::get));
        query.push(")");
        self.execute(query).await
    }

    /// Locks the tokens of a scope and returns those that are not revoked, in id order.
    pub(crate) async fn lock_unrevoked(
        &mut self,
        scope: &RevocationScope,
    ) -> Result<Vec<RevokedToken>, sqlx::Error> {
        let mut tokens = match scope {
            RevocationScope::Token(id) => self.lock_tokens(&[*id]).await?,
            RevocationScope::TokenAndDescendants(id) => self.lock_descendants(*id).await?,
            RevocationScope::Owner(owner) => {
                // The owner first, so that no creation slips in between.
                self.lock_owner(owner).await?;
                let mut query = lock_query("owner = ");
                query.push_bind(owner.to_string());
                self.fetch_locked(query).await?
            }
        };
        tokens.retain(|(_, is_revoked)| !is_revoked);
        tokens.sort_unstable_by_key(|(token, _)| token.id);
        Ok(tokens.into_iter().map(|(token, _)| token).collect())
    }

    pub(crate) async fn lock_tokens(
        &mut self,
        ids: &[TokenId],
    ) -> Result<Vec<Locked>, sqlx::Error> {
        let mut tokens = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(CHUNK) {
            let mut query = lock_query("id IN (");
            push_ids(&mut query, chunk);
            tokens.extend(self.fetch_locked(query).await?);
        }
        Ok(tokens)
    }

    /// One level after the other: a creation locks its parent, so once a level is locked, no token
    /// can be born below it any more.
    async fn lock_descendants(&mut self, root: TokenId) -> Result<Vec<Locked>, sqlx::Error> {
        let mut family = Vec::new();
        let mut level = vec![root];
        while !level.is_empty() {
            family.extend(self.lock_tokens(&level).await?);
            let mut children = Vec::new();
            for chunk in level.chunks(CHUNK) {
                let mut query = QueryBuilder::new("SELECT id FROM pat_token WHERE parent_id IN (");
                push_ids(&mut query, chunk);
                for row in self.fetch(query).await? {
                    children.push(row::token_id(row.try_get("id")?)?);
                }
            }
            level = children;
        }
        Ok(family)
    }

    async fn fetch_locked(
        &mut self,
        mut query: QueryBuilder<DB>,
    ) -> Result<Vec<Locked>, sqlx::Error> {
        query.push(" ORDER BY id").push(DB::FOR_UPDATE);
        let rows = self.fetch(query).await?;
        let locked = |row: &DB::Row| {
            let id = row::token_id(row.try_get("id")?)?;
            let owner = row::owner(row.try_get("owner")?)?;
            let revoked_at: Option<i64> = row.try_get("revoked_at")?;
            Ok((RevokedToken { id, owner }, revoked_at.is_some()))
        };
        rows.iter().map(locked).collect()
    }

    pub(crate) async fn mark_revoked(
        &mut self,
        tokens: &[RevokedToken],
        revocation: &Revocation,
    ) -> Result<(), sqlx::Error> {
        let mut query = QueryBuilder::new("UPDATE pat_token SET revoked_at = ");
        query.push_bind(revocation.at.as_microsecond());
        query
            .push(", revoked_by = ")
            .push_bind(revocation.by.as_ref().map(Owner::to_string));
        query
            .push(", revoke_reason = ")
            .push_bind(revocation.reason.clone());
        query.push(" WHERE revoked_at IS NULL AND id IN (");
        push_ids(
            &mut query,
            &tokens.iter().map(|token| token.id).collect::<Vec<_>>(),
        );
        self.execute(query).await
    }

    /// Moves the change counter by one and appends these changes under its new value: the last
    /// step of a transaction, since the counter's row stays locked until the commit.
    pub(crate) async fn append_changes(
        &mut self,
        changes: &[Change],
        at: Timestamp,
    ) -> Result<(), sqlx::Error> {
        self.execute(QueryBuilder::new(
            "UPDATE pat_clock SET gen = gen + 1 WHERE id = 1",
        ))
        .await?;
        let mut query = QueryBuilder::<DB>::new("SELECT gen FROM pat_clock WHERE id = 1");
        let generation: i64 = query
            .build()
            .fetch_one(&mut *self.0)
            .await?
            .try_get("gen")?;
        let nonce = getrandom::u64().map_err(|error| sqlx::Error::Encode(error.into()))?;
        for (first_item, chunk) in (0..).step_by(CHUNK).zip(changes.chunks(CHUNK)) {
            let mut query = QueryBuilder::new(
                "INSERT INTO pat_change (gen, item, nonce, kind, token_id, owner, at) ",
            );
            query.push_values((first_item..).zip(chunk), |mut values, (item, change)| {
                let (kind, token_id, owner) = row::change_columns(change);
                values
                    .push_bind(generation)
                    .push_bind::<i64>(item)
                    .push_bind(nonce.cast_signed());
                values.push_bind(kind).push_bind(token_id).push_bind(owner);
                values.push_bind(at.as_microsecond());
            });
            self.execute(query).await?;
        }
        Ok(())
    }
}

/// A token whose row is locked, and whether it is revoked already.
pub(crate) type Locked = (RevokedToken, bool);

fn lock_query<DB: Dialect>(condition: &str) -> QueryBuilder<DB> {
    QueryBuilder::new(format!(
        "SELECT id, owner, revoked_at FROM pat_token WHERE {condition}"
    ))
}

fn push_ids<DB: Dialect>(query: &mut QueryBuilder<DB>, ids: &[TokenId])
where
    for<'q> i64: Encode<'q, DB> + Type<DB>,
{
    push_numbers(query, ids.iter().map(|id| id.get()));
}

fn push_numbers<DB: Dialect>(query: &mut QueryBuilder<DB>, numbers: impl Iterator<Item = i64>)
where
    for<'q> i64: Encode<'q, DB> + Type<DB>,
{
    let mut list = query.separated(", ");
    for number in numbers {
        list.push_bind(number);
    }
    query.push(")");
}
