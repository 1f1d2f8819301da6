//! Searches, counts and lists.

use std::fmt::Write as _;

use jiff::Timestamp;
use pat_core::search::{Filter, Search, Sort, Start};
use pat_core::store::{SearchStore, TokenStore};
use pat_core::{Owner, Token};
use pat_servers::filters::{all_orders, filters};
use pat_servers::many::OWNER_OF_MANY;
use pat_sqlx::Dialect;
use pat_sqlx::sqlx::{Pool, QueryBuilder};
use tokio::time::Instant;

use super::{Rows, Wanted, judged, open, seconds};

/// How many tokens a page reads.
const PAGE: u32 = 51;
/// How far counts go that have a limit.
const MOST: u64 = 10_001;

/// What is wanted of a page beside that of all tokens, of one with a part of a name beside a scan, and of a count
/// beside that of all tokens.
const PAGES: f64 = 20.0;
const SCANS: f64 = 3.0;
const COUNTS: f64 = 2.0;

/// How many searches differ from each other, and how many of them are compared with as many later ones.
const SEARCHES: usize = 400;
const COMPARED: usize = 40;

/// Measures pages and counts with each filter, and returns a table.
pub(crate) async fn measure<DB: Dialect>(
    store: &dyn SearchStore,
    pool: &Pool<DB>,
    now: Timestamp,
) -> String {
    let mut table = format!(
        "A page ÷ the same page of all tokens in the same order (wanted: ≤ {PAGES}), in the order that is the \
         worst; a count ÷ the count of all tokens (≤ {COUNTS}). With a part of a name, both ÷ one scan of all \
         names (≤ {SCANS} and ≤ {COUNTS}).\n\n\
         | filter | first page | a deep one | pages that miss | count | count up to {MOST} |\n\
         |---|---:|---:|---:|---:|---:|\n"
    );
    let all = Filter::default();
    let middle_of_all = middle(store, &all).await.expect("a token");
    for (name, filter) in filters(now) {
        let scan = match &*filter.name {
            "" => None,
            part => Some(scan_names(pool, part).await),
        };
        let pages = Pages {
            store,
            filter: &filter,
            middle: middle(store, &filter).await,
            middle_of_all: &middle_of_all,
            scan,
        };
        let [first, deep, missed] = pages.compare(name).await;
        let (of_all, _) = seconds(async || store.count(&all).await.expect("a count")).await;
        let (exact, found) = seconds(async || store.count(&filter).await.expect("a count")).await;
        let up_to = async || store.count_up_to(&filter, MOST).await.expect("a count");
        let (up_to, _) = seconds(up_to).await;
        println!("{name}: {found} found, counted in {exact:.4} s, up to {MOST} in {up_to:.4} s");
        let simpler = scan.unwrap_or(of_all);
        let [exact, up_to] =
            [exact, up_to].map(|took| judged(Wanted::AtMost(COUNTS), took / simpler));
        let row = format!("| {name} | {first} | {deep} | {missed} | {exact} | {up_to} |");
        println!("{row}");
        writeln!(table, "{row}").expect("a string takes it");
    }
    table
}

/// Returns a token in the middle of those that match, in the order of their IDs, and so far from the first page in
/// any other order.
async fn middle(store: &dyn SearchStore, filter: &Filter) -> Option<Token> {
    let ids = store.ids(filter).await.expect("IDs");
    let middle = ids.get(ids.len() / 2)?;
    let found = store.find_all(&[*middle]).await;
    found.expect("a token").pop()
}

/// Seconds for a scan of the names, by the index that the database chooses.
async fn scan_names<DB: Dialect>(pool: &Pool<DB>, part: &str) -> f64 {
    let scan = async || {
        let sql = format!("SELECT COUNT(*) AS n FROM pat_token WHERE name_folded LIKE '%{part}%'");
        let mut connection = pool.acquire().await.expect("a connection");
        DB::fetch(QueryBuilder::new(sql), &mut connection)
            .await
            .expect("a count")
    };
    seconds(scan).await.0
}

/// Pages with a filter, and those that they are compared with.
struct Pages<'a> {
    store: &'a dyn SearchStore,
    filter: &'a Filter,
    middle: Option<Token>,
    middle_of_all: &'a Token,
    /// Seconds for a scan, with which pages with a part of a name are compared.
    scan: Option<f64>,
}

