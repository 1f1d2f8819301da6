use std::collections::BTreeSet;

use jiff::Timestamp;
use pat_core::Owner;
use pat_core::scope::Scopes;
use pat_core::search::{DateRange, Position, Sort, SortValue};
use sqlx::{MySql, Sqlite};

use super::*;

const KEYS: [SortKey; 5] = [
    SortKey::CreatedAt,
    SortKey::ExpiresAt,
    SortKey::LastUsedAt,
    SortKey::Name,
    SortKey::Owner,
];

fn owners(count: u32) -> Vec<Owner> {
    let keys = (0..count).map(|number| format!("user {number}"));
    keys.map(|key| Owner::new(key).expect("a key")).collect()
}

fn at(second: u32) -> Timestamp {
    Timestamp::from_second(second.into()).expect("a date")
}

/// Returns the texts of all statements of a search.
fn texts<DB: Dialect>(search: &Search, access: Access) -> Vec<String> {
    let walk = Walk::new(search, access);
    let limit = search.limit as usize;
    let ranges = Range::all_of(search, walk);
    let texts = ranges.iter().map(|range| {
        let order = range.order::<DB>(walk);
        page_sql::<DB>(search, walk, range, &order, limit, limit).text()
    });
    texts.collect()
}

/// A connection keeps 512 prepared statements.
#[test]
fn searches_that_differ_in_values_alone_share_their_statements() {
    let mut seen = BTreeSet::new();
    for number in 0..400 {
        let mut filter = Filter::default();
        filter.name = format!("name {number}");
        filter.owners = owners(number % 50 + 1);
        filter.created.from = Some(at(number));
        let names: Vec<_> = (0..=number % 8).map(|n| format!("scope{n}")).collect();
        filter.scopes = Scopes::new(&names).expect("scopes");
        let key = KEYS[number as usize % KEYS.len()];
        let sort = Sort {
            key,
            is_descending: false,
        };
        let value = match key {
            SortKey::Name | SortKey::Owner => SortValue::Text(number.to_string()),
            _ => SortValue::Time(at(number)),
        };
        let position = Position {
            value,
            created_at: at(number),
            id: TokenId::new(i64::from(number) + 1).expect("an ID"),
        };
        let search = Search::new(filter, sort, Start::After(position), number + 1);
        seen.extend(texts::<MySql>(&search, Access::InOrder(key)));
    }
    // Lists of owners have seven lengths, and lists of scopes four; each order has three ranges.
    let expected = 7 * 4 * 3 * KEYS.len();
    assert!(seen.len() <= expected, "{} texts", seen.len());
}

#[tokio::test]
async fn a_page_whose_order_begins_with_other_tokens_is_read_by_a_criterion_with_more_matches() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(&folder).await;
    let mut filter = Filter::default();
    // 24,000 tokens. Those that expire first were created first.
    filter.created.from = Some(at(16_000));
    filter.created.to = Some(at(39_999));
    let after_most = Position {
        value: SortValue::Time(at(16_000)),
        created_at: at(16_000),
        id: TokenId::new(16_001).expect("an ID"),
    };
    let by_creation = Access::By(Criterion::Created);
    let in_order = Access::InOrder(SortKey::ExpiresAt);
    for (is_descending, start, expected) in [
        (false, Start::Offset(0), by_creation),
        (true, Start::Offset(0), in_order),
        (false, Start::After(after_most.clone()), in_order),
        (true, Start::After(after_most.clone()), by_creation),
        (false, Start::Before(after_most.clone()), by_creation),
        (true, Start::Before(after_most), in_order),
    ] {
        let sort = Sort {
            key: SortKey::ExpiresAt,
            is_descending,
        };
        let search = Search::new(filter.clone(), sort, start, 20);
        let access = store.access_of_page(&search).await.expect("a path");
        assert_eq!(access, expected, "{search:?}");
        let page = store.try_search(&search).await.expect("a page");
        assert!(page.iter().all(|token| filter.matches(token)));
    }
}

