use async_trait::async_trait;
use jiff::Timestamp;

use super::MemoryStore;
use crate::event::EventKind;
use crate::store::{ImportOutcome, ImportStore, ImportedToken, Imports, NewImport, StoreError};
use crate::token::Token;

#[async_trait]
impl ImportStore for MemoryStore {
    async fn import(
        &self,
        tokens: &[NewImport],
        now: Timestamp,
    ) -> Result<Vec<ImportOutcome>, StoreError> {
        let mut tables = self.tables()?;
        let digests = tables.by_digest.iter().filter_map(|(digest, id)| {
            let token = tables.tokens.get(id)?;
            Some((*digest, (*id, token.owner.clone())))
        });
        let ids = tables.tokens.keys().copied().collect();
        let mut imports = Imports::new(now, digests.collect(), ids);
        let mut outcomes = Vec::with_capacity(tokens.len());
        for token in tokens {
            let outcome = imports.next(token);
            if let ImportOutcome::Stored(stored) = &outcome {
                tables.by_digest.insert(token.digest, token.id);
                tables.tokens.insert(token.id, Token::clone(stored));
            }
            outcomes.push(outcome);
        }
        let tokens = ImportedToken::of_stored(&outcomes);
        if !tokens.is_empty() {
            tables.audit.record(now, EventKind::Imported { tokens })?;
        }
        Ok(outcomes)
    }
}
