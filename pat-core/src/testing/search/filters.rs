//! What a search finds.

use jiff::SignedDuration;

use super::super::case::{Store, at, id, new, owner, revoke, scopes, store_token};
use super::{KEYS, ids, populate, searched, walk};
use crate::search::{DateRange, Filter, RevokedTokens, Sort, SortKey, Warned};
use crate::store::{NewToken, RevocationScope};

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

pub(super) async fn filters(store: Store) {
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

pub(super) async fn by_scopes(store: Store) {
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

pub(super) async fn by_ids(store: Store) {
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

pub(super) async fn names(store: Store) {
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

pub(super) async fn revoked(store: Store) {
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
