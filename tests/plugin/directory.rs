//! Directories on a table of the host, as the guide `pat_tower::guide::directory` has them: each of its conditions on
//! its database, and conditions that look as good.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use libtest_mimic::Trial;
use pat_core::testing::{DirectoryUsers, check_directory};
use pat_core::text::{escape_like, fold_case};
use pat_core::{BoxError, Owner, User, UserDirectory, async_trait};
use pat_harness::database::{AnyDatabase, trial_on, trials_on_all};
use pat_servers::{Database, Kind};
use pat_sqlx::sqlx::{
    self, Connection as _, MySql, PgConnection, Pool, Postgres, QueryBuilder, Sqlite,
};
use pat_sqlx::{Dialect, Value};

use crate::stores::owner;

pub(super) fn trials() -> Vec<Trial> {
    let on_all = [
        trials_on_all(conditions_of_the_guide_keep_the_contract),
        trials_on_all(other_conditions_are_detected),
    ];
    let mut trials: Vec<_> = on_all.into_iter().flatten().collect();
    trials.push(trial_on(Kind::Postgres, the_index_of_the_guide_is_used));
    trials
}

const GUIDE: &str = include_str!("../../pat-tower/src/docs/directory.md");

const USERS: DirectoryUsers<'static> = DirectoryUsers {
    active: "7",
    administrator: Some("8"),
    disabled: Some("9"),
    unknown: "999",
};

/// The condition of a search, and what is bound to its placeholder.
#[derive(Debug, Clone, Copy)]
struct Condition {
    sql: &'static str,
    needle: fn(&str) -> String,
}

fn condition(sql: &'static str, needle: fn(&str) -> String) -> Condition {
    Condition { sql, needle }
}

fn pattern(contains: &str) -> String {
    format!("%{}%", escape_like(contains))
}

fn folded_pattern(contains: &str) -> String {
    pattern(&fold_case(contains))
}

/// A pattern whose author forgot that the text may have wildcards.
fn bare_pattern(contains: &str) -> String {
    format!("%{}%", fold_case(contains))
}

/// The conditions that the guide has for this kind of database.
fn of_the_guide(dialect: &str) -> Vec<Condition> {
    match dialect {
        "sqlite" => vec![condition("instr(search_text, ?) > 0", fold_case)],
        "postgres" => vec![
            condition("strpos(search_text, $1) > 0", fold_case),
            condition("search_text LIKE $1 ESCAPE '!'", folded_pattern),
            condition(
                r#"concat_ws(E'\n', id, username, full_name, email) COLLATE "und-x-icu" ILIKE $1 ESCAPE '!'"#,
                pattern,
            ),
        ],
        _ => vec![
            condition("instr(search_text, ?) > 0", fold_case),
            condition(
                r"concat_ws('\n', id, username, full_name, email) LIKE ? ESCAPE '!'",
                pattern,
            ),
        ],
    }
}

/// Conditions that break the contract, with a part of the message about them.
fn flawed(dialect: &str) -> Vec<(Condition, &'static str)> {
    const BEYOND_ASCII: &str = "ignore letter case beyond ASCII in the full name";
    match dialect {
        "sqlite" => vec![
            (
                condition("full_name LIKE ? ESCAPE '!'", pattern),
                "search anywhere in the key",
            ),
            (
                condition(
                    "id || ' ' || username || ' ' || full_name || ' ' || coalesce(email, '') LIKE ? ESCAPE '!'",
                    pattern,
                ),
                BEYOND_ASCII,
            ),
            (
                condition("search_text LIKE ?", folded_pattern),
                "and the condition ESCAPE '!'",
            ),
            (
                condition("search_text LIKE ?", bare_pattern),
                "whose names do not have that text",
            ),
        ],
        "postgres" => vec![
            (
                condition(
                    r#"concat_ws(' ', id, username, full_name, email) COLLATE "C" ILIKE $1 ESCAPE '!'"#,
                    pattern,
                ),
                BEYOND_ASCII,
            ),
            (
                condition("search_text LIKE $1", bare_pattern),
                "whose names do not have that text",
            ),
            (
                condition("search_text ~ $1", fold_case),
                "take every text literally",
            ),
        ],
        _ => vec![
            (
                condition(
                    "concat_ws(' ', id, username, full_name, email) COLLATE utf8mb4_bin LIKE ? ESCAPE '!'",
                    pattern,
                ),
                "ignore letter case in the user name",
            ),
            (
                condition("search_text LIKE ?", bare_pattern),
                "whose names do not have that text",
            ),
        ],
    }
}