impl Pages<'_> {
    /// Returns the worst ratio of the first pages, that of deep ones, and how many pages are beyond what is wanted.
    async fn compare(&self, name: &str) -> [String; 3] {
        let bound = if self.scan.is_some() { SCANS } else { PAGES };
        let (mut count, mut beyond) = (0, 0);
        let mut worst = [(0.0, String::new()), (0.0, String::new())];
        for (key, is_descending) in all_orders() {
            let sort = Sort { key, is_descending };
            let after = |token: &Token| Start::After(sort.position_of(token));
            let first = Some([Start::Offset(0), Start::Offset(0)]);
            let middle = self.middle.as_ref();
            let deep = middle.map(|middle| [after(middle), after(self.middle_of_all)]);
            for (starts, worst) in [first, deep].into_iter().zip(&mut worst) {
                let Some([start, start_of_all]) = starts else {
                    continue;
                };
                let took = self.page(self.filter, sort, start).await;
                let simpler = match self.scan {
                    Some(scan) => scan,
                    None => self.page(&Filter::default(), sort, start_of_all).await,
                };
                let ratio = took / simpler;
                let order = if is_descending {
                    "descending"
                } else {
                    "ascending"
                };
                count += 1;
                if ratio > bound {
                    beyond += 1;
                    println!("{name}, by {key:?}, {order}: {took:.4} s, {ratio:.0}");
                }
                if ratio > worst.0 {
                    *worst = (ratio, format!("{key:?}, {order}"));
                }
            }
        }
        let [first, deep] = worst.map(|(ratio, order)| match &*order {
            "" => "–".to_owned(),
            _ => format!("{} ({order})", judged(Wanted::AtMost(bound), ratio)),
        });
        [first, deep, format!("{beyond} of {count}")]
    }

    /// Seconds for a page.
    async fn page(&self, filter: &Filter, sort: Sort, start: Start) -> f64 {
        let search = Search::new(filter.clone(), sort, start, PAGE);
        seconds(async || self.store.search(&search).await.expect("a page"))
            .await
            .0
    }
}

/// Measures the list of an owner with many revoked tokens beside that of one without.
pub(crate) async fn lists(store: &dyn TokenStore, rows: &mut Rows) {
    let list = async |owner: &str| {
        let owner: Owner = owner.parse().expect("an owner");
        seconds(async || store.list(&owner).await.expect("a list"))
            .await
            .0
    };
    let beside_revoked = list(OWNER_OF_MANY).await;
    rows.add(
        "an owner's list beside 5,000 revoked tokens ÷ one without",
        Wanted::AtMost(1.5),
        beside_revoked / list("user 7").await,
    );
}

/// Measures whether searches that differ slow each other down, on connections of a host.
pub(crate) async fn texts(url: &str, now: Timestamp, rows: &mut Rows) {
    let mut ratios = vec![];
    for _ in 0..3 {
        let store = open(url).await;
        let tokens = store.tokens();
        let times = differing(tokens.search_store().expect("searches"), now).await;
        let sum = |times: &[f64]| times.iter().sum::<f64>();
        ratios.push(sum(&times[SEARCHES - COMPARED..]) / sum(&times[..COMPARED]));
        store.close().await;
    }
    let what = format!("the last {COMPARED} of {SEARCHES} differing searches ÷ the first");
    rows.add(&what, Wanted::AtMost(1.5), pat_benches::middle(ratios));
}

/// Seconds of each of some searches, all of a few owners, with other criteria and in another order each.
#[expect(clippy::disallowed_methods, reason = "a benchmark takes the time")]
async fn differing(store: &dyn SearchStore, now: Timestamp) -> Vec<f64> {
    let orders: Vec<_> = all_orders().collect();
    let mut times = vec![];
    // The first one opens a connection.
    for place in 0..=SEARCHES {
        // All numbers come, but not in order, so that the first are not alike.
        let number = place * 167 % SEARCHES;
        let (key, is_descending) = orders[number % orders.len()];
        let criteria = number / orders.len();
        let is_given = |bit: usize| criteria >> bit & 1 == 1;
        let mut filter = Filter::default();
        let owners = 0..1_usize << (criteria / 8);
        filter.owners = owners
            .map(|owner| format!("user {owner}").parse().expect("an owner"))
            .collect();
        filter.never_expires = is_given(0).then_some(false);
        filter.is_used = is_given(1).then_some(true);
        filter.created.to = is_given(2).then_some(now);
        let sort = Sort { key, is_descending };
        let search = Search::new(filter, sort, Start::Offset(0), PAGE);
        let begun = Instant::now();
        store.search(&search).await.expect("a page");
        times.push(begun.elapsed().as_secs_f64());
    }
    times.split_off(1)
}
