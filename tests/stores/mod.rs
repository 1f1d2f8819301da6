//! The stores on database servers: the suites, and what only a server can get wrong.

pub(crate) mod connections;
mod crashes;
mod events;
mod isolation;
mod lines;
mod migrations;
mod mixed_load;
mod nodes;
mod reads;
mod restore;
mod schema;
mod scopes;
pub(crate) mod search;
mod servers;
mod settings;
mod statements;
mod text;
mod unsuitable;
pub(crate) mod versions;

use futures_util::future::join_all;
use jiff::Timestamp;
use libtest_mimic::Trial;
use pat_core::store::TokenStore;
use pat_core::store::{Insertion, NewToken, Revocation, RevocationScope};
use pat_core::testing::{self, Case};
use pat_core::{Owner, TokenId};
use pat_harness::database::{
    SERVERS, named_trials_on_servers, trial_on, trial_on_sqlite, trial_that_stops, trials_on_all,
    trials_on_servers,
};
use pat_harness::names::name_in_case;
use pat_harness::{Server, TOKENS, answer};
use pat_servers::rows::new_token;
use pat_servers::{Database, Kind};
use pat_sqlx::AnyStore;
use reqwest::StatusCode;
use serde_json::json;

/// What every store has to do.
fn suites() -> impl Iterator<Item = Trial> {
    let suites = [
        testing::store::CASES,
        testing::jobs::CASES,
        testing::search::CASES,
        testing::audit::CASES,
    ];
    suites.into_iter().flatten().flat_map(|case| {
        let name = name_in_case(&every_store, case.name);
        named_trials_on_servers(&name, move |database| every_store(database, *case))
    })
}

async fn every_store(database: Database, case: Case) {
    let store = open(&database).await;
    // The cases move the time.
    case.run(store.dangerous_with_callers_clock()).await;
    store.close().await;
}

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials: Vec<_> = suites().collect();
    trials.extend(connections::trials());
    trials.extend(crashes::trials());
    trials.extend(isolation::trials());
    trials.extend(mixed_load::trials());
    trials.extend(reads::trials());
    trials.extend(search::trials());
    trials.extend(restore::trials());
    trials.extend(schema::trials());
    trials.extend(scopes::trials());
    trials.extend(settings::trials());
    trials.extend(statements::trials());
    trials.extend(text::trials());
    trials.extend(unsuitable::trials());
    trials.extend(versions::trials());
    let on_all = [
        trials_on_all(migrations::the_hosts_migrations_coexist_with_ours),
        trials_on_all(events::audit_events_are_written_and_trimmed),
        trials_on_all(lines::the_times_of_a_line_are_corrected_together),
        trials_on_all(nodes::a_node_that_is_far_behind_revalidates_every_token),
    ];
    let on_servers = [
        trials_on_servers(migrations::several_nodes_can_migrate_at_once),
        trials_on_servers(migrations::an_unfinished_migration_is_repeated),
        trials_on_servers(the_limit_holds_across_nodes),
        trials_on_servers(text_is_compared_byte_by_byte),
        trials_on_servers(nodes::leases_go_by_the_databases_clock),
        trials_on_servers(nodes::a_node_follows_the_databases_clock),
        trials_on_servers(nodes::each_node_sees_the_others_revocations),
        trials_on_servers(servers::cut_connections_are_replaced),
        trials_on_servers(servers::changes_that_wait_leave_connections_for_authentication),
        trials_on_servers(servers::a_look_up_waits_for_no_lock_of_another_table),
        trials_on_servers(a_token_is_created_used_listed_and_revoked),
        SERVERS.map(|kind| {
            trial_that_stops(
                kind,
                migrations::nodes_at_different_distances_can_migrate_at_once,
            )
        }),
        SERVERS
            .map(|kind| trial_that_stops(kind, servers::a_primary_that_was_demoted_is_not_asked)),
    ];
    trials.extend(on_all.into_iter().flatten());
    trials.extend(on_servers.into_iter().flatten());
    trials.extend([
        trial_on_sqlite(migrations::several_nodes_can_create_a_file_at_once),
        trial_on_sqlite(nodes::changes_are_reported_only_if_a_node_waits),
        trial_on(
            Kind::MariaDb,
            servers::a_transaction_left_open_by_the_host_is_tolerated,
        ),
        // The PostgreSQL servers of the tests ask nobody for a password.
        trial_on(
            Kind::MariaDb,
            servers::an_account_with_a_password_can_connect,
        ),
        // On MariaDB it would be for all databases of the server.
        trial_on(
            Kind::Postgres,
            servers::a_server_that_takes_no_writes_is_refused,
        ),
        trial_on(
            Kind::Postgres,
            nodes::hints_shorten_the_wait_for_the_next_poll,
        ),
        trial_on(
            Kind::Postgres,
            servers::a_database_in_another_encoding_is_refused,
        ),
    ]);
    trials
}

