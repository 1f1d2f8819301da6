//! The administrators' search in the order of status.

use jiff::Timestamp;

use super::Administration;
use super::admin::SEARCH_TIMEOUT;
use crate::error::AdminError;
use crate::search::{Filter, Order, Position, RevokedTokens, Search, Sort, SortValue, Start};
use crate::token::{Token, TokenId, TokenStatus};

/// The position of a token in the order by status ([`Order::ByStatus`]).
///
/// This struct is exhaustive: its two fields decide the order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusPosition {
    /// Status of the token when its page was read.
    pub status: TokenStatus,
    /// Position of the token among those with this status, in the order [`Sort::LATEST_FIRST`].
    pub position: Position,
}

/// Where a page in the order by status begins or ends.
///
/// This enum is exhaustive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatusStart {
    /// The page is the first one.
    First,
    /// The page begins after this position.
    After(StatusPosition),
    /// The page ends before this position.
    Before(StatusPosition),
}

/// One page of the result of [`Administration::search_by_status`].
#[derive(Debug)]
#[non_exhaustive]
pub struct StatusPage {
    /// The tokens of the page, in order, as of [`SearchPage::tokens`](super::SearchPage::tokens).
    pub tokens: Vec<Token>,
    /// Position after which the next page begins; `None` if this is the last page.
    pub next: Option<StatusPosition>,
    /// Position before which the previous page ends; `None` if this is the first page.
    pub previous: Option<StatusPosition>,
}

/// A position that comes after all tokens with a status.
fn end() -> Position {
    Position {
        value: SortValue::Time(Timestamp::MIN),
        created_at: Timestamp::MIN,
        id: TokenId::new(1).expect("1 is an ID"),
    }
}

