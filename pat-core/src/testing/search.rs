//! The suite that every [`SearchStore`] must pass, besides the [suite](super::store) for
//! [`TokenStore`](crate::store::TokenStore).

use super::case::{Case, Store, at, case, id, new, owner, revoke, scopes, store_token};
use jiff::SignedDuration;

use crate::search::{DateRange, Filter, RevokedTokens, Search, Sort, SortKey, Start, Warned};
use crate::store::{LastUse, NewToken, RevocationScope, SearchStore, Update, Updated};
use crate::{Token, TokenId};

/// All cases of the suite. Each case needs its own empty store, which has the capability
/// [`TokenStore::search_store`](crate::store::TokenStore::search_store).
pub const CASES: &[Case] = &[
    case("a_search_finds_what_matches_and_nothing_else", |s| {
        Box::pin(filters(s))
    }),
    case("a_search_is_in_order_on_every_page", |s| {
        Box::pin(orders(s))
    }),
    case("pages_read_backward_are_those_read_forward", |s| {
        Box::pin(backward(s))
    }),
    case("a_part_of_a_name_is_found_in_any_case_and_as_it_is", |s| {
        Box::pin(names(s))
    }),
    case("tokens_are_found_by_whole_names_of_their_scopes", |s| {
        Box::pin(by_scopes(s))
    }),
    case("tokens_are_found_by_their_ids", |s| Box::pin(by_ids(s))),
    case("a_walk_sees_once_what_is_there_throughout", |s| {
        Box::pin(changing(s))
    }),
    case("revoked_tokens_are_found_by_those_who_ask", |s| {
        Box::pin(revoked(s))
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

/// Returns filters that find some of the [populated](populate) tokens, or none.
fn all_filters() -> Vec<Filter> {
    let range = |from, to| DateRange { from, to };
    let some = |seconds| Some(at(seconds));
    vec![
        Filter::default(),
        Filter {
            owners: vec![owner("alice")],
            ..Filter::default()
        },
        Filter {
            owners: vec![owner("Alice"), owner("bob"), owner("nobody")],
            ..Filter::default()
        },
        Filter {
            created: range(some(10), None),
            ..Filter::default()
        },
        Filter {
            created: range(None, some(10)),
            name: "C".into(),
            ..Filter::default()
        },
        Filter {
            expires: range(some(1_000), some(1_000)),
            ..Filter::default()
        },
        Filter {
            expires: range(some(1_001), None),
            ..Filter::default()
        },
        Filter {
            last_used: range(None, some(30)),
            ..Filter::default()
        },
        Filter {
            last_used: range(some(31), some(60)),
            is_used: Some(true),
            ..Filter::default()
        },
        Filter {
            is_used: Some(true),
            ..Filter::default()
        },
        Filter {
            is_used: Some(false),
            name: "deploy".into(),
            owners: vec![owner("bob")],
            ..Filter::default()
        },
        Filter {
            scopes: scopes("x read"),
            ..Filter::default()
        },
        Filter {
            unrestricted: true,
            owners: vec![owner("bob")],
            ..Filter::default()
        },
        Filter {
            scopes: scopes("read"),
            unrestricted: true,
            is_used: Some(true),
            ..Filter::default()
        },
        // No token matches both.
        Filter {
            last_used: range(some(0), None),
            is_used: Some(false),
            ..Filter::default()
        },
    ]
}

/// Returns filters by what tokens are at a time.
fn filters_by_state() -> Vec<Filter> {
    let warned = |is_warned| {
        Some(Warned {
            is_warned,
            by: at(1_000),
            period: SignedDuration::from_secs(990),
        })
    };
    vec![
        // Life spans of 980 to 1,000 seconds are among those that end by then.
        Filter {
            warned: warned(true),
            ..Filter::default()
        },
        Filter {
            warned: warned(false),
            ..Filter::default()
        },
        Filter {
            unused_since: Some(at(45)),
            ..Filter::default()
        },
        Filter {
            unused_since: Some(at(10)),
            is_transient: Some(false),
            ..Filter::default()
        },
        Filter {
            unused_since: Some(at(9)),
            ..Filter::default()
        },
        Filter {
            is_transient: Some(true),
            ..Filter::default()
        },
        // Of the life spans that occur, 980 and 1,000 seconds are the border.
        Filter {
            longer_than: Some(SignedDuration::from_secs(980)),
            ..Filter::default()
        },
        Filter {
            longer_than: Some(SignedDuration::from_secs(1_000)),
            never_expires: Some(false),
            ..Filter::default()
        },
        Filter {
            never_expires: Some(true),
            ..Filter::default()
        },
        Filter {
            never_expires: Some(false),
            is_disabled: Some(false),
            ..Filter::default()
        },
        Filter {
            is_disabled: Some(true),
            ..Filter::default()
        },
    ]
}

/// Returns filters by when tokens were revoked.
fn filters_by_revocation() -> Vec<Filter> {
    let range = |from: i64, to: i64| DateRange {
        from: Some(at(from)),
        to: Some(at(to)),
    };
    let from = |seconds| DateRange {
        from: Some(at(seconds)),
        to: None,
    };
    let found = |revoked, revoked_at| Filter {
        revoked_at,
        revoked,
        ..Filter::default()
    };
    vec![
        found(RevokedTokens::Only, range(101, 102)),
        found(RevokedTokens::Included, from(102)),
        // Revoked tokens are excluded, and the others were not revoked in the range.
        found(RevokedTokens::Excluded, from(0)),
        found(RevokedTokens::Included, DateRange::default()),
        Filter {
            never_expires: Some(true),
            ..found(RevokedTokens::Only, from(101))
        },
    ]
}

async fn filters(store: Store) {
    let mut tokens = populate(&store).await;
    for (index, seconds) in [(3, 100), (4, 101), (5, 102), (20, 102), (21, 103)] {
        let token = &mut tokens[index];
        let revoked = revoke(&store, RevocationScope::Tokens(vec![token.id]), seconds).await;
        assert_eq!(revoked, [token.id]);
        let stored = store.find(token.id).await.expect("find");
        *token = stored.expect("a token");
    }
    let filters = [all_filters(), filters_by_state(), filters_by_revocation()];
    let mut counts = Vec::new();
    for filter in filters.concat() {
        let expected = tokens.iter().filter(|token| filter.matches(token));
        let expected: Vec<_> = expected.cloned().collect();
        let sort = Sort {
            key: SortKey::CreatedAt,
            is_descending: true,
        };
        let mut found = walk(&store, &filter, sort, 1_000).await;
        found.sort_by_key(|token| token.id);
        assert_eq!(found, expected, "{filter:?}");
        let listed = searched(&store).ids(&filter).await.expect("ids");
        assert_eq!(listed, ids(&expected), "{filter:?}");
        let count = searched(&store).count(&filter).await.expect("count");
        assert_eq!(count, expected.len() as u64, "{filter:?}");
        for most in [0, 1, count, count + 1] {
            let found = searched(&store).count_up_to(&filter, most).await;
            assert_eq!(found.expect("count_up_to"), count.min(most), "{filter:?}");
        }
        counts.push(count);
    }
    let each = searched(&store).count_each(&filters.concat()).await;
    assert_eq!(each.expect("count_each"), counts);
    let none = searched(&store).count_each(&[]).await;
    assert_eq!(none.expect("count_each"), [0; 0]);
}

async fn by_scopes(store: Store) {
    let lists = [
        None,
        Some(""),
        Some("read"),
        Some("admin read write"),
        Some("read-all"),
        Some("re"),
        Some("proread read.x write"),
        Some("a_b"),
        Some("axb"),
        Some("a.b:c-d"),
        Some("read write"),
        Some("admin read"),
        Some("axb z"),
        Some("a axb"),
        Some("a axb z"),
    ];
    let mut tokens = Vec::new();
    for (number, list) in (1..).zip(lists) {
        let token = NewToken {
            scopes: list.map(scopes),
            ..new(number, "alice")
        };
        tokens.push(store_token(&store, &token).await);
    }
    let many: Vec<_> = (0..63).map(|number| format!("s{number}")).collect();
    let many = format!("{} read", many.join(" "));
    for (names, unrestricted, expected) in [
        ("read", false, vec![3, 4, 11, 12]),
        ("read write", false, vec![3, 4, 7, 11, 12]),
        ("read-all", false, vec![5]),
        ("a_b", false, vec![8]),
        ("a.b:c-d", false, vec![10]),
        ("a.b:c-", false, vec![]),
        ("never-declared", false, vec![]),
        ("", true, vec![1]),
        ("re", true, vec![1, 6]),
        (&many, false, vec![3, 4, 11, 12]),
        (&many, true, vec![1, 3, 4, 11, 12]),
    ] {
        let filter = Filter {
            scopes: scopes(names),
            unrestricted,
            ..Filter::default()
        };
        let expected: Vec<_> = expected.into_iter().map(id).collect();
        let listed = searched(&store).ids(&filter).await.expect("ids");
        assert_eq!(listed, expected, "{names:?}, {unrestricted}");
        let count = searched(&store).count(&filter).await.expect("count");
        assert_eq!(count, expected.len() as u64, "{names:?}, {unrestricted}");
        for (key, is_descending) in KEYS.into_iter().flat_map(|key| [(key, false), (key, true)]) {
            let sort = Sort { key, is_descending };
            let mut found = walk(&store, &filter, sort, 2).await;
            found.sort_by_key(|token| token.id);
            let expected = tokens.iter().filter(|token| expected.contains(&token.id));
            assert!(found.iter().eq(expected), "{names:?}, {sort:?}: {found:?}");
        }
    }
}

async fn by_ids(store: Store) {
    let tokens = populate(&store).await;
    let [first, second] = [&tokens[0], &tokens[1]];
    revoke(&store, RevocationScope::Tokens(vec![second.id]), 100).await;
    let wanted = [second.id, id(999_999), first.id, second.id];
    let found = searched(&store).find_all(&wanted).await.expect("find_all");
    assert_eq!(ids(&found), [first.id, second.id]);
    assert_eq!(found[0], *first);
    assert!(found[1].revoked_at.is_some());
    let all = searched(&store).find_all(&ids(&tokens)).await;
    assert_eq!(all.expect("find_all").len(), tokens.len());
    let none = searched(&store).find_all(&[]).await.expect("find_all");
    assert_eq!(none, []);
}

async fn orders(store: Store) {
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

async fn backward(store: Store) {
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

async fn names(store: Store) {
    let names = [
        "100 %",
        "100 x",
        "a_b",
        "aXb",
        "wow!",
        "ÄRGER",
        "back\\slash",
        "it's",
        "\u{1f389}",
    ];
    for (number, name) in (1..).zip(names) {
        let token = NewToken {
            name: name.into(),
            ..new(number, "alice")
        };
        store_token(&store, &token).await;
    }
    for (part, expected) in [
        ("0 %", vec![1]),
        ("A_B", vec![3]),
        ("!", vec![5]),
        ("ärg", vec![6]),
        ("\\", vec![7]),
        ("T'S", vec![8]),
        ("\u{1f389}", vec![9]),
        ("100", vec![1, 2]),
        ("nothing", vec![]),
        ("\0", vec![]),
    ] {
        let filter = Filter {
            name: part.into(),
            ..Filter::default()
        };
        let found = searched(&store).ids(&filter).await.expect("ids");
        let expected: Vec<_> = expected.into_iter().map(id).collect();
        assert_eq!(found, expected, "{part:?}");
    }
}

async fn changing(store: Store) {
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

async fn revoked(store: Store) {
    for number in 1..=3 {
        store_token(&store, &new(number, "alice")).await;
    }
    revoke(&store, RevocationScope::Tokens(vec![id(2)]), 1).await;
    for (revoked, expected) in [
        (RevokedTokens::Excluded, vec![1, 3]),
        (RevokedTokens::Included, vec![1, 2, 3]),
        (RevokedTokens::Only, vec![2]),
    ] {
        let filter = Filter {
            revoked,
            ..Filter::default()
        };
        let sort = Sort {
            key: SortKey::Name,
            is_descending: false,
        };
        let found = walk(&store, &filter, sort, 10).await;
        let expected: Vec<_> = expected.into_iter().map(id).collect();
        assert_eq!(ids(&found), expected, "{revoked:?}");
        assert!(
            found
                .iter()
                .all(|token| { (token.id == id(2)) == (token.revoked_at == Some(at(1))) })
        );
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
