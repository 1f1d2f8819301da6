//! The plans of the databases, in one form.

use std::fmt;

use pat_servers::Kind;
use pat_sqlx::sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous};
use pat_sqlx::sqlx::{AssertSqlSafe, Executor as _, MySqlPool, PgPool, Row as _, SqlitePool};

use super::rows::TABLES;

/// How a table is read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// A part of an index.
    Search(String),
    /// A whole index, in its order.
    Walk(String),
    /// A whole table.
    Scan(String),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Search(index) => write!(f, "search by {index}"),
            Self::Walk(index) => write!(f, "walk of {index}"),
            Self::Scan(table) => write!(f, "scan of {table}"),
        }
    }
}

/// A database that explains statements.
pub(super) enum Planner {
    Sqlite(SqlitePool),
    Postgres(PgPool),
    MySql(MySqlPool),
}

impl Planner {
    pub(super) async fn connect(url: &str) -> Self {
        if url.starts_with("sqlite") {
            let options: SqliteConnectOptions = url.parse().expect("a URL");
            // What fills the file need not outlive a power cut, and has all of it in memory.
            let options = options
                .synchronous(SqliteSynchronous::Off)
                .pragma("cache_size", "-200000");
            let pool = SqlitePoolOptions::new().max_connections(1);
            Self::Sqlite(pool.connect_with(options).await.expect("a pool"))
        } else if url.starts_with("postgres") {
            Self::Postgres(PgPool::connect(url).await.expect("a pool"))
        } else {
            Self::MySql(MySqlPool::connect(url).await.expect("a pool"))
        }
    }

    /// Returns the kind of server; `None` for SQLite.
    pub(super) fn server(&self) -> Option<Kind> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(_) => Some(Kind::Postgres),
            Self::MySql(_) => Some(Kind::MariaDb),
        }
    }

    pub(super) async fn run(&self, sql: &str) {
        let text = AssertSqlSafe(sql.to_owned());
        match self {
            Self::Sqlite(pool) => drop(pool.execute(text).await.expect(sql)),
            Self::Postgres(pool) => drop(pool.execute(text).await.expect(sql)),
            Self::MySql(pool) => drop(pool.execute(text).await.expect(sql)),
        }
    }

    /// Returns how a statement without placeholders reads the tables that grow.
    pub(super) async fn explain(&self, sql: &str) -> Vec<Step> {
        let aliases = aliases(sql);
        let mut steps = match self {
            Self::Sqlite(pool) => {
                let rows = pool.fetch_all(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}")));
                let rows = rows.await.expect(sql);
                let lines = rows.iter().map(|row| row.get::<String, _>("detail"));
                lines
                    .filter_map(|line| of_sqlite(&line, &aliases))
                    .collect()
            }
            Self::Postgres(pool) => {
                let rows = pool.fetch_all(AssertSqlSafe(format!("EXPLAIN (COSTS OFF) {sql}")));
                let rows = rows.await.expect(sql);
                let lines: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
                of_postgres(&lines, &aliases)
            }
            Self::MySql(pool) => {
                let rows = pool.fetch_all(AssertSqlSafe(format!("EXPLAIN {sql}")));
                let rows = rows.await.expect(sql);
                let rows = rows.iter().map(|row| {
                    let text = |column: &str| row.get::<Option<String>, _>(column);
                    [text("table"), text("type"), text("key")].map(Option::unwrap_or_default)
                });
                rows.filter_map(|row| of_mysql(&row, &aliases)).collect()
            }
        };
        steps.sort_unstable();
        steps.dedup();
        steps
    }
}

/// Returns the tables that grow and are in a statement, each with its alias.
fn aliases(sql: &str) -> Vec<(&str, &str)> {
    let letters = |letter: char| !letter.is_alphanumeric() && letter != '_';
    let words: Vec<_> = sql.split(letters).filter(|word| !word.is_empty()).collect();
    let tables = words.iter().enumerate();
    let tables = tables.filter(|(_, word)| TABLES.contains(word));
    let mut aliases: Vec<_> = tables
        .flat_map(|(place, table)| {
            let next = words.get(place + 1).copied().unwrap_or(table);
            [(*table, *table), (next, *table)]
        })
        .collect();
    // A keyword after a table is no alias.
    aliases.retain(|(alias, table)| alias == table || alias.len() == 1);
    aliases
}

fn table_of<'a>(alias: &str, aliases: &[(&str, &'a str)]) -> Option<&'a str> {
    let found = aliases.iter().find(|(name, _)| *name == alias);
    found.map(|(_, table)| *table)
}

/// `SEARCH t USING COVERING INDEX i (owner=?)`, `SCAN t USING INDEX i` or `SCAN t`.
fn of_sqlite(line: &str, aliases: &[(&str, &str)]) -> Option<Step> {
    let words: Vec<_> = line.split(' ').collect();
    let table = table_of(words.get(1)?, aliases)?;
    let index = words.iter().position(|word| *word == "INDEX");
    let index = index
        .and_then(|at| words.get(at + 1))
        .map(|word| (*word).to_owned());
    match (words[0], index) {
        ("SEARCH", index) => Some(Step::Search(index.unwrap_or_else(|| "rowid".into()))),
        ("SCAN", Some(index)) => Some(Step::Walk(index)),
        ("SCAN", None) => Some(Step::Scan(table.to_owned())),
        _ => None,
    }
}

/// `->  Index Only Scan Backward using i on pat_token t`, with `Index Cond: …` in a line below.
fn of_postgres(lines: &[String], aliases: &[(&str, &str)]) -> Vec<Step> {
    let mut steps = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let words: Vec<_> = line.split_whitespace().collect();
        let after = |word: &str| {
            let at = words.iter().position(|other| *other == word)?;
            words.get(at + 1).copied()
        };
        if line.contains("Seq Scan on ") {
            let table = after("on").filter(|name| table_of(name, aliases).is_some());
            steps.extend(table.map(|table| Step::Scan(table.to_owned())));
        } else if line.contains("Bitmap Index Scan on ") {
            steps.extend(after("on").map(|index| Step::Search(index.to_owned())));
        } else if let Some(index) = after("using").filter(|_| line.contains("Index")) {
            let below = lines[number + 1..].iter();
            let mut below = below.take_while(|line| !line.contains("->"));
            let step = if below.any(|line| line.trim_start().starts_with("Index Cond:")) {
                Step::Search
            } else {
                Step::Walk
            };
            steps.push(step(index.to_owned()));
        }
    }
    steps
}

fn of_mysql([alias, kind, key]: &[String; 3], aliases: &[(&str, &str)]) -> Option<Step> {
    let table = table_of(alias, aliases)?;
    match &kind[..] {
        "ALL" => Some(Step::Scan(table.to_owned())),
        "index" => Some(Step::Walk(key.clone())),
        "" => None,
        _ => Some(Step::Search(key.clone())),
    }
}
