//! Searches and counts by each criterion, in each order, on the first page and deep ones.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use pat_core::search::{DateRange, Filter, RevokedTokens, Search, Sort, SortKey, Start};
use pat_core::store::SearchStore;
use pat_core::{Owner, TokenStatus};
use pat_servers::Kind;

use super::plan::{Planner, Step};
use super::rows::{DAY, HOUR, NOW};
use super::statements::{Sent, with_literals};
use crate::stores::search::all_orders;

const BY_OWNER: &str = "pat_token_by_owner";
const BY_UNREVOKED_OWNER: &str = "pat_token_unrevoked";
const BY_CREATION: &str = "pat_token_by_creation";
const BY_END: &str = "pat_token_by_end";
const BY_LAST_USE: &str = "pat_last_used_by_time";
const BY_REVOCATION: &str = "pat_token_by_revocation";
const BY_EXPIRY: &str = "pat_token_by_expiry";

/// Criteria, with the index by which tokens are read in every other order than its own; `None` if
/// the criterion has too many matches, or no index.
fn filters() -> Vec<(&'static str, Filter, Option<&'static str>)> {
    let filter = |set: &dyn Fn(&mut Filter)| {
        let mut filter = Filter::default();
        set(&mut filter);
        filter
    };
    let within = |from: i64, to: i64| DateRange {
        from: Timestamp::from_microsecond(NOW + from).ok(),
        to: Timestamp::from_microsecond(NOW + to).ok(),
    };
    let owner = |key: &str| vec![Owner::new(key).expect("a key")];
    let now = Timestamp::from_microsecond(NOW).expect("a date");
    let status =
        |status| Filter::default().with_status(status, now, SignedDuration::from_hours(120));
    vec![
        ("none", Filter::default(), None),
        (
            "five owners",
            filter(&|f| {
                f.owners = (10..15)
                    .map(|n| Owner::new(format!("user {n}")).expect("a key"))
                    .collect();
            }),
            Some(BY_UNREVOKED_OWNER),
        ),
        (
            "owner of many",
            filter(&|f| f.owners = owner("user 0")),
            None,
        ),
        (
            "created in an hour",
            filter(&|f| f.created = within(-HOUR, 0)),
            Some(BY_CREATION),
        ),
        (
            "created in a year",
            filter(&|f| f.created = within(-365 * DAY, 0)),
            None,
        ),
        (
            "expires in an hour",
            filter(&|f| f.expires = within(0, HOUR)),
            Some(BY_END),
        ),
        (
            "expires in half a year",
            filter(&|f| f.expires = within(0, 180 * DAY)),
            None,
        ),
        (
            "used in an hour",
            filter(&|f| f.last_used = within(-HOUR, 0)),
            Some(BY_LAST_USE),
        ),
        (
            "used in a month",
            filter(&|f| f.last_used = within(-30 * DAY, 0)),
            None,
        ),
        ("never used", filter(&|f| f.is_used = Some(false)), None),
        ("used", filter(&|f| f.is_used = Some(true)), None),
        (
            "unused for 80 days",
            filter(&|f| {
                f.unused_since = Timestamp::from_microsecond(NOW - 80 * DAY).ok();
            }),
            None,
        ),
        (
            "never expires",
            filter(&|f| f.never_expires = Some(true)),
            None,
        ),
        (
            "revoked",
            filter(&|f| f.revoked = RevokedTokens::Only),
            Some(BY_REVOCATION),
        ),
        (
            "also revoked",
            filter(&|f| f.revoked = RevokedTokens::Included),
            None,
        ),
        (
            "revoked in a day",
            filter(&|f| {
                f.revoked = RevokedTokens::Included;
                f.revoked_at = within(-DAY, 0);
            }),
            Some(BY_REVOCATION),
        ),
        (
            "transient",
            filter(&|f| f.is_transient = Some(true)),
            Some(BY_EXPIRY),
        ),
        ("active", status(TokenStatus::Active), None),
        (
            "expires soon",
            status(TokenStatus::ExpiresSoon),
            Some(BY_END),
        ),
        (
            "two narrow ones",
            filter(&|f| {
                f.created = within(-30 * DAY, 0);
                f.expires = within(0, HOUR);
            }),
            Some(BY_END),
        ),
    ]
}