#[tokio::test]
async fn a_page_by_descending_expiry_begins_with_the_newest_tokens_that_never_expire() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(&folder).await;
    let mut filter = Filter::default();
    filter.created.from = Some(at(40_000));
    let sort = Sort {
        key: SortKey::ExpiresAt,
        is_descending: true,
    };
    let search = Search::new(filter, sort, Start::Offset(0), 20);
    let walk = Walk::new(&search, Access::InOrder(sort.key));
    assert!(walk.begins_with_never(&search));
    // The oldest ones come first where the index is read backward.
    for never_expire in [true, false] {
        let is_full = store.is_full_soon(&search, never_expire).await;
        assert_eq!(is_full.expect("an answer"), never_expire);
    }
    let mut expiring = search.clone();
    expiring.filter.expires.to = Some(at(100_000));
    for search in [
        expiring,
        Search::new(search.filter.clone(), sort, Start::Offset(1), 20),
    ] {
        assert!(!walk.begins_with_never(&search), "{search:?}");
    }
}

async fn store(folder: &tempfile::TempDir) -> SqlxStore<Sqlite> {
    let store = crate::sqlite::SqliteStore::open(folder.path().join("pat.db")).await;
    let store = store.expect("a store");
    // 48,000 tokens of a second each, of which every second one was never used, every third never expires and
    // every fourth is revoked. One owner has two thirds of them.
    let fill = "WITH RECURSIVE numbers (i) AS \
         (SELECT 0 UNION ALL SELECT i + 1 FROM numbers WHERE i < 47999) \
         INSERT INTO pat_token (id, digest, owner, name, name_folded, created_at, expires_at, revoked_at, \
         expiry_notice) SELECT i + 1, CAST(printf('%032d', i) AS BLOB), \
         CASE WHEN i % 3 > 0 THEN 'many' ELSE 'user ' || (i % 100) END, i, i, i * 1000000, \
         CASE WHEN i % 3 > 0 THEN i * 1000000 + 1 END, CASE WHEN i % 4 = 3 THEN i * 1000000 END, \
         CASE WHEN i % 50 = 0 THEN 4 ELSE 0 END FROM numbers; \
         INSERT INTO pat_last_used (token_id, created_at, last_used_at) \
         SELECT id, created_at, CASE WHEN id % 2 = 0 THEN created_at + 1 ELSE 0 END FROM pat_token";
    let mut connection = store.pool.acquire().await.expect("a connection");
    <Sqlite as crate::dialect::Statements>::run(fill, &mut connection)
        .await
        .expect("rows");
    drop(connection);
    store
}

