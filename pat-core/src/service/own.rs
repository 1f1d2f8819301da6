//! Pages of a user's own tokens.

use std::collections::HashMap;

use super::Pats;
use crate::caller::Caller;
use crate::error::AccessError;
use crate::search::{Filter, Order, RevokedTokens, Search, Sort, Start};
use crate::text::fold_case;
use crate::token::{Token, TokenId};

/// The most revoked tokens of one owner that a search reads, latest first.
const MAX_REVOKED: u32 = 10_000;

/// A request for one page of the caller's own tokens; see [`Pats::search_own`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OwnSearch {
    /// Finds tokens with this text in their name or description, ignoring letter case. Empty text finds every
    /// token.
    pub contains: String,
    /// Whether revoked tokens are found, as long as they are stored: the setting
    /// `atlassian.pats.pruning.delay.days` says how many days after its revocation a token is deleted.
    pub revoked: RevokedTokens,
    /// Order of the tokens, within the page and from page to page.
    pub order: Order,
    /// The page begins after this many tokens.
    pub offset: u32,
    /// Greatest number of tokens on the page.
    pub limit: u32,
}

impl OwnSearch {
    /// Creates a search for the page of at most `limit` unrevoked tokens that begins after `offset` tokens, latest
    /// first.
    #[must_use]
    pub const fn new(offset: u32, limit: u32) -> Self {
        Self {
            contains: String::new(),
            revoked: RevokedTokens::Excluded,
            order: Order::LATEST_FIRST,
            offset,
            limit,
        }
    }
}

/// One page of the result of [`Pats::search_own`].
#[derive(Debug)]
#[non_exhaustive]
pub struct OwnPage {
    /// The tokens of the page, in the order of the search. A token of a [line](crate::Line) comes right after the
    /// one that replaced it, if both are found.
    pub tokens: Vec<Token>,
    /// How many tokens the search finds, on all pages together.
    pub found: u32,
    /// How many of them come before the page: [`OwnSearch::offset`], or less if there are not so many.
    pub offset: u32,
    /// The caller's unrevoked tokens, as [`Pats::list`] returns them, read for this page: the tokens of the page
    /// are related to these.
    pub unrevoked: Vec<Token>,
}

impl Pats {
    /// Searches the caller's own tokens, and returns one page of the result. Without revoked tokens, the tokens are
    /// those of [`Pats::list`].
    ///
    /// The store reads the tokens of this owner for each page, by its index of owners, and the service sorts them:
    /// a name and a description are searched, and a line kept together, in the same way on every store. The
    /// settings `atlassian.pats.max.tokens.per.user` and `pat.max.rows.per.user` limit how many these are.
    ///
    /// If the store has no search capability
    /// ([`TokenStore::search_store`](crate::store::TokenStore::search_store)), no revoked tokens are found. Of very
    /// many revoked tokens, those that were created last are found (10,000).
    ///
    /// # Errors
    /// [`AccessError::Unavailable`]: the store fails or does not answer in time.
    pub async fn search_own(
        &self,
        caller: &Caller,
        search: &OwnSearch,
    ) -> Result<OwnPage, AccessError> {
        let unrevoked = self.list(caller).await?;
        let mut tokens = match search.revoked {
            RevokedTokens::Only => Vec::new(),
            RevokedTokens::Excluded | RevokedTokens::Included => unrevoked.clone(),
        };
        if search.revoked != RevokedTokens::Excluded {
            tokens.extend(self.revoked_of(caller).await?);
        }
        let wanted = fold_case(&search.contains);
        let has = |text: &str| fold_case(text).contains(&wanted);
        if !wanted.is_empty() {
            tokens
                .retain(|token| has(&token.name) || token.description.as_deref().is_some_and(has));
        }
        search.order.sort(&mut tokens, |token| self.status(token));
        let tokens = with_lines_together(tokens);
        let found = u32::try_from(tokens.len()).unwrap_or(u32::MAX);
        let offset = search.offset.min(found);
        let page = tokens.into_iter().skip(offset as usize);
        Ok(OwnPage {
            tokens: page.take(search.limit as usize).collect(),
            found,
            offset,
            unrevoked,
        })
    }

