//! Tables that another tool makes from the migrations as text.

use std::process::{Command, Stdio};

use libtest_mimic::Trial;
use pat_harness::database::{AnyDatabase, SERVERS, trial_on, trials_on_all};
use pat_harness::named_trial_with_need;
use pat_harness::names::name_on_own;
use pat_servers::programs::find;
use pat_servers::rows::new_token;
use pat_servers::{Database, Kind};
use pat_sqlx::{
    AnyStore, ConnectError, Migration, MySqlStore, PostgresStore, SqliteStore,
    connect_without_migrating,
};
use url::Url;

use super::insert;
use super::versions::later::pass_suites;
use super::versions::upgrades::load;

pub(super) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    trials.extend(trials_on_all(tables_made_from_text_pass_the_suites));
    trials.extend(trials_on_all(missing_migrations_are_named));
    trials.extend(trials_on_all(an_edited_migration_is_refused));
    trials.push(trial_on(Kind::MariaDb, another_collation_is_refused));
    for kind in SERVERS {
        let client = client(kind);
        let missing = kind.missing_here().or(find(client)
            .is_none()
            .then_some("no client of the server on this machine"));
        trials.push(named_trial_with_need(
            name_on_own(&the_servers_own_client_applies_the_text, kind.need()),
            kind.need(),
            missing,
            move || the_servers_own_client_applies_the_text(kind),
        ));
    }
    trials
}

fn migrations(place: &AnyDatabase) -> Vec<Migration> {
    match place {
        AnyDatabase::Sqlite(_) => SqliteStore::migrations(),
        AnyDatabase::Server(server) => on_server(server.kind),
    }
}

fn on_server(kind: Kind) -> Vec<Migration> {
    match kind {
        Kind::Postgres => PostgresStore::migrations(),
        Kind::MariaDb => MySqlStore::migrations(),
    }
}

/// As a client of the database applies it, which is not this library.
async fn apply(place: &AnyDatabase, migrations: &[Migration]) {
    for migration in migrations {
        match place {
            AnyDatabase::Sqlite(_) => place.execute(&migration.sql).await,
            // As it is: `AnyDatabase` writes bytes in another way for PostgreSQL.
            AnyDatabase::Server(server) => server.execute(&migration.sql).await,
        }
    }
}

async fn without_migrating(place: &AnyDatabase) -> Result<AnyStore, ConnectError> {
    // As opened in earnest: the parameter that makes the file is for tests.
    let url = place.url().replace("?mode=rwc", "");
    connect_without_migrating(&url).await
}

async fn tables_made_from_text_pass_the_suites(place: AnyDatabase) {
    apply(&place, &migrations(&place)).await;
    let recorded = "SELECT COUNT(*) FROM pat_migrations WHERE success = TRUE";
    let before = place.number(recorded).await;
    let opened = without_migrating(&place).await.expect("a store");
    pass_suites(&place, opened).await;
    // A store that may migrate finds nothing to do.
    place.make().await;
    assert_eq!(place.number(recorded).await, before);
}

async fn missing_migrations_are_named(place: AnyDatabase) {
    let names: Vec<_> = migrations(&place)
        .iter()
        .map(|migration| migration.file_name().replace(".sql", ""))
        .collect();
    let missing = async || match without_migrating(&place).await {
        Err(ConnectError::MigrationsMissing { missing, .. }) => missing,
        other => panic!("{other:?}"),
    };
    if let AnyDatabase::Sqlite(folder) = &place {
        let refused = without_migrating(&place).await;
        assert!(
            matches!(refused, Err(ConnectError::Open { .. })),
            "{refused:?}"
        );
        assert!(!folder.path().join("pat.db").exists(), "no file is made");
        std::fs::write(folder.path().join("pat.db"), "").expect("a file");
    }
    assert_eq!(missing().await, names);
    load(&place, "0004").await;
    assert_eq!(missing().await, names[4..]);
    let refused = without_migrating(&place).await.expect_err("no store");
    let text = refused.to_string();
    for part in [&*names[4], "SqlxStore::migrations", "connect or migrate"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(place.number("SELECT COUNT(*) FROM pat_migrations").await, 4);
    apply(&place, &migrations(&place)[4..]).await;
    without_migrating(&place)
        .await
        .expect("a store")
        .close()
        .await;
}

async fn an_edited_migration_is_refused(place: AnyDatabase) {
    place.make().await;
    place
        .execute("UPDATE pat_migrations SET checksum = X'00' WHERE version = 2")
        .await;
    let refused = without_migrating(&place).await;
    assert!(
        matches!(refused, Err(ConnectError::Migrate { .. })),
        "{refused:?}"
    );
}

/// As where a client has dropped the comments that hold the collation.
async fn another_collation_is_refused(database: Database) {
    let place = AnyDatabase::Server(database);
    place.make().await;
    let opened = without_migrating(&place).await;
    opened
        .expect("the collation of the migrations")
        .close()
        .await;
    let alter = "ALTER TABLE pat_owner MODIFY owner VARCHAR(255) COLLATE utf8mb4_general_ci";
    place.execute(alter).await;
    for opened in [without_migrating(&place).await, place.open().await] {
        let refused = opened.expect_err("another collation").to_string();
        assert!(refused.contains("pat_owner.owner"), "{refused}");
    }
}

fn client(kind: Kind) -> &'static str {
    match kind {
        Kind::Postgres => "psql",
        Kind::MariaDb => "mariadb",
    }
}

async fn the_servers_own_client_applies_the_text(kind: Kind) {
    let database = Database::create_alone(kind, &[]).expect("a server");
    let database = database.create_beside("made_by_its_client").await;
    for migration in on_server(kind) {
        run_client(&database, &migration.sql);
    }
    let store = connect_without_migrating(&database.url).await;
    let store = store.expect("a store");
    insert(&*store.tokens(), &new_token(1, "alice")).await;
    store.close().await;
}

fn run_client(database: &Database, sql: &str) {
    let url = Url::parse(&database.url).expect("a URL");
    let parameter = |name: &str| {
        let mut pairs = url.query_pairs();
        let found = pairs.find(|(key, _)| key == name);
        found.expect("a parameter").1.into_owned()
    };
    let mut command = Command::new(find(client(database.kind)).expect("the client"));
    let name = database.name("");
    match database.kind {
        Kind::Postgres => command
            .args([
                "--no-psqlrc",
                "--quiet",
                "--single-transaction",
                "-v",
                "ON_ERROR_STOP=1",
            ])
            .args([
                "--username",
                "postgres",
                "--host",
                &parameter("host"),
                &name,
            ]),
        Kind::MariaDb => command.args([
            "--no-defaults",
            "--user",
            "root",
            "--socket",
            &parameter("socket"),
            &name,
        ]),
    };
    let mut child = command.stdin(Stdio::piped()).spawn().expect("the client");
    let mut input = child.stdin.take().expect("its input");
    std::io::Write::write_all(&mut input, sql.as_bytes()).expect("it reads");
    drop(input);
    assert!(child.wait().expect("its end").success());
}
