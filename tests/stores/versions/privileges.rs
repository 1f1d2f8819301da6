//! Accounts that may not do everything.

use std::time::Duration;

use libtest_mimic::Trial;
use pat_core::store::Insertion;
use pat_harness::database::{AnyDatabase, trials_on_servers};
use pat_harness::process::{Process, command, run_to_end};
use pat_servers::rows::new_token;
use pat_servers::{Database, Kind};
use pat_sqlx::{AnyStore, ConnectError, MySqlStore, PostgresStore};
use tokio::time::timeout;
use url::Url;

use super::upgrades::load;

pub(super) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    trials.extend(trials_on_servers(
        an_account_without_create_rights_runs_on_existing_tables,
    ));
    trials.extend(trials_on_servers(
        an_account_that_cannot_migrate_is_told_the_statements,
    ));
    trials.extend(trials_on_servers(
        an_account_without_rights_is_told_the_statements,
    ));
    trials.extend(trials_on_servers(
        a_server_without_rights_to_its_user_table_names_them,
    ));
    trials.extend(trials_on_servers(the_grants_as_text_suffice));
    trials
}

/// An account without any rights but to log in; `self.url` logs in as it.
struct Account {
    name: String,
    url: String,
    database: Database,
}

impl Account {
    async fn create(database: &Database) -> Self {
        let name = database.name("_app");
        let mut url = Url::parse(&database.url).expect("a URL");
        match database.kind {
            Kind::Postgres => {
                database.execute(&format!("CREATE ROLE {name} LOGIN")).await;
                // Servers on a socket are given the user as a parameter.
                let others: Vec<(String, String)> = url
                    .query_pairs()
                    .filter(|(key, _)| key != "user")
                    .map(|(key, value)| (key.into_owned(), value.into_owned()))
                    .collect();
                url.query_pairs_mut().clear().extend_pairs(others);
                if url.set_username(&name).is_err() {
                    url.query_pairs_mut().append_pair("user", &name);
                }
            }
            Kind::MariaDb => {
                // It must be let into the database.
                for sql in [
                    format!("CREATE USER {name} IDENTIFIED BY 'secret'"),
                    format!("GRANT SHOW VIEW ON {}.* TO {name}", database.name("")),
                ] {
                    database.execute(&sql).await;
                }
                url.set_username(&name).expect("a name");
                url.set_password(Some("secret")).expect("a password");
            }
        }
        Self {
            name,
            url: url.into(),
            database: database.clone(),
        }
    }

    /// What connecting comes to, before anything could be tried for ten seconds.
    async fn connect(&self) -> Result<AnyStore, ConnectError> {
        let opened = timeout(Duration::from_secs(9), pat_sqlx::connect(&self.url)).await;
        opened.expect("an answer at once")
    }

    /// What it is told that it lacks: to run, and to migrate.
    async fn lacks(&self) -> (Vec<String>, Vec<String>) {
        let refused = self.connect().await.expect_err("no store");
        let ConnectError::Forbidden {
            to_run, to_migrate, ..
        } = &refused
        else {
            panic!("{refused:?}")
        };
        let text = refused.to_string();
        assert_eq!(text.lines().count(), 1, "{text}");
        for statement in to_run.iter().chain(to_migrate) {
            assert!(text.contains(statement), "{statement} in {text}");
        }
        (to_run.clone(), to_migrate.clone())
    }

    async fn grant(&self, statements: &[String]) {
        for statement in statements {
            self.database.execute(statement).await;
        }
    }

    async fn assert_works(&self) {
        let store = self.connect().await.expect("a store");
        let insertion = store.tokens().insert(&new_token(1, "alice"), 10).await;
        assert!(
            matches!(insertion, Ok(Insertion::Stored(_))),
            "{insertion:?}"
        );
        store.tokens().changes_since(None).await.expect("a poll");
        store.close().await;
    }

    async fn delete(self) {
        if self.database.kind == Kind::Postgres {
            let owned = format!("DROP OWNED BY {} CASCADE", self.name);
            self.database.execute(&owned).await;
        }
        let kind = match self.database.kind {
            Kind::Postgres => "ROLE",
            Kind::MariaDb => "USER",
        };
        let sql = format!("DROP {kind} {}", self.name);
        self.database.execute(&sql).await;
    }
}