/// The host's table `users`.
#[derive(Debug)]
struct Users<DB: Dialect> {
    pool: Pool<DB>,
    condition: Condition,
}

impl<DB: Dialect> Users<DB> {
    async fn read(&self, query: QueryBuilder<DB>) -> Result<Vec<User>, BoxError> {
        let mut connection = self.pool.acquire().await?;
        let rows = DB::fetch(query, &mut connection).await?;
        let users = rows.iter().map(|row| {
            let text = |column| DB::text(row, column);
            let id = DB::int(row, "id")?.ok_or("no ID")?;
            let mut user = User::new(
                Owner::new(id.to_string())?,
                text("username")?.unwrap_or_default(),
                text("full_name")?.unwrap_or_default(),
                DB::int(row, "is_active")? == Some(1),
            );
            user.email = text("email")?;
            Ok(user)
        });
        users.collect()
    }
}

fn select<DB: Dialect>(condition: &str) -> QueryBuilder<DB> {
    QueryBuilder::new(format!(
        "SELECT id, username, full_name, email, is_active FROM users WHERE {condition}"
    ))
}

#[async_trait]
impl<DB: Dialect> UserDirectory for Users<DB> {
    async fn find(&self, owner: &Owner) -> Result<Option<User>, BoxError> {
        Ok(self.profiles(std::slice::from_ref(owner)).await?.pop())
    }

    async fn is_administrator(&self, owner: &Owner) -> Result<bool, BoxError> {
        let Some(id) = owner.parse::<i64>() else {
            return Ok(false);
        };
        let mut query = select("is_active = 1 AND is_administrator = 1 AND id = ");
        DB::bind(&mut query, Value::from(id));
        Ok(!self.read(query).await?.is_empty())
    }

    async fn search(&self, contains: &str, limit: usize) -> Result<Vec<User>, BoxError> {
        let Condition { sql, needle } = self.condition;
        let placeholder = if sql.contains("$1") { "$1" } else { "?" };
        let (before, after) = sql.split_once(placeholder).ok_or("no placeholder")?;
        let mut query = select(before);
        DB::bind(&mut query, Value::from(needle(contains).as_str()));
        query.push(after).push(" ORDER BY id LIMIT ");
        DB::bind(&mut query, Value::from(i64::try_from(limit)?));
        self.read(query).await
    }

    async fn profiles(&self, owners: &[Owner]) -> Result<Vec<User>, BoxError> {
        let ids: Vec<_> = owners.iter().filter_map(Owner::parse::<i64>).collect();
        let Some((last, ids)) = ids.split_last() else {
            return Ok(Vec::new());
        };
        let mut query = select("id IN (");
        for id in ids {
            DB::bind(&mut query, Value::from(*id));
            query.push(", ");
        }
        DB::bind(&mut query, Value::from(*last));
        query.push(")");
        self.read(query).await
    }
}

