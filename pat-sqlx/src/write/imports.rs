use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::Timestamp;
use pat_core::event::EventKind;
use pat_core::search::fold;
use pat_core::store::{ImportOutcome, ImportedToken, NewImport};
use pat_core::{Owner, Token, TokenDigest, TokenId};
use sqlx::Error;

use super::Write;
use crate::dialect::Dialect;
use crate::sql::{CHUNK, Insert, Sql};

impl<DB: Dialect> Write<DB> {
    /// Locks the owners of these tokens, and reads the time.
    pub(crate) async fn lock_owners_of_imports(
        &mut self,
        tokens: &[NewImport],
    ) -> Result<(), Error> {
        let owners: BTreeSet<_> = tokens.iter().map(|token| token.owner.clone()).collect();
        self.lock_owners(&owners).await?;
        self.read_time().await.map(drop)
    }

    /// Returns the tokens that have these digests.
    pub(crate) async fn find_digests(
        &mut self,
        tokens: &[NewImport],
    ) -> Result<HashMap<TokenDigest, (TokenId, Owner)>, Error> {
        let mut found = HashMap::new();
        for chunk in tokens.chunks(CHUNK) {
            let mut sql = Sql::new("SELECT id, digest, owner FROM pat_token WHERE digest IN ");
            sql.bind_in(chunk.iter().map(|token| token.digest));
            for row in self.fetch(sql).await? {
                let known = (row.token_id("id")?, row.owner("owner")?);
                found.insert(row.digest("digest")?, known);
            }
        }
        Ok(found)
    }

    /// Returns those of these IDs that are taken.
    pub(crate) async fn find_taken(
        &mut self,
        tokens: &[NewImport],
    ) -> Result<HashSet<TokenId>, Error> {
        let mut taken = HashSet::new();
        for chunk in tokens.chunks(CHUNK) {
            let mut sql = Sql::new("SELECT id FROM pat_token WHERE id IN ");
            sql.bind_in(chunk.iter().map(|token| token.id));
            taken.extend(self.fetch_ids(sql).await?);
        }
        Ok(taken)
    }

    /// Writes imported tokens with these digests, their last uses, and the event.
    pub(crate) async fn insert_imported(
        &mut self,
        tokens: &[(&Token, TokenDigest)],
        outcomes: &[ImportOutcome],
        at: Timestamp,
    ) -> Result<(), Error> {
        for chunk in tokens.chunks(CHUNK) {
            let rows = chunk.iter().map(|(token, digest)| {
                [
                    token.id.into(),
                    (*digest).into(),
                    (&token.owner).into(),
                    token.name.as_str().into(),
                    fold(&token.name).as_str().into(),
                    token.created_at.into(),
                    token.expires_at.into(),
                    token.scopes.as_ref().into(),
                    token.description.as_deref().into(),
                    token.imported_at.into(),
                ]
            });
            let tokens = Insert::new(
                "pat_token \
                 (id, digest, owner, name, name_folded, created_at, expires_at, scopes, description, \
                 imported_at)",
                rows,
            );
            let rows = chunk.iter().map(|(token, _)| {
                let used = token.last_used_at.map_or(0, Timestamp::as_microsecond);
                [token.id.into(), token.created_at.into(), used.into()]
            });
            let uses = Insert::new("pat_last_used (token_id, created_at, last_used_at)", rows);
            self.insert_each(vec![tokens, uses]).await?;
        }
        let tokens = ImportedToken::of_stored(outcomes);
        let imported = EventKind::Imported { tokens };
        self.record(at, imported).await
    }
}