    async fn revoked_of(&self, caller: &Caller) -> Result<Vec<Token>, AccessError> {
        let context = &self.0.context;
        let Some(store) = context.usable_store()?.search_store() else {
            return Ok(Vec::new());
        };
        let filter = Filter {
            owners: vec![caller.owner().clone()],
            revoked: RevokedTokens::Only,
            ..Filter::default()
        };
        let limit = self.settings().max_rows_per_user().min(MAX_REVOKED);
        let search = Search::new(filter, Sort::LATEST_FIRST, Start::Offset(0), limit);
        let revoked = store.search(&search);
        let mut revoked = context.ask(context.request_timeout(), revoked).await?;
        self.0.auth.last_used.refresh(&mut revoked);
        Ok(revoked)
    }
}

/// Moves each token of a line behind the last one of the line, which was replaced by none of these, latest first.
fn with_lines_together(tokens: Vec<Token>) -> Vec<Token> {
    let mut lines: HashMap<TokenId, Vec<Token>> = HashMap::new();
    let mut last: HashMap<TokenId, u32> = HashMap::new();
    for line in tokens.iter().filter_map(|token| token.line) {
        let last = last.entry(line.id).or_default();
        *last = line.seq.max(*last);
    }
    let is_last = |token: &Token| token.line.is_none_or(|line| last[&line.id] == line.seq);
    let (tokens, replaced): (Vec<_>, Vec<_>) = tokens.into_iter().partition(is_last);
    for token in replaced {
        if let Some(line) = token.line {
            lines.entry(line.id).or_default().push(token);
        }
    }
    let mut together = Vec::new();
    for token in tokens {
        let line = token.line;
        together.push(token);
        let Some(mut others) = line.and_then(|line| lines.remove(&line.id)) else {
            continue;
        };
        others.sort_by_key(|token| std::cmp::Reverse(token.line.map(|line| line.seq)));
        together.extend(others);
    }
    together
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::memory::MemoryStore;
    use crate::policy::{RotationRequest, TokenRequest};
    use crate::search::SortKey;
    use crate::testing::TestClock;
    use crate::token::Owner;

    struct World {
        pats: Pats,
        clock: Arc<TestClock>,
        alice: Caller,
    }

    impl World {
        fn new() -> Self {
            let clock = Arc::new(TestClock::default());
            let store = Arc::new(MemoryStore::default());
            let owner = Owner::new("alice").expect("a key");
            Self {
                pats: Pats::builder(store).clock(clock.clone()).build(),
                clock,
                alice: Caller::cookie_authenticated(owner),
            }
        }

        async fn create(&self, name: &str, description: &str, days: i64) -> TokenId {
            self.clock.advance(std::time::Duration::from_secs(1));
            let request = TokenRequest::new(name, Some(days)).with_description(description);
            let created = self.pats.create(&self.alice, request).await;
            created.expect("a token").token.id
        }

        async fn search(&self, search: &OwnSearch) -> (Vec<String>, u32) {
            let page = self.pats.search_own(&self.alice, search).await;
            let page = page.expect("a page");
            let names = page.tokens.into_iter().map(|token| token.name);
            (names.collect(), page.found)
        }
    }

    fn all() -> OwnSearch {
        OwnSearch::new(0, 100)
    }

    #[tokio::test]
    async fn a_part_of_a_name_or_description_is_found_in_any_case() {
        let world = World::new();
        world.create("Ärger", "", 30).await;
        world.create("ci", "the ÄRGER pipeline", 30).await;
        world.create("backup", "100 %", 30).await;
        for (contains, expected) in [
            ("ärg", &["ci", "Ärger"][..]),
            ("%", &["backup"]),
            ("CI", &["ci"]),
            ("_", &[]),
            ("", &["backup", "ci", "Ärger"]),
        ] {
            let search = OwnSearch {
                contains: contains.into(),
                ..all()
            };
            let (found, count) = world.search(&search).await;
            assert_eq!(found, expected, "{contains}");
            assert_eq!(count as usize, expected.len(), "{contains}");
        }
    }

    #[tokio::test]
    async fn pages_have_each_token_once_and_say_how_many_there_are() {
        let world = World::new();
        for number in 0..7 {
            world.create(&format!("n{number}"), "", 30).await;
        }
        let by_name = Order::By(Sort {
            key: SortKey::Name,
            is_descending: false,
        });
        for (offset, expected) in [
            (0, &["n0", "n1", "n2"][..]),
            (3, &["n3", "n4", "n5"]),
            (6, &["n6"]),
            (9, &[]),
        ] {
            let search = OwnSearch {
                order: by_name,
                ..OwnSearch::new(offset, 3)
            };
            let page = world.pats.search_own(&world.alice, &search).await;
            let page = page.expect("a page");
            let names: Vec<_> = page.tokens.iter().map(|token| &token.name).collect();
            assert_eq!(names, expected);
            assert_eq!((page.found, page.offset), (7, offset.min(7)));
            assert_eq!(page.unrevoked.len(), 7);
        }
    }

    #[tokio::test]
    async fn tokens_are_sorted_by_status_and_revoked_ones_are_found_on_request() {
        let world = World::new();
        world.create("expired", "", 1).await;
        let revoked = world.create("revoked", "", 90).await;
        let paused = world.create("paused", "", 90).await;
        world.create("soon", "", 7).await;
        world.create("active", "", 90).await;
        world
            .clock
            .advance(std::time::Duration::from_secs(3 * 24 * 60 * 60));
        world.create("newer", "", 90).await;
        let (pats, alice) = (&world.pats, &world.alice);
        pats.revoke(alice, revoked).await.expect("a revocation");
        pats.disable(alice, paused).await.expect("a change");
        let by_status = |is_descending, revoked| OwnSearch {
            order: Order::ByStatus { is_descending },
            revoked,
            ..all()
        };
        for (is_descending, revoked, expected) in [
            (
                false,
                RevokedTokens::Excluded,
                &["newer", "active", "soon", "paused", "expired"][..],
            ),
            (
                true,
                RevokedTokens::Included,
                &["revoked", "expired", "paused", "soon", "newer", "active"],
            ),
            (false, RevokedTokens::Only, &["revoked"]),
        ] {
            let (found, _) = world.search(&by_status(is_descending, revoked)).await;
            assert_eq!(found, expected, "{is_descending} {revoked:?}");
        }
        let bob = Caller::cookie_authenticated(Owner::new("bob").expect("a key"));
        let search = by_status(false, RevokedTokens::Included);
        let page = pats.search_own(&bob, &search).await.expect("a page");
        assert_eq!(page.found, 0, "the tokens of another user");
    }

    #[tokio::test]
    async fn replaced_tokens_stay_beside_their_successor_in_every_order() {
        let world = World::new();
        let first = world.create("b", "", 90).await;
        world.create("a", "", 90).await;
        let later = world.create("c", "", 90).await;
        let request = RotationRequest::default();
        let request = request.with_overlap(std::time::Duration::from_secs(60 * 60));
        let replaced = world.pats.rotate(&world.alice, first, request).await;
        let successor = replaced.expect("a successor").token.id;
        for (key, is_descending) in [
            (SortKey::CreatedAt, true),
            (SortKey::CreatedAt, false),
            (SortKey::ExpiresAt, false),
            (SortKey::ExpiresAt, true),
            (SortKey::Name, true),
        ] {
            let search = OwnSearch {
                order: Order::By(Sort { key, is_descending }),
                ..all()
            };
            let page = world.pats.search_own(&world.alice, &search).await;
            let ids: Vec<_> = page
                .expect("a page")
                .tokens
                .iter()
                .map(|it| it.id)
                .collect();
            assert_eq!(ids.len(), 4);
            assert!(ids.contains(&later));
            let place = |id| ids.iter().position(|other| *other == id).expect("a token");
            assert_eq!(
                place(first),
                place(successor) + 1,
                "{key:?} {is_descending}"
            );
        }
    }
}