async fn an_account_without_create_rights_runs_on_existing_tables(database: Database) {
    AnyDatabase::Server(database.clone()).make().await;
    let account = Account::create(&database).await;
    let (to_run, to_migrate) = account.lacks().await;
    assert_eq!(to_migrate, Vec::<String>::new(), "nothing is to be made");
    account.grant(&to_run).await;
    account.assert_works().await;
    if database.kind == Kind::Postgres {
        // Each table is named. On MariaDB it is the whole database.
        let forgotten = format!(
            "SELECT COUNT(*) FROM pg_tables WHERE tablename LIKE 'pat%' \
             AND tablename <> 'pat_migrations' \
             AND NOT has_table_privilege('{}', quote_ident(tablename), 'DELETE')",
            account.name
        );
        assert_eq!(database.number(&forgotten).await, 0);
    }
    account.delete().await;
}

async fn an_account_that_cannot_migrate_is_told_the_statements(database: Database) {
    let place = AnyDatabase::Server(database.clone());
    load(&place, "0004").await;
    let account = Account::create(&database).await;
    let (to_run, _) = account.lacks().await;
    account.grant(&to_run).await;
    let (again, to_migrate) = account.lacks().await;
    assert_eq!(again, to_run);
    assert!(!to_migrate.is_empty());
    account.grant(&to_migrate).await;
    account.assert_works().await;
    account.delete().await;
}

/// Where there are no tables yet.
async fn an_account_without_rights_is_told_the_statements(database: Database) {
    let account = Account::create(&database).await;
    let mut lacks = account.lacks().await;
    if database.kind == Kind::MariaDb {
        // It does not say whether there are tables to one who may not see them.
        account.grant(&lacks.0).await;
        lacks = account.lacks().await;
    }
    account.grant(&lacks.1).await;
    account.assert_works().await;
    account.delete().await;
}

/// An account that has what the text says, and nothing else.
async fn the_grants_as_text_suffice(database: Database) {
    let account = Account::create(&database).await;
    let grants = match database.kind {
        Kind::Postgres => PostgresStore::grants(&account.name, "public"),
        Kind::MariaDb => MySqlStore::grants(&account.name, &database.name("")),
    };
    AnyDatabase::Server(database.clone()).make().await;
    account.grant(&grants.to_run).await;
    account.assert_works().await;
    let store = pat_sqlx::connect_without_migrating(&account.url).await;
    store.expect("a store").close().await;
    account.delete().await;
    // And one that makes the tables, in a database without any.
    let empty = database.create_beside(&database.name("_empty")).await;
    let account = Account::create(&empty).await;
    match database.kind {
        // It will own the tables.
        Kind::Postgres => {
            let grants = PostgresStore::grants(&account.name, "public");
            account.grant(&grants.to_migrate).await;
        }
        Kind::MariaDb => {
            let grants = MySqlStore::grants(&account.name, &empty.name(""));
            account.grant(&grants.to_run).await;
            account.grant(&grants.to_migrate).await;
        }
    }
    account.assert_works().await;
    account.delete().await;
    empty.delete().await;
}

/// The example server's own table.
async fn a_server_without_rights_to_its_user_table_names_them(database: Database) {
    AnyDatabase::Server(database.clone()).make().await;
    let account = Account::create(&database).await;
    let (to_run, _) = account.lacks().await;
    account.grant(&to_run).await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let refused = || {
        let mut command = command(folder.path());
        command.args(["--listen", "127.0.0.1:0", "--log", "off"]);
        let (code, said) = run_to_end(command.args(["--database-url", &account.url]));
        assert_eq!(code, Some(2), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(!said.contains("secret"), "{said}");
        let (_, statements) = said
            .split_once("have an administrator run: ")
            .expect("what");
        let (create, rest) = statements.split_once("; ").expect("two statements");
        let (grant, _) = rest.split_once(" TO the account").expect("whom");
        [create.to_owned(), format!("{grant} TO {}", account.name)]
    };
    let [create, grant] = refused();
    account.grant(&[create]).await;
    if database.kind == Kind::Postgres {
        // On MariaDB it may use all tables of the database.
        assert_eq!(refused()[1], grant);
        account.grant(&[grant]).await;
    }
    let arguments = ["--database-url", &account.url].map(str::to_owned);
    drop(Process::start_silent(folder.path(), &arguments));
    account.delete().await;
}
