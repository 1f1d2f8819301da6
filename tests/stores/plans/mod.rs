//! The plan of each statement that the store sends, among many tokens: what it reads grows with what it finds,
//! not with the tables.
//!
//! A process of its own collects the statements, since the log of the drivers is one for a process: it runs the
//! suites of the stores, then makes searches among the rows of [`rows`], and has the database explain all.

mod plan;
mod rows;
mod searches;
mod statements;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::{Command, ExitCode};

use libtest_mimic::Trial;
use pat_core::testing;
use pat_harness::database::{AnyDatabase, trials_on_all};
use pat_harness::timer_now;
use tracing_subscriber::layer::SubscriberExt as _;

use self::plan::{Planner, Step};
use self::statements::{Sent, with_literals};

/// Makes the test program explain the statements of the store in the database of this URL.
pub(crate) const AS_EXPLAINER: &str = "PAT_TEST_EXPLAIN";

pub(super) fn trials() -> Vec<Trial> {
    trials_on_all(every_statement_reads_by_an_index).into()
}

async fn every_statement_reads_by_an_index(database: AnyDatabase) {
    let url = database.url();
    let mut command = Command::new(std::env::current_exe().expect("its path"));
    command.env(AS_EXPLAINER, url);
    let output = tokio::task::spawn_blocking(move || command.output());
    let output = output.await.expect("no panic").expect("a process");
    print!("{}", String::from_utf8_lossy(&output.stdout));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
}

pub(crate) fn explain_as_process() -> ExitCode {
    let url = std::env::var(AS_EXPLAINER).expect("a URL");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let faults = runtime.block_on(explain(&url));
    if faults.is_empty() {
        return ExitCode::SUCCESS;
    }
    eprintln!("{faults}");
    ExitCode::FAILURE
}

/// Statements that read all there is, by a part of their text, and why.
const WHOLE: [(&str, &str); 6] = [
    ("COUNT(CASE WHEN", "many counts in one pass"),
    ("LIMIT 1) t) +", "whether there is any token or event"),
    (
        "(SELECT DISTINCT owner FROM pat_token",
        "the owners who were not seen, for a job",
    ),
    (
        "SELECT COUNT(*) AS n FROM pat_token t",
        "a count, for a job or an administrator who asks for it",
    ),
    ("UPDATE pat_owner SET seen_at", "a clock was wrong"),
    (
        "SELECT DISTINCT t.owner FROM pat_token t JOIN pat_last_used u",
        "unused tokens, for a job",
    ),
];

/// Returns what reads too much.
async fn explain(url: &str) -> String {
    let sent = Sent::default();
    let log = tracing_subscriber::registry().with(sent.clone());
    tracing::subscriber::set_global_default(log).expect("the only one");
    let begun = timer_now();
    let statements = of_suites(url, &sent).await;
    println!(
        "{} statements of the suites in {:?}",
        statements.len(),
        begun.elapsed()
    );
    let planner = Planner::connect(url).await;
    let begun = timer_now();
    for fill in rows::fill(planner.server()) {
        planner.run(&fill).await;
    }
    println!("{} tokens in {:?}", rows::TOKENS, begun.elapsed());
    let mut faults = String::new();
    for text in &statements {
        check(&planner, text, &mut faults).await;
    }
    let store = pat_sqlx::connect(url).await.expect("a store").tokens();
    let searched = store.search_store().expect("it searches");
    let searches = searches::run(&planner, searched, &sent, &mut faults).await;
    println!("{} statements, {searches} of searches", statements.len());
    faults
}

/// Returns the statements of all suites, which need empty tables.
async fn of_suites(url: &str, sent: &Sent) -> BTreeSet<String> {
    let store = pat_sqlx::connect(url).await.expect("a store");
    let planner = Planner::connect(url).await;
    let mut statements = BTreeSet::new();
    for case in [
        testing::store::CASES,
        testing::jobs::CASES,
        testing::search::CASES,
        testing::audit::CASES,
    ]
    .into_iter()
    .flatten()
    {
        sent.take();
        case.run(store.dangerous_with_callers_clock()).await;
        statements.append(&mut sent.take());
        for table in rows::TABLES.iter().chain(&["pat_node", "pat_lease"]) {
            planner.run(&format!("DELETE FROM {table}")).await;
        }
        planner.run("DELETE FROM pat_sink WHERE name <> ''").await;
        planner.run("UPDATE pat_sink SET seq = 0").await;
        planner
            .run("UPDATE pat_clock SET gen = 0, mark = 0, readable_from = 0")
            .await;
    }
    store.close().await;
    statements.retain(|text| {
        ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"]
            .iter()
            .any(|verb| text.starts_with(verb))
            && rows::TABLES.iter().any(|table| text.contains(table))
    });
    statements
}

/// Adds a fault if a statement of the suites reads a whole table or index.
async fn check(planner: &Planner, text: &str, faults: &mut String) {
    // An insertion reads nothing.
    if text.starts_with("INSERT") || text.starts_with("WITH") {
        return;
    }
    let is_allowed = WHOLE.iter().any(|(part, _)| text.contains(part));
    let sql = with_literals(text, planner.server(), None);
    for step in planner.explain(&sql).await {
        let is_whole = match step {
            Step::Search(_) => false,
            // A page in the order of the index.
            Step::Walk(_) => !(text.contains(" ORDER BY ") && text.contains(" LIMIT ")),
            Step::Scan(_) => true,
        };
        if is_whole && !is_allowed {
            writeln!(faults, "{step}: {sql}\n").expect("a text");
        }
    }
}