/// Makes the table, and writes the users.
async fn make(database: &AnyDatabase) {
    let collation = match database.dialect() {
        "mysql" => " CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
        _ => "",
    };
    let table = format!(
        "CREATE TABLE users (id BIGINT PRIMARY KEY, username VARCHAR(100) NOT NULL, full_name VARCHAR(100) NOT NULL, \
         email VARCHAR(100), is_active BIGINT NOT NULL, is_administrator BIGINT NOT NULL, \
         search_text VARCHAR(1000) NOT NULL){collation}"
    );
    database.execute(&table).await;
    for (key, username, full_name, email, is_active, is_administrator) in [
        (
            "7",
            "zoe_a",
            "Zoë Ångström",
            Some("zoe@example.com"),
            true,
            false,
        ),
        ("8", "root", "Ruth Root", None, true, true),
        (
            "9",
            "bob",
            "Bob Baumeister",
            Some("bob@example.com"),
            false,
            true,
        ),
    ] {
        let mut user = User::new(owner(key), username, full_name, is_active);
        user.email = email.map(str::to_owned);
        let email = email.map_or("NULL".to_owned(), |email| format!("'{email}'"));
        let [is_active, is_administrator] = [is_active, is_administrator].map(u8::from);
        let search_text = user.search_text();
        let row = format!(
            "INSERT INTO users VALUES ({key}, '{username}', '{full_name}', {email}, {is_active}, \
             {is_administrator}, '{search_text}')"
        );
        database.execute(&row).await;
    }
}

/// Returns the message of the suite about the directory with this condition; `None` if it passes.
async fn message(database: &AnyDatabase, condition: Condition) -> Option<String> {
    let url = database.url();
    match database.dialect() {
        "sqlite" => message_on::<Sqlite>(&url, condition).await,
        "postgres" => message_on::<Postgres>(&url, condition).await,
        _ => message_on::<MySql>(&url, condition).await,
    }
}

async fn message_on<DB: Dialect>(url: &str, condition: Condition) -> Option<String> {
    let pool = Pool::<DB>::connect(url).await.expect("a pool");
    let users = Users { pool, condition };
    let checked = AssertUnwindSafe(check_directory(&users, USERS));
    let checked = checked.catch_unwind().await;
    users.pool.close().await;
    let panic = checked.err()?;
    Some(*panic.downcast::<String>().expect("a message"))
}

async fn conditions_of_the_guide_keep_the_contract(database: AnyDatabase) {
    make(&database).await;
    for condition in of_the_guide(database.dialect()) {
        assert!(GUIDE.contains(condition.sql), "{}", condition.sql);
        let message = message(&database, condition).await;
        assert_eq!(message, None, "{}", condition.sql);
    }
}

async fn other_conditions_are_detected(database: AnyDatabase) {
    make(&database).await;
    for (condition, expected) in flawed(database.dialect()) {
        let message = message(&database, condition).await;
        let message = message.unwrap_or_else(|| panic!("{} passes", condition.sql));
        assert!(message.contains(expected), "{}: {message}", condition.sql);
        assert!(
            message.contains("a flaw in"),
            "{}: {message}",
            condition.sql
        );
    }
}

/// On PostgreSQL, for a pattern that is bound.
async fn the_index_of_the_guide_is_used(database: Database) {
    make(&AnyDatabase::Server(database.clone())).await;
    let (_, sql) = GUIDE.split_once("```sql\n").expect("the statements");
    let (sql, _) = sql.split_once("```").expect("their end");
    for statement in sql
        .split_terminator(';')
        .map(str::trim)
        .filter(|text| !text.is_empty())
    {
        database.execute(statement).await;
    }
    let connection = PgConnection::connect(&database.url).await;
    let mut connection = connection.expect("a connection");
    // The table is so small that the planner would read it all.
    let setting = sqlx::query("SET enable_seqscan = off");
    setting.execute(&mut connection).await.expect("a setting");
    let plan = "EXPLAIN SELECT id FROM users WHERE search_text LIKE $1 ESCAPE '!'";
    let plan = sqlx::query_scalar::<_, String>(plan).bind(folded_pattern("Ångst"));
    let plan = plan.fetch_all(&mut connection).await.expect("a plan");
    let plan = plan.join("\n");
    assert!(plan.contains("users_search_text"), "{plan}");
}
