//! Searches among many tokens. `PAT_TEST_SEARCH_TOKENS=1000000` has as many as an administrator of a
//! large host sees; the times are printed then and not judged.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::Trial;
use pat_core::search::{Filter, Search, Sort, SortKey, Start};
use pat_core::store::{Job, SearchStore};
use pat_core::{Caller, JobRun, Owner, Pats, TokenId, TokenRequest};
use pat_harness::database::{AnyDatabase, trials_on_all};
use pat_harness::timer_now;
use pat_servers::Kind;
use pat_servers::environment::number;
use pat_servers::filters::all_orders;
use pat_servers::rows::{insert_selected, number_as_digest};
use pat_sqlx::sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use pat_sqlx::sqlx::{MySql, Pool, Postgres, QueryBuilder, Sqlite};
use pat_sqlx::{Dialect, SqlxStore};
use tokio_util::sync::CancellationToken;

pub(crate) fn trials() -> Vec<Trial> {
    trials_on_all(paging_is_stable_under_change).into()
}

async fn paging_is_stable_under_change(database: AnyDatabase) {
    let (name, url) = (database.name(), database.url());
    match &database {
        AnyDatabase::Sqlite(folder) => {
            let store = pat_sqlx::SqliteStore::open(folder.path().join("pat.db")).await;
            // What fills it need not outlive a power cut.
            let options: SqliteConnectOptions = url.parse().expect("a URL");
            let options = options.synchronous(SqliteSynchronous::Off);
            let pool = Pool::<Sqlite>::connect_with(options).await.expect("a pool");
            walk(name, store.expect("a database"), &pool).await;
        }
        AnyDatabase::Server(server) if server.kind == Kind::Postgres => {
            let store = pat_sqlx::PostgresStore::connect(&url).await;
            let pool = Pool::<Postgres>::connect(&url).await.expect("a pool");
            walk(name, store.expect("a database"), &pool).await;
        }
        AnyDatabase::Server(_) => {
            let store = pat_sqlx::MySqlStore::connect(&url).await;
            let pool = Pool::<MySql>::connect(&url).await.expect("a pool");
            walk(name, store.expect("a database"), &pool).await;
        }
    }
}

/// Every fifth token never expires, every seventh is to be pruned, every eleventh was used.
pub(crate) async fn fill<DB: Dialect>(pool: &Pool<DB>, count: usize) {
    let day = 86_400_000_000_i64;
    let now = 1_790_000_000_000_000_i64;
    let digest = number_as_digest::<DB>();
    insert_selected(pool, 0..count, |numbers, _| {
        let tokens = format!(
            "INSERT INTO pat_token \
             (id, digest, owner, name, name_folded, created_at, expires_at) {numbers} \
             SELECT i, {digest}, CONCAT('user ', i % 997), CONCAT('Token ', i * 1009 % 1000003), \
             CONCAT('token ', i * 1009 % 1000003), {now} - 90 * {day} + i, \
             CASE WHEN i % 5 = 0 THEN NULL WHEN i % 7 = 0 THEN {now} - 60 * {day} \
             ELSE {now} + i % 365 * {day} + i END FROM numbers"
        );
        let uses = format!(
            "INSERT INTO pat_last_used (token_id, created_at, last_used_at) {numbers} \
             SELECT i, {now} - 90 * {day} + i, \
             CASE WHEN i % 11 = 0 THEN {now} - i % 80 * {day} + i ELSE 0 END FROM numbers"
        );
        [tokens, uses].map(QueryBuilder::new)
    })
    .await;
    let mut connection = pool.acquire().await.expect("a connection");
    let analyze = if DB::NAME == "MySQL" {
        "ANALYZE TABLE pat_token, pat_last_used"
    } else {
        "ANALYZE"
    };
    DB::execute(QueryBuilder::new(analyze), false, &mut connection)
        .await
        .expect("statistics");
}

