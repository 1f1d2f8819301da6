//! Many requests at once: a user's limit on three servers, and a token that nobody has asked for
//! yet.

use std::sync::Arc;
use std::time::Instant;

use futures_util::future::join_all;
use libtest_mimic::Trial;
use pat_core::{Caller, Pats, Settings, TokenRequest};
use pat_harness::database::{AnyDatabase, trials_on_all};
use pat_harness::fault_store::FaultStore;
use pat_harness::process::Process;
use pat_harness::{TOKENS, answer, client, column, until};
use reqwest::{Client, StatusCode};
use serde_json::json;
use tokio::task::JoinSet;

pub(crate) fn trials() -> Vec<Trial> {
    [
        trials_on_all(concurrent_creations_on_three_servers_keep_the_limit),
        trials_on_all(concurrent_requests_with_an_uncached_token_make_one_query),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The default of `atlassian.pats.max.tokens.per.user`.
const LIMIT: usize = 10;
/// How many of them the user has before the crowd comes.
const BEFORE: usize = 7;
const CROWD: usize = 200;

/// How often it comes.
const ROUNDS: usize = 10;

#[expect(clippy::disallowed_methods, reason = "prints how long it took")]
async fn concurrent_creations_on_three_servers_keep_the_limit(database: AnyDatabase) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let arguments = ["--database-url".to_owned(), database.url()];
    let start = || Process::start_silent(folder.path(), &arguments);
    let servers = [start(), start(), start()];
    let http = client();
    for _ in 0..BEFORE {
        assert_eq!(create(&http, &servers[0]).await, StatusCode::CREATED);
    }
    let started = Instant::now();
    for _ in 0..ROUNDS {
        let crowd = servers.iter().cycle().take(CROWD);
        let statuses = join_all(crowd.map(|server| create(&http, server))).await;
        let (created, others): (Vec<_>, Vec<_>) = statuses
            .into_iter()
            .partition(|status| *status == StatusCode::CREATED);
        assert!(created.len() <= LIMIT - BEFORE, "{}", created.len());
        // Where the machine has much to do, some are told to ask again.
        let refusals = [StatusCode::FORBIDDEN, StatusCode::SERVICE_UNAVAILABLE];
        let wrong = others.iter().find(|status| !refusals.contains(status));
        assert_eq!(wrong, None);
        until("there are as many as there may be", async || {
            create(&http, &servers[0]).await == StatusCode::FORBIDDEN
        })
        .await;
        let tokens = list(&http, &servers[1]).await;
        assert_eq!(tokens.len(), LIMIT);
        for id in &tokens[BEFORE..] {
            revoke(&http, &servers[2], *id).await;
        }
    }
    let took = started.elapsed();
    println!(
        "concurrency: {}, {ROUNDS} x {CROWD} creations, never more than allowed, in {took:.2?}",
        database.name()
    );
}

/// The ids of all tokens.
async fn list(http: &Client, server: &Process) -> Vec<i64> {
    let request = http.get(format!("{}{TOKENS}", server.base));
    let list = answer(request.basic_auth("alice", Some("alice")))
        .await
        .json();
    let ids = column(&list, "id").into_iter();
    ids.filter_map(|id| id.as_i64()).collect()
}

async fn revoke(http: &Client, server: &Process, id: i64) {
    let request = http.delete(format!("{}{TOKENS}/{id}", server.base));
    let answer = answer(request.basic_auth("alice", Some("alice"))).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
}

async fn create(http: &Client, server: &Process) -> StatusCode {
    let request = http.post(format!("{}{TOKENS}", server.base));
    let body = json!({"name": "ci", "expirationDuration": 90});
    let request = request.basic_auth("alice", Some("alice")).json(&body);
    answer(request).await.status
}

/// How many ask at once with the same token.
const HERD: usize = 5_000;

#[expect(clippy::disallowed_methods, reason = "prints how long it took")]
async fn concurrent_requests_with_an_uncached_token_make_one_query(database: AnyDatabase) {
    let store = database.store().await;
    let counted = FaultStore::new(store.tokens());
    // The machine may be busy with other tests.
    let settings = Settings::builder().auth_database_timeout_ms(20_000);
    let pats = Pats::builder(Arc::new(counted.clone()))
        .settings(settings.build().expect("settings"))
        .build();
    pats.poll_changes().await.expect("a poll");
    let request = TokenRequest::new("ci", Some(90));
    let alice = Caller::header_authenticated("alice".parse().expect("an owner"));
    let token = pats.create(&alice, request).await.expect("a token");
    let started = Instant::now();
    let mut requests = JoinSet::new();
    for _ in 0..HERD {
        let (pats, text) = (pats.clone(), token.plain.expose().to_owned());
        requests.spawn(async move { pats.authenticate(text.as_bytes()).await.is_ok() });
    }
    let accepted = requests.join_all().await;
    let (took, queries) = (started.elapsed(), counted.lookups());
    println!(
        "concurrency: {}, {HERD} requests with a cold token: {queries} queries in {took:.2?}",
        database.name()
    );
    assert!(accepted.into_iter().all(|accepted| accepted));
    assert!((1..=2).contains(&queries), "{queries}");
    store.close().await;
}
