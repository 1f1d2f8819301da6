use async_trait::async_trait;
use jiff::Timestamp;
use pat_core::store::{ImportOutcome, ImportStore, Imports, NewImport, StoreError};
use tracing::instrument;

use crate::dialect::Dialect;
use crate::store::SqlxStore;
use crate::write::Write;

impl<DB: Dialect> SqlxStore<DB> {
    async fn try_import(
        &self,
        tokens: &[NewImport],
        now: Timestamp,
        locks_eagerly: bool,
    ) -> Result<Vec<ImportOutcome>, sqlx::Error> {
        let write = Write::begin_unread(self, now).await?;
        let mut write = write.with_eager_locks(locks_eagerly);
        write.lock_owners_of_imports(tokens).await?;
        let digests = write.find_digests(tokens).await?;
        let taken = write.find_taken(tokens).await?;
        let at = write.now();
        let mut imports = Imports::new(at, digests, taken);
        let mut outcomes: Vec<_> = tokens.iter().map(|token| imports.next(token)).collect();
        let stored = outcomes.iter().zip(tokens).filter_map(|(outcome, token)| {
            let ImportOutcome::Stored(stored) = outcome else {
                return None;
            };
            Some((&**stored, token.digest))
        });
        let stored: Vec<_> = stored.collect();
        if stored.is_empty() {
            // At once, since other transactions wait for the locks.
            write.rollback().await?;
            return Ok(outcomes);
        }
        match write.insert_imported(&stored, &outcomes, at).await {
            // Another transaction, for other owners, has stored one of the digests or IDs since.
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                let is_stored = |it: &&mut ImportOutcome| matches!(it, ImportOutcome::Stored(_));
                for outcome in outcomes.iter_mut().filter(is_stored) {
                    *outcome = ImportOutcome::Duplicate;
                }
                return Ok(outcomes);
            }
            result => result?,
        }
        write.commit().await?;
        Ok(outcomes)
    }
}

#[async_trait]
impl<DB: Dialect> ImportStore for SqlxStore<DB> {
    #[instrument(name = "pat.store.import", skip_all, fields(count = tokens.len()))]
    async fn import(
        &self,
        tokens: &[NewImport],
        now: Timestamp,
    ) -> Result<Vec<ImportOutcome>, StoreError> {
        if tokens.is_empty() {
            return Ok(Vec::new());
        }
        self.retry_with_eager_locks(|locks_eagerly| self.try_import(tokens, now, locks_eagerly))
            .await
    }
}