fn index_of(key: SortKey) -> &'static str {
    match key {
        SortKey::CreatedAt => BY_CREATION,
        SortKey::ExpiresAt => BY_END,
        SortKey::LastUsedAt => BY_LAST_USE,
        SortKey::Name => "pat_token_by_name",
        SortKey::Owner => BY_OWNER,
    }
}

/// Makes all searches and counts, and adds what they read by another index than they should.
pub(super) async fn run(
    planner: &Planner,
    store: &dyn SearchStore,
    sent: &Sent,
    faults: &mut String,
) -> usize {
    let mut seen = BTreeSet::new();
    for (name, filter, narrow) in filters() {
        for (key, is_descending) in all_orders() {
            let sort = Sort { key, is_descending };
            let mut search = Search::new(filter.clone(), sort, Start::Offset(0), 51);
            let page = store.search(&search).await.expect("a page");
            let mut starts = vec![Start::Offset(0)];
            if let Some(token) = page.get(page.len() / 2) {
                let position = sort.position_of(token);
                starts.extend([Start::After(position.clone()), Start::Before(position)]);
            }
            for start in starts {
                search.start = start;
                sent.take();
                store.search(&search).await.expect("a page");
                // The order's own index is read within the range.
                let by = narrow.filter(|index| *index != index_of(key));
                for text in sent.take() {
                    let sql = with_literals(&text, planner.server(), Some(&search));
                    if !seen.insert(sql.clone()) {
                        continue;
                    }
                    let what = format!("{name} by {key:?}");
                    check(planner, &sql, &what, by, Some(key), faults).await;
                }
            }
        }
        sent.take();
        let count = store.count(&filter).await.expect("a count");
        let ids = store.ids(&filter).await.expect("IDs");
        assert_eq!(ids.len() as u64, count, "{name}");
        let search = Search::new(filter, Sort::LATEST_FIRST, Start::Offset(0), 51);
        for text in sent.take() {
            let sql = with_literals(&text, planner.server(), Some(&search));
            check(planner, &sql, name, narrow, None, faults).await;
            seen.insert(sql);
        }
    }
    seen.len()
}

async fn check(
    planner: &Planner,
    sql: &str,
    what: &str,
    narrow: Option<&str>,
    order: Option<SortKey>,
    faults: &mut String,
) {
    let steps = planner.explain(sql).await;
    let is_fault = if sql.contains("SELECT 1 AS one") {
        // How many matches there are.
        steps.iter().any(|step| !matches!(step, Step::Search(_)))
    } else if let Some(narrow) = narrow {
        let narrow = match planner.server() {
            Some(Kind::MariaDb) if narrow == BY_UNREVOKED_OWNER => BY_REVOCATION,
            _ => narrow,
        };
        !steps.contains(&Step::Search(narrow.into()))
            || steps.iter().any(|step| !matches!(step, Step::Search(_)))
    } else if let Some(key) = order {
        let index = index_of(key).to_owned();
        let is_of_order = |step| steps.contains(step);
        // PostgreSQL knows how many matches there are, and chooses.
        let is_chosen = planner.server() == Some(Kind::Postgres);
        let in_order = [Step::Walk(index.clone()), Step::Search(index)];
        !is_chosen && !in_order.iter().any(is_of_order)
            || steps.iter().any(|step| matches!(step, Step::Scan(_)))
    } else {
        // All are counted.
        false
    };
    if is_fault {
        let steps: Vec<_> = steps.iter().map(ToString::to_string).collect();
        let steps = steps.join(", ");
        writeln!(faults, "{what}: {steps}: {sql}\n").expect("a text");
    }
}