#[tokio::test]
async fn a_page_is_read_by_a_criterion_with_few_matches_and_else_in_its_order() {
    use crate::access::Criterion::{Created, Expires, LastUsed, Name, Owners, Revoked, Transient};

    let folder = tempfile::tempdir().expect("a folder");
    let store = store(&folder).await;
    let filter = |set: &dyn Fn(&mut Filter)| {
        let mut filter = Filter::default();
        set(&mut filter);
        filter
    };
    let within = |from, to| DateRange {
        from: Some(at(from)),
        to: Some(at(to)),
    };
    for (filter, expected) in [
        (filter(&|_| ()), None),
        (filter(&|f| f.owners = owners(5)), Some(Owners)),
        (
            filter(&|f| f.owners = vec![Owner::new("many").expect("a key")]),
            None,
        ),
        // 20,000 and 20,001 tokens.
        (filter(&|f| f.created = within(1, 20_000)), Some(Created)),
        (filter(&|f| f.created = within(1, 20_001)), None),
        (filter(&|f| f.expires = within(1, 24_000)), Some(Expires)),
        (filter(&|f| f.expires = within(1, 36_000)), None),
        (filter(&|f| f.never_expires = Some(true)), Some(Expires)),
        (filter(&|f| f.last_used = within(1, 24_000)), Some(LastUsed)),
        (filter(&|f| f.last_used = within(1, 47_999)), None),
        (filter(&|f| f.is_used = Some(false)), None),
        (filter(&|f| f.is_used = Some(true)), None),
        (filter(&|f| f.unused_since = Some(at(5_000))), None),
        (filter(&|f| f.revoked = RevokedTokens::Only), Some(Revoked)),
        (filter(&|f| f.revoked = RevokedTokens::Included), None),
        (filter(&|f| f.is_transient = Some(true)), Some(Transient)),
        (filter(&|f| f.is_transient = Some(false)), None),
        // More than half of the tokens have the one part, 4 the other.
        (filter(&|f| f.name = "1".into()), None),
        (filter(&|f| f.name = "9999".into()), Some(Name)),
        (
            filter(&|f| {
                f.name = "9999".into();
                f.is_used = Some(false);
                f.revoked = RevokedTokens::Only;
            }),
            Some(Revoked),
        ),
        (
            filter(&|f| {
                f.name = "9999".into();
                f.is_used = Some(false);
            }),
            // 24,000 tokens, which a page that is not full reads too.
            Some(LastUsed),
        ),
        // The one with fewer matches.
        (
            filter(&|f| {
                f.created = within(1, 16_000);
                f.expires = within(1, 4_000);
            }),
            Some(Expires),
        ),
        (
            filter(&|f| {
                f.created = within(1, 400);
                f.expires = within(1, 36_000);
            }),
            Some(Created),
        ),
    ] {
        for (key, is_descending) in KEYS.into_iter().flat_map(|key| [(key, false), (key, true)]) {
            let sort = Sort { key, is_descending };
            let search = Search::new(filter.clone(), sort, Start::Offset(0), 20);
            let access = store.access_of_page(&search).await.expect("a path");
            let is_own = expected.is_some() && Criterion::of_order(key) == expected
                || (expected, key) == (Some(Name), SortKey::Name);
            if is_own {
                // Within its range, unless another criterion has few matches too.
                assert_ne!(access, Access::By(expected.expect("one")), "{filter:?}");
                continue;
            }
            let is_expected = match expected {
                Some(criterion) => access == Access::By(criterion),
                None if store.passes_over_few(&search).await.expect("a probe") => !access.sorts(),
                None => access != Access::All,
            };
            assert!(is_expected, "{filter:?} by {sort:?}: {access:?}");
            let found = store.try_search(&search).await.expect("a page");
            assert!(found.iter().all(|token| filter.matches(token)));
            let places = found.iter().map(|token| sort.position_of(token));
            let places: Vec<_> = places.collect();
            assert!(places.is_sorted_by(|one, two| sort.compare(one, two).is_lt()));
        }
        let all = store.try_count(&filter).await.expect("a count");
        let ids = store.try_ids(&filter).await.expect("IDs");
        assert_eq!(ids.len() as u64, all, "{filter:?}");
        let some = store.try_count_up_to(&filter, 100).await;
        assert_eq!(some.expect("a count"), all.min(100), "{filter:?}");
    }
}

#[test]
fn a_count_by_last_use_looks_up_the_tokens_that_match() {
    let mut filter = Filter::default();
    filter.is_used = Some(true);
    let tables = Access::All.counted_tables::<Sqlite>(&filter);
    assert!(tables.starts_with("pat_last_used u INDEXED BY"), "{tables}");
    let tables = Access::All.counted_tables::<MySql>(&filter);
    assert!(
        tables.starts_with("pat_last_used u FORCE INDEX"),
        "{tables}"
    );
}

#[test]
fn a_page_in_the_order_of_names_looks_up_only_tokens_with_the_part_of_the_name() {
    let mut filter = Filter::default();
    filter.name = "part".into();
    let sort = Sort {
        key: SortKey::Name,
        is_descending: true,
    };
    let search = Search::new(filter, sort, Start::Offset(0), 20);
    for text in texts::<Sqlite>(&search, Access::InOrder(sort.key)) {
        assert!(text.contains("FROM pat_token n "), "{text}");
        assert!(text.contains("n.name_folded LIKE "), "{text}");
        assert!(text.contains("ORDER BY n.name_folded "), "{text}");
    }
}

#[test]
fn a_page_is_read_from_its_position_and_not_from_the_bound_of_the_filter() {
    let mut filter = Filter::default();
    filter.created.from = Some(at(1));
    filter.unused_since = Some(at(3));
    let sort = Sort {
        key: SortKey::CreatedAt,
        is_descending: false,
    };
    let position = Position {
        value: SortValue::Time(at(2)),
        created_at: at(2),
        id: TokenId::new(1).expect("an ID"),
    };
    let search = Search::new(filter, sort, Start::After(position), 20);
    for text in texts::<Sqlite>(&search, Access::InOrder(sort.key)) {
        let place = |condition| text.find(condition).unwrap_or(usize::MAX);
        let position = place("t.created_at = ").min(place("t.created_at > "));
        let created = place("t.created_at <= ");
        assert!(position < created, "{text}");
        assert!(created < place("t.created_at >= "), "{text}");
        assert!(text.contains("t.created_at >= "), "{text}");
    }
}