async fn open(database: &Database) -> AnyStore {
    pat_sqlx::connect(&database.url).await.expect("a store")
}

async fn open_several(database: &Database, count: usize) -> Vec<AnyStore> {
    join_all((0..count).map(|_| open(database))).await
}

async fn close(stores: Vec<AnyStore>) {
    for store in stores {
        store.close().await;
    }
}

pub(crate) fn owner(key: &str) -> Owner {
    key.parse().expect("an owner")
}

pub(crate) fn id(number: i64) -> TokenId {
    TokenId::new(number).expect("an id")
}

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_772_145_741 + seconds).expect("a date")
}

/// Stores a token, which nothing speaks against.
pub(crate) async fn insert(store: &dyn TokenStore, token: &NewToken) {
    let insertion = store.insert(token, 10).await.expect("insert");
    assert!(matches!(insertion, Insertion::Stored(_)), "{insertion:?}");
}

async fn the_limit_holds_across_nodes(database: Database) {
    let stores = open_several(&database, 3).await;
    let creations = (0..200).zip(stores.iter().cycle()).map(|(number, store)| {
        let store = store.tokens();
        tokio::spawn(async move { store.insert(&new_token(number, "alice"), 10).await })
    });
    let outcomes = join_all(creations).await.into_iter().map(|outcome| {
        outcome
            .expect("a task")
            .expect("no lock error reaches the caller")
    });
    let (created, refused): (Vec<_>, Vec<_>) =
        outcomes.partition(|outcome| matches!(outcome, Insertion::Stored(_)));
    assert_eq!(created.len(), 10);
    assert!(
        refused
            .iter()
            .all(|outcome| *outcome == Insertion::LimitReached { count: 10 })
    );
    close(stores).await;
}

async fn text_is_compared_byte_by_byte(database: Database) {
    let store = open(&database).await;
    let tokens = store.tokens();
    let long = "ü".repeat(127);
    let keys = [
        "alice",
        "alice ",
        " alice",
        "alice  ",
        "Alice",
        "álice",
        "a\u{301}lice",
        "ALICE",
        "🎉",
        "🎊",
        "ß",
        "ss",
        "\u{200b}alice",
        "%",
        "_",
        "\\",
        "'",
        &long,
    ];
    for (number, key) in (1..).zip(keys) {
        let mut token = new_token(number, key);
        token.name = format!("{key} ");
        insert(&*tokens, &token).await;
    }
    let limited = tokens.insert(&new_token(99, "alice"), 1).await;
    assert_eq!(
        limited.expect("insert"),
        Insertion::LimitReached { count: 1 }
    );
    for key in keys {
        let listed = tokens.list(&owner(key)).await.expect("list");
        let names: Vec<_> = listed.iter().map(|token| token.name.as_str()).collect();
        assert_eq!(names, [format!("{key} ").as_str()], "{key:?}");
    }
    let mut revocation = Revocation::new(at(1));
    revocation.by = Some(owner("admin "));
    revocation.reason = Some("🎉 \0 '\\ ".repeat(10_000));
    let scope = RevocationScope::Owner(owner("alice"));
    let revoked = tokens.revoke(&scope, &revocation).await.expect("revoke");
    assert_eq!(revoked.tokens.len(), 1, "{revoked:?}");
    store.close().await;
}

async fn a_token_is_created_used_listed_and_revoked(database: Database) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = Server::on(database.url.clone(), folder, &[]).await;
    let token = server.create("alice").await;
    assert_eq!(server.try_token(&token.raw).await, StatusCode::OK);
    let list = answer(server.get(TOKENS).bearer_auth(&token.raw))
        .await
        .json();
    assert_eq!((&list[0]["id"], &list[1]), (&json!(token.id), &json!(null)));
    let revoked = server
        .delete(&token.path())
        .basic_auth("alice", Some("alice"));
    assert_eq!(answer(revoked).await.status, StatusCode::NO_CONTENT);
    assert_eq!(server.try_token(&token.raw).await, StatusCode::UNAUTHORIZED);
    let health = answer(server.get("/readyz")).await;
    assert_eq!(health.status, StatusCode::OK);
    server.stop().await;
}
