//! In which order, and page by page.

use super::super::case::{Store, new, owner, revoke, store_token};
use super::{KEYS, ids, populate, searched, walk};
use crate::Token;
use crate::search::{Filter, Search, Sort, SortKey, Start};
use crate::store::RevocationScope;

pub(super) async fn orders(store: Store) {
    let tokens = populate(&store).await;
    let filter = Filter::default();
    for key in KEYS {
        for is_descending in [false, true] {
            let sort = Sort { key, is_descending };
            let mut expected = tokens.clone();
            expected
                .sort_by(|one, two| sort.compare(&sort.position_of(one), &sort.position_of(two)));
            for limit in [1, 7, 60] {
                let found = walk(&store, &filter, sort, limit).await;
                assert_eq!(found, expected, "{sort:?} in pages of {limit}");
            }
            for offset in (0..70).step_by(3) {
                let search = Search {
                    filter: filter.clone(),
                    sort,
                    start: Start::Offset(offset),
                    limit: 5,
                };
                let page = searched(&store).search(&search).await.expect("search");
                let rest = expected.iter().skip(offset as usize).take(5);
                assert!(page.iter().eq(rest), "{sort:?} from {offset}: {page:?}");
            }
        }
    }
}

/// Returns all results of a search, page by page from the end.
async fn walk_back(store: &Store, filter: &Filter, sort: Sort, limit: u32) -> Vec<Token> {
    let all = walk(store, filter, sort, 1_000).await;
    let Some(last) = all.last().cloned() else {
        return all;
    };
    let mut found = vec![last];
    loop {
        let start = Start::Before(sort.position_of(&found[0]));
        let search = Search {
            filter: filter.clone(),
            sort,
            start,
            limit,
        };
        let mut page = searched(store).search(&search).await.expect("search");
        assert!(page.len() <= limit as usize, "a page is too long");
        if page.is_empty() {
            return found;
        }
        page.append(&mut found);
        found = page;
        assert!(found.len() <= 1_000, "the walk does not end");
    }
}

pub(super) async fn backward(store: Store) {
    let tokens = populate(&store).await;
    let of_alice = Filter {
        owners: vec![owner("alice")],
        ..Filter::default()
    };
    let used = Filter {
        is_used: Some(true),
        ..Filter::default()
    };
    for filter in [Filter::default(), of_alice, used] {
        for (key, is_descending) in KEYS.into_iter().flat_map(|key| [(key, false), (key, true)]) {
            let sort = Sort { key, is_descending };
            let mut expected: Vec<_> = tokens.iter().filter(|it| filter.matches(it)).collect();
            expected
                .sort_by(|one, two| sort.compare(&sort.position_of(one), &sort.position_of(two)));
            for limit in [1, 7, 60] {
                let found = walk_back(&store, &filter, sort, limit).await;
                assert!(
                    found.iter().eq(expected.iter().copied()),
                    "{sort:?} in pages of {limit}: {found:?}"
                );
            }
        }
    }
    // The position need not be that of a token that exists.
    let sort = Sort::LATEST_FIRST;
    let middle = sort.position_of(&tokens[30]);
    let before = |search: &Search| -> Vec<_> {
        let mut all: Vec<_> = tokens.iter().filter(|it| it.id != tokens[30].id).collect();
        all.retain(|token| sort.compare(&sort.position_of(token), &middle).is_lt());
        all.sort_by(|one, two| sort.compare(&sort.position_of(one), &sort.position_of(two)));
        let skipped = all.len().saturating_sub(search.limit as usize);
        all.split_off(skipped).into_iter().map(|it| it.id).collect()
    };
    revoke(&store, RevocationScope::Tokens(vec![tokens[30].id]), 100).await;
    let search = Search::new(Filter::default(), sort, Start::Before(middle.clone()), 5);
    let found = searched(&store).search(&search).await.expect("search");
    assert_eq!(ids(&found), before(&search));
}

pub(super) async fn changing(store: Store) {
    let tokens = populate(&store).await;
    let filter = Filter::default();
    let keys = KEYS.into_iter().filter(|key| *key != SortKey::LastUsedAt);
    let mut gone = Vec::new();
    let mut number = 1_000;
    for (key, is_descending) in keys.zip([false, true].into_iter().cycle()) {
        let sort = Sort { key, is_descending };
        let mut seen = Vec::new();
        let mut start = Start::Offset(0);
        loop {
            let search = Search {
                filter: filter.clone(),
                sort,
                start,
                limit: 8,
            };
            let page = searched(&store).search(&search).await.expect("search");
            let Some(last) = page.last() else { break };
            start = Start::After(sort.position_of(last));
            seen.extend(ids(&page));
            // Removes the token after which the next page begins, and adds others everywhere.
            gone.push(last.id);
            revoke(&store, RevocationScope::Tokens(vec![last.id]), 100).await;
            // Only for a while; else the search would not end.
            let few = seen.len() < 40;
            for owner in ["Alice", "alice", "carol"].into_iter().filter(|_| few) {
                number += 1;
                store_token(&store, &new(number, owner)).await;
            }
            assert!(seen.len() < 2_000, "{sort:?}: the walk does not end");
        }
        let stayed = tokens.iter().map(|token| token.id);
        for id in stayed.filter(|id| !gone.contains(id)) {
            let times = seen.iter().filter(|other| **other == id).count();
            assert_eq!(times, 1, "{sort:?}: token {id} was seen {times} times");
        }
        let mut unique = seen.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), seen.len(), "{sort:?}: a token came twice");
    }
}
