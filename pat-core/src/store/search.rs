use std::fmt::Debug;

use async_trait::async_trait;

use crate::search::{Filter, Search};
use crate::store::StoreError;
use crate::token::{Token, TokenId};

/// The search capability of a store ([`TokenStore::search_store`](crate::store::TokenStore::search_store)):
/// administrators search the tokens of all owners with it.
///
/// [`Filter::matches`] defines which tokens match a search, and
/// [`Sort::compare`](crate::search::Sort::compare) defines their order. A search may take long, so it must
/// not occupy connections that authentication needs. An implementation is conformant if it passes the
/// suite in `pat_core::testing::search`.
///
/// # Errors
/// The errors of [`TokenStore`](crate::store::TokenStore#errors).
///
/// ```
/// use pat_core::search::{Filter, Search, Sort, SortKey, Start};
/// use pat_core::store::TokenStore;
/// use pat_core::{MemoryStore, Owner};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = MemoryStore::default();
/// let searched = store.search_store().expect("the store has the capability");
/// let mut filter = Filter::default();
/// filter.owners = vec![Owner::new("alice")?];
/// let sort = Sort { key: SortKey::CreatedAt, is_descending: true };
/// let page = searched.search(&Search::new(filter, sort, Start::Offset(0), 50)).await?;
/// assert!(page.is_empty());
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait SearchStore: Debug + Send + Sync {
    /// Returns one page of a search: at most [`Search::limit`] tokens that match [`Search::filter`], from
    /// [`Search::start`] on, in the order of [`Search::sort`].
    ///
    /// # Errors
    /// [`StoreError`] if the database [fails or does not answer](crate::store::TokenStore#errors).
    async fn search(&self, search: &Search) -> Result<Vec<Token>, StoreError>;

    /// Returns the number of tokens that match `filter`.
    ///
    /// # Errors
    /// [`StoreError`] if the database [fails or does not answer](crate::store::TokenStore#errors).
    async fn count(&self, filter: &Filter) -> Result<u64, StoreError>;

    /// Returns the number of tokens that match `filter`, or `most` if there are more.
    ///
    /// A store stops when it has found that many. The default implementation calls [`SearchStore::count`].
    ///
    /// # Errors
    /// [`StoreError`] if the database [fails or does not answer](crate::store::TokenStore#errors).
    async fn count_up_to(&self, filter: &Filter, most: u64) -> Result<u64, StoreError> {
        Ok(self.count(filter).await?.min(most))
    }

    /// Returns the number of tokens that match each of `filters`, in the order of the filters.
    ///
    /// A store counts in one pass over its tokens, so that many numbers cost little more than one, and all
    /// numbers are of the same time. The default implementation calls [`SearchStore::count`] for each filter.
    ///
    /// # Errors
    /// [`StoreError`] if the database [fails or does not answer](crate::store::TokenStore#errors).
    async fn count_each(&self, filters: &[Filter]) -> Result<Vec<u64>, StoreError> {
        let mut counts = Vec::with_capacity(filters.len());
        for filter in filters {
            counts.push(self.count(filter).await?);
        }
        Ok(counts)
    }

    /// Returns the IDs of all tokens that match `filter`, however many there are, in ascending order.
    ///
    /// # Errors
    /// [`StoreError`] if the database [fails or does not answer](crate::store::TokenStore#errors).
    async fn ids(&self, filter: &Filter) -> Result<Vec<TokenId>, StoreError>;

    /// Returns the tokens with these IDs, revoked and expired ones included, in ascending order of ID.
    /// Skips unknown IDs, and returns a token once, however often its ID is given.
    ///
    /// # Errors
    /// [`StoreError`] if the database [fails or does not answer](crate::store::TokenStore#errors).
    async fn find_all(&self, ids: &[TokenId]) -> Result<Vec<Token>, StoreError>;
}
