use std::collections::BTreeSet;

use async_trait::async_trait;

use super::MemoryStore;
use crate::search::{Filter, Search, Start};
use crate::store::{SearchStore, StoreError};
use crate::token::{Token, TokenId};

impl MemoryStore {
    /// Returns the matching tokens, in order of ID.
    fn matching(&self, filter: &Filter) -> Result<Vec<Token>, StoreError> {
        let tables = self.tables()?;
        let tokens = tables.tokens.values();
        let matching = tokens.filter(|token| filter.matches(token));
        Ok(matching.cloned().collect())
    }
}

#[async_trait]
impl SearchStore for MemoryStore {
    async fn search(&self, search: &Search) -> Result<Vec<Token>, StoreError> {
        let tokens = self.matching(&search.filter)?.into_iter();
        let mut found: Vec<_> = tokens
            .map(|token| (search.sort.position_of(&token), token))
            .collect();
        found.sort_by(|(one, _), (two, _)| search.sort.compare(one, two));
        let before = match &search.start {
            Start::Offset(offset) => *offset as usize,
            Start::After(place) => {
                found.partition_point(|(other, _)| search.sort.compare(other, place).is_le())
            }
            Start::Before(place) => {
                found.truncate(
                    found.partition_point(|(other, _)| search.sort.compare(other, place).is_lt()),
                );
                found.len().saturating_sub(search.limit as usize)
            }
        };
        let found = found.into_iter().skip(before).take(search.limit as usize);
        Ok(found.map(|(_, token)| token).collect())
    }

    async fn count(&self, filter: &Filter) -> Result<u64, StoreError> {
        Ok(self.matching(filter)?.len() as u64)
    }

    async fn count_each(&self, filters: &[Filter]) -> Result<Vec<u64>, StoreError> {
        let tables = self.tables()?;
        let count = |filter: &Filter| {
            let tokens = tables.tokens.values();
            tokens.filter(|token| filter.matches(token)).count() as u64
        };
        Ok(filters.iter().map(count).collect())
    }

    async fn ids(&self, filter: &Filter) -> Result<Vec<TokenId>, StoreError> {
        let tokens = self.matching(filter)?;
        Ok(tokens.into_iter().map(|token| token.id).collect())
    }

    async fn find_all(&self, ids: &[TokenId]) -> Result<Vec<Token>, StoreError> {
        let ids: BTreeSet<_> = ids.iter().collect();
        let tables = self.tables()?;
        let found = ids.into_iter().filter_map(|id| tables.tokens.get(id));
        Ok(found.cloned().collect())
    }
}
