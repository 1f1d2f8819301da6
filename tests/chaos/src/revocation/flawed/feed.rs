//! Change feeds that skip what they should tell; on PostgreSQL.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use pat_core::TokenId;
use pat_core::store::StoreError;
use pat_core::store::{
    Change, ChangeEntry, ChangePage, FeedPosition, Revocation, RevocationScope, Revoked, TokenStore,
};
use pat_sqlx::sqlx::{self, PgPool, Postgres, Row as _, Transaction};
use tokio::sync::Mutex;

use super::Wrong;

/// How long a commit may take.
const COMMIT: Duration = Duration::from_millis(10);

/// A feed in a table of its own, with a number that the database hands out. Of the changes, it
/// tells of single tokens only.
#[derive(Debug)]
pub(super) struct Sequence {
    pool: PgPool,
    /// The largest number that was read, and how many were.
    read: Mutex<(i64, u64)>,
}

const TABLE: &str = "CREATE TABLE IF NOT EXISTS flawed_change (\
     id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, token_id BIGINT NOT NULL)";

impl Sequence {
    /// In the database that the command line names.
    pub(super) fn from_arguments() -> Self {
        let mut arguments = std::env::args().skip_while(|argument| argument != "--database-url");
        let url = arguments.nth(1).expect("the URL of a database");
        Self {
            pool: PgPool::connect_lazy(&url).expect("a URL of PostgreSQL"),
            read: Mutex::default(),
        }
    }

    /// Begins the transaction of a change, which has its number from now on.
    async fn begin(
        &self,
        tokens: &[TokenId],
    ) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        for token in tokens {
            let insert = sqlx::query("INSERT INTO flawed_change (token_id) VALUES ($1)");
            insert.bind(token.get()).execute(&mut *transaction).await?;
        }
        Ok(transaction)
    }

    async fn read(&self, since: Option<FeedPosition>) -> Result<ChangePage, sqlx::Error> {
        let mut read = self.read.lock().await;
        let (last, count) = &mut *read;
        let mut entries = Vec::new();
        if since.is_some() {
            let rows =
                sqlx::query("SELECT id, token_id FROM flawed_change WHERE id > $1 ORDER BY id")
                    .bind(*last);
            for row in rows.fetch_all(&self.pool).await? {
                *last = row.try_get("id")?;
                *count += 1;
                let token = TokenId::new(row.try_get("token_id")?).expect("an id");
                entries.push(ChangeEntry::new(*count, 1, Change::TokenChanged(token)));
            }
        } else {
            sqlx::query(TABLE).execute(&self.pool).await?;
        }
        let mut page = ChangePage::new(FeedPosition {
            generation: *count,
            nonce: Some(1),
        });
        page.nonce_at_cursor = since.and(Some(1));
        page.entries = entries;
        Ok(page)
    }
}

#[async_trait]
impl Wrong for Sequence {
    async fn revoke(
        &self,
        inner: &dyn TokenStore,
        scope: &RevocationScope,
        revocation: &Revocation,
    ) -> Result<Revoked, StoreError> {
        let (RevocationScope::Tokens(ids) | RevocationScope::TokensAndDescendants(ids)) = scope
        else {
            return inner.revoke(scope, revocation).await;
        };
        let transaction = self.begin(ids).await.map_err(StoreError::backend)?;
        let revoked = inner.revoke(scope, revocation).await?;
        let long = revocation.at.as_microsecond() % 2 == 0;
        tokio::time::sleep(COMMIT * u32::from(long)).await;
        transaction.commit().await.map_err(StoreError::backend)?;
        Ok(revoked)
    }

    async fn changes(
        &self,
        _inner: &dyn TokenStore,
        since: Option<FeedPosition>,
    ) -> Result<ChangePage, StoreError> {
        self.read(since).await.map_err(StoreError::backend)
    }
}

/// Asks the feed once at the start, and then only when it is told to.
#[derive(Debug, Default)]
pub(super) struct HintsOnly {
    is_notified: AtomicBool,
}

#[async_trait]
impl Wrong for HintsOnly {
    async fn changes(
        &self,
        inner: &dyn TokenStore,
        since: Option<FeedPosition>,
    ) -> Result<ChangePage, StoreError> {
        match since {
            Some(cursor) if !self.is_notified.swap(false, Ordering::SeqCst) => {
                let mut page = ChangePage::new(cursor);
                page.nonce_at_cursor = cursor.nonce;
                Ok(page)
            }
            _ => inner.changes_since(since).await,
        }
    }

    async fn follow(&self, inner: &dyn TokenStore, hint: &(dyn Fn() + Send + Sync)) {
        let tell = || {
            self.is_notified.store(true, Ordering::SeqCst);
            hint();
        };
        inner.listen(&tell).await;
    }
}

/// Answers late.
#[derive(Debug)]
pub(super) struct SlowFeed;

/// Long beside what a node serves from memory, and short beside the staleness bound.
const SLOW: Duration = Duration::from_millis(300);

#[async_trait]
impl Wrong for SlowFeed {
    async fn changes(
        &self,
        inner: &dyn TokenStore,
        since: Option<FeedPosition>,
    ) -> Result<ChangePage, StoreError> {
        tokio::time::sleep(SLOW).await;
        inner.changes_since(since).await
    }
}
