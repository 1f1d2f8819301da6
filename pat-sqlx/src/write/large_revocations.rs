//! What makes a revocation of many tokens keep other writers out for less time.

use std::collections::BTreeSet;

use pat_core::TokenId;
use pat_core::store::RevocationScope;
use sqlx::Error;

use super::Write;
use super::tokens::{Takes, Unrevoked, by_parent, sorted};
use crate::dialect::Dialect;
use crate::row;
use crate::sql::{CHUNK, Sql};
use crate::store::SqlxStore;

/// A revocation of more tokens than this is large: it also leaves the notifications to be queued later
/// ([`Write::queue_revocation_notices`]).
pub(crate) const LARGE: usize = 100;

/// The tokens of a large revocation, as they were before its transaction.
pub(crate) struct ReadAhead {
    /// All IDs that the revocation names, and those of the tokens that are revoked with them.
    ids: Vec<TokenId>,
    unrevoked: Unrevoked,
}

impl<DB: Dialect> Write<DB> {
    /// Reads the tokens of a large revocation before its transaction, where that keeps all other writers out:
    /// reading the tokens takes as long as marking them. [`Write::is_unchanged`] then compares them.
    ///
    /// Returns `None` where it would not help, and if a token has created others, which the transaction has to
    /// count.
    pub(crate) async fn read_ahead(
        store: &SqlxStore<DB>,
        scope: &RevocationScope,
    ) -> Result<Option<ReadAhead>, Error> {
        let ids = match scope {
            RevocationScope::Tokens(ids) if DB::HAS_ONE_WRITER && ids.len() > LARGE => sorted(ids),
            _ => return Ok(None),
        };
        let mut read = Self::begin_reading(store).await?;
        let tokens = read.lock_with_line(&ids, Takes::Earlier).await?;
        read.rollback().await?;
        let mut ids: BTreeSet<_> = ids.into_iter().collect();
        ids.extend(tokens.iter().map(|locked| locked.token.id));
        let unrevoked = Unrevoked::of(tokens);
        Ok(unrevoked.parents.is_empty().then(|| ReadAhead {
            ids: ids.into_iter().collect(),
            unrevoked,
        }))
    }

    /// Locks the tokens of a scope like [`Write::lock_unrevoked`], by reading them only if they have changed since
    /// they were read ahead.
    pub(crate) async fn lock_read_ahead(
        &mut self,
        scope: &RevocationScope,
        ahead: Option<ReadAhead>,
    ) -> Result<Unrevoked, Error> {
        match ahead {
            Some(ahead) if self.is_unchanged(&ahead).await? => Ok(ahead.unrevoked),
            _ => self.lock_unrevoked(scope).await,
        }
    }

    /// Whether the tokens that were read ahead are still the same, none was revoked or deleted, and none has
    /// created others; reads the time. A rotation meanwhile does not matter: it adds a token to the end of a line,
    /// and the ones before it are revoked.
    async fn is_unchanged(&mut self, ahead: &ReadAhead) -> Result<bool, Error> {
        self.read_time().await?;
        let (mut unrevoked, mut parents) = (0, 0);
        for chunk in ahead.ids.chunks(CHUNK) {
            let mut sql = Sql::new(format!(
                "SELECT COUNT(CASE WHEN t.revoked_at IS NULL THEN 1 END) AS unrevoked, \
                 COUNT((SELECT c.id FROM pat_token c{} WHERE c.parent_id = t.id LIMIT 1)) AS parents, \
                 (SELECT version FROM pat_clock WHERE id = 1) AS version, \
                 (SELECT readable_from FROM pat_clock WHERE id = 1) AS readable_from \
                 FROM pat_token t WHERE t.id IN ",
                by_parent::<DB>()
            ));
            sql.bind_in(chunk.iter().copied());
            let row = self.fetch_one(sql).await?;
            row::check_versions(&row)?;
            unrevoked += row.count("unrevoked")?;
            parents += row.count("parents")?;
        }
        Ok((unrevoked, parents) == (ahead.unrevoked.tokens.len() as u64, 0))
    }
}

#[cfg(feature = "sqlite")]
#[cfg(test)]
mod tests;
