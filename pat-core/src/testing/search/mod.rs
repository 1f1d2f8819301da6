//! The suite that every [`SearchStore`] must pass, besides the [suite](super::store) for
//! [`TokenStore`](crate::store::TokenStore).

mod filters;
mod pages;

use super::case::{Case, Store, at, case, new, scopes, store_token};
use crate::search::{Filter, Search, Sort, SortKey, Start};
use crate::store::{LastUse, NewToken, SearchStore, Update, Updated};
use crate::{Token, TokenId};

/// All cases of the suite. Each case needs its own empty store, which has the capability
/// [`TokenStore::search_store`](crate::store::TokenStore::search_store).
pub const CASES: &[Case] = &[
    case("a_search_finds_what_matches_and_nothing_else", |s| {
        Box::pin(filters::filters(s))
    }),
    case("a_search_is_in_order_on_every_page", |s| {
        Box::pin(pages::orders(s))
    }),
    case("pages_read_backward_are_those_read_forward", |s| {
        Box::pin(pages::backward(s))
    }),
    case("a_part_of_a_name_is_found_in_any_case_and_as_it_is", |s| {
        Box::pin(filters::names(s))
    }),
    case("tokens_are_found_by_whole_names_of_their_scopes", |s| {
        Box::pin(filters::by_scopes(s))
    }),
    case("tokens_are_found_by_their_ids", |s| {
        Box::pin(filters::by_ids(s))
    }),
    case("a_walk_sees_once_what_is_there_throughout", |s| {
        Box::pin(pages::changing(s))
    }),
    case("revoked_tokens_are_found_by_those_who_ask", |s| {
        Box::pin(filters::revoked(s))
    }),
];

const KEYS: [SortKey; 5] = [
    SortKey::CreatedAt,
    SortKey::ExpiresAt,
    SortKey::LastUsedAt,
    SortKey::Name,
    SortKey::Owner,
];

fn searched(store: &Store) -> &dyn SearchStore {
    store.search_store().expect("a store that can be searched")
}

/// Stores tokens of many kinds, some of them equal in all but the ID.
async fn populate(store: &Store) -> Vec<Token> {
    let mut tokens = Vec::new();
    for number in 1..=60_i64 {
        // From short lists of different lengths, so that all combinations occur.
        let turn = usize::try_from(number).expect("a number");
        let names = ["ci", "CI", "deploy", "Ärger", "zebra \u{1f993}"];
        let expiries = [None, Some(at(1_000)), Some(at(2_000))];
        let lists = [
            None,
            None,
            Some(""),
            Some("read"),
            Some("read write"),
            Some("write x"),
        ];
        let token = NewToken {
            name: names[turn % names.len()].into(),
            created_at: at([0, 0, 10, 20][turn % 4]),
            expires_at: expiries[turn % expiries.len()],
            scopes: lists[turn / 2 % lists.len()].map(scopes),
            is_transient: turn % 7 == 0,
            ..new(number, ["alice", "Alice", "bob"][turn / 3 % 3])
        };
        let mut token = store_token(store, &token).await;
        token.last_used_at = [None, Some(at(30)), Some(at(40 + number))][turn / 2 % 3];
        tokens.push(token);
    }
    let used = tokens.iter().filter_map(|token| {
        let (id, at) = (token.id, token.last_used_at?);
        Some(LastUse { id, at })
    });
    let used: Vec<_> = used.collect();
    store.record_use(&used).await.expect("record_use");
    for token in tokens.iter_mut().step_by(7) {
        let update = Update {
            is_enabled: Some(false),
            ..Update::new(token.id, at(50), token.owner.clone())
        };
        let updated = store.update(&update).await.expect("update");
        let Updated::Stored(stored) = updated else {
            panic!("{updated:?}")
        };
        token.disabled = stored.token.disabled;
    }
    tokens
}

fn ids(tokens: &[Token]) -> Vec<TokenId> {
    tokens.iter().map(|token| token.id).collect()
}

/// Returns all results of a search, page by page.
async fn walk(store: &Store, filter: &Filter, sort: Sort, limit: u32) -> Vec<Token> {
    let mut found = Vec::new();
    let mut start = Start::Offset(0);
    loop {
        let search = Search {
            filter: filter.clone(),
            sort,
            start,
            limit,
        };
        let page = searched(store).search(&search).await.expect("search");
        assert!(page.len() <= limit as usize, "a page is too long");
        let Some(last) = page.last() else {
            return found;
        };
        start = Start::After(sort.position_of(last));
        found.extend(page);
        assert!(found.len() <= 1_000, "the walk does not end");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::store::flawed::{Flaw, Flawed, failed_cases};
    use super::*;
    use crate::MemoryStore;

    #[tokio::test]
    async fn memory_store_passes() {
        for case in CASES {
            case.run(Arc::new(MemoryStore::default())).await;
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn flawed_counts_are_found() {
        for flaw in Flaw::COUNTS {
            let failed = failed_cases(CASES, || Arc::new(Flawed::new(flaw))).await;
            let expected = ["a_search_finds_what_matches_and_nothing_else"];
            assert_eq!(failed, expected, "{flaw:?}");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn flawed_pages_before_a_position_are_found() {
        for flaw in Flaw::BACKWARD {
            let failed = failed_cases(CASES, || Arc::new(Flawed::new(flaw))).await;
            let expected = ["pages_read_backward_are_those_read_forward"];
            assert_eq!(failed, expected, "{flaw:?}");
        }
    }
}