impl Administration<'_> {
    /// Searches the tokens of all users like [`Administration::search`], in the order by status
    /// ([`Order::ByStatus`]). Returns one page of the result: at most `limit` tokens.
    ///
    /// A status depends on the time, so the tokens with each status are searched by themselves, for as many
    /// statuses as the page needs. A token whose status changes while pages are read may be on several of them or
    /// on none.
    ///
    /// # Errors
    /// Same as [`Administration::search`].
    pub async fn search_by_status(
        &self,
        filter: &Filter,
        is_descending: bool,
        start: &StatusStart,
        limit: u32,
    ) -> Result<StatusPage, AdminError> {
        let mut statuses = Order::STATUSES.to_vec();
        let (first, is_backward) = match start {
            StatusStart::First => (None, false),
            StatusStart::After(first) => (Some(first), false),
            StatusStart::Before(first) => (Some(first), true),
        };
        if is_descending != is_backward {
            statuses.reverse();
        }
        if let Some(first) = first {
            let place = statuses.iter().position(|status| *status == first.status);
            statuses.drain(..place.unwrap_or_default());
        }
        let limit = limit as usize;
        let store = self.store()?;
        let read = async {
            // In the order in which they are read.
            let mut found: Vec<(TokenStatus, Token)> = Vec::new();
            for status in statuses {
                let Some(filter) = self.with_status(filter, status) else {
                    continue;
                };
                let after = first.filter(|first| first.status == status);
                let start = match (after, is_backward) {
                    (Some(first), false) => Start::After(first.position.clone()),
                    (Some(first), true) => Start::Before(first.position.clone()),
                    (None, false) => Start::Offset(0),
                    (None, true) => Start::Before(end()),
                };
                // One more shows whether there is a further page.
                let missing = u32::try_from(limit + 1 - found.len()).unwrap_or(u32::MAX);
                let search = Search::new(filter, Sort::LATEST_FIRST, start, missing);
                let mut tokens = store.search(&search).await?;
                if is_backward {
                    tokens.reverse();
                }
                found.extend(tokens.into_iter().map(|token| (status, token)));
                if found.len() > limit {
                    break;
                }
            }
            Ok(found)
        };
        let mut found = self.context().ask(SEARCH_TIMEOUT, read).await?;
        let has_more = found.len() > limit;
        found.truncate(limit);
        if is_backward {
            found.reverse();
        }
        let position = |(status, token): &(TokenStatus, Token)| StatusPosition {
            status: *status,
            position: Sort::LATEST_FIRST.position_of(token),
        };
        let (has_previous, has_next) = if is_backward {
            (has_more, true)
        } else {
            (first.is_some(), has_more)
        };
        let next = found.last().filter(|_| has_next).map(position);
        let previous = found.first().filter(|_| has_previous).map(position);
        let mut tokens: Vec<_> = found.into_iter().map(|(_, token)| token).collect();
        self.refresh(&mut tokens);
        Ok(StatusPage {
            tokens,
            next,
            previous,
        })
    }

    /// Returns the filter with the criterion of a status; `None` if no token with the status matches it.
    fn with_status(&self, filter: &Filter, status: TokenStatus) -> Option<Filter> {
        let is_revoked = status == TokenStatus::Revoked;
        let excluded = match filter.revoked {
            RevokedTokens::Excluded => is_revoked,
            RevokedTokens::Only => !is_revoked,
            RevokedTokens::Included => false,
        };
        if excluded {
            return None;
        }
        let mut of_status = filter.clone();
        of_status.is_disabled = None;
        of_status.warned = None;
        let mut of_status = self.pats.with_status(of_status, status);
        match (filter.is_disabled, of_status.is_disabled) {
            (Some(one), Some(other)) if one != other => return None,
            (wanted, of_this) => of_status.is_disabled = wanted.or(of_this),
        }
        match (filter.warned, of_status.warned) {
            (Some(one), Some(other)) if one.is_warned != other.is_warned => return None,
            (wanted, of_this) => of_status.warned = wanted.or(of_this),
        }
        Some(of_status)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::caller::Caller;
    use crate::memory::MemoryStore;
    use crate::policy::TokenRequest;
    use crate::service::Pats;
    use crate::testing::{TestClock, TestDirectory};

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    /// Returns a service with tokens in every status, and the administrator.
    async fn populated() -> (Pats, Caller) {
        let (clock, users) = (Arc::new(TestClock::default()), TestDirectory::default());
        let pats = Pats::builder(Arc::new(MemoryStore::default()))
            .users(Arc::new(users.clone()))
            .clock(clock.clone())
            .build();
        let alice = Caller::cookie_authenticated(users.add("alice"));
        let root = Caller::cookie_authenticated(users.add_administrator("root"));
        let mut ids = Vec::new();
        for number in 0..10 {
            clock.advance(Duration::from_secs(1));
            let days = [90, 1, 7][number % 3];
            let request = TokenRequest::new(format!("n{number}"), Some(days));
            ids.push(
                pats.create(&alice, request)
                    .await
                    .expect("a token")
                    .token
                    .id,
            );
        }
        clock.advance(3 * DAY);
        for id in &ids[0..2] {
            pats.revoke(&alice, *id).await.expect("a revocation");
        }
        for id in &ids[2..5] {
            pats.disable(&alice, *id).await.expect("a change");
        }
        (pats, root)
    }

    /// Reads all pages forward, and then back again.
    async fn walk(
        admin: &Administration<'_>,
        filter: &Filter,
        is_descending: bool,
        limit: u32,
    ) -> Vec<Token> {
        let page = async |start: &StatusStart| {
            let page = admin.search_by_status(filter, is_descending, start, limit);
            page.await.expect("a page")
        };
        let mut pages = vec![page(&StatusStart::First).await];
        assert_eq!(pages[0].previous, None);
        while let Some(next) = pages[pages.len() - 1].next.clone() {
            assert!(pages.len() < 100, "the walk does not end");
            pages.push(page(&StatusStart::After(next)).await);
        }
        for number in (1..pages.len()).rev() {
            let before = pages[number].previous.clone().expect("a previous page");
            let before = page(&StatusStart::Before(before)).await;
            assert_eq!(before.tokens, pages[number - 1].tokens, "page {number}");
            assert_eq!(before.next, pages[number - 1].next);
            assert_eq!(before.previous.is_some(), number > 1);
        }
        pages.into_iter().flat_map(|page| page.tokens).collect()
    }

    #[tokio::test]
    async fn tokens_of_each_status_come_together_on_every_page() {
        let (pats, root) = populated().await;
        let admin = pats.administration(&root).await.expect("an administrator");
        for revoked in [
            RevokedTokens::Excluded,
            RevokedTokens::Included,
            RevokedTokens::Only,
        ] {
            for is_descending in [false, true] {
                let filter = Filter {
                    revoked,
                    ..Filter::default()
                };
                let search = Search::new(filter.clone(), Sort::LATEST_FIRST, Start::Offset(0), 99);
                let mut expected = admin.search(&search).await.expect("a page").tokens;
                let order = Order::ByStatus { is_descending };
                order.sort(&mut expected, |token| pats.status(token));
                for limit in [1, 2, 3, 50] {
                    let found = walk(&admin, &filter, is_descending, limit).await;
                    assert_eq!(found, expected, "{revoked:?} {is_descending} {limit}");
                }
            }
        }
    }

    #[tokio::test]
    async fn a_filter_by_status_stays_one() {
        let (pats, root) = populated().await;
        let admin = pats.administration(&root).await.expect("an administrator");
        for status in Order::STATUSES {
            let filter = pats.with_status(Filter::default(), status);
            let expected = admin.count(&filter).await.expect("a count");
            assert!(expected > 0, "{status:?}");
            let found = walk(&admin, &filter, false, 2).await;
            assert_eq!(found.len() as u64, expected, "{status:?}");
            assert!(found.iter().all(|token| pats.status(token) == status));
        }
        let disabled = Filter {
            is_disabled: Some(true),
            ..Filter::default()
        };
        let found = walk(&admin, &disabled, true, 2).await;
        assert_eq!(found.len(), 3);
        assert!(found.iter().all(|token| token.disabled.is_some()));
    }
}
