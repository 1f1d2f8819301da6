use std::fmt::Debug;

use async_trait::async_trait;

use crate::search::{Filter, Search};
use crate::store::StoreError;
use crate::token::{Token, TokenId};

/// What the administration needs of a store, beyond [`TokenStore`](crate::TokenStore): to look
/// through the tokens of all owners.
///
/// What is in which order is said by [`Filter::matches`] and
/// [`Sort::compare`](crate::search::Sort::compare); `pat_core::testing::search` has the suite. A
/// search may take long, so it must not use what authentication needs.
#[async_trait]
pub trait SearchStore: Debug + Send + Sync {
    /// At most `search.limit` tokens that match, in the order asked for.
    async fn search(&self, search: &Search) -> Result<Vec<Token>, StoreError>;

    /// How many tokens match.
    async fn count(&self, filter: &Filter) -> Result<u64, StoreError>;

    /// Which tokens match, in id order.
    async fn ids(&self, filter: &Filter) -> Result<Vec<TokenId>, StoreError>;

    /// Returns the tokens with these IDs, revoked ones included, in the order of their IDs. Skips
    /// unknown IDs, and returns a token once, however often its ID is given.
    async fn find_all(&self, ids: &[TokenId]) -> Result<Vec<Token>, StoreError>;
}