async fn walk<DB: Dialect>(name: &str, store: SqlxStore<DB>, pool: &Pool<DB>) {
    let count = number("PAT_TEST_SEARCH_TOKENS", 3_000);
    fill(pool, count).await;
    let searched: &dyn SearchStore = &store;
    time(name, searched, count).await;

    let pats = Pats::builder(Arc::new(store.clone())).build();
    let before = searched.ids(&Filter::default()).await.expect("ids");
    // Its own tokens come and go while others are pruned.
    let stop = CancellationToken::new();
    let changes = tokio::spawn(change(pats.clone(), stop.clone()));
    let sorts = [
        (SortKey::Name, false),
        (SortKey::ExpiresAt, true),
        (SortKey::ExpiresAt, false),
        (SortKey::Owner, true),
        (SortKey::CreatedAt, false),
        (SortKey::CreatedAt, true),
        (SortKey::Name, true),
    ];
    let walked = count.min(100_000);
    // Short ones many times: what a database misses, it misses once in many.
    let turns = 30_000_usize.div_ceil(walked);
    for (key, is_descending) in sorts.repeat(turns) {
        let sort = Sort { key, is_descending };
        // To the end, or among very many until enough are seen. (Others' tokens are seen as well.)
        let enough = if walked == count { usize::MAX } else { walked };
        let seen = see(searched, sort, enough).await;
        let after = searched.ids(&Filter::default()).await.expect("ids");
        assert!(
            seen.values().all(|times| *times == 1),
            "{name}: {sort:?}: a token came twice"
        );
        if walked == count {
            let stayed = before.iter().filter(|id| after.binary_search(id).is_ok());
            let missed = stayed.filter(|id| !seen.contains_key(id)).count();
            assert_eq!(missed, 0, "{name}: {sort:?}: tokens were missed");
        }
    }
    stop.cancel();
    let created = changes.await.expect("no panic");
    let after = searched.ids(&Filter::default()).await.expect("ids");
    let pruned = before
        .iter()
        .filter(|id| after.binary_search(id).is_err())
        .count();
    println!("{name}: {walked} of {count} tokens walked, {pruned} pruned, {created} others came");
    assert!(created > 0 && pruned > 0, "nothing changed");
    drop(pats);
    store.close().await;
}

/// How often each token is seen on the pages of a walk over so many.
async fn see(searched: &dyn SearchStore, sort: Sort, count: usize) -> HashMap<TokenId, u32> {
    let mut seen = HashMap::new();
    let mut start = Start::Offset(0);
    while seen.len() < count {
        let search = Search::new(Filter::default(), sort, start, 500);
        let page = searched.search(&search).await.expect("search");
        let Some(last) = page.last() else { break };
        start = Start::After(sort.position_of(last));
        for token in page {
            *seen.entry(token.id).or_default() += 1;
        }
    }
    seen
}

/// Creates and revokes tokens, and prunes old ones, until it is told to stop; returns how many
/// tokens were created.
async fn change(pats: Pats, stop: CancellationToken) -> usize {
    let caller = Caller::cookie_authenticated(Owner::new("somebody else").expect("an owner"));
    let prune = async {
        while !stop.is_cancelled() && pats.run_if_due(Job::Prune).await.ok() != Some(JobRun::Done) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let others = async {
        let mut created = 0;
        while !stop.is_cancelled() {
            let request =
                TokenRequest::new(format!("Token {}", created * 104_729 % 1_000_003), None);
            let token = pats.create(&caller, request).await.expect("a token").token;
            pats.revoke(&caller, token.id).await.expect("a revocation");
            created += 1;
        }
        created
    };
    tokio::join!(prune, others).1
}

/// Prints how long some searches take.
async fn time(name: &str, searched: &dyn SearchStore, count: usize) {
    let middle = TokenId::new(i64::try_from(count / 2).expect("a number")).expect("an id");
    for (key, is_descending) in all_orders() {
        let sort = Sort { key, is_descending };
        let mut search = Search::new(Filter::default(), sort, Start::Offset(0), 101);
        let (first, page) = timed(async || searched.search(&search).await).await;
        assert_eq!(page.len(), 101);
        // In the middle by creation, so nowhere in particular by the others.
        let mut all = search.clone();
        all.filter.name = format!("token {}", middle.get() * 1009 % 1_000_003);
        all.limit = 1_000;
        let found = searched.search(&all).await.expect("search");
        let token = found
            .iter()
            .find(|token| token.id == middle)
            .expect("the token");
        search.start = Start::After(sort.position_of(token));
        let (deep, _) = timed(async || searched.search(&search).await).await;
        println!("{name}: {count} tokens, {sort:?}: first page {first:?}, deep page {deep:?}");
    }
    let filters: [(_, fn(&mut Filter)); 5] = [
        ("all", |_| ()),
        ("part of a name", |filter| filter.name = "99999".into()),
        ("part of every name", |filter| filter.name = "oken".into()),
        ("owner", |filter| {
            filter.owners = vec![Owner::new("user 7").expect("an owner")];
        }),
        ("used", |filter| filter.is_used = Some(true)),
    ];
    for (what, set) in filters {
        let mut filter = Filter::default();
        set(&mut filter);
        let (taken, found) = timed(async || searched.count(&filter).await).await;
        let search = Search::new(
            filter,
            Sort {
                key: SortKey::Name,
                is_descending: false,
            },
            Start::Offset(0),
            101,
        );
        let (first, _) = timed(async || searched.search(&search).await).await;
        println!(
            "{name}: {count} tokens, {what}: {found} counted in {taken:?}, first page {first:?}"
        );
    }
}

/// The median of some tries.
async fn timed<T, E: std::fmt::Debug>(search: impl AsyncFn() -> Result<T, E>) -> (Duration, T) {
    let mut times = Vec::new();
    let mut answer = search().await.expect("an answer");
    for _ in 0..5 {
        let begun = timer_now();
        answer = search().await.expect("an answer");
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    (times[2], answer)
}
